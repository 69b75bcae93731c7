"""Who is at the other end of a connection: it may be killed, so it must be nobody else."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from local.faults.calls import Caller, Callers, Ends

ENDPOINT = "http://127.0.0.1:4566"
_CONNECTS = (
    "import socket, sys; held = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); sys.stdin.read()"
)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def connected(
    server: socket.socket, environment: dict[str, str]
) -> tuple[subprocess.Popen[bytes], socket.socket, Ends]:
    """A process that holds a connection to the server."""
    command = [sys.executable, "-c", _CONNECTS, str(server.getsockname()[1])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    connection, (_, port) = server.accept()
    return process, connection, Ends(port, server.getsockname()[1])


@pytest.mark.parametrize(
    ("environment", "is_ours"),
    [
        ({"AWS_ENDPOINT_URL": ENDPOINT}, True),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4567"}, False),
        ({}, False),
    ],
)
def test_only_a_function_of_this_stack_is_found(
    listening: socket.socket, environment: dict[str, str], is_ours: bool
) -> None:
    function = {"AWS_LAMBDA_FUNCTION_NAME": "parcelgate-local-sweep", "AWS_ACCESS_KEY_ID": "key"}
    process, connection, ends = connected(listening, environment | function)
    with process, connection:
        callers = Callers(ENDPOINT)
        # As if a function of ours had had this number before.
        callers._known[process.pid] = Caller(process.pid, "sweep")
        found = callers.at(ends)
        elsewhere = callers.at(Ends(ends.callers, ends.ours + 1))
        process.kill()
    assert found == (Caller(process.pid, "sweep") if is_ours else None)
    assert elsewhere is None, "a port may be in use by another connection, too"

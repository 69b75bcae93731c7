"""A function's start: what is ready after it, and what two restored from one snapshot do not share."""

import random
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import ModuleType, SimpleNamespace
from unittest.mock import Mock

import pytest
from cryptography.hazmat.bindings.openssl.binding import Binding

from parcelgate import aws_clients, startup
from parcelgate.carriers import registry
from parcelgate.carriers.toolkit import transport
from parcelgate.runtime import runtime
from tests.support.table import aws

type Hook = Callable[[], None]

LIBRARY = "snapshot_restore_py"
INITIALIZED = "AWS_LAMBDA_INITIALIZATION_TYPE"


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A function's environment, whose parts are forgotten afterwards."""
    for name in ("TABLE", "USAGE_TABLE", "SECRET_PREFIX"):
        monkeypatch.setenv(f"PARCELGATE_{name}", name.lower())
    runtime.reset()
    with aws():
        yield
    runtime.reset()


def test_where_it_is_on_lambda_is_given_the_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    library, given = ModuleType(LIBRARY), dict[str, Hook]()
    for name in ("before_snapshot", "after_restore"):
        setattr(library, f"register_{name}", lambda hook, name=name: given.update({name: hook}))
    monkeypatch.setitem(sys.modules, LIBRARY, library)
    monkeypatch.setenv(INITIALIZED, "snap-start")

    startup.begin(Mock(), runtime.before_snapshot, runtime.after_restore)

    assert given == {"before_snapshot": runtime.before_snapshot, "after_restore": runtime.after_restore}


@pytest.mark.parametrize("kind", ["on-demand", "provisioned-concurrency", ""])
def test_without_snapshots_lambda_lets_a_function_make_its_client_at_once(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, LIBRARY, None)
    monkeypatch.setenv(INITIALIZED, kind)
    startup.begin(at_start := Mock(), Mock(), Mock())
    assert at_start.call_count == bool(kind)


def test_no_version_is_published_without_its_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, LIBRARY, None)
    monkeypatch.setenv(INITIALIZED, "snap-start")
    with pytest.raises(ImportError):
        startup.begin(Mock(), runtime.before_snapshot, runtime.after_restore)


ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "PARCELGATE_TABLE": "table",
    "PARCELGATE_USAGE_TABLE": "usage",
    "PARCELGATE_SECRET_PREFIX": "parcelgate/test",
    "POWERTOOLS_METRICS_NAMESPACE": "Parcelgate",
}
STARTED = """
import socket, sys, types
before = []
library = types.ModuleType("snapshot_restore_py")
library.register_before_snapshot, library.register_after_restore = before.append, id
sys.modules["snapshot_restore_py"] = library
def refuse(*_): raise AssertionError("somebody was called")
socket.socket.connect = socket.getaddrinfo = refuse
import functions.create_order.handler
for hook in before:
    hook()
from parcelgate import aws_clients
print(*aws_clients._made, *sys.modules)
"""


def started(kind: str) -> set[str]:
    """The clients that a function has after its start, and its modules."""
    done = subprocess.run(
        [sys.executable, "-c", STARTED],
        env={**ENVIRONMENT, INITIALIZED: kind},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_a_start_makes_what_every_first_request_waits_for_and_calls_nobody() -> None:
    made = started("on-demand")
    assert {"dynamodb", "botocore.client"} <= made
    assert not {"secretsmanager", "httpx", "parcelgate.carriers.ubi.adapter"} & made


def test_a_snapshot_has_all_that_a_first_request_may_wait_for() -> None:
    made = started("snap-start")
    assert {"dynamodb", "secretsmanager", "httpx", "botocore.client"} <= made
    assert {f"parcelgate.carriers.{name}.adapter" for name in registry.names()} <= made


@pytest.mark.usefixtures("parts")
def test_two_environments_roll_different_dice() -> None:
    state = random.getstate()

    def restored() -> float:
        random.setstate(state)
        runtime.after_restore()
        return random.random()

    assert restored() != restored()


@pytest.mark.usefixtures("parts")
def test_openssl_is_given_other_numbers_in_each_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bytes] = []
    other = SimpleNamespace(RAND_add=lambda numbers, *_: given.append(numbers))
    monkeypatch.setattr(Binding, "lib", other)
    monkeypatch.setattr(ssl, "RAND_add", lambda numbers, _: given.append(numbers))

    runtime.after_restore()
    runtime.after_restore()

    assert [len(numbers) for numbers in given] == [48, 48, 48, 48]
    assert len({*given}) == 4


@pytest.mark.usefixtures("parts")
def test_clients_stay_and_what_services_remember_does_not() -> None:
    runtime.before_snapshot()
    accounts, usage, client = runtime.accounts, runtime.usage_table, aws_clients.client("dynamodb")

    runtime.after_restore()

    assert runtime.accounts is not accounts
    assert runtime.usage_table is not usage
    assert aws_clients.client("dynamodb") is client


@pytest.mark.usefixtures("parts")
def test_no_connection_comes_from_the_snapshot() -> None:
    aws_clients.put("kms", kms := Mock())
    runtime.before_snapshot()
    to_carriers = transport._shared_client(kept=True)

    runtime.after_restore()

    kms.close.assert_called_once_with()
    assert to_carriers.is_closed
    assert not transport._shared_client(kept=True).is_closed


def test_a_client_whose_connections_were_closed_goes_on_with_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws_clients.forget()
    with dynamodb() as (url, connections):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            monkeypatch.setenv(name, "none")
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        client = aws_clients.client("dynamodb")
        for _ in range(2):
            assert client.list_tables()["TableNames"] == []
        assert len(connections) == 1
        aws_clients.close_connections()
        assert client.list_tables()["TableNames"] == []
        assert len(connections) == 2
        aws_clients.close_connections()
    aws_clients.forget()


@contextmanager
def dynamodb() -> Iterator[tuple[str, set[int]]]:
    """A DynamoDB that has no tables, and the ports that it was called from."""
    ports: set[int] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            ports.add(self.client_address[1])
            self.rfile.read(int(self.headers["content-length"]))
            body = b'{"TableNames": []}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", ports
        server.shutdown()

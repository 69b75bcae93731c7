"""What every test runs in."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from _pytest import runner
from httpx._transports import default as httpx_transport
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from parcelgate import aws_clients
from parcelgate.observability.logs import log
from parcelgate.runtime import runtime
from tests.infra.permissions import differences
from tests.property.examples import UNWELCOME
from tests.support import faults, observed_calls

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox
    from tests.support.world import World

_LOCALS = 20_000
_OBJECTS = 50_000
"""How many new objects may be there before Python looks for those that nobody can reach."""
# A busy machine is no failure, and neither chance nor an earlier run decides what is tried.
settings.register_profile(
    "steady",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=UNWELCOME,
)
settings.load_profile("steady")
# The sandbox is called over plain HTTP, as in the local environment.
os.environ["PARCELGATE_CARRIERS_OVER_HTTP"] = "yes"


def _make_room() -> Callable[[Callable[[], object]], object]:
    names: dict[str, Callable[[Callable[[], object]], object]] = {}
    unused = " = ".join(f"a{number}" for number in range(_LOCALS))
    exec(f"def with_room(call):\n    return call()\n    {unused} = None", names)
    return names["with_room"]


with_room = _make_room()
"""Calls something with room for its frames.

CPython 3.13 keeps frames in pieces of 16 KiB, and gives a piece back to the system as soon as it is empty. A
loop whose calls happen to lie across the end of a piece asks for one and gives it back each time: that made
some tests four times slower, by nothing but how deep pytest's own calls were. A frame that is large gets a
piece as large as it needs, and as much again for those above it.
"""


def _observed(service: str) -> Any:
    client = _make_client(service)
    client.meta.events.register("provide-client-params", observed_calls.note_call_of_botocore)
    return client


_make_client, aws_clients._make = aws_clients._make, _observed
# Whom to trust is read anew for each client.
httpx_transport.create_ssl_context = cache(httpx_transport.create_ssl_context)


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """Leave nothing of one test to the next: no part in the runtime, no connection, no key of log lines."""
    yield
    runtime.reset()
    if transport := sys.modules.get("parcelgate.carriers.toolkit.transport"):
        transport.renew()
    log.structure_logs()


def pytest_collection_finish() -> None:
    """Look for garbage seldom, and not among what stays: it took a quarter of some files' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, 20, 20)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> object:
    """Run each test, its fixtures included, with room for its frames."""
    return with_room(lambda: runner.pytest_runtest_protocol(item, nextitem))


@pytest.fixture(autouse=True)
def every_fault_comes_true() -> Iterator[None]:
    """Fail a test whose faults were never met: it proved nothing."""
    with faults.all_come_true():
        yield


@pytest.fixture
def new_world() -> "Iterator[Callable[..., World]]":
    """Makes worlds whose carriers are in memory."""
    from tests.support.world import worlds

    with worlds() as make:
        yield make


@pytest.fixture
def world(new_world: "Callable[..., World]") -> "World":
    """A whole Parcelgate in this process, whose carriers are in memory."""
    return new_world()


@pytest.fixture(scope="session")
def running_sandbox() -> "Iterator[Sandbox]":
    """The carriers' sandbox, one for all tests of this process."""
    from tests.support.sandbox import running_sandbox

    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def new_sandbox_world(running_sandbox: "Sandbox") -> "Iterator[Callable[..., World]]":
    """Makes worlds whose adapters call one sandbox, which has nothing of an earlier test."""
    from tests.support.world import worlds

    running_sandbox.reset()
    with worlds(running_sandbox) as make:
        yield make
    running_sandbox.assert_every_fault_was_met()


@pytest.fixture
def sandbox_world(new_sandbox_world: "Callable[..., World]") -> "World":
    """A whole Parcelgate in this process, whose adapters call the sandbox."""
    return new_sandbox_world()


_DIFFERENCES = pytest.StashKey[list[str]]()


def _is_whole(config: pytest.Config) -> bool:
    """Whether nothing was left out of the suite: only then has every call been seen."""
    option = config.option
    return not (
        option.file_or_dir
        or option.keyword
        or option.markexpr
        or option.deselect
        or getattr(option, "lf", False)
        or option.collectonly
    )


class OneStack(LoadScopeScheduling):
    """Sends all tests of the stack to one process, which starts one stack, and every other test to any."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/stack" if nodeid.startswith("tests/stack/") else nodeid

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Forget what is done: after each test xdist counts what is left of all that its process ever had."""
        nodeid = self.registered_collections[node][item_index]
        scope, work = self._split_scope(nodeid), self.assigned_work[node]
        work[scope][nodeid] = True
        if all(work[scope].values()):
            del work[scope]
        self._reschedule(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneStack:
    """Share the tests out so that the stack's, which mostly wait, run beside the others."""
    return OneStack(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand this process's calls on; after a run of the whole suite compare them with what roles allow.

    The differences are listed at the end, and fail the run.
    """
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["calls"] = {name: sorted(calls) for name, calls in observed_calls.calls.items()}
    elif _is_whole(config) and session.exitstatus == pytest.ExitCode.OK:
        config.stash[_DIFFERENCES] = differences(observed_calls.calls)
        if config.stash[_DIFFERENCES]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_testnodedown(node: Any) -> None:
    """Take a process's calls when it ends."""
    for function, calls in getattr(node, "workeroutput", {}).get("calls", {}).items():
        observed_calls.calls[function] |= {(thing, action) for thing, action in calls}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what roles allow that no test uses, and what functions ask that no role allows."""
    differences = config.stash.get(_DIFFERENCES, [])
    if differences:
        terminalreporter.section("what roles allow and what functions do (tests/infra/test_permissions.py)")
        for line in differences:
            terminalreporter.write_line(line)

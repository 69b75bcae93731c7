"""What every test runs in."""

import os
from collections.abc import Callable, Iterator

import pytest
from _pytest import runner
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from parcelgate.observability.logs import log
from parcelgate.runtime import runtime
from tests.support import faults

_LOCALS = 20_000
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


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """Leave nothing of one test to the next: no part in the runtime, no key of log lines."""
    yield
    runtime.reset()
    log.structure_logs()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> object:
    """Run each test, its fixtures included, with room for its frames."""
    return with_room(lambda: runner.pytest_runtest_protocol(item, nextitem))


@pytest.fixture(autouse=True)
def every_fault_comes_true() -> Iterator[None]:
    """Fail a test whose faults were never met: it proved nothing."""
    with faults.all_come_true():
        yield


class OneStack(LoadScopeScheduling):
    """Sends all tests of the stack to one process, which starts one stack, and every other test to any."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/stack" if nodeid.startswith("tests/stack/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneStack:
    """Share the tests out so that the stack's, which mostly wait, run beside the others."""
    return OneStack(config, log)

"""The worlds that the fault tests share, and the table of what came of each fault."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.desk import Desk, Sandbox, desks, sandboxes
from tests.support.world import World, worlds


@pytest.fixture
def new_world() -> Iterator[Callable[..., World]]:
    with worlds() as make:
        yield make


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world()


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    with sandboxes() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Iterator[Sandbox]:
    running_sandbox.reset()
    yield running_sandbox
    running_sandbox.assert_every_fault_was_met()


@pytest.fixture
def new_desk(sandbox: Sandbox) -> Iterator[Callable[..., Desk]]:
    with desks(sandbox) as make:
        yield make


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    return new_desk()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what became of each order of the fault matrix; the tests note it as the property `run`."""
    runs = sorted(
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "run" and report.when == "call"
    )
    if runs:
        terminalreporter.section("what became of an order after each fault")
        terminalreporter.write_line(
            f"{'carrier':8}{'call':12}{'fault':14}{'times':>5}  {'answer':8}{'end':17}bought"
        )
        for run in runs:
            terminalreporter.write_line(run)

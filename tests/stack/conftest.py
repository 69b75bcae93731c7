"""The running stack that the tests of this folder share."""

import os
import shutil
from collections.abc import Iterator

import psutil
import pytest

from local import stack as local_stack

STATES = local_stack.STATE / "tests"


@pytest.fixture(scope="session")
def stack() -> Iterator[local_stack.Stack]:
    """Give a fresh stack of this test session's own; its logs stay in ``.local/tests`` when it is over."""
    _end_abandoned_stacks()
    with local_stack.running(STATES / str(os.getpid())) as running:
        yield running


def _end_abandoned_stacks() -> None:
    for state in STATES.glob("*"):
        if not psutil.pid_exists(int(state.name)):
            local_stack.down(state)
            shutil.rmtree(state)

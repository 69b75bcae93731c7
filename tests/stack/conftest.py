"""The running stack that the tests of this folder share."""

import json
import os
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from local.checks.checks import STATES, end_abandoned_stacks
from local.command.deployment import Deployment
from local.stack import stack as local_stack
from parcelgate.services.accounts import api_keys
from tests.stack.cases import Orders, posted
from tests.stack.journeys import Journeys, begun
from tests.stack.shop import Shop

_STATE = STATES / str(os.getpid())
_FOLDER = Path(__file__).parent
_TAKE_THEIR_TIME = {"orders", "journeys"}
"""Fixtures that begin something long with the session, and whose tests wait for its end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that wait come last of this folder."""
    of_the_stack = [item for item in items if _FOLDER in item.path.parents]
    others = [item for item in items if _FOLDER not in item.path.parents]
    items[:] = others + sorted(of_the_stack, key=_waits)


def _waits(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    return not _TAKE_THEIR_TIME.isdisjoint(signature(item.function).parameters)


@pytest.fixture(scope="session")
def stack() -> Iterator[local_stack.Stack]:
    """Give a fresh stack of this test session's own; its logs stay in ``.local/tests`` when it is over."""
    end_abandoned_stacks()
    with local_stack.running(_STATE) as running:
        yield running


@pytest.fixture(scope="session")
def shop(stack: local_stack.Stack) -> Shop:
    """Give a merchant with a key for everything."""
    return Shop(stack)


@pytest.fixture(scope="session", autouse=True)
def orders(shop: Shop) -> Orders:
    """Give the ends of all the cases' orders, which take their time while other tests run."""
    return posted(shop)


@pytest.fixture(scope="session", autouse=True)
def journeys(shop: Shop, deployment: Deployment) -> Journeys:
    """Give the ends of parcels that set off now, and travel for minutes while other tests run."""
    return begun(shop, deployment)


@pytest.fixture(scope="session")
def deployment(stack: local_stack.Stack) -> Deployment:
    """Give what an operator has of the stack: its outputs and its AWS services."""
    return Deployment.local(_STATE / "stack.json")


@pytest.fixture(scope="session")
def accounts(stack: local_stack.Stack) -> dict[str, Any]:
    """Give the made-up logins of the stack, by carrier and account."""
    found: dict[str, Any] = json.loads((_STATE / "accounts.json").read_text())
    return found


@pytest.fixture(scope="session")
def make_key(deployment: Deployment) -> Callable[[str, list[str]], str]:
    """Give a maker of keys for any tenant and scopes."""
    return lambda tenant, scopes: api_keys.create(deployment.table, tenant, scopes, "test")

"""The running stack that the tests of this folder share."""

import json
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.checks.checks import STATES, end_abandoned_stacks
from local.command.deployment import Deployment
from local.stack import stack as local_stack
from parcelgate.http.routes import ROUTES
from parcelgate.services.accounts import api_keys
from tests.stack import drills as failure_drills
from tests.stack import revoked
from tests.stack.cases import Orders, posted
from tests.stack.drills import Drills
from tests.stack.journeys import Journeys, begun
from tests.stack.shop import Shop
from tests.stack.spoilt import Spoilt, tried
from tests.support.browser import browser, chrome, new_page

__all__ = ["browser", "chrome", "new_page"]

_STATE = STATES / str(os.getpid())
_FOLDER = Path(__file__).parent
_TAKE_THEIR_TIME = {"orders", "journeys", "spoilt", "drills", "with_a_revoked_key"}
"""Fixtures that begin something long with the session, and whose tests wait for its end."""
_LAST, _LAST_TURN = "every_call", 2
"""The fixture of the test that looks back on all the others."""
_ALONE = "alone"
"""The fixture of the test after which the stack is no longer what it was."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that wait come last of this folder, and then the one that looks back on all of it.

    That one is left out where the folder is not run as a whole.
    """
    of_the_stack = [item for item in items if _FOLDER in item.path.parents]
    others = [item for item in items if _FOLDER not in item.path.parents]
    if {item.path for item in of_the_stack} != set(_FOLDER.glob("test_*.py")):
        of_the_stack = [item for item in of_the_stack if _turn(item) != _LAST_TURN]
    items[:] = others + sorted(of_the_stack, key=_turn)


def _turn(item: pytest.Item) -> int:
    assert isinstance(item, pytest.Function)
    parameters = signature(item.function).parameters
    if _ALONE in parameters:
        return _LAST_TURN + 1
    if _LAST in parameters:
        return _LAST_TURN
    return int(not _TAKE_THEIR_TIME.isdisjoint(parameters))


@pytest.fixture(scope="session", autouse=True)
def every_call() -> Iterator[set[str]]:
    """Give the routes of the API that were called so far, and succeeded at least once."""
    seen: set[str] = set()
    send = httpx.Client.send

    def noted(client: httpx.Client, request: httpx.Request, **how: Any) -> httpx.Response:
        answer = send(client, request, **how)
        if answer.status_code < 400:
            seen.update(_routes(request))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx.Client, "send", noted)
        yield seen


def _routes(request: httpx.Request) -> list[str]:
    """The route that a request goes to: of several that fit, the one with the fewest parameters."""
    _, _, path = request.url.path.partition("/$default")
    fits = [
        key
        for key, route in ROUTES.items()
        if route.method == request.method and _pattern(route.path).fullmatch(path)
    ]
    return sorted(fits, key=lambda key: key.count("{"))[:1]


@cache
def _pattern(path: str) -> re.Pattern[str]:
    """What the addresses of a route look like."""
    parts = (
        ".+" if part.endswith("+}") else "[^/]+" if part.startswith("{") else re.escape(part)
        for part in path.split("/")
    )
    return re.compile("/".join(parts))


@pytest.fixture(scope="session")
def stack() -> Iterator[local_stack.Stack]:
    """Give a fresh stack of this test session's own; its logs stay in ``.local/tests`` when it is over."""
    end_abandoned_stacks()
    with local_stack.running(_STATE, with_faults=True) as running:
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
def stack_state(stack: local_stack.Stack) -> Path:
    """Give the stack's state folder."""
    return _STATE


@pytest.fixture
def alone(stack_state: Path) -> Path:
    """Give the stack's state folder to a test that comes after all others."""
    return stack_state


@pytest.fixture(scope="session")
def drills(stack_state: Path) -> Iterator[Drills]:
    """Give the ends of the failure drills, which take minutes while other tests run."""
    with failure_drills.begun(stack_state) as begun_drills:
        yield begun_drills


@pytest.fixture(scope="session")
def spoilt(stack: local_stack.Stack, deployment: Deployment) -> Iterator[Spoilt]:
    """Give what became of calls that go wrong from now on, while other tests run."""
    with tried(stack, deployment) as spoilt:
        yield spoilt


@pytest.fixture(scope="session", autouse=True)
def begin_early(request: pytest.FixtureRequest) -> None:
    """Begin what goes wrong by itself, breaks things or takes a minute, when a test waits for its end."""
    for name in ("spoilt", "drills", "with_a_revoked_key"):
        if any(name in getattr(item, "fixturenames", ()) for item in request.session.items):
            request.getfixturevalue(name)


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


@pytest.fixture(scope="session")
def with_a_revoked_key(
    stack: local_stack.Stack, deployment: Deployment, make_key: Callable[[str, list[str]], str]
) -> Iterator[revoked.LastAnswer]:
    """Give the last answer to a key that is revoked now, and goes on being used while other tests run."""
    key = make_key("demo", ["orders:read"])
    with revoked.tried(Shop(stack, key), deployment, key) as last_answer:
        yield last_answer

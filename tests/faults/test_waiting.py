"""An order that waits says for what, since when and why, and goes on by itself when it can."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from parcelgate.carriers.accounts import Connection
from parcelgate.carriers.errors import (
    AccountError,
    AuthenticationError,
    CarrierError,
    HeldBackError,
    OverLimitError,
    TransientError,
)
from parcelgate.carriers.lso.adapter import Adapter as Lso
from parcelgate.carriers.results import Pending
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.carriers.toolkit.transport import HttpTransport
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus, Waiting, WaitingFor
from parcelgate.domain.problems import CarrierWords
from parcelgate.services.orders.cancel import Canceller
from sandbox import Settings, serve
from tests.support.adapters import FakeVault, lso_account, lso_address, lso_parcel
from tests.support.api import TENANT
from tests.support.bodies import BODIES, CARRIERS
from tests.support.fake_carriers import Behaviour
from tests.support.faults import fails_with
from tests.support.world import World

CREATE = {"ubi": "orders", "lme": "create"}
LABEL = {"ubi": "labels", "lme": "queryLabel"}
CLOSED = "http://127.0.0.1:9"
"""Nobody listens there."""
LOGIN = {"app_id": "app-7", "app_secret": "made-up"}


def waiting(order: Order) -> Waiting:
    assert order.waiting is not None
    return order.waiting


def trail(world: World, order: Order) -> list[tuple[str, str | None]]:
    events = world.table.tenant(TENANT).orders.events(order.id)
    return [(event.type, event.detail) for event in events]


def passes(world: World, **time: float) -> None:
    """Let so much time pass."""
    until = world.clock.now + timedelta(**time)
    world.clock.run(until=lambda: world.clock.now >= until, hours=30)


def fails_until(world: World, method: str, end: datetime, error: CarrierError) -> None:
    """Fail each of these calls until then."""
    world.faults.when(
        lambda call: call.method == method and world.clock.now < end, fails_with(error), times=10**6
    )


# Carriers that answer at once


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("status_500", "outcome_unknown"),
        ("429", "too_many_requests"),
        ("unauthorized", "credentials_refused"),
        ("closed port", "carrier_unavailable"),
    ],
)
def test_an_order_that_cannot_be_sent_says_so(
    kind: str, code: str, carrier: str, sandbox_world: World
) -> None:
    login = sandbox_world.sandbox.logins[carrier]
    if kind == "closed port":
        sandbox_world.put_account(carrier, login, base_url=CLOSED)
    else:
        sandbox_world.sandbox.fault(carrier, CREATE[carrier], kind, times=1)
    begun = sandbox_world.clock.now

    reply = sandbox_world.create_order(BODIES[carrier]())

    assert (reply.status, reply.json()["status"]) == (202, "processing")
    shown = reply.json()["waiting"]
    assert (shown["for"], shown["attempts"], shown["last_error"]["code"]) == ("carrier", 1, code)
    assert datetime.fromisoformat(shown["since"]) == begun
    assert shown["last_error"]["message"]
    assert shown["next_attempt_at"] >= shown["since"]
    order = sandbox_world.only_order()
    assert ("order.waiting", code) in trail(sandbox_world, order)

    sandbox_world.put_account(carrier, login)
    sandbox_world.forget_accounts()
    ended = sandbox_world.settle(order)
    sandbox_world.assert_promises(ended)
    assert (ended.status, ended.waiting) == (OrderStatus.CONFIRMED, None)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_order_whose_carrier_is_down_counts_its_attempts_and_can_be_cancelled(
    carrier: str, sandbox_world: World
) -> None:
    sandbox_world.put_account(carrier, sandbox_world.sandbox.logins[carrier], base_url=CLOSED)
    sandbox_world.create_order(BODIES[carrier]())
    passes(sandbox_world, minutes=10)

    order = sandbox_world.only_order()
    wait = waiting(order)
    assert wait.attempts > 3
    assert wait.next_attempt_at is not None
    assert sandbox_world.clock.now - timedelta(minutes=2) < wait.next_attempt_at
    codes = [detail for kind, detail in trail(sandbox_world, order) if kind == "order.waiting"]
    assert len(codes) == wait.attempts, "each attempt stands in the audit trail"

    reply = sandbox_world.cancel_order(order)
    assert (reply.status, reply.json()["status"], reply.json()["waiting"]) == (200, "cancelled", None)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_label_that_cannot_be_fetched_says_so(carrier: str, sandbox_world: World) -> None:
    sandbox_world.sandbox.fault(carrier, LABEL[carrier], "status_500", times=6)
    reply = sandbox_world.create_order(BODIES[carrier]())
    assert reply.status == 201
    assert (reply.json()["waiting"]["for"], reply.json()["waiting"]["attempts"]) == ("label", 0)

    sandbox_world.clock.run(until=lambda: waiting(sandbox_world.only_order()).attempts == 2, hours=1)
    order = sandbox_world.only_order()
    wait = waiting(order)
    assert wait.last_error is not None
    assert (wait.for_, wait.last_error.code) == (WaitingFor.LABEL, "carrier_unavailable")
    assert wait.next_attempt_at is not None
    assert trail(sandbox_world, order).count(("order.waiting", "carrier_unavailable")) == 2

    ended = sandbox_world.settle(order)
    assert (ended.label.status, ended.waiting) == (LabelStatus.READY, None)


# LSO, whose orders go through the workflow


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TransientError("500"), "carrier_unavailable"),
        (AuthenticationError("401"), "credentials_refused"),
        (OverLimitError("busy", retry_after=300), "too_many_requests"),
        (HeldBackError("down", retry_after=30), "held_back"),
    ],
)
@pytest.mark.parametrize("call", ["rates", "create"])
def test_an_order_of_the_workflow_that_cannot_be_sent_says_so(
    call: str, error: CarrierError, code: str, world: World
) -> None:
    world.faults.on(call, fails_with(error), times=10**6)
    order = world.start_order()
    passes(world, hours=1)

    after = world.order(order)
    wait = waiting(after)
    assert wait.for_ is WaitingFor.CARRIER
    assert wait.since - order.created_at < timedelta(minutes=1)
    assert wait.attempts > 5
    assert wait.last_error is not None
    assert wait.last_error.code == code
    assert ("order.waiting", code) in trail(world, order)
    assert after.problem is None
    assert after.status in (OrderStatus.ACCEPTED, OrderStatus.PROCESSING)


@pytest.mark.parametrize("call", ["rates", "create"])
def test_an_order_of_the_workflow_whose_account_is_wrong_names_the_field_and_goes_on_when_it_is_mended(
    call: str, world: World
) -> None:
    mended = world.clock.now + timedelta(hours=1)
    fails_until(world, call, mended, AccountError("fake", "default", ["credentials.app_id is missing"]))
    order = world.start_order()
    passes(world, minutes=30)

    attention = world.order(order).attention
    assert attention is not None
    assert "The account default of carrier fake is wrong: credentials.app_id is missing" in attention.detail
    ended = world.settle(order)
    assert (ended.status, ended.attention) == (OrderStatus.CONFIRMED, None)


def test_an_order_that_is_decided_about_says_so(world: World) -> None:
    world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
    order = world.start_order()
    passes(world, minutes=5)

    wait = waiting(world.order(order))
    assert (wait.for_, wait.attempts, wait.last_error) == (WaitingFor.DECISION, 0, None)


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (TransientError("500"), "carrier_unavailable"),
        (Pending(reason="code 403", words=CarrierWords("fake", "403", "come later")), "not_ready"),
    ],
)
def test_an_order_whose_carrier_cannot_be_asked_for_its_decision_says_so(
    trouble: Any, code: str, world: World
) -> None:
    world.carrier.behaviour = Behaviour(results=[trouble] * 1000, callback_after=None)
    order = world.start_order()
    passes(world, minutes=5)

    wait = waiting(world.order(order))
    assert wait.last_error is not None
    assert (wait.for_, wait.last_error.code) == (WaitingFor.DECISION, code)
    assert wait.attempts > 2


def test_a_label_of_the_workflow_that_cannot_be_fetched_says_so(world: World) -> None:
    world.faults.on("label", fails_with(TransientError("500")), times=4)
    order = world.start_order()
    world.clock.run(until=lambda: world.order(order).status is OrderStatus.CONFIRMED, hours=1)
    assert waiting(world.order(order)).for_ is WaitingFor.LABEL
    world.clock.run(until=lambda: waiting(world.order(order)).attempts == 3, hours=1)

    assert world.settle(order).waiting is None


# A carrier that is down, in the workflow


@pytest.mark.parametrize("hours", [1, 11])
@pytest.mark.parametrize("call", ["rates", "create"])
def test_an_order_that_was_never_sent_goes_on_when_its_carrier_is_back(
    call: str, hours: int, world: World
) -> None:
    back = world.clock.now + timedelta(hours=hours)
    fails_until(world, call, back, TransientError("down"))
    world.sweep_seconds = 3600
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is OrderStatus.CONFIRMED
    assert ended.label.status is LabelStatus.READY, "the time for the label begins when the order was sent"
    assert timedelta() <= ended.updated_at - back < timedelta(minutes=3)
    world.assert_promises(order)


def test_twelve_hours_of_waiting_fit_into_one_history(world: World) -> None:
    world.faults.on("rates", fails_with(TransientError("down")), times=10**6)
    world.sweep_seconds = 3600
    order = world.start_order()
    world.settle(order)

    (execution,) = world.ended
    # A token task that fails, a task that fails, a wait: six, five and two events.
    events = 13 * execution.path.count("SubmitOrder")
    assert 500 < events < 25_000 / 2


def test_the_carrier_s_time_to_decide_begins_with_the_order(world: World) -> None:
    back = world.clock.now + timedelta(hours=2)
    fails_until(world, "rates", back, TransientError("down"))
    world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is OrderStatus.NEEDS_ATTENTION
    sent_at = ended.submission.sending_at
    assert sent_at is not None
    assert timedelta(minutes=30) <= ended.updated_at - sent_at < timedelta(minutes=33)
    world.assert_promises(order)


@pytest.mark.parametrize("call", ["rates", "create", "order_result", "label"])
def test_waiting_for_a_turn_never_ends_with_a_person(call: str, world: World) -> None:
    turn = world.clock.now + timedelta(hours=3)
    fails_until(world, call, turn, OverLimitError("busy", retry_after=20))
    order = world.start_order()

    ended = world.settle(order)

    assert (ended.status, ended.attention) == (OrderStatus.CONFIRMED, None)
    assert ended.label.status is LabelStatus.READY
    world.assert_promises(order)


def test_a_limiter_s_own_estimate_is_waited_for(world: World) -> None:
    world.faults.on("rates", fails_with(OverLimitError("busy", retry_after=600)))
    order = world.start_order()

    ended = world.settle(order)

    assert timedelta(minutes=10) <= ended.updated_at - ended.created_at < timedelta(minutes=12)
    assert world.faults.names.count("carrier.rates") == 2


@pytest.fixture
def lso_sandbox() -> Iterator[str]:
    settings = Settings(accounts={"lso": {"default": LOGIN}}, processing_seconds=0, callback_interval=3600)
    with serve(settings) as url:
        yield url


class Switchboard:
    """The way to LSO, which can be cut: then nobody listens at its address."""

    def __init__(self) -> None:
        self.cut = True

    def send(self, request: Request) -> Response:
        if self.cut:
            path = httpx.URL(request.url).path
            request = msgspec.structs.replace(request, url=f"{CLOSED}{path}")
        return HttpTransport().send(request)


@pytest.fixture
def lso_line() -> Switchboard:
    return Switchboard()


@pytest.fixture
def lso_world(lso_sandbox: str, lso_line: Switchboard, new_world: Callable[..., World]) -> World:
    account = lso_account(base_url=f"{lso_sandbox}/lso", credentials=LOGIN)
    vault = FakeVault(None)

    def adapter(world: World) -> Lso:
        return Lso(Connection(account, send=lso_line, tokens=vault, clock=world.clock))

    return new_world(carrier=adapter, environment={"PARCELGATE_WEBHOOK_BASE_URL": CLOSED})


def placed(world: World) -> Order:
    return world.start_order(
        "shop-17", parcels=(lso_parcel("shop-17-1"),), ship_to=lso_address(), service="GroundBasic"
    )


def test_an_lso_order_goes_on_when_its_port_is_open_again(lso_world: World, lso_line: Switchboard) -> None:
    order = placed(lso_world)
    passes(lso_world, hours=2)

    after = lso_world.order(order)
    wait = waiting(after)
    assert (after.status, after.problem, after.attention) == (OrderStatus.ACCEPTED, None, None)
    assert wait.last_error is not None
    assert (wait.for_, wait.last_error.code) == (WaitingFor.CARRIER, "carrier_unavailable")
    lso_line.cut = False

    ended = lso_world.settle(order)
    assert (ended.status, ended.waiting) == (OrderStatus.CONFIRMED, None)
    lso_world.assert_promises(order)


def test_an_lso_order_that_was_never_sent_is_cancelled_at_once(lso_world: World) -> None:
    order = placed(lso_world)
    passes(lso_world, minutes=40)
    canceller = Canceller(
        table=lso_world.table,
        carriers=None,  # type: ignore[arg-type]
        retries=pytest.fail,
        settings=lso_world.settings,
        clock=lso_world.clock,
    )

    cancelled = canceller.cancel(TENANT, order.id, Deadline.after(10))

    assert (cancelled.status, cancelled.waiting) == (OrderStatus.CANCELLED, None)
    assert lso_world.settle(order).status is OrderStatus.CANCELLED

"""A person pauses a carrier account: its calls are held until they are resumed, and nothing is lost by it."""

from datetime import timedelta

import pytest

from parcelgate.carriers.errors import PausedError
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.services.accounts.carriers import paused
from parcelgate.store.limits import AccountLimits
from tests.support.api import TENANT
from tests.support.bodies import BODIES, CARRIERS
from tests.support.fake_carriers import Behaviour
from tests.support.faults import fails_with
from tests.support.world import World

LABEL = {"ubi": "labels", "lme": "queryLabel"}
REASON = "Their platform moves on Friday night."


def account(world: World, carrier: str) -> AccountLimits:
    return world.table.tenant(TENANT).limits(carrier, "default")


def pause(world: World, carrier: str) -> None:
    account(world, carrier).pause(world.clock.now, by="Ada", reason=REASON)


def passes(world: World, **time: float) -> None:
    until = world.clock.now + timedelta(**time)
    world.pass_time(until=lambda: world.clock.now >= until, hours=100)


def trail(world: World, order: Order) -> list[tuple[str, str | None]]:
    events = world.table.tenant(TENANT).orders.events(order.id)
    return [(event.type, event.detail) for event in events]


def dead_letters(world: World) -> list[str]:
    return [url for url, left in world.sqs.messages.items() if "dead" in url and left]


@pytest.mark.parametrize(("carrier", "hours"), [("ubi", 2), ("lme", 1)])
def test_an_order_waits_for_the_pause_to_end_however_long_it_is(
    carrier: str, hours: int, sandbox_world: World
) -> None:
    world = sandbox_world
    pause(world, carrier)
    begun = world.clock.now

    reply = world.create_order(BODIES[carrier]())

    shown = reply.json()["waiting"]
    assert (reply.status, shown["for"], shown["attempts"]) == (202, "carrier", 0)
    assert shown["next_attempt_at"] is None, "nobody knows when the calls are resumed"
    assert shown["last_error"] == {
        "code": "account_paused",
        "message": f"The calls of the {carrier} account default are paused since {begun:%Y-%m-%d %H:%M} UTC "
        f"by Ada: {REASON} The order goes on when they are resumed.",
    }
    order = world.only_order()
    passes(world, hours=hours)

    assert world.order(order).status is OrderStatus.PROCESSING
    assert world.carrier_calls == []
    assert trail(world, order).count(("order.waiting", "account_paused")) == 1
    assert ("order.sent_again", None) not in trail(world, order)
    assert dead_letters(world) == []

    resumed = account(world, carrier).resume()
    assert resumed is not None
    assert (resumed.by, resumed.reason) == ("Ada", REASON)
    passes(world, minutes=5)
    assert world.order(order).status is OrderStatus.CONFIRMED
    ended = world.settle(order)
    assert ended.waiting is None
    world.assert_promises(ended)


def test_an_order_has_its_twelve_hours_again_after_a_pause(sandbox_world: World) -> None:
    world = sandbox_world
    pause(world, "ubi")
    world.create_order(BODIES["ubi"]())
    order = world.only_order()
    passes(world, hours=13)
    account(world, "ubi").resume()
    world.put_account("ubi", world.sandbox.logins["ubi"], base_url="http://127.0.0.1:9")
    world.forget_accounts()
    passes(world, hours=1)

    assert world.order(order).status is OrderStatus.PROCESSING
    assert dead_letters(world) == []


@pytest.mark.parametrize("carrier", CARRIERS)
def test_labels_and_cancellations_wait_too(carrier: str, sandbox_world: World) -> None:
    world = sandbox_world
    reply = world.create_order(BODIES[carrier]())
    assert reply.status == 201
    pause(world, carrier)
    calls = world.carrier_calls
    order = world.only_order()
    passes(world, hours=2)
    waits = world.order(order)
    assert (waits.status, waits.label.status) == (OrderStatus.CONFIRMED, LabelStatus.PENDING)
    assert waits.waiting is not None
    assert waits.waiting.last_error is not None
    assert (waits.waiting.for_, waits.waiting.last_error.code) == ("label", "account_paused")
    assert not waits.label.last_try, "the sweep does not take it for overdue"

    account(world, carrier).resume()
    world.sandbox.fault(carrier, LABEL[carrier], "status_500", times=2)
    passes(world, minutes=10)
    assert world.order(order).label.status is LabelStatus.READY, "its time has begun again"
    pause(world, carrier)
    calls = world.carrier_calls
    assert world.cancel_order(order).json()["status"] == "cancelling"
    passes(world, hours=2)
    assert world.order(order).status is OrderStatus.CANCELLING
    assert world.carrier_calls == calls

    account(world, carrier).resume()
    ended = world.settle(order)
    assert ended.status is OrderStatus.CANCELLED
    world.assert_promises(ended)
    assert dead_letters(world) == []


# LSO, whose orders go through the workflow


def held(world: World, *calls: str) -> None:
    """Pause the account, for a carrier in memory, whose calls pass no limits."""
    pause(world, "lso")

    def error() -> PausedError:
        stands = account(world, "lso").record().pause
        assert stands is not None
        return paused(stands, "lso", "default")

    world.faults.when(
        lambda call: call.method in calls and account(world, "lso").record().pause is not None,
        fails_with(error()),
        times=10**6,
    )


@pytest.mark.parametrize(("call", "hours"), [("rates", 14), ("create", 1)])
def test_an_order_of_the_workflow_waits_for_the_pause_to_end(call: str, hours: int, world: World) -> None:
    held(world, call)
    order = world.start_order()
    passes(world, hours=hours)
    assert world.order(order).status in (OrderStatus.ACCEPTED, OrderStatus.PROCESSING)
    assert trail(world, order).count(("order.waiting", "account_paused")) == 1
    (execution,) = world.machine.executions.values()
    assert execution.transitions < 40 + 31 * hours, "a look is one retry, so that days fit into one history"

    account(world, "lso").resume()
    ended = world.settle(order)
    assert (ended.status, ended.label.status) == (OrderStatus.CONFIRMED, LabelStatus.READY)
    world.assert_promises(ended)


@pytest.mark.parametrize("call", ["order_result", "label", "cancel"])
def test_what_an_order_of_the_workflow_still_needs_waits_beyond_its_deadline(call: str, world: World) -> None:
    behaviour = Behaviour(
        fails=call == "cancel", pending=3, no_label=3, refund_troubles=3, callback_after=None
    )
    world.carrier.behaviour = behaviour
    held(world, call)
    order = world.start_order()
    passes(world, hours=26 if call == "cancel" else 2)
    waits = world.order(order)
    assert waits.status in (OrderStatus.PROCESSING, OrderStatus.CONFIRMED)
    assert waits.attention is None
    assert waits.waiting is not None
    assert waits.waiting.last_error is not None
    assert waits.waiting.last_error.code == "account_paused"

    account(world, "lso").resume()
    ended = world.settle(order)
    assert ended.status is (OrderStatus.FAILED if call == "cancel" else OrderStatus.CONFIRMED)
    assert ended.label.status is (LabelStatus.PENDING if call == "cancel" else LabelStatus.READY)
    world.assert_promises(ended)

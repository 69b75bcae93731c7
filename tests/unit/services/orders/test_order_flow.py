"""Single states of the order flow, called as the machine never should."""

from datetime import timedelta
from typing import Any

import pytest

from parcelgate.carriers.errors import TransientError
from parcelgate.carriers.results import Pending
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Label, LabelStatus, Order, OrderStatus, Submission
from parcelgate.domain.problems import CarrierWords
from parcelgate.runtime import runtime
from parcelgate.services.labels import fetch
from parcelgate.services.orders.order_flow.workflow import (
    LabelPending,
    OrderPending,
    RefundPending,
    TaskInput,
)
from tests.support.fake_carriers import Behaviour
from tests.support.faults import fails_with
from tests.support.orders import an_event, an_order
from tests.support.world import World


def stored(world: World, **facts: object) -> Order:
    at = world.clock.now
    order = an_order(at=at, watch_at=None, **facts)
    world.table.tenant(order.tenant).orders.add(order, an_event(at=at))
    return order


def task(world: World, order: Order) -> TaskInput:
    return TaskInput(tenant=order.tenant, order_id=order.id, started_at=world.clock.now, task_token="t")


def sent_to_the_carrier(world: World) -> Submission:
    return Submission(sending_at=world.clock.now, sender_until=world.clock.now, answered=True)


def test_compensating_a_live_order_refunds_nothing(world: World) -> None:
    order = stored(
        world, status=OrderStatus.PROCESSING, carrier_order_number="N1", submission=sent_to_the_carrier(world)
    )
    world.carrier.held["N1"] = True

    runtime.order_flow.compensate(task(world, order), Deadline.after(60))

    assert world.carrier.money_held == ["N1"]
    assert world.order(order).status is OrderStatus.NEEDS_ATTENTION


def test_compensating_waits_while_the_carrier_cannot_be_asked_whether_the_order_lives(world: World) -> None:
    order = stored(
        world, status=OrderStatus.PROCESSING, carrier_order_number="N1", submission=sent_to_the_carrier(world)
    )
    world.faults.on("order_result", fails_with(TransientError("down")))

    with pytest.raises(RefundPending):
        runtime.order_flow.compensate(task(world, order), Deadline.after(60))

    assert "carrier.cancel" not in world.faults.names


def test_compensating_an_order_that_was_never_sent_just_fails_it(world: World) -> None:
    order = stored(world)
    runtime.order_flow.compensate(task(world, order), Deadline.after(60))
    assert world.order(order).status is OrderStatus.FAILED
    assert world.carrier.asked == 0


@pytest.mark.parametrize(
    "status", [OrderStatus.FAILED, OrderStatus.CANCELLED, OrderStatus.CONFIRMED, OrderStatus.NEEDS_ATTENTION]
)
@pytest.mark.parametrize("state", ["submit", "check", "compensate"])
def test_a_settled_order_is_left_alone(state: str, status: OrderStatus, world: World) -> None:
    order = stored(world, status=status)
    getattr(runtime.order_flow, state)(task(world, order), Deadline.after(60))
    assert world.order(order) == order
    assert not any(name.startswith("carrier.") for name in world.faults.names)


@pytest.mark.parametrize(
    "status",
    [OrderStatus.FAILED, OrderStatus.PROCESSING, OrderStatus.CANCELLING, OrderStatus.NEEDS_ATTENTION],
)
def test_an_order_that_is_not_confirmed_gets_no_label(status: OrderStatus, world: World) -> None:
    order = stored(world, status=status)
    runtime.order_flow.fetch_label(task(world, order), Deadline.after(60))
    assert world.s3.objects == {}


def confirmed(world: World) -> Order:
    return stored(world, status=OrderStatus.CONFIRMED, carrier_order_number="N1")


def put(world: World, order: Order, **facts: Any) -> None:
    before = world.order(order)
    world.table.tenant("acme").orders.save(before, before.changed(at=before.updated_at, **facts))


@pytest.fixture
def durations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(fetch, "duration", lambda name, *_, **__: names.append(name))
    return names


def test_the_label_of_an_order_that_was_changed_meanwhile_is_not_kept(
    world: World, durations: list[str]
) -> None:
    order = confirmed(world)
    world.faults.before("label", lambda: put(world, order, label=order.label.thrown_away()))

    with pytest.raises(LabelPending):
        runtime.order_flow.fetch_label(task(world, order), Deadline.after(60))

    assert (world.order(order).label.status, durations) == (LabelStatus.PENDING, [])


def test_an_order_that_is_being_changed_is_asked_no_label(world: World) -> None:
    order = confirmed(world)
    put(world, order, changing_until=world.clock.now + timedelta(minutes=2))

    with pytest.raises(LabelPending):
        runtime.order_flow.fetch_label(task(world, order), Deadline.after(60))

    assert "carrier.label" not in world.faults.names


def test_a_label_that_another_has_stored_meanwhile_is_not_timed_again(
    world: World, durations: list[str]
) -> None:
    order = confirmed(world)
    ready = Label(status=LabelStatus.READY)
    world.faults.before("label", lambda: put(world, order, label=ready))

    runtime.order_flow.fetch_label(task(world, order), Deadline.after(60))

    assert (world.order(order).label, durations) == (ready, [])


def test_a_label_is_timed_once(world: World, durations: list[str]) -> None:
    order = confirmed(world)
    for _ in range(2):
        runtime.order_flow.fetch_label(task(world, order), Deadline.after(60))
    assert durations == ["TimeToLabel"]


def test_an_order_without_a_number_is_pending_while_its_sender_may_live(world: World) -> None:
    order = stored(world, status=OrderStatus.PROCESSING, submission=sent_to_the_carrier(world))
    later = Submission(
        sending_at=world.clock.now, sender_until=world.clock.now + world.settings.deadline_margin
    )
    order = order.changed(at=world.clock.now, submission=later)
    world.table.tenant("acme").orders.save(world.order(order), order)

    with pytest.raises(OrderPending):
        runtime.order_flow.check(task(world, order), Deadline.after(60))

    assert world.carrier.asked == 0


def test_a_mark_is_never_taken_over(world: World) -> None:
    order = stored(world, status=OrderStatus.PROCESSING, submission=sent_to_the_carrier(world))
    runtime.order_flow.submit(task(world, order), Deadline.after(60))
    assert world.carrier.commits == []
    assert "carrier.rates" not in world.faults.names


def test_an_expected_pending_is_one_log_line_without_a_stack_trace(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    from functions.check_order.handler import handler

    order = stored(
        world, status=OrderStatus.PROCESSING, carrier_order_number="N1", submission=sent_to_the_carrier(world)
    )
    world.carrier.behaviour.pending = 1

    with pytest.raises(OrderPending):
        handler(
            {
                "tenant": "acme",
                "order_id": order.id,
                "started_at": world.clock.now.isoformat().replace("+00:00", "Z"),
            },
            None,  # type: ignore[arg-type]
        )

    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("INFO", None)


@pytest.mark.parametrize("number", ["N1", None])
def test_what_the_carrier_said_instead_of_a_result_is_shown_once_the_time_is_over(
    number: str | None, world: World
) -> None:
    words = CarrierWords("fake", "403", "come later")
    order = stored(
        world,
        status=OrderStatus.PROCESSING,
        carrier_order_number=number,
        submission=sent_to_the_carrier(world),
    )
    world.carrier.held["N1"] = True
    world.carrier.behaviour = Behaviour(results=[Pending(reason="code 403", words=words)] * 2)
    begun = task(world, order)

    with pytest.raises(OrderPending):
        runtime.order_flow.check(begun, Deadline.after(60))
    world.clock.sleep(world.settings.order_deadline.total_seconds())
    runtime.order_flow.check(begun, Deadline.after(60))

    after = world.order(order)
    assert after.status is OrderStatus.NEEDS_ATTENTION
    assert after.problem is not None
    assert after.problem.carrier == words
    assert world.carrier.money_held == ["N1"]

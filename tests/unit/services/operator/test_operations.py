"""What a person does with an order that needs one."""

from typing import Any

import pytest

from parcelgate.domain.orders import Actor, LabelStatus, Order, OrderStatus, Submission
from parcelgate.domain.problems import Problem
from parcelgate.services.operator import operations
from parcelgate.services.operator.operations import NotForThisOrderError
from parcelgate.services.orders.retry_queues import RetryQueues
from parcelgate.store.errors import OrderNotFoundError
from tests.support.orders import an_event, an_order
from tests.support.world import World

LOST = Problem(code="outcome_unknown", detail="Nobody knows.")


def stored(world: World, **facts: Any) -> Order:
    at = world.clock.now
    facts = {
        "status": OrderStatus.NEEDS_ATTENTION,
        "problem": LOST,
        "submission": Submission(sending_at=at),
    } | facts
    order = an_order(at=at, watch_at=None, **facts)
    world.table.tenant("acme").orders.add(order, an_event(at=at))
    return order


def reread(world: World, order_id: str) -> Order:
    queues = RetryQueues(world.sqs, world.settings)  # type: ignore[arg-type]
    return operations.reread(world.table, queues, "acme", order_id, clock=world.clock)


def close(world: World, order_id: str) -> Order:
    return operations.close(world.table, "acme", order_id, clock=world.clock)


def test_a_closed_order_has_failed_by_a_persons_hand_and_frees_its_reference(world: World) -> None:
    order = stored(world)

    assert close(world, order.id) == world.order(order)

    after = world.order(order)
    assert after.status is OrderStatus.FAILED
    assert after.problem is not None
    assert (after.problem.code, after.problem.detail == LOST.detail) == ("outcome_unknown", False)
    orders = world.table.tenant("acme").orders
    assert orders.by_reference(order.carrier, order.account, order.reference) is None
    last = orders.events(order.id)[-1]
    assert (last.type, last.actor, last.from_) == (
        "order.failed",
        Actor.OPERATOR,
        OrderStatus.NEEDS_ATTENTION,
    )
    orders.add(an_order(reference=order.reference, at=world.clock.now), an_event(at=world.clock.now))


@pytest.mark.parametrize("status", [each for each in OrderStatus if each is not OrderStatus.NEEDS_ATTENTION])
def test_no_other_order_is_closed_by_hand(world: World, status: OrderStatus) -> None:
    order = stored(world, status=status)
    with pytest.raises(NotForThisOrderError) as raised:
        close(world, order.id)
    assert raised.value.order.status is status
    assert world.order(order) == order


def test_a_lost_order_that_the_carrier_has_is_confirmed_by_reading_it_again(world: World) -> None:
    order = stored(world)
    world.carrier.orders[order.reference] = "N7"

    assert reread(world, order.id) == order

    after = world.settle(order)
    assert (after.status, after.carrier_order_number) == (OrderStatus.CONFIRMED, "N7")
    assert after.label.status is LabelStatus.READY


@pytest.mark.parametrize("status", [OrderStatus.ACCEPTED, OrderStatus.PROCESSING, OrderStatus.CANCELLED])
def test_an_order_under_way_is_asked_about_anyway(world: World, status: OrderStatus) -> None:
    order = stored(world, status=status)
    with pytest.raises(NotForThisOrderError):
        reread(world, order.id)


def test_a_label_that_is_waited_for_is_fetched(world: World) -> None:
    order = world.start_order()
    world.settle(order)
    before = world.order(order)
    label = type(before.label)()
    world.table.tenant("acme").orders.save(before, before.changed(at=world.clock.now, label=label))

    reread(world, order.id)

    assert world.settle(order).label.status is LabelStatus.READY


def test_there_is_no_such_order(world: World) -> None:
    for do in (reread, close):
        with pytest.raises(OrderNotFoundError):
            do(world, "ord_00000000000000000000000000")

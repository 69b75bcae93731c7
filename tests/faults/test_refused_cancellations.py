"""Cancellations that the carrier refuses, and those to which it agrees while others say otherwise."""

from datetime import timedelta

import pytest

from parcelgate.carriers.errors import RefusedError
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.runtime import runtime
from parcelgate.services.orders import problems, transitions
from parcelgate.services.orders.cancel import Canceller
from parcelgate.services.orders.retry_queues import RetryQueues
from tests.support.fake_carriers import Behaviour, OnlyCarrier
from tests.support.faults import fails_with, time_out
from tests.support.world import World


def test_the_label_is_fetched_though_the_workflow_has_ended_meanwhile(world: World) -> None:
    world.carrier.behaviour = Behaviour(no_label=2)
    order = world.start_order()
    world.clock.run(until=lambda: world.order(order).status is OrderStatus.CONFIRMED, hours=1)
    orders = world.table.tenant("acme").orders
    before = world.order(order)
    assert before.label.status is LabelStatus.PENDING

    # The first call is lost, so the cancellation is under way while the workflow looks after the label.
    queues = RetryQueues(world.sqs, world.settings)  # type: ignore[arg-type]
    canceller = Canceller(
        table=world.table,
        carriers=OnlyCarrier(world.carrier),
        retries=lambda: queues,
        settings=world.settings,
        clock=world.clock,
    )
    world.faults.on("cancel", time_out()).on("cancel", fails_with(RefusedError("no")))
    later = world.sqs.workers.pop("https://sqs.test/retry-lso")
    assert canceller.cancel("acme", order.id, Deadline.after(10)).status is OrderStatus.CANCELLING
    world.stream()
    world.clock.run(until=lambda: len(world.ended) == 1, hours=1)
    assert world.ended[0].status == "SUCCEEDED"
    assert orders.get(order.id).label.status is LabelStatus.PENDING
    world.sqs.workers["https://sqs.test/retry-lso"] = later
    at = world.clock.now
    world.sqs.deliver_now("https://sqs.test/retry-lso")
    world.stream()
    assert world.order(order).status is OrderStatus.CONFIRMED

    world.sweep_seconds = 100 * 3600
    ended = world.settle(order)

    assert ended.status is OrderStatus.CONFIRMED
    assert ended.label.status is LabelStatus.READY
    assert ended.updated_at - at < timedelta(minutes=5), "and not only when the sweep comes"


@pytest.mark.parametrize("meanwhile", [OrderStatus.CONFIRMED, OrderStatus.NEEDS_ATTENTION])
def test_a_cancellation_to_which_the_carrier_agreed_counts_whatever_another_function_wrote_meanwhile(
    meanwhile: OrderStatus, world: World
) -> None:
    order = world.start_order()
    assert world.settle(order).status is OrderStatus.CONFIRMED

    def another_function() -> None:
        at = world.clock.now
        orders = world.table.tenant(order.tenant).orders

        def decide(current: Order) -> transitions.Change:
            if meanwhile is OrderStatus.NEEDS_ATTENTION:
                return transitions.needs_attention(current, problems.not_cancelled(), at=at)
            return transitions.moved(current, at, OrderStatus.CONFIRMED, "order.confirmed")

        transitions.apply(orders, world.order(order), decide)

    world.faults.before("cancel", another_function)

    ended = runtime.order_canceller.cancel(order.tenant, order.id, Deadline.after(10))

    assert ended.status is OrderStatus.CANCELLED
    assert world.order(order).status is OrderStatus.CANCELLED
    assert world.carrier.money_held == []

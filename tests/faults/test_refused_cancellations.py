"""A cancellation that the carrier refuses leaves the order as good as it was: it gets its label."""

from datetime import timedelta

from parcelgate.carriers.errors import RefusedError
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import LabelStatus, OrderStatus
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

"""The retry queues: when a message comes again, and when it is given up."""

import json
from datetime import timedelta

import pytest

from parcelgate.carriers.errors import RefusedError, TransientError, UnknownOutcomeError
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.problems import CarrierWords
from parcelgate.runtime import runtime
from parcelgate.services import redelivery
from parcelgate.services.orders.retries import Retrier
from parcelgate.services.orders.retry_queues import Action, RetryQueues
from parcelgate.services.redelivery import NotYetError, ReceivedMessage
from tests.support.faults import fails_with
from tests.support.world import World

QUEUE = "https://sqs.test/retry-lso"


@pytest.fixture
def retrier(world: World) -> Retrier:
    return runtime.retrier(Deadline.after(60))


@pytest.fixture
def cancelling(world: World) -> Order:
    order = world.start_order()
    before = world.settle(order)
    after = before.move(
        OrderStatus.CANCELLING, at=world.clock.now, watch_at=world.clock.now + timedelta(minutes=5)
    )
    world.table.tenant("acme").orders.save(before, after)
    return after


def message(world: World, order: Order, action: Action = Action.CANCEL, receives: int = 1) -> ReceivedMessage:
    del world.sqs.workers[QUEUE]
    RetryQueues(world.sqs, world.settings).enqueue(order, action, at=world.clock.now)  # type: ignore[arg-type]
    (body,) = world.sqs.bodies(QUEUE)
    return ReceivedMessage(queue="retry-lso", body=body, receipt_handle="handle", receive_count=receives)


def test_a_message_holds_ids_and_times_only(world: World, cancelling: Order) -> None:
    assert json.loads(message(world, cancelling).body) == {
        "tenant": "acme",
        "order_id": cancelling.id,
        "carrier": "lso",
        "action": "cancel",
        "first_attempt_at": world.clock.now.isoformat().replace("+00:00", "Z"),
        "correlation_id": None,
        "attempts": 0,
        "held": 0,
    }


def test_a_cancellation_is_finished(world: World, retrier: Retrier, cancelling: Order) -> None:
    retrier.work(message(world, cancelling))
    ended = world.order(cancelling)
    assert (ended.status, ended.refund.status) == (OrderStatus.CANCELLED, "confirmed")


def test_a_refused_cancellation_goes_back_to_confirmed_and_says_why(
    world: World, retrier: Retrier, cancelling: Order
) -> None:
    words = CarrierWords("fake", "9", "too late")
    world.faults.on("cancel", fails_with(RefusedError("no", words=words)))
    retrier.work(message(world, cancelling))
    ended = world.order(cancelling)
    assert ended.status is OrderStatus.CONFIRMED
    assert ended.problem is not None
    assert (ended.problem.code, ended.problem.carrier) == ("cannot_cancel", words)


@pytest.mark.parametrize(
    ("receives", "seconds"), [(1, 2), (2, 4), (3, 8), (6, 60), (20, 60), (401, 120), (900, 120)]
)
def test_a_message_comes_again_after_a_back_off(
    receives: int, seconds: int, world: World, retrier: Retrier, cancelling: Order
) -> None:
    world.faults.on("cancel", fails_with(UnknownOutcomeError("cut")))
    with pytest.raises(NotYetError):
        retrier.work(message(world, cancelling, receives=receives))
    assert world.sqs._visible_after == {"handle": seconds}


def test_a_carrier_that_names_a_time_is_left_alone_until_then(
    world: World, retrier: Retrier, cancelling: Order
) -> None:
    world.faults.on("cancel", fails_with(TransientError("429", retry_after=120)))
    with pytest.raises(NotYetError):
        retrier.work(message(world, cancelling))
    # And a jitter, so that all who were given the same time do not come back together.
    assert world.sqs._visible_after == {"handle": 122}


def test_no_step_is_longer_than_11_hours(world: World, retrier: Retrier, cancelling: Order) -> None:
    world.faults.on("cancel", fails_with(TransientError("429", retry_after=10**6)))
    with pytest.raises(NotYetError):
        retrier.work(message(world, cancelling))
    assert world.sqs._visible_after == {"handle": 11 * 3600}


def test_twelve_hours_of_attempts_stay_below_what_sqs_allows() -> None:
    """Full jitter halves a step on average; SQS moves a message away after 1000 receives."""
    patient = (
        redelivery._PATIENT_AFTER * 30 + (1000 - redelivery._PATIENT_AFTER) * redelivery._PATIENT_STEP.seconds
    )
    assert patient > 12 * 3600


def test_after_12_hours_it_is_a_dead_letter_and_a_person_is_told(
    world: World, retrier: Retrier, cancelling: Order
) -> None:
    given = message(world, cancelling)
    world.clock.sleep(12 * 3600)
    world.faults.on("cancel", fails_with(TransientError("down")))

    retrier.work(given)

    (dead,) = world.sqs.messages["https://sqs.test/dead-lso"]
    assert dead["body"] == given.body
    ended = world.order(cancelling)
    assert ended.status is OrderStatus.NEEDS_ATTENTION
    assert ended.problem is not None
    assert ended.problem.code == "refund_failed"


def test_a_create_given_up_after_12_hours_and_redriven_asks_the_carrier_and_sends_nothing(
    world: World, retrier: Retrier
) -> None:
    world.carrier.behaviour.lost = "answer"
    order = world.start_order()
    given = message(world, order, Action.CREATE)
    world.submitter.submit(order, Deadline.after(60))
    world.clock.sleep(12 * 3600)
    world.faults.on("find_by_reference", fails_with(TransientError("down")))
    retrier.work(given)
    (dead,) = world.sqs.messages["https://sqs.test/dead-lso"]
    assert world.order(order).status is OrderStatus.NEEDS_ATTENTION

    retrier.work(ReceivedMessage(queue="retry-lso", body=dead["body"], receipt_handle="h", receive_count=1))

    assert world.order(order).status is OrderStatus.CONFIRMED
    assert world.carrier.commits == [order.reference]


@pytest.mark.parametrize("body", ["", "{", "[]", '{"action": "dance"}'])
def test_a_message_that_cannot_be_read_is_set_aside(body: str, world: World, retrier: Retrier) -> None:
    retrier.work(ReceivedMessage(queue="retry-lso", body=body, receipt_handle="h", receive_count=1))
    (dead,) = world.sqs.messages["https://sqs.test/dead-lso"]
    assert dead["body"] == body


def test_a_message_about_no_order_is_set_aside(world: World, retrier: Retrier, cancelling: Order) -> None:
    given = message(world, cancelling)
    body = given.body.replace(cancelling.id, "ord_nobody")
    retrier.work(ReceivedMessage(queue="retry-lso", body=body, receipt_handle="h", receive_count=1))
    assert len(world.sqs.messages["https://sqs.test/dead-lso"]) == 1


@pytest.mark.parametrize("action", Action)
def test_what_was_settled_meanwhile_needs_nothing(action: Action, world: World, retrier: Retrier) -> None:
    order = world.start_order()
    before = world.settle(order)
    retrier.work(message(world, order, action))
    assert world.order(order) == before

"""One engine: what an answer means does not depend on who asked."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    PartlyRefusedError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Failed, Mismatch, NotFound, OrderResult, Pending
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Order, OrderStatus, Submission
from parcelgate.domain.problems import CarrierWords
from parcelgate.runtime import runtime
from parcelgate.services.orders import problems
from parcelgate.services.orders.order_flow.workflow import (
    DeadlinePassed,
    NotSubmitted,
    OrderFailed,
    OrderPending,
    TaskInput,
)
from parcelgate.services.orders.submission import NotSettledError
from tests.support.fake_carriers import Behaviour
from tests.support.orders import an_event, an_order
from tests.support.world import World

WORDS = CarrierWords("fake", "1001", "no")


def stored(world: World, **facts: Any) -> Order:
    at = world.clock.now
    order = an_order(at=at, watch_at=None, **facts)
    world.table.tenant(order.tenant).orders.add(order, an_event(at=at))
    return order


def task(world: World, order: Order) -> TaskInput:
    return TaskInput(tenant=order.tenant, order_id=order.id, started_at=world.clock.now, task_token="t")


def by_the_request(world: World, order: Order) -> None:
    world.submitter.submit(order, Deadline.after(60))


def by_the_batch_worker(world: World, order: Order) -> None:
    world.submitter.submit_many([order], Deadline.after(60))


def by_the_retry_queue(world: World, order: Order) -> None:
    with suppress(NotSettledError):
        world.submitter.resume(order, Deadline.after(60))


def by_the_workflow(world: World, order: Order) -> None:
    flow = runtime.order_flow
    if order.submission.sending_at is None:
        flow.submit(task(world, order), Deadline.after(60))
    else:
        try:
            flow.check(task(world, order), Deadline.after(60))
        except OrderFailed:
            flow.compensate(task(world, order), Deadline.after(60))
        except (OrderPending, NotSubmitted, DeadlinePassed):
            pass


def stands(world: World, order: Order) -> tuple[Any, ...]:
    """Everything that an answer may change, save who sent and when somebody looks again."""
    order = world.order(order)
    submission = order.submission
    return (
        order.status,
        order.problem,
        order.attention,
        order.carrier_order_number,
        order.refund.status,
        submission.sending_at is not None,
        submission.over_at is not None,
        submission.answered,
        submission.not_found_at,
        submission.compensating_since,
        submission.lost,
        [event.type for event in world.table.tenant("acme").orders.events(order.id)],
    )


CREATE_ANSWERS: dict[str, CarrierError | None] = {
    "taken": None,
    "refused": RefusedError("no", words=WORDS),
    "may work later": TransientError("429", words=WORDS),
    "credentials not accepted": AuthenticationError("401", words=WORDS),
    "nobody knows": UnknownOutcomeError("cut"),
}
EXPECTED = {
    "taken": OrderStatus.PROCESSING,
    "refused": OrderStatus.FAILED,
    "may work later": OrderStatus.PROCESSING,
    "credentials not accepted": OrderStatus.PROCESSING,
    "nobody knows": OrderStatus.PROCESSING,
}


@pytest.mark.parametrize("answer", CREATE_ANSWERS)
def test_an_answer_to_a_create_means_the_same_whoever_sent_it(
    answer: str, new_world: Callable[..., World]
) -> None:
    ends = []
    for asks in (by_the_request, by_the_batch_worker, by_the_retry_queue, by_the_workflow):
        world = new_world()
        world.carrier.behaviour = Behaviour(create_error=CREATE_ANSWERS[answer], callback_after=None)
        order = stored(world)
        asks(world, order)
        ends.append(stands(world, order))

    assert ends[0][0] is EXPECTED[answer]
    assert all(end == ends[0] for end in ends), ends


def test_parcels_that_were_taken_are_taken_back_whoever_sent_them(new_world: Callable[..., World]) -> None:
    ends = []
    for asks in (by_the_request, by_the_retry_queue, by_the_workflow):
        world = new_world()
        error = PartlyRefusedError("some", words=WORDS, carrier_order_number="N7")
        world.carrier.behaviour = Behaviour(create_error=error)
        order = stored(world)
        asks(world, order)
        asks(world, world.order(order))
        ends.append(stands(world, order))
        assert world.carrier.held == {"N7": False}

    assert ends[0][0] is OrderStatus.FAILED
    assert all(end == ends[0] for end in ends), ends


LOOK_UPS: dict[str, OrderResult | CarrierError] = {
    "pending": Pending(reason="1024", carrier_order_number="N7"),
    "failed": Failed(words=WORDS, carrier_order_number="N7"),
    "not found": NotFound(),
    "not this order": Mismatch(detail="2 boxes for 1", carrier_order_number="N7"),
    "cannot be asked": TransientError("500"),
    "credentials not accepted": AuthenticationError("401", words=WORDS),
}


@pytest.mark.parametrize("may_resend", [False, True])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("answer", LOOK_UPS)
def test_an_answer_to_a_look_up_means_the_same_whoever_asked(
    answer: str, times: int, may_resend: bool, new_world: Callable[..., World]
) -> None:
    ends = []
    for asks in (by_the_retry_queue, by_the_workflow):
        world = new_world()
        world.carrier.behaviour = Behaviour(results=[LOOK_UPS[answer]] * times, may_resend=may_resend)
        world.carrier.behaviour.callback_after = None
        at = world.clock.now - timedelta(minutes=5)
        order = stored(
            world,
            status=OrderStatus.PROCESSING,
            submission=Submission(sending_at=at, sender="snd_1", sender_until=at),
        )
        for _ in range(times):
            asks(world, world.order(order))
            world.clock.sleep(60)
        if answer == "not found" and times == 2 and may_resend and asks is by_the_workflow:
            asks(world, world.order(order))
        ends.append(stands(world, order))

    assert ends[0] == ends[1]


def test_wrong_credentials_are_shown_while_the_workflow_waits(new_world: Callable[..., World]) -> None:
    world = new_world()
    world.carrier.behaviour = Behaviour(create_error=AuthenticationError("401", words=WORDS))
    order = stored(world)

    by_the_workflow(world, order)

    after = world.order(order)
    assert after.attention is not None
    assert (after.attention.code, after.attention.carrier) == ("carrier_unavailable", WORDS)


def test_promise_2_of_two_senders_that_read_an_order_at_once_one_sends_it(
    new_world: Callable[..., World],
) -> None:
    world = new_world()
    order = stored(world)

    by_the_request(world, order)
    by_the_request(world, order)

    assert world.carrier.commits == [order.reference]


def test_promise_2_nobody_asks_for_an_order_while_its_sender_may_be_alive(
    new_world: Callable[..., World],
) -> None:
    world = new_world()
    at = world.clock.now
    order = stored(
        world,
        status=OrderStatus.PROCESSING,
        submission=Submission(sending_at=at, sender="snd_1", sender_until=at + timedelta(seconds=30)),
    )

    with pytest.raises(NotSettledError):
        world.submitter.resume(order, Deadline.after(60))
    assert world.carrier.asked == 0

    world.clock.sleep(31)
    with suppress(NotSettledError):
        world.submitter.resume(world.order(order), Deadline.after(60))
    assert world.carrier.asked == 1


def test_promise_2_a_function_whose_clock_is_ahead_takes_no_living_sender_for_dead(
    new_world: Callable[..., World],
) -> None:
    world = new_world()
    order = stored(world)
    begun, life, ahead = world.clock.now, timedelta(seconds=60), timedelta(seconds=4)

    def another_function() -> None:
        world.clock.now = begun + life + ahead
        with pytest.raises(NotSettledError):
            world.submitter.resume(world.order(order), Deadline.after(60))
        world.clock.now = begun

    world.faults.before("create", another_function)
    world.submitter.submit(order, Deadline.after(life.total_seconds()))

    assert (world.carrier.asked, world.carrier.commits) == (0, [order.reference])


def test_another_order_under_the_reference_is_told_in_whole_sentences() -> None:
    told = problems.mismatch(Mismatch(detail="the reply is about another order", carrier_order_number="N2"))
    assert told.detail.endswith("not this order: the reply is about another order. Its number there is N2.")


def test_promise_3_what_cannot_be_named_cannot_be_refunded_and_goes_to_a_person(
    new_world: Callable[..., World],
) -> None:
    world = new_world()
    at = world.clock.now
    order = stored(
        world,
        status=OrderStatus.PROCESSING,
        submission=Submission(sending_at=at, sender="snd_1", sender_until=at, compensating_since=at),
    )

    with suppress(NotSettledError):
        world.submitter.resume(order, Deadline.after(60))

    after = world.order(order)
    assert after.status is OrderStatus.NEEDS_ATTENTION
    assert after.problem is not None
    assert after.problem.code == "refund_failed"

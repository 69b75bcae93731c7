"""What the engine writes for each answer of a carrier, to the last field and second."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.errors import (
    AccountError,
    AuthenticationError,
    HeldBackError,
    PartlyRefusedError,
    PausedError,
    RefusedError,
    RefusedParcel,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import (
    Cancellation,
    Confirmed,
    Failed,
    Mismatch,
    NotFound,
    OrderResult,
    ParcelResult,
    Pending,
)
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import (
    Actor,
    LabelStatus,
    Order,
    OrderEvent,
    OrderStatus,
    Submission,
    Waiting,
    WaitingFor,
)
from parcelgate.domain.problems import CarrierWords, FieldError, Problem
from parcelgate.services.orders import transitions
from parcelgate.services.orders.submission import Callback, Caller, NotSettledError, OrderSubmitter
from tests.support.fake_carriers import Behaviour, FakeCarrier
from tests.support.faults import aws_error, fails_with, unavailable
from tests.support.orders import an_event, an_order
from tests.support.world import JITTER, World, queue

WORDS = CarrierWords("fake", "1001", "cannot")
SECOND = timedelta(seconds=1)
MINUTE = timedelta(seconds=60)
FIRST_PAUSE = 2 * JITTER * SECOND
LIFE = Deadline(lambda: 60.0)
RETRIES = queue("retry-lso")
PROCESSING, CONFIRMED, FAILED, NEEDS_ATTENTION, CANCELLED = (
    OrderStatus.PROCESSING,
    OrderStatus.CONFIRMED,
    OrderStatus.FAILED,
    OrderStatus.NEEDS_ATTENTION,
    OrderStatus.CANCELLED,
)


class AtOnce(FakeCarrier):
    """A carrier that decides in its answer to the create, and gives no callback."""

    order_result: Any = None

    def create(self, order: Order, *, callback_url: str | None = None) -> Any:
        self.asked_to_create(order)
        number = self._out("create", lambda: self._commit(order, "")).carrier_order_number
        return self.confirmation(order, number)

    def asked_to_create(self, order: Order) -> None:
        """Is told of each order that comes alone."""

    def _refund(self, order: Order) -> Cancellation:
        return Cancellation()


class InBatches(AtOnce):
    """A carrier that takes two orders in one request."""

    create_batch = 2

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.behaviour.callback_after = None
        self.together: list[list[str]] = []
        self.alone: list[str] = []
        self.answers: list[Any] | None = None

    def asked_to_create(self, order: Order) -> None:
        self.alone.append(order.reference)

    def create_many(self, orders: Sequence[Order]) -> Any:
        self.together.append([order.reference for order in orders])
        self._out("create_many", lambda: None)
        if self.answers is not None:
            return self.answers
        return [self.confirmation(order, f"N-{order.reference}") for order in orders]


class NeverCancels(AtOnce):
    cancel: Any = None


@pytest.fixture
def at_once(new_world: Callable[..., World]) -> World:
    return new_world(carrier=AtOnce)


@pytest.fixture
def in_batches(new_world: Callable[..., World]) -> World:
    return new_world(carrier=InBatches)


@pytest.fixture(autouse=True)
def retries_lie_still(request: pytest.FixtureRequest) -> None:
    """What is queued stays there to be seen."""
    for name in ("world", "at_once", "in_batches"):
        if name in request.fixturenames:
            del request.getfixturevalue(name).sqs.workers[RETRIES]


def stored(world: World, reference: str = "R-1", **facts: Any) -> Order:
    at = world.clock.now
    order = an_order(reference=reference, at=at, **{"watch_at": at + MINUTE} | facts)
    world.table.tenant("acme").orders.add(order, an_event(at=at))
    return order


def sent(world: World, *, until: timedelta = timedelta(), **more: Any) -> Order:
    """An order that a sender marked five minutes ago, who lives `until` then at the latest."""
    at = world.clock.now
    names = Submission.__struct_fields__
    facts = {name: more.pop(name) for name in [*more] if name in names}
    began = {"sending_at": at - 5 * MINUTE, "sender": "snd_1", "sender_until": at + until}
    return stored(world, status=PROCESSING, submission=Submission(**began | facts), **more)


def numbered_otherwise(world: World, number: str) -> Order:
    """Another order of ours, which has this number with the carrier."""
    other = stored(world, "R-other", status=PROCESSING)
    named = other.changed(at=world.clock.now, carrier_order_number=number)
    world.table.tenant("acme").orders.save(other, named)
    return named


def needing_attention(world: World, **facts: Any) -> Order:
    return stored(
        world, status=NEEDS_ATTENTION, problem=Problem(code="outcome_unknown", detail="Lost."), **facts
    )


def failed(world: World) -> Order:
    return stored(world, status=FAILED, problem=Problem(code="refused_by_carrier", detail="No."))


def answering(world: World, *results: OrderResult | Exception, **more: Any) -> None:
    world.carrier.behaviour = Behaviour(results=[*results], callback_after=None, **more)


def caller(world: World, **more: Any) -> Caller:
    """Somebody whose deadline of an open order is ten minutes after its sender's life."""
    return Caller(LIFE, lambda _, at: at + 10 * MINUTE, **more)


def unsettled(work: Callable[..., Order], order: Order, *how: Any) -> NotSettledError:
    with pytest.raises(NotSettledError) as raised:
        work(order, *how)
    return raised.value


def trail(world: World, order: Order) -> list[OrderEvent]:
    """The order's audit trail since it was stored."""
    return world.table.tenant("acme").orders.events(order.id)[1:]


def names(events: Sequence[OrderEvent]) -> list[tuple[str, Actor, str | None, CarrierWords | None]]:
    return [(event.type, event.actor, event.detail, event.carrier) for event in events]


def queued_after(world: World) -> list[float]:
    """How long each queued retry is hidden at first."""
    calls = [call for call in world.faults.calls if call.method == "send_message"]
    return [call.arguments["DelaySeconds"] for call in calls]


# A look-up


def test_a_pending_order_keeps_the_number_that_the_carrier_names(world: World) -> None:
    order = sent(world)
    answering(world, Pending(reason="1024", carrier_order_number="N7"))

    waits = unsettled(world.submitter.ask, order, caller(world))

    after = world.order(order)
    assert after.carrier_order_number == "N7"
    assert waits.order == after
    assert (waits.pause, waits.trouble, waits.words) == (None, None, None)
    assert (after.waiting, after.watch_at) == (order.waiting, order.watch_at)
    assert names(trail(world, order)) == [("carrier.found", Actor.CARRIER, None, None)]
    assert world.table.tenant("acme").orders.by_carrier_number("lso", "default", "N7") == order.id


def test_a_number_that_is_known_is_not_written_twice(world: World) -> None:
    order = sent(world, carrier_order_number="N7")
    answering(world, Pending(reason="1024", carrier_order_number="N8"))

    assert unsettled(world.submitter.ask, order, caller(world)).order == order
    assert world.order(order) == order


def test_what_a_pending_order_s_carrier_says_is_shown_while_it_waits(world: World) -> None:
    order = sent(world)
    answering(world, Pending(reason="1024", carrier_order_number="N7", words=WORDS))

    waits = unsettled(world.submitter.ask, order, caller(world))

    after, at = world.order(order), world.clock.now
    assert (waits.order, waits.pause, waits.words) == (after, FIRST_PAUSE, WORDS)
    assert after.waiting is not None
    assert (after.waiting.for_, after.waiting.attempts) == (WaitingFor.DECISION, 1)
    assert after.waiting.next_attempt_at == at + FIRST_PAUSE
    assert after.waiting.last_error is not None
    assert after.waiting.last_error.message == WORDS.message
    assert after.watch_at == at + 10 * MINUTE
    assert names(trail(world, order))[1:] == [("order.waiting", Actor.RETRY, "not_ready", WORDS)]


def test_an_order_that_the_carrier_has_is_confirmed_with_all_that_it_says(world: World) -> None:
    order = sent(world)
    answering(world, world.carrier.confirmation(order, "N7"))

    after = world.submitter.ask(order, caller(world))

    assert after == world.order(order)
    assert (after.status, after.carrier_order_number, after.price) == (CONFIRMED, "N7", world.carrier.price)
    assert after.watch_at == transitions.workflow_ends(world.settings, world.clock.now)
    assert names(trail(world, order)) == [("order.confirmed", Actor.WORKFLOW, None, None)]


@pytest.mark.parametrize("at_once_", [False, True])
def test_a_failure_is_stored_before_anything_is_taken_back(
    at_once_: bool, new_world: Callable[..., World]
) -> None:
    world = new_world(carrier=AtOnce) if at_once_ else new_world()
    order = sent(world)
    answering(world, Failed(words=WORDS, carrier_order_number="N7"))

    after = world.submitter.ask(order, caller(world))

    at = world.clock.now
    assert after == world.order(order)
    assert (after.status, after.carrier_order_number) == (PROCESSING, "N7")
    assert after.submission.compensating_since == at
    assert after.problem is not None
    assert after.problem.carrier == WORDS
    due = at + 10 * MINUTE if at_once_ else transitions.refund_ends(world.settings, at)
    assert after.watch_at == due
    assert names(trail(world, order)) == [("carrier.failed", Actor.CARRIER, None, WORDS)]


def test_an_order_that_is_being_taken_back_already_keeps_the_time_of_that(world: World) -> None:
    order = sent(world)
    answering(world, Failed(words=WORDS, carrier_order_number="N7"))
    begun = world.submitter.ask(order, caller(world))
    world.clock.sleep(60)
    answering(world, Failed(words=WORDS, carrier_order_number="N7"))

    assert world.submitter.ask(order, caller(world)) == begun


def test_what_is_not_this_order_is_shown_and_not_adopted(world: World) -> None:
    order = sent(world)
    answering(world, Mismatch(detail="2 boxes for 1", carrier_order_number="N7"))

    after = world.submitter.ask(order, caller(world))

    assert (after.status, after.carrier_order_number) == (NEEDS_ATTENTION, None)
    assert after.problem is not None
    assert after.problem.code == "answer_mismatch"
    assert "2 boxes for 1. Its number there is N7." in after.problem.detail


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: Pending(reason="1024", carrier_order_number="N7"),
        lambda _: Failed(words=WORDS, carrier_order_number="N7"),
        lambda order: Confirmed(
            carrier_order_number="N7",
            parcels=(ParcelResult(reference=order.parcels[0].reference, tracking_number="T1"),),
        ),
    ],
    ids=["pending", "failed", "confirmed"],
)
def test_the_number_of_another_order_is_never_adopted(
    answer: Callable[[Order], OrderResult], world: World
) -> None:
    numbered_otherwise(world, "N7")
    order = sent(world)
    answering(world, answer(order))

    after = world.submitter.ask(order, caller(world))

    assert (after.status, after.carrier_order_number) == (NEEDS_ATTENTION, None)
    assert after.problem is not None
    assert after.problem.code == "carrier_order_conflict"
    assert "its order N7," in after.problem.detail


def test_of_a_carrier_that_decides_at_once_another_order_s_failure_is_not_this_one_s(at_once: World) -> None:
    world = at_once
    numbered_otherwise(world, "N7")
    order = sent(world)
    answering(world, Failed(words=WORDS, carrier_order_number="N7"))

    waits = unsettled(world.submitter.ask, order, caller(world))

    assert waits.pause == MINUTE
    assert world.order(order) == order


@pytest.mark.parametrize("number", ["N7", None, "N8"])
def test_of_a_carrier_that_decides_at_once_the_order_s_own_failure_counts(
    number: str | None, at_once: World
) -> None:
    world = at_once
    order = sent(world, **({"carrier_order_number": "N7"} if number == "N7" else {}))
    if number == "N7":
        # The index names this order itself.
        bare = msgspec.structs.replace(order, carrier_order_number=None)
        order = bare.changed(at=world.clock.now, carrier_order_number="N7")
        world.table.tenant("acme").orders.save(bare, order)
    answering(world, Failed(words=WORDS, carrier_order_number=number))

    after = world.submitter.ask(order, caller(world))

    assert after.submission.compensating_since == world.clock.now
    assert after.carrier_order_number == number


# Not found


def test_not_found_counts_from_the_end_of_the_sender_s_life_and_only_twice(world: World) -> None:
    order = sent(world, until=MINUTE)
    world.carrier.behaviour.may_resend = True
    ask = world.submitter.ask

    alive = unsettled(ask, order, caller(world))
    assert (alive.order, alive.pause) == (order, MINUTE), "the sender may be alive"
    assert world.carrier.asked == 0
    world.clock.sleep(60)
    assert unsettled(ask, order, caller(world)).pause == MINUTE
    assert world.carrier.asked == 1
    world.clock.sleep(59)
    assert unsettled(ask, order, caller(world)).pause == SECOND
    assert world.order(order) == order
    world.clock.sleep(1)

    first = unsettled(ask, order, caller(world))
    said = world.order(order)
    assert (first.order, first.pause) == (said, MINUTE)
    assert said.submission.not_found_at == world.clock.now
    assert names(trail(world, order)) == [("carrier.not_found", Actor.CARRIER, None, None)]
    world.clock.sleep(59)
    assert unsettled(ask, said, caller(world)).pause == SECOND
    assert world.order(order) == said
    world.clock.sleep(1)

    after = ask(said, caller(world))
    assert after == world.order(order)
    assert (after.status, after.submission.sending_at, after.submission.lost) == (PROCESSING, None, True)
    assert names(trail(world, order))[1:] == [("order.to_be_sent_again", Actor.RETRY, None, None)]


def test_without_the_sender_s_life_not_found_counts_from_the_sending(world: World) -> None:
    order = sent(world, sender_until=None, sending_at=world.clock.now - 20 * SECOND)
    assert unsettled(world.submitter.ask, order, caller(world)).pause == 40 * SECOND


def test_a_sender_that_has_given_up_can_be_asked_after_at_once(world: World) -> None:
    order = sent(world, until=MINUTE, over_at=world.clock.now)
    assert unsettled(world.submitter.ask, order, caller(world)).pause == 2 * MINUTE
    assert world.carrier.asked == 1


def test_an_order_whose_number_is_known_can_be_asked_about_at_once(world: World) -> None:
    order = sent(world, until=MINUTE, carrier_order_number="N7")
    assert world.submitter.ask(order, caller(world)).status is CONFIRMED


def not_found_twice(world: World, **facts: Any) -> Order:
    order = sent(world, not_found_at=world.clock.now, **facts)
    world.clock.sleep(60)
    return order


@pytest.mark.parametrize(
    ("facts", "may_resend"),
    [
        ({}, False),
        ({"answered": True}, True),
        ({"callback_at": datetime.fromisoformat("2026-11-21T12:00:00Z")}, True),
        ({"carrier_order_number": "N7"}, True),
    ],
    ids=["its look-up is not reliable", "it has answered", "it has called back", "it gave a number"],
)
def test_an_order_that_the_carrier_may_have_is_not_sent_again(
    facts: dict[str, Any], may_resend: bool, world: World
) -> None:
    order = not_found_twice(world, **facts)
    answering(world, NotFound(), may_resend=may_resend)

    after = world.submitter.ask(order, caller(world))

    assert after.status is NEEDS_ATTENTION
    assert after.problem is not None
    assert after.problem.code == "outcome_unknown"


def test_a_callback_that_comes_in_between_keeps_the_order_from_being_sent_again(world: World) -> None:
    order = not_found_twice(world)
    answering(world, NotFound(), may_resend=True)
    orders = world.table.tenant("acme").orders

    def called_back() -> None:
        submission = msgspec.structs.replace(order.submission, callback_at=world.clock.now)
        orders.save(order, order.changed(at=world.clock.now, submission=submission))

    world.faults.before("find_by_reference", called_back)

    waits = unsettled(world.submitter.ask, order, caller(world))

    after = world.order(order)
    assert waits.order == after
    assert (after.submission.sending_at, after.submission.lost) == (order.submission.sending_at, False)


def test_a_carrier_that_decides_at_once_can_be_sent_the_order_again(at_once: World) -> None:
    world = at_once
    order = not_found_twice(world)
    answering(world, NotFound())
    assert world.submitter.ask(order, caller(world)).submission.sending_at is None


# When the carrier cannot be asked


def test_each_attempt_that_fails_waits_longer_and_says_why(world: World) -> None:
    order = sent(world)
    trouble = TransientError("busy", words=WORDS, retry_after=7)
    answering(world, trouble, trouble)

    first = unsettled(world.submitter.ask, order, caller(world))
    second = unsettled(world.submitter.ask, first.order, caller(world))

    assert (first.pause, second.pause) == (7 * SECOND + FIRST_PAUSE, 7 * SECOND + 2 * FIRST_PAUSE)
    after = world.order(order)
    assert second.order == after
    assert after.waiting is not None
    assert (after.waiting.for_, after.waiting.attempts) == (WaitingFor.CARRIER, 2)
    assert after.waiting.next_attempt_at == world.clock.now + second.pause
    assert after.watch_at == world.clock.now + 10 * MINUTE
    told = ("order.waiting", Actor.RETRY, "carrier_unavailable", WORDS)
    assert names(trail(world, order)) == [told, told]
    assert world.sqs.messages.get(RETRIES) is None, "who asks comes again itself"


def test_who_asks_is_in_the_audit_trail(world: World) -> None:
    order = sent(world)
    answering(world, TransientError("busy"))
    unsettled(world.submitter.ask, order, caller(world, actor=Actor.WORKFLOW))
    assert [event.actor for event in trail(world, order)] == [Actor.WORKFLOW]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AuthenticationError("401", words=WORDS), "does not accept the account's credentials"),
        (AccountError("lso", "default", ["credentials.app_id is missing"]), "credentials.app_id is missing"),
    ],
)
def test_an_account_that_is_not_let_in_is_shown_in_the_order_and_logged_with_its_ids(
    error: AuthenticationError, words: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    order = sent(world)
    answering(world, error)

    waits = unsettled(world.submitter.ask, order, caller(world))

    after = world.order(order)
    assert waits.order == after
    assert after.attention is not None
    assert (after.attention.code, after.attention.carrier) == ("carrier_unavailable", error.words)
    assert words in after.attention.detail
    (line,) = [each for each in caplog.records if each.message == "the carrier account cannot be used"]
    logged = [getattr(line, name) for name in ("tenant", "order_id", "carrier")]
    assert logged == [order.tenant, order.id, order.carrier]


def test_an_account_that_cannot_be_read_holds_the_order_up(world: World) -> None:
    order = sent(world)
    world.account_errors = 1
    unsettled(world.submitter.ask, order, caller(world))
    waiting = world.order(order).waiting
    assert waiting is not None
    assert waiting.last_error is not None
    assert waiting.last_error.code == "held_back"


@pytest.mark.parametrize(
    "facts", [{"status": CANCELLED}, {"submission": Submission(compensating_since=an_order().created_at)}]
)
def test_nobody_is_asked_about_what_is_over_or_is_taken_back(facts: dict[str, Any], world: World) -> None:
    order = stored(world, **{"status": PROCESSING} | facts)
    assert world.submitter.ask(order, caller(world)) is order
    assert world.carrier.asked == 0


# Time for each call


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, world: World) -> list[float]:
    """The seconds that each call of the carrier is given."""
    seconds: list[float] = []
    carriers = type(world.submitter.carriers)
    really = carriers.of

    def of(self: Any, subject: Any, deadline: Deadline | None = None) -> Any:
        assert deadline is not None
        assert subject.id == world.only_order().id
        seconds.append(deadline.remaining())
        return really(self, subject, deadline)

    monkeypatch.setattr(carriers, "of", of)
    return seconds


@pytest.mark.parametrize(
    ("do", "facts", "calls"),
    [
        (lambda world, order: world.submitter.submit(order, LIFE), None, 1),
        (lambda world, order: world.submitter.submit_many([order], LIFE), None, 2),
        (lambda world, order: world.submitter.resume(order, LIFE), {}, 1),
        (lambda world, order: world.submitter.resume(order, LIFE), None, 1),
        (lambda world, order: world.submitter.reread(order, LIFE), {"status": NEEDS_ATTENTION}, 1),
        (lambda world, order: world.submitter.compensate(order, caller(world)), {}, 1),
    ],
    ids=["submit", "submit_many", "ask", "send", "reread", "compensate"],
)
def test_a_carrier_has_a_second_less_than_there_is_to_store_its_answer(
    do: Callable[[World, Order], Any],
    facts: dict[str, Any] | None,
    calls: int,
    world: World,
    given: list[float],
) -> None:
    made = stored if facts is None else needing_attention if facts else sent
    order = made(world)
    with suppress(NotSettledError):
        do(world, order)
    assert given == [59.0] * calls


def test_a_refund_has_a_second_less_than_there_is_to_store_it(world: World, given: list[float]) -> None:
    order = sent(world, carrier_order_number="N7", compensating_since=world.clock.now)
    world.submitter.resume(order, LIFE)
    assert given == [59.0]


# Reading it again


@pytest.mark.parametrize(
    "status", [status for status in OrderStatus if status not in (FAILED, NEEDS_ATTENTION)]
)
def test_only_what_failed_or_needs_attention_is_read_again(status: OrderStatus, world: World) -> None:
    order = stored(world, status=status)
    assert world.submitter.reread(order, LIFE) is order
    assert world.carrier.asked == 0


def test_a_late_success_of_a_failed_order_is_shown_once(world: World) -> None:
    order = failed(world)
    answering(world, *[world.carrier.confirmation(order, "N7")] * 2)

    shown = world.submitter.reread(order, LIFE)

    assert shown == world.order(order)
    assert (shown.status, shown.carrier_order_number) == (FAILED, None)
    assert shown.attention is not None
    assert shown.attention.code == "late_success"
    assert names(trail(world, order)) == [("order.attention", Actor.CARRIER, "late_success", None)]
    assert world.submitter.reread(shown, LIFE) == shown == world.order(order)


def test_another_trouble_does_not_hide_a_late_success(world: World) -> None:
    order = stored(world, status=FAILED, attention=Problem(code="carrier_unavailable", detail="Locked out."))
    answering(world, world.carrier.confirmation(order, "N7"))
    shown = world.submitter.reread(order, LIFE)
    assert shown.attention is not None
    assert shown.attention.code == "late_success"


def test_a_late_success_confirms_an_order_that_needs_attention(world: World) -> None:
    order = needing_attention(world)
    answering(world, world.carrier.confirmation(order, "N7"))

    after = world.submitter.reread(order, LIFE)

    assert after == world.order(order)
    assert (after.status, after.carrier_order_number, after.problem) == (CONFIRMED, "N7", None)
    assert after.watch_at == transitions.retries_end(world.settings, world.clock.now)
    assert names(trail(world, order)) == [("order.confirmed", Actor.CARRIER, None, None)]


@pytest.mark.parametrize("make", [failed, needing_attention])
@pytest.mark.parametrize("result", [Pending(reason="1024", carrier_order_number="N7"), NotFound()])
def test_an_answer_that_is_not_final_is_asked_for_again(
    result: OrderResult, make: Callable[[World], Order], world: World
) -> None:
    order = make(world)
    answering(world, result)

    waits = unsettled(world.submitter.reread, order, LIFE)

    assert (waits.order, waits.pause, waits.trouble) == (order, None, None)
    assert world.order(order) == order


@pytest.mark.parametrize("known", [None, "N7"])
def test_a_late_failure_of_an_order_that_needs_attention_is_taken_back(
    known: str | None, world: World
) -> None:
    order = needing_attention(world, carrier_order_number=known)
    world.carrier.held["N7"] = True
    answering(world, Failed(words=WORDS, carrier_order_number="N8" if known else "N7"))

    after = world.submitter.reread(order, LIFE)

    assert after == world.order(order)
    assert world.carrier.held == {"N7": False}
    assert (after.status, after.carrier_order_number) == (FAILED, "N7")
    assert (after.refund.status, after.refund.amount) == ("confirmed", world.carrier.price)
    assert after.refund.requested_at == world.clock.now
    assert after.problem is not None
    assert (after.problem.code, after.problem.carrier) == ("refused_by_carrier", WORDS)


def test_what_was_settled_while_it_was_taken_back_is_left_alone(world: World) -> None:
    order = needing_attention(world)
    world.carrier.held["N7"] = True
    answering(world, Failed(words=WORDS, carrier_order_number="N7"))
    cancelled = order.move(CANCELLED, at=world.clock.now, watch_at=None)
    orders = world.table.tenant("acme").orders
    world.faults.before("cancel", lambda: orders.save(order, cancelled))

    assert world.submitter.reread(order, LIFE) == world.order(order) == cancelled


@pytest.mark.parametrize(
    ("make", "result"),
    [
        (failed, Failed(words=WORDS, carrier_order_number="N7")),
        (failed, Mismatch(detail="2 boxes for 1")),
        (needing_attention, Mismatch(detail="2 boxes for 1")),
    ],
)
def test_a_late_answer_that_changes_nothing_is_left(
    make: Callable[[World], Order], result: OrderResult, world: World
) -> None:
    order = make(world)
    answering(world, result)
    assert world.submitter.reread(order, LIFE) is order
    assert world.order(order) == order
    assert not [call for call in world.faults.calls if call.method == "cancel"]


def test_a_late_failure_is_left_where_the_carrier_does_not_cancel(new_world: Callable[..., World]) -> None:
    world = new_world(carrier=NeverCancels)
    order = needing_attention(world)
    answering(world, Failed(words=WORDS, carrier_order_number="N7"))
    assert world.submitter.reread(order, LIFE) is order


@pytest.mark.parametrize("make", [failed, needing_attention])
def test_a_late_answer_about_another_order_of_ours_is_left(
    make: Callable[[World], Order], world: World
) -> None:
    numbered_otherwise(world, "N7")
    order = make(world)
    answering(world, world.carrier.confirmation(order, "N7"))
    assert world.submitter.reread(order, LIFE) is order
    assert world.order(order) == order


# Taking it back


def to_be_taken_back(world: World, **facts: Any) -> Order:
    return sent(world, carrier_order_number="N7", compensating_since=world.clock.now, **facts)


def test_what_was_taken_back_has_failed_and_has_no_number_of_a_parcel(world: World) -> None:
    order = to_be_taken_back(world)
    named = order.changed(
        at=world.clock.now,
        parcels=(
            msgspec.structs.replace(order.parcels[0], tracking_number="T1", master_tracking_number="M1"),
        ),
    )
    world.table.tenant("acme").orders.save(order, named)

    after = world.submitter.resume(named, LIFE)

    assert after == world.order(order)
    assert after.status is FAILED
    assert [(parcel.tracking_number, parcel.master_tracking_number) for parcel in after.parcels] == [
        (None, None)
    ]
    assert (after.refund.status, after.refund.requested_at) == ("confirmed", world.clock.now)
    assert after.problem is not None
    assert after.problem.code == "refused_by_carrier"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TransientError("busy", words=WORDS, retry_after=7), "carrier_unavailable"),
        (UnknownOutcomeError("cut", words=WORDS), "outcome_unknown"),
        (RefusedError("not now", words=WORDS), "refused_by_carrier"),
        (ValueError("a fault of ours"), "outcome_unknown"),
    ],
)
def test_what_cannot_be_taken_back_yet_is_tried_again_and_says_why(
    error: Exception, code: str, world: World
) -> None:
    order = to_be_taken_back(world)
    world.faults.on("cancel", fails_with(error))

    waits = unsettled(world.submitter.compensate, order, caller(world))

    after, words = world.order(order), getattr(error, "words", None)
    assert (waits.order, waits.words) == (after, words)
    assert waits.pause == (7 * SECOND if code == "carrier_unavailable" else timedelta()) + FIRST_PAUSE
    assert names(trail(world, order)) == [("order.waiting", Actor.RETRY, code, words)]
    assert (after.status, after.submission, after.carrier_order_number) == (
        PROCESSING,
        order.submission,
        "N7",
    )
    assert after.watch_at == world.clock.now + 10 * MINUTE


def test_what_a_carrier_that_decides_at_once_does_not_take_back_goes_to_a_person(at_once: World) -> None:
    order = to_be_taken_back(at_once)
    at_once.faults.on("cancel", fails_with(RefusedError("too late", words=WORDS)))

    after = at_once.submitter.resume(order, LIFE)

    assert after.status is NEEDS_ATTENTION
    assert after.problem is not None
    assert (after.problem.code, after.problem.carrier) == ("refund_failed", WORDS)


def test_what_a_carrier_that_never_cancels_took_goes_to_a_person(new_world: Callable[..., World]) -> None:
    world = new_world(carrier=NeverCancels)
    after = world.submitter.resume(to_be_taken_back(world), LIFE)
    assert after.status is NEEDS_ATTENTION
    assert after.problem is not None
    assert after.problem.code == "refund_failed"


def test_what_has_no_number_is_taken_back_by_its_reference_where_the_carrier_decides_at_once(
    at_once: World,
) -> None:
    order = sent(at_once, compensating_since=at_once.clock.now)
    assert at_once.submitter.resume(order, LIFE).status is FAILED


def test_an_account_that_cannot_be_read_holds_a_refund_up(world: World) -> None:
    order = to_be_taken_back(world)
    world.account_errors = 1
    waits = unsettled(world.submitter.resume, order, LIFE)
    assert isinstance(waits.trouble, HeldBackError)
    assert waits.order == world.order(order) != order


@pytest.mark.parametrize("facts", [{"status": CANCELLED}, {"submission": Submission()}])
def test_only_an_open_order_that_failed_is_taken_back(facts: dict[str, Any], world: World) -> None:
    at = world.clock.now
    submission = Submission(sending_at=at, sender_until=at + MINUTE, compensating_since=at)
    order = stored(world, **{"status": PROCESSING, "submission": submission} | facts)
    with suppress(NotSettledError):
        world.submitter.resume(order, LIFE)
    assert not [call for call in world.faults.calls if call.method == "cancel"]


# Giving a workflow's order back


def test_an_order_is_asked_about_before_its_workflow_takes_it_back(world: World) -> None:
    order = sent(world, carrier_order_number="N7")
    world.carrier.held["N7"] = True
    answering(world, Failed(words=WORDS, carrier_order_number="N7"))

    after = world.submitter.compensate(order, caller(world))

    assert after == world.order(order)
    assert (after.status, world.carrier.held) == (FAILED, {"N7": False})
    assert after.problem is not None
    assert after.problem.carrier == WORDS


def test_what_a_carrier_that_decides_at_once_failed_is_taken_back_in_the_workflow_too(at_once: World) -> None:
    order = sent(at_once)
    answering(at_once, Failed(words=WORDS, carrier_order_number="N7"))
    assert at_once.submitter.compensate(order, caller(at_once)).status is FAILED


def test_a_live_order_is_not_taken_back(world: World) -> None:
    order = sent(world, carrier_order_number="N7")
    answering(world, world.carrier.confirmation(order, "N7"))

    after = world.submitter.compensate(order, caller(world))

    assert (after.status, world.carrier.held) == (NEEDS_ATTENTION, {})
    assert after.problem is not None
    assert after.problem.code == "outcome_unknown"


def test_another_order_s_failure_takes_nothing_back(world: World) -> None:
    numbered_otherwise(world, "N7")
    order = sent(world)
    answering(world, Failed(words=WORDS, carrier_order_number="N7"))

    after = world.submitter.compensate(order, caller(world))

    assert after.status is NEEDS_ATTENTION
    assert after.problem is not None
    assert "its order N7," in after.problem.detail


def test_an_order_that_was_never_sent_fails_with_what_is_known(world: World) -> None:
    known = Problem(code="price_above_max", detail="Too much.")
    with_reason, without = stored(world, "R-1", problem=known), stored(world, "R-2")

    assert world.submitter.compensate(with_reason, caller(world)).problem == known
    plain = world.submitter.compensate(without, caller(world))
    assert plain.status is FAILED
    assert plain.problem is not None
    assert plain.problem.code == "refused_by_carrier"


def test_what_is_over_is_not_taken_back_again(world: World) -> None:
    order = stored(world, status=CANCELLED)
    assert world.submitter.compensate(order, caller(world)) is order


@pytest.mark.parametrize("reason", ["deadline_passed", "workflow_ended"])
def test_a_giving_up_keeps_its_reason_and_the_carrier_s_words(reason: str, world: World) -> None:
    order = sent(world, carrier_order_number="N7")
    after = world.submitter.give_up(order, reason, words=WORDS)
    assert after == world.order(order)
    assert after.status is NEEDS_ATTENTION
    assert after.problem is not None
    assert after.problem.code == reason
    assert trail(world, order)[-1].type == "order.needs_attention"


def test_giving_up_a_label_keeps_the_order_and_the_carrier_s_words(world: World) -> None:
    order = stored(world, status=CONFIRMED)
    after = world.submitter.give_up(order, "label_unavailable", words=WORDS)
    assert (after.status, after.label.status) == (CONFIRMED, LabelStatus.UNAVAILABLE)
    assert after.attention is not None
    assert after.attention.carrier == WORDS


# Sending


def test_a_mark_says_who_sends_until_when_and_what_was_before(world: World) -> None:
    before, pause = world.clock.now - 9 * MINUTE, world.clock.now - 7 * MINUTE
    earlier = Submission(lost=True, first_sent_at=before, paused_until=pause)
    order = stored(world, status=PROCESSING, submission=earlier)
    world.carrier.behaviour.callback_after = None
    seen: list[Order] = []
    world.faults.before("create", lambda: seen.append(world.order(order)))

    unsettled(
        world.submitter.send, order, caller(world, callback=Callback("https://u.test", "h" * 8, "task"))
    )

    (marked,) = seen
    at = world.clock.now
    assert marked.submission == Submission(
        sending_at=at,
        first_sent_at=before,
        sender=marked.submission.sender,
        sender_until=at + 65 * SECOND,
        lost=True,
        paused_until=pause,
        task_token="task",
        callback_hash="h" * 8,
    )
    assert marked.submission.sender is not None
    assert marked.submission.sender.startswith("snd_")
    assert marked.watch_at == at + 65 * SECOND + 10 * MINUTE
    assert world.carrier.urls == ["https://u.test"]


def test_a_first_mark_has_the_time_of_the_first_create(world: World) -> None:
    order = stored(world)
    seen: list[Order] = []
    world.faults.before("create", lambda: seen.append(world.order(order)))
    world.submitter.submit(order, LIFE)
    (marked,) = seen
    assert (marked.submission.first_sent_at, marked.submission.lost) == (world.clock.now, False)
    assert (marked.submission.task_token, marked.submission.callback_hash) == (None, None)
    assert marked.watch_at == transitions.soon(world.settings, world.clock.now + 65 * SECOND)
    assert (marked.status, trail(world, order)[0].type) == (PROCESSING, "order.processing")


def test_a_sender_without_time_left_still_lives_for_a_moment(world: World) -> None:
    order = stored(world)
    late = Caller(Deadline(lambda: -10.0), lambda _, at: at)
    unsettled(world.submitter.send, order, late)
    (processing, _) = trail(world, order)
    assert processing.type == "order.processing"
    assert world.order(order).watch_at == world.clock.now
    assert world.carrier.commits == []


@pytest.mark.parametrize(("left", "commits"), [(2.9, []), (3.0, ["R-1"])])
def test_a_create_is_not_begun_with_less_than_three_seconds_left(
    left: float, commits: list[str], world: World
) -> None:
    order = stored(world)
    world.submitter.submit(order, Deadline(lambda: left))
    after = world.order(order)
    assert world.carrier.commits == commits
    assert (after.submission.sending_at is None) is (not commits)
    if not commits:
        assert after.waiting is not None
        assert after.waiting.last_error is not None
        assert after.waiting.last_error.code == "held_back"


@pytest.mark.parametrize(
    "facts", [{"status": CANCELLED}, {"submission": Submission(sending_at=an_order().created_at)}]
)
def test_nobody_sends_what_is_over_or_marked(facts: dict[str, Any], world: World) -> None:
    order = stored(world, **facts)
    assert world.submitter.send(order, caller(world)) is order
    assert world.submitter.submit(order, LIFE) is order
    assert world.carrier.commits == []


def test_who_finds_the_order_marked_in_the_meantime_leaves_it_alone(world: World) -> None:
    order = stored(world)
    world.submitter.submit(order, LIFE)
    marked = world.order(order)
    assert world.submitter.send(order, caller(world)) == marked
    assert world.order(order) == marked
    assert world.carrier.commits == ["R-1"]


@pytest.mark.parametrize(
    "error",
    [TransientError("429", words=WORDS), AuthenticationError("401", words=WORDS)],
)
def test_an_order_that_the_carrier_certainly_does_not_have_loses_its_mark(
    error: Exception, world: World
) -> None:
    order = stored(world)
    world.carrier.behaviour.create_error = error
    after = world.submitter.submit(order, LIFE)
    assert after == world.order(order)
    assert after.submission == Submission()
    (body,) = world.sqs.bodies(RETRIES)
    message = json.loads(body)
    assert (message["order_id"], message["action"]) == (order.id, "create")
    assert datetime.fromisoformat(message["first_attempt_at"]) == order.created_at
    assert queued_after(world) == [2]
    assert after.watch_at == transitions.retries_end(world.settings, order.created_at)


@pytest.mark.parametrize("error", [UnknownOutcomeError("cut", words=WORDS), ValueError("a fault of ours")])
def test_an_order_that_the_carrier_may_have_keeps_its_mark(error: Exception, world: World) -> None:
    order = stored(world)
    world.carrier.behaviour.create_error = error
    after = world.submitter.submit(order, LIFE)
    assert after == world.order(order)
    assert after.submission.sending_at == after.submission.over_at == world.clock.now
    assert names(trail(world, order))[1:] == [
        ("order.waiting", Actor.RETRY, "outcome_unknown", getattr(error, "words", None))
    ]


def test_a_retry_that_cannot_be_queued_leaves_the_order_to_the_sweep_soon(world: World) -> None:
    order = stored(world)
    world.carrier.behaviour.create_error = TransientError("429")
    world.faults.on("send_message", aws_error("InternalError"))
    after = world.submitter.submit(order, LIFE)
    assert after.watch_at == transitions.soon(world.settings, world.clock.now)


def test_the_retry_queue_itself_queues_nothing(world: World) -> None:
    order = stored(world)
    world.carrier.behaviour.create_error = TransientError("429")
    waits = unsettled(world.submitter.resume, order, LIFE)
    assert waits.pause == FIRST_PAUSE
    assert queued_after(world) == []
    assert waits.order.watch_at == transitions.retries_end(world.settings, order.created_at)


def test_a_retry_of_an_old_order_has_its_deadline_ahead(world: World) -> None:
    order = stored(world)
    world.clock.sleep(13 * 3600)
    world.carrier.behaviour.create_error = TransientError("429")
    waits = unsettled(world.submitter.resume, order, LIFE)
    assert waits.order.watch_at == world.clock.now + world.settings.deadline_margin


def test_a_number_that_was_taken_is_stored_and_asked_about_later(world: World) -> None:
    order = stored(world)
    world.carrier.behaviour.callback_after = None
    after = world.submitter.submit(order, LIFE)

    assert after == world.order(order)
    assert (after.status, after.carrier_order_number) == (PROCESSING, "N1")
    assert after.submission.answered
    assert after.waiting == Waiting(for_=WaitingFor.DECISION, since=world.clock.now)
    assert queued_after(world) == [2]
    assert after.watch_at == transitions.retries_end(world.settings, order.created_at)
    assert [event.type for event in trail(world, order)] == ["order.processing", "carrier.accepted"]


def test_a_number_that_was_taken_is_stored_whatever_became_of_the_order(world: World) -> None:
    order = stored(world)
    orders = world.table.tenant("acme").orders

    def given_up() -> None:
        marked = world.order(order)
        orders.save(marked, marked.move(NEEDS_ATTENTION, at=world.clock.now, watch_at=None))

    world.faults.before("create", given_up)
    after = world.submitter.submit(order, LIFE)
    assert after == world.order(order)
    assert (after.status, after.carrier_order_number) == (NEEDS_ATTENTION, "N1")
    assert queued_after(world) == []


def test_who_waits_for_a_callback_has_no_trouble(world: World) -> None:
    order = stored(world)
    world.carrier.behaviour.callback_after = None
    callback = Callback("https://u.test", "h" * 8, "task")
    waits = unsettled(world.submitter.send, order, caller(world, callback=callback))
    assert (waits.order, waits.pause, waits.trouble) == (world.order(order), None, None)
    assert queued_after(world) == []


def test_another_order_s_number_is_not_taken_from_the_answer_to_a_create(world: World) -> None:
    numbered_otherwise(world, "N1")
    after = world.submitter.submit(stored(world), LIFE)
    assert after.status is NEEDS_ATTENTION
    assert after.problem is not None
    assert "its order N1," in after.problem.detail


def test_a_create_that_is_answered_at_once_is_confirmed_with_its_label_due(at_once: World) -> None:
    at_once.carrier.behaviour.callback_after = None
    order = stored(at_once)
    after = at_once.submitter.submit(order, LIFE)
    assert (after.status, after.carrier_order_number) == (CONFIRMED, "N1")
    assert after.watch_at == transitions.workflow_ends(at_once.settings, at_once.clock.now)
    assert names(trail(at_once, order))[1:] == [("order.confirmed", Actor.WORKFLOW, None, None)]


def test_a_refusal_is_kept_with_its_errors_and_words(world: World) -> None:
    order = stored(world)
    error = FieldError("/ship_to/line1", "invalid", "Too long.")
    world.carrier.behaviour.create_error = RefusedError("no", words=WORDS, errors=[error])
    after = world.submitter.submit(order, LIFE)
    assert after.status is FAILED
    assert after.problem is not None
    assert (after.problem.errors, after.problem.carrier) == ((error,), WORDS)


def test_a_refusal_of_some_parcels_is_stored_before_the_others_are_taken_back(world: World) -> None:
    order = stored(world)
    refused = RefusedParcel(reference=order.parcels[0].reference, words=WORDS)
    error = PartlyRefusedError("some", words=WORDS, carrier_order_number="N7", refused=[refused])
    world.carrier.behaviour.create_error = error
    world.faults.on("cancel", fails_with(TransientError("busy")))
    seen: list[Order] = []
    world.faults.before("cancel", lambda: seen.append(world.order(order)))

    after = world.submitter.submit(order, LIFE)

    (before,) = seen
    at = world.clock.now
    assert before.watch_at == transitions.soon(world.settings, at)
    assert (before.carrier_order_number, before.submission.compensating_since) == ("N7", at)
    assert before.parcels[0].problem is not None
    assert before.parcels[0].problem.carrier == WORDS
    assert after.status is PROCESSING
    assert len(world.sqs.bodies(RETRIES)) == 1


# Stored with its mark


def marked_and_stored(world: World, **facts: Any) -> Order:
    """An order that was stored for this function to send."""
    order = an_order(at=world.clock.now, **facts)
    change = world.submitter.mark_new(order, LIFE)
    world.table.tenant("acme").orders.add(change.after, an_event(at=world.clock.now))
    return change.after


def test_a_new_order_s_mark_is_that_of_one_that_is_sent_at_once(world: World) -> None:
    order = marked_and_stored(world)
    at = world.clock.now
    assert order.status is PROCESSING
    assert order.submission == Submission(
        sending_at=at, first_sent_at=at, sender=order.submission.sender, sender_until=at + 65 * SECOND
    )
    assert order.submission.sender is not None
    assert order.submission.sender.startswith("snd_")
    assert order.watch_at == transitions.soon(world.settings, at + 65 * SECOND)


def test_a_sender_without_any_time_may_live_for_five_seconds(world: World) -> None:
    change = world.submitter.mark_new(an_order(at=world.clock.now), Deadline(lambda: -10.0))
    assert change.after.submission.sender_until == world.clock.now + 5 * SECOND


def test_an_order_that_was_stored_with_its_mark_is_sent_and_its_number_kept(world: World) -> None:
    world.carrier.behaviour.callback_after = None
    order = marked_and_stored(world)
    after = world.submitter.submit_marked(order, LIFE)
    assert after == world.order(order)
    assert (after.carrier_order_number, after.submission.answered) == ("N1", True)
    assert world.carrier.commits == ["R-1"]
    assert queued_after(world) == [2]


def test_a_marked_order_is_sent_with_a_second_less_than_there_is(world: World, given: list[float]) -> None:
    world.submitter.submit_marked(marked_and_stored(world), LIFE)
    assert given == [59.0]


def test_a_marked_order_whose_account_cannot_be_read_loses_its_mark_and_waits(world: World) -> None:
    order = marked_and_stored(world)
    world.account_errors = 1
    after = world.submitter.submit_marked(order, LIFE)
    assert after == world.order(order)
    assert after.submission == Submission()
    assert after.waiting is not None
    assert after.waiting.last_error is not None
    assert after.waiting.last_error.code == "held_back"
    assert queued_after(world) == [2]


def test_a_marked_order_is_not_sent_with_too_little_time(world: World) -> None:
    order = marked_and_stored(world)
    after = world.submitter.submit_marked(order, Deadline(lambda: 2.9))
    assert (after.submission, world.carrier.commits) == (Submission(), [])


def test_what_the_carrier_took_of_a_marked_order_is_taken_back_at_once(world: World) -> None:
    order = marked_and_stored(world)
    error = PartlyRefusedError("some", words=WORDS, carrier_order_number="N7")
    world.carrier.behaviour.create_error = error
    after = world.submitter.submit_marked(order, LIFE)
    assert (after.status, world.carrier.held) == (FAILED, {"N7": False})


def test_an_answer_for_a_marked_order_that_cannot_be_stored_leaves_it_as_it_was_given(world: World) -> None:
    order = marked_and_stored(world)
    world.faults.on("transact_write_items", unavailable(), times=100)
    assert world.submitter.submit_marked(order, LIFE) == order == world.order(order)
    world.faults.forget()


def test_what_cannot_be_stored_leaves_the_order_as_it_was_given(world: World) -> None:
    order = stored(world)
    world.faults.on("transact_write_items", unavailable(), times=100)
    assert world.submitter.submit(order, LIFE) == order
    assert world.carrier.commits == []
    world.faults.forget()


def test_an_order_whose_account_cannot_be_read_is_not_marked(world: World) -> None:
    order = stored(world)
    world.account_errors = 1
    after = world.submitter.submit(order, LIFE)
    assert after == world.order(order)
    assert (after.status, after.submission.sending_at) == (OrderStatus.ACCEPTED, None)
    assert queued_after(world) == [2]


def test_an_order_that_a_pause_holds_is_not_marked_again_and_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = PausedError("paused", detail="Paused.", retry_after=120)
    order = stored(world, status=PROCESSING)
    world.carrier.behaviour.create_error = pause
    first = unsettled(world.submitter.send, order, caller(world))
    assert transitions.is_paused(first.order)
    monkeypatch.setattr(type(world.submitter.carriers), "held_by", lambda *_: pause)
    before = len(trail(world, order))

    again = unsettled(world.submitter.send, first.order, caller(world))

    assert again.trouble is pause
    assert again.pause is not None
    assert again.pause > 120 * SECOND
    assert len(trail(world, order)) == before
    assert world.carrier.commits == []


def test_only_an_order_that_met_a_pause_is_looked_up_among_the_pauses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = PausedError("paused", detail="Paused.", retry_after=120)
    monkeypatch.setattr(type(world.submitter.carriers), "held_by", lambda *_: pause)
    assert world.submitter.held(stored(world)) is None


def test_an_order_that_was_settled_while_it_waited_is_returned_as_it_is(world: World) -> None:
    order = sent(world)
    orders = world.table.tenant("acme").orders
    settled = order.move(CANCELLED, at=world.clock.now, watch_at=None)
    world.faults.before("find_by_reference", lambda: orders.save(order, settled))
    answering(world, TransientError("busy"))
    with suppress(NotSettledError):
        world.submitter.ask(order, caller(world))
    assert world.order(order) == settled


def test_an_order_that_somebody_else_sends_meanwhile_keeps_that_sender_s_deadline(world: World) -> None:
    order = sent(world)
    orders = world.table.tenant("acme").orders
    submission = msgspec.structs.replace(order.submission, sender="snd_2")
    theirs = order.changed(at=world.clock.now, submission=submission)
    world.faults.before("find_by_reference", lambda: orders.save(order, theirs))
    answering(world, TransientError("busy"))

    waits = unsettled(world.submitter.ask, order, caller(world))

    after = world.order(order)
    assert waits.order == after
    assert (after.submission, after.waiting) == (submission, None)
    assert after.watch_at == world.clock.now + 10 * MINUTE


# Several at once


def several(world: World, number: int) -> list[Order]:
    return [stored(world, f"R-{place}") for place in range(1, number + 1)]


def test_orders_go_out_in_the_carrier_s_largest_requests_and_come_back_in_their_order(
    in_batches: World,
) -> None:
    orders = several(in_batches, 5)

    after = in_batches.submitter.submit_many(orders, LIFE)

    assert in_batches.carrier.together == [["R-1", "R-2"], ["R-3", "R-4"], ["R-5"]]
    assert [order.carrier_order_number for order in after] == [f"N-R-{place}" for place in range(1, 6)]
    assert after == [in_batches.order(order) for order in orders]
    assert {order.status for order in after} == {CONFIRMED}
    due = transitions.workflow_ends(in_batches.settings, in_batches.clock.now)
    assert {order.watch_at for order in after} == {due}


def test_no_orders_are_no_call(in_batches: World) -> None:
    assert in_batches.submitter.submit_many([], LIFE) == []
    assert in_batches.carrier.together == []


def test_each_order_of_a_request_has_an_answer_of_its_own(in_batches: World) -> None:
    orders = several(in_batches, 2)
    in_batches.carrier.answers = [
        RefusedError("no", words=WORDS),
        PartlyRefusedError("some", carrier_order_number="N2", words=WORDS),
    ]
    first, second = in_batches.submitter.submit_many(orders, LIFE)
    assert (first.status, first.id, second.status, second.id) == (FAILED, orders[0].id, FAILED, orders[1].id)
    assert second.carrier_order_number == "N2"


def test_only_what_could_be_marked_is_sent(in_batches: World) -> None:
    orders = several(in_batches, 3)
    mine = in_batches.submitter.submit(orders[1], LIFE)
    in_batches.carrier.alone.clear()

    after = in_batches.submitter.submit_many(orders, LIFE)

    assert in_batches.carrier.together == [["R-1"], ["R-3"]]
    assert [order.id for order in after] == [order.id for order in orders]
    assert after[1] == mine


def test_no_request_goes_out_for_orders_that_are_all_marked(in_batches: World) -> None:
    orders = several(in_batches, 2)
    for order in orders:
        in_batches.submitter.submit(order, LIFE)
    in_batches.submitter.submit_many(orders, LIFE)
    assert in_batches.carrier.together == []


def test_orders_that_are_refused_together_are_sent_alone(in_batches: World) -> None:
    orders = several(in_batches, 2)
    in_batches.faults.on("create_many", fails_with(RefusedError("too many")))
    after = in_batches.submitter.submit_many(orders, LIFE)
    assert in_batches.carrier.alone == ["R-1", "R-2"]
    assert [order.status for order in after] == [CONFIRMED, CONFIRMED]


@pytest.mark.parametrize("answers", [[], [RefusedError("no")], None])
def test_after_an_answer_that_fits_no_orders_nobody_knows_any_of_them(
    answers: list[Any] | None, in_batches: World
) -> None:
    orders = several(in_batches, 2)
    in_batches.carrier.answers = answers
    if answers is None:
        in_batches.faults.on("create_many", fails_with(ValueError("a fault of ours")))
    after = in_batches.submitter.submit_many(orders, LIFE)
    assert [order.submission.over_at for order in after] == [in_batches.clock.now] * 2
    assert in_batches.carrier.alone == []


@pytest.mark.parametrize(("left", "sent_"), [(2.9, []), (3.0, [["R-1", "R-2"]])])
def test_no_request_is_begun_with_less_than_three_seconds_left(
    left: float, sent_: list[list[str]], in_batches: World
) -> None:
    orders = several(in_batches, 2)
    after = in_batches.submitter.submit_many(orders, Deadline(lambda: left))
    assert in_batches.carrier.together == sent_
    assert all((order.submission.sending_at is None) is (not sent_) for order in after)
    if not sent_:
        waits = [
            order.waiting.last_error.code for order in after if order.waiting and order.waiting.last_error
        ]
        assert waits == ["held_back"] * 2
        assert queued_after(in_batches) == [2, 2]


def test_orders_whose_account_cannot_be_read_wait_each_for_itself(in_batches: World) -> None:
    in_batches.account_errors = 3
    after = in_batches.submitter.submit_many(several(in_batches, 2), LIFE)
    assert [order.status for order in after] == [OrderStatus.ACCEPTED] * 2
    assert queued_after(in_batches) == [2, 2]


def side_by_side(world: World) -> OrderSubmitter:
    """The world's submitter, with two workers."""
    submitter: OrderSubmitter = world.submitter
    return OrderSubmitter(
        table=submitter.table,
        carriers=submitter.carriers,
        settings=submitter.settings,
        retries=submitter.retries,
        clock=world.clock,
        workers=2,
    )


def test_orders_are_stored_side_by_side_in_their_order(in_batches: World) -> None:
    orders = several(in_batches, 2)
    assert [order.id for order in side_by_side(in_batches).submit_many(orders, LIFE)] == [
        order.id for order in orders
    ]


def test_orders_are_stored_by_no_more_threads_than_there_are_workers(
    in_batches: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int | None] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, max_workers: int | None = None) -> None:
            threads.append(max_workers)
            super().__init__(max_workers)

    monkeypatch.setattr("parcelgate.services.side_by_side.ThreadPoolExecutor", Pool)
    side_by_side(in_batches).submit_many(several(in_batches, 3), LIFE)
    assert set(threads) == {2}

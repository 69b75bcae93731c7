"""Sending an order to a carrier that answers a create at once.

One place for all who send: the request itself, the retry queue and the batch worker. The order is marked
by a conditional write before it is sent, and one write stores what came of it:

==========================  ================================================================================
the carrier's answer        the order
==========================  ================================================================================
confirmed                   `confirmed`, with its numbers and trackings
refused                     `failed`; the reference is free
some parcels refused        what was taken is cancelled, then `failed`; each parcel says why
may work later              the mark is taken away; the retry queue sends it again
credentials not accepted    the same, and somebody is alarmed
nobody knows                the mark stays; the retry queue asks the carrier before anything is sent again
==========================  ================================================================================

While the mark stands nobody sends. It goes only when the carrier certainly has nothing: when the call is
known to have done nothing, or when the carrier, asked twice and long after the sender's death, did not
know the order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import cache
from itertools import batched
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    HeldBackError,
    PartlyRefusedError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.port import (
    Cancels,
    Carrier,
    Confirmed,
    CreatesInBatches,
    Failed,
    Mismatch,
    NotFound,
    OrderResult,
    Pending,
    Submitted,
)
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Actor, Order, OrderEvent, OrderStatus, Parcel, Submission
from parcelgate.domain.problems import CarrierWords, Problem
from parcelgate.observability.logs import anatomy, log
from parcelgate.observability.metrics import count, duration
from parcelgate.services import outcomes, watch
from parcelgate.services.backoff import backoff
from parcelgate.services.outcomes import Change
from parcelgate.services.retries import Action, SendAgainError
from parcelgate.services.settings import Settings
from parcelgate.store.errors import CarrierNumberTakenError, StoreError

if TYPE_CHECKING:
    from parcelgate.services.accounts import CarrierFor, Remaining
    from parcelgate.services.retries import RetryQueues
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

type Answer = Submitted | Confirmed | CarrierError
"""What a create can end in."""

type Facts = dict[str, Any]
"""What is changed of an order, by the names of its attributes."""

SEND_SECONDS = 3.0
"""A create is not begun with less time left."""
_SAVE_SECONDS = 1.0
"""What is kept back of the time given, to store what the carrier said."""
_AFTERLIFE = timedelta(seconds=5)
"""How much longer than the time it was given a sender may live."""
_AT_ONCE = 8
"""Orders of a batch that are stored side by side."""

_OPEN = (OrderStatus.ACCEPTED, OrderStatus.PROCESSING)
_AWS_TROUBLE = (StoreError, BotoCoreError, ClientError)


class Sender:
    """Sends orders to carriers that answer at once.

    Parameters
    ----------
    table
        The store.
    carriers
        Finds the carrier of an order; `Carriers.within`.
    settings
        Intervals and margins.
    retries
        Where an order goes that is not settled now.
    clock, roll
        Time and chance, for tests.
    workers
        How many orders of a batch are stored side by side.
    """

    def __init__(
        self,
        *,
        table: Table,
        carriers: Callable[[Remaining | None], CarrierFor],
        settings: Settings,
        retries: Callable[[], RetryQueues],
        clock: Clock = now,
        roll: Callable[[], float] = random.random,
        workers: int = _AT_ONCE,
    ) -> None:
        self.table = table
        self._carriers = carriers
        self._settings = settings
        self._retries = retries
        self._clock = clock
        self._roll = roll
        self._workers = workers

    def send(self, order: Order, remaining: Remaining) -> Order:
        """Send a stored order, once, unless somebody has; the order as it then stands.

        `confirmed`, `failed` or `needs_attention`, or still open (`accepted`, `processing`) and then in
        its carrier's retry queue. Never raises for trouble with the carrier or the store. `remaining` is
        what is left for the carrier's answer and for storing it, in seconds.
        """
        return self._quietly(order, lambda: self._send(order, remaining, queued=False))

    def send_many(self, orders: Sequence[Order], remaining: Remaining) -> list[Order]:
        """Send stored orders of one carrier account, in its largest requests; as they then stand, in order.

        Each order is marked, sent and stored for itself: what is true of `send` is true of each.
        """
        if not orders:
            return []
        try:
            carrier = self._carrier(orders[0], remaining)
        except TransientError:
            carrier = None
        if not isinstance(carrier, CreatesInBatches):
            return self._side_by_side(lambda order: self.send(order, remaining), orders)
        sent: list[Order] = []
        for some in batched(orders, carrier.create_batch, strict=False):
            sent += self._send_batch(carrier, some, remaining)
        return sent

    def retry(self, order: Order, remaining: Remaining) -> Order:
        """Go on with an order of the retry queue: ask the carrier where it may have it, else send it.

        Raises SendAgainError while the order is not settled, and what the store raises.
        """
        if order.status not in _OPEN:
            return order
        if order.submission.compensating_since is not None:
            return self._take_back(order, remaining, queued=True)
        if order.submission.sending_at is None:
            return self._send(order, remaining, queued=True)
        return self._reconcile(order, remaining)

    def give_up(self, order: Order) -> Order:
        """The retry queue's time is over: a person must look at the order, if it is still open."""
        return self._settle(order, lambda order: self._attention(order, _stranded(order)))

    # Sending

    def _quietly(self, order: Order, work: Callable[[], Order]) -> Order:
        """What `work` makes of the order; whatever it leaves open goes on by itself."""
        try:
            return work()
        except SendAgainError as error:
            return error.order
        except _AWS_TROUBLE as error:
            # The order bears the time by which the sweep looks after it, and the mark if it was sent.
            log.error("what came of an order could not be stored", extra=anatomy(error))
            count("SendingBroken", carrier=order.carrier)
            return order

    def _send(self, order: Order, remaining: Remaining, *, queued: bool) -> Order:
        """Mark the order and send it. `queued`: the retry queue has a message for it already."""
        try:
            carrier = self._carrier(order, remaining)
        except TransientError as error:
            return self._leave(order, error, queued=queued)
        sender = new_id("snd")
        marked = self._mark(order, sender, remaining, queued=queued)
        if marked.submission.sender != sender:
            return marked
        return self._store(marked, self._create(carrier, marked, remaining), remaining, queued=queued)

    def _send_batch(
        self, carrier: CreatesInBatches, orders: Sequence[Order], remaining: Remaining
    ) -> list[Order]:
        """Send some orders in one request. Only those that could be marked are sent."""
        sender = new_id("snd")

        def mark(order: Order) -> Order:
            return self._quietly(order, lambda: self._mark(order, sender, remaining, queued=False))

        def store(sent: tuple[Order, Answer]) -> Order:
            order, answer = sent
            return self._quietly(order, lambda: self._store(order, answer, remaining, queued=False))

        marked = self._side_by_side(mark, orders)
        mine = [order for order in marked if order.submission.sender == sender]
        answers = self._create_many(carrier, mine, remaining) if mine else []
        stored = self._side_by_side(store, [*zip(mine, answers, strict=True)])
        after = {order.id: order for order in (*marked, *stored)}
        return [after[order.id] for order in orders]

    def _mark(self, order: Order, sender: str, remaining: Remaining, *, queued: bool) -> Order:
        """Claim the sending of the order for `sender`: from here on nobody else sends it."""

        def decide(order: Order) -> Change | None:
            if order.status not in _OPEN or order.submission.sending_at is not None:
                return None
            at = self._clock()
            until = at + timedelta(seconds=max(remaining(), 0.0)) + _AFTERLIFE
            submission = Submission(
                sending_at=at, sender=sender, sender_until=until, lost=order.submission.lost
            )
            due = self._due(order, until, queued=queued)
            if order.status is OrderStatus.ACCEPTED:
                after = order.move(OrderStatus.PROCESSING, at=at, watch_at=due, submission=submission)
                return Change(after=after, event=outcomes.moved(order, after, "order.processing"))
            after = order.changed(at=at, watch_at=due, submission=submission)
            return Change(after=after, event=_event(at, "order.sent_again", Actor.RETRY))

        return outcomes.apply(self._orders(order), order, decide)

    def _create(self, carrier: Carrier, order: Order, remaining: Remaining) -> Answer:
        """Send a marked order; whatever comes of it, as a value."""
        if remaining() < SEND_SECONDS:
            return HeldBackError("no time left to send it")
        try:
            return carrier.create(order)
        except Exception as error:
            return _classed(error)

    def _create_many(
        self, carrier: CreatesInBatches, orders: Sequence[Order], remaining: Remaining
    ) -> Sequence[Answer]:
        if remaining() < SEND_SECONDS:
            return [HeldBackError("no time left to send it")] * len(orders)
        try:
            return carrier.create_many(orders)
        except RefusedError as error:
            # Nothing was taken, and nobody knows because of which of them.
            log.info("a batch was refused as a whole", extra={"orders": len(orders), **_name_of(error)})
        except Exception as error:
            return [_classed(error)] * len(orders)
        alone = self._carrier(orders[0], remaining)
        return [self._create(alone, order, remaining) for order in orders]

    # What an answer makes of the order

    def _store(self, order: Order, answer: Answer, remaining: Remaining, *, queued: bool) -> Order:
        """Store what came of a create."""
        match answer:
            case Confirmed():
                return self._confirm(order, answer)
            case PartlyRefusedError():
                order = self._settle(
                    order, lambda now: self._partly(now, answer) if _same(now, order) else None
                )
                return self._take_back(order, remaining, queued=queued)
            case RefusedError():
                return self._settle(
                    order, lambda now: self._refused(now, answer) if _same(now, order) else None
                )
            case TransientError() | AuthenticationError():
                return self._leave(order, answer, queued=queued, change=self._not_taken(order, answer))
            case UnknownOutcomeError() | Submitted() | CarrierError():
                return self._leave(order, answer, queued=queued, change=self._over(order, answer))

    def _confirm(self, order: Order, result: Confirmed) -> Order:
        """The carrier has the order, unless what it answers with belongs to another one."""

        def decide(order: Order) -> Change | None:
            if order.status not in (OrderStatus.PROCESSING, OrderStatus.NEEDS_ATTENTION):
                return None
            at = self._clock()
            due = watch.label(self._settings, at)
            return outcomes.confirmed(order, result, at=at, watch_at=due, new_id=new_id)

        try:
            after, confirmed = outcomes.settle(self._orders(order), order, decide)
        except CarrierNumberTakenError:
            problem = _conflict(result.carrier_order_number)
            return self._settle(order, lambda order: self._attention(order, problem))
        if confirmed:
            taken = (after.updated_at - after.created_at).total_seconds()
            duration("TimeToConfirm", taken, carrier=after.carrier)
        return after

    def _refused(self, order: Order, error: RefusedError) -> Change:
        at = self._clock()
        taken = any(found.code == "reference_in_use" for found in error.errors)
        if taken and order.submission.lost:
            # It may well be our own lost create that has the reference.
            return outcomes.needs_attention(order, _unknown(error), at=at)
        problem = Problem(
            code="reference_in_use" if taken and error.words is not None else "refused_by_carrier",
            detail="The carrier refused the order. Nothing was bought.",
            errors=error.errors,
            carrier=error.words,
        )
        return outcomes.failed(order, problem, at=at)

    def _partly(self, order: Order, error: PartlyRefusedError) -> Change:
        """What the carrier took is to be taken back; its numbers are stored for that, and each refusal."""
        at = self._clock()
        refused = {found.reference: found for found in error.refused}

        def judged(parcel: Parcel) -> Parcel:
            found = refused.get(parcel.reference)
            if found is None:
                return parcel
            problem = Problem(
                code="refused_by_carrier",
                detail="The carrier refused this parcel.",
                errors=found.errors,
                carrier=found.words,
            )
            return msgspec.structs.replace(parcel, problem=problem)

        problem = Problem(
            code="refused_by_carrier",
            detail=f"The carrier refused {len(refused)} of {len(order.parcels)} parcels, "
            "so that the order as a whole was taken back.",
            errors=tuple(dict.fromkeys(one for found in error.refused for one in found.errors)),
            carrier=error.words,
        )
        after = order.changed(
            at=at,
            watch_at=at + self._settings.watch_margin,
            parcels=tuple(judged(parcel) for parcel in outcomes.numbered(order, error.accepted)),
            carrier_order_number=error.carrier_order_number,
            problem=problem,
            submission=msgspec.structs.replace(order.submission, compensating_since=at),
        )
        return Change(after=after, event=_event(at, "carrier.refused_parcels", Actor.CARRIER, error.words))

    def _take_back(self, order: Order, remaining: Remaining, *, queued: bool) -> Order:
        """Cancel what the carrier took of an order that it cannot carry out, and only then call it failed."""
        if order.status not in _OPEN or order.submission.compensating_since is None:
            return order
        try:
            carrier = self._carrier(order, remaining)
            if not isinstance(carrier, Cancels):
                raise RefusedError("the carrier takes nothing back")
            cancellation = carrier.cancel(order, at=self._clock())
        except RefusedError as error:
            problem = _not_taken_back(order, error.words)
            return self._settle(order, lambda order: self._attention(order, problem))
        except Exception as error:
            return self._leave(order, _classed(error), queued=queued)
        at = self._clock()
        refund = outcomes.refund_of(cancellation, at=at)
        problem = order.problem or outcomes.failure(None)
        return self._settle(order, lambda order: outcomes.failed(_bare(order), problem, at=at, refund=refund))

    def _not_taken(self, sent: Order, error: CarrierError) -> Callable[[Order], Facts]:
        """The carrier certainly has nothing: the order may be sent again."""
        said = self._locked_out(sent, error) if isinstance(error, AuthenticationError) else lambda _: {}

        def facts(order: Order) -> Facts:
            if not _same(order, sent):
                return {}
            return {"submission": Submission(lost=order.submission.lost), **said(order)}

        return facts

    def _locked_out(self, order: Order, error: AuthenticationError) -> Callable[[Order], Facts]:
        """Alarm somebody: until the account is put right the order waits, and says so."""
        log.error("the carrier does not accept the account's credentials", extra=_whose(order))
        count("CarrierAuthenticationFailed", carrier=order.carrier)
        problem = _locked_out(error)
        return lambda _: {"attention": problem}

    def _over(self, sent: Order, answer: Answer) -> Callable[[Order], Facts]:
        """Nobody knows what came of it; but its sender does no more, so that the carrier can be asked."""
        number = answer.carrier_order_number if isinstance(answer, Submitted) else None

        def facts(order: Order) -> Facts:
            if not _same(order, sent) or order.submission.over_at is not None:
                return {}
            submission = msgspec.structs.replace(order.submission, over_at=self._clock())
            return {"submission": submission} | ({"carrier_order_number": number} if number else {})

        return facts

    def _leave(
        self,
        order: Order,
        trouble: object,
        *,
        queued: bool,
        change: Callable[[Order], Facts] = lambda _: {},
    ) -> Order:
        """Leave the order to the retry queue, and store `change`, what is known of it by now.

        Raises SendAgainError, unless the order was settled meanwhile.
        """
        log.info("the order goes on later", extra={**_whose(order), "error": type(trouble).__name__})
        after = getattr(trouble, "retry_after", None)
        waiting = queued or self._enqueue(order, after)

        def decide(order: Order) -> Change | None:
            facts = change(order)
            if order.status not in _OPEN or (queued and not facts):
                return None
            at = self._clock()
            due = self._due(order, at, queued=waiting)
            return Change(after=order.changed(at=at, watch_at=due, **facts))

        order = outcomes.apply(self._orders(order), order, decide)
        if order.status not in _OPEN:
            return order
        raise SendAgainError(order, after)

    def _enqueue(self, order: Order, after: float | None) -> bool:
        """Whether the retry queue has the order now; if not, the sweep brings it there."""
        settings = self._settings
        step = backoff(1, first=settings.retry_first, cap=settings.retry_cap, roll=self._roll())
        delay = max(step.total_seconds(), after or 0.0)
        try:
            self._retries().enqueue(order, Action.CREATE, at=order.created_at, delay=delay)
        except (BotoCoreError, ClientError) as error:
            log.error("no retry was queued; the sweep will", extra=_name_of(error))
            return False
        return True

    # Asking before sending again

    def _reconcile(self, order: Order, remaining: Remaining) -> Order:
        """Ask the carrier for an order that it may have."""
        submission, at = order.submission, self._clock()
        alive = submission.sender_until
        if submission.over_at is None and alive is not None and at < alive:
            raise SendAgainError(order, (alive - at).total_seconds())
        try:
            result = self._carrier(order, remaining).find_by_reference(order)
            result = self._unless_anothers(order, result)
        except AuthenticationError as error:
            return self._leave(order, error, queued=True, change=self._locked_out(order, error))
        except CarrierError as error:
            raise SendAgainError(order, getattr(error, "retry_after", None)) from None
        match result:
            case Confirmed():
                return self._confirm(order, result)
            case Pending():
                raise SendAgainError(order)
            case NotFound():
                return self._not_found(order, remaining)
            case Failed():
                order = self._settle(order, lambda order: self._failing(order, result))
                return self._take_back(order, remaining, queued=True)
            case Mismatch():
                return self._settle(order, lambda order: self._attention(order, _mismatch(result)))

    def _unless_anothers(self, order: Order, result: OrderResult) -> OrderResult:
        """What the carrier says, unless it speaks of an earlier order of ours that is over there."""
        if isinstance(result, Failed) and result.carrier_order_number is not None:
            number = result.carrier_order_number
            owner = self._orders(order).by_carrier_number(order.carrier, order.account, number)
            if owner not in (None, order.id):
                return NotFound()
        return result

    def _failing(self, order: Order, result: Failed) -> Change:
        at = self._clock()
        after = order.changed(
            at=at,
            watch_at=at + self._settings.watch_margin,
            problem=outcomes.failure(result.words),
            carrier_order_number=order.carrier_order_number or result.carrier_order_number,
            submission=msgspec.structs.replace(order.submission, compensating_since=at),
        )
        return Change(after=after, event=_event(at, "carrier.failed", Actor.CARRIER, result.words))

    def _not_found(self, order: Order, remaining: Remaining) -> Order:
        """Believe the carrier only when it has said so twice, long after the sender's death; then send."""
        interval, at = self._settings.not_found_interval, self._clock()
        submission = order.submission
        if order.carrier_order_number is not None or submission.sender_until is None:
            return self._settle(order, lambda order: self._attention(order, _unknown()))
        believed_from = (
            submission.sender_until + interval
            if submission.not_found_at is None
            else submission.not_found_at + interval
        )
        if at < believed_from:
            raise SendAgainError(order, (believed_from - at).total_seconds())
        if submission.not_found_at is None:
            raise SendAgainError(self._remember_not_found(order), interval.total_seconds())
        return self._send(self._forget(order), remaining, queued=True)

    def _remember_not_found(self, order: Order) -> Order:
        def decide(now: Order) -> Change | None:
            if not _same(now, order) or now.submission.not_found_at is not None:
                return None
            at = self._clock()
            submission = msgspec.structs.replace(now.submission, not_found_at=at)
            after = now.changed(at=at, submission=submission)
            return Change(after=after, event=_event(at, "carrier.not_found", Actor.CARRIER))

        return outcomes.apply(self._orders(order), order, decide)

    def _forget(self, order: Order) -> Order:
        """Take the mark away: the carrier has nothing of the create that was lost."""

        def decide(now: Order) -> Change | None:
            if not _same(now, order):
                return None
            at = self._clock()
            after = now.changed(at=at, submission=Submission(lost=True))
            return Change(after=after, event=_event(at, "order.to_be_sent_again", Actor.RETRY))

        return outcomes.apply(self._orders(order), order, decide)

    # Common

    def _orders(self, order: Order) -> Orders:
        return self.table.tenant(order.tenant).orders

    def _carrier(self, order: Order, remaining: Remaining) -> Carrier:
        carrier_for = self._carriers(lambda: remaining() - _SAVE_SECONDS)
        try:
            return carrier_for(order.tenant, order.carrier, order.account)
        except Exception as error:
            # The account's secret is missing, malformed or cannot be read: nothing was asked of anybody.
            log.error("the carrier account cannot be used", extra=anatomy(error))
            raise HeldBackError("the carrier account cannot be used") from None

    def _due(self, order: Order, at: datetime, *, queued: bool) -> datetime:
        """By when somebody must look after an open order again, if nobody lives longer than `at`."""
        if queued:
            return watch.retrying(self._settings, order.created_at, at)
        return watch.accepted(self._settings, at)

    def _attention(self, order: Order, problem: Problem) -> Change:
        return outcomes.needs_attention(order, problem, at=self._clock())

    def _settle(self, order: Order, decide: Callable[[Order], Change | None]) -> Order:
        """Write what `decide` makes of an order that is open."""
        after, _ = outcomes.settle(
            self._orders(order), order, lambda order: decide(order) if order.status in _OPEN else None
        )
        return after

    def _side_by_side[T](self, work: Callable[[T], Order], things: Sequence[T]) -> list[Order]:
        if self._workers == 1 or len(things) < 2:
            return [work(thing) for thing in things]
        with ThreadPoolExecutor(self._workers) as pool:
            return [*pool.map(work, things)]


def _same(order: Order, sent: Order) -> bool:
    """Whether `order` still bears the mark under which `sent` was sent."""
    mine = sent.submission.sender
    return order.status in _OPEN and mine is not None and order.submission.sender == mine


def _classed(error: Exception) -> CarrierError:
    """Only a CarrierError says that nothing came of a call; whatever else it was, something may have."""
    if isinstance(error, CarrierError):
        return error
    log.error("a call to the carrier broke off", extra=anatomy(error))
    return UnknownOutcomeError(type(error).__name__)


def _bare(order: Order) -> Order:
    """The order without numbers that lead nowhere any more."""
    parcels = tuple(
        msgspec.structs.replace(parcel, tracking_number=None, master_tracking_number=None)
        for parcel in order.parcels
    )
    return msgspec.structs.replace(order, parcels=parcels)


def _conflict(number: str) -> Problem:
    return Problem(
        code="carrier_order_conflict",
        detail=f"The carrier answers with its order {number}, which belongs to another order here.",
    )


def _mismatch(result: Mismatch) -> Problem:
    number = f" Its number there is {result.carrier_order_number}." if result.carrier_order_number else ""
    return Problem(
        code="answer_mismatch",
        detail=f"What the carrier has under this reference is not this order: {result.detail}.{number}",
    )


def _unknown(error: CarrierError | None = None) -> Problem:
    return Problem(
        code="outcome_unknown",
        detail="The order was sent and its answer was lost, and what the carrier says since does not settle "
        "whether it has the order. It keeps its reference. Ask us to look it up with the carrier: if it is "
        "there we read it again, and if it is not we close the order.",
        carrier=None if error is None else error.words,
    )


def _locked_out(error: AuthenticationError) -> Problem:
    return Problem(
        code="carrier_unavailable",
        detail="The carrier does not accept the account's credentials. The order waits until it does.",
        carrier=error.words,
    )


def _not_taken_back(order: Order, words: CarrierWords | None) -> Problem:
    return Problem(
        code="refund_failed",
        detail="The carrier could not carry out the order as a whole and keeps what it took of it. "
        "Cancel that with the carrier.",
        errors=order.problem.errors if order.problem else (),
        carrier=words or (order.problem.carrier if order.problem else None),
    )


def _stranded(order: Order) -> Problem:
    """Why nothing more can be done for an open order by itself."""
    if order.submission.compensating_since is not None:
        return _not_taken_back(order, None)
    if order.submission.sending_at is not None:
        return _unknown()
    detail = "The order could not be sent for 12 hours, and the carrier has not got it. Cancel it here."
    return Problem(
        code="deadline_passed", detail=detail, carrier=order.attention.carrier if order.attention else None
    )


def _event(at: datetime, kind: str, actor: Actor, words: CarrierWords | None = None) -> OrderEvent:
    return OrderEvent(at=at, type=kind, actor=actor, carrier=words)


def _name_of(error: BaseException) -> dict[str, str]:
    return {"error": type(error).__name__}


def _whose(order: Order) -> dict[str, str]:
    return {"tenant": order.tenant, "order_id": order.id, "carrier": order.carrier}


@cache
def wired() -> Sender:
    """The sender of this environment, over its own clients."""
    from parcelgate.services.accounts import Carriers
    from parcelgate.services.retries import queues
    from parcelgate.store.clients import client
    from parcelgate.store.table import Table

    settings = Settings()
    table = Table(client("dynamodb"), settings.table)
    return Sender(table=table, carriers=Carriers(table, settings).within, settings=settings, retries=queues)

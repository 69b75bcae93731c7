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
from parcelgate.carriers.port import Cancels, Carrier, CreatesInBatches
from parcelgate.carriers.results import Confirmed, Failed, Mismatch, NotFound, OrderResult, Pending, Submitted
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Order, OrderStatus, Submission
from parcelgate.domain.problems import Problem
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.observability.metrics import count, duration
from parcelgate.services.backoff import backoff
from parcelgate.services.orders import deadlines, sent, transitions
from parcelgate.services.orders.retries import Action, SendAgainError
from parcelgate.services.orders.transitions import Change
from parcelgate.services.settings import Settings
from parcelgate.store.errors import CarrierNumberTakenError, StoreError

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import CarrierFor, Remaining
    from parcelgate.services.orders.retries import RetryQueues
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

type Answer = Submitted | Confirmed | CarrierError
"""What a create can end in."""

type CreateMany = Callable[[Sequence[Order]], Sequence[Answer]]

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
        after: list[Order] = []
        for some in batched(orders, carrier.create_batch, strict=False):
            after += self._send_batch(carrier, carrier.create_many, some, remaining)
        return after

    def retry(self, order: Order, remaining: Remaining) -> Order:
        """Go on with an order of the retry queue: ask the carrier where it may have it, else send it.

        Raises SendAgainError while the order is not settled, and what the store raises.
        """
        if order.status not in sent.OPEN:
            return order
        if order.submission.compensating_since is not None:
            return self._take_back(order, remaining, queued=True)
        if order.submission.sending_at is None:
            return self._send(order, remaining, queued=True)
        return self._reconcile(order, remaining)

    def give_up(self, order: Order) -> Order:
        """The retry queue's time is over: a person must look at the order, if it is still open."""
        return self._settle(
            order, lambda order: transitions.needs_attention(order, sent.stranded(order), at=self._clock())
        )

    # Sending

    def _quietly(self, order: Order, work: Callable[[], Order]) -> Order:
        """What `work` makes of the order; whatever it leaves open goes on by itself."""
        try:
            return work()
        except SendAgainError as error:
            return error.order
        except _AWS_TROUBLE as error:
            # The order bears the time by which the sweep looks after it, and the mark if it was sent.
            log.error("what came of an order could not be stored", extra=safe_error_fields(error))
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
        self, carrier: Carrier, create_many: CreateMany, orders: Sequence[Order], remaining: Remaining
    ) -> list[Order]:
        """Send some orders in one request. Only those that could be marked are sent."""
        sender = new_id("snd")

        def mark(order: Order) -> Order:
            return self._quietly(order, lambda: self._mark(order, sender, remaining, queued=False))

        def store(answered: tuple[Order, Answer]) -> Order:
            order, answer = answered
            return self._quietly(order, lambda: self._store(order, answer, remaining, queued=False))

        marked = self._side_by_side(mark, orders)
        mine = [order for order in marked if order.submission.sender == sender]
        answers = self._create_many(carrier, create_many, mine, remaining) if mine else []
        stored = self._side_by_side(store, [*zip(mine, answers, strict=True)])
        after = {order.id: order for order in (*marked, *stored)}
        return [after[order.id] for order in orders]

    def _mark(self, order: Order, sender: str, remaining: Remaining, *, queued: bool) -> Order:
        """Claim the sending of the order for `sender`: from here on nobody else sends it."""

        def decide(order: Order) -> Change | None:
            if order.status not in sent.OPEN or order.submission.sending_at is not None:
                return None
            at = self._clock()
            until = at + timedelta(seconds=max(remaining(), 0.0)) + _AFTERLIFE
            due = self._due(order, until, queued=queued)
            return sent.marked(order, sender, at=at, until=until, watch_at=due)

        return transitions.apply(self._orders(order), order, decide)

    def _create(self, carrier: Carrier, order: Order, remaining: Remaining) -> Answer:
        """Send a marked order; whatever comes of it, as a value."""
        if remaining() < SEND_SECONDS:
            return HeldBackError("no time left to send it")
        try:
            return carrier.create(order)
        except Exception as error:
            return _classed(error)

    def _create_many(
        self, carrier: Carrier, create_many: CreateMany, orders: Sequence[Order], remaining: Remaining
    ) -> Sequence[Answer]:
        """Send marked orders together; by themselves when the carrier refuses them all in one word."""
        if remaining() < SEND_SECONDS:
            return [HeldBackError("no time left to send it")] * len(orders)
        try:
            answers = create_many(orders)
            if len(answers) != len(orders):
                raise UnknownOutcomeError(f"{len(answers)} answers for {len(orders)} orders")
        except RefusedError as error:
            log.info("a batch was refused as a whole", extra={"orders": len(orders), **_name_of(error)})
            return [self._create(carrier, order, remaining) for order in orders]
        except Exception as error:
            return [_classed(error)] * len(orders)
        return answers

    # What an answer makes of the order

    def _store(self, order: Order, answer: Answer, remaining: Remaining, *, queued: bool) -> Order:
        """Store what came of a create."""
        match answer:
            case Confirmed():
                return self._confirm(order, answer)
            case PartlyRefusedError():
                order = self._change_mine(order, lambda order: self._partly_refused(order, answer))
                return self._take_back(order, remaining, queued=queued)
            case RefusedError():
                return self._change_mine(order, lambda order: sent.refused(order, answer, at=self._clock()))
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
            due = deadlines.label(self._settings, at)
            return transitions.confirmed(order, result, at=at, watch_at=due, new_id=new_id)

        try:
            after, confirmed = transitions.settle(self._orders(order), order, decide)
        except CarrierNumberTakenError:
            return self._give_attention(order, sent.conflict(result.carrier_order_number))
        if confirmed:
            taken = (after.updated_at - after.created_at).total_seconds()
            duration("TimeToConfirm", taken, carrier=after.carrier)
        return after

    def _take_back(self, order: Order, remaining: Remaining, *, queued: bool) -> Order:
        """Cancel what the carrier took of an order that it cannot carry out, and only then call it failed."""
        if order.status not in sent.OPEN or order.submission.compensating_since is None:
            return order
        try:
            carrier = self._carrier(order, remaining)
            if not isinstance(carrier, Cancels):
                raise RefusedError("the carrier takes nothing back")
            cancellation = carrier.cancel(order, at=self._clock())
        except RefusedError as error:
            return self._give_attention(order, sent.not_taken_back(order, error))
        except Exception as error:
            return self._leave(order, _classed(error), queued=queued)
        return self._settle(order, lambda order: sent.taken_back(order, cancellation, at=self._clock()))

    def _partly_refused(self, order: Order, error: PartlyRefusedError) -> Change:
        at = self._clock()
        return sent.partly_refused(order, error, at=at, watch_at=deadlines.accepted(self._settings, at))

    def _not_taken(self, mine: Order, error: CarrierError) -> Callable[[Order], Facts]:
        """The carrier certainly has nothing: the order may be sent again."""
        said = self._locked_out(mine, error) if isinstance(error, AuthenticationError) else lambda _: {}

        def facts(order: Order) -> Facts:
            if not sent.bears_the_mark_of(order, mine):
                return {}
            return {"submission": Submission(lost=order.submission.lost), **said(order)}

        return facts

    def _locked_out(self, order: Order, error: AuthenticationError) -> Callable[[Order], Facts]:
        """Until the account is put right the order waits and says so; the router alarms somebody of that."""
        log.warning("the carrier does not accept the account's credentials", extra=_whose(order))
        count("CarrierAuthenticationFailed", carrier=order.carrier)
        problem = sent.locked_out(error)
        return lambda _: {"attention": problem}

    def _over(self, mine: Order, answer: Answer) -> Callable[[Order], Facts]:
        """Nobody knows what came of it; but its sender does no more, so that the carrier can be asked."""
        number = answer.carrier_order_number if isinstance(answer, Submitted) else None

        def facts(order: Order) -> Facts:
            if not sent.bears_the_mark_of(order, mine) or order.submission.over_at is not None:
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
            if order.status not in sent.OPEN or (queued and not facts):
                return None
            at = self._clock()
            due = self._due(order, at, queued=waiting)
            return Change(after=order.changed(at=at, watch_at=due, **facts))

        order = transitions.apply(self._orders(order), order, decide)
        if order.status not in sent.OPEN:
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
                return self._give_attention(order, sent.mismatch(result))

    def _unless_anothers(self, order: Order, result: OrderResult) -> OrderResult:
        """What the carrier says, unless it speaks of an earlier order of ours that is over there."""
        if isinstance(result, Failed) and result.carrier_order_number is not None:
            number = result.carrier_order_number
            owner = self._orders(order).by_carrier_number(order.carrier, order.account, number)
            if owner not in (None, order.id):
                return NotFound()
        return result

    def _not_found(self, order: Order, remaining: Remaining) -> Order:
        """Believe the carrier only when it has said so twice, long after the sender's death; then send."""
        interval, at = self._settings.not_found_interval, self._clock()
        submission = order.submission
        if order.carrier_order_number is not None or submission.sender_until is None:
            return self._give_attention(order, sent.unknown())
        believed_from = (
            submission.sender_until + interval
            if submission.not_found_at is None
            else submission.not_found_at + interval
        )
        if at < believed_from:
            raise SendAgainError(order, (believed_from - at).total_seconds())
        if submission.not_found_at is None:
            order = self._change_mine(order, lambda order: sent.not_found(order, at=at))
            raise SendAgainError(order, interval.total_seconds())
        order = self._change_mine(order, lambda order: sent.unmarked(order, at=at))
        return self._send(order, remaining, queued=True)

    def _failing(self, order: Order, result: Failed) -> Change:
        at = self._clock()
        return sent.failing(order, result, at=at, watch_at=deadlines.accepted(self._settings, at))

    # Common

    def _orders(self, order: Order) -> Orders:
        return self.table.tenant(order.tenant).orders

    def _carrier(self, order: Order, remaining: Remaining) -> Carrier:
        carrier_for = self._carriers(lambda: remaining() - _SAVE_SECONDS)
        try:
            return carrier_for(order.tenant, order.carrier, order.account)
        except Exception as error:
            # The account's secret is missing, malformed or cannot be read: nothing was asked of anybody.
            log.error("the carrier account cannot be used", extra=safe_error_fields(error))
            raise HeldBackError("the carrier account cannot be used") from None

    def _due(self, order: Order, at: datetime, *, queued: bool) -> datetime:
        """By when somebody must look after an open order again, if nobody lives longer than `at`."""
        if queued:
            return deadlines.retrying(self._settings, order.created_at, at)
        return deadlines.accepted(self._settings, at)

    def _settle(self, order: Order, decide: Callable[[Order], Change | None]) -> Order:
        """Write what `decide` makes of an order that is open."""
        after, _ = transitions.settle(
            self._orders(order), order, lambda now: decide(now) if now.status in sent.OPEN else None
        )
        return after

    def _change_mine(self, mine: Order, decide: Callable[[Order], Change]) -> Order:
        """Write what `decide` makes of the order while it bears the mark that `mine` bears."""

        def still(order: Order) -> Change | None:
            return decide(order) if sent.bears_the_mark_of(order, mine) else None

        after, _ = transitions.settle(self._orders(mine), mine, still)
        return after

    def _give_attention(self, order: Order, problem: Problem) -> Order:
        return self._settle(
            order, lambda order: transitions.needs_attention(order, problem, at=self._clock())
        )

    def _side_by_side[T](self, work: Callable[[T], Order], things: Sequence[T]) -> list[Order]:
        if self._workers == 1 or len(things) < 2:
            return [work(thing) for thing in things]
        with ThreadPoolExecutor(self._workers) as pool:
            return [*pool.map(work, things)]


def _classed(error: Exception) -> CarrierError:
    """Only a CarrierError says that nothing came of a call; whatever else it was, something may have."""
    if isinstance(error, CarrierError):
        return error
    log.error("a call to the carrier broke off", extra=safe_error_fields(error))
    return UnknownOutcomeError(type(error).__name__)


def _name_of(error: BaseException) -> dict[str, str]:
    return {"error": type(error).__name__}


def _whose(order: Order) -> dict[str, str]:
    return {"tenant": order.tenant, "order_id": order.id, "carrier": order.carrier}

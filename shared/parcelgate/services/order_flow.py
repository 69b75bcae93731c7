"""The order flow: what the state machine's functions do with an order of a carrier that confirms later.

`OrderFlow` has one method for each state. An order's stored facts decide what a state does, never the way
by which the machine came there: every state may run twice, late, or after its function died at any line.

=============  ==========================================================================================
submit         price, mark, send once; wakes the machine only when the answer to the create is no promise
check          asks the carrier until it has decided; every "not yet" is an exception that is retried
fetch_label    asks for the labels until they are there
compensate     has the money returned; the order is `failed` only when the carrier has accepted that
escalate       tells a person, for whatever the states above could not settle
=============  ==========================================================================================

The order of writes and calls in `submit` is what keeps an order from being bought twice: the mark is
stored before the create is sent, and while it stands nobody sends again. It is taken away only when the
carrier certainly has nothing.
"""

from __future__ import annotations

import itertools
import random
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.port import (
    Cancels,
    Carrier,
    Confirmed,
    ConfirmsLater,
    Failed,
    LabelPendingError,
    Mismatch,
    NotFound,
    OrderResult,
    Pending,
    ProvidesLabels,
    QuotesRates,
    Rate,
    Submitted,
)
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Actor, LabelStatus, Order, OrderEvent, OrderStatus, Submission
from parcelgate.domain.problems import CarrierWords, Problem
from parcelgate.observability.logs import anatomy, log
from parcelgate.observability.metrics import count, duration
from parcelgate.services import outcomes, watch
from parcelgate.services.backoff import backoff
from parcelgate.services.labels import LabelStore
from parcelgate.services.outcomes import Change
from parcelgate.services.settings import Settings
from parcelgate.store.errors import CarrierNumberTakenError, StoreError
from parcelgate.store.webhook_tokens import hash_of

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from parcelgate.services.accounts import CarrierFor, Remaining
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

COMMIT_SECONDS = 30.0
"""What sending a create may take, its answer read and stored; it is not begun with less time left."""

_SPARE_SECONDS = 5.0
_SAVE_SECONDS = 3.0
"""What is kept back of an invocation's time to store what the carrier said."""
_AFTER_CREATE = 4
"""Which step of the back-off follows a create that the carrier has not taken."""

_OPEN = (OrderStatus.ACCEPTED, OrderStatus.PROCESSING)
_AWS_TROUBLE = (StoreError, BotoCoreError, ClientError)
_GONE = frozenset({"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"})


class OrderPending(Exception):  # noqa: N818 - the state machine's own name for it
    """The carrier has not decided yet, or cannot be asked: the state is to be tried again."""


class LabelPending(Exception):  # noqa: N818
    """There is no usable label yet: the state is to be tried again."""


class RefundPending(Exception):  # noqa: N818
    """The carrier has not accepted the refund yet: the state is to be tried again."""


class OrderFailed(Exception):  # noqa: N818
    """The carrier has taken the order and could not do it: the money is to be returned."""


class NotSubmitted(Exception):  # noqa: N818
    """The carrier certainly has nothing: the order may be sent."""


class DeadlinePassed(Exception):  # noqa: N818
    """The workflow's time is over and the order is not settled."""


EXPECTED = (OrderPending, LabelPending, RefundPending, OrderFailed, NotSubmitted, DeadlinePassed)
"""What the states raise as part of their work."""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine gives each of its functions: ids and times only."""

    tenant: str
    order_id: str
    started_at: datetime
    task_token: str | None = None

    @classmethod
    def of(cls, event: Any) -> Visit:
        """The visit that a task's payload describes."""
        return msgspec.convert(event, cls)


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution of the order flow begins with."""

    tenant: str
    order_id: str


def execution_input(detail: Mapping[str, Any]) -> Names:
    """Whose execution a status change is about. Raises KeyError or DecodeError when it does not say."""
    return msgspec.json.decode(detail["input"], type=Names)


class _Ending(msgspec.Struct, frozen=True):
    """How a submission that no callback will follow ends: an error name of the state machine."""

    error: str
    cause: str


_REFUSED = _Ending("OrderRefused", "the order is not to be sent")
_NOT_SENT = _Ending("NotSubmitted", "nothing was sent")
_UNKNOWN = _Ending("OutcomeUnknown", "the carrier is to be asked")


class OrderFlow:
    """The states' work.

    Parameters
    ----------
    table
        The store.
    carriers
        Finds the carrier of an order; `Carriers.within`.
    settings
        Deadlines and intervals.
    stepfunctions
        What wakes the machine; only `submit` needs it.
    labels
        Where labels are kept; only `fetch_label` needs it.
    clock, sleep, roll
        Time and chance, for tests.
    """

    def __init__(
        self,
        *,
        table: Table,
        carriers: Callable[[Remaining | None], CarrierFor],
        settings: Settings,
        stepfunctions: Callable[[], SFNClient],
        labels: Callable[[], LabelStore],
        clock: Clock = now,
        sleep: Callable[[float], None] = time.sleep,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self.table = table
        self._carriers = carriers
        self._settings = settings
        self._stepfunctions = stepfunctions
        self._labels = labels
        self._clock = clock
        self._sleep = sleep
        self._roll = roll

    # SubmitOrder

    def submit(self, visit: Visit, remaining: Remaining) -> None:
        """Send the order to the carrier, once, and leave the machine waiting for the callback.

        `remaining` is what is left of the invocation, in seconds. Whatever does not end in a promise of
        the carrier to call back wakes the machine at once: `OrderRefused` when the order is over,
        `NotSubmitted` when nothing was sent, `OutcomeUnknown` when the carrier must be asked.
        """
        try:
            ending = self._submit(visit, remaining)
        except Exception as error:
            # The mark tells CheckOrder whether anything may have been sent.
            log.error("the submission broke off", extra=anatomy(error))
            count("SubmissionBroken")
            ending = _Ending("SubmissionBroken", type(error).__name__)
        if ending is None:
            return
        log.info("submission ended", extra={"ending": ending.error})
        try:
            self._stepfunctions().send_task_failure(
                taskToken=visit.task_token or "", error=ending.error, cause=ending.cause
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise

    def _submit(self, visit: Visit, remaining: Remaining) -> _Ending | None:
        orders = self._orders(visit)
        order = orders.get(visit.order_id)
        ending = self._not_to_be_sent(order, visit)
        if ending is not None:
            return ending
        try:
            carrier, rate = self._price(order, remaining)
        except RefusedError as error:
            return self._refuse(orders, order, _refusal(error), None)
        except CarrierError as error:
            log.info("nothing sent", extra=_name_of(error))
            return _NOT_SENT
        over = _above_max(order, rate)
        if over is not None:
            return self._refuse(orders, order, over, None)

        token = secrets.token_urlsafe(32)
        marked = self._mark(orders, order, visit, hash_of(token), remaining)
        if isinstance(marked, _Ending):
            return marked
        url = f"{self._settings.webhook_base_url}/webhooks/{order.carrier}/{order.account}/{token}"
        if remaining() < COMMIT_SECONDS:
            self._unmark(orders, marked)
            return _NOT_SENT
        try:
            answer = carrier.create(marked, callback_url=url)
        except RefusedError as error:
            return self._refuse(orders, marked, _refusal(error), marked.submission.callback_hash)
        except (TransientError, AuthenticationError) as error:
            log.info("the carrier has not taken the order", extra=_name_of(error))
            self._unmark(orders, marked)
            # The machine comes back at once, so the pause is made here.
            step = self._step(_AFTER_CREATE, getattr(error, "retry_after", None))
            self._sleep(max(0.0, min(step, remaining() - _SPARE_SECONDS)))
            return _NOT_SENT
        except Exception as error:
            # Only a CarrierError says that nothing came of it; whatever else it was, it may have.
            expected = isinstance(error, UnknownOutcomeError)
            (log.info if expected else log.error)("outcome unknown", extra=_name_of(error))
            self._sender_is_over(orders, marked)
            return _UNKNOWN
        return self._answered(orders, marked, answer)

    def _not_to_be_sent(self, order: Order, visit: Visit) -> _Ending | None:
        if order.status is OrderStatus.CONFIRMED:
            return _UNKNOWN
        if order.status not in _OPEN:
            return _REFUSED
        if order.submission.sending_at is not None:
            return _UNKNOWN
        return _NOT_SENT if self._late(visit) else None

    def _price(self, order: Order, remaining: Remaining) -> tuple[Carrier, Rate | None]:
        """The carrier and its fee preview, tried again while there is time to send the order afterwards."""
        for attempt in itertools.count(1):
            try:
                carrier = self._carrier(order, remaining)
                return carrier, _preview(carrier, order)
            except (TransientError, UnknownOutcomeError, AuthenticationError) as error:
                # A preview buys nothing, so it may be repeated whatever became of it.
                if not self._pause(attempt, remaining, getattr(error, "retry_after", None)):
                    raise
        raise AssertionError("unreachable")

    def _pause(self, attempt: int, remaining: Remaining, wanted: float | None) -> bool:
        """Wait before another attempt; False when no time to send the order would be left after it."""
        seconds = self._step(attempt, wanted)
        if remaining() - seconds < COMMIT_SECONDS:
            return False
        self._sleep(seconds)
        return True

    def _step(self, attempt: int, wanted: float | None) -> float:
        settings = self._settings
        step = backoff(attempt, first=settings.retry_first, cap=settings.retry_cap, roll=self._roll())
        return max(step.total_seconds(), wanted or 0.0)

    def _mark(
        self,
        orders: Orders,
        order: Order,
        visit: Visit,
        callback_hash: str,
        remaining: Remaining,
    ) -> Order | _Ending:
        """Claim the sending of the order: from here on nobody else sends it."""
        if remaining() < COMMIT_SECONDS:
            return _NOT_SENT

        def decide(order: Order) -> Change | None:
            if self._not_to_be_sent(order, visit) is not None:
                return None
            at = self._clock()
            submission = Submission(
                sending_at=at,
                sender_until=at + timedelta(seconds=remaining()),
                task_token=visit.task_token,
                callback_hash=callback_hash,
            )
            due = watch.processing(self._settings, visit.started_at)
            if order.status is OrderStatus.ACCEPTED:
                after = order.move(OrderStatus.PROCESSING, at=at, watch_at=due, submission=submission)
                event = outcomes.moved(order, after, "order.processing")
            else:
                after = order.changed(at=at, watch_at=due, submission=submission)
                event = _event(at, "order.sent_again")
            return Change(after=after, event=event, hook=callback_hash)

        marked = outcomes.apply(orders, order, decide)
        if marked.submission.callback_hash == callback_hash:
            return marked
        return self._not_to_be_sent(marked, visit) or _UNKNOWN

    def _unmark(self, orders: Orders, order: Order) -> None:
        """The carrier certainly has nothing: the order may be sent again."""
        mine = order.submission.callback_hash

        def decide(order: Order) -> Change | None:
            if order.status is not OrderStatus.PROCESSING or order.submission.callback_hash != mine:
                return None
            return Change(after=order.changed(at=self._clock(), submission=Submission()))

        outcomes.apply(orders, order, decide)

    def _sender_is_over(self, orders: Orders, order: Order) -> None:
        """Let CheckOrder ask at once, instead of when this function can no longer be alive."""

        def decide(order: Order) -> Change | None:
            if order.status is not OrderStatus.PROCESSING or order.carrier_order_number:
                return None
            at = self._clock()
            submission = msgspec.structs.replace(order.submission, over_at=at)
            return Change(after=order.changed(at=at, submission=submission))

        outcomes.apply(orders, order, decide)

    def _refuse(self, orders: Orders, order: Order, problem: Problem, callback_hash: str | None) -> _Ending:
        """Nothing was bought and nothing will be: the order is over in this same write."""

        def decide(order: Order) -> Change | None:
            if order.status not in _OPEN or order.submission.callback_hash != callback_hash:
                return None
            return outcomes.failed(order, problem, at=self._clock())

        after = outcomes.apply(orders, order, decide)
        if after.status is not OrderStatus.FAILED:
            return _UNKNOWN
        _counted(after)
        return _REFUSED

    def _answered(self, orders: Orders, order: Order, answer: Submitted | Confirmed) -> _Ending | None:
        """Store the carrier's number; from then on CheckOrder asks by it."""
        if isinstance(answer, Confirmed):
            self._settle(orders, order, answer)
            return _UNKNOWN

        def decide(order: Order) -> Change | None:
            at = self._clock()
            submission = msgspec.structs.replace(order.submission, answered=True)
            if order.carrier_order_number not in (None, answer.carrier_order_number):
                return self._attention(order, _conflict(answer.carrier_order_number))
            after = order.changed(
                at=at,
                submission=submission,
                carrier_order_number=answer.carrier_order_number,
                parcels=outcomes.numbered(order, answer.parcels),
            )
            return Change(after=after, event=_event(at, "carrier.accepted", Actor.CARRIER))

        try:
            outcomes.apply(orders, order, decide)
        except CarrierNumberTakenError:
            self._raise_attention(orders, order, _conflict(answer.carrier_order_number))
            return _UNKNOWN
        return None

    # CheckOrder

    def check(self, visit: Visit, remaining: Remaining) -> None:
        """Ask the carrier how the order stands, and settle it.

        Returns when nothing is left to be asked. Raises OrderPending (ask again), OrderFailed (the
        money is to be returned), NotSubmitted (to be sent) and DeadlinePassed.
        """
        try:
            self._check(visit, remaining)
        except OrderPending:
            if self._late(visit):
                raise DeadlinePassed(visit.order_id) from None
            raise
        except _AWS_TROUBLE as error:
            log.warning("the check broke off", extra=_name_of(error))
            raise (DeadlinePassed if self._late(visit) else OrderPending)(visit.order_id) from None

    def _check(self, visit: Visit, remaining: Remaining) -> None:
        orders = self._orders(visit)
        order = orders.get(visit.order_id)
        if order.status not in _OPEN:
            return
        submission = order.submission
        if submission.compensating_since is not None:
            raise OrderFailed(order.id)
        if submission.sending_at is None:
            if self._late(visit):
                raise DeadlinePassed(order.id)
            raise NotSubmitted(order.id)
        if order.carrier_order_number is None and not self._sender_is_done(order):
            raise OrderPending("the sender may still be at work")
        try:
            carrier = self._carrier(order, remaining)
            result = _ask(carrier, order)
        except CarrierError as error:
            log.info("cannot be asked", extra=_name_of(error))
            raise OrderPending("the carrier cannot be asked") from None
        may_resend = isinstance(carrier, ConfirmsLater) and carrier.may_resend
        self._settle(orders, order, result, may_resend=may_resend)

    def _sender_is_done(self, order: Order) -> bool:
        submission = order.submission
        if submission.over_at is not None:
            return True
        return submission.sender_until is not None and self._clock() >= submission.sender_until

    def _settle(self, orders: Orders, order: Order, result: OrderResult, *, may_resend: bool = False) -> None:
        """Make of the order what the carrier's answer says."""
        try:
            match result:
                case Confirmed():
                    self._confirm(orders, order, result)
                case Pending():
                    self._adopt(orders, order, result.carrier_order_number)
                    raise OrderPending(result.reason)
                case Failed():
                    self._fail(orders, order, result)
                    raise OrderFailed(order.id)
                case NotFound():
                    self._not_found(orders, order, may_resend=may_resend)
                case Mismatch():
                    self._mismatch(orders, order, result)
        except CarrierNumberTakenError:
            number = None if isinstance(result, NotFound) else result.carrier_order_number
            self._raise_attention(orders, order, _conflict(number))

    def _confirm(self, orders: Orders, order: Order, result: Confirmed) -> None:
        def decide(order: Order) -> Change | None:
            if order.status is not OrderStatus.PROCESSING:
                return None
            at = self._clock()
            due = watch.label(self._settings, at)
            return outcomes.confirmed(order, result, at=at, watch_at=due, new_id=new_id)

        after = outcomes.apply(orders, order, decide)
        _counted(after)
        duration(
            "TimeToConfirm", (after.updated_at - after.created_at).total_seconds(), carrier=after.carrier
        )

    def _adopt(self, orders: Orders, order: Order, number: str | None) -> None:
        """The carrier has the order after all, under `number`."""

        def decide(order: Order) -> Change | None:
            known = order.carrier_order_number is not None
            if number is None or known or order.status is not OrderStatus.PROCESSING:
                return None
            at = self._clock()
            after = order.changed(at=at, carrier_order_number=number)
            return Change(after=after, event=_event(at, "carrier.found", Actor.CARRIER))

        outcomes.apply(orders, order, decide)

    def _fail(self, orders: Orders, order: Order, result: Failed) -> None:
        """Start the refund's own clock. The order is `failed` only when the refund was accepted."""

        def decide(order: Order) -> Change | None:
            submission = order.submission
            if order.status is not OrderStatus.PROCESSING or submission.compensating_since is not None:
                return None
            at = self._clock()
            after = order.changed(
                at=at,
                problem=outcomes.failure(result.words),
                carrier_order_number=order.carrier_order_number or result.carrier_order_number,
                submission=msgspec.structs.replace(submission, compensating_since=at),
                watch_at=watch.refund(self._settings, at),
            )
            return Change(after=after, event=_event(at, "carrier.failed", Actor.CARRIER, words=result.words))

        after = outcomes.apply(orders, order, decide)
        if after.submission.compensating_since is None:
            raise OrderPending("the order has moved on")
        count("RefundsOutstanding", carrier=after.carrier)

    def _not_found(self, orders: Orders, order: Order, *, may_resend: bool) -> None:
        """Believe the carrier only when it has said so twice, long after the sender's death."""
        interval = self._settings.not_found_interval
        submission = order.submission
        at = self._clock()
        if submission.sender_until is None or at < submission.sender_until + interval:
            raise OrderPending("too early to believe that there is no such order")
        if submission.not_found_at is None:
            self._remember_not_found(orders, order)
            raise OrderPending("not found once")
        if at < submission.not_found_at + interval:
            raise OrderPending("not found, to be asked once more")
        if may_resend and self._may_forget(order):
            self._forget(orders, order)
            raise NotSubmitted(order.id)
        self._raise_attention(orders, order, _outcome_unknown())

    @staticmethod
    def _may_forget(order: Order) -> bool:
        """Whether nothing but the lost create ever hinted that the carrier has the order."""
        submission = order.submission
        return (
            order.carrier_order_number is None and not submission.answered and submission.callback_at is None
        )

    def _remember_not_found(self, orders: Orders, order: Order) -> None:
        def decide(order: Order) -> Change | None:
            if order.status is not OrderStatus.PROCESSING or order.submission.not_found_at is not None:
                return None
            at = self._clock()
            submission = msgspec.structs.replace(order.submission, not_found_at=at)
            return Change(
                after=order.changed(at=at, submission=submission),
                event=_event(at, "carrier.not_found", Actor.CARRIER),
            )

        outcomes.apply(orders, order, decide)

    def _forget(self, orders: Orders, order: Order) -> None:
        mine = order.submission.callback_hash

        def decide(order: Order) -> Change | None:
            processing = order.status is OrderStatus.PROCESSING
            if not processing or order.submission.callback_hash != mine or not self._may_forget(order):
                return None
            at = self._clock()
            return Change(
                after=order.changed(at=at, submission=Submission()),
                event=_event(at, "order.to_be_sent_again"),
            )

        after = outcomes.apply(orders, order, decide)
        if after.submission.sending_at is not None:
            raise OrderPending("a callback came in between")

    def _mismatch(self, orders: Orders, order: Order, result: Mismatch) -> None:
        problem = Problem(
            code="answer_mismatch",
            detail=f"The carrier's answer does not fit the order: {result.detail}.",
        )

        def decide(order: Order) -> Change | None:
            if order.carrier_order_number is None and result.carrier_order_number is not None:
                order = msgspec.structs.replace(order, carrier_order_number=result.carrier_order_number)
            return self._attention(order, problem)

        _counted(outcomes.apply(orders, order, decide))

    # FetchLabel

    def fetch_label(self, visit: Visit, remaining: Remaining) -> None:
        """Fetch, check and store the labels. Raises LabelPending; at the deadline gives up quietly."""
        try:
            self._fetch_label(visit, remaining)
        except _AWS_TROUBLE as error:
            log.warning("the label broke off", extra=_name_of(error))
            raise LabelPending(visit.order_id) from None

    def _fetch_label(self, visit: Visit, remaining: Remaining) -> None:
        orders = self._orders(visit)
        order = orders.get(visit.order_id)
        if not _wants_label(order):
            return
        try:
            carrier = self._carrier(order, remaining)
            if not isinstance(carrier, ProvidesLabels):
                raise LabelPendingError("the carrier gives no labels")
            label = self._labels().keep(order, carrier.label(order))
        except (LabelPendingError, CarrierError) as error:
            log.info("no label yet", extra=_name_of(error))
            if not self._late(visit):
                raise LabelPending(order.id) from None
            self._give_label_up(orders, order)
            return

        def decide(order: Order) -> Change | None:
            if order.status is not OrderStatus.CONFIRMED or order.label.status is LabelStatus.READY:
                return None
            return outcomes.label_ready(order, label, at=self._clock())

        after = outcomes.apply(orders, order, decide)
        duration("TimeToLabel", (after.updated_at - after.created_at).total_seconds(), carrier=after.carrier)

    def _give_label_up(self, orders: Orders, order: Order) -> None:
        def decide(order: Order) -> Change | None:
            if not _wants_label(order):
                return None
            return outcomes.label_unavailable(order, at=self._clock())

        outcomes.apply(orders, order, decide)
        count("LabelsUnavailable", carrier=order.carrier)

    # Compensate

    def compensate(self, visit: Visit, remaining: Remaining) -> None:
        """Have the money of a failed order returned, and only then call the order failed.

        Raises RefundPending until the carrier accepts; after the refund's own deadline a person is
        told. An order whose failure the carrier itself has not told us is asked about first.
        """
        try:
            self._compensate(visit, remaining)
        except _AWS_TROUBLE as error:
            log.warning("the refund broke off", extra=_name_of(error))
            raise RefundPending(visit.order_id) from None

    def _compensate(self, visit: Visit, remaining: Remaining) -> None:
        orders = self._orders(visit)
        order = orders.get(visit.order_id)
        if order.status not in _OPEN:
            return
        if order.submission.sending_at is None:
            problem = order.problem or Problem(
                code="refused_by_carrier", detail="The order was refused before anything was bought."
            )
            self._close(orders, order, lambda order: outcomes.failed(order, problem, at=self._clock()))
            return
        if order.submission.compensating_since is None:
            order = self._seen_failing(orders, order, remaining)
        since = order.submission.compensating_since
        if since is None:
            return
        if order.carrier_order_number is None:
            # There is nothing to name to the carrier, now or later.
            self._raise_attention(orders, order, _refund_failed(order, None))
            return
        try:
            carrier = self._carrier(order, remaining)
            if not isinstance(carrier, Cancels):
                raise RefusedError("the carrier takes nothing back")
            cancellation = carrier.cancel(order, at=self._clock())
        except CarrierError as error:
            log.info("refund not accepted", extra=_name_of(error))
            if self._clock() < since + self._settings.refund_deadline:
                raise RefundPending(order.id) from None
            self._raise_attention(orders, order, _refund_failed(order, error.words))
            return
        problem = order.problem or outcomes.failure(None)
        refund = outcomes.refund_of(cancellation, at=self._clock())
        self._close(
            orders, order, lambda order: outcomes.failed(order, problem, at=self._clock(), refund=refund)
        )

    def _seen_failing(self, orders: Orders, order: Order, remaining: Remaining) -> Order:
        """Ask the carrier before anything is refunded: a live order is never refunded."""
        try:
            result = _ask(self._carrier(order, remaining), order)
        except CarrierError:
            raise RefundPending(order.id) from None
        if isinstance(result, Failed):
            self._fail(orders, order, result)
        else:
            self._raise_attention(orders, order, _outcome_unknown())
        return orders.get(order.id)

    def _close(self, orders: Orders, order: Order, end: Callable[[Order], Change]) -> None:
        _counted(outcomes.apply(orders, order, lambda order: end(order) if order.status in _OPEN else None))

    # NeedsAttention, and the backstop

    def escalate(self, visit: Visit) -> None:
        """Tell a person about an order that its workflow could not settle."""
        reason = "deadline_passed" if self._late(visit) else "workflow_ended"
        self.give_up(visit.tenant, visit.order_id, reason)

    def give_up(self, tenant: str, order_id: str, reason: str) -> Order:
        """Whatever the order still waits for will not come by itself: say so where the client can see.

        An order on its way to the carrier becomes `needs_attention`; one that is confirmed keeps its
        status and loses the hope for a label. `reason` is a problem code; a refund that was under way
        speaks for itself. Anything else is left as it is.
        """
        orders = self.table.tenant(tenant).orders

        def decide(order: Order) -> Change | None:
            if _wants_label(order):
                return outcomes.label_unavailable(order, at=self._clock())
            if order.status not in _OPEN:
                return None
            if order.submission.compensating_since is not None:
                return self._attention(order, _refund_failed(order, None))
            return self._attention(order, _stranded(order, reason))

        after = outcomes.apply(orders, orders.get(order_id), decide)
        _counted(after)
        return after

    # Common

    def _orders(self, visit: Visit) -> Orders:
        return self.table.tenant(visit.tenant).orders

    def _carrier(self, order: Order, remaining: Remaining) -> Carrier:
        carrier_for = self._carriers(lambda: remaining() - _SAVE_SECONDS)
        try:
            return carrier_for(order.tenant, order.carrier, order.account)
        except Exception as error:
            # The account's secret is missing, malformed or cannot be read: nothing was asked of anybody.
            log.error("the carrier account cannot be used", extra=anatomy(error))
            raise TransientError("the carrier account cannot be used") from None

    def _late(self, visit: Visit) -> bool:
        return self._clock() >= visit.started_at + self._settings.order_deadline

    def _attention(self, order: Order, problem: Problem) -> Change | None:
        if order.status not in _OPEN:
            return None
        return outcomes.needs_attention(order, problem, at=self._clock())

    def _raise_attention(self, orders: Orders, order: Order, problem: Problem) -> None:
        _counted(outcomes.apply(orders, order, lambda order: self._attention(order, problem)))


def _ask(carrier: Carrier, order: Order) -> OrderResult:
    if order.carrier_order_number is not None and isinstance(carrier, ConfirmsLater):
        return carrier.order_result(order)
    return carrier.find_by_reference(order)


def _preview(carrier: Carrier, order: Order) -> Rate | None:
    if not isinstance(carrier, QuotesRates):
        return None
    for rate in carrier.rates(order):
        if order.service in (None, rate.service):
            return rate
    raise TransientError("the preview has no price for the order's service")


def _wants_label(order: Order) -> bool:
    return order.status is OrderStatus.CONFIRMED and order.label.status is LabelStatus.PENDING


def _above_max(order: Order, rate: Rate | None) -> Problem | None:
    most = order.options.max_price
    if most is None:
        return None
    if rate is None:
        detail = "The carrier names no price beforehand, so options.max_price cannot be held to."
    elif rate.price.currency != most.currency:
        detail = f"The price is in {rate.price.currency}, options.max_price in {most.currency}."
    elif rate.price.amount > most.amount:
        detail = (
            f"The price would be {rate.price.amount} {rate.price.currency}, "
            f"more than {most.amount} {most.currency}. Nothing was bought."
        )
    else:
        return None
    return Problem(code="price_above_max", detail=detail)


def _refusal(error: RefusedError) -> Problem:
    return Problem(
        code="refused_by_carrier",
        detail="The carrier refused the order. Nothing was bought.",
        errors=error.errors,
        carrier=error.words,
    )


def _conflict(number: str | None) -> Problem:
    return Problem(
        code="carrier_order_conflict",
        detail=f"The carrier answers with its order {number}, which belongs to another order here.",
    )


def _outcome_unknown() -> Problem:
    return Problem(
        code="outcome_unknown",
        detail="The order was sent and its answer was lost; the carrier says it has no such order. "
        "It was not sent again. Look it up with the carrier, then cancel it here or wait for its answer.",
    )


def _refund_failed(order: Order, words: CarrierWords | None) -> Problem:
    return Problem(
        code="refund_failed",
        detail="The carrier could not carry out the order and has not accepted the refund. "
        "Claim the money back from the carrier.",
        carrier=words or (order.problem.carrier if order.problem else None),
    )


def _stranded(order: Order, reason: str) -> Problem:
    if order.submission.sending_at is None:
        detail = "Nothing was sent to the carrier. Cancel the order and create it again."
    elif order.carrier_order_number is None:
        detail = "The order was sent, and whether the carrier has it could not be found out."
    else:
        detail = "The carrier has taken the order and not said what became of it."
    return Problem(code=reason, detail=detail)


def _event(
    at: datetime, kind: str, actor: Actor = Actor.WORKFLOW, words: CarrierWords | None = None
) -> OrderEvent:
    return OrderEvent(at=at, type=kind, actor=actor, carrier=words)


def _counted(order: Order) -> None:
    if order.status in _OPEN:
        return
    code = order.problem.code if order.problem else "none"
    count("OrderOutcomes", carrier=order.carrier, status=order.status, problem=code)


def _name_of(error: BaseException) -> dict[str, str]:
    return {"error": type(error).__name__}


@cache
def wired() -> OrderFlow:
    """The flow of this environment, over its own clients."""
    from parcelgate.services.accounts import Carriers
    from parcelgate.store.clients import client
    from parcelgate.store.table import Table

    settings = Settings()
    table = Table(client("dynamodb"), settings.table)
    return OrderFlow(
        table=table,
        carriers=Carriers(table, settings).within,
        settings=settings,
        stepfunctions=lambda: client("stepfunctions"),
        labels=lambda: LabelStore(client("s3"), settings.label_bucket),
    )

"""State SubmitOrder: the order is priced, marked and sent to its carrier, once.

The order of writes and calls is what keeps an order from being bought twice: the mark is stored before
the create is sent, and while it stands nobody sends again. It is taken away only when the carrier
certainly has nothing.
"""

from __future__ import annotations

import itertools
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.port import Carrier, QuotesRates
from parcelgate.carriers.results import Confirmed, Rate, Submitted
from parcelgate.domain.orders import Actor, Order, OrderStatus, Submission
from parcelgate.domain.problems import Problem
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services.backoff import backoff
from parcelgate.services.order_flow import problems
from parcelgate.services.order_flow.check import CheckOrder
from parcelgate.services.order_flow.states import OPEN, Parts, State, Visit, event, name_of
from parcelgate.services.orders import deadlines, transitions
from parcelgate.services.orders.transitions import Change
from parcelgate.store.credentials.webhook_tokens import hash_of
from parcelgate.store.errors import CarrierNumberTakenError

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Remaining
    from parcelgate.store.orders import Orders

COMMIT_SECONDS = 30.0
"""What sending a create may take, its answer read and stored; it is not begun with less time left."""

_SPARE_SECONDS = 5.0
_AFTER_CREATE = 4
"""Which step of the back-off follows a create that the carrier has not taken."""

_GONE = frozenset({"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"})


class _Ending(msgspec.Struct, frozen=True):
    """How a submission that no callback will follow ends: an error name of the state machine."""

    error: str
    cause: str


_REFUSED = _Ending("OrderRefused", "the order is not to be sent")
_NOT_SENT = _Ending("NotSubmitted", "nothing was sent")
_UNKNOWN = _Ending("OutcomeUnknown", "the carrier is to be asked")


class SubmitOrder(State):
    """Sends orders."""

    def __init__(self, parts: Parts, check: CheckOrder) -> None:
        super().__init__(parts)
        self._check = check

    def run(self, visit: Visit, remaining: Remaining) -> None:
        """Send the order to the carrier, once, and leave the machine waiting for the callback.

        `remaining` is what is left of the invocation, in seconds. Whatever does not end in a promise of
        the carrier to call back wakes the machine at once: `OrderRefused` when the order is over,
        `NotSubmitted` when nothing was sent, `OutcomeUnknown` when the carrier must be asked.
        """
        try:
            ending = self._submit(visit, remaining)
        except Exception as error:
            # The mark tells CheckOrder whether anything may have been sent.
            log.error("the submission broke off", extra=safe_error_fields(error))
            count("SubmissionBroken")
            ending = _Ending("SubmissionBroken", type(error).__name__)
        if ending is None:
            return
        log.info("submission ended", extra={"ending": ending.error})
        try:
            self.parts.stepfunctions().send_task_failure(
                taskToken=visit.task_token or "", error=ending.error, cause=ending.cause
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise

    def _submit(self, visit: Visit, remaining: Remaining) -> _Ending | None:
        orders = self.orders(visit)
        order = orders.get(visit.order_id)
        ending = self._not_to_be_sent(order, visit)
        if ending is not None:
            return ending
        try:
            carrier, rate = self._price(order, remaining)
        except RefusedError as error:
            return self._refuse(orders, order, problems.refusal(error), None)
        except CarrierError as error:
            log.info("nothing sent", extra=name_of(error))
            return _NOT_SENT
        over = problems.above_max(order, rate)
        if over is not None:
            return self._refuse(orders, order, over, None)

        token = secrets.token_urlsafe(32)
        marked = self._mark(orders, order, visit, hash_of(token), remaining)
        if isinstance(marked, _Ending):
            return marked
        url = f"{self.parts.settings.webhook_base_url}/webhooks/{order.carrier}/{order.account}/{token}"
        if remaining() < COMMIT_SECONDS:
            self._unmark(orders, marked)
            return _NOT_SENT
        try:
            answer = carrier.create(marked, callback_url=url)
        except RefusedError as error:
            return self._refuse(orders, marked, problems.refusal(error), marked.submission.callback_hash)
        except (TransientError, AuthenticationError) as error:
            log.info("the carrier has not taken the order", extra=name_of(error))
            self._unmark(orders, marked)
            # The machine comes back at once, so the pause is made here.
            step = self._step(_AFTER_CREATE, getattr(error, "retry_after", None))
            self.parts.sleep(max(0.0, min(step, remaining() - _SPARE_SECONDS)))
            return _NOT_SENT
        except Exception as error:
            # Only a CarrierError says that nothing came of it; whatever else it was, it may have.
            expected = isinstance(error, UnknownOutcomeError)
            (log.info if expected else log.error)("outcome unknown", extra=name_of(error))
            self._sender_is_over(orders, marked)
            return _UNKNOWN
        return self._answered(orders, marked, answer)

    def _not_to_be_sent(self, order: Order, visit: Visit) -> _Ending | None:
        if order.status is OrderStatus.CONFIRMED:
            return _UNKNOWN
        if order.status not in OPEN:
            return _REFUSED
        if order.submission.sending_at is not None:
            return _UNKNOWN
        return _NOT_SENT if self.late(visit) else None

    def _price(self, order: Order, remaining: Remaining) -> tuple[Carrier, Rate | None]:
        """The carrier and its fee preview, tried again while there is time to send the order afterwards."""
        for attempt in itertools.count(1):
            try:
                carrier = self.carrier(order, remaining)
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
        self.parts.sleep(seconds)
        return True

    def _step(self, attempt: int, wanted: float | None) -> float:
        settings = self.parts.settings
        step = backoff(attempt, first=settings.retry_first, cap=settings.retry_cap, roll=self.parts.roll())
        return max(step.total_seconds(), wanted or 0.0)

    def _mark(
        self, orders: Orders, order: Order, visit: Visit, callback_hash: str, remaining: Remaining
    ) -> Order | _Ending:
        """Claim the sending of the order: from here on nobody else sends it."""
        if remaining() < COMMIT_SECONDS:
            return _NOT_SENT

        def decide(order: Order) -> Change | None:
            if self._not_to_be_sent(order, visit) is not None:
                return None
            at = self.parts.clock()
            submission = Submission(
                sending_at=at,
                sender_until=at + timedelta(seconds=remaining()),
                task_token=visit.task_token,
                callback_hash=callback_hash,
            )
            due = deadlines.processing(self.parts.settings, visit.started_at)
            if order.status is OrderStatus.ACCEPTED:
                after = order.move(OrderStatus.PROCESSING, at=at, watch_at=due, submission=submission)
                line = transitions.moved(order, after, "order.processing")
            else:
                after = order.changed(at=at, watch_at=due, submission=submission)
                line = event(at, "order.sent_again")
            return Change(after=after, event=line, hook=callback_hash)

        marked = transitions.apply(orders, order, decide)
        if marked.submission.callback_hash == callback_hash:
            return marked
        return self._not_to_be_sent(marked, visit) or _UNKNOWN

    def _unmark(self, orders: Orders, order: Order) -> None:
        """The carrier certainly has nothing: the order may be sent again."""
        mine = order.submission.callback_hash

        def decide(order: Order) -> Change | None:
            if order.status is not OrderStatus.PROCESSING or order.submission.callback_hash != mine:
                return None
            return Change(after=order.changed(at=self.parts.clock(), submission=Submission()))

        transitions.apply(orders, order, decide)

    def _sender_is_over(self, orders: Orders, order: Order) -> None:
        """Let CheckOrder ask at once, instead of when this function can no longer be alive."""

        def decide(order: Order) -> Change | None:
            if order.status is not OrderStatus.PROCESSING or order.carrier_order_number:
                return None
            at = self.parts.clock()
            submission = msgspec.structs.replace(order.submission, over_at=at)
            return Change(after=order.changed(at=at, submission=submission))

        transitions.apply(orders, order, decide)

    def _refuse(self, orders: Orders, order: Order, problem: Problem, callback_hash: str | None) -> _Ending:
        """Nothing was bought and nothing will be: the order is over in this same write."""

        def decide(order: Order) -> Change | None:
            if order.status not in OPEN or order.submission.callback_hash != callback_hash:
                return None
            return transitions.failed(order, problem, at=self.parts.clock())

        after, _ = transitions.settle(orders, order, decide)
        return _REFUSED if after.status is OrderStatus.FAILED else _UNKNOWN

    def _answered(self, orders: Orders, order: Order, answer: Submitted | Confirmed) -> _Ending | None:
        """Store the carrier's number; from then on CheckOrder asks by it."""
        if isinstance(answer, Confirmed):
            self._check.settle(orders, order, answer)
            return _UNKNOWN

        def decide(order: Order) -> Change | None:
            at = self.parts.clock()
            submission = msgspec.structs.replace(order.submission, answered=True)
            if order.carrier_order_number not in (None, answer.carrier_order_number):
                return self.attention(order, problems.conflict(answer.carrier_order_number))
            after = order.changed(
                at=at,
                submission=submission,
                carrier_order_number=answer.carrier_order_number,
                parcels=transitions.numbered(order, answer.parcels),
            )
            return Change(after=after, event=event(at, "carrier.accepted", Actor.CARRIER))

        try:
            transitions.apply(orders, order, decide)
        except CarrierNumberTakenError:
            self.raise_attention(orders, order, problems.conflict(answer.carrier_order_number))
            return _UNKNOWN
        return None


def _preview(carrier: Carrier, order: Order) -> Rate | None:
    if not isinstance(carrier, QuotesRates):
        return None
    for rate in carrier.rates(order):
        if order.service in (None, rate.service):
            return rate
    raise TransientError("the preview has no price for the order's service")

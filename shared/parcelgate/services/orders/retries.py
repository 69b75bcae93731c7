"""The retry queues, one per carrier: what could not be done at once and is tried again for 12 hours.

A message says whose order it is, what is to be done and when that was first tried. The back-off is the
message's own visibility. When its time is over the message goes to the dead-letter queue, by the
handler's own hand, and a person is told.

========  ================================================================================================
create    an order that could not be sent, or may have been: see `submission`
cancel    an order that its client takes back: the carrier is asked again until it agrees or refuses
reread    the carrier called back after the workflow had gone on, or a person wants to know: what it says
          now is what counts; an order that is confirmed, by now or long since, gets its label here
========  ================================================================================================
"""

import math
import random
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers.errors import CarrierError, LabelPendingError, RefusedError, TransientError
from parcelgate.carriers.port import Cancels
from parcelgate.carriers.results import Cancellation
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Actor, Order, OrderStatus
from parcelgate.observability.logs import bind_log_keys, log, own_log_keys, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services.backoff import backoff
from parcelgate.services.orders import deadlines, problems, transitions
from parcelgate.services.orders.retry_queues import Action, RetryMessage
from parcelgate.services.orders.submission import FetchesLabels, NotSettledError, OrderSubmitter
from parcelgate.services.orders.transitions import Change
from parcelgate.services.settings import Settings
from parcelgate.store.errors import OrderNotFoundError, StoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

LONGEST_STEP = timedelta(hours=11)
"""SQS lets a message be invisible for twelve hours at most."""
_PATIENT_AFTER = 400
_PATIENT_STEP = timedelta(minutes=2)
"""SQS itself gives a message up after 1000 receives: this keeps 12 hours of attempts below that."""


class ReceivedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as SQS delivers it. `queue` is the name of the queue it came from."""

    queue: str
    body: str
    receipt_handle: str
    receive_count: int


class NotYetError(Exception):
    """The message is to come again; its visibility says when."""


class _AgainError(Exception):
    """An action did not succeed. `after` is how many seconds the carrier wants to be left alone."""

    def __init__(self, after: float | None = None) -> None:
        super().__init__("to be tried again")
        self.after = after


class Retrier:
    """Works the messages of the retry queues off.

    Parameters
    ----------
    table, settings
        As for the order flow.
    fetcher
        Fetches labels.
    sqs
        For the visibility of messages, and for the dead-letter queues.
    submitter
        Submits orders, or goes on with what may have been sent.
    deadline
        The end of the invocation.
    """

    def __init__(
        self,
        *,
        table: "Table",
        settings: Settings,
        fetcher: FetchesLabels,
        sqs: "SQSClient",
        submitter: OrderSubmitter,
        deadline: Deadline,
        clock: Clock = now,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._table = table
        self._settings = settings
        self._fetcher = fetcher
        self._sqs = sqs
        self._submitter = submitter
        self._deadline = deadline
        self._clock = clock
        self._roll = roll

    @own_log_keys()
    def work(self, received: ReceivedMessage) -> None:
        """Try what the message asks for. Raises NotYetError when it is to come again, at its own time."""
        try:
            message = msgspec.json.decode(received.body, type=RetryMessage)
        except msgspec.DecodeError as error:
            self._set_aside(self._carrier_of(received.queue), received.body, type(error).__name__)
            return
        bind_log_keys(
            order_id=message.order_id,
            tenant=message.tenant,
            carrier=message.carrier,
            correlation_id=message.correlation_id,
        )
        try:
            self._try(message)
        except OrderNotFoundError:
            self._set_aside(message.carrier, received.body, "no such order")
        except Exception as error:
            if not isinstance(error, _AgainError):
                log.error("retry broke off", extra=safe_error_fields(error))
            if self._clock() >= message.first_attempt_at + deadlines.RETRY_LIFE:
                self._give_up(message, received.body)
                return
            self._come_again(message, received, getattr(error, "after", None))

    def _try(self, message: RetryMessage) -> None:
        orders = self._table.tenant(message.tenant).orders
        order = orders.get(message.order_id)
        bind_log_keys(**order.log_keys)
        action = {
            Action.CREATE: self._create,
            Action.CANCEL: self._cancel,
            Action.REREAD: self._reread,
        }[message.action]
        try:
            action(orders, order)
        except (CarrierError, LabelPendingError) as error:
            log.info("to be tried again", extra={"action": message.action, "error": type(error).__name__})
            raise _AgainError(getattr(error, "retry_after", None)) from None
        except NotSettledError as error:
            raise _AgainError(error.after) from None
        except (StoreError, BotoCoreError, ClientError) as error:
            log.warning("to be tried again", extra={"action": message.action, "error": type(error).__name__})
            raise _AgainError from None

    # The actions

    def _create(self, _: "Orders", order: Order) -> None:
        self._submitter.resume(order, self._deadline)

    def _cancel(self, orders: "Orders", order: Order) -> None:
        if order.status is not OrderStatus.CANCELLING:
            return
        carrier = self._submitter.carrier(order, self._deadline)
        if not isinstance(carrier, Cancels):
            raise TransientError("the carrier takes nothing back")
        try:
            answer: Cancellation | RefusedError = carrier.cancel(order, at=self._clock())
        except RefusedError as error:
            answer = error

        def decide(order: Order) -> Change | None:
            return transitions.cancellation_answered(
                order, answer, at=self._clock(), settings=self._settings, actor=Actor.RETRY
            )

        if transitions.apply(orders, order, decide).status is OrderStatus.CANCELLED:
            count("OrdersCancelled", carrier=order.carrier)

    def _reread(self, _: "Orders", order: Order) -> None:
        """What the carrier says now. While the workflow runs it asks by itself.

        A confirmed order has nothing left but its label, also when this very message confirmed it before.
        """
        order = self._submitter.reread(order, self._deadline)
        if transitions.wants_label(order):
            self._fetcher.fetch(order.tenant, order.id, self._deadline)

    def _come_again(self, message: RetryMessage, received: ReceivedMessage, wanted: float | None) -> None:
        settings = self._settings
        step = backoff(
            received.receive_count, first=settings.retry_first, cap=settings.retry_cap, roll=self._roll()
        )
        if received.receive_count > _PATIENT_AFTER:
            step = max(step, _PATIENT_STEP)
        step = min(max(step, timedelta(seconds=wanted or 0)), LONGEST_STEP)
        self._sqs.change_message_visibility(
            QueueUrl=settings.retry_queue_urls[message.carrier],
            ReceiptHandle=received.receipt_handle,
            VisibilityTimeout=math.ceil(step.total_seconds()),
        )
        raise NotYetError(message.order_id)

    def _give_up(self, message: RetryMessage, body: str) -> None:
        # The dead letter first: dying in between repeats it, the other way round would lose it.
        self._set_aside(message.carrier, body, "tried for 12 hours")
        orders = self._table.tenant(message.tenant).orders
        order = orders.get(message.order_id)
        if message.action is Action.CREATE or transitions.wants_label(order):
            self._submitter.give_up(order, "deadline_passed")
        elif message.action is Action.CANCEL:
            transitions.apply(orders, order, self._cancellation_given_up)

    def _cancellation_given_up(self, order: Order) -> Change | None:
        if order.status is not OrderStatus.CANCELLING:
            return None
        problem = problems.not_cancelled()
        return transitions.needs_attention(order, problem, at=self._clock(), actor=Actor.RETRY)

    def _set_aside(self, carrier: str | None, body: str, reason: str) -> None:
        log.warning("retry set aside", extra={"carrier": carrier, "reason": reason})
        count("RetriesGivenUp", carrier=carrier or "unknown")
        urls = self._settings.retry_dead_letter_urls
        self._sqs.send_message(
            QueueUrl=urls[carrier] if carrier in urls else next(iter(urls.values())),
            MessageBody=body,
            MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
        )

    def _carrier_of(self, queue: str) -> str | None:
        urls = self._settings.retry_queue_urls
        return next((carrier for carrier, url in urls.items() if url.endswith(f"/{queue}")), None)

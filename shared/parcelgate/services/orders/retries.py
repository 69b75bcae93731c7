"""The retry queues, one per carrier: what could not be done at once and is tried again for 12 hours.

A message says whose order it is, what is to be done and when that was first tried. The back-off is the
message's own visibility. When its time is over the message goes to the dead-letter queue, by the
handler's own hand, and a person is told.

========  ================================================================================================
create    an order that could not be sent, or may have been: asked about first, then sent; see `sending`
cancel    an order that its client takes back: the carrier is asked again until it agrees or refuses
reread    the carrier called back after the workflow had gone on, or a person wants to know: what it says
          now is what counts; an order that is confirmed, by now or long since, gets its label here
========  ================================================================================================
"""

import math
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers.errors import CarrierError, LabelPendingError, RefusedError, TransientError
from parcelgate.carriers.port import Cancels, Carrier
from parcelgate.carriers.results import Confirmed, Failed, NotFound, OrderResult, Pending
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Actor, LabelStatus, Order, OrderStatus
from parcelgate.domain.problems import Problem
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services.backoff import backoff
from parcelgate.services.labels.fetch import LabelFetcher
from parcelgate.services.orders import deadlines, transitions
from parcelgate.services.orders.asking import ask
from parcelgate.services.orders.transitions import Change
from parcelgate.services.settings import Settings
from parcelgate.store.errors import CarrierNumberTakenError, OrderNotFoundError, StoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.services.accounts.carriers import CarrierFor, Remaining
    from parcelgate.services.labels.documents import LabelStore
    from parcelgate.services.orders.submission import Sender
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

LONGEST_STEP = timedelta(hours=11)
"""SQS lets a message be invisible for twelve hours at most."""
_PATIENT_AFTER = 400
_PATIENT_STEP = timedelta(minutes=2)
"""SQS itself gives a message up after 1000 receives: this keeps 12 hours of attempts below that."""


class Action(StrEnum):
    """What is to be tried again."""

    CREATE = "create"
    CANCEL = "cancel"
    REREAD = "reread"


class RetryMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be tried again: ids and times, nothing else."""

    tenant: str
    order_id: str
    carrier: str
    action: Action
    first_attempt_at: datetime


class RetryQueues:
    """Puts messages into the carriers' retry queues."""

    def __init__(self, sqs: "SQSClient", settings: Settings) -> None:
        self._sqs = sqs
        self._settings = settings

    def enqueue(self, order: Order, action: Action, *, at: datetime, delay: float = 0) -> None:
        """Have `action` tried for `order` from `at` on, the first time after `delay` seconds (<= 900)."""
        message = RetryMessage(
            tenant=order.tenant,
            order_id=order.id,
            carrier=order.carrier,
            action=action,
            first_attempt_at=at,
        )
        self._sqs.send_message(
            QueueUrl=self._settings.retry_queue_urls[order.carrier],
            MessageBody=msgspec.json.encode(message).decode(),
            DelaySeconds=min(round(delay), 900),
        )


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message as SQS delivers it. `queue` is the name of the queue it came from."""

    queue: str
    body: str
    receipt_handle: str
    receive_count: int


class SendAgainError(Exception):
    """The order, as it now stands, is not settled: to be gone on with in `after` seconds or later."""

    def __init__(self, order: Order, after: float | None = None) -> None:
        super().__init__("to be sent, or asked about, again")
        self.order = order
        self.after = after


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
    table, carrier_for, settings
        As for the order flow.
    labels
        Where labels are kept.
    sqs
        For the visibility of messages, and for the dead-letter queues.
    sender
        Sends orders, or goes on with what may have been sent.
    remaining
        What is left of the invocation, in seconds.
    """

    def __init__(
        self,
        *,
        table: "Table",
        carrier_for: "CarrierFor",
        settings: Settings,
        labels: "Callable[[], LabelStore]",
        sqs: "SQSClient",
        sender: "Sender",
        remaining: "Remaining",
        clock: Clock = now,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._table = table
        self._carrier_for = carrier_for
        self._settings = settings
        self._fetcher = LabelFetcher(table=table, carriers=lambda _: carrier_for, labels=labels, clock=clock)
        self._sqs = sqs
        self._sender = sender
        self._remaining = remaining
        self._clock = clock
        self._roll = roll

    def work(self, delivery: Delivery) -> None:
        """Try what the message asks for. Raises NotYetError when it is to come again, at its own time."""
        try:
            message = msgspec.json.decode(delivery.body, type=RetryMessage)
        except msgspec.DecodeError as error:
            self._set_aside(self._carrier_of(delivery.queue), delivery.body, type(error).__name__)
            return
        try:
            self._try(message)
        except OrderNotFoundError:
            self._set_aside(message.carrier, delivery.body, "no such order")
        except Exception as error:
            if not isinstance(error, _AgainError):
                log.error("retry broke off", extra=safe_error_fields(error))
            if self._clock() >= message.first_attempt_at + deadlines.RETRY_LIFE:
                self._give_up(message, delivery.body)
                return
            self._come_again(message, delivery, getattr(error, "after", None))

    def _try(self, message: RetryMessage) -> None:
        orders = self._table.tenant(message.tenant).orders
        order = orders.get(message.order_id)
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
        except SendAgainError as error:
            raise _AgainError(error.after) from None
        except (StoreError, BotoCoreError, ClientError) as error:
            log.warning("to be tried again", extra={"action": message.action, "error": type(error).__name__})
            raise _AgainError from None

    # The actions

    def _create(self, _: "Orders", order: Order) -> None:
        self._sender.retry(order, self._remaining)

    def _cancel(self, orders: "Orders", order: Order) -> None:
        if order.status is not OrderStatus.CANCELLING:
            return
        carrier = self._carrier(order)
        if not isinstance(carrier, Cancels):
            raise TransientError("the carrier takes nothing back")
        try:
            cancellation = carrier.cancel(order, at=self._clock())
        except RefusedError as error:
            refused = error
        else:
            refund = transitions.refund_of(cancellation, at=self._clock())
            self._change(
                orders,
                order,
                lambda order: transitions.cancelled(order, refund, at=self._clock(), actor=Actor.RETRY),
                OrderStatus.CANCELLING,
            )
            count("OrdersCancelled", carrier=order.carrier)
            return
        self._change(
            orders,
            order,
            lambda order: transitions.cancel_refused(
                order, refused, at=self._clock(), settings=self._settings, actor=Actor.CARRIER
            ),
            OrderStatus.CANCELLING,
        )

    def _reread(self, orders: "Orders", order: Order) -> None:
        """What the carrier says now. While the workflow runs it asks by itself."""
        if order.status is OrderStatus.CONFIRMED:
            # The label is all that is left, also of this very message when it came before.
            self._label(order)
            return
        if order.status not in (OrderStatus.FAILED, OrderStatus.NEEDS_ATTENTION):
            return
        result = ask(self._carrier(order), order)
        if self._belongs_to_another(orders, order, result):
            return
        match result:
            case Pending() | NotFound():
                # Somebody was called because of it; what it will say in the end is still to come.
                raise _AgainError
            case Confirmed() if order.status is OrderStatus.FAILED:
                self._late_success(orders, order)
            case Confirmed():
                self._confirm_late(orders, order, result)
            case Failed() if order.status is OrderStatus.NEEDS_ATTENTION:
                self._refund_late(orders, order, result)

    def _label(self, order: Order) -> None:
        self._fetcher.fetch(order.tenant, order.id, self._remaining)

    def _late_success(self, orders: "Orders", order: Order) -> None:
        """A failed order never comes back; but somebody must know that the carrier thinks otherwise."""
        if order.attention is not None and order.attention.code == "late_success":
            return
        problem = Problem(
            code="late_success",
            detail="The carrier now reports success for this order, which has failed here. "
            "Void it with the carrier.",
        )
        self._change(
            orders,
            order,
            lambda order: transitions.attention(order, problem, at=self._clock(), actor=Actor.CARRIER),
            OrderStatus.FAILED,
        )

    def _confirm_late(self, orders: "Orders", order: Order, result: Confirmed) -> None:
        at = self._clock()
        due = at + deadlines.RETRY_LIFE + self._settings.watch_margin

        def decide(order: Order) -> Change | None:
            if order.status is not OrderStatus.NEEDS_ATTENTION:
                return None
            return transitions.confirmed(
                order, result, at=at, watch_at=due, new_id=new_id, actor=Actor.CARRIER
            )

        try:
            after = transitions.apply(orders, order, decide)
        except CarrierNumberTakenError:
            return
        self._label(after)

    def _refund_late(self, orders: "Orders", order: Order, result: Failed) -> None:
        """Whatever the order needed attention for, its failure is known now and its money is returned."""

        def named(order: Order) -> Order:
            number = order.carrier_order_number or result.carrier_order_number
            return msgspec.structs.replace(order, carrier_order_number=number)

        carrier = self._carrier(order)
        if not isinstance(carrier, Cancels):
            return
        refund = transitions.refund_of(carrier.cancel(named(order), at=self._clock()), at=self._clock())
        problem = transitions.failure(result.words)
        self._change(
            orders,
            order,
            lambda order: transitions.failed(named(order), problem, at=self._clock(), refund=refund),
            OrderStatus.NEEDS_ATTENTION,
        )

    # Common

    def _change(
        self, orders: "Orders", order: Order, make: Callable[[Order], Change], status: OrderStatus
    ) -> None:
        transitions.apply(orders, order, lambda order: make(order) if order.status is status else None)

    def _carrier(self, order: Order) -> Carrier:
        return self._carrier_for(order.tenant, order.carrier, order.account)

    def _belongs_to_another(self, orders: "Orders", order: Order, result: OrderResult) -> bool:
        number = getattr(result, "carrier_order_number", None)
        if number is None or number == order.carrier_order_number:
            return False
        owner = orders.by_carrier_number(order.carrier, order.account, number)
        return owner not in (None, order.id)

    def _come_again(self, message: RetryMessage, delivery: Delivery, wanted: float | None) -> None:
        settings = self._settings
        step = backoff(
            delivery.receive_count, first=settings.retry_first, cap=settings.retry_cap, roll=self._roll()
        )
        if delivery.receive_count > _PATIENT_AFTER:
            step = max(step, _PATIENT_STEP)
        step = min(max(step, timedelta(seconds=wanted or 0)), LONGEST_STEP)
        self._sqs.change_message_visibility(
            QueueUrl=settings.retry_queue_urls[message.carrier],
            ReceiptHandle=delivery.receipt_handle,
            VisibilityTimeout=math.ceil(step.total_seconds()),
        )
        raise NotYetError(message.order_id)

    def _give_up(self, message: RetryMessage, body: str) -> None:
        # The dead letter first: dying in between repeats it, the other way round would lose it.
        self._set_aside(message.carrier, body, "tried for 12 hours")
        orders = self._table.tenant(message.tenant).orders

        if message.action is Action.CREATE:
            self._sender.give_up(orders.get(message.order_id))
            return

        def decide(order: Order) -> Change | None:
            if message.action is Action.CANCEL and order.status is OrderStatus.CANCELLING:
                problem = Problem(
                    code="refund_failed",
                    detail="The carrier could not be brought to cancel the order in 12 hours.",
                )
                return transitions.needs_attention(order, problem, at=self._clock(), actor=Actor.RETRY)
            pending = order.label.status is LabelStatus.PENDING
            if order.status is OrderStatus.CONFIRMED and pending:
                return transitions.label_unavailable(order, at=self._clock())
            return None

        transitions.apply(orders, orders.get(message.order_id), decide)

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

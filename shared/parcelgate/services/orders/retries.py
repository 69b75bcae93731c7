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

import random
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.errors import CarrierError, LabelPendingError
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Actor, Order, OrderStatus
from parcelgate.observability.logs import bind_log_keys, log, own_log_keys, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services.orders import problems, transitions
from parcelgate.services.orders.cancel import ask_to_cancel
from parcelgate.services.orders.retry_queues import Action, RetryMessage
from parcelgate.services.orders.submission import (
    AWS_TROUBLE,
    FetchesLabels,
    NotSettledError,
    OrderSubmitter,
    name_of,
)
from parcelgate.services.orders.transitions import RETRY_LIFE, Change
from parcelgate.services.redelivery import ReceivedMessage, come_again, pause_after
from parcelgate.services.settings import Settings
from parcelgate.store.errors import OrderNotFoundError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table


class _AgainError(Exception):
    """An action did not succeed, and is to be tried again after `pause`."""

    def __init__(self, pause: timedelta) -> None:
        super().__init__("to be tried again")
        self.pause = pause


class Retrier(msgspec.Struct, frozen=True, kw_only=True):
    """Works the messages of the retry queues off, in one invocation, which ends by `deadline`."""

    table: "Table"
    settings: Settings
    fetcher: FetchesLabels
    sqs: "SQSClient"
    """For the visibility of messages, and for the dead-letter queues."""
    submitter: OrderSubmitter
    deadline: Deadline
    clock: Clock = now
    roll: Callable[[], float] = random.random

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
            self._try(message, received.receive_count)
        except OrderNotFoundError:
            self._set_aside(message.carrier, received.body, "no such order")
        except Exception as error:
            if isinstance(error, _AgainError):
                pause = error.pause
            else:
                log.error("the retry failed unexpectedly; it is tried again", extra=safe_error_fields(error))
                pause = pause_after(received.receive_count, self.settings, roll=self.roll())
            age = self.clock() - message.first_attempt_at
            if age >= RETRY_LIFE:
                self._give_up(message, received.body)
                return
            url = self.settings.retry_queue_urls[message.carrier]
            come_again(self.sqs, url, received, pause, age=age)

    def _try(self, message: RetryMessage, attempt: int) -> None:
        orders, order = transitions.read(self.table, message.tenant, message.order_id)
        action = {Action.CREATE: self._create, Action.CANCEL: self._cancel, Action.REREAD: self._reread}
        try:
            action[message.action](orders, order)
        except NotSettledError as error:
            pause = error.pause or pause_after(attempt, self.settings, roll=self.roll())
            raise _AgainError(pause) from None
        except (CarrierError, LabelPendingError, *AWS_TROUBLE) as error:
            write = log.warning if isinstance(error, AWS_TROUBLE) else log.info
            write(
                "the retry did not succeed; it is tried again",
                extra={"action": message.action, **name_of(error)},
            )
            at_least = getattr(error, "retry_after", None)
            pause = pause_after(attempt, self.settings, roll=self.roll(), at_least=at_least)
            transitions.explain_wait(orders, order.id, error, at=self.clock(), pause=pause, actor=Actor.RETRY)
            raise _AgainError(pause) from None

    # The actions

    def _create(self, _: "Orders", order: Order) -> None:
        self.submitter.resume(order, self.deadline)

    def _cancel(self, orders: "Orders", order: Order) -> None:
        if order.status is OrderStatus.CANCELLING:
            carrier = self.submitter.carrier(order, self.deadline)
            ask_to_cancel(carrier, orders, order, settings=self.settings, clock=self.clock, actor=Actor.RETRY)

    def _reread(self, _: "Orders", order: Order) -> None:
        """What the carrier says now. While the workflow runs it asks by itself.

        A confirmed order has nothing left but its label, also when this very message confirmed it before.
        """
        order = self.submitter.reread(order, self.deadline)
        if transitions.wants_label(order):
            self.fetcher.fetch(order.tenant, order.id, self.deadline)

    def _give_up(self, message: RetryMessage, body: str) -> None:
        # The dead letter first: dying in between repeats it, the other way round would lose it.
        self._set_aside(message.carrier, body, "tried for 12 hours")
        orders, order = transitions.read(self.table, message.tenant, message.order_id)
        if message.action is Action.CREATE or transitions.wants_label(order):
            self.submitter.give_up(order, "deadline_passed")
        elif message.action is Action.CANCEL:
            transitions.apply(orders, order, self._cancellation_given_up)

    def _cancellation_given_up(self, order: Order) -> Change | None:
        if order.status is not OrderStatus.CANCELLING:
            return None
        problem = problems.not_cancelled()
        return transitions.needs_attention(order, problem, at=self.clock(), actor=Actor.RETRY)

    def _set_aside(self, carrier: str | None, body: str, reason: str) -> None:
        log.warning(
            "the retry is given up; its message becomes a dead letter",
            extra={"carrier": carrier, "reason": reason},
        )
        count("RetriesGivenUp", carrier=carrier or "unknown")
        urls = self.settings.retry_dead_letter_urls
        self.sqs.send_message(
            QueueUrl=urls[carrier] if carrier in urls else next(iter(urls.values())),
            MessageBody=body,
            MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
        )

    def _carrier_of(self, queue: str) -> str | None:
        urls = self.settings.retry_queue_urls
        return next((carrier for carrier, url in urls.items() if url.endswith(f"/{queue}")), None)

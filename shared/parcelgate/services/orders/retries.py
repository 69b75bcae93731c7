"""The retry queues, one per carrier. What could not be done at once is tried again for 12 hours.

A message names the order, the action and the time of the first attempt. The visibility timeout of the
message is the back-off. After 12 hours the handler moves the message to the dead-letter queue and tells a
person. While a person has paused the account, a message is replaced by a new one at each look: so no pause,
however long, uses up the 12 hours or the times that SQS delivers a message.

========  ================================================================================================
create    The order could not be sent, or it is unknown whether it was. See `submission`. If it was given up
          after 12 hours and an operator brings the message back, the carrier is asked as for `reread`
cancel    The client cancels the order. The carrier is asked until it agrees or refuses
reread    The carrier called back after the workflow had gone on, or an operator asks. The carrier's present
          answer counts. A confirmed order that has no label gets it here
========  ================================================================================================
"""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.errors import CarrierError, LabelPendingError, PausedError
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Actor, Order, OrderStatus
from parcelgate.observability.logs import bind_log_keys, log, own_log_keys, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services.accounts.places import AccountPlaces, NoPlaceError
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
from parcelgate.services.redelivery import (
    ReceivedMessage,
    come_again,
    message_group,
    pause_after,
    send_anew,
)
from parcelgate.services.settings import Settings
from parcelgate.store.errors import OrderNotFoundError
from parcelgate.store.limits import LOOK_AGAIN

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table


class _AgainError(Exception):
    """An action did not succeed, and is to be tried again after `pause`."""

    def __init__(self, pause: timedelta) -> None:
        super().__init__("to be tried again")
        self.pause = pause


class _HeldError(Exception):
    """The account of an action's order is paused."""

    def __init__(self, order: Order) -> None:
        super().__init__("the account is paused")
        self.order = order


class Retrier(msgspec.Struct, frozen=True, kw_only=True):
    """Processes the messages of the retry queues in one invocation, which ends by `deadline`."""

    table: "Table"
    settings: Settings
    fetcher: FetchesLabels
    sqs: "SQSClient"
    """For the visibility of messages, and for the dead-letter queues."""
    submitter: OrderSubmitter
    places: AccountPlaces
    deadline: Deadline
    clock: Clock = now
    roll: Callable[[], float] = random.random

    @own_log_keys()
    def work(self, received: ReceivedMessage) -> None:
        """Try the action of a message. Raises NotYetError when the message must come again later."""
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
        attempt = message.attempts + received.receive_count
        try:
            self._try(message, attempt)
        except OrderNotFoundError:
            self._set_aside(message.carrier, received.body, "no such order")
        except _HeldError as held:
            self.submitter.retries().enqueue(
                held.order, message.action, at=self.clock(), delay=LOOK_AGAIN.total_seconds()
            )
        except NoPlaceError:
            self._hold_back(message, received)
        except Exception as error:
            if isinstance(error, _AgainError):
                pause = error.pause
            else:
                log.error("the retry failed unexpectedly; it is tried again", extra=safe_error_fields(error))
                pause = pause_after(attempt, self.settings, roll=self.roll())
            age = self.clock() - message.first_attempt_at
            if age >= RETRY_LIFE:
                self._give_up(message, received.body)
                return
            url = self.settings.retry_queue_urls[message.carrier]
            come_again(self.sqs, url, received, pause, age=age)

    def _hold_back(self, message: RetryMessage, received: ReceivedMessage) -> None:
        """Have a message come again a little later. Nothing was tried, so nothing is given up."""
        attempts = message.attempts + received.receive_count - 1
        again = msgspec.structs.replace(message, attempts=attempts, held=message.held + 1)
        send_anew(
            self.sqs,
            self.settings.retry_queue_urls[message.carrier],
            msgspec.json.encode(again),
            group=received.group or message_group(message.tenant),
            after=self.places.wait(again.held),
        )

    def _try(self, message: RetryMessage, attempt: int) -> None:
        orders, order = transitions.read(self.table, message.tenant, message.order_id)
        action = {Action.CREATE: self._create, Action.CANCEL: self._cancel, Action.REREAD: self._reread}
        if self._was_given_up(message, order):
            action[Action.CREATE] = self._reread
        account = AccountName(order.tenant, order.carrier, order.account)
        try:
            with self.places.held(account, self.deadline):
                action[message.action](orders, order)
        except NotSettledError as error:
            if isinstance(error.trouble, PausedError):
                raise _HeldError(order) from None
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
            if isinstance(error, PausedError):
                raise _HeldError(order) from None
            raise _AgainError(pause) from None

    def _was_given_up(self, message: RetryMessage, order: Order) -> bool:
        """Whether this is the dead letter of an order that was given up, brought back by an operator."""
        late = self.clock() - message.first_attempt_at >= RETRY_LIFE
        return late and order.status is OrderStatus.NEEDS_ATTENTION

    # The actions

    def _create(self, _: "Orders", order: Order) -> None:
        self.submitter.resume(order, self.deadline)

    def _cancel(self, orders: "Orders", order: Order) -> None:
        if order.status is OrderStatus.CANCELLING:
            carrier = self.submitter.carrier(order, self.deadline)
            ask_to_cancel(carrier, orders, order, settings=self.settings, clock=self.clock, actor=Actor.RETRY)

    def _reread(self, _: "Orders", order: Order) -> None:
        """Ask the carrier, and believe its present answer. While a workflow runs, the workflow asks instead.

        A confirmed order only needs its label, even if an earlier attempt of this message confirmed it.
        """
        order = self.submitter.reread(order, self.deadline)
        if transitions.wants_label(order):
            self.fetcher.fetch(order.tenant, order.id, self.deadline)

    def _give_up(self, message: RetryMessage, body: str) -> None:
        # The dead letter comes first. If the function dies after it, it is only sent twice, never lost.
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

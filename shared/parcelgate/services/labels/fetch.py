"""Fetching the labels of confirmed orders: in the workflow, from the label queue, or for a client who asks.

Carriers that answer a create at once have no workflow that would fetch their labels. The router of the
table's stream puts such an order on the label queue as soon as it is confirmed, and again when it was
changed. A message comes again until the labels are there or its time is over; then the client is told.
"""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.errors import CarrierError, LabelPendingError, PausedError
from parcelgate.carriers.port import ProvidesLabels
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Actor, Order
from parcelgate.observability.logs import bind_log_keys, log, own_log_keys, safe_error_fields
from parcelgate.observability.metrics import duration
from parcelgate.services.accounts.carriers import usable
from parcelgate.services.accounts.places import AccountPlaces, NoPlaceError
from parcelgate.services.orders import transitions
from parcelgate.services.orders.transitions import Change, patience, wants_label
from parcelgate.services.redelivery import (
    ReceivedMessage,
    come_again,
    message_group,
    pause_after,
    send_anew,
)
from parcelgate.services.settings import Settings
from parcelgate.store.errors import OrderNotFoundError, StoreError
from parcelgate.store.limits import LOOK_AGAIN

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.services.labels.documents import LabelStore
    from parcelgate.store.table import Table


class LabelJob(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the label queue: which order needs its label, and since when.

    Messages of releases before them have no `carrier` and `account`. `attempts` were made before this message
    took the place of an earlier one, which was held back. `held` is how often that happened.
    """

    tenant: str
    order_id: str
    since: datetime
    carrier: str | None = None
    account: str | None = None
    correlation_id: str | None = None
    attempts: int = 0
    held: int = 0


class LabelFetcher(msgspec.Struct, frozen=True, kw_only=True):
    """Fetches labels from carriers, checks and stores them."""

    table: "Table"
    carriers: "Carriers"
    labels: "Callable[[], LabelStore]"
    clock: Clock = now

    def fetch(self, tenant: str, order_id: str, deadline: Deadline | None) -> Order:
        """Fetch the labels of an order that waits for them; the order as it stands then.

        Raises OrderNotFoundError, LabelPendingError while there is no usable label, and CarrierError.
        """
        orders, order = transitions.read(self.table, tenant, order_id)
        if not wants_label(order):
            return order
        if order.changing_until is not None:
            raise LabelPendingError("the order is being changed")
        carrier = usable(self.carriers, order, deadline)
        if not isinstance(carrier, ProvidesLabels):
            raise LabelPendingError("the carrier gives no labels")
        try:
            files = carrier.label(order)
        except LabelPendingError as error:
            # The call failed. That is more than a label that is not ready, so the order shows it.
            raise (error.__cause__ if isinstance(error.__cause__, CarrierError) else error) from None
        label = self.labels().keep(order, files)

        def ready(current: Order) -> Change | None:
            # If the order was changed meanwhile, this may be the label of the order before the change.
            changed = current.label.revision != label.revision or current.changing_until is not None
            if changed or not wants_label(current):
                return None
            return transitions.label_ready(current, label, at=self.clock())

        after, stored = transitions.settle(orders, order, ready)
        if wants_label(after):
            raise LabelPendingError("the order was changed meanwhile")
        if stored:
            took = (after.updated_at - after.created_at).total_seconds()
            duration("TimeToLabel", took, carrier=after.carrier)
        return after

    def give_up(self, tenant: str, order_id: str, error: Exception | None) -> Order:
        """Stop waiting for the label, and show that in the order."""
        orders = self.table.tenant(tenant).orders

        def unavailable(order: Order) -> Change | None:
            return transitions.label_given_up(order, at=self.clock(), words=getattr(error, "words", None))

        return transitions.apply(orders, orders.get(order_id), unavailable)


class LabelWorker(msgspec.Struct, frozen=True, kw_only=True):
    """Processes the messages of the label queue."""

    fetcher: LabelFetcher
    places: AccountPlaces
    settings: Settings
    sqs: "SQSClient"
    clock: Clock = now
    roll: Callable[[], float] = random.random

    @own_log_keys()
    def work(self, received: ReceivedMessage, deadline: Deadline | None) -> None:
        """Fetch the labels that the message asks for.

        Raises NotYetError when the message must come again, at its own time. Raises DecodeError for a message
        that cannot be read: it becomes a dead letter.
        """
        job = msgspec.json.decode(received.body, type=LabelJob)
        bind_log_keys(order_id=job.order_id, tenant=job.tenant, correlation_id=job.correlation_id)
        try:
            with self._place(job, deadline):
                self.fetcher.fetch(job.tenant, job.order_id, deadline)
        except NoPlaceError:
            self._hold_back(job, received)
        except OrderNotFoundError:
            log.error("there is no order for a label message; the message is dropped")
        except PausedError as error:
            self._explain(job, error, LOOK_AGAIN)
            # A new message: no pause uses up the label's time, or the times that SQS delivers a message.
            self._send_anew(msgspec.structs.replace(job, since=self.clock()), received, LOOK_AGAIN)
        except (LabelPendingError, CarrierError) as error:
            log.info("no label yet", extra={"error": type(error).__name__})
            if self.clock() >= job.since + patience(error, self.settings):
                self.fetcher.give_up(job.tenant, job.order_id, error)
                return
            pause = self._pause(job, received, getattr(error, "retry_after", None))
            self._explain(job, error, pause)
            self._come_again(job, received, pause)
        except (StoreError, BotoCoreError, ClientError) as error:
            log.warning(
                "fetching a label failed unexpectedly; it is tried again", extra=safe_error_fields(error)
            )
            self._come_again(job, received, self._pause(job, received))

    def _explain(self, job: LabelJob, error: LabelPendingError | CarrierError, pause: timedelta) -> None:
        orders = self.fetcher.table.tenant(job.tenant).orders
        try:
            transitions.explain_wait(
                orders, job.order_id, error, at=self.clock(), pause=pause, actor=Actor.RETRY
            )
        except StoreError as trouble:
            # The label must come again also when the reason for the wait could not be stored.
            log.warning("the reason why a label waits could not be stored", extra=safe_error_fields(trouble))

    def _come_again(self, job: LabelJob, received: ReceivedMessage, pause: timedelta) -> None:
        age = self.clock() - job.since
        come_again(self.sqs, self.settings.label_queue_url, received, pause, age=age)

    def _place(self, job: LabelJob, deadline: Deadline | None) -> AbstractContextManager[None]:
        if job.carrier is None or job.account is None or deadline is None:
            return nullcontext()
        return self.places.held(AccountName(job.tenant, job.carrier, job.account), deadline)

    def _hold_back(self, job: LabelJob, received: ReceivedMessage) -> None:
        attempts = job.attempts + received.receive_count - 1
        again = msgspec.structs.replace(job, attempts=attempts, held=job.held + 1)
        self._send_anew(again, received, self.places.wait(again.held))

    def _send_anew(self, job: LabelJob, received: ReceivedMessage, after: timedelta) -> None:
        group = received.group or message_group(job.tenant)
        body = msgspec.json.encode(job)
        send_anew(self.sqs, self.settings.label_queue_url, body, group=group, after=after)

    def _pause(self, job: LabelJob, received: ReceivedMessage, at_least: float | None = None) -> timedelta:
        attempt = job.attempts + received.receive_count
        pause = pause_after(attempt, self.settings, roll=self.roll(), at_least=at_least)
        return min(pause, self.settings.order_deadline)

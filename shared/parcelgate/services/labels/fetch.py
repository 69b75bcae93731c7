"""Fetching the labels of confirmed orders: in the workflow, from the label queue, or for a client who asks.

Carriers that answer a create at once have no workflow that would fetch their labels. The router of the
table's stream puts such an order on the label queue as soon as it is confirmed, and again when it was
changed. A message comes again until the labels are there or its time is over; then the client is told.
"""

import math
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers.errors import CarrierError, HeldBackError, LabelPendingError
from parcelgate.carriers.port import ProvidesLabels
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Order
from parcelgate.observability.logs import bind_log_keys, log, own_log_keys, safe_error_fields
from parcelgate.observability.metrics import duration
from parcelgate.services.backoff import backoff
from parcelgate.services.orders import transitions
from parcelgate.services.orders.transitions import Change, wants_label
from parcelgate.services.settings import Settings
from parcelgate.store.errors import OrderNotFoundError, StoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.services.labels.documents import LabelStore
    from parcelgate.store.table import Table


class LabelJob(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the label queue: whose label is wanted, and since when."""

    tenant: str
    order_id: str
    since: datetime
    correlation_id: str | None = None


class ReceivedLabelJob(msgspec.Struct, frozen=True, kw_only=True):
    """A message as SQS delivers it."""

    body: str
    receipt_handle: str
    receive_count: int


class LabelNotYetError(Exception):
    """The message is to come again; its visibility says when."""


class LabelFetcher:
    """Fetches labels from carriers, checks and stores them.

    Parameters
    ----------
    table
        The store.
    carriers
        Finds carriers whose calls end within the given time; `Carriers.within`.
    labels
        Where labels are kept.
    clock
        The time, for tests.
    """

    def __init__(
        self,
        *,
        table: "Table",
        carriers: "Carriers",
        labels: "Callable[[], LabelStore]",
        clock: Clock = now,
    ) -> None:
        self._table = table
        self._carriers = carriers
        self._labels = labels
        self._clock = clock

    def fetch(self, tenant: str, order_id: str, deadline: Deadline | None) -> Order:
        """Fetch the labels of an order that waits for them; the order as it stands then.

        Raises OrderNotFoundError, LabelPendingError while there is no usable label, and CarrierError.
        """
        orders = self._table.tenant(tenant).orders
        order = orders.get(order_id)
        bind_log_keys(**order.log_keys)
        if not wants_label(order):
            return order
        if order.changing_until is not None:
            raise LabelPendingError("the order is being changed")
        try:
            carrier = self._carriers.of(order, deadline)
        except Exception as error:
            # The account's secret is missing, malformed or cannot be read: nothing was asked of anybody.
            log.error("the carrier account cannot be used", extra=safe_error_fields(error))
            raise HeldBackError("the carrier account cannot be used") from None
        if not isinstance(carrier, ProvidesLabels):
            raise LabelPendingError("the carrier gives no labels")
        label = self._labels().keep(order, carrier.label(order))

        def ready(current: Order) -> Change | None:
            # Of an order that was changed meanwhile this may be the label of what it was before.
            changed = current.label.revision != label.revision or current.changing_until is not None
            if changed or not wants_label(current):
                return None
            return transitions.label_ready(current, label, at=self._clock())

        after, fetched = transitions.settle(orders, order, ready)
        if wants_label(after):
            raise LabelPendingError("the order was changed meanwhile")
        if fetched:
            took = (after.updated_at - after.created_at).total_seconds()
            duration("TimeToLabel", took, carrier=after.carrier)
        return after

    def give_up(self, tenant: str, order_id: str, error: Exception | None) -> Order:
        """No label will come by itself any more: say so where the client can see."""
        orders = self._table.tenant(tenant).orders

        def unavailable(order: Order) -> Change | None:
            if not wants_label(order):
                return None
            return transitions.label_unavailable(order, at=self._clock(), words=getattr(error, "words", None))

        after, _ = transitions.settle(orders, orders.get(order_id), unavailable)
        return after


class LabelWorker:
    """Works the label queue off."""

    def __init__(
        self,
        *,
        fetcher: LabelFetcher,
        settings: Settings,
        sqs: "SQSClient",
        clock: Clock = now,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._fetcher = fetcher
        self._settings = settings
        self._sqs = sqs
        self._clock = clock
        self._roll = roll

    @own_log_keys()
    def work(self, received: ReceivedLabelJob, deadline: Deadline | None) -> None:
        """Fetch the labels that the message asks for.

        Raises LabelNotYetError when the message is to come again, at its own time, and DecodeError for
        one that cannot be read: SQS sets it aside in the end.
        """
        job = msgspec.json.decode(received.body, type=LabelJob)
        bind_log_keys(order_id=job.order_id, tenant=job.tenant, correlation_id=job.correlation_id)
        try:
            self._fetcher.fetch(job.tenant, job.order_id, deadline)
        except OrderNotFoundError:
            log.error("a label is wanted for an order that is not there")
        except (LabelPendingError, CarrierError) as error:
            log.info("no label yet", extra={"error": type(error).__name__})
            if self._clock() < job.since + self._settings.order_deadline:
                self._come_again(job, received, getattr(error, "retry_after", None))
            self._fetcher.give_up(job.tenant, job.order_id, error)
        except (StoreError, BotoCoreError, ClientError) as error:
            log.warning("the label broke off", extra=safe_error_fields(error))
            self._come_again(job, received, None)

    def _come_again(self, job: LabelJob, received: ReceivedLabelJob, wanted: float | None) -> None:
        settings = self._settings
        step = backoff(
            received.receive_count, first=settings.retry_first, cap=settings.retry_cap, roll=self._roll()
        )
        step = min(max(step, timedelta(seconds=wanted or 0)), settings.order_deadline)
        self._sqs.change_message_visibility(
            QueueUrl=settings.label_queue_url,
            ReceiptHandle=received.receipt_handle,
            VisibilityTimeout=math.ceil(step.total_seconds()),
        )
        raise LabelNotYetError(job.order_id)

"""Fetching the labels of confirmed orders: from the label queue, or for a client who asks earlier.

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

from parcelgate.carriers.errors import CarrierError, LabelPendingError
from parcelgate.carriers.port import ProvidesLabels
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.observability.logs import bind_log_keys, log, safe_error_fields
from parcelgate.observability.metrics import count, duration
from parcelgate.services.backoff import backoff
from parcelgate.services.orders import transitions
from parcelgate.services.orders.transitions import Change
from parcelgate.services.settings import Settings
from parcelgate.store.errors import OrderNotFoundError, StoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.services.accounts.carriers import CarrierFor, Remaining
    from parcelgate.services.labels.documents import LabelStore
    from parcelgate.store.table import Table


class LabelJob(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the label queue: whose label is wanted, and since when."""

    tenant: str
    order_id: str
    since: datetime


class LabelDelivery(msgspec.Struct, frozen=True, kw_only=True):
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
        carriers: "Callable[[Remaining | None], CarrierFor]",
        labels: "Callable[[], LabelStore]",
        clock: Clock = now,
    ) -> None:
        self._table = table
        self._carriers = carriers
        self._labels = labels
        self._clock = clock

    def fetch(self, tenant: str, order_id: str, remaining: "Remaining | None") -> Order:
        """Fetch the labels of an order that waits for them; the order as it stands then.

        Raises OrderNotFoundError, LabelPendingError while there is no usable label, and CarrierError.
        """
        orders = self._table.tenant(tenant).orders
        order = orders.get(order_id)
        if not wants_label(order):
            return order
        if order.changing_until is not None:
            raise LabelPendingError("the order is being changed")
        carrier = self._carriers(remaining)(order.tenant, order.carrier, order.account)
        if not isinstance(carrier, ProvidesLabels):
            raise LabelPendingError("the carrier gives no labels")
        label = self._labels().keep(order, carrier.label(order))

        def ready(current: Order) -> Change | None:
            # Of an order that was changed meanwhile this may be the label of what it was before.
            changed = current.label.revision != label.revision or current.changing_until is not None
            if changed or not wants_label(current):
                return None
            return transitions.label_ready(current, label, at=self._clock())

        after = transitions.apply(orders, order, ready)
        if wants_label(after):
            raise LabelPendingError("the order was changed meanwhile")
        took = (after.updated_at - after.created_at).total_seconds()
        duration("TimeToLabel", took, carrier=after.carrier)
        return after

    def give_up(self, tenant: str, order_id: str, error: Exception | None) -> Order:
        """No label will come by itself any more: say so where the client can see."""
        orders = self._table.tenant(tenant).orders
        words = getattr(error, "words", None)

        def unavailable(order: Order) -> Change | None:
            if not wants_label(order):
                return None
            return transitions.label_unavailable(order, at=self._clock(), words=words)

        after = transitions.apply(orders, orders.get(order_id), unavailable)
        if after.label.status is LabelStatus.UNAVAILABLE:
            count("LabelsUnavailable", carrier=after.carrier)
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

    def work(self, delivery: LabelDelivery, remaining: "Remaining | None") -> None:
        """Fetch the labels that the message asks for.

        Raises LabelNotYetError when the message is to come again, at its own time, and DecodeError for
        one that cannot be read: SQS sets it aside in the end.
        """
        job = msgspec.json.decode(delivery.body, type=LabelJob)
        bind_log_keys(order_id=job.order_id, tenant=job.tenant)
        try:
            self._fetcher.fetch(job.tenant, job.order_id, remaining)
        except OrderNotFoundError:
            log.error("a label is wanted for an order that is not there")
        except (LabelPendingError, CarrierError) as error:
            log.info("no label yet", extra={"error": type(error).__name__})
            if self._clock() < job.since + self._settings.order_deadline:
                self._come_again(job, delivery, getattr(error, "retry_after", None))
            self._fetcher.give_up(job.tenant, job.order_id, error)
        except (StoreError, BotoCoreError, ClientError) as error:
            log.warning("the label broke off", extra=safe_error_fields(error))
            self._come_again(job, delivery, None)

    def _come_again(self, job: LabelJob, delivery: LabelDelivery, wanted: float | None) -> None:
        settings = self._settings
        step = backoff(
            delivery.receive_count, first=settings.retry_first, cap=settings.retry_cap, roll=self._roll()
        )
        step = min(max(step, timedelta(seconds=wanted or 0)), settings.order_deadline)
        self._sqs.change_message_visibility(
            QueueUrl=settings.label_queue_url,
            ReceiptHandle=delivery.receipt_handle,
            VisibilityTimeout=math.ceil(step.total_seconds()),
        )
        raise LabelNotYetError(job.order_id)


def wants_label(order: Order) -> bool:
    """Whether the order is confirmed and its label not there yet."""
    return order.status is OrderStatus.CONFIRMED and order.label.status is LabelStatus.PENDING

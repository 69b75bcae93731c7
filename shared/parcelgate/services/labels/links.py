"""Showing a label: links to the stored documents, or why there is no label.

Labels are fetched automatically once an order is confirmed. A client that asks earlier has its label fetched
at once.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import LabelDocument, LabelStatus, Order, OrderStatus
from parcelgate.domain.problems import ProblemError
from parcelgate.observability.logs import bind_log_keys, log

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from parcelgate.services.labels.fetch import LabelFetcher
    from parcelgate.store.table import Table

LINK_LIFE = timedelta(minutes=15)
"""How long a link opens a label, at most."""


class LinkedDocument(msgspec.Struct, frozen=True):
    """A stored document and the link that opens it."""

    url: str
    sha256: str


class LinkedLabel(msgspec.Struct, frozen=True, kw_only=True):
    """A label with its links. `whole` has all parcels; None for images of several parcels."""

    order: Order
    whole: LinkedDocument | None
    parcels: tuple[LinkedDocument, ...]
    expires_at: datetime


class LabelViewer(msgspec.Struct, frozen=True):
    """Links to the labels of a tenant's orders.

    Links are made for each answer and are neither stored nor logged. `fetcher` fetches a label that is not
    there yet.
    """

    table: "Table"
    s3: "S3Client"
    bucket: str
    fetcher: "Callable[[], LabelFetcher]"
    clock: Clock = now

    def label(self, tenant: str, order_id: str, deadline: Deadline) -> LinkedLabel | None:
        """Link an order's label; None while there is none yet.

        A label that was not fetched yet is fetched now, as far as `deadline` allows.

        Raises OrderNotFoundError, and ProblemError: `order_not_live` for an order that has failed or was
        cancelled, `label_unavailable` when the carrier gave no label, or when it was erased.
        """
        order = self.table.tenant(tenant).orders.get(order_id)
        bind_log_keys(**order.log_keys)
        if order.status is OrderStatus.CONFIRMED and order.label.status is LabelStatus.PENDING:
            order = self._fetched(order, deadline)
        if order.erased_at is not None:
            detail = "The label was erased together with the recipient's data."
            raise ProblemError("label_unavailable", detail, order_id=order.id)
        if order.status in (OrderStatus.FAILED, OrderStatus.CANCELLED):
            detail = "The order is over, so its label is not to be used."
            raise ProblemError("order_not_live", detail, order_id=order.id)
        if order.label.status is LabelStatus.UNAVAILABLE:
            detail = "The carrier gave no label for this order."
            raise ProblemError("label_unavailable", detail, order_id=order.id)
        if order.label.status is not LabelStatus.READY:
            return None
        at = self.clock()
        ends = link_end(at)
        return LinkedLabel(
            order=order,
            whole=self._linked(order.label.document, at, ends) if order.label.document else None,
            parcels=tuple(self._linked(document, at, ends) for document in order.label.parcels),
            expires_at=ends,
        )

    def _fetched(self, order: Order, deadline: Deadline) -> Order:
        # Imported only when a label must be fetched.
        from parcelgate.carriers.errors import CarrierError, LabelPendingError

        try:
            return self.fetcher().fetch(order.tenant, order.id, deadline)
        except (LabelPendingError, CarrierError) as error:
            log.info("no label yet", extra={"error": type(error).__name__})
            return order

    def _linked(self, document: LabelDocument, at: datetime, ends: datetime) -> LinkedDocument:
        return LinkedDocument(link(self.s3, self.bucket, document.key, at, ends), document.sha256)


def link(s3: "S3Client", bucket: str, key: str, at: datetime, ends: datetime) -> str:
    """A link, made at `at`, that opens an object until `ends`."""
    return s3.generate_presigned_url(
        "get_object",
        Params={"Bucket": bucket, "Key": key},
        ExpiresIn=max(1, int((ends - at).total_seconds())),
    )


def link_end(at: datetime) -> datetime:
    """When links made now end: after 15 minutes, or with the credentials that sign them."""
    end = at + LINK_LIFE
    try:
        credentials_end = datetime.fromisoformat(os.environ["AWS_CREDENTIAL_EXPIRATION"])
    except (KeyError, ValueError):
        return end
    if credentials_end.tzinfo is None:
        credentials_end = credentials_end.replace(tzinfo=UTC)
    return min(end, credentials_end.astimezone(UTC))

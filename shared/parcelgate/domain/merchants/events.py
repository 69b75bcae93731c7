"""The events for merchants: their kinds, and one event."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from parcelgate.domain.clock import rfc3339

KEPT = timedelta(days=30)
"""How long an event can be read after it happened."""


class Topic(StrEnum):
    """What a merchant may read of: the scope of an event is that of its topic, such as `orders:read`."""

    ORDERS = "orders"
    """Orders, their labels, and batches of them."""
    TRACKINGS = "trackings"
    WEBHOOKS = "webhooks"
    """The merchant's own webhook endpoints."""

    @property
    def scope(self) -> str:
        """The scope that a key must have to be shown this."""
        return "webhooks:manage" if self is Topic.WEBHOOKS else f"{self}:read"


class EventType(StrEnum):
    """Everything that a merchant is told."""

    ORDER_CONFIRMED = "order.confirmed"
    ORDER_FAILED = "order.failed"
    ORDER_CANCELLED = "order.cancelled"
    ORDER_NEEDS_ATTENTION = "order.needs_attention"
    ORDER_ATTENTION = "order.attention"
    LABEL_READY = "label.ready"
    LABEL_UNAVAILABLE = "label.unavailable"
    BATCH_FINISHED = "batch.finished"
    TRACKING_UPDATED = "tracking.updated"
    TRACKING_OUT_FOR_DELIVERY = "tracking.out_for_delivery"
    TRACKING_ATTEMPT_FAILED = "tracking.attempt_failed"
    TRACKING_AVAILABLE_FOR_PICKUP = "tracking.available_for_pickup"
    TRACKING_DELIVERED = "tracking.delivered"
    TRACKING_EXCEPTION = "tracking.exception"
    TRACKING_RETURNED = "tracking.returned"
    ENDPOINT_DISABLED = "endpoint.disabled"
    PING = "ping"

    @property
    def topic(self) -> Topic:
        """What it is about."""
        if self in (EventType.ENDPOINT_DISABLED, EventType.PING):
            return Topic.WEBHOOKS
        return Topic.TRACKINGS if self.startswith("tracking.") else Topic.ORDERS


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to an order, a batch, a parcel or an endpoint.

    `at` is the time of the change, `sequence` the version of the subject that it made. `body` is what the
    merchant is shown and sent, as JSON. `order_id` is the order that it is about, or whose parcel.
    """

    id: str
    tenant: str
    type: EventType
    at: datetime
    sequence: int
    body: bytes
    order_id: str | None = None
    tracking_id: str | None = None


def envelope(own_id: str, kind: EventType, *, at: datetime, sequence: int, data: bytes) -> bytes:
    """The body of an event, as JSON. `data` is the subject, as JSON too."""
    body = {
        "id": own_id,
        "type": kind,
        "timestamp": rfc3339(at),
        "sequence": sequence,
        "data": msgspec.Raw(data),
    }
    return msgspec.json.encode(body)


def event_id(tenant: str, subject_id: str, sequence: int, kind: EventType, *, at: datetime) -> str:
    """The id of what happened to a subject: the same one, however often it is looked at.

    `at` is the time of the change, which is as fixed as its `sequence`: newer ids come later in the alphabet.
    """
    from parcelgate.domain.ids import fixed_id

    return fixed_id("evt", at, tenant, subject_id, sequence, kind)

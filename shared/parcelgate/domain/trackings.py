"""How a parcel travels: statuses, events, and whose parcel is furthest behind."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec


class TrackingStatus(StrEnum):
    """The one vocabulary for a parcel's journey, whichever carrier carries it."""

    PENDING = "pending"
    INFO_RECEIVED = "info_received"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPT_FAILED = "attempt_failed"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    DELIVERED = "delivered"
    EXCEPTION = "exception"
    RETURNING = "returning"
    RETURNED = "returned"
    LOST = "lost"
    DAMAGED = "damaged"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


_FURTHEST_BEHIND = (
    TrackingStatus.LOST,
    TrackingStatus.DAMAGED,
    TrackingStatus.EXCEPTION,
    TrackingStatus.ATTEMPT_FAILED,
    TrackingStatus.RETURNING,
    TrackingStatus.RETURNED,
    TrackingStatus.EXPIRED,
    TrackingStatus.CANCELLED,
    TrackingStatus.PENDING,
    TrackingStatus.INFO_RECEIVED,
    TrackingStatus.IN_TRANSIT,
    TrackingStatus.AVAILABLE_FOR_PICKUP,
    TrackingStatus.OUT_FOR_DELIVERY,
    TrackingStatus.DELIVERED,
)


def furthest_behind(statuses: Iterable[TrackingStatus]) -> TrackingStatus:
    """The status an order shows for its parcels: the worst of theirs; `pending` for none."""
    return min(statuses, key=_FURTHEST_BEHIND.index, default=TrackingStatus.PENDING)


class TrackingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a parcel.

    `at` is the instant in UTC. `utc_offset` (such as `+08:00`) is the local offset where it is known;
    `at_is_local` marks a time that came without any zone. `status` is None when the carrier's `code`
    is in no table: it is shown, and never guessed.
    """

    at: datetime
    code: str
    description: str
    status: TrackingStatus | None = None
    sub_status: str | None = None
    utc_offset: str | None = None
    at_is_local: bool = False
    city: str | None = None
    state: str | None = None
    postcode: str | None = None
    country: str | None = None
    place: str | None = None
    visible_to_recipient: bool = True


class Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """One followed parcel."""

    id: str
    tenant: str
    carrier: str
    account: str
    tracking_number: str
    order_id: str | None = None
    parcel_reference: str | None = None
    carrier_code: str | None = None
    status: TrackingStatus = TrackingStatus.PENDING
    sub_status: str | None = None
    version: int = 1
    created_at: datetime
    updated_at: datetime

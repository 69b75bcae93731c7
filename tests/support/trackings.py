"""Trackings and what is told of parcels, for tests."""

import json
from datetime import datetime, timedelta
from typing import Any

from parcelgate.carriers.results import ParcelHistory
from parcelgate.domain.ids import new_id
from parcelgate.domain.trackings import Tracking, TrackingEvent, TrackingStatus
from parcelgate.services.trackings.polls import Nudge
from tests.support.orders import NOON


def a_tracking(tenant: str = "acme", *, at: datetime = NOON, **more: Any) -> Tracking:
    """A parcel of which nothing has been told yet."""
    facts: dict[str, Any] = {
        "id": new_id("trk"),
        "tenant": tenant,
        "carrier": "lso",
        "account": "default",
        "tracking_number": "1Z",
        "created_at": at,
        "updated_at": at,
    }
    return Tracking(**facts | more)


def a_followed(number: str = "RR1CN", *, code: str = "china-ems", **more: Any) -> Tracking:
    """A parcel that an aggregator follows."""
    return a_tracking(**{"carrier": "trackingmore", "carrier_code": code, "tracking_number": number} | more)


def seen(
    status: TrackingStatus | str | None = "in_transit", *, hours: float = 0, **more: Any
) -> TrackingEvent:
    """Something that happened to a parcel, `hours` after noon."""
    facts: dict[str, Any] = {
        "at": NOON + timedelta(hours=hours),
        "code": f"C-{status}",
        "description": "Something happened",
        "status": None if status is None else TrackingStatus(status),
        "city": "Austin",
    }
    return TrackingEvent(**facts | more)


def told(*events: TrackingEvent, number: str = "1Z", **more: Any) -> ParcelHistory:
    """What a carrier tells of one parcel."""
    return ParcelHistory(tracking_number=number, events=events, **more)


def a_nudge(tenant: str, tracking_id: str, *, message_id: str = "1") -> Nudge:
    """A message of the poll queue."""
    return Nudge(message_id, message_id, json.dumps({"tenant": tenant, "tracking_id": tracking_id}))

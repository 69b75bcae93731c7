"""Events for tests."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from parcelgate.domain.clock import rfc3339
from parcelgate.domain.merchants.events import Event, EventType, event_id
from parcelgate.domain.orders import Order
from parcelgate.domain.trackings import Tracking
from parcelgate.http.answers import Site
from parcelgate.http.resources.events import rendering
from tests.support.orders import NOON


def an_event_of(
    subject: str,
    kind: EventType | str = EventType.ORDER_CONFIRMED,
    *,
    tenant: str = "acme",
    at: datetime = NOON,
    minutes: float = 0,
    sequence: int = 2,
    **facts: Any,
) -> Event:
    """An event of `subject`, an order's id or a tracking's, so many minutes after `at`."""
    kind = EventType(kind)
    at += timedelta(minutes=minutes)
    ids = {"tracking_id": subject} if subject.startswith("trk_") else {"order_id": subject}
    return Event(
        **{
            "id": event_id(tenant, subject, sequence, kind, at=at),
            "tenant": tenant,
            "type": kind,
            "at": at,
            "sequence": sequence,
            "body": f'{{"type":"{kind}"}}'.encode(),
            **(ids if not subject.startswith("bat_") else {}),
            **facts,
        }
    )


def an_event_showing(subject: Order | Tracking, kind: str, *, at: datetime = NOON, **facts: Any) -> Event:
    """An event of `subject` with the body that merchants get."""
    shown = rendering(Site(base="https://api.test"))
    data = shown.order(subject, {}) if isinstance(subject, Order) else shown.tracking(subject, None)
    ids = {"order_id": subject.order_id} if isinstance(subject, Tracking) else {}
    event = an_event_of(
        subject.id, kind, tenant=subject.tenant, at=at, **{"sequence": subject.version} | ids | facts
    )
    body = {
        "id": event.id,
        "type": kind,
        "timestamp": rfc3339(event.at),
        "sequence": event.sequence,
        "data": msgspec.Raw(data),
    }
    return msgspec.structs.replace(event, body=msgspec.json.encode(body))

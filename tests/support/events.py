"""Events for tests."""

from datetime import datetime, timedelta
from typing import Any

from parcelgate.domain.events import Event, EventType, event_id
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

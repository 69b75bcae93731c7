"""Trackings in the store."""

from parcelgate.domain.trackings import Source, Tracking, merge
from tests.support.orders import NOON
from tests.support.trackings import seen


def moved(tracking: Tracking, status: str, *, hours: float = 1) -> Tracking:
    """The tracking with one more thing told of it."""
    return merge(tracking, [seen(status, hours=hours)], source=Source.POLL, at=NOON)

"""The plan: when a parcel is asked about next. One pure function; docs/scale.md has its table."""

from datetime import datetime, timedelta

from parcelgate.domain.trackings import Tracking


def next_poll(tracking: Tracking, *, now: datetime, misses: int = 0, pace: float = 1.0) -> datetime | None:
    """When the parcel is to be asked about after `now`; None when nobody needs to ask any more.

    `misses` is how many polls in a row had no answer; `pace` how many times faster than in life parcels
    travel here.
    """
    if tracking.status.final or tracking.paused:
        return None
    return now + timedelta(hours=4) / pace

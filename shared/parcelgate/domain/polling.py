"""The plan: when a parcel is asked about next. One pure function over a table; docs/scale.md shows it.

Asked often is a parcel of which news is likely and matters: one that is out for delivery, by day. Asked
seldom is one that nobody has handed over yet, one of which nothing was heard for long, and one whose carrier
tells us by itself.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from zlib import crc32

from parcelgate.domain import countries
from parcelgate.domain.trackings import Tracking, TrackingStatus


class Step(NamedTuple):
    """How often a parcel is asked about that stands so.

    It holds while the newest news of the parcel, or else its record, is younger than `younger_than` (None:
    for good).
    """

    younger_than: timedelta | None
    every: timedelta


class Stage(NamedTuple):
    """A part of a parcel's journey, with its steps by age.

    `pushed` is for a parcel of which its carrier tells us unasked, as long as it does so: how often it is
    asked about all the same, and how soon the next news is expected. After `MISSED_EXPECTATIONS` of these
    without news the steps hold for it too.
    """

    name: str
    statuses: frozenset[TrackingStatus]
    pushed: timedelta
    steps: tuple[Step, ...]
    by_day: bool = False
    """Whether news is made only while the recipient is awake, so that nobody asks at night."""


def _steps(*steps: tuple[timedelta | None, timedelta]) -> tuple[Step, ...]:
    return tuple(Step(*step) for step in steps)


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

FOLLOWED = Stage(
    "newly followed by an aggregator, nothing known",
    frozenset({TrackingStatus.PENDING}),
    10 * _MINUTE,
    _steps((30 * _MINUTE, 10 * _MINUTE)),
)
"""What an aggregator is given to follow it looks up within minutes. Later the parcel is as any other."""
ABROAD = Stage(
    "in transit, in another country",
    frozenset({TrackingStatus.IN_TRANSIT}),
    24 * _HOUR,
    _steps((5 * _DAY, 8 * _HOUR), (None, 12 * _HOUR)),
)
"""Nothing that happens there brings the parcel to the door within hours."""
STAGES = (
    Stage(
        "not yet handed over",
        frozenset({TrackingStatus.PENDING, TrackingStatus.INFO_RECEIVED}),
        24 * _HOUR,
        _steps((3 * _DAY, 12 * _HOUR), (None, 24 * _HOUR)),
    ),
    Stage(
        "in transit",
        frozenset({TrackingStatus.IN_TRANSIT}),
        12 * _HOUR,
        _steps(
            (2 * _DAY, 4 * _HOUR),
            (10 * _DAY, 8 * _HOUR),
            (None, 12 * _HOUR),
        ),
    ),
    Stage(
        "out for delivery",
        frozenset({TrackingStatus.OUT_FOR_DELIVERY}),
        2 * _HOUR,
        _steps(
            (12 * _HOUR, 30 * _MINUTE),
            (2 * _DAY, 4 * _HOUR),
            (None, 12 * _HOUR),
        ),
        by_day=True,
    ),
    Stage(
        "attempt failed, available for pickup",
        frozenset({TrackingStatus.ATTEMPT_FAILED, TrackingStatus.AVAILABLE_FOR_PICKUP}),
        12 * _HOUR,
        _steps((3 * _DAY, 4 * _HOUR), (None, 12 * _HOUR)),
        by_day=True,
    ),
    Stage(
        "exception, damaged, returning",
        frozenset({TrackingStatus.EXCEPTION, TrackingStatus.DAMAGED, TrackingStatus.RETURNING}),
        12 * _HOUR,
        _steps(
            (3 * _DAY, 6 * _HOUR),
            (14 * _DAY, 12 * _HOUR),
            (None, 24 * _HOUR),
        ),
    ),
)
_STAGE_OF = {status: stage for stage in STAGES for status in stage.statuses}

MISSED_EXPECTATIONS = 2
"""After so many times its stage's first wait without news, a carrier that told us does so no more."""
AGGREGATORS_PACE = 3 * _HOUR
"""An aggregator asks couriers no more often itself (public: express every 3 hours, postal every 6)."""
FIRST_MISS = 5 * _MINUTE
"""How soon a parcel comes again whose poll had no answer; twice as late each time, and never later than the
plan has it."""
_MOST_DOUBLINGS = 12
SPREAD = 0.3
"""By how much of the interval the parcels of one minute are spread out, each by its own id."""
NIGHT_FROM, NIGHT_TO = 21 * _HOUR, 7 * _HOUR
"""When nobody delivers, by the recipient's clock."""
MORNING = 2 * _HOUR
"""Over how long after the night the parcels are spread that waited for its end."""


def next_poll(tracking: Tracking, *, now: datetime, misses: int = 0, pace: float = 1.0) -> datetime | None:
    """When the parcel is to be asked about after `now`; None when nobody needs to ask any more.

    `misses` is how many polls in a row had no answer; `pace` how many times faster than in life parcels
    travel here.
    """
    if tracking.is_over(now) or tracking.paused:
        return None
    age = (now - (tracking.last_event_at or tracking.created_at)) * pace
    stage, wait = _planned(tracking, age)
    if misses:
        wait = min(wait, FIRST_MISS * 2 ** min(misses - 1, _MOST_DOUBLINGS))
    share = _share(tracking.id)
    wait *= 1 + SPREAD * (share - 0.5)
    if stage.by_day:
        wait = _by_day(tracking, now, wait, share)
    return now + wait / pace


def _planned(tracking: Tracking, age: timedelta) -> tuple[Stage, timedelta]:
    """Where in its journey the parcel is, and how long to wait there."""
    stage = _STAGE_OF[tracking.status]
    if tracking.status in ABROAD.statuses and _is_abroad(tracking):
        stage = ABROAD
    followed = tracking.carrier_code is not None
    if followed and tracking.status in FOLLOWED.statuses:
        step = _step(FOLLOWED, age)
        if step is not None:
            return stage, step.every
    step = _step(stage, age) or stage.steps[-1]
    is_pushed = tracking.is_pushed and age < MISSED_EXPECTATIONS * stage.pushed
    wait = stage.pushed if is_pushed else step.every
    by_aggregator = followed or tracking.next_carrier is not None
    return stage, max(wait, AGGREGATORS_PACE) if by_aggregator else wait


def _is_abroad(tracking: Tracking) -> bool:
    """Whether the parcel was last seen in another country than the one it goes to."""
    seen = next((event.country for event in reversed(tracking.events) if event.country), None)
    return None not in (seen, tracking.destination_country) and seen != tracking.destination_country


def _step(stage: Stage, age: timedelta) -> Step | None:
    return next((step for step in stage.steps if step.younger_than is None or age < step.younger_than), None)


def _by_day(tracking: Tracking, now: datetime, wait: timedelta, share: float) -> timedelta:
    """The wait, or a longer one into the morning when it would be over in the recipient's night."""
    ahead = _recipients_offset(tracking)
    if ahead is None:
        return wait
    there = now + wait + ahead
    hour = timedelta(hours=there.hour, minutes=there.minute, seconds=there.second)
    if NIGHT_TO <= hour < NIGHT_FROM:
        return wait
    until_morning = (NIGHT_TO - hour) % _DAY
    return wait + until_morning + MORNING * share


def _recipients_offset(tracking: Tracking) -> timedelta | None:
    """How far the recipient's clock is ahead of UTC: as the newest event tells, else by the country."""
    for event in reversed(tracking.events):
        if event.utc_offset is not None:
            ahead = _offset(event.utc_offset)
            if ahead is not None:
                return ahead
    return countries.clock_offset(tracking.destination_country, tracking.destination_state)


def _offset(text: str) -> timedelta | None:
    try:
        return datetime.strptime(text, "%z").utcoffset()
    except ValueError:
        return None


def _share(tracking_id: str) -> float:
    """A number from 0 up to 1 that is always the same for one parcel."""
    return crc32(tracking_id.encode()) / 2**32

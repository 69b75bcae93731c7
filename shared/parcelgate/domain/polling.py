"""The plan: when a parcel is asked about next. One pure function over a table; docs/scale.md shows it.

A parcel is asked about often when news is likely and important: when it is out for delivery, by day. A parcel
is asked about seldom when it is not handed over yet, when there was no news for long, or when its carrier
sends webhooks.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from zlib import crc32

from parcelgate.domain.places import countries
from parcelgate.domain.trackings import Tracking, TrackingStatus


class Step(NamedTuple):
    """How often a parcel in such a state is asked about.

    It holds while the newest event of the parcel (without events: its record) is younger than
    `younger_than`. None: without limit.
    """

    younger_than: timedelta | None
    every: timedelta


class Stage(NamedTuple):
    """A part of a parcel's journey, with its steps by age.

    `pushed` is for a parcel whose carrier sends webhooks: how often it is asked about nevertheless, and how
    soon the next news is expected. After `MISSED_EXPECTATIONS` such times without news, the steps hold.
    """

    name: str
    statuses: frozenset[TrackingStatus]
    pushed: timedelta
    steps: tuple[Step, ...]
    by_day: bool = False
    """Whether news comes only by day at the recipient's place, so that nobody asks at night."""


def _steps(*steps: tuple[timedelta | None, timedelta]) -> tuple[Step, ...]:
    return tuple(Step(*step) for step in steps)


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

FOLLOWED = Stage(
    "newly followed by an aggregator, nothing known",
    frozenset({TrackingStatus.PENDING}),
    10 * _MINUTE,
    _steps((30 * _MINUTE, 10 * _MINUTE)),
)
"""An aggregator looks up a new parcel within minutes. Later the parcel is treated like any other."""
ABROAD = Stage(
    "in transit, in another country",
    frozenset({TrackingStatus.IN_TRANSIT}),
    24 * _HOUR,
    _steps((5 * _DAY, 8 * _HOUR), (None, 12 * _HOUR)),
)
"""In another country no event means that the parcel arrives within hours."""
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
"""After so many first waits of its stage without news, a carrier counts as sending no webhooks."""
AGGREGATORS_PACE = 3 * _HOUR
"""An aggregator asks couriers no more often itself (public: express every 3 hours, postal every 6)."""
FIRST_MISS = 5 * _MINUTE
"""How soon a parcel comes again whose poll had no answer; twice as late each time, and never later than the
plan has it."""
_MOST_DOUBLINGS = 12
SPREAD = 0.3
"""The part of the interval over which parcels are spread, each by its own id."""
NIGHT_FROM, NIGHT_TO = 21 * _HOUR, 7 * _HOUR
"""The hours in which nobody delivers, by the recipient's clock."""
MORNING = 2 * _HOUR
"""The time after the night over which the waiting parcels are spread."""


def next_poll(tracking: Tracking, *, now: datetime, misses: int = 0, pace: float = 1.0) -> datetime | None:
    """When to ask about the parcel next, after `now`. None: do not ask any more.

    `misses` is how many polls in a row had no answer. `pace` is how many times faster than real parcels the
    parcels travel here.
    """
    if tracking.is_over(now) or tracking.paused or tracking.erased_at is not None:
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
    """Return the parcel's stage in its journey, and how long to wait there."""
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
    """The wait. If it would end in the recipient's night, it is made longer, until the morning."""
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

"""The plan: when a parcel is asked about next. One pure function over a table; docs/scale.md shows it.

A parcel is asked about often when news is likely and important: when it is out for delivery, by day. A parcel
is asked about seldom when it is not handed over yet, when there was no news for long, or when its carrier
sends webhooks.

Where the habits of a parcel's corridor are known (`domain.habits`), they say when news is likely, and the
table says how long a parcel waits at most. `moves` is what habits are learned from.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from parcelgate.domain.habits import Care, Corridor, Habit, Move
from parcelgate.domain.places import countries
from parcelgate.domain.trackings import (
    CANCELLED_CODE,
    SILENCE_CODE,
    Tracking,
    TrackingEvent,
    TrackingStatus,
)


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
    code: str
    """One letter, for the keys of what is learned."""
    statuses: frozenset[TrackingStatus]
    pushed: timedelta
    steps: tuple[Step, ...]
    by_day: bool = False
    """Whether news comes only by day at the recipient's place, so that nobody asks at night."""
    price: timedelta = timedelta(hours=1)
    """For how long news may wait to spare one poll, where the habits of the parcel's corridor are known."""
    slack: timedelta = timedelta(0)
    """How late it does no harm to know that the parcel has moved on."""
    grain: timedelta = timedelta(hours=1)
    """How finely the times are chosen, and how soon the parcel is asked about again at the soonest."""

    @property
    def longest(self) -> timedelta:
        """The longest wait that the table has for the stage."""
        return max(self.pushed, *(step.every for step in self.steps))

    def care(self, soonest: timedelta | None = None) -> Care:
        """How much it matters to know soon that the parcel has moved on."""
        return Care(self.price, self.slack, soonest or self.grain, self.longest, self.grain)


def _steps(*steps: tuple[timedelta | None, timedelta]) -> tuple[Step, ...]:
    return tuple(Step(*step) for step in steps)


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

FOLLOWED = Stage(
    "newly followed by an aggregator, nothing known",
    "f",
    frozenset({TrackingStatus.PENDING}),
    10 * _MINUTE,
    _steps((30 * _MINUTE, 10 * _MINUTE)),
)
"""An aggregator looks up a new parcel within minutes. Later the parcel is treated like any other."""
ABROAD = Stage(
    "in transit, in another country",
    "a",
    frozenset({TrackingStatus.IN_TRANSIT}),
    24 * _HOUR,
    _steps((5 * _DAY, 8 * _HOUR), (None, 12 * _HOUR)),
    price=6 * _HOUR,
    slack=12 * _HOUR,
)
"""In another country no event means that the parcel arrives within hours."""
STAGES = (
    Stage(
        "not yet handed over",
        "b",
        frozenset({TrackingStatus.PENDING, TrackingStatus.INFO_RECEIVED}),
        24 * _HOUR,
        _steps((3 * _DAY, 12 * _HOUR), (None, 24 * _HOUR)),
        price=24 * _HOUR,
        slack=12 * _HOUR,
    ),
    Stage(
        "in transit",
        "t",
        frozenset({TrackingStatus.IN_TRANSIT}),
        12 * _HOUR,
        _steps(
            (2 * _DAY, 4 * _HOUR),
            (10 * _DAY, 8 * _HOUR),
            (None, 12 * _HOUR),
        ),
        slack=3 * _HOUR,
    ),
    Stage(
        "out for delivery",
        "d",
        frozenset({TrackingStatus.OUT_FOR_DELIVERY}),
        2 * _HOUR,
        _steps(
            (12 * _HOUR, 30 * _MINUTE),
            (2 * _DAY, 4 * _HOUR),
            (None, 12 * _HOUR),
        ),
        by_day=True,
        price=12 * _MINUTE,
        grain=30 * _MINUTE,
    ),
    Stage(
        "attempt failed, available for pickup",
        "c",
        frozenset({TrackingStatus.ATTEMPT_FAILED, TrackingStatus.AVAILABLE_FOR_PICKUP}),
        12 * _HOUR,
        _steps((3 * _DAY, 4 * _HOUR), (None, 12 * _HOUR)),
        by_day=True,
    ),
    Stage(
        "exception, damaged, returning",
        "x",
        frozenset({TrackingStatus.EXCEPTION, TrackingStatus.DAMAGED, TrackingStatus.RETURNING}),
        12 * _HOUR,
        _steps(
            (3 * _DAY, 6 * _HOUR),
            (14 * _DAY, 12 * _HOUR),
            (None, 24 * _HOUR),
        ),
        price=2 * _HOUR,
        slack=2 * _HOUR,
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
MOST_MOVES = 5
"""A parcel whose carrier tells of hundreds, to and fro, would make the habit of its whole corridor."""
MORNING = 2 * _HOUR
"""The time after the night over which the waiting parcels are spread."""


def next_poll(
    tracking: Tracking, *, now: datetime, misses: int = 0, pace: float = 1.0, habit: Habit | None = None
) -> datetime | None:
    """When to ask about the parcel next, after `now`. None: do not ask any more.

    `misses` is how many polls in a row had no answer. `pace` is how many times faster than real parcels the
    parcels travel here. `habit` is that of the parcel's corridor (`corridor_of`). Without one, or with one
    that is not known well enough, and where parcels travel faster than real ones, the plan is the table.
    """
    if tracking.is_over(now) or tracking.paused or tracking.erased_at is not None:
        return None
    age = (now - (tracking.last_event_at or tracking.created_at)) * pace
    share = _share(tracking.id)
    spread = 1 + SPREAD * (share - 0.5)
    stage, wait = _planned(tracking, age)
    wait *= spread
    if habit is not None and habit.is_known and pace == 1 and not _is_looked_up(tracking, age):
        wait = _learned(tracking, stage, now, age, habit) or wait
    if misses:
        wait = min(wait, FIRST_MISS * 2 ** min(misses - 1, _MOST_DOUBLINGS) * spread)
    if stage.by_day:
        wait = _by_day(tracking, now, wait, share)
    return now + wait / pace


def corridor_of(tracking: Tracking) -> Corridor | None:
    """The corridor that the parcel travels in at present; None after its end."""
    if tracking.status.final:
        return None
    origin = next((event.country for event in tracking.events if event.country), None)
    return _corridor(tracking, origin, _stage(tracking))


def moves(before: Tracking, after: Tracking) -> Iterator[Move]:
    """What is to be learned from the events that are new in `after`.

    Each move is seen as the plan had to foresee it: by the clock and in the corridor known before it.
    Of one parcel no more than its first `MOST_MOVES` from each corridor count.
    """
    known = {event.id for event in before.events}
    times: Counter[Corridor] = Counter()
    for move, event in _moves(after):
        times[move.corridor] += 1
        if event.id not in known and times[move.corridor] <= MOST_MOVES:
            yield move


def _moves(tracking: Tracking) -> Iterator[tuple[Move, TrackingEvent]]:
    """Every move of the parcel so far, and the event that it was."""
    for passage in _passages(tracking):
        event = passage.ended_by
        ahead = passage.ahead
        if event is not None and ahead is not None and event.at >= passage.began:
            corridor = _corridor(tracking, passage.origin, passage.stage)
            yield Move(corridor, event.at + ahead, event.at - passage.began), event


class _Passage(NamedTuple):
    """A parcel's time in one stage.

    `ahead` and `origin` are what was known before its end: how far the clock at the place is ahead of UTC,
    and the country that the parcel came from.
    """

    stage: Stage
    began: datetime
    ended_by: TrackingEvent | None
    ahead: timedelta | None
    origin: str | None


def _passages(tracking: Tracking) -> Iterator[_Passage]:
    """The stages that the parcel was in, in sequence. The last has an end only if the parcel has."""
    status, seen, origin = TrackingStatus.PENDING, None, None
    stage, began = _STAGE_OF[status], tracking.created_at
    ahead = countries.clock_offset(tracking.destination_country, tracking.destination_state)
    for event in tracking.events:
        if event.code in (SILENCE_CODE, CANCELLED_CODE):
            continue
        if event.status is not None and status not in event.leaves:
            status = event.status
        seen = event.country or seen
        now_in = None if status.final else _stage_by(status, seen, tracking.destination_country)
        if now_in is not stage:
            yield _Passage(stage, began, event, ahead, origin)
            if now_in is None:
                return
            stage, began = now_in, event.at
        origin = origin or event.country
        ahead = (_offset(event.utc_offset) if event.utc_offset else None) or ahead
    yield _Passage(stage, began, None, ahead, origin)


def _corridor(tracking: Tracking, origin: str | None, stage: Stage) -> Corridor:
    service = tracking.carrier_code or tracking.service or ""
    return Corridor(tracking.carrier, service, origin or "", tracking.destination_country or "", stage.code)


def _learned(
    tracking: Tracking, stage: Stage, now: datetime, age: timedelta, habit: Habit
) -> timedelta | None:
    """How long to wait by the habit of the parcel's corridor; None if nobody knows the clock at the place.

    A parcel whose carrier sends webhooks is asked about when its news are overdue. Any other is asked about
    when news is likely. Neither waits longer than the longest wait that the table has for its stage.
    """
    ahead = _recipients_offset(tracking)
    if ahead is None:
        return None
    *_, passage = _passages(tracking)
    began = passage.began if passage.stage is stage else tracking.last_event_at or tracking.created_at
    there, stay, share = now + ahead, now - began, _share(tracking.id)
    if _is_pushed(tracking, stage, age):
        overdue = habit.overdue(there, stay, longest=stage.longest)
        return max(overdue, stage.pushed) * (1 + SPREAD / 2 * share)
    soonest = AGGREGATORS_PACE if _is_by_aggregator(tracking) else None
    return habit.likely(there, stay, stage.care(soonest), share)


def _is_pushed(tracking: Tracking, stage: Stage, age: timedelta) -> bool:
    """Whether webhooks are relied on for the parcel's next news."""
    return tracking.is_pushed and age < MISSED_EXPECTATIONS * stage.pushed


def _stage(tracking: Tracking) -> Stage:
    seen = next((event.country for event in reversed(tracking.events) if event.country), None)
    return _stage_by(tracking.status, seen, tracking.destination_country)


def _stage_by(status: TrackingStatus, seen: str | None, destination: str | None) -> Stage:
    """The stage of a parcel that was last seen in a country. In another one than its own it is abroad."""
    is_abroad = None not in (seen, destination) and seen != destination
    return ABROAD if status in ABROAD.statuses and is_abroad else _STAGE_OF[status]


def _planned(tracking: Tracking, age: timedelta) -> tuple[Stage, timedelta]:
    """Return the parcel's stage in its journey, and how long to wait there by the table."""
    stage = _stage(tracking)
    if _is_looked_up(tracking, age):
        return stage, FOLLOWED.steps[0].every
    step = _step(stage, age) or stage.steps[-1]
    wait = stage.pushed if _is_pushed(tracking, stage, age) else step.every
    return stage, max(wait, AGGREGATORS_PACE) if _is_by_aggregator(tracking) else wait


def _is_looked_up(tracking: Tracking, age: timedelta) -> bool:
    """Whether an aggregator has just begun to follow the parcel, and nothing is known yet."""
    is_new = tracking.status in FOLLOWED.statuses and _step(FOLLOWED, age) is not None
    return is_new and tracking.carrier_code is not None


def _is_by_aggregator(tracking: Tracking) -> bool:
    return tracking.carrier_code is not None or tracking.next_carrier is not None


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


@lru_cache(maxsize=256)
def _offset(text: str) -> timedelta | None:
    try:
        return datetime.strptime(text, "%z").utcoffset()
    except ValueError:
        return None


def _share(tracking_id: str) -> float:
    """A number from 0 up to 1 that is always the same for one parcel."""
    return crc32(tracking_id.encode()) / 2**32

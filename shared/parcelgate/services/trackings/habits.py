"""The habits of corridors: read when a poll is planned, and learned from what joins timelines.

One process remembers a corridor for an hour, so that planning costs next to no reads. It adds what it learned
once in each invocation: one write of one unit for each corridor and stage in which a parcel moved on. That
may be lost with the invocation, or be counted twice; habits are no books. A corridor that is well known
learns from a sample of its parcels, so that webhooks that come one by one cost no write each.
"""

from collections import Counter, defaultdict
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING
from zlib import crc32

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.habits import Corridor, Habit
from parcelgate.domain.polling import corridor_of, moves
from parcelgate.domain.trackings import Tracking
from parcelgate.observability.logs import log, safe_error_fields

if TYPE_CHECKING:
    from parcelgate.store.table import Table

_REMEMBERED = timedelta(hours=1)
_AFTER_TROUBLE = timedelta(minutes=1)
_MOST_REMEMBERED = 5_000
"""Corridors. One takes a few kilobytes."""
_MOST_SAVED = 200
"""Corridors that one invocation writes at most, for it has little time left: the busiest ones."""
_WELL_KNOWN = 2_000
"""Moves. A corridor of which so many were seen learns from one parcel in `_SAMPLE` alone."""
_SAMPLE = 8


class _Learned:
    """What was counted since it was last saved: of all parcels, and of those in the sample."""

    def __init__(self) -> None:
        self.all: Counter[str] = Counter()
        self.sample: Counter[str] = Counter()


class HabitBook:
    """What one process knows of the corridors, and what it has learned since it last saved."""

    def __init__(self, table: "Table", *, clock: Clock = now) -> None:
        self._table = table
        self._clock = clock
        self._lock = Lock()
        self._known: dict[tuple[str, Corridor], tuple[datetime, Habit | None]] = {}
        self._learned: defaultdict[tuple[str, Corridor], _Learned] = defaultdict(_Learned)

    def habit_of(self, tracking: Tracking) -> Habit | None:
        """Return the habit of the parcel's corridor; None after its end, and when it cannot be read."""
        corridor = corridor_of(tracking)
        return None if corridor is None else self._habit(tracking.tenant, corridor)

    def learn(self, before: Tracking, after: Tracking) -> None:
        """Learn from the events that are new in `after`. That is kept in memory until `save`."""
        is_sampled = crc32(after.id.encode()) % _SAMPLE == 0
        # A carrier may date an event to the end of time.
        with suppress(OverflowError):
            for move in moves(before, after):
                with self._lock:
                    if len(self._learned) < _MOST_REMEMBERED:
                        learned = self._learned[after.tenant, move.corridor]
                        learned.all.update(move.counters)
                        learned.sample.update(move.counters if is_sampled else ())

    def save(self) -> None:
        """Add what was learned to the store. What cannot be stored is lost, which is logged."""
        with self._lock:
            learned, self._learned = self._learned, defaultdict(_Learned)
        today = self._clock().date()
        busiest = sorted(learned.items(), key=lambda each: each[1].all.total(), reverse=True)
        for (tenant, corridor), seen in busiest[:_MOST_SAVED]:
            habit = self._habit(tenant, corridor)
            counters = seen.all if habit is None or habit.moves < _WELL_KNOWN else seen.sample
            if not counters:
                continue
            try:
                self._table.tenant(tenant).habits.add(corridor, counters, today)
            except Exception as error:
                log.warning("moves of parcels are not learned from", extra=safe_error_fields(error))

    def _habit(self, tenant: str, corridor: Corridor) -> Habit | None:
        at = self._clock()
        until, habit = self._known.get((tenant, corridor), (at, None))
        if at < until:
            return habit
        try:
            habit, until = self._table.tenant(tenant).habits.read(corridor, at.date()), at + _REMEMBERED
        except Exception as error:
            log.warning("the habits of a corridor cannot be read", extra=safe_error_fields(error))
            habit, until = None, at + _AFTER_TROUBLE
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[tenant, corridor] = until, habit
        return habit

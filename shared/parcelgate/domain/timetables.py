"""Timetables: when a parcel is polled from now on, as long as nothing is heard of it.

The plan follows from the parcel alone, so that its polls can be told long before. A poll without news then
changes nothing: whoever knows the timetable knows the next poll.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple, Self

import msgspec

MOST = 32
"""How many polls a timetable has at most: 11 days at 8 hours each."""
EARLY = 1 / 16
"""A poll may be made early by this part of the time until it is due, so that parcels can wait together."""
_PUNCTUAL = 7 / 8
"""If less than this part of an interval is left to the next poll, the last one was late."""


class Timetable(NamedTuple):
    """The `times` of the next polls, in their order; at least one. It was made at `start`."""

    start: datetime
    times: tuple[datetime, ...]

    @classmethod
    def of(cls, plan: Callable[[datetime], datetime | None], start: datetime) -> Self | None:
        """Make a timetable. `plan` gives the next poll after a poll without news. None: no more polls."""
        times: list[datetime] = []
        at = plan(start)
        while at is not None and len(times) < MOST:
            times.append(_stored(at))
            at = plan(at)
        return cls(_stored(start), tuple(times)) if times else None

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read what `encode` has written."""
        first, *waits = msgspec.json.decode(text, type=list[int])
        moments = [first]
        for wait in waits:
            moments.append(moments[-1] + wait)
        start, *times = (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=each) for each in moments)
        return cls(start, tuple(times))

    def encode(self) -> str:
        """The timetable as a text of about nine characters for each poll."""
        moments = [round(each.timestamp() * 1000) for each in (self.start, *self.times)]
        waits = [later - earlier for earlier, later in pairwise(moments)]
        return msgspec.json.encode([moments[0], *waits]).decode()

    @property
    def first(self) -> datetime:
        """The first poll."""
        return self.times[0]

    def shown(self, now: datetime) -> datetime:
        """The next poll after `now`, for people; the last one if it is over."""
        return next((at for at in self.times if at > now), self.times[-1])

    def is_due(self, now: datetime) -> bool:
        """Whether a poll may be made now."""
        return now >= self.first - (self.first - self.start) * EARLY

    def upcoming(self, now: datetime) -> datetime | None:
        """The first poll that a poll at `now` does not make in its place; None when no such poll is known."""
        found = self._upcoming(now)
        return None if found is None else found[1]

    def after_poll(self, now: datetime) -> datetime | None:
        """The next poll after one at `now`. None if that one was late, or the last: make a new timetable."""
        found = self._upcoming(now)
        if found is None:
            return None
        before, at = found
        return at if at - now >= (at - before) * _PUNCTUAL else None

    def _upcoming(self, now: datetime) -> tuple[datetime, datetime] | None:
        before = self.start
        for at in self.times:
            if at - now > (at - before) * EARLY:
                return before, at
            before = at
        return None


def _stored(moment: datetime) -> datetime:
    """The moment in whole milliseconds, as the store keeps it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

"""A clock that stands still until somebody moves it, with what is to happen at which time."""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count


class FakeClock:
    """The time, and everything scheduled for later. Calling it gives the time."""

    def __init__(self, start: datetime = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)) -> None:
        self.now = start
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass as a sleeping function sees it: nothing else happens meanwhile."""
        self.now += timedelta(seconds=seconds)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Have something happen `seconds` from now."""
        moment = self.now + timedelta(seconds=seconds)
        heapq.heappush(self._agenda, (moment, next(self._order), action))

    def run(self, *, until: Callable[[], bool], hours: float) -> None:
        """Let everything happen at its time, until `until` holds, nothing is left or `hours` are over."""
        end = self.now + timedelta(hours=hours)
        while self._agenda and not until():
            if self._agenda[0][0] > end:
                return  # What comes later stays, for the next run.
            moment, _, action = heapq.heappop(self._agenda)
            self.now = max(self.now, moment)
            action()

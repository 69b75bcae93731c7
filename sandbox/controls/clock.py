"""The sandbox's clock: ordinary time that can be moved forward, and stopped."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime


class Clock:
    """Seconds since the epoch, plus the time that it was advanced, less the time that it was stopped."""

    def __init__(self) -> None:
        self._epoch = time.time() - time.monotonic()
        self._advanced = 0.0
        self._stood = 0.0
        self._stands_from: float | None = None
        """When it stops, by the machine's own count; None while it runs."""
        self._moved = asyncio.Event()

    def time(self) -> float:
        """Give seconds since the epoch, as `time.time` does."""
        # One reading of the machine's count: two would differ, and whoever waits
        # for no time at all would wait until the clock runs again.
        now = time.monotonic()
        counted = now if self._stands_from is None else min(now, self._stands_from)
        return self._epoch + counted + self._advanced - self._stood

    def unstopped(self) -> float:
        """Return the same as if it had never been stopped. Limits that count calls within a second use it."""
        return self._epoch + time.monotonic() + self._advanced

    def now(self) -> datetime:
        """Give the clock's time as an instant in UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    def advance(self, seconds: float) -> None:
        """Move the clock forward and wake everything whose time has come."""
        self._advanced += seconds
        self._wake()

    def run(self, seconds: float | None) -> None:
        """Let the clock run for this many seconds from now and then stop it; None lets it run without end."""
        self._stood += self._standing()
        self._stands_from = None if seconds is None else time.monotonic() + seconds
        self._wake()

    def reset(self) -> None:
        """Go back to ordinary time."""
        self._advanced = self._stood = 0.0
        self._stands_from = None
        self._wake()

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock, advanced or not, shows this many seconds more."""
        until = self.time() + seconds
        while (left := until - self.time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), None if self._standing() else left)

    def _standing(self) -> float:
        """Return how long it has been stopped by now; 0 while it runs."""
        return 0.0 if self._stands_from is None else max(0.0, time.monotonic() - self._stands_from)

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

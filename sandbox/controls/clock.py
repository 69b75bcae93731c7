"""The sandbox's clock: ordinary time that can be moved forward."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime


class Clock:
    """Seconds since the epoch, plus whatever it was advanced by."""

    def __init__(self) -> None:
        self._epoch = time.time() - time.monotonic()
        self._advanced = 0.0
        self._moved = asyncio.Event()

    def time(self) -> float:
        """Give seconds since the epoch, as `time.time` does."""
        return self._epoch + time.monotonic() + self._advanced

    def now(self) -> datetime:
        """Give the same as an instant in UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    def advance(self, seconds: float) -> None:
        """Move the clock forward and wake everybody whose time has come."""
        self._advanced += seconds
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def reset(self) -> None:
        """Go back to ordinary time."""
        self._advanced = 0.0

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock, advanced or not, shows so many seconds more."""
        until = self.time() + seconds
        while (left := until - self.time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), left)

"""Lines of work, one for each carrier account, and the threads that process the lines.

So a slow carrier delays only its own parcels, and no more threads call an account than its limits can use.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition

from parcelgate.observability.logs import log, safe_error_fields

LONGEST = 1500
"""How many items may wait in one line. More are not taken."""
MOST = 10_000
"""How many items may wait in all lines."""
STALE = 10
"""After so many rounds without items for a line, nobody waits for that line any more."""
_LOOK_SECONDS = 0.5
"""How often a thread that waits for room checks whether it still may."""


class _Line[T]:
    def __init__(self, batch_size: int, threads: int) -> None:
        self.batch_size = batch_size
        self.most_threads = threads
        self.waiting: deque[T] = deque()
        self.threads = 0
        self.closed = False
        self.last_fed = 0
        """The round that last brought something."""

    def batch(self) -> list[T]:
        return [self.waiting.popleft() for _ in range(min(self.batch_size, len(self.waiting)))]

    @property
    def needs_more(self) -> bool:
        """Whether its threads will soon have nothing to do."""
        return not self.closed and len(self.waiting) < 2 * self.batch_size * self.most_threads

    @property
    def needs_thread(self) -> bool:
        return self.threads < min(self.most_threads, math.ceil(len(self.waiting) / self.batch_size))


class Lines[K, T]:
    """Lines of things to be done, one for each owner.

    Parameters
    ----------
    work
        Processes some items of one line together. True: go on. False: close the line, and drop what waits in
        it. Called by several threads at once.
    threads
        How many threads. With one there is no concurrency: `start` does all the work itself.
    """

    def __init__(self, work: Callable[[K, list[T]], bool], *, threads: int) -> None:
        self._work = work
        self._lines: dict[K, _Line[T]] = {}
        self._changed = Condition()
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._round = 0

    def close(self) -> None:
        """Wait until everything is done."""
        if self._pool is not None:
            self._pool.shutdown()

    def add(self, owner: K, items: Sequence[T], *, batch_size: int, threads: int) -> int:
        """Put items into a line, as many as it has room for. Returns how many were not taken.

        `batch_size` items are processed at once, by at most `threads` threads. A closed line takes none and
        returns 0: there is no need to try these again soon.
        """
        with self._changed:
            line = self._lines.setdefault(owner, _Line(batch_size, threads))
            if line.closed:
                return 0
            taken = items[: max(LONGEST - len(line.waiting), 0)]
            line.waiting.extend(taken)
            line.last_fed = self._round
            return len(items) - len(taken)

    def start(self) -> None:
        """Start the threads that the lines need, and begin the next round."""
        with self._changed:
            self._round += 1
            lines = [*self._lines.items()]
        for owner, line in lines:
            if self._pool is None:
                self._work_off(owner, line)
                continue
            with self._changed:
                while line.needs_thread:
                    line.threads += 1
                    self._pool.submit(self._run_thread, owner, line)

    def wait(self, may: Callable[[], bool]) -> bool:
        """Wait, as long as one `may`, until more items are needed. Returns whether one still may.

        Items are needed when a line that lately got some will soon be empty. Other lines may be full, and
        take nothing. If no such line exists, wait until no items wait at all.
        """
        with self._changed:
            while not self._has_use_for_more():
                if not may():
                    return False
                self._changed.wait(_LOOK_SECONDS)
        return may()

    def finish(self, meanwhile: Callable[[], None]) -> None:
        """Wait until no thread is at work any more, and do something `meanwhile`, again and again."""
        is_busy = True
        while is_busy:
            with self._changed:
                is_busy = any(line.threads for line in self._lines.values())
                if is_busy:
                    self._changed.wait(_LOOK_SECONDS)
            meanwhile()

    def _has_use_for_more(self) -> bool:
        waiting = sum(len(line.waiting) for line in self._lines.values())
        fresh = (line for line in self._lines.values() if self._round - line.last_fed <= STALE)
        return waiting == 0 or (waiting < MOST and any(line.needs_more for line in fresh))

    def _run_thread(self, owner: K, line: _Line[T]) -> None:
        goes_on = True
        while goes_on:
            goes_on = False
            try:
                self._work_off(owner, line)
                goes_on = True
            except Exception as error:
                log.error("a thread of a line of polls ended unexpectedly", extra=safe_error_fields(error))
            finally:
                with self._changed:
                    # Items may have come since it found none, and nobody starts a thread while it counts.
                    goes_on = goes_on and bool(line.waiting)
                    if not goes_on:
                        line.threads -= 1
                        self._changed.notify_all()

    def _work_off(self, owner: K, line: _Line[T]) -> None:
        while True:
            with self._changed:
                batch = line.batch()
                self._changed.notify_all()
            if not batch:
                return
            if not self._work(owner, batch):
                with self._changed:
                    line.closed = True
                    line.waiting.clear()

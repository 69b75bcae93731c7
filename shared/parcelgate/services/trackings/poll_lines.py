"""Work that waits in lines, one for each carrier account, and the threads that work the lines off.

So a slow carrier keeps nobody waiting but its own parcels, and an account is called by no more threads than
its limits have use for.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition

from parcelgate.observability.logs import log, safe_error_fields

LONGEST = 1500
"""What waits in one line at most; more is not taken, and stays where it came from."""
MOST = 10_000
"""What waits in all lines at most."""
STALE = 10
"""A line that none of so many rounds brought anything for is not waited for."""
_LOOK_SECONDS = 0.5
"""How often whoever waits for room looks whether it still may."""


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
        """Whether its threads will soon be out of work."""
        return not self.closed and len(self.waiting) < 2 * self.batch_size * self.most_threads

    @property
    def needs_thread(self) -> bool:
        return self.threads < min(self.most_threads, math.ceil(len(self.waiting) / self.batch_size))


class Lines[K, T]:
    """Lines of things to be done, one for each owner.

    Parameters
    ----------
    work
        Does some things of one line together. True: go on; False: close the line, what waits in it is not
        to be done now. Called by several threads at once.
    threads
        How many. With one nothing runs beside anything else: `start` does all that is to be done.
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
        """Put items into a line, as many as it has room for; how many were not taken.

        `batch_size` are done at once, by `threads` threads at most. A closed line takes none, and counts none
        as not taken: nobody need come again for them soon.
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
        """See to it that every line has its threads, and begin the next round of bringing."""
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
        """Wait until there is use for more things, as long as one `may`; whether one still may.

        There is use for them when a line needs more that has lately been brought something: others may be
        full, and what is brought for those is not taken. Where none is, it is waited until nothing waits.
        """
        with self._changed:
            while not self._has_use_for_more():
                if not may():
                    return False
                self._changed.wait(_LOOK_SECONDS)
        return may()

    def _has_use_for_more(self) -> bool:
        waiting = sum(len(line.waiting) for line in self._lines.values())
        fresh = (line for line in self._lines.values() if self._round - line.last_fed <= STALE)
        return waiting == 0 or (waiting < MOST and any(line.needs_more for line in fresh))

    def _run_thread(self, owner: K, line: _Line[T]) -> None:
        try:
            self._work_off(owner, line)
        except Exception as error:
            log.error("a thread of a line of polls ended unexpectedly", extra=safe_error_fields(error))
        finally:
            with self._changed:
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

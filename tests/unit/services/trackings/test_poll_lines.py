"""Lines: one account's parcels keep nobody else's waiting."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Barrier, Event, Lock
from typing import Any

import pytest

from parcelgate.services.trackings import poll_lines
from parcelgate.services.trackings.poll_lines import Lines

PATIENCE = 10.0
"""Seconds after which a test that should have gone on has failed."""


def yes() -> bool:
    return True


class Work:
    """What was done, in order; a line named in `shut` closes at its first batch."""

    def __init__(self) -> None:
        self.done: list[tuple[str, list[int]]] = []
        self.shut: set[str] = set()
        self.gate = Event()
        self.held: set[str] = set()
        self.began = Event()
        self._lock = Lock()

    def __call__(self, whose: str, batch: list[int]) -> bool:
        if whose in self.held:
            self.began.set()
            assert self.gate.wait(PATIENCE)
        with self._lock:
            self.done.append((whose, batch))
        return whose not in self.shut

    def of(self, whose: str) -> list[list[int]]:
        return [batch for each, batch in self.done if each == whose]


@pytest.fixture
def work() -> Work:
    return Work()


@contextmanager
def lines(work: Work, threads: int) -> Iterator[Lines[str, int]]:
    made = Lines(work, threads=threads)
    try:
        yield made
    finally:
        work.gate.set()
        made.close()


@pytest.mark.parametrize("threads", [1, 4])
def test_everything_is_done_in_batches_and_in_order(work: Work, threads: int) -> None:
    with lines(work, threads) as made:
        made.add("a", [1, 2, 3, 4, 5], batch_size=2, threads=1)
        made.add("b", [6], batch_size=2, threads=1)
        made.start()
    assert work.of("a") == [[1, 2], [3, 4], [5]]
    assert work.of("b") == [[6]]


def test_a_slow_line_keeps_no_other_waiting(work: Work) -> None:
    work.held = {"slow"}
    with lines(work, 2) as made:
        made.add("slow", [*range(10)], batch_size=1, threads=1)
        made.start()
        assert work.began.wait(PATIENCE)
        for number in range(20):
            made.add("fast", [number], batch_size=1, threads=1)
            made.start()
            assert made.wait(yes)
        assert work.of("slow") == []
    assert len(work.of("fast")) == 20
    assert len(work.of("slow")) == 10


def test_nobody_waits_for_a_line_that_nothing_comes_for_any_more(work: Work) -> None:
    """Else all that is due of the slow one would be read, for nothing, in search of the other's."""
    work.held = {"slow"}
    with lines(work, 2) as made:
        made.add("fast", [1], batch_size=1, threads=1)
        made.add("slow", [*range(10)], batch_size=1, threads=1)
        for number in range(poll_lines.STALE):
            made.start()
            assert made.wait(yes), number
        made.start()
        assert not made.wait(lambda: False), "the other is stale, the slow one has enough"
        made.add("fast", [2], batch_size=1, threads=1)
        assert made.wait(yes)


def test_too_much_is_never_brought(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_lines, "MOST", 5)
    work.held = {"a", "b"}
    with lines(work, 2) as made:
        made.add("a", [*range(6)], batch_size=1, threads=1)
        made.add("b", [1], batch_size=1, threads=1)
        made.start()
        assert work.began.wait(PATIENCE)
        assert not made.wait(lambda: False)


def test_a_line_has_as_many_threads_as_it_may_and_no_more() -> None:
    together = Barrier(3)
    running: list[str] = []
    most = []

    def work(whose: str, batch: list[int]) -> bool:
        running.append(whose)
        most.append(len(running))
        together.wait(PATIENCE)
        running.pop()
        return True

    made = Lines(work, threads=8)
    made.add("a", [*range(9)], batch_size=1, threads=3)
    made.start()
    made.close()
    assert max(most) == 3


def test_a_closed_line_takes_nothing_and_drops_what_waits(work: Work) -> None:
    work.shut = {"a"}
    with lines(work, 1) as made:
        assert made.add("a", [1, 2, 3], batch_size=1, threads=1) == 0
        made.start()
        assert made.add("a", [4, 5], batch_size=1, threads=1) == 0
        made.add("b", [6], batch_size=1, threads=1)
        made.start()
    assert work.done == [("a", [1]), ("b", [6])]


def test_a_full_line_says_how_many_it_did_not_take(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_lines, "LONGEST", 3)
    with lines(work, 1) as made:
        assert made.add("a", [1, 2], batch_size=1, threads=1) == 0
        assert made.add("a", [3, 4, 5], batch_size=1, threads=1) == 2
        made.start()
    assert [number for batch in work.of("a") for number in batch] == [1, 2, 3]


def test_who_waits_may_give_up(work: Work) -> None:
    work.held = {"a"}
    with lines(work, 2) as made:
        made.add("a", [1, 2, 3, 4], batch_size=1, threads=1)
        made.start()
        assert work.began.wait(PATIENCE)
        assert not made.wait(lambda: False)
        work.gate.set()
        assert made.wait(yes)


def test_work_that_breaks_off_is_taken_up_by_the_next(work: Work) -> None:
    broken = [True]

    def breaks(whose: str, batch: list[int]) -> bool:
        if broken and broken.pop():
            raise ZeroDivisionError
        return work(whose, batch)

    made = Lines(breaks, threads=2)
    made.add("a", [1, 2], batch_size=1, threads=1)
    made.start()
    assert made.wait(yes)
    made.add("a", [3], batch_size=1, threads=1)
    while work.of("a") != [[2], [3]]:
        made.start()
    made.close()


def test_what_comes_while_a_thread_is_about_to_end_is_done_too() -> None:
    done: list[int] = []
    found_nothing, may_end = Event(), Event()

    class Lingering(Lines[str, int]):
        def _work_off(self, owner: str, line: Any) -> None:
            super()._work_off(owner, line)
            found_nothing.set()
            assert may_end.wait(PATIENCE)

    lines = Lingering(lambda _, items: (done.extend(items), True)[1], threads=2)
    lines.add("a", [1], batch_size=1, threads=1)
    lines.start()
    assert found_nothing.wait(PATIENCE)
    lines.add("a", [2], batch_size=1, threads=1)
    lines.start()
    may_end.set()
    lines.close()
    assert done == [1, 2]


def test_something_can_be_done_until_all_threads_are_ready(work: Work) -> None:
    work.held = {"a"}
    looks: list[int] = []

    def look() -> None:
        looks.append(len(work.done))
        if len(looks) == 2:
            work.gate.set()

    with lines(work, threads=2) as made:
        made.add("a", [1, 2], batch_size=1, threads=1)
        made.start()
        made.finish(look)
        assert work.of("a") == [[1], [2]]
    assert looks[0] == 0
    assert looks[-1] == 2

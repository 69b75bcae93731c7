"""The same with several things at once: what comes of each, and what of a failure."""

from threading import Barrier, current_thread

import pytest

from parcelgate.services.side_by_side import side_by_side


def test_what_came_of_each_stands_in_the_order_of_the_things() -> None:
    met = Barrier(3)

    def work(thing: int) -> int:
        met.wait(timeout=20)
        return thing * 2

    assert side_by_side(work, [3, 1, 2], workers=3) == [6, 2, 4]


@pytest.mark.parametrize(("things", "workers"), [([1, 2], 1), ([1], 8), ([], 8)])
def test_one_worker_or_one_thing_takes_no_thread(things: list[int], workers: int) -> None:
    threads = side_by_side(lambda _: current_thread(), things, workers=workers)
    assert threads == [current_thread()] * len(things)


@pytest.mark.parametrize("workers", [1, 4])
def test_an_error_is_raised_and_does_not_get_lost(workers: int) -> None:
    def work(thing: int) -> int:
        if thing == 2:
            raise ValueError("two")
        return thing

    with pytest.raises(ValueError, match="two"):
        side_by_side(work, range(50), workers=workers)

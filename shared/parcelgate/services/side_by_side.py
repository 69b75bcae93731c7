"""Doing the same with several things at once, where most of the time is waiting for AWS."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

WORKERS = 8
"""How many threads, where nothing speaks for another number."""


def side_by_side[T, R](work: Callable[[T], R], things: Collection[T], *, workers: int) -> list[R]:
    """Do `work` with each of `things`, in up to `workers` threads; what came of each, in their order.

    Raises the first error of `work`, in the order of the things, when what has begun is over; what has not is
    not begun any more. One worker, or one thing, takes no thread.
    """
    if workers == 1 or len(things) < 2:
        return [work(thing) for thing in things]
    with ThreadPoolExecutor(workers) as pool:
        return [*pool.map(work, things)]

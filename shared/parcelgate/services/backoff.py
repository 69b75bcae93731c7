"""How long to wait before the next attempt: exponential, with full jitter."""

from datetime import timedelta


def backoff(attempt: int, *, first: timedelta, cap: timedelta, roll: float) -> timedelta:
    """The pause after the `attempt`-th failure (1 is the first), by chance anywhere up to its limit.

    The limit begins with `first`, doubles each time and ends at `cap`; `roll` is a number of [0, 1).
    Full jitter keeps callers that failed together from coming back together.

    >>> backoff(3, first=timedelta(seconds=2), cap=timedelta(seconds=60), roll=0.5).total_seconds()
    4.0
    """
    doublings = min(attempt - 1, 24)  # many months: later than any cap, and no overflow
    limit = min(first * (1 << doublings), cap)
    return limit * roll

"""Limits how often an account may call."""

from collections import defaultdict, deque

_JITTER = 0.1
"""The seconds by which two calls may arrive closer together than they were sent."""


class Limits:
    """Counts calls within a second, per account and kind of call."""

    def __init__(self) -> None:
        self._made: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def allows(self, account: str, call: str, a_second: int, now: float) -> bool:
        """Return whether this call is within its limit, and count it if it is."""
        made = self._made[account, call]
        while made and now - made[0] >= 1 - _JITTER:
            made.popleft()
        if len(made) >= a_second:
            return False
        made.append(now)
        return True

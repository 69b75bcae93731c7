"""The time that is left: one type, from the invocation down to a single call of a carrier."""

import time
from collections.abc import Callable
from typing import Protocol, Self

import msgspec


class Invocation(Protocol):
    """The part of Lambda's context object that is used here."""

    def get_remaining_time_in_millis(self) -> int:
        """How long the invocation may still run."""
        ...


class Deadline(msgspec.Struct, frozen=True):
    """The moment by which work must be over.

    >>> deadline = Deadline.after(60)
    >>> 9 < deadline.minus(5).within(10).remaining() <= 10
    True
    >>> deadline.minus(60).passed
    True

    Parameters
    ----------
    remaining
        Gives the seconds left, whenever it is asked; less than 0 once the deadline has passed.
    """

    remaining: Callable[[], float]

    @classmethod
    def of(cls, invocation: Invocation) -> Self:
        """The end of a function's invocation."""
        return cls(lambda: invocation.get_remaining_time_in_millis() / 1000)

    @classmethod
    def after(cls, seconds: float) -> Self:
        """The moment `seconds` from now."""
        ends = time.monotonic() + seconds
        return cls(lambda: ends - time.monotonic())

    def minus(self, seconds: float) -> "Deadline":
        """The moment `seconds` earlier, so that there is time to store a carrier's answer."""
        return Deadline(lambda: self.remaining() - seconds)

    def within(self, seconds: float) -> "Deadline":
        """The moment `seconds` from now, or this one where it is earlier."""
        other = Deadline.after(seconds)
        return Deadline(lambda: min(self.remaining(), other.remaining()))

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining() <= 0

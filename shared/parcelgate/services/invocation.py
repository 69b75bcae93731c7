"""What a function may ask of its invocation."""

from collections.abc import Callable
from typing import Protocol


class Context(Protocol):
    """The part of Lambda's context object that is used here."""

    def get_remaining_time_in_millis(self) -> int:
        """How long the invocation may still run."""
        ...


def time_left(context: Context) -> Callable[[], float]:
    """What is left of the invocation, in seconds, whenever it is asked."""
    return lambda: context.get_remaining_time_in_millis() / 1000

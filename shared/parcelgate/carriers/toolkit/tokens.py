"""The interface of the store that keeps a carrier's access token between calls."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class TokenVault(Protocol):
    """One carrier account's access token, shared by every environment that works for the account.

    The store implements it with one encrypted item and a lease, so that many environments which see
    a token refused at the same time ask the carrier for a new one only once.
    """

    def get(self, now: datetime) -> str | None:
        """Return the token; None when there is none or when, at `now`, 90 % of its life are over."""
        ...

    def renew(self, refused: str | None, fetch: Callable[[], tuple[str, float]]) -> str:
        """Return a token that is not `refused` (None: there was none that could be used).

        If somebody else has renewed it meanwhile, theirs is returned and `fetch` is not called.
        `fetch` asks the carrier and returns the new token and its whole life in seconds. An error of `fetch`
        is passed on, and the next caller may try.
        """
        ...

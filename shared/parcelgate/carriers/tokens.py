"""What an adapter asks of the place where a carrier's access token is kept between calls."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class TokenVault(Protocol):
    """One carrier account's access token, shared by every environment that works for the account.

    The store implements it with one encrypted item and a lease, so that many environments which see
    a token refused at the same time ask the carrier for a new one only once.
    """

    def get(self, now: datetime) -> str | None:
        """The token, or None when there is none or the one there has outlived its use at `now`."""
        ...

    def renew(self, refused: str | None, fetch: Callable[[], tuple[str, float]]) -> str:
        """A token that is not `refused` (None: there was none to be used).

        Somebody else may have renewed it meanwhile: then theirs is returned and `fetch` is not called.
        `fetch` asks the carrier and returns the new token and the seconds for which it may be used,
        counted from now; the margin that a carrier wants is taken off already. What `fetch` raises is
        passed on, and the next one may try.
        """
        ...

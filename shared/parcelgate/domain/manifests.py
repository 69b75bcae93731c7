"""A manifest: the orders of one carrier account that were to be closed together, and what became of each."""

from datetime import datetime

import msgspec

from parcelgate.domain.problems import Problem


class ManifestEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One order of a manifest.

    `problem` says why it was not closed. `unknown`: the carrier may have closed it all the same, because its
    answer was lost or has not come yet.
    """

    order_id: str
    problem: Problem | None = None
    unknown: bool = False


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One manifest. Its orders are in the sequence in which the client named them.

    `answered` is False until the carrier's answer was stored.
    """

    id: str
    carrier: str
    account: str
    entries: tuple[ManifestEntry, ...]
    created_at: datetime
    answered: bool = False

    def entry(self, order_id: str) -> ManifestEntry | None:
        """What became of one order; None if it is not in the manifest."""
        return next((entry for entry in self.entries if entry.order_id == order_id), None)

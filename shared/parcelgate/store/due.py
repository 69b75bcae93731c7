"""The due index: orders, batches and webhooks whose deadline is over, and parcels to ask about."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from parcelgate.store import keys
from parcelgate.store.calls import Items, TypedItem

type Kind = Literal["ORDER", "INBOX", "BATCH"]


class DueRef(NamedTuple):
    """One overdue item: its tenant, and the id of the order, the batch or the inbox entry."""

    tenant: str
    id: str


class PollRef(NamedTuple):
    """One parcel to be asked about. `planned`: it has a POLL item already."""

    tenant: str
    id: str
    planned: bool


class DueIndex:
    """The sparse index of all items that have a deadline or a next poll."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def due(self, kind: Kind, before: datetime, limit: int = 100) -> list[DueRef]:
        """At most `limit` items whose time was `before` or earlier, the longest overdue first.

        The index may be a moment behind: read the item before acting on it. An item that gets no new time
        is in the next call's answer again, before all younger ones.
        """
        return next(self.pages(kind, before, limit), [])[:limit]

    def pages(self, kind: Kind, before: datetime, size: int = 100) -> Iterator[list[DueRef]]:
        """All items whose time was `before` or earlier, in pages of up to `size` from each shard.

        Each page is read when it is needed. No item comes twice, even if it was changed meanwhile.
        """
        for page in self._pages([keys.due(kind, shard) for shard in range(keys.SHARDS)], before, size):
            yield [DueRef(name.tenant, name.id) for name, _ in page]

    def polls(self, worker: int, workers: int, before: datetime, size: int = 100) -> Iterator[list[PollRef]]:
        """The parcels that one of several workers is to ask about by `before`; pages as in `pages`.

        The workers' shares do not overlap. Together they have all parcels.
        """
        shards = range(worker, keys.POLL_SHARDS, workers)
        for page in self._pages([keys.due(keys.POLL, shard) for shard in shards], before, size):
            yield [PollRef(name.tenant, name.id, sk == keys.POLL) for name, sk in page]

    def _pages(
        self, partitions: Iterable[str], before: datetime, size: int
    ) -> Iterator[list[tuple[keys.ItemName, str]]]:
        starts: dict[str, TypedItem | None] = dict.fromkeys(partitions)
        while starts:
            overdue: list[tuple[str, str, str]] = []
            for partition, start in [*starts.items()]:
                items, then = self._items.query_page(
                    "due_pk = :shard AND due_at <= :before",
                    index="due",
                    start=start,
                    limit=size,
                    shard=partition,
                    before=before,
                )
                overdue += [(item["due_at"], item["pk"], item["sk"]) for item in items]
                starts[partition] = then
                if then is None:
                    del starts[partition]
            page = [(name, sk) for _, pk, sk in sorted(overdue) if (name := keys.parse(pk)) is not None]
            if page:
                yield page

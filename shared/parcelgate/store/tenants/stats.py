"""Stores a tenant's figures: a row for each day, carrier and service, with whole numbers by name.

What an order, a parcel or a webhook adds to its row stands beside it, in an item `COUNTED` with the version
that it was made from. One transaction writes this item and the difference to the row, over the item that was
read. So a change that is seen twice, or after a later one, counts once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from itertools import batched
from typing import NamedTuple

from parcelgate.store import keys
from parcelgate.store.calls import MOST_WRITES, NEW, CollisionError, Item, Items, Write
from parcelgate.store.errors import StoreError, VersionConflictError

_KIND = "STATS"
_COUNTED = "COUNTED"
_KEY = ("pk", "sk")
_TOGETHER = MOST_WRITES // 3
"""Things of one transaction: each has a write, and up to two rows of its own, if it moves between them."""
_ATTEMPTS = 5
"""How often things are read again that others count at the same time."""


class StatsRow(NamedTuple):
    """The figures of one day, carrier and service; `service` is None for what names none."""

    day: date
    carrier: str
    service: str | None
    figures: Mapping[str, int]


class Countable(NamedTuple):
    """What one thing adds to a row since its `version`. `pk` is the key of its items.

    `expires_at` (seconds since the epoch) is when it can certainly not be seen again.
    """

    pk: str
    version: int
    adds: StatsRow
    expires_at: int | None = None


class Stats:
    """The figures of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant
        self._pk = keys.key(tenant, _KIND)

    def rows(self, first: date, last: date) -> Iterator[StatsRow]:
        """Return the rows of these days, both included, by day, carrier and service. Raises StoreError."""
        rows = self._items.query(
            "pk = :pk AND sk BETWEEN :low AND :high", pk=self._pk, low=f"{first}#", high=f"{last}#~"
        )
        for item in rows:
            day, carrier, service = item["sk"].split("#", 2)
            figures = {name: value for name, value in item.items() if name not in _KEY}
            yield StatsRow(date.fromisoformat(day), carrier, service or None, figures)

    def count(self, things: Sequence[Countable]) -> None:
        """Count what these things add now, in place of what they added before.

        A thing whose version, or a later one, is counted already adds nothing. Raises StoreError; what was
        counted by then stays counted, and the call may be repeated.
        """
        latest: dict[str, Countable] = {}
        for thing in sorted(things, key=lambda thing: thing.version):
            if not thing.pk.startswith(keys.tenant_prefix(self._tenant)):
                raise ValueError("another tenant's thing was given to this tenant's figures")
            latest[thing.pk] = thing
        for together in batched(latest.values(), _TOGETHER, strict=False):
            self._count(together)

    def add(self, row: StatsRow) -> None:
        """Add to a row what belongs to no stored thing. Raises StoreError; then it may be counted or not."""
        self._items.commit(self._row_writes({_place(row): Counter(row.figures)}))

    def _count(self, things: Sequence[Countable]) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            writes = self._writes(things)
            if not writes:
                return
            with suppress(*(() if attempt == _ATTEMPTS else (VersionConflictError,))):
                self._items.commit(writes)
                return

    def _writes(self, things: Sequence[Countable]) -> list[Write]:
        read = self._items.get_many([_counted_key(thing.pk) for thing in things])
        counted = {item["pk"]: item for item in read}
        rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
        writes = []
        for thing in things:
            before = counted.get(thing.pk)
            if before is not None and before["version"] >= thing.version:
                continue
            place = _place(thing.adds)
            rows[place].update(thing.adds.figures)
            item = _counted_key(thing.pk) | {
                "version": thing.version,
                "row": place,
                "figures": dict(thing.adds.figures),
                "expires_at": thing.expires_at,
            }
            conflict = VersionConflictError("others count the same thing")
            if before is None:
                writes.append(self._items.put_write(item, conflict, NEW))
            else:
                rows[before["row"]].subtract(before["figures"])
                was = before["version"]
                writes.append(self._items.put_write(item, conflict, "version = :was", was=was))
        return writes + self._row_writes(rows)

    def _row_writes(self, rows: Mapping[str, Counter[str]]) -> list[Write]:
        changed = {
            place: {name: number for name, number in figures.items() if number}
            for place, figures in rows.items()
        }
        collision: StoreError = CollisionError("others count in the same row")
        return [
            self._items.add_write({"pk": self._pk, "sk": place}, adds, collision)
            for place, adds in changed.items()
            if adds
        ]


def _counted_key(pk: str) -> Item:
    return {"pk": pk, "sk": _COUNTED}


def _place(row: StatsRow) -> str:
    return f"{row.day}#{row.carrier}#{row.service or ''}"

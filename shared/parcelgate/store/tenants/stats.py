"""Stores a tenant's figures: a row for each day, carrier and service, with whole numbers by name.

What an order, a parcel or a webhook adds to its row stands beside it, in an item `COUNTED` with the version
that it was made from. One transaction writes this item and the difference to the row, over the item that was
read. So a change that is seen twice, or after a later one, counts once.
"""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from parcelgate.store import keys
from parcelgate.store.calls import Items

_KIND = "STATS"
_PLACE = ("pk", "sk")


class StatsRow(NamedTuple):
    """The figures of one day, carrier and service; `service` is None for what names none."""

    day: date
    carrier: str
    service: str | None
    figures: dict[str, int]


class Stats:
    """The figures of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._pk = keys.key(tenant, _KIND)

    def rows(self, first: date, last: date) -> Iterator[StatsRow]:
        """Return the rows of these days, both included, by day, carrier and service. Raises StoreError."""
        rows = self._items.query(
            "pk = :pk AND sk BETWEEN :low AND :high", pk=self._pk, low=f"{first}#", high=f"{last}#~"
        )
        for item in rows:
            day, carrier, service = item["sk"].split("#", 2)
            figures = {name: value for name, value in item.items() if name not in _PLACE}
            yield StatsRow(date.fromisoformat(day), carrier, service or None, figures)

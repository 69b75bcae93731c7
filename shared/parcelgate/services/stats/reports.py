"""Reports: the figures of some days, added up by day, carrier and service."""

from collections import Counter
from collections.abc import Collection
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from parcelgate.store.table import Table

MOST_DAYS = 366
"""The longest span of one report, both ends included."""


class Dimension(StrEnum):
    """What figures can be told apart by."""

    DAY = "day"
    CARRIER = "carrier"
    SERVICE = "service"


class Group(NamedTuple):
    """What figures belong to; None for what they are not told apart by, and for orders without a service."""

    day: date | None
    carrier: str | None
    service: str | None


class Report(NamedTuple):
    """The figures of all days together, and those of each group, sorted by day, carrier and service."""

    total: Counter[str]
    groups: dict[Group, Counter[str]]


class StatsReader(msgspec.Struct, frozen=True):
    """Reads the figures of a tenant."""

    table: "Table"

    def report(self, tenant: str, first: date, last: date, by: Collection[Dimension]) -> Report:
        """Add up the figures from `first` to `last`. Groups in which nothing happened are left out.

        Raises StoreError.
        """
        total: Counter[str] = Counter()
        groups: dict[Group, Counter[str]] = {}
        for row in self.table.tenant(tenant).stats.rows(first, last):
            total.update(row.figures)
            if by:
                group = Group(
                    row.day if Dimension.DAY in by else None,
                    row.carrier if Dimension.CARRIER in by else None,
                    row.service if Dimension.SERVICE in by else None,
                )
                groups.setdefault(group, Counter()).update(row.figures)
        used = (group for group, figures in groups.items() if any(figures.values()))
        return Report(total, {group: groups[group] for group in sorted(used, key=_place)})


def _place(group: Group) -> tuple[str, str, str]:
    return str(group.day or ""), group.carrier or "", group.service or ""

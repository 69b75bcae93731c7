"""Counts what the table's stream shows: each order, parcel and webhook, in its present state, once."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from parcelgate.domain.orders import Order
from parcelgate.domain.trackings import Tracking
from parcelgate.services.stats import figures
from parcelgate.store.tenants.stats import Countable, StatsRow

if TYPE_CHECKING:
    from parcelgate.store.table import Table


class Seen(NamedTuple):
    """One change of the table that changes figures: of an order, a parcel, or a row that a webhook adds to.

    `pk` is the key of the thing's items, `version` that of the thing since the change.
    """

    sequence: str
    tenant: str
    pk: str
    version: int
    subject: Order | Tracking | StatsRow
    expires_at: int | None = None


class StatsCounter(msgspec.Struct, frozen=True):
    """Counts changes. They may come in any sequence and as often as they like."""

    table: "Table"

    def count(self, tenant: str, changes: Sequence[Seen]) -> None:
        """Count changes of things of one tenant. Raises StoreError; the call may be repeated."""
        own = self.table.tenant(tenant)
        parcels = [seen.subject for seen in changes if isinstance(seen.subject, Tracking)]
        order_ids = {parcel.order_id for parcel in parcels if parcel.order_id is not None}
        orders = {order.id: order for order in own.orders.many([*order_ids])} if order_ids else {}
        own.stats.count(
            [Countable(seen.pk, seen.version, _adds(seen, orders), seen.expires_at) for seen in changes]
        )


def by_tenant(changes: Sequence[Seen]) -> dict[str, list[Seen]]:
    """The changes of each tenant."""
    tenants: defaultdict[str, list[Seen]] = defaultdict(list)
    for seen in changes:
        tenants[seen.tenant].append(seen)
    return tenants


def _adds(seen: Seen, orders: dict[str, Order]) -> StatsRow:
    match seen.subject:
        case Order() as order:
            return figures.of_order(order)
        case Tracking() as tracking:
            return figures.of_tracking(tracking, orders.get(tracking.order_id or ""))
        case row:
            return row

"""The statuses of orders' parcels, read from their trackings whenever orders are shown.

An order is not written again when one of its parcels moves, so it does not hold these statuses.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from parcelgate.domain.orders import Order
from parcelgate.domain.trackings import TrackingStatus

if TYPE_CHECKING:
    from parcelgate.store.table import TenantTable


def statuses(table: "TenantTable", orders: Iterable[Order]) -> dict[str, TrackingStatus]:
    """The statuses of all parcels of `orders`, by tracking id: one call of the store for a hundred."""
    ids = [parcel.tracking_id for order in orders for parcel in order.parcels if parcel.tracking_id]
    return table.trackings.statuses(ids) if ids else {}

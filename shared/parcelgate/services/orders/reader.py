"""Reading orders: one, many, what happened to one, and those of a manifest."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain.manifests import Manifest, ManifestEntry
from parcelgate.domain.orders import Order, OrderEvent, OrderStatus
from parcelgate.domain.trackings import TrackingStatus
from parcelgate.observability.logs import bind_log_keys
from parcelgate.services.orders.problems import closing_unknown
from parcelgate.services.trackings import delivery_status
from parcelgate.services.trackings.tracking_reader import Planned, TrackingReader
from parcelgate.store.lists import Page

if TYPE_CHECKING:
    from parcelgate.store.table import Table


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders a list has. Times are exclusive bounds."""

    status: OrderStatus | None = None
    carrier: str | None = None
    account: str | None = None
    reference: str | None = None
    tracking_number: str | None = None
    carrier_order_number: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class OrderReader(msgspec.Struct, frozen=True):
    """Reads a tenant's orders. An order of another tenant is not found."""

    table: "Table"

    def order(self, tenant: str, order_id: str) -> tuple[Order, dict[str, TrackingStatus]]:
        """Read one order, and how its parcels stand, by their tracking ids. Raises OrderNotFoundError."""
        order, delivery = self.table.tenant(tenant).orders.with_statuses(order_id)
        bind_log_keys(**order.log_keys)
        return order, delivery

    def page(
        self,
        tenant: str,
        filtered: OrderFilter,
        *,
        limit: int,
        cursor: str | None,
        fits: Callable[[list[Order]], int],
    ) -> Page[Order]:
        """Read one page of a list, newest first. Raises BadCursorError.

        `fits` says how many of the orders can be given out at once: a page of very large orders is cut
        there, and its cursor leads on from that place.
        """
        orders = self.table.tenant(tenant).orders
        filters = msgspec.structs.asdict(filtered)
        page = orders.page(limit=limit, cursor=cursor, **filters)
        most = max(1, fits(page.data))
        return page if most >= len(page.data) else orders.page(limit=most, cursor=cursor, **filters)

    def events(self, tenant: str, order_id: str) -> list[OrderEvent]:
        """Read an order's audit trail, oldest first. Raises OrderNotFoundError."""
        return self.table.tenant(tenant).orders.events(order_id)

    def manifest(self, tenant: str, manifest_id: str) -> Manifest:
        """Read a manifest: which of its orders are closed now, and why the others were not.

        Raises ManifestNotFoundError.
        """
        of_tenant = self.table.tenant(tenant)
        manifest = of_tenant.manifests.get(manifest_id)
        orders = of_tenant.orders.many([entry.order_id for entry in manifest.entries])
        closed = {order.id for order in orders if order.manifest_id is not None}

        def as_it_is(entry: ManifestEntry) -> ManifestEntry:
            if entry.order_id in closed:
                return ManifestEntry(order_id=entry.order_id)
            # Without a problem: the function died after the carrier's answer. Asking again settles it.
            return msgspec.structs.replace(entry, problem=entry.problem or closing_unknown())

        return msgspec.structs.replace(manifest, entries=tuple(map(as_it_is, manifest.entries)))

    def delivery(self, tenant: str, orders: Sequence[Order]) -> dict[str, TrackingStatus]:
        """Read how the parcels of orders stand, by their tracking ids."""
        return delivery_status.statuses(self.table.tenant(tenant), orders)

    def trackings(self, tenant: str, order_id: str) -> list[Planned]:
        """Read the trackings of an order's parcels, in parcel order. Raises OrderNotFoundError."""
        of_tenant = self.table.tenant(tenant)
        parcels = of_tenant.orders.get(order_id).parcels
        trackings = of_tenant.trackings.many(parcel.tracking_id for parcel in parcels if parcel.tracking_id)
        return TrackingReader(self.table).planned(tenant, trackings)

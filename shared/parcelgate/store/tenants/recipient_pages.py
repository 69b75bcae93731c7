"""What a recipient's page is made of, in one read: the tenant's settings, the parcel, its order if named."""

from typing import NamedTuple

import msgspec

from parcelgate.domain.merchants.tenant_settings import TenantSettings
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.trackings import Tracking
from parcelgate.store import keys
from parcelgate.store.calls import Item, Items
from parcelgate.store.tenants.tenant_settings import settings_key
from parcelgate.store.trackings import key as tracking_key


class ShownParcel(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel of an order, as far as a recipient's page needs it."""

    tracking_id: str | None = None


class ShownOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order without anything that says whose it is: the rest of the stored order is not read."""

    carrier: str
    status: OrderStatus
    parcels: tuple[ShownParcel, ...]


class PageContent(NamedTuple):
    """What a page is made of; `order` is None on the page of one parcel."""

    settings: TenantSettings
    order: ShownOrder | None
    trackings: list[Tracking]


_orders = msgspec.json.Decoder(ShownOrder)
_trackings = msgspec.json.Decoder(Tracking)
_settings = msgspec.json.Decoder(TenantSettings)


class RecipientPages:
    """The recipients' pages of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant

    def read(self, order_id: str | None, tracking_id: str | None) -> PageContent | None:
        """Read a page: at once, save that further parcels of an order are a second read.

        Of an order, the parcels that it has now are read, in its sequence. None if the order or the parcel is
        gone, the order has failed, or the tenant has no pages.
        """
        asked = [settings_key(self._tenant)]
        if order_id is not None:
            asked.append({"pk": keys.key(self._tenant, keys.ORDER, order_id), "sk": keys.ORDER})
        if tracking_id is not None:
            asked.append(tracking_key(self._tenant, tracking_id))
        items = {item["sk"]: item for item in self._items.get_many(asked)}
        settings = _settings.decode(items["SETTINGS"]["doc"]) if "SETTINGS" in items else TenantSettings()
        order = _orders.decode(items[keys.ORDER]["doc"]) if keys.ORDER in items else None
        read = _decoded([items[keys.TRACKING]] if keys.TRACKING in items else [])
        if not settings.tracking_page.enabled:
            return None
        if order_id is None:
            return PageContent(settings, None, [*read.values()]) if read else None
        if order is None or order.status is OrderStatus.FAILED:
            return None
        wanted = [each.tracking_id for each in order.parcels if each.tracking_id]
        missing = [tracking_key(self._tenant, each) for each in wanted if each not in read]
        read |= _decoded(self._items.get_many(missing))
        return PageContent(settings, order, [read[each] for each in wanted if each in read])


def _decoded(items: list[Item]) -> dict[str, Tracking]:
    trackings = [_trackings.decode(item["doc"]) for item in items]
    return {tracking.id: tracking for tracking in trackings}

"""A tenant's settings: one item, written and read whole."""

import msgspec

from parcelgate.domain.merchants.tenant_settings import TenantSettings
from parcelgate.store import keys
from parcelgate.store.calls import Item, Items

_SK = "SETTINGS"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(TenantSettings).decode


class SettingsItem:
    """The settings of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._key = settings_key(tenant)

    def get(self) -> TenantSettings:
        """The settings, by their defaults where the tenant has set nothing."""
        item = self._items.get(self._key)
        return TenantSettings() if item is None else _decode(item["doc"])

    def put(self, settings: TenantSettings) -> None:
        """Store the settings in the place of the earlier ones."""
        self._items.put(self._key | {"doc": _encode(settings).decode()}, condition="")


def settings_key(tenant: str) -> Item:
    """Where a tenant's settings are."""
    return {"pk": keys.key(tenant, _SK), "sk": _SK}

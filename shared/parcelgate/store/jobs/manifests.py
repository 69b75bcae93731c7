"""Manifests: one item for each, and beside each of its orders an item that names its last manifest."""

import zlib
from collections.abc import Sequence
from itertools import batched

import msgspec

from parcelgate.domain.manifests import Manifest
from parcelgate.store import keys
from parcelgate.store.calls import MOST_WRITES, Item, Items
from parcelgate.store.errors import ManifestNotFoundError, StoreError

_SK = "MANIFEST"
_CLOSING = "CLOSING"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Manifest).decode


class Manifests:
    """The manifests of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant

    def add(self, manifest: Manifest, to_close: Sequence[str]) -> None:
        """Store a new manifest, and name it beside each order that the carrier is about to close.

        The manifest is written first: an order never names one that is not there.
        """
        never = StoreError("a write without a condition was refused")
        writes = [self._items.put_write(self._item(manifest), never, condition="")]
        for order_id in to_close:
            ends = self._items.until_forgotten(manifest.created_at)
            named = {**self._closing_key(order_id), "manifest_id": manifest.id, **ends}
            writes.append(self._items.put_write(named, never, condition=""))
        for part in batched(writes, MOST_WRITES, strict=False):
            self._items.commit(part)

    def put(self, manifest: Manifest) -> None:
        """Store what became of a manifest's orders."""
        self._items.put(self._item(manifest), condition="")

    def get(self, manifest_id: str) -> Manifest:
        """The manifest. Raises ManifestNotFoundError, also for another tenant's manifest."""
        item = self._items.get(self._key(manifest_id)) if keys.is_id(manifest_id) else None
        if item is None:
            raise ManifestNotFoundError("the tenant has no such manifest")
        return _decode(zlib.decompress(item["doc"]))

    def last_of(self, order_ids: Sequence[str]) -> dict[str, Manifest]:
        """The last manifest that each of the orders was in, by the order's id."""
        named = {
            item["pk"]: item["manifest_id"]
            for item in self._items.get_many([self._closing_key(order_id) for order_id in order_ids])
        }
        manifests = {manifest_id: self.get(manifest_id) for manifest_id in set(named.values())}
        by_order = {order_id: named.get(self._closing_key(order_id)["pk"]) for order_id in order_ids}
        return {order_id: manifests[each] for order_id, each in by_order.items() if each is not None}

    def _item(self, manifest: Manifest) -> Item:
        return {
            **self._key(manifest.id),
            "type": "manifest",
            "doc": zlib.compress(_encode(manifest)),
            **self._items.until_forgotten(manifest.created_at),
        }

    def _key(self, manifest_id: str) -> Item:
        return {"pk": keys.key(self._tenant, _SK, manifest_id), "sk": _SK}

    def _closing_key(self, order_id: str) -> Item:
        return {"pk": keys.key(self._tenant, keys.ORDER, order_id), "sk": _CLOSING}

"""The aggregators' lists of couriers, kept for a day: they are long, and change rarely."""

import zlib
from contextlib import suppress
from datetime import datetime, timedelta

from parcelgate.store import keys
from parcelgate.store.calls import Item, Items, epoch
from parcelgate.store.errors import ItemTooLargeError

KEPT = timedelta(days=1)
_SK = "COURIERS"


class CourierLists:
    """The lists that one tenant's accounts were given, as bytes: what they mean is their reader's."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant

    def get(self, account: str, lang: str, *, now: datetime) -> bytes | None:
        """The list in this language (empty: the aggregator's own choice), unless it is a day old."""
        item = self._items.get(self._key(account, lang))
        return None if item is None or item["expires_at"] <= epoch(now) else zlib.decompress(item["doc"])

    def put(self, account: str, lang: str, couriers: bytes, *, now: datetime) -> None:
        """Keep a list. One that no item can hold is not kept."""
        item = {"doc": zlib.compress(couriers), "expires_at": epoch(now + KEPT)}
        with suppress(ItemTooLargeError):
            self._items.put(self._key(account, lang) | item, condition="")

    def _key(self, account: str, lang: str) -> Item:
        return {"pk": keys.key(self._tenant, _SK, account, lang), "sk": _SK}

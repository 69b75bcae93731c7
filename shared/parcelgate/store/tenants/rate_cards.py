"""Rate cards: one item for each carrier account that has one, written and read whole."""

import zlib

import msgspec

from parcelgate.domain.merchants.rate_cards import RateCard
from parcelgate.store import keys
from parcelgate.store.calls import Item, Items

_SK = "RATE_CARD"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RateCard).decode


class RateCards:
    """The rate cards of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant

    def get(self, carrier: str, account: str) -> RateCard | None:
        """The account's card, if it has one."""
        item = self._items.get(self._key(carrier, account))
        return None if item is None else _decode(zlib.decompress(item["doc"]))

    def put(self, card: RateCard) -> None:
        """Store a card in the place of the account's earlier one."""
        doc = zlib.compress(_encode(card))
        self._items.put(self._key(card.carrier, card.account) | {"doc": doc}, condition="")

    def delete(self, carrier: str, account: str) -> None:
        """Take the account's card away, if it has one."""
        self._items.delete(self._key(carrier, account))

    def _key(self, carrier: str, account: str) -> Item:
        return {"pk": keys.key(self._tenant, _SK, carrier, account), "sk": _SK}

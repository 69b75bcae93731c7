"""Webhook tokens: the secret part of the address that a carrier calls. Only their hashes are stored."""

from datetime import datetime
from hmac import compare_digest
from typing import NamedTuple

from parcelgate.store import keys
from parcelgate.store.calls import Item, Items, epoch


class Hook(NamedTuple):
    """The account whose webhooks a token admits, or (LSO) the order."""

    tenant: str
    carrier: str
    account: str
    order_id: str | None = None


def hash_of(token: str) -> str:
    """Return the hash of a token, which is stored in its place: its SHA-256 in hex."""
    return keys.digest("webhook token", token.encode(errors="surrogateescape"))


def item(token_hash: str, hook: Hook, *, expires_at: datetime | None = None) -> Item:
    """Return the routing item of a token. It leads to the tenant and holds none of its data."""
    return {
        **_key(token_hash),
        "tenant": hook.tenant,
        "carrier": hook.carrier,
        "account": hook.account,
        "order_id": hook.order_id,
        "expires_at": epoch(expires_at) if expires_at else None,
    }


class WebhookTokens:
    """All webhook tokens, by hash."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def find(self, carrier: str, account: str, token: str) -> Hook | None:
        """Return whose webhooks `token` admits under this carrier and account; None for a wrong token.

        The look-up is by hash, so its time does not show how close a guess was. The read is consistent,
        because a carrier may call back as soon as it has the address.
        """
        route = self._items.get(_key(hash_of(token)))
        if route is None:
            return None
        path = "\0".join((carrier, account)).encode()
        stored = "\0".join((route["carrier"], route["account"])).encode()
        if not compare_digest(path, stored):
            return None
        return Hook(route["tenant"], route["carrier"], route["account"], route.get("order_id"))

    def put(self, token: str, hook: Hook) -> None:
        """Admit webhooks with `token`, for a carrier account. For one order, `Orders.save` does it."""
        keys.tenant_prefix(hook.tenant)
        self._items.put(item(hash_of(token), hook), condition="")

    def remove(self, token: str) -> None:
        """Admit no more webhooks with `token`."""
        self._items.delete(_key(hash_of(token)))


def _key(token_hash: str) -> Item:
    return {"pk": f"HOOK#{token_hash}", "sk": "HOOK"}

"""API keys, `pg_<key id>_<secret>`: made, shown once, verified, revoked.

The authorizer calls `verify` alone, so this module imports nothing that the store does not need anyway.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple

from parcelgate.domain.clock import now as current_time

if TYPE_CHECKING:
    from parcelgate.store.credentials.api_keys import ApiKey
    from parcelgate.store.table import Table

SHOP_SCOPES = frozenset(
    {"orders:read", "orders:write", "trackings:read", "trackings:write", "webhooks:manage", "settings:manage"}
)
"""What a shop's key may have without being asked for by name."""
SCOPES = SHOP_SCOPES | {"operator"}
"""All scopes there are."""

_LONGEST = 200
_NOBODY = hashlib.sha256(b"").hexdigest()


class UnknownScopeError(ValueError):
    """A scope that does not exist, or none at all."""


class Identity(NamedTuple):
    """The caller that a valid key belongs to."""

    tenant: str
    key_id: str
    scopes: tuple[str, ...]


def create(
    table: "Table", tenant: str, scopes: Iterable[str], name: str, *, now: datetime | None = None
) -> str:
    """Make a key and return it. It cannot be shown again, since only the hash of its secret is stored.

    Raises UnknownScopeError, and ValueError for a tenant's name that cannot be.
    """
    import secrets

    from parcelgate.domain.ids import new_id
    from parcelgate.store.credentials.api_keys import ApiKey

    granted = tuple(sorted(set(scopes)))
    if not granted or not SCOPES.issuperset(granted):
        raise UnknownScopeError(f"scopes are one or more of {', '.join(sorted(SCOPES))}")
    key_id = new_id("key").removeprefix("key_")
    secret = secrets.token_hex(24)
    key = ApiKey(key_id, name, granted, now or current_time(), None)
    table.tenant(tenant).api_keys.add(key, _hash(secret))
    return f"pg_{key_id}_{secret}"


def revoke(table: "Table", tenant: str, key_id: str, *, now: datetime | None = None) -> None:
    """Revoke the key. Raises KeyNotFoundError, also for another tenant's key."""
    table.tenant(tenant).api_keys.revoke(key_id, now or current_time())


def list_keys(table: "Table", tenant: str) -> "list[ApiKey]":
    """The tenant's keys, oldest first, revoked ones too."""
    return table.tenant(tenant).api_keys.all()


def verify(table: "Table", presented: str) -> Identity | None:
    """The caller that `presented` belongs to; None for a malformed, unknown, wrong or revoked key.

    A well-formed key costs the same one read, one hash and one comparison whether its id exists or not.
    """
    scheme, _, rest = presented.partition("_")
    key_id, _, secret = rest.partition("_")
    if scheme != "pg" or not key_id or not secret or len(presented) > _LONGEST or not presented.isascii():
        return None
    route = table.keys_by_id.find(key_id)
    matches = compare_digest(_hash(secret), route.secret_hash if route else _NOBODY)
    if route is None or not matches or route.revoked:
        return None
    return Identity(route.tenant, key_id, route.scopes)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

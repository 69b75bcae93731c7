"""API keys: the items that the authorizer reads by id, and those that their tenant sees.

A key is two items that are written together. The routing item, found by the key's id, has the tenant, the
scopes, the hash of the secret and the time of revocation. The tenant's own item also has the name, and no
hash.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from parcelgate.store import keys
from parcelgate.store.calls import Item, Items
from parcelgate.store.errors import KeyNotFoundError, VersionConflictError

_SK = "KEY"


class KeyRoute(NamedTuple):
    """The facts about a key that its id alone leads to."""

    tenant: str
    scopes: tuple[str, ...]
    secret_hash: str
    revoked: bool


class ApiKey(NamedTuple):
    """A key as its tenant sees it. The secret is stored nowhere."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


class KeyDirectory:
    """All API keys, by id."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def find(self, key_id: str) -> KeyRoute | None:
        """Return the key; None when there is no such key. Revoked keys are returned too."""
        item = self._items.get(_route_key(key_id)) if keys.is_id(key_id) else None
        if item is None:
            return None
        scopes = tuple(item["scopes"].split())
        return KeyRoute(item["tenant"], scopes, item["secret_hash"], "revoked_at" in item)


class ApiKeys:
    """The API keys of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant

    def add(self, key: ApiKey, secret_hash: str) -> None:
        """Store a new key."""
        scopes = " ".join(key.scopes)
        route = {
            **_route_key(key.id),
            "tenant": self._tenant,
            "scopes": scopes,
            "secret_hash": secret_hash,
        }
        own = {
            **self._key(key.id),
            "type": "api_key",
            "key_name": key.name,
            "scopes": scopes,
            "created_at": key.created_at,
            "list_pk": keys.key(self._tenant, "KEYS"),
            "list_sk": keys.list_position(key.created_at, key.id),
        }
        taken = VersionConflictError("there is a key with this id")
        self._items.commit([self._items.put_write(item, taken) for item in (route, own)])

    def revoke(self, key_id: str, now: datetime) -> None:
        """Revoke the key, for good. The call may be repeated. Raises KeyNotFoundError."""
        missing = KeyNotFoundError("the tenant has no such key")
        key = self._items.get(self._key(key_id)) if keys.is_id(key_id) else None
        if key is None:
            raise missing
        if "revoked_at" not in key:
            update, sets = self._items.update_write, {"revoked_at": now}
            route = update(_route_key(key_id), sets, missing, "tenant = :tenant", tenant=self._tenant)
            self._items.commit([route, update(self._key(key_id), sets, missing, "attribute_exists(pk)")])

    def name_of(self, key_id: str) -> str | None:
        """Return the name of one of the tenant's keys; None when there is no such key."""
        item = self._items.get(self._key(key_id)) if keys.is_id(key_id) else None
        return None if item is None else str(item["key_name"])

    def all(self) -> list[ApiKey]:
        """Return the tenant's keys, oldest first, revoked ones too.

        The newest may be missing for a second.
        """
        keys_of_tenant = keys.key(self._tenant, "KEYS")
        places = self._items.query("list_pk = :list", index="by_time", list=keys_of_tenant)
        items = self._items.get_many([{"pk": place["pk"], "sk": place["sk"]} for place in places])
        return [_api_key(item) for item in items]

    def _key(self, key_id: str) -> Item:
        return {"pk": keys.key(self._tenant, "KEY", key_id), "sk": _SK}


def _route_key(key_id: str) -> Item:
    return {"pk": f"KEY#{key_id}", "sk": _SK}


def _api_key(item: Item) -> ApiKey:
    name = keys.parse(item["pk"])
    revoked_at = item.get("revoked_at")
    return ApiKey(
        name.id if name else "",
        item["key_name"],
        tuple(item["scopes"].split()),
        _moment(item["created_at"]),
        _moment(revoked_at) if revoked_at else None,
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

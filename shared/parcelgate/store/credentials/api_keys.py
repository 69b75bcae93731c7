"""API keys: what the authorizer reads by id, and what their tenant sees of them.

A key is two items written together: the routing item, found by the key's id, has the tenant, the scopes,
the hash of the secret and the time of revocation; the tenant's own item has the name besides, and no hash.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from parcelgate.domain.clock import rfc3339
from parcelgate.store import calls, keys
from parcelgate.store.calls import Item, Write
from parcelgate.store.errors import KeyNotFoundError, VersionConflictError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SK = "KEY"


class KeyRoute(NamedTuple):
    """What is known of a key by its id alone."""

    tenant: str
    scopes: tuple[str, ...]
    secret_hash: str
    revoked: bool


class ApiKey(NamedTuple):
    """A key as its tenant sees it. The secret is nowhere."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


class KeyDirectory:
    """All API keys, by id."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def find(self, key_id: str) -> KeyRoute | None:
        """What is known of the key; None when there is no such key. A revoked key is found."""
        if not keys.is_id(key_id):
            return None
        with calls.translated():
            item = self._client.get_item(
                TableName=self._name, Key=_route_key(key_id), ConsistentRead=True
            ).get("Item")
        if item is None:
            return None
        return KeyRoute(
            item["tenant"]["S"],
            tuple(item["scopes"]["S"].split()),
            item["secret_hash"]["S"],
            "revoked_at" in item,
        )


class ApiKeys:
    """The API keys of one tenant."""

    def __init__(self, client: "DynamoDBClient", name: str, tenant: str) -> None:
        self._client = client
        self._name = name
        self._tenant = tenant

    def add(self, key: ApiKey, secret_hash: str) -> None:
        """Store a new key."""
        mark = uuid4().hex
        scopes = {"S": " ".join(key.scopes)}
        route: Item = {
            **_route_key(key.id),
            "tenant": {"S": self._tenant},
            "scopes": scopes,
            "secret_hash": {"S": secret_hash},
            "mark": {"S": mark},
        }
        own: Item = {
            **self._key(key.id),
            "type": {"S": "api_key"},
            "key_name": {"S": key.name},
            "scopes": scopes,
            "created_at": {"S": rfc3339(key.created_at)},
            "list_pk": {"S": keys.key(self._tenant, "KEYS")},
            "list_sk": {"S": keys.list_position(key.created_at, key.id)},
        }
        taken = VersionConflictError("there is a key with this id")
        writes = [
            Write(
                {
                    "Put": {
                        "TableName": self._name,
                        "Item": item,
                        "ConditionExpression": "attribute_not_exists(pk)",
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
                lambda _: taken,
            )
            for item in (route, own)
        ]
        calls.commit(self._client, writes, mark=mark)

    def revoke(self, key_id: str, now: datetime) -> None:
        """Let the key open nothing any more; again is the same as once. Raises KeyNotFoundError."""
        if not keys.is_id(key_id):
            raise KeyNotFoundError("the tenant has no such key")
        missing = KeyNotFoundError("the tenant has no such key")
        change = {
            "TableName": self._name,
            "UpdateExpression": "SET revoked_at = if_not_exists(revoked_at, :now)",
        }
        moment = {":now": {"S": rfc3339(now)}}
        route = change | {
            "Key": _route_key(key_id),
            "ConditionExpression": "tenant = :tenant",
            "ExpressionAttributeValues": moment | {":tenant": {"S": self._tenant}},
        }
        own = change | {
            "Key": self._key(key_id),
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeValues": moment,
        }
        writes = [Write({"Update": update}, lambda _: missing) for update in (route, own)]
        calls.commit(self._client, writes, mark="")

    def all(self) -> list[ApiKey]:
        """The tenant's keys, oldest first, revoked ones too. The newest may lag a second."""
        request: dict[str, Any] = {
            "TableName": self._name,
            "IndexName": "by_time",
            "KeyConditionExpression": "list_pk = :list",
            "ExpressionAttributeValues": {":list": {"S": keys.key(self._tenant, "KEYS")}},
        }
        found = []
        for place in calls.queried(self._client, request):
            with calls.translated():
                key = {"pk": place["pk"], "sk": place["sk"]}
                item = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")
            if item is not None:
                found.append(_api_key(item))
        return found

    def _key(self, key_id: str) -> Item:
        return {"pk": {"S": keys.key(self._tenant, "KEY", key_id)}, "sk": {"S": _SK}}


def _route_key(key_id: str) -> Item:
    return {"pk": {"S": f"KEY#{key_id}"}, "sk": {"S": _SK}}


def _api_key(item: Item) -> ApiKey:
    name = keys.parse(item["pk"]["S"])
    revoked = item.get("revoked_at")
    return ApiKey(
        name.id if name else "",
        item["key_name"]["S"],
        tuple(item["scopes"]["S"].split()),
        datetime.fromisoformat(item["created_at"]["S"]).astimezone(UTC),
        datetime.fromisoformat(revoked["S"]).astimezone(UTC) if revoked else None,
    )

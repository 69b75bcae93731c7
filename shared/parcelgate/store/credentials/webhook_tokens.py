"""Webhook tokens: the unguessable part of the address that a carrier calls. Stored only as a hash."""

from datetime import datetime
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple

from parcelgate.store import calls, keys
from parcelgate.store.calls import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SK = "HOOK"


class Hook(NamedTuple):
    """Whose deliveries a token lets in: of one carrier account, or (LSO) of one order."""

    tenant: str
    carrier: str
    account: str
    order_id: str | None = None


def hash_of(token: str) -> str:
    """What is stored of a token: its SHA-256 in hex."""
    return keys.digest("webhook token", token.encode(errors="surrogateescape"))


def item(token_hash: str, hook: Hook, *, expires_at: datetime | None = None) -> Item:
    """The routing item of a token. It holds the way to the tenant and nothing of the tenant's."""
    found: Item = {
        "pk": {"S": f"HOOK#{token_hash}"},
        "sk": {"S": _SK},
        "tenant": {"S": hook.tenant},
        "carrier": {"S": hook.carrier},
        "account": {"S": hook.account},
    }
    if hook.order_id is not None:
        found["order_id"] = {"S": hook.order_id}
    if expires_at is not None:
        found["expires_at"] = {"N": str(int(expires_at.timestamp()))}
    return found


class WebhookTokens:
    """All webhook tokens, by hash."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def find(self, carrier: str, account: str, token: str) -> Hook | None:
        """Whose deliveries `token` lets in under this carrier and account; None for a wrong one.

        The look-up is by hash, so how long it takes says nothing of how close a guess was.
        """
        token_hash = hash_of(token)
        with calls.translated():
            found = self._client.get_item(
                TableName=self._name,
                Key={"pk": {"S": f"HOOK#{token_hash}"}, "sk": {"S": _SK}},
                # A carrier may call back the moment it was told the address.
                ConsistentRead=True,
            ).get("Item")
        if found is None:
            return None
        path = "\0".join((carrier, account)).encode()
        stored = "\0".join((found["carrier"]["S"], found["account"]["S"])).encode()
        if not compare_digest(path, stored):
            return None
        order_id = found["order_id"]["S"] if "order_id" in found else None
        return Hook(found["tenant"]["S"], found["carrier"]["S"], found["account"]["S"], order_id)

    def put(self, token: str, hook: Hook) -> None:
        """Let deliveries with `token` in, for a carrier account. For one order, `Orders.save` does it."""
        keys.tenant_prefix(hook.tenant)
        with calls.translated():
            self._client.put_item(TableName=self._name, Item=item(hash_of(token), hook))

    def remove(self, token: str) -> None:
        """Let no more deliveries with `token` in."""
        with calls.translated():
            self._client.delete_item(
                TableName=self._name, Key={"pk": {"S": f"HOOK#{hash_of(token)}"}, "sk": {"S": _SK}}
            )

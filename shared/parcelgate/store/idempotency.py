"""Idempotency keys: who holds one, for which body and order, and the answer that was given.

The item is named by the hash of method, path and key, under its tenant. A claim is held under a lease
that outlasts any function; whoever finds it lapsed may take the request over, and resumes its order.
What has expired counts as absent, also while DynamoDB has not deleted it yet.
"""

import math
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import msgspec

from parcelgate.store import calls, keys
from parcelgate.store.calls import ConditionFailedError, Item
from parcelgate.store.errors import ClaimTakenError, ItemTooLargeError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT = timedelta(hours=24)
"""How long an answer is kept."""
LARGEST_BODY = 380_000
"""Bytes of a compressed answer that surely fit into an item, which holds 400 KB with all its names."""

_SK = "IDEMPOTENCY"


class Answer(NamedTuple):
    """An answer to a request, as it was given the first time."""

    status: int
    headers: dict[str, str]
    body: str


class Standing(NamedTuple):
    """How a key stands: its claim as it is stored, and the answer where there is one."""

    claim: "Claim"
    answer: Answer | None


@dataclass(slots=True)
class Claim:
    """One request's hold on an idempotency key.

    A fresh claim is not stored yet: `hold` writes it alone, `Orders.add` writes it along with the order,
    whose id it then bears. `holder` is a value of this hold alone: when another request has taken
    the claim over, what this one does to it has no effect.
    """

    key_hash: str
    body_hash: str
    lease_until: datetime
    now: datetime
    _store: "Idempotency"
    holder: str
    order_id: str | None = None
    held: bool = False

    def hold(self) -> None:
        """Write the claim alone. Raises ClaimTakenError when another request was faster."""
        try:
            calls.write(self._store.client.put_item, **self.put(self.order_id))
        except (ConditionFailedError, calls.CollisionError) as error:
            raise ClaimTakenError("the key is held") from error
        self.held = True

    def put(self, order_id: str | None) -> dict[str, Any]:
        """The conditional put that claims the key, for `order_id` if there is one."""
        return {
            "TableName": self._store.name,
            "Item": self._item(order_id, self.now),
            "ConditionExpression": (
                "attribute_not_exists(pk) OR expires_at <= :now OR holder = :holder OR "
                "(lease_until <= :now AND attribute_not_exists(order_id) "
                "AND attribute_not_exists(answer_status))"
            ),
            "ExpressionAttributeValues": {":now": _number(self.now), ":holder": {"S": self.holder}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def written(self, order_id: str) -> None:
        """Take note that the claim was stored along with `order_id`."""
        self.order_id = order_id
        self.held = True

    def keep(self, answer: Answer, now: datetime) -> bool:
        """Keep the answer for 24 hours from `now`; False when it cannot be kept.

        That is when another request has taken the claim over, or when the answer does not fit. The body is
        compressed: what an answer says beyond its request (at most 256 KiB) is mostly repetition, so
        that no answer is known that would not fit.
        """
        body = zlib.compress(answer.body.encode())
        if len(body) > LARGEST_BODY:
            return False
        put = self.put(self.order_id)
        put["Item"] = self._item(self.order_id, now) | {
            "answer_status": {"N": str(answer.status)},
            "answer_headers": {"S": msgspec.json.encode(answer.headers).decode()},
            "answer_body": {"B": body},
        }
        if self.held:
            put["ConditionExpression"] = "holder = :holder AND attribute_not_exists(answer_status)"
            put["ExpressionAttributeValues"] = {":holder": {"S": self.holder}}
        try:
            calls.write(self._store.client.put_item, **put)
        except (ConditionFailedError, ItemTooLargeError):
            return False
        return True

    def drop(self, now: datetime) -> None:
        """Let go of the key without an answer.

        With an order the claim stays and only its lease ends: the same request again resumes the order.
        """
        if not self.held:
            return
        request: dict[str, Any] = {
            "TableName": self._store.name,
            "Key": self._store.key(self.key_hash),
            "ConditionExpression": "holder = :holder AND attribute_not_exists(answer_status)",
            "ExpressionAttributeValues": {":holder": {"S": self.holder}},
        }
        try:
            if self.order_id is None:
                calls.write(self._store.client.delete_item, **request)
            else:
                request["UpdateExpression"] = "SET lease_until = :now"
                request["ExpressionAttributeValues"][":now"] = {"N": str(math.floor(now.timestamp()))}
                calls.write(self._store.client.update_item, **request)
        except ConditionFailedError:
            pass
        self.held = False

    def _item(self, order_id: str | None, since: datetime) -> Item:
        item = {
            **self._store.key(self.key_hash),
            "type": {"S": "idempotency"},
            "body_hash": {"S": self.body_hash},
            "holder": {"S": self.holder},
            "lease_until": _number(self.lease_until),
            "expires_at": _number(since + KEPT),
        }
        return item if order_id is None else item | {"order_id": {"S": order_id}}


class Idempotency:
    """The idempotency keys of one tenant."""

    def __init__(self, client: "DynamoDBClient", name: str, tenant: str) -> None:
        self.client = client
        self.name = name
        self._tenant = tenant

    def key(self, key_hash: str) -> Item:
        """The key of the item of one claim."""
        return {"pk": {"S": keys.key(self._tenant, "IDEMPOTENCY", key_hash)}, "sk": {"S": _SK}}

    def fresh(self, key_hash: str, body_hash: str, *, now: datetime, lease: timedelta) -> Claim:
        """A claim that is not stored yet."""
        return Claim(key_hash, body_hash, now + lease, now, self, uuid4().hex)

    def find(self, key_hash: str, now: datetime) -> Standing | None:
        """How the key stands; None when nobody has it, or when its time is over."""
        with calls.translated():
            item = self.client.get_item(TableName=self.name, Key=self.key(key_hash), ConsistentRead=True).get(
                "Item"
            )
        if item is None or int(item["expires_at"]["N"]) <= now.timestamp():
            return None
        claim = Claim(
            key_hash,
            item["body_hash"]["S"],
            datetime.fromtimestamp(int(item["lease_until"]["N"]), UTC),
            now,
            self,
            item["holder"]["S"],
            item["order_id"]["S"] if "order_id" in item else None,
            held=False,
        )
        if "answer_status" not in item:
            return Standing(claim, None)
        answer = Answer(
            int(item["answer_status"]["N"]),
            msgspec.json.decode(item["answer_headers"]["S"], type=dict[str, str]),
            zlib.decompress(item["answer_body"]["B"]).decode(),
        )
        return Standing(claim, answer)

    def take_over(self, lapsed: Claim, *, now: datetime, lease: timedelta) -> Claim:
        """Hold a lapsed claim anew. Raises ClaimTakenError when another request was faster."""
        claim = Claim(
            lapsed.key_hash, lapsed.body_hash, now + lease, now, self, uuid4().hex, lapsed.order_id, held=True
        )
        try:
            calls.write(
                self.client.update_item,
                TableName=self.name,
                Key=self.key(lapsed.key_hash),
                UpdateExpression="SET holder = :mine, lease_until = :until",
                # `:mine` too, since the client itself may send the call twice.
                ConditionExpression="holder IN (:theirs, :mine) AND attribute_not_exists(answer_status)",
                ExpressionAttributeValues={
                    ":mine": {"S": claim.holder},
                    ":theirs": {"S": lapsed.holder},
                    ":until": _number(claim.lease_until),
                },
            )
        except (ConditionFailedError, calls.CollisionError) as error:
            raise ClaimTakenError("the key is held") from error
        return claim


def _number(moment: datetime) -> Item:
    """Whole seconds since the epoch, rounded up: a lease never ends early."""
    return {"N": str(math.ceil(moment.timestamp()))}

"""The inbox: every delivery of a carrier, as it came, stored before it is acknowledged.

An entry is named by what was delivered, so a repeat finds the first delivery. It is due five minutes
after it came until it was worked on, and kept for thirty days to be read again. What nothing can be done
with is parked, with the reason, until a person has it worked on again.

A proof that is good for one delivery alone is claimed in the write that stores the delivery, so that no
other delivery can ever come with it.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from parcelgate.domain.clock import rfc3339
from parcelgate.store import calls, keys
from parcelgate.store.calls import ConditionFailedError, Item, Write
from parcelgate.store.errors import ProofTakenError, StoreError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DUE_AFTER = timedelta(minutes=5)
KEPT = timedelta(days=30)
MOST_BYTES = 256 * 1024
"""The longest delivery that is kept. Of a longer one only size and hash are, and it can only be parked."""
_NOT_KEPT = b"not kept: "

RECEIVED = "received"
PROCESSED = "processed"
PARKED = "parked"

_SK = "ENTRY"
_PROOF = "PROOF"
_AT_ONCE = 100
_NEW = "attribute_not_exists(pk) OR expires_at <= :now"
"""What has expired may stand there still; it counts as gone."""


def kept(body: bytes) -> bytes:
    """What is kept of a delivery: all of it, or the size and the SHA-256 of one that is too long."""
    if len(body) <= MOST_BYTES:
        return body
    return _NOT_KEPT + f"{len(body)} bytes, SHA-256 {sha256(body).hexdigest()}".encode()


def was_kept(body: bytes) -> bool:
    """Tell whether an entry's body is the delivery itself, and not what `kept` made of a long one."""
    return not body.startswith(_NOT_KEPT)


class InboxEntry(NamedTuple):
    """One delivery. `body` is what came, byte for byte; `state` is received, processed or parked.

    `correlation_id` is the id of the request that brought it.
    """

    id: str
    tenant: str
    carrier: str
    account: str
    order_id: str | None
    body: bytes
    headers: dict[str, str]
    received_at: datetime
    state: str
    reason: str | None
    closed_at: datetime | None = None
    is_new: bool = False
    correlation_id: str | None = None


class Inbox:
    """The deliveries to one tenant."""

    def __init__(self, client: "DynamoDBClient", name: str, tenant: str) -> None:
        self._client = client
        self._name = name
        self._tenant = tenant

    def put(
        self,
        *,
        carrier: str,
        account: str,
        body: bytes,
        now: datetime,
        order_id: str | None = None,
        correlation_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        proof: str | None = None,
        parked: str | None = None,
    ) -> InboxEntry:
        """Store a delivery in one conditional write, and return the entry that stands then.

        `is_new` is False for a repeat; its `state` says whether the first one was worked on. One that
        nobody has worked on yet is sent on its way again. Give only those `headers` that prove something:
        they are kept with the body. With a reason to be `parked` nothing more happens to the delivery.

        `proof` names what is good for this delivery alone. Raises ProofTakenError when another delivery
        came with it; then nothing was written.
        """
        proven = [part for pair in sorted((headers or {}).items()) for part in pair]
        entry = InboxEntry(
            id=f"{carrier}#{keys.digest(body, order_id or '', account, *proven)}",
            tenant=self._tenant,
            carrier=carrier,
            account=account,
            order_id=order_id,
            body=body,
            headers=dict(headers or {}),
            received_at=now,
            state=PARKED if parked else RECEIVED,
            reason=parked,
            closed_at=now if parked else None,
            is_new=True,
            correlation_id=correlation_id,
        )
        try:
            if proof is None:
                calls.write(self._client.put_item, **self._new(self._item(entry), now))
            else:
                self._put_with_proof(entry, proof)
        except (ConditionFailedError, _RepeatError) as error:
            first = self._entry(error.item) if error.item else self.get(entry.id)
            if first is None:
                # Another write of the same delivery stood in the way, and came to nothing itself.
                raise calls.CollisionError("the delivery was not stored") from error
            if first.state == RECEIVED:
                self._update(
                    entry.id,
                    "SET again_at = :now",
                    {":now": {"S": rfc3339(now)}, ":received": {"S": RECEIVED}},
                    " AND entry_state = :received",
                )
            return first
        return entry

    def _put_with_proof(self, entry: InboxEntry, proof: str) -> None:
        mark = uuid4().hex
        claim: Item = {
            "pk": {"S": keys.key(self._tenant, _PROOF, entry.carrier, keys.digest(proof))},
            "sk": {"S": _PROOF},
            "entry": {"S": entry.id},
            "mark": {"S": mark},
            "expires_at": _expiry(entry),
        }

        def refused(item: Item | None) -> StoreError:
            if item is None:
                return calls.CollisionError("the same proof came twice at once")
            return _RepeatError(None) if item["entry"]["S"] == entry.id else ProofTakenError()

        writes = [
            Write({"Put": self._new(claim, entry.received_at)}, refused),
            Write({"Put": self._new(self._item(entry), entry.received_at)}, _RepeatError),
        ]
        calls.commit(self._client, writes, mark=mark)

    def get(self, entry_id: str) -> InboxEntry | None:
        """The entry as it stands; None when it has expired or never was."""
        with calls.translated():
            item = self._client.get_item(
                TableName=self._name, Key=self._key(entry_id), ConsistentRead=True
            ).get("Item")
        return None if item is None else self._entry(item)

    def parked(self) -> Iterator[InboxEntry]:
        """Everything that is parked, the newest delivery first. The list may lag a second."""
        positions = calls.queried(
            self._client,
            {
                "TableName": self._name,
                "IndexName": "by_time",
                "KeyConditionExpression": "list_pk = :list",
                "ExpressionAttributeValues": {":list": {"S": self._list}},
                "ScanIndexForward": False,
            },
        )
        for page in batched(positions, _AT_ONCE, strict=False):
            places = [{"pk": item["pk"], "sk": item["sk"]} for item in page]
            for item in calls.read_many(self._client, self._name, places):
                entry = self._entry(item)
                if entry.state == PARKED:
                    yield entry

    def processed(self, entry_id: str, now: datetime) -> None:
        """The entry was worked on: it is due no more. Again is the same as once."""
        self._update(
            entry_id,
            "SET entry_state = :state, closed_at = :now REMOVE due_pk, due_at, reason, list_pk, list_sk",
            {":state": {"S": PROCESSED}, ":now": {"S": rfc3339(now)}},
        )

    def park(self, entry_id: str, reason: str, now: datetime) -> None:
        """Nothing can be done with the entry: set it aside with the reason. It is due no more."""
        self._update(
            entry_id,
            "SET entry_state = :state, closed_at = :now, reason = :reason, list_pk = :list, "
            "list_sk = received_at REMOVE due_pk, due_at",
            {
                ":state": {"S": PARKED},
                ":now": {"S": rfc3339(now)},
                ":reason": {"S": reason},
                ":list": {"S": self._list},
            },
        )

    def replay(self, entry_id: str, now: datetime) -> None:
        """Have an entry worked on again, as if it had just come in: it is due, and sent on its way."""
        values = {
            ":received": {"S": RECEIVED},
            ":now": {"S": rfc3339(now)},
            ":due_pk": {"S": _shard(entry_id)},
            ":due_at": {"S": rfc3339(now + DUE_AFTER)},
        }
        self._update(
            entry_id,
            "SET entry_state = :received, again_at = :now, due_pk = :due_pk, due_at = :due_at "
            "REMOVE reason, closed_at, list_pk, list_sk",
            values,
        )

    def postpone(self, entry_id: str, until: datetime) -> None:
        """An entry that is still unprocessed is due again at `until`."""
        self._update(
            entry_id,
            "SET due_at = :until",
            {":until": {"S": rfc3339(until)}},
            " AND attribute_exists(due_at)",
        )

    def _update(self, entry_id: str, change: str, values: Item, condition: str = "") -> None:
        try:
            calls.write(
                self._client.update_item,
                TableName=self._name,
                Key=self._key(entry_id),
                UpdateExpression=change,
                ConditionExpression=f"attribute_exists(pk){condition}",
                ExpressionAttributeValues=values,
            )
        except ConditionFailedError:
            return  # It has expired, or was closed meanwhile: nothing is left to be done.

    @property
    def _list(self) -> str:
        return keys.key(self._tenant, "PARKED")

    def _key(self, entry_id: str) -> Item:
        carrier, _, digest = entry_id.partition("#")
        return {"pk": {"S": keys.key(self._tenant, keys.INBOX, carrier, digest)}, "sk": {"S": _SK}}

    def _new(self, item: Item, now: datetime) -> dict[str, Any]:
        return {
            "TableName": self._name,
            "Item": item,
            "ConditionExpression": _NEW,
            "ExpressionAttributeValues": {":now": {"N": str(math.floor(now.timestamp()))}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _item(self, entry: InboxEntry) -> Item:
        item: Item = {
            **self._key(entry.id),
            "type": {"S": "inbox"},
            "carrier": {"S": entry.carrier},
            "account": {"S": entry.account},
            "body": {"B": entry.body},
            "headers": {"M": {name: {"S": value} for name, value in entry.headers.items()}},
            "received_at": {"S": rfc3339(entry.received_at)},
            "entry_state": {"S": entry.state},
            "expires_at": _expiry(entry),
        }
        if entry.order_id is not None:
            item["order_id"] = {"S": entry.order_id}
        if entry.correlation_id is not None:
            item["correlation_id"] = {"S": entry.correlation_id}
        if entry.reason is None:
            item["due_pk"] = {"S": _shard(entry.id)}
            item["due_at"] = {"S": rfc3339(entry.received_at + DUE_AFTER)}
        else:
            item["reason"] = {"S": entry.reason}
            item["closed_at"] = item["list_sk"] = {"S": rfc3339(entry.received_at)}
            item["list_pk"] = {"S": self._list}
        return item

    def _entry(self, item: Item) -> InboxEntry:
        name = keys.parse(item["pk"]["S"])
        return InboxEntry(
            id=name.id if name else "",
            tenant=self._tenant,
            carrier=item["carrier"]["S"],
            account=item["account"]["S"],
            order_id=item["order_id"]["S"] if "order_id" in item else None,
            body=bytes(item["body"]["B"]),
            headers={name: value["S"] for name, value in item["headers"]["M"].items()},
            received_at=_moment(item["received_at"]),
            state=item["entry_state"]["S"],
            reason=item["reason"]["S"] if "reason" in item else None,
            closed_at=_moment(item["closed_at"]) if "closed_at" in item else None,
            correlation_id=item["correlation_id"]["S"] if "correlation_id" in item else None,
        )


class _RepeatError(StoreError):
    """The delivery was stored before: as `item`, where that is known."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the delivery was stored before")
        self.item = item


def _moment(value: Item) -> datetime:
    return datetime.fromisoformat(value["S"]).astimezone(UTC)


def _shard(entry_id: str) -> str:
    return keys.due(keys.INBOX, keys.shard_of(entry_id))


def _expiry(entry: InboxEntry) -> Item:
    return {"N": str(math.ceil((entry.received_at + KEPT).timestamp()))}

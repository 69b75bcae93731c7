"""Batches: one item for the whole, and one for each entry that somebody has begun.

The row of an entry that became an order is written by `Orders`, in the order's own transactions: so the
progress of a batch is never ahead of its orders nor behind them. The row of an entry that no order can be
made of is written here.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import msgspec

from parcelgate.domain.batches import Batch, BatchRow
from parcelgate.domain.clock import rfc3339
from parcelgate.domain.orders import Order
from parcelgate.store import calls, keys
from parcelgate.store.calls import ConditionFailedError, Item, Write
from parcelgate.store.errors import BatchNotFoundError, ClaimTakenError, VersionConflictError
from parcelgate.store.idempotency import Claim

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT = timedelta(days=90)
"""How long the progress of a batch can be read; its orders stay."""

_batches = msgspec.json.Decoder(Batch)
_rows = msgspec.json.Decoder(BatchRow)


class BatchState(NamedTuple):
    """A batch and those of its rows that there are, in order."""

    batch: Batch
    rows: list[BatchRow]


class Batches:
    """The batches of one tenant."""

    def __init__(self, client: "DynamoDBClient", name: str, tenant: str) -> None:
        self._client = client
        self._name = name
        self._tenant = tenant

    def add(self, batch: Batch, *, due_at: datetime, claim: Claim | None = None) -> None:
        """Store a batch that is looked after at `due_at`, with the idempotency claim that it answers.

        Raises ClaimTakenError when another request has the idempotency key; nothing was written then.
        """
        if batch.tenant != self._tenant:
            raise ValueError("another tenant's batch was given to this tenant's store")
        mark = uuid4().hex
        item = {
            **self._key(batch.id),
            "type": {"S": "batch"},
            "mark": {"S": mark},
            "doc": {"S": msgspec.json.encode(batch).decode()},
            "expires_at": _expiry(batch.created_at),
            "due_pk": {"S": keys.due(keys.BATCH, keys.shard_of(batch.id))},
            "due_at": {"S": rfc3339(due_at)},
        }
        put = {
            "TableName": self._name,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        writes = [Write({"Put": put}, lambda _: VersionConflictError(batch.id))]
        if claim is not None:
            writes.append(Write({"Put": claim.put(batch.id)}, lambda _: ClaimTakenError("the key is held")))
        calls.commit(self._client, writes, mark=mark)
        if claim is not None:
            claim.written(batch.id)

    def read(self, batch_id: str) -> BatchState:
        """The batch as it stands now. Raises BatchNotFoundError, also for another tenant's batch."""
        if keys.is_id(batch_id):
            items = list(self._items(batch_id))
            if items and items[0]["sk"]["S"] == "BATCH":
                batch = _batches.decode(items[0]["doc"]["S"])
                return BatchState(batch, [_rows.decode(item["doc"]["S"]) for item in items[1:]])
        raise BatchNotFoundError("the tenant has no such batch")

    def settle(self, batch: Batch, row: BatchRow) -> None:
        """Store the row of an entry that no order is made of, unless the entry has a row already."""
        with suppress(ConditionFailedError):
            calls.write(
                self._client.put_item,
                TableName=self._name,
                Item=_item(self._tenant, batch.id, row, batch.created_at),
                ConditionExpression="attribute_not_exists(pk)",
            )

    def watch(self, batch_id: str, due_at: datetime | None) -> None:
        """Have the batch looked after at `due_at`; None: not any more."""
        change: dict[str, Any] = {"UpdateExpression": "REMOVE due_pk, due_at"}
        if due_at is not None:
            change = {
                "UpdateExpression": "SET due_at = :due",
                "ExpressionAttributeValues": {":due": {"S": rfc3339(due_at)}},
            }
        with suppress(ConditionFailedError):
            calls.write(
                self._client.update_item,
                TableName=self._name,
                Key=self._key(batch_id),
                ConditionExpression="attribute_exists(due_pk)",
                **change,
            )

    def _items(self, batch_id: str) -> Iterator[Item]:
        """The batch, whose sort key is the lowest, and then its rows in order."""
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": self._key(batch_id)["pk"]},
            "ConsistentRead": True,
        }
        return calls.queried(self._client, request)

    def _key(self, batch_id: str) -> Item:
        return {"pk": {"S": keys.key(self._tenant, keys.BATCH, batch_id)}, "sk": {"S": "BATCH"}}


def row_item(order: Order) -> Item:
    """The row of an order that came in a batch, to be written along with the order."""
    if order.batch is None:
        raise ValueError("the order came alone")
    row = BatchRow(
        index=order.batch.index,
        reference=order.reference,
        order_id=order.id,
        status=order.status,
        problem=order.problem,
    )
    return _item(order.tenant, order.batch.id, row, order.created_at)


def _item(tenant: str, batch_id: str, row: BatchRow, since: datetime) -> Item:
    return {
        "pk": {"S": keys.key(tenant, keys.BATCH, batch_id)},
        "sk": {"S": _place(row.index)},
        "type": {"S": "batch row"},
        "status": {"S": row.status},
        "doc": {"S": msgspec.json.encode(row).decode()},
        "expires_at": _expiry(since),
    }


def _place(index: int) -> str:
    return f"ROW#{index:05d}"


def _expiry(since: datetime) -> Item:
    return {"N": str(int((since + KEPT).timestamp()))}

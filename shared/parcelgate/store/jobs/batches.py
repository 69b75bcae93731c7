"""Batches: one item for the whole, and one for each entry that somebody has begun.

`Orders` writes the row of an entry that became an order, in the order's own transactions. So the progress of
a batch is never ahead of its orders or behind them. The row of an entry without an order is written here.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from parcelgate.domain.batches import Batch, BatchRow
from parcelgate.domain.orders import Order
from parcelgate.store import keys
from parcelgate.store.calls import ConditionFailedError, Item, Items, epoch
from parcelgate.store.errors import BatchNotFoundError, VersionConflictError
from parcelgate.store.idempotency import Claim

KEPT = timedelta(days=90)
"""How long the progress of a batch can be read; its orders stay."""

_batches = msgspec.json.Decoder(Batch)
_rows = msgspec.json.Decoder(BatchRow)


class BatchState(NamedTuple):
    """A batch and the rows that it has so far, in order."""

    batch: Batch
    rows: list[BatchRow]


class Batches:
    """The batches of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant

    def add(self, batch: Batch, *, due_at: datetime, claim: Claim | None = None) -> None:
        """Store a batch with its deadline `due_at`, and the idempotency claim of its request.

        Raises ClaimTakenError when another request has the idempotency key; nothing was written then.
        """
        if batch.tenant != self._tenant:
            raise ValueError("another tenant's batch was given to this tenant's store")
        item = {
            **self._key(batch.id),
            "type": "batch",
            "doc": msgspec.json.encode(batch).decode(),
            "expires_at": epoch(batch.created_at + KEPT),
            "due_pk": keys.due(keys.BATCH, keys.shard_of(batch.id)),
            "due_at": due_at,
        }
        writes = [self._items.put_write(item, VersionConflictError(batch.id))]
        if claim is not None:
            writes.append(claim.write(batch.id))
        self._items.commit(writes)
        if claim is not None:
            claim.written(batch.id)

    def read(self, batch_id: str) -> BatchState:
        """The batch as it stands now. Raises BatchNotFoundError, also for another tenant's batch."""
        if keys.is_id(batch_id):
            # The batch, whose sort key is the lowest, and then its rows in order.
            items = [*self._items.query("pk = :pk", pk=self._key(batch_id)["pk"])]
            if items and items[0]["sk"] == keys.BATCH:
                rows = [_rows.decode(item["doc"]) for item in items[1:]]
                return BatchState(_batches.decode(items[0]["doc"]), rows)
        raise BatchNotFoundError("the tenant has no such batch")

    def settle(self, batch: Batch, row: BatchRow) -> None:
        """Store the row of an entry that no order is made of, unless the entry has a row already."""
        with suppress(ConditionFailedError):
            self._items.put(_row_item(self._tenant, batch.id, row, batch.created_at))

    def set_deadline(self, batch_id: str, due_at: datetime | None) -> None:
        """Set the batch's deadline. None: it has none any more."""
        removes = ("due_pk", "due_at") if due_at is None else ()
        with suppress(ConditionFailedError):
            self._items.update(
                self._key(batch_id), {"due_at": due_at}, removes, condition="attribute_exists(due_pk)"
            )

    def _key(self, batch_id: str) -> Item:
        return {"pk": keys.key(self._tenant, keys.BATCH, batch_id), "sk": keys.BATCH}


def row_item(order: Order) -> Item:
    """The row of an order that came in a batch, to be written along with the order."""
    if order.batch is None:
        raise ValueError("the order did not come in a batch")
    row = BatchRow(
        index=order.batch.index,
        reference=order.reference,
        order_id=order.id,
        status=order.status,
        problem=order.problem,
    )
    return _row_item(order.tenant, order.batch.id, row, order.created_at)


def _row_item(tenant: str, batch_id: str, row: BatchRow, since: datetime) -> Item:
    return {
        "pk": keys.key(tenant, keys.BATCH, batch_id),
        "sk": f"ROW#{row.index:05d}",
        "type": "batch row",
        "status": row.status,
        "doc": msgspec.json.encode(row).decode(),
        "expires_at": epoch(since + KEPT),
    }

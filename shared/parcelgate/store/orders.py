"""Orders, each change of one in one transaction with everything that must be true along with it."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from parcelgate.domain.clock import rfc3339
from parcelgate.domain.orders import Order, OrderEvent, OrderStatus
from parcelgate.domain.trackings import Tracking, number_key
from parcelgate.store import batches, calls, keys, lists
from parcelgate.store import trackings as trackings_store
from parcelgate.store.calls import ConditionFailedError, Item, Write
from parcelgate.store.credentials import webhook_tokens
from parcelgate.store.errors import (
    CarrierNumberTakenError,
    ClaimTakenError,
    OrderNotFoundError,
    ReferenceTakenError,
    RowTakenError,
    StoreError,
    VersionConflictError,
)
from parcelgate.store.idempotency import Claim
from parcelgate.store.lists import Listing, Lists, Page

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HOOK_LIFE = timedelta(days=60)
"""How long the callback token of one order is kept: long after the last callback that may come."""
LONGEST_REFERENCE = 80
"""Characters. A longer reference is nobody's, and is not asked for."""

_orders = msgspec.json.Decoder(Order)
_events = msgspec.json.Decoder(OrderEvent)
_encoder = msgspec.json.Encoder(decimal_format="string")


class Orders:
    """The orders of one tenant."""

    def __init__(self, client: "DynamoDBClient", name: str, tenant: str) -> None:
        self._client = client
        self._name = name
        self._tenant = tenant
        self._lists = Lists(client, name)

    def add(self, order: Order, event: OrderEvent, claim: Claim | None = None) -> None:
        """Store a new order with its first event, and claim its reference and the idempotency key.

        Raises
        ------
        ClaimTakenError
            Another request has the idempotency key; nothing was written. Wins over the next one.
        ReferenceTakenError
            Another living order has the reference; nothing was written.
        VersionConflictError
            An order of this id is stored already; nothing was written. Wins over all others.
        RowTakenError
            The order came in a batch, whose entry was given up meanwhile; nothing was written.
        StoreUnavailableError
            Nobody knows whether it was written; the due index knows if it was.
        """
        self._owned(order)
        mark = uuid4().hex
        writes = [
            self._put(
                self._order_item(order, mark),
                "attribute_not_exists(pk)",
                lambda _: VersionConflictError(order.id),
            )
        ]
        if claim is not None:
            writes.append(Write({"Put": claim.put(order.id)}, lambda _: ClaimTakenError("the key is held")))
        writes += [
            self._put(
                {"pk": {"S": self._reference(order)}, "sk": {"S": "REFERENCE"}, "order_id": {"S": order.id}},
                "attribute_not_exists(pk)",
                lambda item: ReferenceTakenError(item["order_id"]["S"] if item else None),
            ),
            self._put_event(order, event),
        ]
        if order.batch is not None:
            writes.append(
                self._put(
                    batches.row_item(order),
                    "attribute_not_exists(pk)",
                    lambda _: RowTakenError("the entry of the batch was given up"),
                )
            )
        try:
            calls.commit(self._client, writes, mark=mark)
        except ReferenceTakenError as error:
            if error.order_id is None:
                error.order_id = self.by_reference(order.carrier, order.account, order.reference)
            raise
        if claim is not None:
            claim.written(order.id)

    def get(self, order_id: str) -> Order:
        """The order as it stands now. Raises OrderNotFoundError, also for another tenant's order."""
        item = self._read(self._order_key(order_id)) if keys.is_id(order_id) else None
        if item is None:
            raise OrderNotFoundError("the tenant has no such order")
        return _orders.decode(item["doc"]["S"])

    def many(self, order_ids: Sequence[str]) -> list[Order]:
        """The orders of these ids that the tenant has, in the order they were asked for."""
        return self._documents([order_id for order_id in dict.fromkeys(order_ids) if keys.is_id(order_id)])

    def save(
        self,
        before: Order,
        after: Order,
        event: OrderEvent | None = None,
        *,
        trackings: Sequence[Tracking] = (),
        hook: str | None = None,
    ) -> None:
        """Write `after` over `before`, with its event and everything that follows from the change.

        In the same transaction: a final status frees the reference; a carrier order number that is new
        is claimed for this order; new `trackings` are added; `hook`, the hash of a webhook token, lets in
        deliveries for this order; the batch that it came in shows how it stands.

        Raises
        ------
        VersionConflictError
            The stored order is not `before` any more; nothing was written.
        CarrierNumberTakenError
            The carrier's number belongs to another order; nothing was written.
        StoreUnavailableError
            Nobody knows whether it was written: read the order again.
        """
        self._owned(before, after, *trackings)
        if after.id != before.id or after.version <= before.version:
            raise ValueError("`after` must be a later version of `before`")
        mark = uuid4().hex
        try:
            calls.commit(self._client, self._changes(before, after, event, trackings, hook, mark), mark=mark)
        except _NotOursError:
            # The reference was already another order's: that claim is not ours to free, the rest stands.
            writes = self._changes(before, after, event, trackings, hook, mark, free=False)
            calls.commit(self._client, writes, mark=mark)

    def postpone(self, order_id: str, until: datetime) -> None:
        """Have an order that is due come again at `until`. It is not read, so it may hold anything."""
        with suppress(ConditionFailedError):
            calls.write(
                self._client.update_item,
                TableName=self._name,
                Key=self._order_key(order_id),
                UpdateExpression="SET due_at = :until",
                ConditionExpression="attribute_exists(due_at)",
                ExpressionAttributeValues={":until": {"S": rfc3339(until)}},
            )

    def page(
        self,
        *,
        status: OrderStatus | str | None = None,
        carrier: str | None = None,
        reference: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[Order]:
        """One page of the orders that pass all filters, newest first. Times are exclusive bounds.

        Pages are full save the last one. `limit` may change from page to page, the filters may not.
        Raises BadCursorError for a cursor that this list has not given out.
        """
        if len(reference or "") > LONGEST_REFERENCE:
            return Page([], None)

        def read(order_ids: Sequence[str]) -> list[Order]:
            return [order for order in self._documents(order_ids) if _passes(order, status, reference)]

        return self._lists.page(
            Listing(
                *self._list(status, reference),
                carrier,
                low=lists.LOWEST if created_after is None else lists.after(created_after),
                high=lists.HIGHEST if created_before is None else lists.before(created_before),
            ),
            lists.fingerprint(
                "orders", self._tenant, status, carrier, reference, created_after, created_before
            ),
            limit=limit,
            cursor=cursor,
            read=read,
            place=_place,
        )

    def events(self, order_id: str) -> list[OrderEvent]:
        """The order's audit trail, oldest first. Raises OrderNotFoundError."""
        if not keys.is_id(order_id):
            raise OrderNotFoundError("the tenant has no such order")
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :event)",
            "ExpressionAttributeValues": {":pk": self._order_key(order_id)["pk"], ":event": {"S": "EVENT#"}},
            "ConsistentRead": True,
        }
        found = [_events.decode(item["doc"]["S"]) for item in calls.queried(self._client, request)]
        if not found:
            raise OrderNotFoundError("the tenant has no such order")
        return found

    def by_carrier_number(self, carrier: str, account: str, number: str) -> str | None:
        """The id of the order that has this number with the carrier."""
        return self._order_id(
            keys.key(self._tenant, "NUMBER", carrier, account, number_key(number)), "NUMBER"
        )

    def by_reference(self, carrier: str, account: str, reference: str) -> str | None:
        """The id of the living order that holds this reference."""
        pk = keys.key(self._tenant, "REFERENCE", carrier, account, reference)
        return self._order_id(pk, "REFERENCE")

    def _changes(
        self,
        before: Order,
        after: Order,
        event: OrderEvent | None,
        trackings: Sequence[Tracking],
        hook: str | None,
        mark: str,
        *,
        free: bool = True,
    ) -> list[Write]:
        conflict = VersionConflictError(f"{after.id} is not at version {before.version} any more")
        writes = [
            self._put(
                self._order_item(after, mark),
                "version = :before",
                lambda _: conflict,
                {":before": {"N": str(before.version)}},
            )
        ]
        if after.carrier_order_number and after.carrier_order_number != before.carrier_order_number:
            number = keys.key(
                self._tenant, "NUMBER", after.carrier, after.account, number_key(after.carrier_order_number)
            )
            writes.append(
                self._put(
                    {"pk": {"S": number}, "sk": {"S": "NUMBER"}, "order_id": {"S": after.id}},
                    "attribute_not_exists(pk) OR order_id = :order",
                    lambda item: CarrierNumberTakenError(item["order_id"]["S"]) if item else conflict,
                    {":order": {"S": after.id}},
                )
            )
        if event is not None:
            writes.append(self._put_event(after, event))
        if after.status.final and not before.status.final and free:
            delete = {
                "TableName": self._name,
                "Key": {"pk": {"S": self._reference(before)}, "sk": {"S": "REFERENCE"}},
                "ConditionExpression": "attribute_not_exists(pk) OR order_id = :order",
                "ExpressionAttributeValues": {":order": {"S": after.id}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
            writes.append(Write({"Delete": delete}, lambda item: _NotOursError() if item else conflict))
        for tracking in trackings:
            item = trackings_store.tracking_item(tracking)
            writes.append(self._put(item, "attribute_not_exists(pk)", lambda _: conflict))
        if after.batch and (after.status, after.problem) != (before.status, before.problem):
            writes.append(
                Write({"Put": {"TableName": self._name, "Item": batches.row_item(after)}}, lambda _: conflict)
            )
        if hook is not None:
            route = webhook_tokens.item(
                hook,
                webhook_tokens.Hook(self._tenant, after.carrier, after.account, after.id),
                expires_at=after.updated_at + HOOK_LIFE,
            )
            writes.append(
                self._put(
                    route,
                    "attribute_not_exists(pk) OR order_id = :order",
                    lambda _: conflict,
                    {":order": {"S": after.id}},
                )
            )
        return writes

    def _order_item(self, order: Order, mark: str) -> Item:
        due = {}
        if order.watch_at is not None:
            shard = keys.due(keys.ORDER, keys.shard_of(order.id))
            due = {"due_pk": {"S": shard}, "due_at": {"S": rfc3339(order.watch_at)}}
        lists = keys.key(self._tenant, "ORDERS")
        return {
            **self._order_key(order.id),
            "type": {"S": "order"},
            "status": {"S": order.status},
            "version": {"N": str(order.version)},
            "carrier": {"S": order.carrier},
            "mark": {"S": mark},
            "doc": {"S": _encoder.encode(order).decode()},
            "list_pk": {"S": lists},
            "list_sk": {"S": _place(order)},
            "status_pk": {"S": self._status_list(order.status)},
            "reference_pk": {"S": self._reference_list(order.reference)},
            **due,
        }

    def _put(self, item: Item, condition: str, refused: Any, values: Item | None = None) -> Write:
        put: dict[str, Any] = {
            "TableName": self._name,
            "Item": item,
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if values:
            put["ExpressionAttributeValues"] = values
        return Write({"Put": put}, refused)

    def _put_event(self, order: Order, event: OrderEvent) -> Write:
        item = {
            "pk": self._order_key(order.id)["pk"],
            "sk": {"S": f"EVENT#{order.version:010d}"},
            "type": {"S": "event"},
            "doc": {"S": _encoder.encode(event).decode()},
        }
        conflict = VersionConflictError(f"{order.id} has an event of version {order.version} already")
        return self._put(item, "attribute_not_exists(pk)", lambda _: conflict)

    def _list(self, status: str | None, reference: str | None) -> tuple[str, str, str]:
        """The narrowest of the lists that have all orders with these."""
        if reference is not None:
            return "by_reference", "reference_pk", self._reference_list(reference)
        if status is not None:
            return "by_status", "status_pk", self._status_list(status)
        return "by_time", "list_pk", keys.key(self._tenant, "ORDERS")

    def _documents(self, order_ids: Sequence[str]) -> list[Order]:
        items = calls.read_many(
            self._client, self._name, [self._order_key(order_id) for order_id in order_ids]
        )
        return [_orders.decode(item["doc"]["S"]) for item in items]

    def _read(self, key: Item) -> Item | None:
        with calls.translated():
            return self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")

    def _order_id(self, pk: str, sk: str) -> str | None:
        item = self._read({"pk": {"S": pk}, "sk": {"S": sk}})
        return None if item is None else item["order_id"]["S"]

    def _order_key(self, order_id: str) -> Item:
        return {"pk": {"S": keys.key(self._tenant, keys.ORDER, order_id)}, "sk": {"S": "ORDER"}}

    def _reference(self, order: Order) -> str:
        return keys.key(self._tenant, "REFERENCE", order.carrier, order.account, order.reference)

    def _status_list(self, status: str) -> str:
        return keys.key(self._tenant, "ORDERS", "STATUS", status)

    def _reference_list(self, reference: str) -> str:
        return keys.key(self._tenant, "ORDERS", "REF", reference)

    def _owned(self, *things: Order | Tracking) -> None:
        if any(thing.tenant != self._tenant for thing in things):
            raise ValueError("another tenant's order or tracking was given to this tenant's store")


class _NotOursError(StoreError):
    """The reference claim to be freed names another order."""


def _place(order: Order) -> str:
    return keys.list_position(order.created_at, order.id)


def _passes(order: Order, status: str | None, reference: str | None) -> bool:
    """Whether the order still passes; the index may be a moment behind the order."""
    return (status is None or order.status == status) and (reference is None or order.reference == reference)

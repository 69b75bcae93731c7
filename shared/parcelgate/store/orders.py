"""Orders, each change of one in one transaction with everything that must be true along with it."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from parcelgate.domain.orders import Order, OrderEvent, OrderStatus
from parcelgate.domain.trackings import Tracking, number_key
from parcelgate.store import batches, keys, lists
from parcelgate.store import trackings as trackings_store
from parcelgate.store.calls import NEW, ConditionFailedError, Item, Items, Write
from parcelgate.store.credentials import webhook_tokens
from parcelgate.store.errors import (
    CarrierNumberTakenError,
    OrderNotFoundError,
    ReferenceTakenError,
    RowTakenError,
    StoreError,
    VersionConflictError,
)
from parcelgate.store.idempotency import Claim
from parcelgate.store.lists import Listing, Lists, Page

HOOK_LIFE = timedelta(days=60)
"""How long the callback token of one order is kept: long after the last callback that may come."""
LONGEST_REFERENCE = 80
"""Characters. A longer reference is nobody's, and is not asked for."""

_orders = msgspec.json.Decoder(Order)
_events = msgspec.json.Decoder(OrderEvent)
_encoder = msgspec.json.Encoder(decimal_format="string")


class Orders:
    """The orders of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant
        self._lists = Lists(items)

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
        put = self._items.put_write
        writes = [put(self._order_item(order), VersionConflictError(order.id))]
        if claim is not None:
            writes.append(claim.write(order.id))
        reference = {**self._reference_key(order), "order_id": order.id}
        writes += [
            put(reference, lambda item: ReferenceTakenError(item["order_id"] if item else None)),
            self._event_write(order, event),
        ]
        if order.batch is not None:
            writes.append(put(batches.row_item(order), RowTakenError("the entry of the batch was given up")))
        try:
            self._items.commit(writes)
        except ReferenceTakenError as error:
            if error.order_id is None:
                error.order_id = self.by_reference(order.carrier, order.account, order.reference)
            raise
        if claim is not None:
            claim.written(order.id)

    def get(self, order_id: str) -> Order:
        """The order as it stands now. Raises OrderNotFoundError, also for another tenant's order."""
        item = self._items.get(self._key(order_id)) if keys.is_id(order_id) else None
        if item is None:
            raise OrderNotFoundError("the tenant has no such order")
        return _orders.decode(item["doc"])

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
        try:
            self._items.commit(self._changes(before, after, event, trackings, hook))
        except _NotOursError:
            # The reference was already another order's: that claim is not ours to free, the rest stands.
            self._items.commit(self._changes(before, after, event, trackings, hook, frees=False))

    def postpone(self, order_id: str, until: datetime) -> None:
        """Have an order that is due come again at `until`. It is not read, so it may hold anything."""
        with suppress(ConditionFailedError):
            self._items.update(self._key(order_id), {"due_at": until}, condition="attribute_exists(due_at)")

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
        items = self._items.query(
            "pk = :pk AND begins_with(sk, :event)", pk=self._key(order_id)["pk"], event="EVENT#"
        )
        events = [_events.decode(item["doc"]) for item in items]
        if not events:
            raise OrderNotFoundError("the tenant has no such order")
        return events

    def by_carrier_number(self, carrier: str, account: str, number: str) -> str | None:
        """The id of the order that has this number with the carrier."""
        return self._order_id(self._named("NUMBER", carrier, account, number_key(number)))

    def by_reference(self, carrier: str, account: str, reference: str) -> str | None:
        """The id of the living order that holds this reference."""
        return self._order_id(self._named("REFERENCE", carrier, account, reference))

    def _changes(
        self,
        before: Order,
        after: Order,
        event: OrderEvent | None,
        trackings: Sequence[Tracking],
        hook: str | None,
        *,
        frees: bool = True,
    ) -> list[Write]:
        put = self._items.put_write
        conflict = VersionConflictError(f"{after.id} is not at version {before.version} any more")
        ours = f"{NEW} OR order_id = :order"
        writes = [put(self._order_item(after), conflict, "version = :before", before=before.version)]
        number = after.carrier_order_number
        if number and number != before.carrier_order_number:
            key = self._named("NUMBER", after.carrier, after.account, number_key(number))
            writes.append(
                put(
                    {**key, "order_id": after.id},
                    lambda item: CarrierNumberTakenError(item["order_id"]) if item else conflict,
                    ours,
                    order=after.id,
                )
            )
        if event is not None:
            writes.append(self._event_write(after, event))
        if after.status.final and not before.status.final and frees:
            key = self._reference_key(before)
            writes.append(
                self._items.delete_write(
                    key, lambda item: _NotOursError() if item else conflict, ours, order=after.id
                )
            )
        writes += [put(trackings_store.tracking_item(tracking), conflict) for tracking in trackings]
        if after.batch and (after.status, after.problem) != (before.status, before.problem):
            writes.append(put(batches.row_item(after), conflict, condition=""))
        if hook is not None:
            route = webhook_tokens.item(
                hook,
                webhook_tokens.Hook(self._tenant, after.carrier, after.account, after.id),
                expires_at=after.updated_at + HOOK_LIFE,
            )
            writes.append(put(route, conflict, ours, order=after.id))
        return writes

    def _order_item(self, order: Order) -> Item:
        is_due = order.watch_at is not None
        return {
            **self._key(order.id),
            "type": "order",
            "status": order.status,
            "version": order.version,
            "carrier": order.carrier,
            "doc": _encoder.encode(order).decode(),
            "list_pk": keys.key(self._tenant, "ORDERS"),
            "list_sk": _place(order),
            "status_pk": self._status_list(order.status),
            "reference_pk": self._reference_list(order.reference),
            "due_pk": keys.due(keys.ORDER, keys.shard_of(order.id)) if is_due else None,
            "due_at": order.watch_at,
        }

    def _event_write(self, order: Order, event: OrderEvent) -> Write:
        item = {
            "pk": self._key(order.id)["pk"],
            "sk": f"EVENT#{order.version:010d}",
            "type": "event",
            "doc": _encoder.encode(event).decode(),
        }
        conflict = VersionConflictError(f"{order.id} has an event of version {order.version} already")
        return self._items.put_write(item, conflict)

    def _list(self, status: str | None, reference: str | None) -> tuple[str, str, str]:
        """The narrowest of the lists that have all orders with these."""
        if reference is not None:
            return "by_reference", "reference_pk", self._reference_list(reference)
        if status is not None:
            return "by_status", "status_pk", self._status_list(status)
        return "by_time", "list_pk", keys.key(self._tenant, "ORDERS")

    def _documents(self, order_ids: Sequence[str]) -> list[Order]:
        items = self._items.get_many([self._key(order_id) for order_id in order_ids])
        return [_orders.decode(item["doc"]) for item in items]

    def _order_id(self, key: Item) -> str | None:
        item = self._items.get(key)
        return None if item is None else item["order_id"]

    def _key(self, order_id: str) -> Item:
        return {"pk": keys.key(self._tenant, keys.ORDER, order_id), "sk": keys.ORDER}

    def _named(self, kind: str, *parts: str) -> Item:
        """Where it stands which order has a name: a reference, or the carrier's number."""
        return {"pk": keys.key(self._tenant, kind, *parts), "sk": kind}

    def _reference_key(self, order: Order) -> Item:
        return self._named("REFERENCE", order.carrier, order.account, order.reference)

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

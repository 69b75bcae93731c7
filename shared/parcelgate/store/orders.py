"""Stores orders. Each change of an order is one transaction, with everything that must change with it."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import batched

import msgspec

from parcelgate.domain.orders import Concern, Order, OrderEvent, OrderStatus, first_tracking_id
from parcelgate.domain.trackings import Tracking, TrackingStatus, number_key
from parcelgate.store import keys, lists
from parcelgate.store import trackings as trackings_store
from parcelgate.store.calls import MOST_WRITES, NEW, ConditionFailedError, Item, Items, Write, epoch
from parcelgate.store.credentials import webhook_tokens
from parcelgate.store.documents import document
from parcelgate.store.errors import (
    CarrierNumberTakenError,
    OrderNotFoundError,
    ReferenceTakenError,
    RowTakenError,
    StoreError,
    VersionConflictError,
)
from parcelgate.store.idempotency import Claim
from parcelgate.store.jobs import batches
from parcelgate.store.lists import Listing, Lists, Page

HOOK_LIFE = timedelta(days=60)
"""How long the callback token of an order is kept: much longer than callbacks can arrive."""
_AFTER_LATE_END = timedelta(days=30)
"""How long an order is kept at least after its last change, however old it is."""
_PASSING = frozenset({OrderStatus.ACCEPTED, OrderStatus.PROCESSING, OrderStatus.CANCELLING})
"""Few orders have these statuses at a time. An account has no list of its own of them, which would be written
twice for each order: they are picked out of the list of all accounts."""
LONGEST_REFERENCE = 80
"""The longest reference, in characters. No order has a longer one, so longer ones are not looked up."""

_orders = msgspec.json.Decoder(Order)
_events = msgspec.json.Decoder(OrderEvent)


class Orders:
    """The orders of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant
        self._lists = Lists(items)

    def add(
        self,
        order: Order,
        event: OrderEvent,
        claim: Claim | None = None,
        *,
        then: OrderEvent | None = None,
    ) -> None:
        """Store a new order with its first event, and claim its reference and the idempotency key.

        With `then`, the event of its second version, the order is stored at that version.

        Raises
        ------
        ClaimTakenError
            Another request has the idempotency key; nothing was written. Raised before the next one.
        ReferenceTakenError
            Another order that is not final has the reference; nothing was written.
        VersionConflictError
            An order of this id is stored already; nothing was written. Raised before all others.
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
        reference = {
            **self._reference_key(order),
            "order_id": order.id,
            **self._items.until_forgotten(order.created_at),
        }
        writes += [
            put(reference, lambda item: ReferenceTakenError(item["order_id"] if item else None)),
            *self._first_events(order, event, then),
            self._account_entry(order),
            *(self._number_entry(order, number) for number in sorted(_numbers(order))),
        ]
        if order.concern is not None:
            writes.append(self._concern_entry(order))
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
        """Return the order as it is now. Raises OrderNotFoundError, also for another tenant's order."""
        item = self._items.get(self._key(order_id)) if keys.is_id(order_id) else None
        if item is None:
            raise OrderNotFoundError("the tenant has no such order")
        return _orders.decode(item["doc"])

    def with_statuses(self, order_id: str) -> tuple[Order, dict[str, TrackingStatus]]:
        """Return the order, and its parcels' states by tracking id. Raises OrderNotFoundError.

        One call for an order of one parcel, two for one of more: what the other parcels are called stands
        in the order.
        """
        if not keys.is_id(order_id):
            raise OrderNotFoundError("the tenant has no such order")
        expected = first_tracking_id(order_id)
        places = [self._key(order_id), trackings_store.key(self._tenant, expected)]
        found = {item["sk"]: item for item in self._items.get_many(places, ("doc", "status"))}
        if keys.ORDER not in found:
            raise OrderNotFoundError("the tenant has no such order")
        order = _orders.decode(found[keys.ORDER]["doc"])
        statuses = {}
        if keys.TRACKING in found:
            statuses[expected] = TrackingStatus(found[keys.TRACKING]["status"])
        # The two are not read at one moment: the tracking may have come between.
        followed = (parcel.tracking_id for parcel in order.parcels if parcel.tracking_id)
        others = [tracking_id for tracking_id in followed if tracking_id not in statuses]
        if others:
            statuses |= trackings_store.Trackings(self._items, self._tenant).statuses(others)
        return order, statuses

    def many(self, order_ids: Sequence[str]) -> list[Order]:
        """Return the orders of these ids that the tenant has, in the sequence of the ids."""
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
        """Replace `before` by `after`, with its event and everything that follows from the change.

        The same transaction does more. A final status frees the reference. A new carrier order number is
        claimed for this order. New `trackings` are added. `hook`, the hash of a webhook token, admits
        webhooks for this order. The batch that it came in shows its new state.

        Of an order whose recipient's data was erased, no such data is written again, whatever `after` says.

        Raises
        ------
        VersionConflictError
            The stored order is no longer `before`; nothing was written.
        CarrierNumberTakenError
            The carrier's number belongs to another order; nothing was written.
        StoreUnavailableError
            Nobody knows whether it was written: read the order again.
        """
        self._owned(before, after, *trackings)
        if after.id != before.id or after.version <= before.version:
            raise ValueError("`after` must be a later version of `before`")
        if before.erased_at is not None:
            # A late answer of the carrier may name the recipient again. Loaded only for such an order.
            from parcelgate.domain import erasure

            after = erasure.without_person(after)
            event = event and erasure.event_without_words(event)
            trackings = [erasure.erased_tracking(each, at=after.updated_at) for each in trackings]
        writes = self._changes(before, after, event, trackings, hook)
        earlier, numbers = _numbers(before), _numbers(after)
        entries = [self._number_entry(after, number) for number in sorted(numbers - earlier)]
        gone = [self._number_entry(after, number, found=False) for number in sorted(earlier - numbers)]
        if len(writes) + len(entries) + len(gone) > MOST_WRITES:
            # These entries may be early or outdated: the numbers in the order itself decide.
            for part in batched(entries, MOST_WRITES, strict=False):
                self._items.commit(part)
            entries = gone = []
        try:
            self._items.commit([*writes, *entries, *gone])
        except _NotOursError:
            # The reference already belonged to another order: its claim stays. The rest is written.
            writes = self._changes(before, after, event, trackings, hook, frees=False)
            self._items.commit([*writes, *entries, *gone])

    def postpone(self, order_id: str, until: datetime) -> None:
        """Postpone an overdue order to `until`, without reading it, because perhaps it cannot be read."""
        with suppress(ConditionFailedError):
            self._items.update(self._key(order_id), {"due_at": until}, condition="attribute_exists(due_at)")

    def page(
        self,
        *,
        status: OrderStatus | str | None = None,
        carrier: str | None = None,
        account: str | None = None,
        reference: str | None = None,
        tracking_number: str | None = None,
        carrier_order_number: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[Order]:
        """One page of the orders that pass all filters, newest first. Times are exclusive bounds.

        `tracking_number` is a parcel's own or its master's, in any spelling (`number_key`). All pages except
        the last are full. `limit` may change from page to page, the filters may not. Raises BadCursorError
        for a cursor that this list has not given out.
        """
        if len(reference or "") > LONGEST_REFERENCE:
            return Page([], None)
        number = None if tracking_number is None else number_key(tracking_number)
        order_number = None if carrier_order_number is None else number_key(carrier_order_number)

        def passes(order: Order) -> bool:
            """The index may be a moment behind the order, and its list may be wider than the filters."""
            return (
                status in (None, order.status)
                and account in (None, order.account)
                and reference in (None, order.reference)
                and (number is None or number in _numbers(order))
                and order_number in (None, number_key(order.carrier_order_number or ""))
            )

        # The narrowest of the lists that have all orders with these.
        index = "by_reference"
        if order_number is not None:
            partition = self._list("CARRIER_NUMBER", order_number)
        elif number is not None:
            partition = self._list("NUMBER", number)
        elif reference is not None:
            partition = self._reference_list(reference)
        elif account is not None and status is None:
            partition = self._list("ACCOUNT", account)
        elif status is not None:
            index = "by_status"
            if account is None or status in _PASSING:
                partition = self._status_list(status)
            else:
                partition = self._list("ACCOUNT", account, status)
        else:
            index, partition = "by_time", keys.key(self._tenant, "ORDERS")
        filters = (status, carrier, account, reference, number, order_number, created_after, created_before)
        return self._lists.page(
            Listing(index, partition, carrier, created_after, created_before),
            lists.fingerprint("orders", self._tenant, *filters),
            limit=limit,
            cursor=cursor,
            read=lambda order_ids: [order for order in self._documents(order_ids) if passes(order)],
            place=_place,
        )

    def concerning(
        self, concern: Concern, *, until: datetime, after: str | None, limit: int
    ) -> list[tuple[str, Order]]:
        """Up to `limit` orders that need a person for this reason since `until` or earlier, oldest first.

        Each comes with its place. The next ones are `after` the place of the last one. Fewer than `limit`
        are the last ones.
        """
        found: list[tuple[str, Order]] = []
        while len(found) < limit:
            most = limit - len(found)
            places = self._lists.oldest(self._concern_list(concern), after=after, until=until, limit=most)
            orders = {order.id: order for order in self._documents([lists.id_at(place) for place in places])}
            for place in places:
                order = orders.get(lists.id_at(place))
                if order is not None and order.concern is concern:
                    found.append((place, order))
            if len(places) < most:
                break
            after = places[-1]
        return found

    def events(self, order_id: str) -> list[OrderEvent]:
        """Return the order's audit trail, oldest first. Raises OrderNotFoundError."""
        if not keys.is_id(order_id):
            raise OrderNotFoundError("the tenant has no such order")
        items = self._items.query(
            "pk = :pk AND begins_with(sk, :event)", pk=self._key(order_id)["pk"], event="EVENT#"
        )
        events = [_events.decode(item["doc"]) for item in items]
        if not events:
            raise OrderNotFoundError("the tenant has no such order")
        return events

    def erase_words(self, order_id: str) -> None:
        """Erase carriers' messages from an order's audit trail. Their codes stay. May be repeated."""
        from parcelgate.domain import erasure

        for item in self._items.query(
            "pk = :pk AND begins_with(sk, :event)", pk=self._key(order_id)["pk"], event="EVENT#"
        ):
            event = _events.decode(item["doc"])
            bare = erasure.event_without_words(event)
            if bare is not event:
                name = {"pk": item["pk"], "sk": item["sk"]}
                doc = document(bare)
                with suppress(ConditionFailedError):
                    self._items.update(name, {"doc": doc}, condition="attribute_exists(pk)")

    def by_carrier_number(self, carrier: str, account: str, number: str) -> str | None:
        """Return the id of the order that has this number with the carrier."""
        return self._order_id(self._named("NUMBER", carrier, account, number_key(number)))

    def by_reference(self, carrier: str, account: str, reference: str) -> str | None:
        """Return the id of the order that holds this reference now."""
        return self._order_id(self._named("REFERENCE", carrier, account, reference))

    def by_references(self, names: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], str]:
        """Return the ids of the orders that hold these references now.

        Each name is a carrier, an account and a reference, and stands in `names` once.
        """
        wanted = {self._named("REFERENCE", *name)["pk"]: name for name in names}
        items = self._items.get_many([self._named("REFERENCE", *name) for name in names])
        return {wanted[item["pk"]]: item["order_id"] for item in items}

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
        earlier, number = (number_key(order.carrier_order_number or "") for order in (before, after))
        if number != earlier:
            # The carrier still knows the order by its earlier number; here that number no longer finds it.
            listed = self._place_in(after, {"reference_pk": self._list("CARRIER_NUMBER", number)})
            writes += [
                put(
                    self._named("NUMBER", after.carrier, after.account, each)
                    | {"order_id": after.id, **self._items.until_forgotten(after.created_at)}
                    | more,
                    lambda item: CarrierNumberTakenError(item["order_id"]) if item else conflict,
                    ours,
                    order=after.id,
                )
                for each, more in ((number, listed), (earlier, {}))
                if each
            ]
        if event is not None:
            writes.append(self._event_write(after, event, version=after.version))
        if after.status is not before.status and not {before.status, after.status} <= _PASSING:
            writes.append(self._account_entry(after))
        if after.concern is not before.concern:
            writes.append(self._concern_entry(after))
        if after.status.final and not before.status.final and frees:
            key = self._reference_key(before)
            writes.append(
                self._items.delete_write(
                    key, lambda item: _NotOursError() if item else conflict, ours, order=after.id
                )
            )
        for tracking in trackings:
            known = trackings_store.tracking_item(tracking)
            writes.append(put(known | self._items.until_forgotten(tracking.created_at), conflict))
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
            "doc": document(order),
            **self._place_in(
                order,
                {
                    "list_pk": keys.key(self._tenant, "ORDERS"),
                    "status_pk": self._status_list(order.status),
                    "reference_pk": self._reference_list(order.reference),
                },
            ),
            "due_pk": keys.due(keys.ORDER, keys.shard_of(order.id)) if is_due else None,
            "due_at": order.watch_at,
            **self._until_forgotten(order),
        }

    def _event_write(self, order: Order, event: OrderEvent, *, version: int) -> Write:
        item = {
            "pk": self._key(order.id)["pk"],
            "sk": f"EVENT#{version:010d}",
            "type": "event",
            "doc": document(event),
            **self._items.until_forgotten(order.created_at),
        }
        conflict = VersionConflictError(f"{order.id} has an event of version {version} already")
        return self._items.put_write(item, conflict)

    def _first_events(self, order: Order, event: OrderEvent, then: OrderEvent | None) -> list[Write]:
        if then is None:
            return [self._event_write(order, event, version=order.version)]
        return [
            self._event_write(order, event, version=order.version - 1),
            self._event_write(order, then, version=order.version),
        ]

    def _account_entry(self, order: Order) -> Write:
        in_lists = {"reference_pk": self._list("ACCOUNT", order.account)}
        if order.status not in _PASSING:
            in_lists["status_pk"] = self._list("ACCOUNT", order.account, order.status)
        return self._entry(order, "ACCOUNT", in_lists)

    def _concern_entry(self, order: Order) -> Write:
        """In the list of what needs a person for the same reason, by the time since when; or in none."""
        item = {"pk": self._key(order.id)["pk"], "sk": "CONCERN", "carrier": order.carrier}
        if order.concern is not None:
            item["list_pk"] = self._concern_list(order.concern)
            item["list_sk"] = keys.list_position(order.updated_at, order.id)
        return self._items.put_write(item, VersionConflictError(order.id), condition="")

    def _number_entry(self, order: Order, number: str, *, found: bool = True) -> Write:
        in_list = {"reference_pk": self._list("NUMBER", number)} if found else {}
        return self._entry(order, f"NUMBER#{keys.digest(number)}", in_list)

    def _entry(self, order: Order, name: str, in_lists: Item) -> Write:
        """Return an item beside the order, which puts it into more lists than its own item can."""
        item = {
            "pk": self._key(order.id)["pk"],
            "sk": name,
            **self._place_in(order, in_lists),
            **self._items.until_forgotten(order.created_at),
        }
        return self._items.put_write(item, VersionConflictError(order.id), condition="")

    def _until_forgotten(self, order: Order) -> Item:
        """Return when DynamoDB deletes the order itself: never while somebody must deal with it."""
        if order.watch_at is not None or order.concern is not None:
            return {}
        ends = self._items.until_forgotten(order.created_at)
        return {"expires_at": max(ends["expires_at"], epoch(order.updated_at + _AFTER_LATE_END))}

    def _documents(self, order_ids: Sequence[str]) -> list[Order]:
        items = self._items.get_many([self._key(order_id) for order_id in order_ids])
        return [_orders.decode(item["doc"]) for item in items]

    def _order_id(self, key: Item) -> str | None:
        item = self._items.get(key)
        return None if item is None else item["order_id"]

    def _key(self, order_id: str) -> Item:
        return {"pk": keys.key(self._tenant, keys.ORDER, order_id), "sk": keys.ORDER}

    def _named(self, kind: str, *parts: str) -> Item:
        """Return the key of the item that leads from a reference, or a carrier's number, to its order."""
        return {"pk": keys.key(self._tenant, kind, *parts), "sk": kind}

    def _reference_key(self, order: Order) -> Item:
        return self._named("REFERENCE", order.carrier, order.account, order.reference)

    def _list(self, kind: str, *parts: str) -> str:
        """Return the key of a list of the tenant's orders that have this in common, of whatever length."""
        return keys.key(self._tenant, "ORDERS", kind, keys.digest(*parts))

    def _place_in(self, order: Order, in_lists: Item) -> Item:
        return {"carrier": order.carrier, "list_sk": _place(order), **in_lists}

    def _status_list(self, status: str) -> str:
        return keys.key(self._tenant, "ORDERS", "STATUS", status)

    def _concern_list(self, concern: Concern) -> str:
        return keys.key(self._tenant, "ORDERS", "CONCERN", concern)

    def _reference_list(self, reference: str) -> str:
        return keys.key(self._tenant, "ORDERS", "REF", reference)

    def _owned(self, *things: Order | Tracking) -> None:
        if any(thing.tenant != self._tenant for thing in things):
            raise ValueError("another tenant's order or tracking was given to this tenant's store")


class _NotOursError(StoreError):
    """The reference's claim names another order, so it must not be freed."""


def _place(order: Order) -> str:
    return keys.list_position(order.created_at, order.id)


def _numbers(order: Order) -> set[str]:
    """Return the numbers on the order's labels, in the form in which they are compared."""
    masters = (parcel.master_tracking_number or "" for parcel in order.parcels)
    numbers = (*order.tracking_numbers, *order.master_tracking_numbers, *masters)
    return {number for each in numbers if (number := number_key(each))}

"""The event log: what happened to a tenant's orders and parcels in the last 30 days."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime

from parcelgate.domain.merchants.events import KEPT, Event, EventType, Topic
from parcelgate.store import keys, lists
from parcelgate.store.calls import ConditionFailedError, Item, Items, epoch
from parcelgate.store.errors import EventNotFoundError
from parcelgate.store.lists import Listing, Lists, Page
from parcelgate.store.merchant_events.packing import pack, unpack

EVENT = "EVENT"
_LIST = "EVENTS"
_COMMON = EventType.TRACKING_UPDATED
"""Most events are of this type. It has no list of its own: each place in a list is a write."""
_DIGITS = 10
"""Of a sequence in a place, so that texts are sorted as numbers are."""


class EventLog:
    """The events of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant
        self._lists = Lists(items)

    def add(self, event: Event) -> Event:
        """Store an event, and return it as it is stored. One that is stored already stays as it was told.

        Raises ThrottledError, StoreUnavailableError (it may be stored) or ItemTooLargeError.
        """
        if event.tenant != self._tenant:
            raise ValueError("another tenant's event was given to this tenant's store")
        item = self._item(event)
        try:
            self._items.put(item)
        except ConditionFailedError as error:
            item = error.item or item
        return self._event(item)

    def get(self, event_id: str, *, at: datetime) -> Event:
        """An event of the 30 days before `at`. Raises EventNotFoundError, also for another tenant's event."""
        item = self._items.get(self._key(event_id)) if keys.is_id(event_id) else None
        if item is None or item["expires_at"] <= epoch(at):
            raise EventNotFoundError("the tenant has no such event")
        return self._event(item)

    def page(
        self,
        *,
        at: datetime,
        topics: Collection[Topic] = tuple(Topic),
        type: EventType | None = None,
        order_id: str | None = None,
        tracking_id: str | None = None,
        of_order: str | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[Event]:
        """One page of the events of the 30 days before `at` that pass all filters, newest first.

        `of_order` is the order whose parcel the tracking is, if it is one's: its events stand in that order's
        list. Times are exclusive bounds. Of other topics than `topics` nothing is shown, as if it were not
        there. Pages are full save the last one. `limit` may change from page to page, the filters may not.
        Raises BadCursorError for a cursor that this list has not given out.
        """
        listing = self._listing(frozenset(topics), type, order_id, tracking_id, of_order)
        if listing is None:
            return Page([], None)

        places: dict[str, str] = {}

        wanted = frozenset(topics)

        def read(named: Sequence[str]) -> list[Event]:
            # Before the id stands the sequence, or nothing in places that an earlier release wrote.
            event_ids = [name.rpartition(".")[2] for name in named]
            items = self._items.get_many([self._key(event_id) for event_id in event_ids])
            events = [self._event(item) for item in items]
            places.update(
                zip((event.id for event in events), (item["list_sk"] for item in items), strict=True)
            )
            # The list may be wider than the filters.
            return [
                event
                for event in events
                if order_id in (None, event.order_id)
                and tracking_id in (None, event.tracking_id)
                and type in (None, event.type)
                and event.type.topic in wanted
            ]

        first = at - KEPT
        return self._lists.page(
            listing._replace(created_after=max(after or first, first), created_before=before),
            lists.fingerprint(
                "events", self._tenant, *sorted(topics), type, order_id, tracking_id, after, before
            ),
            limit=limit,
            cursor=cursor,
            read=read,
            place=lambda event: places[event.id],
        )

    def rewrite(self, order_id: str, change: Callable[[bytes], bytes]) -> None:
        """Change the bodies of all events about an order and its parcels. May be repeated.

        Events are written once and never change otherwise. The list of them may lag a second.
        """
        for found in self._items.query(
            "order_pk = :order", index="by_order", order=self._list("ORDER", order_id)
        ):
            key = {"pk": found["pk"], "sk": found["sk"]}
            item = self._items.get(key)
            if item is None:
                continue
            before = unpack(item["doc"])
            after = change(before)
            if after != before:
                with suppress(ConditionFailedError):
                    self._items.update(key, {"doc": pack(after)}, condition="attribute_exists(pk)")

    def _listing(
        self,
        topics: frozenset[Topic],
        kind: EventType | None,
        order_id: str | None,
        tracking_id: str | None,
        of_order: str | None,
    ) -> Listing | None:
        """The list that has all of these and little else; None where there can be no such event."""
        if not topics or (kind is not None and kind.topic not in topics):
            return None
        if order_id is not None and (Topic.ORDERS not in topics or not keys.is_id(order_id)):
            return None
        if tracking_id is not None and (Topic.TRACKINGS not in topics or not keys.is_id(tracking_id)):
            return None
        # Of one tracking or order there are few events: those of a type or topic are picked out of all.
        if tracking_id is not None and of_order is not None:
            return Listing("by_order", self._list("ORDER", of_order))
        if tracking_id is not None:
            return Listing("by_subject", self._list("TRACKING", tracking_id))
        if order_id is not None:
            return Listing("by_order", self._list("ORDER", order_id))
        if kind is not None and kind is not _COMMON:
            return Listing("by_type", self._list("TYPE", kind))
        if len(topics) == 1 and kind is None and Topic.TRACKINGS not in topics:
            return Listing("by_topic", self._list("TOPIC", *topics))
        # Most of all events are about parcels, and of several topics few are not of these.
        return Listing("by_time", self._list())

    def _item(self, event: Event) -> Item:
        kind, order, tracking = event.type, event.order_id, event.tracking_id
        in_lists = {"list_pk": self._list()}
        if kind.topic is not Topic.TRACKINGS:
            in_lists["topic_pk"] = self._list("TOPIC", kind.topic)
        if kind is not _COMMON:
            in_lists["type_pk"] = self._list("TYPE", kind)
        if order is not None:
            in_lists["order_pk"] = self._list("ORDER", order)
        elif tracking is not None:
            in_lists["subject_pk"] = self._list("TRACKING", tracking)
        return {
            **self._key(event.id),
            "event_type": kind,
            "tracking_id": tracking,
            # A write is billed by the kilobyte: what a list's key says already does not stand there again.
            "doc": pack(event.body),
            "list_sk": _place(event),
            **in_lists,
            "expires_at": epoch(event.at + KEPT),
        }

    def _event(self, item: Item) -> Event:
        at, sequence = _when(item)
        return Event(
            id=item["pk"].rpartition("#")[2],
            tenant=self._tenant,
            type=EventType(item["event_type"]),
            at=at,
            sequence=sequence,
            body=unpack(item["doc"]),
            order_id=item["order_pk"].rpartition("#")[2] if "order_pk" in item else None,
            tracking_id=item.get("tracking_id"),
        )

    def _key(self, event_id: str) -> Item:
        return {"pk": keys.key(self._tenant, EVENT, event_id), "sk": EVENT}

    def _list(self, *parts: str) -> str:
        return keys.key(self._tenant, _LIST, *parts)


def _when(item: Item) -> tuple[datetime, int]:
    """When an event happened, and its sequence: its place in lists says so, and earlier each stood alone."""
    at, _, own = item["list_sk"].partition("#")
    if "sequence" in item:
        return datetime.fromisoformat(item["at"]), item["sequence"]
    return datetime.fromisoformat(at), int(own.partition(".")[0])


def _place(event: Event) -> str:
    """Where an event is in every list: by its time, and events of one moment by their sequence."""
    return keys.list_position(event.at, f"{event.sequence:0{_DIGITS}d}.{event.id}")

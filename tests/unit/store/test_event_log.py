"""The event log: what is written once, and every list of it with full pages."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from parcelgate.domain.merchants.events import KEPT, Event, EventType, Topic
from parcelgate.store import lists
from parcelgate.store.calls import Items
from parcelgate.store.errors import BadCursorError, EventNotFoundError, ItemTooLargeError
from parcelgate.store.merchant_events.log import EventLog
from parcelgate.store.merchant_events.table import EventsTable
from tests.support.events import an_event_of
from tests.support.orders import NOON
from tests.support.table import EVENTS_TABLE_NAME, all_items

LATER = NOON + timedelta(hours=2)
ORDERS = ("ord_1", "ord_2")


@pytest.fixture
def log(events_table: EventsTable) -> EventLog:
    return events_table.tenant("acme").log


@pytest.fixture
def events(log: EventLog) -> list[Event]:
    """Two orders of two parcels each, a parcel of nobody's and a batch, newest first."""
    told = [an_event_of("bat_1", EventType.BATCH_FINISHED, minutes=90, sequence=1)]
    for minute, (order, kind) in enumerate(product(ORDERS, ("order.confirmed", "label.ready"))):
        told.append(an_event_of(order, kind, minutes=minute))
    parcels = [(f"trk_{order[-1]}{place}", order) for order in ORDERS for place in "ab"] + [("trk_x", None)]
    for round_, (parcel, order) in product(range(3), parcels):
        for kind in ("tracking.updated", *(["tracking.delivered"] if round_ == 2 else [])):
            told.append(an_event_of(parcel, kind, minutes=10 + round_, sequence=round_ + 2, order_id=order))
    for event in told:
        log.add(event)
    return sorted(told, key=lambda event: (event.at, event.sequence, event.id), reverse=True)


def every_page(log: EventLog, limit: int, **filters: Any) -> Iterator[list[Event]]:
    cursor = None
    while True:
        page = log.page(at=LATER, limit=limit, cursor=cursor, **filters)
        yield page.data
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


def test_an_event_is_read_as_it_was_written(log: EventLog) -> None:
    event = an_event_of("trk_1", "tracking.delivered", order_id="ord_1", body=b'{"data":{}}')
    log.add(event)
    assert log.get(event.id, at=LATER) == event


def test_promise_11_an_event_that_is_told_again_stays_as_it_was_told(log: EventLog) -> None:
    event = an_event_of("ord_1", body=b'{"data":1}')
    log.add(event)
    log.add(an_event_of("ord_1", body=b'{"data":2}'))
    assert [each.body for each in log.page(at=LATER).data] == [b'{"data":1}']


def test_one_event_is_asked_for_of_a_parcel_among_many_of_its_order(log: EventLog) -> None:
    """The list is the order's. The page is full although hardly anything in it fits."""
    first = an_event_of("trk_1a", "tracking.delivered", order_id="ord_1")
    log.add(first)
    for number in range(130):
        log.add(an_event_of("trk_1b", "tracking.updated", minutes=1, sequence=number, order_id="ord_1"))
    page = log.page(at=LATER, tracking_id="trk_1a", of_order="ord_1", limit=1)
    assert ([event.id for event in page.data], page.next_cursor) == ([first.id], None)


def test_no_page_looks_at_more_than_so_many_events_and_its_cursor_goes_on_behind_them(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = an_event_of("trk_1a", "tracking.delivered", order_id="ord_1")
    log.add(first)
    for number in range(40):
        log.add(an_event_of("trk_1b", "tracking.updated", minutes=1, sequence=number, order_id="ord_1"))
    monkeypatch.setattr(lists, "_MOST_QUERIES", 4)
    monkeypatch.setattr(lists, "_LEAST_LOOKS", 10)
    get_many, looked = Items.get_many, list[int]()

    def counting(items: Items, keys: Sequence[Any], *more: Any, **options: Any) -> Any:
        looked.append(len(keys))
        return get_many(items, keys, *more, **options)

    monkeypatch.setattr(Items, "get_many", counting)
    pages = [*every_page(log, 1, tracking_id="trk_1a", of_order="ord_1")]
    assert [event.id for page in pages for event in page] == [first.id]
    assert looked[:3] == [2, 4, 8]
    assert looked[3] == 2, "the next page begins"


def test_an_id_is_of_one_tenant_one_subject_one_version_and_one_type() -> None:
    one = an_event_of("ord_1")
    others = [
        an_event_of("ord_1", tenant="other"),
        an_event_of("ord_2"),
        an_event_of("ord_1", sequence=3),
        an_event_of("ord_1", "label.ready"),
    ]
    assert an_event_of("ord_1").id == one.id
    assert len({one.id, *(each.id for each in others)}) == 5


def test_every_filter_and_every_two_of_them_give_full_pages(log: EventLog, events: list[Event]) -> None:
    for topics, order_id, tracking_id, kind in product(
        [(Topic.ORDERS,), (Topic.TRACKINGS,), tuple(Topic), ()],
        [None, "ord_1", "ord_9", "a#b"],
        [None, "trk_1a", "trk_x", "trk_2b"],
        [None, EventType.ORDER_CONFIRMED, EventType.TRACKING_UPDATED],
    ):
        expected = [
            event
            for event in events
            if event.type.topic in topics
            and kind in (None, event.type)
            and order_id in (None, event.order_id)
            and tracking_id in (None, event.tracking_id)
        ]
        if order_id and Topic.ORDERS not in topics:
            expected = []  # Nobody is shown an order's events without leave to read orders.
        filters = {"topics": topics, "type": kind, "order_id": order_id, "tracking_id": tracking_id}
        filters["of_order"] = {"trk_1a": "ord_1", "trk_2b": "ord_2"}.get(tracking_id or "")
        pages = list(every_page(log, 4, **filters))
        assert [event for page in pages for event in page] == expected, filters
        assert all(len(page) == 4 for page in pages[:-1]), filters


@pytest.mark.parametrize("limit", [1, 3, 20])
def test_events_of_one_moment_are_listed_by_their_sequence(log: EventLog, limit: int) -> None:
    sequences = [*range(1, 13), 100_000]
    for sequence in sequences:
        log.add(an_event_of("trk_1", "tracking.updated", sequence=sequence, order_id="ord_1"))
    for filters in (
        {},
        {"order_id": "ord_1"},
        {"tracking_id": "trk_1", "of_order": "ord_1"},
        {"type": EventType.TRACKING_UPDATED},
    ):
        listed = [event.sequence for page in every_page(log, limit, **filters) for event in page]
        assert listed == sequences[::-1], filters


def test_events_that_an_earlier_release_wrote_stay_in_their_lists(log: EventLog, dynamodb: Any) -> None:
    """Their places have no sequence, which stands beside them."""
    told = [an_event_of("ord_1", sequence=sequence) for sequence in range(1, 8)]
    for event in told:
        log.add(event)
    for item in all_items(dynamodb, EVENTS_TABLE_NAME):
        moment, _, place = item["list_sk"]["S"].partition("#")
        sequence, _, own_id = place.partition(".")
        item["list_sk"] = {"S": f"{moment}#{own_id}"}
        item |= {"at": {"S": moment}, "sequence": {"N": str(int(sequence))}, "order_id": {"S": "ord_1"}}
        dynamodb.put_item(TableName=EVENTS_TABLE_NAME, Item=item)
    listed = [event for page in every_page(log, 2) for event in page]
    assert listed == sorted(told, key=lambda event: event.id, reverse=True)


def test_times_are_exclusive_bounds(log: EventLog, events: list[Event]) -> None:
    moment = NOON + timedelta(minutes=11)
    shown = log.page(at=LATER, after=moment, limit=100).data
    assert shown == [event for event in events if event.at > moment]
    shown = log.page(at=LATER, before=moment, limit=100).data
    assert shown == [event for event in events if event.at < moment]


def test_after_thirty_days_an_event_is_gone_whether_it_is_deleted_or_not(log: EventLog) -> None:
    old, young = an_event_of("ord_1"), an_event_of("ord_2", minutes=1)
    log.add(old)
    log.add(young)
    at = NOON + KEPT
    assert log.page(at=at).data == [young]
    assert log.page(at=at, after=NOON - timedelta(days=1)).data == [young]
    with pytest.raises(EventNotFoundError):
        log.get(old.id, at=at)
    assert log.get(young.id, at=at) == young
    assert log.get(old.id, at=at - timedelta(seconds=1)) == old


def test_a_cursor_opens_the_list_that_gave_it_alone(log: EventLog, events: list[Event]) -> None:
    cursor = log.page(at=LATER, limit=1).next_cursor
    for other in ({"topics": (Topic.ORDERS,)}, {"type": events[0].type}, {"order_id": "ord_1"}):
        with pytest.raises(BadCursorError):
            log.page(at=LATER, cursor=cursor, **other)  # type: ignore[arg-type]


def test_a_body_is_larger_than_an_item_may_be(log: EventLog) -> None:
    event = an_event_of("ord_1", body=b'{"parcel": "of fifty"}' * 50_000)
    log.add(event)
    assert log.get(event.id, at=LATER) == event


@pytest.mark.parametrize(
    ("kind", "lists"),
    [
        ("order.confirmed", {"list_pk", "topic_pk", "type_pk", "order_pk"}),
        ("tracking.updated", {"list_pk", "order_pk"}),
        ("tracking.delivered", {"list_pk", "type_pk", "order_pk"}),
    ],
)
def test_an_event_is_in_no_list_that_picks_most_of_another(
    kind: str, lists: set[str], log: EventLog, dynamodb: Any
) -> None:
    """Each place in a list is a write unit, for each event."""
    log.add(an_event_of("ord_1" if kind.startswith("order.") else "trk_1", kind, order_id="ord_1"))
    (item,) = all_items(dynamodb, EVENTS_TABLE_NAME)
    assert {name for name in item if name.endswith("_pk")} == lists


def test_events_that_stand_in_all_seven_lists_are_listed_beside_new_ones(
    log: EventLog, events: list[Event], dynamodb: Any
) -> None:
    for item in all_items(dynamodb, EVENTS_TABLE_NAME)[::2]:
        kind, tracking = (item.get(name, {}).get("S") for name in ("event_type", "tracking_id"))
        order = item.get("order_pk", {}).get("S", "").rpartition("#")[2]
        topic = EventType(kind).topic
        before = {"topic_pk": f"TOPIC#{topic}", "type_pk": f"TYPE#{kind}"}
        if order:
            before |= {"order_type_pk": f"ORDER#{order}#{kind}"}
            before |= {} if tracking else {"subject_pk": f"ORDER#{order}"}
        if tracking:
            before |= {"tracking_type_pk": f"TRACKING#{tracking}#{kind}"}
        item |= {name: {"S": f"T#acme#EVENTS#{part}"} for name, part in before.items()}
        dynamodb.put_item(TableName=EVENTS_TABLE_NAME, Item=item)
    test_every_filter_and_every_two_of_them_give_full_pages(log, events)


def test_promise_7_every_key_and_every_list_begins_with_its_tenant(
    log: EventLog, events: list[Event], events_table: EventsTable, dynamodb: Any
) -> None:
    assert events
    for item in all_items(dynamodb, EVENTS_TABLE_NAME):
        partitions = [value["S"] for name, value in item.items() if name.endswith("pk")]
        assert len(partitions) > 2
        assert all(each.startswith("T#acme#") for each in partitions)
    for tenant in ("acm", "acme-2", "other"):
        theirs = events_table.tenant(tenant).log
        assert theirs.page(at=LATER).data == []
        assert theirs.page(at=LATER, order_id="ord_1").data == []
        with pytest.raises(EventNotFoundError):
            theirs.get(events[0].id, at=LATER)
        with pytest.raises(ValueError, match="another tenant"):
            theirs.add(events[0])
    assert {name for name in vars(EventsTable) if not name.startswith("_")} == {"tenant"}


def test_an_event_that_no_item_can_hold_says_so(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parcelgate.store.merchant_events.log.pack", lambda body: body)
    with pytest.raises(ItemTooLargeError):
        log.add(an_event_of("ord_1", body=b"x" * 500_000))

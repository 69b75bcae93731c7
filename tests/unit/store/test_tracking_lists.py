"""Lists of trackings: newest first, full pages, and cursors that open nothing but their own list."""

from datetime import timedelta
from typing import Any

import pytest

from parcelgate.domain.trackings import Tracking, TrackingStatus
from parcelgate.store.errors import BadCursorError
from parcelgate.store.lists import Page
from parcelgate.store.table import Table
from parcelgate.store.trackings import Trackings
from tests.support.faults import Faults
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import TABLE_NAME, Lagging
from tests.support.trackings import a_followed
from tests.unit.store.test_trackings import moved


def stored(table: Table, count: int, **facts: Any) -> list[Tracking]:
    """`count` trackings, a second apart, newest first."""
    made = [a_followed(f"N-{n}", **{"at": NOON + timedelta(seconds=n)} | facts) for n in range(count)]
    for tracking in made:
        table.tenant(tracking.tenant).trackings.add(tracking)
    return made[::-1]


def walked(trackings: Trackings, limit: int, **filters: Any) -> list[Tracking]:
    found = [trackings.page(limit=limit, **filters)]
    while found[-1].next_cursor is not None:
        found.append(trackings.page(limit=limit, cursor=found[-1].next_cursor, **filters))
    assert all(len(page.data) == limit for page in found[:-1]), "every page but the last is full"
    assert found[-1].data or len(found) == 1, "no empty last page"
    return [tracking for page in found for tracking in page.data]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_all_trackings_newest_first_each_once(table: Table, limit: int) -> None:
    expected = stored(table, 7)
    assert walked(table.tenant("acme").trackings, limit) == expected


def test_orders_and_their_next_polls_are_not_in_the_list(table: Table) -> None:
    own = table.tenant("acme")
    own.orders.add(an_order(), an_event())
    (tracking,) = stored(table, 1)
    own.trackings.plan(tracking.id, NOON)
    assert own.trackings.page() == Page([tracking], None)
    assert len(own.orders.page().data) == 1


def test_pages_are_full_by_status_and_by_carrier(table: Table) -> None:
    trackings = table.tenant("acme").trackings
    made = stored(table, 6)
    lso = stored(table, 3, carrier="lso", carrier_code="-", at=NOON)
    delivered = []
    for tracking in made[::2]:
        delivered.append(moved(tracking, "delivered"))
        trackings.save(tracking, delivered[-1])
    assert walked(trackings, 2, status="delivered") == delivered
    assert walked(trackings, 2, status=TrackingStatus.PENDING, carrier="trackingmore") == made[1::2]
    assert {one.id for one in walked(trackings, 2, carrier="lso")} == {one.id for one in lso}
    assert trackings.page(status="lost") == Page([], None)


def test_an_index_that_is_behind_shows_no_parcel_in_a_status_it_has_left(dynamodb: Any) -> None:
    made = stored(Table(dynamodb, TABLE_NAME), 3)

    def happen() -> None:
        trackings = Table(dynamodb, TABLE_NAME).tenant("acme").trackings
        if trackings.get(made[1].id) == made[1]:
            trackings.save(made[1], moved(made[1], "delivered"))

    lagging = Table(Lagging(dynamodb, happen), TABLE_NAME).tenant("acme").trackings  # type: ignore[arg-type]
    assert lagging.page(status="pending", limit=2) == Page([made[0], made[2]], None)


def test_an_index_that_is_behind_shows_no_parcel_that_is_gone(dynamodb: Any) -> None:
    made = stored(Table(dynamodb, TABLE_NAME), 3)

    def happen() -> None:
        trackings = Table(dynamodb, TABLE_NAME).tenant("acme").trackings
        if trackings.many([made[1].id]):
            trackings.remove(made[1])

    lagging = Table(Lagging(dynamodb, happen), TABLE_NAME).tenant("acme").trackings  # type: ignore[arg-type]
    assert lagging.page(limit=2) == Page([made[0], made[2]], None)


def test_a_page_costs_one_query_and_one_batch(dynamodb: Any) -> None:
    faults = Faults()
    stored(Table(dynamodb, TABLE_NAME), 5)
    Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme").trackings.page(limit=3)
    assert faults.names == ["dynamodb.query", "dynamodb.batch_get_item"]


def test_a_cursor_belongs_to_its_filters_its_tenant_and_its_list(table: Table) -> None:
    own = table.tenant("acme")
    stored(table, 3)
    cursor = own.trackings.page(limit=1).next_cursor
    for filters in ({"status": "pending"}, {"carrier": "trackingmore"}):
        with pytest.raises(BadCursorError):
            own.trackings.page(cursor=cursor, **filters)
    with pytest.raises(BadCursorError):
        table.tenant("other").trackings.page(cursor=cursor)
    with pytest.raises(BadCursorError):
        own.orders.page(cursor=cursor)


@pytest.mark.parametrize("number", ["lk 1 cn", "LK1CN", "\uff2c\uff2b1cn"])
def test_a_number_or_a_courier_is_found_however_it_is_spelt(table: Table, number: str) -> None:
    trackings = table.tenant("acme").trackings
    parcel = a_followed("Lk1cn", carrier_code="China-EMS")
    trackings.add(parcel)
    stored(table, 2)
    assert walked(trackings, 2, tracking_number=number) == [parcel]
    assert walked(trackings, 2, tracking_number=number, carrier_code="CHINA-ems") == [parcel]

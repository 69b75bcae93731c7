"""Orders and trackings are found by number, account, courier and order: exactly, in full pages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parcelgate.domain.orders import Order, OrderStatus, Parcel
from parcelgate.domain.trackings import Tracking, courier_key, number_key
from parcelgate.store import calls
from parcelgate.store.errors import BadCursorError, CarrierNumberTakenError, VersionConflictError
from parcelgate.store.lists import Page
from parcelgate.store.table import Table
from tests.support.fast_dynamodb import a_table
from tests.support.faults import Faults
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import TABLE_NAME, Lagging
from tests.support.trackings import a_followed, a_tracking
from tests.unit.store.test_trackings import moved


def parcels(*numbers: str | None, **more: Any) -> tuple[Parcel, ...]:
    (parcel,) = an_order().parcels
    return tuple(
        msgspec.structs.replace(parcel, reference=f"P-{place}", tracking_number=number, **more)
        for place, number in enumerate(numbers)
    )


def walked(page: Callable[..., Page[Any]], limit: int = 2, **filters: Any) -> list[Any]:
    pages = [page(limit=limit, **filters)]
    while pages[-1].next_cursor is not None:
        pages.append(page(limit=limit, cursor=pages[-1].next_cursor, **filters))
    assert all(len(each.data) == limit for each in pages[:-1]), "every page but the last is full"
    return [thing for each in pages for thing in each.data]


# Orders


def test_an_order_is_found_by_each_of_its_numbers_in_any_spelling(table: Table) -> None:
    orders = table.tenant("acme").orders
    order = an_order(parcels=parcels("RP 123", "\uff11\uff3a9", master_tracking_number="m-1"))
    orders.add(order, an_event())
    after = order.changed(at=NOON, carrier_order_number="no 7", master_tracking_numbers=("M-2",))
    orders.save(order, after, an_event())
    for number in ("RP123", "rp 1 2 3", "1z9", "M-1", "m-2"):
        assert orders.page(tracking_number=number) == Page([after], None), number
    for number in ("NO7", "n O7"):
        assert orders.page(carrier_order_number=number) == Page([after], None)
    for filters in (
        {"tracking_number": "NO7"},
        {"tracking_number": "RP12"},
        {"tracking_number": ""},
        {"tracking_number": "x" * 5000},
        {"carrier_order_number": "RP123"},
        {"carrier_order_number": "#" * 5000},
        {"account": "a" * 5000},
        {"tracking_number": "RP123", "account": "other"},
        {"tracking_number": "RP123", "carrier": "ubi"},
        {"tracking_number": "RP123", "carrier_order_number": "NO8"},
        {"carrier_order_number": "NO7", "status": "failed"},
    ):
        assert orders.page(**filters) == Page([], None), filters
        assert table.tenant("other").orders.page(**filters) == Page([], None)
    assert table.tenant("other").orders.page(tracking_number="RP123") == Page([], None)
    assert table.tenant("other").orders.page(carrier_order_number="NO7") == Page([], None)


def test_a_number_that_changes_moves_the_order(table: Table, dynamodb: Any) -> None:
    orders = table.tenant("acme").orders
    order = an_order(parcels=parcels("A"))
    orders.add(order, an_event())
    first = order.changed(at=NOON, carrier_order_number="N-1")
    orders.save(order, first, an_event())
    second = first.changed(at=NOON, carrier_order_number="N-2", parcels=parcels("B"))
    orders.save(first, second, an_event())
    for gone in ({"tracking_number": "A"}, {"carrier_order_number": "N-1"}):
        faults = Faults()
        seen = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme").orders
        assert seen.page(**gone) == Page([], None)
        assert faults.names == ["dynamodb.query"], "the index does not lead there any more"
    assert orders.page(tracking_number="B", carrier_order_number="N-2").data == [second]
    assert orders.by_carrier_number("lso", "default", "N-1") == order.id, "the carrier may still say so"
    third = second.changed(at=NOON, carrier_order_number=None, parcels=parcels(None))
    orders.save(second, third, an_event())
    assert orders.page(tracking_number="B") == orders.page(carrier_order_number="N-2") == Page([], None)


def test_a_number_of_another_order_is_refused_and_found_where_it_was(table: Table) -> None:
    orders = table.tenant("acme").orders
    one, other = an_order(reference="1"), an_order(reference="2")
    for order in (one, other):
        orders.add(order, an_event())
    named = one.changed(at=NOON, carrier_order_number="N-1")
    orders.save(one, named, an_event())
    with pytest.raises(CarrierNumberTakenError):
        orders.save(other, other.changed(at=NOON, carrier_order_number="n-1"), an_event())
    assert orders.page(carrier_order_number="N-1").data == [named]


def test_pages_are_full_by_account_and_what_else_is_asked(table: Table) -> None:
    orders = table.tenant("acme").orders
    made = []
    for n in range(12):
        order = an_order(
            reference=f"R-{n}",
            at=NOON + timedelta(seconds=n),
            account="main" if n % 3 else "rare",
            carrier="ubi" if n % 2 else "lso",
        )
        orders.add(order, an_event())
        if n % 4 == 0:
            before, order = order, order.move(OrderStatus.FAILED, at=NOON, watch_at=None)
            orders.save(before, order, an_event())
        made.insert(0, order)
    for account in ("main", "rare"):
        for status in (None, "failed", "accepted"):
            for carrier in (None, "ubi"):
                expected = [
                    order
                    for order in made
                    if order.account == account
                    and status in (None, order.status)
                    and carrier in (None, order.carrier)
                ]
                filters = {"account": account, "status": status, "carrier": carrier}
                assert walked(orders.page, 2, **filters) == expected
    assert walked(orders.page, 1, account="rare", created_after=NOON + timedelta(seconds=4)) == [
        order for order in made[:7] if order.account == "rare"
    ]


def test_a_rare_status_in_an_account_costs_one_query_a_page(dynamodb: Any) -> None:
    orders = Table(dynamodb, TABLE_NAME).tenant("acme").orders
    for n in range(60):
        order = an_order(reference=f"R-{n}", at=NOON + timedelta(seconds=n))
        orders.add(order, an_event())
        if n == 0:
            orders.save(order, order.move(OrderStatus.FAILED, at=NOON, watch_at=None), an_event())
    faults = Faults()
    seen = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme").orders
    assert len(seen.page(account="default", status="failed", limit=1).data) == 1
    assert faults.names == ["dynamodb.query", "dynamodb.batch_get_item"]


def test_an_order_of_fifty_parcels_is_found_by_each(table: Table) -> None:
    """More writes than one transaction takes."""
    orders = table.tenant("acme").orders
    order = an_order(parcels=parcels(*[None] * 50))
    orders.add(order, an_event())
    trackings = [a_tracking(id=f"trk_{n}", tracking_number=f"T-{n}", order_id=order.id) for n in range(50)]
    after = order.changed(
        at=NOON,
        carrier_order_number="N-1",
        master_tracking_numbers=("M",),
        parcels=parcels(*(f"T-{n}" for n in range(50))),
    )
    orders.save(order, after, an_event(), trackings=trackings, hook="hash")
    for number in ("T-0", "T-49", "M"):
        assert orders.page(tracking_number=number).data == [after]
    renumbered = after.changed(
        at=NOON, parcels=parcels(*(f"U-{n}" for n in range(50))), master_tracking_numbers=()
    )
    more = [a_tracking(id=f"trk_u{n}", tracking_number=f"U-{n}", order_id=order.id) for n in range(50)]
    with pytest.raises(VersionConflictError):
        orders.save(order, renumbered, an_event(), trackings=more)
    assert orders.page(tracking_number="T-7").data == [after], "nothing was made of it"
    assert orders.page(tracking_number="U-7").data == []
    orders.save(after, renumbered, an_event(), trackings=more)
    assert orders.page(tracking_number="U-7").data == [renumbered]
    assert orders.page(tracking_number="T-7").data == orders.page(tracking_number="M").data == []
    assert calls.MOST_WRITES == 100


def test_an_index_that_is_behind_costs_no_place_on_the_page(dynamodb: Any) -> None:
    table = Table(dynamodb, TABLE_NAME)
    made = []
    for n in range(4):
        order = an_order(reference=f"R-{n}", at=NOON - timedelta(seconds=n), parcels=parcels("T"))
        table.tenant("acme").orders.add(order, an_event())
        made.append(order)

    def happen() -> None:
        orders = table.tenant("acme").orders
        if orders.get(made[1].id) == made[1]:
            orders.save(made[1], made[1].changed(at=NOON, parcels=parcels("U")), an_event())

    orders = Table(Lagging(dynamodb, happen), TABLE_NAME).tenant("acme").orders  # type: ignore[arg-type]
    first = orders.page(tracking_number="T", limit=2)
    assert first.data == [made[0], made[2]]
    assert orders.page(tracking_number="T", limit=2, cursor=first.next_cursor) == Page([made[3]], None)


@pytest.mark.parametrize(
    "other", [{"account": "default"}, {"tracking_number": "T"}, {"carrier_order_number": "T"}]
)
def test_a_cursor_belongs_to_what_was_looked_for(table: Table, other: dict[str, str]) -> None:
    orders, trackings = table.tenant("acme").orders, table.tenant("acme").trackings
    for n in range(2):
        orders.add(an_order(reference=f"R-{n}", parcels=parcels("T")), an_event())
    cursor = orders.page(limit=1).next_cursor
    assert cursor is not None
    with pytest.raises(BadCursorError):
        orders.page(cursor=cursor, **other)
    with pytest.raises(BadCursorError):
        trackings.page(cursor=cursor, tracking_number="T")


_SPELT = st.sampled_from(["A", "a", " b", "B", "\uff23", "c", "d d", "DD"])
_NUMBER = st.none() | _SPELT


@settings(max_examples=20)
@given(data=st.data())
def test_whatever_changes_orders_are_found_by_exactly_their_present_numbers(data: st.DataObject) -> None:
    with a_table() as table:
        stored: dict[str, Order] = {}
        for n in range(data.draw(st.integers(1, 4))):
            order = an_order(
                data.draw(st.sampled_from(["acme", "other"])),
                reference=f"R-{n}",
                account=data.draw(st.sampled_from(["a", "b"])),
                at=NOON + timedelta(seconds=data.draw(st.integers(0, 2))),
                parcels=parcels(*data.draw(st.lists(_NUMBER, min_size=2, max_size=2))),
            )
            table.tenant(order.tenant).orders.add(order, an_event())
            stored[order.id] = order
        for _ in range(data.draw(st.integers(0, 6))):
            before = stored[data.draw(st.sampled_from(sorted(stored)))]
            changes = {
                "parcels": parcels(*data.draw(st.lists(_NUMBER, min_size=2, max_size=2))),
                "master_tracking_numbers": tuple(data.draw(st.lists(_SPELT, max_size=1))),
                "carrier_order_number": data.draw(_NUMBER),
            }
            if data.draw(st.booleans()) and not before.status.final:
                after = before.move(OrderStatus.FAILED, at=NOON, watch_at=None, **changes)
            else:
                after = before.changed(at=NOON, **changes)
            try:
                table.tenant(before.tenant).orders.save(before, after, an_event())
            except CarrierNumberTakenError:
                continue
            stored[before.id] = after
        newest_first = sorted(stored.values(), key=lambda each: (each.created_at, each.id), reverse=True)
        for tenant in ("acme", "other"):
            for number in (None, "a", "B", "\uff43", "D D"):
                for name in ("tracking_number", "carrier_order_number"):
                    filters = {
                        name: number,
                        "account": data.draw(st.sampled_from([None, "a"])),
                        "status": data.draw(st.sampled_from([None, "accepted", "failed"])),
                    }
                    expected = [
                        order
                        for order in newest_first
                        if order.tenant == tenant and _is(order, filters, name, number)
                    ]
                    assert walked(table.tenant(tenant).orders.page, 1, **filters) == expected


def _is(order: Order, filters: dict[str, Any], name: str, number: str | None) -> bool:
    own: list[str | None] = [order.carrier_order_number]
    if name == "tracking_number":
        own = [*order.tracking_numbers, *order.master_tracking_numbers]
    return (
        filters["account"] in (None, order.account)
        and filters["status"] in (None, order.status)
        and (number is None or number_key(number) in {number_key(each) for each in own if each})
    )


# Trackings


def test_trackings_are_found_by_number_and_by_courier(table: Table) -> None:
    trackings = table.tenant("acme").trackings
    made = []
    for n in range(9):
        tracking = a_followed(
            "rr 1" if n == 4 else f"N-{n}",
            code="dhl" if n % 3 == 0 else "china-ems",
            at=NOON + timedelta(seconds=n),
        )
        trackings.add(tracking)
        if n % 2:
            before, tracking = tracking, moved(tracking, "delivered")
            trackings.save(before, tracking)
        made.insert(0, tracking)
    for code in ("DHL", "china-ems"):
        for status in (None, "delivered", "pending"):
            assert walked(trackings.page, 2, carrier_code=code, status=status) == [
                each for each in made if each.carrier_code == code.lower() and status in (None, each.status)
            ]
    assert walked(trackings.page, 1, tracking_number="R R1") == [made[4]]
    assert walked(trackings.page, 1, created_after=NOON, created_before=NOON + timedelta(seconds=3)) == [
        made[6],
        made[7],
    ]
    for filters in (
        {"tracking_number": "RR1", "carrier_code": "dhl"},
        {"tracking_number": "RR1", "status": "delivered"},
        {"tracking_number": "RR1", "carrier": "lso"},
        {"tracking_number": "RR1", "created_before": NOON},
        {"tracking_number": "", "carrier_code": ""},
        {"tracking_number": "#" * 5000},
        {"carrier_code": "#" * 5000},
        {"order_id": "ord_1"},
    ):
        assert trackings.page(**filters) == Page([], None), filters  # type: ignore[arg-type]
    assert table.tenant("other").trackings.page(carrier_code="dhl") == Page([], None)
    assert table.tenant("other").trackings.page(tracking_number="RR1") == Page([], None)


def test_a_corrected_courier_moves_the_parcel(table: Table) -> None:
    trackings = table.tenant("acme").trackings
    tracking = a_followed()
    trackings.add(tracking)
    after = msgspec.structs.replace(tracking, carrier_code="DHL", version=2)
    trackings.recode(tracking, after)
    assert trackings.page(carrier_code="china-ems") == Page([], None)
    assert trackings.page(carrier_code="dhl").data == [after]
    trackings.remove(after)
    for filters in ({"carrier_code": "dhl"}, {"tracking_number": "RR1CN"}, {}):
        assert trackings.page(**filters) == Page([], None)


def test_a_stale_change_of_status_leaves_the_lists_as_they_are(table: Table) -> None:
    trackings = table.tenant("acme").trackings
    tracking = a_followed()
    trackings.add(tracking)
    after = moved(tracking, "delivered")
    trackings.save(tracking, after)
    with pytest.raises(VersionConflictError):
        trackings.save(tracking, moved(tracking, "lost"))
    assert trackings.page(carrier_code="china-ems", status="delivered").data == [after]
    assert trackings.page(carrier_code="china-ems", status="lost").data == []


def test_the_trackings_of_an_order_are_a_list_like_any_other(table: Table) -> None:
    trackings = table.tenant("acme").trackings
    made = [a_tracking(id=f"trk_{n}", tracking_number=f"T-{n}", order_id="ord_1") for n in range(5)]
    order = an_order(id="ord_1")
    table.tenant("acme").orders.add(order, an_event())
    table.tenant("acme").orders.save(order, order.changed(at=NOON), an_event(), trackings=made)
    stranger = a_followed(at=NOON)
    trackings.add(stranger)
    found: dict[str, Any] = {
        "order_id": "ord_1",
        "among": [*(each.id for each in made), stranger.id, "trk_x"],
    }
    for limit in (1, 2, 5, 100):
        assert walked(trackings.page, limit, **found) == made[::-1]
    assert trackings.page(**found, tracking_number="t-2").data == [made[2]]
    assert trackings.page(**found, carrier="ubi") == trackings.page(**found, status="lost") == Page([], None)
    assert trackings.page(**found, created_after=NOON) == Page([], None)


@settings(max_examples=20)
@given(data=st.data())
def test_whatever_changes_trackings_are_found_by_exactly_what_they_are(data: st.DataObject) -> None:
    couriers = st.sampled_from(["dhl", "DHL", "ups"])
    with a_table() as table:
        trackings = table.tenant("acme").trackings
        stored: dict[str, Tracking] = {}
        for n in range(data.draw(st.integers(1, 4))):
            tracking = a_followed(
                f"{data.draw(_SPELT)}{n % 2}", code=data.draw(couriers), account=f"account-{n}"
            )
            trackings.add(tracking)
            stored[tracking.id] = tracking
        for _ in range(data.draw(st.integers(0, 6))):
            if not stored:
                break
            before = stored[data.draw(st.sampled_from(sorted(stored)))]
            match data.draw(st.sampled_from(["move", "recode", "remove"])):
                case "move":
                    after = moved(
                        before, data.draw(st.sampled_from(["in_transit", "lost"])), hours=before.version
                    )
                    trackings.save(before, after)
                    stored[before.id] = after
                case "recode":
                    after = msgspec.structs.replace(
                        before, carrier_code=data.draw(couriers), version=before.version + 1
                    )
                    trackings.recode(before, after)
                    stored[before.id] = after
                case "remove":
                    trackings.remove(before)
                    del stored[before.id]
        newest_first = sorted(stored.values(), key=lambda each: each.id, reverse=True)
        for courier in (None, "dhl", "UPS"):
            for status in (None, "pending", "in_transit", "lost"):
                for number in (None, "a0", "D D1"):
                    filters = {"carrier_code": courier, "status": status, "tracking_number": number}
                    assert walked(trackings.page, 1, **filters) == [
                        each
                        for each in newest_first
                        if (courier is None or courier_key(courier) == courier_key(each.carrier_code))
                        and status in (None, each.status)
                        and (number is None or number_key(number) == number_key(each.tracking_number))
                    ]

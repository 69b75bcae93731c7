"""Lists of orders: newest first, full pages, and cursors that open nothing but their own list."""

import base64
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.store import calls, lists, orders
from parcelgate.store.errors import BadCursorError, ThrottledError
from parcelgate.store.lists import Page
from parcelgate.store.orders import Orders
from parcelgate.store.table import Table
from tests.support.fast_dynamodb import a_table
from tests.support.faults import Faults
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import TABLE_NAME, Lagging


def stored(table: Table, count: int, **facts: Any) -> list[Order]:
    """`count` orders, a second apart, newest first."""
    made = [
        an_order(**{"reference": f"R-{n}", "at": NOON + timedelta(seconds=n)} | facts) for n in range(count)
    ]
    for order in made:
        table.tenant(order.tenant).orders.add(order, an_event())
    return made[::-1]


def pages(orders: Orders, limit: int, **filters: Any) -> list[Page[Order]]:
    found = [orders.page(limit=limit, **filters)]
    while found[-1].next_cursor is not None:
        found.append(orders.page(limit=limit, cursor=found[-1].next_cursor, **filters))
    return found


def walked(orders: Orders, limit: int, **filters: Any) -> list[Order]:
    found = pages(orders, limit, **filters)
    assert all(len(page.data) == limit for page in found[:-1]), "every page but the last is full"
    assert found[-1].data or len(found) == 1, "no empty last page"
    return [order for page in found for order in page.data]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_all_orders_newest_first_each_once(table: Table, limit: int) -> None:
    expected = stored(table, 7)
    assert walked(table.tenant("acme").orders, limit) == expected


def test_an_empty_list_is_one_empty_page(table: Table) -> None:
    assert table.tenant("acme").orders.page() == Page([], None)


def test_orders_of_the_same_instant_have_an_order_too(table: Table) -> None:
    made = stored(table, 9, at=NOON)
    found = walked(table.tenant("acme").orders, 2)
    assert found == sorted(made, key=lambda order: order.id, reverse=True)


def test_by_status_and_by_reference(table: Table) -> None:
    orders = table.tenant("acme").orders
    made = stored(table, 6)
    for order in made[::2]:
        orders.save(order, order.move(OrderStatus.FAILED, at=NOON, watch_at=None), an_event())
    failed = walked(orders, 2, status="failed")
    assert [order.id for order in failed] == [order.id for order in made[::2]]
    assert [order.id for order in walked(orders, 2, status=OrderStatus.ACCEPTED)] == [
        order.id for order in made[1::2]
    ]
    again = an_order(reference=made[0].reference, at=NOON + timedelta(hours=1))
    orders.add(again, an_event())
    both = walked(orders, 1, reference=made[0].reference)
    assert [order.id for order in both] == [again.id, made[0].id]
    assert walked(orders, 1, reference=made[0].reference, status="failed") == [failed[0]]
    assert orders.page(reference="r" * 5000) == Page([], None)
    assert orders.page(reference="R-0#") == Page([], None)


def test_pages_are_full_although_a_carrier_is_rare(table: Table) -> None:
    made = [
        an_order(reference=f"R-{n}", at=NOON + timedelta(seconds=n), carrier="ubi" if n % 5 == 0 else "lso")
        for n in range(30)
    ]
    orders = table.tenant("acme").orders
    for order in made:
        orders.add(order, an_event())
    assert walked(orders, 2, carrier="ubi") == made[::-1][4::5]
    assert walked(orders, 2, carrier="ubi", status="accepted") == made[::-1][4::5]
    assert orders.page(carrier="lme") == Page([], None)


def test_a_carrier_among_endless_others_gives_a_short_page_and_a_way_on(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB hands out 1 MB at a time; here each such part is two entries."""
    monkeypatch.setattr(lists, "_MOST_QUERIES", 3)
    real_query = dynamodb.query

    class Short:
        def __getattr__(self, name: str) -> Any:
            return getattr(dynamodb, name)

        def query(self, **request: Any) -> Any:
            condition = request.pop("FilterExpression", None)
            wanted = request["ExpressionAttributeValues"].pop(":carrier")["S"] if condition else None
            answer = real_query(**request | {"Limit": 2})
            items = [item for item in answer["Items"] if wanted in (None, item["carrier"]["S"])]
            return answer | {"Items": items}

    made = stored(Table(dynamodb, TABLE_NAME), 20)
    rare = an_order(reference="rare", at=NOON - timedelta(days=1), carrier="ubi")
    found = Table(Short(), TABLE_NAME).tenant("acme").orders  # type: ignore[arg-type]
    found.add(rare, an_event())
    several = pages(found, 3, carrier="ubi")
    assert [page.data for page in several if page.data] == [[rare]]
    assert several[0] == Page([], several[0].next_cursor)
    assert walked(found, 3, carrier="lso") == made


@pytest.mark.parametrize(
    ("bounds", "seconds"),
    [
        ({"created_after": timedelta(seconds=2)}, [4, 3]),
        ({"created_before": timedelta(seconds=2)}, [1, 0]),
        ({"created_after": timedelta(0), "created_before": timedelta(seconds=3)}, [2, 1]),
        ({"created_after": timedelta(seconds=2, microseconds=-1)}, [4, 3, 2]),
        ({"created_before": timedelta(seconds=2, microseconds=1)}, [2, 1, 0]),
        ({"created_after": timedelta(seconds=3), "created_before": timedelta(seconds=1)}, []),
        ({"created_after": timedelta(seconds=2), "created_before": timedelta(seconds=2)}, []),
    ],
)
def test_times_are_exclusive_bounds(table: Table, bounds: dict[str, timedelta], seconds: list[int]) -> None:
    stored(table, 5)
    filters = {name: NOON + offset for name, offset in bounds.items()}
    for limit in (1, 2, 10):
        found = walked(table.tenant("acme").orders, limit, **filters)
        assert [order.created_at for order in found] == [NOON + timedelta(seconds=n) for n in seconds]


def test_orders_that_come_meanwhile_do_not_shift_the_pages(table: Table) -> None:
    orders = table.tenant("acme").orders
    made = stored(table, 6)
    first = orders.page(limit=2)
    orders.add(an_order(reference="new", at=NOON + timedelta(hours=1)), an_event())
    orders.save(made[2], made[2].move(OrderStatus.FAILED, at=NOON, watch_at=None), an_event())
    second = orders.page(limit=2, cursor=first.next_cursor)
    assert [order.id for order in first.data + second.data] == [order.id for order in made[:4]]


def test_a_page_goes_on_behind_an_order_that_has_left_the_list(table: Table) -> None:
    orders = table.tenant("acme").orders
    made = stored(table, 4)
    first = orders.page(limit=2, status="accepted")
    orders.save(made[1], made[1].move(OrderStatus.FAILED, at=NOON, watch_at=None), an_event())
    assert orders.page(limit=2, status="accepted", cursor=first.next_cursor).data == made[2:]


def test_the_page_size_may_change_on_the_way(table: Table) -> None:
    orders = table.tenant("acme").orders
    made = stored(table, 5)
    first = orders.page(limit=1)
    assert orders.page(limit=100, cursor=first.next_cursor) == Page(made[1:], None)


def test_an_index_that_is_behind_does_not_show_an_order_in_a_status_it_has_left(dynamodb: Any) -> None:
    table = Table(dynamodb, TABLE_NAME)
    made = stored(table, 3)

    def happen() -> None:
        left = made[1]
        now = table.tenant("acme").orders.get(left.id)
        if now.status is OrderStatus.ACCEPTED:
            table.tenant("acme").orders.save(
                now, now.move(OrderStatus.FAILED, at=NOON, watch_at=None), an_event()
            )

    lagging = Table(Lagging(dynamodb, happen), TABLE_NAME).tenant("acme").orders  # type: ignore[arg-type]
    assert lagging.page(status="accepted", limit=2) == Page([made[0], made[2]], None)


def test_an_index_that_is_behind_does_not_show_an_order_that_is_gone(dynamodb: Any) -> None:
    made = stored(Table(dynamodb, TABLE_NAME), 3)

    def happen() -> None:
        key = {"pk": {"S": f"T#acme#ORDER#{made[1].id}"}, "sk": {"S": "ORDER"}}
        dynamodb.delete_item(TableName=TABLE_NAME, Key=key)

    lagging = Table(Lagging(dynamodb, happen), TABLE_NAME).tenant("acme").orders  # type: ignore[arg-type]
    assert lagging.page(limit=2) == Page([made[0], made[2]], None)


def test_documents_that_were_not_read_are_asked_for_again(dynamodb: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(calls.time, "sleep", lambda _: None)
    expected = stored(Table(dynamodb, TABLE_NAME), 5)

    class Stingy:
        given = 1

        def __getattr__(self, name: str) -> Any:
            return getattr(dynamodb, name)

        def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803
            wanted = RequestItems[TABLE_NAME]
            some = wanted | {"Keys": wanted["Keys"][: self.given]}
            answer = (
                dynamodb.batch_get_item(RequestItems={TABLE_NAME: some})
                if some["Keys"]
                else {"Responses": {}}
            )
            rest = wanted | {"Keys": wanted["Keys"][self.given :]}
            return answer | {"UnprocessedKeys": {TABLE_NAME: rest} if rest["Keys"] else {}}

    stingy = Stingy()
    orders = Table(stingy, TABLE_NAME).tenant("acme").orders  # type: ignore[arg-type]
    assert orders.page(limit=5) == Page(expected, None)
    stingy.given = 0
    with pytest.raises(ThrottledError):
        orders.page(limit=5)


def test_a_page_costs_one_query_and_one_batch(dynamodb: Any) -> None:
    faults = Faults()
    stored(Table(dynamodb, TABLE_NAME), 5)
    Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme").orders.page(limit=3)
    assert faults.names == ["dynamodb.query", "dynamodb.batch_get_item"]


# Cursors


@pytest.fixture
def cursor(table: Table) -> str:
    stored(table, 3)
    found = table.tenant("acme").orders.page(limit=1).next_cursor
    assert found is not None
    return found


@pytest.mark.parametrize(
    "other",
    [
        {"status": "accepted"},
        {"carrier": "lso"},
        {"reference": "R-1"},
        {"created_after": NOON},
        {"created_before": NOON},
    ],
)
def test_a_cursor_belongs_to_its_filters(table: Table, cursor: str, other: dict[str, Any]) -> None:
    with pytest.raises(BadCursorError):
        table.tenant("acme").orders.page(cursor=cursor, **other)


def test_promise_7_a_cursor_belongs_to_its_tenant(table: Table, cursor: str) -> None:
    with pytest.raises(BadCursorError):
        table.tenant("other").orders.page(cursor=cursor)


def test_a_cursor_says_nothing_but_a_place(table: Table, cursor: str) -> None:
    raw = base64.urlsafe_b64decode(cursor + "==")
    assert b"acme" not in raw
    assert b"#ORDER" not in raw
    assert len(cursor) < 120


@pytest.mark.parametrize("bad", ["", "x", "AAAA", "=", "é", "%00", "a" * 10_000, "eyJhIjoxfQ", "\ud800"])
def test_a_malformed_cursor_is_refused(table: Table, bad: str) -> None:
    with pytest.raises(BadCursorError):
        table.tenant("acme").orders.page(cursor=bad)


def test_a_cursor_changed_in_any_place_is_refused(table: Table, cursor: str) -> None:
    orders = table.tenant("acme").orders
    for place in range(len(cursor)):
        for letter in "A_z9":
            changed = cursor[:place] + letter + cursor[place + 1 :]
            if changed != cursor:
                with pytest.raises(BadCursorError):
                    orders.page(cursor=changed)
    for changed in (cursor + "=", cursor + "A", cursor[:-1], f" {cursor}"):
        with pytest.raises(BadCursorError):
            orders.page(cursor=changed)


@given(st.text(max_size=60))
def test_a_forged_place_is_either_a_place_or_refused(position: str) -> None:
    """A forger who knows how cursors are made can only name a place in his own list."""
    filters = lists.fingerprint("acme", None)
    forged = lists._cursor(position.encode(errors="replace").decode(), filters)
    with pytest.raises(BadCursorError):
        lists._position(forged, filters)


# The whole of it


@settings(max_examples=15)
@given(data=st.data())
def test_any_filter_over_any_orders_gives_what_filtering_by_hand_gives(data: st.DataObject) -> None:
    with a_table() as table:
        tenant = table.tenant("acme").orders
        kinds = st.tuples(
            st.integers(0, 4), st.sampled_from(["lso", "ubi"]), st.sampled_from(["a", "b"]), st.booleans()
        )
        made: list[Order] = []
        for n, (second, carrier, reference, fails) in enumerate(data.draw(st.lists(kinds, max_size=12))):
            order = an_order(
                reference=reference,
                account=f"account-{n}",
                carrier=carrier,
                at=NOON + timedelta(seconds=second),
            )
            tenant.add(order, an_event())
            if fails:
                after = order.move(OrderStatus.FAILED, at=NOON, watch_at=None)
                tenant.save(order, after, an_event())
                order = after
            made.append(order)
        moments = st.none() | st.integers(-1, 5).map(lambda n: NOON + timedelta(seconds=n))
        filters = {
            "status": data.draw(st.sampled_from([None, "accepted", "failed", "cancelled"])),
            "carrier": data.draw(st.sampled_from([None, "lso", "ubi"])),
            "reference": data.draw(st.sampled_from([None, "a", "b"])),
            "created_after": data.draw(moments),
            "created_before": data.draw(moments),
        }
        expected = [
            order
            for order in sorted(made, key=lambda order: (order.created_at, order.id), reverse=True)
            if filters["status"] in (None, order.status)
            and filters["carrier"] in (None, order.carrier)
            and filters["reference"] in (None, order.reference)
            and (filters["created_after"] is None or order.created_at > filters["created_after"])
            and (filters["created_before"] is None or order.created_at < filters["created_before"])
        ]
        assert walked(tenant, data.draw(st.integers(1, 5)), **filters) == expected


def test_a_document_of_an_older_form_can_still_be_read() -> None:
    """Fields that are new have defaults, fields that are gone are passed over."""
    document = msgspec.json.decode(msgspec.json.encode(an_order()))
    document.pop("submission")
    document["gone"] = 1
    assert orders._orders.decode(msgspec.json.encode(document)).submission == an_order().submission


@pytest.mark.parametrize("spelt", ["lk 1 cn", "LK1CN", "\uff2c\uff2b1cn"])
@pytest.mark.parametrize("name", ["tracking_number", "carrier_order_number"])
def test_a_number_is_found_however_it_is_spelt(table: Table, name: str, spelt: str) -> None:
    (order, *_) = stored(table, 2)
    box = msgspec.structs.replace(order.parcels[0], tracking_number="Lk1cn")
    numbered = order.changed(at=NOON, parcels=(box,), carrier_order_number="lK1cn")
    orders = table.tenant("acme").orders
    orders.save(order, numbered, [an_event("order.changed")])
    assert walked(orders, 2, **{name: spelt}) == [numbered]

"""Items are plain values on our side, and DynamoDB's own form of them on the way."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcelgate.domain.measures import Money
from parcelgate.domain.orders import Options, Order, OrderStatus, Waiting, WaitingFor
from parcelgate.store.calls import Items, plain, typed
from parcelgate.store.documents import document
from parcelgate.store.errors import StoreError, VersionConflictError
from tests.support.orders import NOON, an_order
from tests.support.table import TABLE_NAME

VALUES = st.recursive(
    st.text() | st.integers() | st.booleans() | st.binary(),
    lambda inner: st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=5))
def test_what_is_stored_is_what_is_read(item: dict[str, Any]) -> None:
    assert plain(typed(item)) == item


def test_a_moment_is_a_text_a_status_its_word_and_nothing_is_left_out() -> None:
    moment = datetime(2026, 11, 27, 8, 15, 30, 123_456, UTC)
    item = typed({"at": moment, "status": OrderStatus.CONFIRMED, "none": None})
    assert item == {"at": {"S": "2026-11-27T08:15:30.123Z"}, "status": {"S": "confirmed"}}


@pytest.mark.parametrize("value", [1.5, ["a"], object()])
def test_what_no_item_holds_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        typed({"value": value})


def test_an_update_sets_takes_away_and_adds_at_once(dynamodb: Any) -> None:
    items = Items(dynamodb, TABLE_NAME)
    key = {"pk": "T#acme#KIND#1", "sk": "KIND"}
    items.put(key | {"status": "new", "count": 1, "old": "x"})
    after = items.update(key, {"status": "b", "kept": None}, ["old"], adds={"count": 2}, returning=True)
    assert after == key | {"status": "b", "count": 3}


def test_a_failed_condition_gives_what_stands_there(dynamodb: Any) -> None:
    items = Items(dynamodb, TABLE_NAME)
    key = {"pk": "T#acme#KIND#1", "sk": "KIND"}
    items.put(key | {"owner": "first"})
    seen: list[Any] = []

    def refused(item: Any) -> StoreError:
        seen.append(item)
        return VersionConflictError("taken")

    with pytest.raises(VersionConflictError):
        items.commit([items.put_write(key | {"owner": "second"}, refused)])
    assert [item["owner"] for item in seen] == ["first"]
    assert "mark" not in (items.get(key) or {})


def test_a_document_is_stored_without_what_has_its_default_and_read_as_it_was() -> None:
    order = an_order(
        at=NOON,
        options=Options(locker=True, max_price=Money(Decimal("9.90"), "USD")),
        carrier_details={"null": None, "list": [{"empty": ""}]},
        waiting=Waiting(for_=WaitingFor.CARRIER, since=NOON),
    )
    text = document(order)
    assert msgspec.json.decode(text, type=Order) == order
    stored = msgspec.json.decode(text)
    assert stored["options"] == {"locker": True, "max_price": {"amount": "9.90", "currency": "USD"}}
    assert stored["carrier_details"] == order.carrier_details
    assert stored["status"] == "accepted", "releases before read it alone"
    assert not {"label", "refund", "submission", "customs", "metadata"} & stored.keys()
    whole = msgspec.json.Encoder(decimal_format="string").encode(order)
    assert len(text) < len(whole) / 2

"""What AWS bills of a call, by the rules of its public pages."""

from typing import Any

import pytest

from bench import prices
from parcelgate.store.lists import EVENT_PARTITIONS, PARTITIONS

KEYS = {"pk": {"S": "T#acme#ORDER#1"}, "sk": {"S": "ORDER"}}


def an_item(size: int, **more: str) -> dict[str, Any]:
    item = {**KEYS, **{name: {"S": value} for name, value in more.items()}, "doc": {"S": ""}}
    return item | {"doc": {"S": "x" * (size - prices.item_size(item))}}


def test_every_price_is_of_a_public_page() -> None:
    for name, entry in prices.table()["aws"].items():
        assert entry["page"].startswith("https://aws.amazon.com/"), name
        assert prices.price(name) > 0
    assert all(gateway["page"].startswith("https://") for gateway in prices.table()["gateways"])


def test_an_item_is_as_large_as_its_names_and_values() -> None:
    item = {"name": {"S": "é"}, "n": {"N": "1234"}, "b": {"B": "AAAA"}, "t": {"BOOL": True}}
    assert prices.item_size(item) == (4 + 2) + (1 + 3) + (1 + 3) + (1 + 1)
    assert prices.item_size({"m": {"M": {"a": {"S": "bc"}}}}) == 1 + 3 + 1 + 1 + 2


@pytest.mark.parametrize(
    ("old", "new", "in_transaction", "units"),
    [
        (None, an_item(1024), False, 1),
        (None, an_item(1025), False, 2),
        (an_item(3000), an_item(100), False, 3),
        (None, an_item(1025), True, 4),
        (an_item(1025), None, False, 2),
        # In an index: put there, moved, left as it was, taken out.
        (None, an_item(500, status_pk="a", list_sk="1"), True, 2 + 1),
        (an_item(500, status_pk="a", list_sk="1"), an_item(500, status_pk="b", list_sk="1"), False, 1 + 2),
        (an_item(500, status_pk="a", list_sk="1"), an_item(600, status_pk="a", list_sk="1"), False, 1),
        (an_item(500, status_pk="a", list_sk="1"), an_item(500, list_sk="1"), False, 1 + 1),
        (None, an_item(500, status_pk="a"), False, 1),
    ],
)
def test_a_write_is_billed_for_its_item_and_each_place_in_an_index(
    old: Any, new: Any, in_transaction: bool, units: int
) -> None:
    assert prices.write_units("main", old, new, in_transaction=in_transaction) == units


def test_the_tables_indexes_are_those_of_the_stack() -> None:
    assert prices.indexes("main").keys() == {*PARTITIONS, "due"}
    assert prices.indexes("events").keys() == EVENT_PARTITIONS.keys()
    assert prices.indexes("usage") == {}


@pytest.mark.parametrize(
    ("call", "request_", "reply", "units"),
    [
        ("dynamodb.GetItem", {"ConsistentRead": True}, {"Item": an_item(4097)}, 2),
        ("dynamodb.GetItem", {}, {"Item": an_item(4096)}, 0.5),
        ("dynamodb.GetItem", {"ConsistentRead": True}, {}, 1),
        ("dynamodb.Query", {}, {"Items": [an_item(3000)] * 3}, 1.5),
        (
            "dynamodb.BatchGetItem",
            {"RequestItems": {"main": {"Keys": [1, 2, 3], "ConsistentRead": True}}},
            {"Responses": {"main": [an_item(100), an_item(5000)]}},
            1 + 2 + 1,
        ),
    ],
)
def test_a_read_is_billed_by_4_kb(call: str, request_: Any, reply: Any, units: float) -> None:
    assert prices.read_units(call, request_, reply) == units

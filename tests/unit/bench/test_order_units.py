"""What an order takes is added up from recorded calls."""

from typing import Any

from bench.order_units import busiest

ENDPOINT = {"pk": {"S": "T#acme#ENDPOINTS"}, "sk": {"S": "whe_1"}, "doc": {"S": "x" * 1500}}


def a_write(table: str, item: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"function": "f", "call": "dynamodb.UpdateItem", "items": [(table, old, item)]}


def listed(number: int, partition: str) -> dict[str, Any]:
    keys = {"pk": f"T#acme#ORDER#{number}", "sk": "ORDER", "list_pk": partition, "list_sk": str(number)}
    return {name: {"S": value} for name, value in keys.items()}


def test_what_goes_into_an_item_that_all_orders_share_is_added_up() -> None:
    lines = [a_write("events", ENDPOINT, ENDPOINT), a_write("events", ENDPOINT, ENDPOINT)]
    assert busiest(lines) == {"events table, item ENDPOINTS": 4}


def test_of_lists_the_busiest_counts() -> None:
    lines = [a_write("main", listed(number, "T#acme#ORDERS")) for number in range(3)]
    lines += [a_write("main", listed(number, f"T#acme#ORDER#{number}")) for number in range(4, 9)]
    assert busiest(lines) == {"main table, list by_time": 3}


def test_an_items_own_partition_is_nobody_elses() -> None:
    assert not busiest([a_write("main", {"pk": {"S": "T#acme#ORDER#1"}, "sk": {"S": "ORDER"}})])

"""What an order's life takes of DynamoDB, of which most of its price is. Counted as AWS bills it."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bench.prices import write_units
from local.faults.recorder import written
from parcelgate.domain.orders import LabelStatus
from tests.support.table import EVENTS_TABLE_NAME
from tests.support.world import World

CALLS = {
    "put_item": "PutItem",
    "update_item": "UpdateItem",
    "delete_item": "DeleteItem",
    "transact_write_items": "TransactWriteItems",
}


@pytest.fixture
def units(world: World, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Write units so far, by what is written."""
    client, counted = world._dynamodb, Counter[str]()

    def counts(name: str) -> Callable[..., Any]:
        call = getattr(client, name)

        def counting(**request: Any) -> Any:
            keys = [(table, json.loads(key)) for table, key in written(f"dynamodb.{CALLS[name]}", request)]
            before = [client.get_item(TableName=table, Key=key).get("Item") for table, key in keys]
            answer = call(**request)
            for (table, key), old in zip(keys, before, strict=True):
                new = client.get_item(TableName=table, Key=key).get("Item")
                kind = "events" if table == EVENTS_TABLE_NAME else "main"
                counted[_name(key)] += write_units(kind, old, new, in_transaction=name.startswith("transact"))
            return answer

        return counting

    for name in CALLS:
        monkeypatch.setattr(client, name, counts(name))
    return counted


def _name(key: dict[str, Any]) -> str:
    return str(key["sk"]["S"].partition("#")[0])


def test_an_order_up_to_its_label_takes_few_write_units(world: World, units: Counter[str]) -> None:
    order = world.start_order()
    assert world.settle(order).label.status is LabelStatus.READY
    assert units["EVENT"] <= 18, "two events, and what is told to people of each step"
    assert units["ACCOUNT"] <= 6, "made, and bought"
    assert units.total() <= 90, units

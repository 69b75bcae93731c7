"""What an order's life takes of DynamoDB, of which most of its price is. Counted as AWS bills it."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bench.prices import write_units
from local.faults.recorder import written
from parcelgate import aws_clients
from parcelgate.domain.merchants.events import EventType
from parcelgate.domain.orders import LabelStatus
from parcelgate.runtime import runtime
from tests.support.api import TENANT, api_event
from tests.support.bodies import ubi_body
from tests.support.events import an_event_of
from tests.support.world import World, events_name, queue

CALLS = {
    "put_item": "PutItem",
    "update_item": "UpdateItem",
    "delete_item": "DeleteItem",
    "transact_write_items": "TransactWriteItems",
}


def counted_in(world: World, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Write units from now on, by what is written."""
    client, counted = world._dynamodb, Counter[str]()
    kinds = {world._table_name: "main", events_name(world._table_name): "events"}

    def counts(name: str) -> Callable[..., Any]:
        call = getattr(client, name)

        def counting(**request: Any) -> Any:
            keys = [(table, json.loads(key)) for table, key in written(f"dynamodb.{CALLS[name]}", request)]
            before = [client.get_item(TableName=table, Key=key).get("Item") for table, key in keys]
            answer = call(**request)
            for (table, key), old in zip(keys, before, strict=True):
                new = client.get_item(TableName=table, Key=key).get("Item")
                kind = kinds.get(table, "usage")
                counted[_name(key)] += write_units(kind, old, new, in_transaction=name.startswith("transact"))
            return answer

        return counting

    for name in CALLS:
        monkeypatch.setattr(client, name, counts(name))
    return counted


def _name(key: dict[str, Any]) -> str:
    return str(key["sk"]["S"].partition("#")[0])


def test_an_order_up_to_its_label_takes_few_write_units(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = counted_in(world, monkeypatch)
    order = world.start_order()
    assert world.settle(order).label.status is LabelStatus.READY
    assert units["EVENT"] <= 20, "two events, and what is told to people of each step"
    assert units["ACCOUNT"] <= 6, "made, and bought"
    assert units.total() <= 91, units


def test_an_order_that_its_carrier_takes_at_once_takes_fewer(
    sandbox_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = sandbox_world.table.tenant(TENANT).orders
    first = orders.get(sandbox_world.create_order(ubi_body("first")).json()["id"])
    assert sandbox_world.settle(first).label.status is LabelStatus.READY, "what is made once is made"
    units = counted_in(sandbox_world, monkeypatch)
    order = orders.get(sandbox_world.create_order(ubi_body("second")).json()["id"])
    assert sandbox_world.settle(order).label.status is LabelStatus.READY
    assert units.total() <= 73, units


def test_an_event_that_an_endpoint_takes_at_once_takes_few(
    new_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the log and its lists take, and the delivery. Its first event also has the process take a pass."""
    key = aws_clients.client("kms").create_key()["KeyMetadata"]["Arn"]
    world = new_world(environment={"PARCELGATE_KMS_KEY": key})
    body = {"url": "https://shop.example/hook", "events": ["*"]}
    assert world._request(api_event("POST /v1/webhook-endpoints", body=body)).status == 201

    def tell(number: int) -> None:
        kind = EventType.TRACKING_UPDATED
        event = an_event_of(f"trk_{number}", kind, at=world.clock.now, order_id=f"ord_{number}")
        world._events_table.tenant(TENANT).log.add(event)
        assert runtime.fan_out.fan_out(TENANT, [event]) == set()
        world.clock.run(until=lambda: not world.sqs.messages.get(queue("deliveries")), hours=1)

    tell(1)
    units = counted_in(world, monkeypatch)
    tell(2)
    assert units["EVENT"] <= 3
    assert units["DELIVERY"] <= 2
    assert units.total() <= 5, units

"""Promise 11: what merchants are told of orders of each carrier: complete, once, and as its schema says."""

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from infra.bundle import ROOT
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.trackings import TrackingStatus
from tests.support.api import Body, api_event, order_body
from tests.support.bodies import BODIES as BODIES_AT_ONCE
from tests.support.faults import aws_error, die, throttle
from tests.support.orders import trackings_of
from tests.support.world import World

BODIES: dict[str, Callable[..., Body]] = {**BODIES_AT_ONCE, "lso": order_body}
CARRIERS = sorted(BODIES)
SITE = "https://api.test"
MOST_DAYS = 40


@pytest.fixture
def world(new_sandbox_world: Callable[..., World]) -> World:
    return new_sandbox_world(environment={"PARCELGATE_PUBLIC_URL": SITE})


@cache
def validator(kind: str) -> Draft202012Validator:
    """Of the schema in the file, and of nothing that it does not name."""
    schema = json.loads((ROOT / "docs" / "events" / f"{kind}.json").read_text("utf-8"))
    for part in (schema, *schema["$defs"].values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return Draft202012Validator(schema)


def told(world: World) -> list[Body]:
    """All that was told so far, each as its schema says and under an id of its own, and on the bus too."""
    events = world.told()
    for event in events:
        validator(event["type"]).validate(event)
    ids = [event["id"] for event in events]
    assert len(set(ids)) == len(ids)
    on_bus = {json.loads(entry["Detail"])["id"]: entry for entry in world.events.entries}
    assert set(on_bus) == set(ids)
    assert all(on_bus[event["id"]]["DetailType"] == event["type"] for event in events)
    return events


def types(events: list[Body]) -> Counter[str]:
    return Counter(event["type"] for event in events)


def order(world: World, carrier: str, reference: str = "R-1") -> Order:
    world.create_order(BODIES[carrier](reference))
    if carrier == "lso":
        # It decides by the sandbox's own clock, which our deadlines do not wait for.
        world.clock.run(until=lambda: bool(world.sandbox.bought(carrier, reference)), hours=1)
        world.sandbox.advance(hours=0.01)
    return world.settle(world.only_order())


def shown(world: World, route: str, id: str) -> Any:
    return world._request(api_event(route, id=id)).json()


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_bought_order_is_told_once_and_as_the_api_shows_it(carrier: str, world: World) -> None:
    bought = order(world, carrier)
    assert bought.status is OrderStatus.CONFIRMED
    events = told(world)
    assert types(events) == {"order.confirmed": 1, "label.ready": 1}
    (label,) = [event for event in events if event["type"] == "label.ready"]
    assert label["data"] == shown(world, "GET /v1/orders/{id}", bought.id)
    assert label["sequence"] == bought.version
    assert label["timestamp"] == label["data"]["updated_at"]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_parcel_is_told_of_until_it_is_there_and_a_poll_without_news_says_nothing(
    carrier: str, world: World
) -> None:
    bought = order(world, carrier)
    (parcel,) = trackings_of(world.table, bought)[:1]

    def polled() -> list[Body]:
        for each in trackings_of(world.table, bought):
            world.table.tenant(each.tenant).trackings.schedule(each.id, world.clock.now)
        world.poll()
        world.stream()
        return told(world)

    for _ in range(2 * MOST_DAYS):
        if world.tracking_status(parcel) is TrackingStatus.DELIVERED:
            break
        world.sandbox.advance(hours=12)
        polled()
    events = [event for event in told(world) if event["data"].get("object") == "tracking"]
    of_parcel = [event for event in events if event["data"]["id"] == parcel.id]
    assert types(of_parcel)["tracking.delivered"] == 1
    assert of_parcel[-1]["data"]["status"] == "delivered"
    sequences = [event["sequence"] for event in of_parcel]
    assert sequences == sorted(sequences), "it grows"
    seen = {event["id"] for each in of_parcel for event in each["data"]["events"]}
    assert seen == {event.id for event in world.tracking(parcel).events}, "of all that happened"
    before = world.tracking(parcel)
    again = polled()
    if world.tracking(parcel) == before:
        assert [event for event in again if event["data"]["id"] == parcel.id] == of_parcel


def test_an_order_that_fails_is_told_as_failed_alone(world: World) -> None:
    assert order(world, "lso", "SBX-FAIL-1").status is OrderStatus.FAILED
    assert types(told(world)) == {"order.failed": 1}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_order_that_is_cancelled_is_told_so_once(carrier: str, world: World) -> None:
    bought = order(world, carrier)
    for _ in range(2):
        world.cancel_order(bought)
        world.settle(bought)
    assert types(told(world)) == {"order.confirmed": 1, "label.ready": 1, "order.cancelled": 1}


def test_a_batch_is_told_as_finished_once_after_all_its_orders(world: World) -> None:
    good = [BODIES["ubi"](f"good-{n}") for n in range(3)]
    batch = world.create_batch([*good, {"carrier": "ubi"}, "not an object"])
    world.finish_batch(batch)
    world.stream()
    events = told(world)
    assert types(events)["batch.finished"] == 1
    assert types(events)["order.confirmed"] == 3
    (finished,) = [event for event in events if event["type"] == "batch.finished"]
    assert (finished["data"]["id"], finished["data"]["failed"]) == (batch.id, 2)


@pytest.mark.parametrize(
    ("method", "target"), [("put_item", "dynamodb"), ("put_events", "events"), ("batch_get_item", "dynamodb")]
)
@pytest.mark.parametrize("trouble", ["throttled", "down", "dead before", "dead after"])
def test_promise_11_trouble_with_the_log_or_the_bus_loses_and_doubles_nothing(
    method: str, target: str, trouble: str, new_world: Callable[..., World]
) -> None:
    world = new_world()
    fault = {
        "throttled": throttle(),
        "down": aws_error("InternalServerError"),
        "dead before": die(),
        "dead after": die(after=True),
    }[trouble]

    def is_of_the_router(call: Any) -> bool:
        table = call.arguments.get("TableName", "events")
        return (call.target, call.method) == (target, method) and table.startswith("events")

    world.faults.when(is_of_the_router, fault, times=2, name=method)
    bought = world.start_order()
    world.settle(bought)
    assert types(told(world)) == {"order.confirmed": 1, "label.ready": 1}

"""What earlier releases left behind is read, changed and brought to its end by this one.

Each file of this folder holds what one release wrote, made by that release's own code, and is kept for good.
A file is named by its day, and by the release's commit or its format.
"""

import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from functions.authorize.handler import handler as authorize
from parcelgate import aws_clients
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.trackings import TrackingStatus
from parcelgate.store import formats
from parcelgate.store.keys import parse
from tests.releases.written import REPEATED, TENANT, Left, OpenSafe, happens, item_of, leave, shape
from tests.support.api import ROUTES, Context, api_event, call
from tests.support.fake_carriers import Behaviour
from tests.support.world import QUEUES, World, events_name

FILES = sorted(Path(__file__).parent.glob("*.json"))
NEWEST = max((file for file in FILES if "-format-" in file.name), default=FILES[-1])
RELEASES = {file.stem: json.loads(file.read_text()) for file in FILES}
OPEN = ("metadata", "carrier_details", "headers")
"""Objects whose names are data."""
OVER = {OrderStatus.CONFIRMED, OrderStatus.FAILED, OrderStatus.CANCELLED, OrderStatus.NEEDS_ATTENTION}


def taken_over(world: World, content: Left) -> World:
    """The world, with everything that a release has left in it."""
    world.clock.now = datetime.fromisoformat(content["at"])
    aws_clients.put("kms", OpenSafe())
    for name, table in (("table", world._table_name), ("events", events_name(world._table_name))):
        for portable in content[name]:
            item = item_of(portable)
            if item.get("type") == {"S": "idempotency"}:
                # Answers are kept for a day of the machine's own time.
                item["expires_at"] = {"N": str(int(time.time()) + 3600)}
            world._dynamodb.put_item(TableName=table, Item=item)
            if name == "table":
                # The stream tells of changes alone.
                world._images[item["pk"]["S"], item["sk"]["S"]] = item
    world.s3.objects.update({key: OpenSafe.opened(text) for key, text in content["files"].items()})
    world.carrier.behaviour = Behaviour(callback_after=None)
    world.put_account("ubi", {"token": "made-up", "secret": "made-up"})
    world.put_account("lso", {"app_id": "made-up", "app_secret": "made-up"})
    for queue, bodies in content["messages"].items():
        for body in bodies:
            world.sqs.send_message(QueueUrl=f"{QUEUES}/{queue}", MessageBody=json.dumps(body))
    for name, given in content["executions"].items():
        world.machine.start_execution(
            stateMachineArn=world.settings.order_flow_arn, name=name, input=json.dumps(given)
        )
    return world


@pytest.fixture(params=RELEASES)
def content(request: pytest.FixtureRequest) -> Left:
    found: Left = RELEASES[request.param]
    return found


@pytest.fixture
def world(new_world: Callable[..., World], content: Left) -> World:
    return taken_over(new_world(), content)


def as_it_was_told(route: str, **more: Any) -> dict[str, Any]:
    """An answer that stands as an earlier release gave it, without the fields that came later."""
    handler = import_module(f"functions.{ROUTES[route]}.handler").handler
    answer: dict[str, Any] = handler(api_event(route, **more), Context())
    return answer


def ids(content: Left, kind: str) -> set[str]:
    names = [(parse(item["pk"]["S"]), item["sk"]["S"]) for item in content["table"]]
    return {name.id for name, sk in names if name is not None and name.kind == kind == sk}


def test_everything_is_read_and_listed(world: World, content: Left) -> None:
    orders, trackings = ids(content, "ORDER"), ids(content, "TRACKING")
    assert {each["id"] for each in call("GET /v1/orders", query={"limit": "100"}).json()["data"]} == orders
    for order in orders:
        shown = call("GET /v1/orders/{id}", id=order)
        assert shown.status == 200, shown.text
        assert call("GET /v1/orders/{id}/events", id=order).json()["data"]
        assert call("GET /v1/orders/{id}/tracking", id=order).status == 200
        status = shown.json()["status"]
        found = call("GET /v1/orders", query={"status": status, "limit": "100"}).json()["data"]
        assert order in {each["id"] for each in found}
        reference = shown.json()["reference"]
        assert call("GET /v1/orders", query={"reference": reference}).json()["data"]
    listed = call("GET /v1/trackings", query={"limit": "100"}).json()["data"]
    assert {each["id"] for each in listed} == trackings
    for each in trackings:
        assert call("GET /v1/trackings/{id}", id=each).status == 200


def test_what_a_tenant_has_besides_is_read(world: World, content: Left) -> None:
    notes = content["notes"]
    answer = authorize({"headers": {"authorization": f"Bearer {notes['key']}"}}, Context())
    assert answer["context"]["tenant"] == TENANT
    if "batch" in notes:
        assert call("GET /v1/batches/{id}", id=notes["batch"]).json()["total"] == 2
    if "brand" in notes:
        assert call("GET /v1/settings").json()["brand"]["name"] == notes["brand"]
    for event in content["events"]:
        if event["sk"]["S"] == "EVENT":
            event_id = event["pk"]["S"].rpartition("#")[2]
            assert as_it_was_told("GET /v1/events/{id}", id=event_id)["statusCode"] == 200
    if "endpoint" in notes:
        assert call("GET /v1/webhook-endpoints/{id}", id=notes["endpoint"]).status == 200
        assert call("GET /v1/webhook-endpoints/{id}/deliveries", id=notes["endpoint"]).json()["data"]
    assert call("GET /v1/stats").status == 200


def test_a_request_is_answered_again_as_it_was(world: World, content: Left) -> None:
    if (first := content["notes"].get("repeated")) is None:
        pytest.skip("that release's request cannot be made by the test")
    again = as_it_was_told("POST /v1/orders", body=first["body"], headers={"Idempotency-Key": REPEATED})
    assert (again["statusCode"], json.loads(again["body"])["id"]) == (first["status"], first["id"])
    assert again["headers"]["idempotent-replayed"] == "true"


def test_everything_under_way_comes_to_its_end(world: World, content: Left) -> None:
    """Executions, queue messages, the due index and polls of that release."""
    batch = content["notes"].get("batch")
    world.sweep_seconds = 3600
    world.pass_time(hours=30)

    orders = world.table.tenant(TENANT).orders.page(limit=100).data
    assert {order.id for order in orders} >= ids(content, "ORDER")
    assert {order.status for order in orders} <= OVER
    assert [order.id for order in orders if order.watch_at is not None] == []
    assert {one.status for one in world.machine.executions.values()} <= {"SUCCEEDED"}
    dead = {queue: bodies for queue, bodies in world.sqs.messages.items() if "dead" in queue and bodies}
    assert dead == {}
    assert not world.sqs.busy
    if batch:
        assert call("GET /v1/batches/{id}", id=batch).json()["status"] == "finished"
    if "delivery" in content["notes"]:
        found = call("GET /v1/webhook-endpoints/{id}/deliveries", id=content["notes"]["endpoint"]).json()
        assert {each["state"] for each in found["data"]} == {"delivered"}
    entry = world.table.tenant(TENANT).inbox.get(content["notes"]["webhook"])
    assert entry is not None
    assert entry.state != "received"


def test_parcels_are_polled_as_that_release_has_planned(world: World, content: Left) -> None:
    """Whether they wait alone or together with others."""
    own = world.table.tenant(TENANT)
    known = [tracking for tracking in own.trackings.page(limit=100).data if not tracking.status.final]
    planned = content["notes"].get("planned", [])
    assert {tracking.id for tracking in known} >= {*planned}
    trackers = {
        (each.carrier, each.account): world.tracker(TENANT, each.carrier, each.account) for each in known
    }
    for _ in range(30):
        world.clock.sleep(3600)
        world.poll()
    asked = {number for tracker in trackers.values() for number in tracker.numbers}
    live = [tracking for tracking in map(world.tracking, known) if not tracking.status.final]
    assert asked == {tracking.tracking_number for tracking in live}
    for tracking in live:
        assert world.ways_to_poll(tracking) in (["alone"], ["free"])


def test_an_order_is_changed_cancelled_and_erased(world: World, content: Left) -> None:
    notes = content["notes"]
    changed = call("PATCH /v1/orders/{id}", id=notes["on_its_way"], body={"metadata": {"colour": "blue"}})
    assert (changed.status, changed.json()["metadata"]) == (200, {"colour": "blue"})

    order = world.table.tenant(TENANT).orders.get(notes["bought"])
    assert world.cancel_order(order).status in (200, 202)
    assert world.settle(order).status is OrderStatus.CANCELLED
    assert world.table.tenant(TENANT).orders.by_reference("lso", "default", order.reference) is None

    erased = call("POST /v1/orders/{id}/erase", id=notes["delivered"])
    assert (erased.status, erased.json()["ship_to"]["name"]) == (200, "erased")
    resolved = call(
        "POST /v1/orders/{id}/resolve", id=notes["needs_attention"], body={"outcome": "not_at_carrier"}
    )
    assert (resolved.status, resolved.json()["status"]) == (200, "failed")


def test_a_timeline_goes_on(world: World, content: Left) -> None:
    order = world.table.tenant(TENANT).orders.get(content["notes"]["on_its_way"])
    (before,) = world.table.tenant(TENANT).trackings.many(order.tracking_ids)
    assert before.status is TrackingStatus.IN_TRANSIT
    happens(order, "in_transit", "delivered")
    (after,) = world.table.tenant(TENANT).trackings.many(order.tracking_ids)
    assert after.status is TrackingStatus.DELIVERED
    assert len(after.events) == len(before.events) + 1, "the event that is known already is the same one"


def test_everything_of_a_person_has_an_end(content: Left) -> None:
    """DynamoDB deletes by `expires_at`. Orders without one need a person or are due.

    The first releases gave orders no end; each gets one with its next change.
    """
    items = [item for item in content["table"] if item["sk"]["S"] in ("ORDER", "TRACKING", "ENTRY")]
    if not any("expires_at" in item for item in items if item["sk"]["S"] == "ORDER"):
        pytest.skip("that release kept orders without an end")
    for item in items:
        assert "expires_at" in item or "due_pk" in item or item["status"]["S"] == "needs_attention"


# The newest release, and the next one


def test_the_newest_file_has_all_that_this_release_writes(new_world: Callable[..., World]) -> None:
    world = new_world()
    aws_clients.put("kms", OpenSafe())
    now, then = shape(leave(world)), shape(RELEASES[NEWEST.stem])
    advice = (
        "This release writes other shapes than the newest file of tests/releases. Once the change is meant "
        "to stay, write them down: .venv/bin/python -m tests.releases (docs/design.md, Upgrades)."
    )
    assert sorted(now - then) == [], advice
    assert sorted(then - now) == [], advice


def test_a_field_that_a_later_release_adds_stops_nobody(new_world: Callable[..., World]) -> None:
    """During a canary this release reads what the next one writes."""
    content = RELEASES[NEWEST.stem]
    later = json.loads(json.dumps(content))
    for item in (*later["table"], *later["events"]):
        item["of_a_later_release"] = {"S": "x"}
        if "S" in item.get("doc", {}):
            item["doc"]["S"] = json.dumps(_with_more(json.loads(item["doc"]["S"])))
    later["messages"] = {queue: [*map(_with_more, bodies)] for queue, bodies in later["messages"].items()}
    later["executions"] = {name: _with_more(given) for name, given in later["executions"].items()}
    world = taken_over(new_world(), later)

    test_everything_is_read_and_listed(world, later)
    test_everything_under_way_comes_to_its_end(world, later)


def _with_more(value: Any) -> Any:
    match value:
        case dict():
            more = {name: each if name in OPEN else _with_more(each) for name, each in value.items()}
            return more | {"of_a_later_release": 1}
        case list():
            return [*map(_with_more, value)]
    return value


def test_the_files_say_which_release_they_are_of() -> None:
    for file in FILES:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d-(format-\d+|[0-9a-f]{7})", file.stem), file.name
    assert NEWEST.stem.endswith(f"-format-{formats.WRITES}")

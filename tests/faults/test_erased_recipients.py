"""Promise 8, when a recipient is erased: nothing of the person is left, and nothing brings it back."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.results import ParcelHistory
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus, Refund
from parcelgate.domain.trackings import NextCarrier, ProofOfDelivery, Saying, Source, TrackingEvent
from parcelgate.domain.trackings import TrackingStatus as Status
from parcelgate.runtime import runtime
from parcelgate.store.merchant_events.packing import unpack
from tests.faults.test_marked_data import ADDRESS, MARKS, SECRET, body
from tests.support.api import Body, Reply, call
from tests.support.bodies import CARRIERS
from tests.support.faults import fails_with
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import all_items
from tests.support.world import World, events_name

KEPT_FOR_A_WHILE = ("IDEMPOTENCY", "CLAIM", "ENTRY", "PROOF")
"""Answers to idempotent requests (24 hours) and carriers' webhooks (30 days) cannot be found by an order."""


@pytest.fixture
def world(new_sandbox_world: Callable[..., World]) -> World:
    made: World = new_sandbox_world()
    made.sweep_seconds = 3600
    return made


def bought(world: World, carrier: str) -> Order:
    """A confirmed order with its label, whose parcel was delivered, and in which everything is marked."""
    created = world.create_order(body(carrier, "shop-1"))
    assert created.status in (201, 202), created.text
    order = world.settle(world.only_order(), hours=2)
    assert (order.status, order.label.status) == (OrderStatus.CONFIRMED, LabelStatus.READY)
    for tracking_id in order.tracking_ids:
        runtime.timelines.take(order.tenant, tracking_id, delivered(world), Source.POLL)
    world.stream()
    return order


def delivered(world: World, code: str = "signed") -> ParcelHistory:
    at = world.clock.now
    event = TrackingEvent(
        at=at,
        code=code,
        description="Signed by Zqname Zqfamily",
        status=Status.DELIVERED,
        city="Zqcity",
        place="77 Zqstreet",
        country="US",
    )
    return ParcelHistory(
        tracking_number="N1",
        events=(event,),
        signed_by=Saying(at, "Zqname"),
        estimated_delivery=Saying(at, "before noon at Zqstreet"),
        next_carrier=NextCarrier(at, "zqcourier", "N1") if code != "signed" else None,
        proof=ProofOfDelivery(image_url="https://zqmail.example/1.jpg"),
    )


def erase(order: Order, **how: Any) -> Reply:
    return call("POST /v1/orders/{id}/erase", id=order.id, body=how)


def everything(world: World) -> dict[str, str]:
    """All that is stored, by where it is, save what ends by itself soon."""
    items = [*world.items(), *all_items(world._dynamodb, events_name(world._table_name))]
    texts: dict[str, str] = {}
    for item in items:
        if item["sk"]["S"] in KEPT_FOR_A_WHILE:
            continue
        plain = {
            name: unpack(bytes(value["B"])).decode() if "B" in value and name == "doc" else str(value)
            for name, value in item.items()
        }
        texts[f"{item['pk']['S']} {item['sk']['S']}"] = json.dumps(plain)
    return texts | {f"s3 {key}": f"{content!r}" for key, content in world.s3.objects.items()}


def named(world: World) -> list[str]:
    """Where the person is named."""
    return [where for where, text in everything(world).items() if any(mark in text for mark in MARKS)]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_nothing_of_the_person_is_left(carrier: str, world: World) -> None:
    order = bought(world, carrier)
    before = call("GET /v1/orders/{id}", id=order.id).json()
    figures = call("GET /v1/stats").json()["total"]
    events = len(world.told())
    assert named(world), "nothing was marked, so nothing could be erased"

    erased = erase(order)
    world.stream()

    assert erased.status == 200, erased.text
    assert named(world) == []
    assert not [key for key in world.s3.objects if order.id in key]
    after = call("GET /v1/orders/{id}", id=order.id).json()
    assert after == erased.json()
    assert after["erased_at"]
    assert after["ship_to"]["name"] == "erased"
    assert after["ship_to"]["country"] == before["ship_to"]["country"]
    kept = ("id", "status", "reference", "price", "charges", "tracking_numbers", "carrier_order_number")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert after["delivery_status"] == "delivered"
    assert call("GET /v1/stats").json()["total"] == figures, "figures are the same as before"
    assert len(world.told()) == events, "that a person was erased is nobody's news"
    assert trail(order)[-1]["type"] == "order.erased"
    assert trail(order)[-1]["actor"] == "operator"
    label = call("GET /v1/orders/{id}/label", id=order.id)
    assert (label.status, label.json()["code"]) == (404, "label_unavailable")


def test_the_recipients_page_shows_the_status_alone(world: World) -> None:
    order = bought(world, "ubi")
    erase(order)
    token = call("GET /v1/orders/{id}", id=order.id).json()["links"]["tracking_page"].rpartition("/")[2]
    page = call("GET /track/{token}", token=token, headers={"accept": "application/json"}).json()
    (parcel,) = page["parcels"]
    assert (page["status"], parcel["events"], parcel["estimated_delivery"]) == ("delivered", [], None)


def trail(order: Order) -> list[Body]:
    events: list[Body] = call("GET /v1/orders/{id}/events", id=order.id).json()["data"]
    return events


def test_nothing_that_comes_late_brings_it_back(world: World) -> None:
    """Polls, proven webhooks, nudges, retries, label messages and corrections."""
    order = bought(world, "ubi")
    stale = [world.table.tenant(order.tenant).trackings.get(each) for each in order.tracking_ids]
    erase(order)
    store = world.table.tenant(order.tenant).trackings

    for tracking in stale:
        late = delivered(world, code="late")
        runtime.timelines.take(order.tenant, tracking.id, late, Source.POLL, known=tracking)
        runtime.timelines.believe(order.tenant, tracking.id, late)
        runtime.timelines.nudge(order.tenant, tracking.id)
        world.poll()
        changed = call("PATCH /v1/trackings/{id}", id=tracking.id, body={"note": "Zqname"})
        assert (changed.status, changed.json()["code"]) == (409, "cannot_change")
        assert store.polls([tracking.id], now=world.clock.now)[tracking.id] is None, (
            "nobody asks about the parcel any more"
        )
    changed = call("PATCH /v1/orders/{id}", id=order.id, body={"metadata": {"note": "Zqname"}})
    assert (changed.status, changed.json()["code"]) == (409, "cannot_change")
    call("POST /v1/orders/{id}/resolve", id=order.id, body={"outcome": "reread"})
    job = {"tenant": order.tenant, "order_id": order.id, "since": world.clock.now.isoformat()}
    world.sqs.send_message(QueueUrl="https://sqs.test/labels", MessageBody=json.dumps(job))
    world.pass_time(hours=14)
    world.stream()

    assert named(world) == []
    assert world.order(order).status is OrderStatus.CONFIRMED


def test_a_late_write_of_the_whole_order_writes_no_person(world: World) -> None:
    """Whoever had read the order before decides again on the one without a person."""
    order = bought(world, "ubi")
    erase(order)
    orders = world.table.tenant(order.tenant).orders
    now = orders.get(order.id)
    words = {"carrier_details": {"signed": "Zqname"}, "metadata": {"note": SECRET}, "ship_to": order.ship_to}

    orders.save(now, now.changed(at=world.clock.now, label=order.label, **words))

    assert named(world) == []
    assert world.order(order).label.status is LabelStatus.UNAVAILABLE


@pytest.mark.parametrize("nth", [1, 3, 5, 7])
def test_whoever_dies_while_erasing_is_finished_by_the_next_call(nth: int, world: World) -> None:
    order = bought(world, "ubi")
    calls = iter(range(1, 10_000))
    writes = ("put", "update", "delete", "transact", "list_object")
    dies = fails_with(RuntimeError("made up"))
    world.faults.when(lambda each: each.method.startswith(writes) and next(calls) == nth, dies)

    first = erase(order)
    world.faults.forget()
    again = erase(order)

    assert first.status in (200, 500, 503)
    assert again.status == 200
    assert named(world) == []
    assert [line["type"] for line in trail(order)].count("order.erased") == 1


def test_an_order_that_still_needs_its_address_is_refused(world: World) -> None:
    world.create_order(body("ubi", "shop-1"))
    order = world.only_order()
    refused = erase(order, force=True)
    assert refused.status == 409
    assert {each["code"] for each in refused.json()["errors"]} <= {"label_pending", "not_decided"}

    order = world.settle(order, hours=2)
    refused = erase(order)
    assert (refused.status, refused.json()["code"]) == (409, "cannot_change")
    assert [each["code"] for each in refused.json()["errors"]] == ["parcels_under_way"]
    assert named(world), "nothing was erased"

    assert erase(order, force=True).status == 200
    assert named(world) == []


def test_a_refund_that_nobody_has_seen_keeps_the_person(world: World) -> None:
    refund = Refund(status="requested", amount=Money(Decimal(5), "USD"), requested_at=NOON)
    order = an_order(ship_to=ADDRESS, status=OrderStatus.CANCELLED, refund=refund)
    world.table.tenant(order.tenant).orders.add(order, an_event())

    refused = erase(order)
    assert [each["code"] for each in refused.json()["errors"]] == ["refund_outstanding"]
    call("POST /v1/orders/{id}/resolve", id=order.id, body={"outcome": "refunded"})
    assert erase(order).status == 200
    assert named(world) == []


def test_the_body_of_a_batch_goes_when_the_batch_is_finished(world: World) -> None:
    batch = world.create_batch([body("ubi", "shop-1"), body("ubi", "shop-2")])
    rows = world.finish_batch(batch).rows
    orders = [runtime.table.tenant(batch.tenant).orders.get(row.order_id or "") for row in rows]
    orders = [world.settle(order, hours=2) for order in orders]
    assert [key for key in world.s3.objects if batch.id in key]

    assert [erase(order, force=True).status for order in orders] == [200, 200]
    assert named(world) == []


def test_an_order_written_before_erasing_existed_has_not_been_erased() -> None:
    document = {
        "id": "ord_1",
        "tenant": "acme",
        "carrier": "ubi",
        "account": "default",
        "reference": "R",
        "ship_to": {"name": "n", "line1": "l", "city": "c", "country": "AU"},
        "parcels": [],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }
    assert msgspec.convert(document, Order).erased_at is None

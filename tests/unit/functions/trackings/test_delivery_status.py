"""How an order's parcels stand shows wherever the order is shown, and is written into none."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from parcelgate.domain.orders import Order, OrderStatus, Parcel
from parcelgate.domain.trackings import Source, merge
from parcelgate.runtime import runtime
from parcelgate.services.orders.reader import OrderReader
from parcelgate.store.table import Table
from tests.support.api import Backend, Reply, call
from tests.support.faults import Faults
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import TABLE_NAME
from tests.support.trackings import a_tracking, seen


def an_order_of(backend: Backend, *statuses: str | None, reference: str = "R-1") -> Order:
    """A confirmed order whose parcels stand like this; None: nothing is known yet of that one."""
    pattern = an_order().parcels[0]
    order = backend.put(an_order(reference=reference), an_event())
    orders, trackings = backend.tenant().orders, backend.tenant().trackings
    new = [a_tracking(tracking_number=f"1Z{place}", order_id=order.id) for place in range(len(statuses))]
    parcels = tuple(
        msgspec.structs.replace(
            pattern, reference=f"P-{place}", tracking_id=one.id, tracking_number=one.tracking_number
        )
        for place, one in enumerate(new)
    )
    sent = order.move(OrderStatus.PROCESSING, at=NOON, watch_at=NOON)
    orders.save(order, sent, an_event("order.processing"))
    done = sent.move(OrderStatus.CONFIRMED, at=NOON, watch_at=None, parcels=parcels)
    orders.save(sent, done, an_event("order.confirmed"), trackings=new)
    for one, status in zip(new, statuses, strict=True):
        if status is not None:
            trackings.save(one, merge(one, [seen(status)], source=Source.POLL, at=NOON))
    return done


def shown(order: dict[str, Any]) -> tuple[str, list[str]]:
    return order["delivery_status"], [parcel["delivery_status"] for parcel in order["parcels"]]


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        (["delivered"], "delivered"),
        (["delivered", "out_for_delivery", "delivered"], "out_for_delivery"),
        (["delivered", None], "pending"),
        (["expired", "lost", "delivered"], "lost"),
        ([None, "exception"], "exception"),
    ],
)
def test_an_order_stands_like_the_parcel_furthest_behind(
    statuses: list[str | None], whole: str, backend: Backend
) -> None:
    order = an_order_of(backend, *statuses)
    expected = (whole, [status or "pending" for status in statuses])

    assert shown(call("GET /v1/orders/{id}", id=order.id).json()) == expected
    assert shown(call("GET /v1/orders").json()["data"][0]) == expected


def test_an_order_that_is_not_confirmed_is_pending_without_a_second_question(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = backend.put(an_order(), an_event())
    faults = watched(backend, monkeypatch)

    assert shown(call("GET /v1/orders/{id}", id=order.id).json()) == ("pending", ["pending"])
    assert faults.names == ["dynamodb.batch_get_item"]


@pytest.mark.parametrize(
    ("route", "part", "method", "body"),
    [
        ("POST /v1/orders/{id}/cancel", "order_canceller", "cancel", None),
        ("POST /v1/orders/{id}/hold", "order_holder", "hold", None),
        ("POST /v1/orders/{id}/return", "order_returner", "send_back", None),
        ("PATCH /v1/orders/{id}", "order_changer", "change", {"metadata": {"a": "b"}}),
    ],
)
def test_the_answer_to_a_change_shows_it_too(
    route: str, part: str, method: str, body: Any, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = an_order_of(backend, "in_transit", "delivered")
    service = SimpleNamespace(table=backend.table, **{method: lambda *_: backend.order(order.id)})
    runtime.use(**{part: service})

    reply: Reply = call(route, id=order.id, body=body)

    assert reply.status in (200, 202)
    assert shown(reply.json()) == ("in_transit", ["in_transit", "delivered"])


def test_a_page_of_orders_costs_one_question_more_for_a_hundred_parcels(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        an_order_of(backend, *["delivered"] * 30, reference=f"R-{number}")
    faults = watched(backend, monkeypatch)

    page = call("GET /v1/orders").json()["data"]

    assert {order["delivery_status"] for order in page} == {"delivered"}
    assert faults.names == ["dynamodb.query", *["dynamodb.batch_get_item"] * 3]


def test_it_is_not_written_into_the_order(backend: Backend) -> None:
    order = an_order_of(backend, "delivered")
    assert backend.order(order.id) == order
    assert "delivery_status" not in Parcel.__struct_fields__


def watched(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """What is asked of the store from now on."""
    faults = Faults()
    reader = OrderReader(Table(faults.wrap(backend.dynamodb, "dynamodb"), TABLE_NAME))
    runtime.use(order_reader=reader)
    return faults

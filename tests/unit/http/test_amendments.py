"""Merge patches: what the client said, with what it says now, is a create body again."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.domain.orders import LabelStatus, Order
from parcelgate.domain.problems import ProblemError
from parcelgate.http.requests.amendments import create_body, merged, read_amendment
from parcelgate.http.requests.orders import read_order
from tests.unit.carriers.ubi.orders import body, full_body

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CARRIERS = ("ubi",)


def order_of(given: dict[str, Any]) -> Order:
    draft = read_order(given, carriers=CARRIERS, tenant="acme", order_id="ord_1", now=NOON)
    assert not draft.errors
    assert draft.order is not None
    return draft.order


def confirmed(order: Order) -> Order:
    """The order as it is kept once the carrier has it."""
    parcels = tuple(
        msgspec.structs.replace(parcel, tracking_number=f"T{place}", carrier_parcel_number="C")
        for place, parcel in enumerate(order.parcels)
    )
    label = msgspec.structs.replace(order.label, status=LabelStatus.READY)
    return msgspec.structs.replace(
        order, parcels=parcels, label=label, carrier_order_number="N", status="confirmed"
    )


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_is_merged_as_the_standard_s_own_examples_are(target: Any, patch: Any, result: Any) -> None:
    """RFC 7396, appendix A."""
    assert merged(target, patch) == result


@pytest.mark.parametrize("given", [body(), body(3), full_body()], ids=["plain", "pieces", "everything"])
@pytest.mark.parametrize("patch", [{}, {"parcels": []}], ids=["nothing", "parcels"])
def test_what_was_said_of_an_order_describes_the_same_order(given: Any, patch: Any) -> None:
    order = order_of(given)
    # A number that the client held is the carrier's since.
    parcels = tuple(msgspec.structs.replace(parcel, tracking_number=None) for parcel in order.parcels)
    order = msgspec.structs.replace(order, parcels=parcels)
    again = order_of(create_body(confirmed(order), patch))
    assert msgspec.to_builtins(again) == msgspec.to_builtins(order)


def test_what_followed_from_the_items_follows_from_the_new_ones() -> None:
    order = confirmed(order_of(body()))
    item = {**body()["parcels"][0]["items"][0], "quantity": 3, "description": "Hat"}
    parcel = {"weight": {"value": Decimal("0.5"), "unit": "kg"}, "items": [item]}
    draft = read_amendment({"parcels": [parcel]}, carriers=CARRIERS).draft(order)
    assert draft.order is not None
    assert draft.order.customs is not None
    assert draft.order.customs.value is not None
    assert (draft.order.customs.value.amount, draft.order.customs.description) == (Decimal(30), "Hat")


def test_what_the_client_said_itself_stays() -> None:
    own = {"value": {"amount": "19.95", "currency": "AUD"}, "description": "Clothes"}
    order = confirmed(order_of(body(customs=own)))
    item = {**body()["parcels"][0]["items"][0], "quantity": 3}
    parcel = {"weight": {"value": 1, "unit": "kg"}, "items": [item]}
    draft = read_amendment({"parcels": [parcel]}, carriers=CARRIERS).draft(order)
    assert draft.order is not None
    assert draft.order.customs == order.customs


@pytest.mark.parametrize("patch", [None, [], "x", 7])
def test_a_patch_is_an_object(patch: Any) -> None:
    with pytest.raises(ProblemError):
        read_amendment(patch, carriers=CARRIERS)


@pytest.mark.parametrize(
    ("patch", "alone"),
    [
        ({}, True),
        ({"metadata": {}}, True),
        ({"metadata": None}, True),
        ({"options": {}}, False),
        ({"metadata": {}, "ship_to": {}}, False),
    ],
)
def test_metadata_alone_are_nothing_to_the_carrier(patch: Any, alone: bool) -> None:
    assert read_amendment(patch, carriers=CARRIERS).metadata_only is alone

"""Whatever is sent as a body, the answer is one the contract knows, and nothing is half made."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.support.api import Backend, Reply, a_box, call, order_body

ODD_NUMBERS = st.sampled_from(
    [
        "1e400",
        "-1e400",
        "1E-9999999999999999999",
        "1e9999999999999999999",
        "9" * 5000,
        "0." + "1" * 400,
        "-0",
        "1.0",
    ]
)
SCALARS: SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text()
    | st.sampled_from(
        ["", " ", "\0", "\ud800", "😀", "a\u2028b", "x" * 300, "__proto__", "US", "lso", "1e5", "12.5"]
    )
)
VALUES: SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
WHOLE = order_body(
    parcels=[
        a_box(
            volume=0.01,
            secondary_reference="b",
            declared_value={"amount": "5", "currency": "USD"},
            items=[
                {"description": "Hammer", "quantity": 1, "unit_value": {"amount": 9.5, "currency": "USD"}}
            ],
        ),
        a_box(),
    ],
    customs={"battery": {"type": "li-ion"}, "value": {"amount": 3, "currency": "USD"}},
    options={
        "delivery_window": {"from": "2026-12-01T10:00:00Z", "to": "2026-12-01T12:00:00Z"},
        "max_price": {"amount": "20", "currency": "USD"},
    },
    label={"format": "pdf", "dpi": 203},
    metadata={"a": "b"},
)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, part in inner for place in places(part, (*here, key)))]


PLACES = places(WHOLE)


@st.composite
def spoilt_orders(draw: DrawFn) -> str:
    """A whole order's JSON with one to three places spoilt."""
    body: Any = deepcopy(WHOLE)
    marks: dict[str, str] = {}
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(PLACES[1:]))
        holder = body
        try:
            for part in way:
                holder = holder[part]
            if draw(st.booleans()):
                marks[mark] = draw(ODD_NUMBERS) if (mark := f"mark-{len(marks)}") else ""
                holder[last] = mark
            elif isinstance(holder, dict) and draw(st.booleans()):
                holder[draw(st.text())] = draw(VALUES)
            else:
                holder[last] = draw(VALUES)
        except (KeyError, IndexError, TypeError):
            continue
    text = json.dumps(body)
    for mark, number in marks.items():
        text = text.replace(json.dumps(mark), number)
    return text


def sound(reply: Reply, backend: Backend) -> None:
    """The answer is one of the contract's, and there is an order only where one was taken."""
    assert reply.status in (202, 400, 409, 422)
    kept = backend.stored()
    if reply.status == 202:
        assert reply.json()["id"] in {item["pk"]["S"].rpartition("#")[2] for item in kept}
        backend.tidy()
    else:
        assert kept == []
        assert backend.executions() == []


@settings(max_examples=120)
@given(body=st.binary(max_size=400))
def test_any_bytes(body: bytes, backend: Backend) -> None:
    sound(call("POST /v1/orders", body=body), backend)


@settings(max_examples=120)
@given(body=VALUES)
def test_any_json(body: Any, backend: Backend) -> None:
    sound(call("POST /v1/orders", body=json.dumps(body)), backend)


@settings(max_examples=400)
@given(body=spoilt_orders())
def test_any_order_with_some_places_spoilt(body: str, backend: Backend) -> None:
    sound(call("POST /v1/orders", body=body, headers={"Idempotency-Key": "k"}), backend)
    assert len(backend.stored("idempotency")) == len(backend.stored())


@settings(max_examples=120)
@given(
    query=st.dictionaries(
        st.sampled_from(["status", "limit", "cursor", "created_after", "reference"]), st.text()
    )
)
def test_any_query(query: dict[str, str], backend: Backend) -> None:
    assert call("GET /v1/orders", query=query).status in (200, 422)


@settings(max_examples=120)
@given(order_id=st.text(min_size=1))
@pytest.mark.parametrize(
    "route", ["GET /v1/orders/{id}", "GET /v1/orders/{id}/label", "POST /v1/orders/{id}/cancel"]
)
def test_any_id(route: str, order_id: str, backend: Backend) -> None:
    assert call(route, id=order_id).status == 404

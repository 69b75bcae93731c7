"""Whatever is sent about parcels, the answer is one the contract knows, and nothing is half made."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.support.aggregator import FakeAggregator
from tests.support.api import Backend, Reply, call
from tests.unit.http.test_any_body import ODD_NUMBERS, VALUES, places

PARCEL: dict[str, Any] = {
    "carrier_code": "china-ems",
    "tracking_number": "N1",
    "account": "default",
    "destination_country": "US",
    "special_destination": "KR",
    "postcode": "78701",
    "ship_date": "2018-10-01",
    "account_number": "7",
    "auto_correct": False,
    "title": "t",
    "logistics_channel": "l",
    "customer": {"name": "Ada", "email": "ada@example.com", "phone": "1"},
    "order_reference": "r",
    "order_created_at": "2017-08-27T16:51:00Z",
    "note": "n",
    "lang": "en",
    "metadata": {"a": "b"},
}
PATCH: dict[str, Any] = {
    "title": "t",
    "customer": {"name": "Ada", "email": None},
    "order_reference": "r",
    "note": "n",
    "destination_country": "US",
    "destination": "DE",
    "archived": True,
    "paused": False,
    "metadata": {"a": "b", "c": None},
    "carrier_code": "usps",
}
WHOLE: dict[str, Any] = {
    "POST /v1/trackings": [PARCEL, {"carrier_code": "usps", "tracking_number": "N2"}],
    "PATCH /v1/trackings/{id}": PATCH,
    "POST /v1/trackings/update": [PATCH | {"id": "trk_1"}, {"id": "trk_2"}],
    "POST /v1/trackings/delete": ["trk_1", {"id": "trk_2"}],
    "POST /v1/trackings/{id}/pause": {},
    "POST /v1/trackings/{id}/refresh": {"realtime": True},
    "POST /v1/trackings/transit-times": {"origin": "CN", "destination": "US", "carrier_code": "usps"},
    "POST /v1/trackings/remote-areas": [{"country": "US", "postcode": "99501", "company": "DHL"}],
    "POST /v1/trackings/detect": {"tracking_number": "N1", "account": "default"},
}


@pytest.fixture
def aggregator() -> Iterator[FakeAggregator]:
    with FakeAggregator().in_place() as standing:
        yield standing


@st.composite
def spoilt(draw: DrawFn, whole: Any) -> str:
    """A whole body's JSON with one to three places spoilt."""
    body: Any = deepcopy(whole)
    marks: dict[str, str] = {}
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(whole)[1:] or [("new",)]))
        holder = body
        try:
            for part in way:
                holder = holder[part]
            if draw(st.booleans()):
                mark = f"mark-{len(marks)}"
                marks[mark] = draw(ODD_NUMBERS)
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


def sent(route: str, body: str | bytes, backend: Backend) -> Reply:
    """Send it, about a parcel that there is where it is about one."""
    parameters = {}
    if "{id}" in route:
        known = call("POST /v1/trackings", body={"carrier_code": "china-ems", "tracking_number": "N0"})
        parameters["id"] = known.json()["id"]
    reply = call(route, body=body, **parameters)
    assert reply.status in (200, 201, 202, 207, 400, 409, 422, 429)
    if reply.status == 207:
        assert {one["status"] for one in reply.json()["data"]} <= {200, 201, 204, 404, 409, 422}
    return reply


@pytest.mark.parametrize("route", WHOLE)
@settings(max_examples=60)
@given(data=st.data())
def test_any_body_with_some_places_spoilt(
    route: str, data: st.DataObject, backend: Backend, aggregator: FakeAggregator
) -> None:
    sent(route, data.draw(spoilt(WHOLE[route])), backend)
    assert len(backend.stored("tracking")) == len(aggregator.followed)


@pytest.mark.parametrize("route", WHOLE)
@settings(max_examples=30)
@given(body=VALUES)
def test_any_json(route: str, body: Any, backend: Backend, aggregator: FakeAggregator) -> None:
    sent(route, json.dumps(body), backend)


@pytest.mark.parametrize("route", WHOLE)
@settings(max_examples=20)
@given(body=st.binary(max_size=200))
def test_any_bytes(route: str, body: bytes, backend: Backend, aggregator: FakeAggregator) -> None:
    sent(route, body, backend)


@settings(max_examples=120)
@given(query=st.dictionaries(st.sampled_from(["status", "limit", "cursor", "carrier"]), st.text()))
def test_any_query(query: dict[str, str], backend: Backend) -> None:
    assert call("GET /v1/trackings", query=query).status in (200, 422)


@settings(max_examples=120)
@given(tracking_id=st.text(min_size=1))
@pytest.mark.parametrize(
    "route",
    ["GET /v1/trackings/{id}", "DELETE /v1/trackings/{id}", "POST /v1/trackings/{id}/refresh"],
)
def test_any_id(route: str, tracking_id: str, backend: Backend) -> None:
    assert call(route, id=tracking_id).status == 404


@settings(max_examples=60)
@given(awb=st.text(min_size=1))
def test_any_air_waybill(awb: str, backend: Backend) -> None:
    assert call("GET /v1/trackings/air-cargo/{awb}", awb=awb).status == 422

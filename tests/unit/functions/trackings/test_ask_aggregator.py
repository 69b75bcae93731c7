"""What an aggregator is asked that is about no tracking."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from parcelgate.carriers.errors import RefusedError, TransientError
from parcelgate.carriers.results import Courier
from parcelgate.domain.clock import now
from parcelgate.domain.problems import CarrierWords
from tests.support.aggregator import FakeAggregator
from tests.support.api import Backend, Reply, call

ROUTE_BODY = {"origin": "cn", "destination": "us", "carrier_code": "china-ems"}
QUESTIONS: dict[str, dict[str, Any]] = {
    "POST /v1/trackings/transit-times": {"body": ROUTE_BODY},
    "POST /v1/trackings/remote-areas": {"body": [{"country": "us", "postcode": "99501", "company": "DHL"}]},
    "POST /v1/trackings/detect": {"body": {"tracking_number": "N1"}},
    "GET /v1/couriers": {},
    "GET /v1/trackings/air-cargo/{awb}": {"awb": "016-10354966"},
    "GET /v1/trackings/usage": {},
    "GET /v1/trackings/summary": {},
}
ANSWERS: dict[str, Any] = {
    "POST /v1/trackings/transit-times": {
        "total": 100,
        "delivered": 90,
        "ranges": [{"range": "1-7", "share": 0.4}],
    },
    "POST /v1/trackings/remote-areas": [{"country": "US", "postcode": "99501", "remote": True}],
    "POST /v1/trackings/detect": [
        {
            "code": "china-ems",
            "name": "China EMS",
            "type": None,
            "phone": None,
            "homepage": None,
            "picture": None,
        }
    ],
    "GET /v1/couriers": [
        {
            "code": "china-ems",
            "name": "China EMS",
            "type": None,
            "phone": "11183",
            "homepage": None,
            "picture": None,
        }
    ],
    "GET /v1/trackings/air-cargo/{awb}": {"track_number": "016-10354966"},
    "GET /v1/trackings/usage": {"left": 17},
    "GET /v1/trackings/summary": {"pending": 3, "delivered": 1},
}


@pytest.fixture
def aggregator() -> Iterator[FakeAggregator]:
    with FakeAggregator().in_place() as standing:
        yield standing


def ask(route: str, **more: Any) -> Reply:
    return call(route, **QUESTIONS[route] | more)


@pytest.mark.parametrize("route", QUESTIONS)
def test_a_question_is_answered(route: str, backend: Backend, aggregator: FakeAggregator) -> None:
    reply = ask(route)

    assert (reply.status, reply.json()) == (200, {"data": ANSWERS[route]})


@pytest.mark.parametrize("route", QUESTIONS)
def test_a_question_needs_the_scope_for_reading(
    route: str, backend: Backend, aggregator: FakeAggregator
) -> None:
    assert ask(route, scopes="trackings:write").code == "missing_scope"
    assert ask(route, scopes="trackings:read").status == 200
    assert ask(route, tenant=None).code == "invalid_key"


@pytest.mark.parametrize("route", QUESTIONS)
def test_a_question_is_asked_of_the_account_that_is_named(
    route: str, backend: Backend, aggregator: FakeAggregator
) -> None:
    def with_account(account: str) -> Reply:
        body = QUESTIONS[route].get("body")
        if isinstance(body, dict):
            return ask(route, body=body | {"account": account})
        return ask(route, query={"account": account})

    assert with_account("second").status == 200
    reply = with_account("nobodys")
    assert (reply.status, reply.errors) == (422, {"/account": "unknown_account"})


@pytest.mark.parametrize("route", QUESTIONS)
def test_an_aggregator_that_cannot_be_asked_is_told_as_such(
    route: str, backend: Backend, aggregator: FakeAggregator
) -> None:
    aggregator.down = TransientError("x", retry_after=120)

    reply = ask(route)

    assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "carrier_unavailable", "120")


@pytest.mark.parametrize("route", QUESTIONS)
def test_a_refusal_is_told_in_the_aggregators_words(
    route: str, backend: Backend, aggregator: FakeAggregator
) -> None:
    aggregator.down = RefusedError("no", words=CarrierWords("FakeAggregator", "4021", "quota deficient"))

    reply = ask(route)

    assert (reply.status, reply.code) == (422, "refused_by_carrier")
    assert reply.json()["carrier"]["message"] == "quota deficient"


@pytest.mark.parametrize("route", [route for route in QUESTIONS if route.startswith("POST")])
def test_a_question_is_asked_once_for_an_idempotency_key(
    route: str, backend: Backend, aggregator: FakeAggregator
) -> None:
    replies = [ask(route, headers={"Idempotency-Key": "k"}) for _ in range(2)]

    assert replies[0].text == replies[1].text
    assert aggregator.calls.total() == 1


@pytest.mark.parametrize(
    ("route", "more", "errors"),
    [
        (
            "POST /v1/trackings/transit-times",
            {"body": {"origin": "XX"}},
            {"/origin": "format", "/destination": "missing", "/carrier_code": "missing"},
        ),
        ("POST /v1/trackings/transit-times", {"body": [ROUTE_BODY]}, {"": "type"}),
        ("POST /v1/trackings/transit-times", {"body": ROUTE_BODY | {"via": "DE"}}, {"/via": "unknown_field"}),
        ("POST /v1/trackings/remote-areas", {"body": {"country": "US"}}, {"": "type"}),
        ("POST /v1/trackings/remote-areas", {"body": []}, {"": "missing"}),
        ("POST /v1/trackings/remote-areas", {"body": [{"country": "US"}] * 41}, {"": "too_many"}),
        (
            "POST /v1/trackings/remote-areas",
            {"body": [{"country": "US", "postcode": "1"}, {"country": "US"}, 5]},
            {"/1/postcode": "missing", "/2": "type"},
        ),
        ("POST /v1/trackings/detect", {"body": {}}, {"/tracking_number": "missing"}),
        (
            "POST /v1/trackings/detect",
            {"body": {"tracking_number": "x" * 101}},
            {"/tracking_number": "too_long"},
        ),
        ("GET /v1/trackings/air-cargo/{awb}", {"awb": "16-1"}, {"/awb": "format"}),
        ("GET /v1/trackings/air-cargo/{awb}", {"awb": "016-1035496x"}, {"/awb": "format"}),
        (
            "GET /v1/couriers",
            {"query": {"lang": "e/n", "limit": "5"}},
            {"/lang": "format", "/limit": "unknown_field"},
        ),
        ("GET /v1/trackings/usage", {"query": {"colour": "red"}}, {"/colour": "unknown_field"}),
    ],
)
def test_a_question_is_checked_before_it_is_asked(
    route: str, more: dict[str, Any], errors: dict[str, str], backend: Backend, aggregator: FakeAggregator
) -> None:
    reply = ask(route, **more)

    assert (reply.status, reply.errors) == (422, errors)
    assert aggregator.calls.total() == 0


@pytest.mark.parametrize("awb", ["016-10354966", "016 10354966", "01610354966", "016-1035496"])
def test_an_air_waybill_is_written_in_several_ways(
    awb: str, backend: Backend, aggregator: FakeAggregator
) -> None:
    assert call("GET /v1/trackings/air-cargo/{awb}", awb=awb).status == 200


def test_couriers_are_asked_for_once_a_day_by_account_and_language(
    backend: Backend, aggregator: FakeAggregator
) -> None:
    for _ in range(2):
        assert [each["name"] for each in ask("GET /v1/couriers").json()["data"]] == ["China EMS"]
        german = ask("GET /v1/couriers", query={"lang": "DE"}).json()["data"]
        assert [each["name"] for each in german] == ["China EMS de"]
    assert aggregator.calls["couriers"] == 2
    assert ask("GET /v1/couriers", query={"account": "second"}).status == 200
    assert ask("GET /v1/couriers", tenant="other").status == 200
    assert aggregator.calls["couriers"] == 4
    aggregator.down = TransientError("x")
    assert ask("GET /v1/couriers").status == 200, "it is kept"
    kept = backend.tenant().couriers
    at = now()
    assert kept.get("default", "", now=at + timedelta(hours=23)) is not None
    assert kept.get("default", "", now=at + timedelta(hours=25)) is None


def test_a_likely_courier_that_comes_without_its_name_gets_it(
    backend: Backend, aggregator: FakeAggregator
) -> None:
    aggregator.likely = [
        Courier(code=code, name=name)
        for code, name in (("dhl", "DHL"), ("China-EMS", "China-EMS"), ("x", "x"))
    ]

    names = [each["name"] for each in ask("POST /v1/trackings/detect").json()["data"]]

    assert names == ["DHL", "China EMS", "x"]
    assert aggregator.calls == {"detect": 1, "couriers": 1}

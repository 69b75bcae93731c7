"""The door: what every answer has in common."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from parcelgate.domain.problems import ProblemError
from parcelgate.http.api import Answer, Api, Call, answer
from parcelgate.observability.logs import about, log, observed
from parcelgate.store.errors import ThrottledError
from tests.support.http import DOMAIN, Context, api_event

ROUTE = "GET /v1/orders/{id}"


def asked(route: Callable[[Call], Answer], **more: Any) -> dict[str, Any]:
    api = Api()
    api.route(ROUTE, scope="orders:read")(route)
    return api.handler(api_event(ROUTE, id="ord_1", **more), Context())


def raises(error: Exception) -> Callable[[Call], Answer]:
    def route(call: Call) -> Answer:
        raise error

    return route


def test_a_problem_is_told_as_rfc_9457_has_it() -> None:
    given = asked(raises(ProblemError("cannot_cancel", "No.", order_id="ord_1", retry_after=3)))

    assert given["statusCode"] == 409
    assert given["headers"]["content-type"] == "application/problem+json"
    assert given["headers"]["location"] == "/v1/orders/ord_1"
    assert given["headers"]["retry-after"] == "3"
    assert json.loads(given["body"]) == {
        "type": f"https://{DOMAIN}/problems/cannot_cancel",
        "title": "The order cannot be cancelled",
        "status": 409,
        "code": "cannot_cancel",
        "detail": "No.",
        "errors": [],
        "carrier": None,
        "order_id": "ord_1",
        "request_id": "JKJaXmPLvHcESHA=",
    }


def test_what_nobody_expected_is_logged_by_its_class_and_told_to_nobody(logged: Callable[[], str]) -> None:
    given = asked(raises(RuntimeError("Ada Byrd, 401 Congress Ave")))

    assert (given["statusCode"], json.loads(given["body"])["code"]) == (500, "internal")
    told = logged()
    assert '"error":"RuntimeError"' in told
    assert "Ada" not in told + given["body"]


def test_a_store_that_takes_no_more_is_too_many_requests() -> None:
    given = asked(raises(ThrottledError("x")))

    assert (given["statusCode"], given["headers"]["retry-after"]) == (429, "2")


def test_nothing_is_cached_and_no_type_is_guessed() -> None:
    headers = asked(lambda call: answer({"a": 1}))["headers"]

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({}, f"https://{DOMAIN}"),
        ({"host": "localhost:4566"}, ""),
        ({"host": f"evil.example, {DOMAIN}"}, ""),
    ],
)
def test_the_base_address_is_told_only_where_it_is_certain(headers: dict[str, str], base: str) -> None:
    seen = []
    asked(lambda call: seen.append(call.site.base) or answer({}), headers=headers)  # type: ignore[func-returns-value]

    assert seen == [base]


def test_the_base_address_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARCELGATE_PUBLIC_URL", "https://api.example.com/")

    assert Call(api_event(ROUTE, id="x", headers={"host": "y"})).site.base == "https://api.example.com"


def test_the_path_is_the_one_under_the_base_address() -> None:
    assert Call(api_event(ROUTE, id="ord_1", path_prefix="/stage")).path == "/v1/orders/ord_1"


def test_a_budget_ends_before_the_invocation() -> None:
    assert Call(api_event(ROUTE, id="x"), Context()).within(10)() <= 10
    assert Call(api_event(ROUTE, id="x"), Context()).within(100)() <= 25
    assert Call(api_event(ROUTE, id="x")).within(5)() <= 5


def test_what_is_expected_bears_no_trace_for_the_runtime_to_print() -> None:
    def deep() -> None:
        raise KeyError("not yet")

    @observed(expected=(KeyError,))
    def handler(event: dict[str, str], context: Context) -> None:
        deep()

    with pytest.raises(KeyError) as raised:
        handler({}, Context())

    assert [entry.name for entry in raised.traceback][1:] == ["run"]


def test_one_invocation_s_ids_are_not_on_the_next_one_s_lines(logged: Callable[[], str]) -> None:
    @observed(expected=(KeyError,))
    def handler(event: dict[str, str], context: Context) -> None:
        if "order" in event:
            about(order_id=event["order"], tenant="acme", carrier="lso")
        log.info("working")
        if "fail" in event:
            raise KeyError(event["fail"])

    handler({"order": "ord_1"}, Context())
    with pytest.raises(KeyError):
        handler({"fail": "secret"}, Context())

    first, second, third = map(json.loads, logged().splitlines())
    assert first["order_id"] == "ord_1"
    assert "order_id" not in second
    assert (third["level"], third["error"]) == ("INFO", "KeyError")
    assert "secret" not in json.dumps(third)

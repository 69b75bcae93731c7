"""What every answer of the API has in common."""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from awslambdaric.bootstrap import StandardLogSink, handle_event_request
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from parcelgate.domain.problems import ProblemError
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request
from parcelgate.http.routes import FUNCTIONS, ROUTES
from parcelgate.observability.logs import bind_log_keys, instrumented, log
from parcelgate.store.errors import ThrottledError
from tests.support.api import DOMAIN, EVERY_SCOPE, Context, api_event, call

ROUTE = "GET /v1/orders/{id}"
PLACES = {"id": "x_1", "carrier": "lso", "awb": "016-10354966"}
"""Something for each parameter of a path."""


def asked(route: Callable[[Request], Answer], **more: Any) -> dict[str, Any]:
    api = Api("read_orders")
    route.__name__ = "read_order"
    api.route(route)
    return api.handler(api_event(ROUTE, id="ord_1", **more), Context())


def raises(error: Exception) -> Callable[[Request], Answer]:
    def route(request: Request) -> Answer:
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


def test_the_request_id_that_a_client_is_told_is_on_the_lines_of_its_request(
    logged: Callable[[], str],
) -> None:
    told = json.loads(asked(raises(RuntimeError("x")))["body"])["request_id"]

    line = json.loads(logged().splitlines()[0])
    assert (line["request_id"], line["correlation_id"]) == (told, told)


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
    headers = asked(lambda request: answer({"a": 1}))["headers"]

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
    asked(lambda request: seen.append(request.site.base) or answer({}), headers=headers)  # type: ignore[func-returns-value]

    assert seen == [base]


def test_the_base_address_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have a path: links and the types of problems are right then too."""
    monkeypatch.setenv("PARCELGATE_PUBLIC_URL", "https://api.example.com/a/$default/")

    site = Request(api_event(ROUTE, id="x", headers={"host": "y"})).site

    assert site.base == "https://api.example.com/a/$default"
    assert site.problems == "https://api.example.com/a/$default/problems"


def test_the_path_is_the_one_under_the_base_address() -> None:
    assert Request(api_event(ROUTE, id="ord_1", path_prefix="/stage")).path == "/v1/orders/ord_1"


def test_a_budget_ends_before_the_invocation() -> None:
    assert Request(api_event(ROUTE, id="x"), Context()).within(10).remaining() <= 10
    assert Request(api_event(ROUTE, id="x"), Context()).within(100).remaining() <= 25
    assert Request(api_event(ROUTE, id="x")).within(5).remaining() <= 5


class Runtime:
    """AWS's own runtime client, with what it would post to Lambda."""

    def __init__(self) -> None:
        self.marshaller = LambdaMarshaller()
        self.posted: list[str] = []

    def post_invocation_error(self, request_id: str, error: str, fault: str, *_: Any) -> None:
        self.posted += [error, fault]

    def run(self, handler: Callable[[Any, Any], Any]) -> dict[str, Any]:
        """What a state machine gets of an invocation that fails."""
        handle_event_request(
            self, handler, "id", b"{}", "application/json", None, None, "arn", 0, None, StandardLogSink()
        )
        error: dict[str, Any] = json.loads(self.posted[0])
        return error


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)
    return Runtime()


def raised_deep_inside(error: Exception) -> Callable[[dict[str, str], object], None]:
    def deep() -> None:
        raise error from ValueError("Ada Byrd, 401 Congress Ave")

    @instrumented(expected=(TimeoutError,))
    def handler(event: dict[str, str], context: object) -> None:
        deep()

    return handler


def test_an_expected_error_is_one_line_of_ours_and_its_name(
    runtime: Runtime, logged: Callable[[], str]
) -> None:
    error = runtime.run(raised_deep_inside(TimeoutError("Ada Byrd is not ready")))

    assert (error["errorType"], error["errorMessage"], error["stackTrace"]) == ("TimeoutError", "", [])
    ours, theirs = logged().strip().split("\n")
    assert (json.loads(ours)["level"], json.loads(ours)["error"]) == ("INFO", "TimeoutError")
    assert theirs.split("\r") == ["[ERROR] TimeoutError", "Traceback (most recent call last):"]
    assert "Ada" not in ours + theirs + str(runtime.posted)


def test_what_nobody_expected_leaves_the_function_as_its_class_alone(
    runtime: Runtime, logged: Callable[[], str]
) -> None:
    for _ in range(2):
        error = runtime.run(raised_deep_inside(KeyError("Ada Byrd")))

    assert (error["errorType"], error["errorMessage"], error["stackTrace"]) == (
        "UnexpectedError",
        "KeyError",
        [],
    )
    told = logged()
    assert "Ada" not in told + str(runtime.posted)
    _, ours, _, theirs = told.strip().split("\n")
    # Also the second time: what the runtime is kept from, our own line still has.
    assert (json.loads(ours)["level"], json.loads(ours)["error"]) == ("ERROR", "KeyError")
    assert json.loads(ours)["where"][-1].endswith(" deep")
    assert theirs.split("\r") == ["[ERROR] UnexpectedError: KeyError", "Traceback (most recent call last):"]


def test_one_invocation_s_ids_are_not_on_the_next_one_s_lines(logged: Callable[[], str]) -> None:
    @instrumented(expected=(KeyError,))
    def handler(event: dict[str, str], context: Context) -> None:
        if "order" in event:
            bind_log_keys(order_id=event["order"], tenant="acme", carrier="lso")
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


class TestTheTable:
    """What the table of routes says is what is so."""

    KEYED = tuple(key for key, route in ROUTES.items() if not route.open)

    @pytest.mark.parametrize("name", sorted(FUNCTIONS))
    def test_every_route_is_answered_by_its_function(self, name: str) -> None:
        if name == "ingest_webhook":
            return
        api = import_module(f"functions.{name}.handler").api

        assert {endpoint.route.name for endpoint in api._endpoints.values()} == {
            route.name for route in FUNCTIONS[name].routes
        }

    @pytest.mark.parametrize("key", KEYED)
    def test_a_key_must_be_known_and_have_the_route_s_scope(self, key: str) -> None:
        scopes = ROUTES[key].scopes
        others = " ".join(each for each in EVERY_SCOPE.split() if each not in scopes)

        assert call(key, tenant=None, **PLACES).code == "invalid_key"
        if scopes:
            assert call(key, scopes=others, **PLACES).code == "missing_scope"

    def test_the_scope_is_one_that_keys_can_have(self) -> None:
        assert {scope for route in ROUTES.values() for scope in route.scopes} <= set(EVERY_SCOPE.split())

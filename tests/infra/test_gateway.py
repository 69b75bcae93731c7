"""The gateway's own limits, which the emulator does not have: the stack and the contract stay within them.

The numbers are the quotas of HTTP APIs in the developer guide of API Gateway, and the size of a call in
Lambda's.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from parcelgate.http.openapi import QUERIES, document
from parcelgate.http.requests.queries.reading import Parameter
from parcelgate.http.routes import FUNCTIONS, MAX_BATCH_BYTES, ROUTES, Route
from parcelgate.http.smoke import AUTHORIZER
from parcelgate.services.accounts import api_keys
from parcelgate.services.idempotency import LONGEST_KEY
from tests.infra.conftest import Template
from tests.support.api import order_body
from tests.support.bodies import BODIES, Body

MOST = {"Route": 300, "Integration": 300, "Authorizer": 10, "Stage": 10}
"""How many of each an API may have."""
INTEGRATION_SECONDS = 30
AUTHORIZER_SECONDS = 10
BODY_BYTES = 10 * 1024 * 1024
HEAD_BYTES = 10_240
"""The request line and the values of all headers together."""
ACCESS_LOG_BYTES = 3 * 1024
RATE, BURST = 10_000, 5000
"""Requests that the gateway takes for all APIs of an account in a region: per second, and in one burst."""
EVENT_BYTES = 6 * 1024 * 1024
"""What Lambda takes in a call: the body as a text of JSON, and the head about twice."""
LONGEST_PART = 255
"""Characters of a path's parameter: no id, name or token is longer."""
OTHER_HEADERS = 2048
"""Bytes left for what clients, browsers and proxies add by themselves."""


@pytest.fixture(params=["production", "options"])
def template(request: pytest.FixtureRequest, aws: Template, options: Template) -> Template:
    return {"production": aws, "options": options}[request.param]


@pytest.mark.parametrize("kind", MOST)
def test_an_api_has_no_more_of_a_kind_than_it_may(template: Template, kind: str) -> None:
    assert 0 < len(template.all(f"ApiGatewayV2::{kind}")) <= MOST[kind]


def test_a_function_is_one_integration_however_many_routes_it_answers(template: Template) -> None:
    assert len(template.all("ApiGatewayV2::Integration")) == len(FUNCTIONS) < len(ROUTES)


def test_every_function_answers_before_the_gateway_does(template: Template) -> None:
    """Its answer would be a 503 without a problem, and the client would not know what became of his call."""
    for integration in template.properties("ApiGatewayV2::Integration"):
        assert integration.get("TimeoutInMillis", INTEGRATION_SECONDS * 1000) == INTEGRATION_SECONDS * 1000
    for name in FUNCTIONS:
        assert template.functions[name]["Timeout"] < INTEGRATION_SECONDS
    assert template.functions[AUTHORIZER]["Timeout"] < AUTHORIZER_SECONDS


def test_a_line_of_the_access_log_is_not_too_long_to_be_set(template: Template) -> None:
    settings = template.only("ApiGatewayV2::Stage")["AccessLogSettings"]
    assert len(settings["Format"].encode()) <= ACCESS_LOG_BYTES


def test_no_route_may_be_called_more_often_than_all_apis_of_an_account(template: Template) -> None:
    stage = template.only("ApiGatewayV2::Stage")
    for limits in (stage["DefaultRouteSettings"], *stage["RouteSettings"].values()):
        assert 0 < limits["ThrottlingRateLimit"] <= RATE
        assert limits["ThrottlingRateLimit"] <= limits["ThrottlingBurstLimit"] <= BURST


def test_pages_of_other_sites_may_not_call_the_api(template: Template) -> None:
    """The console comes from the API itself, and a key belongs into no page of a shop."""
    assert "CorsConfiguration" not in template.only("ApiGatewayV2::Api")
    assert not any(key.startswith(("OPTIONS ", "ANY ")) for key in ROUTES)


@pytest.mark.parametrize("key", ROUTES)
def test_a_route_is_named_as_the_gateway_names_routes(key: str) -> None:
    """A path whose last part takes everything below it is the only one that may."""
    assert re.fullmatch(r"(DELETE|GET|HEAD|PATCH|POST|PUT) (/[\w.-]+|/\{\w+\})+(/\{\w+\+\})?", key)
    names = re.findall(r"\{(\w+)", key)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("key", ROUTES)
def test_the_longest_request_of_the_contract_passes(key: str) -> None:
    """With every parameter at its longest, in letters that need no escapes."""
    route = ROUTES[key]
    assert len(head(route)) + OTHER_HEADERS <= HEAD_BYTES


def head(route: Route) -> str:
    """The request line and the values of the headers that the contract names, as long as they may be."""
    path = re.sub(r"\{\w+\+?\}", "x" * LONGEST_PART, route.path)
    query = QUERIES[route.query] if route.query else {}
    asked = "&".join(f"{name}={longest(parameter)}" for name, parameter in query.items())
    values = [f"{route.method} {path}?{asked} HTTP/1.1", "x" * LONGEST_PART, "application/json"]
    if not route.open:
        values.append(f"Bearer {'x' * api_keys._LONGEST}")
    if route.idempotent:
        values += ["x" * LONGEST_KEY, "application/merge-patch+json"]
    return "".join(values)


def longest(parameter: Parameter) -> str:
    """The longest value that a parameter takes."""
    schema: Any = parameter.schema
    if "enum" in schema:
        return max(map(str, schema["enum"]), key=len)
    if "anyOf" in schema or "format" in schema:
        return "2026-11-27T12:00:00.000000%2B00:00"
    if schema["type"] == "integer":
        return str(schema["maximum"])
    return "x" * int(schema["maxLength"])


@pytest.mark.parametrize("key", [key for key, route in ROUTES.items() if route.body or route.media])
def test_a_body_that_the_contract_takes_reaches_its_function(key: str) -> None:
    """Also in base64, in which the gateway puts what is no text. Who sends more hears it from us."""
    most = ROUTES[key].max_bytes
    assert most < BODY_BYTES
    assert 4 * most / 3 + 2 * HEAD_BYTES < EVENT_BYTES


@pytest.mark.parametrize("body", [order_body, *BODIES.values()])
def test_a_full_batch_reaches_its_function_although_its_quotes_are_escaped(body: Callable[[], Body]) -> None:
    entry = json.dumps(body(), separators=(",", ":"))
    entries = MAX_BATCH_BYTES // (len(entry) + 1)
    escaped = json.dumps(entry)
    assert entries * (len(escaped) - 1) + 2 * HEAD_BYTES < EVENT_BYTES


def test_what_the_gateway_answers_by_itself_is_in_the_contract() -> None:
    """Too many calls for every route, no key where one is needed, and too large a body where one is taken."""
    described = document()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            route = ROUTES[f"{method.upper()} {path}"]
            statuses = {429: True, 401: not route.open, 413: bool(route.body or route.media)}
            for status in (status for status, is_given in statuses.items() if is_given):
                answer = operation["responses"][str(status)]
                if "$ref" in answer:
                    answer = described["components"]["responses"][answer["$ref"].rpartition("/")[2]]
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/GatewayAnswer"}, route.key

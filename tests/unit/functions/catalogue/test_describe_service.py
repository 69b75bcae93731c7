"""What the service says of itself."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from functions.describe_service import handler
from parcelgate.carriers import registry
from parcelgate.domain.problems import CODES
from parcelgate.http.openapi import document, main
from parcelgate.http.pages import explanations
from parcelgate.runtime import runtime
from parcelgate.services.operator.health import REMEMBERED, CarrierHealth
from parcelgate.store.table import Table
from tests.support.api import DOMAIN, ROUTES, TENANT, Backend, call
from tests.support.clock import FakeClock
from tests.support.faults import Fault, Faults, aws_error, unavailable
from tests.support.table import TABLE_NAME


@pytest.fixture(autouse=True)
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The bundle's own copy of the document."""
    main([str(tmp_path / "openapi.json")])
    monkeypatch.setattr(handler, "files", lambda _: tmp_path)
    handler.description.cache_clear()
    yield
    handler.description.cache_clear()


def test_it_lives_and_says_which_carriers_are_down(backend: Backend) -> None:
    clock = FakeClock()
    runtime.use(carrier_health=CarrierHealth(backend.table, clock=clock))
    everybody = dict.fromkeys(registry.trackers(), "up")

    reply = call("GET /v1/health", tenant=None)
    assert (reply.status, reply.json()["status"], reply.json()["carriers"]) == (200, "ok", everybody)

    backend.tenant().limits("lme", "north").show_down(clock.now + timedelta(minutes=1))
    clock.sleep(REMEMBERED.total_seconds() - 1)
    assert call("GET /v1/health", tenant=None).json()["carriers"] == everybody, "it is remembered for a while"
    clock.sleep(1)
    reply = call("GET /v1/health", tenant=None)
    assert reply.json()["carriers"] == everybody | {"lme": "down"}
    assert "north" not in reply.text
    assert TENANT not in reply.text


@pytest.mark.parametrize("trouble", [unavailable(), aws_error("AccessDeniedException")])
def test_it_lives_while_the_store_does_not(backend: Backend, trouble: Fault) -> None:
    faults = Faults().on("query", trouble, times=9)
    table = Table(faults.wrap(backend.dynamodb, "dynamodb"), TABLE_NAME)
    runtime.use(carrier_health=CarrierHealth(table, clock=FakeClock()))

    reply = call("GET /v1/health", tenant=None)

    assert (reply.status, reply.json()["status"]) == (200, "ok")
    assert set(reply.json()["carriers"].values()) == {"unknown"}


def test_the_description_is_valid_openapi_and_names_its_own_address() -> None:
    reply = call("GET /v1/openapi.json", tenant=None)

    described = reply.json()
    validate(described)
    assert described["openapi"].startswith("3.1")
    assert described["servers"] == [{"url": f"https://{DOMAIN}"}]


def test_the_description_has_every_route_and_no_other() -> None:
    described = {
        f"{method.upper()} {path}" for path, methods in document()["paths"].items() for method in methods
    }

    assert described == set(ROUTES)


def test_a_problem_s_page_loads_nothing() -> None:
    reply = call("GET /problems/{code}", code="not_found", tenant=None)

    assert reply.headers["content-type"].startswith("text/html")
    assert not re.search(r"\ssrc=|<link|<script|url\(", reply.text)
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_problem_is_explained(code: str) -> None:
    reply = call("GET /problems/{code}", code=code, tenant=None)

    assert reply.status == 200
    assert code in reply.text
    assert len(explanations()[code]) > 20


@pytest.mark.parametrize("code", ["nothing", "<script>alert(1)</script>", ".."])
def test_a_problem_that_there_is_not_is_not_found(code: str) -> None:
    reply = call("GET /problems/{code}", code=code, tenant=None)

    assert (reply.status, reply.code) == (404, "not_found")
    assert "<script>" not in reply.text


def test_the_carriers_are_listed_with_how_sure_we_are_of_each_call() -> None:
    (lso, *_) = call("GET /v1/carriers", scopes="trackings:read").json()["data"]

    assert lso["code"] == "lso"
    assert lso["grades"]["create"] == "documented"


def test_who_only_follows_parcels_is_listed_too_and_sells_no_services() -> None:
    listed = call("GET /v1/carriers").json()["data"]

    assert [one["code"] for one in listed] == list(registry.trackers())
    for code in registry.AGGREGATORS:
        reply = call("GET /v1/carriers/{carrier}/services", carrier=code)
        assert (reply.status, reply.code) == (422, "not_supported_by_carrier")


def test_a_carrier_s_services_are_listed() -> None:
    services = call("GET /v1/carriers/{carrier}/services", carrier="lso").json()["data"]

    assert [service["code"] for service in services] == ["GroundBasic"]


def test_carriers_are_shown_to_those_with_a_key_and_unknown_ones_are_not_found() -> None:
    assert call("GET /v1/carriers", tenant=None).code == "invalid_key"
    assert call("GET /v1/carriers/{carrier}/services", carrier="lso", tenant=None).code == "invalid_key"
    assert call("GET /v1/carriers/{carrier}/services", carrier="pigeon").code == "not_found"


def test_an_unknown_route_is_not_found() -> None:
    from tests.support.api import Context, api_event

    event = api_event("GET /v1/health") | {"routeKey": "$default"}

    assert handler.handler(event, Context())["statusCode"] == 404

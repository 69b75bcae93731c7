"""A tenant's settings: read, replaced as a whole, and checked field by field."""

from typing import Any

import pytest

from tests.support.api import Backend, Reply, call

EMPTY: dict[str, Any] = {
    "brand": {
        "name": None,
        "logo_url": None,
        "colour": None,
        "support_url": None,
        "support_email": None,
    },
    "tracking_page": {"enabled": True},
}
WHOLE: dict[str, Any] = {
    "brand": {
        "name": "Byrd Tools",
        "logo_url": "https://shop.example/logo.svg?v=2",
        "colour": "#1a7f5a",
        "support_url": "https://shop.example:8443/help",
        "support_email": "help@shop.example",
    },
    "tracking_page": {"enabled": False},
}


def put(body: object, **more: Any) -> Reply:
    return call("PUT /v1/settings", body=body, **more)


def test_without_any_there_is_a_page_and_no_brand(backend: Backend) -> None:
    reply = call("GET /v1/settings")
    assert (reply.status, reply.json()) == (200, EMPTY)


def test_they_are_replaced_as_a_whole(backend: Backend) -> None:
    assert (put(WHOLE).status, put(WHOLE).json()) == (200, WHOLE)
    assert call("GET /v1/settings").json() == WHOLE
    assert call("GET /v1/settings", tenant="other").json() == EMPTY

    assert put({"brand": {"name": " Byrd\nTools ", "colour": "#1A7F5A", "logo_url": ""}}).status == 200

    brand = EMPTY["brand"] | {"name": "Byrd Tools", "colour": "#1a7f5a"}
    assert call("GET /v1/settings").json() == EMPTY | {"brand": brand}
    assert put({}).json() == put({"brand": None, "tracking_page": {}}).json() == EMPTY


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "x" * 101, "too_long"),
        ("name", 7, "type"),
        ("name", "Byrd\ufffd", "characters"),
        ("colour", "red", "format"),
        ("colour", "#1a7f5", "format"),
        ("colour", "#1a7f5a;}", "format"),
        ("logo_url", "http://shop.example/logo.svg", "format"),
        ("logo_url", "//shop.example/logo.svg", "format"),
        ("logo_url", "javascript:alert(1)", "format"),
        ("logo_url", "https://", "format"),
        ("logo_url", "https://shop.example:x/", "format"),
        ("logo_url", "https://shop.example:0/", "format"),
        ("logo_url", "https://user:secret@shop.example/", "format"),
        ("logo_url", 'https://shop.example/"onload="', "format"),
        ("logo_url", "https://shop.example/a b", "format"),
        ("logo_url", "https://shop.example/" + "a" * 2048, "too_long"),
        ("logo_url", True, "type"),
        ("support_url", "mailto:help@shop.example", "format"),
        ("support_url", "https://[::1", "format"),
        ("support_email", "help", "format"),
        ("support_email", "help@shop", "format"),
        ("support_email", "help@shop.example?subject=x", "format"),
        ("support_email", "a@b@shop.example", "format"),
        ("support_email", "a" * 65 + "@shop.example", "format"),
        ("support_email", "help@" + "shop." * 60 + "example", "too_long"),
        ("slogan", "x", "unknown_field"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    field: str, value: object, code: str, backend: Backend
) -> None:
    put(WHOLE)
    reply = put({"brand": {"name": "Other", field: value}})
    assert (reply.status, reply.errors) == (422, {f"/brand/{field}": code})
    assert call("GET /v1/settings").json() == WHOLE


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"tracking_page": {"enabled": "yes"}}, 422),
        ({"tracking_page": {"enable": True}}, 422),
        ({"colour": "#1a7f5a"}, 422),
        ({"brand": "Byrd"}, 422),
        ([], 422),
        ("{", 400),
        ("x" * (256 * 1024 + 1), 413),
    ],
)
def test_a_bad_body_is_refused(body: object, status: int, backend: Backend) -> None:
    assert put(body).status == status
    assert call("GET /v1/settings").json() == EMPTY


def test_it_takes_its_own_scope() -> None:
    for key in ("GET /v1/settings", "PUT /v1/settings"):
        assert call(key, body=None if key[0] == "G" else {}, scopes="operator").code == "missing_scope"

"""Bad input over real HTTP: a clear problem with pointers, and nothing half made."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from local.stack.stack import Stack
from parcelgate.services.accounts import api_keys
from tests.stack.revoked import LastAnswer
from tests.stack.shop import Body, Shop, order_body

LIMIT = 256 * 1024
JSON = {"content-type": "application/json"}


def post(shop: Shop, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return shop.http.post("/v1/orders", content=content, headers=JSON | headers)


def changed(reference: str, change: Callable[[Body], object]) -> Body:
    body = order_body(reference)
    change(body)
    return body


def pointers(answer: httpx.Response) -> set[str]:
    return {error["pointer"] for error in answer.json()["errors"]}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda body: body.update(colour="red"), "/colour"),
        (lambda body: body["ship_to"].update(planet="Mars"), "/ship_to/planet"),
        (lambda body: body.update(parcels="two"), "/parcels"),
        (lambda body: body["ship_to"].update(name=7), "/ship_to/name"),
        (lambda body: body.update(parcels=[]), "/parcels"),
        (lambda body: body["parcels"][0]["weight"].update(value="-1"), "/parcels/0/weight/value"),
        (lambda body: body["parcels"][0]["weight"].update(value="1e30"), "/parcels/0/weight/value"),
        (lambda body: body["parcels"][0]["weight"].update(unit="stone"), "/parcels/0/weight/unit"),
        (lambda body: body["parcels"][0].pop("dimensions"), "/parcels/0/dimensions"),
        (lambda body: body["ship_to"].update(country="MX"), "/ship_to/country"),
        (lambda body: body["ship_to"].update(state="Bavaria"), "/ship_to/state"),
        (lambda body: body["ship_to"].pop("phone"), "/ship_to/phone"),
        (lambda body: body.update(carrier="pigeon"), "/carrier"),
        (lambda body: body.update(service="Overnight"), "/service"),
        (lambda body: body.update(account="nobody"), "/account"),
        (lambda body: body.update(reference="x" * 81), "/reference"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_made(
    change: Callable[[Body], object], pointer: str, shop: Shop, request: pytest.FixtureRequest
) -> None:
    body = changed(f"bad-{abs(hash(request.node.name)) % 10**9}", change)

    answer = post(shop, body)

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in pointers(answer)
    found = shop.http.get("/v1/orders", params={"reference": body["reference"][:80]}).json()
    assert found["data"] == []


def test_all_mistakes_are_told_at_once(shop: Shop) -> None:
    body = order_body("bad-many", service="Overnight")
    body["ship_to"].pop("name")
    body["parcels"][0]["weight"]["value"] = "0"

    assert {"/ship_to/name", "/parcels/0/weight/value"} <= pointers(post(shop, body))


def test_no_body_counts_as_an_empty_object(shop: Shop) -> None:
    answer = shop.http.post("/v1/orders")

    assert answer.status_code == 422
    assert {"/carrier", "/reference", "/ship_to", "/parcels"} <= pointers(answer)


@pytest.mark.parametrize("body", [b"{", b"[1,", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_not_json_is_refused_as_such(body: bytes, shop: Shop) -> None:
    answer = post(shop, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "not_json")


def test_a_list_is_not_an_order(shop: Shop) -> None:
    assert post(shop, []).status_code == 422


def test_one_byte_over_the_limit_is_too_large(shop: Shop) -> None:
    body = json.dumps(order_body("bad-large", metadata={"note": ""})).encode()
    fits = body.replace(b'"note": ""', b'"note": "' + b"x" * (LIMIT - len(body)) + b'"')
    over = fits.replace(b'"note": "', b'"note": "x')
    assert (len(fits), len(over)) == (LIMIT, LIMIT + 1)

    answer = post(shop, over)

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert post(shop, fits).json().get("code") != "body_too_large"


def test_another_content_type_is_refused(shop: Shop) -> None:
    answer = post(shop, order_body("bad-type"), **{"content-type": "application/xml"})

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "query", ["cursor=bm9ib2R5", "limit=0", "limit=101", "status=lost", "created_after=x"]
)
def test_a_bad_filter_or_cursor_is_refused(query: str, shop: Shop) -> None:
    answer = shop.http.get(f"/v1/orders?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


def test_an_idempotency_key_with_another_body_is_refused_and_with_the_same_replayed(shop: Shop) -> None:
    body = order_body("stack-idempotent")
    first = post(shop, body, **{"idempotency-key": "stack-1"})
    again = post(shop, dict(reversed(body.items())), **{"idempotency-key": "stack-1"})
    other = post(shop, body | {"reference": "else"}, **{"idempotency-key": "stack-1"})

    assert first.status_code == 202
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_nobody_reads_another_tenant_s_order(shop: Shop, stack: Stack, make_key: Callable[..., str]) -> None:
    order = shop.post("stack-mine")
    stranger = Shop(stack, make_key("stranger", sorted(api_keys.SCOPES)))

    for path in ("", "/events", "/label", "/tracking"):
        answer = stranger.http.get(f"/v1/orders/{order['id']}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert stranger.http.post(f"/v1/orders/{order['id']}/cancel").status_code == 404
    assert stranger.http.get("/v1/orders").json()["data"] == []


def test_a_key_that_may_read_may_not_write_in_the_same_breath(
    stack: Stack, make_key: Callable[..., str]
) -> None:
    reader = Shop(stack, make_key("demo", ["orders:read"]))

    assert reader.http.get("/v1/orders").status_code == 200
    answer = post(reader, order_body("stack-no-scope"))

    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


@pytest.mark.parametrize("key", ["pg_nobody_nothing", "pg_", "Bearer", "x" * 500])
def test_an_unknown_key_is_refused_with_a_problem(key: str, stack: Stack) -> None:
    answer = Shop(stack, key).http.get("/v1/orders")

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_key")


def test_no_key_at_all_is_refused_by_the_gateway(stack: Stack) -> None:
    assert httpx.get(f"{stack.api_url}/v1/orders", timeout=60).status_code == 401


@pytest.mark.parametrize("order_id", ["ord_01JD", "..", "%00", "ord_" + "x" * 600])
def test_an_id_that_names_nothing_is_not_found(order_id: str, shop: Shop) -> None:
    assert shop.http.get(f"/v1/orders/{order_id}").status_code == 404


def test_a_revoked_key_stops_working_within_a_minute(with_a_revoked_key: LastAnswer) -> None:
    refused = with_a_revoked_key()
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_key")

"""Over real HTTP: what the service says of itself, and what an order would cost."""

import httpx
from openapi_spec_validator import validate

from local.stack.stack import Stack
from tests.stack.shop import Shop, bought, order_body


def test_what_is_open_needs_no_key(stack: Stack) -> None:
    for path, kind in (
        ("/v1/health", "application/json"),
        ("/v1/openapi.json", "application/json"),
        ("/docs", "text/html; charset=utf-8"),
        ("/problems/validation_failed", "text/html; charset=utf-8"),
    ):
        answer = httpx.get(stack.api_url + path, timeout=60)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind), path


def test_the_description_that_was_bundled_is_valid(shop: Shop) -> None:
    described = shop.http.get("/v1/openapi.json").json()

    validate(described)
    assert "/v1/orders/{id}/cancel" in described["paths"]


def test_a_recipient_follows_an_order_by_its_link_without_a_key(shop: Shop) -> None:
    order = bought(shop, "ubi", boxes=2)
    link = order["links"]["tracking_page"]
    (first, _) = shop.parcels(order["id"])

    page = httpx.get(link, headers={"Accept-Language": "de"}, timeout=60)
    data = httpx.get(first["tracking_page"], headers={"Accept": "application/json"}, timeout=60)
    head = httpx.head(link, timeout=60)
    wrong = httpx.get(f"{link[:-2]}AA", timeout=60)

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Paket 2 von 2" in page.text
    (shown,) = data.raise_for_status().json()["parcels"]
    assert shown["tracking_number"] == first["tracking_number"]
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["x-robots-tag"] == "noindex, nofollow"
    assert wrong.status_code == 404
    for person in (order["ship_to"], order["ship_from"]):
        for name in ("name", "line1", "phone"):
            assert person[name] not in page.text + data.text


def test_the_carriers_are_shown_to_those_with_a_key(shop: Shop, stack: Stack) -> None:
    assert "lso" in {carrier["code"] for carrier in shop.http.get("/v1/carriers").json()["data"]}
    assert shop.http.get("/v1/carriers/lso/services").json()["data"]
    assert shop.http.get("/v1/carriers/pigeon/services").status_code == 404
    assert httpx.get(f"{stack.api_url}/v1/carriers", timeout=60).status_code == 401


def test_a_price_is_previewed_and_nothing_is_bought(shop: Shop) -> None:
    body = order_body("stack-rates")
    key = {"Idempotency-Key": "rates-1"}

    first, again = (shop.http.post("/v1/rates", json=body, headers=key) for _ in range(2))

    assert first.status_code == 200, first.text
    (rate,) = first.json()["rates"]
    assert (rate["carrier"], rate["service"], rate["price"]["currency"]) == ("lso", "GroundBasic", "USD")
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert shop.booked("stack-rates") == []
    assert shop.http.get("/v1/orders", params={"reference": "stack-rates"}).json()["data"] == []


def test_a_refused_price_leaves_its_key_free(shop: Shop) -> None:
    key = {"Idempotency-Key": "rates-2"}
    wrong = shop.http.post("/v1/rates", json=order_body("stack-rates-2", service="Overnight"), headers=key)

    assert wrong.status_code == 422
    assert shop.http.post("/v1/rates", json=order_body("stack-rates-2"), headers=key).status_code == 200


def test_a_price_list_of_ones_own_stands_beside_the_carriers_prices(shop: Shop) -> None:
    path = "/v1/carrier-accounts/lme/default/rate-card"
    csv = {"Content-Type": "text/csv"}
    table = "\ufeffService;Country;Weight up to (kg);Price;Currency\n*;US;5;3.40;USD\n".encode()

    put = shop.http.put(path, content=table, headers=csv)
    wrong = shop.http.put(path, content=table + b"*;XX;no;1;USD\n", headers=csv)
    body = order_body("stack-side-by-side")
    del body["carrier"], body["service"]
    compared = shop.http.post("/v1/rates", json=body)

    assert put.status_code == 200, put.text
    assert {error["pointer"] for error in wrong.json()["errors"]} == {
        "/lines/3/destination_country",
        "/lines/3/weight_up_to",
    }
    assert compared.status_code == 200, compared.text
    sources = {each["carrier"]: each["source"] for each in compared.json()["rates"]}
    assert sources == {"lme": "rate_card", "lso": "carrier"}
    assert {each["carrier"] for each in compared.json()["skipped"]} == {"ubi"}
    assert shop.http.get(path).json() == put.json()
    assert shop.http.delete(path).status_code == 204
    assert shop.http.get(path).status_code == 404
    assert shop.booked("stack-side-by-side") == []

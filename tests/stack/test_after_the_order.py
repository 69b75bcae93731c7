"""On the running stack: labels come by themselves, and orders are changed, held, closed and taken back."""

import io

import httpx
import pytest
from pypdf import PdfReader

from tests.stack.shop import RECEIVER, Body, Shop, bought, in_time, until


def labelled(shop: Shop, order: Body) -> Body:
    """The order once its label has come, which nobody asked for."""
    return until(lambda: shop.get(order["id"]), lambda order: bool(order["label"]["status"] == "ready"))


def text_of_label(shop: Shop, order: Body) -> list[str]:
    label = shop.http.get(f"/v1/orders/{order['id']}/label").json()
    pages = PdfReader(io.BytesIO(httpx.get(label["url"], trust_env=False).content)).pages
    return [page.extract_text() for page in pages]


@pytest.mark.parametrize(("carrier", "boxes"), [("ubi", 2), ("lme", 1)])
def test_a_label_comes_by_itself_and_follows_a_change(shop: Shop, carrier: str, boxes: int) -> None:
    patch = {"ship_to": {"city": "Dandenong"}, "metadata": {"why": "moved"}}

    def change(order: Body) -> httpx.Response:
        assert len(text_of_label(shop, labelled(shop, order))) == boxes
        return shop.http.patch(f"/v1/orders/{order['id']}", json=patch)

    order, changed = in_time(shop, carrier, change, boxes)

    assert changed.status_code == 200, changed.text
    assert changed.json()["metadata"] == {"why": "moved"}
    after = labelled(shop, changed.json())
    assert after["tracking_numbers"] == order["tracking_numbers"]
    assert all("Dandenong" in text for text in text_of_label(shop, after))


def test_orders_are_held_and_closed_and_stay_as_they_are_then(shop: Shop) -> None:
    order, held = in_time(shop, "ubi", lambda order: shop.http.post(f"/v1/orders/{order['id']}/hold"))
    first = order["id"]
    assert (held.status_code, bool(held.json().get("held_at"))) == (200, True), held.text

    ids = [first, bought(shop, "ubi")["id"]]
    closed = shop.http.post("/v1/manifests", json={"carrier": "ubi", "order_ids": ids})

    assert closed.status_code == 201, closed.text
    assert [entry["status"] for entry in closed.json()["orders"]] == ["closed", "closed"]
    manifest = shop.http.get(f"/v1/manifests/{closed.json()['id']}")
    assert (manifest.status_code, manifest.json()) == (200, closed.json())
    change = shop.http.patch(f"/v1/orders/{first}", json={"ship_to": {"city": "Dandenong"}})
    assert (change.status_code, change.json()["code"]) == (409, "cannot_change")
    cancel = shop.http.post(f"/v1/orders/{first}/cancel")
    assert (cancel.status_code, cancel.json()["code"]) == (409, "cannot_cancel")


@pytest.mark.parametrize("carrier", ["ubi", "lme"])
def test_orders_are_taken_back(shop: Shop, carrier: str) -> None:
    _, cancelled = in_time(shop, carrier, lambda order: shop.http.post(f"/v1/orders/{order['id']}/cancel"))
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")


def test_addresses_and_services_are_asked_of_the_carrier_that_knows(shop: Shop) -> None:
    check = shop.http.post("/v1/addresses/validate", json={"carrier": "lme", "address": RECEIVER})
    assert (check.status_code, check.json()["checked_by"]) == (200, "carrier"), check.text
    services = shop.http.get("/v1/carriers/ubi/services").json()
    assert services["source"] == "carrier"
    assert len(services["data"]) > 2

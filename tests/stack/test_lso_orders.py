"""LSO orders through the whole stack: every way the carrier can behave, and how the order ends."""

from decimal import Decimal
from io import BytesIO

import httpx
import pytest
from pypdf import PdfReader

from tests.stack.cases import CASES, Case, Orders
from tests.stack.shop import Shop


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reference)
def test_every_order_ends_as_promised(case: Case, orders: Orders, shop: Shop) -> None:
    order = orders(case.reference)

    assert order["status"] == case.status, order
    assert (order["problem"] or {}).get("code") == case.problem
    booked = shop.booked(case.reference)
    assert len(booked) == case.commits
    for entry in booked:
        assert Decimal(entry["held"]) == 0, "money is left held"
        if case.status == "confirmed":
            assert [parcel["tracking_number"] for parcel in entry["parcels"]] == order["tracking_numbers"]
            assert Decimal(entry["charged"]) == Decimal(order["price"]["amount"])
    if case.label:
        assert order["label"]["status"] == case.label


@pytest.mark.parametrize("reference", ["stack-one-box", "stack-three-boxes"])
def test_a_label_is_one_document_with_a_page_for_each_box(reference: str, orders: Orders, shop: Shop) -> None:
    order = orders(reference)

    label = shop.http.get(f"/v1/orders/{order['id']}/label").raise_for_status().json()

    assert label["status"] == "ready"
    assert [parcel["tracking_number"] for parcel in label["parcels"]] == order["tracking_numbers"]
    whole = PdfReader(BytesIO(httpx.get(label["url"]).raise_for_status().content))
    assert len(whole.pages) == len(order["parcels"])
    for page, number in zip(whole.pages, order["tracking_numbers"], strict=True):
        assert number in page.extract_text()


def test_a_client_that_wants_the_document_is_sent_to_it(orders: Orders, shop: Shop) -> None:
    path = f"/v1/orders/{orders('stack-one-box')['id']}/label"

    redirect = shop.http.get(path, headers={"Accept": "application/pdf"})
    refused = shop.http.get(path, headers={"Accept": "image/jpeg"})

    assert redirect.status_code == 302
    assert httpx.get(redirect.headers["location"]).content.startswith(b"%PDF-")
    assert refused.status_code == 406
    assert refused.json()["code"] == "not_acceptable"


def test_the_audit_trail_tells_the_order_s_story(orders: Orders, shop: Shop) -> None:
    trail = shop.events(orders("stack-one-box")["id"])

    assert [event["to"] for event in trail if event["to"]] == ["accepted", "processing", "confirmed"]
    assert [event["at"] for event in trail] == sorted(event["at"] for event in trail)


def test_a_confirmed_order_lists_a_tracking_for_each_parcel(orders: Orders, shop: Shop) -> None:
    order = orders("stack-three-boxes")

    answer = shop.http.get(f"/v1/orders/{order['id']}/tracking").raise_for_status().json()

    assert [item["tracking_number"] for item in answer["data"]] == order["tracking_numbers"]


def test_a_confirmed_order_is_cancelled_and_its_money_comes_back(shop: Shop) -> None:
    order = shop.settled(shop.post("stack-cancel")["id"])

    first = shop.http.post(f"/v1/orders/{order['id']}/cancel")
    second = shop.http.post(f"/v1/orders/{order['id']}/cancel")

    assert first.status_code == 200, first.text
    assert first.json()["status"] == "cancelled"
    assert first.json()["refund"]["status"] in {"requested", "confirmed"}
    assert second.status_code == 200
    (entry,) = shop.booked("stack-cancel")
    assert entry["returned"] == entry["price"]
    again = shop.post("stack-cancel")
    assert again["id"] != order["id"], "a cancelled order frees its reference"


def test_a_label_that_never_comes_leaves_the_order_alone_and_asks_for_a_person(
    orders: Orders, shop: Shop
) -> None:
    order = orders("stack-SBX-BADLABEL")

    answer = shop.http.get(f"/v1/orders/{order['id']}/label")

    assert order["attention"]["code"] == "label_unavailable"
    assert (answer.status_code, answer.json()["code"]) == (404, "label_unavailable")

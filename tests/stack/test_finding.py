"""On the running stack: orders and parcels are found by what a customer reads out; couriers have names."""

import httpx
import pytest

from tests.stack.shop import Body, Shop, bought, until


def ids(shop: Shop, path: str, **filters: str) -> list[str]:
    answer = shop.http.get(path, params=filters)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["data"]]


def test_an_order_is_found_by_its_numbers_however_they_are_written(shop: Shop) -> None:
    order: Body = bought(shop, "ubi")
    number = order["parcels"][0]["tracking_number"]

    for filters in (
        {"tracking_number": number},
        {"tracking_number": f" {number[:4].lower()} {number[4:].lower()} "},
        {"carrier_order_number": order["carrier_order_number"]},
    ):
        until(lambda given=filters: ids(shop, "/v1/orders", **given), lambda found: found == [order["id"]])
    newest = until(
        lambda: ids(shop, "/v1/orders", carrier="ubi", account="default", limit="100"),
        lambda found: order["id"] in found,
    )
    assert len(newest) == len(set(newest))
    (parcel,) = until(lambda: ids(shop, "/v1/trackings", order_id=order["id"]), lambda found: len(found) == 1)
    until(lambda: ids(shop, "/v1/trackings", tracking_number=number), lambda found: found == [parcel])


@pytest.mark.parametrize("name", ["tracking_number", "carrier_order_number", "account"])
def test_what_nobody_has_is_an_empty_list_and_too_much_is_refused(shop: Shop, name: str) -> None:
    assert ids(shop, "/v1/orders", **{name: "NOBODY-HAS-THIS"}) == []
    assert shop.http.get("/v1/orders", params={name: "9" * 5000}).status_code == 422
    ids(shop, "/v1/orders", **{name: ""})


def test_couriers_that_cannot_be_had_are_no_fault_of_the_client_s(shop: Shop) -> None:
    shop.faults({"carrier": "trackingmore", "call": "carriers", "kind": "html_502", "times": 5})
    try:
        # Each language is kept for itself, and nobody else asks for this one.
        answer = shop.http.get("/v1/couriers", params={"lang": "it"})
    finally:
        httpx.delete(f"{shop.stack.sandbox_url}/_sandbox/faults", timeout=30).raise_for_status()
    assert (answer.status_code, answer.json()["code"]) == (503, "carrier_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    until(lambda: shop.http.get("/v1/couriers", params={"lang": "it"}).status_code, lambda code: code == 200)


def test_couriers_have_names(shop: Shop) -> None:
    couriers = until(lambda: shop.http.get("/v1/couriers").json().get("data", []), lambda found: bool(found))
    assert all(each["code"] and each["name"] for each in couriers)

"""A merchant's endpoint on the running stack: it hears of an order, signed, as the API shows it."""

from typing import Any

import httpx

from local.demo.merchant import Merchant, open_shop
from tests.stack.shop import Shop, buy, endpoint, until


def deliveries(shop: Shop, endpoint_id: str) -> list[Any]:
    """All deliveries of an endpoint, page by page: other tests' orders fill it too."""
    found: list[Any] = []
    path = f"/v1/webhook-endpoints/{endpoint_id}/deliveries"
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = shop.http.get(path, params=query).raise_for_status().json()
        found += page["data"]
        if (query := query | {"cursor": page["next_cursor"]})["cursor"] is None:
            return found


def heard(merchant: Merchant, order_id: str) -> set[str]:
    return {event["type"] for event in merchant.events if event["data"]["id"] == order_id}


def test_an_order_is_heard_of_signed_and_as_the_log_has_it(shop: Shop) -> None:
    with open_shop() as merchant:
        made = endpoint(shop, merchant, "order.confirmed", "label.ready", "ping")
        order = buy(shop, "ubi")
        until(lambda: heard(merchant, order["id"]), lambda types: len(types) == 2)
        shop.http.post(f"/v1/webhook-endpoints/{made['id']}/test").raise_for_status()
        until(lambda: [event["type"] for event in merchant.events], lambda types: "ping" in types)

        told = list(merchant.events)
        for event in told:
            assert shop.http.get(f"/v1/events/{event['id']}").json() == event
        assert merchant.refused == 0

        known = {event["id"] for event in told}
        own = until(
            lambda: [each for each in deliveries(shop, made["id"]) if each["event_id"] in known],
            # A delivery is stored with its first attempt, a moment after the merchant has it.
            lambda found: {each["event_id"] for each in found if each["state"] == "delivered"} == known,
        )
        for delivery in own:
            taken = [attempt for attempt in delivery["attempts"] if attempt["status"] == 204]
            assert 1 <= len(taken) <= merchant.ids[delivery["event_id"]], delivery
        assert shop.http.delete(f"/v1/webhook-endpoints/{made['id']}").status_code == 204


def test_a_server_that_is_not_there_is_tried_again_and_its_failure_is_said_in_words(shop: Shop) -> None:
    body = {"url": "http://127.0.0.1:9/nobody", "events": ["ping"]}
    made = shop.http.post("/v1/webhook-endpoints", json=body).raise_for_status().json()
    delivery = shop.http.post(f"/v1/webhook-endpoints/{made['id']}/test").raise_for_status().json()

    def attempts() -> list[Any]:
        path = f"/v1/webhook-endpoints/{made['id']}/deliveries"
        (shown,) = [each for each in shop.http.get(path).json()["data"] if each["id"] == delivery["id"]] or [
            {"attempts": []}
        ]
        found: list[Any] = shown["attempts"]
        return found

    tried = until(attempts, lambda found: len(found) >= 2)
    assert {each["error"] for each in tried} == {"The endpoint takes no connection."}
    assert shop.http.delete(f"/v1/webhook-endpoints/{made['id']}").status_code == 204


def test_an_address_without_tls_is_taken_here_because_this_is_the_local_environment(shop: Shop) -> None:
    refused: httpx.Response = shop.http.post("/v1/webhook-endpoints", json={"url": "ftp://127.0.0.1/"})
    assert refused.status_code == 422

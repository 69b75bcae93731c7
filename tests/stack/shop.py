"""A merchant's side of the stack: what the tests post, and how they wait."""

import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any
from uuid import uuid4

import httpx

from local.demo.merchant import Merchant
from local.stack.stack import Stack

Body = dict[str, Any]

POLL = 0.3
SELDOM = 1.0
PATIENCE = 300.0
"""Seconds that anything may take: a busy machine is no failure."""
_TOO_LATE = {"cannot_change", "cannot_cancel"}

BOX: Body = {
    "weight": {"value": "1.25", "unit": "kg"},
    "dimensions": {"length": "30", "width": "20", "height": "10", "unit": "cm"},
}
ORDER: Body = {
    "carrier": "lso",
    "service": "GroundBasic",
    "ship_to": {
        "name": "Corrie McKee",
        "company": "Lone Star Books",
        "line1": "500 E Cesar Chavez St",
        "city": "Austin",
        "state": "TX",
        "postcode": "78701",
        "country": "US",
        "phone": "5125550100",
    },
    "parcels": [BOX],
}
RECEIVER: Body = {
    "name": "Corrie McKee",
    "line1": "3 Lakeside Drive",
    "city": "Berwick",
    "state": "VIC",
    "postcode": "3806",
    "country": "AU",
    "phone": "0403536112",
}
SENDER: Body = {
    "name": "Jiang Yuanfei",
    "line1": "Sanshui Park",
    "city": "Foshan",
    "state": "Guangdong",
    "postcode": "528100",
    "country": "CN",
    "phone": "02586707811",
}
ITEM: Body = {
    "description": "Cotton dress",
    "quantity": 2,
    "unit_value": {"amount": "10.00", "currency": "AUD"},
    "origin_country": "CN",
}


def order_body(reference: str, *, boxes: int = 1, **changes: Any) -> Body:
    """A good LSO order under `reference`, with `changes` to its top level."""
    return {**deepcopy(ORDER), "reference": reference, "parcels": [deepcopy(BOX)] * boxes, **changes}


class Shop:
    """An API client with one key, and the eye of the sandbox's witness."""

    def __init__(self, stack: Stack, key: str | None = None) -> None:
        self.stack = stack
        self.http = httpx.Client(
            base_url=stack.api_url,
            headers={"Authorization": f"Bearer {key or stack.api_key}"},
            timeout=90,
        )

    def post(self, reference: str, *, boxes: int = 1, **changes: Any) -> Body:
        """Create an order and give the resource of the 202."""
        answer = self.http.post("/v1/orders", json=order_body(reference, boxes=boxes, **changes))
        assert answer.status_code == 202, answer.text
        created: Body = answer.json()
        return created

    def get(self, order_id: str) -> Body:
        """Read an order."""
        found: Body = self.http.get(f"/v1/orders/{order_id}").raise_for_status().json()
        return found

    def events(self, order_id: str) -> list[Body]:
        """Read an order's audit trail."""
        answer = self.http.get(f"/v1/orders/{order_id}/events").raise_for_status()
        trail: list[Body] = answer.json()["data"]
        return trail

    def parcels(self, order_id: str) -> list[Body]:
        """Read how the parcels of an order stand."""
        answer = self.http.get(f"/v1/orders/{order_id}/tracking").raise_for_status()
        parcels: list[Body] = answer.json()["data"]
        return parcels

    def settled(self, order_id: str) -> Body:
        """Wait until nothing more is to be expected of an order."""
        return until(lambda: self.get(order_id), _settled)

    def ledger(self) -> Body:
        """LSO's books."""
        answer = httpx.get(f"{self.stack.sandbox_url}/_sandbox/ledger", timeout=30).raise_for_status()
        book: Body = answer.json()["lso"]
        return book

    def booked(self, reference: str) -> list[Body]:
        """What LSO's books say of one reference."""
        return [entry for entry in self.ledger()["orders"] if entry["reference"] == reference]

    def faults(self, *faults: Body) -> None:
        """Have the sandbox spoil the next calls."""
        answer = httpx.post(f"{self.stack.sandbox_url}/_sandbox/faults", json=list(faults), timeout=30)
        answer.raise_for_status()


def buy(shop: Shop, carrier: str, boxes: int = 1, **more: object) -> Body:
    """Create an order of a carrier that confirms within the request, unless its function has a slow start."""
    body: Body = {
        "carrier": carrier,
        "reference": f"after-{uuid4().hex[:12]}",
        "ship_to": RECEIVER,
        "ship_from": SENDER,
        "parcels": [BOX | {"items": [ITEM]} if carrier == "ubi" else BOX] * boxes,
        **({"service": "UBI.AU2AU.AUPOST.1"} if carrier == "ubi" else {}),
        **more,
    }
    answer = shop.http.post("/v1/orders", json=body)
    assert answer.status_code in {201, 202}, answer.text
    order: Body = answer.json()
    return order


def bought(shop: Shop, carrier: str, boxes: int = 1, **more: object) -> Body:
    """Create an order, and wait until the carrier has confirmed it: mostly it has within the request."""
    order = buy(shop, carrier, boxes, **more)
    if order["status"] in {"accepted", "processing"}:
        order = until(
            lambda: shop.get(order["id"]), lambda seen: seen["status"] not in {"accepted", "processing"}
        )
    assert order["status"] == "confirmed", order
    return order


def endpoint(shop: Shop, merchant: Merchant, *events: str) -> Body:
    """Have the merchant's server hear of these events."""
    body = {"url": merchant.url, "events": list(events)}
    made: Body = shop.http.post("/v1/webhook-endpoints", json=body).raise_for_status().json()
    merchant.secret = made["secret"]
    return made


def in_time(
    shop: Shop, carrier: str, act: Callable[[Body], httpx.Response], boxes: int = 1
) -> tuple[Body, httpx.Response]:
    """Do something with an order that only works before its parcel sets off; the order, and the answer.

    A parcel travels a day in a minute here, so on a busy machine it may be gone, which is no fault of
    anybody's: then another order is bought.
    """

    def attempt() -> tuple[Body, httpx.Response]:
        order = bought(shop, carrier, boxes)
        return order, act(order)

    return until(
        attempt,
        lambda seen: seen[1].status_code != 409 or seen[1].json()["code"] not in _TOO_LATE,
    )


def until[T](
    look: Callable[[], T], enough: Callable[[T], bool], *, within: float = PATIENCE, every: float = POLL
) -> T:
    """Look again and again until it is enough, and less often after a while: each look is a function's work.

    Fails with the last sight when it takes too long.
    """
    deadline, pause = time.monotonic() + within, every
    while not enough(seen := look()):
        assert time.monotonic() < deadline, f"not within {within} s; last seen: {seen}"
        time.sleep(pause)
        pause = min(1.2 * pause, max(every, SELDOM))
    return seen


def _settled(order: Body) -> bool:
    if order["status"] == "confirmed":
        return bool(order["label"]["status"] != "pending")
    return order["status"] in {"failed", "cancelled", "needs_attention"}

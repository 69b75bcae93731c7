"""A small shop on a running stack: its orders, through the API alone, and what the sandbox makes of them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, NamedTuple

import httpx

from local.demo.merchant import Merchant
from local.stack.stack import PollRounds, Stack

type Body = dict[str, Any]

_EARLY, _IN_A_BATCH, _LATE = 9, 14, 9
_AT_ONCE = 4
_PATIENCE = 600.0
"""Seconds that the orders may take to settle, and again the parcels to arrive."""
_PAUSE = 3.0
_PEOPLE = ("Corrie McKee", "Ada Byrd", "Lin Wei", "Jonas Falk", "Marta Ruiz", "Sam Okafor", "Ines Dupont")
_STREETS = ("Market St", "Lakeside Drive", "Station Rd", "Elm Ave", "Harbour Lane")
_TEXAS = (("Austin", "TX", "78701", "US"), ("Dallas", "TX", "75201", "US"), ("Houston", "TX", "77002", "US"))
_AUSTRALIA = (
    ("Melbourne", "VIC", "3000", "AU"),
    ("Perth", "WA", "6000", "AU"),
    ("Sydney", "NSW", "2000", "AU"),
    ("Brisbane", "QLD", "4000", "AU"),
)
_PLACES = {"lso": _TEXAS, "ubi": _AUSTRALIA, "lme": _AUSTRALIA}
_SERVICES = {"lso": "GroundBasic", "ubi": "UBI.AU2AU.AUPOST.1"}
_GOODS = (("Cotton dress", "19.90"), ("Silk scarf", "9.50"), ("Kettle", "35.00"), ("Hand plane", "48.00"))
_RATE_CARD = (
    "service,destination_country,weight_up_to,price,currency\n*,AU,2 kg,11.40,AUD\n*,AU,22 kg,18.90,AUD\n"
)
_PICTURED, _UNCERTAIN = 3, 6
"""Places of the early order whose label is a picture, and of the one that the carrier does not answer."""
_REFUSED_IN_BATCH = 12
"""A place among all orders, as are those of late orders that are refused and cancelled."""
_REFUSED, _CANCELLED = 27, 28
_FOLLOWED = (
    {"tracking_number": "LK664578623CN", "carrier_code": "china-ems", "title": "Two dresses"},
    {"tracking_number": "RP893531375SG", "carrier_code": "singapore-post", "title": "Spare blades"},
)


class Shop(NamedTuple):
    """What the pictures show: ids, the next free reference, and a recipient's page."""

    order: str
    batch: str
    endpoint: str
    next_number: int
    recipients_page: str


def open_for_business(stack: Stack, merchant: Merchant, rounds: PollRounds) -> Shop:
    """Buy for a day, with what goes wrong in one, and wait until parcels are delivered."""
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    with httpx.Client(base_url=stack.api_url, headers=headers, timeout=90) as client:
        _set_up(client)
        endpoint = _read(client.post("/v1/webhook-endpoints", json={"url": merchant.url}))
        merchant.secret = endpoint["secret"]
        first = _free_number(client)
        bodies = list(_orders(first, _EARLY + _IN_A_BATCH + _LATE))
        together, late = bodies[_EARLY : _EARLY + _IN_A_BATCH], bodies[_EARLY + _IN_A_BATCH :]
        _faults(stack, bodies)
        early = _bought(client, bodies[:_EARLY])
        batch = _read(client.post("/v1/orders/batch", json={"orders": together}))
        _read(client.post("/v1/trackings", json=list(_FOLLOWED)))
        httpx.post(stack.webhook_urls["lme"]["default"], content=b"<html>", timeout=30)
        _wait(lambda: not _listed(client, "/v1/orders", status="processing"), "the orders settle")
        pictured = early[_PICTURED]["id"]
        _wait(lambda: _arrived(client, rounds, pictured), "the parcels arrive")
        newest = _bought(client, late)
        _cancel(client, newest[_CANCELLED - _EARLY - _IN_A_BATCH]["id"])
        order = _read(client.get(f"/v1/orders/{pictured}"))
    return Shop(
        order=pictured,
        batch=batch["id"],
        endpoint=endpoint["id"],
        next_number=first + len(bodies),
        recipients_page=order["links"]["tracking_page"],
    )


def close(stack: Stack, shop: Shop) -> None:
    """Delete the shop's endpoint, whose server goes away. Its orders stay."""
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    address = f"{stack.api_url}/v1/webhook-endpoints/{shop.endpoint}"
    httpx.delete(address, headers=headers, timeout=90).raise_for_status()


def _set_up(client: httpx.Client) -> None:
    brand = {"name": "Byrd Tools", "colour": "#1a7f5a", "support_email": "help@byrd.example"}
    _read(client.put("/v1/settings", json={"brand": brand}))
    card = {"content": _RATE_CARD, "headers": {"content-type": "text/csv"}}
    _read(client.put("/v1/carrier-accounts/lme/default/rate-card", **card))  # type: ignore[arg-type]


def _free_number(client: httpx.Client) -> int:
    """The first number of a hundred that no earlier run has used."""
    number = 1001
    while _listed(client, "/v1/orders", reference=f"web-{number}"):
        number += 100
    return number


def _orders(first: int, number: int) -> Iterator[Body]:
    random = Random(7)
    for place in range(number):
        carrier = "ubi" if place == _PICTURED else ("lso", "ubi", "lme")[place % 3]
        city, state, postcode, country = random.choice(_PLACES[carrier])
        goods, value = random.choice(_GOODS)
        box = {
            "weight": {"value": str(random.randint(3, 38) / 10), "unit": "kg"},
            "dimensions": {"length": 30, "width": 20, "height": random.randint(5, 20), "unit": "cm"},
            "items": [
                {
                    "description": goods,
                    "quantity": random.randint(1, 3),
                    "unit_value": {"amount": value, "currency": "AUD"},
                    "origin_country": "CN",
                }
            ],
        }
        yield {
            "carrier": carrier,
            "reference": f"web-{first + place}",
            "ship_to": {
                "name": random.choice(_PEOPLE),
                "line1": f"{random.randint(1, 240)} {random.choice(_STREETS)}",
                "city": city,
                "state": state,
                "postcode": postcode,
                "country": country,
                "phone": f"512555{random.randint(1000, 9999)}" if country == "US" else "0403536112",
            },
            "parcels": [box] * (2 if place % 5 == 0 and carrier != "lme" else 1),
            **({"service": _SERVICES[carrier]} if carrier in _SERVICES else {}),
            **({"label": {"format": "jpg"}} if place == _PICTURED else {}),
        }


def _faults(stack: Stack, orders: list[Body]) -> None:
    """Have LSO refuse some orders, and give no answer to another."""
    refused, lost = {"kind": "code", "code": 1001}, {"kind": "status_500"}
    faults = {_UNCERTAIN: lost, _REFUSED_IN_BATCH: refused, _REFUSED: refused}
    body = [
        {"carrier": "lso", "call": "orderCommit", "reference": orders[place]["reference"], **fault}
        for place, fault in faults.items()
    ]
    httpx.post(f"{stack.sandbox_url}/_sandbox/faults", json=body, timeout=30).raise_for_status()


def _bought(client: httpx.Client, bodies: list[Body]) -> list[Body]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda body: _read(client.post("/v1/orders", json=body)), bodies))


def _cancel(client: httpx.Client, order: str) -> None:
    """Cancel an order as soon as its carrier has it, before its parcel is on its way."""
    path = f"/v1/orders/{order}"
    _wait(lambda: _read(client.get(path))["status"] == "confirmed", "the carrier confirms")
    _read(client.post(f"{path}/cancel"))


def _arrived(client: httpx.Client, rounds: PollRounds, order: str) -> bool:
    """Start a round of polls, and say whether half of all parcels are delivered, and those of `order`."""
    if rounds.is_over():
        rounds.start()
    mine = _read(client.get(f"/v1/orders/{order}"))
    parcels = _listed(client, "/v1/trackings")
    delivered = [parcel for parcel in parcels if parcel["status"] == "delivered"]
    return mine["delivery_status"] == "delivered" and 2 * len(delivered) >= len(parcels)


def _listed(client: httpx.Client, path: str, **query: str) -> list[Body]:
    rows: list[Body] = _read(client.get(path, params={"limit": "100", **query}))["data"]
    return rows


def _read(answer: httpx.Response) -> Any:
    if answer.is_error:
        raise SystemExit(f"{answer.request.method} {answer.request.url.path}: {answer.text}")
    return answer.json()


def _wait(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(f"After {_PATIENCE:.0f} s it is not so that {what}.")
        time.sleep(_PAUSE)

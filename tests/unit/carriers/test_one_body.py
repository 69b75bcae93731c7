"""One body serves every carrier: what one has no place for, and what changes nothing, is a warning there."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import sandbox.carriers
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import Connection
from parcelgate.carriers.results import Examination
from parcelgate.carriers.toolkit.fields import Fields, Place
from parcelgate.http.requests.orders import read_order
from parcelgate.services.orders.create import Draft
from tests.support.adapters import NOON, FakeTransport, FakeVault, lso_account
from tests.support.carriers import address_for, first_service, is_carrier

DOCS = Path(__file__).resolve().parents[3] / "docs" / "carriers.md"
SENDER = {
    "name": "Depot",
    "line1": "1 Dock Road",
    "city": "Foshan",
    "state": "Guangdong",
    "country": "CN",
    "phone": "757 8670 7811",
}
WORDS = {Place.SENT: "sent", Place.OURS: "sent", Place.NOT_SENT: "not sent", Place.REFUSED: "refused"}

BODY: dict[str, Any] = {
    "reference": "shop-17",
    "ship_to": {
        "name": "Ada Byrd",
        "company": "Byrd Tools",
        "phone": "512-555-0142",
        "email": "ada@example.com",
        "line1": "401 Congress Ave",
        "line2": "Suite 9",
        "city": "Austin",
        "state": "TX",
        "postcode": "78701",
        "country": "US",
        "tax_id": "T-1",
    },
    "ship_from": SENDER,
    "return_to": SENDER,
    "parcels": [
        {
            "reference": "box-1",
            "secondary_reference": "PO 4711",
            "weight": {"value": "1.25", "unit": "kg"},
            "dimensions": {"length": 30, "width": 20, "height": 10, "unit": "cm"},
            "volume": "0.006",
            "description": "Dresses",
            "native_description": "连衣裙",
            "sku_on_label": "sku-1 x2",
            "declared_value": {"amount": "99.00", "currency": "USD"},
            "items": [
                {
                    "number": "1",
                    "sku": "sku-1",
                    "description": "Cotton dress",
                    "native_description": "连衣裙",
                    "quantity": 2,
                    "unit_value": {"amount": "10.00", "currency": "USD"},
                    "hs_code": "620442",
                    "origin_country": "CN",
                    "weight": {"value": 200, "unit": "g"},
                    "url": "https://shop.example/1",
                    "warehouse_number": "W1",
                }
            ],
        }
    ],
    "customs": {
        "description": "Clothing",
        "native_description": "服装",
        "value": {"amount": "20.05", "currency": "USD"},
        "battery": {"type": "No Battery"},
        "dangerous_goods": False,
        "vendor_id": "111",
        "abn": "51824753556",
        "sender_tax_id": "S1",
    },
    "options": {
        "authority_to_leave": False,
        "instruction": "Ring twice",
        "sender_name": "Dallas Dock 4",
        "platform": "shop",
    },
    "label": {"format": "pdf", "size": "4x6", "dpi": 300},
    "metadata": {"channel": "web"},
}
"""Whatever informs a carrier, and nothing that a carrier must refuse when it cannot be told."""


def fields(carrier: str) -> Fields:
    found: Fields = import_module(f"{registry.CARRIERS[carrier]}.validation").FIELDS
    return found


def places_of(node: Any, pointer: str = "") -> Iterator[str]:
    """Where a body says anything, each list by a star."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield f"{pointer}/{name}"
            yield from places_of(value, f"{pointer}/{name}")
    elif isinstance(node, list):
        for value in node:
            yield from places_of(value, f"{pointer}/*")


def draft(carrier: str, **changes: Any) -> Draft:
    body = {
        **BODY,
        "carrier": carrier,
        "service": first_service(carrier),
        "account": "default",
        "ship_to": {**BODY["ship_to"], **address_for(carrier)},
        **changes,
    }
    return read_order(body, carriers=[carrier], tenant="shop", order_id="ord_1", now=NOON)


def examined(carrier: str, **changes: Any) -> Examination:
    login = sandbox.carriers.package(carrier).new_login()
    account = lso_account(carrier=carrier, credentials=login)
    adapter = registry.adapter(carrier)(Connection(account, FakeTransport(), FakeVault(), lambda: NOON))
    assert is_carrier(adapter, carrier)
    read = draft(carrier, **changes)
    assert read.errors == []
    assert read.order is not None
    return adapter.examine(read.order)


@pytest.mark.parametrize("carrier", registry.names())
def test_one_body_is_taken_by_every_carrier(carrier: str) -> None:
    examination = examined(carrier)

    assert examination.errors == ()
    unsent = {re.sub(r"/\d+", "/*", w.pointer) for w in examination.warnings if w.code == "not_sent"}
    told = {pattern for pattern, (place, _) in fields(carrier).items() if place is Place.NOT_SENT}
    # What UBI, or LME, is told of a parcel by other means, and LSO of the sender.
    beside = {"reference", "description", "native_description", "declared_value"}
    others = {f"/parcels/*/{name}" for name in beside} | {"/ship_from"}
    silent = sorted(told & set(places_of(BODY)) - unsent)
    assert not silent, (
        f"FIELDS of {carrier} says NOT_SENT of {silent}, and the client got no warning: where the body says "
        "no more than the default, the field is OURS, or REFUSED with any other value"
    )
    unlisted = sorted(unsent - told - others)
    assert not unlisted, f"examine of {carrier} warns of {unlisted}, which FIELDS does not call NOT_SENT"


@pytest.mark.parametrize("carrier", registry.names())
def test_a_service_that_is_wrong_or_missing_is_told_with_where_the_services_are_listed(carrier: str) -> None:
    errors = [error for service in (None, "nosuch") for error in examined(carrier, service=service).errors]

    assert {error.pointer for error in errors} == {"/service"}, (
        f"examine of {carrier} must refuse a service that is not in its PROFILE, at /service and nowhere else"
    )
    for error in errors:
        assert f"GET /v1/carriers/{carrier}/services" in error.message


@pytest.mark.parametrize("carrier", registry.names())
def test_a_misspelt_state_is_refused_by_every_carrier_with_the_likely_one(carrier: str) -> None:
    country = registry.profile(carrier).countries
    sydney = {"country": "AU", "postcode": "2000", "city": "Sydney", "state": "New South Whales"}
    is_there = not country or "AU" in country
    place = sydney if is_there else {"state": "Texass"}
    read = draft(carrier, ship_to={**BODY["ship_to"], **place})
    (error,) = read.errors
    assert (error.pointer, error.code) == ("/ship_to/state", "unknown_value")
    assert ("New South Wales" if is_there else "Texas") in error.message


def test_that_body_says_everything_that_no_carrier_refuses() -> None:
    everything = [fields(carrier) for carrier in registry.names()]
    harmless = {
        pattern
        for table in everything
        for pattern in table
        if not any(other.get(pattern, (None,))[0] is Place.REFUSED for other in everything)
    }
    # The sender, and that parcels go back to it, are what one of a carrier's sites is with LSO.
    harmless = {pattern for pattern in harmless if not pattern.startswith(("/ship_from/", "/return_to/"))}
    said = set(places_of(BODY)) | {"/carrier", "/service", "/account"}
    assert sorted(harmless - said) == []


def shown_on_the_page() -> dict[str, tuple[str, ...]]:
    """By field: what the page says that becomes of it with each carrier, in the order of its columns."""
    page = DOCS.read_text(encoding="utf-8")
    table = page[page.index("| field | LSO | UBI | LME | why |") :].split("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    return {name: tuple(row[1:4]) for row in rows for name in re.findall(r"`([^`]+)`", row[0])}


def test_the_page_of_the_carriers_says_what_becomes_of_each_field_that_not_all_are_told() -> None:
    tables = [fields(carrier) for carrier in ("lso", "ubi", "lme")]

    def words(pattern: str) -> tuple[str, ...]:
        whole = "/" + pattern.split("/")[1]
        return tuple(WORDS[table.get(pattern, table.get(whole, (Place.SENT, "")))[0]] for table in tables)

    expected = {}
    for pattern in {pattern for table in tables for pattern in table}:
        whole = "/" + pattern.split("/")[1]
        as_its_whole = any(whole in table for table in tables) and words(pattern) == words(whole)
        if set(words(pattern)) != {"sent"} and (pattern == whole or not as_its_whole):
            expected[pattern.strip("/").replace("/*", "").replace("/", ".")] = words(pattern)
    assert shown_on_the_page() == expected

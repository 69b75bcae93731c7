"""The first order of every carrier of the registry: examined, sent over HTTP, and found again."""

from importlib import import_module

import httpx
import pytest

import sandbox.carriers
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import Connection
from parcelgate.carriers.port import Carrier, ConfirmsLater
from parcelgate.carriers.results import Confirmed, Pending, Submitted
from parcelgate.domain.clock import now
from parcelgate.domain.orders import Order
from parcelgate.http.requests.orders import read_order
from sandbox import Settings, serve
from tests.support.adapters import FakeVault, Impatient, lso_account
from tests.support.carriers import address_for, first_service, is_carrier

REFERENCE = "first-order"
SENDER = {"name": "Depot", "line1": "1 Dock Road", "city": "Foshan", "country": "CN", "state": "Guangdong"}


def first_order(carrier: str) -> Order:
    fields = import_module(f"{registry.CARRIERS[carrier]}.validation").FIELDS
    goods = {
        "description": "Hat",
        "quantity": 1,
        "unit_value": {"amount": "1.50", "currency": "USD"},
        "origin_country": "CN",
    }
    box = {
        "weight": {"value": 1, "unit": "kg"},
        "dimensions": {"length": 30, "width": 20, "height": 10, "unit": "cm"},
        "items": [goods],
    }
    body = {
        "carrier": carrier,
        "service": first_service(carrier),
        "reference": REFERENCE,
        "ship_to": {"name": "Ada Byrd", "phone": "512-555-0142", **address_for(carrier)},
        **({"ship_from": SENDER} if "/ship_from/name" in fields else {}),
        "parcels": [box],
    }
    draft = read_order(body, carriers=[carrier], tenant="acme", order_id="ord_1", now=now())
    assert not draft.errors
    assert draft.order is not None
    return draft.order


@pytest.mark.parametrize("carrier", registry.names())
def test_it_stands_once_in_the_carriers_books_and_is_found_again(carrier: str) -> None:
    order, login = first_order(carrier), sandbox.carriers.package(carrier).new_login()
    with serve(Settings(accounts={carrier: {"default": login}}, acceleration=1)) as url:
        account = lso_account(carrier=carrier, credentials=login, base_url=f"{url}/{carrier}")
        connection = Connection(account, send=Impatient(None), tokens=FakeVault(None), clock=now)
        adapter: Carrier = registry.adapter(carrier)(connection)
        assert is_carrier(adapter, carrier)
        assert not adapter.examine(order).errors
        if isinstance(adapter, ConfirmsLater):
            adapter.rates(order)

        created = adapter.create(order, callback_url="https://shop.example/callback")

        (entry,) = httpx.get(f"{url}/_sandbox/ledger", trust_env=False).json()[carrier]["orders"]
        assert entry["reference"] == REFERENCE
        found = adapter.find_by_reference(order)
        if isinstance(created, Confirmed):
            assert created.carrier_order_number == entry["order_number"]
            assert isinstance(found, Confirmed)
            assert found.carrier_order_number == entry["order_number"]
        else:
            assert isinstance(created, Submitted)
            assert isinstance(found, Confirmed | Pending)

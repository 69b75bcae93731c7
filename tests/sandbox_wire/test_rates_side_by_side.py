"""Prices of four accounts at once, over HTTP: one that hangs takes nobody else's answer."""

import json
import socket
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from functions.quote_rates import handler
from parcelgate import aws_clients
from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.merchants.rate_cards import RateCard, RateCardRow
from sandbox import Settings, serve
from sandbox.lme import new_login
from tests.sandbox_wire.test_after_the_order import SENDER
from tests.support.api import Backend, backend, call, order_body, shared_backend
from tests.support.orders import NOON

__all__ = ["backend", "shared_backend"]

LSO = {"app_id": "app-7", "app_secret": "made-up"}
UBI = {"token": "t-7", "secret": "made-up"}


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def accounts(backend: Backend, silent: str) -> Iterator[None]:
    lme = new_login("APP-1", 1024)
    logins = {"lso": {"default": LSO}, "ubi": {"default": UBI}, "lme": {"default": lme}}
    ours = {name: lme[name] for name in ("app_key", "client_private", "lme_public")}
    with serve(Settings(accounts=logins, acceleration=1)) as url:
        client = aws_clients.client("secretsmanager")
        for name, credentials, address in (
            ("lso/default", LSO, f"{url}/lso"),
            ("lso/hanging", LSO, silent),
            ("ubi/default", UBI, f"{url}/ubi"),
            ("lme/default", ours, f"{url}/lme"),
        ):
            sender = {} if name.startswith("lso") else {"ship_from": SENDER}
            content = json.dumps({"credentials": credentials, "base_url": address, **sender})
            try:
                client.create_secret(Name=f"parcelgate/acme/{name}", SecretString=content)
            except client.exceptions.ResourceExistsException:
                client.put_secret_value(SecretId=f"parcelgate/acme/{name}", SecretString=content)
        backend.tenant().account_names.add("lso", "hanging")
        for carrier, price in (("ubi", "9.80"), ("lme", "14.00")):
            row = RateCardRow(
                service="*",
                destination_country="US",
                weight_up_to=Weight(Decimal(5), WeightUnit.KG),
                price=Money(Decimal(price), "USD"),
            )
            card = RateCard(carrier=carrier, account="default", rows=(row,), updated_at=NOON)
            backend.tenant().rate_cards.put(card)
        yield


def test_an_account_that_hangs_is_skipped_and_all_others_tell_their_prices(
    accounts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "ALL_SECONDS", 5.0)
    body = order_body()
    del body["carrier"], body["service"]
    body["parcels"][0]["items"] = [
        {
            "description": "Cotton dress",
            "quantity": 1,
            "unit_value": {"amount": "10.00", "currency": "USD"},
            "origin_country": "CN",
        }
    ]

    reply = call("POST /v1/rates", body=body)

    assert reply.status == 200, reply.text
    rates: list[Any] = reply.json()["rates"]
    assert {(each["carrier"], each["account"], each["source"]) for each in rates} == {
        ("lso", "default", "carrier"),
        ("ubi", "default", "rate_card"),
        ("lme", "default", "rate_card"),
    }
    amounts = [Decimal(each["price"]["amount"]) for each in rates]
    assert amounts == sorted(amounts)
    (hanging,) = [each for each in reply.json()["skipped"] if each["carrier"] == "lso"]
    assert (hanging["account"], hanging["service"], hanging["code"]) == (
        "hanging",
        "GroundBasic",
        "carrier_unavailable",
    )

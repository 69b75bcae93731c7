"""Price previews: an order's body, and nothing is created."""

from contextlib import suppress
from decimal import Decimal
from threading import Event
from typing import Any

import msgspec
import pytest

from functions.quote_rates import handler
from parcelgate import aws_clients
from parcelgate.carriers.accounts import OfAccount
from parcelgate.carriers.errors import (
    AuthenticationError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Examination, Rate, Service
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.merchants.rate_cards import RateCard, RateCardRow
from parcelgate.domain.orders import Charge, Order
from parcelgate.domain.problems import CarrierWords, FieldError, ProblemError
from parcelgate.runtime import runtime
from parcelgate.services.catalogue import rates
from parcelgate.services.catalogue.offers import Catalogue, Catalogued
from parcelgate.services.catalogue.rates import Quoter
from parcelgate.services.settings import Settings
from parcelgate.store.errors import TokenBusyError
from tests.support.api import Backend, Reply, call, order_body
from tests.support.carriers import carriers_over
from tests.support.orders import NOON

PRICE = Money(Decimal("12.84"), "USD")
RATE = Rate(
    service="GroundBasic",
    price=PRICE,
    charges=(Charge("freight", PRICE),),
    billable_weight=Weight(Decimal("4.00"), WeightUnit.LB),
)


class Carrier:
    """A carrier that says its price, or does what a test says instead."""

    def __init__(self) -> None:
        self.outcome: list[Rate] | Exception = [RATE]
        self.asked = 0

    def examine(self, order: Order) -> Examination:
        return Examination()

    def rates(self, order: Order) -> list[Rate]:
        self.asked += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return [msgspec.structs.replace(rate, service=order.service or "") for rate in self.outcome]


@pytest.fixture
def carrier(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Carrier:
    carrier = Carrier()
    carriers = carriers_over(backend.table, Settings())
    others = carriers.of

    def of(subject: OfAccount, deadline: Deadline | None = None) -> Any:
        return carrier if subject.carrier == "lso" else others(subject, deadline)

    monkeypatch.setattr(carriers, "of", of)
    runtime.use(quoter=Quoter(backend.table, carriers, Catalogue(lambda: carriers)))
    return carrier


def quote(body: Any = None, **more: Any) -> Reply:
    return call("POST /v1/rates", body=order_body() if body is None else body, **more)


def test_the_price_is_shown_and_nothing_is_created(backend: Backend, carrier: Carrier) -> None:
    reply = quote()

    assert reply.status == 200
    assert reply.json() == {
        "rates": [
            {
                "carrier": "lso",
                "account": "default",
                "service": "GroundBasic",
                "price": {"amount": "12.84", "currency": "USD"},
                "charges": [{"type": "freight", "amount": {"amount": "12.84", "currency": "USD"}}],
                "billable_weight": {"value": 4.0, "unit": "lb"},
                "source": "carrier",
            }
        ],
        "skipped": [],
    }
    assert backend.stored() == []


def test_an_order_that_is_wrong_is_not_priced(backend: Backend, carrier: Carrier) -> None:
    assert quote(order_body(colour="red")).errors == {"/colour": "unknown_field"}
    assert quote("{").code == "not_json"
    assert carrier.asked == 0


@pytest.mark.parametrize(
    "trouble",
    [
        TransientError("down", retry_after=7),
        UnknownOutcomeError("lost"),
        AuthenticationError("who?"),
        TokenBusyError("x"),
    ],
)
def test_a_carrier_in_trouble_is_unavailable(trouble: Exception, backend: Backend, carrier: Carrier) -> None:
    carrier.outcome = trouble

    reply = quote()

    assert (reply.status, reply.code) == (503, "carrier_unavailable")
    assert reply.headers["retry-after"] == ("7" if isinstance(trouble, TransientError) else "2")


def test_a_refusal_has_the_carrier_s_words_and_our_pointers(backend: Backend, carrier: Carrier) -> None:
    wrong = FieldError("/ship_to/postcode", "refused", "No such postcode.")
    carrier.outcome = RefusedError("no", words=CarrierWords("LSO", "9", "bad"), errors=[wrong])

    reply = quote()

    assert (reply.status, reply.code) == (422, "refused_by_carrier")
    assert reply.errors == {"/ship_to/postcode": "refused"}
    assert reply.json()["carrier"]["message"] == "bad"


def test_the_call_wants_the_scope_for_writing(backend: Backend, carrier: Carrier) -> None:
    assert quote(scopes="orders:read").code == "missing_scope"
    assert quote(tenant=None).code == "invalid_key"
    assert carrier.asked == 0


def test_an_idempotency_key_brings_the_first_price_again(backend: Backend, carrier: Carrier) -> None:
    key = {"Idempotency-Key": "k"}
    first, again = quote(headers=key), quote(headers=key)

    assert again.text == first.text
    assert again.headers["idempotent-replayed"] == "true"
    assert carrier.asked == 1
    carrier.outcome = TransientError("down")
    assert quote(headers={"Idempotency-Key": "l"}).status == 503
    carrier.outcome = [RATE]
    assert quote(headers={"Idempotency-Key": "l"}).status == 200


class TestRateCards:
    """A carrier that tells no prices: its account's rate card does."""

    @pytest.fixture(autouse=True)
    def accounts(self, backend: Backend, carrier: Carrier) -> None:
        has_account("ubi")
        has_account("lme")

    def test_a_price_by_rate_card(self, backend: Backend) -> None:
        has_card(backend, "ubi", row(service="UBI.AU2AU.AUPOST.1", price="9.80"))

        reply = quote(australian(carrier="ubi", service="UBI.AU2AU.AUPOST.1"))

        money = {"amount": "9.80", "currency": "AUD"}
        assert reply.json() == {
            "rates": [
                {
                    "carrier": "ubi",
                    "account": "default",
                    "service": "UBI.AU2AU.AUPOST.1",
                    "price": money,
                    "charges": [{"type": "freight", "amount": money}],
                    "billable_weight": None,
                    "source": "rate_card",
                }
            ],
            "skipped": [],
        }
        assert backend.stored() == []

    def test_without_a_card_or_a_row_the_carrier_offers_no_price(self, backend: Backend) -> None:
        body = australian(carrier="ubi", service="UBI.AU2AU.AUPOST.1")
        assert (quote(body).status, quote(body).code) == (422, "not_supported_by_carrier")
        without_service = australian(carrier="lme")
        assert quote(without_service).code == "not_supported_by_carrier"
        has_card(backend, "ubi", row(country="NZ"))
        assert (quote(body).status, quote(body).code) == (422, "not_supported_by_carrier")

    def test_an_order_that_the_carrier_would_not_take_has_no_price(self, backend: Backend) -> None:
        has_card(backend, "lme", row())
        two = [{"weight": {"value": 1, "unit": "kg"}}] * 2
        reply = quote(australian(carrier="lme", service="STANDARD", parcels=two))
        assert (reply.status, reply.code) == (422, "validation_failed")


class TestSideBySide:
    """Without carrier or service: all that can tell a price, each for itself."""

    @pytest.fixture(autouse=True)
    def accounts(self, backend: Backend, carrier: Carrier) -> None:
        has_account("ubi")
        has_account("lme")
        has_account("lme", "second")
        backend.tenant().account_names.add("lme", "second")

    def test_the_cheapest_comes_first_and_who_tells_no_price_is_named(self, backend: Backend) -> None:
        elsewhere = row(service="B", country="NZ", price="2.00")
        has_card(backend, "ubi", row(service="UBI.AU2AU.AUPOST.1", price="9.80"), elsewhere)
        has_card(backend, "lme", row(price="7.00"), account="second")

        reply = quote(australian())

        assert [rate(each) for each in reply.json()["rates"]] == [
            "lme/second/STANDARD 7.00 AUD rate_card",
            "ubi/default/UBI.AU2AU.AUPOST.1 9.80 AUD rate_card",
            "lso/default/GroundBasic 12.84 USD carrier",
        ]
        skipped = {
            (each["carrier"], each["account"], each["service"]): each for each in reply.json()["skipped"]
        }
        assert {key: each["code"] for key, each in skipped.items()} == {
            ("lme", "default", None): "not_supported_by_carrier",
            ("ubi", "default", "B"): "not_supported_by_carrier",
        }
        assert "no rate card" in skipped["lme", "default", None]["message"]
        assert backend.stored() == []

    def test_prices_are_sorted_within_their_currency(self, backend: Backend) -> None:
        has_card(backend, "ubi", row(service="UBI.AU2AU.AUPOST.1", price="99.00", currency="AUD"))
        has_card(backend, "lme", row(price="1.00", currency="USD"))
        has_card(backend, "lme", row(price="20", currency="USD"), account="second")

        prices = [each["price"] for each in quote(australian()).json()["rates"]]

        assert [(each["currency"], each["amount"]) for each in prices] == [
            ("AUD", "99.00"),
            ("USD", "1.00"),
            ("USD", "12.84"),
            ("USD", "20"),
        ]

    @pytest.mark.parametrize(
        ("said", "asked"),
        [
            ({"carrier": "lme"}, ["lme/default/STANDARD", "lme/second/STANDARD"]),
            ({"carrier": "lme", "account": "second"}, ["lme/second/STANDARD"]),
            ({"account": "second"}, ["lme/second/STANDARD"]),
            (
                {"service": "STANDARD"},
                ["lme/default/STANDARD", "lme/second/STANDARD", "lso/default/STANDARD"],
            ),
            ({"carrier": None, "account": "", "service": ""}, None),
        ],
    )
    def test_what_is_named_is_asked_and_nothing_else(
        self, said: dict[str, Any], asked: list[str] | None, backend: Backend
    ) -> None:
        for account in ("default", "second"):
            has_card(backend, "lme", row(), account=account)
        rates = {rate(each).split()[0] for each in quote(australian(**said)).json()["rates"]}
        everything = {"lme/default/STANDARD", "lme/second/STANDARD", "lso/default/GroundBasic"}
        assert rates == (everything if asked is None else set(asked))

    @pytest.mark.parametrize(
        ("trouble", "code", "words"),
        [
            (TransientError("down"), "carrier_unavailable", "cannot be asked"),
            (AuthenticationError("who?"), "carrier_unavailable", "cannot be asked"),
            (UnknownOutcomeError("lost"), "carrier_unavailable", "cannot be asked"),
            (
                RefusedError("no", words=CarrierWords("LSO", "9", "bad road")),
                "refused_by_carrier",
                "bad road",
            ),
            (
                RefusedError("no", errors=[FieldError("/ship_to/city", "refused", "No such city.")]),
                "refused_by_carrier",
                "/ship_to/city: No such city.",
            ),
            (TokenBusyError("x"), "carrier_unavailable", "cannot be asked"),
            (ZeroDivisionError(), "internal", "on our side"),
        ],
    )
    def test_trouble_with_one_takes_nobody_else_s_answer(
        self, trouble: Exception, code: str, words: str, backend: Backend, carrier: Carrier
    ) -> None:
        carrier.outcome = trouble
        has_card(backend, "lme", row())

        reply = quote(australian())

        assert [rate(each).split()[0] for each in reply.json()["rates"]] == ["lme/default/STANDARD"]
        (lso,) = [each for each in reply.json()["skipped"] if each["carrier"] == "lso"]
        assert (lso["account"], lso["service"], lso["code"]) == ("default", "GroundBasic", code)
        assert words in lso["message"]

    def test_half_an_order_is_refused_once_and_nobody_is_asked(self, carrier: Carrier) -> None:
        half = australian()
        del half["parcels"], half["reference"]

        reply = quote(half | {"colour": "red"})

        assert (reply.status, reply.code) == (422, "validation_failed")
        assert reply.errors == {"/parcels": "missing", "/reference": "missing", "/colour": "unknown_field"}
        assert set(quote({}).errors) == {"/reference", "/ship_to", "/parcels"}
        assert quote([]).errors == {"": "type"}
        assert quote(half | {"carrier": "lme"}).errors == {"/parcels": "missing", "/reference": "missing"}
        assert carrier.asked == 0

    def test_a_carrier_that_is_named_must_be_there(self) -> None:
        assert quote(australian(carrier="pigeon")).errors == {"/carrier": "unknown_carrier"}
        assert quote(australian(carrier="trackingmore")).code == "not_supported_by_carrier"
        assert quote(australian(carrier="lme", account="third")).errors == {"/account": "unknown_account"}
        assert quote(australian(carrier=5)).errors == {"/carrier": "type"}

    def test_a_tenant_without_accounts_is_told_nothing(self) -> None:
        assert quote(australian(), tenant="new").json() == {"rates": [], "skipped": []}
        assert quote(australian(carrier="lme"), tenant="new").errors == {"/account": "unknown_account"}

    def test_an_account_that_is_gone_is_passed_over(self, backend: Backend) -> None:
        backend.tenant().account_names.add("lme", "gone")
        assert "gone" not in quote(australian()).text

    def test_another_tenant_s_accounts_are_not_asked(self, backend: Backend) -> None:
        has_card(backend, "lme", row())
        assert [rate(each).split()[0] for each in quote(australian(), tenant="other").json()["rates"]] == [
            "lso/default/GroundBasic"
        ]

    def test_prices_for_any_service_are_told_of_all_that_are_sold(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        has_card(backend, "ubi", row(), row(service="UBI.AU2AU.AUPOST.1", price="1.00"))
        sold = Catalogued(
            (Service(code="UBI.AU2AU.AUPOST.1", name=""), Service(code="X", name="")), "carrier"
        )
        monkeypatch.setattr(Catalogue, "services", lambda *_: sold)

        reply = quote(australian(carrier="ubi"))

        told = [*reply.json()["rates"], *reply.json()["skipped"]]
        assert [each["service"] for each in told] == ["UBI.AU2AU.AUPOST.1", "X"]

    def test_the_card_s_own_services_are_enough_while_nobody_says_what_is_sold(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def down(*_: Any) -> None:
            raise ProblemError("carrier_unavailable", "The carrier cannot be asked.")

        monkeypatch.setattr(Catalogue, "services", down)
        has_card(backend, "ubi", row())
        (skipped,) = quote(australian(carrier="ubi")).json()["skipped"]
        assert (skipped["service"], skipped["code"]) == (None, "carrier_unavailable")
        has_card(backend, "ubi", row(), row(service="UBI.AU2AU.AUPOST.1", price="1.00"))
        assert len(quote(australian(carrier="ubi")).json()["rates"]) == 1

    def test_whoever_does_not_answer_in_time_is_skipped(
        self, backend: Backend, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        has_card(backend, "lme", row())
        never, over = Event(), Event()

        def hangs(order: Order) -> list[Rate]:
            never.wait(60)
            over.set()
            return []

        monkeypatch.setattr(carrier, "rates", hangs)
        monkeypatch.setattr(handler, "ALL_SECONDS", 0.6)
        try:
            reply = quote(australian())
            assert not over.is_set(), "the answer does not wait for who hangs"
        finally:
            never.set()

        assert [rate(each).split()[0] for each in reply.json()["rates"]] == ["lme/default/STANDARD"]
        (lso,) = [each for each in reply.json()["skipped"] if each["carrier"] == "lso"]
        assert (lso["service"], lso["code"]) == ("GroundBasic", "carrier_unavailable")
        assert "in time" in lso["message"]

    def test_a_carrier_that_hangs_holds_up_no_other_however_many_calls_it_has(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        has_card(backend, "ubi", row())
        has_card(backend, "lme", row())
        never, there = Event(), Catalogue.services

        def hangs(self: Catalogue, tenant: str, carrier: str, account: str, deadline: Deadline) -> Catalogued:
            if carrier == "ubi":
                never.wait(60)
                raise ProblemError("carrier_unavailable", "Too late.")
            return there(self, tenant, carrier, account, deadline)

        monkeypatch.setattr(Catalogue, "services", hangs)
        monkeypatch.setattr(rates, "AT_ONCE", 1)
        monkeypatch.setattr(handler, "ALL_SECONDS", 1.0)
        try:
            reply = quote(australian())
        finally:
            never.set()

        told = {rate(each).split()[0] for each in reply.json()["rates"]}
        assert told == {"lme/default/STANDARD", "lso/default/GroundBasic"}
        (ubi,) = [each for each in reply.json()["skipped"] if each["carrier"] == "ubi"]
        assert (ubi["account"], ubi["service"], ubi["code"]) == ("default", None, "carrier_unavailable")


def australian(**changes: Any) -> Any:
    """An order that UBI and LME take, and LSO's stand-in too, without carrier and service."""
    body = order_body(
        ship_to={
            "name": "Corrie McKee",
            "line1": "3 Lakeside Drive",
            "city": "Berwick",
            "state": "VIC",
            "postcode": "3806",
            "country": "AU",
            "phone": "0403536112",
        },
        ship_from={
            "name": "Jiang Yuanfei",
            "line1": "Sanshui Park",
            "city": "Foshan",
            "state": "Guangdong",
            "postcode": "528100",
            "country": "CN",
            "phone": "02586707811",
        },
        parcels=[
            {
                "weight": {"value": 1, "unit": "kg"},
                "dimensions": {"length": 30, "width": 20, "height": 10, "unit": "cm"},
                "items": [
                    {
                        "description": "Cotton dress",
                        "quantity": 2,
                        "unit_value": {"amount": "10.00", "currency": "AUD"},
                        "origin_country": "CN",
                    }
                ],
            }
        ],
    )
    del body["carrier"], body["service"]
    return body | changes


def has_account(carrier: str, account: str = "default") -> None:
    client = aws_clients.client("secretsmanager")
    with suppress(client.exceptions.ResourceExistsException):
        client.create_secret(Name=f"parcelgate/acme/{carrier}/{account}", SecretString='{"credentials": {}}')


def row(service: str = "*", country: str = "*", price: str = "8.00", currency: str = "AUD") -> RateCardRow:
    return RateCardRow(
        service=service,
        destination_country=country,
        weight_up_to=Weight(Decimal(5), WeightUnit.KG),
        price=Money(Decimal(price), currency),
    )


def has_card(backend: Backend, carrier: str, *rows: RateCardRow, account: str = "default") -> None:
    card = RateCard(carrier=carrier, account=account, rows=rows, updated_at=NOON)
    backend.tenant().rate_cards.put(card)


def rate(shown: Any) -> str:
    price = shown["price"]
    where = "/".join(shown[name] for name in ("carrier", "account", "service"))
    return f"{where} {price['amount']} {price['currency']} {shown['source']}"

"""Price previews: an order's body, and nothing is created."""

from decimal import Decimal
from typing import Any

import pytest

from parcelgate.carriers.errors import (
    AuthenticationError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Examination, Rate
from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.orders import Charge, Order
from parcelgate.domain.problems import CarrierWords, FieldError
from parcelgate.runtime import runtime
from parcelgate.services.catalogue.rates import Quoter
from parcelgate.services.settings import Settings
from parcelgate.store.errors import TokenBusyError
from tests.support.api import Backend, Reply, call, order_body
from tests.support.carriers import carriers_over

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
        return self.outcome


@pytest.fixture
def carrier(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Carrier:
    carrier = Carrier()
    carriers = carriers_over(backend.table, Settings())
    monkeypatch.setattr(carriers, "of", lambda *_, **__: carrier)
    runtime.use(quoter=Quoter(backend.table, carriers))
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
            }
        ]
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

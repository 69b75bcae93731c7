"""From an order of ours to the platform's bodies, word for word."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.errors import (
    AuthenticationError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.port import Cancels, Carrier, ConfirmsLater, ProvidesLabels, QuotesRates
from parcelgate.domain.measures import Dimensions, LengthUnit, Money, Weight, WeightUnit
from parcelgate.domain.orders import Charge, Order
from parcelgate.domain.problems import CarrierWords, FieldError
from tests.support.adapters import (
    FakeTransport,
    FakeVault,
    dollars,
    lso,
    lso_account,
    lso_address,
    lso_order,
    lso_parcel,
)
from tests.unit.carriers.lso.conftest import FIXTURES

COMMIT, FEE, TOKEN = "lso.order_commit", "lso.fee_preview", "lso.token"
CALLBACK = "https://api.example/webhooks/lso/default/tok"

Body = Callable[..., dict[str, Any]]


def digits(name: str) -> Any:
    """A fixture with its numbers as they are written."""
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"), parse_float=str)


def sent(transport: FakeTransport, call: str) -> Any:
    (request,) = [request for request in transport.requests if request.call == call]
    return json.loads(request.body or b"", parse_float=str)


def test_it_has_every_capability_it_says_it_has() -> None:
    carrier = lso(FakeTransport())
    for capability in (Carrier, ConfirmsLater, QuotesRates, Cancels, ProvidesLabels):
        assert isinstance(carrier, capability)


def test_order_commit_is_sent_as_the_document_has_it(order: Order, body: Body) -> None:
    transport = FakeTransport({COMMIT: [body("order_commit_answer")]})
    lso(transport).create(order, callback_url=CALLBACK)
    assert sent(transport, COMMIT) == digits("order_commit_request")
    (request,) = transport.requests
    assert request.least_seconds == 10, "it is not begun with less time left, however long the login took"
    assert (request.method, request.url) == (
        "POST",
        "https://platform.example/base/external-interface/lso/orderCommit",
    )
    assert not request.safe


def test_the_fee_preview_is_the_order_without_url_and_customer_number(order: Order, body: Body) -> None:
    transport = FakeTransport({FEE: [body("fee_preview_answer")]})
    (rate,) = lso(transport).rates(order)
    assert sent(transport, FEE) == digits("fee_preview_request")
    assert transport.requests[0].safe
    assert rate.service == "GroundBasic"
    assert rate.price == dollars("12.84")
    assert rate.charges == (Charge("freight", dollars("12.34")), Charge("commission", dollars("0.50")))
    assert rate.billable_weight == Weight(Decimal("7.00"), WeightUnit.LB)


def test_the_box_height_goes_by_the_platforms_spelling(body: Body) -> None:
    transport = FakeTransport({COMMIT: [body("order_commit_answer")]})
    lso(transport).create(lso_order())
    (box,) = transport.bodies(COMMIT)[0]["orderDetails"]
    assert "boxHight" in box
    assert "boxHeight" not in box


def test_no_reference_is_sent_beside_those_of_the_boxes(order: Order, body: Body) -> None:
    transport = FakeTransport({COMMIT: [body("order_commit_answer")]})
    lso(transport).create(order)
    assert not {"referenceNo1", "referenceNo2"} & set(transport.bodies(COMMIT)[0])


def test_the_reference_is_sent_word_for_word(body: Body) -> None:
    transport = FakeTransport({COMMIT: [body("order_commit_answer")]})
    lso(transport).create(lso_order(reference=" Größe/17 «x» SBX-FAIL "))
    assert transport.bodies(COMMIT)[0]["customerNumber"] == " Größe/17 «x» SBX-FAIL "


def test_a_missing_company_is_the_name_and_what_is_absent_is_left_out(body: Body) -> None:
    transport = FakeTransport({COMMIT: [body("order_commit_answer")]})
    lso(transport).create(lso_order(ship_to=lso_address(company=None, line2=None, state="texas")))
    found = transport.bodies(COMMIT)[0]
    assert (found["receiveCompany"], found["province"]) == ("Ada Byrd", "TX")
    assert not {"address2", "systemSenderName", "url"} & set(found)
    assert not {"referenceNo2", "lsoDeclaredValue"} & set(found["orderDetails"][0])


@pytest.mark.parametrize(
    ("weight", "pounds"),
    [
        (Weight(Decimal(1), WeightUnit.G), "0.01"),
        (Weight(Decimal("0.001"), WeightUnit.OZ), "0.01"),
        (Weight(Decimal("1.005"), WeightUnit.LB), "1.01"),
        (Weight(Decimal("1.0049"), WeightUnit.LB), "1.00"),
        (Weight(Decimal(1), WeightUnit.KG), "2.20"),
        (Weight(Decimal(8), WeightUnit.OZ), "0.50"),
    ],
)
def test_pounds_have_two_decimals_half_up_and_are_never_nothing(
    weight: Weight, pounds: str, body: Body
) -> None:
    transport = FakeTransport({COMMIT: [body("order_commit_answer")]})
    tiny = Dimensions(Decimal("0.01"), Decimal("2.545"), Decimal(1), LengthUnit.CM)
    lso(transport).create(lso_order(parcels=(lso_parcel(weight=weight, dimensions=tiny),)))
    (box,) = sent(transport, COMMIT)["orderDetails"]
    assert box["packWeight"] == pounds
    assert (box["boxLength"], box["boxWidth"], box["boxHight"]) == ("0.01", "1.00", "0.39")


def test_a_declared_value_of_nothing_is_not_declared(body: Body) -> None:
    transport = FakeTransport({COMMIT: [body("order_commit_answer")]})
    lso(transport).create(lso_order(parcels=(lso_parcel(declared_value=dollars("0")),)))
    assert "lsoDeclaredValue" not in transport.bodies(COMMIT)[0]["orderDetails"][0]


def test_a_taken_order_has_the_carriers_numbers(order: Order, body: Body) -> None:
    taken = lso(FakeTransport({COMMIT: [body("order_commit_answer")]})).create(order)
    assert taken.carrier_order_number == "SYCO0001"
    assert [(parcel.reference, parcel.carrier_parcel_number) for parcel in taken.parcels] == [
        ("shop-17-1", "SYCO0001-1"),
        ("shop-17-2", "SYCO0001-2"),
    ]


def test_a_taken_order_with_odd_boxes_is_taken_all_the_same(order: Order, body: Body) -> None:
    answer = body("order_commit_answer", orderNumber=17, orderDetails="?")
    taken = lso(FakeTransport({COMMIT: [answer]})).create(order)
    assert (taken.carrier_order_number, taken.parcels) == ("17", ())


def test_a_readable_refusal_says_why_and_where(order: Order) -> None:
    message = "参数错误: orderDetails[1].packWeight must be less"
    refusal = {"code": 1002, "data": None, "err": message, "msg": "no"}
    with pytest.raises(RefusedError) as caught:
        lso(FakeTransport({COMMIT: [refusal]})).create(order)
    assert caught.value.words == CarrierWords("lso", "1002", message)
    assert caught.value.errors == (FieldError("/parcels/1/weight", "refused_by_carrier", message),)
    assert str(caught.value) == "order_commit: code 1002"


def test_a_refusal_that_holds_an_order_number_was_taken_and_its_result_will_tell(
    order: Order, body: Body
) -> None:
    taken = lso(FakeTransport({COMMIT: [body("order_result_failed")]})).create(order)
    assert taken.carrier_order_number == "SYCO0001"


@pytest.mark.parametrize(
    "answer",
    [
        b"<html><h1>502 Bad Gateway</h1></html>",
        b'{"code": 200, "data": {"orderNum',
        b"",
        b"[200]",
        b'{"code": null}',
        b'{"code": true}',
        b"\xff\xfe\x00garbage",
        {"code": 500, "data": None, "err": "", "msg": "busy"},
        {"code": 599, "data": None},
        {"code": 1024, "data": None},
        {"code": 1115, "data": None, "msg": "downloading"},
        {"code": 0, "data": None},
        {"code": 200, "data": {}},
        {"code": 200, "data": "SYCO0001"},
        {"code": 200, "data": {"orderNumber": ["SYCO0001"]}},
    ],
)
def test_a_commit_whose_answer_says_nothing_may_have_been_taken(
    answer: bytes | dict[str, Any], order: Order
) -> None:
    with pytest.raises(UnknownOutcomeError):
        lso(FakeTransport({COMMIT: [answer]})).create(order)


def test_a_commit_that_came_too_soon_was_not_taken(order: Order) -> None:
    with pytest.raises(TransientError):
        lso(FakeTransport({COMMIT: [{"code": 429, "data": None, "msg": "slow down"}]})).create(order)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        {"code": 503},
        {"code": 429, "msg": "slow down"},
        {"code": 1024, "msg": "wait"},
        {"code": 0, "data": None},
        {"code": 200, "data": {"commission": "1"}},
        {"code": 200, "data": 1},
    ],
)
def test_a_preview_that_says_no_price_bought_nothing(answer: bytes | dict[str, Any], order: Order) -> None:
    with pytest.raises(TransientError):
        lso(FakeTransport({FEE: [answer]})).rates(order)


def test_a_refused_preview_is_a_refusal(order: Order) -> None:
    refusal = {"code": "1005", "data": {}, "err": "", "msg": "收件邮编 without LSO service"}
    with pytest.raises(RefusedError) as caught:
        lso(FakeTransport({FEE: [refusal]})).rates(order)
    assert [error.pointer for error in caught.value.errors] == ["/ship_to/postcode"]


def test_prices_are_in_the_accounts_currency(order: Order, body: Body) -> None:
    (rate,) = lso(FakeTransport({FEE: [body("fee_preview_answer")]}), currency="EUR").rates(order)
    assert rate.price == Money(Decimal("12.84"), "EUR")


# The token.


def test_a_kept_token_is_used_without_asking(order: Order, body: Body) -> None:
    transport = FakeTransport({COMMIT: [body("order_commit_answer")]})
    lso(transport, vault=FakeVault("tok-1")).create(order)
    assert transport.calls == [COMMIT]


def test_without_a_token_one_is_asked_for(order: Order, body: Body) -> None:
    transport = FakeTransport(
        {
            TOKEN: [{"code": 200, "data": {"token": "tok-2", "expiresIn": 7200}}],
            FEE: [body("fee_preview_answer")],
        }
    )
    vault = FakeVault(None)
    lso(transport, vault=vault).rates(order)
    assert transport.bodies(TOKEN) == [{"appId": "app-7", "appSecret": "made-up"}]
    assert transport.bodies(FEE)[0]["token"] == "tok-2"
    assert (vault.token, vault.life) == ("tok-2", 7200)


@pytest.mark.parametrize("call", [COMMIT, FEE])
def test_a_refused_token_is_renewed_and_the_call_repeated_once(call: str, order: Order, body: Body) -> None:
    good = body("order_commit_answer" if call == COMMIT else "fee_preview_answer")
    transport = FakeTransport(
        {
            TOKEN: [{"code": 200, "data": {"token": "tok-2", "expiresIn": "7200"}}],
            call: [{"code": 401, "data": None, "msg": "token已失效"}, good],
        }
    )
    vault = FakeVault("tok-1")
    carrier = lso(transport, vault=vault)
    carrier.create(order) if call == COMMIT else carrier.rates(order)
    assert transport.calls == [call, TOKEN, call]
    assert [body["token"] for body in transport.bodies(call)] == ["tok-1", "tok-2"]
    assert vault.renewals == ["tok-1"]


def test_a_commit_whose_new_token_is_refused_too_was_not_taken(order: Order) -> None:
    transport = FakeTransport(
        {TOKEN: [{"code": 200, "data": {"token": "tok-2"}}], COMMIT: [{"code": 401, "data": None}]}
    )
    with pytest.raises(AuthenticationError):
        lso(transport).create(order)
    assert transport.calls.count(COMMIT) == 2


def test_a_rotated_secret_is_used_at_once(order: Order, body: Body) -> None:
    rotated = lso_account(credentials={"app_id": "app-8", "app_secret": "newer"})
    transport = FakeTransport(
        {
            TOKEN: [{"code": 401, "data": None}, {"code": 200, "data": {"token": "tok-2"}}],
            COMMIT: [{"code": 401, "data": None}, body("order_commit_answer")],
        }
    )
    lso(transport, reread=lambda: rotated).create(order)
    assert transport.calls == [COMMIT, TOKEN, TOKEN, COMMIT]
    assert transport.bodies(TOKEN)[1] == {"appId": "app-8", "appSecret": "newer"}
    assert transport.bodies(COMMIT)[1]["appId"] == "app-8"


def test_an_app_id_rotated_while_its_old_token_still_came_is_used_at_once(order: Order, body: Body) -> None:
    rotated = lso_account(credentials={"app_id": "app-8", "app_secret": "made-up"})
    refused = {"code": 401, "data": None}
    transport = FakeTransport(
        {
            TOKEN: [{"code": 200, "data": {"token": "tok-2"}}, {"code": 200, "data": {"token": "tok-3"}}],
            COMMIT: [refused, refused, body("order_commit_answer")],
        }
    )
    lso(transport, reread=lambda: rotated).create(order)
    assert [sent["appId"] for sent in transport.bodies(COMMIT)] == ["app-7", "app-7", "app-8"]


def test_credentials_that_are_refused_as_read_again_are_an_authentication_error(order: Order) -> None:
    transport = FakeTransport({TOKEN: [{"code": 401, "data": None, "err": "appSecret错误"}]})
    with pytest.raises(AuthenticationError) as caught:
        lso(transport, vault=FakeVault(None), reread=lso_account).create(order)
    assert transport.calls == [TOKEN]
    assert "made-up" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"<html>", {"code": 500}, {"code": 200, "data": {"token": None}}])
def test_a_token_that_cannot_be_had_now_leaves_the_order_unsent(
    answer: bytes | dict[str, Any], order: Order
) -> None:
    transport = FakeTransport({TOKEN: [answer]})
    with pytest.raises(TransientError):
        lso(transport, vault=FakeVault(None)).create(order)
    assert COMMIT not in transport.calls


def test_a_broken_vault_leaves_the_order_unsent(order: Order) -> None:
    with pytest.raises(TransientError):
        lso(FakeTransport(), vault=FakeVault(broken=RuntimeError("no key"))).create(order)


# The assumptions, settable.


def test_paths_and_fields_are_the_accounts_to_change(order: Order, body: Body) -> None:
    transport = FakeTransport(
        {
            TOKEN: [{"code": 200, "data": {"jwt": "tok-2", "ttl": 60}}],
            FEE: [{"code": 200, "data": {"total": "9.00"}}],
        }
    )
    vault = FakeVault(None)
    (rate,) = lso(
        transport,
        vault=vault,
        paths={"token": "/api/login"},
        fields={
            "token": {"token": "jwt", "expiresIn": "ttl", "appSecret": "password"},
            "fee_preview": {"prepaidPrice": "total"},
        },
    ).rates(order)
    assert transport.requests[0].url == "https://platform.example/base/api/login"
    assert transport.bodies(TOKEN) == [{"appId": "app-7", "password": "made-up"}]
    assert (vault.token, vault.life, rate.price) == ("tok-2", 60, dollars("9.00"))


def test_the_documented_host_is_the_default(order: Order, body: Body) -> None:
    transport = FakeTransport({COMMIT: [body("order_commit_answer")]})
    lso(transport, account=lso_account(base_url=None)).create(order)
    assert transport.requests[0].url == "https://syco-api.logssc.com/external-interface/lso/orderCommit"


def test_requests_and_accounts_hide_what_they_hold(order: Order, body: Body) -> None:
    transport = FakeTransport({COMMIT: [body("order_commit_answer")]})
    lso(transport).create(order)
    shown = repr(transport.requests) + repr(lso_account())
    assert not any(secret in shown for secret in ("made-up", "tok-1", "Ada", "512-555"))


def test_an_order_without_its_measures_cannot_be_mapped() -> None:
    parcel = msgspec.structs.replace(lso_parcel(), dimensions=None)
    with pytest.raises(ValueError, match="no dimensions"):
        lso(FakeTransport()).create(lso_order(parcels=(parcel,)))

"""LME's calls: how each is sent, and what every answer means."""

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.carriers import port, results
from parcelgate.carriers.errors import (
    AccountError,
    AuthenticationError,
    CarrierError,
    LabelPendingError,
    Refusal,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.lme import PROFILE, WEBHOOK_ANSWER, signing
from parcelgate.carriers.results import Cancellation, Confirmed, Mismatch, NotFound, Pending, Trust
from parcelgate.carriers.toolkit.calls import Response
from parcelgate.domain.problems import CarrierWords, FieldError
from parcelgate.domain.trackings import same_number
from sandbox.lme import new_login
from tests.support.adapters import NOON, FakeTransport
from tests.unit.carriers.lme.orders import (
    APP_KEY,
    CLIENT_PUBLIC,
    LME_PRIVATE,
    NUMBER,
    VECTORS,
    account,
    adapter,
    confirmed_order,
    order_of,
    plain,
    receiver,
    refusal,
    success,
)

HTML = Response(status=502, body=b"<html>502 Bad Gateway</html>")
ORDER = {"orderNo": NUMBER, "outOrderNo": "SDK-1"}


def answering(call: str, *answers: Any, **more: Any) -> FakeTransport:
    return FakeTransport({f"lme.{call}": list(answers), **{f"lme.{k}": [v] for k, v in more.items()}})


def test_it_can_do_what_its_profile_says() -> None:
    carrier = adapter()
    for capability in (port.Carrier, port.Cancels, port.Updates, port.ProvidesLabels, port.ValidatesAddresses,
                       port.VerifiesWebhooks):  # fmt: skip
        assert isinstance(carrier, capability)
    for capability in (port.ConfirmsLater, port.QuotesRates, port.CreatesInBatches):
        assert not isinstance(carrier, capability)
    assert set(PROFILE.capabilities) <= set(PROFILE.grades)
    assert set(PROFILE.grades.values()) <= {"documented", "public", "assumed"}
    assert json.loads(WEBHOOK_ANSWER) == {"code": 200, "message": "SUCCESS"}


# How a call is sent.


def test_a_create_is_signed_sealed_and_sent_once() -> None:
    transport = answering("create", success(ORDER))
    adapter(transport).create(order_of(), callback_url="https://ignored.example")
    (request,) = transport.requests
    assert (request.method, request.safe) == ("POST", False)
    assert request.url == "https://lme.example/base/server/gateway/order/create"
    data = json.loads(request.body or b"")["data"]
    assert json.loads(request.body or b"") == {"data": data}
    assert request.headers["timestamp"] == str(int(NOON.timestamp() * 1000))
    assert signing.is_signed(
        request.headers["sign"], APP_KEY, data, request.headers["timestamp"], CLIENT_PUBLIC
    )
    assert plain(request.body or b"")["totalWeight"] == Decimal("1.25")


@pytest.mark.parametrize("base_url", [None, "http://localhost:1/lme", "http://localhost:1/lme/"])
def test_the_host_and_the_paths_are_the_accounts(base_url: str | None) -> None:
    transport = answering("create", success(ORDER))
    config = account(base_url=base_url, overrides={"paths": {"create": "/v9/order/create"}})
    adapter(transport, config=config).create(order_of())
    expected = (base_url or "https://open-gateway.fh.express").rstrip("/") + "/v9/order/create"
    assert transport.requests[0].url == expected


def test_an_assumed_field_has_the_accounts_name_both_ways() -> None:
    pdf = base64.b64encode(b"%PDF-1").decode()
    transport = answering("label", success({"no": NUMBER, "file": pdf}))
    names = {"label": {"orderNo": "no", "labelData": "file"}}
    (label,) = adapter(transport, fields=names).label(confirmed_order())
    assert label.content == b"%PDF-1"
    assert plain(transport.requests[0].body or b"") == {"no": NUMBER}


@pytest.mark.parametrize(
    "changes",
    [
        {"credentials": {"app_key": "A", "client_private": VECTORS["client_private"]}},
        {"credentials": {**account().credentials, "client_private": "s3cret"}},
        {"credentials": {**account().credentials, "lme_public": VECTORS["lme_private"]}},
        {"overrides": {"colour": "red"}},
        {"overrides": {"default_time_zone": "Mars"}},
        {"overrides": {"window_from": "19:00"}},
        {"overrides": {"window_from": "nine"}},
        {"overrides": {"paths": {"create": "https://elsewhere.example/"}}},
        {"base_url": "ftp://lme.example"},
        {"base_url": "https://user@lme.example"},
    ],
)
def test_an_account_that_cannot_be_used_is_told_without_its_secrets(changes: dict[str, Any]) -> None:
    with pytest.raises(AccountError) as raised:
        adapter(config=account(**changes)).track([NUMBER])
    assert "s3cret" not in str(raised.value)
    assert VECTORS["client_private"] not in str(raised.value)


# What a create ends in.


@pytest.mark.parametrize("code", [0, "0", 0.0, " 0 "])
def test_zero_is_success_as_text_or_number(code: Any) -> None:
    confirmed = adapter(answering("create", success(ORDER, code=code))).create(order_of())
    assert (confirmed.carrier_order_number, confirmed.parcels[0].tracking_number) == (NUMBER, NUMBER)


def test_an_answer_that_is_not_sealed_is_read_too() -> None:
    answer = {"code": 0, "success": True, "displayable": False, "message": "", "data": ORDER}
    assert adapter(answering("create", answer)).create(order_of()).carrier_order_number == NUMBER


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        Response(status=200, body=b""),
        b"[]",
        b'{"code": 0, "data": \x00',
        {"message": "no code"},
        {"code": None},
        {"code": True, "data": None},
        success(),
        success({}),
        success([]),
        success({"outOrderNo": "SDK-1"}),
        success({"orderNo": NUMBER, "outOrderNo": "OTHER"}),
        {"code": "0", "data": "not sealed"},
        {"code": "0", "data": signing.seal(b"half a bo", CLIENT_PUBLIC)},
        {"code": "0", "data": signing.seal(b"7", CLIENT_PUBLIC)},
        {"code": "0", "data": 7},
        refusal(500, "system error"),
        refusal("200", "SUCCESS"),
        UnknownOutcomeError("dropped"),
    ],
)
def test_what_leaves_it_open_whether_the_order_was_taken(answer: Any) -> None:
    with pytest.raises(UnknownOutcomeError):
        adapter(answering("create", answer)).create(order_of())


def test_a_refusal_is_in_the_carriers_words_with_our_pointer() -> None:
    with pytest.raises(RefusedError) as raised:
        adapter(answering("create", refusal("7", "receiver.city is required"))).create(order_of())
    assert raised.value.words == CarrierWords("lme", "7", "receiver.city is required")
    expected = FieldError("/ship_to/city", "refused_by_carrier", "receiver.city is required")
    assert raised.value.errors == (expected,)


def test_the_accounts_table_gives_a_code_its_pointer_and_its_meaning() -> None:
    errors = {"40031": {"pointer": "/ship_to/postcode"}, "40099": {"kind": "transient"}}
    with pytest.raises(RefusedError) as raised:
        adapter(answering("create", refusal(40031, "")), errors=errors).create(order_of())
    assert [error.pointer for error in raised.value.errors] == ["/ship_to/postcode"]
    with pytest.raises(TransientError):
        adapter(answering("create", refusal(40099, "")), errors=errors).create(order_of())


def test_too_many_requests_is_trouble_that_passes() -> None:
    with pytest.raises(TransientError):
        adapter(answering("create", refusal(429, "slow down"))).create(order_of())


DUPLICATE = refusal("30001", "outOrderNo SDK-1 already exists")


def test_a_reference_that_is_taken_by_ours_is_adopted() -> None:
    transport = answering("create", DUPLICATE, detail=success(ORDER))
    assert adapter(transport).create(order_of()).carrier_order_number == NUMBER
    assert plain(transport.requests[1].body or b"") == {"outOrderNo": "SDK-1", "channel": APP_KEY}


@pytest.mark.parametrize(
    ("detail", "error"),
    [
        (success({**ORDER, "receiver": {"contact": "Somebody Else"}}), RefusedError),
        (refusal("9", "not found"), RefusedError),
        (HTML, UnknownOutcomeError),
        (refusal("9", "?"), UnknownOutcomeError),
        (refusal("401", "sign"), UnknownOutcomeError),
    ],
)
def test_a_reference_that_is_taken_otherwise_is_not(detail: Any, error: type[CarrierError]) -> None:
    with pytest.raises(error) as raised:
        adapter(answering("create", DUPLICATE, detail=detail)).create(order_of())
    if isinstance(raised.value, RefusedError):
        assert [(e.pointer, e.code) for e in raised.value.errors] == [("/reference", "reference_in_use")]
        assert raised.value.words is not None


# Keys.


@pytest.mark.parametrize(
    "answer",
    [refusal("401", "no"), refusal(1, "验签失败"), Response(status=401), Response(status=403, body=b"x")],
)
def test_a_refused_signature_is_an_error_of_its_own(answer: Any) -> None:
    for call in ("create", "detail", "cancel", "label", "route_v2", "validate_address"):
        carrier = adapter(answering(call, answer))
        with pytest.raises(AuthenticationError):
            {
                "create": lambda: carrier.create(order_of()),  # noqa: B023
                "detail": lambda: carrier.find_by_reference(order_of()),  # noqa: B023
                "cancel": lambda: carrier.cancel(confirmed_order(), at=NOON),  # noqa: B023
                "label": lambda: carrier.label(confirmed_order()),  # noqa: B023
                "route_v2": lambda: carrier.track([NUMBER]),  # noqa: B023
                "validate_address": lambda: carrier.validate_address(receiver()),  # noqa: B023
            }[call]()


def test_keys_that_were_rotated_are_used_at_once() -> None:
    fresh = new_login(APP_KEY)
    credentials = {name: fresh[name] for name in ("app_key", "client_private", "lme_public")}
    sealed = signing.seal(msgspec.json.encode(ORDER), signing.public_key(fresh["client_public"]))
    transport = answering("create", refusal("401", "sign"), {"code": "0", "data": sealed})
    carrier = adapter(transport, reread=lambda: account(credentials=credentials))
    assert carrier.create(order_of()).carrier_order_number == NUMBER
    second = transport.requests[1]
    data = json.loads(second.body or b"")["data"]
    signed = (second.headers["sign"], APP_KEY, data, second.headers["timestamp"])
    assert signing.is_signed(*signed, signing.public_key(fresh["client_public"]))


def test_keys_that_are_the_same_are_not_tried_again() -> None:
    transport = answering("create", refusal("401", "sign"))
    with pytest.raises(AuthenticationError):
        adapter(transport, reread=account).create(order_of())
    assert len(transport.requests) == 1


# The look-up.


def test_an_order_is_found_by_its_reference() -> None:
    transport = answering("detail", success(ORDER))
    assert isinstance(adapter(transport).find_by_reference(order_of()), Confirmed)
    assert transport.requests[0].safe
    assert isinstance(adapter(answering("detail", success([ORDER]))).find_by_reference(order_of()), Confirmed)


@pytest.mark.parametrize(
    "answer", [success(), success({}), success([]), refusal("404", ""), refusal("8", "订单不存在")]
)
def test_lme_says_that_it_has_no_such_order(answer: Any) -> None:
    assert adapter(answering("detail", answer)).find_by_reference(order_of()) == NotFound()


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        b"{}",
        refusal("500", ""),
        refusal("429", ""),
        TransientError("down"),
        {"code": "0", "data": "not sealed"},
        {"code": "0", "data": signing.seal(b"0", CLIENT_PUBLIC)},
        {"code": "0", "data": signing.seal(b" ", CLIENT_PUBLIC)},
    ],
)
def test_a_look_up_that_did_not_come_through_is_trouble(answer: Any) -> None:
    with pytest.raises(TransientError):
        adapter(answering("detail", answer)).find_by_reference(order_of())


def test_a_look_up_that_is_held_back_says_for_how_long() -> None:
    with pytest.raises(TransientError) as raised:
        adapter(answering("detail", TransientError("down", retry_after=30))).find_by_reference(order_of())
    assert raised.value.retry_after == 30


@pytest.mark.parametrize("answer", [refusal("8", "?"), success({"outOrderNo": "SDK-1"})])
def test_whatever_does_not_say_so_clearly_is_no_answer(answer: Any) -> None:
    assert isinstance(adapter(answering("detail", answer)).find_by_reference(order_of()), Pending)


def test_two_orders_of_one_reference_are_a_mismatch() -> None:
    answer = success([ORDER, ORDER])
    assert isinstance(adapter(answering("detail", answer)).find_by_reference(order_of()), Mismatch)


# Cancel and change.


@pytest.mark.parametrize(
    "answer",
    [
        success({"orderNo": NUMBER, "isTrue": True}),
        success({"isTrue": "true"}),
        success({"isTrue": None}),
        success(),
        refusal("5", "The order is already cancelled"),
        refusal("5", "订单已取消"),
    ],
)
def test_a_cancelled_order_is_cancelled_however_often(answer: Any) -> None:
    transport = answering("cancel", answer)
    assert adapter(transport).cancel(confirmed_order(), at=NOON) == Cancellation()
    expected = {"orderNo": NUMBER, "outOrderNo": "SDK-1", "channel": APP_KEY}
    assert plain(transport.requests[0].body or b"") == expected


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (success({"isTrue": False}), "did not cancel"),
        (refusal("6", "the parcel has been collected"), "collected the parcel"),
        (refusal("6", "order not found"), "does not know"),
        (refusal("6", "operation not permitted"), "not permit"),
        (refusal("6", "no"), "refused"),
    ],
)
def test_the_reasons_not_to_cancel_are_told_apart(answer: Any, says: str) -> None:
    with pytest.raises(RefusedError, match=says) as raised:
        adapter(answering("cancel", answer)).cancel(confirmed_order(), at=NOON)
    assert raised.value.words is not None


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        (success(), None),
        (success({"orderNo": f" {NUMBER.lower()}"}), None),
        (success({"orderNo": "FHE16753011400099"}), "FHE16753011400099"),
        (refusal("6", "the return already exists"), None),
    ],
)
def test_a_return_names_the_order_by_both_numbers(answer: Any, number: str | None) -> None:
    transport = answering("return", answer)
    assert adapter(transport).send_back(confirmed_order()) == number
    assert transport.requests[0].url.endswith("/server/gateway/order/return")
    assert plain(transport.requests[0].body or b"") == {"orderNo": NUMBER, "outOrderNo": "SDK-1"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("the parcel is already delivered", Refusal.ALREADY_CLOSED),
        ("order does not exist", Refusal.UNKNOWN_ORDER),
        ("already cancelled", Refusal.ALREADY_CANCELLED),
        ("no", None),
    ],
)
def test_the_reasons_not_to_send_an_order_back_are_told_apart(message: str, reason: Refusal | None) -> None:
    with pytest.raises(RefusedError) as raised:
        adapter(answering("return", refusal("6", message))).send_back(confirmed_order())
    assert raised.value.reason is reason
    assert raised.value.words is not None


@pytest.mark.parametrize("answer", [HTML, refusal("500", "oops"), refusal("200", "SUCCESS")])
def test_a_return_whose_answer_cannot_be_used_may_have_been_taken(answer: Any) -> None:
    with pytest.raises(UnknownOutcomeError):
        adapter(answering("return", answer)).send_back(confirmed_order())


def test_an_order_without_a_number_cannot_be_sent_back() -> None:
    with pytest.raises(RefusedError):
        adapter(answering("return", success())).send_back(order_of())


def test_a_cancel_that_went_wrong_may_be_sent_again() -> None:
    with pytest.raises(TransientError):
        adapter(answering("cancel", HTML)).cancel(confirmed_order(), at=NOON)


@pytest.mark.parametrize(
    "answer",
    [
        success(ORDER),
        success(ORDER | {"orderNo": f" {NUMBER.lower()}"}),
        success(),
        success({"isTrue": True}),
    ],
)
def test_a_changed_order_keeps_its_number(answer: Any) -> None:
    transport = answering("update", answer)
    confirmed = adapter(transport).update(confirmed_order(ship_to=receiver(city="Officer")))
    assert same_number(confirmed.carrier_order_number, NUMBER)
    assert same_number(confirmed.parcels[0].tracking_number or "", NUMBER)
    body = plain(transport.requests[0].body or b"")
    assert (body["orderNo"], body["receiver"]["city"]) == (NUMBER, "Officer")


def test_a_change_that_lme_refuses_or_answers_oddly() -> None:
    with pytest.raises(RefusedError, match="collected"):
        adapter(answering("update", refusal("6", "already collected"))).update(confirmed_order())
    with pytest.raises(UnknownOutcomeError):
        adapter(answering("update", success({"orderNo": "FHE00000000000009"}))).update(confirmed_order())
    with pytest.raises(UnknownOutcomeError):
        adapter(answering("update", HTML)).update(confirmed_order())
    with pytest.raises(RefusedError):
        adapter().update(order_of())


# Labels.

PDF = base64.b64encode(b"%PDF-1.4 label").decode()


def test_a_label_comes_in_the_answer() -> None:
    transport = answering("label", success({"orderNo": NUMBER, "labelType": "PDF", "labelData": PDF}))
    (label,) = adapter(transport).label(confirmed_order())
    assert (label.reference, label.format, label.content) == ("SDK-1-1", "pdf", b"%PDF-1.4 label")
    assert plain(transport.requests[0].body or b"") == {"orderNo": NUMBER}


def label_at(url: str, *answers: Any, **overrides: Any) -> FakeTransport:
    transport = answering("label", success({"orderNo": NUMBER, "labelUrl": url}))
    transport.script("lme.label_file", *(answers or [b"%PDF-1.4 fetched"]))
    (label,) = adapter(transport, **overrides).label(confirmed_order())
    assert label.content == b"%PDF-1.4 fetched"
    return transport


def test_a_label_at_the_accounts_own_host_is_fetched() -> None:
    transport = label_at("https://lme.example/labels/1.pdf")
    request = transport.requests[1]
    assert (request.method, request.safe, request.public_only) == ("GET", True, False)
    assert request.max_bytes == 10 * 1024 * 1024


def test_a_label_elsewhere_is_fetched_from_named_hosts_on_the_public_internet_alone() -> None:
    transport = label_at("https://cdn.example:8443/1.pdf", label_hosts=["cdn.example:8443"])
    assert transport.requests[1].public_only
    for url in (
        "https://evil.example/1.pdf",
        "http://lme.example/1.pdf",
        "https://lme.example@evil.example/1.pdf",
        "https://lme.example:444/1.pdf",
        "file:///etc/passwd",
        "http://169.254.169.254/latest",
        "https://[::1",
        "//lme.example/1.pdf",
    ):
        with pytest.raises(LabelPendingError):
            label_at(url, label_hosts=["cdn.example:8443"])


@pytest.mark.parametrize(
    "answer",
    [
        success(),
        success({"orderNo": NUMBER}),
        success({"orderNo": NUMBER, "labelData": base64.b64encode(b"<html>busy</html>").decode()}),
        success({"orderNo": NUMBER, "labelData": "%%%"}),
        success({"orderNo": "FHE00000000000001", "labelData": PDF}),
        refusal("30020", "the label is being made"),
        refusal("404", "not found"),
        refusal("500", ""),
        HTML,
        TransientError("down"),
    ],
)
def test_a_label_that_is_none_is_not_ready(answer: Any) -> None:
    with pytest.raises(LabelPendingError):
        adapter(answering("label", answer)).label(confirmed_order())


def test_a_label_file_that_is_not_there_is_not_ready() -> None:
    for answer in (Response(status=404, body=b"%PDF-"), b"<html>", TransientError("down")):
        with pytest.raises(LabelPendingError):
            label_at("https://lme.example/1.pdf", answer)


def test_a_label_that_will_never_come_is_refused() -> None:
    with pytest.raises(RefusedError):
        adapter(answering("label", refusal("5", "order is cancelled"))).label(confirmed_order())
    with pytest.raises(RefusedError):
        adapter(answering("label", refusal("77", "")), errors={"77": {}}).label(confirmed_order())
    kind = {"77": {"kind": "not_ready"}}
    with pytest.raises(LabelPendingError):
        adapter(answering("label", refusal("77", "")), errors=kind).label(confirmed_order())


# Journeys and addresses.

ROUTE = {"orderNo": NUMBER, "eventCode": "sign_in", "eventTime": "2026-11-21 08:00:00", "timeZone": "UTC+10"}


def test_each_number_is_asked_for_once() -> None:
    transport = answering("route_v2", success({"orderRoutes": [ROUTE]}), success([]))
    found = adapter(transport).track([NUMBER, "FHE00000000000001", NUMBER])
    assert [(one.tracking_number, len(one.events)) for one in found] == [
        (NUMBER, 1),
        ("FHE00000000000001", 0),
    ]
    assert [plain(request.body or b"") for request in transport.requests] == [
        {"orderNo": NUMBER},
        {"orderNo": "FHE00000000000001"},
    ]


def test_an_account_may_ask_the_older_route() -> None:
    old = {
        "orderNo": NUMBER,
        "action": "sign_in",
        "operatorTime": "2026-11-21 08:00:00",
        "timeZone": "UTC+10",
    }
    transport = answering("route", success({"orderRoutes": [old]}))
    (found,) = adapter(transport, route="v1").track([NUMBER])
    assert found.events[0].at == datetime(2026, 11, 20, 22, tzinfo=UTC)
    assert plain(transport.requests[0].body or b"") == {"orderNo": NUMBER, "channel": APP_KEY}


def test_a_number_that_lme_does_not_know_has_no_events() -> None:
    (found,) = adapter(answering("route_v2", refusal("9", "does not exist"))).track([NUMBER])
    assert found.events == ()
    with pytest.raises(RefusedError):
        adapter(answering("route_v2", refusal("9", "?"))).track([NUMBER])
    with pytest.raises(TransientError):
        adapter(answering("route_v2", HTML)).track([NUMBER])


def test_events_set_aside_are_counted_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    adapter(answering("route_v2", success([ROUTE, {"eventTime": "Ada Byrd"}]))).track([NUMBER])
    assert "1 tracking events could not be read" in caplog.text
    assert "Ada" not in caplog.text


def test_an_address_is_asked_about_by_full_names() -> None:
    transport = answering("validate_address", success({"isValid": True}))
    assert adapter(transport).validate_address(receiver()).valid
    assert plain(transport.requests[0].body or b"") == {
        "country": "Australia",
        "province": "Victoria",
        "city": "Berwick",
        "postCode": "3806",
        "address": "3 Lakeside Drive",
    }
    with pytest.raises(TransientError):
        adapter(answering("validate_address", success())).validate_address(receiver())


def test_the_accounts_postcodes_answer_without_a_call() -> None:
    check = adapter(deliverable_postcodes={"AU": ["2000"]}).validate_address(receiver())
    assert not check.valid
    assert [(m.pointer, m.code) for m in check.messages] == [("/address/postcode", "not_deliverable")]


# Pushes.


def pushed(fields: Any, *, signed: bool, at: datetime = NOON, **overrides: Any) -> results.WebhookReading:
    data = signing.seal(msgspec.json.encode(fields), CLIENT_PUBLIC)
    timestamp = signing.milliseconds(at)
    sign = signing.signature(APP_KEY, data, timestamp, LME_PRIVATE)
    headers = {"appkey": APP_KEY, "timestamp": timestamp, "sign": sign} if signed else {}
    return adapter(**overrides).verify_webhook(headers, json.dumps({"data": data}).encode())


def test_a_signed_push_is_believed_and_another_says_only_whom_to_ask_about() -> None:
    for signed, trust in ((True, Trust.BELIEVED), (False, Trust.NUDGE)):
        found = pushed({**ROUTE, "outOrderNo": "SDK-1"}, signed=signed)
        assert (found.trust, found.reference) == (trust, "SDK-1")
        assert found.history is not None
        assert (found.history.tracking_number, found.history.events[0].code) == (NUMBER, "sign_in")


def test_how_far_off_the_time_of_a_push_may_be_is_the_accounts() -> None:
    early = NOON - timedelta(minutes=9)
    assert pushed(ROUTE, signed=True, at=early).trust is Trust.NUDGE
    assert pushed(ROUTE, signed=True, at=early, push_tolerance_seconds=600).trust is Trust.BELIEVED


def test_a_push_of_another_channel_says_only_whom_to_ask_about() -> None:
    assert pushed({**ROUTE, "channel": APP_KEY.upper()}, signed=True).trust is Trust.BELIEVED
    found = pushed({**ROUTE, "channel": "another"}, signed=True)
    assert (found.trust, found.reason) == (Trust.NUDGE, "sent for another app key")


def test_a_push_about_nothing_cannot_be_read() -> None:
    found = pushed({"hello": "world"}, signed=True)
    assert (found.trust, found.reason) == (Trust.UNREADABLE, "its content cannot be read")
    found = adapter().verify_webhook({}, b"\xff")
    assert (found.trust, found.reason) == (Trust.UNREADABLE, "cannot be read")

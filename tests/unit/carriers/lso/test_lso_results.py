"""From the platform's answers back to our words: order result, refund, label and tracking."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.errors import (
    AuthenticationError,
    LabelPendingError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.lso import codes
from parcelgate.carriers.results import Confirmed, Failed, Mismatch, NotFound, OrderResult, Pending
from parcelgate.carriers.toolkit.calls import Response
from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.orders import Charge, Order
from parcelgate.domain.problems import CarrierWords
from parcelgate.domain.trackings import TrackingStatus
from tests.support.adapters import NOON, FakeTransport, dollars, lso, lso_account

RESULT, LABEL, LABEL_FILE = "lso.order_result", "lso.label", "lso.label_file"
REFUND, TRACKING, TOKEN = "lso.refund", "lso.tracking", "lso.token"
PDF = b"%PDF-1.4 made up"

Body = Callable[..., dict[str, Any]]


def result(order: Order, *answers: Any, **overrides: Any) -> OrderResult:
    return lso(FakeTransport({RESULT: list(answers)}), **overrides).order_result(order)


@pytest.fixture
def confirmed(order: Order) -> Order:
    parcels = [
        msgspec.structs.replace(parcel, tracking_number=f"ZQ000{place}")
        for place, parcel in enumerate(order.parcels, 1)
    ]
    return msgspec.structs.replace(
        order, parcels=tuple(parcels), carrier_order_number="SYCO0001", price=dollars("12.84")
    )


# Order result.


def test_a_finished_order_is_confirmed_with_everything_the_answer_says(order: Order, body: Body) -> None:
    found = result(order, body("order_result_success"))
    assert isinstance(found, Confirmed)
    assert found.carrier_order_number == "SYCO0001"
    assert [
        (parcel.reference, parcel.tracking_number, parcel.master_tracking_number) for parcel in found.parcels
    ] == [("shop-17-1", "ZQ0001", "ZM0001"), ("shop-17-2", "ZQ0002", "ZM0002")]
    assert found.master_tracking_numbers == ("ZM0001", "ZM0002")
    assert found.price == dollars("12.84")
    assert found.charges == (
        Charge("freight", dollars("12.34")),
        Charge("commission", dollars("0.50")),
    )
    assert (found.details["averagePrice"], found.details["averageFee"]) == ("4.45", "4.46")
    assert found.billable_weight == Weight(Decimal("7.00"), WeightUnit.LB)
    assert (found.details["status"], found.details["piece"]) == ("completed", "2")
    assert (found.details["totalWeightlbs"], found.details["totalWeightkg"]) == ("7.00", "3.18")
    assert "details" not in found.details
    assert found.details["boxes"] == [
        {
            "referenceNo1": "shop-17-1",
            "referenceNo2": "PO 4711",
            "packWeight": "5.50",
            "boxLength": "12.00",
            "boxWidth": "9.50",
            "boxHight": "4.00",
        },
        {
            "referenceNo1": "shop-17-2",
            "packWeight": "0.58",
            "boxLength": "11.81",
            "boxWidth": "7.87",
            "boxHight": "3.94",
        },
    ]


@pytest.mark.parametrize(
    ("amounts", "price"),
    [
        ({}, dollars("12.84")),
        ({"commission": None}, dollars("12.34")),
        ({"commission": "0"}, dollars("12.34")),
        ({"prepaidPrice": None}, None),
    ],
)
def test_the_charges_add_up_to_the_price(
    amounts: dict[str, Any], price: Money | None, order: Order, body: Body
) -> None:
    found = result(order, body("order_result_success", **amounts))
    assert isinstance(found, Confirmed)
    assert found.price == price
    total = sum((charge.amount.amount for charge in found.charges), Decimal(0))
    assert total == (price.amount if price else 0)


def test_it_is_asked_for_by_number_when_that_is_known_else_by_reference(order: Order, body: Body) -> None:
    transport = FakeTransport({RESULT: [body("order_result_success")]})
    carrier = lso(transport)
    carrier.find_by_reference(order)
    carrier.order_result(msgspec.structs.replace(order, carrier_order_number="SYCO0001"))
    asked = [{key: sent[key] for key in sent if "Number" in key} for sent in transport.bodies(RESULT)]
    assert asked == [{"customerNumber": "shop-17"}, {"orderNumber": "SYCO0001"}]
    assert all(request.safe for request in transport.requests)


def test_numbers_may_come_as_numbers_and_more_fields_than_are_known(order: Order, body: Body) -> None:
    answer = body(
        "order_result_success", prepaidPrice=12.34, commission=0.5, orderNumber=17, closeWeightAll=7, extra={}
    )
    found = result(order, answer)
    assert isinstance(found, Confirmed)
    assert (found.price, found.carrier_order_number) == (dollars("12.84"), "17")
    assert found.price is not None
    assert found.price.amount == Decimal("12.84")


def test_one_odd_field_hides_none_of_its_neighbours(order: Order, body: Body) -> None:
    answer = body("order_result_success", prepaidPrice="n/a", masterServiceNumbers=None, closeWeightAll={})
    found = result(order, answer)
    assert isinstance(found, Confirmed)
    assert (found.price, found.master_tracking_numbers) == (None, ())
    assert found.billable_weight == Weight(Decimal("7.00"), WeightUnit.LB)


def test_boxes_are_matched_by_reference_in_whatever_order_they_come(order: Order, body: Body) -> None:
    boxes = body("order_result_success")["data"]["details"]
    found = result(order, body("order_result_success", details=boxes[::-1]))
    assert isinstance(found, Confirmed)
    assert [parcel.tracking_number for parcel in found.parcels] == ["ZQ0001", "ZQ0002"]


@pytest.mark.parametrize(
    ("references", "numbers"),
    [
        ((None, None), ["ZQ0001", "ZQ0002"]),
        (("", "other"), ["ZQ0001", "ZQ0002"]),
        (("shop-17-1", "shop-17-1"), ["ZQ0001", "ZQ0002"]),
        ((None, "shop-17-1"), ["ZQ0002", "ZQ0001"]),
        (("shop-17-2", "other"), ["ZQ0002", "ZQ0001"]),
    ],
)
def test_a_reference_that_names_no_parcel_leaves_the_position(
    references: tuple[str | None, ...], numbers: list[str], order: Order, body: Body
) -> None:
    boxes = body("order_result_success")["data"]["details"]
    for box, reference in zip(boxes, references, strict=True):
        box["referenceNo1"] = reference
    found = result(order, body("order_result_success", details=boxes))
    assert isinstance(found, Confirmed)
    assert [parcel.tracking_number for parcel in found.parcels] == numbers


@pytest.mark.parametrize("boxes", [slice(0, 1), slice(0, 3)])
def test_a_wrong_number_of_boxes_does_not_fit(boxes: slice, order: Order, body: Body) -> None:
    details = body("order_result_success")["data"]["details"]
    details.append(details[0] | {"serviceNumber": "ZQ0003", "referenceNo1": "x"})
    found = result(order, body("order_result_success", details=details[boxes]))
    assert isinstance(found, Mismatch)
    assert found.carrier_order_number == "SYCO0001"


def test_two_boxes_with_one_number_do_not_fit(order: Order, body: Body) -> None:
    details = body("order_result_success")["data"]["details"]
    details[1]["serviceNumber"] = "zq 0001"
    assert isinstance(result(order, body("order_result_success", details=details)), Mismatch)


def test_an_answer_about_another_order_does_not_fit(order: Order, body: Body) -> None:
    numbered = msgspec.structs.replace(order, carrier_order_number="SYCO0001")
    assert isinstance(result(order, body("order_result_success", customerNumber="shop-18")), Mismatch)
    assert isinstance(result(numbered, body("order_result_success", orderNumber="SYCO0002")), Mismatch)
    assert isinstance(result(numbered, body("order_result_failed", orderNumber="SYCO0002")), Mismatch)
    assert isinstance(result(numbered, body("order_result_success", orderNumber="syco 0001")), Confirmed)


@pytest.mark.parametrize(
    "details", [None, [], "?", [{}, {}], [{"serviceNumber": "ZQ0001"}, {"serviceNumber": ""}], [None, 1]]
)
def test_success_without_a_number_for_every_box_is_asked_again(
    details: Any, order: Order, body: Body
) -> None:
    found = result(order, body("order_result_success", details=details))
    assert found == Pending(reason="not every box has a service number", carrier_order_number="SYCO0001")


def test_a_failed_order_says_why(order: Order, body: Body) -> None:
    assert result(order, body("order_result_failed")) == Failed(
        words=CarrierWords("lso", "1001", "no LSO service at this postcode"),
        carrier_order_number="SYCO0001",
    )


@pytest.mark.parametrize("code", [1, 0, 201, 403, 499, 600, 1001, 1777, -1, "1777"])
@pytest.mark.parametrize("data", [{"orderNumber": "SYCO0001"}, {"errorMessage": "no"}])
def test_any_other_code_that_speaks_of_the_order_is_a_failed_order(
    code: int | str, data: dict[str, str], order: Order
) -> None:
    found = result(order, {"code": code, "data": data, "msg": "no"})
    number = data.get("orderNumber")
    assert found == Failed(words=CarrierWords("lso", str(code), "no"), carrier_order_number=number)


SILENT = [None, {}, [], "?", {"orderNumber": "", "errorMessage": None}, {"customerNumber": "shop-17"}]


def unsettled(order: Order, answer: Any) -> Pending:
    """A result that settles nothing: the carrier has not decided, or could not be asked."""
    try:
        found = result(order, answer)
    except TransientError as error:
        return Pending(reason=str(error), words=error.words)
    assert isinstance(found, Pending)
    return found


@pytest.mark.parametrize("code", [1, 0, 201, 429, 499, 600, 1001, 1003, 1115, 1777, -1, "1777", 503])
@pytest.mark.parametrize("data", SILENT)
def test_a_code_that_does_not_speak_of_the_order_is_no_failure(
    code: int | str, data: Any, order: Order
) -> None:
    numbered = msgspec.structs.replace(order, carrier_order_number="SYCO0001")
    for each in (order, numbered):
        found = unsettled(each, {"code": code, "data": data, "msg": "busy"})
        assert found.carrier_order_number in (None, each.carrier_order_number)
        if code != 1115:
            assert found.words == CarrierWords("lso", str(code), "busy")


@pytest.mark.parametrize("code", [429, 1115])
def test_busy_and_label_pending_are_never_failures(code: int, order: Order) -> None:
    unsettled(order, {"code": code, "data": {"orderNumber": "SYCO0001"}})


@pytest.mark.parametrize("code", [1024, "1024"])
def test_1024_is_pending(code: int | str, order: Order) -> None:
    found = result(order, {"code": code, "data": {"orderNumber": "SYCO0001"}})
    assert found == Pending(reason="code 1024", carrier_order_number="SYCO0001")


def test_404_is_not_found(order: Order) -> None:
    assert result(order, {"code": 404, "data": None}) == NotFound()


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 500, "data": None},
        {"code": 599, "data": {"orderNumber": "SYCO0001", "errorMessage": "x"}},
        b"<html>404 Not Found</html>",
        b'{"code": 1001, "data": {"orderNum',
        b'{"timestamp": "2026", "status": 404, "error": "Not Found"}',
        b'{"code": NaN}',
        b"[" * 100_000,
        b"",
        {"code": "failed"},
        {"code": 1001.5},
        TransientError("lso.order_result: ReadError"),
    ],
)
def test_what_cannot_be_asked_or_read_is_asked_again(answer: Any, order: Order) -> None:
    with pytest.raises(TransientError):
        result(order, answer)


def test_the_http_status_is_not_looked_at(order: Order, body: Body) -> None:
    success = msgspec.json.encode(body("order_result_success"))
    assert isinstance(result(order, Response(status=500, body=success)), Confirmed)
    with pytest.raises(TransientError):
        result(order, Response(status=200, body=b"<html>"))


def test_401_renews_the_token(order: Order, body: Body) -> None:
    transport = FakeTransport(
        {
            TOKEN: [{"code": 200, "data": {"token": "tok-2"}}],
            RESULT: [{"code": 401, "data": None}, body("order_result_success")],
        }
    )
    assert isinstance(lso(transport).order_result(order), Confirmed)
    assert transport.calls == [RESULT, TOKEN, RESULT]


@pytest.mark.parametrize(("code", "more"), [(403, {}), (1009, {"token_refused_codes": [1009]})])
def test_403_and_the_accounts_token_codes_renew_the_token_once(
    code: int, more: dict[str, Any], order: Order, body: Body
) -> None:
    transport = FakeTransport(
        {
            TOKEN: [{"code": 200, "data": {"token": "tok-2"}}],
            RESULT: [{"code": code, "data": None}, body("order_result_success")],
        }
    )
    assert isinstance(lso(transport, **more).order_result(order), Confirmed)
    assert transport.calls == [RESULT, TOKEN, RESULT]


@pytest.mark.parametrize("code", [401, 403])
def test_a_token_refused_for_good_is_no_failed_order(code: int, order: Order) -> None:
    transport = FakeTransport({TOKEN: [{"code": 200, "data": {"token": "t"}}], RESULT: [{"code": code}]})
    with pytest.raises(AuthenticationError):
        lso(transport).order_result(order)


def test_a_status_word_of_the_accounts_table_is_a_failure(order: Order, body: Body) -> None:
    answer = body("order_result_success", status="Void_Ed")
    found = result(order, answer, failure_statuses=["VOID ED"])
    assert found == Failed(
        words=CarrierWords("lso", "Void_Ed", "订单下单已完成!"), carrier_order_number="SYCO0001"
    )
    assert isinstance(result(order, answer), Confirmed)


def test_resending_after_not_found_is_off_unless_the_account_allows_it() -> None:
    assert not lso(FakeTransport()).may_resend
    assert lso(FakeTransport(), resend_when_not_found=True).may_resend


# Refund.


def test_a_refund_is_requested_and_may_be_asked_for_twice(confirmed: Order) -> None:
    transport = FakeTransport({REFUND: [{"code": 200, "data": None}]})
    carrier = lso(transport)
    first, second = carrier.cancel(confirmed, at=NOON), carrier.cancel(confirmed, at=NOON)
    assert first == second
    assert (first.refund_status, first.amount) == ("requested", dollars("12.84"))
    assert transport.bodies(REFUND)[0]["orderNumber"] == "SYCO0001"
    assert transport.requests[0].safe


def test_a_refund_is_shown_as_the_account_has_it(confirmed: Order) -> None:
    carrier = lso(FakeTransport({REFUND: [{"code": 200}]}), refund_status="confirmed")
    assert carrier.cancel(confirmed, at=NOON).refund_status == "confirmed"


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 500},
        {"code": 1024},
        {"code": 1115},
        {"code": 429, "msg": "slow down"},
        {"code": 0},
        b"<html>",
    ],
)
def test_a_refund_without_a_clear_answer_is_tried_again(answer: Any, confirmed: Order) -> None:
    with pytest.raises(TransientError):
        lso(FakeTransport({REFUND: [answer]})).cancel(confirmed, at=NOON)


def test_a_refused_refund_says_why(confirmed: Order) -> None:
    with pytest.raises(RefusedError) as caught:
        lso(FakeTransport({REFUND: [{"code": 1006, "msg": "delivered"}]})).cancel(confirmed, at=NOON)
    assert caught.value.words == CarrierWords("lso", "1006", "delivered")


def test_an_order_without_a_number_cannot_be_refunded(order: Order) -> None:
    with pytest.raises(RefusedError):
        lso(FakeTransport()).cancel(order, at=NOON)


# Label.


def in_base64(*documents: bytes, numbers: tuple[str | None, ...] = ("ZQ0001", "ZQ0002")) -> dict[str, Any]:
    labels = [
        {"serviceNumber": number, "labelBase64": base64.b64encode(document).decode()}
        for number, document in zip(numbers, documents, strict=True)
    ]
    return {"code": 200, "data": {"labels": labels}}


def label_of(order: Order, *answers: Any, **overrides: Any) -> list[tuple[str, str, bytes]]:
    files = lso(FakeTransport({LABEL: list(answers)}), **overrides).label(order)
    return [(file.reference, file.format, file.content) for file in files]


def test_labels_come_in_parcel_order(confirmed: Order) -> None:
    answer = in_base64(PDF + b"2", PDF + b"1", numbers=("zq 0002", "ZQ0001"))
    assert label_of(confirmed, answer) == [
        ("shop-17-1", "pdf", PDF + b"1"),
        ("shop-17-2", "pdf", PDF + b"2"),
    ]


def test_labels_without_any_number_go_by_position(confirmed: Order) -> None:
    answer = in_base64(PDF + b"1", PDF + b"2", numbers=(None, None))
    assert [content for _, _, content in label_of(confirmed, answer)] == [PDF + b"1", PDF + b"2"]


def test_base64_may_be_broken_into_lines_or_a_data_url(confirmed: Order) -> None:
    answer = in_base64(PDF * 20, PDF)
    first, second = answer["data"]["labels"]
    first["labelBase64"] = "\n".join(first["labelBase64"][at : at + 76] for at in range(0, 1000, 76))
    second["labelBase64"] = "data:application/pdf;base64," + second["labelBase64"]
    assert [content for _, _, content in label_of(confirmed, answer)] == [PDF * 20, PDF]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7", "pdf"),
        (b"\x89PNG\r\n\x1a\n.", "png"),
        (b"\xff\xd8\xff\xe0", "jpg"),
        (b"\r\n^XA^XZ", "zpl"),
    ],
)
def test_the_first_bytes_say_what_a_document_is(content: bytes, kind: str, confirmed: Order) -> None:
    assert {found for _, found, _ in label_of(confirmed, in_base64(content, content))} == {kind}


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 1115, "data": None, "msg": "标签正在下载"},
        {"code": 1024, "data": None},
        {"code": 503},
        {"code": 429, "msg": "slow down"},
        {"code": 0, "data": None},
        b"<html>",
        TransientError("lso.label: ReadTimeout"),
        {"code": 200, "data": {}},
        {"code": 200, "data": {"labels": {"0": "x"}}},
        in_base64(PDF, numbers=("ZQ0001",)),
        in_base64(PDF, PDF, PDF, numbers=("ZQ0001", "ZQ0002", "ZQ0003")),
        in_base64(PDF, PDF, numbers=("ZQ0001", "ZQ0001")),
        in_base64(PDF, PDF, numbers=("ZQ0001", None)),
        in_base64(PDF, b"<html>no label</html>"),
        in_base64(PDF, b""),
        in_base64(PDF, b"%PDF-" + bytes(10 * 1024 * 1024)),
        {"code": 200, "data": {"labels": [{"serviceNumber": "ZQ0001", "labelBase64": "###"}, {}]}},
    ],
)
def test_whatever_is_not_one_real_document_for_each_parcel_is_not_ready(
    answer: Any, confirmed: Order
) -> None:
    with pytest.raises((LabelPendingError, TransientError)):
        label_of(confirmed, answer)


def test_a_refused_label_says_why(confirmed: Order) -> None:
    with pytest.raises(RefusedError) as caught:
        label_of(confirmed, {"code": 1006, "err": "refunded"})
    assert caught.value.words == CarrierWords("lso", "1006", "refunded")


def from_address(
    order: Order,
    url: str,
    document: Any = PDF,
    *,
    base_url: str = "https://platform.example/base",
    **more: Any,
) -> FakeTransport:
    labels = [{"serviceNumber": parcel.tracking_number, "labelUrl": url} for parcel in order.parcels]
    answer = {"code": 200, "data": {"labels": labels}}
    transport = FakeTransport({LABEL: [answer], LABEL_FILE: [document]})
    lso(transport, account=lso_account(base_url=base_url, overrides=more)).label(order)
    return transport


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("https://platform.example/files/1.pdf?sig=x", "https://platform.example/base"),
        ("https://platform.example:443/1.pdf", "https://platform.example"),
        ("http://127.0.0.1:8123/lso/labels/1.pdf", "http://127.0.0.1:8123/lso"),
    ],
)
def test_a_label_is_fetched_from_the_accounts_own_host(url: str, base_url: str, confirmed: Order) -> None:
    transport = from_address(confirmed, url, base_url=base_url)
    assert transport.calls == [LABEL, LABEL_FILE, LABEL_FILE]
    request = transport.requests[1]
    assert (request.method, request.url, request.body) == ("GET", url, None)
    assert (request.public_only, request.max_bytes) == (False, 10 * 1024 * 1024)


@pytest.mark.parametrize("host", ["cdn.example", "cdn.example:8443"])
def test_a_label_host_of_the_account_must_be_on_the_public_internet(host: str, confirmed: Order) -> None:
    transport = from_address(confirmed, f"https://{host}/1.pdf", label_hosts=[host])
    assert transport.requests[1].public_only


@pytest.mark.parametrize(
    "url",
    [
        "http://platform.example/1.pdf",
        "https://elsewhere.example/1.pdf",
        "https://platform.example.evil.example/1.pdf",
        "https://platform.example@evil.example/1.pdf",
        "https://user@platform.example/1.pdf",
        "https://platform.example:6379/1.pdf",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "//platform.example/1.pdf",
        "https://[bad/1.pdf",
        "https://platform.example:notaport/1.pdf",
        "",
    ],
)
def test_a_label_at_any_other_address_is_not_fetched(url: str, confirmed: Order) -> None:
    transport = FakeTransport()
    with pytest.raises(LabelPendingError):
        from_address(confirmed, url, AssertionError("fetched"))
    assert transport.calls == []


@pytest.mark.parametrize(
    "document",
    [
        b"<html>",
        Response(status=302, headers={"location": "https://evil.example"}, body=PDF),
        Response(status=404, body=PDF),
        TransientError("lso.label_file: the answer is too long"),
    ],
)
def test_a_fetched_document_that_is_no_label_is_not_ready(document: Any, confirmed: Order) -> None:
    with pytest.raises(LabelPendingError):
        from_address(confirmed, "https://platform.example/1.pdf", document)


# Tracking.


def test_journeys_come_in_the_order_asked_for_and_odd_records_are_set_aside(
    body: Body, caplog: pytest.LogCaptureFixture
) -> None:
    carrier = lso(FakeTransport({TRACKING: [body("tracking_answer")]}))
    first, second, third = carrier.track(["ZQ0001", "ZQ0002", "ZQ0003"])
    assert [event.status for event in first.events] == [TrackingStatus.DELIVERED]
    assert first.events[0].at == datetime(2026, 11, 22, 20, 5, tzinfo=UTC)
    assert (first.events[0].utc_offset, first.events[0].at_is_local) == ("-06:00", False)
    out, sorted_at_hub = second.events
    assert (out.status, out.code, out.place) == (
        TrackingStatus.OUT_FOR_DELIVERY,
        "Out for Delivery",
        "Austin, TX",
    )
    assert (out.at, out.at_is_local) == (datetime(2026, 11, 22, 8, 15, tzinfo=UTC), True)
    assert (sorted_at_hub.status, sorted_at_hub.code) == (None, "Sorted at hub 3")
    assert third.events == ()
    assert "2 tracking records could not be read" in caplog.text
    assert "ZQ0001" not in caplog.text


def test_a_journey_of_a_parcel_that_was_not_asked_about_comes_behind_those_that_were(body: Body) -> None:
    carrier = lso(FakeTransport({TRACKING: [body("tracking_answer")]}))
    ours, stranger = carrier.track(["zq 0001"])
    assert (ours.tracking_number, len(ours.events)) == ("zq 0001", 1)
    assert (stranger.tracking_number, len(stranger.events)) == ("ZQ0002", 2)


def test_a_time_without_a_zone_is_read_in_the_accounts(body: Body) -> None:
    carrier = lso(FakeTransport({TRACKING: [body("tracking_answer")]}), default_time_zone="America/Chicago")
    (_, history) = carrier.track(["ZQ0001", "ZQ0002"])
    assert history.events[0].at == datetime(2026, 11, 22, 14, 15, tzinfo=UTC)
    assert history.events[0].at_is_local


def test_at_most_thirty_numbers_are_asked_about_at_once() -> None:
    transport = FakeTransport({TRACKING: [{"code": 200, "data": {"tracks": []}}]})
    numbers = [f"ZQ{place:04}" for place in range(65)]
    found = lso(transport).track([*numbers, "ZQ0000"])
    assert [history.tracking_number for history in found] == numbers
    assert [len(sent["serviceNumbers"]) for sent in transport.bodies(TRACKING)] == [30, 30, 5]


WORDS = [
    ("Label created", TrackingStatus.INFO_RECEIVED),
    ("Picked up", TrackingStatus.IN_TRANSIT),
    ("In transit", TrackingStatus.IN_TRANSIT),
    ("Out for delivery", TrackingStatus.OUT_FOR_DELIVERY),
    ("Attempted", TrackingStatus.ATTEMPT_FAILED),
    ("Attempted delivery", TrackingStatus.ATTEMPT_FAILED),
    ("Delivery attempted", TrackingStatus.ATTEMPT_FAILED),
    ("Delivered", TrackingStatus.DELIVERED),
    ("Exception", TrackingStatus.EXCEPTION),
    ("Delivery exception", TrackingStatus.EXCEPTION),
    ("Returned", TrackingStatus.RETURNED),
    ("Returned to sender", TrackingStatus.RETURNED),
]


def test_the_table_has_twelve_words() -> None:
    assert len(WORDS) == len(codes.TRACKING_STATUSES) == 12
    assert {codes.plain(word): status for word, status in WORDS} == codes.TRACKING_STATUSES


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *WORDS,
        ("IN_TRANSIT", TrackingStatus.IN_TRANSIT),
        ("out-for-delivery", TrackingStatus.OUT_FOR_DELIVERY),
        ("Vaporised", TrackingStatus.LOST),
        ("undelivered", None),
        ("delivered?", None),
        ("已签收", None),
        ("", None),
    ],
)
def test_only_known_words_have_a_status(word: str, status: TrackingStatus | None) -> None:
    event = {"time": "2026-11-22 08:15:00", "status": word}
    answer = {"code": 200, "data": {"tracks": [{"serviceNumber": "Z", "events": [event]}]}}
    carrier = lso(FakeTransport({TRACKING: [answer]}), tracking_statuses={"vaporised": "lost"})
    (history,) = carrier.track(["Z"])
    assert (history.events[0].status, history.events[0].code) == (status, word)


def test_an_event_with_seven_digits_of_a_second_and_no_description_is_one() -> None:
    event = {"time": "2026-11-22T08:15:00.1234567Z", "status": "in transit", "description": None}
    answer = {"code": 200, "data": {"tracks": [{"serviceNumber": "Z", "events": [event]}]}}
    (history,) = lso(FakeTransport({TRACKING: [answer]})).track(["Z"])
    (read,) = history.events
    assert read.at == datetime(2026, 11, 22, 8, 15, 0, 123456, tzinfo=UTC)
    assert (read.status, read.description) == (TrackingStatus.IN_TRANSIT, "in transit")
    assert (history.signed_by, history.estimated_delivery) == (None, None)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"code": 1777, "msg": "no"}, RefusedError),
        ({"code": 429, "msg": "slow down"}, TransientError),
        ({"code": 0, "data": None}, TransientError),
        (b"", TransientError),
    ],
)
def test_a_tracking_call_that_fails_is_classed(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        lso(FakeTransport({TRACKING: [answer]})).track(["Z"])
    assert not isinstance(caught.value, UnknownOutcomeError)

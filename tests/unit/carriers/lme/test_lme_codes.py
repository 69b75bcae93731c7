"""Each code of the given table, its status and whether the recipient sees it."""

import pytest

from parcelgate.carriers.lme import codes
from parcelgate.carriers.lme.settings import ErrorKind, ErrorMeaning

# The given table, row by row: code, Y under "shown", the status that we give it.
ROWS = [
    ("create_order", "Y", "info_received"),
    ("collect_order", "Y", "in_transit"),
    ("update_order", "", None),
    ("deliver_in_warehose", "Y", "in_transit"),
    ("exception_order", "", "exception"),
    ("damage_order", "", "damaged"),
    ("order_sorting_finish", "", None),
    ("out_warehorse_2", "Y", "out_for_delivery"),
    ("exception_change_data_1", "Y", "attempt_failed"),
    ("exception_reject", "Y", "exception"),
    ("exception_withdrawing_re_in_warehouse", "Y", "returning"),
    ("exception_lose", "Y", "lost"),
    ("damage_warehouse_out", "", "damaged"),
    ("refund_warehouse_out", "", "returning"),
    ("sign_in", "Y", "delivered"),
    ("sign_image", "Y", "delivered"),
    ("navigation_or_address_error", "Y", "exception"),
    ("recipient_address_pobox", "Y", "exception"),
    ("no_safe_no_way_contact", "Y", "attempt_failed"),
    ("user_request_for_time_change", "Y", "attempt_failed"),
    ("exception_breakage", "Y", "damaged"),
    ("exception_lose", "Y", "lost"),
    ("order_oversize", "Y", "exception"),
    ("lost", "Y", "lost"),
    ("modify_sign_in", "Y", "delivered"),
    ("reassign", "Y", "attempt_failed"),
    ("transport_order", "Y", "in_transit"),
    ("transport_order_v2", "Y", None),
    ("to_be_delivered", "Y", "in_transit"),
    ("allocate_order", "Y", "in_transit"),
    ("block_remove_package", "", None),
    ("block_remove_package_abnormal_remark", "", "exception"),
    ("allocate_wait_out", "Y", "in_transit"),
    ("allocate_out", "Y", "in_transit"),
    ("allocate_in", "Y", None),
    ("order_sorting_finish", "Y", None),
]
SEEN_ELSEWHERE = [("in_warehorse", "", "in_transit"), ("exception_redeliver", "", "attempt_failed")]


def test_the_table_has_36_rows_of_34_codes() -> None:
    assert len(ROWS) == 36
    assert len({code for code, *_ in ROWS}) == 34
    assert set(codes.ACTIONS) == {code for code, *_ in ROWS + SEEN_ELSEWHERE}


@pytest.mark.parametrize(("code", "shown", "status"), ROWS + SEEN_ELSEWHERE)
def test_each_code_has_its_status(code: str, shown: str, status: str) -> None:
    action = codes.action(code)
    assert action is not None
    assert action.status == status
    # A code that stands twice is shown when either of its rows says so.
    assert action.shown is any(row[1] == "Y" for row in ROWS + SEEN_ELSEWHERE if row[0] == code)


def test_sub_statuses_are_the_contracts() -> None:
    known = {
        "arrived_at_hub", "at_delivery_facility", "in_destination_country", "customs_cleared", "dispatched",
        "left_airport", "customs_hold", "refused", "unclaimed", "address_problem", "rescheduled", "oversize",
    }  # fmt: skip
    assert {action.sub_status for action in codes.ACTIONS.values()} - {None} <= known


@pytest.mark.parametrize("code", ["", "signed", "out_warehouse_2", "deliver_in_warehouse", "sign_in_2"])
def test_an_unknown_code_is_never_guessed(code: str) -> None:
    assert codes.action(code) is None


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("401", "", ErrorKind.AUTHENTICATION),
        ("1", "验签失败", ErrorKind.AUTHENTICATION),
        ("1", "Invalid signature", ErrorKind.AUTHENTICATION),
        ("500", "", ErrorKind.UNKNOWN),
        ("599", "", ErrorKind.UNKNOWN),
        ("5000", "", ErrorKind.REFUSED),
        ("200", "SUCCESS", ErrorKind.UNKNOWN),
        ("429", "", ErrorKind.TRANSIENT),
        ("404", "", ErrorKind.NOT_FOUND),
        ("7", "outOrderNo A already exists", ErrorKind.DUPLICATE),
        ("7", "outOrderNo exists", ErrorKind.DUPLICATE),
        ("7", "Order does not exist", ErrorKind.NOT_FOUND),
        ("7", "The order doesn't exist", ErrorKind.NOT_FOUND),
        ("7", "sign verify failed", ErrorKind.AUTHENTICATION),
        ("7", "timestamp expired", ErrorKind.AUTHENTICATION),
        ("7", "订单不存在", ErrorKind.NOT_FOUND),
        ("7", "The order is already cancelled", ErrorKind.CANCELLED),
        ("7", "The parcel has been collected", ErrorKind.CLOSED),
        ("7", "cargo too heavy", ErrorKind.REFUSED),
    ],
)
def test_a_code_of_no_table_goes_by_its_look_and_its_words(code: str, message: str, kind: ErrorKind) -> None:
    assert codes.meaning(code, message, {}).kind is kind


def test_the_accounts_own_table_comes_first() -> None:
    table = {"404": ErrorMeaning(ErrorKind.CLOSED), "7": ErrorMeaning(pointer="/ship_to/city")}
    assert codes.meaning("404", "", table).kind is ErrorKind.CLOSED
    assert codes.meaning("7", "already exists", table).pointer == "/ship_to/city"


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("outOrderNo must not be blank", "/reference"),
        ("参数错误: receiver.city is required", "/ship_to/city"),
        ("poster.contact不能为空", "/ship_from/name"),
        ("postCode 0000 is not in the delivery range", "/ship_to/postcode"),
        ("receiver.postCode wrong", "/ship_to/postcode"),
        ("totalLength must be at most 2", "/parcels/0/dimensions/length"),
        ("orderNo is not of ours", "/parcels/0/tracking_number"),
        ("the address in this city cannot be found", None),
        ("system error", None),
    ],
)
def test_a_refusal_that_names_a_field_points_at_it(text: str, pointer: str | None) -> None:
    assert codes.pointer_in(text) == pointer

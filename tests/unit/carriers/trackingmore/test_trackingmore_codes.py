"""Every status and every sub-status, and what it means."""

import pytest

from parcelgate.carriers.trackingmore import codes
from parcelgate.carriers.trackingmore.codes import Kind

# Their word, our status, our sub-status.
STATUSES = [
    ("pending", "pending", None),
    ("notfound", "pending", None),
    ("transit", "in_transit", None),
    ("pickup", "out_for_delivery", None),
    ("delivered", "delivered", None),
    ("undelivered", "attempt_failed", None),
    ("exception", "exception", None),
    ("expired", "expired", None),
    ("inforeceived", "info_received", None),
]
SUB_STATUSES = [
    ("notfound001", "info_received", None),
    ("notfound002", "pending", None),
    ("inforeceived001", "info_received", None),
    ("transit001", "in_transit", None),
    ("transit002", "in_transit", "arrived_at_hub"),
    ("transit003", "in_transit", "at_delivery_facility"),
    ("transit004", "in_transit", "in_destination_country"),
    ("transit005", "in_transit", "customs_cleared"),
    ("transit006", "in_transit", "dispatched"),
    ("transit007", "in_transit", "left_airport"),
    ("pickup001", "out_for_delivery", None),
    ("pickup002", "available_for_pickup", None),
    ("pickup003", "out_for_delivery", None),
    ("delivered001", "delivered", None),
    ("delivered002", "delivered", None),
    ("delivered003", "delivered", None),
    ("delivered004", "delivered", None),
    ("undelivered001", "attempt_failed", "address_problem"),
    ("undelivered002", "attempt_failed", None),
    ("undelivered003", "attempt_failed", None),
    ("undelivered004", "attempt_failed", None),
    ("exception001", "exception", None),
    ("exception002", "exception", None),
    ("exception003", "exception", None),
    ("exception004", "exception", "unclaimed"),
    ("exception005", "exception", None),
    ("exception006", "exception", "customs_hold"),
    ("exception007", "exception", None),
    ("exception008", "cancelled", None),
    ("exception009", "exception", "refused"),
    ("exception010", "returned", None),
    ("exception011", "returning", None),
    ("expired001", "expired", None),
]


def test_the_tables_have_nine_statuses_and_thirty_three_sub_statuses() -> None:
    assert len(STATUSES) == 9
    assert len(SUB_STATUSES) == 33
    assert set(codes.STATUSES) == {word for word, *_ in STATUSES}
    assert set(codes.SUB_STATUSES) == {word for word, *_ in SUB_STATUSES}


@pytest.mark.parametrize(("word", "status", "sub_status"), STATUSES + SUB_STATUSES)
def test_each_word_has_its_meaning_wherever_it_stands(word: str, status: str, sub_status: str | None) -> None:
    assert codes.meaning(word) == (status, sub_status)
    assert codes.meaning(None, word) == (status, sub_status)
    assert codes.meaning(codes.family(word), word) == (status, sub_status)


@pytest.mark.parametrize("word", ["not found001", "Not Found001", "not_found001", " notfound001 "])
def test_info_received_is_understood_in_every_spelling(word: str) -> None:
    assert codes.meaning("notfound", word).status == "info_received"


@pytest.mark.parametrize("word", ["", None, "returned", "transits", "in transit", "deliver", "001", "取件"])
def test_a_word_of_no_table_is_never_guessed(word: str | None) -> None:
    assert codes.meaning(word).status is None
    assert codes.meaning(word, word).status is None


def test_an_unknown_number_of_a_known_status_is_that_status() -> None:
    assert codes.meaning("pending", "pending002").status == "pending"
    assert codes.meaning(None, "transit099").status == "in_transit"


def test_a_sub_status_of_another_status_does_not_count() -> None:
    assert codes.meaning("delivered", "transit004") == ("delivered", None)
    assert codes.meaning("blocked", "transit004").status is None


@pytest.mark.parametrize(
    "text",
    [
        "Ready for collection at the post office",
        "Your parcel is ready to be picked up",
        "Available for pickup",
        "AWAITING CUSTOMER COLLECTION",
        "Held at 7-Eleven for pick-up",
        "It can now be collected",
        "快件待取",
    ],
)
def test_pickup_is_ready_to_collect_when_the_text_says_so(text: str) -> None:
    assert codes.meaning("pickup", None, text).status == "available_for_pickup"
    assert codes.meaning("pickup", "pickup001", text).status == "available_for_pickup"
    assert codes.meaning("transit", None, text).status == "in_transit"


@pytest.mark.parametrize(
    "text", ["", "Out for delivery", "Not yet ready for collection", "Picked up by courier"]
)
def test_pickup_is_out_for_delivery_otherwise(text: str) -> None:
    assert codes.meaning("pickup", None, text).status == "out_for_delivery"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("The package is damaged", "damaged"),
        ("Package lost in transit", "lost"),
        ("The package is damaged, lost or discarded", "exception"),
        ("Discarded", "exception"),
        ("", "exception"),
        ("包裹丢失", "lost"),
        ("包裹破损", "damaged"),
    ],
)
def test_damaged_or_lost_is_told_when_the_text_says_which(text: str, status: str) -> None:
    assert codes.meaning("exception", "exception007", text).status == status
    assert codes.meaning("exception", "exception005", text).status == "exception"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, Kind.DONE) for code in ("200", "201")),
        ("202", Kind.PARTLY),
        *((code, Kind.AUTHENTICATION) for code in ("401", "403", "4001", "4002")),
        ("429", Kind.TOO_MANY),
        *((code, Kind.TRANSIENT) for code in ("500", "503", "511", "599")),
        ("4016", Kind.FOLLOWED),
        *((code, Kind.NOT_FOLLOWED) for code in ("404", "4017", "4031")),
        *((code, Kind.REFUSED) for code in ("402", "405", "409", "4012", "4013", "4014", "4015", "4018")),
        *((code, Kind.REFUSED) for code in ("4019", "4020", "4021", "4032", "4033", "5000", "7", "", "no")),
    ],
)
def test_each_code_is_classed(code: str, kind: Kind) -> None:
    assert codes.kind(code) is kind

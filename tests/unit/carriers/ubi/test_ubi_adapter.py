"""UBI's calls: how they are signed and sent, and what every answer means."""

import base64
from typing import Any

import msgspec
import pytest

from parcelgate.carriers import errors, port
from parcelgate.carriers.errors import (
    AccountError,
    AuthenticationError,
    CarrierError,
    PartlyRefusedError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Cancellation, Confirmed, Mismatch, NotFound, Pending, Service
from parcelgate.carriers.toolkit.calls import Response
from parcelgate.carriers.ubi import PROFILE, client
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import CarrierWords, FieldError, Notice
from tests.unit.carriers.ubi.orders import (
    NOON,
    Body,
    ScriptedTransport,
    account,
    adapter,
    body,
    example,
    fixture,
    order_of,
)

SHIPPER = "http://qa.etowertech.com/services/shipper"
ERROR = {"code": 120011, "message": "postcode is required"}


def success(order: Order, **changes: Any) -> Body:
    pieces = [
        {"status": "Success", "referenceNo": one.reference, "orderId": f"O{n}", "trackingNo": f"T{n}"}
        for n, one in enumerate(order.parcels)
    ]
    return {
        "status": "Success",
        "errors": None,
        "warnings": None,
        "orderId": "M",
        "referenceNo": order.reference,
        "trackingNo": "T",
        "piecesResult": pieces if len(pieces) > 1 else [],
        **changes,
    }


def failure(reference: str | None, *errors: Body) -> Body:
    return {
        "status": "Failed",
        "errors": [*errors],
        "orderId": None,
        "referenceNo": reference,
        "trackingNo": None,
    }


def found(order: Order, **changes: Any) -> Body:
    """What `queryorders` tells of an order that is ours."""
    told = {
        **success(order),
        "serviceCode": order.service,
        "recipientName": order.ship_to.name,
        "addressLine1": order.ship_to.line1,
        "city": order.ship_to.city,
        "postcode": order.ship_to.postcode,
        "country": order.ship_to.country,
    }
    told["pieces"] = told.pop("piecesResult")
    return {"status": "Success", "errors": None, "order": {**told, "status": "Created", **changes}}


def answer(*data: Any, status: str = "Success", errors: Any = None) -> Body:
    return {"status": status, "errors": errors, "data": [*data], "warnings": None}


def created(*answers: Any, content: Body | None = None, **config: Any) -> Confirmed:
    transport = ScriptedTransport(*answers)
    return adapter(transport, account(**config)).create(order_of(content or body()))


def numbered(count: int = 1) -> Order:
    """An order that UBI has confirmed."""
    content = body(count, carrier_order_number="M", master_tracking_numbers=["T"] if count > 1 else [])
    for number, one in enumerate(content["parcels"]):
        one |= {"carrier_parcel_number": f"O{number}", "tracking_number": f"T{number}"}
    return order_of(content)


# Sending.


def test_a_create_is_one_signed_post_of_a_list() -> None:
    transport = ScriptedTransport(answer(success(order_of(body()))))
    adapter(transport).create(order_of(body()))
    (request,) = transport.requests
    assert (request.call, request.method, request.safe) == ("ubi.orders", "POST", False)
    assert request.url == f"{SHIPPER}/orders"
    signed = client.signed_headers("made-up-token", "made-up-secret", "POST", request.url, NOON)
    json = {"Accept": "application/json", "Content-Type": "application/json"}
    assert request.headers == {**signed, **json}
    assert [sent["referenceNo"] for sent in transport.sent] == ["shop-17"]


@pytest.mark.parametrize(
    ("base", "called"),
    [
        ("http://QA.etowertech.com:80/", "http://qa.etowertech.com/services"),
        ("https://us.etowertech.com:443", "https://us.etowertech.com/services"),
        ("http://127.0.0.1:8181/ubi", "http://127.0.0.1:8181/ubi/services"),
    ],
)
def test_what_is_signed_is_what_is_called(base: str, called: str) -> None:
    transport = ScriptedTransport(answer())
    adapter(transport, account(base_url=base)).services()
    (request,) = transport.requests
    assert request.url == f"{called}/shipper/service-catalog"
    date = request.headers["X-WallTech-Date"]
    assert request.headers["Authorization"].endswith(
        client.signature("made-up-secret", "GET", date, request.url)
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": None},
        {"base_url": "qa.etowertech.com"},
        {"base_url": "http://h/?q=1"},
        {"base_url": "http://[x"},
        {"credentials": {"token": "t"}},
        {"overrides": {"unknown": 1}},
        {"overrides": {"paths": {"orders": "no-slash"}}},
        {"overrides": {"default_time_zone": "Nowhere"}},
    ],
)
def test_an_account_that_cannot_be_used_is_told_without_its_secrets(wrong: Body) -> None:
    config = msgspec.structs.replace(account(), **wrong)
    with pytest.raises(AccountError) as raised:
        adapter(ScriptedTransport(b""), config).services()
    assert "made-up-secret" not in str(raised.value)


def test_an_account_may_have_paths_and_settings_of_its_own() -> None:
    order = order_of(body(2))
    transport = ScriptedTransport(answer(success(order)))
    overrides = {"paths": {"orders": "/v2/orders"}, "master_repeats_first_piece": True, "max_weight_kg": 20.5}
    adapter(transport, account(overrides=overrides)).create(order)
    assert transport.requests[0].url == "http://qa.etowertech.com/v2/orders"
    assert len(transport.sent[0]["orderItems"]) == 1


# Creating.


def test_the_given_answer_confirms_the_given_order() -> None:
    content = example("ubi-four-pieces")
    content["reference"] = "MAC20220411010121"
    for number, one in enumerate(content["parcels"], 1):
        one["reference"] = f"MAC20220411010121-{number}"
    confirmed = created(fixture("create_answer"), content=content)
    assert confirmed.carrier_order_number == "loMIAw32B4aZRbOseBdrBQ"
    assert len(confirmed.parcels) == 4


@pytest.mark.parametrize("word", ["Success", "Succeeded", "SUCCESS", "success "])
def test_a_success_is_told_in_several_words(word: str) -> None:
    told = answer(success(order_of(body()), status=word), status=word)
    assert created(told).carrier_order_number == "M"


@pytest.mark.parametrize("word", ["Failed", "Failure", "failed", "FAILURE"])
def test_so_is_a_failure(word: str) -> None:
    with pytest.raises(RefusedError) as raised:
        created(answer(failure("shop-17", ERROR) | {"status": word}, status=word))
    assert raised.value.words == CarrierWords("ubi", "120011", "postcode is required")
    expected = FieldError("/ship_to/postcode", "refused_by_carrier", "postcode is required")
    assert raised.value.errors == (expected,)


def test_new_fields_and_odd_types_beside_what_counts_are_passed_over() -> None:
    told = success(order_of(body()), connoteId={"odd": 1}, extraProperty="odd", warnings="late", brandNew=[1])
    confirmed = created({**answer(told), "anotherNew": {}})
    assert confirmed.details == {}
    assert [warning.message for warning in confirmed.warnings] == ["late"]


@pytest.mark.parametrize("errors", [ERROR, [ERROR], [{**ERROR, "code": "120011"}]])
def test_errors_may_be_a_list_or_an_object_their_codes_numbers_or_text(errors: Any) -> None:
    with pytest.raises(RefusedError) as raised:
        created(answer({**failure("shop-17"), "errors": errors}, status="Failed"))
    assert raised.value.errors[0].pointer == "/ship_to/postcode"


def test_a_failure_as_a_whole_with_null_data_is_that_of_the_only_order() -> None:
    with pytest.raises(RefusedError) as raised:
        created({"status": "Failed", "errors": [{"code": 100013, "message": "bad service"}], "data": None})
    assert raised.value.errors[0].pointer == "/service"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (100000, TransientError),
        (100004, TransientError),
        (100002, AuthenticationError),
        (100001, RefusedError),
        (120053, RefusedError),
        (190033, RefusedError),
        (400001, RefusedError),
        (999999, RefusedError),
        (None, RefusedError),
        (500, UnknownOutcomeError),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_an_error_is_classed_by_its_code_wherever_it_stands(
    code: Any, kind: type[CarrierError], inside: bool
) -> None:
    error = {"code": code, "message": "words"}
    whole = {"status": "Failed", "errors": [error], "data": None}
    with pytest.raises(CarrierError) as raised:
        created(answer(failure("shop-17", error), status="Failed") if inside else whole)
    assert type(raised.value) is kind
    assert raised.value.words == CarrierWords("ubi", str(code or ""), "words")


@pytest.mark.parametrize(
    ("code", "pointer"),
    [
        ("110002", "/reference"),
        ("110005", "/ship_to/name"),
        ("110020", "/ship_from/phone"),
        ("120034", "/ship_to/state"),
        ("120024", "/options/service_option"),
        ("120040", "/ship_from/state"),
        ("120053", "/parcels/0/weight"),
        ("130008", "/customs/value"),
        ("130013", "/parcels/0/dimensions/height"),
        ("150101", "/return_to/name"),
        ("190007", "/parcels/0/items/0/origin_country"),
        ("400003", "/parcels"),
    ],
)
def test_an_error_code_that_names_a_field_points_into_our_body(code: str, pointer: str) -> None:
    with pytest.raises(RefusedError) as raised:
        created(answer(failure("shop-17", {"code": code, "message": "no"}), status="Failed"))
    assert [error.pointer for error in raised.value.errors] == [pointer]


def test_of_several_items_the_code_does_not_say_which() -> None:
    content = body()
    content["parcels"][0]["items"] *= 2
    with pytest.raises(RefusedError) as raised:
        created(answer(failure("shop-17", {"code": 190007}), status="Failed"), content=content)
    assert raised.value.errors[0].pointer == "/parcels/0/items"


@pytest.mark.parametrize(
    "unreadable",
    [
        b"",
        b"<html>502</html>",
        b'{"status": "Succ',
        b"{}",
        b"null",
        b'"text"',
        b'{"data": []}',
        Response(status=200, body=b"\xff\xfe"),
        Response(status=500, body=b'{"status": "Failed", "errors": [{"code": 100001}]}'),
        Response(status=502, body=b"<html>"),
        Response(status=302),
        answer(),
        answer("unexpected string"),
        {**answer(), "data": "unexpected string"},
        answer({"unexpected": "object"}),
        answer({"referenceNo": "another"}),
        answer({"referenceNo": "shop-17"}),
        answer({"referenceNo": "shop-17", "status": {"unexpected": "object"}}),
    ],
)
def test_an_answer_that_cannot_be_read_leaves_the_outcome_unknown(unreadable: Any) -> None:
    with pytest.raises(UnknownOutcomeError):
        created(unreadable)


@pytest.mark.parametrize(
    "spoil",
    [
        {"trackingNo": None},
        {"orderId": None},
        {"referenceNo": "shop-18"},
        {"piecesResult": [{"referenceNo": "stranger", "orderId": "X"}]},
    ],
)
def test_a_success_that_is_not_whole_leaves_the_outcome_unknown(spoil: Body) -> None:
    with pytest.raises(UnknownOutcomeError):
        created(answer(success(order_of(body()), **spoil)))


@pytest.mark.parametrize("trouble", [TransientError("before"), UnknownOutcomeError("after")])
def test_trouble_on_the_way_stays_what_it_is(trouble: CarrierError) -> None:
    with pytest.raises(type(trouble)):
        created(trouble)


# Pieces.


def test_pieces_taken_and_refused_are_told_apart() -> None:
    order = order_of(body(3))
    told = success(order, status="Partial Success")
    told["piecesResult"][1] = failure("shop-17-2", {"code": 120053, "message": "over 40 kg"})
    with pytest.raises(PartlyRefusedError) as raised:
        created(answer(told, status="Partial Success"), content=body(3))
    error = raised.value
    assert error.carrier_order_number == "M"
    assert [(one.reference, one.carrier_parcel_number) for one in error.accepted] == [
        ("shop-17-1", "O0"),
        ("shop-17-3", "O2"),
    ]
    (refused,) = error.refused
    assert refused.reference == "shop-17-2"
    assert refused.words == CarrierWords("ubi", "120053", "over 40 kg")
    assert refused.errors[0].pointer == "/parcels/1/weight"


def test_a_refused_master_with_pieces_that_were_taken_has_no_number() -> None:
    told = success(order_of(body(2)), status="Failed", errors=[ERROR], orderId=None)
    with pytest.raises(PartlyRefusedError) as raised:
        created(answer(told, status="Failed"), content=body(2))
    assert raised.value.carrier_order_number is None
    assert len(raised.value.accepted) == 2


def test_a_master_that_was_taken_without_any_piece_must_be_taken_back() -> None:
    told = success(order_of(body(2)))
    told["piecesResult"] = [failure("shop-17-1", ERROR), failure("shop-17-2", ERROR)]
    with pytest.raises(PartlyRefusedError) as raised:
        created(answer(told), content=body(2))
    assert (raised.value.carrier_order_number, raised.value.accepted) == ("M", ())


def test_pieces_all_refused_are_a_refusal_with_a_pointer_to_each() -> None:
    told = failure("shop-17")
    heavy = {"code": 130004, "message": "heavy"}
    told["piecesResult"] = [
        failure("shop-17-2", heavy),
        failure("shop-17-1", {"code": 190007, "message": "o"}),
    ]
    with pytest.raises(RefusedError) as raised:
        created(answer(told, status="Failed"), content=body(2))
    assert {error.pointer for error in raised.value.errors} == {
        "/parcels/1/weight",
        "/parcels/0/items/0/origin_country",
    }


def test_a_partial_success_of_one_parcel_must_be_taken_back_too() -> None:
    told = success(order_of(body()), status="Partial Success", errors=[ERROR])
    with pytest.raises(PartlyRefusedError) as raised:
        created(answer(told))
    assert raised.value.carrier_order_number == "M"


@pytest.mark.parametrize(
    ("order", "deleted"),
    [
        (numbered(2), ["M"]),
        (msgspec.structs.replace(numbered(2), carrier_order_number=None), ["O0", "O1"]),
        (order_of(body()), ["shop-17"]),
        (order_of(body(reference="a/b ü")), ["a%2Fb%20%C3%BC"]),
    ],
)
def test_an_order_is_deleted_through_its_master_or_piece_by_piece(order: Order, deleted: list[str]) -> None:
    transport = ScriptedTransport(answer())
    assert adapter(transport).cancel(order, at=NOON) == Cancellation()
    assert [(one.method, one.url) for one in transport.requests] == [
        ("DELETE", f"{SHIPPER}/order/{number}") for number in deleted
    ]


# Credentials.


def test_a_401_reads_the_account_again_and_tries_the_new_key_once() -> None:
    transport = ScriptedTransport(Response(status=401), answer(success(order_of(body()))))
    fresh = account(credentials={"token": "t2", "secret": "s2"})
    adapter(transport, reread=lambda: fresh).create(order_of(body()))
    assert "WallTech t2:" in transport.requests[1].headers["Authorization"]


@pytest.mark.parametrize(
    "refusal", [Response(status=401), {"status": "Failed", "errors": [{"code": 100002}], "data": None}]
)
def test_a_key_that_is_still_refused_is_an_authentication_error(refusal: Any) -> None:
    fresh = iter([account(credentials={"token": "t2", "secret": "s2"})])
    transport = ScriptedTransport(refusal)
    with pytest.raises(AuthenticationError):
        adapter(transport, reread=lambda: next(fresh)).create(order_of(body()))
    assert len(transport.requests) == 2


def test_the_same_key_is_not_tried_twice() -> None:
    transport = ScriptedTransport(Response(status=401))
    with pytest.raises(AuthenticationError):
        adapter(transport, reread=account).create(order_of(body()))
    assert len(transport.requests) == 1


# Duplicates and look-ups.

DUPLICATE = answer(failure("shop-17", {"code": 110003, "message": "duplicate"}), status="Failed")


def test_a_duplicate_that_is_ours_is_adopted() -> None:
    transport = ScriptedTransport(DUPLICATE, answer(found(order_of(body(2)))))
    confirmed = adapter(transport).create(order_of(body(2)))
    assert [one.tracking_number for one in confirmed.parcels] == ["T0", "T1"]
    assert (transport.requests[1].call, transport.requests[1].safe) == ("ubi.query_orders", True)
    assert transport.sent == ["shop-17"]


@pytest.mark.parametrize(
    "looked_up",
    [
        answer(found(order_of(body()), addressLine1="somewhere else")),
        answer(found(order_of(body()), serviceCode="OTHER")),
        answer(),
        answer({"status": "Failed", "errors": [{"code": 100009}]}, status="Failed"),
        answer(status="Failed", errors=[{"code": 100009, "message": "no such order"}]),
    ],
)
def test_a_duplicate_that_is_not_ours_is_refused(looked_up: Body) -> None:
    with pytest.raises(RefusedError) as raised:
        created(DUPLICATE, looked_up)
    assert raised.value.errors == (FieldError("/reference", "reference_in_use", "duplicate"),)
    assert raised.value.words == CarrierWords("ubi", "110003", "duplicate")


@pytest.mark.parametrize(
    "looked_up",
    [
        TransientError("x"),
        Response(status=502),
        Response(status=401),
        b"half",
        answer("unexpected string"),
        answer(status="Failed", errors=[{"code": 100000}]),
        answer(found(order_of(body()), trackingNo=None)),
        answer(found(order_of(body(2)))),
    ],
)
def test_a_duplicate_that_cannot_be_told_leaves_the_outcome_unknown(looked_up: Any) -> None:
    with pytest.raises(UnknownOutcomeError):
        created(DUPLICATE, looked_up)


def test_a_duplicate_told_without_its_reference_is_looked_up_too() -> None:
    whole = {"status": "Failed", "errors": [{"code": 110003}], "data": None}
    assert created(whole, answer(found(order_of(body())))).carrier_order_number == "M"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (answer(found(order_of(body()))), Confirmed),
        (answer(found(order_of(body()))["order"]), Confirmed),
        (answer(found(order_of(body()), trackingNo=None)), Pending),
        (answer(found(order_of(body()), addressLine1="x")), Mismatch),
        (answer(found(order_of(body()), status="Deleted")), NotFound),
        (answer({"status": "Success", "order": None}), NotFound),
        (answer(), NotFound),
        (answer(status="Failed", errors=[{"code": 100009}]), NotFound),
    ],
)
def test_an_order_is_found_by_its_reference_or_not(told: Body, kind: type) -> None:
    assert type(adapter(ScriptedTransport(told)).find_by_reference(order_of(body()))) is kind


@pytest.mark.parametrize(
    "told",
    [
        Response(status=500),
        b"<html>",
        answer({"status": "Success", "order": {"referenceNo": "another", "orderId": "X"}}),
        answer({"unexpected": 1}),
        {"status": "Failed", "errors": None, "data": None},
        answer(status="Failed", errors=[{"code": 100004}]),
        answer({"status": "Failed", "errors": [{"code": 100004}]}, status="Failed"),
    ],
)
def test_not_found_is_never_concluded_from_an_answer_that_does_not_say_so(told: Any) -> None:
    with pytest.raises(TransientError):
        adapter(ScriptedTransport(told)).find_by_reference(order_of(body()))


# Batches.


def batch(count: int) -> list[Order]:
    return [order_of(body(reference=f"r{number}")) for number in range(count)]


def test_many_orders_are_told_apart_by_reference() -> None:
    orders = batch(5)
    data = [
        success(orders[0]),
        failure("r1", ERROR),
        failure("r2", {"code": 100004, "message": "busy"}),
        success(orders[4]),
        "not an entry",
    ]
    transport = ScriptedTransport(answer(*data[::-1], status="Partial Success"))
    results = adapter(transport).create_many(orders)
    assert [type(result) for result in results] == [
        Confirmed,
        RefusedError,
        TransientError,
        UnknownOutcomeError,
        Confirmed,
    ]
    assert [sent["referenceNo"] for sent in transport.sent] == ["r0", "r1", "r2", "r3", "r4"]


def test_all_duplicates_of_a_batch_are_looked_up_in_one_call() -> None:
    orders = batch(4)
    duplicate = {"code": 110003, "message": "duplicate"}
    told = answer(
        success(orders[0]), *(failure(f"r{n}", duplicate) for n in (1, 2, 3)), status="Partial Success"
    )
    query = answer(found(orders[3]), found(orders[1], city="Elsewhere"))
    transport = ScriptedTransport(told, query)
    results = adapter(transport).create_many(orders)
    assert [type(result) for result in results] == [Confirmed, RefusedError, RefusedError, Confirmed]
    assert transport.sent == ["r1", "r2", "r3"]


def test_a_batch_refused_as_a_whole_is_raised_for_all() -> None:
    whole = {"status": "Failed", "errors": [{"code": 100001, "message": "format"}], "data": None}
    with pytest.raises(RefusedError):
        adapter(ScriptedTransport(whole)).create_many(batch(2))


@pytest.mark.parametrize("orders", [[], batch(301), batch(1) * 2])
def test_a_batch_holds_1_to_300_orders_of_different_references(orders: list[Order]) -> None:
    transport = ScriptedTransport(answer())
    with pytest.raises(ValueError, match="1 to 300"):
        adapter(transport).create_many(orders)
    assert transport.requests == []


# Labels, journeys, changes.


def test_labels_are_asked_by_the_pieces_numbers_in_parcel_order() -> None:
    contents = [base64.b64encode(b"%PDF-" + str(n).encode()).decode() for n in range(3)]
    data = [{"status": "Success", "orderId": f"O{n}", "labelContent": contents[n]} for n in (2, 0, 1)]
    transport = ScriptedTransport(answer(*data))
    files = adapter(transport).label(numbered(3))
    assert transport.sent["orderIds"] == ["O0", "O1", "O2"]
    assert [file.content for file in files] == [b"%PDF-0", b"%PDF-1", b"%PDF-2"]


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"status": "Success", "orderId": "O0", "labelContent": None}, errors.LabelPendingError),
        ({"status": "Success", "orderId": "O0", "labelContent": "PGh0bWw+"}, errors.LabelPendingError),
        ({"status": "Success", "orderId": "O0", "labelContent": "%%%"}, errors.LabelPendingError),
        ({"status": "Success", "orderId": "another", "labelContent": "JVBERi0x"}, errors.LabelPendingError),
        ({"status": "Failed", "orderId": "O0", "errors": [{"code": 100004}]}, TransientError),
        ({"status": "Failed", "orderId": "O0", "errors": [{"code": 100009}]}, RefusedError),
    ],
)
def test_a_label_that_is_none_is_waited_for_or_refused(entry: Body, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        adapter(ScriptedTransport(answer(entry))).label(numbered())


def test_journeys_are_asked_for_thirty_at_a_time() -> None:
    transport = ScriptedTransport(answer())
    histories = adapter(transport).track([f"T{n}" for n in range(61)])
    assert [len(msgspec.json.decode(one.body or b"")) for one in transport.requests] == [30, 30, 1]
    assert [one.tracking_number for one in histories] == [f"T{n}" for n in range(61)]


def test_no_events_yet_is_no_error() -> None:
    none = {"status": "Failed", "errors": [{"code": 950005, "message": "no event"}], "data": None}
    (history,) = adapter(ScriptedTransport(none)).track(["T"])
    assert history.events == ()


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (answer(), None),
        (answer({"status": "Success", "orderId": "M"}), None),
        (answer(status="Failed", errors=[{"code": 100009}]), None),
        (answer(status="Failed", errors=[{"code": 100010}]), RefusedError),
        (answer({"status": "Failed", "errors": [{"code": 100011}]}, status="Failed"), RefusedError),
        (answer(status="Failed"), RefusedError),
        (answer(status="Failed", errors=[{"code": 100000}]), TransientError),
        (Response(status=500), UnknownOutcomeError),
        (b"", UnknownOutcomeError),
    ],
)
def test_a_deletion_is_done_refused_or_unknown(told: Any, kind: type[Exception] | None) -> None:
    ubi = adapter(ScriptedTransport(told))
    if kind is None:
        assert ubi.cancel(numbered(), at=NOON) == Cancellation()
    else:
        with pytest.raises(kind):
            ubi.cancel(numbered(), at=NOON)


@pytest.mark.parametrize(("code", "words"), [(100010, "closed the order"), (100011, "does not permit")])
def test_refused_deletions_are_told_apart(code: int, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        adapter(ScriptedTransport(answer(status="Failed", errors=[{"code": code}]))).cancel(
            numbered(), at=NOON
        )


def test_an_order_is_held_by_its_number() -> None:
    transport = ScriptedTransport(answer())
    adapter(transport).hold(numbered(2))
    assert (transport.requests[0].call, transport.sent) == ("ubi.hold", {"orderIds": ["M"], "holdType": 1})
    with pytest.raises(RefusedError):
        adapter(ScriptedTransport(answer(status="Failed", errors=[{"code": 140005}]))).hold(numbered())


@pytest.mark.parametrize(
    ("overrides", "as_list"),
    [({}, True), ({"update_as_list": True}, True), ({"update_as_list": False}, False)],
)
def test_an_update_sends_the_order_under_its_number(overrides: Body, as_list: bool) -> None:
    order = numbered(2)
    transport = ScriptedTransport(answer(success(order)))
    config = account(overrides=overrides)
    assert adapter(transport, config).update(order).carrier_order_number == "M"
    assert isinstance(transport.sent, list) is as_list
    spelt_otherwise = success(order) | {"orderId": "m", "referenceNo": None, "connoteId": "C"}
    updated = adapter(ScriptedTransport(answer(spelt_otherwise)), config).update(order)
    assert updated.details == {"connoteId": "C"}
    sent = transport.sent[0] if as_list else transport.sent
    assert [sent["orderId"], *(piece["orderId"] for piece in sent["pieces"])] == ["M", "O0", "O1"]


@pytest.mark.parametrize("again", [False, True])
def test_an_order_written_in_other_letters_is_known_again(again: bool) -> None:
    order = order_of(body())
    order = msgspec.structs.replace(
        order, ship_to=msgspec.structs.replace(order.ship_to, name="Łucja Núñez", line1="3 Żółć St")
    )
    theirs = found(order, recipientName="Lucja Nunez", addressLine1="3 Zolc St")
    if again:
        duplicate = failure(order.reference, {"code": 110003})
        ubi = adapter(ScriptedTransport(answer(duplicate), answer(theirs)))
        assert isinstance(ubi.create(order), Confirmed)
    else:
        assert isinstance(adapter(ScriptedTransport(answer(theirs))).find_by_reference(order), Confirmed)


@pytest.mark.parametrize("of_update", [False, True])
def test_warnings_at_the_top_of_an_answer_reach_the_order(of_update: bool) -> None:
    order = numbered(2)
    top = {"warnings": [{"code": 9, "message": "tariff changes"}]}
    without_numbers = {"status": "Success", "orderId": "M"}
    for entries in [[success(order)], [], [without_numbers]] if of_update else [[success(order)]]:
        ubi = adapter(ScriptedTransport({**answer(*entries), **top}))
        confirmed = ubi.update(order) if of_update else ubi.create(order)
        assert confirmed.warnings == (Notice("", "9", "tariff changes", source="carrier"),)


@pytest.mark.parametrize("told", [answer(), answer({"status": "Success", "orderId": "M"})])
def test_an_update_whose_answer_has_no_numbers_leaves_those_there_are(told: Body) -> None:
    updated = adapter(ScriptedTransport(told)).update(numbered(2))
    assert [one.tracking_number for one in updated.parcels] == ["T0", "T1"]
    assert updated.master_tracking_numbers == ("T",)


def test_an_update_can_be_refused() -> None:
    with pytest.raises(RefusedError):
        adapter(ScriptedTransport(answer(status="Failed", errors=[{"code": 100011}]))).update(numbered())


def test_a_manifest_closes_each_order_or_says_why_not() -> None:
    orders = [
        msgspec.structs.replace(order, carrier_order_number=f"M{n}") for n, order in enumerate(batch(4))
    ]
    data = [
        {"status": "Success", "orderId": "m 2"},
        {"status": "Failed", "orderId": "M1", "errors": [{"code": 100011}]},
        "M3",
        {"status": "Success", "referenceNo": "r0"},
    ]
    transport = ScriptedTransport(answer(*data, status="Partial Success"))
    results = adapter(transport).close(orders)
    assert transport.sent == ["M0", "M1", "M2", "M3"]
    assert [type(result) for result in results] == [type(None), RefusedError, type(None), type(None)]


def test_a_manifest_without_entries_says_the_same_of_all() -> None:
    assert adapter(ScriptedTransport(answer())).close(batch(2)) == [None, None]
    busy = answer(status="Failed", errors=[{"code": 100000}])
    assert {type(one) for one in adapter(ScriptedTransport(busy)).close(batch(2))} == {TransientError}


def test_the_catalogue_lists_the_accounts_services() -> None:
    data = [{"serviceCode": "A", "serviceName": "Air"}, {"serviceCode": None}, {"serviceCode": "B"}]
    services = adapter(ScriptedTransport(answer(*data))).services()
    assert services == [Service(code="A", name="Air"), Service(code="B", name="")]


# The port.


def test_the_adapter_offers_what_its_profile_says() -> None:
    ubi = adapter(ScriptedTransport(b""))
    offered = {
        "batch": port.CreatesInBatches,
        "cancel": port.Cancels,
        "update": port.Updates,
        "hold": port.Holds,
        "manifest": port.Manifests,
        "label": port.ProvidesLabels,
        "services": port.ListsServices,
    }
    assert isinstance(ubi, port.Carrier)
    assert all(isinstance(ubi, capability) for capability in offered.values())
    assert set(PROFILE.capabilities) == {*offered, "create", "find_by_reference", "track"}
    assert not isinstance(ubi, port.ConfirmsLater | port.QuotesRates)
    assert set(PROFILE.grades) >= set(PROFILE.capabilities)

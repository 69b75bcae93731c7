"""Orders as they go out, the given document's own among them, and answers as they come back."""

import base64
import copy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.results import Confirmed, Examination, Mismatch, ParcelResult, Pending
from parcelgate.carriers.ubi import answers, validation
from parcelgate.carriers.ubi.codes import EVENTS
from parcelgate.carriers.ubi.mapping.create import prepared, wire_order
from parcelgate.carriers.ubi.mapping.label import label_files, label_request
from parcelgate.carriers.ubi.mapping.track import event as tracking_event
from parcelgate.carriers.ubi.mapping.track import histories
from parcelgate.carriers.ubi.settings import CarrierSettings
from parcelgate.carriers.ubi.wire import EventAnswer, FoundOrder, LabelAnswer, OrderAnswer, TrackAnswer
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.problems import Notice
from parcelgate.domain.trackings import TrackingStatus
from parcelgate.http.requests.orders import read_order
from tests.unit.carriers.ubi.orders import (
    NOON,
    Body,
    body,
    example,
    fixture,
    full_body,
    item,
    order_of,
    parcel,
)

NOTHING = ("", None, [], {})


def wired(content: Body, *, update: bool = False, **settings: Any) -> dict[str, Any]:
    order = order_of(content)
    known = CarrierSettings(**settings)
    return wire_order(prepared(order, known).order, known, update=update)


def without_the_empty(value: Any) -> Any:
    """The sample as it counts: empty strings, nulls and objects of nothing else are absent."""
    if isinstance(value, dict):
        kept = {name: without_the_empty(part) for name, part in value.items()}
        return {name: part for name, part in kept.items() if part not in NOTHING}
    return [without_the_empty(part) for part in value] if isinstance(value, list) else value


def test_the_shape_of_a_full_order() -> None:
    assert wired(full_body()) == {
        "referenceNo": "shop-17",
        "referenceNo1": "PO 1",
        "trackingNo": "MINE1",
        "serviceCode": "UBI.AU2AU.AUPOST.1",
        "incoterm": "DDP",
        "description": "Dresses",
        "nativeDescription": "连衣裙",
        "weight": 1,
        "weightUnit": "KG",
        "length": 30,
        "width": 20,
        "height": 10,
        "volume": Decimal("0.02"),
        "dimensionUnit": "CM",
        "invoiceValue": Decimal("20.00"),
        "invoiceCurrency": "AUD",
        "pickUp": "Y",
        "authorityToLeave": True,
        "lockerService": True,
        "batteryType": "Lithium Ion Polymer",
        "batteryPacking": "Inside Equipment",
        "dangerousGoods": True,
        "sku": "sku-1 x2",
        "serviceOption": "Expedited",
        "instruction": "Leave at door",
        "facility": "can",
        "platform": "shop",
        "recipientName": "Corrie McKee",
        "recipientTaxId": "T1",
        "recipientCompany": "Monash",
        "phone": "0403536112",
        "email": "corrie@example.com",
        "addressLine1": "3 Lakeside Drive",
        "addressLine2": "Unit 5",
        "addressLine3": "Rear",
        "city": "Berwick",
        "state": "Victoria",
        "postcode": "3806",
        "country": "AU",
        "shipperName": "Jiang Yuanfei",
        "shipperPhone": "+86 02586707811",
        "shipperAddressLine1": "Sanshui Park",
        "shipperAddressLine2": "Gate 2",
        "shipperAddressLine3": "Dock 3",
        "shipperCity": "Foshan",
        "shipperState": "Guangdong",
        "shipperPostcode": "528100",
        "shipperCountry": "CN",
        "returnOption": "Return",
        "returnName": "Returns",
        "returnAddressLine1": "1 Back St",
        "returnAddressLine2": "Hall B",
        "returnAddressLine3": "Gate 9",
        "returnCity": "Sydney",
        "returnState": "NSW",
        "returnPostcode": "2000",
        "returnCountry": "AU",
        "vendorid": "64652016681",
        "gstexemptioncode": "PAID",
        "abnnumber": "51824753556",
        "senderTaxId": "S1",
        "extendData": {
            "vendorid": "64652016681",
            "gstexemptioncode": "PAID",
            "abnnumber": "51824753556",
            "senderTaxId": "S1",
            "injectPort": "YYZ",
        },
        "orderItems": [
            {
                "itemNo": "1",
                "sku": "sku-1",
                "description": "Cotton dress",
                "nativeDescription": "连衣裙",
                "hsCode": "620442",
                "originCountry": "CN",
                "itemCount": 2,
                "unitValue": Decimal("10.00"),
                "warehouseNo": "W1",
                "productURL": "https://shop.example/1",
                "weight": Decimal("0.2"),
            }
        ],
    }


def test_the_given_single_order_goes_out_as_given() -> None:
    (sample,) = without_the_empty(fixture("single_order"))
    ours = wired(example("ubi-one-parcel"))
    # The table has G, not g; the contract's addresses have a country, the sample's sender has none.
    assert (ours.pop("weightUnit"), sample.pop("weightUnit")) == ("G", "g")
    assert ours.pop("shipperCountry") == "CN"
    # The table puts these into `extendData`, the sample at the top: they are sent in both places.
    assert ours.pop("extendData") == {"vendorid": "111", "gstexemptioncode": "PAID"}
    assert ours == sample


REAL_HS_CODES = {"hscode001": "910211", "hscode002": "960910", "hscode003": "630790"}


@pytest.mark.parametrize("repeats", [True, False])
def test_the_given_order_of_four_pieces_goes_out_as_given(repeats: bool) -> None:
    (sample,) = without_the_empty(fixture("four_pieces_order"))
    ours = wired(example("ubi-four-pieces"), master_repeats_first_piece=repeats)
    for given in (sample, *sample["pieces"]):
        # The sample's state begins with a blank, its item numbers are numbers: the table wants strings.
        given["state"] = given["state"].strip()
        given["shipperPostcode"] = given["shipperPostcode"].upper()
        # The default, named: the table has it, the sample leaves it out.
        given["weightUnit"] = "KG"
        for sold in given["orderItems"]:
            sold["itemNo"] = str(sold["itemNo"])
            # The sample's codes are placeholders; the contract wants digits.
            sold["hsCode"] = REAL_HS_CODES[sold["hsCode"]]
    if not repeats:
        # The sample's master merely repeats its first piece; ours carries the sums.
        pieces = sample["pieces"]
        sample["weight"] = sum(piece["weight"] for piece in pieces)
        sample["invoiceValue"] = sum(piece["invoiceValue"] for piece in pieces)
        sample["orderItems"] = [sold for piece in pieces for sold in piece["orderItems"]]
        del sample["sku"]
    assert ours == sample


@pytest.mark.parametrize("name", ["ubi-one-parcel", "ubi-four-pieces"])
def test_the_given_orders_pass_although_they_lack_what_the_table_calls_mandatory(name: str) -> None:
    found = validation.examine(order_of(example(name)), CarrierSettings())
    assert found.errors == ()
    # The four-piece sample puts 6 kg of goods into a parcel of 1 kg.
    heavy = "four" in name
    assert {warning.code for warning in found.warnings} == ({"items_heavier"} if heavy else set())


@pytest.mark.parametrize("name", ["ubi-one-parcel", "ubi-four-pieces"])
def test_the_given_orders_go_out_the_same_when_they_come_in_over_the_contract(name: str) -> None:
    draft = read_order(example(name), carriers=["ubi"], tenant="shop", order_id="ord_1", now=NOON)
    assert draft.order is not None
    assert not draft.errors
    ready = prepared(draft.order, CarrierSettings()).order
    assert wire_order(ready, CarrierSettings()) == wired(example(name))


def test_one_parcel_goes_out_without_pieces_under_the_orders_reference() -> None:
    sent = wired(body())
    assert "pieces" not in sent
    assert sent["referenceNo"] == "shop-17"


def test_several_parcels_are_pieces_under_a_master_that_carries_their_sums() -> None:
    content = body(
        parcels=[
            parcel(weight={"value": 500, "unit": "g"}, volume="0.02"),
            parcel(
                reference="box-b",
                weight={"value": "1.5", "unit": "kg"},
                volume="0.03",
                description="Shoes",
                secondary_reference="PO 2",
                items=[item(sku="s2", quantity=1, unit_value={"amount": "7.50", "currency": "AUD"})],
            ),
        ]
    )
    sent = wired(content)
    assert {name: sent[name] for name in ("referenceNo", "weight", "weightUnit", "volume")} == {
        "referenceNo": "shop-17",
        "weight": Decimal("2.0"),
        "weightUnit": "KG",
        "volume": Decimal("0.05"),
    }
    assert sent["invoiceValue"] == Decimal("27.50")
    assert [sold["sku"] for sold in sent["orderItems"]] == ["sku-1", "s2"]
    first, second = sent["pieces"]
    assert (first["referenceNo"], second["referenceNo"]) == ("shop-17-1", "box-b")
    assert (first["invoiceValue"], second["invoiceValue"]) == (Decimal("20.00"), Decimal("7.50"))
    assert (first["description"], second["description"]) == ("Cotton dress", "Shoes")
    assert (first["weight"], first["weightUnit"]) == (500, "G")
    assert second["referenceNo1"] == "PO 2"
    for piece in (first, second):
        shared = {
            name: piece[name] for name in ("serviceCode", "recipientName", "addressLine1", "shipperName")
        }
        assert shared.items() <= sent.items()


def test_the_customs_value_is_the_masters_and_never_a_pieces() -> None:
    sent = wired(body(2, customs={"value": {"amount": "39.95", "currency": "AUD"}}))
    assert sent["invoiceValue"] == Decimal("39.95")
    assert [piece["invoiceValue"] for piece in sent["pieces"]] == [Decimal("20.00")] * 2


@pytest.mark.parametrize(
    ("weight", "sent"),
    [
        ({"value": 264, "unit": "g"}, (264, "G")),
        ({"value": "1.1", "unit": "lb"}, (Decimal("1.1"), "LB")),
        ({"value": 5, "unit": "oz"}, (Decimal("0.3125"), "LB")),
    ],
)
def test_weights_keep_their_unit_and_ounces_become_pounds(weight: Body, sent: tuple[Any, str]) -> None:
    made = wired(body(parcels=[parcel(weight=weight)]))
    assert (made["weight"], made["weightUnit"]) == sent


@pytest.mark.parametrize("unit", ["g", "lb"])
def test_an_items_weight_is_in_kilograms_whatever_the_parcels_unit(unit: str) -> None:
    sold = item(weight={"value": 250, "unit": "g"})
    sent = wired(body(parcels=[parcel(weight={"value": 900, "unit": unit}, items=[sold])]))
    assert sent["orderItems"][0]["weight"] == Decimal("0.25")
    assert sent["weightUnit"] == unit.upper()


@pytest.mark.parametrize(
    ("unit", "sent"),
    [("cm", (12, "CM")), ("m", (12, "M")), ("in", (Decimal("30.48"), "CM")), ("mm", (Decimal("1.2"), "CM"))],
)
def test_dimensions_are_metres_or_centimetres(unit: str, sent: tuple[Any, str]) -> None:
    sides = {"length": 12, "width": 1, "height": 1, "unit": unit}
    made = wired(body(parcels=[parcel(dimensions=sides)]))
    assert (made["length"], made["dimensionUnit"]) == sent


@pytest.mark.parametrize(
    ("country", "state", "sent"),
    [
        ("AU", "VIC", "Victoria"),
        ("AU", "VICTORIA", "VICTORIA"),
        ("CA", "on", "Ontario"),
        ("CA", " Ontario ", "Ontario"),
        ("NZ", "AKL", "AKL"),
    ],
)
def test_the_recipients_state_goes_out_by_name(country: str, state: str, sent: str) -> None:
    content = body()
    content["ship_to"] |= {"country": country, "state": state}
    assert wired(content)["state"] == sent


def test_the_contracts_default_description_does_not_hide_the_parcels_own() -> None:
    content = body(parcels=[parcel(description="Dresses, boxed")])
    content["customs"] = {"description": "Cotton dress"}
    assert wired(content)["description"] == "Dresses, boxed"
    content["customs"] = {"description": "Clothing"}
    assert wired(content)["description"] == "Clothing"


@pytest.mark.parametrize("country", ["NZ", "SG", "HK", "GB"])
def test_where_a_country_has_no_states_the_city_is_sent_in_its_place(country: str) -> None:
    content = body()
    content["ship_to"] = {**content["ship_to"], "country": country, "state": None, "city": "Hamilton"}
    content["return_to"] = content["ship_to"]
    sent = wired(content)
    assert (sent["state"], sent["returnState"]) == ("Hamilton", "Hamilton")
    examination = validation.examine(order_of(content), CarrierSettings())
    assert examination.errors == ()
    assert {(w.pointer, w.code) for w in examination.warnings} == {
        ("/ship_to/state", "defaulted"),
        ("/return_to/state", "defaulted"),
    }


def test_what_is_changed_in_the_accounts_own_addresses_needs_no_warning() -> None:
    depot = Address(name="Łódź Depot", line1="1 Back\u0001St", city="Auckland", country="NZ")
    known = CarrierSettings(ship_from=depot, return_to=depot)
    for own in (None, depot):
        order = order_of(body(), ship_from=own, return_to=own)
        assert prepared(order, known).warnings == ()
        sent = wire_order(prepared(order, known).order, known)
        assert (sent["shipperName"], sent["returnState"]) == ("Lodz Depot", "Auckland")
    elsewhere = order_of(body(), ship_from=depot, return_to=depot)
    assert {note.code for note in prepared(elsewhere, CarrierSettings()).warnings} == {
        "transliterated",
        "characters_replaced",
        "defaulted",
    }


def test_a_volume_below_the_least_is_rounded_up_with_a_warning() -> None:
    order = order_of(body(parcels=[parcel(volume="0.001"), parcel(volume="0.02")]))
    ready = prepared(order, CarrierSettings())
    sent = wire_order(ready.order, CarrierSettings())
    assert [piece["volume"] for piece in sent["pieces"]] == [Decimal("0.01"), Decimal("0.02")]
    assert sent["volume"] == Decimal("0.03")
    assert [(w.pointer, w.code) for w in ready.warnings] == [("/parcels/0/volume", "rounded_up")]
    assert validation.examine(order, CarrierSettings()).errors == ()


def test_the_default_references_of_pieces_fit_whatever_the_orders() -> None:
    def references(order_reference: str) -> list[str]:
        content = body(count=3, reference=order_reference)
        draft = read_order(content, carriers=["ubi"], tenant="shop", order_id="ord_1", now=NOON)
        assert draft.order is not None
        assert validation.examine(draft.order, CarrierSettings()).errors == ()
        assert validation.examine(draft.order, CarrierSettings()).warnings == ()
        return [one.reference for one in draft.order.parcels]

    assert references("shop-17") == ["shop-17-1", "shop-17-2", "shop-17-3"]
    long = references("r" * 79 + "1")
    assert all(len(reference) <= 80 for reference in long)
    assert len({*long, *references("r" * 79 + "2")}) == 6


def test_without_a_return_address_none_is_sent_and_the_accounts_own_is_used_when_it_has_one() -> None:
    assert not [name for name in wired(body()) if name.startswith("return")]
    depot = order_of(full_body()).return_to
    assert wired(body(), return_to=depot)["returnName"] == "Returns"


def test_decimals_go_out_as_numbers_digit_by_digit() -> None:
    from parcelgate.carriers.ubi.wire import encode

    order = order_of(body(parcels=[parcel(weight={"value": "0.10", "unit": "kg"})]))
    sent = encode([wire_order(order, CarrierSettings())])
    assert b'"weight":0.10,' in sent
    assert b'"invoiceValue":20.00,' in sent


def test_an_update_names_the_order_and_its_pieces_by_the_carriers_numbers() -> None:
    content = body(2)
    content["carrier_order_number"] = "M1"
    for number, one in enumerate(content["parcels"]):
        one |= {"carrier_parcel_number": f"P{number}", "tracking_number": f"T{number}"}
    sent = wired(content, update=True)
    assert sent["orderId"] == "M1"
    assert [(piece["orderId"], "trackingNo" in piece) for piece in sent["pieces"]] == [
        ("P0", False),
        ("P1", False),
    ]


# Back.


def answered(content: Body, **changes: Any) -> Body:
    """A success for an order, its pieces in reverse."""
    order = order_of(content)
    pieces = [
        {
            "status": "Success",
            "referenceNo": one.reference,
            "orderId": f"O-{one.reference}",
            "trackingNo": f"T-{one.reference}",
        }
        for one in reversed(order.parcels)
    ]
    alone = {"status": "Success", "referenceNo": order.reference, "orderId": "M", "trackingNo": "T"}
    return {**alone, "piecesResult": pieces if len(pieces) > 1 else None, **changes}


def result(content: Body, answer: Body) -> Any:
    return answers.result(order_of(content), OrderAnswer.model_validate(answer))


def test_the_given_answer_gives_every_piece_its_numbers() -> None:
    (answer,) = fixture("create_answer")["data"]
    content = copy.deepcopy(example("ubi-four-pieces"))
    for number, one in enumerate(content["parcels"], 1):
        one["reference"] = f"MAC20220411010121-{number}"
    found = result(content, answer)
    assert isinstance(found, Confirmed)
    assert found.carrier_order_number == "loMIAw32B4aZRbOseBdrBQ"
    assert found.master_tracking_numbers == ("TBV000038042",)
    assert [parcel.tracking_number for parcel in found.parcels] == [
        *("TBV000038059", "TBV000038067", "TBV000038075", "TBV000038083")
    ]
    assert found.parcels[2].carrier_parcel_number == "b77OtFHcwZz8R5JD5GkxpQ"
    assert found.parcels[2].master_tracking_number == "TBV000038042"


def test_pieces_are_matched_by_reference_and_never_by_position() -> None:
    found = result(body(3), answered(body(3)))
    assert [one.tracking_number for one in found.parcels] == ["T-shop-17-1", "T-shop-17-2", "T-shop-17-3"]


def test_a_parcel_alone_gets_the_orders_numbers_under_its_own_reference() -> None:
    found = result(body(), answered(body()))
    assert found == Confirmed(
        carrier_order_number="M",
        parcels=(ParcelResult(reference="shop-17-1", tracking_number="T", carrier_parcel_number="M"),),
    )


@pytest.mark.parametrize(
    "spoil", [lambda p: p.pop(), lambda p: p.append(p[0]), lambda p: p[0].update(referenceNo="x")]
)
def test_other_pieces_than_ours_are_a_mismatch(spoil: Any) -> None:
    answer = answered(body(3))
    spoil(answer["piecesResult"])
    assert isinstance(result(body(3), answer), Mismatch)


def test_a_number_that_is_not_there_yet_is_waited_for() -> None:
    answer = answered(body(2))
    answer["piecesResult"][0]["trackingNo"] = None
    assert result(body(2), answer) == Pending(
        reason="UBI has not given all tracking numbers yet", carrier_order_number="M"
    )


def test_what_else_the_carrier_says_is_kept_by_its_own_names() -> None:
    answer = answered(
        body(2),
        connoteId="C1",
        extraProperty={"injectPort": "YYZ", "customsClearanceType": "B", "empty": None},
        warnings=[{"code": 7, "message": "late"}],
    )
    answer["piecesResult"][0] |= {"connoteId": "C2", "warnings": {"code": "8", "message": "heavy"}}
    found = result(body(2), answer)
    assert found.details == {
        "connoteId": "C1",
        "extraProperty": {"injectPort": "YYZ", "customsClearanceType": "B"},
        "piecesResult": [{"referenceNo": "shop-17-2", "connoteId": "C2"}],
    }
    assert found.warnings == (
        Notice("", "7", "late", source="carrier"),
        Notice("/parcels/1", "8", "heavy", source="carrier"),
    )


OURS = {
    "orderId": "M",
    "referenceNo": "shop-17",
    "trackingNo": "T",
    "serviceCode": "UBI.AU2AU.AUPOST.1",
    "recipientName": "CORRIE MCKEE",
    "addressLine1": "3 Lakeside  Drive",
    "city": "Berwick",
    "postcode": "3806",
    "country": "AU",
}


@pytest.mark.parametrize("told", [{}, {"city": None}, {"recipientName": "Corrie Mc-Kee!"}])
def test_an_order_found_with_our_service_and_address_is_ours(told: Body) -> None:
    found = FoundOrder.model_validate({**OURS, **told})
    assert isinstance(answers.result_of_found(order_of(body()), found), Confirmed)


@pytest.mark.parametrize(
    "told",
    [
        {"serviceCode": "OTHER"},
        {"serviceCode": None},
        {"addressLine1": "4 Lakeside Drive"},
        {"addressLine1": None},
        {"postcode": "3000"},
        {"recipientName": "Somebody Else"},
    ],
)
def test_an_order_found_with_another_is_not(told: Body) -> None:
    found = FoundOrder.model_validate({**OURS, **told})
    assert isinstance(answers.result_of_found(order_of(body()), found), Mismatch)


@pytest.mark.parametrize(
    "wrap", [lambda o: o, lambda o: {"order": o}, lambda o: {"status": "Success", "data": {"order": o}}]
)
def test_a_found_order_is_read_wherever_it_stands(wrap: Any) -> None:
    assert FoundOrder.model_validate(answers.unwrapped(wrap(OURS))).order_id == "M"


def event(**changes: Any) -> Any:
    told = {
        "eventTime": "2020-08-06T14:47:04",
        "timeZone": "GMT+08:00",
        "eventCode": "SCN",
        "activity": "Scanned",
    }
    return tracking_event(
        EventAnswer.model_validate(told | changes), CarrierSettings(default_time_zone="Australia/Sydney")
    )


@pytest.mark.parametrize(
    ("zone", "at", "offset"),
    [
        ("GMT+08:00", datetime(2020, 8, 6, 6, 47, 4, tzinfo=UTC), "+08:00"),
        ("GMT+8:00", datetime(2020, 8, 6, 6, 47, 4, tzinfo=UTC), "+08:00"),
        ("UTC-5", datetime(2020, 8, 6, 19, 47, 4, tzinfo=UTC), "-05:00"),
        ("+0930", datetime(2020, 8, 6, 5, 17, 4, tzinfo=UTC), "+09:30"),
        ("GMT", datetime(2020, 8, 6, 14, 47, 4, tzinfo=UTC), "+00:00"),
        ("UTC+10", datetime(2020, 8, 6, 4, 47, 4, tzinfo=UTC), "+10:00"),
        ("America/Toronto", datetime(2020, 8, 6, 18, 47, 4, tzinfo=UTC), "-04:00"),
    ],
)
def test_an_events_time_is_read_in_its_zone(zone: str, at: datetime, offset: str) -> None:
    found = event(timeZone=zone)
    assert (found.at, found.utc_offset, found.at_is_local) == (at, offset, False)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00", "9999-12-31T23:59:59", "soon", "", None])
def test_a_time_that_cannot_be_meant_spoils_its_event_alone(time: str | None) -> None:
    assert event(eventTime=time) is None


def test_a_time_with_seven_digits_of_a_second_and_an_offset_is_read() -> None:
    found = event(eventTime="2020-08-06T14:47:04.1234567+10:00", timeZone=None)
    assert found.at == datetime(2020, 8, 6, 4, 47, 4, 123456, tzinfo=UTC)
    assert (found.utc_offset, found.at_is_local) == ("+10:00", False)


@pytest.mark.parametrize("zone", [None, "", "somewhere", "GMT+99:00"])
def test_a_time_without_a_zone_is_read_in_the_accounts_and_marked(zone: str | None) -> None:
    found = event(timeZone=zone)
    assert found.at == datetime(2020, 8, 6, 4, 47, 4, tzinfo=UTC)
    assert (found.utc_offset, found.at_is_local) == (None, True)


CODES = [
    ("INF", TrackingStatus.INFO_RECEIVED, None),
    ("RCV", TrackingStatus.IN_TRANSIT, None),
    ("SCN", TrackingStatus.IN_TRANSIT, None),
    ("CCD", TrackingStatus.IN_TRANSIT, "customs_cleared"),
    ("DVR", TrackingStatus.IN_TRANSIT, None),
    ("HLD", TrackingStatus.EXCEPTION, "customs_hold"),
    ("DLV", TrackingStatus.ATTEMPT_FAILED, None),
    ("CRD", TrackingStatus.AVAILABLE_FOR_PICKUP, None),
    ("DLD", TrackingStatus.DELIVERED, None),
    ("RTN", TrackingStatus.RETURNED, None),
]


def test_the_table_has_ten_codes() -> None:
    assert len(CODES) == 10
    assert {code for code, *_ in CODES} == set(EVENTS)


@pytest.mark.parametrize(
    ("code", "status", "sub_status"),
    [*CODES, ("dld", *CODES[8][1:]), ("DEL", None, None), ("XYZ", None, None)],
)
def test_an_events_code_means_what_the_table_says_and_nothing_else(
    code: str, status: Any, sub_status: Any
) -> None:
    found = event(eventCode=code)
    assert (found.code, found.status, found.sub_status) == (code, status, sub_status)


def test_journeys_are_sorted_by_number_and_a_bad_event_spoils_only_itself() -> None:
    def told(number: str, time: str | None, **more: Any) -> Body:
        return {"trackingNo": number, "eventTime": time, "timeZone": "GMT", "eventCode": "SCN", **more}

    answers = [
        TrackAnswer.model_validate(
            {
                "events": [
                    told("B", "2020-08-06T12:00:00"),
                    told("B", "not a time"),
                    "no event at all",
                    told("B", "2020-08-06T10:00:00"),
                    told("LAST-MILE", "2020-08-06T13:00:00", referenceTrackingNo="A"),
                    told("STRANGER", "2020-08-06T13:00:00"),
                ]
            }
        )
    ]
    (first, second, third, stranger), aside = histories(["A", "B", "C"], answers, CarrierSettings())
    assert aside == 2
    assert (stranger.tracking_number, stranger.names, len(stranger.events)) == ("STRANGER", ("STRANGER",), 1)
    assert [one.at.hour for one in first.events] == [13]
    assert [one.at.hour for one in second.events] == [10, 12]
    assert third.events == ()


@pytest.mark.parametrize("name", ["orderId", "referenceNo", "trackingNo"])
def test_a_journey_is_matched_by_whichever_name_the_answer_carries(name: str) -> None:
    event = {"eventTime": "2020-08-06T12:00:00", "eventCode": "DLD", "activity": None}
    answer = TrackAnswer.model_validate({name: "ab 1", "events": [event]})
    for asked in ("AB1", "Ab 1", "\uff41b1"):
        (journey,), _ = histories([asked], [answer], CarrierSettings())
        assert journey.tracking_number == asked
        assert [(one.status, one.description) for one in journey.events] == [("delivered", "")]
    (_, other), _ = histories(["T9"], [answer], CarrierSettings())
    assert (other.names, len(other.events)) == (("ab 1",), 1)


def test_an_event_without_a_code_a_description_or_a_time_is_one_like_any_other() -> None:
    bare: Body = {"eventTime": None, "timeZone": None, "eventCode": None, "activity": None}
    entries = [
        bare | {"eventCode": "DLD"},
        bare | {"eventTime": "2020-08-06T14:47:04.1234567", "timeZone": "GMT+08:00"},
        bare | {"eventCode": "RCV"},
        bare | {"eventTime": "2020-08-05T09:00:00", "timeZone": "GMT", "activity": "Left the depot"},
        bare | {"eventTime": "2020-08-04T09:00:00", "timeZone": "GMT", "eventCode": "INF"},
        bare | {"eventCode": "INF", "activity": "Told", "eventTime": ""},
    ]
    for several in (entries, entries[1:]):
        answer = TrackAnswer.model_validate({"trackingNo": "T", "events": several})
        (journey,), aside = histories(["T"], [answer], CarrierSettings())
        assert (aside, len(journey.events)) == (0, len(several))
    read = {(one.at.day, one.at.hour, one.code, one.description, one.utc_offset) for one in journey.events}
    assert read == {
        (6, 6, "", "", "+08:00"),
        (5, 9, "RCV", "", "+00:00"),
        (5, 9, "", "Left the depot", "+00:00"),
        (4, 9, "INF", "", "+00:00"),
        (4, 9, "INF", "Told", "+00:00"),
    }
    assert [one.status for one in journey.events if one.code == ""] == [None, None]


def test_a_journey_that_tells_no_time_at_all_is_set_aside() -> None:
    answer = TrackAnswer.model_validate({"trackingNo": "T", "events": [{"eventCode": "DLD"}]})
    (journey,), aside = histories(["T"], [answer], CarrierSettings())
    assert (journey.events, aside) == ((), 1)


def labels(*contents: bytes | None) -> list[LabelAnswer]:
    return [
        LabelAnswer.model_validate(
            {"orderId": f"P{number}", "labelContent": content and base64.b64encode(content).decode()}
        )
        for number, content in enumerate(contents)
    ]


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"%PDF-1.7", "pdf"), (b"\xff\xd8\xff\xe0", "jpg"), (b"\n^XA^XZ", "zpl"), (b"<html>", None)],
)
def test_a_label_is_what_its_first_bytes_say(content: bytes, kind: str | None) -> None:
    found = label_files(order_of(body()), ["P0"], labels(content))
    assert [file.format for file in found] == ([kind] if kind else [])


def test_labels_come_in_parcel_order_whatever_order_they_were_sent_in() -> None:
    answers = labels(b"%PDF-0", b"%PDF-1", b"%PDF-2")[::-1]
    found = label_files(order_of(body(3)), ["P0", "p 1", "P2"], answers)
    assert [file.content for file in found] == [b"%PDF-0", b"%PDF-1", b"%PDF-2"]
    assert [file.reference for file in found] == ["shop-17-1", "shop-17-2", "shop-17-3"]


@pytest.mark.parametrize(
    ("label", "asked"),
    [
        ({}, {"labelType": 1, "labelFormat": "PDF", "dpi": 300}),
        ({"format": "zpl", "dpi": 203}, {"labelType": 1, "labelFormat": "ZPL", "dpi": 203}),
        ({"format": "jpg", "size": "4x4"}, {"labelType": 4, "labelFormat": "JPG", "dpi": 300}),
        ({"size": "a4"}, {"labelType": 2, "labelFormat": "PDF", "dpi": 300}),
    ],
)
def test_a_label_is_asked_for_as_the_order_wants_it(label: Body, asked: Body) -> None:
    order = order_of(body(2, label=label))
    sent = label_request(order, ["P0", "P1"]).fields()
    assert sent == {"orderIds": ("P0", "P1"), "packinglist": False, "merged": False, **asked}


def test_a_prepared_order_is_examined_the_same_again() -> None:
    order = prepared(order_of(full_body()), CarrierSettings()).order
    assert validation.examine(order, CarrierSettings()) == Examination()
    assert msgspec.json.encode(prepared(order, CarrierSettings()).order) == msgspec.json.encode(order)

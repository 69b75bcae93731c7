"""An order as LME reads it, and a journey as we do."""

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.lme import wire
from parcelgate.carriers.lme.mapping import create, results, track
from parcelgate.carriers.lme.mapping.address import address_check
from parcelgate.carriers.lme.settings import CarrierSettings
from parcelgate.carriers.results import AddressCheck, Confirmed, Failed, Mismatch, ParcelResult, Pending
from parcelgate.carriers.toolkit.bodies import encoded
from parcelgate.carriers.toolkit.documents import from_base64, label_file
from parcelgate.domain.measures import Dimensions, LengthUnit, Weight, WeightUnit
from parcelgate.domain.orders import Customs, Options, Order
from parcelgate.domain.trackings import (
    NextCarrier,
    OtherNumber,
    ProofOfDelivery,
    Source,
    TrackingStatus,
    merge,
)
from tests.support.adapters import NOON
from tests.support.trackings import a_tracking
from tests.unit.carriers.lme.orders import (
    APP_KEY,
    NUMBER,
    VECTORS,
    confirmed_order,
    order_of,
    parcel,
    receiver,
    sender,
)


def created(order: Order, *, now: datetime = NOON, **settings: Any) -> dict[str, Any]:
    """What goes into the envelope, with its decimals digit by digit."""
    fields = create.create(
        order, channel=APP_KEY, sender=sender(), settings=CarrierSettings(**settings), now=now
    ).fields()
    found: dict[str, Any] = json.loads(encoded(fields), parse_float=Decimal)
    return found


def test_the_order_of_the_vendors_sdk_goes_out_as_the_sdk_sends_it() -> None:
    plain = json.loads(json.dumps(VECTORS["requests"][0]["plain"]), parse_float=Decimal)
    assert created(order_of()) == plain


def test_measures_are_metres_and_kilograms_of_three_decimals() -> None:
    heavy = parcel(
        weight=Weight(Decimal(1), WeightUnit.OZ),
        dimensions=Dimensions(Decimal(12), Decimal("0.001"), Decimal("78.7"), LengthUnit.IN),
    )
    body = encoded(
        create.create(
            order_of(parcels=(heavy,)), channel=APP_KEY, sender=sender(), settings=CarrierSettings(), now=NOON
        ).fields()
    ).decode()
    # Numbers, not strings, with the digits they have.
    assert '"totalLength":0.305,"totalWidth":0.001,"totalHeight":1.999,"totalWeight":0.028,' in body


def test_an_address_is_one_line_with_full_names_and_the_code_beside_them() -> None:
    to = receiver(country="CA", state="on", line2="Unit 5", line3="Rear", company="Shop", email="a@b.c")
    assert created(order_of(ship_to=to))["receiver"] == {
        "contact": "Corrie McKee",
        "company": "Shop",
        "email": "a@b.c",
        "mobile": "0403536112",
        "zoneCode": "CA",
        "country": "Canada",
        "province": "Ontario",
        "city": "Berwick",
        "address": "3 Lakeside Drive, Unit 5, Rear",
        "postCode": "3806",
    }


def test_what_is_absent_is_left_out_and_a_phone_is_made_up() -> None:
    bare = order_of(
        ship_to=receiver(phone=None, state=None, postcode=None), parcels=(parcel(dimensions=None),),
        customs=None, options=Options(),
    )  # fmt: skip
    found = created(bare)
    assert set(found) == {
        "outOrderNo", "channel", "preTimeStart", "preTimeEnd", "totalWeight", "poster", "receiver",
    }  # fmt: skip
    assert set(found["receiver"]) == {"contact", "mobile", "zoneCode", "country", "city", "address"}
    assert found["receiver"]["mobile"] == "123456789"


def test_without_a_window_it_is_tomorrow_from_nine_to_six_in_the_accounts_zone() -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    found = created(order_of(options=Options()), now=late)
    assert (found["preTimeStart"], found["preTimeEnd"]) == ("2026-11-22 09:00:00", "2026-11-22 18:00:00")
    found = created(order_of(options=Options()), now=late, default_time_zone="Australia/Sydney")
    assert found["preTimeStart"] == "2026-11-23 09:00:00"
    found = created(order_of(), default_time_zone="Australia/Sydney", window_from="10:00")
    assert (found["preTimeStart"], found["preTimeEnd"]) == ("2027-01-01 20:00:00", "2027-01-02 05:00:00")


@pytest.mark.parametrize(
    ("customs", "parcels_own", "expected"),
    [("dress", "red", "dress"), (None, "red", "red"), (None, None, None)],
)
def test_the_cargo_is_what_customs_is_told_or_what_the_parcel_says(
    customs: str | None, parcels_own: str | None, expected: str | None
) -> None:
    order = order_of(customs=Customs(description=customs), parcels=(parcel(description=parcels_own),))
    assert created(order).get("cargoDesc") == expected


def test_an_instruction_and_a_number_held_already_are_sent() -> None:
    order = order_of(options=Options(instruction="Ring twice"), parcels=(parcel(tracking_number=NUMBER),))
    found = created(order)
    assert (found["remark"], found["orderNo"]) == ("Ring twice", NUMBER)


def test_an_update_is_the_whole_order_under_its_number() -> None:
    order = confirmed_order(ship_to=receiver(city="Narre Warren"))
    fields = create.create(
        order, channel=APP_KEY, sender=sender(), settings=CarrierSettings(), now=NOON, is_update=True
    ).fields()
    assert (fields["orderNo"], fields["receiver"]["city"]) == (NUMBER, "Narre Warren")
    assert set(created(order_of())) < set(fields)


# Orders that come back.


def result(order: Order, settings: CarrierSettings | None = None, **data: Any) -> Any:
    told = {"orderNo": NUMBER, "outOrderNo": "SDK-1", **data}
    return results.found(order, wire.OrderData.model_validate(told), settings or CarrierSettings())


def test_the_orders_number_is_the_parcels_too_and_the_rest_is_kept_by_its_own_names() -> None:
    found = result(order_of(), preCenterWarehouseName="MEL", volume=0.006, orderStage=1, totalWeight=1.2)
    assert found == Confirmed(
        carrier_order_number=NUMBER,
        parcels=(ParcelResult(reference="SDK-1-1", tracking_number=NUMBER),),
        details={"preCenterWarehouseName": "MEL", "orderStage": "1"},
    )
    told = {"poster": {"contact": "A"}, "receiver": {"contact": "Corrie McKee", "mobile": "1"}}
    assert result(order_of(), **told).details == {}


def test_an_order_is_ours_when_its_receiver_is() -> None:
    ours = {"contact": "CORRIE MCKEE", "address": "3 Lakeside Drive", "postCode": 3806}
    assert isinstance(result(order_of(), receiver=ours), Confirmed)
    assert isinstance(result(order_of(), receiver=ours | {"contact": "C***e"}), Confirmed)
    assert isinstance(result(order_of(), receiver=ours | {"postCode": "3000"}), Mismatch)
    assert isinstance(result(order_of(), receiver="unexpected string"), Confirmed)


def test_what_does_not_fit_is_not_adopted() -> None:
    assert isinstance(result(order_of(), outOrderNo="OTHER"), Mismatch)
    assert isinstance(result(confirmed_order(), orderNo="FHE00000000000001"), Mismatch)
    assert isinstance(result(order_of(), orderNo=None), Pending)
    gone = result(order_of(), CarrierSettings(cancelled_stages=("90",)), orderStage=Decimal("90.0"))
    assert isinstance(gone, Failed)
    assert gone.carrier_order_number == NUMBER


# Addresses and labels.


def check(data: Any) -> Any:
    return address_check(receiver(), wire.Answer("0", "", data))


def test_an_address_that_lme_knows_needs_nothing() -> None:
    same = {"country": "Australia", "province": "Victoria", "city": "BERWICK", "postCode": "3806",
            "address": "3 Lakeside Drive"}  # fmt: skip
    assert check({"isValid": True, "suggest": same}) == AddressCheck(valid=True)
    assert check({"isValid": "true", "suggest": None}) == AddressCheck(valid=True)


def test_an_address_that_lme_would_rather_have_otherwise() -> None:
    rather = {"postCode": 3807, "province": "New South Wales", "address": "4 Lake"}
    found = check({"isValid": False, "message": "postCode 3806 is wrong", "suggest": rather})
    assert not found.valid
    assert [(m.pointer, m.code) for m in found.messages] == [("/address/postcode", "invalid")]
    assert found.suggestion == receiver(postcode="3807", state="NSW", line1="4 Lake")
    assert check({"isValid": 0}).messages[0].pointer == "/address"


@pytest.mark.parametrize("data", [None, {}, [], {"isValid": "perhaps"}])
def test_an_answer_that_does_not_say_is_none(data: Any) -> None:
    assert check(data) is None


@pytest.mark.parametrize("prefix", ["", "data:application/pdf;base64,"])
def test_a_label_is_checked_by_its_first_bytes(prefix: str) -> None:
    text = prefix + base64.encodebytes(b"%PDF-1.4 " + b"x" * 200).decode()
    content = from_base64(text)
    assert content is not None
    found = label_file("SDK-1-1", content)
    assert found is not None
    assert (found.reference, found.format) == ("SDK-1-1", "pdf")
    assert label_file("SDK-1-1", b"<html>") is None
    assert label_file("SDK-1-1", b"%PDF-" + b"x" * (10 * 1024 * 1024)) is None
    assert from_base64("&&&") is None


# Journeys.


def event(**told: Any) -> Any:
    fields = {"eventCode": "collect_order", "eventTime": "2026-11-20 08:15:30", "timeZone": "UTC+10", **told}
    return track.event(wire.RouteEvent.model_validate(fields), CarrierSettings())


def test_an_event_keeps_the_instant_and_the_offset() -> None:
    found = event(event="Parcel arrived", eventCity="Melbourne", eventState="VIC", eventZipCode=3000,
                  eventCountry="Australia", orderLocation="Warehouse 3")  # fmt: skip
    assert found.at == datetime(2026, 11, 19, 22, 15, 30, tzinfo=UTC)
    assert (found.utc_offset, found.at_is_local) == ("+10:00", False)
    assert (found.status, found.sub_status) == (TrackingStatus.IN_TRANSIT, "arrived_at_hub")
    assert (found.city, found.state, found.postcode, found.country) == ("Melbourne", "VIC", "3000", "AU")
    assert (found.description, found.place) == ("Parcel arrived", "Warehouse 3")


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("UTC+10", "+10:00"),
        ("utc+9.5", "+09:30"),
        ("UTC-3:30", "-03:30"),
        ("UTC+1000", "+10:00"),
        ("UTC", "+00:00"),
        ("GMT+08:00", "+08:00"),
        ("GMT-5", "-05:00"),
        ("GMT", "+00:00"),
        ("+05:45", "+05:45"),
        ("Australia/Melbourne", "+11:00"),
        ("Pacific/Auckland", "+13:00"),
        ("America/Toronto", "-05:00"),
    ],
)
def test_every_form_of_a_zone_is_read(zone: str, offset: str) -> None:
    found = event(timeZone=zone)
    assert (found.utc_offset, found.at_is_local) == (offset, False)
    sign = -1 if offset[0] == "-" else 1
    away = sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[4:]))
    assert found.at == datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC) - away


@pytest.mark.parametrize("zone", [None, "", "EST", "Mars/Olympus", "UTC+25", "../etc/passwd", "+"])
def test_a_time_without_a_zone_is_marked_as_local(zone: str | None) -> None:
    found = event(timeZone=zone)
    assert (found.at, found.utc_offset) == (datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC), None)
    assert found.at_is_local
    settings = CarrierSettings(default_time_zone="Australia/Brisbane")
    told = wire.RouteEvent.model_validate({"action": "x", "operatorTime": "2026-11-20 08:15:30"})
    there = track.event(told, settings)
    assert there is not None
    assert there.at == datetime(2026, 11, 19, 22, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-20T08:15:30.1234567", datetime(2026, 11, 20, 8, 15, 30, 123456, tzinfo=UTC)),
        ("2026-11-20T08:15:30.1234567Z", datetime(2026, 11, 20, 8, 15, 30, 123456, tzinfo=UTC)),
        ("2026-11-20T18:15:30.1234567+10:00", datetime(2026, 11, 20, 8, 15, 30, 123456, tzinfo=UTC)),
        ("2026/11/20 08:15:30", datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)),
        ("2026-11-20 08:15", datetime(2026, 11, 20, 8, 15, tzinfo=UTC)),
        (1795162530000, datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)),
        ("1795162530", datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)),
    ],
)
def test_every_form_of_a_time_is_read(text: Any, at: datetime) -> None:
    assert event(eventTime=text, timeZone="UTC").at == at


def test_the_newer_names_win_and_the_older_ones_are_read() -> None:
    older = {"action": "lost", "operatorTime": "2026-01-01 00:00:00", "routingDescription": "old"}
    found = event(event="new", **older)
    assert (found.code, found.description, found.at.month) == ("collect_order", "new", 11)
    found = event(eventCode=None, eventTime="0001-01-01T00:00:00", event="", occurLocation="MEL", **older)
    assert (found.code, found.description, found.at.month) == ("lost", "old", 12)
    assert found.place == "MEL"


def test_the_time_in_utc_tells_the_zone_where_nothing_else_does() -> None:
    told = {"eventTime": None, "operatorTime": "2026-11-20 18:15:30", "timeZone": None}
    found = event(**told, utcOperatorTime="2026-11-20 08:15:30")
    assert (found.at.hour, found.utc_offset, found.at_is_local) == (8, "+10:00", False)
    found = event(**told, utcOperatorTime="2026-11-18 08:15:30")
    assert found.at_is_local
    found = event(eventTime=None, timeZone=None, utcOperatorTime="2026-11-20 08:15:30")
    assert (found.at.hour, found.utc_offset) == (8, "+00:00")


def test_an_unknown_code_is_shown_and_has_no_status() -> None:
    found = event(eventCode="teleported", event=None)
    assert (found.code, found.description, found.status) == ("teleported", "teleported", None)
    assert not found.visible_to_recipient, "whether its row is shown nobody knows"
    assert not found.is_housekeeping


def test_a_known_action_tells_what_an_unknown_code_means() -> None:
    found = event(eventCode="E-77", action="out_warehorse_2")
    assert (found.code, found.status, found.visible_to_recipient) == ("E-77", "out_for_delivery", True)


def test_housekeeping_has_no_status_and_is_no_unknown_code() -> None:
    found = event(eventCode="allocate_in")
    assert (found.status, found.is_housekeeping, found.visible_to_recipient) == (None, True, True)


def test_the_warehouse_does_not_end_damage_and_withdrawal() -> None:
    assert set(event(eventCode="deliver_in_warehose").leaves) == {"damaged", "returning"}


@pytest.mark.parametrize(("in_utc", "hour"), [("2026-04-04 15:30:00", 15), ("2026-04-04 16:30:00", 16)])
def test_an_hour_that_comes_twice_is_the_one_that_the_time_in_utc_says(in_utc: str, hour: int) -> None:
    """Melbourne's clocks go back from three to two on 5 April 2026."""
    found = event(eventTime="2026-04-05 02:30:00", timeZone="Australia/Melbourne", utcOperatorTime=in_utc)
    assert (found.at.hour, found.utc_offset) == (hour, "+11:00" if hour == 15 else "+10:00")


def test_the_time_of_the_update_stands_in_for_all_others() -> None:
    found = event(eventTime=None, updateTime="2026-11-20 08:15:30")
    assert found.at == datetime(2026, 11, 19, 22, 15, 30, tzinfo=UTC)
    milliseconds = event(eventTime=None, updatedTime=1795126530000)
    assert milliseconds.at == datetime.fromtimestamp(1795126530, UTC)


def test_one_event_is_one_however_its_place_is_told() -> None:
    told = {"eventCode": "sign_in", "eventTime": "2026-11-20 08:15:30"}
    events = [event(**told, orderLocation="Warehouse 3"), event(**told, eventCity="Melbourne"), event(**told)]
    parcel = a_tracking(carrier="lme")
    assert len(merge(parcel, events, source=Source.POLL, at=NOON).events) == 1


def test_what_is_not_for_the_recipient_is_marked() -> None:
    assert not event(eventCode="damage_order").visible_to_recipient


def history(*routes: Any, data: Any = None) -> Any:
    whole = {"orderRoutes": list(routes)} if data is None else data
    (found, *others), aside = track.histories(NUMBER, wire.Answer("0", "", whole), CarrierSettings())
    assert others == []
    return found, aside


def route(**told: Any) -> dict[str, Any]:
    return {"orderNo": NUMBER, "eventCode": "collect_order", "eventTime": "2026-11-20 08:15:30",
            "timeZone": "UTC+10", **told}  # fmt: skip


def test_one_bad_event_never_spoils_its_neighbours() -> None:
    found, aside = history(route(), route(eventTime="soon"), route(eventTime={"a": 1}), "text", route())
    assert (len(found.events), aside) == (2, 2)


def test_the_events_of_another_order_are_another_journey() -> None:
    routes = [route(), route(orderNo="FHE9"), route(orderNo=None), route(orderNo="fhe9", eventTime="soon")]
    found, aside = track.histories(NUMBER, wire.Answer("0", "", routes), CarrierSettings())
    assert [(one.tracking_number, len(one.events)) for one in found] == [(NUMBER, 2), ("FHE9", 1)]
    assert aside == 1


@pytest.mark.parametrize("data", [[route()], {"orderRoutes": [route()]}, {"list": [route()]}])
def test_a_route_comes_bare_or_under_a_name(data: Any) -> None:
    found, aside = history(data=data)
    assert (len(found.events), aside) == (1, 0)


@pytest.mark.parametrize("data", [None, {}, [], "text", {"orderRoutes": None}])
def test_no_route_is_no_events(data: Any) -> None:
    found, aside = history(data=data if data is not None else {})
    assert (found.events, aside) == ((), 0)


def test_the_next_carriers_number_is_kept() -> None:
    forwarded = route(eventCode="transport_order", trackNo="33ABC123")
    found, _ = history(route(trackNo="33ABC123"), forwarded, route(trackNo=NUMBER), route(trackNo="X1"))
    assert found.other_numbers == (OtherNumber("33ABC123", "australia-post"), OtherNumber("X1"))


AT = datetime(2026, 11, 19, 22, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "told",
    [
        {"trackNo": "33ABC1234567"},
        {"event": "Forwarded to Australia Post, Tracking Number: 33ABC1234567"},
        {"event": "Forwarded to Australia Post, Tracking Number\uff1a[33ABC1234567]Thank you"},
        {"routingDescription": "forwarded, tracking number:33ABC1234567."},
    ],
)
def test_a_parcel_that_is_handed_on_is_known_by_its_next_number(told: dict[str, str]) -> None:
    found, _ = history(route(eventCode="transport_order", **told))
    assert found.next_carrier == NextCarrier(AT, "australia-post", "33ABC1234567", followed=True)
    assert found.other_numbers == (OtherNumber("33ABC1234567", "australia-post"),)


def test_an_account_may_have_it_that_the_next_carrier_is_not_asked() -> None:
    whole = {"orderRoutes": [route(eventCode="transport_order", trackNo="33ABC1234567")]}
    settings = CarrierSettings(follow_next_carrier=False)
    (found,), _ = track.histories(NUMBER, wire.Answer("0", "", whole), settings)
    assert found.next_carrier is not None
    assert not found.next_carrier.followed


def test_another_event_hands_nothing_on() -> None:
    found, _ = history(route(eventCode="collect_order", event="Tracking Number: 33ABC1234567"))
    assert (found.next_carrier, found.other_numbers) == (None, ())


def test_a_route_may_write_the_number_in_other_letters() -> None:
    found, aside = history(route(orderNo=f" {NUMBER.lower()}"))
    assert (len(found.events), aside) == (1, 0)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "http://pictures.example/1.jpg", "https://", "//x/y"]
)
def test_pictures_have_addresses_that_are_https(address: str) -> None:
    for name in ("imageUrl", "imageUrls", "shippingAddressImageUrl"):
        found, _ = history(route(eventCode="sign_image", **{name: address}))
        assert found.proof is None


def test_pictures_of_version_one_prove_the_delivery_too() -> None:
    found, _ = history(route(eventCode="sign_image", imageUrls=["https://pictures.example/1.jpg"]))
    assert found.proof.image_url == "https://pictures.example/1.jpg"


def test_the_newest_pictures_prove_the_delivery_for_thirty_days() -> None:
    first = route(eventCode="sign_image", imageUrls=["https://pictures.example/1.jpg"])
    second = route(
        eventCode="sign_image",
        eventTime="2026-11-20 09:00:00",
        imageUrl="https://pictures.example/2.jpg,https://pictures.example/3.jpg",
        shippingAddressImageUrl="https://pictures.example/door.jpg",
    )
    found, _ = history(second, first)
    assert found.proof == ProofOfDelivery(
        image_url="https://pictures.example/2.jpg",
        address_image_url="https://pictures.example/door.jpg",
        expires_at=datetime(2026, 12, 19, 23, tzinfo=UTC),
    )


def test_a_push_is_a_journey_of_one_event() -> None:
    found, reference = track.pushed(route(outOrderNo="SDK-1"), CarrierSettings())
    assert found is not None
    assert (found.tracking_number, len(found.events), reference) == (NUMBER, 1, "SDK-1")
    assert track.pushed({"hello": "world"}, CarrierSettings()) == (None, None)


def test_a_drivers_phone_is_nowhere_in_what_is_kept() -> None:
    found, _ = history(route(eventCode="out_warehorse_2", driverPrivacyMobile="0499999999"))
    assert b"0499999999" not in msgspec.json.encode(found)

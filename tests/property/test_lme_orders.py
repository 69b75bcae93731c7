"""Whatever order LME's rules let through goes out within those rules, and its answer finds its parcel."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import assume, given
from hypothesis import strategies as st

from parcelgate.carriers.lme import signing, wire
from parcelgate.carriers.lme.mapping import create, results, track
from parcelgate.carriers.lme.settings import CarrierSettings
from parcelgate.carriers.lme.validation import FIELDS
from parcelgate.carriers.results import Confirmed
from parcelgate.carriers.toolkit.bodies import encoded
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.domain.measures import Dimensions, LengthUnit, Money, Weight, WeightUnit
from parcelgate.domain.orders import Customs, DeliveryWindow, Item, Options, Order, Parcel
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.places.countries import country_name
from parcelgate.domain.trackings import TrackingEvent
from tests.support.adapters import NOON
from tests.unit.carriers.lme.orders import APP_KEY, CLIENT_PRIVATE, NUMBER, adapter, order_of, sender

REQUIRED = {"outOrderNo", "channel", "preTimeStart", "preTimeEnd", "totalWeight", "poster", "receiver"}
OPTIONAL = {"orderNo", "cargoDesc", "remark", "totalLength", "totalWidth", "totalHeight"}
CONTACT_REQUIRED = {"contact", "mobile", "zoneCode", "country", "city", "address"}
CONTACT_OPTIONAL = {"company", "email", "province", "postCode"}

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(str.strip)
maybe_words = st.none() | words
states = {
    "AU": ["VIC", "nsw", "Queensland"],
    "US": ["NY", "new york"],
    "CA": ["ON", "Quebec"],
}


def addresses(countries: list[str]) -> st.SearchStrategy[Address]:
    return st.sampled_from(countries).flatmap(in_country)


def in_country(country: str) -> st.SearchStrategy[Address]:
    return st.builds(
        Address,
        name=words,
        line1=words,
        city=words,
        country=st.just(country),
        company=maybe_words,
        phone=maybe_words,
        email=maybe_words,
        line2=maybe_words,
        line3=maybe_words,
        state=st.none() | st.sampled_from([*states.get(country, ["Otago"]), "zz"]),
        postcode=maybe_words,
        tax_id=maybe_words,
    )


def measures(least: str, most: str) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(least), Decimal(most), places=6)


dimensions = st.none() | st.one_of(
    *(
        st.builds(Dimensions, *(measures("0.000001", most) for _ in range(3)), st.just(unit))
        for unit, most in (
            (LengthUnit.M, "2.1"),
            (LengthUnit.CM, "210"),
            (LengthUnit.MM, "2100"),
            (LengthUnit.IN, "80"),
        )
    )
)
moneys = st.builds(Money, measures("0", "9999"), st.sampled_from(["AUD", "USD"]))
items = st.builds(
    Item, number=words, sku=words, description=words, quantity=st.integers(1, 99), unit_value=moneys
)
parcels = st.builds(
    Parcel,
    reference=words,
    weight=st.builds(Weight, measures("0.000001", "900"), st.sampled_from(WeightUnit)),
    dimensions=dimensions,
    volume=st.none() | measures("0.000001", "9"),
    secondary_reference=maybe_words,
    description=maybe_words,
    native_description=maybe_words,
    declared_value=st.none() | moneys,
    items=st.lists(items, max_size=2).map(tuple),
    tracking_number=st.none() | st.just(NUMBER) | words,
)
moments = st.datetimes(datetime(2026, 11, 22), datetime(2027, 3, 1), timezones=st.just(UTC))
windows = st.builds(
    lambda begins, hours: DeliveryWindow(from_=begins, to=begins + timedelta(hours=hours)),
    moments,
    st.integers(1, 48),
)


def orders(**narrower: st.SearchStrategy[Any]) -> st.SearchStrategy[Order]:
    fields = {
        "reference": words,
        "ship_to": addresses(["AU", "NZ", "US", "CA", "GB"]),
        "ship_from": st.none() | addresses(["CN", "AU", "US", "XK"]),
        "parcels": st.lists(parcels, min_size=1, max_size=2).map(tuple),
        "customs": st.none() | st.builds(Customs, description=maybe_words, value=st.none() | moneys),
        "options": st.builds(
            Options, instruction=maybe_words, delivery_window=st.none() | windows, locker=st.booleans()
        ),
    }
    return st.builds(order_of, **fields | narrower)


def passable(parcel: Parcel) -> Parcel:
    """The parcel without what LME always refuses."""
    held = parcel.tracking_number if parcel.tracking_number == NUMBER else None
    return msgspec.structs.replace(parcel, declared_value=None, tracking_number=held)


passable_orders = orders(
    ship_to=addresses(["AU", "NZ", "US", "CA"]),
    parcels=parcels.map(lambda parcel: (passable(parcel),)),
    options=st.builds(Options, instruction=maybe_words, delivery_window=st.none() | windows),
)


def is_valid(order: Order) -> bool:
    return not adapter().examine(order).errors


@given(passable_orders, moments)
def test_a_valid_order_goes_out_within_lmes_rules_and_comes_back_to_its_parcel(
    order: Order, now: datetime
) -> None:
    assume(is_valid(order))
    fields = create.create(
        order, channel=APP_KEY, sender=order.ship_from or sender(), settings=CarrierSettings(), now=now
    ).fields()
    body = json.loads(encoded(fields), parse_float=Decimal)
    assert set(body) >= REQUIRED
    assert set(body) - REQUIRED <= OPTIONAL
    assert (body["outOrderNo"], body["channel"]) == (order.reference, APP_KEY)
    for name in ("totalLength", "totalWidth", "totalHeight"):
        if name in body:
            assert 0 < Decimal(body[name]) <= 2
            assert Decimal(body[name]) == round(Decimal(body[name]), 3)
    kilograms = order.parcels[0].weight.to(WeightUnit.KG)
    assert abs(Decimal(body["totalWeight"]) - kilograms) <= Decimal("0.001")
    assert Decimal(body["totalWeight"]) > 0
    begins, ends = (
        datetime.strptime(body[name], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        for name in ("preTimeStart", "preTimeEnd")
    )
    assert begins < ends
    assert begins > (NOON if order.options.delivery_window else now)
    for side, address in (("poster", order.ship_from or sender()), ("receiver", order.ship_to)):
        contact = body[side]
        assert set(contact) >= CONTACT_REQUIRED
        assert set(contact) - CONTACT_REQUIRED <= CONTACT_OPTIONAL
        assert all(isinstance(value, str) and value for value in contact.values())
        assert re.fullmatch("[A-Z]{2}", contact["zoneCode"])
        assert contact["country"] == country_name(address.country)
        if address.country in {"AU", "US", "CA"}:
            assert contact.get("province") not in {"VIC", "nsw", "ON"}
        for line in (address.line1, address.line2, address.line3):
            assert line is None or line in contact["address"]
    _comes_back(order, body)


def _comes_back(order: Order, body: dict[str, Any]) -> None:
    """LME answers the fields it was sent, and the number."""
    answer = wire.OrderData.model_validate({**body, "orderNo": NUMBER})
    found = results.found(order, answer, CarrierSettings())
    assert isinstance(found, Confirmed)
    assert [(p.reference, p.tracking_number) for p in found.parcels] == [(order.parcels[0].reference, NUMBER)]
    assert "receiver" not in found.details


@given(orders())
def test_every_field_that_is_given_is_sent_or_told_or_refused(order: Order) -> None:
    """No wish is ever dropped in silence: for each field of the table that is no default, somebody speaks."""
    examination = adapter().examine(order)
    spoken = {entry.pointer for entry in (*examination.errors, *examination.warnings)}
    for index, parcel in enumerate(order.parcels):
        at = f"/parcels/{index}"
        for name, value in (("volume", parcel.volume), ("secondary_reference", parcel.secondary_reference),
                            ("native_description", parcel.native_description),
                            ("declared_value", parcel.declared_value), ("items", parcel.items)):  # fmt: skip
            assert FIELDS[f"/parcels/*/{name}"][0] in {Place.REFUSED, Place.NOT_SENT}
            assert not value or f"{at}/{name}" in spoken
    assert order.options.locker is ("/options/locker" in spoken)


@given(st.binary(min_size=1, max_size=2000), st.sampled_from([1024, 1280, 2048]))
def test_what_is_sealed_is_opened_again_whatever_the_key(content: bytes, bits: int) -> None:
    key = KEYS[bits]
    assert signing.unseal(signing.seal(content, key.public_key()), key) == content


KEYS = {bits: rsa.generate_private_key(65537, bits) for bits in (1024, 1280, 2048)}


@given(st.binary(max_size=600) | st.text(max_size=200).map(str.encode), st.dictionaries(words, words))
def test_no_stranger_can_make_a_push_raise(body: bytes, headers: dict[str, str]) -> None:
    assert adapter().verify_webhook(headers, body).trust != "believed"
    sealed = json.dumps({"data": signing.seal(body or b"x", CLIENT_PRIVATE.public_key())}).encode()
    assert adapter().verify_webhook(headers, sealed).trust != "believed"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
routes = st.dictionaries(
    st.sampled_from(["orderNo", "eventCode", "eventTime", "operatorTime", "utcOperatorTime", "timeZone",
                     "trackNo", "imageUrl", "imageUrls", "eventCountry"]),
    anything | st.sampled_from(["2026-11-20 08:15:30", "UTC+10", "9999-12-31 23:59:59", "UTC-12", "sign_in"]),
)  # fmt: skip


@given(st.lists(routes | anything, max_size=5) | anything)
def test_no_route_can_make_the_reader_raise(data: Any) -> None:
    found, aside = track.histories(NUMBER, wire.Answer("0", "", data), CarrierSettings())
    assert aside >= 0
    assert found[0].tracking_number == NUMBER
    for event in (event for one in found for event in one.events):
        assert isinstance(event, TrackingEvent)
        assert event.at.tzinfo is UTC
        assert event.at_is_local is (event.utc_offset is None)

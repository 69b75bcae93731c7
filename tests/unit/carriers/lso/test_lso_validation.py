"""What LSO takes and what it does not, field by field."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.lso.validation import FIELDS
from parcelgate.carriers.results import Examination
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.domain.measures import Dimensions, LengthUnit, Money, Weight, WeightUnit
from parcelgate.domain.orders import (
    Battery,
    Customs,
    DeliveryWindow,
    Item,
    Label,
    Options,
    Order,
    Parcel,
)
from tests.support.adapters import (
    NOON,
    FakeTransport,
    dollars,
    lso,
    lso_account,
    lso_address,
    lso_order,
    lso_parcel,
)

ITEM = Item(number="1", sku="1", description="Bolts", quantity=3, unit_value=dollars("2.50"))


def examine(order: Order, **account: Any) -> Examination:
    return lso(FakeTransport(), account=lso_account(**account)).examine(order)


def errors(order: Order, **account: Any) -> list[tuple[str, str]]:
    return [(error.pointer, error.code) for error in examine(order, **account).errors]


def warnings(order: Order, **account: Any) -> list[tuple[str, str]]:
    return [(warning.pointer, warning.code) for warning in examine(order, **account).warnings]


def with_parcel(**changes: Any) -> Order:
    return lso_order(parcels=(lso_parcel(), lso_parcel("shop-17-2", **changes)))


def test_a_plain_order_is_fine() -> None:
    assert examine(lso_order()) == Examination()


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (lso_order(service=None), ("/service", "missing")),
        (lso_order(service="Priority"), ("/service", "unknown_value")),
        (lso_order(ship_to=lso_address(phone=None)), ("/ship_to/phone", "missing")),
        (lso_order(ship_to=lso_address(state=None)), ("/ship_to/state", "missing")),
        (lso_order(ship_to=lso_address(postcode=None)), ("/ship_to/postcode", "missing")),
        (lso_order(ship_to=lso_address(state="Bavaria")), ("/ship_to/state", "unknown_value")),
        (lso_order(ship_to=lso_address(postcode="7870")), ("/ship_to/postcode", "format")),
        (lso_order(ship_to=lso_address(postcode="78701-12")), ("/ship_to/postcode", "format")),
        (
            lso_order(ship_to=lso_address(postcode="\uff17\uff18\uff17\uff10\uff11")),
            ("/ship_to/postcode", "format"),
        ),
        (
            lso_order(ship_to=lso_address(country="CA", state="ON", postcode="K1A 0B1")),
            ("/ship_to/country", "unknown_value"),
        ),
        (with_parcel(dimensions=None), ("/parcels/1/dimensions", "missing")),
        (
            with_parcel(dimensions=Dimensions(Decimal(1), Decimal(0), Decimal(1), LengthUnit.IN)),
            ("/parcels/1/dimensions/width", "out_of_range"),
        ),
        (
            with_parcel(weight=Weight(Decimal(0), WeightUnit.KG)),
            ("/parcels/1/weight/value", "out_of_range"),
        ),
        (
            with_parcel(declared_value=Money(Decimal(5), "EUR")),
            ("/parcels/1/declared_value/currency", "currency_mismatch"),
        ),
        (
            lso_order(options=Options(max_price=Money(Decimal(5), "EUR"))),
            ("/options/max_price/currency", "currency_mismatch"),
        ),
        (
            lso_order(parcels=tuple(lso_parcel(f"p-{place}") for place in range(51))),
            ("/parcels", "too_many"),
        ),
    ],
)
def test_a_limit_is_named_where_it_is_broken(order: Order, expected: tuple[str, str]) -> None:
    assert errors(order) == [expected]


@pytest.mark.parametrize("state", ["TX", "tx", "Texas", " texas ", "New  Mexico", "DC", "PR"])
def test_states_are_taken_as_code_or_name(state: str) -> None:
    assert errors(lso_order(ship_to=lso_address(state=state))) == []


@pytest.mark.parametrize("postcode", ["78701", "78701-1234"])
def test_both_forms_of_a_postcode_are_taken(postcode: str) -> None:
    assert errors(lso_order(ship_to=lso_address(postcode=postcode))) == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"line1": "PO Box 17"}, "/ship_to/line1"),
        ({"line1": "P.O. Box 17"}, "/ship_to/line1"),
        ({"line1": "p o box #17A"}, "/ship_to/line1"),
        ({"line1": "Post Office Box 17"}, "/ship_to/line1"),
        ({"line2": "P.O.Box 17"}, "/ship_to/line2"),
        ({"line2": "POB 17"}, "/ship_to/line2"),
    ],
)
def test_a_po_box_is_warned_of_since_lso_delivers_by_hand(changes: dict[str, str], pointer: str) -> None:
    found = examine(lso_order(ship_to=lso_address(**changes)))
    assert found.errors == ()
    assert [(note.pointer, note.code) for note in found.warnings] == [(pointer, "po_box")]


@pytest.mark.parametrize(
    "line1", ["12 Post Box Lane", "1 Pobox Road", "17 Box Elder Drive", "Post Office Road 3"]
)
def test_a_street_is_no_po_box(line1: str) -> None:
    assert examine(lso_order(ship_to=lso_address(line1=line1))).warnings == ()


def test_a_missing_company_is_filled_in_with_a_warning() -> None:
    assert warnings(lso_order(ship_to=lso_address(company=None))) == [("/ship_to/company", "defaulted")]


@pytest.mark.parametrize(
    ("order", "pointer"),
    [
        (lso_order(ship_to=lso_address(line3="c/o Crane")), "/ship_to/line3"),
        (lso_order(ship_from=lso_address()), "/ship_from"),
        (lso_order(return_to=lso_address()), "/return_to"),
        (with_parcel(tracking_number="Z1"), "/parcels/1/tracking_number"),
        (lso_order(customs=Customs(battery=Battery(type="PI967"))), "/customs/battery"),
        (lso_order(customs=Customs(dangerous_goods=True)), "/customs/dangerous_goods"),
        (lso_order(options=Options(authority_to_leave=True)), "/options/authority_to_leave"),
        (lso_order(options=Options(locker=True)), "/options/locker"),
        (lso_order(options=Options(pick_up=True)), "/options/pick_up"),
        (lso_order(options=Options(facility="MEL")), "/options/facility"),
        (lso_order(options=Options(service_option="E-Parcel")), "/options/service_option"),
        (lso_order(options=Options(return_option="Return")), "/options/return_option"),
        (
            lso_order(options=Options(delivery_window=DeliveryWindow(from_=NOON, to=NOON))),
            "/options/delivery_window",
        ),
        (lso_order(label=Label(format="zpl")), "/label/format"),
        (lso_order(label=Label(size="a4")), "/label/size"),
    ],
)
def test_what_changes_service_money_or_safety_is_refused(order: Order, pointer: str) -> None:
    assert errors(order) == [(pointer, "not_supported_by_carrier")]
    assert warnings(order) == []


@pytest.mark.parametrize(
    ("order", "pointer"),
    [
        (lso_order(ship_to=lso_address(email="ada@example.com")), "/ship_to/email"),
        (lso_order(ship_to=lso_address(tax_id="1")), "/ship_to/tax_id"),
        (with_parcel(volume=Decimal("0.1")), "/parcels/1/volume"),
        (with_parcel(description="Bolts"), "/parcels/1/description"),
        (with_parcel(native_description="Schrauben"), "/parcels/1/native_description"),
        (with_parcel(sku_on_label="B-3"), "/parcels/1/sku_on_label"),
        (with_parcel(items=(ITEM,)), "/parcels/1/items"),
        (lso_order(customs=Customs(description="Tools")), "/customs/description"),
        (lso_order(customs=Customs(native_description="工具")), "/customs/native_description"),
        (lso_order(customs=Customs(value=dollars("9"))), "/customs/value"),
        (lso_order(customs=Customs(vendor_id="1")), "/customs/vendor_id"),
        (lso_order(customs=Customs(abn="1")), "/customs/abn"),
        (lso_order(customs=Customs(incoterm="DDP")), "/customs/incoterm"),
        (lso_order(customs=Customs(gst_exemption_code="X")), "/customs/gst_exemption_code"),
        (lso_order(customs=Customs(inject_port="LAX")), "/customs/inject_port"),
        (lso_order(customs=Customs(sender_tax_id="1")), "/customs/sender_tax_id"),
        (lso_order(options=Options(instruction="Ring twice")), "/options/instruction"),
        (lso_order(options=Options(platform="eBay")), "/options/platform"),
        (lso_order(label=Label(dpi=300)), "/label/dpi"),
    ],
)
def test_what_only_informs_is_left_out_with_a_warning(order: Order, pointer: str) -> None:
    assert warnings(order) == [(pointer, "not_sent")]
    assert errors(order) == []


def test_a_sender_beside_a_site_that_was_chosen_only_informs() -> None:
    order = lso_order(ship_from=lso_address(), return_to=lso_address(), options=Options(sender_name="Dock 4"))
    assert errors(order) == []
    assert warnings(order) == [("/ship_from", "not_sent")]


def test_default_values_count_as_absent() -> None:
    home = lso_address(name="Byrd Tools")
    order = lso_order(
        ship_from=home,
        return_to=home,
        ship_to=lso_address(line3="", email=""),
        customs=Customs(description="Bolts", value=dollars("7.50"), dangerous_goods=False),
        options=Options(authority_to_leave=False, max_price=dollars("100")),
        parcels=(lso_parcel(items=(ITEM,)),),
        metadata={"any": "thing"},
    )
    assert errors(order, ship_from=home, return_to=home) == []
    assert warnings(order, ship_from=home, return_to=home) == [("/parcels/0/items", "not_sent")]


def test_several_mistakes_are_told_at_once() -> None:
    order = lso_order(service=None, ship_to=lso_address(phone=None), options=Options(locker=True))
    assert errors(order) == [
        ("/options/locker", "not_supported_by_carrier"),
        ("/service", "missing"),
        ("/ship_to/phone", "missing"),
    ]


def test_max_price_is_held_in_the_accounts_currency() -> None:
    order = lso_order(options=Options(max_price=Money(Decimal(5), "EUR")))
    assert errors(order, overrides={"currency": "EUR"}) == []


def fields_of(kind: type, at: str) -> set[str]:
    names = {field.encode_name for field in msgspec.structs.fields(kind)}
    return {f"{at}/{name}" for name in names}


def test_every_field_of_the_create_body_has_its_place() -> None:
    carriers_own = {"master_tracking_number", "carrier_parcel_number", "tracking_id"}
    body = {"/carrier", "/account", "/service", "/reference", "/ship_from", "/return_to", "/metadata"}
    body |= fields_of(type(lso_address()), "/ship_to")
    body |= fields_of(Parcel, "/parcels/*") - {f"/parcels/*/{name}" for name in (*carriers_own, "problem")}
    body |= fields_of(Customs, "/customs") | fields_of(Options, "/options")
    body |= {"/label/format", "/label/size", "/label/dpi"}
    assert set(FIELDS) == body


def test_every_field_without_a_place_has_a_reason() -> None:
    assert all(reason for _, reason in FIELDS.values())
    assert {place for place, _ in FIELDS.values()} == set(Place)


def test_examining_asks_nobody() -> None:
    transport = FakeTransport()
    lso(transport).examine(lso_order(created_at=datetime(2026, 1, 1)))
    assert transport.calls == []

"""What LME takes, and what becomes of each field of the create body."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.lme.validation import FIELDS, is_listed
from parcelgate.carriers.results import Examination
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.domain.measures import Dimensions, LengthUnit, Weight, WeightUnit
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
from tests.support.adapters import NOON
from tests.unit.carriers.lme.orders import account, adapter, aud, order_of, parcel, receiver, sender


def examined(order: Order, **overrides: Any) -> Examination:
    return adapter(**overrides).examine(order)


def errors(order: Order, **overrides: Any) -> set[tuple[str, str]]:
    return {(error.pointer, error.code) for error in examined(order, **overrides).errors}


def warnings(order: Order) -> set[tuple[str, str]]:
    return {(notice.pointer, notice.code) for notice in examined(order).warnings}


def test_the_order_of_the_vendors_sdk_passes() -> None:
    assert examined(order_of()) == Examination()


def leaves(kind: type, pointer: str) -> set[str]:
    return {f"{pointer}/{field.encode_name}" for field in msgspec.structs.fields(kind)}


def test_every_field_of_the_create_body_is_in_the_table() -> None:
    address = {"name", "company", "phone", "email", "line1", "line2", "line3", "city", "state", "postcode",
               "country", "tax_id"}  # fmt: skip
    ours = {"tracking_number", "master_tracking_number", "carrier_parcel_number", "tracking_id",
            "problem"} - {"tracking_number"}  # fmt: skip
    expected = {f"/{name}" for name in ("carrier", "account", "service", "reference", "metadata")}
    expected |= {f"{side}/{name}" for side in ("/ship_to", "/ship_from") for name in address}
    expected |= {"/return_to"}
    expected |= leaves(Parcel, "/parcels/*") - {f"/parcels/*/{name}" for name in ours}
    expected |= leaves(Customs, "/customs") | leaves(Options, "/options")
    expected |= {f"/label/{name}" for name in ("format", "size", "dpi")}
    assert set(FIELDS) == expected


def side(metres: str) -> Dimensions:
    return Dimensions(Decimal(metres), Decimal("0.1"), Decimal("0.1"), LengthUnit.M)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"parcels": (parcel(), parcel(reference="b"))}, ("/parcels", "too_many")),
        ({"ship_to": receiver(country="GB")}, ("/ship_to/country", "unsupported_country")),
        ({"ship_to": receiver(state="Bavaria")}, ("/ship_to/state", "unknown_state")),
        ({"ship_from": sender(country="US", state="XX")}, ("/ship_from/state", "unknown_state")),
        ({"service": "EXPRESS"}, ("/service", "unknown_service")),
        ({"parcels": (parcel(dimensions=side("2.001")),)}, ("/parcels/0/dimensions/length", "out_of_range")),
        ({"parcels": (parcel(dimensions=side("0")),)}, ("/parcels/0/dimensions/length", "out_of_range")),
        (
            {"parcels": (parcel(weight=Weight(Decimal(0), WeightUnit.KG)),)},
            ("/parcels/0/weight/value", "out_of_range"),
        ),
        ({"parcels": (parcel(tracking_number="FHE123"),)}, ("/parcels/0/tracking_number", "format")),
        ({"label": Label(format="zpl")}, ("/label/format", "not_supported_by_carrier")),
        ({"label": Label(size="a4")}, ("/label/size", "not_supported_by_carrier")),
        ({"return_to": sender(name="Other")}, ("/return_to", "not_supported_by_carrier")),
        ({"customs": Customs(incoterm="DDP")}, ("/customs/incoterm", "not_supported_by_carrier")),
        ({"customs": Customs(battery=Battery(type="x"))}, ("/customs/battery", "not_supported_by_carrier")),
        (
            {"customs": Customs(dangerous_goods=True)},
            ("/customs/dangerous_goods", "not_supported_by_carrier"),
        ),
        ({"options": Options(locker=True)}, ("/options/locker", "not_supported_by_carrier")),
        ({"options": Options(max_price=aud("9"))}, ("/options/max_price", "not_supported_by_carrier")),
    ],
)
def test_what_lme_does_not_take_is_refused(changes: dict[str, Any], error: tuple[str, str]) -> None:
    assert errors(order_of(**changes)) == {error}


@pytest.mark.parametrize(
    "dimensions",
    [
        side("2"),
        Dimensions(Decimal(200), Decimal(200), Decimal(200), LengthUnit.CM),
        Dimensions(Decimal("78.74"), Decimal("78.74"), Decimal("0.01"), LengthUnit.IN),
        None,
    ],
)
def test_two_metres_are_the_limit_of_each_side(dimensions: Dimensions | None) -> None:
    assert not errors(order_of(parcels=(parcel(dimensions=dimensions),)))


def test_a_window_lies_ahead() -> None:
    def order(begins: datetime) -> Order:
        window = DeliveryWindow(from_=begins, to=begins + timedelta(hours=2))
        return order_of(options=Options(delivery_window=window))

    assert errors(order(NOON)) == {("/options/delivery_window/from", "out_of_range")}
    assert not errors(order(NOON + timedelta(minutes=1)))


def test_what_says_no_more_than_the_default_is_no_wish() -> None:
    plain = order_of(ship_from=sender(name="Branch"), customs=Customs(description="Hats"))
    no_battery = Customs(description="Hats", battery=Battery(type="No Battery"))
    same = msgspec.structs.replace(plain, return_to=plain.ship_from, customs=no_battery)
    assert errors(same) == set()
    assert adapter().examine(same).warnings == adapter().examine(plain).warnings


def test_what_a_parcel_is_worth_only_informs() -> None:
    order = order_of(parcels=(parcel(declared_value=aud("100")),))
    assert errors(order) == set()
    assert ("/parcels/0/declared_value", "not_sent") in {
        (w.pointer, w.code) for w in adapter().examine(order).warnings
    }


def test_somebody_must_send_it() -> None:
    lonely = adapter(config=account(ship_from=None))
    assert [(e.pointer, e.code) for e in lonely.examine(order_of()).errors] == [("/ship_from", "missing")]
    assert not lonely.examine(order_of(ship_from=sender())).errors


def test_the_accounts_own_sender_is_checked_too() -> None:
    found = adapter(config=account(ship_from=sender(city="", country="CHN"))).examine(order_of())
    assert {(error.pointer, error.code) for error in found.errors} == {
        ("/ship_from/city", "missing"),
        ("/ship_from/country", "unknown_value"),
    }


def test_a_number_that_lme_allocated_before_may_be_used() -> None:
    assert not errors(order_of(parcels=(parcel(tracking_number="FHE16753011400000"),)))


def test_states_and_postcodes_may_be_missing_where_lme_does_not_ask() -> None:
    assert not errors(order_of(ship_to=receiver(state=None, postcode=None)))
    assert not errors(order_of(ship_to=receiver(country="NZ", state="Otago", postcode="9010")))


@pytest.mark.parametrize(
    ("postcode", "expected"),
    [("3806", None), ("2000", None), ("4123", None), ("5000", "not_deliverable"), (None, "missing")],
)
def test_the_accounts_list_of_postcodes_counts_where_there_is_one(
    postcode: str | None, expected: str | None
) -> None:
    lists = {"AU": ["3800-3810", "2000", "41*"]}
    found = errors(order_of(ship_to=receiver(postcode=postcode)), deliverable_postcodes=lists)
    assert found == ({("/ship_to/postcode", expected)} if expected else set())
    elsewhere = order_of(ship_to=receiver(country="NZ", state=None, postcode="9010"))
    assert not errors(elsewhere, deliverable_postcodes=lists)


@pytest.mark.parametrize(
    ("postcode", "pattern", "expected"),
    [
        ("90210-1234", "90210", True),
        ("90210-1234", "90000-90300", True),
        ("90210", "90211-90300", False),
        ("m5h 2n2", "M5H*", True),
        ("M5H2N2", "M5H 2N2", True),
        ("M5H 2N2", "M5H 2N3", False),
        ("380", "3800-3900", False),
        ("3800", "38", False),
    ],
)
def test_postcodes_are_compared_bare(postcode: str, pattern: str, expected: bool) -> None:
    assert is_listed(postcode, [pattern]) is expected


def item(**changes: Any) -> Item:
    found = Item(number="1", sku="1", description="dress", quantity=2, unit_value=aud("10"))
    return msgspec.structs.replace(found, **changes)


def test_what_only_informs_is_accepted_with_a_warning() -> None:
    order = order_of(
        ship_to=receiver(tax_id="1", phone=None),
        parcels=(
            parcel(
                volume=Decimal("0.1"),
                secondary_reference="PO 1",
                native_description="裙",
                sku_on_label="s",
                items=(item(),),
                reference="my own",
                description="a red one",
            ),
        ),
        customs=Customs(description="dress", value=aud("30"), vendor_id="1", native_description="裙"),
        options=Options(sender_name="Shop", platform="ebay"),
        label=Label(dpi=300),
    )
    assert not errors(order)
    assert warnings(order) == {("/ship_to/phone", "defaulted")} | {
        (pointer, "not_sent")
        for pointer in (
            "/ship_to/tax_id", "/parcels/0/volume", "/parcels/0/secondary_reference",
            "/parcels/0/native_description", "/parcels/0/sku_on_label", "/parcels/0/items",
            "/parcels/0/reference", "/parcels/0/description", "/customs/value", "/customs/vendor_id",
            "/customs/native_description", "/options/sender_name", "/options/platform", "/label/dpi",
        )
    }  # fmt: skip


def test_what_the_contract_fills_in_is_no_wish_of_the_clients() -> None:
    home = sender(tax_id="123")
    carrier = adapter(config=account(ship_from=home, return_to=home))
    filled = order_of(
        ship_from=home,
        return_to=home,
        parcels=(parcel(items=(item(),)),),
        customs=Customs(description="dress", value=aud("20")),
    )
    found = carrier.examine(filled)
    assert not found.errors
    assert [notice.pointer for notice in found.warnings] == ["/parcels/0/items"]


def test_a_sender_of_the_clients_own_without_a_phone_is_told() -> None:
    assert warnings(order_of(ship_from=sender(phone=None))) == {("/ship_from/phone", "defaulted")}


def test_the_table_says_of_every_field_why() -> None:
    assert all(reason for _, reason in FIELDS.values())
    assert {place for place, _ in FIELDS.values()} == set(Place)
    assert NOON.tzinfo is UTC

"""Every row of the given table at its limit and one past it, and the rules around the table."""

import copy
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.results import Examination
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.carriers.ubi import validation
from parcelgate.carriers.ubi.mapping.create import prepared, wire_order
from parcelgate.carriers.ubi.settings import CarrierSettings
from parcelgate.carriers.ubi.wire import EXTEND, ITEM, PARCEL, RETURN, SHARED
from parcelgate.domain.orders import Customs, Options, Parcel
from parcelgate.domain.places.addresses import Address
from tests.unit.carriers.ubi.orders import Body, body, full_body, item, order_of, parcel

USD = {"currency": "USD"}


def examined(content: Body, **settings: Any) -> Examination:
    return validation.examine(order_of(content), CarrierSettings(**settings))


def errors(content: Body, **settings: Any) -> set[tuple[str, str]]:
    return {(error.pointer, error.code) for error in examined(content, **settings).errors}


def warnings(content: Body, **settings: Any) -> set[tuple[str, str]]:
    return {(warning.pointer, warning.code) for warning in examined(content, **settings).warnings}


def changed(content: Body, pointer: str, value: Any) -> Body:
    """A copy of the body with another value at a pointer, or without it for None."""
    content = copy.deepcopy(content)
    *way, last = pointer.strip("/").split("/")
    holder: Any = content
    for part in way:
        holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
    if value is None:
        holder.pop(last, None)
    else:
        holder[last] = value
    return content


def wired(content: Body) -> dict[str, Any]:
    return wire_order(prepared(order_of(content), CarrierSettings()).order, CarrierSettings())


# The table of the given document, field for field: where it stands with us, and its length.
LENGTHS = {
    "referenceNo": ("/reference", 80),
    "referenceNo1": ("/parcels/0/secondary_reference", 80),
    "trackingNo": ("/parcels/0/tracking_number", 40),
    "serviceCode": ("/service", 64),
    "description": ("/customs/description", 60),
    "nativeDescription": ("/customs/native_description", 255),
    "sku": ("/parcels/0/sku_on_label", 128),
    "serviceOption": ("/options/service_option", 60),
    "instruction": ("/options/instruction", 255),
    "facility": ("/options/facility", 20),
    "platform": ("/options/platform", 20),
    "recipientName": ("/ship_to/name", 50),
    "recipientTaxId": ("/ship_to/tax_id", 100),
    "recipientCompany": ("/ship_to/company", 50),
    "phone": ("/ship_to/phone", 20),
    "email": ("/ship_to/email", 50),
    "addressLine1": ("/ship_to/line1", 200),
    "addressLine2": ("/ship_to/line2", 200),
    "addressLine3": ("/ship_to/line3", 80),
    "city": ("/ship_to/city", 80),
    "state": ("/ship_to/state", 80),
    "postcode": ("/ship_to/postcode", 16),
    "shipperName": ("/ship_from/name", 50),
    "shipperPhone": ("/ship_from/phone", 20),
    "shipperAddressLine1": ("/ship_from/line1", 200),
    "shipperAddressLine2": ("/ship_from/line2", 200),
    "shipperAddressLine3": ("/ship_from/line3", 80),
    "shipperCity": ("/ship_from/city", 80),
    "shipperState": ("/ship_from/state", 80),
    "shipperPostcode": ("/ship_from/postcode", 16),
    "returnOption": ("/options/return_option", 100),
    "returnName": ("/return_to/name", 50),
    "returnAddressLine1": ("/return_to/line1", 200),
    "returnAddressLine2": ("/return_to/line2", 200),
    "returnAddressLine3": ("/return_to/line3", 80),
    "returnCity": ("/return_to/city", 80),
    "returnState": ("/return_to/state", 80),
    "returnPostcode": ("/return_to/postcode", 16),
    "vendorid": ("/customs/vendor_id", 12),
    "gstexemptioncode": ("/customs/gst_exemption_code", 4),
    "senderTaxId": ("/customs/sender_tax_id", 255),
    "extendData.injectPort": ("/customs/inject_port", 256),
    "item.itemNo": ("/parcels/0/items/0/number", 128),
    "item.sku": ("/parcels/0/items/0/sku", 128),
    "item.description": ("/parcels/0/items/0/description", 60),
    "item.nativeDescription": ("/parcels/0/items/0/native_description", 255),
    "item.hsCode": ("/parcels/0/items/0/hs_code", 60),
    "item.originCountry": ("/parcels/0/items/0/origin_country", 60),
    "item.productURL": ("/parcels/0/items/0/url", 512),
}
# Two letters each: the contract lets no other through, and the table's limit stands behind it.
COUNTRIES = {
    "country": "/ship_to/country",
    "shipperCountry": "/ship_from/country",
    "returnCountry": "/return_to/country",
}
WORDS = {
    "incoterm": ("/customs/incoterm", ["DDU", "DDP"], "EXW"),
    "batteryType": (
        "/customs/battery/type",
        ["No Battery", "Lithium Ion Polymer", "Lithium Ion Alloy"],
        "Lead Acid",
    ),
    "batteryPacking": (
        "/customs/battery/packing",
        ["No Battery", "Inside Equipment", "Packaged with Equipment", "Battery Only", "Other"],
        "Loose",
    ),
}
MANDATORY = {
    "serviceCode": "/service",
    "state": "/ship_to/state",
    "item.originCountry": "/parcels/0/items/0/origin_country",
    "returnState": "/return_to/state",
}
"""The fields the table wants and the contract does not."""


def test_an_order_with_every_field_passes() -> None:
    assert examined(full_body()) == Examination()


def test_a_plain_order_passes_without_a_return_address() -> None:
    assert examined(body()) == Examination()


@pytest.mark.parametrize("name", LENGTHS)
def test_a_text_passes_at_its_length_and_not_past_it(name: str) -> None:
    pointer, longest = LENGTHS[name]
    assert errors(changed(full_body(), pointer, "a" * longest)) == set()
    assert errors(changed(full_body(), pointer, "a" * (longest + 1))) == {(pointer, "too_long")}


@pytest.mark.parametrize("name", COUNTRIES)
def test_a_country_has_two_letters(name: str) -> None:
    assert errors(changed(full_body(), COUNTRIES[name], "NZ")) == set()
    assert errors(changed(full_body(), COUNTRIES[name], "NZL")) == {(COUNTRIES[name], "too_long")}


@pytest.mark.parametrize("name", WORDS)
def test_a_word_of_a_list_is_one_of_it(name: str) -> None:
    pointer, listed, other = WORDS[name]
    for word in listed:
        assert errors(changed(full_body(), pointer, word)) == set()
    assert errors(changed(full_body(), pointer, other)) == {(pointer, "unknown_value")}


@pytest.mark.parametrize("name", MANDATORY)
def test_what_the_table_wants_is_missed(name: str) -> None:
    assert errors(changed(full_body(), MANDATORY[name], None)) == {(MANDATORY[name], "missing")}


def test_the_literal_table_of_this_test_covers_every_row() -> None:
    tested = {*LENGTHS, *COUNTRIES, *WORDS, *MANDATORY}
    numbers = {"weight", "volume", "invoiceValue", "length", "width", "height", "item.itemCount"}
    others = {
        # Booleans and units have no value past a limit: `test_the_shape_of_a_full_order` has them.
        *("pickUp", "authorityToLeave", "lockerService", "dangerousGoods", "weightUnit", "dimensionUnit"),
        *("invoiceCurrency", "item.unitValue", "item.warehouseNo", "item.weight"),
        # In the sample, and not in the table.
        "abnnumber",
    }
    rows = {row.name for row in (*SHARED, *RETURN, *PARCEL)}
    rows |= {f"extendData.{row.name}" for row in EXTEND if row not in SHARED}
    rows |= {f"item.{row.name}" for row in ITEM}
    assert tested | numbers | others == rows


@pytest.mark.parametrize(
    ("pointer", "least", "below"),
    [
        ("/parcels/0/weight/value", "0.000001", "0.0000009"),
        ("/parcels/0/volume", "0.01", "0"),
        ("/parcels/0/dimensions/length", "0.001", "0"),
        ("/parcels/0/dimensions/width", "0.001", "0"),
        ("/parcels/0/dimensions/height", "0.001", "0"),
        ("/parcels/0/items/0/quantity", 1, 0),
        ("/parcels/0/items/0/unit_value/amount", "0.0001", "0"),
    ],
)
def test_a_number_passes_at_its_least_and_not_below(pointer: str, least: Any, below: Any) -> None:
    content = full_body()
    # With a tiny item the value would be too small as well.
    content["customs"].pop("value")
    content["parcels"][0]["items"].append(item(number="2"))
    content["parcels"][0]["items"][0].pop("weight")
    told = pointer.removesuffix("/value").removesuffix("/amount")
    assert errors(changed(content, pointer, least)) == set()
    assert errors(changed(content, pointer, below)) == {(told, "out_of_range")}


def test_an_invoice_value_of_a_cent_passes_and_less_does_not() -> None:
    def worth(amount: str) -> Body:
        return body(parcels=[parcel(items=[item(quantity=1, unit_value={"amount": amount, **USD})])])

    assert errors(worth("0.01")) == set()
    assert errors(worth("0.009")) == {("/parcels/0/items", "out_of_range")}


def test_a_currency_has_three_letters() -> None:
    content = body(parcels=[parcel(items=[item(unit_value={"amount": "1", "currency": "EURO"})])])
    assert ("/parcels/0/items", "too_long") in errors(content)


@pytest.mark.parametrize(
    ("value", "fits"), [("20.1", True), ("19.9", True), ("20.11", False), ("19.89", False)]
)
def test_the_value_may_differ_from_the_items_by_a_tenth(value: str, fits: bool) -> None:
    content = changed(full_body(), "/customs/value/amount", value)
    assert errors(content) == (set() if fits else {("/customs/value", "value_mismatch")})


def test_the_value_of_several_parcels_is_held_against_all_their_items() -> None:
    content = body(count=2, customs={"value": {"amount": "40.05", "currency": "AUD"}})
    assert errors(content) == set()
    content["customs"]["value"]["amount"] = "20.00"
    assert errors(content) == {("/customs/value", "value_mismatch")}


@pytest.mark.parametrize(
    ("weight", "fits"),
    [
        ({"value": 40, "unit": "kg"}, True),
        ({"value": "40.001", "unit": "kg"}, False),
        ({"value": 40000, "unit": "g"}, True),
        ({"value": "88.18", "unit": "lb"}, True),
        ({"value": "88.19", "unit": "lb"}, False),
    ],
)
def test_a_parcel_weighs_at_most_40_kilograms(weight: Body, fits: bool) -> None:
    found = errors(body(parcels=[parcel(), parcel(weight=weight)]))
    assert found == (set() if fits else {("/parcels/1/weight", "out_of_range")})


def test_an_account_may_have_another_weight_limit() -> None:
    content = body(parcels=[parcel(weight={"value": 41, "unit": "kg"})])
    assert errors(content, max_weight_kg=Decimal(70)) == set()


def test_the_sum_of_many_light_parcels_is_no_heavy_parcel() -> None:
    content = body(parcels=[parcel(weight={"value": 30, "unit": "kg"}) for _ in range(3)])
    assert errors(content) == set()


def test_items_heavier_than_their_parcel_are_told_and_not_refused() -> None:
    content = body(parcels=[parcel(items=[item(weight={"value": 600, "unit": "g"})])])
    assert errors(content) == set()
    assert warnings(content) == {("/parcels/0/items", "items_heavier")}


NAMES = ["/ship_to/name", "/ship_to/line1", "/ship_to/state", "/ship_from/name"]


@pytest.mark.parametrize("pointer", NAMES)
@pytest.mark.parametrize(
    "text", ["François Lefèvre", "Œuvre Noël", "12b", "O'Neil & Söhne, No. 5 (rear)", "A°1"]
)
def test_english_and_french_letters_pass_with_any_punctuation(pointer: str, text: str) -> None:
    assert errors(changed(full_body(), pointer, text)) == set()


@pytest.mark.parametrize("pointer", NAMES)
@pytest.mark.parametrize(
    "text", ["王伟", "Иван", "Łukasz 王", "12345", "12-34", "---", "\uff11\uff12", "١٢٣ a"]
)
def test_other_scripts_and_digits_alone_do_not(pointer: str, text: str) -> None:
    assert errors(changed(full_body(), pointer, text)) == {(pointer, "characters")}


@pytest.mark.parametrize("pointer", [*NAMES, "/parcels/0/items/0/description"])
@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("José Núñez", "José Nunez"),
        ("Łucja Żółć", "Lucja Zolc"),
        ("Weiß & Søn, 1º", "Weiss & Son, 1o"),
        ("Nguyễn Đặng", "Nguyen Dang"),
        ("Kā\u02bbanapali", "Ka'anapali"),
        ("\uff2a\uff4f\uff53e", "Jose"),
        ("X\u0331ed", "Xed"),
    ],
)
def test_other_latin_letters_are_written_in_those_that_are_taken(pointer: str, text: str, sent: str) -> None:
    content = changed(full_body(), pointer, text)
    examination = examined(content)
    assert examination.errors == ()
    (warning,) = examination.warnings
    assert (warning.pointer, warning.code) == (pointer, "transliterated")
    assert f'"{text}" is sent as "{sent}"' in warning.message
    assert sent in str(wired(content))


def test_what_may_have_any_letters_is_sent_as_it_is() -> None:
    content = changed(changed(full_body(), "/ship_to/city", "Łódź"), "/ship_to/line2", "Żółć 3")
    assert examined(content) == Examination()


@pytest.mark.parametrize(
    ("pointer", "text", "words"),
    [
        ("/ship_to/name", "Anna 王伟王", "Replace: 王 伟"),
        ("/reference", "a\u200bb🎉", "U+200B U+1F389"),
        ("/service", None, "GET /v1/carriers/ubi/services"),
    ],
)
def test_a_message_names_the_letters_and_says_where_the_services_are(
    pointer: str, text: str | None, words: str
) -> None:
    (error,) = examined(changed(full_body(), pointer, text)).errors
    assert words in error.message


@pytest.mark.parametrize(
    ("text", "fits"), [("501", True), ("Robe été", True), ("连衣裙", False), ("--", False)]
)
def test_an_item_may_be_described_by_digits_and_not_in_chinese(text: str, fits: bool) -> None:
    pointer = "/parcels/0/items/0/description"
    assert errors(changed(full_body(), pointer, text)) == (set() if fits else {(pointer, "characters")})


def test_other_fields_may_have_any_letters() -> None:
    content = changed(full_body(), "/ship_to/line2", "三水工业园")
    assert errors(changed(content, "/ship_to/city", "佛山")) == set()


def test_a_letter_and_its_accent_count_as_one() -> None:
    content = changed(full_body(), "/ship_to/name", "Francois\u0327"[:-2] + "c\u0327ois")
    assert errors(content) == set()


@pytest.mark.parametrize(
    "pointer", ["/ship_to/name", "/options/instruction", "/parcels/0/items/0/description"]
)
@pytest.mark.parametrize("spoiler", ["\n", "\x00", "🎉", "👩‍👩‍👧", "❤️", "\u200b", "🇦🇺"])
def test_control_characters_and_emoji_become_a_space_with_a_warning(pointer: str, spoiler: str) -> None:
    content = changed(full_body(), pointer, f"Anna{spoiler}Lee")
    assert errors(content) == set()
    assert warnings(content) == {(pointer, "characters_replaced")}
    assert "Anna Lee" in str(wired(content))


@pytest.mark.parametrize("pointer", ["/reference", "/parcels/0/tracking_number", "/ship_to/email"])
def test_what_goes_out_word_for_word_is_refused_instead(pointer: str) -> None:
    assert errors(changed(full_body(), pointer, "a🎉b")) == {(pointer, "characters")}


def test_a_name_of_nothing_but_emoji_is_missing() -> None:
    assert errors(changed(full_body(), "/ship_to/name", "🎉🎉")) == {("/ship_to/name", "missing")}


def test_a_long_warehouse_number_is_cut_to_fifty_with_a_warning() -> None:
    pointer = "/parcels/0/items/0/warehouse_number"
    content = changed(full_body(), pointer, "w" * 51)
    assert errors(content) == set()
    assert warnings(content) == {(pointer, "cut")}
    assert wired(content)["orderItems"][0]["warehouseNo"] == "w" * 50
    assert warnings(changed(full_body(), pointer, "w" * 50)) == set()


def test_words_that_the_account_bans_are_refused_in_an_item() -> None:
    content = changed(full_body(), "/parcels/0/items/0/description", "Pocket Knife")
    assert errors(content, banned_words=("knife",)) == {("/parcels/0/items/0/description", "banned_word")}
    assert errors(content) == set()


def test_an_order_that_nobody_sends_is_refused_once() -> None:
    assert errors(changed(body(), "/ship_from", None)) == {("/ship_from", "missing")}


def test_the_account_may_say_who_sends_and_where_returns_go() -> None:
    sender = Address(name="Depot", line1="1 Dock Rd", city="Foshan", country="CN")
    content = changed(body(), "/ship_from", None)
    assert errors(content, ship_from=sender) == set()
    assert errors(content, ship_from=sender, return_to=sender) == {("/return_to/state", "missing")}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/options/max_price", {"amount": "5.00", "currency": "AUD"}),
        (
            "/options/delivery_window",
            {"from": "2026-11-22T09:00:00Z", "to": "2026-11-22T12:00:00Z"},
        ),
    ],
)
def test_what_changes_service_or_money_and_has_no_place_is_refused(pointer: str, value: Any) -> None:
    assert errors(changed(full_body(), pointer, value)) == {(pointer, "not_supported_by_carrier")}


@pytest.mark.parametrize("currency", ["AUD", "USD"])
def test_a_declared_value_beside_the_goods_is_told_to_be_unsent(currency: str) -> None:
    declared = {"amount": "99.00", "currency": currency}
    content = changed(full_body(), "/parcels/0/declared_value", declared)
    assert errors(content) == set()
    assert warnings(content) == {("/parcels/0/declared_value", "not_sent")}
    assert wired(content)["invoiceValue"] == 20


def test_a_declared_value_that_is_the_goods_own_passes() -> None:
    content = changed(full_body(), "/parcels/0/declared_value", {"amount": "20.05", "currency": "AUD"})
    assert errors(content) == set()


def test_without_items_the_declared_value_is_what_a_parcel_is_worth() -> None:
    content = body(parcels=[{"weight": {"value": 1, "unit": "kg"}, "description": "Books"}])
    assert errors(content) == {("/parcels/0/declared_value", "missing")}
    content["parcels"][0]["declared_value"] = {"amount": "12.00", "currency": "AUD"}
    assert errors(content) == set()
    assert wired(content)["invoiceValue"] == 12


def test_an_order_without_any_description_is_refused() -> None:
    worth = {"amount": "12.00", "currency": "AUD"}
    content = body(parcels=[{"weight": {"value": 1, "unit": "kg"}, "declared_value": worth}])
    assert errors(content) == {("/customs/description", "missing")}


@pytest.mark.parametrize(
    "pointer",
    [
        "/options/sender_name",
        "/ship_from/company",
        "/ship_from/email",
        "/return_to/company",
        "/return_to/phone",
        "/return_to/email",
        "/return_to/tax_id",
        "/parcels/0/reference",
        "/parcels/0/description",
        "/parcels/0/native_description",
    ],
)
def test_what_merely_informs_and_has_no_place_is_told(pointer: str) -> None:
    content = changed(full_body(), pointer, "a@b")
    assert errors(content) == set()
    assert warnings(content) == {(pointer, "not_sent")}


def test_what_the_account_itself_says_of_the_sender_is_not_told() -> None:
    own = Address(name="Depot", line1="1 Dock Rd", city="Foshan", country="CN", company="Shop Ltd")
    content = changed(body(), "/ship_from/company", "Shop Ltd")
    assert warnings(content, ship_from=own) == set()
    assert warnings(changed(content, "/ship_from/email", "a@b"), ship_from=own) == {
        ("/ship_from/email", "not_sent")
    }


def test_one_order_has_one_currency() -> None:
    content = body(count=2)
    content["parcels"][1]["items"][0]["unit_value"]["currency"] = "USD"
    assert errors(content) == {("/parcels/1/items/0/unit_value", "currency_mismatch")}


def test_a_battery_without_packing_is_refused_since_the_carrier_would_not_know_of_it() -> None:
    content = changed(full_body(), "/customs/battery", {"type": "Lithium Ion Alloy"})
    assert errors(content) == {("/customs/battery/packing", "missing")}
    assert examined(changed(full_body(), "/customs/battery", {"type": "No Battery"})) == Examination()


def test_fifty_parcels_pass_and_fifty_one_do_not() -> None:
    assert errors(body(count=50)) == set()
    assert errors(body(count=51)) == {("/parcels", "too_many")}


def test_each_piece_is_held_against_the_table_by_itself() -> None:
    content = body(count=3)
    content["parcels"][1]["reference"] = "r" * 81
    content["parcels"][2]["items"].append(item(description="d" * 61))
    content["parcels"][2]["volume"] = "0"
    assert errors(content) == {
        ("/parcels/1/reference", "too_long"),
        ("/parcels/2/items/1/description", "too_long"),
        ("/parcels/2/volume", "out_of_range"),
    }


def test_what_all_pieces_share_is_told_once() -> None:
    assert errors(changed(body(count=4), "/ship_to/name", "王伟")) == {("/ship_to/name", "characters")}


def test_a_description_that_came_from_an_item_is_pointed_out_there() -> None:
    content = body(parcels=[parcel(items=[item(description="d" * 61)])])
    assert errors(content) == {("/parcels/0/items/0/description", "too_long")}


def test_an_examination_does_not_change_the_order() -> None:
    order = order_of(full_body())
    before = copy.deepcopy(order)
    validation.examine(order, CarrierSettings())
    assert order == before


def test_every_field_of_the_create_body_is_in_the_table_of_fields() -> None:
    leaves = {
        f"{pointer}/{field.encode_name}"
        for pointer, kind in (
            ("/ship_to", Address),
            ("/ship_from", Address),
            ("/return_to", Address),
            ("/parcels/*", Parcel),
            ("/customs", Customs),
            ("/options", Options),
        )
        for field in msgspec.structs.fields(kind)
    }
    given_later = {
        "master_tracking_number",
        "carrier_parcel_number",
        "tracking_id",
        "problem",
    }
    leaves -= {f"/parcels/*/{name}" for name in given_later}
    leaves |= {f"/{name}" for name in ("carrier", "account", "service", "reference", "metadata")}
    leaves |= {f"/label/{name}" for name in ("format", "size", "dpi")}
    assert set(validation.FIELDS) == leaves
    assert {place for place, _ in validation.FIELDS.values()} == set(Place)


def test_what_the_table_sends_is_a_field_of_the_wire() -> None:
    names = {row.name for row in (*SHARED, *RETURN, *EXTEND, *PARCEL)}
    names |= {"extendData", "orderItems", "labelFormat", "labelType", "dpi"}
    for place, word in validation.FIELDS.values():
        if place is Place.SENT:
            assert re.split(r"\W", word)[0] in names, word

"""The given table (ubi-create-order), row by row, and what breaks a row. Pure."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from parcelgate.carriers.ubi.mapping.texts import WAREHOUSE_NUMBER_LENGTH, unprintable

MAX_PIECES = 50
_VALUE_TOLERANCE = Decimal("0.1")
_FRENCH = frozenset("àâäæçéèêëîïôöœùûüÿÀÂÄÆÇÉÈÊËÎÏÔÖŒÙÛÜŸ")
_NO_BATTERY = "No Battery"


class Letters(Enum):
    """Which letters a text may have. Punctuation goes out as it is: the carrier removes it itself."""

    ANY = "any"
    ENGLISH_OR_FRENCH = "English and French letters, not digits alone"
    ENGLISH_FRENCH_OR_DIGITS = "English and French letters or digits"


class Row(msgspec.Struct, frozen=True):
    """One row of the given table.

    Parameters
    ----------
    name
        The field on the wire, in the samples' spelling where they and the table differ.
    source
        Where its value stands in our body; `{parcel}` and `{item}` stand for those it belongs to.
    mandatory
        Whether the table says M. The return address is mandatory only once there is one (assumed).
    longest
        Characters at most.
    least, above
        The smallest value a number may have, and the one it must exceed.
    one_of
        The words it may be.
    letters
        Which letters its text may have.
    """

    name: str
    source: str
    mandatory: bool = False
    longest: int | None = None
    least: Decimal | None = None
    above: Decimal | None = None
    one_of: tuple[str, ...] = ()
    letters: Letters = Letters.ANY


_LATIN = Letters.ENGLISH_OR_FRENCH

ORDER: tuple[Row, ...] = (
    Row("referenceNo", "{reference}", True, 80),
    Row("referenceNo1", "{parcel}/secondary_reference", longest=80),
    Row("trackingNo", "{parcel}/tracking_number", longest=40),
    Row("serviceCode", "/service", True, 64),
    Row("incoterm", "/customs/incoterm", longest=3, one_of=("DDU", "DDP")),
    Row("description", "{description}", True, 60),
    Row("nativeDescription", "{native_description}", longest=255),
    Row("weight", "{parcel}/weight", True, least=Decimal("0.000001")),
    Row("weightUnit", "{parcel}/weight", longest=3, one_of=("G", "KG", "LB")),
    Row("length", "{parcel}/dimensions/length", above=Decimal(0)),
    Row("width", "{parcel}/dimensions/width", above=Decimal(0)),
    Row("height", "{parcel}/dimensions/height", above=Decimal(0)),
    Row("volume", "{parcel}/volume", least=Decimal("0.01")),
    Row("dimensionUnit", "{parcel}/dimensions", longest=3, one_of=("M", "CM")),
    Row("invoiceValue", "{value}", True, least=Decimal("0.01")),
    Row("invoiceCurrency", "{value}", True, 3),
    Row("pickUp", "/options/pick_up", longest=1, one_of=("Y", "N")),
    Row("authorityToLeave", "/options/authority_to_leave"),
    Row("lockerService", "/options/locker"),
    Row(
        "batteryType",
        "/customs/battery/type",
        longest=64,
        one_of=(_NO_BATTERY, "Lithium Ion Polymer", "Lithium Ion Alloy"),
    ),
    Row(
        "batteryPacking",
        "/customs/battery/packing",
        longest=64,
        one_of=(_NO_BATTERY, "Inside Equipment", "Packaged with Equipment", "Battery Only", "Other"),
    ),
    Row("dangerousGoods", "/customs/dangerous_goods"),
    Row("sku", "{parcel}/sku_on_label", longest=128),
    Row("serviceOption", "/options/service_option", longest=60),
    Row("instruction", "/options/instruction", longest=255),
    Row("facility", "/options/facility", longest=20),
    Row("platform", "/options/platform", longest=20),
    Row("recipientName", "/ship_to/name", True, 50, letters=_LATIN),
    Row("recipientTaxId", "/ship_to/tax_id", longest=100),
    Row("recipientCompany", "/ship_to/company", longest=50),
    Row("phone", "/ship_to/phone", longest=20),
    Row("email", "/ship_to/email", longest=50),
    Row("addressLine1", "/ship_to/line1", True, 200, letters=_LATIN),
    Row("addressLine2", "/ship_to/line2", longest=200),
    Row("addressLine3", "/ship_to/line3", longest=80),
    Row("city", "/ship_to/city", True, 80),
    Row("state", "/ship_to/state", True, 80, letters=_LATIN),
    Row("postcode", "/ship_to/postcode", longest=16),
    Row("country", "/ship_to/country", True, 2),
    Row("shipperName", "/ship_from/name", True, 50, letters=_LATIN),
    Row("shipperPhone", "/ship_from/phone", longest=20),
    Row("shipperAddressLine1", "/ship_from/line1", longest=200),
    Row("shipperAddressLine2", "/ship_from/line2", longest=200),
    Row("shipperAddressLine3", "/ship_from/line3", longest=80),
    Row("shipperCity", "/ship_from/city", longest=80),
    Row("shipperState", "/ship_from/state", longest=80),
    Row("shipperPostcode", "/ship_from/postcode", longest=16),
    Row("shipperCountry", "/ship_from/country", longest=2),
    Row("returnOption", "/options/return_option", longest=100),
    Row("vendorid", "/customs/vendor_id", longest=12),
    Row("gstexemptioncode", "/customs/gst_exemption_code", longest=4),
    Row("senderTaxId", "{sender_tax_id}", longest=255),
)
"""An order, and each of its pieces: the table gives both the same fields."""

RETURN: tuple[Row, ...] = (
    Row("returnName", "/return_to/name", True, 50),
    Row("returnAddressLine1", "/return_to/line1", True, 200),
    Row("returnAddressLine2", "/return_to/line2", longest=200),
    Row("returnAddressLine3", "/return_to/line3", longest=80),
    Row("returnCity", "/return_to/city", True, 80),
    Row("returnState", "/return_to/state", True, 80),
    Row("returnPostcode", "/return_to/postcode", longest=16),
    Row("returnCountry", "/return_to/country", True, 2),
)
"""The return address, all of it or none of it."""

EXTEND: tuple[Row, ...] = (Row("injectPort", "/customs/inject_port", longest=256),)
"""`extendData`."""

ITEM: tuple[Row, ...] = (
    Row("itemNo", "{item}/number", True, 128),
    Row("sku", "{item}/sku", True, 128),
    Row("description", "{item}/description", True, 60, letters=Letters.ENGLISH_FRENCH_OR_DIGITS),
    Row("nativeDescription", "{item}/native_description", longest=255),
    Row("hsCode", "{item}/hs_code", longest=60),
    Row("originCountry", "{item}/origin_country", True, 60),
    Row("itemCount", "{item}/quantity", True, above=Decimal(0)),
    Row("unitValue", "{item}/unit_value", True, above=Decimal(0)),
    Row("warehouseNo", "{item}/warehouse_number", longest=WAREHOUSE_NUMBER_LENGTH),
    Row("productURL", "{item}/url", longest=512),
    Row("weight", "{item}/weight"),
)
"""One of `orderItems`."""


class Violation(msgspec.Struct, frozen=True):
    """One field of the wire that breaks its row. `part` is the path of the object it belongs to."""

    row: Row
    part: tuple[str | int, ...]
    code: str
    message: str


def violations(wire: Mapping[str, Any]) -> Iterator[Violation]:
    """Every row of the table that an order of the wire breaks, its items and pieces included."""
    yield from _against(ORDER, wire, ())
    if any(row.name in wire for row in RETURN):
        yield from _against(RETURN, wire, ())
    yield from _against(EXTEND, wire.get("extendData") or {}, ())
    for number, item in enumerate(wire.get("orderItems") or ()):
        yield from _against(ITEM, item, ("orderItems", number))
    for number, piece in enumerate(wire.get("pieces") or ()):
        for found in violations(piece):
            part = ("pieces", number, *found.part)
            yield msgspec.structs.replace(found, part=part)


def _against(
    rows: Sequence[Row], fields: Mapping[str, Any], part: tuple[str | int, ...]
) -> Iterator[Violation]:
    for row in rows:
        if found := _broken(row, fields.get(row.name)):
            yield Violation(row, part, *found)


def _broken(row: Row, value: Any) -> tuple[str, str] | None:
    """The code and message of the rule that a value breaks, if any."""
    if value is None:
        return ("missing", f"UBI wants this ({row.name}).") if row.mandatory else None
    if isinstance(value, str):
        if row.longest is not None and len(value) > row.longest:
            return "too_long", f"UBI takes at most {row.longest} characters here, these are {len(value)}."
        if any(unprintable(character) for character in value):
            return "characters", "Control characters and emoji cannot be sent here."
        if row.one_of and value not in row.one_of:
            return "unknown_value", f"UBI takes only {', '.join(row.one_of)} here."
        return _misspelt(value, row.letters)
    if row.least is not None and value < row.least:
        return "out_of_range", f"UBI takes {row.least} or more here."
    if row.above is not None and value <= row.above:
        return "out_of_range", f"UBI takes more than {row.above} here."
    return None


def _misspelt(text: str, letters: Letters) -> tuple[str, str] | None:
    if letters is Letters.ANY:
        return None
    allowed = all(_readable(character) for character in text)
    present = any(character.isalpha() for character in text)
    if letters is Letters.ENGLISH_FRENCH_OR_DIGITS:
        present = present or any(character.isdecimal() for character in text)
    if allowed and present:
        return None
    return "characters", f"UBI takes only {letters.value} here."


def _readable(character: str) -> bool:
    """English and French letters, digits, and everything that is no letter at all."""
    if character.isascii() or character in _FRENCH:
        return True
    return unicodedata.category(character)[0] not in "LM" and not character.isdecimal()

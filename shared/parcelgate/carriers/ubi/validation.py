"""What eTower takes: the given table (ubi-create-order), row by row, and the rules around it.

An order is examined as it would go out: it is mapped first and held against the table then, so that what
passes here passes there. Every finding points into our own body.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from parcelgate.carriers.results import Examination
from parcelgate.carriers.toolkit import fields
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.carriers.ubi import mapping
from parcelgate.carriers.ubi.settings import Settings
from parcelgate.domain.measures import WeightUnit
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import FieldError, Notice

MAX_PIECES = 50
_VALUE_TOLERANCE = Decimal("0.1")
_FRENCH = frozenset("àâäæçéèêëîïôöœùûüÿÀÂÄÆÇÉÈÊËÎÏÔÖŒÙÛÜŸ")
_NO_BATTERY = "No Battery"


SENT, OURS, REFUSED, NOT_SENT = Place.SENT, Place.OURS, Place.REFUSED, Place.NOT_SENT

FIELDS: fields.Fields = {
    "/carrier": (OURS, "chooses this adapter"),
    "/account": (OURS, "chooses the login"),
    "/service": (SENT, "serviceCode"),
    "/reference": (SENT, "referenceNo, word for word"),
    "/ship_to/name": (SENT, "recipientName"),
    "/ship_to/company": (SENT, "recipientCompany"),
    "/ship_to/phone": (SENT, "phone"),
    "/ship_to/email": (SENT, "email"),
    "/ship_to/line1": (SENT, "addressLine1"),
    "/ship_to/line2": (SENT, "addressLine2"),
    "/ship_to/line3": (SENT, "addressLine3"),
    "/ship_to/city": (SENT, "city"),
    "/ship_to/state": (SENT, "state, in full where a code was given"),
    "/ship_to/postcode": (SENT, "postcode"),
    "/ship_to/country": (SENT, "country"),
    "/ship_to/tax_id": (SENT, "recipientTaxId"),
    "/ship_from/name": (SENT, "shipperName"),
    "/ship_from/company": (NOT_SENT, "UBI takes no company of the sender"),
    "/ship_from/phone": (SENT, "shipperPhone"),
    "/ship_from/email": (NOT_SENT, "UBI takes no e-mail address of the sender"),
    "/ship_from/line1": (SENT, "shipperAddressLine1"),
    "/ship_from/line2": (SENT, "shipperAddressLine2"),
    "/ship_from/line3": (SENT, "shipperAddressLine3"),
    "/ship_from/city": (SENT, "shipperCity"),
    "/ship_from/state": (SENT, "shipperState"),
    "/ship_from/postcode": (SENT, "shipperPostcode"),
    "/ship_from/country": (SENT, "shipperCountry"),
    "/ship_from/tax_id": (SENT, "senderTaxId, when customs has none (assumed)"),
    "/return_to/name": (SENT, "returnName"),
    "/return_to/company": (NOT_SENT, "UBI takes no company to return to"),
    "/return_to/phone": (NOT_SENT, "UBI takes no phone to return to"),
    "/return_to/email": (NOT_SENT, "UBI takes no e-mail address to return to"),
    "/return_to/line1": (SENT, "returnAddressLine1"),
    "/return_to/line2": (SENT, "returnAddressLine2"),
    "/return_to/line3": (SENT, "returnAddressLine3"),
    "/return_to/city": (SENT, "returnCity"),
    "/return_to/state": (SENT, "returnState"),
    "/return_to/postcode": (SENT, "returnPostcode"),
    "/return_to/country": (SENT, "returnCountry"),
    "/return_to/tax_id": (NOT_SENT, "UBI takes no tax number to return to"),
    "/parcels/*/weight": (SENT, "weight, weightUnit; ounces as pounds"),
    "/parcels/*/dimensions": (SENT, "length, width, height, dimensionUnit; metres or centimetres"),
    "/parcels/*/volume": (SENT, "volume"),
    "/parcels/*/reference": (SENT, "referenceNo of its piece; a parcel alone goes under the order's"),
    "/parcels/*/secondary_reference": (SENT, "referenceNo1"),
    "/parcels/*/tracking_number": (SENT, "trackingNo"),
    "/parcels/*/description": (SENT, "description of its piece"),
    "/parcels/*/native_description": (SENT, "nativeDescription of its piece"),
    "/parcels/*/sku_on_label": (SENT, "sku"),
    "/parcels/*/declared_value": (SENT, "invoiceValue of a parcel without items; with items, held to it"),
    "/parcels/*/items": (SENT, "orderItems, and their sum as invoiceValue"),
    "/customs/description": (SENT, "description"),
    "/customs/native_description": (SENT, "nativeDescription"),
    "/customs/value": (SENT, "invoiceValue, invoiceCurrency"),
    "/customs/incoterm": (SENT, "incoterm"),
    "/customs/battery": (SENT, "batteryType, batteryPacking"),
    "/customs/dangerous_goods": (SENT, "dangerousGoods"),
    "/customs/vendor_id": (SENT, "vendorid"),
    "/customs/gst_exemption_code": (SENT, "gstexemptioncode"),
    "/customs/abn": (SENT, "abnnumber"),
    "/customs/sender_tax_id": (SENT, "senderTaxId (at the top: assumed)"),
    "/customs/inject_port": (SENT, "extendData.injectPort"),
    "/options/authority_to_leave": (SENT, "authorityToLeave"),
    "/options/locker": (SENT, "lockerService"),
    "/options/pick_up": (SENT, "pickUp"),
    "/options/instruction": (SENT, "instruction"),
    "/options/sender_name": (NOT_SENT, "UBI shows the name of ship_from"),
    "/options/facility": (SENT, "facility"),
    "/options/platform": (SENT, "platform"),
    "/options/service_option": (SENT, "serviceOption"),
    "/options/return_option": (SENT, "returnOption"),
    "/options/delivery_window": (REFUSED, "UBI cannot be told when to deliver"),
    "/options/max_price": (REFUSED, "UBI names no price that it could be held against"),
    "/label/format": (SENT, "labelFormat"),
    "/label/size": (SENT, "labelType"),
    "/label/dpi": (SENT, "dpi, 300 when none is given"),
    "/metadata": (OURS, "kept with the order"),
}
"""The create body, field by field. The word after SENT is eTower's name for it."""


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
    Row("warehouseNo", "{item}/warehouse_number", longest=mapping.WAREHOUSE_NUMBER_LENGTH),
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
        if any(mapping.unprintable(character) for character in value):
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


def examine(order: Order, settings: Settings) -> Examination:
    """Hold an order against everything above, before eTower is called."""
    ready = mapping.prepared(order, settings)
    findings = _Findings(ready.order)
    findings.warnings += ready.warnings
    findings.table(mapping.wire_order(ready.order, settings).fields())
    findings.unsent(order, settings)
    findings.money()
    findings.weights(settings)
    findings.words(settings)
    return Examination(tuple(findings.errors.values()), tuple(findings.warnings))


class _Findings:
    """What an examination has found so far; one error for a field is enough."""

    def __init__(self, order: Order) -> None:
        self.errors: dict[tuple[str, str], FieldError] = {}
        self.warnings: list[Notice] = []
        self._order = order

    def table(self, wire: dict[str, Any]) -> None:
        """The rows; what master and pieces say alike is found once."""
        if not self._order.ship_from:
            self._error("/ship_from", "missing", "Neither the order nor the account says who sends it.")
        if len(self._order.parcels) > MAX_PIECES:
            self._error("/parcels", "too_many", f"UBI takes at most {MAX_PIECES} parcels in an order.")
        for found in violations(wire):
            if found.row.name.startswith("shipper") and not self._order.ship_from:
                continue
            if found.row.source == "{value}" and found.code == "missing":
                pointer = self._pointer(found)
                self._error(pointer, "missing", "UBI wants a value: items, or a declared value.")
                continue
            self._error(self._pointer(found), found.code, found.message)

    def _pointer(self, found: Violation) -> str:
        order, alone = self._order, len(self._order.parcels) == 1
        part = found.part
        place = int(part[1]) if part[:1] == ("pieces",) else None
        here = 0 if alone and place is None else place
        parcel = "/parcels" if here is None else f"/parcels/{here}"
        item = parcel
        if "orderItems" in part:
            item = f"{parcel}/items/{part[-1]}"
            if here is None:
                item = self._item_of_master(int(part[-1]))
        if here is None and found.row.source.startswith("{parcel}"):
            return "/parcels"
        value = mapping.order_value(order) if place is None else mapping.parcel_value(order, place)
        return found.row.source.format(
            parcel=parcel,
            item=item,
            reference="/reference" if place is None else f"{parcel}/reference",
            description=mapping.description(order, place).pointer,
            native_description=mapping.native_description(order, place).pointer,
            value=value.pointer,
            sender_tax_id=mapping.sender_tax_id(order).pointer,
        )

    def _item_of_master(self, number: int) -> str:
        """Where the n-th item of all parcels stands."""
        for place, parcel in enumerate(self._order.parcels):
            if number < len(parcel.items):
                return f"/parcels/{place}/items/{number}"
            number -= len(parcel.items)
        return "/parcels"

    def unsent(self, given: Order, settings: Settings) -> None:
        """Fields that eTower has no place for: refused when they matter, else told to whoever gave them."""
        for pointer, reason in fields.given(given, settings, FIELDS, REFUSED):
            self._error(pointer, "not_supported_by_carrier", f"{reason}.")
        unsent = dict(fields.given(given, settings, FIELDS, NOT_SENT))
        own, usual = (side and side.tax_id for side in (given.ship_from, settings.ship_from))
        if own and own != usual and given.customs is not None and given.customs.sender_tax_id:
            unsent["/ship_from/tax_id"] = "UBI takes one tax number, and customs.sender_tax_id is it"
        if len(given.parcels) == 1:
            unsent |= self._unsent_of_single(given)
        for pointer, reason in unsent.items():
            self.warnings.append(Notice(pointer, "not_sent", f"{reason}."))

    @staticmethod
    def _unsent_of_single(given: Order) -> dict[str, str]:
        """A parcel alone goes out under the order's reference and description."""
        parcel = given.parcels[0]
        unsent = {}
        if parcel.reference not in (given.reference, f"{given.reference}-1"):
            unsent["/parcels/0/reference"] = "A parcel alone goes out under the order's reference"
        described = (
            ("description", mapping.description(given).value),
            ("native_description", mapping.native_description(given).value),
        )
        for name, sent in described:
            if (own := getattr(parcel, name)) and own != sent:
                unsent[f"/parcels/0/{name}"] = "A parcel alone goes out under the order's description"
        return unsent

    def money(self) -> None:
        """One currency; the invoice value within 0.1 of its items; nothing declared that is not sent."""
        order = self._order
        total = mapping.order_value(order)
        currency = total.value.currency if total.value else None
        for pointer, amount in self._amounts():
            if currency is not None and amount != currency:
                text = f"UBI takes one currency for an order; the others are in {currency}."
                self._error(pointer, "currency_mismatch", text)
        parts = [mapping.parcel_value(order, place) for place in range(len(order.parcels))]
        given = total.value if total.pointer == "/customs/value" else None
        if given is not None and any(parcel.items for parcel in order.parcels):
            items = sum((part.value.amount for part in parts if part.value), Decimal(0))
            if abs(given.amount - items) > _VALUE_TOLERANCE:
                text = f"This differs from the sum of the items ({items}) by more than {_VALUE_TOLERANCE}."
                self._error("/customs/value", "value_mismatch", text)
        for place, parcel in enumerate(order.parcels):
            if parcel.declared_value is None:
                continue
            sent = total if len(parts) == 1 else parts[place]
            if sent.value and abs(sent.value.amount - parcel.declared_value.amount) > _VALUE_TOLERANCE:
                text = "UBI knows no declared value beside that of the goods."
                self._error(f"/parcels/{place}/declared_value", "not_supported_by_carrier", text)

    def _amounts(self) -> Iterator[tuple[str, str]]:
        for place, parcel in enumerate(self._order.parcels):
            if parcel.declared_value is not None:
                yield f"/parcels/{place}/declared_value", parcel.declared_value.currency
            for number, item in enumerate(parcel.items):
                yield f"/parcels/{place}/items/{number}/unit_value", item.unit_value.currency

    def weights(self, settings: Settings) -> None:
        """No parcel over the limit; items heavier than their parcel are told, as the sample has them."""
        for place, parcel in enumerate(self._order.parcels):
            weight = parcel.weight.to(WeightUnit.KG)
            if weight > settings.max_weight_kg:
                text = f"UBI takes at most {settings.max_weight_kg} kg in a parcel."
                self._error(f"/parcels/{place}/weight", "out_of_range", text)
            goods = sum(
                (item.weight.to(WeightUnit.KG) * item.quantity for item in parcel.items if item.weight),
                Decimal(0),
            )
            if goods > weight:
                text = "The items weigh more than their parcel; UBI may refuse that (190033)."
                self.warnings.append(Notice(f"/parcels/{place}/items", "items_heavier", text))

    def words(self, settings: Settings) -> None:
        """Words the carrier bans, and a battery packing it would choose itself."""
        banned = [word.casefold() for word in settings.banned_words]
        for place, parcel in enumerate(self._order.parcels):
            for number, item in enumerate(parcel.items):
                if any(word in item.description.casefold() for word in banned):
                    text = "The description has a word that UBI does not take."
                    self._error(f"/parcels/{place}/items/{number}/description", "banned_word", text)
        battery = self._order.customs and self._order.customs.battery
        if battery and battery.type != _NO_BATTERY and not battery.packing:
            text = f"Without a packing UBI takes it for {_NO_BATTERY!r}."
            self.warnings.append(Notice("/customs/battery/packing", "default_applied", text))

    def _error(self, pointer: str, code: str, message: str) -> None:
        self.errors.setdefault((pointer, code), FieldError(pointer, code, message))

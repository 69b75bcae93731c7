"""Check an order for UBI: every field of the create body, the given table, and further limits. Pure.

The order is mapped to eTower's body first, and that body is checked against the table. So an order that
passes here passes at eTower too. Every error points into our own body.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from parcelgate.carriers.results import Examination
from parcelgate.carriers.toolkit import fields
from parcelgate.carriers.toolkit.fields import NO_BATTERY, Place
from parcelgate.carriers.ubi.codes import SERVICES_LISTED
from parcelgate.carriers.ubi.mapping import create
from parcelgate.carriers.ubi.mapping.create import prepared, readable, unprintables
from parcelgate.carriers.ubi.settings import CarrierSettings
from parcelgate.carriers.ubi.wire import EXTEND, ITEM, PARCEL, RETURN, SHARED, Letters, Row
from parcelgate.domain.measures import WeightUnit
from parcelgate.domain.orders import Order, default_parcel_reference
from parcelgate.domain.problems import FieldError, Notice

MAX_PIECES = 50
_VALUE_TOLERANCE = Decimal("0.1")
_SHOWN_LETTERS = 10

SENT, OURS, REFUSED, NOT_SENT = Place.SENT, Place.OURS, Place.REFUSED, Place.NOT_SENT

FIELDS: fields.Fields = {
    # Every value that is sent unchanged, under the name of its row.
    **{
        row.source.replace("{parcel}", "/parcels/*"): (SENT, row.name)
        for row in (*SHARED, *RETURN, *PARCEL)
        if row.copied and not row.source.startswith("/customs/battery/")
    },
    "/carrier": (OURS, "chooses the carrier"),
    "/account": (OURS, "chooses the account"),
    "/reference": (SENT, "referenceNo, word for word"),
    "/ship_to/state": (SENT, "state, in full where a code was given"),
    "/ship_from/company": (NOT_SENT, "UBI has no field for the sender's company"),
    "/ship_from/email": (NOT_SENT, "UBI has no field for the sender's e-mail address"),
    "/ship_from/tax_id": (SENT, "senderTaxId, if customs has none (assumed)"),
    "/return_to/company": (NOT_SENT, "UBI has no field for the company of the return address"),
    "/return_to/phone": (NOT_SENT, "UBI has no field for the phone of the return address"),
    "/return_to/email": (NOT_SENT, "UBI has no field for the e-mail address of the return address"),
    "/return_to/tax_id": (NOT_SENT, "UBI has no field for the tax number of the return address"),
    "/parcels/*/weight": (SENT, "weight, weightUnit; ounces as pounds"),
    "/parcels/*/dimensions": (SENT, "length, width, height, dimensionUnit; metres or centimetres"),
    "/parcels/*/reference": (SENT, "referenceNo of its piece; a single parcel has the order's"),
    "/parcels/*/tracking_number": (SENT, "trackingNo"),
    "/parcels/*/description": (SENT, "description of its piece"),
    "/parcels/*/native_description": (SENT, "nativeDescription of its piece"),
    "/parcels/*/declared_value": (SENT, "invoiceValue of a parcel without items"),
    "/parcels/*/items": (SENT, "orderItems, and their sum as invoiceValue"),
    "/customs/description": (SENT, "description"),
    "/customs/native_description": (SENT, "nativeDescription"),
    "/customs/value": (SENT, "invoiceValue, invoiceCurrency"),
    "/customs/battery": (SENT, "batteryType, batteryPacking"),
    "/customs/sender_tax_id": (SENT, "senderTaxId"),
    "/customs/inject_port": (SENT, "extendData.injectPort"),
    "/options/pick_up": (SENT, "pickUp"),
    "/options/sender_name": (NOT_SENT, "UBI uses the name in ship_from"),
    "/options/delivery_window": (REFUSED, "UBI has no field for a delivery time"),
    "/options/max_price": (REFUSED, "UBI gives no price to compare it with"),
    "/label/format": (SENT, "labelFormat"),
    "/label/size": (SENT, "labelType"),
    "/label/dpi": (SENT, "dpi; 300 if none is given"),
    "/metadata": (OURS, "kept with the order"),
}
"""The create body, field by field. For SENT, the text is eTower's name; otherwise the reason."""


def examine(order: Order, settings: CarrierSettings) -> Examination:
    """Check an order against everything in this module, before eTower is called."""
    ready = prepared(order, settings)
    findings = _Findings(ready.order)
    findings.warnings += ready.warnings
    findings.table(create.wire_order(ready.order, settings))
    findings.unsent(order, settings)
    findings.money()
    findings.weights(settings)
    findings.words(settings)
    return Examination(tuple(findings.errors.values()), tuple(findings.warnings))


class _Findings:
    """The errors and warnings found so far. Each field has at most one error of each code."""

    def __init__(self, order: Order) -> None:
        self.errors: dict[tuple[str, str], FieldError] = {}
        self.warnings: list[Notice] = []
        self._order = order

    def table(self, wire: Mapping[str, Any]) -> None:
        """Check the rows of the table. A value that master and pieces share gives one error only."""
        if not self._order.ship_from:
            self._error(
                "/ship_from",
                "missing",
                "Is required: neither the order nor the account has a sender. Give ship_from.",
            )
        if len(self._order.parcels) > MAX_PIECES:
            self._error(
                "/parcels",
                "too_many",
                f"UBI takes at most {MAX_PIECES} parcels per order. Create several orders.",
            )
        places = {piece: self._places(piece) for piece in (None, *range(len(wire.get("pieces", ()))))}
        for violation in violations(wire):
            row, message = violation.row, violation.message
            if row.name.startswith("shipper") and not self._order.ship_from:
                continue
            if row.source == "{value}" and violation.code == "missing":
                message = "UBI requires a value. Give items, or a declared value."
            if row.source == "/service":
                message = f"{message} {SERVICES_LISTED}"
            pointers = places[violation.piece]
            if pointers["parcel"] == "/parcels" and row.source.startswith("{parcel}"):
                # The sums over several pieces do not belong to a single parcel.
                pointer = "/parcels"
            else:
                item = f"{pointers['parcel']}/items/{violation.item}"
                pointer = row.source.format(**pointers, item=item)
            self._error(pointer, violation.code, message)

    def _places(self, piece: int | None) -> dict[str, str]:
        """The pointers into our body for the values of the order, or of one piece."""
        order, alone = self._order, len(self._order.parcels) == 1
        value = create.order_value(order) if piece is None else create.parcel_value(order, piece)
        parcel = "/parcels/0" if alone else "/parcels" if piece is None else f"/parcels/{piece}"
        return {
            "parcel": parcel,
            "reference": "/reference" if piece is None else f"{parcel}/reference",
            "description": create.description(order, piece).pointer,
            "native_description": create.native_description(order, piece).pointer,
            "value": value.pointer,
            "sender_tax_id": create.sender_tax_id(order).pointer,
        }

    def unsent(self, given: Order, settings: CarrierSettings) -> None:
        """Check fields that eTower does not have. Important ones are refused, others give a warning."""
        for pointer, reason in fields.given(given, settings, FIELDS, REFUSED):
            self._error(pointer, "not_supported_by_carrier", f"{reason}. Leave it out.")
        unsent = dict(fields.given(given, settings, FIELDS, NOT_SENT))
        own, usual = (side and side.tax_id for side in (given.ship_from, settings.ship_from))
        if own and own != usual and given.customs is not None and given.customs.sender_tax_id:
            unsent["/ship_from/tax_id"] = "UBI has a field for one tax number, and gets customs.sender_tax_id"
        if len(given.parcels) == 1:
            unsent |= self._unsent_of_single(given)
        for pointer, reason in unsent.items():
            self.warnings.append(Notice(pointer, "not_sent", f"Not sent: {reason}."))

    @staticmethod
    def _unsent_of_single(given: Order) -> dict[str, str]:
        """Warn that a single parcel has the order's reference and description at UBI."""
        parcel = given.parcels[0]
        unsent = {}
        if parcel.reference not in (given.reference, default_parcel_reference(given.reference, 1)):
            unsent["/parcels/0/reference"] = "a single parcel has the order's reference at UBI"
        for name, sent in (
            ("description", create.description(given).value),
            ("native_description", create.native_description(given).value),
        ):
            if (own := getattr(parcel, name)) and own != sent:
                unsent[f"/parcels/0/{name}"] = "a single parcel has the order's description at UBI"
        return unsent

    def money(self) -> None:
        """Check that there is one currency, and that the invoice value is within 0.1 of its items."""
        order = self._order
        total = create.order_value(order)
        parts = [create.parcel_value(order, place) for place in range(len(order.parcels))]
        if total.value is not None:
            self._currencies(total.value.currency)
        if total.value and total.pointer == "/customs/value" and any(p.items for p in order.parcels):
            items = sum((part.value.amount for part in parts if part.value), Decimal(0))
            if abs(total.value.amount - items) > _VALUE_TOLERANCE:
                text = f"Must be within {_VALUE_TOLERANCE} of the sum of the items, which is {items}."
                self._error("/customs/value", "value_mismatch", text)
        for place, parcel in enumerate(order.parcels):
            sent = (total if len(parts) == 1 else parts[place]).value
            if parcel.declared_value is None or sent is None:
                continue
            declared = parcel.declared_value
            if declared.currency != sent.currency or abs(sent.amount - declared.amount) > _VALUE_TOLERANCE:
                text = (
                    "Not sent: UBI gets the value of the goods and has no field for another declared value."
                )
                self.warnings.append(Notice(f"/parcels/{place}/declared_value", "not_sent", text))

    def _currencies(self, currency: str) -> None:
        text = f"Must be in {currency}, like the other values: UBI takes one currency per order."
        for place, parcel in enumerate(self._order.parcels):
            declared = None if parcel.items else parcel.declared_value
            if declared is not None and declared.currency != currency:
                self._error(f"/parcels/{place}/declared_value", "currency_mismatch", text)
            for number, item in enumerate(parcel.items):
                if item.unit_value.currency != currency:
                    self._error(f"/parcels/{place}/items/{number}/unit_value", "currency_mismatch", text)

    def weights(self, settings: CarrierSettings) -> None:
        """Refuse a parcel over the limit. Warn of items heavier than their parcel (the sample has them)."""
        for place, parcel in enumerate(self._order.parcels):
            weight = parcel.weight.to(WeightUnit.KG)
            if weight > settings.max_weight_kg:
                text = f"Must be at most {settings.max_weight_kg} kg for UBI."
                self._error(f"/parcels/{place}/weight", "out_of_range", text)
            goods = sum(
                (item.weight.to(WeightUnit.KG) * item.quantity for item in parcel.items if item.weight),
                Decimal(0),
            )
            if goods > weight:
                text = (
                    "The items weigh more than their parcel. Check the weights: UBI may refuse this (190033)."
                )
                self.warnings.append(Notice(f"/parcels/{place}/items", "items_heavier", text))

    def words(self, settings: CarrierSettings) -> None:
        """Check for words that the carrier bans, and for a battery without packing."""
        banned = [word.casefold() for word in settings.banned_words]
        for place, parcel in enumerate(self._order.parcels):
            for number, item in enumerate(parcel.items):
                if any(word in item.description.casefold() for word in banned):
                    text = "The description has a word that UBI does not allow. Use other words."
                    self._error(f"/parcels/{place}/items/{number}/description", "banned_word", text)
        battery = self._order.customs and self._order.customs.battery
        if battery and battery.type != NO_BATTERY and not battery.packing:
            text = f"Is required: without the packing, UBI reads the battery as {NO_BATTERY!r}."
            self._error("/customs/battery/packing", "missing", text)

    def _error(self, pointer: str, code: str, message: str) -> None:
        self.errors.setdefault((pointer, code), FieldError(pointer, code, message))


class Violation(msgspec.Struct, frozen=True):
    """One field of eTower's body that does not fit its row of the table."""

    row: Row
    code: str
    message: str
    piece: int | None = None
    item: int | None = None


def violations(wire: Mapping[str, Any]) -> Iterator[Violation]:
    """Find every field of eTower's body that does not fit its row of the table.

    Each of several pieces is checked for its own fields only: it shares the master's fields, and the master
    has all items.
    """
    pieces = wire.get("pieces", ())
    yield from _against(SHARED, wire)
    if any(row.name in wire for row in RETURN):
        yield from _against(RETURN, wire)
    yield from _against(EXTEND, wire.get("extendData", {}))
    yield from _against(PARCEL, wire)
    for piece, parcel in enumerate(pieces):
        yield from _against(PARCEL, parcel, piece)
    for piece, parcel in enumerate(pieces or [wire]):
        for number, item in enumerate(parcel.get("orderItems", ())):
            yield from _against(ITEM, item, piece if pieces else None, number)


def _against(
    rows: Sequence[Row], members: Mapping[str, Any], piece: int | None = None, item: int | None = None
) -> Iterator[Violation]:
    for row in rows:
        if broken := _broken(row, members.get(row.name)):
            yield Violation(row, *broken, piece, item)


def _broken(row: Row, value: Any) -> tuple[str, str] | None:
    """Check a value against its row. Gives code and message, or None."""
    if value is None:
        return ("missing", f"Is required by UBI ({row.name}).") if row.mandatory else None
    if isinstance(value, str):
        if row.longest is not None and len(value) > row.longest:
            return "too_long", f"Must have at most {row.longest} characters for UBI; it has {len(value)}."
        if controls := unprintables(value):
            shown = " ".join(f"U+{ord(character):04X}" for character in controls[:_SHOWN_LETTERS])
            return "characters", f"Must not have control characters or emoji: {shown}"
        if row.one_of and value not in row.one_of:
            return "unknown_value", f"Must be one of these for UBI: {', '.join(row.one_of)}."
        return _misspelt(value, row.letters)
    if row.least is not None and value < row.least:
        return "out_of_range", f"Must be {row.least} or more for UBI."
    if row.above is not None and value <= row.above:
        return "out_of_range", f"Must be greater than {row.above} for UBI."
    return None


def _misspelt(text: str, letters: Letters) -> tuple[str, str] | None:
    if letters is Letters.ANY:
        return None
    foreign = dict.fromkeys(character for character in text if not readable(character))
    if foreign:
        shown = " ".join([*foreign][:_SHOWN_LETTERS])
        return "characters", f"Must have only {letters.value} for UBI. Replace: {shown}"
    present = any(character.isalpha() for character in text)
    if letters is Letters.ENGLISH_FRENCH_OR_DIGITS:
        present = present or any(character.isdecimal() for character in text)
    return None if present else ("characters", f"Must have {letters.value} for UBI.")

"""Holds an order against the given table and the rules around it. Pure.

An order is examined as it would go out: it is mapped first and held against the table then, so that what
passes here passes there. Every finding points into our own body.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from parcelgate.carriers.results import Examination
from parcelgate.carriers.toolkit import fields
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.carriers.ubi.mapping import values
from parcelgate.carriers.ubi.mapping.create import wire_order
from parcelgate.carriers.ubi.mapping.texts import prepared
from parcelgate.carriers.ubi.settings import CarrierSettings
from parcelgate.carriers.ubi.validation.fields import FIELDS
from parcelgate.carriers.ubi.validation.table import Violation, violations
from parcelgate.domain.measures import WeightUnit
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import FieldError, Notice

MAX_PIECES = 50
_VALUE_TOLERANCE = Decimal("0.1")
_FRENCH = frozenset("àâäæçéèêëîïôöœùûüÿÀÂÄÆÇÉÈÊËÎÏÔÖŒÙÛÜŸ")
_NO_BATTERY = "No Battery"


def examine(order: Order, settings: CarrierSettings) -> Examination:
    """Hold an order against everything above, before eTower is called."""
    ready = prepared(order, settings)
    findings = _Findings(ready.order)
    findings.warnings += ready.warnings
    findings.table(wire_order(ready.order, settings).fields())
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
        value = values.order_value(order) if place is None else values.parcel_value(order, place)
        return found.row.source.format(
            parcel=parcel,
            item=item,
            reference="/reference" if place is None else f"{parcel}/reference",
            description=values.description(order, place).pointer,
            native_description=values.native_description(order, place).pointer,
            value=value.pointer,
            sender_tax_id=values.sender_tax_id(order).pointer,
        )

    def _item_of_master(self, number: int) -> str:
        """Where the n-th item of all parcels stands."""
        for place, parcel in enumerate(self._order.parcels):
            if number < len(parcel.items):
                return f"/parcels/{place}/items/{number}"
            number -= len(parcel.items)
        return "/parcels"

    def unsent(self, given: Order, settings: CarrierSettings) -> None:
        """Fields that eTower has no place for: refused when they matter, else told to whoever gave them."""
        for pointer, reason in fields.given(given, settings, FIELDS, Place.REFUSED):
            self._error(pointer, "not_supported_by_carrier", f"{reason}.")
        unsent = dict(fields.given(given, settings, FIELDS, Place.NOT_SENT))
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
            ("description", values.description(given).value),
            ("native_description", values.native_description(given).value),
        )
        for name, sent in described:
            if (own := getattr(parcel, name)) and own != sent:
                unsent[f"/parcels/0/{name}"] = "A parcel alone goes out under the order's description"
        return unsent

    def money(self) -> None:
        """One currency; the invoice value within 0.1 of its items; nothing declared that is not sent."""
        order = self._order
        total = values.order_value(order)
        currency = total.value.currency if total.value else None
        for pointer, amount in self._amounts():
            if currency is not None and amount != currency:
                text = f"UBI takes one currency for an order; the others are in {currency}."
                self._error(pointer, "currency_mismatch", text)
        parts = [values.parcel_value(order, place) for place in range(len(order.parcels))]
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

    def weights(self, settings: CarrierSettings) -> None:
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

    def words(self, settings: CarrierSettings) -> None:
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

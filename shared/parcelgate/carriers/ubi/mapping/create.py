"""Map an order to the body of eTower's create or update, with the source of each value. Pure.

`prepared` fills in what the order lacks and writes its texts in letters that eTower reads; `wire_order` makes
the body. The rows of `wire` say which values go out as they are; the others are made here. The same `Sourced`
values make the body and tell `validation` where to point.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from parcelgate.carriers.ubi.settings import CarrierSettings
from parcelgate.carriers.ubi.wire import (
    EXTEND,
    ITEM,
    PARCEL,
    RETURN,
    SHARED,
    SMALLEST_VOLUME,
    WAREHOUSE_NUMBER_LENGTH,
    Letters,
    Row,
)
from parcelgate.domain.measures import LengthUnit, Money, Weight, WeightUnit
from parcelgate.domain.orders import Item, Order, Parcel
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.places.countries import state_name, writes_states
from parcelgate.domain.problems import Notice

_VERBATIM = frozenset(
    {"reference", "secondary_reference", "tracking_number", "email", "country", "origin_country", "type"}
)
"""Identifiers and words of a list. They are sent unchanged, or refused."""
_OF_FEW_LETTERS = frozenset(row.source for row in (*SHARED, *ITEM) if row.letters is not Letters.ANY)
_FRENCH = frozenset("àâäæçéèêëîïôöœùûüÿÀÂÄÆÇÉÈÊËÎÏÔÖŒÙÛÜŸ")

# Format and control characters, and the characters of emoji.
_PICTURE = re.compile(
    "["
    "\U0001f000-\U0001faff\U000e0000-\U000e007f\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff"
    "\u200d\ufe0e\ufe0f\u20e3\u3030\u303d\u3297\u3299"
    "]"
)


class Prepared(msgspec.Struct, frozen=True):
    """An order that can be written for eTower, and the changes that were necessary."""

    order: Order
    warnings: tuple[Notice, ...]


def unprintable(character: str) -> bool:
    """Whether this is a control character or emoji, which eTower gets as a space."""
    category = unicodedata.category(character)
    return category[0] == "C" or category in {"Zl", "Zp"} or _PICTURE.match(character) is not None


def unprintables(text: str) -> list[str]:
    """List the characters of a text that eTower gets as a space, each once."""
    if text.isascii() and text.isprintable():
        return []
    return [character for character in dict.fromkeys(text) if unprintable(character)]


def readable(character: str) -> bool:
    """Return whether these are English or French letters, digits, or no letters at all."""
    if character.isascii() or character in _FRENCH:
        return True
    return unicodedata.category(character)[0] not in "LM" and not character.isdecimal()


def transliterated(text: str) -> str:
    """Return the text in English and French letters, if possible: `Łucja` becomes `Lucja`.

    Other scripts stay.

    A reader of the label must recognise the name, so only Latin letters are replaced.
    """
    if all(readable(character) for character in text):
        return text
    spelt = "".join(_spelt(character) for character in text)
    return spelt if all(readable(character) for character in spelt) else text


def _spelt(character: str) -> str:
    if readable(character):
        return character
    compatible = unicodedata.normalize("NFKC", character)
    if character.isalnum() and compatible.isascii():
        return compatible
    if unicodedata.category(character)[0] == "M":
        return ""
    name = unicodedata.name(character, "")
    if name.startswith("MODIFIER LETTER"):
        # Such as the Hawaiian okina.
        return "'"
    if not name.startswith("LATIN"):
        return character
    from anyascii import anyascii

    return anyascii(character)


def prepared(order: Order, settings: CarrierSettings) -> Prepared:
    """Return the order with the account's addresses filled in and every text made printable.

    If UBI takes few letters (table), others are replaced by those. A country without states gets the city
    as its state, since UBI requires one (table), and a volume is at least UBI's smallest.
    """
    writer = _Writer()
    ship_from = order.ship_from or settings.ship_from
    return_to = order.return_to or settings.return_to
    ready = msgspec.structs.replace(
        order,
        ship_to=writer.with_state(order.ship_to, "/ship_to"),
        ship_from=ship_from and writer.texts(ship_from, "/ship_from"),
        return_to=return_to and writer.with_state(return_to, "/return_to"),
        customs=order.customs and writer.texts(order.customs, "/customs"),
        options=writer.texts(order.options, "/options"),
        parcels=tuple(
            writer.parcel(parcel, f"/parcels/{place}") for place, parcel in enumerate(order.parcels)
        ),
    )
    # The client gets no warning of changes in the account's own addresses.
    sides = (("/ship_from/", ship_from, settings.ship_from), ("/return_to/", return_to, settings.return_to))
    own = tuple(side for side, address, usual in sides if address == usual)
    return Prepared(ready, tuple(note for note in writer.warnings if not note.pointer.startswith(own)))


class _Writer:
    """Write texts as eTower takes them, and collect a warning for each change."""

    def __init__(self) -> None:
        self.warnings: list[Notice] = []

    def with_state(self, address: Address, pointer: str) -> Address:
        """The address as `texts` has it, with the city as the state of a country without states."""
        ready = self.texts(address, pointer)
        if ready.state or writes_states(ready.country):
            return ready
        message = f"UBI requires a state, and {ready.country} has none, so the city is sent as the state."
        self._warn(f"{pointer}/state", "defaulted", message)
        return msgspec.structs.replace(ready, state=ready.city)

    def parcel(self, parcel: Parcel, pointer: str) -> Parcel:
        if parcel.volume is not None and 0 < parcel.volume < SMALLEST_VOLUME:
            message = f"Sent as {SMALLEST_VOLUME} m\N{SUPERSCRIPT THREE}, the smallest volume that UBI takes."
            self._warn(f"{pointer}/volume", "rounded_up", message)
            parcel = msgspec.structs.replace(parcel, volume=SMALLEST_VOLUME)
        items = tuple(
            self._item(item, f"{pointer}/items/{number}") for number, item in enumerate(parcel.items)
        )
        return msgspec.structs.replace(self.texts(parcel, pointer), items=items)

    def _item(self, item: Item, pointer: str) -> Item:
        item = self.texts(item, pointer, "{item}")
        number = item.warehouse_number
        if number is None or len(number) <= WAREHOUSE_NUMBER_LENGTH:
            return item
        self._warn(
            f"{pointer}/warehouse_number",
            "cut",
            f"Sent without the characters after the first {WAREHOUSE_NUMBER_LENGTH}.",
        )
        return msgspec.structs.replace(item, warehouse_number=number[:WAREHOUSE_NUMBER_LENGTH])

    def texts[T: Any](self, struct: T, pointer: str, source: str = "") -> T:
        """The struct with each of its own texts as it can be sent; `source` is what the table calls it."""
        changes = {}
        for name in struct.__struct_fields__:
            if not isinstance(value := getattr(struct, name), str) or name in _VERBATIM:
                continue
            text = value.strip(" ")
            # Printable ASCII has one form, and all of its letters are English.
            if not (value.isascii() and value.isprintable()):
                text = self._text(value, f"{pointer}/{name}", f"{source or pointer}/{name}")
            if text != value:
                changes[name] = text
        return msgspec.structs.replace(struct, **changes) if changes else struct

    def _text(self, value: str, pointer: str, source: str) -> str:
        text = unicodedata.normalize("NFC", value).strip(" ")
        if unprintables(text):
            message = "Sent with spaces in place of control characters and emoji."
            self._warn(pointer, "characters_replaced", message)
            spaced = "".join(" " if unprintable(character) else character for character in text)
            text = re.sub(" {2,}", " ", spaced).strip()
        if source in _OF_FEW_LETTERS and (spelt := transliterated(text)) != text:
            message = f'UBI takes English and French letters only, so "{text}" is sent as "{spelt}".'
            self._warn(pointer, "transliterated", message)
            return spelt
        return text

    def _warn(self, pointer: str, code: str, message: str) -> None:
        self.warnings.append(Notice(pointer, code, message))


class Sourced[T](NamedTuple):
    """A value for the wire, and the pointer to where it stands (or is missing) in our body."""

    value: T | None
    pointer: str


def _ways(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """For the rows whose value goes out as it is: the name on the wire and the attributes that lead to it."""
    return [(row.name, row.source.split("/")[1:]) for row in rows if row.copied]


_OF_ORDER, _OF_EXTEND, _OF_PARCEL, _OF_ITEM = map(_ways, ((*SHARED, *RETURN), EXTEND, PARCEL, ITEM))


def wire_order(order: Order, settings: CarrierSettings, *, update: bool = False) -> dict[str, Any]:
    """Return the body for an order that was `prepared`.

    Missing values are left out; `validation` reports them.

    One parcel goes out as a plain order. Several are `pieces` under a master, which carries the order's
    reference, all items and the sums, or repeats the first piece if the account says so. An
    update names the order and its pieces by the carrier's numbers.
    """
    shared = _shared(order)
    master = {"orderId": order.carrier_order_number if update else None, "referenceNo": order.reference}
    if len(order.parcels) == 1:
        alone = _parcel(order.parcels[0], update=update)
        return _present({**shared, **alone, **master, **_declared(order)})
    pieces = [
        _present({**shared, **_parcel(parcel, update=update), **_declared(order, place)})
        for place, parcel in enumerate(order.parcels)
    ]
    if settings.master_repeats_first_piece:
        return _present({**pieces[0], **master, "pieces": pieces})
    return _present({**shared, **_sums(order.parcels), **master, **_declared(order), "pieces": pieces})


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value: a zero is one, a false or an empty text is none."""
    return {
        name: value
        for name, value in members.items()
        if value is not None and value is not False and value != "" and value != []
    }


def _copied(ways: Sequence[tuple[str, list[str]]], struct: Any) -> dict[str, Any]:
    members = {}
    for name, attributes in ways:
        value = struct
        for attribute in attributes:
            value = None if value is None else getattr(value, attribute)
        members[name] = value
    return members


def _shared(order: Order) -> dict[str, Any]:
    tax_id = sender_tax_id(order).value
    return _copied(_OF_ORDER, order) | {
        "pickUp": "Y" if order.options.pick_up else None,
        "state": _state(order.ship_to),
        "senderTaxId": tax_id,
        "extendData": _present({**_copied(_OF_EXTEND, order), "senderTaxId": tax_id}) or None,
    }


def _state(address: Address) -> str | None:
    """The state's name where a code was given: the samples have names (VICTORIA, Ontario)."""
    given = (address.state or "").strip()
    name = state_name(address.country, given)
    return given if name is None or name.casefold() == given.casefold() else name


def _parcel(parcel: Parcel, *, update: bool) -> dict[str, Any]:
    """The fields of one parcel. An update does not send the tracking number."""
    return {
        **_copied(_OF_PARCEL, parcel),
        **_weighed(parcel.weight),
        **_measured(parcel),
        "orderId": parcel.carrier_parcel_number if update else None,
        "referenceNo": parcel.reference,
        "trackingNo": None if update else parcel.tracking_number,
        "orderItems": [_item(item) for item in parcel.items],
    }


def _sums(parcels: Sequence[Parcel]) -> dict[str, Any]:
    """The fields that the master of several pieces takes from them."""
    units = {parcel.weight.unit for parcel in parcels}
    unit = parcels[0].weight.unit if len(units) == 1 else WeightUnit.KG
    weight = Weight(sum((parcel.weight.to(unit) for parcel in parcels), Decimal(0)), unit)
    volumes = [parcel.volume for parcel in parcels if parcel.volume]
    return {
        **_weighed(weight),
        "volume": sum(volumes, Decimal(0)) if len(volumes) == len(parcels) else None,
        "orderItems": [_item(item) for parcel in parcels for item in parcel.items],
    }


def _weighed(weight: Weight) -> dict[str, Any]:
    """Return the weight in the unit it came in; ounces, which eTower does not have, as pounds."""
    if weight.unit is WeightUnit.OZ:
        # Divided by 16 and not converted to grams, because an ounce is exactly 0.0625 lb.
        weight = Weight(weight.value / 16, WeightUnit.LB)
    return {"weight": weight.value, "weightUnit": weight.unit.value.upper()}


def _measured(parcel: Parcel) -> dict[str, Any]:
    """Dimensions in metres if they are given so, otherwise in centimetres. eTower has no other unit."""
    if parcel.dimensions is None:
        return {}
    unit = LengthUnit.M if parcel.dimensions.unit is LengthUnit.M else LengthUnit.CM
    length, width, height = parcel.dimensions.to(unit)
    return {"length": length, "width": width, "height": height, "dimensionUnit": unit.value.upper()}


def _item(item: Item) -> dict[str, Any]:
    weight = item.weight.to(WeightUnit.KG) if item.weight else None
    return _present({**_copied(_OF_ITEM, item), "unitValue": item.unit_value.amount, "weight": weight})


def _declared(order: Order, place: int | None = None) -> dict[str, Any]:
    """The items and values of the order, or of the piece at `place`."""
    value = order_value(order) if place is None else parcel_value(order, place)
    return {
        "description": description(order, place).value,
        "nativeDescription": native_description(order, place).value,
        "invoiceValue": value.value and value.value.amount,
        "invoiceCurrency": value.value and value.value.currency,
    }


def description(order: Order, place: int | None = None) -> Sourced[str]:
    """Return the description of the order, or of the piece at `place`.

    The order's description is the customs declaration's, else its first item's. A piece's is the parcel's
    own, else its first item's. If one of them has none, it takes the other's.
    """
    return _described(order, place, "description")


def native_description(order: Order, place: int | None = None) -> Sourced[str]:
    """Return the same for the description in the sender's language."""
    return _described(order, place, "native_description")


def _described(order: Order, place: int | None, field: str) -> Sourced[str]:
    customs = Sourced(getattr(order.customs, field, None), f"/customs/{field}")
    places = range(len(order.parcels)) if place is None else [place]
    own = [Sourced(getattr(order.parcels[n], field), f"/parcels/{n}/{field}") for n in places]
    goods = [
        Sourced(getattr(item, field), f"/parcels/{n}/items/{m}/{field}")
        for n in places
        for m, item in enumerate(order.parcels[n].items[:1])
    ]
    if place is not None:
        candidates = [*own, *goods, customs]
    elif len(order.parcels) > 1:
        candidates = [customs, *goods, *own]
    elif field == "description" and goods and goods[0].value == customs.value:
        # The contract's default (the first item's), not given by the client.
        candidates = [*own, customs]
    else:
        candidates = [customs, *own, *goods]
    return next((candidate for candidate in candidates if candidate.value), customs)


def parcel_value(order: Order, place: int) -> Sourced[Money]:
    """Return the value of a parcel: the sum of its items; without items, its declared value."""
    parcel = order.parcels[place]
    if not parcel.items:
        return Sourced(parcel.declared_value, f"/parcels/{place}/declared_value")
    # In the first one's currency: `validation` refuses several currencies.
    amount = sum((item.unit_value.amount * item.quantity for item in parcel.items), Decimal(0))
    return Sourced(Money(amount, parcel.items[0].unit_value.currency), f"/parcels/{place}/items")


def order_value(order: Order) -> Sourced[Money]:
    """Return the value of the whole order: the customs value, else the sum of its parcels."""
    parts = [parcel_value(order, place) for place in range(len(order.parcels))]
    known = [part.value for part in parts if part.value is not None]
    total = Money(sum((value.amount for value in known), Decimal(0)), known[0].currency) if known else None
    given = order.customs.value if order.customs is not None else None
    if given is not None and given != total:
        return Sourced(given, "/customs/value")
    if len(known) < len(parts):
        return next(part for part in parts if part.value is None)
    return Sourced(total, parts[0].pointer if len(parts) == 1 else "/parcels")


def sender_tax_id(order: Order) -> Sourced[str]:
    """Return the tax number of the customs declaration, else the sender's own."""
    if order.customs is not None and order.customs.sender_tax_id:
        return Sourced(order.customs.sender_tax_id, "/customs/sender_tax_id")
    if order.ship_from is not None and order.ship_from.tax_id:
        return Sourced(order.ship_from.tax_id, "/ship_from/tax_id")
    return Sourced(None, "/customs/sender_tax_id")

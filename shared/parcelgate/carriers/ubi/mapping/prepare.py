"""An order as eTower can take it: what it lacks filled in, and every text in letters it can read. Pure."""

import re
import unicodedata
from typing import Any

import msgspec

from parcelgate.carriers.ubi.settings import CarrierSettings
from parcelgate.carriers.ubi.wire import ITEM, SHARED, SMALLEST_VOLUME, WAREHOUSE_NUMBER_LENGTH, Letters
from parcelgate.domain.addresses import Address
from parcelgate.domain.countries import writes_states
from parcelgate.domain.orders import Item, Order, Parcel
from parcelgate.domain.problems import Notice

_VERBATIM = frozenset(
    {"reference", "secondary_reference", "tracking_number", "email", "country", "origin_country", "type"}
)
"""Identifiers and words of a list: they go out as they came, or are refused."""
_OF_FEW_LETTERS = frozenset(row.source for row in (*SHARED, *ITEM) if row.letters is not Letters.ANY)
_FRENCH = frozenset("àâäæçéèêëîïôöœùûüÿÀÂÄÆÇÉÈÊËÎÏÔÖŒÙÛÜŸ")

# Format and control characters, and what the pictures on a phone's keyboard are made of.
_PICTURE = re.compile(
    "["
    "\U0001f000-\U0001faff\U000e0000-\U000e007f\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff"
    "\u200d\ufe0e\ufe0f\u20e3\u3030\u303d\u3297\u3299"
    "]"
)


class Prepared(msgspec.Struct, frozen=True):
    """An order as it can be written for eTower, and what had to be changed for that."""

    order: Order
    warnings: tuple[Notice, ...]


def unprintable(character: str) -> bool:
    """Whether eTower gets a space in this character's place: control characters and emoji."""
    category = unicodedata.category(character)
    return category[0] == "C" or category in {"Zl", "Zp"} or _PICTURE.match(character) is not None


def unprintables(text: str) -> list[str]:
    """The characters of a text that eTower gets a space in place of, each once."""
    if text.isascii() and text.isprintable():
        return []
    return [character for character in dict.fromkeys(text) if unprintable(character)]


def readable(character: str) -> bool:
    """English and French letters, digits, and everything that is no letter at all."""
    if character.isascii() or character in _FRENCH:
        return True
    return unicodedata.category(character)[0] not in "LM" and not character.isdecimal()


def transliterated(text: str) -> str:
    """The text in English and French letters, if it can be: `Łucja` is `Lucja`. Other scripts stay.

    A reader of the label must know the name again, so that only Latin letters are written by others.
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
    """The order with the account's addresses filled in and every text made printable.

    Where UBI takes few letters (table), others are written in those. A country without states gets the city
    as its state, since UBI wants one (table), and a volume is no less than UBI's smallest.
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
    # What has to be changed in the account's own addresses is no news to the client.
    sides = (("/ship_from/", ship_from, settings.ship_from), ("/return_to/", return_to, settings.return_to))
    own = tuple(side for side, address, usual in sides if address == usual)
    return Prepared(ready, tuple(note for note in writer.warnings if not note.pointer.startswith(own)))


class _Writer:
    """Writes texts as eTower takes them, and keeps a warning of whatever that changes."""

    def __init__(self) -> None:
        self.warnings: list[Notice] = []

    def with_state(self, address: Address, pointer: str) -> Address:
        """The address as `texts` has it, with the city as the state of a country without states."""
        ready = self.texts(address, pointer)
        if ready.state or writes_states(ready.country):
            return ready
        message = f"UBI wants a state, and {ready.country} has none: the city is sent in its place."
        self._warn(f"{pointer}/state", "defaulted", message)
        return msgspec.structs.replace(ready, state=ready.city)

    def parcel(self, parcel: Parcel, pointer: str) -> Parcel:
        if parcel.volume is not None and 0 < parcel.volume < SMALLEST_VOLUME:
            message = f"Sent as {SMALLEST_VOLUME} m\N{SUPERSCRIPT THREE}, the least that UBI takes."
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
        self._warn(f"{pointer}/warehouse_number", "cut", f"Cut to {WAREHOUSE_NUMBER_LENGTH} characters.")
        return msgspec.structs.replace(item, warehouse_number=number[:WAREHOUSE_NUMBER_LENGTH])

    def texts[T: Any](self, struct: T, pointer: str, source: str = "") -> T:
        """The struct with each of its own texts as it can be sent; `source` is what the table calls it."""
        changes = {}
        for name in struct.__struct_fields__:
            value = getattr(struct, name)
            if isinstance(value, str) and name not in _VERBATIM:
                changes[name] = self._text(value, f"{pointer}/{name}", f"{source or pointer}/{name}")
        return msgspec.structs.replace(struct, **changes)

    def _text(self, value: str, pointer: str, source: str) -> str:
        text = unicodedata.normalize("NFC", value).strip(" ")
        if unprintables(text):
            message = "Control characters and emoji were replaced by spaces."
            self._warn(pointer, "characters_replaced", message)
            spaced = "".join(" " if unprintable(character) else character for character in text)
            text = re.sub(" {2,}", " ", spaced).strip()
        if source in _OF_FEW_LETTERS and (spelt := transliterated(text)) != text:
            message = f'UBI takes English and French letters: "{text}" is sent as "{spelt}".'
            self._warn(pointer, "transliterated", message)
            return spelt
        return text

    def _warn(self, pointer: str, code: str, message: str) -> None:
        self.warnings.append(Notice(pointer, code, message))

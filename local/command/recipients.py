"""Whose order is it: comparing what is known of a recipient with orders and trackings of the API.

Everything is compared in a plain form: a telephone number with or without its country's prefix, a name
without accents, in any case, and whatever the sequence of its words.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_SHORTEST_PHONE = 7
_SHORTEST_NATIONAL = {"US": 10, "CA": 10, None: 8}
"""The fewest digits of a number without its country's prefix, by country; None: where it is not known."""
_COUNTRY_PREFIX = re.compile(
    r"(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    r"|(2[1-689]|3[578]|42|5[09]|6[7-9]|8[05-8]|9[679])\d)0*"
)
"""A calling code of the ITU (E.164), perhaps with the zero that is dialled within the country."""
_ZIP_DIGITS = 5


@dataclass(frozen=True)
class Recipient:
    """What is known of a person. Each thing that is given must fit; a name counts with its postcode only."""

    email: str | None = None
    phone: str | None = None
    name: str | None = None
    postcode: str | None = None
    reference: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """What is known."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def has(self, order: Mapping[str, Any]) -> bool:
        """Whether an order goes to this person."""
        address = order["ship_to"]
        return bool(self.given) and all(
            (
                self.reference in (None, order["reference"]),
                self.email is None or _mail(self.email) == _mail(address["email"]),
                self.phone is None or _same_phone(self.phone, address["phone"], address["country"]),
                self.name is None or _name(self.name) == _name(address["name"]),
                self.postcode is None or _same_postcode(self.postcode, address),
            )
        )

    def follows(self, tracking: Mapping[str, Any]) -> bool:
        """Whether a parcel that is followed without an order is this person's. It has no postcode."""
        customer = tracking["customer"] or {}
        known = (self.email, self.phone, self.reference)
        return any(each is not None for each in known) and all(
            (
                self.reference in (None, tracking["order_reference"]),
                self.email is None or _mail(self.email) == _mail(customer.get("email")),
                self.phone is None
                or _same_phone(self.phone, customer.get("phone"), tracking.get("destination_country")),
                self.name is None or _name(self.name) == _name(customer.get("name")),
            )
        )


def _plain(text: str | None) -> str:
    decomposed = unicodedata.normalize("NFKD", text or "").casefold()
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _mail(text: str | None) -> str | None:
    return unicodedata.normalize("NFKC", text).strip().casefold() if text else None


def _name(text: str | None) -> tuple[str, ...]:
    return tuple(sorted(re.findall(r"\w+", _plain(text))))


def _same_phone(one: str, other: str | None, country: str | None) -> bool:
    shorter, longer = sorted((_digits(one), _digits(other or "")), key=len)
    if shorter == longer:
        return len(shorter) >= _SHORTEST_PHONE
    if len(shorter) < _SHORTEST_NATIONAL.get(country, _SHORTEST_PHONE) or not longer.endswith(shorter):
        return False
    return _COUNTRY_PREFIX.fullmatch(longer.removesuffix(shorter)) is not None


def _digits(phone: str) -> str:
    """The digits before an extension, without zeros at the beginning."""
    number = re.split(r"(?i)\s*(?:x|ext)", unicodedata.normalize("NFKC", phone), maxsplit=1)[0]
    return re.sub(r"\D", "", number).lstrip("0")


def _same_postcode(one: str, address: Mapping[str, Any]) -> bool:
    mine, theirs = (re.sub(r"\W", "", _plain(each)) for each in (one, address["postcode"]))
    if address["country"] == "US" and len(mine) >= _ZIP_DIGITS:
        return mine[:_ZIP_DIGITS] == theirs[:_ZIP_DIGITS]
    return mine != "" and mine == theirs

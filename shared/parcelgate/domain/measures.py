"""Money, weight and length as types. All arithmetic is decimal; nothing here is ever a float."""

from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

import msgspec


class WeightUnit(StrEnum):
    """The units of weight that a client may use."""

    G = "g"
    KG = "kg"
    LB = "lb"
    OZ = "oz"


class LengthUnit(StrEnum):
    """The units of length that a client may use."""

    CM = "cm"
    IN = "in"
    M = "m"
    MM = "mm"


_GRAMS = {
    WeightUnit.G: Decimal(1),
    WeightUnit.KG: Decimal(1000),
    WeightUnit.LB: Decimal("453.59237"),
    WeightUnit.OZ: Decimal("28.349523125"),
}
_MILLIMETRES = {
    LengthUnit.MM: Decimal(1),
    LengthUnit.CM: Decimal(10),
    LengthUnit.M: Decimal(1000),
    LengthUnit.IN: Decimal("25.4"),
}


class Money(msgspec.Struct, frozen=True):
    """An amount of one currency (ISO 4217, three capital letters)."""

    amount: Decimal
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)


class Weight(msgspec.Struct, frozen=True):
    """A weight in the unit it was given in."""

    value: Decimal
    unit: WeightUnit

    def to(self, unit: WeightUnit) -> Decimal:
        """The value in `unit`, exact (not rounded)."""
        return self.value if unit is self.unit else self.value * _GRAMS[self.unit] / _GRAMS[unit]


class Dimensions(msgspec.Struct, frozen=True):
    """Length, width and height of a parcel, in one unit."""

    length: Decimal
    width: Decimal
    height: Decimal
    unit: LengthUnit

    def to(self, unit: LengthUnit) -> tuple[Decimal, Decimal, Decimal]:
        """(length, width, height) in `unit`, exact (not rounded)."""
        ratio = _MILLIMETRES[self.unit] / _MILLIMETRES[unit]
        sides = (self.length, self.width, self.height)
        return sides if unit is self.unit else (sides[0] * ratio, sides[1] * ratio, sides[2] * ratio)


def rounded(value: Decimal, places: int) -> Decimal:
    """`value` with `places` decimals, rounded half up, but never to zero.

    A carrier would refuse a weight of `0.00` pounds, or bill nothing. So the smallest step is used instead.
    """
    step = Decimal(1).scaleb(-places)
    result = value.quantize(step, rounding=ROUND_HALF_UP)
    return step if value > 0 and result == 0 else result

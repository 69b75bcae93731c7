"""Read a carrier's table that says what is done with each field of the create body.

A table maps patterns of JSON pointers (`/parcels/*/description`) to a `Place` and a few words: for SENT
the carrier's own name of the field, otherwise the reason, as the client reads it.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Any, Protocol

import msgspec

from parcelgate.domain.measures import Money
from parcelgate.domain.orders import Battery, Item, Order, default_parcel_reference
from parcelgate.domain.places.addresses import Address

NO_BATTERY = "No Battery"
"""The battery type that means no battery."""


class Place(Enum):
    """What Parcelgate does with a field."""

    SENT = "sent to the carrier"
    OURS = "used by Parcelgate only"
    REFUSED = "the carrier has no field for it, and without it service, money or safety would differ"
    NOT_SENT = "the carrier has no field for it, and it only informs"


type Fields = Mapping[str, tuple[Place, str]]


class Defaults(Protocol):
    """The carrier account's addresses, which are used for an order without addresses of its own."""

    @property
    def ship_from(self) -> Address | None:
        """The default sender."""
        ...

    @property
    def return_to(self) -> Address | None:
        """The default return address."""
        ...


def given(order: Order, account: Defaults, fields: Fields, place: Place) -> Iterator[tuple[str, str]]:
    """Find the fields of this kind whose value differs from the default. Gives pointer and reason."""
    for pattern, (kind, reason) in fields.items():
        if kind is not place:
            continue
        values = [*_values(order, "", pattern.split("/")[1:])]
        defaults = _filled_in(pattern, order, account) if values else ()
        yield from ((pointer, reason) for pointer, value in values if value not in defaults)


def _values(node: Any, pointer: str, path: list[str]) -> Iterator[tuple[str, Any]]:
    """Find every value at the place of a pattern that differs from the field's own default."""
    if node is None:
        return
    head, *rest = path
    if head == "*":
        for index, item in enumerate(node):
            yield from _values(item, f"{pointer}/{index}", rest)
        return
    value = getattr(node, head)
    if rest:
        yield from _values(value, f"{pointer}/{head}", rest)
    elif value and value != _struct_defaults(node.__class__)[head]:
        yield f"{pointer}/{head}", value


@cache
def _struct_defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.default for field in msgspec.structs.fields(kind)}


def _filled_in(pattern: str, order: Order, account: Defaults) -> tuple[Any, ...]:
    """The values that a field has by the contract when the client leaves it out."""
    match pattern.split("/")[1:]:
        case ["ship_from" | "return_to" as side, *rest]:
            node: Any = getattr(account, side)
            for name in rest:
                node = getattr(node, name, None)
            # Undelivered parcels go back to the sender by default.
            return (node,) if rest or side == "ship_from" else (node, order.ship_from)
        case ["customs", "battery"]:
            return tuple(Battery(type=NO_BATTERY, packing=packing) for packing in (None, NO_BATTERY))
        case ["customs", "description"]:
            return tuple(item.description for item in list(_items(order))[:1])
        case ["customs", "value"]:
            return (_items_value(order),)
        case ["parcels", "*", "reference"]:
            places = range(1, len(order.parcels) + 1)
            numbered = (default_parcel_reference(order.reference, place) for place in places)
            return (order.reference, *numbered)
    return ()


def _items(order: Order) -> Iterator[Item]:
    return (item for parcel in order.parcels for item in parcel.items)


def _items_value(order: Order) -> Money | None:
    values = [
        Money(item.unit_value.amount * item.quantity, item.unit_value.currency) for item in _items(order)
    ]
    if len({value.currency for value in values}) != 1:
        return None
    return sum(values[1:], values[0])

"""What eTower is told of the goods, and from which field of our body each value comes. Pure.

The same `Sourced` values make the body of a create and tell `validation` where to point.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from parcelgate.domain.measures import Money
from parcelgate.domain.orders import Item, Order


class Sourced[T](NamedTuple):
    """A value for the wire, and the pointer to where it stands (or is missing) in our body."""

    value: T | None
    pointer: str


def description(order: Order, place: int | None = None) -> Sourced[str]:
    """The description of the order, or of the piece at `place`.

    The order's own is the customs declaration's, else its first item's; a piece's is the parcel's own,
    else its first item's. What one lacks it takes from the other.
    """
    return _described(order, place, "description")


def native_description(order: Order, place: int | None = None) -> Sourced[str]:
    """The same for the description in the sender's language."""
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
        # The contract's default (the first item's), not the client's own word.
        candidates = [*own, customs]
    else:
        candidates = [customs, *own, *goods]
    return next((candidate for candidate in candidates if candidate.value), customs)


def parcel_value(order: Order, place: int) -> Sourced[Money]:
    """What a parcel is worth: the sum of its items; without items, its declared value."""
    parcel = order.parcels[place]
    if parcel.items:
        return Sourced(_sum(item.unit_value for item in _each(parcel.items)), f"/parcels/{place}/items")
    return Sourced(parcel.declared_value, f"/parcels/{place}/declared_value")


def order_value(order: Order) -> Sourced[Money]:
    """What the whole order is worth: the customs value, else the sum of its parcels."""
    parts = [parcel_value(order, place) for place in range(len(order.parcels))]
    lacking = next((part for part in parts if part.value is None), None)
    pointer = parts[0].pointer if len(parts) == 1 else "/parcels"
    total = Sourced(_sum(part.value for part in parts if part.value), pointer)
    given = order.customs.value if order.customs is not None else None
    if given is None or given == total.value:
        return lacking or total
    return Sourced(given, "/customs/value")


def _each(items: Iterable[Item]) -> Iterable[Item]:
    return (
        msgspec.structs.replace(
            item, unit_value=Money(item.unit_value.amount * item.quantity, item.unit_value.currency)
        )
        for item in items
    )


def _sum(amounts: Iterable[Money]) -> Money | None:
    """The sum under the first one's currency; `validation` refuses a mixture."""
    total: Money | None = None
    for amount in amounts:
        total = amount if total is None else Money(total.amount + amount.amount, total.currency)
    return total


def sender_tax_id(order: Order) -> Sourced[str]:
    """The customs declaration's, else the sender's own."""
    if order.customs is not None and order.customs.sender_tax_id:
        return Sourced(order.customs.sender_tax_id, "/customs/sender_tax_id")
    if order.ship_from is not None and order.ship_from.tax_id:
        return Sourced(order.ship_from.tax_id, "/ship_from/tax_id")
    return Sourced(None, "/customs/sender_tax_id")

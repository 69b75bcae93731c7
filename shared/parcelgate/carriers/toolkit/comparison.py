"""Compare an order with a carrier's reply about it. Shared by the adapters. Pure."""

import unicodedata
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from parcelgate.carriers.results import Confirmed, ParcelResult
from parcelgate.domain.orders import Order

_LONGEST_DETAIL = 500


def bare(text: str) -> str:
    """Reduce a text to its letters and digits: carriers remove other characters and change the case."""
    normal = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in normal if character.isalnum())


def plain_details(answer: Mapping[str, Any], elsewhere: Collection[str]) -> dict[str, Any]:
    """Return the fields of an answer that are not kept `elsewhere`: plain values, decimals as text."""
    return {
        name: str(value)[:_LONGEST_DETAIL] if isinstance(value, str | Decimal) else value
        for name, value in answer.items()
        if name not in elsewhere and isinstance(value, str | int | Decimal)
    }


def as_it_was(order: Order) -> Confirmed | None:
    """Return the order's own numbers, after a change whose answer has none; None when it lacks one."""
    if order.carrier_order_number is None or not all(parcel.tracking_number for parcel in order.parcels):
        return None
    return Confirmed(
        carrier_order_number=order.carrier_order_number,
        parcels=tuple(
            msgspec.convert(parcel, ParcelResult, from_attributes=True) for parcel in order.parcels
        ),
        master_tracking_numbers=order.master_tracking_numbers,
        details=order.carrier_details,
    )

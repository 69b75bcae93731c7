"""What the answers about an order make of it: numbers, warnings, details. Pure.

Every piece is matched by its `referenceNo`, never by its place in the answer.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from parcelgate.carriers.results import (
    Confirmed,
    Mismatch,
    OrderResult,
    ParcelResult,
    Pending,
)
from parcelgate.carriers.toolkit.comparison import bare
from parcelgate.carriers.ubi.wire import (
    FoundOrder,
    OrderAnswer,
)
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import Notice


def notices(order: Order, answer: OrderAnswer) -> tuple[Notice, ...]:
    """The carrier's warnings, of the order and of its pieces, with pointers to the parcels."""
    places = {parcel.reference: place for place, parcel in enumerate(order.parcels)}
    found = [Notice("", w.code or "", w.message or "", source="carrier") for w in answer.warnings]
    for piece in answer.pieces_result:
        place = places.get(piece.reference_no or "")
        pointer = "" if place is None else f"/parcels/{place}"
        found += [Notice(pointer, w.code or "", w.message or "", source="carrier") for w in piece.warnings]
    return tuple(found)


def details(answer: OrderAnswer) -> dict[str, Any]:
    """What else the carrier answered, by its own names; nothing that is empty."""
    kept: dict[str, Any] = {}
    if answer.connote_id:
        kept["connoteId"] = answer.connote_id
    if extra := {name: value for name, value in answer.extra_property.items() if value is not None}:
        kept["extraProperty"] = extra
    pieces = [
        {"referenceNo": piece.reference_no, **found}
        for piece in answer.pieces_result
        if (found := details(piece))
    ]
    if pieces:
        kept["piecesResult"] = pieces
    return kept


def result(order: Order, answer: OrderAnswer) -> Confirmed | Pending | Mismatch:
    """What an answer without errors makes of an order.

    Every parcel is matched by its `referenceNo` (a parcel alone by the order's), never by position.
    Mismatch when the pieces are not the order's; Pending while a number is missing.
    """
    if answer.order_id is None:
        return Pending(reason="no order number yet")
    if len(order.parcels) == 1:
        if answer.pieces_result and [p.reference_no for p in answer.pieces_result] != [order.reference]:
            found = len(answer.pieces_result)
            return Mismatch(detail=f"{found} pieces for one parcel", carrier_order_number=answer.order_id)
        numbers: list[tuple[str | None, str | None]] = [(answer.tracking_no, answer.order_id)]
        masters: tuple[str, ...] = ()
    else:
        expected = Counter(parcel.reference for parcel in order.parcels)
        if Counter(piece.reference_no for piece in answer.pieces_result) != expected:
            found = len(answer.pieces_result)
            text = f"{found} pieces in the answer, {len(order.parcels)} parcels in the order, or not the same"
            return Mismatch(detail=text, carrier_order_number=answer.order_id)
        pieces = {piece.reference_no: piece for piece in answer.pieces_result}
        ours = [pieces[parcel.reference] for parcel in order.parcels]
        numbers = [(piece.tracking_no, piece.order_id) for piece in ours]
        masters = (answer.tracking_no,) if answer.tracking_no else ()
    if not all(tracking for tracking, _ in numbers):
        return Pending(reason="no tracking number yet", carrier_order_number=answer.order_id)
    return Confirmed(
        carrier_order_number=answer.order_id,
        parcels=tuple(
            ParcelResult(
                reference=parcel.reference,
                tracking_number=tracking,
                master_tracking_number=masters[0] if masters else None,
                carrier_parcel_number=number,
            )
            for parcel, (tracking, number) in zip(order.parcels, numbers, strict=True)
        ),
        master_tracking_numbers=masters,
        warnings=notices(order, answer),
        details=details(answer),
    )


def found_order(entry: Any) -> Any:
    """The order inside an entry of `queryorders`, wherever clients have seen it: `order`, `data.order`."""
    if not isinstance(entry, Mapping):
        return entry
    inner = entry.get("order")
    if inner is None and isinstance(entry.get("data"), Mapping):
        inner = entry["data"].get("order")
    if not isinstance(inner, Mapping):
        return entry
    outer = {name: entry[name] for name in ("orderId", "referenceNo", "trackingNo", "piecesResult")
             if entry.get(name) is not None}  # fmt: skip
    return {**outer, **inner}


def result_of_found(order: Order, found: FoundOrder) -> OrderResult:
    """What an order that was found under our reference makes of ours: only our own is adopted."""
    if not is_ours(order, found):
        return Mismatch(
            detail="another order stands under this reference", carrier_order_number=found.order_id
        )
    answer = OrderAnswer.model_validate(
        {
            "orderId": found.order_id,
            "trackingNo": found.tracking_no,
            "connoteId": found.connote_id,
            "piecesResult": found.pieces or found.pieces_result,
            "extraProperty": found.extra_property,
        }
    )
    return result(order, answer)


def is_ours(order: Order, found: FoundOrder) -> bool:
    """Whether service and address of a found order are those of ours (assumed to be enough).

    Compared by letters and digits alone, as the carrier removes special characters; a field that the
    carrier does not tell is passed over, save the service and the first line.
    """
    if found.service_code is None or found.address_line1 is None:
        return False
    address = order.ship_to
    pairs = (
        (found.service_code, order.service),
        (found.recipient_name, address.name),
        (found.address_line1, address.line1),
        (found.city, address.city),
        (found.postcode, address.postcode),
        (found.country, address.country),
    )
    return all(told is None or bare(told) == bare(ours or "") for told, ours in pairs)

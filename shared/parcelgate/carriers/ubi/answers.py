"""Reads what an answer about an order means: its numbers, or the errors of the port. Pure.

Every piece is matched by its `referenceNo`, never by its place in the answer.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    PartlyRefusedError,
    RefusedError,
    RefusedParcel,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Confirmed, Mismatch, OrderResult, ParcelResult, Pending
from parcelgate.carriers.toolkit.comparison import bare
from parcelgate.carriers.ubi.codes import (
    CLASSES,
    DUPLICATE_REFERENCE,
    FAILURE_WORDS,
    GONE_WORDS,
    MEANINGS,
    POINTERS,
    REASONS,
    SERVICES_LISTED,
    SUCCESS_WORDS,
    ErrorClass,
)
from parcelgate.carriers.ubi.wire import Answer, Envelope, FoundOrder, OrderAnswer, Trouble
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import CarrierWords, FieldError, Notice

type PlacedTrouble = tuple[int | None, Trouble]
"""The carrier's error and the position of the piece; None if it concerns the whole order."""


class DuplicateError(RefusedError):
    """The carrier already has an order with this reference. A look-up must tell whether it is ours."""


def refused(answer: Answer) -> bool:
    """Whether this part of a reply is a refusal. A success counts as one even if it has errors."""
    status = (answer.status or "").casefold()
    return status in FAILURE_WORDS or (bool(answer.errors) and status not in SUCCESS_WORDS)


def gone(order: FoundOrder) -> bool:
    """Whether a found order was cancelled."""
    return (order.status or "").casefold() in GONE_WORDS


def classify(code: str | None) -> ErrorClass:
    """Return the class of an error code. A readable refusal without a code is still a refusal.

    A code like HTTP's 5xx is none of the carrier's codes, so its cause and its effect are unknown.
    """
    if code is not None and len(code) == 3 and code.startswith("5"):
        return ErrorClass.UNKNOWN
    return CLASSES.get(code or "", ErrorClass.REFUSED)


def words(trouble: Trouble | None) -> CarrierWords:
    """The carrier's own code and words."""
    if trouble is None:
        return CarrierWords("ubi", "", "UBI gave no reason")
    code = trouble.code or ""
    return CarrierWords("ubi", code, trouble.message or MEANINGS.get(code, ""))


def field_error(order: Order, trouble: Trouble, place: int | None) -> FieldError | None:
    """Return the error with a pointer into our body; None when its code names no field.

    `place` is the piece that the error belongs to, None for the whole order.
    """
    template = POINTERS.get(trouble.code or "")
    if template is None:
        return None
    reference = "/reference" if place is None else f"/parcels/{place}/reference"
    if place is None and len(order.parcels) == 1:
        place = 0
    if place is None and template.startswith(("{parcel}", "{item}")):
        pointer = "/parcels"
    elif template.startswith("{item}") and place is not None and len(order.parcels[place].items) != 1:
        # The code does not say which item it is about.
        pointer = f"/parcels/{place}/items"
    else:
        parcel = f"/parcels/{place}"
        pointer = template.format(parcel=parcel, reference=reference, item=f"{parcel}/items/0")
    code = "reference_in_use" if trouble.code == DUPLICATE_REFERENCE else "refused_by_carrier"
    message = trouble.message or f"UBI refused this ({trouble.code})."
    return FieldError(pointer, code, f"{message} {SERVICES_LISTED}" if pointer == "/service" else message)


def error(order: Order | None, troubles: Sequence[PlacedTrouble]) -> CarrierError:
    """Return one error for everything that the carrier said.

    Of several classes one decides. A wrong key says nothing about the order, a duplicate may mean that the
    order exists already, and a refusal stays a refusal when it is repeated. Without an order, as in a call
    about many, there are no pointers.
    """
    by_class = {classify(trouble.code): trouble for _, trouble in reversed(troubles)}
    # The members of the class are in this sequence.
    deciding = next((kind for kind in ErrorClass if kind in by_class), ErrorClass.REFUSED)
    carrier_words = words(by_class.get(deciding))
    match deciding:
        case ErrorClass.AUTHENTICATION:
            return AuthenticationError("UBI does not accept the credentials", words=carrier_words)
        case ErrorClass.TRANSIENT:
            return TransientError("UBI is busy; the call had no effect", words=carrier_words)
        case ErrorClass.UNKNOWN:
            return UnknownOutcomeError(
                "UBI's reply does not say whether the call had an effect", words=carrier_words
            )
    kind = DuplicateError if deciding is ErrorClass.DUPLICATE else RefusedError
    code = carrier_words.code
    errors = () if order is None else _field_errors(order, troubles)
    return kind(
        MEANINGS.get(code, "UBI refused the call"),
        words=carrier_words,
        errors=errors,
        reason=REASONS.get(code),
    )


def _field_errors(order: Order, troubles: Sequence[PlacedTrouble]) -> tuple[FieldError, ...]:
    errors = (field_error(order, trouble, place) for place, trouble in troubles)
    return tuple(dict.fromkeys(error for error in errors if error))


def whole(troubles: Iterable[Trouble], order: Order | None = None) -> CarrierError:
    """Return the error for what the carrier said about the order, or the call, as a whole."""
    return error(order, [(None, trouble) for trouble in troubles])


def created(order: Order, answer: OrderAnswer, envelope: Envelope) -> Confirmed | CarrierError:
    """Return the result of one order of a create; its pieces are read one by one.

    Warnings at the top of the answer, in `envelope`, belong to each of its orders too.

    The result is PartlyRefusedError when the carrier accepted one part of the order and refused another. It
    is UnknownOutcomeError when the carrier accepted the order and numbers are missing: a look-up must find
    them.
    """
    places = {parcel.reference: place for place, parcel in enumerate(order.parcels)}
    ours = sorted(
        (
            (places[piece.reference_no], piece)
            for piece in answer.pieces_result
            if piece.reference_no in places
        ),
        key=itemgetter(0),
    )
    refused_pieces = [(place, piece) for place, piece in ours if refused(piece)]
    if not refused(answer) and not refused_pieces:
        if answer.order_id is None and answer.status is None:
            return UnknownOutcomeError("UBI's reply does not mention the order")
        outcome = result(order, answer)
        if isinstance(outcome, Confirmed):
            return with_warnings(outcome, envelope)
        return UnknownOutcomeError(
            f"UBI accepted the order, but its reply is incomplete: {type(outcome).__name__}"
        )
    troubles: list[PlacedTrouble] = [(None, trouble) for trouble in answer.errors]
    troubles += [(place, trouble) for place, piece in refused_pieces for trouble in piece.errors]
    number = None if (answer.status or "").casefold() in FAILURE_WORDS else answer.order_id
    accepted = [
        ParcelResult(
            reference=order.parcels[place].reference,
            tracking_number=piece.tracking_no,
            carrier_parcel_number=piece.order_id,
        )
        for place, piece in ours
        if not refused(piece) and piece.order_id
    ]
    if not accepted and number is None:
        return error(order, troubles)
    return PartlyRefusedError(
        "UBI accepted some parcels of the order and refused the others",
        words=words(troubles[0][1] if troubles else None),
        carrier_order_number=number,
        accepted=accepted,
        refused=[
            RefusedParcel(
                reference=order.parcels[place].reference,
                words=words(piece.errors[0] if piece.errors else None),
                errors=_field_errors(order, [(place, trouble) for trouble in piece.errors]),
            )
            for place, piece in refused_pieces
        ],
    )


def result(order: Order, answer: OrderAnswer) -> Confirmed | Pending | Mismatch:
    """Return the result of an answer without errors; a single parcel has the order's own numbers.

    It is Mismatch when the pieces are not the order's, and Pending while a number is missing.
    """
    if answer.order_id is None:
        return Pending(reason="UBI has not given an order number yet")
    alone = len(order.parcels) == 1
    expected = Counter([order.reference] if alone else [parcel.reference for parcel in order.parcels])
    if not (alone and not answer.pieces_result) and expected != Counter(
        piece.reference_no for piece in answer.pieces_result
    ):
        count = len(answer.pieces_result)
        text = f"UBI returned {count} pieces for {len(order.parcels)} parcels, or other references"
        return Mismatch(detail=text, carrier_order_number=answer.order_id)
    pieces = {piece.reference_no: piece for piece in answer.pieces_result}
    numbers = [answer if alone else pieces[parcel.reference] for parcel in order.parcels]
    if not all(piece.tracking_no for piece in numbers):
        return Pending(
            reason="UBI has not given all tracking numbers yet", carrier_order_number=answer.order_id
        )
    master = None if alone else answer.tracking_no
    places = {parcel.reference: f"/parcels/{place}" for place, parcel in enumerate(order.parcels)}
    warnings = _notices("", answer.warnings)
    for piece in answer.pieces_result:
        warnings += _notices(places.get(piece.reference_no or "", ""), piece.warnings)
    return Confirmed(
        carrier_order_number=answer.order_id,
        parcels=tuple(
            ParcelResult(
                reference=parcel.reference,
                tracking_number=piece.tracking_no,
                master_tracking_number=master,
                carrier_parcel_number=piece.order_id,
            )
            for parcel, piece in zip(order.parcels, numbers, strict=True)
        ),
        master_tracking_numbers=(master,) if master else (),
        warnings=tuple(warnings),
        details=_details(answer),
    )


def with_warnings(confirmed: Confirmed, envelope: Envelope) -> Confirmed:
    """Return the confirmation with the warnings at the top of its answer."""
    warnings = (*_notices("", envelope.warnings), *confirmed.warnings)
    return msgspec.structs.replace(confirmed, warnings=tuple(dict.fromkeys(warnings)))


def _notices(pointer: str, warnings: Iterable[Trouble]) -> list[Notice]:
    return [Notice(pointer, w.code or "", w.message or "", source="carrier") for w in warnings]


def _details(answer: OrderAnswer) -> dict[str, Any]:
    """Return what else the carrier answered, by its own names, without empty values."""
    details: dict[str, Any] = {
        "connoteId": answer.connote_id,
        "extraProperty": {name: value for name, value in answer.extra_property.items() if value is not None},
        "piecesResult": [
            {"referenceNo": piece.reference_no, **more}
            for piece in answer.pieces_result
            if (more := _details(piece))
        ],
    }
    return {name: value for name, value in details.items() if value}


def unwrapped(entry: Any) -> Any:
    """Return the order inside an entry of `queryorders`, at the places where clients have seen it."""
    if not isinstance(entry, Mapping):
        return entry
    inner = entry.get("order")
    if inner is None and isinstance(entry.get("data"), Mapping):
        inner = entry["data"].get("order")
    if not isinstance(inner, Mapping):
        return entry
    names = ("orderId", "referenceNo", "trackingNo", "piecesResult")
    outer = {name: entry[name] for name in names if entry.get(name) is not None}
    return {**outer, **inner}


def result_of_found(order: Order, found: FoundOrder) -> OrderResult:
    """Return the result of an order that was found under our reference: only our own is adopted."""
    if not is_ours(order, found):
        return Mismatch(detail="another order has this reference", carrier_order_number=found.order_id)
    return result(order, found.model_copy(update={"pieces_result": found.pieces or found.pieces_result}))


def is_ours(order: Order, found: FoundOrder) -> bool:
    """Return whether service and address of a found order are those of ours (assumed to be enough).

    Only letters and digits are compared, because the carrier removes special characters. A field that the
    carrier leaves out does not count, except the service and the first line.
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
    return all(theirs is None or bare(theirs) == bare(ours or "") for theirs, ours in pairs)

"""What an answer to a create, or a refusal of anything, means: the errors of the port, classed once. Pure."""

from collections.abc import Iterable, Sequence

from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    PartlyRefusedError,
    RefusedError,
    RefusedParcel,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Confirmed, ParcelResult
from parcelgate.carriers.ubi.codes import (
    DUPLICATE_REFERENCE,
    MEANINGS,
    POINTERS,
    REASONS,
    ErrorClass,
    classify,
    failed,
    succeeded,
)
from parcelgate.carriers.ubi.mapping import results
from parcelgate.carriers.ubi.wire import (
    ChangeAnswer,
    Envelope,
    LabelAnswer,
    OrderAnswer,
    TrackAnswer,
    Trouble,
)
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import CarrierWords, FieldError

# Of several errors the one that decides: a wrong key says nothing of the order, a duplicate may mean that
# the order is there already, and a refusal stays one however often it is asked again.
_PRECEDENCE = (
    ErrorClass.AUTHENTICATION,
    ErrorClass.DUPLICATE,
    ErrorClass.UNKNOWN,
    ErrorClass.REFUSED,
    ErrorClass.TRANSIENT,
)


class DuplicateError(RefusedError):
    """The carrier has an order under this reference already: whose, must be looked up."""


def refused(answer: OrderAnswer | ChangeAnswer | LabelAnswer | TrackAnswer | Envelope) -> bool:
    """Whether this much of an answer says no. A success is one even with errors beside it."""
    return failed(answer.status) or (bool(answer.errors) and not succeeded(answer.status))


def words(trouble: Trouble | None) -> CarrierWords:
    """The carrier's own code and words."""
    if trouble is None:
        return CarrierWords("ubi", "", "refused without a reason")
    return CarrierWords("ubi", trouble.code or "", trouble.message or MEANINGS.get(trouble.code or "", ""))


def field_error(order: Order, trouble: Trouble, place: int | None) -> FieldError | None:
    """The error with a pointer into our body; None when its code names no field.

    `place` is the piece the error came with, None when it came with the whole order.
    """
    template = POINTERS.get(trouble.code or "")
    if template is None:
        return None
    reference = "/reference" if place is None else f"/parcels/{place}/reference"
    if place is None and len(order.parcels) == 1:
        place = 0
    if place is None and template.startswith(("{parcel}", "{item}")):
        pointer = "/parcels"
    else:
        parcel = f"/parcels/{place}"
        items = order.parcels[place].items if place is not None else ()
        # The code does not say which item it minds.
        alone = len(items) == 1
        pointer = template.format(
            parcel=parcel, reference=reference, item=f"{parcel}/items/0" if alone else f"{parcel}/items"
        )
        if template.startswith("{item}") and not alone:
            pointer = f"{parcel}/items"
    code = "reference_in_use" if trouble.code == DUPLICATE_REFERENCE else "refused_by_carrier"
    return FieldError(pointer, code, trouble.message or f"UBI refused this ({trouble.code}).")


def error(order: Order | None, troubles: Sequence[tuple[int | None, Trouble]]) -> CarrierError:
    """One error for everything the carrier said, each with the piece it was said of.

    Without an order, as in a question about many, there are no pointers.
    """
    classes = {classify(trouble.code) for _, trouble in troubles} or {ErrorClass.REFUSED}
    deciding = next(kind for kind in _PRECEDENCE if kind in classes)
    first = next((trouble for _, trouble in troubles if classify(trouble.code) is deciding), None)
    said = words(first)
    match deciding:
        case ErrorClass.AUTHENTICATION:
            return AuthenticationError("UBI does not accept the credentials", words=said)
        case ErrorClass.TRANSIENT:
            return TransientError("UBI is busy", words=said)
        case ErrorClass.UNKNOWN:
            return UnknownOutcomeError("UBI's answer does not say what became of it", words=said)
    errors = [] if order is None else [field_error(order, trouble, place) for place, trouble in troubles]
    kind = DuplicateError if deciding is ErrorClass.DUPLICATE else RefusedError
    meaning = MEANINGS.get(said.code, "UBI refused")
    found = list(dict.fromkeys(found for found in errors if found))
    return kind(meaning, words=said, errors=found, reason=REASONS.get(said.code))


def whole(envelope: Envelope) -> CarrierError:
    """The error of an answer that says no as a whole."""
    return error(None, [(None, trouble) for trouble in envelope.errors])


def created(order: Order, answer: OrderAnswer) -> Confirmed | CarrierError:
    """What became of one order of a create, its pieces looked at one by one.

    PartlyRefusedError when the carrier took any part of it and refused another. UnknownOutcomeError when
    it took the order and the numbers are not all there: the look-up will tell.
    """
    places = {parcel.reference: place for place, parcel in enumerate(order.parcels)}
    pieces = [piece for piece in answer.pieces_result if piece.reference_no in places]
    refusals = [piece for piece in pieces if refused(piece)]
    taken = [piece for piece in pieces if not refused(piece) and piece.order_id]
    if not refused(answer) and not refusals:
        if answer.order_id is None and answer.status is None:
            return UnknownOutcomeError("UBI's answer says nothing of the order")
        result = results.result(order, answer)
        if isinstance(result, Confirmed):
            return result
        return UnknownOutcomeError(f"UBI took the order, its answer is not whole: {type(result).__name__}")
    troubles = [(None, trouble) for trouble in answer.errors]
    all_troubles = [*troubles, *_of_pieces(refusals, places)]
    number = None if failed(answer.status) else answer.order_id
    if not taken and number is None:
        return error(order, all_troubles)
    numbers = {piece.reference_no: piece for piece in taken}
    return PartlyRefusedError(
        "UBI took a part of the order and refused the rest",
        words=words(all_troubles[0][1] if all_troubles else None),
        carrier_order_number=number,
        accepted=[
            ParcelResult(
                reference=parcel.reference,
                tracking_number=numbers[parcel.reference].tracking_no,
                carrier_parcel_number=numbers[parcel.reference].order_id,
            )
            for parcel in order.parcels
            if parcel.reference in numbers
        ],
        refused=_refused_parcels(order, refusals, places),
    )


def _of_pieces(refusals: Iterable[OrderAnswer], places: dict[str, int]) -> list[tuple[int | None, Trouble]]:
    return [(places[piece.reference_no or ""], trouble) for piece in refusals for trouble in piece.errors]


def _refused_parcels(
    order: Order, refusals: Sequence[OrderAnswer], places: dict[str, int]
) -> list[RefusedParcel]:
    by_reference = {piece.reference_no: piece for piece in refusals}
    found = []
    for parcel in order.parcels:
        piece = by_reference.get(parcel.reference)
        if piece is None:
            continue
        errors = [field_error(order, trouble, places[parcel.reference]) for trouble in piece.errors]
        found.append(
            RefusedParcel(
                reference=parcel.reference,
                words=words(piece.errors[0] if piece.errors else None),
                errors=tuple(error for error in errors if error),
            )
        )
    return found

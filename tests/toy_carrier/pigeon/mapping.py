"""Between our words and the post's, both ways. Pure: no I/O, no clock."""

from datetime import datetime

from parcelgate.carriers.results import Confirmed, Mismatch, OrderResult, ParcelHistory, ParcelResult, Pending
from parcelgate.carriers.toolkit.comparison import bare
from parcelgate.domain.measures import WeightUnit, rounded
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import CarrierWords, FieldError
from parcelgate.domain.trackings import TrackingEvent
from tests.toy_carrier.pigeon import codes, wire


def flight(order: Order) -> wire.Flight:
    """The order as the post wants it; it must have passed `validation.examine`."""
    to = order.ship_to
    return wire.Flight(
        ref=order.reference,
        name=to.name,
        roof=to.line1,
        city=to.city,
        postcode=to.postcode,
        bags=tuple(
            wire.Bag(bag_ref=parcel.reference, grams=rounded(parcel.weight.to(WeightUnit.G), 0))
            for parcel in order.parcels
        ),
    )


def words(answer: wire.Answer) -> CarrierWords:
    """What the post said."""
    return CarrierWords("pigeon", answer.code or "", answer.message or "")


def refused_fields(answer: wire.Answer) -> tuple[FieldError, ...]:
    """The field that a refusal names, by our own pointer."""
    pointer = codes.POINTERS.get(answer.field or "")
    return () if pointer is None else (FieldError(pointer, "refused_by_carrier", answer.message or ""),)


def result(order: Order, answer: wire.Answer) -> OrderResult:
    """What a flight makes of our order: every bag is matched by its own reference, never by position."""
    if answer.flight is None:
        return Pending(reason="no flight number yet")
    if answer.name is not None and bare(answer.name) != bare(order.ship_to.name):
        return Mismatch(detail="another order has this reference", carrier_order_number=answer.flight)
    rings = {ring.bag_ref: ring.ring for ring in answer.rings}
    if not all(rings.get(parcel.reference) for parcel in order.parcels):
        return Mismatch(detail="not a ring for every bag", carrier_order_number=answer.flight)
    return Confirmed(
        carrier_order_number=answer.flight,
        parcels=tuple(
            ParcelResult(reference=parcel.reference, tracking_number=rings[parcel.reference])
            for parcel in order.parcels
        ),
    )


def history(ring: str, answer: wire.Answer) -> ParcelHistory:
    """A pigeon's journey. A report without a readable time is left out; an unknown word has no status."""
    events = []
    for report in answer.reports:
        try:
            at = datetime.fromisoformat(report.at or "")
        except ValueError:
            continue
        word = report.word or ""
        events.append(TrackingEvent(at=at, code=word, description=word, status=codes.EVENTS.get(word)))
    return ParcelHistory(tracking_number=ring, events=tuple(events))

"""What becomes of an order that was sent to a carrier which answers at once: pure functions.

Each makes a `Change` of an order, or says why a person has to look at it. `sending` decides which.
"""

from datetime import datetime

import msgspec

from parcelgate.carriers.errors import AuthenticationError, CarrierError, PartlyRefusedError, RefusedError
from parcelgate.carriers.results import Cancellation, Failed, Mismatch
from parcelgate.domain.orders import Actor, Order, OrderEvent, OrderStatus, Parcel, Submission
from parcelgate.domain.problems import CarrierWords, Problem
from parcelgate.services.orders import transitions
from parcelgate.services.orders.transitions import Change

OPEN = (OrderStatus.ACCEPTED, OrderStatus.PROCESSING)


def bears_the_mark_of(order: Order, sent: Order) -> bool:
    """Whether `order` still bears the mark under which `sent` was sent."""
    mine = sent.submission.sender
    return order.status in OPEN and mine is not None and order.submission.sender == mine


def marked(order: Order, sender: str, *, at: datetime, until: datetime, watch_at: datetime) -> Change:
    """Nobody but `sender` sends the order from here on; it lives no longer than `until`."""
    lost = order.submission.lost
    submission = Submission(sending_at=at, sender=sender, sender_until=until, lost=lost)
    if order.status is OrderStatus.ACCEPTED:
        after = order.move(OrderStatus.PROCESSING, at=at, watch_at=watch_at, submission=submission)
        return Change(after=after, event=transitions.moved(order, after, "order.processing"))
    after = order.changed(at=at, watch_at=watch_at, submission=submission)
    return Change(after=after, event=_event(at, "order.sent_again", Actor.RETRY))


def refused(order: Order, error: RefusedError, *, at: datetime) -> Change:
    """The carrier refused the order, unless it is our own lost create that has the reference there."""
    taken = any(found.code == "reference_in_use" for found in error.errors)
    if taken and order.submission.lost:
        return transitions.needs_attention(order, unknown(error.words), at=at)
    problem = Problem(
        code="reference_in_use" if taken and error.words is not None else "refused_by_carrier",
        detail="The carrier refused the order. Nothing was bought.",
        errors=error.errors,
        carrier=error.words,
    )
    return transitions.failed(order, problem, at=at)


def partly_refused(order: Order, error: PartlyRefusedError, *, at: datetime, watch_at: datetime) -> Change:
    """What the carrier took is to be taken back; its numbers are stored for that, and each refusal."""
    found = {refusal.reference: refusal for refusal in error.refused}

    def judged(parcel: Parcel) -> Parcel:
        refusal = found.get(parcel.reference)
        if refusal is None:
            return parcel
        problem = Problem(
            code="refused_by_carrier",
            detail="The carrier refused this parcel.",
            errors=refusal.errors,
            carrier=refusal.words,
        )
        return msgspec.structs.replace(parcel, problem=problem)

    problem = Problem(
        code="refused_by_carrier",
        detail=f"The carrier refused {len(found)} of {len(order.parcels)} parcels, "
        "so that the order as a whole was taken back.",
        errors=tuple(dict.fromkeys(one for refusal in error.refused for one in refusal.errors)),
        carrier=error.words,
    )
    after = order.changed(
        at=at,
        watch_at=watch_at,
        parcels=tuple(judged(parcel) for parcel in transitions.numbered(order, error.accepted)),
        carrier_order_number=error.carrier_order_number,
        problem=problem,
        submission=msgspec.structs.replace(order.submission, compensating_since=at),
    )
    return Change(after=after, event=_event(at, "carrier.refused_parcels", Actor.CARRIER, error.words))


def failing(order: Order, result: Failed, *, at: datetime, watch_at: datetime) -> Change:
    """The carrier could not carry the order out: what it holds of it is to be taken back."""
    after = order.changed(
        at=at,
        watch_at=watch_at,
        problem=transitions.failure(result.words),
        carrier_order_number=order.carrier_order_number or result.carrier_order_number,
        submission=msgspec.structs.replace(order.submission, compensating_since=at),
    )
    return Change(after=after, event=_event(at, "carrier.failed", Actor.CARRIER, result.words))


def taken_back(order: Order, cancellation: Cancellation, *, at: datetime) -> Change:
    """The carrier has nothing of the order any more; numbers that lead nowhere go."""
    parcels = tuple(
        msgspec.structs.replace(parcel, tracking_number=None, master_tracking_number=None)
        for parcel in order.parcels
    )
    problem = order.problem or transitions.failure(None)
    refund = transitions.refund_of(cancellation, at=at)
    return transitions.failed(msgspec.structs.replace(order, parcels=parcels), problem, at=at, refund=refund)


def not_found(order: Order, *, at: datetime) -> Change:
    """The carrier says for the first time that it has no such order."""
    submission = msgspec.structs.replace(order.submission, not_found_at=at)
    after = order.changed(at=at, submission=submission)
    return Change(after=after, event=_event(at, "carrier.not_found", Actor.CARRIER))


def unmarked(order: Order, *, at: datetime) -> Change:
    """The carrier has nothing of the create that was lost: the order may be sent again."""
    after = order.changed(at=at, submission=Submission(lost=True))
    return Change(after=after, event=_event(at, "order.to_be_sent_again", Actor.RETRY))


def conflict(number: str) -> Problem:
    """The carrier answers with another order's number."""
    return Problem(
        code="carrier_order_conflict",
        detail=f"The carrier answers with its order {number}, which belongs to another order here.",
    )


def mismatch(result: Mismatch) -> Problem:
    """What the carrier has under the reference is not this order; its number is told and not kept."""
    number = f" Its number there is {result.carrier_order_number}." if result.carrier_order_number else ""
    return Problem(
        code="answer_mismatch",
        detail=f"What the carrier has under this reference is not this order: {result.detail}{number}",
    )


def unknown(words: CarrierWords | None = None) -> Problem:
    """Nobody can tell whether the carrier has the order."""
    return Problem(
        code="outcome_unknown",
        detail="The order was sent and its answer was lost, and what the carrier says since does not settle "
        "whether it has the order. It keeps its reference. Ask us to look it up with the carrier: if it is "
        "there we read it again, and if it is not we close the order.",
        carrier=words,
    )


def locked_out(error: AuthenticationError) -> Problem:
    """The account's credentials are not accepted: for somebody to put right, while the order waits."""
    return Problem(
        code="carrier_unavailable",
        detail="The carrier does not accept the account's credentials. The order waits until it does.",
        carrier=error.words,
    )


def not_taken_back(order: Order, error: CarrierError | None = None) -> Problem:
    """The carrier keeps what it took of an order that it cannot carry out."""
    words = error.words if error is not None else None
    return Problem(
        code="refund_failed",
        detail="The carrier could not carry out the order as a whole and keeps what it took of it. "
        "Cancel that with the carrier.",
        errors=order.problem.errors if order.problem else (),
        carrier=words or (order.problem.carrier if order.problem else None),
    )


def stranded(order: Order) -> Problem:
    """Why nothing more can be done by itself for an order that is still open."""
    if order.submission.compensating_since is not None:
        return not_taken_back(order)
    if order.submission.sending_at is not None:
        return unknown()
    return Problem(
        code="deadline_passed",
        detail="The order could not be sent for 12 hours, and the carrier has not got it. Cancel it here.",
        carrier=order.attention.carrier if order.attention else None,
    )


def _event(at: datetime, kind: str, actor: Actor, words: CarrierWords | None = None) -> OrderEvent:
    return OrderEvent(at=at, type=kind, actor=actor, carrier=words)

"""What the client reads of an order that its workflow could not bring to its label."""

from __future__ import annotations

from parcelgate.carriers.errors import RefusedError
from parcelgate.carriers.results import Rate
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import CarrierWords, Problem


def above_max(order: Order, rate: Rate | None) -> Problem | None:
    """Why the order must not be bought at this price; None when it may."""
    most = order.options.max_price
    if most is None:
        return None
    if rate is None:
        detail = "The carrier names no price beforehand, so options.max_price cannot be held to."
    elif rate.price.currency != most.currency:
        detail = f"The price is in {rate.price.currency}, options.max_price in {most.currency}."
    elif rate.price.amount > most.amount:
        detail = (
            f"The price would be {rate.price.amount} {rate.price.currency}, "
            f"more than {most.amount} {most.currency}. Nothing was bought."
        )
    else:
        return None
    return Problem(code="price_above_max", detail=detail)


def refusal(error: RefusedError) -> Problem:
    """The carrier said no, and nothing came of it."""
    return Problem(
        code="refused_by_carrier",
        detail="The carrier refused the order. Nothing was bought.",
        errors=error.errors,
        carrier=error.words,
    )


def conflict(number: str | None) -> Problem:
    """The carrier names an order number that belongs to another order of ours."""
    return Problem(
        code="carrier_order_conflict",
        detail=f"The carrier answers with its order {number}, which belongs to another order here.",
    )


def outcome_unknown() -> Problem:
    """Sent, and twice not found where the look-up alone is no licence to send again."""
    return Problem(
        code="outcome_unknown",
        detail="The order was sent and its answer was lost; the carrier says it has no such order. "
        "It was not sent again and keeps its reference. Ask us to look it up with the carrier: if it is "
        "there we read it again, and if it is not we close the order.",
    )


def refund_failed(order: Order, words: CarrierWords | None) -> Problem:
    """The money is held, and the carrier does not give it back by itself."""
    return Problem(
        code="refund_failed",
        detail="The carrier could not carry out the order and has not accepted the refund. "
        "Claim the money back from the carrier.",
        carrier=words or (order.problem.carrier if order.problem else None),
    )


def stranded(order: Order, reason: str) -> Problem:
    """The workflow is over and the order is not; `reason` is the problem's code."""
    if order.submission.sending_at is None:
        detail = "Nothing was sent to the carrier. Cancel the order and create it again."
    elif order.carrier_order_number is None:
        detail = "The order was sent, and whether the carrier has it could not be found out."
    else:
        detail = "The carrier has taken the order and not said what became of it."
    return Problem(code=reason, detail=detail)

"""What a carrier's no, or its silence, means to a client who asked something of an order. Pure."""

from collections.abc import Mapping

from parcelgate.carriers.errors import CarrierError, Refusal, RefusedError, TransientError
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.problems import FieldError, Problem, ProblemError

RETRY_SECONDS = 5
"""How long a client is asked to wait when the carrier does not say."""

WHY: Mapping[Refusal, str] = {
    Refusal.ALREADY_CLOSED: "The carrier has closed the order, or has the parcel already.",
    Refusal.ALREADY_CANCELLED: "The order is cancelled with the carrier.",
    Refusal.UNKNOWN_ORDER: "The carrier does not know the order.",
    Refusal.NOT_PERMITTED: "The carrier does not permit this account to act on the order.",
}
_KEPT: Mapping[str, str] = {
    "cannot_cancel": "The carrier does not take the order back.",
    "cannot_change": "The carrier does not let the order be changed.",
    "refused_by_carrier": "The carrier refused.",
}


def problem(code: str, error: RefusedError) -> Problem:
    """The problem `code`, with the carrier's reason as its first error where it has one of the shared ones.

    >>> problem("cannot_cancel", RefusedError("no", reason=Refusal.ALREADY_CLOSED)).errors[0].code
    'already_closed'
    """
    if error.reason is None:
        return Problem(code=code, detail=_KEPT[code], errors=error.errors, carrier=error.words)
    why = WHY[error.reason]
    told = (FieldError("", str(error.reason), why), *error.errors)
    return Problem(code=code, detail=why, errors=told, carrier=error.words)


def refused(code: str, error: RefusedError, *, order_id: str | None = None) -> ProblemError:
    """The same, to be raised."""
    found = problem(code, error)
    return ProblemError(code, found.detail, errors=found.errors, carrier=found.carrier, order_id=order_id)


def unavailable(error: CarrierError, *, order_id: str | None = None) -> ProblemError:
    """The carrier did not answer, or not sensibly; asking again does no harm."""
    wait = error.retry_after if isinstance(error, TransientError) else None
    return ProblemError(
        "carrier_unavailable",
        "The carrier cannot be asked at the moment. Send the same request again.",
        order_id=order_id,
        retry_after=max(1, round(wait or RETRY_SECONDS)),
    )


def must_be_confirmed(order: Order, *, otherwise: str) -> None:
    """Let only an order pass that the carrier has: ProblemError, `otherwise` where that will not change."""
    if order.status is OrderStatus.CONFIRMED:
        return
    if order.status in (OrderStatus.ACCEPTED, OrderStatus.PROCESSING):
        detail = "The carrier is still deciding about the order."
        raise ProblemError("not_yet_confirmed", detail, order_id=order.id, retry_after=RETRY_SECONDS)
    words = str(order.status).replace("_", " ")
    raise ProblemError(otherwise, f"The order is not confirmed any more: {words}.", order_id=order.id)


def not_offered(order: Order, what: str) -> ProblemError:
    """The carrier has no such call."""
    return ProblemError("not_supported_by_carrier", f"This carrier {what}.", order_id=order.id)

"""The problems of orders: what a client reads when the carrier refuses, is silent or answers oddly. Pure.

The first part is stored in the order (`problem`, `attention`). The second part is raised as the answer to a
request about an order.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from parcelgate.carriers.errors import (
    AccountError,
    AuthenticationError,
    HeldBackError,
    OverLimitError,
    PartlyRefusedError,
    PausedError,
    RefusedError,
    RefusedParcel,
    TooManyRequestsError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.domain.orders import Order, OrderStatus, Trouble
from parcelgate.domain.problems import RETRY_SECONDS, CarrierWords, FieldError, Problem, ProblemError

if TYPE_CHECKING:
    from parcelgate.carriers.results import Mismatch, Rate


def create_refused(
    code: str = "refused_by_carrier",
    *,
    errors: tuple[FieldError, ...] = (),
    words: CarrierWords | None = None,
) -> Problem:
    """The carrier refused the create, and nothing was bought."""
    detail = "The carrier refused the order. Nothing was bought."
    return Problem(code=code, detail=detail, errors=errors, carrier=words)


def parcel_refused(refusal: RefusedParcel) -> Problem:
    """The carrier refused one parcel of several."""
    detail = "The carrier refused this parcel."
    return Problem(code="refused_by_carrier", detail=detail, errors=refusal.errors, carrier=refusal.words)


def partly_refused(order: Order, error: PartlyRefusedError) -> Problem:
    """The carrier took some parcels and refused others, so the order as a whole fails."""
    return Problem(
        code="refused_by_carrier",
        detail=f"The carrier refused {len(error.refused)} of {len(order.parcels)} parcels, "
        "so that the order as a whole was taken back.",
        errors=tuple(dict.fromkeys(one for refusal in error.refused for one in refusal.errors)),
        carrier=error.words,
    )


def above_max(order: Order, rate: "Rate | None") -> Problem | None:
    """Why the order must not be bought at this price; None when it may."""
    most = order.options.max_price
    if most is None:
        return None
    if rate is None:
        detail = "The carrier gives no price beforehand, so options.max_price cannot be checked."
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


def failure(words: CarrierWords | None) -> Problem:
    """Why an order failed although the carrier had taken it."""
    detail = "The carrier took the order and then could not carry it out."
    return Problem(code="refused_by_carrier", detail=detail, carrier=words)


def conflict(number: str | None) -> Problem:
    """The carrier names an order number that belongs to another order of ours."""
    detail = f"The carrier answers with its order {number}, which belongs to another order here."
    return Problem(code="carrier_order_conflict", detail=detail)


def mismatch(result: "Mismatch") -> Problem:
    """The carrier has another order under this reference. Its number is shown, but not adopted."""
    number = f" Its number there is {result.carrier_order_number}." if result.carrier_order_number else ""
    why = result.detail.rstrip(".")
    detail = f"What the carrier has under this reference is not this order: {why}.{number}"
    return Problem(code="answer_mismatch", detail=detail)


def unknown(words: CarrierWords | None = None) -> Problem:
    """Nobody can tell whether the carrier has the order."""
    return Problem(
        code="outcome_unknown",
        detail="The order was sent and the carrier's answer was lost. What the carrier has said since does "
        "not show whether it has the order. The order keeps its reference. Ask us to look it up with the "
        "carrier. If the carrier has the order, we read it again; if not, we close it.",
        carrier=words,
    )


def locked_out(error: AuthenticationError) -> Problem:
    """The account cannot be used. The order waits until somebody puts the account right."""
    if isinstance(error, AccountError):
        detail = f"{error.detail} The order waits until that is put right."
    else:
        detail = "The carrier does not accept the account's credentials. The order waits until it does."
    return Problem(code="carrier_unavailable", detail=detail, carrier=error.words)


def not_taken_back(order: Order, words: CarrierWords | None = None) -> Problem:
    """The carrier could not carry out an order, and does not take back what it accepted of it."""
    return Problem(
        code="refund_failed",
        detail="The carrier could not carry out the whole order, and did not take back what it had accepted. "
        "Cancel that with the carrier, and claim the money back.",
        errors=order.problem.errors if order.problem else (),
        carrier=words or (order.problem.carrier if order.problem else None),
    )


def not_cancelled() -> Problem:
    """A cancellation was tried for as long as the retry queue tries."""
    detail = "The carrier did not cancel the order within 12 hours."
    return Problem(code="refund_failed", detail=detail)


def late_success() -> Problem:
    """The carrier reports success for an order that has failed here."""
    detail = (
        "The carrier now reports success for this order, which has failed here. Void it with the carrier."
    )
    return Problem(code="late_success", detail=detail)


def stranded(order: Order, reason: str, words: CarrierWords | None = None) -> Problem:
    """Why an open order cannot go on automatically. `reason` is a problem code."""
    if order.submission.compensating_since is not None:
        return not_taken_back(order, words)
    if order.submission.sending_at is None and not order.submission.lost:
        detail = "Nothing was sent to the carrier. Cancel the order and create it again."
        words = order.attention.carrier if order.attention else None
        return Problem(code=reason, detail=detail, carrier=words)
    if order.carrier_order_number is None:
        return unknown(words)
    detail = "The carrier has taken the order, and has not said in time what became of it."
    return Problem(code=reason, detail=detail, carrier=words)


def label_unavailable(words: CarrierWords | None) -> Problem:
    """The order is confirmed, but its label never came."""
    return Problem(
        code="label_unavailable",
        detail="The carrier has confirmed the order but gave no usable label in time. "
        "Ask the carrier, or cancel the order.",
        carrier=words,
    )


def change_unknown() -> Problem:
    """A change was sent to the carrier, and nobody knows whether it was made."""
    return Problem(
        code="change_unknown",
        detail="A change of the order was sent to the carrier and its answer was lost. "
        "Send the change again; doing so twice does no harm.",
    )


def return_unknown(words: CarrierWords | None = None) -> Problem:
    """The carrier was asked to send the order back, and nobody knows whether it will."""
    return Problem(
        code="return_unknown",
        detail="The carrier was asked to send the order back and its answer was lost. "
        "Send the request again, or see by the parcel's tracking whether it comes back.",
        carrier=words,
    )


def closing_unknown(
    detail: str = "It is not known whether the carrier has closed the order.",
) -> Problem:
    """Why an order does not count as closed, though its carrier may have closed it."""
    return Problem(code="carrier_unavailable", detail=f"{detail} Send the same request again.")


PAUSED = "account_paused"
"""The code of a wait for an account whose calls a person has paused."""
_TROUBLES: Mapping[type[Exception], tuple[str, str]] = {
    # The narrower kinds first.
    AccountError: ("account_unusable", "The carrier account cannot be used as it is."),
    OverLimitError: (
        "too_many_requests",
        "The account has used up its call rate; the call waits for its turn.",
    ),
    TooManyRequestsError: ("too_many_requests", "The carrier asked to be called less often."),
    PausedError: (PAUSED, "The calls of the carrier account are paused."),
    HeldBackError: ("held_back", "The carrier was not called: it is down, or its account cannot be used."),
    TransientError: ("carrier_unavailable", "The carrier could not be reached, or could not answer."),
    UnknownOutcomeError: (
        "outcome_unknown",
        "The carrier's answer was lost, so the carrier is asked whether it has the order.",
    ),
    AuthenticationError: ("credentials_refused", "The carrier does not accept the account's credentials."),
    RefusedError: ("refused_by_carrier", "The carrier refused; it is asked again."),
}


def trouble(error: object) -> Trouble:
    """An attempt that did not succeed, as the client reads it: in the carrier's words, if there are any."""
    kinds = (each for kind, each in _TROUBLES.items() if isinstance(error, kind))
    code, message = next(kinds, ("not_ready", "The carrier is not ready yet."))
    if isinstance(error, AccountError):
        message = error.detail
    elif isinstance(error, PausedError):
        message = f"{error.detail} The order goes on when they are resumed."
    words = getattr(error, "words", None)
    return Trouble(code, words.message if words and words.message else message)


# Raised as the answer to a request about an order


def must_be_confirmed(order: Order, *, otherwise: str) -> None:
    """Check that the order is confirmed. Raises ProblemError: `not_yet_confirmed`, or `otherwise`."""
    if order.status is OrderStatus.CONFIRMED:
        return
    if order.status in (OrderStatus.ACCEPTED, OrderStatus.PROCESSING):
        detail = "The carrier is still deciding about the order."
        raise ProblemError("not_yet_confirmed", detail, order_id=order.id, retry_after=RETRY_SECONDS)
    words = str(order.status).replace("_", " ")
    raise ProblemError(otherwise, f"The order is not confirmed any more: {words}.", order_id=order.id)


def must_not_be_under_way(order: Order, at: datetime) -> None:
    """Check that no other request is asking the carrier about the order. Raises ProblemError."""
    request = order.return_request
    for until in (order.changing_until, request.asking_until if request else None):
        if until is not None and at < until:
            detail = "Another request about the order is on its way to the carrier."
            raise ProblemError("cannot_change", detail, order_id=order.id, retry_after=RETRY_SECONDS)


def not_offered(order: Order, what: str) -> ProblemError:
    """The carrier has no such call."""
    return ProblemError("not_supported_by_carrier", f"This carrier {what}.", order_id=order.id)

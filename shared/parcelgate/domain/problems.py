"""The problems of the contract. Each has one code, one HTTP status and one title."""

from collections.abc import Sequence

import msgspec

RETRY_SECONDS = 2
"""How many seconds a client should wait before it asks again, unless the carrier says how long."""

_KINDS: dict[str, tuple[int, str]] = {
    "not_json": (400, "The body is not JSON"),
    "invalid_key": (401, "The API key is unknown or revoked"),
    "missing_scope": (403, "The API key lacks the scope for this call"),
    "not_found": (404, "There is no such resource"),
    "label_unavailable": (404, "The carrier gave no label"),
    "not_acceptable": (406, "The label has another format"),
    "reference_in_use": (409, "Another order uses this reference"),
    "idempotency_in_progress": (409, "The first request with this key is still running"),
    "not_yet_confirmed": (409, "The carrier is still deciding"),
    "cannot_cancel": (409, "The order cannot be cancelled"),
    "cannot_change": (409, "The order cannot be changed any more"),
    "order_not_live": (409, "The order has failed or was cancelled"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body has another media type than this call takes"),
    "validation_failed": (422, "The request is not valid"),
    "not_supported_by_carrier": (422, "The carrier does not offer this"),
    "refused_by_carrier": (422, "The carrier refused"),
    "price_above_max": (422, "The price is above options.max_price"),
    "idempotency_key_reused": (422, "The idempotency key was used with another body"),
    "too_many_requests": (429, "Too many requests"),
    "internal": (500, "Something went wrong on our side"),
    "carrier_unavailable": (503, "The carrier cannot be reached"),
    # These are only inside an order (its `problem` or `attention`), never the answer to a call.
    "outcome_unknown": (503, "Nobody can tell whether the carrier has the order"),
    "deadline_passed": (503, "The carrier did not finish in time"),
    "answer_mismatch": (503, "The carrier's answer does not fit the order"),
    "carrier_order_conflict": (503, "The carrier's order number belongs to another order"),
    "refund_failed": (503, "The carrier has not accepted the refund"),
    "late_success": (503, "The carrier reports success for an order that has failed here"),
    "change_unknown": (503, "Nobody can tell whether the carrier has taken the change"),
    "return_unknown": (503, "Nobody can tell whether the carrier sends the order back"),
    "workflow_ended": (500, "The order's workflow ended before the order did"),
}

CODES = frozenset(_KINDS)


class FieldError(msgspec.Struct, frozen=True):
    """One thing wrong with one field; `pointer` is a JSON pointer into the request's body."""

    pointer: str
    code: str
    message: str


class Notice(msgspec.Struct, frozen=True):
    """Something that the client should know. It does not stop the order."""

    pointer: str
    code: str
    message: str
    source: str = "parcelgate"


MOST_FINDINGS = 100
"""How many findings are shown: in an order of thousands of items, each may have the same error."""


def bounded[T: (FieldError, Notice)](findings: Sequence[T]) -> tuple[T, ...]:
    """Return the first findings, and one more that says how many others there are."""
    more = len(findings) - MOST_FINDINGS
    if more <= 0:
        return tuple(findings)
    shown = list(findings[:MOST_FINDINGS])
    shown.append(msgspec.structs.replace(shown[0], pointer="", code="more", message=f"And {more} more."))
    return tuple(shown)


class CarrierWords(msgspec.Struct, frozen=True):
    """The carrier's own code and words."""

    name: str
    code: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem, as it is stored with an order and shown to the client (RFC 9457)."""

    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    carrier: CarrierWords | None = None

    @property
    def status(self) -> int:
        """The HTTP status that belongs to the code; a reference that the carrier itself refuses is 422."""
        if self.code == "reference_in_use" and self.carrier is not None:
            return 422
        return _KINDS[self.code][0]

    @property
    def title(self) -> str:
        """The same short sentence for every problem of this code."""
        return _KINDS[self.code][1]


class ProblemError(Exception):
    """A problem that any code may raise. One place (`parcelgate.http`) turns it into an answer.

    `order_id` is set when the problem is about an order that was stored; `retry_after` is in seconds.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        carrier: CarrierWords | None = None,
        order_id: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.problem = Problem(code=code, detail=detail, errors=tuple(errors), carrier=carrier)
        self.order_id = order_id
        self.retry_after = retry_after

    @classmethod
    def of(
        cls, problem: Problem, *, order_id: str | None = None, retry_after: int | None = None
    ) -> "ProblemError":
        """Raise a problem that exists already."""
        return cls(
            problem.code,
            problem.detail,
            errors=problem.errors,
            carrier=problem.carrier,
            order_id=order_id,
            retry_after=retry_after,
        )


def invalid(errors: Sequence[FieldError]) -> ProblemError:
    """The problem of a request whose fields are wrong, naming the first `MOST_FINDINGS` of them.

    If the only error is that the carrier lacks a capability, the problem has that code (contract).
    """
    codes = {error.code for error in errors}
    code = "not_supported_by_carrier" if codes == {"not_supported_by_carrier"} else "validation_failed"
    count = len(errors)
    detail = f"{count} field{'s are' if count > 1 else ' is'} not valid; see errors."
    return ProblemError(code, detail, errors=bounded(errors))

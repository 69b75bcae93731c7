"""The one place where errors become problem documents (RFC 9457)."""

import msgspec

from parcelgate.domain.problems import RETRY_SECONDS, CarrierWords, FieldError, Problem, ProblemError, invalid
from parcelgate.http.answers import Answer, Site, copied, encode
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.store.errors import (
    BadCursorError,
    DeliveryNotFoundError,
    EndpointNotFoundError,
    EventNotFoundError,
    ManifestNotFoundError,
    OrderNotFoundError,
    PageNotFoundError,
    StoreUnavailableError,
    ThrottledError,
    TrackingNotFoundError,
)

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 100
"""The largest number of errors that is shown; of the others only the number is shown."""


class ProblemResource(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    carrier: CarrierWords | None = None
    order_id: str | None = None
    request_id: str | None = None


def problem_resource(
    problem: Problem, site: Site, *, order_id: str | None = None, request_id: str | None = None
) -> ProblemResource:
    """A problem in the form of an error body."""
    kind = f"{site.problems}/{problem.code}"
    return copied(ProblemResource, problem, type=kind, order_id=order_id, request_id=request_id)


def problem_answer(error: Exception, site: Site, request_id: str) -> Answer:
    """Answer with the problem document of an exception."""
    raised = problem_of(error)
    problem = msgspec.structs.replace(raised.problem, errors=raised.problem.errors[:MAX_ERRORS])
    headers = {"content-type": MEDIA_TYPE}
    if raised.order_id is not None:
        headers["location"] = f"/v1/orders/{raised.order_id}"
    if raised.retry_after is not None:
        headers["retry-after"] = str(raised.retry_after)
    resource = problem_resource(problem, site, order_id=raised.order_id, request_id=request_id)
    return Answer(status=problem.status, body=encode(resource).decode(), headers=headers)


def problem_of(error: Exception) -> ProblemError:
    """Turn an exception into a problem. Logs it, and counts it if it was not expected."""
    if isinstance(error, ProblemError):
        log.info("refused", extra={"code": error.problem.code})
        return error
    if isinstance(error, OrderNotFoundError):
        return ProblemError("not_found", "There is no such order.")
    if isinstance(error, TrackingNotFoundError):
        return ProblemError("not_found", "There is no such tracking.")
    if isinstance(error, PageNotFoundError):
        return ProblemError("not_found", "There is no such page.")
    if isinstance(error, ManifestNotFoundError):
        return ProblemError("not_found", "There is no such manifest.")
    if isinstance(error, EventNotFoundError):
        return ProblemError("not_found", "There is no such event, or it happened more than 30 days ago.")
    if isinstance(error, EndpointNotFoundError):
        return ProblemError("not_found", "There is no such webhook endpoint.")
    if isinstance(error, DeliveryNotFoundError):
        return ProblemError(
            "not_found", "There is no such delivery, or its event happened more than 30 days ago."
        )
    if isinstance(error, BadCursorError):
        return invalid(
            [
                FieldError(
                    "/cursor",
                    "format",
                    "This list did not give out this cursor. Use `next_cursor` of its last page.",
                )
            ]
        )
    if isinstance(error, ThrottledError):
        count("Throttled")
        return ProblemError("too_many_requests", "Too many requests; try again.", retry_after=RETRY_SECONDS)
    log.error("unexpected error", extra=safe_error_fields(error))
    wait = RETRY_SECONDS if isinstance(error, StoreUnavailableError) else None
    return ProblemError(
        "internal",
        "Something went wrong on our side. Send the same request again, or report the request_id.",
        retry_after=wait,
    )

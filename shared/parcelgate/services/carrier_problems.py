"""The problems that a client reads when a carrier refuses a call or cannot be asked."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from parcelgate.carriers.errors import (
    AccountError,
    CarrierError,
    PausedError,
    Refusal,
    RefusedError,
    TransientError,
)
from parcelgate.domain.problems import RETRY_SECONDS, FieldError, Problem, ProblemError
from parcelgate.observability.logs import log
from parcelgate.store.errors import TokenBusyError

WHY: Mapping[Refusal, str] = {
    Refusal.ALREADY_CLOSED: "The carrier has closed the order, or has the parcel already.",
    Refusal.ALREADY_CANCELLED: "The order is cancelled with the carrier.",
    Refusal.UNKNOWN_ORDER: "The carrier does not know the order.",
    Refusal.NOT_PERMITTED: "The carrier does not permit this account to act on the order.",
}
_KEPT: Mapping[str, str] = {
    "cannot_cancel": "The carrier does not cancel the order.",
    "cannot_change": "The carrier does not let the order be changed.",
    "refused_by_carrier": "The carrier refused.",
}


def refused(code: str, error: RefusedError) -> Problem:
    """The problem `code`, with the carrier's reason as its first error where it has one of the shared ones.

    >>> refused("cannot_cancel", RefusedError("no", reason=Refusal.ALREADY_CLOSED)).errors[0].code
    'already_closed'
    """
    if error.reason is None:
        return Problem(code=code, detail=_KEPT[code], errors=error.errors, carrier=error.words)
    why = WHY[error.reason]
    errors = (FieldError("", str(error.reason), why), *error.errors)
    return Problem(code=code, detail=why, errors=errors, carrier=error.words)


def refusal(code: str, error: RefusedError, *, order_id: str | None = None) -> ProblemError:
    """`refused`, to be raised."""
    return ProblemError.of(refused(code, error), order_id=order_id)


def unavailable(error: CarrierError, *, order_id: str | None = None) -> ProblemError:
    """The carrier did not answer, or not sensibly. The client may ask again."""
    wait = error.retry_after if isinstance(error, TransientError) else None
    detail = "The carrier cannot be asked at the moment."
    if isinstance(error, AccountError | PausedError):
        detail = error.detail
    return ProblemError(
        "carrier_unavailable",
        f"{detail} Send the same request again.",
        order_id=order_id,
        retry_after=max(1, round(wait or RETRY_SECONDS)),
    )


def of(error: CarrierError) -> ProblemError:
    """The problem of a call that may simply be made again: `refused_by_carrier` or `carrier_unavailable`."""
    if isinstance(error, RefusedError):
        return refusal("refused_by_carrier", error)
    log.info(
        "the carrier could not be asked; the client is told to try again",
        extra={"error": type(error).__name__},
    )
    return unavailable(error)


@contextmanager
def raised() -> Iterator[None]:
    """Turn a carrier's error into the problem that the client reads (`of`).

    The same for a token of the carrier that another function is getting and did not get in time.
    """
    try:
        yield
    except TokenBusyError:
        raise of(TransientError("its token is being renewed")) from None
    except CarrierError as error:
        raise of(error) from None

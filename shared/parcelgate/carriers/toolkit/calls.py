"""A call to a carrier as data, and the interface that makes it. Only `transport` loads the HTTP library.

The caller says whether the call can be repeated without harm (`Request.safe`). If it can, a broken connection
is a TransientError; otherwise it is an UnknownOutcomeError.
"""

import email.utils
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

import msgspec

KIB = 1024
MIB = 1024 * KIB
UNSAFE_SECONDS = 3.0
"""A call that may buy or change something is not begun with fewer seconds left for its answer."""
_LONGEST_RETRY_AFTER = 3600.0


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a call. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Response(status={self.status}, {len(self.body)} bytes)"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call to a carrier.

    Parameters
    ----------
    call
        The call's name in errors, logs and wrappers, such as `lso.orderCommit`.
    safe
        True for a question that can be asked again; False for anything that may buy or change something.
    read_seconds
        How many seconds to wait for each piece of the answer; less when less time is left.
    max_bytes
        The longest body that is read; a longer one counts as no answer.
    least_seconds
        An unsafe call is not begun with less time left, and never with less than `UNSAFE_SECONDS`.
    public_only
        Connect only to an address of the public internet, and exactly to the address that was checked.
    lane
        Which of the account's narrower limits also applies to the call, see `limits.Limits.lanes`.
    verdict
        Reads the status that counts out of an answer, for a carrier whose HTTP status means nothing: 429
        and 500 to 599 as in HTTP.
    """

    call: str
    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    safe: bool = False
    read_seconds: float = 20.0
    max_bytes: int = 2 * MIB
    least_seconds: float = 0.0
    public_only: bool = False
    lane: str | None = None
    verdict: Callable[[Response], int] | None = None

    def __repr__(self) -> str:
        return f"Request(call={self.call!r}, safe={self.safe})"


class Transport(Protocol):
    """Anything that can send a request: the real transport, a fake, or one that dies at the n-th call."""

    def send(self, request: Request) -> Response:
        """Send once. Raises TransientError or UnknownOutcomeError, never anything of the HTTP library."""
        ...


def retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, from a number or a date; None when it is neither."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(float(value), _LONGEST_RETRY_AFTER)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_RETRY_AFTER)

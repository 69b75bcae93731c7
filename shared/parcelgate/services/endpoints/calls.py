"""The call of a merchant's endpoint: to a public address alone, and over within its time whatever comes.

The other side is not trusted. Its name is looked up and checked for each call, redirects are not followed, no
more of its answer is read than a little, and every step, the last byte of a header too, ends by the deadline.
"""

import email.utils
import ssl
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpcore
import msgspec

from parcelgate.carriers.toolkit.public_hosts import (
    LookupTimeoutError,
    NotPublicError,
    Resolve,
    addresses,
    public_address,
    within,
)

SECONDS = 15.0
"""How long a call may take in all."""
MOST_READ = 64 * 1024
"""Bytes of an answer's body that are read."""
MOST_KEPT = 1024
"""Bytes of them that are kept."""
LONGEST_RETRY_AFTER = 24 * 3600.0
_CONNECT_SECONDS = 5.0
_PIECE = 16 * 1024

NO_NAME = "The host's name does not resolve."
NOT_PUBLIC = "The host's address is not public."
TIMED_OUT = "The endpoint gave no answer in time."
NO_CONNECTION = "The endpoint takes no connection."
BAD_TLS = "No TLS connection: the certificate or the handshake is not valid."
BROKEN = "The connection broke before an answer came, or the answer is not HTTP."
REDIRECT = "The endpoint redirects, which is not followed."
NOT_SUCCESS = "The answer is not 2xx."


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call. `error` says in words why it is no success; `retry_after` is in seconds."""

    ms: int
    status: int | None = None
    body: str | None = None
    error: str | None = None
    retry_after: float | None = None


class EndpointCaller:
    """Calls endpoints.

    Parameters
    ----------
    anywhere
        Whether private addresses may be called: in the local environment alone.
    resolve
        Looks a host up.
    tls
        Another TLS context, for tests.
    """

    def __init__(
        self, *, anywhere: bool = False, resolve: Resolve = addresses, tls: ssl.SSLContext | None = None
    ) -> None:
        self._anywhere = anywhere
        self._resolve = resolve
        self._tls = tls

    def post(self, url: str, headers: dict[str, str], body: bytes, *, seconds: float = SECONDS) -> Result:
        """Call once, for at most so many seconds. Raises nothing for whatever the other side does."""
        began = time.monotonic()
        left = _Left(began + seconds)
        status, retry_after, error = None, None, None
        piece = bytearray()
        try:
            backend = _Backend(left, None if self._anywhere else self._resolve)
            with (
                httpcore.ConnectionPool(
                    ssl_context=self._tls or _tls_context(), network_backend=backend, keepalive_expiry=0
                ) as pool,
                pool.stream("POST", url, headers=_headers(headers), content=body) as answer,
            ):
                status = answer.status
                retry_after = _retry_after(answer.headers)
                error = _judged(status)
                for part in answer.iter_stream():
                    piece += part
                    if len(piece) >= MOST_READ:
                        break
        except _CallError as failure:
            error = str(failure)
        except httpcore.TimeoutException:
            # Once the status has come, a body that does not end changes nothing.
            error = error if status is not None else TIMED_OUT
        except httpcore.ConnectError:
            error = NO_CONNECTION
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError):
            error = error if status is not None else BROKEN
        kept = bytes(piece[:MOST_KEPT]).decode(errors="replace") if status is not None else None
        return Result(
            ms=round((time.monotonic() - began) * 1000),
            status=status,
            body=kept,
            error=error,
            retry_after=retry_after,
        )


class _CallError(Exception):
    """A call that failed before it was answered, in words for the merchant."""


class _Left:
    """The seconds until the whole call must be over. Raises httpcore.ReadTimeout when none are left."""

    def __init__(self, ends_at: float) -> None:
        self._ends_at = ends_at

    def __call__(self, most: float = SECONDS) -> float:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return min(left, most)


class _Backend(httpcore.NetworkBackend):
    """Opens connections to the address that was checked; without `resolve`, to any."""

    def __init__(self, left: _Left, resolve: Resolve | None) -> None:
        self._left = left
        self._resolve = resolve
        self._tcp = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - ours is the one that counts
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        address = host if self._resolve is None else self._checked(host, port, self._resolve)
        stream = self._tcp.connect_tcp(
            address, port, self._left(_CONNECT_SECONDS), local_address, socket_options
        )
        return _Stream(stream, self._left)

    def _checked(self, host: str, port: int, resolve: Resolve) -> str:
        try:
            return public_address(host, port, within(self._left(_CONNECT_SECONDS), resolve))
        except NotPublicError:
            raise _CallError(NOT_PUBLIC) from None
        except LookupTimeoutError:
            raise _CallError(TIMED_OUT) from None
        except (OSError, UnicodeError):
            raise _CallError(NO_NAME) from None


class _Stream(httpcore.NetworkStream):
    """A connection whose every step ends with the call's time."""

    def __init__(self, stream: httpcore.NetworkStream, left: Callable[..., float]) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        for place in range(0, len(buffer), _PIECE):
            self._stream.write(buffer[place : place + _PIECE], self._left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, self._left(_CONNECT_SECONDS))
        except (httpcore.ConnectError, ValueError):
            raise _CallError(BAD_TLS) from None
        return _Stream(stream, self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _judged(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return REDIRECT if 300 <= status < 400 else NOT_SUCCESS


def _headers(own: dict[str, str]) -> list[tuple[bytes, bytes]]:
    fixed = {
        "accept-encoding": "identity",
        "connection": "close",
        "content-type": "application/json",
        "user-agent": "parcelgate",
    }
    return [(name.encode(), value.encode()) for name, value in (fixed | own).items()]


def _retry_after(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    value = next((text.decode("latin-1") for name, text in headers if name.lower() == b"retry-after"), "")
    if value.strip().isascii() and value.strip().isdecimal():
        return min(float(value), LONGEST_RETRY_AFTER)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_RETRY_AFTER)


@cache
def _tls_context() -> ssl.SSLContext:
    """Made once: reading all certificates is dear."""
    return httpcore.default_ssl_context()

"""The only HTTP transport to carriers: `calls.Transport` over httpx. It classifies every error.

Every call that failed before its first byte was written is a TransientError. After that, a safe call is still
a TransientError, and any other call is an UnknownOutcomeError, because the carrier may have acted on it.
Nothing is retried here and redirects are not followed. A message names only the call and the kind of trouble.
"""

import logging
import time
from functools import cache
from typing import Any

import httpx

from parcelgate.carriers.errors import (
    CarrierError,
    HeldBackError,
    TooManyRequestsError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.toolkit.calls import UNSAFE_SECONDS, Request, Response, retry_after
from parcelgate.carriers.toolkit.public_hosts import NotPublicError, Resolve, addresses, public_address
from parcelgate.domain.deadline import Deadline

_CONNECT_SECONDS = 5.0

# httpx logs every URL at INFO, and the URL of a label opens it.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class HttpTransport:
    """The real `calls.Transport`: a connection of its own for each call.

    No connection is kept. The other side could close a kept one without our knowledge, and a commit that is
    written into it would have an unknown outcome.

    Parameters
    ----------
    deadline
        The moment by which a call must be over and its answer read: the end of the invocation less the time
        that its caller needs afterwards. None: only the calls' own time-outs apply.
    client
        Another httpx client, for tests.
    resolve
        Looks a host name up, for tests.
    """

    def __init__(
        self,
        deadline: Deadline | None = None,
        *,
        client: httpx.Client | None = None,
        resolve: Resolve = addresses,
    ) -> None:
        self._deadline = deadline
        self._client = client
        self._resolve = resolve

    def send(self, request: Request) -> Response:
        """Send once; see `calls.Transport.send`."""
        budget = None if self._deadline is None else self._deadline.remaining()
        # Checked here too: getting a token may have taken time since the caller checked.
        least = 0.0 if request.safe else max(UNSAFE_SECONDS, request.least_seconds)
        if budget is not None and (budget <= 0 or budget < least):
            raise HeldBackError(f"{request.call}: not enough time is left for the call")
        attempt = _Attempt(request, budget)
        try:
            return self._exchange(request, attempt)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            # The library's own exception holds the request, so it is not chained.
            raise attempt.trouble(type(error).__name__) from None

    def _exchange(self, request: Request, attempt: "_Attempt") -> Response:
        url = httpx.URL(request.url)
        headers = {
            "accept-encoding": "identity",
            "connection": "close",
            "user-agent": "parcelgate",
            **request.headers,
        }
        extensions = attempt.extensions()
        if request.public_only:
            host = url.host
            url = url.copy_with(host=self._public_address(request, url))
            headers["host"] = host if url.port is None else f"{host}:{url.port}"
            extensions["sni_hostname"] = host
        client = self._client or _shared_client()
        message = client.build_request(
            request.method, url, headers=headers, content=request.body, extensions=extensions
        )
        with_body = client.send(message, stream=True, follow_redirects=False)
        try:
            if with_body.status_code == httpx.codes.TOO_MANY_REQUESTS:
                raise TooManyRequestsError(
                    f"{request.call}: too many requests",
                    retry_after=retry_after(with_body.headers.get("retry-after")),
                )
            body = bytearray()
            for piece in with_body.iter_bytes():
                body += piece
                if len(body) > request.max_bytes:
                    raise attempt.trouble("the answer is too long")
                if attempt.overdue():
                    raise attempt.trouble("the time for the call is over")
        finally:
            with_body.close()
        answer_headers = {name.lower(): value for name, value in with_body.headers.items()}
        return Response(status=with_body.status_code, headers=answer_headers, body=bytes(body))

    def _public_address(self, request: Request, url: httpx.URL) -> str:
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            return public_address(url.host, port, self._resolve)
        except NotPublicError as error:
            raise HeldBackError(f"{request.call}: {error}") from None


class _Attempt:
    """The state of one call: whether its first byte was written, and how much time is left."""

    def __init__(self, request: Request, budget: float | None) -> None:
        self._request = request
        self._ends_at = None if budget is None else time.monotonic() + budget
        self._sent = False
        self._timeouts: dict[str, float] = {}
        self._wind()

    def extensions(self) -> dict[str, Any]:
        """The hooks of httpx: the time-outs that it reads, and what it calls, at each step."""
        return {"timeout": self._timeouts, "trace": self._step}

    def overdue(self) -> bool:
        return self._ends_at is not None and time.monotonic() > self._ends_at

    def trouble(self, kind: str) -> CarrierError:
        text = f"{self._request.call}: {kind}"
        if not self._sent:
            return TransientError(f"{text}, before the first byte was written")
        return TransientError(text) if self._request.safe else UnknownOutcomeError(text)

    def _step(self, name: str, info: Any) -> None:  # noqa: ARG002 - httpx gives it
        if name.endswith("send_request_headers.started"):
            self._sent = True
        if name.endswith(".started"):
            self._wind()

    def _wind(self) -> None:
        # Every step may take all the time that is left; at least 10 ms, because 0 would mean no wait at all.
        left = float("inf") if self._ends_at is None else max(self._ends_at - time.monotonic(), 0.01)
        self._timeouts |= {
            "connect": min(_CONNECT_SECONDS, left),
            "pool": min(_CONNECT_SECONDS, left),
            "write": min(self._request.read_seconds, left),
            "read": min(self._request.read_seconds, left),
        }


def warm() -> None:
    """Build now what the first call would wait for: it takes longer than the pause of some carriers."""
    _shared_client()


@cache
def _shared_client() -> httpx.Client:
    """Return the one client for all invocations of an environment: its TLS context is expensive to build."""
    return httpx.Client(
        limits=httpx.Limits(max_keepalive_connections=0),
        follow_redirects=False,
        trust_env=False,
    )

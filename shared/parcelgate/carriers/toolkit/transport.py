"""The only HTTP transport to carriers: `calls.Transport` over httpx. It classifies every error.

Every call that failed before its first byte was written is a TransientError. After that, a safe call is still
a TransientError, and any other call is an UnknownOutcomeError, because the carrier may have acted on it.
Redirects are not followed, and cookies are not kept. A message names only the call and the kind of trouble.

The other side may close a connection that is kept, at any moment and without our knowledge. So a call that
may buy or change something gets a connection that is opened for it and closed after it: what is written into
a closed one would have an unknown outcome. A safe call uses a kept connection. If that turns out to be
closed, the call goes out once more, on a connection of its own. Nothing else is retried here. A connection on
which more came than the answer is not used again.
"""

import logging
import time
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    import ssl

KEPT_SECONDS = 30.0
"""How long an unused connection is kept: less than any balancer or gateway on the way forgets one."""
KEPT_CONNECTIONS = 32
"""As many threads as ever call side by side keep one each."""
_CONNECT_SECONDS = 5.0
_TROUBLE = (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError)
_CUT = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""What a call meets on a connection that the other side has closed."""

_clients: dict[bool, httpx.Client] = {}
"""The one that keeps connections, and the one that keeps none."""

_wall_clock = time.time
_used_at = 0.0
"""When the one that keeps connections was last asked for."""

# httpx logs every URL at INFO, and the URL of a label opens it.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class HttpTransport:
    """The real `calls.Transport`.

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
        # A kept connection to a public host may belong to another name at the same address.
        keeps = request.safe and not request.public_only
        attempt = _Attempt(request, self._budget(request))
        try:
            return self._exchange(request, attempt, kept=keeps)
        except _TROUBLE as error:
            if not (keeps and attempt.was_cut(error)):
                # The library's own exception holds the request, so it is not chained.
                raise attempt.trouble(type(error).__name__) from None
        attempt = _Attempt(request, self._budget(request))
        try:
            return self._exchange(request, attempt, kept=False)
        except _TROUBLE as error:
            raise attempt.trouble(type(error).__name__) from None

    def _budget(self, request: Request) -> float | None:
        """The seconds that a call has. Raises HeldBackError when they are too few."""
        if self._deadline is None:
            return None
        budget = self._deadline.remaining()
        # Checked here too: getting a token may have taken time since the caller checked.
        least = 0.0 if request.safe else max(UNSAFE_SECONDS, request.least_seconds)
        if budget <= 0 or budget < least:
            raise HeldBackError(f"{request.call}: not enough time is left for the call")
        return budget

    def _exchange(self, request: Request, attempt: "_Attempt", *, kept: bool) -> Response:
        url = httpx.URL(request.url)
        headers = {"accept-encoding": "identity", "user-agent": "parcelgate", **request.headers}
        if not kept:
            headers["connection"] = "close"
        extensions = attempt.extensions()
        if request.public_only:
            host = url.host
            url = url.copy_with(host=self._public_address(request, url))
            headers["host"] = host if url.port is None else f"{host}:{url.port}"
            extensions["sni_hostname"] = host
        client = self._client or _shared_client(kept=kept)
        message = client.build_request(
            request.method, url, headers=headers, content=request.body, extensions=extensions
        )
        with_body = client.send(message, stream=True, follow_redirects=False)
        attempt.answer = with_body
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
    """The state of one call: what it has come to, and how much time is left."""

    def __init__(self, request: Request, budget: float | None) -> None:
        self._request = request
        self._ends_at = None if budget is None else time.monotonic() + budget
        self._opened = self._sent = self._answered = False
        self.answer: httpx.Response | None = None
        self._timeouts: dict[str, float] = {}
        self._wind()

    def extensions(self) -> dict[str, Any]:
        """The hooks of httpx: the time-outs that it reads, and what it calls, at each step."""
        return {"timeout": self._timeouts, "trace": self._step}

    def overdue(self) -> bool:
        return self._ends_at is not None and time.monotonic() > self._ends_at

    def was_cut(self, error: Exception) -> bool:
        """Whether the call met the end of a connection that was there before it, and no answer."""
        return isinstance(error, _CUT) and self._sent and not self._opened and not self._answered

    def trouble(self, kind: str) -> CarrierError:
        text = f"{self._request.call}: {kind}"
        if not self._sent:
            return TransientError(f"{text}, before the first byte was written")
        return TransientError(text) if self._request.safe else UnknownOutcomeError(text)

    def _step(self, name: str, info: Any) -> None:  # noqa: ARG002 - httpx gives it
        if name.endswith("connect_tcp.started"):
            self._opened = True
        elif name.endswith("send_request_headers.started"):
            self._sent = True
        elif name.endswith("receive_response_headers.complete"):
            self._answered = True
        elif name.endswith("response_closed.started") and self.answer and _says_more(self.answer):
            # The next call on this connection would take the rest for its own answer.
            self.answer.extensions["network_stream"].close()
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


def _says_more(answer: httpx.Response) -> bool:
    """Whether bytes have come that belong to no call, behind an answer that was read to its end.

    The libraries look for such bytes in the socket alone, and keep quiet about those that they have read.
    """
    inner: Any = answer.stream
    for name in ("_stream", "_httpcore_stream", "_stream", "_connection", "_h11_state"):
        inner = getattr(inner, name, None)
    return inner is not None and bool(inner.trailing_data[0])


def warm() -> None:
    """Build now what the first call would wait for: it takes longer than the pause of some carriers."""
    for kept in (False, True):
        _shared_client(kept=kept)


def renew() -> None:
    """Close the connections that are kept: after a restored snapshot they lead nowhere."""
    client = _clients.pop(True, None)
    if client is not None:
        client.close()


def _shared_client(*, kept: bool) -> httpx.Client:
    """Return the client of all invocations of an environment that keeps connections, or that keeps none."""
    global _used_at
    if kept:
        at = _wall_clock()
        if at - _used_at > KEPT_SECONDS:
            # The environment was frozen, and perhaps the clock by which connections grow old with it. A call
            # that still uses the client that is dropped here goes on with it.
            _clients.pop(True, None)
        _used_at = at
    if kept not in _clients:
        _clients[kept] = httpx.Client(
            verify=_tls_context(),
            limits=httpx.Limits(
                max_keepalive_connections=KEPT_CONNECTIONS if kept else 0, keepalive_expiry=KEPT_SECONDS
            ),
            follow_redirects=False,
            trust_env=False,
            # The accounts of all tenants share a client, and a carrier's cookie may mean one of them.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )
    return _clients[kept]


@cache
def _tls_context() -> "ssl.SSLContext":
    """Return the TLS context of both clients, which is expensive to build."""
    return httpx.create_ssl_context(trust_env=False)

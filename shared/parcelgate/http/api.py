"""The frame of every function that answers clients: read the request, check the key, send the answer.

A function makes one `Api`. It answers each of its routes by a Python function with the route's name. All
other facts of the route are in the table (`http.routes`)::

    api = Api("read_orders")

    @api.route
    def read_order(request: Request) -> Answer:
        ...

    handler = api.handler

The gateway has already chosen the route and read the path's parameters. They are taken from the event, so a
prefix or a stage in the address makes no difference. A route that takes an Idempotency-Key does its work in
`do_once`, or in `create_once` if it stores something that a later request can find by its id.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from parcelgate.domain.clock import now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.problems import RETRY_SECONDS, FieldError, ProblemError, invalid
from parcelgate.http.answers import Answer, Site
from parcelgate.http.problems import problem_answer
from parcelgate.http.requests.formats.reading import (
    CSV,
    JSON,
    MERGE_PATCH,
    check_media,
    pointer,
    read_bytes,
    read_json,
)
from parcelgate.http.routes import FUNCTIONS, ROUTES, Route
from parcelgate.observability.logs import bind_log_keys, log
from parcelgate.store.errors import ClaimTakenError, StoreError

if TYPE_CHECKING:
    from parcelgate.services.accounts.rates import Kind, RateLimiter
    from parcelgate.store.credentials.page_tokens import Place
    from parcelgate.store.idempotency import Claim
    from parcelgate.store.table import TenantTable

type Tokens = Callable[[], Callable[[Place], str | None]]
type Limits = Callable[[], RateLimiter | None]

_RESERVE = 3.0
"""Seconds that a function needs after its last call to a carrier."""
_ATTEMPTS = 4
"""How often a request looks for the answer of another request that claimed the same key at the same time."""


class Request:
    """One request of a client. Reading it raises ProblemError for what the client may not do or did wrong."""

    def __init__(
        self,
        event: Mapping[str, Any],
        context: Any = None,
        tokens: "Tokens | None" = None,
        limits: "Limits | None" = None,
    ) -> None:
        self.event = event
        self._limits = limits
        self._tokens = tokens
        self._context = context
        self._request = event.get("requestContext") or {}
        self._key = (self._request.get("authorizer") or {}).get("lambda") or {}
        self.headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        self.request_id: str = self._request.get("requestId") or uuid4().hex

    @property
    def route(self) -> str:
        """The route as the gateway names it: `GET /v1/orders/{id}`."""
        return str(self.event.get("routeKey", ""))

    @property
    def method(self) -> str:
        """The HTTP method."""
        return str((self._request.get("http") or {}).get("method", "")).upper()

    @property
    def path(self) -> str:
        """The path under the API's base address, such as `/v1/orders/ord_01JD/cancel`."""
        path = self.route.partition(" ")[2]
        for name, value in self.parameters.items():
            path = path.replace(f"{{{name}}}", value)
        return path

    @property
    def parameters(self) -> dict[str, str]:
        """The path's parameters."""
        return self.event.get("pathParameters") or {}

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; the values of a repeated parameter are joined by commas."""
        return self.event.get("queryStringParameters") or {}

    @property
    def tenant(self) -> str:
        """The tenant that the API key belongs to. Raises ProblemError if there is no valid key."""
        tenant = self._key.get("tenant")
        if self._key.get("auth") != "ok" or not tenant:
            raise ProblemError("invalid_key", "The API key is unknown or was revoked. Use a valid key.")
        return str(tenant)

    def require(self, scope: str | None) -> None:
        """Check that the key of this call has `scope`. Raises ProblemError if it does not."""
        self.require_one_of(() if scope is None else (scope,))

    def require_one_of(self, scopes: Sequence[str]) -> None:
        """Check that the key of this call has one of `scopes`, if there are any. Raises ProblemError."""
        bind_log_keys(tenant=self.tenant)
        if scopes and self.scopes.isdisjoint(scopes):
            needed = " or ".join(scopes)
            raise ProblemError("missing_scope", f"This call needs a key with the scope {needed}.")

    @property
    def key_id(self) -> str:
        """The id of the key of this call."""
        return str(self._key.get("key_id", ""))

    def count(self) -> None:
        """Count this request for its tenant and key. Raises ProblemError `too_many_requests`."""
        limiter = self._limiter
        if limiter is not None:
            limiter.request(self.tenant, self.key_id)

    def spend(self, kind: "Kind", amount: int = 1) -> None:
        """Count what this request is about to make, such as an order. Raises what `count` raises."""
        limiter = self._limiter
        if limiter is not None:
            limiter.spend(self.tenant, self.key_id, kind, amount)

    @property
    def _limiter(self) -> "RateLimiter | None":
        return None if self._limits is None else self._limits()

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes of the key of this call."""
        return frozenset(str(self._key.get("scopes", "")).split())

    @cached_property
    def raw_body(self) -> bytes:
        """The body in the client's own bytes. Raises ProblemError; see `reading.read_bytes`."""
        return read_bytes(self.event)

    @cached_property
    def body(self) -> object:
        """The body as JSON. Raises ProblemError, also if it has more bytes than the route takes."""
        self._refuse_compressed()
        types = (JSON, MERGE_PATCH) if self.method == "PATCH" else (JSON,)
        content_type = self.headers.get("content-type", "")
        return read_json(self.raw_body, content_type, most=ROUTES[self.route].max_bytes, types=types)

    @property
    def table(self) -> bytes:
        """The body of a route that takes a table of CSV. Raises ProblemError, also if it is too large."""
        self._refuse_compressed()
        content_type, most = self.headers.get("content-type", ""), ROUTES[self.route].max_bytes
        check_media(self.raw_body, content_type, most=most, types=(CSV,))
        return self.raw_body

    def _refuse_compressed(self) -> None:
        if self.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise ProblemError(
                "unsupported_media_type", "Send the body uncompressed, without Content-Encoding."
            )

    def within(self, seconds: float) -> Deadline:
        """Make a deadline `seconds` from now, or earlier if this invocation must end earlier."""
        if self._context is None:
            return Deadline.after(seconds)
        return Deadline.of(self._context).minus(_RESERVE).within(seconds)

    @cached_property
    def site(self) -> Site:
        """The addresses of this API, as this caller sees them.

        The base address is given only if it is certain: from `PARCELGATE_PUBLIC_URL`, or if the caller used
        the gateway's own host name. Otherwise links are relative.
        """
        domain = str(self._request.get("domainName", ""))
        host = self.headers.get("host", "")
        base = os.environ.get("PARCELGATE_PUBLIC_URL", "").rstrip("/")
        token = None if self._tokens is None else self._token
        if base:
            return Site.at(base, token)
        if domain and host == domain:
            base = f"{self.headers.get('x-forwarded-proto', 'https')}://{domain}"
        return Site(base=base, problems=f"https://{domain}/problems" if domain else "/problems", token=token)

    def _token(self, place: "Place") -> str | None:
        """Make the token of a recipient's page. An answer is not held up when the store does not answer."""
        try:
            return None if self._tokens is None else self._tokens()(place)
        except StoreError as error:
            log.warning("no link to a recipient's page", extra={"error": type(error).__name__})
            return None


class _Endpoint(NamedTuple):
    route: Route
    work: Callable[[Request], Answer]
    takes_body: bool
    scopes: tuple[str, ...]


class Api:
    """The routes of one function, as the table lists them under the function's name.

    `tokens` is what makes the tokens of recipients' pages, for a function that shows links to them. `limits`
    gives what counts requests that have a key.
    """

    def __init__(
        self, function: str, tokens: "Tokens | None" = None, *, limits: "Limits | None" = None
    ) -> None:
        self._tokens = tokens
        self._limits = limits
        self._routes = {route.name: route for route in FUNCTIONS[function].routes}
        self._endpoints: dict[str, _Endpoint] = {}

    def route[W: Callable[[Request], Answer]](self, work: W) -> W:
        """Let `work` answer the route of the same name. Raises KeyError if there is no such route."""
        route = self._routes[work.__name__]
        self._endpoints[route.key] = _Endpoint(route, work, route.idempotent, route.scopes)
        return work

    def handler(self, event: Mapping[str, Any], context: Any = None) -> dict[str, Any]:
        """Answer one request: the function's entry."""
        log.structure_logs(function_request_id=getattr(context, "aws_request_id", None))
        request = Request(event, context, self._tokens, self._limits)
        bind_log_keys(request_id=request.request_id, correlation_id=request.request_id)
        try:
            return _proxy(self._answer(request))
        except Exception as error:
            return _proxy(problem_answer(error, request.site, request.request_id))

    def _answer(self, request: Request) -> Answer:
        endpoint = self._endpoints.get(request.route)
        if endpoint is None:
            raise ProblemError("not_found", "There is no such address. See /docs for all calls.")
        if not endpoint.route.open:
            request.count()
            request.require_one_of(endpoint.scopes)
        if endpoint.takes_body:
            # Read before the key is looked up: a body that is not JSON cannot repeat an earlier request.
            body = request.body
            if (key := request.headers.get("idempotency-key")) is not None:
                from parcelgate.services.idempotency import check_key

                check_key(key)
            if endpoint.route.body is None:
                _refuse_fields(body)
        return endpoint.work(request)


def create_once(
    request: Request,
    table: "TenantTable",
    create: "Callable[[Claim | None], Answer]",
    resume: Callable[[str], Answer],
) -> Answer:
    """Answer a create, once for each idempotency key.

    `create` gets the claim that it must store together with the order (None: the request has no key).
    `resume` gets the id of an order that an earlier request with this key stored without answering.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return create(None)
    # Here, because functions that only read have no use for it.
    from parcelgate.services.idempotency import Fresh, Replay, Resume, begin

    for _ in range(_ATTEMPTS):
        match begin(
            table, method=request.method, path=request.path, key=key, body=request.raw_body, now=now()
        ):
            case Replay(status, headers, body):
                return Answer(status=status, body=body, headers={**headers, "idempotent-replayed": "true"})
            case Resume(claim, order_id):
                return _finished(request, claim, resume, order_id)
            case Fresh(claim):
                try:
                    return _finished(request, claim, create, claim)
                except ClaimTakenError:
                    continue
    detail = (
        "The first request with this Idempotency-Key is still running. Try again after the Retry-After time."
    )
    raise ProblemError("idempotency_in_progress", detail, retry_after=RETRY_SECONDS)


def do_once(request: Request, table: "TenantTable", work: Callable[[], Answer]) -> Answer:
    """Answer a request that stores no order of its own, once for each idempotency key."""

    def held(claim: "Claim | None") -> Answer:
        if claim is not None:
            claim.hold()
        return work()

    return create_once(request, table, held, lambda _: work())


def _finished[T](request: Request, claim: "Claim", work: Callable[[T], Answer], subject: T) -> Answer:
    """Do the work, then store its answer for repeats or release the key, as `idempotency.finish` decides."""
    from parcelgate.services.idempotency import finish
    from parcelgate.store.idempotency import Answer as KeptAnswer

    try:
        answer = work(subject)
    except ClaimTakenError:
        raise
    except Exception as error:
        answer = problem_answer(error, request.site, request.request_id)
    try:
        finish(claim, KeptAnswer(answer.status, answer.headers, answer.body))
    except StoreError as error:
        # The lease ends by itself. The same request then resumes from what was stored.
        log.warning(
            "the answer could not be stored for repeats of the request", extra={"error": type(error).__name__}
        )
    return answer


def _refuse_fields(body: object) -> None:
    """Refuse any field in the body of a route that takes no fields. Raises ProblemError."""
    if not isinstance(body, dict):
        raise invalid([FieldError("", "type", "Must be an object.")])
    if body:
        raise invalid(
            [
                FieldError(pointer([name]), "unknown_field", "There is no such field. Leave it out.")
                for name in body
            ]
        )


def _proxy(answer: Answer) -> dict[str, Any]:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", **answer.headers}
    return {
        "statusCode": answer.status,
        "headers": headers,
        "body": answer.body,
        "isBase64Encoded": answer.in_base64,
    }

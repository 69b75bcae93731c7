"""What every function that answers clients has in common: who asks, for what, and how it is answered.

A function makes one `Api`, and answers each of its routes by a function of the route's name; what else there
is to know of the route stands in the table (`http.routes`)::

    api = Api("read_orders")

    @api.route
    def read_order(request: Request) -> Answer:
        ...

    handler = api.handler

The gateway has already chosen the route and read the path's parameters, so they are taken from the event,
whichever prefix or stage the address had. A route that takes an Idempotency-Key does its work in `do_once`,
or in `create_once` where it stores something that a later request can find by its id.
"""

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from parcelgate.domain.clock import now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.problems import RETRY_SECONDS, FieldError, ProblemError, invalid
from parcelgate.http.answers import Answer, Site
from parcelgate.http.problems import problem_answer
from parcelgate.http.requests.reading import JSON, MERGE_PATCH, pointer, read_bytes, read_json
from parcelgate.http.routes import FUNCTIONS, ROUTES, Route
from parcelgate.observability.logs import bind_log_keys, log
from parcelgate.services.idempotency import Fresh, Replay, Resume, begin, check_key, finish
from parcelgate.store.errors import ClaimTakenError, StoreError
from parcelgate.store.idempotency import Answer as KeptAnswer

if TYPE_CHECKING:
    from parcelgate.store.idempotency import Claim
    from parcelgate.store.table import TenantTable

_RESERVE = 3.0
"""Seconds that a function needs after its last call to a carrier."""
_ATTEMPTS = 4
"""How often a request whose key another one claims at the same moment looks for that one's answer."""


class Request:
    """One request of a client, as far as it has been let in."""

    def __init__(self, event: Mapping[str, Any], context: Any = None) -> None:
        self.event = event
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
        """The query's parameters; a repeated one has its values joined by commas."""
        return self.event.get("queryStringParameters") or {}

    @property
    def tenant(self) -> str:
        """Whose call this is. Raises ProblemError: without a valid key it is nobody's."""
        tenant = self._key.get("tenant")
        if self._key.get("auth") != "ok" or not tenant:
            raise ProblemError("invalid_key", "The API key is unknown, or was revoked.")
        return str(tenant)

    def require(self, scope: str | None) -> None:
        """Let the call go on only if it was made with a key that has `scope`. Raises ProblemError."""
        bind_log_keys(tenant=self.tenant)
        if scope is not None and scope not in str(self._key.get("scopes", "")).split():
            raise ProblemError("missing_scope", f"This call needs the scope {scope}.")

    @cached_property
    def raw_body(self) -> bytes:
        """The body as it was sent. Raises ProblemError; see `reading.read_bytes`."""
        return read_bytes(self.event)

    @cached_property
    def body(self) -> object:
        """The body as JSON, of at most as many bytes as the route takes. Raises ProblemError."""
        if self.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise ProblemError("unsupported_media_type", "Send the body as it is, without Content-Encoding.")
        types = (JSON, MERGE_PATCH) if self.method == "PATCH" else (JSON,)
        content_type = self.headers.get("content-type", "")
        return read_json(self.raw_body, content_type, most=ROUTES[self.route].max_bytes, types=types)

    def within(self, seconds: float) -> Deadline:
        """The moment `seconds` from now, and always before this invocation's own end."""
        if self._context is None:
            return Deadline.after(seconds)
        return Deadline.of(self._context).minus(_RESERVE).within(seconds)

    @cached_property
    def site(self) -> Site:
        """Where this API stands, as this caller sees it.

        The base address is given only where it is certain: from `PARCELGATE_PUBLIC_URL`, or when the
        caller used the very name that the gateway goes by. Elsewhere links are relative.
        """
        domain = str(self._request.get("domainName", ""))
        host = self.headers.get("host", "")
        base = os.environ.get("PARCELGATE_PUBLIC_URL", "").rstrip("/")
        if base:
            return Site(base=base, problems=f"{base}/problems")
        if domain and host == domain:
            base = f"{self.headers.get('x-forwarded-proto', 'https')}://{domain}"
        return Site(base=base, problems=f"https://{domain}/problems" if domain else "/problems")


class _Endpoint(NamedTuple):
    route: Route
    work: Callable[[Request], Answer]
    takes_body: bool


class Api:
    """The routes of one function: those that the table has under its name."""

    def __init__(self, function: str) -> None:
        self._routes = {route.name: route for route in FUNCTIONS[function].routes}
        self._endpoints: dict[str, _Endpoint] = {}

    def route[W: Callable[[Request], Answer]](self, work: W) -> W:
        """Answer the route that is named like the function `work`. Raises KeyError if there is none."""
        route = self._routes[work.__name__]
        self._endpoints[route.key] = _Endpoint(route, work, route.idempotent)
        return work

    def handler(self, event: Mapping[str, Any], context: Any = None) -> dict[str, Any]:
        """Answer one request: the function's entry."""
        log.structure_logs(function_request_id=getattr(context, "aws_request_id", None))
        request = Request(event, context)
        bind_log_keys(request_id=request.request_id, correlation_id=request.request_id)
        try:
            return _proxy(self._answer(request))
        except Exception as error:
            return _proxy(problem_answer(error, request.site, request.request_id))

    def _answer(self, request: Request) -> Answer:
        endpoint = self._endpoints.get(request.route)
        if endpoint is None:
            raise ProblemError("not_found", "There is nothing at this address.")
        if not endpoint.route.open:
            request.require(endpoint.route.scope)
        if endpoint.takes_body:
            # Read before the key is looked up: what is no JSON says nothing about an earlier request.
            body = request.body
            if (key := request.headers.get("idempotency-key")) is not None:
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
    """Answer a create, once for its idempotency key.

    `create` is given the claim to be stored along with the order (None: the request has no key), and
    `resume` the id of an order that was stored by a request that never gave its answer.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return create(None)
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
    detail = "The first request with this Idempotency-Key is still running."
    raise ProblemError("idempotency_in_progress", detail, retry_after=RETRY_SECONDS)


def do_once(request: Request, table: "TenantTable", work: Callable[[], Answer]) -> Answer:
    """Answer a request that stores no order of its own, once for its idempotency key."""

    def held(claim: "Claim | None") -> Answer:
        if claim is not None:
            claim.hold()
        return work()

    return create_once(request, table, held, lambda _: work())


def _finished[T](request: Request, claim: "Claim", work: Callable[[T], Answer], subject: T) -> Answer:
    """Do the work, and keep or let go of the answer, as the contract says of its kind."""
    try:
        answer = work(subject)
    except ClaimTakenError:
        raise
    except Exception as error:
        answer = problem_answer(error, request.site, request.request_id)
    try:
        finish(claim, KeptAnswer(answer.status, answer.headers, answer.body))
    except StoreError as error:
        # The lease ends by itself, and the same request then resumes what was stored.
        log.warning("the answer could not be kept", extra={"error": type(error).__name__})
    return answer


def _refuse_fields(body: object) -> None:
    """Refuse a body that says anything, where there is nothing to be said. Raises ProblemError."""
    if not isinstance(body, dict):
        raise invalid([FieldError("", "type", "Must be an object.")])
    if body:
        raise invalid(
            [FieldError(pointer([name]), "unknown_field", "There is no such field.") for name in body]
        )


def _proxy(answer: Answer) -> dict[str, Any]:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", **answer.headers}
    return {"statusCode": answer.status, "headers": headers, "body": answer.body, "isBase64Encoded": False}

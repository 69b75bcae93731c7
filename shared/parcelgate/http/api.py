"""The door of every function that answers clients: who calls, what for, and how it is answered.

A function makes one `Api` and names its routes as API Gateway does::

    api = Api()

    @api.route("GET /v1/orders/{id}", scope="orders:read")
    def read_order(call: Call) -> Answer:
        ...

    handler = api.handler

The gateway has already chosen the route and read the path's parameters, so they are taken from the event,
whichever prefix or stage the address had. Whatever is raised becomes a problem document here and nowhere
else.
"""

import os
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from uuid import uuid4

import msgspec

from parcelgate.domain.problems import FieldError, ProblemError, invalid
from parcelgate.http.requests.bodies import JSON, MAX_BYTES, MERGE_PATCH, read_bytes, read_json
from parcelgate.http.requests.texts import pointer
from parcelgate.http.resources import Site, encode, problem_resource
from parcelgate.observability.logs import bind_log_keys, log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.store.errors import (
    OrderNotFoundError,
    StoreUnavailableError,
    ThrottledError,
    TrackingNotFoundError,
)

PROBLEM = "application/problem+json"
RETRY_SECONDS = 2
"""What clients are told to wait before they ask again how far something is."""

_RESERVE = 3.0
"""Seconds that a function needs after its last call to a carrier."""
MAX_ERRORS = 100
"""More errors than these are counted, and not told one by one."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = {}


def answer(resource: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with a resource as JSON."""
    return Answer(
        status=status,
        body=encode(resource).decode(),
        headers={"content-type": "application/json", **(headers or {})},
    )


class Call:
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
        """The body as it was sent. Raises ProblemError; see `bodies.read_bytes`."""
        return read_bytes(self.event)

    @cached_property
    def body(self) -> object:
        """The body as JSON. Raises ProblemError; see `bodies.read_json`."""
        return self.json(MAX_BYTES)

    def json(self, most: int) -> object:
        """Read the body as JSON where it may have up to `most` bytes. Raises ProblemError."""
        types = (JSON, MERGE_PATCH) if self.method == "PATCH" else (JSON,)
        return read_json(self.raw_body, self.headers.get("content-type", ""), most=most, types=types)

    def within(self, seconds: float) -> Callable[[], float]:
        """Give a clock that runs down from `seconds`, and always before this invocation's own end."""
        ends = time.monotonic() + seconds
        left = getattr(self._context, "get_remaining_time_in_millis", None)

        def remaining() -> float:
            rest = ends - time.monotonic()
            return min(rest, left() / 1000 - _RESERVE) if left else rest

        return remaining

    @cached_property
    def site(self) -> Site:
        """Where this API stands, as this caller sees it.

        The base address is told only where it is certain: from `PARCELGATE_PUBLIC_URL`, or when the
        caller used the very name that the gateway goes by. Elsewhere links are relative.
        """
        domain = str(self._request.get("domainName", ""))
        host = self.headers.get("host", "")
        base = os.environ.get("PARCELGATE_PUBLIC_URL", "").rstrip("/")
        if not base and domain and host == domain:
            base = f"{self.headers.get('x-forwarded-proto', 'https')}://{domain}"
        return Site(base=base, problems=f"https://{domain}/problems" if domain else "/problems")


type Route = Callable[[Call], Answer]


class Api:
    """The routes of one function."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}

    def route(
        self, key: str, *, scope: str | None = None, open_to_all: bool = False
    ) -> Callable[[Route], Route]:
        """Answer the gateway's route `key`, such as `GET /v1/orders/{id}`.

        Without `scope` any valid key may call; with `open_to_all` no key is wanted.
        """

        def add(route: Route) -> Route:
            def guarded(call: Call) -> Answer:
                if not open_to_all:
                    call.require(scope)
                return route(call)

            self._routes[key] = guarded
            return route

        return add

    def handler(self, event: Mapping[str, Any], context: Any = None) -> dict[str, Any]:
        """Answer one request: the function's entry."""
        log.structure_logs(function_request_id=getattr(context, "aws_request_id", None))
        call = Call(event, context)
        try:
            route = self._routes.get(call.route)
            if route is None:
                raise ProblemError("not_found", "There is nothing at this address.")
            return _proxy(route(call))
        except Exception as error:
            return _proxy(problem_answer(problem_of(error), call))


def problem_answer(error: ProblemError, call: Call) -> Answer:
    """Answer with a problem document."""
    problem = error.problem
    if len(problem.errors) > MAX_ERRORS:
        problem = msgspec.structs.replace(problem, errors=problem.errors[:MAX_ERRORS])
    headers = {"content-type": PROBLEM}
    if error.order_id is not None:
        headers["location"] = f"/v1/orders/{error.order_id}"
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    resource = problem_resource(problem, call.site, order_id=error.order_id, request_id=call.request_id)
    return Answer(status=problem.status, body=encode(resource).decode(), headers=headers)


def no_body(call: Call) -> None:
    """Refuse a body that says anything, where there is nothing to be said. Raises ProblemError."""
    if not isinstance(call.body, dict):
        raise invalid([FieldError("", "type", "Must be an object.")])
    if call.body:
        raise invalid(
            [FieldError(pointer([name]), "unknown_field", "There is no such field.") for name in call.body]
        )


def problem_of(error: Exception) -> ProblemError:
    """What an error means to the client: the one place where anything raised becomes a problem."""
    if isinstance(error, ProblemError):
        log.info("refused", extra={"code": error.problem.code})
        return error
    if isinstance(error, OrderNotFoundError):
        return ProblemError("not_found", "There is no such order.")
    if isinstance(error, TrackingNotFoundError):
        return ProblemError("not_found", "There is no such tracking.")
    if isinstance(error, ThrottledError):
        count("Throttled")
        return ProblemError("too_many_requests", "Too many requests; try again.", retry_after=RETRY_SECONDS)
    count("UnexpectedErrors")
    log.error("unexpected error", extra=safe_error_fields(error))
    wait = RETRY_SECONDS if isinstance(error, StoreUnavailableError) else None
    return ProblemError(
        "internal", "Something went wrong on our side; nothing more is known.", retry_after=wait
    )


def _proxy(given: Answer) -> dict[str, Any]:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", **given.headers}
    return {"statusCode": given.status, "headers": headers, "body": given.body, "isBase64Encoded": False}

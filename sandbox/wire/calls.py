"""What a carrier offers on the wire, and what every call goes through before and after it."""

import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.controls.clock import Clock
from sandbox.controls.faults import Fault, Kind
from sandbox.parcels.steering import Steering
from sandbox.wire.connection import Dropped, HalfBody, bad_gateway, garbage, server_error
from sandbox.world import World

Handler = Callable[[Request], Awaitable[Response]]


class Sealed(JSONResponse):
    """An answer whose content is encrypted: `outside` makes what is sent of the content."""

    def __init__(self, inner: Any, outside: Callable[[Any], Any]) -> None:
        super().__init__(outside(inner))
        self._inner, self._outside = inner, outside

    def mistyped(self) -> Response:
        """The same with everything inside of another type."""
        return JSONResponse(self._outside(_mistyped(self._inner, 1)))


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of a carrier.

    `references` finds the order references a request is about, so that faults and SBX-5XX can
    be aimed; `outage` says whether SBX-5XX acts on it.
    """

    name: str
    method: str
    path: str
    handle: Handler
    references: Callable[[Request], Awaitable[frozenset[str]]]
    outage: bool = False


class Carrier(Protocol):
    """A carrier as the sandbox sees it."""

    name: str

    @property
    def calls(self) -> Sequence[Call]:
        """All it can do on the wire."""

    def refusal(self, code: int, message: str) -> Response:
        """Say no as the carrier does, with this code of its own."""

    def unauthorized(self) -> Response:
        """Refuse bad credentials as the carrier does."""

    def reset(self) -> None:
        """Forget everything."""


@runtime_checkable
class KnowsTheTruth(Protocol):
    """A carrier whose parcels travel."""

    def truth(self) -> list[dict[str, Any]]:
        """Tell of every parcel what has happened to it so far, and nothing late, twice or in disorder.

        Each is at least ``{"tracking_number", "reference", "events": [{"at", "code", "stage"}]}``, oldest
        event first: `at` in ISO 8601 and UTC, `code` in the carrier's own words.
        """


@runtime_checkable
class TakesLogins(Protocol):
    """A carrier with which accounts can be opened while it runs."""

    def let_in(self, account: str, login: Any) -> None:
        """Open an account; raise KeyError, TypeError or ValueError for a login that is none."""


@runtime_checkable
class TakesParcels(Protocol):
    """A carrier that can have got parcels from an account before anybody called it."""

    def enter(self, account: str, parcels: Any) -> None:
        """Enter parcels, written as its own create has them; raise ValueError for what is none."""


def route(world: World, carrier: Carrier, call: Call) -> Route:
    """Put a call under its carrier's prefix: counted, spoilt if a fault asks for it, handled."""

    async def endpoint(request: Request) -> Response:
        references = await call.references(request)
        world.ledger.book(carrier.name).called(call.name, references)
        if fault := world.faults.take(carrier.name, call.name, references):
            return await _suffer(fault, carrier, call, request, world.clock)
        if call.outage and any(
            world.tally.among_first(outages, carrier.name, "5XX", reference)
            for reference in references
            if (outages := Steering(reference).number("5XX"))
        ):
            return server_error()
        return await call.handle(request)

    return Route(f"/{carrier.name}{call.path}", endpoint, methods=[call.method])


async def created(words: Steering, clock: Clock, answer: Response) -> Response:
    """Let the answer to a create that was carried out leave as the steering words want."""
    await clock.sleep(words.number("SLOW"))
    if words.has("LOST"):
        return Dropped()
    if words.has("GARBAGE"):
        return garbage()
    return answer


async def _suffer(fault: Fault, carrier: Carrier, call: Call, request: Request, clock: Clock) -> Response:
    match fault.kind:
        case Kind.RESET_BEFORE:
            return Dropped(reset=True)
        case Kind.STATUS_500:
            return server_error()
        case Kind.HTML_502:
            return bad_gateway()
        case Kind.TOO_MANY:
            wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return Response("Too Many Requests", 429, headers=wait, media_type="text/plain")
        case Kind.UNAUTHORIZED:
            return carrier.unauthorized()
        case Kind.CODE:
            return carrier.refusal(fault.code or 0, "refused by an injected fault")
    answer = await call.handle(request)
    match fault.kind:
        case Kind.TIMEOUT:
            await clock.sleep(fault.seconds)
            return Dropped()
        case Kind.HALF_BODY:
            return HalfBody(answer)
        case Kind.WRONG_TYPE if isinstance(answer, Sealed):
            return answer.mistyped()
        case Kind.WRONG_TYPE:
            with contextlib.suppress(ValueError):
                return JSONResponse(_mistyped(json.loads(bytes(answer.body))))
            return answer
    return Dropped(reset=True)


def _mistyped(value: Any, depth: int = 0) -> Any:
    """Give everything below a JSON value's first level another type."""
    if isinstance(value, dict):
        return {key: _mistyped(inner, depth + 1) for key, inner in value.items()}
    if depth == 1 and not isinstance(value, list):
        return value
    return {"unexpected": "object"} if isinstance(value, str) else "unexpected string"

"""The application: every carrier's calls, and the controls."""

import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import carriers as folders
from sandbox.controls.faults import read_faults
from sandbox.controls.webhooks import read_webhooks
from sandbox.wire.calls import Carrier, KnowsTheTruth, TakesLogins, TakesParcels, route
from sandbox.world import Settings, World

CARRIERS: tuple[Callable[[World], Carrier], ...] = tuple(
    folders.package(name).CARRIER for name in folders.names()
)


CONTROLS = {
    "GET /_sandbox/health": "whether it runs, and its carriers",
    "GET /_sandbox/ledger": "what was ordered, paid, called and called back, per carrier",
    "GET /_sandbox/truth": "what really happened to every parcel",
    "POST /_sandbox/advance": '{"seconds": n} moves the clock forward',
    "POST /_sandbox/run": '{"seconds": n} stops the clock after n seconds; null lets it run without end',
    "POST /_sandbox/faults": (
        '[{"carrier", "call", "kind": "timeout | reset_after | status_500 | 429 | code | ...", "times"}] '
        "makes the next calls fail; GET shows what is left, DELETE deletes it"
    ),
    "POST /_sandbox/webhooks": (
        '{"<carrier>": {"<account>": url}} sets addresses for webhooks about parcels (null: none); '
        "GET shows them, DELETE deletes them"
    ),
    "POST /_sandbox/accounts": (
        '{"<carrier>": {"<account>": login}} lets more accounts in, each login as in the accounts file'
    ),
    "POST /_sandbox/parcels": (
        '{"trackingmore": {"<account>": [{"tracking_number", "carrier_code"}]}} '
        "makes accounts follow parcels since before"
    ),
    "POST /_sandbox/reset": "deletes everything except the webhook addresses, and resets the clock",
}
"""The controls, for `--help`."""


def build_app(settings: Settings) -> Starlette:
    """Put a new world and its carriers behind one application."""
    world = World(settings)
    carriers = [carrier(world) for carrier in CARRIERS]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await world.close()

    return Starlette(
        routes=[
            *_controls(world, carriers),
            *(route(world, carrier, call) for carrier in carriers for call in carrier.calls),
        ],
        lifespan=lifespan,
    )


def _controls(world: World, carriers: list[Carrier]) -> list[Route]:
    calls = {carrier.name: list(dict.fromkeys(call.name for call in carrier.calls)) for carrier in carriers}

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "carriers": list(calls)})

    async def ledger(_: Request) -> Response:
        return JSONResponse({name: world.ledger.book(name).shown() for name in calls})

    async def reset(_: Request) -> Response:
        world.reset()
        for carrier in carriers:
            carrier.reset()
        return JSONResponse({"status": "ok"})

    async def advance(request: Request) -> Response:
        try:
            seconds = float((await request.json())["seconds"])
        except (ValueError, KeyError, TypeError):
            return _wrong('{"seconds": number} is wanted')
        if not 0 <= seconds < float("inf"):
            return _wrong("the clock only goes forward")
        world.clock.advance(seconds)
        return JSONResponse({"now": world.clock.now().isoformat(timespec="milliseconds")})

    async def run(request: Request) -> Response:
        try:
            given = (await request.json())["seconds"]
            seconds = None if given is None else float(given)
        except (ValueError, KeyError, TypeError):
            return _wrong('{"seconds": number or null} is wanted')
        if seconds is not None and not 0 <= seconds < float("inf"):
            return _wrong("the clock only goes forward")
        world.clock.run(seconds)
        return JSONResponse({"now": world.clock.now().isoformat(timespec="milliseconds")})

    async def faults(request: Request) -> Response:
        try:
            if request.method == "POST":
                world.faults.add(read_faults(await request.json(), calls))
            elif request.method == "DELETE":
                world.faults.reset()
        except ValueError as error:
            return _wrong(str(error))
        return JSONResponse({"faults": world.faults.left()})

    async def webhooks(request: Request) -> Response:
        try:
            if request.method == "POST":
                for name, urls in read_webhooks(await request.json(), world.accounts).items():
                    world.set_webhooks(name, urls)
            elif request.method == "DELETE":
                world.webhooks.clear()
        except ValueError as error:
            return _wrong(str(error))
        return JSONResponse(world.webhooks)

    async def truth(_: Request) -> Response:
        return JSONResponse(
            {carrier.name: carrier.truth() for carrier in carriers if isinstance(carrier, KnowsTheTruth)}
        )

    async def accounts(request: Request) -> Response:
        takers = {carrier.name: carrier for carrier in carriers if isinstance(carrier, TakesLogins)}
        try:
            for name, logins in (await request.json()).items():
                for account, login in logins.items():
                    takers[name].let_in(account, login)
                    world.accounts.setdefault(name, set()).add(account)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            return _wrong(f'{{"<carrier>": {{"<account>": login}}}} is wanted ({error!r})')
        return JSONResponse({"status": "ok"})

    async def parcels(request: Request) -> Response:
        takers = {carrier.name: carrier for carrier in carriers if isinstance(carrier, TakesParcels)}
        try:
            for name, accounts in (await request.json()).items():
                for account, entered in accounts.items():
                    takers[name].enter(account, entered)
        except (ValueError, KeyError, AttributeError) as error:
            return _wrong(f'{{"<carrier>": {{"<account>": [parcel, ...]}}}} is wanted ({error})')
        return JSONResponse({"status": "ok"})

    return [
        Route("/_sandbox/health", health),
        Route("/_sandbox/ledger", ledger),
        Route("/_sandbox/reset", reset, methods=["POST"]),
        Route("/_sandbox/advance", advance, methods=["POST"]),
        Route("/_sandbox/run", run, methods=["POST"]),
        Route("/_sandbox/faults", faults, methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/webhooks", webhooks, methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/truth", truth),
        Route("/_sandbox/accounts", accounts, methods=["POST"]),
        Route("/_sandbox/parcels", parcels, methods=["POST"]),
    ]


def _wrong(message: str) -> Response:
    return JSONResponse({"error": message}, 422)

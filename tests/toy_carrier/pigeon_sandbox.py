"""Pigeon Post's side of the sandbox, under `/pigeon`: as strict and as odd as the post itself."""

import base64
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.controls.ledger import Entry, Parcel
from sandbox.parcels.labels import Label
from sandbox.parcels.steering import Steering
from sandbox.wire.calls import Call, created
from sandbox.world import World


class PigeonSandbox:
    """The post."""

    name = "pigeon"

    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = {login["key"] for login in world.settings.accounts.get(self.name, {}).values()}
        self._flights: dict[str, dict[str, Any]] = {}
        self.calls = (
            self._call("create", "POST", "/flights", self._create),
            self._call("find", "GET", "/flights/by-ref/{number}", self._find),
            self._call("cancel", "DELETE", "/flights/{number}", self._cancel),
            self._call("label", "GET", "/flights/{number}/label", self._label),
            self._call("track", "GET", "/rings/{number}", self._track),
        )

    def reset(self) -> None:
        self._flights.clear()

    def refusal(self, code: int, message: str) -> Response:
        return JSONResponse({"code": str(code), "message": message})

    def unauthorized(self) -> Response:
        return JSONResponse({"message": "whose pigeon is this?"}, 401)

    def _call(self, name: str, method: str, path: str, act: Callable[[Request], Awaitable[Response]]) -> Call:
        async def handle(request: Request) -> Response:
            if request.headers.get("x-pigeon-key") not in self._keys:
                return self.unauthorized()
            return await act(request)

        return Call(name, method, path, handle, self._references)

    async def _references(self, request: Request) -> frozenset[str]:
        if request.method == "POST":
            return frozenset({str((await request.json()).get("ref"))})
        return frozenset({request.path_params["number"]})

    async def _create(self, request: Request) -> Response:
        body = await request.json()
        words = Steering(body["ref"])
        if words.has("REJECT"):
            return JSONResponse({"code": "NO_ROOF", "message": "no such roof", "field": "postcode"})
        if body["ref"] in self._flights:
            return JSONResponse({"code": "TAKEN", "message": f"{body['ref']} is in the air"})
        number = f"PGN{len(self._flights) + 1}"
        rings = [
            {"bagRef": bag["bagRef"], "ring": f"{number}-{place}"}
            for place, bag in enumerate(body["bags"], 1)
        ]
        # The post answers in an order of its own.
        self._flights[body["ref"]] = {"flight": number, "name": body["name"], "rings": rings[::-1]}
        entry = Entry(
            order_number=number,
            reference=body["ref"],
            account="default",
            price=Decimal(0),
            parcels=tuple(Parcel(ring["ring"], number, ring["bagRef"]) for ring in rings),
            committed_at=self._world.clock.now(),
        )
        self._world.ledger.book(self.name).orders.append(entry)
        return await created(words, self._world.clock, JSONResponse(self._flights[body["ref"]]))

    def _flight(self, request: Request) -> dict[str, Any] | None:
        number = request.path_params["number"]
        return next((flight for flight in self._flights.values() if flight["flight"] == number), None)

    async def _find(self, request: Request) -> Response:
        found = self._flights.get(request.path_params["number"])
        return JSONResponse(found or {"code": "NO_FLIGHT", "message": "no such flight"})

    async def _cancel(self, request: Request) -> Response:
        found = self._flight(request)
        if found is None:
            return JSONResponse({"code": "NO_FLIGHT", "message": "no such flight"})
        book = self._world.ledger.book(self.name)
        (entry,) = (entry for entry in book.orders if entry.order_number == found["flight"])
        if Steering(entry.reference).has("COLLECTED"):
            return JSONResponse({"code": "LANDED", "message": "the bird has landed"})
        entry.refund(self._world.clock.now())
        del self._flights[entry.reference]
        return JSONResponse({})

    async def _label(self, request: Request) -> Response:
        found = self._flight(request)
        if found is None:
            return JSONResponse({"code": "NO_FLIGHT", "message": "no such flight"})
        pages = {
            ring["bagRef"]: Label("Pigeon Post", "AIR", ring["ring"], (found["name"],), ()).pdf()
            for ring in found["rings"]
        }
        labels = [{"bagRef": ref, "label": base64.b64encode(page).decode()} for ref, page in pages.items()]
        return JSONResponse({"rings": labels})

    async def _track(self, request: Request) -> Response:
        return JSONResponse({"reports": [{"at": "2026-11-21T12:00:00+00:00", "word": "TAKE_OFF"}]})

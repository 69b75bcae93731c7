"""LME's calls."""

import base64
import itertools
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.controls.ledger import Entry, Parcel
from sandbox.lme import envelope, pushes, tracking, wire
from sandbox.lme.envelope import Login
from sandbox.lme.orders import Numbers, Order, checked_address
from sandbox.lme.wire import Code, JsonObject, RefusedError
from sandbox.parcels.labels import NO_DOCUMENT
from sandbox.parcels.routes import story
from sandbox.parcels.steering import Steering
from sandbox.wire.calls import Call, Sealed, created
from sandbox.wire.connection import bad_gateway
from sandbox.world import World

_Act = Callable[[Login, JsonObject, Request], Awaitable[Response]]


class Lme:
    """LME (Fast Horse Express)."""

    name = "lme"

    def __init__(self, world: World) -> None:
        self._world = world
        accounts = world.settings.accounts.get(self.name, {})
        logins = {name: Login.of(account) for name, account in accounts.items()}
        self._logins = {login.app_key: login for login in logins.values()}
        self._accounts = {login.app_key: name for name, login in logins.items()}
        self._numbers = Numbers()
        # The SDK reads `code` as text, the pages show a number: both come, in turn.
        self._as_number = itertools.cycle((False, True))
        self._forget()
        self.calls = (
            self._post("create", "order/create", self._create, outage=True),
            self._post("query", "order/query", self._query, outage=True),
            self._post("cancel", "order/cancel", self._cancel),
            self._post("return", "order/return", self._return),
            self._post("update", "order/update", self._update),
            self._post("queryRoute", "order/queryRoute", self._route),
            self._post("queryRouteV2", "order/queryRouteV2", self._route_v2),
            self._post("addressValidate", "address/validate", self._address),
            self._post("queryLabel", "order/queryLabel", self._label),
            Call("labelFile", "GET", "/labels/{number}.pdf", self._label_file, self._references_of_file),
        )

    def let_in(self, account: str, login: Any) -> None:
        """Open an account."""
        opened = Login.of(login)
        self._logins[opened.app_key], self._accounts[opened.app_key] = opened, account

    def reset(self) -> None:
        """Forget every order."""
        self._forget()

    def truth(self) -> list[JsonObject]:
        """Return what really happened to every parcel."""
        return [
            story(number, order.entry.reference, tracking.happened(order, self._time()))
            for number, order in self._by_number.items()
        ]

    def _forget(self) -> None:
        self._by_number: dict[str, Order] = {}
        self._by_reference: dict[tuple[str, str], Order] = {}

    def refusal(self, code: int, message: str) -> Response:
        """Return a refusal, not encrypted."""
        return JSONResponse(self._outside(code, message, None))

    def unauthorized(self) -> Response:
        """Refuse a signature."""
        return self._refused(RefusedError(Code.UNAUTHORIZED, "验签失败: invalid signature"))

    def _refused(self, error: RefusedError) -> Response:
        answer = self.refusal(error.code, error.message)
        if error.code == Code.UNAUTHORIZED:
            answer.status_code = 401
        return answer

    def _outside(self, code: int, message: str, data: str | None) -> JsonObject:
        outside: JsonObject = {"message": message, "logId": f"log-{next(self._log_ids)}", "data": data}
        if next(self._as_number):
            return {"code": int(code), "displayable": code != Code.OK, "success": code == Code.OK, **outside}
        return {"code": str(int(code)), **outside}

    _log_ids = itertools.count(1)

    def _ok(self, login: Login, data: Any) -> Sealed:
        return Sealed(
            data, lambda inner: self._outside(Code.OK, "SUCCESS", envelope.sealed(inner, login.client))
        )

    # What every call goes through.

    def _post(self, name: str, path: str, act: _Act, *, outage: bool = False) -> Call:
        async def handle(request: Request) -> Response:
            try:
                login, body = await self._opened(request)
                return await act(login, body, request)
            except RefusedError as refused:
                return self._refused(refused)

        return Call(name, "POST", f"/server/gateway/{path}", handle, self._references, outage)

    async def _opened(self, request: Request) -> tuple[Login, JsonObject]:
        """Decrypt a request, once: the ledger must know the caller before the request is answered."""
        if not hasattr(request.state, "lme"):
            try:
                request.state.lme = envelope.opened(request.headers, await request.body(), self._logins)
            except RefusedError as refused:
                request.state.lme = refused
        found: tuple[Login, JsonObject] | RefusedError = request.state.lme
        if isinstance(found, RefusedError):
            raise found
        return found

    async def _references(self, request: Request) -> frozenset[str]:
        try:
            _, body = await self._opened(request)
        except RefusedError:
            return frozenset()
        if isinstance(reference := body.get("outOrderNo"), str):
            return frozenset({reference})
        order = self._by_number.get(str(body.get("orderNo")))
        return frozenset({order.entry.reference} if order else ())

    async def _references_of_file(self, request: Request) -> frozenset[str]:
        order = self._by_number.get(request.path_params["number"])
        return frozenset({order.entry.reference} if order else ())

    # The calls.

    async def _create(self, login: Login, body: JsonObject, _: Request) -> Response:
        wanted = wire.read_order(body, login.app_key)
        words = Steering(wanted.reference)
        if words.has("REJECT"):
            raise RefusedError(Code.REJECTED, "receiver.postCode is not in the delivery range")
        earlier = self._by_reference.get((login.app_key, wanted.reference))
        if earlier and earlier.entry.living:
            raise RefusedError(Code.DUPLICATE, f"outOrderNo {wanted.reference} already exists")
        if wanted.number in self._by_number:
            raise RefusedError(Code.DUPLICATE, f"orderNo {wanted.number} already exists")
        order = self._enter(login, wanted, words)
        return await created(words, self._world.clock, self._ok(login, order.data()))

    def _enter(self, login: Login, request: wire.OrderRequest, words: Steering) -> Order:
        number, now = request.number or self._numbers.order(), self._world.clock.now()
        entry = Entry(
            order_number=number,
            reference=request.reference,
            account=login.app_key,
            price=Decimal(0),
            parcels=(Parcel(number, number, request.reference),),
            committed_at=now,
        )
        entry.complete(now)
        order = Order(entry, request, words)
        self._world.ledger.book(self.name).orders.append(entry)
        self._by_number[number] = order
        self._by_reference[login.app_key, request.reference] = order
        self._push(login, order)
        return order

    def _push(self, login: Login, order: Order) -> None:
        if not order.words.has("NOPUSH"):
            self._world.tasks.spawn(pushes.push(self._world, order, login, self._accounts[login.app_key]))

    async def _query(self, login: Login, body: JsonObject, _: Request) -> Response:
        order = self._named(login, body)
        if (wanted := order.words.result()) and self._world.tally.among_first(
            wanted[1], self.name, "RESULT", order.entry.reference
        ):
            return self._steered(wanted[0])
        return self._ok(login, order.data())

    def _steered(self, answer: str) -> Response:
        """Return the answer that SBX-RESULT asks for in place of the true one."""
        if answer == "HTML":
            return bad_gateway()
        refusal = self._refused(RefusedError(int(answer), f"steered by SBX-RESULT-{answer}"))
        if len(answer) == 3 and answer.startswith("5"):
            refusal.status_code = int(answer)
        return refusal

    async def _cancel(self, login: Login, body: JsonObject, _: Request) -> Response:
        order = self._named(login, body)
        if not order.entry.living:
            raise RefusedError(Code.CANCELLED, "the order is already cancelled")
        self._must_be_here(order)
        order.entry.refund(self._world.clock.now())
        return self._ok(login, {"orderNo": order.number, "isTrue": True})

    async def _return(self, login: Login, body: JsonObject, _: Request) -> Response:
        wire.required(body, "orderNo")
        wire.required(body, "outOrderNo")
        order, time = self._named(login, body), self._time()
        if not order.entry.living:
            raise RefusedError(Code.CANCELLED, "the order is already cancelled")
        if tracking.comes_back(order, time):
            raise RefusedError(Code.DUPLICATE, f"a return of order {order.number} already exists")
        if tracking.is_over(order, time):
            raise RefusedError(Code.DELIVERED, "the parcel is already delivered")
        if tracking.is_with_post(order, time):
            raise RefusedError(Code.WITH_POST, "the parcel is with Australia Post")
        order.sent_back_at = self._world.clock.now()
        self._push(login, order)
        return self._ok(login, {"orderNo": order.number})

    async def _update(self, login: Login, body: JsonObject, _: Request) -> Response:
        wire.required(body, "orderNo")
        order = self._named(login, {"orderNo": body["orderNo"]})
        wanted = wire.read_order(body, login.app_key)
        if wanted.reference != order.entry.reference:
            raise RefusedError(Code.BAD_FIELD, "outOrderNo cannot change")
        if not order.entry.living:
            raise RefusedError(Code.CANCELLED, "the order is already cancelled")
        self._must_be_here(order)
        order.request = wanted
        return self._ok(login, order.data())

    def _must_be_here(self, order: Order) -> None:
        if tracking.is_away(order, self._time()):
            raise RefusedError(Code.COLLECTED, "the parcel has been collected")

    async def _route(self, login: Login, body: JsonObject, _: Request) -> Response:
        if wire.required(body, "channel") != login.app_key:
            raise RefusedError(Code.BAD_FIELD, "channel must be the appkey")
        return self._ok(login, {"orderRoutes": self._told(login, body, 1)})

    async def _route_v2(self, login: Login, body: JsonObject, _: Request) -> Response:
        return self._ok(login, {"orderRoutes": self._told(login, body, 2)})

    def _told(self, login: Login, body: JsonObject, version: int) -> list[JsonObject]:
        wire.required(body, "orderNo")
        order = self._named(login, body)
        return tracking.route(order, self._time(), version=version)

    def _time(self) -> tracking.Time:
        return self._world.clock.now(), self._world.settings.acceleration

    async def _address(self, login: Login, body: JsonObject, _: Request) -> Response:
        return self._ok(
            login,
            checked_address(
                wire.required(body, "country"),
                wire.optional(body, "province"),
                wire.required(body, "city"),
                wire.optional(body, "postCode"),
                wire.required(body, "address"),
            ),
        )

    async def _label(self, login: Login, body: JsonObject, request: Request) -> Response:
        wire.required(body, "orderNo")
        order = self._named(login, body)
        words, reference, tally = order.words, order.entry.reference, self._world.tally
        if not order.entry.living:
            raise RefusedError(Code.CANCELLED, "the order is already cancelled")
        if tally.among_first(words.number("NOLABEL"), self.name, "NOLABEL", reference):
            raise RefusedError(Code.LABEL_NOT_READY, "面单生成中: the label is being made")
        data: JsonObject = {"orderNo": order.number, "labelType": "PDF"}
        if words.has("LABELURL"):
            data["labelUrl"] = f"{request.base_url}{self.name}/labels/{order.number}.pdf"
        else:
            spoilt = tally.among_first(words.number("SPOILT"), self.name, "SPOILT", reference)
            document = NO_DOCUMENT if spoilt else _document(order)
            data["labelData"] = base64.b64encode(document).decode()
        return self._ok(login, data)

    async def _label_file(self, request: Request) -> Response:
        order = self._by_number.get(request.path_params["number"])
        if order is None:
            return Response("Not Found", 404, media_type="text/plain")
        return Response(_document(order), media_type="application/pdf")

    def _named(self, login: Login, body: JsonObject) -> Order:
        """Return the caller's order, by its number or by its own reference."""
        if wire.optional(body, "channel") not in {"", login.app_key}:
            raise RefusedError(Code.BAD_FIELD, "channel must be the appkey")
        number, reference = wire.optional(body, "orderNo"), wire.optional(body, "outOrderNo")
        if not number and not reference:
            raise RefusedError(Code.BAD_FIELD, "orderNo or outOrderNo is required")
        order = self._by_number.get(number) if number else self._by_reference.get((login.app_key, reference))
        known = order is not None and order.entry.account == login.app_key
        if order is None or not known or (reference and order.entry.reference != reference):
            raise RefusedError(Code.NOT_FOUND, f"订单不存在: order {number or reference} does not exist")
        return order


def _document(order: Order) -> bytes:
    return NO_DOCUMENT if order.words.has("BADLABEL") else order.label().pdf()

"""The platform's calls."""

import base64
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.controls.ledger import Entry, Status
from sandbox.lso import tracking, wire
from sandbox.lso.orders import JsonObject, Numbers, Order, Price
from sandbox.lso.wire import Code, RefusedError, Shipment
from sandbox.parcels.labels import NO_DOCUMENT
from sandbox.parcels.routes import story
from sandbox.parcels.steering import Steering
from sandbox.wire.callbacks import Callback
from sandbox.wire.calls import Call, Handler, created
from sandbox.wire.connection import bad_gateway
from sandbox.world import World

_CALLBACK_ATTEMPTS = 5
_PASSING_RESULTS = frozenset({"HTML", "401", "404", "1024"})


@dataclass(frozen=True, slots=True)
class _Caller:
    """The caller that has proven its identity, and the address that it called."""

    app_id: str
    token: str
    base_url: str


_Act = Callable[[_Caller, JsonObject], Awaitable[Response]]


class Lso:
    """LSO through the Shipping Solution platform."""

    name = "lso"

    def __init__(self, world: World) -> None:
        self._world = world
        self._logins = {
            login["app_id"]: login["app_secret"]
            for login in world.settings.accounts.get(self.name, {}).values()
        }
        self._numbers = Numbers()
        self._forget()
        self.calls = (
            self._post("getToken", "/getToken", self._answering(self._get_token)),
            self._post("feePreview", "/lso/feePreview", self._authorised(self._fee_preview)),
            self._post(
                "orderCommit",
                "/lso/orderCommit",
                self._authorised(self._order_commit),
                outage=True,
            ),
            self._post(
                "orderResult",
                "/common/orderResult",
                self._authorised(self._order_result),
                outage=True,
            ),
            self._post("label", "/common/label", self._authorised(self._label)),
            self._post("refund", "/common/refund", self._authorised(self._refund)),
            self._post("tracking", "/lso/tracking", self._authorised(self._tracking)),
            Call(
                "labelFile",
                "GET",
                "/labels/{number}.pdf",
                self._answering(self._label_file),
                self._references_of_file,
            ),
        )

    def let_in(self, _: str, login: Any) -> None:
        """Open an account."""
        self._logins[login["app_id"]] = login["app_secret"]

    def reset(self) -> None:
        """Forget every token, preview and order."""
        self._forget()

    def truth(self) -> list[JsonObject]:
        """Return what really happened to every parcel."""
        return [
            story(
                number, order.entry.parcels[index].reference, tracking.happened(order, number, self._time())
            )
            for number, (order, index) in self._by_service.items()
        ]

    def _forget(self) -> None:
        self._tokens: dict[str, tuple[str, float]] = {}
        self._previews: set[tuple[str, Shipment]] = set()
        self._by_number: dict[str, Order] = {}
        self._by_reference: dict[tuple[str, str], Order] = {}
        self._by_service: dict[str, tuple[Order, int]] = {}

    def refusal(self, code: int, message: str) -> Response:
        """Return a refusal in the platform's envelope."""
        return JSONResponse({"code": code, "data": None, "err": message, "msg": message})

    def unauthorized(self) -> Response:
        """Refuse a token."""
        return self.refusal(Code.UNAUTHORIZED, "token已失效: token is wrong or has expired")

    # What every call goes through.

    def _post(self, name: str, path: str, handle: Handler, *, outage: bool = False) -> Call:
        path = f"/external-interface{path}"
        return Call(name, "POST", path, handle, self._references, outage)

    def _answering(self, act: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            try:
                return await act(request)
            except RefusedError as refused:
                return self.refusal(refused.code, refused.message)

        return handle

    def _authorised(self, act: _Act) -> Handler:
        async def handle(request: Request) -> Response:
            body = wire.read_json(await request.body())
            app_id, token = wire.required(body, "appId"), wire.required(body, "token")
            owner, expires_at = self._tokens.get(token, ("", 0.0))
            if owner != app_id or expires_at <= self._world.clock.time():
                return self.unauthorized()
            return await act(_Caller(app_id, token, str(request.base_url)), body)

        return self._answering(handle)

    async def _references(self, request: Request) -> frozenset[str]:
        try:
            body = wire.read_json(await request.body())
        except RefusedError:
            return frozenset()
        orders = [self._by_number.get(str(body.get("orderNumber")))]
        if isinstance(numbers := body.get("serviceNumbers"), list):
            orders += [self._by_service.get(str(number), (None,))[0] for number in numbers]
        found = {order.entry.reference for order in orders if order}
        if isinstance(reference := body.get("customerNumber"), str):
            found.add(reference)
        return frozenset(found)

    async def _references_of_file(self, request: Request) -> frozenset[str]:
        order, _ = self._by_service.get(request.path_params["number"], (None, 0))
        return frozenset({order.entry.reference} if order else ())

    # The calls.

    async def _get_token(self, request: Request) -> Response:
        body = wire.read_json(await request.body())
        app_id, secret = wire.required(body, "appId"), wire.required(body, "appSecret")
        if not secrets.compare_digest(self._logins.get(app_id, "").encode(), secret.encode()):
            raise RefusedError(Code.UNAUTHORIZED, "appId或appSecret错误: wrong credentials")
        token, life = secrets.token_hex(16), self._world.settings.token_seconds
        self._tokens[token] = (app_id, self._world.clock.time() + life)
        return _ok({"token": token, "expiresIn": life})

    async def _fee_preview(self, caller: _Caller, body: JsonObject) -> Response:
        shipment = wire.read_shipment(body)
        self._previews.add((caller.app_id, shipment))
        return _ok(Price.of(shipment).preview())

    async def _order_commit(self, caller: _Caller, body: JsonObject) -> Response:
        wanted = wire.read_order(body)
        words = Steering(wanted.reference)
        if words.has("REJECT"):
            message = "收货地没有LSO服务: no LSO service at this postcode"
            raise RefusedError(Code.NO_SERVICE, message)
        if (caller.app_id, wanted.shipment) not in self._previews:
            message = "请先进行运价预览: the fee of this very order was not previewed"
            raise RefusedError(Code.NOT_PREVIEWED, message)
        earlier = self._by_reference.get((caller.app_id, wanted.reference))
        if earlier and earlier.entry.living:
            message = f"客户单号已存在: customerNumber {wanted.reference} is taken"
            raise RefusedError(Code.DUPLICATE, message)
        order = self._enter(caller.app_id, wanted, words)
        if words.has("EARLYCALLBACK"):
            self._finish(order)
            callback = self._callback(order)
            if callback and not await self._world.callbacks.attempt(callback, 1):
                self._world.tasks.spawn(self._world.callbacks.deliver(callback, start=2))
        else:
            self._world.tasks.spawn(self._process(order))
        return await created(words, self._world.clock, _ok(order.committed()))

    async def _order_result(self, caller: _Caller, body: JsonObject) -> Response:
        if number := wire.optional(body, "orderNumber"):
            order = self._owned(caller.app_id, number)
        else:
            reference = wire.required(body, "customerNumber")
            order = _known(self._by_reference.get((caller.app_id, reference)), caller.app_id, reference)
        if steered := self._steered_result(order, caller.token):
            return steered
        if order.asked() or order.entry.status is Status.PROCESSING:
            raise RefusedError(Code.PENDING, "平台下单还未完成: the order is not finished yet")
        return JSONResponse(order.outcome())

    async def _label(self, caller: _Caller, body: JsonObject) -> Response:
        order = self._owned(caller.app_id, wire.required(body, "orderNumber"))
        entry, words, tally = order.entry, order.words, self._world.tally
        if entry.refunded_at:
            raise RefusedError(Code.REFUNDED, "订单已退款: the order was refunded")
        if entry.status is Status.FAILED:
            raise RefusedError(Code.ORDER_FAILED, f"下单失败: {entry.error}")
        unready = tally.among_first(words.number("NOLABEL"), self.name, "NOLABEL", entry.reference)
        if unready or entry.status is Status.PROCESSING:
            raise RefusedError(Code.LABEL_PENDING, "标签正在下载,请稍候!")
        spoilt = tally.among_first(words.number("SPOILT"), self.name, "SPOILT", entry.reference)
        labels = []
        for index, parcel in enumerate(entry.parcels):
            label = {"serviceNumber": parcel.tracking_number}
            if words.has("LABELURL"):
                path = f"{self.name}/labels/{parcel.tracking_number}.pdf"
                label["labelUrl"] = f"{caller.base_url}{path}"
            else:
                document = NO_DOCUMENT if spoilt else _document(order, index)
                label["labelBase64"] = base64.b64encode(document).decode()
            labels.append(label)
        return _ok({"labels": labels})

    async def _label_file(self, request: Request) -> Response:
        order, index = self._by_service.get(request.path_params["number"], (None, 0))
        if order is None:
            return Response("Not Found", 404, media_type="text/plain")
        return Response(_document(order, index), media_type="application/pdf")

    async def _refund(self, caller: _Caller, body: JsonObject) -> Response:
        order = self._owned(caller.app_id, wire.required(body, "orderNumber"))
        order.entry.refund(self._world.clock.now())
        return _ok({"orderNumber": order.entry.order_number})

    async def _tracking(self, caller: _Caller, body: JsonObject) -> Response:
        numbers = wire.read_service_numbers(body)
        return _ok({"tracks": [self._track(caller.app_id, number) for number in numbers]})

    # What the calls use.

    def _owned(self, app_id: str, number: str) -> Order:
        return _known(self._by_number.get(number), app_id, number)

    def _enter(self, app_id: str, request: wire.OrderRequest, words: Steering) -> Order:
        """Commit: give the order its numbers and hold the money."""
        price = Price.of(request.shipment)
        entry = Entry(
            order_number=self._numbers.order(),
            reference=request.reference,
            account=app_id,
            price=price.total,
            parcels=self._numbers.parcels(request.shipment.boxes),
            committed_at=self._world.clock.now(),
            callback_url=request.callback_url,
        )
        order = Order(entry, request, price, words, words.number("PENDING"))
        self._world.ledger.book(self.name).orders.append(entry)
        self._by_number[entry.order_number] = order
        self._by_reference[app_id, entry.reference] = order
        for index, parcel in enumerate(entry.parcels):
            self._by_service[parcel.tracking_number] = (order, index)
        return order

    async def _process(self, order: Order) -> None:
        await self._world.clock.sleep(self._world.settings.processing_seconds)
        if order.pending:
            await order.released.wait()
        self._finish(order)
        if callback := self._callback(order):
            await self._world.callbacks.deliver(callback)

    def _finish(self, order: Order) -> None:
        now = self._world.clock.now()
        result = order.words.result()
        if order.entry.refunded_at:
            order.entry.fail("订单已退款: refunded before it was finished", now)
        elif result and not _passing(result[0]):
            order.failure_code = int(result[0])
            order.entry.fail(f"LSO refused the order (SBX-RESULT-{result[0]})", now)
        elif order.words.has("FAIL") or order.words.has("LIAR"):
            order.entry.fail("LSO refused the order: address not serviceable (SBX-FAIL)", now)
        else:
            order.entry.complete(now)

    def _callback(self, order: Order) -> Callback | None:
        url = order.entry.callback_url
        if url is None or order.words.has("NOCALLBACK"):
            return None
        body = order.success() if order.words.has("LIAR") else order.outcome()
        return Callback(
            carrier=self.name,
            order_number=order.entry.order_number,
            reference=order.entry.reference,
            url=url,
            content=json.dumps(body, ensure_ascii=False).encode(),
            attempts=_CALLBACK_ATTEMPTS,
            accepted=_accepted,
        )

    def _steered_result(self, order: Order, token: str) -> Response | None:
        """Return the answer that SBX-RESULT asks for in place of the true one."""
        steered = order.words.result()
        if steered is None or not _passing(steered[0]):
            return None
        answer, times = steered
        reference = order.entry.reference
        if not self._world.tally.among_first(times, self.name, "RESULT", reference):
            return None
        if answer == "HTML":
            return bad_gateway()
        if answer == str(Code.UNAUTHORIZED):
            self._tokens.pop(token, None)
            return self.unauthorized()
        refusal = self.refusal(int(answer), f"steered by SBX-RESULT-{answer}")
        if len(answer) == 3 and answer.startswith("5"):
            refusal.status_code = int(answer)
        return refusal

    def _track(self, app_id: str, number: str) -> JsonObject:
        order, _ = self._by_service.get(number, (None, 0))
        known = order is not None and order.entry.account == app_id
        events = tracking.told(order, number, self._time()) if order and known else []
        return {"serviceNumber": number, "events": events}

    def _time(self) -> tracking.Time:
        return self._world.clock.now(), self._world.settings.acceleration


def _ok(data: JsonObject) -> Response:
    return JSONResponse({"code": Code.OK, "data": data, "err": "", "msg": "数据请求成功!"})


def _known(order: Order | None, app_id: str, name: str) -> Order:
    if order is None or order.entry.account != app_id:
        raise RefusedError(Code.NOT_FOUND, f"订单不存在: no order {name}")
    return order


def _document(order: Order, index: int) -> bytes:
    return NO_DOCUMENT if order.words.has("BADLABEL") else order.label(index).pdf()


def _passing(result: str) -> bool:
    """Return whether this answer says nothing about the order itself."""
    return result in _PASSING_RESULTS or (len(result) == 3 and result.startswith("5"))


def _accepted(response: httpx.Response) -> bool:
    """HTTP 200 with code 200 in the body (assumed)."""
    try:
        body: Any = response.json()
    except ValueError:
        return False
    return response.status_code == 200 and isinstance(body, dict) and body.get("code") == 200

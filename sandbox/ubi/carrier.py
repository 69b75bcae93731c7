"""eTower's calls."""

import base64
import hmac
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.controls.ledger import Entry, Parcel
from sandbox.parcels.labels import NO_DOCUMENT
from sandbox.parcels.routes import Stage, story
from sandbox.parcels.steering import Steering
from sandbox.ubi import tracking, wire
from sandbox.ubi.labels import FORMATS, RESOLUTIONS, SIZES, pdf
from sandbox.ubi.orders import Numbers, Order, Piece, State, refused
from sandbox.ubi.wire import JsonObject, RefusedError, Wrong
from sandbox.wire.calls import Call, Handler, created
from sandbox.world import World

_SHIPPER = "/services/shipper"
_CLOCK_WINDOW = timedelta(minutes=15)
_SERVICES = {
    "UBI.AU2AU.AUPOST.1": "Australia Post",
    "UBI.CA2CA.PUROLATOR": "Purolator",
    "UBI.CN2AU.AUPOST": "China to Australia, Australia Post",
}
_HOLD, _RELEASE = 1, 2

_Act = Callable[[str, Request], Awaitable[Response]]


class Ubi:
    """UBI through eTower."""

    name = "ubi"

    def __init__(self, world: World) -> None:
        self._world = world
        self._secrets = {
            login["token"]: login["secret"] for login in world.settings.accounts.get(self.name, {}).values()
        }
        self._numbers = Numbers()
        self._forget()
        self.calls = (
            self._call("orders", "POST", "/orders", self._create, outage=True),
            self._call("queryorders", "POST", "/queryorders", self._query, outage=True),
            self._call("labels", "POST", "/labels", self._labels),
            self._call("trackingEvents", "POST", "/trackingEvents", self._track),
            self._call("manifests", "POST", "/manifests", self._close),
            self._call("delete", "DELETE", "/order/{number:path}", self._delete),
            self._call("hold", "POST", "/hold", self._hold),
            self._call("update", "POST", "/update-order", self._update),
            self._call("serviceCatalog", "GET", "/service-catalog", self._catalogue),
        )

    def let_in(self, _: str, login: Any) -> None:
        """Open an account."""
        self._secrets[login["token"]] = login["secret"]

    def reset(self) -> None:
        """Forget every order."""
        self._forget()

    def truth(self) -> list[JsonObject]:
        """Return what really happened to every parcel."""
        parcels = {
            piece.tracking_number: (order, piece)
            for order, _ in self._found.values()
            for piece in order.parcels
        }
        return [
            story(number, piece.reference, tracking.happened(order, piece, self._time()))
            for number, (order, piece) in parcels.items()
        ]

    def _forget(self) -> None:
        self._found: dict[tuple[str, str], tuple[Order, Piece]] = {}

    def refusal(self, code: int, message: str) -> Response:
        """Answer that the request as a whole has failed."""
        return JSONResponse(_envelope([], "Failed", [Wrong(code, message)]))

    def unauthorized(self) -> Response:
        """Answer a wrong signature, or a wrong clock."""
        errors = [Wrong(wire.UNAUTHORIZED, "authentication failed")]
        return JSONResponse(_envelope([], "Failed", errors), 401)

    # What every call goes through.

    def _call(self, name: str, method: str, path: str, act: _Act, *, outage: bool = False) -> Call:
        return Call(name, method, f"{_SHIPPER}{path}", self._signed(act), self._references, outage)

    def _signed(self, act: _Act) -> Handler:
        async def handle(request: Request) -> Response:
            token = self._signer(request)
            if token is None:
                return self.unauthorized()
            try:
                return await act(token, request)
            except RefusedError as error:
                return self.refusal(error.code, error.message)

        return handle

    def _signer(self, request: Request) -> str | None:
        """Find the login whose signature the request has, made within 15 minutes of now."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        token, _, signature = credentials.partition(":")
        date = request.headers.get("x-walltech-date", "")
        if scheme != "WallTech" or token not in self._secrets or not wire.DATE.fullmatch(date):
            return None
        text = f"{request.method}\n{date}\n{_called(request)}".encode()
        made = base64.b64encode(hmac.digest(self._secrets[token].encode(), text, "sha1")).decode()
        if not hmac.compare_digest(made.encode(), signature.encode()):
            return None
        # The client uses real time, not the clock that a test moves.
        try:
            skew = abs(datetime.now(UTC) - parsedate_to_datetime(date))
        except ValueError:
            return None
        return token if skew <= _CLOCK_WINDOW else None

    async def _references(self, request: Request) -> frozenset[str]:
        if number := request.path_params.get("number"):
            named: Any = [number]
        else:
            try:
                named = wire.read_json(await request.body())
            except RefusedError:
                return frozenset()
        if isinstance(named, dict):
            named = named.get("orderIds") or named.get("masterIds") or [named]
        found = set()
        for one in named if isinstance(named, list) else []:
            if isinstance(one, dict):
                found.add(wire.reference_of(one))
            elif isinstance(one, str):
                orders = [
                    self._found[token, one][0] for token in self._secrets if (token, one) in self._found
                ]
                found |= {order.entry.reference for order in orders} or {one}
        return frozenset(found - {""})

    # The calls.

    async def _create(self, token: str, request: Request) -> Response:
        orders = wire.read_orders(await request.body())
        data = [self._enter(token, order) for order in orders]
        words = Steering(" ".join(entry["referenceNo"] for entry in data if entry["orderId"]))
        return await created(words, self._world.clock, JSONResponse(_envelope(data, _status(data))))

    async def _query(self, token: str, request: Request) -> Response:
        data = []
        for number in wire.read_numbers(await request.body()):
            order, _ = self._found.get((token, number), (None, None))
            if order is None:
                data.append({**refused(number, [_unknown(number).told()]), "order": None})
            else:
                data.append({"status": "Success", "errors": None, "order": order.told()})
        return JSONResponse(_envelope(data, _status(data)))

    async def _labels(self, token: str, request: Request) -> Response:
        body = _object(wire.read_json(await request.body()))
        label_type, kind = body.get("labelType", 0), str(body.get("labelFormat") or "PDF").upper()
        dpi, merged = body.get("dpi") or 300, bool(body.get("merged"))
        if label_type not in SIZES or kind not in FORMATS or dpi not in RESOLUTIONS:
            raise RefusedError(wire.FORMAT, "labelType, labelFormat or dpi is not one of those there are")
        numbers = body.get("orderIds") or body.get("masterIds")
        if not isinstance(numbers, list) or not all(isinstance(one, str) for one in numbers):
            raise RefusedError(wire.FORMAT, "orderIds or masterIds is wanted")
        if merged and kind == "PDF":
            found = [self._found[token, number] for number in numbers if (token, number) in self._found]
            labels = [order.label_of(piece) for order, one in found for piece in _printed(order, one)]
            if not labels:
                raise RefusedError(wire.UNKNOWN_ORDER, "order does not exist")
            return JSONResponse(_envelope([_labelled([pdf(labels, label_type)], None)], "Success"))
        data = [self._label(token, number, kind, label_type, dpi) for number in numbers]
        return JSONResponse(_envelope(data, _status(data)))

    def _label(self, token: str, number: str, kind: str, label_type: int, dpi: int) -> JsonObject:
        order, piece = self._found.get((token, number), (None, None))
        if order is None or piece is None or not order.living:
            return {**_labelled([], None), "status": "Failed", "errors": [_unknown(number).told()]}
        words, tally, reference = order.words, self._world.tally, order.entry.reference
        if tally.among_first(words.number("NOLABEL"), self.name, "NOLABEL", reference, number):
            return _labelled([], piece)
        spoilt = tally.among_first(words.number("SPOILT"), self.name, "SPOILT", reference, number)
        if spoilt or words.has("BADLABEL"):
            return _labelled([NO_DOCUMENT], piece)
        labels = [order.label_of(one) for one in _printed(order, piece)]
        return _labelled([label.document(kind, label_type, dpi) for label in labels], piece)

    async def _track(self, token: str, request: Request) -> Response:
        numbers = wire.read_json(await request.body())
        if not isinstance(numbers, list) or not numbers:
            raise RefusedError(wire.TRACKING_EMPTY, "parameter is null")
        if len(numbers) > wire.MAX_TRACKED:
            raise RefusedError(wire.TRACKING_TOO_MANY, f"at most {wire.MAX_TRACKED} numbers")
        data = []
        for number in numbers:
            order, piece = self._found.get((token, str(number)), (None, None))
            events = tracking.told(order, piece, self._time()) if order and piece else []
            wrong = Wrong(wire.NO_EVENTS, f"no event for {number}")
            data.append(
                {
                    "orderId": piece.order_id if piece else None,
                    "status": "Success" if events else "Failure",
                    "errors": None if events else [wrong.told()],
                    "events": events or None,
                }
            )
        return JSONResponse(_envelope(data, _status(data)))

    async def _close(self, token: str, request: Request) -> Response:
        data = []
        for number in wire.read_numbers(await request.body()):
            order, piece = self._found.get((token, number), (None, None))
            if order is None or piece is None or not order.living:
                data.append(refused(number, [_unknown(number).told()]))
            elif order.state is State.CLOSED or piece is not order.master:
                data.append(_not_permitted(order.master, "is closed, or a piece of another order"))
            else:
                order.state = State.CLOSED
                data.append(_done(order.master))
        return JSONResponse(_envelope(data, _status(data)))

    async def _delete(self, token: str, request: Request) -> Response:
        number = request.path_params["number"]
        order, piece = self._found.get((token, number), (None, None))
        if order is None or piece is None or not order.living:
            return self.refusal(wire.UNKNOWN_ORDER, f"order {number} does not exist")
        if order.state is State.CLOSED:
            return self.refusal(wire.NOT_DELETABLE, f"order {number} cannot be deleted: it is closed")
        if piece is not order.master:
            return self.refusal(wire.NOT_PERMITTED, f"{number} is a piece: delete its master")
        order.state = State.DELETED
        order.entry.refund(self._world.clock.now())
        return JSONResponse(_envelope([_done(order.master)], "Success"))

    async def _hold(self, token: str, request: Request) -> Response:
        body = _object(wire.read_json(await request.body()))
        numbers = body.get("orderIds")
        if not isinstance(numbers, list) or not 0 < len(numbers) <= wire.MAX_ORDERS:
            raise RefusedError(wire.FORMAT, f"1 to {wire.MAX_ORDERS} orderIds are wanted")
        if body.get("holdType") != _HOLD:
            raise RefusedError(wire.NOT_PERMITTED, "holdType 1 is wanted; 2 is not enabled")
        data = []
        for number in numbers:
            order, _ = self._found.get((token, str(number)), (None, None))
            if order is None or not order.living:
                data.append(refused(str(number), [_unknown(number).told()]))
            elif order.state is State.CLOSED or self._handled(order):
                data.append(_not_permitted(order.master, "is closed or on its way"))
            else:
                order.state = State.HELD
                data.append(_done(order.master))
        return JSONResponse(_envelope(data, _status(data)))

    async def _update(self, token: str, request: Request) -> Response:
        body = wire.read_json(await request.body())
        wanted = _object(body[0] if isinstance(body, list) and len(body) == 1 else body)
        number = str(wanted.get("orderId") or "")
        order, piece = self._found.get((token, number), (None, None))
        if order is None or piece is not order.master or not order.living:
            return self.refusal(wire.UNKNOWN_ORDER, f"order {number} does not exist")
        if order.state is State.CLOSED:
            return self.refusal(wire.NOT_PERMITTED, f"order {number} is closed and cannot change")
        wanted_pieces = wanted.get("pieces") or []
        known = {one.order_id: one for one in order.pieces}
        wrongs = wire.wrongs_of_order(wanted)
        for one in wanted_pieces:
            wrongs += wire.wrongs_of_order(one)
        if {str(one.get("orderId")) for one in wanted_pieces} != {*known}:
            wrongs.append(Wrong(400004, "the pieces are not those of the order"))
        if wanted.get("referenceNo") != order.master.reference:
            wrongs.append(Wrong(110001, "referenceNo cannot change"))
        if wrongs:
            data = [refused(order.master.reference, [wrong.told() for wrong in wrongs])]
            return JSONResponse(_envelope(data, "Failed"))
        order.master.fields = wanted
        for one in wanted_pieces:
            known[one["orderId"]].fields = one
        return JSONResponse(_envelope([order.created()], "Success"))

    async def _catalogue(self, _: str, __: Request) -> Response:
        data = [
            {"serviceCode": code, "serviceName": name, "nativeName": name, "serviceOptions": []}
            for code, name in _SERVICES.items()
        ]
        return JSONResponse(_envelope(data, "Success"))

    # What the calls use.

    def _enter(self, token: str, entry: Any) -> JsonObject:
        """Accept one order, or those of its pieces that can be accepted."""
        reference = wire.reference_of(entry)
        words = Steering(reference)
        wrongs = wire.wrongs_of_order(entry)
        if words.has("REJECT"):
            wrongs.append(Wrong(120023, "国家与服务类型不匹配: the service does not go to this country"))
        if not wrongs and self._taken(token, reference):
            wrongs.append(Wrong(wire.DUPLICATE, f"referenceNo {reference} is a duplicate"))
        if wrongs:
            return {**refused(reference, [wrong.told() for wrong in wrongs]), "piecesResult": []}
        wanted_pieces = entry.get("pieces") or []
        seen = {reference}
        results = []
        for one in wanted_pieces:
            wrongs = self._wrongs_of_piece(token, one, entry, seen)
            seen.add(wire.reference_of(one))
            results.append((one, [wrong.told() for wrong in wrongs]))
        good = [one for one, errors in results if not errors]
        if wanted_pieces and not good:
            pieces = [refused(wire.reference_of(one), errors) for one, errors in results]
            return {**refused(reference, []), "piecesResult": pieces}
        order = self._take(token, entry, good, words)
        answer = order.created()
        if len(good) < len(wanted_pieces):
            taken = {one["referenceNo"]: one for one in answer["piecesResult"]}
            answer["piecesResult"] = [
                refused(wire.reference_of(one), errors) if errors else taken[wire.reference_of(one)]
                for one, errors in results
            ]
            answer["status"] = "Partial Success"
        return answer

    def _wrongs_of_piece(self, token: str, piece: Any, master: JsonObject, seen: set[str]) -> list[Wrong]:
        wrongs = wire.wrongs_of_order(piece)
        if wrongs:
            return wrongs
        reference = wire.reference_of(piece)
        if Steering(reference).has("REJECT"):
            wrongs.append(Wrong(130004, "包裹总重量超过最大限制: too heavy for the service"))
        if reference in seen or self._taken(token, reference):
            wrongs.append(Wrong(wire.DUPLICATE, f"referenceNo {reference} is a duplicate"))
        if piece["recipientName"] != master["recipientName"]:
            wrongs.append(Wrong(400001, "pieces of several recipients"))
        if piece["addressLine1"] != master["addressLine1"]:
            wrongs.append(Wrong(400002, "pieces to several addresses"))
        return wrongs

    def _taken(self, token: str, reference: str) -> bool:
        order, _ = self._found.get((token, reference), (None, None))
        return order is not None and order.living

    def _take(self, token: str, asked: JsonObject, pieces: Sequence[JsonObject], words: Steering) -> Order:
        now = self._world.clock.now()
        master = self._number(asked)
        parts = [self._number(piece) for piece in pieces]
        entry = Entry(
            order_number=master.order_id,
            reference=master.reference,
            account=token,
            price=Decimal(0),
            parcels=tuple(
                Parcel(one.tracking_number, master.tracking_number, one.reference)
                for one in parts or [master]
            ),
            committed_at=now,
        )
        entry.complete(now)
        order = Order(entry, master, parts, words, now)
        self._world.ledger.book(self.name).orders.append(entry)
        for piece in (master, *parts):
            for number in (piece.order_id, piece.tracking_number, piece.reference):
                self._found[token, number] = (order, piece)
        return order

    def _number(self, fields: JsonObject) -> Piece:
        given = fields.get("trackingNo")
        number = given if isinstance(given, str) and given else self._numbers.tracking_number()
        return Piece(self._numbers.order_id(), number, fields)

    def _handled(self, order: Order) -> bool:
        """Return whether it has an operation history, so that it cannot be held."""
        return any(
            event.stage is not Stage.LABEL_CREATED
            for piece in order.parcels
            for event, _ in tracking.happened(order, piece, self._time())
        )

    def _time(self) -> tracking.Time:
        return self._world.clock.now(), self._world.settings.acceleration


def _called(request: Request) -> str:
    """Return the address exactly as the client called and signed it."""
    path = request.scope.get("raw_path", request.url.path.encode()).decode("ascii").partition("?")[0]
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.url.scheme}://{request.headers['host']}{path}{query}"


def _printed(order: Order, piece: Piece) -> list[Piece]:
    """Return the parcels whose labels a number stands for: a master stands for its pieces."""
    return order.parcels if piece is order.master else [piece]


def _labelled(documents: Sequence[bytes], piece: Piece | None) -> JsonObject:
    contents = [base64.b64encode(document).decode() for document in documents]
    return {
        "status": "Success",
        "errors": None,
        "orderId": piece.order_id if piece else None,
        "trackingNo": piece.tracking_number if piece else None,
        "labelContent": contents[0] if contents else None,
        "labelContents": contents if len(contents) > 1 else None,
        "lastMileCarrier": None,
    }


def _done(piece: Piece) -> JsonObject:
    return {
        "status": "Success",
        "errors": None,
        "orderId": piece.order_id,
        "referenceNo": piece.reference,
        "trackingNo": piece.tracking_number,
    }


def _not_permitted(piece: Piece, why: str) -> JsonObject:
    wrong = Wrong(wire.NOT_PERMITTED, f"not permitted: order {piece.reference} {why}")
    return {**_done(piece), "status": "Failed", "errors": [wrong.told()]}


def _unknown(number: object) -> Wrong:
    return Wrong(wire.UNKNOWN_ORDER, f"order {number} does not exist")


def _object(value: Any) -> JsonObject:
    if not isinstance(value, dict):
        raise RefusedError(wire.FORMAT, "data format: an object is wanted")
    return value


def _status(data: Sequence[JsonObject]) -> str:
    """Summarize the entries in one of the three words of the given document."""
    words = {entry["status"] for entry in data}
    if words == {"Success"}:
        return "Success"
    return "Failed" if words <= {"Failed", "Failure"} else "Partial Success"


def _envelope(data: Sequence[JsonObject], status: str, errors: Sequence[Wrong] = ()) -> JsonObject:
    return {
        "status": status,
        "errors": [error.told() for error in errors] or None,
        "data": [*data] or None,
        "warnings": None,
    }

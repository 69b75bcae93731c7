"""TrackingMore's calls."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.parcels.steering import Steering
from sandbox.trackingmore import lookups, wire
from sandbox.trackingmore.couriers import COURIERS, Courier, detected
from sandbox.trackingmore.limits import Limits
from sandbox.trackingmore.parcels import Parcel, steering
from sandbox.trackingmore.pushes import Pushes
from sandbox.trackingmore.wire import STATUSES, Amended, Code, JsonObject, RefusedError, Wanted, answer
from sandbox.wire.calls import Call, created
from sandbox.world import World

_PREFIXES = ("/v2", "")
"""The beginnings of all paths: the version's prefix, as in reality, or nothing."""
_USUAL_QUOTA = 1_000_000
_LISTED, _MOST_LISTED = 100, 2000
_LISTS_A_SECOND, _REALTIMES_A_SECOND = 1, 3
_BETWEEN_REALTIMES = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Login:
    """An account: its name in the settings, its key, and the e-mail address that signs webhooks."""

    name: str
    api_key: str
    email: str
    quota: int


_Act = Callable[[Login, Request], Awaitable[Response]]


class TrackingMore:
    """TrackingMore, as of version 2 of its API."""

    name = "trackingmore"

    def __init__(self, world: World) -> None:
        self._world = world
        self._logins: dict[str, Login] = {}
        self._accounts: dict[str, Login] = {}
        self._emails: dict[str, str] = {}
        for name, login in world.settings.accounts.get(self.name, {}).items():
            self.let_in(name, login)
        self._pushes = Pushes(world, self.name, self._emails)
        self._opened = world.clock.now()
        self._forget()
        self.calls = tuple(call for prefix in _PREFIXES for call in self._all(prefix))

    def _all(self, prefix: str) -> Iterable[Call]:
        trackings = f"{prefix}/trackings"
        one = f"{trackings}/{{carrier_code}}/{{tracking_number}}"
        return (
            self._call("post", "POST", f"{trackings}/post", self._post, outage=True),
            self._call("batch", "POST", f"{trackings}/batch", self._batch, outage=True),
            self._call("get", "GET", f"{trackings}/get", self._get),
            self._call("updatemore", "POST", f"{trackings}/updatemore", self._updatemore),
            self._call("delete", "POST", f"{trackings}/delete", self._delete),
            self._call("realtime", "POST", f"{trackings}/realtime", self._realtime),
            self._call("update", "POST", f"{trackings}/update", self._update),
            self._call("getuserinfo", "GET", f"{trackings}/getuserinfo", self._getuserinfo),
            self._call("getstatusnumber", "GET", f"{trackings}/getstatusnumber", self._getstatusnumber),
            self._call("notupdate", "POST", f"{trackings}/notupdate", self._notupdate),
            self._call("remote", "POST", f"{trackings}/remote", self._remote),
            self._call("costtime", "POST", f"{trackings}/costtime", self._costtime),
            self._call("aircargo", "POST", f"{trackings}/aircargo", self._aircargo),
            self._call("getOne", "GET", one, self._get_one, outage=True),
            self._call("getOne", "GET", f"{one}/{{lang}}", self._get_one, outage=True),
            self._call("putOne", "PUT", one, self._put_one),
            self._call("deleteOne", "DELETE", one, self._delete_one),
            self._call("carriers", "GET", f"{prefix}/carriers", self._carriers),
            self._call("detect", "POST", f"{prefix}/carriers/detect", self._detect),
        )

    def let_in(self, account: str, login: Any) -> None:
        """Open an account."""
        opened = Login(account, login["api_key"], login["email"], int(login.get("quota", _USUAL_QUOTA)))
        self._logins[opened.api_key] = self._accounts[account] = opened
        self._emails[account] = opened.email

    def reset(self) -> None:
        """Forget every parcel."""
        self._forget()

    def _forget(self) -> None:
        self._limits = Limits()
        self._parcels: defaultdict[str, list[Parcel]] = defaultdict(list)
        self._by_number: defaultdict[tuple[str, str], list[Parcel]] = defaultdict(list)
        self._began: dict[str, datetime] = {}
        self._asked_at: dict[tuple[str, str, str], datetime] = {}
        self._spent: Counter[str] = Counter()

    def refusal(self, code: int, message: str) -> Response:
        """Return a refusal."""
        return answer([], code, message)

    def unauthorized(self) -> Response:
        """Refuse a key."""
        return answer([], Code.BAD_KEY)

    def truth(self) -> list[JsonObject]:
        """Return what really happened to every parcel that is followed."""
        now = self._world.clock.now()
        return [parcel.truth(now) for parcels in self._parcels.values() for parcel in parcels]

    def enter(self, account: str, parcels: Any) -> None:
        """Make an account follow parcels before any call.

        Raises
        ------
        ValueError
            There is no such account, or the body is no array of parcels that can be followed.
        """
        if account not in self._accounts or not isinstance(parcels, list):
            raise ValueError(f"parcels of an account of {self.name} are wanted, {account!r} is none")
        try:
            for fields in parcels:
                self._follow(self._accounts[account], wire.read_wanted(fields))
        except (RefusedError, AttributeError) as error:
            raise ValueError(f"not to be followed: {error}") from error

    # What every call goes through.

    def _call(self, name: str, method: str, path: str, act: _Act, *, outage: bool = False) -> Call:
        async def handle(request: Request) -> Response:
            login = self._login(request)
            if login is None:
                return self.unauthorized()
            try:
                return await act(login, request)
            except RefusedError as refused:
                return answer([], refused.code, refused.message)

        return Call(name, method, path, handle, self._references, outage)

    def _login(self, request: Request) -> Login | None:
        return self._logins.get(request.headers.get("trackingmore-api-key", ""))

    async def _references(self, request: Request) -> frozenset[str]:
        """Find the parcels of a request: their numbers, and the orders and titles with steering words."""
        login = self._login(request)
        found: set[str] = set()
        for fields in [dict(request.path_params), *await _bodies(request), *_queried(request)]:
            for name in ("tracking_number", "order_id"):
                if isinstance(value := fields.get(name), str) and value:
                    found.add(value)
            if isinstance(title := fields.get("title"), str) and "SBX-" in title:
                found.add(title)
            if login and isinstance(number := fields.get("tracking_number"), str):
                found |= {parcel.reference for parcel in self._by_number.get((login.name, number), ())}
        return frozenset(found)

    # Following.

    def _follow(self, login: Login, request: Wanted) -> Parcel:
        """Follow a parcel, unless it is followed already or cannot be."""
        now = self._world.clock.now()
        if self._followed(login, request.number, request.courier, now):
            raise RefusedError(Code.EXISTS)
        if steering(request.number, request.fields).has("REJECT"):
            raise RefusedError(Code.BAD_NUMBER)
        if self._spent[login.name] >= login.quota:
            raise RefusedError(Code.NO_QUOTA)
        self._spent[login.name] += 1
        began = self._began.setdefault(request.number, now)
        settings = self._world.settings
        moment = timedelta(seconds=settings.processing_seconds)
        parcel = Parcel.of(request, login.name, began, now, moment, settings.acceleration)
        self._parcels[login.name].append(parcel)
        self._by_number[login.name, parcel.number].append(parcel)
        self._world.tasks.spawn(self._pushes.follow(parcel))
        return parcel

    def _followed(self, login: Login, number: str, courier: Courier, now: datetime) -> Parcel | None:
        """Find a parcel by its number and a courier, or the courier with which it was entered."""
        return next(
            (
                parcel
                for parcel in self._by_number.get((login.name, number), ())
                if courier in {parcel.courier(now), parcel.named}
            ),
            None,
        )

    def _known(self, login: Login, fields: Mapping[str, Any]) -> Parcel:
        """Find a followed parcel by its number and the courier it is followed with."""
        number = wire.read_number(fields)
        now = self._world.clock.now()
        for parcel in self._by_number.get((login.name, number), ()):
            if parcel.courier(now).code == fields.get("carrier_code"):
                return parcel
        raise RefusedError(Code.UNKNOWN)

    async def _post(self, login: Login, request: Request) -> Response:
        parcel = self._follow(login, wire.read_wanted(await wire.object_of(request)))
        told = answer(parcel.posted(self._world.clock.now()))
        return await created(parcel.words, self._world.clock, told)

    async def _batch(self, login: Login, request: Request) -> Response:
        several = await wire.objects_of(request)
        added: list[Parcel] = []
        errors: list[JsonObject] = []
        for fields in several:
            try:
                added.append(self._follow(login, wire.read_wanted(fields)))
            except RefusedError as refused:
                errors.append(_error(fields, refused))
        now = self._world.clock.now()
        data: JsonObject = {
            "submitted": len(several),
            "added": len(added),
            "trackings": [parcel.entered(now) for parcel in added],
        }
        told = answer({**data, "errors": errors}, Code.CREATED) if errors else answer(data)
        words = Steering(" ".join(word for parcel in added for word in _words(parcel)))
        return await created(words, self._world.clock, told)

    # Asking.

    def _served(self, login: Login) -> None:
        """Refuse an account whose quota is used up: it may delete parcels, but not ask about them."""
        if self._spent[login.name] >= login.quota:
            raise RefusedError(Code.NO_QUOTA)

    async def _get_one(self, login: Login, request: Request) -> Response:
        self._served(login)
        return answer(self._known(login, request.path_params).item(self._world.clock.now()))

    async def _get(self, login: Login, request: Request) -> Response:
        self._served(login)
        self._pace(login, "get", _LISTS_A_SECOND)
        query = request.query_params
        page = wire.number(query, "page", 1, 10**6)
        limit = wire.number(query, "limit", _LISTED, _MOST_LISTED)
        numbers, orders = wire.several(query, "numbers"), wire.several(query, "orders")
        status, archived = query.get("status", ""), query.get("archived", "")
        if status and status not in STATUSES:
            raise RefusedError(Code.BAD_STATUS)
        now = self._world.clock.now()
        updated = wire.span(query, "update_time")
        found = [
            parcel
            for parcel in self._listed(login, query, numbers)
            if (orders is None or parcel.fields.get("order_id") in orders)
            and (not status or parcel.standing(now)[0] == status)
            and (archived not in ("true", "false") or parcel.archived == (archived == "true"))
            and updated.has(parcel.updated_at(now))
        ]
        items = [parcel.item(now) for parcel in found[(page - 1) * limit : page * limit]]
        data = {"page": page, "limit": limit, "total": str(len(found)), "count": len(items), "items": items}
        # An account that never followed anything gets an error: post first, then get (4031, public).
        return answer(data) if self._spent[login.name] else answer(data, Code.EMPTY)

    def _listed(
        self, login: Login, query: Mapping[str, str], numbers: Iterable[str] | None = None
    ) -> list[Parcel]:
        """Choose an account's parcels by number and by when they were entered and ordered, newest first."""
        entered, ordered = wire.span(query, "created_at"), wire.span(query, "order_created_time")
        parcels = (
            self._parcels[login.name]
            if numbers is None
            else [parcel for number in numbers for parcel in self._by_number.get((login.name, number), ())]
        )
        chosen = [
            parcel
            for parcel in parcels
            if entered.has(parcel.created_at) and ordered.has(_ordered_at(parcel))
        ]
        return sorted(chosen, key=lambda parcel: parcel.created_at, reverse=True)

    async def _realtime(self, login: Login, request: Request) -> Response:
        self._served(login)
        wanted = wire.read_wanted(await wire.object_of(request))
        self._pace(login, "realtime", _REALTIMES_A_SECOND)
        now = self._world.clock.now()
        key = (login.name, wanted.courier.code, wanted.number)
        asked_at = self._asked_at.get(key)
        if asked_at and now - asked_at < _BETWEEN_REALTIMES:
            raise RefusedError(Code.TOO_MANY)
        self._asked_at[key] = now
        parcel = self._followed(login, wanted.number, wanted.courier, now)
        if parcel is None:
            began = self._began.setdefault(wanted.number, now)
            acceleration = self._world.settings.acceleration
            parcel = Parcel.of(wanted, login.name, began, now, timedelta(0), acceleration)
        parcel.looked_at = min(parcel.looked_at, now)
        return answer({"items": [parcel.item(now)]})

    def _pace(self, login: Login, call: str, a_second: int) -> None:
        if not self._limits.allows(login.name, call, a_second, self._world.clock.unstopped()):
            raise RefusedError(Code.TOO_MANY)

    async def _getuserinfo(self, login: Login, _: Request) -> Response:
        left = login.quota - self._spent[login.name]
        opened = f"{self._opened.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        return answer(
            {"email": login.email, "regtime": opened, "phone": "", "money": "0.00", "track_number": left}
        )

    async def _getstatusnumber(self, login: Login, request: Request) -> Response:
        now = self._world.clock.now()
        counts = Counter(parcel.standing(now)[0] for parcel in self._listed(login, request.query_params))
        return answer({status: counts[status] for status in STATUSES})

    # Changing.

    async def _put_one(self, login: Login, request: Request) -> Response:
        self._served(login)
        amended = wire.read_amended(await wire.changes_of(request))
        return answer(self._amend(self._known(login, request.path_params), amended))

    async def _updatemore(self, login: Login, request: Request) -> Response:
        def change(fields: JsonObject) -> JsonObject:
            parcel = self._known(login, fields)
            return self._amend(parcel, wire.read_amended(fields))

        return _each(await wire.objects_of(request), "change", change)

    def _amend(self, parcel: Parcel, amended: Amended) -> JsonObject:
        parcel.fields.update(amended.fields)
        if amended.archived is not None:
            parcel.archived = amended.archived
        if amended.status is not None:
            parcel.set_by_hand(amended.status)
        return parcel.amended(self._world.clock.now())

    async def _update(self, login: Login, request: Request) -> Response:
        """Follow a parcel with another courier; its journey does not change."""
        fields = await wire.object_of(request)
        parcel = self._known(login, fields)
        now = self._world.clock.now()
        _, courier = wire.read_waybill({**fields, "carrier_code": fields.get("update_carrier_code")})
        if self._followed(login, parcel.number, courier, now) not in (None, parcel):
            raise RefusedError(Code.EXISTS)
        parcel.named = parcel.owner = courier
        return answer({"Usertag": "", "tracking_number": parcel.number, "carrier_code": courier.code})

    async def _delete_one(self, login: Login, request: Request) -> Response:
        self._drop(login, self._known(login, request.path_params))
        return answer([])

    async def _delete(self, login: Login, request: Request) -> Response:
        def drop(fields: JsonObject) -> JsonObject:
            parcel = self._known(login, fields)
            self._drop(login, parcel)
            return _pair(parcel, self._world.clock.now())

        return _each(await wire.objects_of(request), "deleted", drop)

    def _drop(self, login: Login, parcel: Parcel) -> None:
        parcel.gone = True
        self._parcels[login.name].remove(parcel)
        self._by_number[login.name, parcel.number].remove(parcel)

    async def _notupdate(self, login: Login, request: Request) -> Response:
        def stop(fields: JsonObject) -> JsonObject:
            parcel, now = self._known(login, fields), self._world.clock.now()
            parcel.stopped_at = parcel.stopped_at or now
            return _pair(parcel, now)

        return _each(await wire.objects_of(request), "change", stop)

    # Questions about no parcel.

    async def _remote(self, _: Login, request: Request) -> Response:
        return answer(lookups.remote(await wire.objects_of(request)))

    async def _costtime(self, _: Login, request: Request) -> Response:
        return answer([lookups.cost_time(route) for route in await wire.objects_of(request)])

    async def _aircargo(self, _: Login, request: Request) -> Response:
        numbers = lookups.air_waybills((await wire.object_of(request)).get("track_number"))
        now, acceleration = self._world.clock.now(), self._world.settings.acceleration
        return answer(
            [lookups.flown(one, self._began.setdefault(one, now), now, acceleration) for one in numbers]
        )

    async def _carriers(self, _: Login, __: Request) -> Response:
        return answer([courier.told() for courier in COURIERS.values()])

    async def _detect(self, _: Login, request: Request) -> Response:
        number = (await wire.object_of(request)).get("tracking_number")
        if not number:
            raise RefusedError(Code.NUMBER_REQUIRED)
        found = detected(str(number))
        if not found:
            raise RefusedError(Code.UNDETECTED)
        return answer([{"name": courier.name, "code": courier.code} for courier in found])


def _each(several: list[JsonObject], counted: str, act: Callable[[JsonObject], JsonObject]) -> Response:
    """Do something to each of several parcels, and return the result of each."""
    done: list[JsonObject] = []
    errors: list[JsonObject] = []
    for fields in several:
        try:
            done.append(act(fields))
        except RefusedError as refused:
            errors.append(_error(fields, refused))
    data: JsonObject = {"submitted": len(several), counted: len(done), "trackings": done}
    return answer({**data, "errors": errors}, Code.CREATED) if errors else answer(data)


def _error(fields: JsonObject, refused: RefusedError) -> JsonObject:
    return {
        "tracking_number": fields.get("tracking_number"),
        "carrier_code": fields.get("carrier_code"),
        "code": refused.code,
        "message": refused.message,
    }


def _pair(parcel: Parcel, now: datetime) -> JsonObject:
    return {"tracking_number": parcel.number, "carrier_code": parcel.courier(now).code}


def _words(parcel: Parcel) -> list[str]:
    return [str(parcel.fields.get(name) or "") for name in ("order_id", "title")] + [parcel.number]


def _ordered_at(parcel: Parcel) -> datetime | None:
    text = parcel.fields.get("order_create_time")
    return datetime.strptime(text, "%Y/%m/%d %H:%M").replace(tzinfo=UTC) if text else None


async def _bodies(request: Request) -> list[JsonObject]:
    """Read all objects of a request, before they are checked."""
    try:
        body = await wire.body_of(request)
    except RefusedError:
        return []
    return [one for one in (body if isinstance(body, list) else [body]) if isinstance(one, dict)]


def _queried(request: Request) -> list[JsonObject]:
    query = request.query_params
    return [
        *({"tracking_number": number} for number in query.get("numbers", "").split(",")),
        *({"order_id": order} for order in query.get("orders", "").split(",")),
    ]

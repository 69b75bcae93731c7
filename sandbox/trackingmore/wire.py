"""Reads requests to TrackingMore, and lists its codes.

An answer is `meta`, which alone counts, and `data`.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.trackingmore.couriers import COURIERS, Courier

JsonObject = dict[str, Any]

MOST = 40
"""The largest number of parcels in one call."""
_NUMBER = re.compile(r"[A-Za-z0-9-]{5,50}")
_TEXTS = (
    "title",
    "logistics_channel",
    "customer_name",
    "customer_email",
    "customer_phone",
    "order_id",
    "comment",
)
_TEXTS_OF_COURIERS = (
    "tracking_postal_code",
    "tracking_account_number",
    "specialNumberDestination",
    "lang",
)
_AMENDED = tuple(name for name in _TEXTS if name != "comment")


STATUSES = (
    "pending",
    "notfound",
    "transit",
    "pickup",
    "delivered",
    "undelivered",
    "exception",
    "expired",
)
"""The statuses of a parcel, in the service's own words: `pickup` is out for delivery."""


class Code(IntEnum):
    """The codes of v2 that are used here."""

    SUCCESS = 200
    CREATED = 201
    TOO_MANY = 429
    BAD_KEY = 4001
    NOT_UNDERSTOOD = 4012
    NUMBER_REQUIRED = 4013
    BAD_NUMBER = 4014
    BAD_CARRIER = 4015
    EXISTS = 4016
    UNKNOWN = 4017
    TOO_LONG = 4020
    NO_QUOTA = 4021
    EMPTY = 4031
    UNDETECTED = 4032
    BAD_STATUS = 4033


#: Code → type and message. The HTTP status is 200 whatever the code: in v2 it says nothing.
_META: Mapping[int, tuple[str, str]] = {
    Code.SUCCESS: ("Success", "Success"),
    Code.CREATED: ("Created", "The request was successful and a resource was created."),
    Code.TOO_MANY: ("Too Many Requests", "Exceeded API limits. Pause requests, wait two minutes."),
    Code.BAD_KEY: ("Unauthorized", "Invalid API key."),
    Code.NOT_UNDERSTOOD: ("Bad Request", "The request was not understood or misses parameters."),
    Code.NUMBER_REQUIRED: ("Bad Request", "Tracking_number is required."),
    Code.BAD_NUMBER: ("Bad Request", "The value of `tracking_number` is invalid."),
    Code.BAD_CARRIER: ("Bad Request", "The value of `carrier_code` is invalid."),
    Code.EXISTS: ("Bad Request", "Tracking already exists."),
    Code.UNKNOWN: ("Bad Request", "Tracking does not exist."),
    Code.TOO_LONG: ("Bad Request", "Up to 200 at a time"),
    Code.NO_QUOTA: ("Bad Request", "Remaining quota is deficient."),
    Code.EMPTY: ("No Content", "The request was successful but the response is empty."),
    Code.UNDETECTED: ("No Content", "Cannot detect courier."),
    Code.BAD_STATUS: ("No Content", "The value of `package status` is invalid."),
}


class RefusedError(Exception):
    """A refusal of TrackingMore: a code, with its own message or another one."""

    def __init__(self, code: int, message: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message or _META[code][1]


def meta(code: int, message: str | None = None) -> JsonObject:
    """Return the part of an answer that counts."""
    kind, usual = _META.get(code, ("Bad Request", ""))
    return {"code": int(code), "type": kind, "message": message or usual}


def answer(data: Any, code: int = Code.SUCCESS, message: str | None = None) -> Response:
    """Give a whole answer."""
    return JSONResponse({"meta": meta(code, message), "data": data})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A parcel to follow: the values that are stored with it, by the names of its fields."""

    number: str
    courier: Courier
    fields: JsonObject
    auto_correct: bool

    @property
    def destination(self) -> str | None:
        """The destination country, as two capital letters."""
        return self.fields.get("destination_code")


async def body_of(request: Request) -> Any:
    """Read the body of a call, whatever JSON it is."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RefusedError(Code.NOT_UNDERSTOOD, "Content-Type must be application/json")
    try:
        return json.loads(await request.body())
    except ValueError:
        raise RefusedError(Code.NOT_UNDERSTOOD, "the body is not JSON") from None


async def object_of(request: Request) -> JsonObject:
    """Read a body that is an object."""
    body = await body_of(request)
    if not isinstance(body, dict):
        raise RefusedError(Code.NOT_UNDERSTOOD, "an object is wanted")
    return body


async def changes_of(request: Request) -> JsonObject:
    """Read the body of a PUT. Without a body nothing is changed: a public client sends none."""
    return await object_of(request) if await request.body() else {}


async def objects_of(request: Request, most: int = MOST) -> list[JsonObject]:
    """Read a body that is an array of objects, and not too many of them."""
    body = await body_of(request)
    if not isinstance(body, list) or not body or not all(isinstance(one, dict) for one in body):
        raise RefusedError(Code.NOT_UNDERSTOOD, "an array of objects is wanted")
    if len(body) > most:
        raise RefusedError(Code.TOO_LONG)
    return body


def read_number(fields: Mapping[str, Any]) -> str:
    """Read a number, which must be there; its form is not checked."""
    number = fields.get("tracking_number")
    if number is None or number == "":
        raise RefusedError(Code.NUMBER_REQUIRED)
    return str(number)


def read_waybill(fields: JsonObject) -> tuple[str, Courier]:
    """Read a number and a courier; both must be there, and must be possible."""
    read_number(fields)
    number, code = fields["tracking_number"], fields.get("carrier_code")
    if not isinstance(number, str) or not _NUMBER.fullmatch(number):
        raise RefusedError(Code.BAD_NUMBER)
    if not isinstance(code, str) or code not in COURIERS:
        raise RefusedError(Code.BAD_CARRIER)
    return number, COURIERS[code]


def read_wanted(fields: JsonObject) -> Wanted:
    """Read a parcel to be followed."""
    number, courier = read_waybill(fields)
    kept = _texts(fields, _TEXTS) | _destination(fields)
    _texts(fields, _TEXTS_OF_COURIERS)
    _dated(fields, "order_create_time", "%Y/%m/%d %H:%M")
    _dated(fields, "tracking_ship_date", "%Y%m%d")
    kept["order_create_time"] = fields.get("order_create_time")
    correct = fields.get("auto_correct", 0)
    if isinstance(correct, bool) or correct not in (0, 1, "0", "1"):
        raise RefusedError(Code.NOT_UNDERSTOOD, "auto_correct must be 0 or 1")
    # 1 means that the courier is not corrected.
    return Wanted(number, courier, kept, auto_correct=str(correct) == "0")


@dataclass(frozen=True, slots=True)
class Amended:
    """The changes of a parcel; `status` is 4, 7, 8 or None."""

    fields: JsonObject
    archived: bool | None
    status: int | None


def read_amended(fields: JsonObject) -> Amended:
    """Read the changes; fields that are not there stay as they are.

    A whole item is accepted as `get` gives it: with a list of e-mail addresses, a boolean `archived` and its
    status as a word, which changes nothing. Fields that cannot be changed are ignored.
    """
    email = fields.get("customer_email")
    if isinstance(email, list):
        fields = {**fields, "customer_email": email[0] if email else None}
    kept = _texts(fields, _AMENDED) | _destination(fields)
    archived = fields.get("archived")
    if not (archived is None or isinstance(archived, bool) or archived in ("true", "false")):
        raise RefusedError(Code.NOT_UNDERSTOOD, 'archived must be "true" or "false"')
    status = fields.get("status")
    if status in STATUSES:
        status = None
    if status is not None and str(status) not in ("4", "7", "8"):
        raise RefusedError(Code.BAD_STATUS)
    return Amended(
        {name: value for name, value in kept.items() if name in fields},
        None if archived is None else archived in (True, "true"),
        None if status is None else int(status),
    )


def _texts(fields: JsonObject, names: Collection[str]) -> JsonObject:
    for name in names:
        if not isinstance(fields.get(name), str | None):
            raise RefusedError(Code.NOT_UNDERSTOOD, f"{name} must be a string")
    return {name: fields.get(name) for name in names}


def _destination(fields: JsonObject) -> JsonObject:
    code = fields.get("destination_code")
    if code is None or code == "":
        return {}
    if not isinstance(code, str) or not re.fullmatch("[A-Za-z]{2}", code):
        raise RefusedError(Code.NOT_UNDERSTOOD, "destination_code must be the two letters of a country")
    return {"destination_code": code.upper()}


def _dated(fields: JsonObject, name: str, form: str) -> None:
    value = fields.get(name)
    if value is None or value == "":
        return
    try:
        datetime.strptime(str(value), form)
    except ValueError:
        raise RefusedError(Code.NOT_UNDERSTOOD, f"{name} must be as {form}") from None


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time; a missing end leaves it open."""

    since: datetime | None
    until: datetime | None

    def has(self, at: datetime | None) -> bool:
        """Return whether it contains an instant; None is contained only if both sides are open."""
        if at is None:
            return self.since is None and self.until is None
        return (self.since is None or at >= self.since) and (self.until is None or at <= self.until)


def span(query: Mapping[str, str], name: str) -> Span:
    """Read the two ends of a span of time, in seconds since the epoch."""
    ends: list[datetime | None] = []
    for end in ("min", "max"):
        text = query.get(f"{name}_{end}", "")
        if text and not text.isdecimal():
            raise RefusedError(Code.NOT_UNDERSTOOD, f"{name}_{end} must be a unix timestamp")
        ends.append(datetime.fromtimestamp(int(text), UTC) if text else None)
    return Span(*ends)


def several(query: Mapping[str, str], name: str) -> frozenset[str] | None:
    """Read up to forty values, divided by commas; None when nothing was asked for."""
    text = query.get(name, "")
    values = [value for value in text.split(",") if value]
    if len(values) > MOST:
        raise RefusedError(Code.TOO_LONG)
    return frozenset(values) if values else None


def number(query: Mapping[str, str], name: str, usual: int, most: int) -> int:
    """Read a number that begins with 1."""
    text = query.get(name, "") or str(usual)
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise RefusedError(Code.NOT_UNDERSTOOD, f"{name} must be from 1 to {most}")
    return int(text)

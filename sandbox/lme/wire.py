"""Reads requests to LME and checks them field by field."""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Any

JsonObject = dict[str, Any]

_ORDER_NUMBER = re.compile(r"[A-Z]{2,6}\d{14}")
_STATE_CODE = re.compile(r"[A-Z]{2,3}")
_LONGEST_SIDE = 2
_FURTHEST_ZONE = timedelta(hours=14)


class Code(IntEnum):
    """LME's codes; all but 0 are our own choice."""

    OK = 0
    UNAUTHORIZED = 401
    BAD_FIELD = 20001
    DUPLICATE = 30001
    NOT_FOUND = 30004
    CANCELLED = 30005
    COLLECTED = 30006
    DELIVERED = 30007
    WITH_POST = 30008
    REJECTED = 30010
    LABEL_NOT_READY = 30020


class RefusedError(Exception):
    """A refusal of LME: a code and words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Contact:
    """A sender or receiver."""

    contact: str
    phone: str
    company: str
    zone_code: str
    country: str
    province: str
    city: str
    address: str
    postcode: str


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as the client sent it, in metres and kilograms.

    `body` is the whole request, unknown fields too.
    """

    reference: str
    number: str
    sides: tuple[Decimal, ...]
    weight: Decimal
    cargo: str
    remark: str
    poster: Contact
    receiver: Contact
    body: JsonObject


def read_order(body: JsonObject, app_key: str) -> OrderRequest:
    """Read the fields of create and update."""
    reference = required(body, "outOrderNo")
    if required(body, "channel") != app_key:
        raise _wrong("channel", "must be the appkey")
    number = optional(body, "orderNo")
    if number and not _ORDER_NUMBER.fullmatch(number):
        raise _wrong("orderNo", "must be a vendor code and 14 digits")
    begins, ends = _time(body, "preTimeStart"), _time(body, "preTimeEnd")
    # The zone is not given, so the time counts as future if it is future in any zone.
    if begins <= datetime.fromtimestamp(time.time(), UTC).replace(tzinfo=None) - _FURTHEST_ZONE:
        raise _wrong("preTimeStart", "must be later than now")
    if ends <= begins:
        raise _wrong("preTimeEnd", "must be later than preTimeStart")
    sides = tuple(
        _number(body, name, _LONGEST_SIDE)
        for name in ("totalLength", "totalWidth", "totalHeight")
        if body.get(name) is not None
    )
    return OrderRequest(
        reference=reference,
        number=number,
        sides=sides,
        weight=_number(body, "totalWeight"),
        cargo=optional(body, "cargoDesc"),
        remark=optional(body, "remark"),
        poster=_contact(body, "poster"),
        receiver=_contact(body, "receiver"),
        body=body,
    )


def _contact(body: JsonObject, name: str) -> Contact:
    fields = body.get(name)
    if not isinstance(fields, dict):
        raise _wrong(name, "is required")
    zone = required(fields, "zoneCode", name)
    if not re.fullmatch(r"[A-Z]{2}", zone):
        raise _wrong(f"{name}.zoneCode", "must be the two letters of a country")
    country = required(fields, "country", name)
    if len(country) < 3:
        raise _wrong(f"{name}.country", "must be a country's full name")
    province = optional(fields, "province", name)
    if zone in {"AU", "CA", "US"} and _STATE_CODE.fullmatch(province):
        raise _wrong(f"{name}.province", "must be a full name")
    phone = optional(fields, "mobile", name) or optional(fields, "tel", name)
    if not phone.strip():
        raise _wrong(f"{name}.mobile", "is required, or tel")
    return Contact(
        contact=required(fields, "contact", name),
        phone=phone,
        company=optional(fields, "company", name),
        zone_code=zone,
        country=country,
        province=province,
        city=required(fields, "city", name),
        address=optional(fields, "address", name),
        postcode=optional(fields, "postCode", name),
    )


def required(fields: JsonObject, name: str, where: str = "") -> str:
    """Read a text that must be there."""
    value = optional(fields, name, where)
    if not value.strip():
        raise _wrong(f"{where}.{name}" if where else name, "is required")
    return value


def optional(fields: JsonObject, name: str, where: str = "") -> str:
    """Read a text, empty when it is not there or null."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(f"{where}.{name}" if where else name, "must be a string")
    return value


def _time(body: JsonObject, name: str) -> datetime:
    text = required(body, name)
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    except ValueError:
        raise _wrong(name, "must be yyyy-MM-dd HH:mm:ss") from None


def _number(body: JsonObject, name: str, most: int | None = None) -> Decimal:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong(name, "must be a number")
    number = Decimal(value)
    if number <= 0 or (most is not None and number > most):
        raise _wrong(name, "must be more than 0" + (f" and at most {most}" if most else ""))
    if number != round(number, 3):
        raise _wrong(name, "must have three decimals at most")
    return number


def _wrong(field: str, what: str) -> RefusedError:
    return RefusedError(Code.BAD_FIELD, f"参数错误: {field} {what}")

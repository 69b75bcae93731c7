"""Reads requests to the platform and checks them field by field, as strictly as documented."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

JsonObject = dict[str, Any]

MAX_SERVICE_NUMBERS = 30
"""The largest number of numbers in one tracking call (assumed)."""

_STATE = re.compile(
    "A[AEKLPRSZ]|C[AOT]|D[CE]|FL|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEINOPST]|N[CDEHJMVY]|O[HKR]|P[AR]|"
    "RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]"
)
_ZIP = re.compile(r"\d{5}(-?\d{4})?")
_DECIMAL = re.compile(r"-?\d{1,9}(\.\d{1,2})?")


class Code(IntEnum):
    """The platform's codes; those that are marked are our own choice."""

    OK = 200
    UNAUTHORIZED = 401  # assumed
    NOT_FOUND = 404  # assumed
    ORDER_FAILED = 1001
    BAD_FIELD = 1002  # assumed
    NOT_PREVIEWED = 1003  # assumed
    DUPLICATE = 1004  # assumed
    NO_SERVICE = 1005  # assumed
    REFUNDED = 1006  # assumed
    PENDING = 1024
    LABEL_PENDING = 1115


class RefusedError(Exception):
    """A refusal of the platform: a code and words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Box:
    """A box as ordered: pounds and inches, two decimals."""

    weight: Decimal
    length: Decimal
    width: Decimal
    height: Decimal
    reference: str
    second_reference: str
    declared_value: Decimal | None


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is priced and bought: all of an order except its account, its reference and its callback address.

    Two equal shipments are "the same content" for the rule that an order must be previewed.
    """

    receiver: str
    company: str
    phone: str
    address1: str
    address2: str
    city: str
    province: str
    postcode: str
    sender: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as the client sent it."""

    reference: str
    callback_url: str | None
    shipment: Shipment


def read_json(content: bytes) -> JsonObject:
    """Read a request's JSON object; numbers keep all their digits."""
    try:
        body = json.loads(content, parse_float=Decimal)
    except ValueError as error:
        raise RefusedError(Code.BAD_FIELD, f"请求体不是JSON: {error}") from error
    if not isinstance(body, dict):
        raise RefusedError(Code.BAD_FIELD, "请求体不是JSON对象: an object is wanted")
    return body


def read_order(body: JsonObject) -> OrderRequest:
    """Read orderCommit's body."""
    return OrderRequest(
        reference=required(body, "customerNumber"),
        callback_url=_callback_url(body),
        shipment=read_shipment(body),
    )


def read_shipment(body: JsonObject) -> Shipment:
    """Read the part that orderCommit and feePreview share; unknown fields are ignored."""
    if required(body, "nationCode") != "US":
        raise _wrong("nationCode", "must be US")
    if required(body, "lsoServiceType") != "GroundBasic":
        raise _wrong("lsoServiceType", "must be GroundBasic")
    province = required(body, "province")
    if not _STATE.fullmatch(province):
        raise _wrong("province", "must be the abbreviation of a state")
    postcode = required(body, "postcode")
    if not _ZIP.fullmatch(postcode):
        raise _wrong("postcode", "must be a ZIP code")
    details = body.get("orderDetails")
    if not isinstance(details, list) or not details:
        raise _wrong("orderDetails", "must be a list of at least one box")
    return Shipment(
        receiver=required(body, "receiver"),
        company=required(body, "receiveCompany"),
        phone=required(body, "receiverPhone"),
        address1=required(body, "address1"),
        address2=optional(body, "address2"),
        city=required(body, "city"),
        province=province,
        postcode=postcode,
        sender=optional(body, "systemSenderName"),
        boxes=tuple(
            _read_box(detail, f"orderDetails[{index}]", body) for index, detail in enumerate(details)
        ),
    )


def _read_box(detail: Any, where: str, body: JsonObject) -> Box:
    if not isinstance(detail, dict):
        raise _wrong(where, "must be an object")
    reference = optional(detail, "referenceNo1", where) or optional(body, "referenceNo1")
    if not reference:
        raise _wrong(f"{where}.referenceNo1", "is required, here or at the order")
    declared = detail.get("lsoDeclaredValue")
    return Box(
        weight=_size(detail, "packWeight", where),
        length=_size(detail, "boxLength", where),
        width=_size(detail, "boxWidth", where),
        height=_size(detail, "boxHight", where),
        reference=reference,
        second_reference=optional(detail, "referenceNo2", where) or optional(body, "referenceNo2"),
        declared_value=None if declared is None else _decimal(declared, f"{where}.lsoDeclaredValue"),
    )


def read_service_numbers(body: JsonObject) -> list[str]:
    """Read the numbers that a tracking call asks about."""
    numbers = body.get("serviceNumbers")
    if not isinstance(numbers, list) or not all(isinstance(number, str) for number in numbers):
        raise _wrong("serviceNumbers", "must be a list of strings")
    if not 1 <= len(numbers) <= MAX_SERVICE_NUMBERS:
        raise _wrong("serviceNumbers", f"must hold 1 to {MAX_SERVICE_NUMBERS} numbers")
    return numbers


def required(fields: JsonObject, name: str) -> str:
    """Read a text that must be there."""
    value = optional(fields, name)
    if not value.strip():
        raise _wrong(name, "is required")
    return value


def optional(fields: JsonObject, name: str, where: str = "") -> str:
    """Read a text, empty when it is not there or null."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(f"{where}.{name}" if where else name, "must be a string")
    return value


def _callback_url(body: JsonObject) -> str | None:
    url = optional(body, "url")
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise _wrong("url", "must be an http or https address")
    return url


def _size(detail: JsonObject, name: str, where: str) -> Decimal:
    value = _decimal(detail.get(name), f"{where}.{name}")
    if value == 0:
        raise _wrong(f"{where}.{name}", "must be more than 0")
    return value


def _decimal(value: Any, where: str) -> Decimal:
    """Read a number, or a string of one as in the document's example, of two decimals at most."""
    if value is None:
        raise _wrong(where, "is required")
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise _wrong(where, "must be a decimal")
    if not _DECIMAL.fullmatch(str(value)):
        raise _wrong(where, "must be a decimal of nine digits and two places at most")
    number = Decimal(value)
    if number < 0:
        raise _wrong(where, "must not be negative")
    return number


def _wrong(field: str, what: str) -> RefusedError:
    return RefusedError(Code.BAD_FIELD, f"参数错误: {field} {what}")

"""What eTower reads: orders checked field by field against its table, fields nobody knows passed over."""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

JsonObject = dict[str, Any]

MAX_ORDERS = 300
MAX_TRACKED = 30

BUSY, FORMAT, UNAUTHORIZED = 100000, 100001, 100002
UNKNOWN_ORDER, NOT_DELETABLE, NOT_PERMITTED, BAD_SERVICE = 100009, 100010, 100011, 100013
DUPLICATE = 110003
TRACKING_EMPTY, TRACKING_TOO_MANY, NO_EVENTS = 950002, 950003, 950005

_HEAVIEST_KG = Decimal(40)
_KILOGRAMS = {"KG": Decimal(1), "G": Decimal("0.001"), "LB": Decimal("0.45359237")}
_TOLERANCE = Decimal("0.1")
_FRENCH = "àâäæçéèêëîïôöœùûüÿ"


class RefusedError(Exception):
    """The whole request is refused: a code and words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Wrong:
    """One error of one order."""

    code: int
    message: str

    def told(self) -> JsonObject:
        """Give it as it stands in `errors`."""
        return {"code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class Text:
    """A text field: the codes for one that is missing (None: it may be) and for one too long."""

    longest: int
    missing: int | None = None
    too_long: int = FORMAT
    latin: int | None = None


ORDER: Mapping[str, Text] = {
    "referenceNo": Text(80, 110001, 110002),
    "referenceNo1": Text(80),
    "trackingNo": Text(40),
    "serviceCode": Text(64, BAD_SERVICE, BAD_SERVICE),
    "incoterm": Text(3),
    "description": Text(60, 130001, 130002),
    "nativeDescription": Text(255, None, 130020),
    "dimensionUnit": Text(3),
    "invoiceCurrency": Text(3, 130008, 130008),
    "batteryType": Text(64),
    "batteryPacking": Text(64),
    "sku": Text(128, None, 130007),
    "serviceOption": Text(60, None, 120024),
    "instruction": Text(255),
    "facility": Text(20, None, 100006),
    "platform": Text(20, None, 110008),
    "recipientName": Text(50, 110004, 110005, 110014),
    "recipientTaxId": Text(100, None, 110017),
    "recipientCompany": Text(50, None, 110009),
    "phone": Text(20, None, 110006),
    "email": Text(50, None, 110007),
    "addressLine1": Text(200, 120001, 120002, 100003),
    "addressLine2": Text(200, None, 120003),
    "addressLine3": Text(80, None, 120004),
    "city": Text(80, 120005, 120006),
    "state": Text(80, 120009, 120019, 120008),
    "postcode": Text(16, None, 120020),
    "country": Text(2, 120022, 120021),
    "shipperName": Text(50, FORMAT, FORMAT, 100003),
    "shipperPhone": Text(20, None, 110020),
    "shipperAddressLine1": Text(200, None, 120036),
    "shipperAddressLine2": Text(200, None, 120037),
    "shipperAddressLine3": Text(80, None, 120038),
    "shipperCity": Text(80, None, 120039),
    "shipperState": Text(80, None, 120040),
    "shipperPostcode": Text(16, None, 120041),
    "shipperCountry": Text(2, None, 120042),
    "returnOption": Text(100),
    "returnName": Text(50, None, 150101),
    "returnAddressLine1": Text(200, None, 150002),
    "returnAddressLine2": Text(200, None, 150003),
    "returnAddressLine3": Text(80, None, 150004),
    "returnCity": Text(80, None, 150006),
    "returnState": Text(80, None, 150008),
    "returnPostcode": Text(16, None, 150012),
    "returnCountry": Text(2, None, 150013),
    "vendorid": Text(12),
    "gstexemptioncode": Text(4),
    "senderTaxId": Text(255),
}
_WHOLE_RETURN = {"returnName": 150101, "returnAddressLine1": 150001, "returnCity": 150005,
                 "returnState": 150009, "returnCountry": 150013}  # fmt: skip
ITEM: Mapping[str, Text] = {
    "itemNo": Text(128, 190003, 190003),
    "sku": Text(128, 190004, 190008),
    "description": Text(60, None, 190009),
    "nativeDescription": Text(255, None, 190021),
    "hsCode": Text(60, None, 190018),
    "originCountry": Text(60, 190007, 190010),
    "productURL": Text(512, None, 190035),
}
_WORDS = {
    "incoterm": ("DDU", "DDP"),
    "weightUnit": ("G", "KG", "LB"),
    "dimensionUnit": ("M", "CM"),
    "batteryType": ("NO BATTERY", "LITHIUM ION POLYMER", "LITHIUM ION ALLOY"),
    "batteryPacking": ("NO BATTERY", "INSIDE EQUIPMENT", "PACKAGED WITH EQUIPMENT", "BATTERY ONLY", "OTHER"),
    "pickUp": ("Y", "N"),
}
"""Words of a list, read without regard to case: the given sample writes the weight unit `g`."""


def read_json(content: bytes) -> Any:
    """Read a body, its numbers digit by digit."""
    try:
        return json.loads(content, parse_float=Decimal)
    except ValueError as error:
        raise RefusedError(FORMAT, f"data format: {error}") from error


def read_orders(content: bytes) -> list[Any]:
    """Read the body of a create."""
    orders = read_json(content)
    if not isinstance(orders, list) or not orders:
        raise RefusedError(FORMAT, "data format: an array of orders is wanted")
    if len(orders) > MAX_ORDERS:
        raise RefusedError(FORMAT, f"at most {MAX_ORDERS} orders in a request, these are {len(orders)}")
    return orders


def read_numbers(content: bytes) -> list[str]:
    """Read a body that is an array of references or numbers."""
    numbers = read_json(content)
    if not isinstance(numbers, list) or not numbers or not all(isinstance(one, str) for one in numbers):
        raise RefusedError(FORMAT, "data format: an array of numbers is wanted")
    return numbers


def wrongs_of_order(order: Any) -> list[Wrong]:
    """Find everything wrong with an order, its pieces aside."""
    if not isinstance(order, dict):
        return [Wrong(FORMAT, "an order is an object")]
    several = bool(order.get("pieces"))
    return [*_texts(ORDER, order, ""), *_words(order), *_returns(order), *_goods(order, several=several)]


def _texts(table: Mapping[str, Text], fields: JsonObject, where: str) -> Iterator[Wrong]:
    for name, rule in table.items():
        value = fields.get(name)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            # The given sample has itemNo as a number.
            value = str(value)
        if value is None or (isinstance(value, str) and not value.strip()):
            if rule.missing:
                yield Wrong(rule.missing, f"{where}{name} is required")
        elif not isinstance(value, str):
            yield Wrong(FORMAT, f"{where}{name} must be a string")
        elif len(value) > rule.longest:
            yield Wrong(rule.too_long, f"{where}{name} is longer than {rule.longest}")
        elif any(unicodedata.category(one) == "Cc" for one in value):
            yield Wrong(100003, f"{where}{name} has illegal characters")
        elif rule.latin and not _latin(value):
            yield Wrong(rule.latin, f"{where}{name}: English or French characters, not digits only")


def _latin(text: str) -> bool:
    letters = [one for one in unicodedata.normalize("NFC", text).lower() if one.isalpha()]
    return bool(letters) and all(one.isascii() or one in _FRENCH for one in letters)


def _words(order: JsonObject) -> Iterator[Wrong]:
    for name, words in _WORDS.items():
        value = order.get(name)
        if value not in (None, "") and (not isinstance(value, str) or value.upper() not in words):
            yield Wrong(FORMAT, f"{name} must be one of {', '.join(words)}")
    for name in ("authorityToLeave", "lockerService", "dangerousGoods"):
        if order.get(name) not in (None, "", True, False, "Y", "N", "true", "false"):
            yield Wrong(FORMAT, f"{name} must be a boolean")
    service = order.get("serviceCode")
    if isinstance(service, str) and service.strip() and not service.startswith("UBI."):
        yield Wrong(BAD_SERVICE, f"illegal service code {service}")


def _returns(order: JsonObject) -> Iterator[Wrong]:
    """Hold a return address against the table, which wants all of it once there is any."""
    if any(order.get(name) for name in _WHOLE_RETURN):
        for name, code in _WHOLE_RETURN.items():
            if not order.get(name):
                yield Wrong(code, f"{name} is required")


def _goods(order: JsonObject, *, several: bool) -> Iterator[Wrong]:
    weight, value = _number(order.get("weight")), _number(order.get("invoiceValue"))
    unit = str(order.get("weightUnit") or "KG").upper()
    if weight is None:
        yield Wrong(130003, "weight is required")
    elif weight < Decimal("0.000001"):
        yield Wrong(130005, "weight is too low")
    elif not several and weight * _KILOGRAMS.get(unit, Decimal(1)) > _HEAVIEST_KG:
        yield Wrong(120053, "weight is over 40 kg")
    for name, code in (("length", 130011), ("width", 130012), ("height", 130013)):
        if order.get(name) not in (None, "") and _number(order[name]) is None:
            yield Wrong(code, f"{name} must be a number")
    volume = order.get("volume")
    if volume not in (None, "") and (_number(volume) or Decimal(0)) < Decimal("0.01"):
        yield Wrong(130017, "volume is below 0.01")
    if value is None:
        yield Wrong(130009, "invoiceValue is required")
    elif value < Decimal("0.01"):
        yield Wrong(130010, "invoiceValue is too low")
    items = order.get("orderItems")
    if items in (None, []):
        return
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        yield Wrong(FORMAT, "orderItems must be an array of objects")
        return
    total = Decimal(0)
    for place, item in enumerate(items):
        where = f"orderItems[{place}]."
        yield from _texts(ITEM, item, where)
        count, price = _number(item.get("itemCount")), _number(item.get("unitValue"))
        if count is None or count <= 0 or count != int(count):
            yield Wrong(190002, f"{where}itemCount must be more than 0")
        if price is None or price <= 0:
            yield Wrong(190006, f"{where}unitValue must be more than 0")
        total += (count or Decimal(0)) * (price or Decimal(0))
    if value is not None and abs(total - value) > _TOLERANCE:
        yield Wrong(190019, f"the items' total {total} is not the order's value {value}")


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def reference_of(order: Any) -> str:
    """Tell whose order it is, as far as one can."""
    reference = order.get("referenceNo") if isinstance(order, dict) else None
    return reference if isinstance(reference, str) else ""


DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} (GMT|[+-]\d{4})")
"""RFC 1123; some clients are seen to send an offset for GMT."""

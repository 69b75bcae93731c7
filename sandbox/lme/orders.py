"""LME's orders: their numbers, their label and their fields in answers."""

import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.controls.ledger import Entry
from sandbox.lme.wire import Contact, OrderRequest
from sandbox.parcels.labels import Label
from sandbox.parcels.places import ahead_of_utc
from sandbox.parcels.routes import Place
from sandbox.parcels.steering import Steering

JsonObject = dict[str, Any]

_CREATED, _CANCELLED = 10, 90
_WAREHOUSES = {
    "AU": Place("Melbourne", "Victoria", "3000", "AU", ahead_of_utc("AU", "Victoria")),
    "NZ": Place("Auckland", "Auckland", "1010", "NZ", ahead_of_utc("NZ", "Auckland")),
    "US": Place("Los Angeles", "California", "90001", "US", ahead_of_utc("US", "California")),
    "CA": Place("Toronto", "Ontario", "M5H 2N2", "CA", ahead_of_utc("CA", "Ontario")),
}
_POSTCODES = {
    "AU": r"\d{4}",
    "NZ": r"\d{4}",
    "US": r"\d{5}(-\d{4})?",
    "CA": r"[A-Z]\d[A-Z] ?\d[A-Z]\d",
}


class Numbers:
    """Makes order numbers that no earlier run of a sandbox has given."""

    def __init__(self) -> None:
        self._counter: Iterator[int] = itertools.count(time.time_ns() // 100_000)

    def order(self) -> str:
        """Make a vendor code and 14 digits."""
        return f"FHE{next(self._counter) % 10**14:014d}"


@dataclass(slots=True)
class Order:
    """An order, and the account that may ask for it.

    `sent_back_at` is when its sender asked for its return.
    """

    entry: Entry
    request: OrderRequest
    words: Steering
    sent_back_at: datetime | None = None

    @property
    def number(self) -> str:
        """The order's number, which is its parcel's too."""
        return self.entry.order_number

    def data(self) -> JsonObject:
        """Give the order's fields as create, update and query answer them."""
        asked = {key: _plain(value) for key, value in self.request.body.items()}
        center = warehouse(self.request.receiver)
        volume = Decimal(1)
        for side in self.request.sides:
            volume *= side
        return {
            **asked,
            "orderNo": self.number,
            "outOrderNo": self.entry.reference,
            "preCenterWarehouseId": 101,
            "preCenterWarehouseName": f"{center.city} Center",
            "preDeliverWarehouseId": 201,
            "preDeliverWarehouseName": f"{self.request.receiver.city} Delivery",
            "parcelQty": 1,
            "volume": float(volume) if self.request.sides else None,
            "totalNetWeight": float(self.request.weight),
            "orderStage": _CREATED if self.entry.living else _CANCELLED,
            "stageStatus": 1,
        }

    def label(self) -> Label:
        """Lay out the parcel's label."""
        to = self.request.receiver
        town = " ".join(part for part in (to.city, to.province, to.postcode) if part)
        lines = (to.contact, to.company, to.address, town, to.country)
        return Label(
            carrier="FH EXPRESS",
            service="LME",
            tracking_number=self.number,
            consignee=tuple(line for line in lines if line),
            notes=(
                f"Tel {to.phone}",
                f"Ref {self.entry.reference}",
                f"From {self.request.poster.contact}",
                f"{self.request.weight:.3f} kg    {self.request.cargo}",
            ),
        )


def warehouse(to: Contact) -> Place:
    """Find the warehouse that a parcel starts from; it is in the country of its receiver."""
    return _WAREHOUSES.get(to.zone_code, _WAREHOUSES["AU"])


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold, because values that were read have decimals."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return float(value) if isinstance(value, Decimal) else value


def checked_address(country: str, province: str, city: str, postcode: str, address: str) -> JsonObject:
    """Answer an address check: a postcode of the country's form, no post office box, names in capitals."""
    codes = {"Australia": "AU", "New Zealand": "NZ", "United States": "US", "Canada": "CA"}
    form = _POSTCODES.get(codes.get(country, ""))
    message = ""
    if form is None:
        message = f"country {country} is not delivered to"
    elif not re.fullmatch(form, postcode):
        message = f"postCode {postcode} does not exist in {country}"
    elif re.search(r"\bP\.?\s?O\.?\s?BOX\b", address, re.IGNORECASE):
        message = "receiver.address is a PO BOX"
    suggestion = {
        "country": country,
        "province": province.title(),
        "city": city.title(),
        "postCode": postcode.strip().upper(),
        "address": address,
    }
    return {"isValid": not message, "message": message, "suggest": suggestion}

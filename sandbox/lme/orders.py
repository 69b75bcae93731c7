"""LME's orders: their numbers, what is said about them, and how their parcels travel."""

import itertools
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from sandbox.labels import Label
from sandbox.ledger import Entry
from sandbox.lme.wire import Contact, OrderRequest
from sandbox.routes import Event, Place, Stage, belated, disordered, journey
from sandbox.steering import Steering

JsonObject = dict[str, Any]

_CREATED, _CANCELLED = 10, 90
_WAREHOUSES = {
    "AU": (Place("Melbourne", "Victoria"), "3000", 10),
    "NZ": (Place("Auckland", "Auckland"), "1010", 12),
    "US": (Place("Los Angeles", "California"), "90001", -8),
    "CA": (Place("Toronto", "Ontario"), "M5H 2N2", -5),
}
_POSTCODES = {
    "AU": r"\d{4}",
    "NZ": r"\d{4}",
    "US": r"\d{5}(-\d{4})?",
    "CA": r"[A-Z]\d[A-Z] ?\d[A-Z]\d",
}


class Numbers:
    """Order numbers that no earlier run of a sandbox has given either."""

    def __init__(self) -> None:
        self._counter: Iterator[int] = itertools.count(time.time_ns() // 100_000)

    def order(self) -> str:
        """Make a vendor code and 14 digits."""
        return f"FHE{next(self._counter) % 10**14:014d}"


@dataclass(slots=True)
class Order:
    """An order, and who may ask for it."""

    entry: Entry
    request: OrderRequest
    words: Steering

    @property
    def number(self) -> str:
        """The order's number, which is its parcel's too."""
        return self.entry.order_number

    def data(self) -> JsonObject:
        """Give the order's fields as create, update and query answer them."""
        asked = {key: _plain(value) for key, value in self.request.body.items()}
        warehouse, _, _ = _warehouse(self.request.receiver)
        volume = Decimal(1)
        for side in self.request.sides:
            volume *= side
        return {
            **asked,
            "orderNo": self.number,
            "outOrderNo": self.entry.reference,
            "preCenterWarehouseId": 101,
            "preCenterWarehouseName": f"{warehouse.city} Center",
            "preDeliverWarehouseId": 201,
            "preDeliverWarehouseName": f"{self.request.receiver.city} Delivery",
            "parcelQty": 1,
            "volume": float(volume) if self.request.sides else None,
            "totalNetWeight": float(self.request.weight),
            "orderStage": _CREATED if self.entry.living else _CANCELLED,
            "stageStatus": 1,
        }

    def events(self, now: datetime, acceleration: float) -> list[Event]:
        """Tell what has happened to the parcel by now, as the steering words want it."""
        origin, _, _ = _warehouse(self.request.receiver)
        to = self.request.receiver
        whole = journey(
            self.number, self.entry.committed_at, origin, Place(to.city, to.province), acceleration
        )
        until = min(now, self.entry.refunded_at or now)
        if self.words.has("DISORDER"):
            seen = [event for event in belated(whole) if event.seen_at <= until]
            return disordered(seen, f"{self.number} {now}")
        return [event for event in whole if event.seen_at <= until]

    def is_out(self, now: datetime, acceleration: float) -> bool:
        """Say whether it is too late to cancel or to change the order."""
        out = {Stage.OUT_FOR_DELIVERY, Stage.DELIVERED}
        return self.words.has("COLLECTED") or any(
            event.stage in out for event in self.events(now, acceleration)
        )

    def route(self, events: Iterable[Event], *, version: int) -> list[JsonObject]:
        """Tell the events in LME's words, in either version of its route."""
        return [self._told(event, version) for event in events]

    def _told(self, event: Event, version: int) -> JsonObject:
        origin, postcode, offset = _warehouse(self.request.receiver)
        to = self.request.receiver
        there = event.place != origin
        code, text = self._words(event, origin)
        zone = timezone(timedelta(hours=offset))
        local = f"{event.at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        image = f"https://pictures.example/{self.number}.jpg" if code == "sign_image" else None
        told: JsonObject = {
            "orderNo": self.number,
            "outOrderNo": self.entry.reference,
            "action": code,
            "operatorTime": local,
            "utcOperatorTime": f"{event.at:%Y-%m-%d %H:%M:%S}",
            "timeZone": f"UTC{offset:+d}",
            "routingDescription": text,
            "orderLocation": f"{event.place.city}, {event.place.state}",
        }
        if version == 1:
            return told | {"updatedTime": int(event.seen_at.timestamp() * 1000), "imageUrls": image}
        return told | {
            "channel": self.entry.account,
            "eventCode": code,
            "eventTime": local,
            "event": text,
            "eventCity": event.place.city,
            "eventState": event.place.state,
            "eventZipCode": to.postcode if there else postcode,
            "eventCountry": to.country,
            "updateTime": f"{event.seen_at.astimezone(zone):%Y-%m-%dT%H:%M:%S}.{event.seen_at:%f}0",
            "imageUrl": image,
            "shippingAddressImageUrl": None,
            "trackNo": None,
            "driverPrivacyMobile": "0400000000" if code == "out_warehorse_2" else None,
        }

    def _words(self, event: Event, origin: Place) -> tuple[str, str]:
        city = event.place.city
        match event.stage:
            case Stage.LABEL_CREATED:
                return "create_order", f"Order created by {self.request.poster.contact}"
            case Stage.PICKED_UP:
                return "collect_order", f"Parcel arrived at warehouse {city}"
            case Stage.AT_FACILITY if event.place == origin:
                return "order_sorting_finish", "Warehouse sorting completed"
            case Stage.AT_FACILITY:
                text = f"Parcel arrived at warehouse {city}. We will deliver within 3 working days"
                return "allocate_in", text
            case Stage.IN_TRANSIT:
                text = f"Parcel left warehouse {city} and being transported to {self.request.receiver.city}"
                return "allocate_out", text
            case Stage.OUT_FOR_DELIVERY:
                return "out_warehorse_2", f"Parcel left warehouse {city} and being delivered by Liu"
        return "sign_image", "Your parcel has been delivered."

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


def _warehouse(to: Contact) -> tuple[Place, str, int]:
    return _WAREHOUSES.get(to.zone_code, _WAREHOUSES["AU"])


def _plain(value: Any) -> Any:
    """Give a value that JSON can hold: what was read has decimals in it."""
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

"""Orders that UBI has taken: their numbers, their state and the way of their parcels."""

import itertools
import random
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sandbox.ledger import Entry
from sandbox.steering import Steering
from sandbox.ubi.labels import Label
from sandbox.ubi.wire import JsonObject


class State(StrEnum):
    """Where an order stands (assumed words, as `queryorders` tells them)."""

    CREATED = "Created"
    HELD = "Held"
    CLOSED = "Closed"
    DELETED = "Deleted"


@dataclass(slots=True)
class Piece:
    """One parcel: what was ordered and under which numbers it goes."""

    order_id: str
    tracking_number: str
    fields: JsonObject

    @property
    def reference(self) -> str:
        """The client's own number."""
        reference: str = self.fields["referenceNo"]
        return reference

    def label(self, place: int, of: int) -> Label:
        """Fill in what is printed."""
        fields = self.fields
        town = " ".join(str(fields.get(name) or "") for name in ("city", "state", "postcode"))
        lines = [fields.get(name) for name in ("recipientName", "recipientCompany")]
        lines += [fields.get(f"addressLine{number}") for number in (1, 2, 3)]
        lines += [town, fields.get("country")]
        unit = str(fields.get("weightUnit") or "KG").upper()
        return Label(
            service=str(fields["serviceCode"]).removeprefix("UBI."),
            tracking_number=self.tracking_number,
            consignee=tuple(line for line in lines if line),
            notes=(
                f"Ref {self.reference}",
                f"From {fields['shipperName']}",
                *([f"SKU {fields['sku']}"] if fields.get("sku") else []),
                f"Piece {place} of {of}    {fields['weight']} {unit}",
            ),
        )


@dataclass(slots=True)
class Order:
    """An order: a parcel alone, or a master with its pieces."""

    entry: Entry
    master: Piece
    pieces: list[Piece]
    words: Steering
    made_at: datetime
    state: State = State.CREATED

    @property
    def parcels(self) -> list[Piece]:
        """What travels: the pieces, or the order itself."""
        return self.pieces or [self.master]

    @property
    def living(self) -> bool:
        """Whether it has not been deleted."""
        return self.state is not State.DELETED

    def created(self) -> JsonObject:
        """Tell what the create, and an update, answer."""
        told = _numbers(self.master)
        return {**told, "piecesResult": [_numbers(piece) for piece in self.pieces], "extraProperty": {}}

    def told(self) -> JsonObject:
        """Tell what `queryorders` answers."""
        pieces = [
            {**_plain(piece.fields), "orderId": piece.order_id, "trackingNo": piece.tracking_number}
            for piece in self.pieces
        ]
        numbers = {"orderId": self.master.order_id, "trackingNo": self.master.tracking_number}
        return {**_plain(self.master.fields), **numbers, "status": self.state, "pieces": pieces or None}

    def label_of(self, piece: Piece) -> Label:
        """Fill in the label of one of the parcels."""
        parcels = self.parcels
        return piece.label(parcels.index(piece) + 1, len(parcels))


def _plain(value: Any) -> Any:
    """Give the fields of an order back as JSON has them, decimals as numbers."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return float(value) if isinstance(value, Decimal) else value


def _numbers(piece: Piece) -> JsonObject:
    return {
        "status": "Success",
        "errors": None,
        "warnings": None,
        "orderId": piece.order_id,
        "referenceNo": piece.reference,
        "trackingNo": piece.tracking_number,
        "connoteId": None,
    }


def refused(reference: str, errors: Sequence[JsonObject]) -> JsonObject:
    """Tell of an order or a piece that was not taken."""
    return {
        "status": "Failed",
        "errors": [*errors],
        "warnings": None,
        "orderId": None,
        "referenceNo": reference,
        "trackingNo": None,
        "connoteId": None,
    }


@dataclass(slots=True)
class Numbers:
    """Order ids and tracking numbers that no earlier run of a sandbox has given either."""

    _counter: Iterator[int] = field(default_factory=lambda: itertools.count(int(time.time() * 1000)))

    def order_id(self) -> str:
        """Give an id as the given answer has them."""
        return secrets.token_urlsafe(16)

    def tracking_number(self) -> str:
        """Give the next number."""
        return f"TBV{next(self._counter) % 10**9:09d}"


@dataclass(frozen=True, slots=True)
class Event:
    """A step of the way; `seen_at` is when UBI gets to know of it."""

    code: str
    activity: str
    at: datetime
    seen_at: datetime
    place: str
    country: str
    zone: timezone


#: Hours after the order, code, words, and whether it happens where the parcel goes to.
_STEPS = (
    (0.0, "INF", "Shipment information received", False),
    (6.0, "RCV", "Received by UBI facility", False),
    (10.0, "SCN", "Processed at origin hub", False),
    (52.0, "DVR", "Collected from airport terminal", True),
    (56.0, "CCD", "Customs cleared", True),
    (80.0, "DLD", "Delivered", True),
)
#: One parcel in four is not met at the first attempt.
_ATTEMPT = (76.0, "DLV", "Delivery attempted, nobody home", True)
_ATTEMPTS = 4
_ZONES = {"AU": 10, "CA": -5, "US": -5, "NZ": 12}
_ORIGIN, _ORIGIN_COUNTRY, _ORIGIN_ZONE = "Shenzhen", "CN", timezone(timedelta(hours=8))
_SHORTEST_STEP = timedelta(seconds=1)


def journey(piece: Piece, start: datetime, acceleration: float) -> list[Event]:
    """Plan all that will happen to a parcel, oldest first; the same number always travels alike."""
    chance = random.Random(piece.tracking_number)  # noqa: S311
    pace = chance.uniform(0.8, 1.2) / acceleration
    steps = [*_STEPS]
    if chance.randrange(_ATTEMPTS) == 0:
        steps.insert(-1, _ATTEMPT)
    country = str(piece.fields["country"])
    there = timezone(timedelta(hours=_ZONES.get(country, 0)))
    events: list[Event] = []
    for hours, code, activity, far in steps:
        at = start + timedelta(hours=hours * pace)
        if events:
            at = max(at, events[-1].at + _SHORTEST_STEP)
        where = (
            (str(piece.fields["city"]), country, there) if far else (_ORIGIN, _ORIGIN_COUNTRY, _ORIGIN_ZONE)
        )
        events.append(Event(code, activity, at, at, *where))
    return events


def told(event: Event, piece: Piece) -> JsonObject:
    """Tell an event as eTower does: local time without an offset, the zone beside it."""
    offset = event.at.astimezone(event.zone).strftime("%z")
    return {
        "trackingNo": piece.tracking_number,
        "eventTime": f"{event.at.astimezone(event.zone):%Y-%m-%dT%H:%M:%S}",
        "eventCode": event.code,
        "activity": event.activity,
        "location": event.place,
        "referenceTrackingNo": None,
        "destCountry": str(piece.fields["country"]),
        "country": event.country,
        "timeZone": f"GMT{offset[:3]}:{offset[3:]}",
    }

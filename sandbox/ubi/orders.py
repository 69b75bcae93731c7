"""Orders that UBI has accepted: their numbers, their state and the journeys of their parcels."""

import itertools
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sandbox.controls.ledger import Entry
from sandbox.parcels.steering import Steering
from sandbox.ubi.labels import Label
from sandbox.ubi.wire import JsonObject


class State(StrEnum):
    """The state of an order (assumed words, as `queryorders` gives them)."""

    CREATED = "Created"
    HELD = "Held"
    CLOSED = "Closed"
    DELETED = "Deleted"


@dataclass(slots=True)
class Piece:
    """One parcel: what was ordered, and its numbers."""

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
    """An order: a single parcel, or a master with its pieces."""

    entry: Entry
    master: Piece
    pieces: list[Piece]
    words: Steering
    made_at: datetime
    state: State = State.CREATED

    @property
    def parcels(self) -> list[Piece]:
        """The parcels of the order: the pieces, or the order itself."""
        return self.pieces or [self.master]

    @property
    def living(self) -> bool:
        """Whether it has not been deleted."""
        return self.state is not State.DELETED

    def created(self) -> JsonObject:
        """Return the answer of a create or an update."""
        answer = _numbers(self.master)
        return {**answer, "piecesResult": [_numbers(piece) for piece in self.pieces], "extraProperty": {}}

    def told(self) -> JsonObject:
        """Return the answer of `queryorders`."""
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
    """Return the fields of an order as JSON has them, decimals as numbers."""
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
    """Return the entry of an order or a piece that was not accepted."""
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
    """Makes order ids and tracking numbers that no earlier run of a sandbox has given."""

    _counter: Iterator[int] = field(default_factory=lambda: itertools.count(int(time.time() * 1000)))

    def order_id(self) -> str:
        """Give an id as the given answer has them."""
        return secrets.token_urlsafe(16)

    def tracking_number(self) -> str:
        """Give the next number."""
        return f"TBV{next(self._counter) % 10**9:09d}"

"""The sandbox's record of what was bought, paid, called and called back.

`GET /_sandbox/ledger` answers one object per carrier::

    {"lso": {
      "orders": [{"order_number", "reference", "account", "status": "processing | completed |
                  failed", "refunded": false, "error", "price", "held", "charged", "returned",
                  "parcels": [{"tracking_number", "master_tracking_number", "reference"}],
                  "callback_url", "committed_at", "finished_at", "refunded_at"}],
      "money": {"held", "charged", "returned"},
      "calls": {"orderCommit": 3},
      "calls_by_reference": {"<reference>": {"orderCommit": 1, "orderResult": 2}},
      "callbacks": [{"order_number", "reference", "about", "url", "attempt", "at", "status",
                     "answer", "accepted"}],
      "duplicates": {"<reference>": ["<order number>", ...]}}}

Amounts are strings of two decimals, times are ISO 8601 in UTC. `account` is the login with which the order
was made (LSO: the appId). Money is `held` from the commit until the order completes (then `charged`) or is
refunded (then `returned`); a failed order's money stays held until the refund. `calls` counts every call
received, also refused and faulted ones, and `calls_by_reference` those that can be traced to an order's
reference. `duplicates` lists references with more than one order, ended or not. A carrier that names no price
(LME) has amounts of 0.00, and an order that was cancelled there counts as refunded.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The state of an order; a refund does not count."""

    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel's numbers; a single parcel may be its own master."""

    tracking_number: str
    master_tracking_number: str
    reference: str


@dataclass(slots=True)
class Entry:
    """One committed order and its money."""

    order_number: str
    reference: str
    account: str
    price: Decimal
    parcels: tuple[Parcel, ...]
    committed_at: datetime
    callback_url: str | None = None
    status: Status = Status.PROCESSING
    error: str | None = None
    finished_at: datetime | None = None
    refunded_at: datetime | None = None

    @property
    def living(self) -> bool:
        """Whether the order still holds its reference."""
        return self.status is not Status.FAILED and self.refunded_at is None

    @property
    def held(self) -> Decimal:
        """Money that is blocked."""
        free = self.refunded_at or self.status is Status.COMPLETED
        return Decimal(0) if free else self.price

    @property
    def charged(self) -> Decimal:
        """Money that was spent."""
        kept = self.status is Status.COMPLETED and self.refunded_at is None
        return self.price if kept else Decimal(0)

    @property
    def returned(self) -> Decimal:
        """Money that came back."""
        return self.price if self.refunded_at else Decimal(0)

    def complete(self, at: datetime) -> None:
        """Finish the order with success."""
        self.status, self.finished_at = Status.COMPLETED, at

    def fail(self, error: str, at: datetime) -> None:
        """Finish the order with a failure, in the carrier's words."""
        self.status, self.error, self.finished_at = Status.FAILED, error, at

    def refund(self, at: datetime) -> None:
        """Give the money back. Repeated calls give it back only once."""
        if self.refunded_at is None:
            self.refunded_at = at


@dataclass(frozen=True, slots=True)
class CallbackAttempt:
    """One attempt to send a client a webhook; `status` is None when no answer came.

    `about` is the carrier's code of the event in the webhook. It is empty for the outcome of an order.
    """

    order_number: str
    reference: str
    url: str
    attempt: int
    at: datetime
    status: int | None
    answer: str
    accepted: bool
    about: str = ""


@dataclass(slots=True)
class Book:
    """One carrier's part of the ledger."""

    orders: list[Entry] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    calls_by_reference: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    callbacks: list[CallbackAttempt] = field(default_factory=list)

    def called(self, call: str, references: Iterable[str]) -> None:
        """Count a call, also for each order it is about."""
        self.calls[call] += 1
        for reference in references:
            self.calls_by_reference[reference][call] += 1

    def shown(self) -> dict[str, Any]:
        """Return this part as the module describes it."""
        by_reference: defaultdict[str, list[str]] = defaultdict(list)
        for entry in self.orders:
            by_reference[entry.reference].append(entry.order_number)
        return {
            "orders": [_order(entry) for entry in self.orders],
            "money": {
                "held": _amount(sum((entry.held for entry in self.orders), Decimal(0))),
                "charged": _amount(sum((entry.charged for entry in self.orders), Decimal(0))),
                "returned": _amount(sum((entry.returned for entry in self.orders), Decimal(0))),
            },
            "calls": self.calls,
            "calls_by_reference": self.calls_by_reference,
            "callbacks": [_callback(attempt) for attempt in self.callbacks],
            "duplicates": {ref: seen for ref, seen in by_reference.items() if len(seen) > 1},
        }


class Ledger:
    """The ledger: a part for each carrier."""

    def __init__(self) -> None:
        self._books: defaultdict[str, Book] = defaultdict(Book)

    def book(self, carrier: str) -> Book:
        """Start a carrier's part."""
        return self._books[carrier]

    def reset(self) -> None:
        """Delete all parts."""
        self._books.clear()


def _amount(value: Decimal) -> str:
    return f"{value:.2f}"


def _instant(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None


def _order(entry: Entry) -> dict[str, Any]:
    return {
        "order_number": entry.order_number,
        "reference": entry.reference,
        "account": entry.account,
        "status": entry.status,
        "refunded": entry.refunded_at is not None,
        "error": entry.error,
        "price": _amount(entry.price),
        "held": _amount(entry.held),
        "charged": _amount(entry.charged),
        "returned": _amount(entry.returned),
        "parcels": [
            {
                "tracking_number": parcel.tracking_number,
                "master_tracking_number": parcel.master_tracking_number,
                "reference": parcel.reference,
            }
            for parcel in entry.parcels
        ],
        "callback_url": entry.callback_url,
        "committed_at": _instant(entry.committed_at),
        "finished_at": _instant(entry.finished_at),
        "refunded_at": _instant(entry.refunded_at),
    }


def _callback(attempt: CallbackAttempt) -> dict[str, Any]:
    return {
        "order_number": attempt.order_number,
        "reference": attempt.reference,
        "about": attempt.about,
        "url": attempt.url,
        "attempt": attempt.attempt,
        "at": _instant(attempt.at),
        "status": attempt.status,
        "answer": attempt.answer,
        "accepted": attempt.accepted,
    }

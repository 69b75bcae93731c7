"""A batch: many orders given at once, each of which then goes its own way."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import msgspec

from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.problems import FieldError, Notice, Problem

MOST_ORDERS = 300
"""Orders in one batch."""

_COUNTED_AS = {
    OrderStatus.ACCEPTED: "processing",
    OrderStatus.PROCESSING: "processing",
    OrderStatus.CONFIRMED: "confirmed",
    OrderStatus.CANCELLING: "confirmed",
    # No order of the client's stands with the carrier.
    OrderStatus.CANCELLED: "failed",
    OrderStatus.FAILED: "failed",
    OrderStatus.NEEDS_ATTENTION: "needs_attention",
}


class BatchLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one entry of a batch says of itself before anybody has checked it.

    `carrier` is None where it names none that there is, `reference` where it has none that could be one.
    """

    carrier: str | None = None
    account: str = "default"
    reference: str | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Many orders given at once, by the request `correlation_id`. What became of each is in its row."""

    id: str
    tenant: str
    lines: tuple[BatchLine, ...]
    correlation_id: str | None = None
    created_at: datetime


class BatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """How one entry of a batch stands.

    `order_id` is None as long as no order was made of it, and for ever when none could be made. `about`
    is the order that its problem speaks of, where that is another one.
    """

    index: int
    reference: str | None = None
    order_id: str | None = None
    status: OrderStatus = OrderStatus.ACCEPTED
    problem: Problem | None = None
    about: str | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a batch has come: every entry, in order, and how many there are of each kind."""

    rows: tuple[BatchRow, ...]
    confirmed: int
    processing: int
    failed: int
    needs_attention: int

    @property
    def finished(self) -> bool:
        """Whether nothing more is to be expected of any entry."""
        return self.processing == 0


def progress(batch: Batch, rows: Iterable[BatchRow]) -> Progress:
    """How far the batch has come, given the rows there are; an entry without one has not been begun."""
    begun = {row.index: row for row in rows}
    every = tuple(
        begun.get(index) or BatchRow(index=index, reference=line.reference)
        for index, line in enumerate(batch.lines)
    )
    counts = Counter(_COUNTED_AS[row.status] for row in every)
    return Progress(
        rows=every,
        confirmed=counts["confirmed"],
        processing=counts["processing"],
        failed=counts["failed"],
        needs_attention=counts["needs_attention"],
    )


class CheckedEntry(msgspec.Struct, frozen=True):
    """What is wrong with an entry, and what it would be warned of. Pointers lead into the entry."""

    errors: tuple[FieldError, ...] = ()
    warnings: tuple[Notice, ...] = ()

"""A batch: many orders in one request. Each is then processed by itself."""

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
    # The carrier has no order of the client's then.
    OrderStatus.CANCELLED: "failed",
    OrderStatus.FAILED: "failed",
    OrderStatus.NEEDS_ATTENTION: "needs_attention",
}


class BatchLine(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that can be read from one entry of a batch before it is checked.

    `carrier` is None for a missing or unknown carrier, `reference` for a missing or malformed one.
    """

    carrier: str | None = None
    account: str = "default"
    reference: str | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Many orders of one request, `correlation_id`. What became of each order is in its row."""

    id: str
    tenant: str
    lines: tuple[BatchLine, ...]
    correlation_id: str | None = None
    created_at: datetime


class BatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one entry of a batch.

    `order_id` is None while no order was made of it, and stays None when none can be made. `about` is the
    order that its problem is about, if that is another order.
    """

    index: int
    reference: str | None = None
    order_id: str | None = None
    status: OrderStatus = OrderStatus.ACCEPTED
    problem: Problem | None = None
    about: str | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a batch: every entry, in order, and how many there are of each kind."""

    rows: tuple[BatchRow, ...]
    confirmed: int
    processing: int
    failed: int
    needs_attention: int

    @property
    def finished(self) -> bool:
        """Whether every entry is finished."""
        return self.processing == 0


def progress(batch: Batch, rows: Iterable[BatchRow]) -> Progress:
    """Return the progress of the batch from its rows; an entry without a row has not been begun."""
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
    """The errors and warnings of an entry. Pointers are relative to the entry."""

    errors: tuple[FieldError, ...] = ()
    warnings: tuple[Notice, ...] = ()

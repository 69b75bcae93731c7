"""A batch with the result of each order, as clients see it."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from parcelgate.domain.batches import Batch, BatchLine, CheckedEntry, Progress
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.problems import FieldError, Notice
from parcelgate.http.answers import Site, copied
from parcelgate.http.problems import ProblemResource, problem_resource


class TakenBatch(msgspec.Struct, frozen=True):
    """A batch that was stored."""

    id: str
    total: int


class CheckedOrderResource(msgspec.Struct, frozen=True, kw_only=True):
    """The check of one entry of a batch, by its position from 0. Pointers lead into the entry."""

    index: int
    reference: str | None
    valid: bool
    errors: tuple[FieldError, ...]
    warnings: tuple[Notice, ...]


class CheckedBatchResource(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that was only checked. Nothing of it is stored and nothing is bought."""

    total: int
    valid: int
    invalid: int
    orders: tuple[CheckedOrderResource, ...]


class BatchOrderResource(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a batch, by its position from 0. `id` is null if the entry has no order (yet).

    The pointers of its problem lead into the entry, not into the batch.
    """

    index: int
    reference: str | None
    id: str | None
    status: OrderStatus
    problem: ProblemResource | None


class BatchResource(msgspec.Struct, frozen=True, kw_only=True):
    """A batch. The four counts add up to the total; `failed` includes invalid entries."""

    id: str
    status: Literal["processing", "finished"]
    total: int
    confirmed: int
    processing: int
    failed: int
    needs_attention: int
    orders: tuple[BatchOrderResource, ...]


def checked_batch_resource(
    lines: Sequence[BatchLine], entries: Sequence[CheckedEntry]
) -> CheckedBatchResource:
    """Show the check of each entry of a batch."""
    valid = sum(not entry.errors for entry in entries)
    orders = tuple(
        copied(CheckedOrderResource, entry, index=index, reference=line.reference, valid=not entry.errors)
        for index, (line, entry) in enumerate(zip(lines, entries, strict=True))
    )
    return CheckedBatchResource(total=len(entries), valid=valid, invalid=len(entries) - valid, orders=orders)


def batch_resource(batch: Batch, progress: Progress, site: Site) -> BatchResource:
    """Show a batch with the result of each entry."""
    rows = tuple(
        copied(
            BatchOrderResource,
            row,
            id=row.order_id,
            problem=problem_resource(row.problem, site, order_id=row.order_id or row.about)
            if row.problem
            else None,
        )
        for row in progress.rows
    )
    status = "finished" if progress.finished else "processing"
    return copied(BatchResource, progress, id=batch.id, status=status, total=len(rows), orders=rows)

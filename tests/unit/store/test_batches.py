"""Batches in the store: a row for each entry, true to its order in the very write that changes the order."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.domain.batches import Batch, BatchLine, BatchRow, progress
from parcelgate.domain.orders import BatchPlace, Order, OrderStatus
from parcelgate.domain.problems import Problem
from parcelgate.store.errors import (
    BatchNotFoundError,
    ClaimTakenError,
    ReferenceTakenError,
    RowTakenError,
    VersionConflictError,
)
from parcelgate.store.table import Table, TenantTable
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import TABLE_NAME, all_items

PROBLEM = Problem(code="validation_failed", detail="1 field is not valid; see errors.")


@pytest.fixture
def acme(table: Table) -> TenantTable:
    return table.tenant("acme")


def a_batch(count: int = 3, batch_id: str = "bat_1") -> Batch:
    lines = tuple(BatchLine(carrier="lso", reference=f"R-{n}") for n in range(count))
    return Batch(id=batch_id, tenant="acme", lines=lines, created_at=NOON)


def added(acme: TenantTable, **more: object) -> Batch:
    batch = a_batch(**more)  # type: ignore[arg-type]
    acme.batches.add(batch, due_at=NOON + timedelta(minutes=5))
    return batch


def an_entry(index: int, batch: Batch, **facts: object) -> Order:
    return an_order(reference=f"R-{index}", batch=BatchPlace(batch.id, index), **facts)


def test_a_batch_shows_every_entry_before_any_was_begun(acme: TenantTable) -> None:
    batch = added(acme)
    state = acme.batches.read(batch.id)
    assert state == (batch, [])
    far = progress(*state)
    assert [(row.index, row.reference, row.status) for row in far.rows] == [
        (0, "R-0", "accepted"),
        (1, "R-1", "accepted"),
        (2, "R-2", "accepted"),
    ]
    assert (far.processing, far.finished) == (3, False)


def test_a_row_follows_its_order_through_every_change(acme: TenantTable) -> None:
    batch = added(acme)
    order = an_entry(1, batch)
    acme.orders.add(order, an_event())
    seen = [acme.batches.read(batch.id).rows]
    for status in (OrderStatus.PROCESSING, OrderStatus.FAILED):
        problem = PROBLEM if status is OrderStatus.FAILED else None
        after = order.move(status, at=NOON, watch_at=None, problem=problem)
        acme.orders.save(order, after, an_event(str(status)))
        order = after
        seen.append(acme.batches.read(batch.id).rows)

    row = BatchRow(index=1, reference="R-1", order_id=order.id)
    assert seen == [
        [row],
        [msgspec.structs.replace(row, status=OrderStatus.PROCESSING)],
        [msgspec.structs.replace(row, status=OrderStatus.FAILED, problem=PROBLEM)],
    ]


def test_a_change_that_a_row_does_not_show_costs_no_write_of_it(acme: TenantTable, dynamodb: Any) -> None:
    batch = added(acme)
    order = an_entry(0, batch)
    acme.orders.add(order, an_event())
    (item,) = [item for item in all_items(dynamodb) if item.get("type") == {"S": "batch row"}]
    dynamodb.delete_item(TableName=TABLE_NAME, Key={"pk": item["pk"], "sk": item["sk"]})

    acme.orders.save(order, order.changed(at=NOON, carrier_details={"a": 1}))

    assert acme.batches.read(batch.id).rows == []


def test_an_entry_that_was_given_up_takes_no_order_any_more(acme: TenantTable) -> None:
    batch = added(acme)
    acme.batches.settle(batch, BatchRow(index=0, status=OrderStatus.FAILED, problem=PROBLEM))
    order = an_entry(0, batch)
    with pytest.raises(RowTakenError):
        acme.orders.add(order, an_event())
    assert acme.orders.by_reference("lso", "default", "R-0") is None


def test_an_entry_that_is_an_order_is_not_given_up(acme: TenantTable) -> None:
    batch = added(acme)
    order = an_entry(0, batch)
    acme.orders.add(order, an_event())
    acme.batches.settle(batch, BatchRow(index=0, status=OrderStatus.FAILED, problem=PROBLEM))
    (row,) = acme.batches.read(batch.id).rows
    assert (row.order_id, row.status) == (order.id, "accepted")


def test_the_same_entry_stored_twice_is_one_order(acme: TenantTable) -> None:
    """Also where its reference is its own: what is told is that the order stands."""
    order = an_entry(0, added(acme))
    acme.orders.add(order, an_event())
    with pytest.raises(VersionConflictError):
        acme.orders.add(order, an_event())


def test_an_entry_whose_reference_lives_elsewhere_is_told_whose(acme: TenantTable) -> None:
    other = an_order(reference="R-0")
    acme.orders.add(other, an_event())
    with pytest.raises(ReferenceTakenError) as caught:
        acme.orders.add(an_entry(0, added(acme)), an_event())
    assert caught.value.order_id == other.id


def test_another_tenant_has_no_such_batch(table: Table, acme: TenantTable) -> None:
    batch = added(acme)
    for wrong in ("bat_2", "no id at all", ""):
        with pytest.raises(BatchNotFoundError):
            acme.batches.read(wrong)
    with pytest.raises(BatchNotFoundError):
        table.tenant("other").batches.read(batch.id)
    with pytest.raises(ValueError, match="another tenant"):
        table.tenant("other").batches.add(batch, due_at=NOON)


def test_a_batch_is_due_until_nobody_has_to_look_after_it(table: Table, acme: TenantTable) -> None:
    batch = added(acme)
    assert table.due.due("BATCH", NOON) == []
    assert table.due.due("BATCH", NOON + timedelta(minutes=5)) == [("acme", batch.id)]
    acme.batches.set_deadline(batch.id, NOON + timedelta(hours=1))
    assert table.due.due("BATCH", NOON + timedelta(minutes=59)) == []
    acme.batches.set_deadline(batch.id, None)
    acme.batches.set_deadline(batch.id, NOON)
    assert table.due.due("BATCH", NOON + timedelta(days=1)) == []


def test_a_claim_stands_in_the_batchs_own_transaction(acme: TenantTable) -> None:
    first, second = (acme.claims.fresh("k", "body", now=NOON, lease=timedelta(minutes=2)) for _ in range(2))
    acme.batches.add(a_batch(), due_at=NOON, claim=first)
    assert first.order_id == "bat_1"
    with pytest.raises(ClaimTakenError):
        acme.batches.add(a_batch(batch_id="bat_2"), due_at=NOON, claim=second)
    with pytest.raises(BatchNotFoundError):
        acme.batches.read("bat_2")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("accepted", "processing"),
        ("processing", "processing"),
        ("confirmed", "confirmed"),
        ("cancelling", "confirmed"),
        ("cancelled", "failed"),
        ("failed", "failed"),
        ("needs_attention", "needs_attention"),
    ],
)
def test_every_status_is_counted_once(status: str, kind: str) -> None:
    far = progress(a_batch(1), [BatchRow(index=0, status=OrderStatus(status))])
    assert sum((far.confirmed, far.processing, far.failed, far.needs_attention)) == 1
    assert getattr(far, kind) == 1
    assert far.finished is (kind != "processing")

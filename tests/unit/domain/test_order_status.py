"""Promise 5: an order's status goes where the contract says, and nowhere else."""

import itertools
from datetime import UTC, datetime

import msgspec
import pytest

from parcelgate.domain.orders import OrderStatus, TransitionError
from tests.support.orders import an_order

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

# Written out from the contract, not read from the code.
ALLOWED = {
    ("accepted", "processing"),
    ("accepted", "cancelled"),
    ("accepted", "failed"),
    ("accepted", "needs_attention"),
    ("processing", "confirmed"),
    ("processing", "cancelled"),
    ("processing", "failed"),
    ("processing", "needs_attention"),
    ("confirmed", "cancelling"),
    ("cancelling", "cancelled"),
    ("cancelling", "confirmed"),
    ("cancelling", "needs_attention"),
    ("needs_attention", "confirmed"),
    ("needs_attention", "failed"),
    ("needs_attention", "cancelling"),
    ("needs_attention", "cancelled"),
}


@pytest.mark.parametrize(("before", "after"), [*itertools.product(OrderStatus, OrderStatus)])
def test_a_status_moves_along_the_table_alone(before: OrderStatus, after: OrderStatus) -> None:
    order = msgspec.structs.replace(an_order(), status=before)

    if (before.value, after.value) in ALLOWED:
        moved = order.move(after, at=NOON, watch_at=None)
        assert (moved.status, moved.version) == (after, order.version + 1)
    else:
        with pytest.raises(TransitionError):
            order.move(after, at=NOON, watch_at=None)


def test_only_cancelled_and_failed_are_final() -> None:
    assert {status.value for status in OrderStatus if status.final} == {"cancelled", "failed"}

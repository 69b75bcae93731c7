"""What became of an order is counted by whoever brought it there, and by nobody else."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.results import Confirmed, ParcelResult
from parcelgate.domain.orders import Order, OrderStatus, first_tracking_id
from parcelgate.domain.trackings import Source, merge
from parcelgate.runtime import runtime
from parcelgate.services.orders import transitions
from tests.support.orders import an_event, an_order, trackings_of
from tests.support.trackings import seen
from tests.support.world import World


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr(transitions, "count", lambda name, **of: found.append((name, of["status"])))
    return found


def given_up(world: World, order: Order) -> Order:
    return runtime.order_flow.give_up(order.tenant, order.id, "workflow_ended")


def test_an_order_is_counted_once_however_often_it_is_given_up(world: World, counted: list[Any]) -> None:
    order = an_order(status=OrderStatus.PROCESSING)
    world.table.tenant("acme").orders.add(order, an_event())

    for _ in range(3):
        assert given_up(world, order).status is OrderStatus.NEEDS_ATTENTION

    assert counted == [("OrderOutcomes", OrderStatus.NEEDS_ATTENTION)]


def test_what_changes_nothing_is_not_counted(world: World, counted: list[Any]) -> None:
    order = an_order(status=OrderStatus.CANCELLED)
    world.table.tenant("acme").orders.add(order, an_event())
    given_up(world, order)
    assert counted == []


def test_a_whole_order_is_counted_once(world: World, counted: list[Any]) -> None:
    world.settle(world.start_order())
    assert counted == [("OrderOutcomes", OrderStatus.CONFIRMED)]


def test_the_first_parcel_is_followed_under_its_order_s_id_unless_another_was() -> None:
    (parcel,) = an_order().parcels
    three = tuple(msgspec.structs.replace(parcel, reference=each) for each in "abc")
    order = an_order(status=OrderStatus.PROCESSING, parcels=three)
    result = Confirmed(
        carrier_order_number="N",
        parcels=tuple(ParcelResult(reference=each, tracking_number=each) for each in "abc"),
    )

    def ids(order: Order) -> list[str | None]:
        after = transitions.confirmed(order, result, at=order.created_at, watch_at=order.created_at).after
        return [parcel.tracking_id for parcel in after.parcels]

    first = first_tracking_id(order.id)
    assert ids(order)[0] == first
    assert len({*ids(order)}) == 3
    assert first not in ids(msgspec.structs.replace(order, earlier_tracking_ids=(first,)))


def test_a_new_order_s_parcel_does_not_inherit_the_timeline_of_an_earlier_one(world: World) -> None:
    order = world.settle(world.start_order())
    (tracking,) = trackings_of(world.table, order)
    at = order.created_at
    earlier, own = seen("delivered", at=at - timedelta(days=3)), seen("info_received", at=at - timedelta(1))
    after = merge(tracking, [earlier, own], source=Source.POLL, at=at)
    assert [event.status for event in after.events] == ["info_received"]

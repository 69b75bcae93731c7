"""A poll worker that dies at any of its outward calls loses no poll, and asks no carrier twice at once."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from parcelgate.carriers.errors import RefusedError, TooManyRequestsError
from parcelgate.domain.trackings import Tracking, TrackingStatus
from tests.support.faults import Killed, die, throttle, time_out
from tests.support.table import TABLE_NAME, create_table, dynamodb  # noqa: F401 - a fixture
from tests.support.trackings import seen
from tests.support.world import World

FIVE_MINUTES = 300.0
NEWS = 2
"""Of so many of the parcels there is news."""

type Scene = Callable[[World], list[Tracking]]


def told(world: World) -> list[Tracking]:
    """Some news, some not, one refused, and one account that must rest."""
    parcels = [*world.due_parcels(3), *world.due_parcels(account="other"), world.add_parcel()]
    for parcel in parcels[:NEWS]:
        world.tracker().reports(parcel.tracking_number, seen("in_transit"))
    world.tracker().bad[parcels[NEWS].tracking_number] = RefusedError("no such number")
    world.tracker(account="other").errors = [TooManyRequestsError("429", retry_after=60)]
    return parcels


def calls_of(world: World) -> list[int]:
    """The places of a run's calls; of the many queries that look for what is due, one stands for all."""
    told(world)
    world.poll()
    names = world.faults.names
    first_query = names.index("dynamodb.query")
    return [place + 1 for place, name in enumerate(names) if name != "dynamodb.query" or place == first_query]


def all_was_asked(world: World, parcels: list[Tracking]) -> None:
    """After the following rounds, everything is as if nobody had died."""
    for _ in range(3):
        world.clock.sleep(FIVE_MINUTES)
        while world.poll():
            pass
    assert [world.tracking_status(parcel) for parcel in parcels[:NEWS]] == [TrackingStatus.IN_TRANSIT] * NEWS
    asked = {number for tracker in world.trackers.values() for number in tracker.numbers}
    assert {parcel.tracking_number for parcel in parcels[:-1]} <= asked
    for parcel in parcels:
        assert world.next_poll(parcel) is not None, "nobody would ask any more"
        assert "claim" not in world.tracking_item(parcel)
    assert all(len(world.tracking(parcel).events) == 1 for parcel in parcels[:NEWS])


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
def test_dying_at_any_call_loses_no_poll(new_world: Callable[[], World], *, after: bool) -> None:
    for place in calls_of(new_world()):
        world = new_world()
        parcels = told(world)
        world.faults.at(place, die(after=after))
        with suppress(Killed):
            world.poll()
        all_was_asked(world, parcels)


@pytest.mark.parametrize(
    "fault",
    [throttle(), time_out(after=True)],
    ids=["throttled", "timed out after its effect"],
)
def test_trouble_with_the_table_at_any_call_loses_no_poll(new_world: Callable[[], World], fault: Any) -> None:
    for place in calls_of(new_world()):
        world = new_world()
        parcels = told(world)
        world.faults.at(place, fault)
        # The function fails, or goes on with what it can do; the next round begins anew.
        with suppress(Exception):
            world.poll()
        all_was_asked(world, parcels)


def test_while_a_dead_workers_claims_last_nobody_else_asks(new_world: Callable[[], World]) -> None:
    world = new_world()
    parcels = world.due_parcels(5)
    world.faults.on("track", die())
    with pytest.raises(Killed):
        world.poll()
    for _ in range(6):
        world.clock.sleep(10)
        world.poll()
        assert world.tracker().requests == []
    world.clock.sleep(10)
    world.poll()
    assert sorted(world.tracker().numbers) == sorted(parcel.tracking_number for parcel in parcels)

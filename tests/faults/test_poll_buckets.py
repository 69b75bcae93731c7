"""Whatever becomes of the workers, each parcel comes to its next poll, and in one way."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcelgate.carriers.errors import RefusedError, TooManyRequestsError, TransientError
from parcelgate.carriers.results import ParcelHistory
from parcelgate.domain.trackings import Tracking, TrackingStatus
from parcelgate.runtime import runtime
from parcelgate.services.trackings import poll_buckets
from parcelgate.store import keys
from tests.property.examples import many
from tests.support.faults import Fault, Killed, die, throttle, time_out
from tests.support.trackings import seen
from tests.support.world import World, worlds

ROUND = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def few_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many empty partitions as there are otherwise take most of the time."""
    monkeypatch.setattr(keys, "POLL_SHARDS", 2)


def scene(world: World) -> list[Tracking]:
    """Parcels that wait in buckets and are due: with news, without, refused, of an account that must rest."""
    random.seed(1)  # Each time the same buckets, and so the same calls.
    parcels = [world.add_parcel(**facts) for facts in [{}] * 5 + [{"account": "other"}] * 2]
    world.poll()
    world.clock.sleep(14 * 3600)
    world.tracker().reports(parcels[0].tracking_number, seen("in_transit"))
    world.tracker().bad[parcels[1].tracking_number] = RefusedError("no such number")
    world.tracker(account="other").errors = [TooManyRequestsError("429", retry_after=60)]
    world.nudge(parcels[2])
    return parcels


def rounds(world: World, number: int) -> None:
    for _ in range(number):
        while world.poll():
            pass
        world.clock.sleep(ROUND.total_seconds())


def assert_all_go_on(world: World, parcels: list[Tracking]) -> None:
    for parcel in parcels:
        tracking = world.tracking(parcel)
        ways = world.ways_to_poll(parcel)
        if tracking.status.final or tracking.paused:
            assert ways == []
        else:
            assert ways in (["alone"], ["free"]), f"{parcel.id} would come in these ways: {ways}"
        assert "claim" not in world.tracking_item(parcel)


def spoil(new_world: Callable[[], World], fault: Fault) -> None:
    """Spoil each call of a round in turn, and see what became of the parcels a little later."""
    world = new_world()
    scene(world)
    done = len(world.faults.calls)
    world.poll()
    number = len(world.faults.calls) - done
    assert number > 30, "the round has fewer calls than this test is about"
    for place in range(1, number + 1):
        world = new_world()
        parcels = scene(world)
        world.faults.at(done + place, fault)
        with suppress(Exception, Killed):
            world.poll()
        rounds(world, 4)
        assert_all_go_on(world, parcels)
        asked = {number for tracker in world.trackers.values() for number in tracker.numbers}
        assert asked == {parcel.tracking_number for parcel in parcels}
        assert world.tracking_status(parcels[0]) is TrackingStatus.IN_TRANSIT
        assert len(world.tracking(parcels[0]).events) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
def test_dying_at_any_call_loses_no_parcel_and_makes_no_second_way(
    new_world: Callable[[], World], *, after: bool
) -> None:
    spoil(new_world, die(after=after))


@pytest.mark.parametrize(
    "fault", [throttle(), time_out(after=True)], ids=["throttled", "timed out after its effect"]
)
def test_trouble_with_the_table_at_any_call_does_neither(
    new_world: Callable[[], World], fault: Fault
) -> None:
    spoil(new_world, fault)


STEPS = (
    "poll", "poll", "poll", "die before", "die after", "throttle", "time out", "sleep on", "nudge", "webhook",
    "news", "silence", "refuse", "rest", "pause", "resume", "add", "wait", "wait long",
)  # fmt: skip


class Story:
    """One world, in which anything happens."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.parcels = [world.add_parcel() for _ in range(3)]
        self.hour = 0.0

    def tell(self, step: str, which: int, call: int) -> None:
        world, parcel = self.world, self.parcels[which % len(self.parcels)]
        match step:
            case "die before" | "die after":
                self.spoilt(call, die(after=step == "die after"))
            case "throttle":
                self.spoilt(call, throttle())
            case "time out":
                self.spoilt(call, time_out(after=True))
            case "poll":
                world.poll()
            case "sleep on":
                world.tracker().meanwhile = [self.others_come_first]
            case "nudge":
                world.nudge(parcel)
                if call % 2:
                    world.poll_worker().nudged(world.nudges()[-1:], world.time_left())
            case "webhook":
                told = ParcelHistory(tracking_number=parcel.tracking_number, events=(self.event(call),))
                runtime.timelines.believe(parcel.tenant, parcel.id, told)
            case "news":
                world.tracker().reports(parcel.tracking_number, self.event(call))
            case "silence":
                world.tracker().histories.clear()
                world.tracker().bad.clear()
            case "refuse":
                world.tracker().bad[parcel.tracking_number] = RefusedError("no such number")
            case "rest":
                world.tracker().errors = [[TransientError("503"), TooManyRequestsError("429")][call % 2]]
            case "pause" | "resume":
                self.paused(parcel, paused=step == "pause")
            case "add":
                self.parcels.append(world.add_parcel())
            case "wait" | "wait long":
                world.clock.sleep(call * (20 if step == "wait" else 1800))

    def event(self, call: int) -> Any:
        self.hour += 1
        status = ("in_transit", "out_for_delivery", "exception", "delivered")[call % 4]
        return seen(status, hours=self.hour)

    def spoilt(self, call: int, fault: Fault) -> None:
        """Poll, and spoil one of the calls, if there are so many."""
        faults = self.world.faults
        start, so_many = len(faults.calls), {"query": 1}
        met = 0

        def matches(made: Any) -> bool:
            nonlocal met
            if made.target != "dynamodb" or len(faults.calls) < start:
                return False
            if made.method == "query" and not so_many.pop("query", 0):
                return False
            met += 1
            return met == call

        faults.when(matches, fault)
        with suppress(Exception, Killed):
            self.world.poll()
        faults.forget()

    def others_come_first(self) -> None:
        self.world.clock.sleep(90)
        self.world.poll(self.world.poll_worker())

    def paused(self, parcel: Tracking, *, paused: bool) -> None:
        store = self.world.table.tenant(parcel.tenant).trackings
        before = store.get(parcel.id)
        if before.paused is not paused:
            store.save(before, msgspec.structs.replace(before, paused=paused, version=before.version + 1))
        if paused:
            store.schedule(parcel.id, None)
        else:
            self.world.nudge(parcel)

    def assert_nothing_is_lost(self) -> None:
        """At any moment a parcel has a way to its next poll, and in two free buckets it is never."""
        for parcel in self.parcels:
            tracking = self.world.tracking(parcel)
            ways = self.world.ways_to_poll(parcel)
            assert ways.count("free") <= 1
            assert ways or tracking.status.final or tracking.paused, f"{parcel.id} is lost"

    def end(self) -> None:
        """Once there is peace, each parcel is polled within a day, and in one way."""
        self.tell("silence", 0, 0)
        self.world.tracker().errors.clear()
        self.world.tracker().meanwhile.clear()
        rounds(self.world, 3)
        assert_all_go_on(self.world, self.parcels)
        live = [
            one for one in map(self.world.tracking, self.parcels) if not one.status.final and not one.paused
        ]
        self.world.tracker().requests.clear()
        for _ in range(28):
            self.world.clock.sleep(3600)
            self.world.poll()
        assert {*self.world.tracker().numbers} == {parcel.tracking_number for parcel in live}
        assert_all_go_on(self.world, self.parcels)


@many(12)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 4), st.integers(1, 24)), max_size=25))
def test_whatever_happens_each_parcel_has_one_way_to_its_next_poll(steps: list[tuple[str, int, int]]) -> None:
    with worlds() as new_world, pytest.MonkeyPatch.context() as patch:
        patch.setattr(poll_buckets, "TOGETHER", 3)
        patch.setattr(poll_buckets, "ENTERING", 2)
        story = Story(new_world())
        for step in steps:
            story.tell(*step)
            story.assert_nothing_is_lost()
        story.end()

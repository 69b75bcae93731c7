"""What polls find out is learned, once in a run, and the plan follows it."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from functions.process_webhook.handler import handler as process_webhook
from parcelgate.domain.habits import ENOUGH, Corridor, Habit
from parcelgate.domain.polling import corridor_of, next_poll
from parcelgate.domain.trackings import TrackingStatus
from parcelgate.runtime import runtime
from parcelgate.services.trackings import habits as module
from parcelgate.services.trackings.habits import HabitBook
from parcelgate.store.errors import StoreUnavailableError
from parcelgate.store.tenants.habits import Habits
from tests.support.api import Context
from tests.support.trackings import seen, told
from tests.support.world import World

HOUR = timedelta(hours=1)
KNOWN = {"h9": ENOUGH, "d0": ENOUGH, "s5": ENOUGH}


def corridor(stage: str) -> Corridor:
    return Corridor("ubi", "", "", "AU", stage)


def stored(world: World, stage: str) -> Habit:
    return world.table.tenant("acme").habits.read(corridor(stage), world.clock.now.date())


def stored_time(at: datetime | None) -> datetime:
    """The moment as it is stored: in whole milliseconds."""
    assert at is not None
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def moved(world: World, number: int) -> None:
    """So many parcels are found to have been handed over, by one run."""
    for parcel in world.due_parcels(number, destination_country="AU"):
        world.tracker().reports(parcel.tracking_number, seen("in_transit", hours=1))
    world.poll()


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Counter[Corridor]:
    """How often each corridor was written to."""
    counted: Counter[Corridor] = Counter()
    add = Habits.add

    def counting(self: Habits, corridor: Corridor, *given: Any) -> None:
        counted[corridor] += 1
        add(self, corridor, *given)

    monkeypatch.setattr(Habits, "add", counting)
    return counted


def test_a_run_adds_what_it_learned_in_one_write_for_each_corridor(
    world: World, writes: Counter[Corridor]
) -> None:
    moved(world, 40)
    assert stored(world, "b").moves == 40
    assert writes == {corridor("b"): 1}


def test_a_run_without_news_writes_nothing(world: World, writes: Counter[Corridor]) -> None:
    world.due_parcels(40, destination_country="AU")
    world.poll()
    assert not writes


def test_the_next_poll_follows_the_habit(world: World) -> None:
    world.table.tenant("acme").habits.add(corridor("b"), KNOWN, world.clock.now.date())
    (parcel,) = world.due_parcels(destination_country="AU")
    world.poll()
    at = world.clock.now
    assert world.next_poll(parcel) == stored_time(next_poll(parcel, now=at, habit=Habit(KNOWN)))
    assert world.next_poll(parcel) != stored_time(next_poll(parcel, now=at))


def test_habits_that_cannot_be_read_or_kept_leave_the_table(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any) -> Any:
        raise StoreUnavailableError("down")

    monkeypatch.setattr(Habits, "read", down)
    monkeypatch.setattr(Habits, "add", down)
    (parcel,) = world.due_parcels(destination_country="AU")
    world.tracker().reports(parcel.tracking_number, seen("in_transit"))
    world.poll()
    after = world.tracking(parcel)
    assert world.next_poll(parcel) == stored_time(next_poll(after, now=world.clock.now))


def test_an_event_at_the_end_of_time_spoils_nothing(world: World) -> None:
    (parcel,) = world.due_parcels(destination_country="AU")
    world.tracker().reports(
        parcel.tracking_number, seen("in_transit", at=datetime(9999, 12, 31, 23, tzinfo=UTC))
    )
    world.poll()
    assert world.tracking_status(parcel) is TrackingStatus.IN_TRANSIT
    assert world.time_to_poll(parcel) > HOUR


class TestABook:
    def test_saves_the_corridors_in_which_most_parcels_moved(
        self, world: World, writes: Counter[Corridor], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_MOST_SAVED", 1)
        book = HabitBook(world.table, clock=world.clock)
        for country, number in (("NZ", 1), ("AU", 3), ("GB", 2)):
            for parcel in [world.add_parcel(destination_country=country) for _ in range(number)]:
                book.learn(parcel, msgspec.structs.replace(parcel, events=(seen("in_transit", hours=1),)))
        book.save()
        assert writes == {corridor("b"): 1}

    def test_reads_a_corridor_once_an_hour(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        reads: list[Corridor] = []

        def read(_: Habits, corridor: Corridor, today: date) -> Habit:
            reads.append(corridor)
            return Habit(KNOWN)

        monkeypatch.setattr(Habits, "read", read)
        parcel = world.add_parcel(destination_country="AU")
        book = HabitBook(world.table, clock=world.clock)
        for _ in range(10):
            known = book.habit_of(parcel)
            assert known is not None
            assert known.is_known
        assert reads == [corridor_of(parcel)]
        world.clock.sleep(3601)
        book.habit_of(parcel)
        assert len(reads) == 2

    def test_learns_of_a_well_known_corridor_from_a_sample(self, world: World) -> None:
        well = dict.fromkeys(KNOWN, module._WELL_KNOWN)
        world.table.tenant("acme").habits.add(corridor("b"), well, world.clock.now.date())
        moved(world, 160)
        more = stored(world, "b").moves - module._WELL_KNOWN
        assert 0 < more < 160 / module._SAMPLE * 2.5

    def test_forgets_what_it_has_saved(self, world: World, writes: Counter[Corridor]) -> None:
        moved(world, 1)
        world.poll()
        assert writes == {corridor("b"): 1}


def test_a_webhook_that_is_believed_is_learned_from_too(world: World) -> None:
    parcel = world.add_parcel(destination_country="AU")
    event = seen("in_transit", hours=1)
    runtime.timelines.believe("acme", parcel.id, told(event, number=parcel.tracking_number))
    assert stored(world, "b").moves == 0
    process_webhook({"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": "{}"}]}, Context())
    assert stored(world, "b").moves == 1


def test_where_parcels_travel_faster_nothing_is_learned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runtime.timelines.habits is not None
    monkeypatch.setenv("PARCELGATE_POLL_PACE", "1440")
    runtime.reset()
    assert runtime.timelines.habits is None

"""Parcels that wait together: who is polled from a bucket, where it waits then, and what that writes."""

import math
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from threading import Barrier
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.errors import (
    AuthenticationError,
    HeldBackError,
    RefusedError,
    TooManyRequestsError,
)
from parcelgate.carriers.results import ParcelHistory
from parcelgate.domain.trackings import Tracking, TrackingStatus
from parcelgate.runtime import runtime
from parcelgate.services.trackings import poll_buckets
from parcelgate.store import keys
from parcelgate.store.calls import Items, plain
from parcelgate.store.errors import StoreUnavailableError
from parcelgate.store.tenants.stats import Stats
from parcelgate.store.trackings import Trackings
from parcelgate.store.wheel import PollBucket, Wheel
from tests.support.faults import throttle
from tests.support.trackings import seen
from tests.support.world import FUNCTION_SECONDS, World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def few_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many empty partitions as there are otherwise take most of the time."""
    monkeypatch.setattr(keys, "POLL_SHARDS", 4)


def waiting_parcels(world: World, number: int = 1, **facts: Any) -> list[Tracking]:
    """Parcels that wait in buckets for their first polls."""
    parcels = [world.add_parcel(**facts) for _ in range(number)]
    world.poll()
    assert {way for parcel in parcels for way in world.ways_to_poll(parcel)} == {"free"}
    return parcels


def until_due(world: World, *parcels: Tracking) -> None:
    """Let time pass until the last of these parcels is due, or all there are."""
    times = [world.next_poll(parcel) for parcel in parcels]
    last = max(time for time in times if time is not None)
    world.clock.sleep((last - world.clock.now).total_seconds())


def is_free(world: World, parcels: list[Tracking]) -> bool:
    """Whether each of the parcels comes to its next poll in one way, and nobody holds it."""
    return all(world.ways_to_poll(parcel) in (["free"], ["alone"]) for parcel in parcels)


class TestAPollWithoutNews:
    def test_writes_nothing_of_the_parcel(self, world: World) -> None:
        (parcel,) = waiting_parcels(world)
        before = world.tracking_item(parcel), world.tracking_item(parcel, "TRACKING")
        for polls in range(1, 4):
            until_due(world, parcel)
            world.poll()
            assert len(world.tracker().requests) == polls
            assert (world.tracking_item(parcel), world.tracking_item(parcel, "TRACKING")) == before
            assert world.ways_to_poll(parcel) == ["free"]
            assert world.time_to_poll(parcel) > 9 * HOUR

    def test_takes_a_tenth_of_a_write_unit_among_many(self, world: World) -> None:
        """DynamoDB charges a unit for each KB begun of an item, as large as it is before or after."""
        waiting_parcels(world, 400)
        sizes = {(bucket.shard, bucket.sk): size_of(bucket) for bucket in world.poll_buckets()}
        units, before = 0, len(world.faults.calls)
        while len(world.tracker().numbers) < 400:
            world.clock.sleep((world.poll_buckets()[0].due_at - world.clock.now).total_seconds())
            world.poll()
            sizes |= {(bucket.shard, bucket.sk): size_of(bucket) for bucket in world.poll_buckets()}
        for call in world.faults.calls[before:]:
            if call.method in ("put_item", "update_item", "delete_item"):
                key = plain(call.arguments.get("Item") or call.arguments["Key"])
                shard = int(key["pk"].removeprefix("WHEEL#"))
                units += math.ceil(sizes[shard, key["sk"]] / 1024)
        assert units / len(world.tracker().numbers) <= 0.1

    def test_costs_a_write_when_its_timetable_ends(self, world: World) -> None:
        (parcel,) = waiting_parcels(world)
        before = world.tracking_item(parcel)
        for _ in range(32):
            until_due(world, parcel)
            world.poll()
        after = world.tracking_item(parcel)
        assert after["timetable"] != before["timetable"]
        assert after["ticket"] == before["ticket"]
        assert is_free(world, [parcel])

    def test_that_is_late_has_the_next_one_a_whole_interval_later(self, world: World) -> None:
        (parcel,) = waiting_parcels(world)
        until_due(world, parcel)
        world.clock.sleep(6 * 3600)
        world.poll()
        assert 9 * HOUR < world.time_to_poll(parcel) < 15 * HOUR
        assert is_free(world, [parcel])


def size_of(bucket: PollBucket) -> int:
    """The bytes of a bucket's item while it is claimed."""
    names = "pk sk planned parcels contents claim claim_until expires_at"
    moments = 2 * len("2026-11-21T12:00:00.000Z")
    return len(names) + len("WHEEL#31") + len(bucket.sk) + len(bucket.contents) + moments + 32 + 8


class TestNews:
    def test_change_the_parcels_plan_and_let_it_wait_on(self, world: World) -> None:
        moving, there, silent = waiting_parcels(world, 3)
        until_due(world, moving, there, silent)
        world.tracker().reports(moving.tracking_number, seen("in_transit", hours=14))
        world.tracker().reports(there.tracking_number, seen("in_transit"), seen("delivered", hours=1))
        world.poll()
        assert world.tracking_status(moving) is TrackingStatus.IN_TRANSIT
        assert 3 * HOUR < world.time_to_poll(moving) < 5 * HOUR
        assert world.next_poll(there) is None
        assert world.ways_to_poll(there) == []
        assert is_free(world, [moving, silent])
        until_due(world, moving)
        world.poll()
        assert Counter(world.tracker().numbers) == {
            moving.tracking_number: 2, there.tracking_number: 1, silent.tracking_number: 1
        }  # fmt: skip

    def test_by_webhook_leave_the_parcel_in_its_bucket_and_put_its_poll_off(self, world: World) -> None:
        (parcel,) = waiting_parcels(world)
        first = world.next_poll(parcel)
        world.clock.sleep(2 * 3600)
        told = ParcelHistory(tracking_number=parcel.tracking_number, events=(seen("in_transit", hours=1),))
        runtime.timelines.believe("acme", parcel.id, told)
        assert world.ways_to_poll(parcel) == ["free"]
        planned = world.next_poll(parcel)
        assert first is not None
        assert planned is not None
        assert planned > first
        world.clock.sleep((first - world.clock.now).total_seconds())
        world.poll()
        assert world.tracker().requests == [], "it has time"
        assert world.next_poll(parcel) == planned
        until_due(world, parcel)
        world.poll()
        assert len(world.tracker().requests) == 1

    def test_by_webhook_that_ask_for_a_sooner_poll_take_it_out(self, world: World) -> None:
        (parcel,) = waiting_parcels(world)
        told = ParcelHistory(tracking_number=parcel.tracking_number, events=(seen("out_for_delivery"),))
        runtime.timelines.believe("acme", parcel.id, told)
        assert world.ways_to_poll(parcel) == ["alone"]
        until_due(world, parcel)
        world.poll()
        assert len(world.tracker().requests) == 1
        assert world.ways_to_poll(parcel) == ["free"]

    def test_by_webhook_during_a_poll_are_planned_by(self, world: World) -> None:
        (parcel,) = waiting_parcels(world)
        until_due(world, parcel)
        world.clock.sleep(6 * 3600)
        told = ParcelHistory(
            tracking_number=parcel.tracking_number, events=(seen("out_for_delivery", hours=18),)
        )
        world.tracker().meanwhile = [lambda: runtime.timelines.believe("acme", parcel.id, told)]
        world.poll()
        assert is_free(world, [parcel])
        for _ in range(3):
            world.clock.sleep(3600)
            world.poll()
        assert len(world.tracker().requests) == 2


class TestAParcelThatIsPlannedInAnotherWay:
    def test_is_asked_about_once_when_nudged(self, world: World) -> None:
        (parcel,) = waiting_parcels(world)
        world.nudge(parcel)
        assert world.poll_worker().nudged(world.nudges(), world.time_left()) == []
        assert world.ways_to_poll(parcel) == ["free"]
        assert len(world.poll_buckets()) == 2, "nobody has told the first one"
        for _ in range(15):
            world.clock.sleep(3600)
            world.poll()
        assert len(world.tracker().requests) == 2
        (bucket,) = world.poll_buckets()
        assert len([*bucket.entries]) == 1, "its ticket of before the nudge is worth nothing"

    def test_a_nudge_during_its_poll_is_not_lost(self, world: World) -> None:
        (parcel,) = waiting_parcels(world)
        until_due(world, parcel)
        world.tracker().meanwhile = [lambda: world.nudge(parcel)]
        world.poll()
        assert world.ways_to_poll(parcel) == ["alone"]
        world.poll()
        assert len(world.tracker().requests) == 2
        assert world.ways_to_poll(parcel) == ["free"]

    @pytest.mark.parametrize("meanwhile", [False, True])
    def test_is_not_asked_about_when_paused(self, world: World, *, meanwhile: bool) -> None:
        (parcel,) = waiting_parcels(world)
        store = world.table.tenant("acme").trackings

        def pause() -> None:
            store.save(parcel, msgspec.structs.replace(parcel, paused=True, version=2))
            store.schedule(parcel.id, None)

        until_due(world, parcel)
        if meanwhile:
            world.tracker().meanwhile = [pause]
        else:
            pause()
        for _ in range(3):
            world.poll()
            world.clock.sleep(86_400)
        assert len(world.tracker().requests) == meanwhile
        assert world.next_poll(parcel) is None
        assert world.poll_buckets() == []

    def test_is_not_asked_about_when_an_older_release_has_paused_it(self, world: World) -> None:
        """It removes the time of the poll, of which there is none, and leaves the ticket."""
        (parcel,) = waiting_parcels(world)
        store = world.table.tenant("acme").trackings
        store.save(parcel, msgspec.structs.replace(parcel, paused=True, version=2))
        until_due(world, parcel)
        world.poll()
        assert world.tracker().requests == []
        assert world.next_poll(parcel) is None
        assert world.poll_buckets() == []

    def test_is_forgotten_when_it_is_gone(self, world: World) -> None:
        gone, there = waiting_parcels(world, 2, carrier="trackingmore", carrier_code="usps")
        until_due(world, gone, there)
        world.table.tenant("acme").trackings.remove(gone)
        world.poll()
        assert world.tracker(carrier="trackingmore").numbers == [there.tracking_number]
        assert world.tracking_item(gone) == {}

    def test_that_goes_during_its_poll_spoils_no_other(self, world: World) -> None:
        gone, there = waiting_parcels(world, 2)
        until_due(world, gone, there)
        for parcel in (gone, there):
            world.tracker().reports(parcel.tracking_number, seen("in_transit"))
        world.tracker().meanwhile = [lambda: world.table.tenant("acme").trackings.remove(gone)]
        world.poll()
        assert world.tracking_item(gone) == {}
        assert world.tracking_status(there) is TrackingStatus.IN_TRANSIT
        assert is_free(world, [there])


class TestTrouble:
    def test_a_miss_waits_alone_until_there_is_an_answer(self, world: World) -> None:
        bad, other = waiting_parcels(world, 2)
        until_due(world, bad, other)
        world.tracker().bad[bad.tracking_number] = RefusedError("no such number")
        world.poll()
        assert (world.ways_to_poll(bad), world.ways_to_poll(other)) == (["alone"], ["free"])
        assert world.time_to_poll(bad) < 6 * MINUTE
        world.tracker().bad.clear()
        until_due(world, bad)
        world.poll()
        assert world.ways_to_poll(bad) == ["free"]

    @pytest.mark.parametrize(
        ("error", "after"),
        [
            (TooManyRequestsError("429", retry_after=120), 2 * MINUTE),
            (HeldBackError("down", retry_after=900), 15 * MINUTE),
            (AuthenticationError("401"), HOUR),
        ],
    )
    def test_an_account_that_cannot_be_asked_has_its_parcels_put_off_together(
        self, world: World, error: Exception, after: timedelta, logged: Callable[[], str]
    ) -> None:
        resting = waiting_parcels(world, 90)
        (other,) = waiting_parcels(world, account="other")
        until_due(world, other, *resting)
        world.tracker().errors = [error]
        polls = [world.tracking_item(parcel) for parcel in resting]
        assert not world.poll(), "nobody need come again for them before their time"
        assert len(world.tracker().requests) == 1
        assert [world.tracking_item(parcel) for parcel in resting] == polls, "no write for each parcel"
        assert is_free(world, [other, *resting])
        world.clock.sleep(after.total_seconds() - 1)
        world.poll()
        assert len(world.tracker().requests) == 1
        world.clock.sleep(1)
        logged()
        world.poll()
        assert {*world.tracker().numbers} == {parcel.tracking_number for parcel in resting}
        lag = float(logged().replace(" ", "").partition('"PollLag":[')[2].partition("]")[0])
        assert lag >= after.total_seconds(), "it is told how long they have really waited"

    def test_without_time_left_the_rest_is_given_back_as_it_was(self, world: World) -> None:
        parcels = waiting_parcels(world, 90)
        until_due(world, *parcels)
        world.tracker().meanwhile = [lambda: world.clock.sleep(53)]
        assert world.poll()
        assert len(world.tracker().requests) == 1
        assert is_free(world, parcels)
        assert not world.poll()
        assert Counter(world.tracker().numbers) == Counter(parcel.tracking_number for parcel in parcels)

    def test_what_has_no_room_in_its_line_comes_a_little_later(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("parcelgate.services.trackings.poll_lines.LONGEST", 30)
        parcels = waiting_parcels(world, 60)
        until_due(world, *parcels)
        for _ in range(4):
            world.poll()
            assert is_free(world, parcels)
            world.clock.sleep(60)
        assert {*world.tracker().numbers} == {parcel.tracking_number for parcel in parcels}

    def test_a_bucket_that_cannot_be_written_has_its_parcels_polled_again(self, world: World) -> None:
        parcels = waiting_parcels(world, 5)
        until_due(world, *parcels)
        world.tracker().meanwhile = [lambda: (world.faults.on("put_item", throttle()), None)[1]]
        world.poll()
        assert {way for parcel in parcels for way in world.ways_to_poll(parcel)} >= {"claimed"}
        for _ in range(2):
            world.clock.sleep(300)
            world.poll()
        assert is_free(world, parcels)

    def test_a_reading_that_is_a_moment_behind_loses_nobody(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parcels = waiting_parcels(world, 3)
        until_due(world, *parcels)
        really = Items.get_many

        def behind(items: Items, *given: Any, consistent: bool = True) -> Any:
            return really(items, *given) if consistent else []

        monkeypatch.setattr(Items, "get_many", behind)
        world.poll()
        assert {*world.tracker().numbers} == {parcel.tracking_number for parcel in parcels}
        assert is_free(world, parcels)

    def test_a_bucket_that_cannot_be_read_spoils_no_other(
        self, world: World, logged: Callable[[], str]
    ) -> None:
        (parcel,) = waiting_parcels(world)
        item = {
            "pk": {"S": keys.wheel(0)},
            "sk": {"S": "2026-11-01T00:00:00.000Z#0"},
            "planned": {"S": "2026-11-01T00:00:00.000Z"},
            "parcels": {"N": "1"},
            "contents": {"B": b"no bucket"},
        }
        world._dynamodb.put_item(TableName=world._table_name, Item=item)
        until_due(world, parcel)
        world.poll()
        assert len(world.tracker().requests) == 1
        assert '"ERROR"' in logged()


class TestManyWorkers:
    def test_never_ask_about_one_parcel_twice(self, world: World) -> None:
        parcels = waiting_parcels(world, 60)
        until_due(world, *parcels)
        others = [world.poll_worker(), world.poll_worker()]
        world.tracker().meanwhile = [lambda polls=polls: world.poll(polls) for polls in others]  # type: ignore[misc]
        world.poll()
        assert Counter(world.tracker().numbers) == Counter(parcel.tracking_number for parcel in parcels)
        assert is_free(world, parcels)

    def test_nor_do_their_threads_nor_is_one_lost(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(poll_buckets, "TOGETHER", 20)
        parcels = [
            *waiting_parcels(world, 60),
            *waiting_parcels(world, 10, carrier="lme"),
            *waiting_parcels(world, 10, tenant="globex"),
        ]
        until_due(world, *parcels)
        world.poll(world.poll_worker(threads=6))
        asked = Counter(number for tracker in world.trackers.values() for number in tracker.numbers)
        assert asked == Counter(parcel.tracking_number for parcel in parcels)
        assert is_free(world, parcels)

    def test_ask_in_the_carriers_largest_questions_however_small_the_buckets(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(poll_buckets, "IN_A_BUCKET", 1)
        parcels = waiting_parcels(world, 65)
        assert len(world.poll_buckets()) == 65
        until_due(world, *parcels)
        world.poll()
        assert [len(numbers) for numbers in world.tracker().requests] == [30, 30, 5]

    def test_mix_neither_accounts_nor_tenants(self, world: World) -> None:
        parcels = [
            *(world.add_parcel() for _ in range(3)),
            *(world.add_parcel(account="other") for _ in range(2)),
            *(world.add_parcel(tenant="globex") for _ in range(4)),
        ]
        world.poll()
        until_due(world, *parcels)
        world.poll()
        assert {whose: len(tracker.numbers) for whose, tracker in world.trackers.items()} == {
            AccountName("acme", "ubi", "default"): 3,
            AccountName("acme", "ubi", "other"): 2,
            AccountName("globex", "ubi", "default"): 4,
        }

    def test_take_shares_that_may_change_at_any_time(self, world: World) -> None:
        parcels = waiting_parcels(world, 30)
        for workers in (3, 1, 4):
            until_due(world, *parcels)
            world.tracker().requests.clear()
            for worker in range(workers):
                world.poll(share=(worker, workers))
            assert Counter(world.tracker().numbers) == Counter(parcel.tracking_number for parcel in parcels)

    def test_of_whom_one_outlives_its_claim_make_no_second_way(self, world: World) -> None:
        """It slept; another has taken its bucket over. What it writes then counts no more."""
        parcels = waiting_parcels(world, 5)
        until_due(world, *parcels)

        def meanwhile() -> None:
            world.clock.sleep(90)
            world.poll(world.poll_worker())
            assert is_free(world, parcels)

        world.tracker().meanwhile = [meanwhile]
        world.poll()
        assert is_free(world, parcels)
        assert max(Counter(world.tracker().numbers).values()) == 2
        world.clock.sleep(9 * 3600)
        world.poll()
        assert is_free(world, parcels)

    def test_a_dead_ones_bucket_is_taken_over_when_its_claim_has_lapsed(self, world: World) -> None:
        (parcel,) = waiting_parcels(world)
        until_due(world, parcel)
        (bucket,) = world.poll_buckets()
        die_with(world, bucket)
        world.poll()
        assert world.tracker().requests == []
        world.clock.sleep(65)
        world.poll()
        assert world.tracker().requests == [(parcel.tracking_number,)]
        assert is_free(world, [parcel])

    @pytest.mark.parametrize("method", ["waiting", "many"])
    def test_read_side_by_side_of_whom_a_bucket_tells(
        self, world: World, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        """One after another, hundreds of tenants would take longer than the worker has, again and again."""
        parcels = [world.add_parcel(tenant=f"tenant-{number}") for number in range(6)]
        world.poll()
        until_due(world, *parcels)
        all_at_once(monkeypatch, Trackings, method, len(parcels))
        world.poll(world.poll_worker(threads=6))
        assert len(world.trackers) == len(parcels)
        assert is_free(world, parcels)

    def test_read_new_parcels_of_many_tenants_and_count_them_side_by_side(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parcels = [world.add_parcel(tenant=f"tenant-{number}") for number in range(6)]
        all_at_once(monkeypatch, Trackings, "many", len(parcels))
        world.poll(world.poll_worker(threads=6))
        assert is_free(world, parcels)
        until_due(world, *parcels)
        all_at_once(monkeypatch, Stats, "add", len(parcels))
        world.poll(world.poll_worker(threads=6))
        assert len(world.trackers) == len(parcels)
        today = world.clock.now.date()
        for parcel in parcels:
            (row,) = world.table.tenant(parcel.tenant).stats.rows(today, today)
            assert (row.carrier, row.figures) == ("ubi", {"poll_calls": 1, "poll_parcels": 1})

    @pytest.mark.parametrize("method", ["claim", "put", "delete"])
    def test_take_a_page_of_buckets_side_by_side_a_dead_ones_too(
        self, world: World, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        parcels = waiting_parcels(world, 20)
        until_due(world, *parcels)
        buckets = world.poll_buckets()
        assert len(buckets) > 1
        for bucket in buckets:
            die_with(world, bucket)
        world.clock.sleep(65)
        all_at_once(monkeypatch, Wheel, method, len(buckets), times=1)
        world.poll(world.poll_worker(threads=len(buckets)))
        assert Counter(world.tracker().numbers) == Counter(parcel.tracking_number for parcel in parcels)
        assert is_free(world, parcels)

    def test_claim_no_bucket_when_their_time_is_over(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They could not ask about its parcels, and others would wait until the claim is over."""
        parcels = waiting_parcels(world, 20)
        until_due(world, *parcels)
        buckets, claim = world.poll_buckets(), Wheel.claim
        assert len(buckets) > 1
        claimed = []

        def slowly(*given: Any, **named: Any) -> bool:
            claimed.append(given)
            world.clock.sleep(FUNCTION_SECONDS)
            return claim(*given, **named)

        monkeypatch.setattr(Wheel, "claim", slowly)
        world.poll(world.poll_worker(threads=1))
        assert len(claimed) == 1

    def test_take_over_a_dead_ones_parcels_side_by_side(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parcels = waiting_parcels(world, 20)
        bucket = max(world.poll_buckets(), key=lambda bucket: len([*bucket.entries]))
        together = len([*bucket.entries])
        assert together > 1
        until_due(world, *parcels)
        die_with(world, bucket)
        world.clock.sleep(65)
        all_at_once(monkeypatch, Trackings, "change_ticket", together)
        world.poll(world.poll_worker(threads=together))
        assert Counter(world.tracker().numbers) == Counter(parcel.tracking_number for parcel in parcels)
        assert is_free(world, parcels)

    @pytest.mark.parametrize("is_made", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize(
        ("store", "method"),
        [
            (Wheel, "claim"), (Wheel, "put"), (Wheel, "delete"),
            (Trackings, "waiting"), (Trackings, "change_ticket"), (Trackings, "many"),
        ],
    )  # fmt: skip
    def test_a_call_that_fails_spoils_no_other_bucket_of_the_page(
        self, world: World, monkeypatch: pytest.MonkeyPatch, store: type, method: str, *, is_made: bool
    ) -> None:
        parcels = [world.add_parcel(tenant=tenant) for tenant in ("one", "two") for _ in range(12)]
        world.poll()
        until_due(world, *parcels)
        buckets = world.poll_buckets()
        assert len(buckets) > 1
        for bucket in buckets[1:]:
            die_with(world, bucket)
        world.clock.sleep(65)
        fails_once(monkeypatch, store, method, is_made=is_made)
        world.poll()
        assert world.trackers
        world.clock.sleep(90)
        world.poll()
        numbers = {number for tracker in world.trackers.values() for number in tracker.numbers}
        assert numbers == {parcel.tracking_number for parcel in parcels}
        world.clock.sleep(90)
        world.poll()
        assert is_free(world, parcels)


def die_with(world: World, bucket: PollBucket) -> None:
    """Let a worker claim a bucket for 65 seconds, and do nothing with it."""
    until = world.clock.now + timedelta(seconds=65)
    assert world.table.wheel.claim(bucket, at=world.clock.now, until=until, claimant="dead")


def all_at_once(
    monkeypatch: pytest.MonkeyPatch, store: type, method: str, calls: int, *, times: int | None = None
) -> None:
    """Let no call of a store's method begin before so many do: always, or so many times."""
    met, really = Barrier(calls), getattr(store, method)
    left = count() if times is None else iter(range(calls * times))

    def waits_for_others(*given: Any, **named: Any) -> Any:
        if next(left, None) is not None:
            met.wait(timeout=20)
        return really(*given, **named)

    monkeypatch.setattr(store, method, waits_for_others)


def fails_once(monkeypatch: pytest.MonkeyPatch, store: type, method: str, *, is_made: bool) -> None:
    """Let the next call of a store's method fail, before or after it had its effect."""
    really, left = getattr(store, method), iter([None])

    def fails(*given: Any, **named: Any) -> Any:
        is_next = next(left, 0) is None
        made = None if is_next and not is_made else really(*given, **named)
        if is_next:
            raise StoreUnavailableError("nobody knows whether it was written")
        return made

    monkeypatch.setattr(store, method, fails)

"""The wheel: parcels that wait for their polls in buckets."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from parcelgate.domain.ids import new_id
from parcelgate.domain.timetables import Timetable
from parcelgate.store import keys
from parcelgate.store.table import Table
from parcelgate.store.trackings import Trackings, Waiting
from parcelgate.store.wheel import IN_A_BUCKET, Entry, PollBucket, Wheel, new_ticket
from tests.support.orders import NOON
from tests.support.table import all_items
from tests.support.trackings import a_followed

LEASE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def entry(tenant: str = "acme", tracking_id: str | None = None) -> Entry:
    return Entry(tenant, tracking_id or new_id("trk"), new_ticket())


@pytest.fixture
def wheel(table: Table) -> Wheel:
    return table.wheel


def put(
    wheel: Wheel, at: datetime = NOON, entries: Iterable[Entry] | None = None, shards: tuple[int, ...] = (3,)
) -> PollBucket:
    return wheel.put(at, at, [entry()] if entries is None else entries, shards=shards)


def found(wheel: Wheel, before: datetime = NOON, worker: int = 0, workers: int = 1) -> list[PollBucket]:
    return [bucket for page in wheel.pages(worker, workers, before, 2) for bucket in page]


class TestABucket:
    def test_is_found_when_its_time_has_come_and_names_its_parcels(self, wheel: Wheel) -> None:
        entries = {entry(), entry("globex"), entry("a.b-c_d"), entry(tracking_id="trk_1")}
        bucket = put(wheel, entries=entries)
        assert found(wheel, NOON - timedelta(milliseconds=1)) == []
        assert found(wheel) == [bucket]
        assert set(found(wheel)[0].entries) == entries
        assert bucket.due_at == NOON

    def test_is_of_one_worker_whatever_their_number(self, wheel: Wheel) -> None:
        every = tuple(range(keys.POLL_SHARDS))
        buckets = [put(wheel, shards=(shard,)) for shard in every] + [put(wheel, shards=every) for _ in every]
        for workers in (1, 4, 32):
            together = [one for worker in range(workers) for one in found(wheel, NOON, worker, workers)]
            assert sorted(together) == sorted(buckets)

    def test_takes_two_write_units_when_it_is_full(self, wheel: Wheel, dynamodb: Any) -> None:
        put(wheel, entries=[entry("a-tenant-of-ours") for _ in range(IN_A_BUCKET)])
        (item,) = all_items(dynamodb)
        size = sum(len(name) + len(next(iter(value.values()))) for name, value in item.items())
        claim = len("claimclaim_until") + 32 + 24
        assert size + claim <= 2048

    def test_is_forgotten_in_the_end(self, wheel: Wheel, dynamodb: Any) -> None:
        put(wheel)
        (item,) = all_items(dynamodb)
        assert "expires_at" in item


class TestAClaim:
    def claim(self, wheel: Wheel, bucket: PollBucket, claimant: str, at: datetime = NOON) -> bool:
        return wheel.claim(bucket, at=at, until=at + LEASE, claimant=claimant)

    def test_is_one_workers_alone(self, wheel: Wheel) -> None:
        bucket = put(wheel)
        assert self.claim(wheel, bucket, "one")
        assert not self.claim(wheel, bucket, "two")
        (claimed,) = found(wheel)
        assert not self.claim(wheel, claimed, "two"), "it lasts"

    def test_lapses_and_is_one_others_then(self, wheel: Wheel) -> None:
        self.claim(wheel, put(wheel), "one")
        (claimed,) = found(wheel)
        later = NOON + LEASE
        assert self.claim(wheel, claimed, "two", later)
        assert not self.claim(wheel, claimed, "three", later)

    def test_that_lapsed_unseen_is_nobodys(self, wheel: Wheel) -> None:
        """Who has read the bucket before it was claimed must not think that nobody had it."""
        bucket = put(wheel)
        self.claim(wheel, bucket, "one")
        assert not self.claim(wheel, bucket, "two", NOON + 9 * LEASE)

    def test_is_given_back_and_leaves_no_trace(self, wheel: Wheel) -> None:
        bucket = put(wheel)
        self.claim(wheel, bucket, "one")
        wheel.release(bucket, "two")
        assert found(wheel)[0].claim_until is not None
        wheel.release(bucket, "one")
        assert found(wheel) == [bucket]

    def test_deletes_the_bucket_unless_others_have_it(self, wheel: Wheel) -> None:
        bucket = put(wheel)
        self.claim(wheel, bucket, "one")
        wheel.delete(bucket, "two")
        assert len(found(wheel)) == 1
        wheel.delete(bucket, "one")
        assert found(wheel) == []
        assert not self.claim(wheel, bucket, "one"), "nothing brings it back"


class TestAParcelThatWaits:
    @pytest.fixture
    def trackings(self, table: Table) -> Trackings:
        return table.tenant("acme").trackings

    @pytest.fixture
    def waiting(self, trackings: Trackings) -> Waiting:
        trackings.add(a_followed(id="trk_1"))
        waiting = Waiting("first", hourly())
        trackings.plan("trk_1", waiting)
        return waiting

    def test_is_not_due_alone_and_shows_its_next_poll(
        self, table: Table, trackings: Trackings, waiting: Waiting
    ) -> None:
        assert trackings.waiting(["trk_1", "trk_2"]) == {"trk_1": waiting}
        assert trackings.polls(["trk_1"], now=NOON + 1.5 * HOUR) == {"trk_1": NOON + 2 * HOUR}
        assert [*table.due.polls(0, 1, NOON + 99 * HOUR)] == []

    @pytest.mark.parametrize("at", [NOON + HOUR, None])
    def test_that_is_planned_in_another_way_does_not_wait_any_more(
        self, trackings: Trackings, waiting: Waiting, at: datetime | None
    ) -> None:
        trackings.schedule("trk_1", at)
        assert trackings.waiting(["trk_1"]) == {}
        assert trackings.polls(["trk_1"], now=NOON) == {"trk_1": at}
        assert trackings.retime("trk_1", waiting, hourly(), at=NOON) is None
        trackings.take_off("trk_1", waiting.ticket, NOON, at=NOON)
        assert not trackings.change_ticket("trk_1", waiting.ticket, "second")
        assert trackings.polls(["trk_1"], now=NOON) == {"trk_1": at}

    def test_keeps_the_timetable_that_somebody_else_has_given_it(
        self, trackings: Trackings, waiting: Waiting
    ) -> None:
        trackings.reschedule("trk_1", hourly(NOON + HOUR), now=NOON)
        found = trackings.retime("trk_1", waiting, hourly(NOON + 9 * HOUR), at=NOON)
        assert found == Waiting("first", hourly(NOON + HOUR))
        assert trackings.waiting(["trk_1"]) == {"trk_1": found}

    def test_whose_bucket_comes_in_time_for_a_new_plan_stays_in_it(
        self, trackings: Trackings, waiting: Waiting
    ) -> None:
        later = hourly(NOON + 0.5 * HOUR)
        trackings.reschedule("trk_1", later, now=NOON)
        assert trackings.waiting(["trk_1"]) == {"trk_1": Waiting("first", later)}

    def test_whose_bucket_comes_too_late_for_a_new_plan_waits_alone(
        self, table: Table, trackings: Trackings, waiting: Waiting
    ) -> None:
        at = NOON + 2.99 * HOUR
        sooner = Timetable(at, (at + timedelta(minutes=30),))
        trackings.reschedule("trk_1", sooner, now=at)
        assert trackings.waiting(["trk_1"]) == {}
        assert trackings.polls(["trk_1"], now=at) == {"trk_1": sooner.first}

    def test_can_be_taken_off_for_good(self, trackings: Trackings, waiting: Waiting) -> None:
        trackings.take_off("trk_1", "first", None, at=NOON)
        assert trackings.polls(["trk_1"], now=NOON) == {"trk_1": None}

    def test_has_its_new_ticket_also_when_the_answer_to_the_change_was_lost(
        self, trackings: Trackings, waiting: Waiting
    ) -> None:
        """The client of AWS repeats such a call, and whoever believed the refusal would lose the parcel."""
        for _ in ("the call whose answer is lost", "the same again"):
            assert trackings.change_ticket("trk_1", "first", "second")
        assert trackings.waiting(["trk_1"]) == {"trk_1": Waiting("second", waiting.timetable)}
        trackings.schedule("trk_1", NOON)
        assert not trackings.change_ticket("trk_1", "first", "second")

    def test_that_an_older_release_has_nudged_is_due_alone(
        self, table: Table, trackings: Trackings, waiting: Waiting, dynamodb: Any
    ) -> None:
        """It sets the time of the poll, and knows nothing of tickets."""
        table._items.update(
            {"pk": keys.key("acme", "TRACKING", "trk_1"), "sk": "POLL"},
            {"due_pk": keys.poll_partition("trk_1"), "due_at": NOON},
        )
        assert trackings.waiting(["trk_1"]) == {}
        assert trackings.polls(["trk_1"], now=NOON) == {"trk_1": NOON}
        assert trackings.claim("trk_1", at=NOON, until=NOON + LEASE, claimant="one") is not None


def hourly(start: datetime = NOON) -> Timetable:
    return Timetable(start, tuple(start + n * HOUR for n in range(1, 9)))

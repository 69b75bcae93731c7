"""Trackings in the store: what is known of a parcel, who follows it, and when it is asked about next."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parcelgate.domain.trackings import Source, Tracking, TrackingStatus, merge
from parcelgate.store import calls, keys
from parcelgate.store.due import PollRef
from parcelgate.store.errors import (
    AlreadyFollowedError,
    StoreUnavailableError,
    TrackingNotFoundError,
    VersionConflictError,
)
from parcelgate.store.table import Table
from parcelgate.store.trackings import Claim, Trackings
from tests.support.fast_dynamodb import a_table
from tests.support.faults import Faults, conflict, time_out
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import TABLE_NAME, all_items
from tests.support.trackings import a_followed, a_tracking, seen

LEASE = timedelta(minutes=2)
TWO_HOURS = timedelta(hours=2)


def moved(tracking: Tracking, status: str, *, hours: float = 1) -> Tracking:
    """The tracking with one more thing told of it."""
    return merge(tracking, [seen(status, hours=hours)], source=Source.POLL, at=NOON)


def recoded(tracking: Tracking, code: str) -> Tracking:
    """The tracking with another courier."""
    return msgspec.structs.replace(tracking, carrier_code=code, version=tracking.version + 1)


def noon(**later: float) -> datetime:
    return NOON + timedelta(**later)


def items(dynamodb: Any, *sks: str) -> list[dict[str, Any]]:
    return [item for item in all_items(dynamodb) if item["sk"]["S"] in sks]


def due(table: Table, before: datetime, workers: int = 1) -> list[PollRef]:
    """What all workers together find."""
    return [
        ref for worker in range(workers) for page in table.due.polls(worker, workers, before) for ref in page
    ]


@pytest.fixture
def trackings(table: Table) -> Trackings:
    return table.tenant("acme").trackings


@pytest.fixture
def parcel(trackings: Trackings) -> Tracking:
    """A parcel that is followed since noon, and that nobody has asked about yet."""
    tracking = a_followed()
    trackings.add(tracking)
    return tracking


@pytest.fixture
def planned(trackings: Trackings, parcel: Tracking) -> Tracking:
    """A parcel that is due at one."""
    trackings.plan(parcel.id, noon(hours=1))
    return parcel


@pytest.fixture
def claim(trackings: Trackings, planned: Tracking) -> Claim:
    """One worker's right to ask about it."""
    found = trackings.claim(planned.id, at=noon(hours=1), until=noon(hours=1) + LEASE, claimant="one")
    assert found is not None
    return found


class TestWhatIsKnown:
    def test_is_read_as_it_was_written(self, trackings: Trackings) -> None:
        rich = moved(a_followed(title="Gift", metadata={"a": "b"}), "in_transit")
        trackings.add(rich)
        assert trackings.get(rich.id) == rich
        assert trackings.many([rich.id, "trk_nobodys", rich.id]) == [rich]

    @pytest.mark.parametrize("tracking_id", ["trk_unknown", "", "a#b", "x" * 5000, "ümlaut"])
    def test_is_not_there_for_an_id_that_is_nobodys(self, tracking_id: str, trackings: Trackings) -> None:
        with pytest.raises(TrackingNotFoundError):
            trackings.get(tracking_id)
        with pytest.raises(TrackingNotFoundError):
            trackings.planned(tracking_id, now=NOON)
        assert trackings.many([tracking_id]) == []
        assert trackings.statuses([tracking_id]) == {}

    def test_is_written_over_the_version_it_was_made_from(
        self, trackings: Trackings, parcel: Tracking
    ) -> None:
        one, other = moved(parcel, "in_transit"), moved(parcel, "delivered")
        trackings.save(parcel, one)
        with pytest.raises(VersionConflictError):
            trackings.save(parcel, other)
        assert trackings.get(parcel.id) == one

    def test_is_not_written_for_a_parcel_that_was_removed(
        self, trackings: Trackings, parcel: Tracking, dynamodb: Any
    ) -> None:
        trackings.remove(parcel)
        with pytest.raises(VersionConflictError):
            trackings.save(parcel, moved(parcel, "in_transit"))
        assert all_items(dynamodb) == []

    def test_is_not_written_as_an_older_version_nor_of_another_parcel(
        self, trackings: Trackings, parcel: Tracking
    ) -> None:
        for after in (parcel, msgspec.structs.replace(parcel, id="trk_2", version=2)):
            with pytest.raises(ValueError, match="later version"):
                trackings.save(parcel, after)

    def test_leaves_the_next_poll_alone(self, trackings: Trackings, parcel: Tracking, table: Table) -> None:
        after = moved(parcel, "in_transit")
        trackings.save(parcel, after)
        assert trackings.polls([parcel.id], now=NOON) == {parcel.id: NOON}
        assert due(table, NOON) == [PollRef("acme", parcel.id, planned=False)]
        trackings.plan(parcel.id, noon(hours=1))
        trackings.save(after, moved(after, "delivered", hours=2))
        assert trackings.polls([parcel.id], now=NOON) == {parcel.id: noon(hours=1)}

    def test_is_read_with_its_next_poll(self, trackings: Trackings, parcel: Tracking) -> None:
        assert trackings.planned(parcel.id, now=NOON) == (parcel, NOON)
        trackings.plan(parcel.id, noon(hours=1))
        assert trackings.planned(parcel.id, now=NOON) == (parcel, noon(hours=1))
        trackings.schedule(parcel.id, None)
        assert trackings.planned(parcel.id, now=NOON) == (parcel, None)

    def test_is_due_at_once_after_a_realtime_call_before_its_first_plan(
        self, trackings: Trackings, parcel: Tracking
    ) -> None:
        trackings.realtime(parcel.id, at=NOON, interval=LEASE)
        assert trackings.planned(parcel.id, now=NOON) == (parcel, NOON)

    def test_gives_statuses_without_timelines(self, dynamodb: Any, trackings: Trackings) -> None:
        parcels = [a_followed(str(number)) for number in range(3)]
        for parcel in parcels:
            trackings.add(parcel)
        trackings.save(parcels[1], moved(parcels[1], "delivered"))
        faults = Faults()
        seen_by = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme").trackings
        ids = [parcel.id for parcel in parcels]
        assert seen_by.statuses([*ids, *ids]) == {
            ids[0]: TrackingStatus.PENDING,
            ids[1]: TrackingStatus.DELIVERED,
            ids[2]: TrackingStatus.PENDING,
        }
        assert faults.names == ["dynamodb.batch_get_item"]

    def test_a_status_is_asked_for_by_its_name_alone(
        self, dynamodb: Any, trackings: Trackings, parcel: Tracking
    ) -> None:
        place = {"pk": items(dynamodb, "TRACKING")[0]["pk"]["S"], "sk": "TRACKING"}
        (item,) = calls.Items(dynamodb, TABLE_NAME).get_many([place], ["status"])
        assert set(item) == {"pk", "sk", "status"}


class TestWhoFollowsIt:
    def test_is_found_by_account_courier_and_number(self, trackings: Trackings, parcel: Tracking) -> None:
        for spelt in (("china-ems", "RR1CN"), ("China-EMS", " rr 1 cn"), ("china-ems", "\uff32R1CN")):
            assert trackings.find("default", *spelt) == parcel.id
        for other in (
            ("b", "china-ems", "RR1CN"),
            ("default", "dhl", "RR1CN"),
            ("default", "china-ems", "X"),
        ):
            assert trackings.find(*other) is None

    def test_is_one_tracking(self, trackings: Trackings, parcel: Tracking, dynamodb: Any) -> None:
        again = a_followed()
        with pytest.raises(AlreadyFollowedError) as refused:
            trackings.add(again)
        assert refused.value.tracking_id == parcel.id
        with pytest.raises(TrackingNotFoundError):
            trackings.get(again.id)

    def test_an_add_whose_answer_was_lost_has_happened(
        self, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(calls.time, "sleep", lambda _: None)
        faults = Faults().at(1, time_out(after=True))
        trackings = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme").trackings
        parcel = a_followed()
        trackings.add(parcel)
        assert trackings.get(parcel.id) == parcel

    def test_a_save_that_meets_a_transaction_all_the_time_is_a_conflict(
        self, dynamodb: Any, parcel: Tracking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(calls.time, "sleep", lambda _: None)
        faults = Faults()
        for number in range(1, calls.ATTEMPTS + 1):
            faults.at(number, conflict())
        trackings = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme").trackings
        with pytest.raises(VersionConflictError):
            trackings.save(parcel, moved(parcel, "in_transit"))

    def test_another_courier_takes_it_over(self, trackings: Trackings, parcel: Tracking) -> None:
        after = recoded(parcel, "dhl")
        trackings.recode(parcel, after)
        assert trackings.get(parcel.id) == after
        assert trackings.find("default", "dhl", "RR1CN") == parcel.id
        assert trackings.find("default", "china-ems", "RR1CN") is None
        trackings.add(a_followed())

    def test_another_courier_s_that_is_followed_already_is_left_to_that(
        self, trackings: Trackings, parcel: Tracking
    ) -> None:
        other = a_followed(code="dhl")
        trackings.add(other)
        with pytest.raises(AlreadyFollowedError) as refused:
            trackings.recode(parcel, recoded(parcel, "dhl"))
        assert refused.value.tracking_id == other.id
        assert trackings.get(parcel.id) == parcel
        assert trackings.find("default", "china-ems", "RR1CN") == parcel.id

    def test_a_courier_is_changed_over_the_version_it_was_read_with(
        self, trackings: Trackings, parcel: Tracking
    ) -> None:
        trackings.save(parcel, moved(parcel, "in_transit"))
        with pytest.raises(VersionConflictError):
            trackings.recode(parcel, recoded(parcel, "dhl"))
        assert trackings.find("default", "dhl", "RR1CN") is None

    @pytest.mark.parametrize("code", ["china-ems", "China-EMS"])
    def test_the_same_courier_again_is_an_ordinary_change(
        self, code: str, trackings: Trackings, parcel: Tracking
    ) -> None:
        after = recoded(parcel, code)
        trackings.recode(parcel, after)
        assert trackings.get(parcel.id) == after
        assert trackings.find("default", "china-ems", "RR1CN") == parcel.id

    def test_a_changed_courier_leaves_the_plan_as_it_was(
        self, trackings: Trackings, planned: Tracking, table: Table
    ) -> None:
        trackings.recode(planned, recoded(planned, "dhl"))
        assert trackings.polls([planned.id], now=NOON) == {planned.id: noon(hours=1)}
        for ref in due(table, NOON):
            trackings.plan(ref.id, noon(hours=9))
        assert due(table, noon(hours=9)) == [PollRef("acme", planned.id, planned=True)]
        assert trackings.polls([planned.id], now=NOON) == {planned.id: noon(hours=1)}

    def test_a_parcel_that_is_removed_leaves_nothing(
        self, trackings: Trackings, planned: Tracking, dynamodb: Any
    ) -> None:
        trackings.remove(planned)
        trackings.remove(planned)
        assert all_items(dynamodb) == []

    def test_a_parcel_is_removed_whatever_was_told_of_it_meanwhile(
        self, trackings: Trackings, parcel: Tracking, dynamodb: Any
    ) -> None:
        told = moved(parcel, "in_transit")
        trackings.save(parcel, told)
        trackings.recode(told, recoded(told, "dhl"))
        trackings.remove(parcel)
        assert all_items(dynamodb) == []

    def test_removing_again_leaves_alone_who_follows_the_parcel_anew(
        self, trackings: Trackings, parcel: Tracking
    ) -> None:
        trackings.remove(parcel)
        anew = a_followed()
        trackings.add(anew)
        trackings.remove(parcel)
        assert trackings.find("default", "china-ems", "RR1CN") == anew.id
        assert trackings.get(anew.id) == anew


class TestTheFirstPoll:
    def test_is_due_at_once_in_the_tracking_itself(
        self, trackings: Trackings, parcel: Tracking, table: Table, dynamodb: Any
    ) -> None:
        assert trackings.polls([parcel.id], now=NOON) == {parcel.id: NOON}
        assert due(table, noon(seconds=-1)) == []
        assert due(table, NOON) == [PollRef("acme", parcel.id, planned=False)]
        assert items(dynamodb, "POLL") == []

    def test_waits_too_for_the_parcels_of_an_order(self, table: Table) -> None:
        own = table.tenant("acme")
        order, parcel = an_order(), a_tracking()
        own.orders.add(order, an_event())
        own.orders.save(order, order.changed(at=NOON), trackings=[parcel])
        assert due(table, NOON) == [PollRef("acme", parcel.id, planned=False)]

    def test_is_planned_once(self, trackings: Trackings, parcel: Tracking, table: Table) -> None:
        trackings.plan(parcel.id, noon(hours=1))
        trackings.plan(parcel.id, noon(hours=2))
        assert trackings.polls([parcel.id], now=NOON) == {parcel.id: noon(hours=1)}
        assert due(table, noon(minutes=59)) == []
        assert due(table, noon(hours=2)) == [PollRef("acme", parcel.id, planned=True)]

    def test_that_somebody_has_set_is_not_planned_over(
        self, trackings: Trackings, parcel: Tracking, table: Table
    ) -> None:
        trackings.schedule(parcel.id, noon(minutes=5))
        trackings.plan(parcel.id, noon(hours=2))
        assert trackings.polls([parcel.id], now=NOON) == {parcel.id: noon(minutes=5)}
        assert due(table, noon(hours=2)) == [PollRef("acme", parcel.id, planned=True)]

    def test_never_comes_when_polling_was_stopped_before(
        self, trackings: Trackings, parcel: Tracking, table: Table
    ) -> None:
        trackings.schedule(parcel.id, None)
        assert trackings.polls([parcel.id], now=NOON) == {parcel.id: None}
        trackings.plan(parcel.id, noon(hours=2))
        assert due(table, noon(days=9)) == []

    def test_comes_also_when_a_realtime_call_was_made_before(
        self, trackings: Trackings, parcel: Tracking, table: Table
    ) -> None:
        assert trackings.realtime(parcel.id, at=NOON, interval=TWO_HOURS) == 0
        assert trackings.polls([parcel.id], now=NOON) == {parcel.id: NOON}
        trackings.plan(parcel.id, noon(hours=1))
        assert due(table, noon(hours=1)) == [PollRef("acme", parcel.id, planned=True)]

    def test_of_a_parcel_that_is_gone_can_be_forgotten(
        self, trackings: Trackings, parcel: Tracking, dynamodb: Any
    ) -> None:
        trackings.remove(parcel)
        trackings.plan(parcel.id, NOON)
        trackings.forget_poll(parcel.id)
        assert all_items(dynamodb) == []


class TestAClaim:
    def test_is_for_a_parcel_that_is_due(self, trackings: Trackings, planned: Tracking) -> None:
        early = noon(minutes=59)
        assert trackings.claim(planned.id, at=early, until=early + LEASE, claimant="one") is None

    def test_is_not_for_a_parcel_that_nobody_has_planned(
        self, trackings: Trackings, parcel: Tracking
    ) -> None:
        assert trackings.claim(parcel.id, at=NOON, until=NOON + LEASE, claimant="one") is None

    def test_is_one_workers_alone(self, trackings: Trackings, claim: Claim) -> None:
        at = noon(hours=1, seconds=5)
        for claimant in ("two", "one"):
            assert trackings.claim(claim.tracking_id, at=at, until=at + LEASE, claimant=claimant) is None

    def test_lapses_and_is_anothers_then(self, trackings: Trackings, claim: Claim) -> None:
        at = noon(hours=1) + LEASE
        assert (
            trackings.claim(
                claim.tracking_id, at=at - timedelta(milliseconds=1), until=at + LEASE, claimant="two"
            )
            is None
        )
        second = trackings.claim(claim.tracking_id, at=at, until=at + LEASE, claimant="two")
        assert second is not None
        assert (second.claimant, second.until) == ("two", at + LEASE)
        trackings.settle(claim, noon(hours=9), at=at, misses=3)
        assert trackings.polls([claim.tracking_id], now=NOON) == {claim.tracking_id: noon(hours=1)}, (
            "too late"
        )
        trackings.settle(second, noon(hours=5), at=at)
        assert trackings.polls([claim.tracking_id], now=NOON) == {claim.tracking_id: noon(hours=5)}

    def test_that_lapsed_and_is_nobodys_can_still_be_settled(
        self, trackings: Trackings, claim: Claim
    ) -> None:
        trackings.settle(claim, noon(hours=5), at=noon(hours=2))
        assert trackings.polls([claim.tracking_id], now=NOON) == {claim.tracking_id: noon(hours=5)}

    def test_is_settled_with_the_next_poll_and_the_misses(
        self, trackings: Trackings, claim: Claim, dynamodb: Any
    ) -> None:
        assert claim.misses == 0
        trackings.settle(claim, noon(hours=5), at=noon(hours=1), misses=2)
        (poll,) = items(dynamodb, "POLL")
        assert poll["polled_at"]["S"] == "2026-11-21T13:00:00.000Z"
        assert not {"claim", "claim_until"} & set(poll)
        again = trackings.claim(
            claim.tracking_id, at=noon(hours=5), until=noon(hours=5) + LEASE, claimant="two"
        )
        assert again is not None
        assert again.misses == 2

    def test_is_settled_without_another_poll(self, trackings: Trackings, claim: Claim, table: Table) -> None:
        trackings.settle(claim, None, at=noon(hours=1))
        assert trackings.polls([claim.tracking_id], now=NOON) == {claim.tracking_id: None}
        assert due(table, noon(days=999)) == []

    @pytest.mark.parametrize("end", ["settle", "settle for good", "release", "release until later"])
    def test_a_nudge_meanwhile_outlives_it(self, end: str, trackings: Trackings, claim: Claim) -> None:
        nudged = noon(hours=1, seconds=30)
        trackings.schedule(claim.tracking_id, nudged)
        given_back(trackings, end)(claim)
        assert trackings.polls([claim.tracking_id], now=NOON) == {claim.tracking_id: nudged}
        assert trackings.claim(claim.tracking_id, at=nudged, until=nudged + LEASE, claimant="two") is not None

    @pytest.mark.parametrize("end", ["settle", "settle for good", "release", "release until later"])
    def test_a_pause_meanwhile_outlives_it(
        self, end: str, trackings: Trackings, claim: Claim, table: Table
    ) -> None:
        trackings.schedule(claim.tracking_id, None)
        given_back(trackings, end)(claim)
        assert trackings.polls([claim.tracking_id], now=NOON) == {claim.tracking_id: None}
        assert due(table, noon(days=999)) == []

    @pytest.mark.parametrize("end", ["settle", "settle for good", "release", "release until later"])
    def test_a_removal_meanwhile_outlives_it(
        self, end: str, trackings: Trackings, claim: Claim, planned: Tracking, dynamodb: Any
    ) -> None:
        trackings.remove(planned)
        given_back(trackings, end)(claim)
        assert all_items(dynamodb) == []

    def test_that_is_released_leaves_the_parcel_due(self, trackings: Trackings, claim: Claim) -> None:
        trackings.release(claim)
        assert trackings.polls([claim.tracking_id], now=NOON) == {claim.tracking_id: noon(hours=1)}
        at = noon(hours=1)
        assert trackings.claim(claim.tracking_id, at=at, until=at + LEASE, claimant="two") is not None

    def test_can_be_released_until_later(self, trackings: Trackings, claim: Claim) -> None:
        trackings.release(claim, due=noon(hours=2))
        assert trackings.polls([claim.tracking_id], now=NOON) == {claim.tracking_id: noon(hours=2)}

    def test_writes_nothing_into_the_tracking(
        self, trackings: Trackings, claim: Claim, dynamodb: Any
    ) -> None:
        before = items(dynamodb, "TRACKING")
        trackings.settle(claim, noon(hours=5), at=noon(hours=1))
        assert items(dynamodb, "TRACKING") == before


def given_back(trackings: Trackings, end: str) -> Callable[[Claim], None]:
    """One of the ways in which a claim ends."""
    at = noon(hours=1, minutes=1)
    return {
        "settle": lambda claim: trackings.settle(claim, noon(hours=5), at=at),
        "settle for good": lambda claim: trackings.settle(claim, None, at=at),
        "release": trackings.release,
        "release until later": lambda claim: trackings.release(claim, due=noon(hours=2)),
    }[end]


class TestTheRealtimeCall:
    def test_is_one_in_each_interval(self, trackings: Trackings, planned: Tracking) -> None:
        def ask(**later: float) -> float:
            return trackings.realtime(planned.id, at=noon(**later), interval=TWO_HOURS)

        assert ask() == 0
        assert ask(minutes=30) == 90 * 60
        assert ask(hours=2, milliseconds=-1) == 0.001
        assert ask(hours=2) == 0
        assert ask(hours=3) == 60 * 60

    def test_that_was_not_made_can_be_made_after_all(self, trackings: Trackings, planned: Tracking) -> None:
        trackings.realtime(planned.id, at=NOON, interval=TWO_HOURS)
        trackings.realtime_unused(planned.id, at=NOON)
        assert trackings.realtime(planned.id, at=noon(minutes=1), interval=TWO_HOURS) == 0
        trackings.realtime_unused(planned.id, at=NOON)
        assert trackings.realtime(planned.id, at=noon(minutes=2), interval=TWO_HOURS) > 0

    def test_changes_nothing_of_the_plan(self, trackings: Trackings, claim: Claim) -> None:
        trackings.realtime(claim.tracking_id, at=NOON, interval=TWO_HOURS)
        assert trackings.polls([claim.tracking_id], now=NOON) == {claim.tracking_id: noon(hours=1)}


class TestTheWorkers:
    """Each takes its share of what is due."""

    def test_shares_do_not_overlap_and_together_are_everything(
        self, trackings: Trackings, table: Table
    ) -> None:
        parcels = [a_followed(str(number)) for number in range(60)]
        for number, parcel in enumerate(parcels):
            trackings.add(parcel)
            if number % 2:
                trackings.plan(parcel.id, NOON)
        expected = sorted(parcel.id for parcel in parcels)
        for workers in (1, 2, 3, 5, keys.POLL_SHARDS):
            assert sorted(ref.id for ref in due(table, NOON, workers)) == expected
        assert len({keys.poll_partition(parcel.id) for parcel in parcels}) > 10
        assert {ref.planned for ref in due(table, NOON)} == {True, False}

    def test_take_what_is_longest_overdue_first(self, trackings: Trackings, table: Table) -> None:
        parcels = [a_followed(str(number)) for number in range(10)]
        for number, parcel in enumerate(parcels):
            trackings.add(parcel)
            trackings.plan(parcel.id, noon(minutes=-number))
        (page,) = table.due.polls(0, 1, NOON)
        assert [ref.id for ref in page] == [parcel.id for parcel in reversed(parcels)]

    def test_find_parcels_of_all_tenants_and_no_orders(self, table: Table) -> None:
        for tenant in ("acme", "other"):
            table.tenant(tenant).trackings.add(a_followed(tenant=tenant))
            table.tenant(tenant).orders.add(an_order(tenant), an_event())
        assert sorted(ref.tenant for ref in due(table, noon(days=1))) == ["acme", "other"]
        assert len(table.due.due("ORDER", noon(days=1))) == 2


@settings(max_examples=25)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["claim", "settle", "end", "release", "nudge", "pause", "wait"]),
            st.integers(0, 1),
        ),
        max_size=12,
    )
)
def test_whatever_two_workers_do_a_parcel_is_asked_about_by_one_and_a_nudge_is_not_lost(
    steps: list[tuple[str, int]],
) -> None:
    with a_table() as table:
        trackings = table.tenant("acme").trackings
        parcel = a_followed()
        trackings.add(parcel)
        trackings.plan(parcel.id, NOON)
        now, held = NOON, dict[int, Claim]()
        expected: datetime | None = NOON
        set_since_claim = False
        for step, worker in steps:
            now += timedelta(seconds=1)
            mine = held.get(worker)
            holder = next((one for one, claim in held.items() if claim.until > now), None)
            if step == "claim":
                claim = trackings.claim(parcel.id, at=now, until=now + LEASE, claimant=f"{worker}-{now}")
                assert (claim is not None) == (holder is None and expected is not None and expected <= now)
                if claim is not None:
                    held = {worker: claim}
                    set_since_claim = False
            elif step == "nudge":
                trackings.schedule(parcel.id, now)
                expected, set_since_claim = now, True
            elif step == "pause":
                trackings.schedule(parcel.id, None)
                expected, set_since_claim = None, True
            elif step == "wait":
                now += LEASE
            elif mine is not None:
                del held[worker]
                then = None if step == "end" else now + timedelta(minutes=1)
                if step == "release":
                    trackings.release(mine)
                else:
                    trackings.settle(mine, then, at=now)
                    expected = expected if set_since_claim else then
                    set_since_claim = True
            assert trackings.polls([parcel.id], now=NOON) == {parcel.id: expected}


def test_the_store_speaks_of_trouble_in_its_own_words(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import EndpointConnectionError

    def down(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="x")

    class Down:
        def __getattr__(self, name: str) -> Any:
            return down

    trackings = Table(Down(), TABLE_NAME).tenant("acme").trackings  # type: ignore[arg-type]
    for call in (
        lambda: trackings.get("trk_1"),
        lambda: trackings.schedule("trk_1", NOON),
        lambda: trackings.polls(["trk_1"], now=NOON),
        lambda: trackings.find("a", "b", "c"),
        lambda: trackings.forget_poll("trk_1"),
    ):
        with pytest.raises(StoreUnavailableError):
            call()

"""Timelines: everything that a webhook or a poll says of parcels is stored here."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.domain.clock import rfc3339
from parcelgate.domain.polling import next_poll
from parcelgate.domain.trackings import (
    NextCarrier,
    OtherNumber,
    ProofOfDelivery,
    Saying,
    Source,
    Tracking,
    TrackingStatus,
    corrected_to,
)
from parcelgate.observability.logs import log
from parcelgate.services.settings import Settings
from parcelgate.services.trackings.timeline import Timelines
from parcelgate.store.errors import TrackingNotFoundError, VersionConflictError
from parcelgate.store.table import Table
from parcelgate.store.trackings import Trackings
from tests.support.clock import FakeClock
from tests.support.fast_dynamodb import dynamodb
from tests.support.faults import Faults
from tests.support.orders import NOON
from tests.support.table import TABLE_NAME, table
from tests.support.trackings import a_followed, seen, told
from tests.support.world import ENVIRONMENT

__all__ = ["dynamodb", "table"]


class Queue:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def send_message(self, *, QueueUrl: str, MessageBody: str, MessageGroupId: str) -> None:  # noqa: N803
        assert MessageGroupId == "acme"
        self.sent.append((QueueUrl, json.loads(MessageBody)))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def store(table: Table) -> Trackings:
    return table.tenant("acme").trackings


@pytest.fixture
def parcel(store: Trackings) -> Tracking:
    tracking = a_followed(id="trk_1")
    store.add(tracking)
    return tracking


def timelines_of(table: Table, queue: Queue, clock: FakeClock, **settings: str) -> Timelines:
    given = Settings(ENVIRONMENT | {"PARCELGATE_POLL_QUEUE_URL": "https://sqs.test/polls"} | settings)
    return Timelines(table=table, sqs=queue, settings=given, clock=clock)  # type: ignore[arg-type]


@pytest.fixture
def timelines(table: Table, queue: Queue, clock: FakeClock) -> Timelines:
    return timelines_of(table, queue, clock)


def stored(moment: datetime | None) -> datetime:
    """The moment as the store keeps it."""
    assert moment is not None
    return datetime.fromisoformat(rfc3339(moment))


class Crowded:
    """A client of the store before whose every write somebody else writes, as often as it is told."""

    def __init__(self, client: Any, meanwhile: Callable[[], None], times: int = 1) -> None:
        self._client, self._meanwhile, self.left = client, meanwhile, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **request: Any) -> Any:
        if self.left > 0:
            self.left -= 1
            self._meanwhile()
        return self._client.update_item(**request)


class TestWhatIsTold:
    def test_joins_the_timeline(
        self, timelines: Timelines, store: Trackings, parcel: Tracking, clock: FakeClock
    ) -> None:
        clock.sleep(60)
        facts = {
            "other_numbers": (OtherNumber("A1"),),
            "next_carrier": NextCarrier(clock(), "usps", "A1"),
            "estimated_delivery": Saying(clock(), "by Tuesday"),
            "signed_by": Saying(clock(), "A. BYRD"),
            "proof": ProofOfDelivery(image_url="https://a.test/1"),
        }
        story = told(seen("in_transit"), seen("delivered", hours=1), **facts)

        after = timelines.take("acme", "trk_1", story, Source.WEBHOOK)

        assert store.get("trk_1") == after
        assert (after.status, after.version, after.updated_at) == (TrackingStatus.DELIVERED, 2, clock())
        assert [event.source for event in after.events] == [Source.WEBHOOK] * 2
        assert {name: getattr(after, name) for name in facts} == facts

    def test_a_second_time_is_not_written(
        self, dynamodb: Any, queue: Queue, clock: FakeClock, timelines: Timelines, parcel: Tracking
    ) -> None:
        after = timelines.take("acme", "trk_1", told(seen()), Source.POLL)
        faults = Faults()
        watched = timelines_of(Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME), queue, clock)

        assert watched.take("acme", "trk_1", told(seen()), Source.WEBHOOK) == after
        assert faults.names == ["dynamodb.get_item"]
        assert watched.take("acme", "trk_1", told(seen()), Source.WEBHOOK, known=after) is after
        assert faults.names == ["dynamodb.get_item"], "nor read by whoever knows the parcel"

    def test_of_no_parcel_of_the_tenant_is_not_taken(self, timelines: Timelines, parcel: Tracking) -> None:
        for tenant, tracking_id in (("acme", "trk_2"), ("other", "trk_1")):
            with pytest.raises(TrackingNotFoundError):
                timelines.take(tenant, tracking_id, told(seen()), Source.POLL)

    @pytest.mark.parametrize("known", [True, False])
    def test_while_others_tell_more_is_joined_to_that(
        self,
        known: bool,
        dynamodb: Any,
        queue: Queue,
        clock: FakeClock,
        timelines: Timelines,
        store: Trackings,
        parcel: Tracking,
    ) -> None:
        hours = iter(range(1, 9))
        crowded = Crowded(
            dynamodb,
            lambda: timelines.take("acme", "trk_1", told(seen(hours=next(hours))), Source.WEBHOOK) and None,
            times=3,
        )
        mine = timelines_of(Table(crowded, TABLE_NAME), queue, clock)  # type: ignore[arg-type]

        after = mine.take(
            "acme", "trk_1", told(seen("delivered", hours=9)), Source.POLL, known=parcel if known else None
        )

        assert [event.at for event in after.events] == [NOON + timedelta(hours=n) for n in (1, 2, 3, 9)]
        assert store.get("trk_1") == after

    def test_gives_up_when_there_is_no_end_of_others(
        self, dynamodb: Any, queue: Queue, clock: FakeClock, timelines: Timelines, parcel: Tracking
    ) -> None:
        hours = iter(range(1, 99))
        crowded = Crowded(
            dynamodb,
            lambda: timelines.take("acme", "trk_1", told(seen(hours=next(hours))), Source.WEBHOOK) and None,
            times=99,
        )
        mine = timelines_of(Table(crowded, TABLE_NAME), queue, clock)  # type: ignore[arg-type]
        with pytest.raises(VersionConflictError):
            mine.take("acme", "trk_1", told(seen("delivered", hours=100)), Source.POLL)

    def test_of_a_parcel_that_was_removed_meanwhile_is_told_of_nobody(
        self, dynamodb: Any, queue: Queue, clock: FakeClock, store: Trackings, parcel: Tracking
    ) -> None:
        crowded = Crowded(dynamodb, lambda: store.remove(parcel))
        mine = timelines_of(Table(crowded, TABLE_NAME), queue, clock)  # type: ignore[arg-type]
        with pytest.raises(TrackingNotFoundError):
            mine.take("acme", "trk_1", told(seen()), Source.POLL, known=parcel)

    def test_by_the_wrong_courier_is_not_the_story_of_the_right_one(
        self, dynamodb: Any, queue: Queue, clock: FakeClock, store: Trackings, parcel: Tracking
    ) -> None:
        right = msgspec.structs.replace(parcel, carrier_code="dhl", version=2)
        crowded = Crowded(dynamodb, lambda: store.recode(parcel, right))
        mine = timelines_of(Table(crowded, TABLE_NAME), queue, clock)  # type: ignore[arg-type]

        assert mine.take("acme", "trk_1", told(seen()), Source.POLL, known=parcel) == right
        assert store.get("trk_1") == right


class TestACourierThatTheAggregatorFound:
    def test_has_the_parcel_from_now_on(
        self, timelines: Timelines, store: Trackings, parcel: Tracking
    ) -> None:
        timelines.take("acme", "trk_1", told(seen("exception")), Source.POLL)

        after = timelines.take("acme", "trk_1", told(seen(hours=1), carrier_code="dhl"), Source.POLL)

        assert (after.carrier_code, after.status, len(after.events)) == ("dhl", "in_transit", 1)
        assert store.get("trk_1") == after
        assert store.find("default", "dhl", "RR1CN") == "trk_1"
        assert store.find("default", "china-ems", "RR1CN") is None
        again = timelines.take("acme", "trk_1", told(seen(hours=1), carrier_code="DHL"), Source.POLL)
        assert again == after

    def test_has_it_also_when_it_has_told_nothing(self, timelines: Timelines, parcel: Tracking) -> None:
        after = timelines.take("acme", "trk_1", told(carrier_code="dhl"), Source.POLL)
        assert (after.carrier_code, after.version) == ("dhl", parcel.version + 1)

    def test_does_not_count_where_none_was_to_be_looked_for(
        self, timelines: Timelines, store: Trackings
    ) -> None:
        fixed = a_followed("RR2CN", id="trk_2", courier_fixed=True)
        store.add(fixed)
        assert timelines.take("acme", "trk_2", told(seen(), carrier_code="dhl"), Source.POLL) == fixed

    def test_does_not_count_when_it_is_the_one_that_the_client_has_corrected(
        self, timelines: Timelines, store: Trackings, parcel: Tracking
    ) -> None:
        right = msgspec.structs.replace(corrected_to(parcel, "usps"), version=parcel.version + 1)
        store.recode(parcel, right)

        assert timelines.take("acme", "trk_1", told(seen(), carrier_code="CHINA-EMS"), Source.POLL) == right
        third = timelines.take("acme", "trk_1", told(seen(), carrier_code="dhl"), Source.POLL)
        assert third.carrier_code == "dhl", "another one may have it all the same"
        back = corrected_to(third, "China-EMS")
        assert back.wrong_couriers == ("dhl",), "and the client may be wrong, and say so"

    def test_may_have_a_parcel_that_is_another_tracking(
        self, timelines: Timelines, store: Trackings, parcel: Tracking
    ) -> None:
        store.add(a_followed(code="dhl", id="trk_2"))
        assert timelines.take("acme", "trk_1", told(seen(), carrier_code="dhl"), Source.POLL) == parcel
        assert store.get("trk_2").events == ()


class TestWhatIsCounted:
    def lines(self, text: str, word: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, text.splitlines()) if word in line]

    def test_a_code_that_is_in_no_table_once(
        self, timelines: Timelines, parcel: Tracking, logged: Callable[[], str]
    ) -> None:
        story = told(seen(None, code="XQ", description="Ada Byrd, 401 Congress Ave"), seen("in_transit"))
        more = told(*story.events, seen("delivered", hours=1))
        for one in (story, story, more):
            timelines.take("acme", "trk_1", one, Source.POLL)

        text = logged()
        (unmapped,) = self.lines(text, "CodesUnmapped")
        assert (unmapped["CodesUnmapped"], unmapped["carrier"]) == ([1.0], "trackingmore")
        (line,) = [line for line in self.lines(text, "message") if "in no table" in line["message"]]
        assert (line["code"], line["carrier_code"]) == ("XQ", "china-ems")
        assert "Byrd" not in text, "promise 8"

    def test_new_events_and_parcels_that_moved(
        self, timelines: Timelines, parcel: Tracking, logged: Callable[[], str]
    ) -> None:
        timelines.take("acme", "trk_1", told(seen(), seen(hours=1)), Source.WEBHOOK)
        timelines.take("acme", "trk_1", told(seen(hours=2)), Source.POLL)

        text = logged()
        events = self.lines(text, "TrackingEvents")
        assert [(one["TrackingEvents"], one["source"]) for one in events] == [
            ([2.0], "webhook"),
            ([1.0], "poll"),
        ]
        assert [one["status"] for one in self.lines(text, "ParcelsMoved")] == ["in_transit"]


class TestWhatIsBelieved:
    def test_plans_the_next_poll_by_what_was_told(
        self, timelines: Timelines, store: Trackings, parcel: Tracking, clock: FakeClock
    ) -> None:
        clock.sleep(60)
        after = timelines.believe("acme", "trk_1", told(seen("in_transit")))
        assert [event.source for event in after.events] == [Source.WEBHOOK]
        at = next_poll(after, now=clock())
        assert store.polls(["trk_1"], now=NOON) == {"trk_1": stored(at)}

    @pytest.mark.parametrize("followed", [True, False])
    def test_has_the_next_carrier_asked_at_once_where_it_is_to_be_asked(
        self, timelines: Timelines, parcel: Tracking, queue: Queue, clock: FakeClock, followed: bool
    ) -> None:
        there = NextCarrier(clock(), "australia-post", "33ABC", followed=followed)
        timelines.believe("acme", "trk_1", told(seen("in_transit"), next_carrier=there))
        assert len(queue.sent) == followed

    def test_ends_polling_with_the_parcel_s_journey(
        self, timelines: Timelines, store: Trackings, parcel: Tracking
    ) -> None:
        timelines.believe("acme", "trk_1", told(seen("delivered")))
        assert store.polls(["trk_1"], now=NOON) == {"trk_1": None}

    def test_takes_up_polling_again_of_a_parcel_that_had_expired(
        self, timelines: Timelines, store: Trackings, parcel: Tracking
    ) -> None:
        timelines.believe("acme", "trk_1", told(seen("expired")))
        timelines.believe("acme", "trk_1", told(seen("in_transit", hours=1)))
        assert store.polls(["trk_1"], now=NOON)["trk_1"] is not None

    def test_lets_nobody_ask_about_a_parcel_that_is_paused(
        self, timelines: Timelines, store: Trackings, parcel: Tracking
    ) -> None:
        store.save(parcel, msgspec.structs.replace(parcel, paused=True, version=2))
        timelines.believe("acme", "trk_1", told(seen("in_transit")))
        assert store.polls(["trk_1"], now=NOON) == {"trk_1": None}

    def test_leaves_a_nudge_that_came_for_other_news(
        self, timelines: Timelines, store: Trackings, parcel: Tracking, clock: FakeClock
    ) -> None:
        timelines.nudge("acme", "trk_1")
        clock.sleep(1)
        timelines.believe("acme", "trk_1", told(seen("in_transit")))
        assert store.polls(["trk_1"], now=NOON) == {"trk_1": NOON}
        assert store.claim("trk_1", at=clock(), until=clock() + timedelta(minutes=1), claimant="a")

    def test_is_planned_at_the_pace_of_the_environment(
        self, table: Table, queue: Queue, clock: FakeClock, store: Trackings, parcel: Tracking
    ) -> None:
        quick = timelines_of(table, queue, clock, PARCELGATE_POLL_PACE="1440")
        after = quick.believe("acme", "trk_1", told(seen("in_transit")))
        assert store.polls(["trk_1"], now=NOON) == {"trk_1": stored(next_poll(after, now=clock(), pace=1440))}


def test_a_nudge_has_the_parcel_asked_about_now_and_changes_nothing_else(
    timelines: Timelines, store: Trackings, parcel: Tracking, queue: Queue, clock: FakeClock
) -> None:
    store.plan("trk_1", NOON + timedelta(hours=4))
    clock.sleep(60)
    log.structure_logs(correlation_id="R1=")
    timelines.nudge("acme", "trk_1")
    assert store.polls(["trk_1"], now=NOON) == {"trk_1": clock()}
    assert queue.sent == [
        ("https://sqs.test/polls", {"tenant": "acme", "tracking_id": "trk_1", "correlation_id": "R1="})
    ]
    assert store.get("trk_1") == parcel

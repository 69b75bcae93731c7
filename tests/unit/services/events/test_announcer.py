"""What merchants are told is in the log once, whatever the store and the bus do meanwhile."""

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier
from typing import Any, cast

import msgspec
import pytest

from parcelgate.domain.batches import Batch, BatchLine, BatchRow
from parcelgate.domain.merchants.endpoints import Endpoint
from parcelgate.domain.merchants.events import Event, EventType
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.trackings import ProofOfDelivery, Tracking
from parcelgate.http.answers import Site
from parcelgate.http.resources.events import rendering
from parcelgate.services.endpoints.fan_out import DeliveryQueue, EventFanOut, FirstDeliveryJob, read_job
from parcelgate.services.event_bus import EventBus
from parcelgate.services.events.announcer import Announcer, Change, SettledEntry
from parcelgate.store.errors import ItemTooLargeError, StoreUnavailableError, ThrottledError
from parcelgate.store.merchant_events.log import EventLog
from parcelgate.store.merchant_events.table import EventsTable
from parcelgate.store.table import Table
from tests.support.aws import FakeEvents, FakeSqs
from tests.support.clock import FakeClock
from tests.support.orders import NOON, an_order
from tests.support.trackings import a_tracking

SITE = Site(base="https://api.test")
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def bus() -> FakeEvents:
    return FakeEvents()


@pytest.fixture
def announcer(table: Table, events_table: EventsTable, bus: FakeEvents) -> Announcer:
    return Announcer(
        table=table,
        events=events_table,
        bus=EventBus(client=bus, name="events-bus"),  # type: ignore[arg-type]
        rendering=rendering(SITE),
        fan_out=EventFanOut(
            events=events_table,
            queue=DeliveryQueue(sqs=FakeSqs(FakeClock()), url="https://sqs.test/deliveries"),  # type: ignore[arg-type]
            clock=lambda: NOON,
        ),
        clock=lambda: NOON,
    )


@pytest.fixture
def told(events_table: EventsTable) -> Callable[[], list[Any]]:
    """What the tenant was told, oldest first."""
    return lambda: [
        json.loads(event.body) for event in events_table.tenant("acme").log.page(at=LATER).data[::-1]
    ]


def confirmed(number: int = 1, **facts: Any) -> Change:
    order = an_order(id=f"ord_{number}", status=OrderStatus.CONFIRMED, version=2, **facts)
    return of(order, "order.confirmed", number)


def of(subject: Order | Tracking | SettledEntry, kind: str, number: int = 1) -> Change:
    return Change({"dynamodb": {"SequenceNumber": str(number)}}, subject, (EventType(kind),))


def ids(bus: FakeEvents) -> list[str]:
    return [json.loads(entry["Detail"])["id"] for entry in bus.entries]


def test_promise_11_an_event_is_told_as_the_api_shows_its_subject(
    announcer: Announcer, bus: FakeEvents, told: Callable[[], list[Any]]
) -> None:
    order = an_order(id="ord_1", status=OrderStatus.CONFIRMED, version=7)
    assert announcer.announce([of(order, "order.confirmed")]) == ([], [])
    (event,) = told()
    assert event == {
        "id": ids(bus)[0],
        "type": "order.confirmed",
        "timestamp": "2026-11-21T12:00:00.000Z",
        "sequence": 7,
        "data": json.loads(rendering(SITE).order(order, {})),
    }
    assert event["data"]["links"]["self"] == "https://api.test/v1/orders/ord_1"


def test_promise_11_a_record_that_comes_again_is_told_once(
    announcer: Announcer, bus: FakeEvents, told: Callable[[], list[Any]]
) -> None:
    for _ in range(3):
        announcer.announce([confirmed(), confirmed(metadata={"seen": "later"})])
    assert [event["data"]["metadata"] for event in told()] == [{}]
    assert len(set(ids(bus))) == 1, "the bus may say it again, under the same id"


def test_an_order_and_a_parcel_are_shown_with_what_does_not_stand_in_them(
    announcer: Announcer, table: Table, told: Callable[[], list[Any]]
) -> None:
    parcel = a_tracking(id="trk_1", carrier="trackingmore")
    table.tenant("acme").trackings.add(parcel)
    table.tenant("acme").trackings.plan("trk_1", LATER)
    order = an_order(id="ord_1", status=OrderStatus.CONFIRMED)
    order = msgspec.structs.replace(
        order, parcels=tuple(msgspec.structs.replace(each, tracking_id="trk_1") for each in order.parcels)
    )
    announcer.announce([of(order, "label.ready"), of(parcel, "tracking.updated", 2)])
    by_type = {event["type"]: event["data"] for event in told()}
    assert by_type["label.ready"]["delivery_status"] == "pending"
    assert by_type["tracking.updated"]["next_poll_at"] == "2026-11-21T13:00:00.000Z"


def test_promise_8_no_link_that_opens_a_picture_is_kept(
    announcer: Announcer, told: Callable[[], list[Any]]
) -> None:
    proof = ProofOfDelivery(image_url="https://pictures.test/1?signature=x", expires_at=LATER)
    announcer.announce([of(a_tracking(id="trk_1", proof=proof), "tracking.delivered")])
    (event,) = told()
    assert "signature" not in json.dumps(event)
    assert event["data"]["proof_of_delivery"] == {
        "image_url": None,
        "address_image_url": None,
        "expires_at": "2026-11-21T13:00:00.000Z",
    }


@pytest.mark.parametrize("error", [ThrottledError, StoreUnavailableError])
def test_what_the_log_does_not_take_comes_again_with_what_follows_of_the_same_thing(
    error: type[Exception],
    announcer: Announcer,
    bus: FakeEvents,
    told: Callable[[], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = of(an_order(id="ord_3", status=OrderStatus.CONFIRMED, version=3), "label.ready", 6)
    changes = [*(confirmed(number) for number in range(1, 6)), later]
    add = EventLog.add

    def failing(log: EventLog, event: Any) -> Event:
        if event.order_id == "ord_3" and event.type == "order.confirmed":
            raise error("busy")
        return add(log, event)

    monkeypatch.setattr(EventLog, "add", failing)
    assert announcer.announce(changes) == (["3", "6"], [])
    assert len(bus.entries) == len(told()) == 4, "what is not in the log is not on the bus"
    monkeypatch.undo()
    assert announcer.announce([changes[2], later]) == ([], [])
    heard = [(event["data"]["id"], event["type"]) for event in told()]
    assert sorted(heard) == sorted(
        [*((f"ord_{n}", "order.confirmed") for n in range(1, 6)), ("ord_3", "label.ready")]
    )
    assert len(set(ids(bus))) == 6


def test_a_log_that_takes_nothing_is_soon_left_alone(
    announcer: Announcer, bus: FakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try takes seconds then. All together would take longer than the function has."""
    tries: list[Event] = []

    def failing(_: EventLog, event: Event) -> Event:
        tries.append(event)
        raise StoreUnavailableError("down")

    monkeypatch.setattr(EventLog, "add", failing)
    changes = [confirmed(number) for number in range(100)]
    assert announcer.announce(changes) == ([str(number) for number in range(100)], [])
    assert len(tries) < 2 * announcer.workers
    assert not bus.entries


def test_many_things_are_written_side_by_side_and_each_in_turn(
    announcer: Announcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = Barrier(announcer.workers)
    add, heard = EventLog.add, defaultdict[str | None, list[int]](list)

    def waits_for_others(log: EventLog, event: Event) -> Event:
        if event.sequence == 1:
            met.wait(timeout=20)
        heard[event.order_id].append(event.sequence)
        return add(log, event)

    monkeypatch.setattr(EventLog, "add", waits_for_others)
    changes = [
        of(an_order(id=f"ord_{number}", version=version), "order.confirmed", version * 100 + number)
        for version in (1, 2, 3)
        for number in range(announcer.workers)
    ]
    assert announcer.announce(changes) == ([], [])
    assert [*heard.values()] == [[1, 2, 3]] * announcer.workers


def test_an_event_that_no_item_can_hold_is_set_aside_alone(
    announcer: Announcer, told: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = EventLog.add

    def too_large(log: EventLog, event: Any) -> Event:
        if event.order_id == "ord_1":
            raise ItemTooLargeError("large")
        return add(log, event)

    monkeypatch.setattr(EventLog, "add", too_large)
    outcome = announcer.announce([confirmed(1), confirmed(2)])
    assert outcome.failed == []
    assert [record["dynamodb"]["SequenceNumber"] for record, _ in outcome.unusable] == ["1"]
    assert [event["data"]["id"] for event in told()] == ["ord_2"]


def test_promise_6_a_thing_that_cannot_be_shown_is_set_aside_alone(
    announcer: Announcer, told: Callable[[], list[Any]]
) -> None:
    odd = confirmed(1, problem=msgspec.json.decode(b'{"code":"of_old","detail":""}', type=Any))
    outcome = announcer.announce([odd, confirmed(2)])
    assert [record for record, _ in outcome.unusable] == [odd.record]
    assert [event["data"]["id"] for event in told()] == ["ord_2"]


def test_trouble_with_one_tenants_things_holds_up_nobody_else(
    announcer: Announcer, told: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any, **__: Any) -> Any:
        raise ThrottledError("busy")

    monkeypatch.setattr("parcelgate.store.trackings.Trackings.polls", busy)
    outcome = announcer.announce([of(a_tracking("other", id="trk_1"), "tracking.updated", 1), confirmed(2)])
    assert outcome.failed == ["1"]
    assert [event["data"]["id"] for event in told()] == ["ord_2"]


def a_batch(table: Table, *statuses: str) -> Batch:
    batch = Batch(id="bat_1", tenant="acme", lines=tuple(BatchLine() for _ in statuses), created_at=NOON)
    own = table.tenant("acme").batches
    own.add(batch, due_at=NOON)
    for index, status in enumerate(statuses):
        own.settle(batch, BatchRow(index=index, status=OrderStatus(status)))
    return batch


def test_promise_11_a_batch_is_finished_once_whichever_entry_finds_it_so(
    announcer: Announcer, bus: FakeEvents, table: Table, told: Callable[[], list[Any]]
) -> None:
    a_batch(table, "confirmed", "failed", "needs_attention")
    entry = SettledEntry("acme", "bat_1")
    announcer.announce([of(entry, "batch.finished", number) for number in (1, 2)])
    assert len(bus.entries) == 1, "asked once for all entries of one reading"
    announcer.announce([of(entry, "batch.finished", 3)])
    (event,) = told()
    counts = {name: event["data"][name] for name in ("status", "total", "confirmed", "failed")}
    assert counts == {"status": "finished", "total": 3, "confirmed": 1, "failed": 1}
    assert (event["sequence"], event["timestamp"]) == (1, "2026-11-21T12:00:00.000Z")
    assert json.loads(bus.entries[0]["Detail"]) == {
        "id": event["id"],
        "tenant": "acme",
        "batch_id": "bat_1",
        "sequence": 1,
        "status": "finished",
    }


def test_promise_11_a_batch_that_is_found_finished_twice_is_one_delivery(
    announcer: Announcer, events_table: EventsTable, bus: FakeEvents, table: Table
) -> None:
    """Entries settled at different times, read apart: the event is as the first of them has told it."""
    batch = a_batch(table, "confirmed", "failed")
    endpoint = Endpoint(
        id="whe_1",
        tenant="acme",
        url="https://shop.example/hook",
        events=("*",),
        description=None,
        created_at=NOON,
        updated_at=NOON,
    )
    events_table.tenant("acme").endpoints.add(endpoint, b"sealed")
    for number, seconds in ((1, 1_795_000_000.123456), (2, 1_795_000_002.5), (3, 1_795_000_001)):
        change = of(SettledEntry("acme", batch.id), "batch.finished", number)
        change.record["dynamodb"]["ApproximateCreationDateTime"] = seconds
        assert announcer.announce([change]) == ([], [])
    sqs = cast("FakeSqs", announcer.fan_out.queue.sqs)
    jobs = [read_job(body) for body in sqs.bodies("https://sqs.test/deliveries")]
    assert len(jobs) == 3, "the worker drops what it has delivered"
    assert len({job.delivery().id for job in jobs if isinstance(job, FirstDeliveryJob)}) == 1
    assert len({entry["Time"] for entry in bus.entries}) == 1


def test_a_batch_of_which_more_is_expected_or_nothing_is_known_is_not_finished(
    announcer: Announcer, table: Table, told: Callable[[], list[Any]]
) -> None:
    a_batch(table, "confirmed", "processing")
    for batch in ("bat_1", "bat_9"):
        assert announcer.announce([of(SettledEntry("acme", batch), "batch.finished")]) == ([], [])
    assert told() == []

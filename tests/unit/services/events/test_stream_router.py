"""The stream's router: what it sends on, and what it does with what it cannot."""

import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Barrier
from typing import Any

import msgspec
import pytest

from parcelgate.domain.orders import Label, LabelStatus, Order, OrderStatus
from parcelgate.domain.problems import Problem
from parcelgate.domain.trackings import Source, Tracking, TrackingEvent, TrackingStatus, merge
from parcelgate.http.answers import Site
from parcelgate.http.resources.events import rendering
from parcelgate.observability.logs import log
from parcelgate.services.endpoints.fan_out import DeliveryQueue, EventFanOut
from parcelgate.services.event_bus import EventBus
from parcelgate.services.events.announcer import Announcer
from parcelgate.services.events.stream_router import StreamRouter
from parcelgate.services.settings import Settings
from parcelgate.services.stats.counting import StatsCounter
from parcelgate.store.calls import typed
from parcelgate.store.errors import (
    ItemTooLargeError,
    StoreError,
    StoreUnavailableError,
    ThrottledError,
)
from parcelgate.store.merchant_events.table import EventsTable
from parcelgate.store.table import Table
from parcelgate.store.tenants.stats import Countable, Stats
from parcelgate.store.trackings import Trackings, tracking_item
from tests.support.orders import NOON, an_order
from tests.support.trackings import a_tracking, seen
from tests.support.world import ENVIRONMENT, FakeEvents


class Queues:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.refuse: set[str] = set()

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        assert len(Entries) <= 10
        failed = [entry for entry in Entries if any(word in entry["MessageBody"] for word in self.refuse)]
        self.sent += [
            (QueueUrl.rpartition("/")[2], json.loads(entry["MessageBody"]))
            for entry in Entries
            if entry not in failed
        ]
        return {"Failed": [{"Id": entry["Id"]} for entry in failed]}


@pytest.fixture
def queues() -> Queues:
    return Queues()


@pytest.fixture
def bus() -> FakeEvents:
    return FakeEvents()


@pytest.fixture
def router(queues: Queues, bus: FakeEvents, table: Table, events_table: EventsTable) -> StreamRouter:
    settings = Settings(ENVIRONMENT | {"PARCELGATE_LABEL_QUEUE_URL": "https://sqs.test/labels"})
    announcer = Announcer(
        table=table,
        events=events_table,
        bus=EventBus(client=bus, name=settings.event_bus),  # type: ignore[arg-type]
        rendering=rendering(Site.at("https://api.test")),
        fan_out=EventFanOut(
            events=events_table,
            queue=DeliveryQueue(sqs=queues, url="https://sqs.test/deliveries"),  # type: ignore[arg-type]
        ),
    )
    return StreamRouter(
        sqs=queues,  # type: ignore[arg-type]
        announcer=announcer,
        counter=StatsCounter(table),
        settings=settings,
    )


def image(order: Order) -> dict[str, Any]:
    doc = msgspec.json.encode(order).decode()
    return {"pk": {"S": f"T#acme#ORDER#{order.id}"}, "sk": {"S": "ORDER"}, "doc": {"S": doc}}


def webhook(number: int, digest: str = "abc") -> dict[str, Any]:
    item = {
        "pk": f"T#acme#INBOX#lso#{digest}",
        "sk": "ENTRY",
        "due_pk": "DUE#INBOX#1",
        "carrier": "lso",
        "received_at": NOON,
        "expires_at": 1_900_000_000,
    }
    return record(number, typed(item))


def record(number: int, new: Any, old: Any = None) -> dict[str, Any]:
    change = {"SequenceNumber": str(number), "NewImage": new, "Keys": {"pk": {"S": "k"}}}
    if old:
        change["OldImage"] = old
    return {"eventName": "MODIFY" if old else "INSERT", "dynamodb": change}


def moved(order: Order, **facts: Any) -> Order:
    return msgspec.structs.replace(order, version=order.version + 1, **facts)


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        ("processing", []),
        ("confirmed", ["order.confirmed"]),
        ("failed", ["order.failed"]),
        ("cancelled", ["order.cancelled"]),
        ("needs_attention", ["order.needs_attention"]),
    ],
)
def test_a_status_that_others_wait_for_is_announced(
    status: str, kinds: list[str], router: StreamRouter, bus: FakeEvents
) -> None:
    order = an_order()
    after = moved(order, status=OrderStatus(status))
    assert router.route([record(1, image(after), image(order))]) == []
    assert bus.kinds == kinds


def test_an_event_holds_ids_and_the_sequence_and_nothing_personal(
    router: StreamRouter, bus: FakeEvents
) -> None:
    order = an_order()
    router.route([record(1, image(moved(order, status=OrderStatus.CONFIRMED)), image(order))])
    (entry,) = bus.entries
    detail = json.loads(entry["Detail"])
    assert detail.pop("id").startswith("evt_")
    assert detail == {
        "tenant": "acme",
        "order_id": order.id,
        "sequence": 2,
        "status": "confirmed",
        "carrier": "lso",
    }
    assert (entry["Source"], entry["EventBusName"]) == ("parcelgate", "bus")


def test_a_change_that_moves_no_status_is_not_announced(router: StreamRouter, bus: FakeEvents) -> None:
    order = an_order(status=OrderStatus.CONFIRMED)
    router.route([record(1, image(moved(order)), image(order))])
    assert bus.entries == []


def test_a_label_that_is_ready_is_announced(router: StreamRouter, bus: FakeEvents) -> None:
    order = an_order(status=OrderStatus.CONFIRMED)
    label = msgspec.structs.replace(order.label, status=LabelStatus.READY)
    router.route([record(1, image(moved(order, label=label)), image(order))])
    assert bus.kinds == ["label.ready"]


REFUND = Problem(code="refund_failed", detail="-")
LATE = Problem(code="late_success", detail="-")
LOCKED_OUT = Problem(code="carrier_unavailable", detail="-")
NO_LABEL = Label(status=LabelStatus.UNAVAILABLE)


@pytest.mark.parametrize(
    ("facts", "kinds"),
    [
        ({"status": OrderStatus.NEEDS_ATTENTION}, ["needs_attention"]),
        (
            {"status": OrderStatus.NEEDS_ATTENTION, "problem": REFUND},
            ["needs_attention", "refund_given_up"],
        ),
        ({"status": OrderStatus.FAILED, "attention": LATE}, ["late_success"]),
        ({"status": OrderStatus.CONFIRMED, "label": NO_LABEL}, ["label_unavailable"]),
        ({"status": OrderStatus.PROCESSING, "attention": LOCKED_OUT}, ["credentials_refused"]),
        ({"status": OrderStatus.CONFIRMED}, []),
    ],
)
def test_what_a_person_must_look_at_is_counted_once(
    facts: dict[str, Any], kinds: list[str], router: StreamRouter, logged: Callable[[], str]
) -> None:
    order = an_order()
    troubled = moved(order, **facts)
    router.route([record(1, image(troubled), image(order))])
    router.route([record(2, image(moved(troubled)), image(troubled))])

    lines = [json.loads(line) for line in logged().splitlines()]
    assert [line["kind"] for line in lines if "OrdersInTrouble" in line] == kinds
    told = [(line["level"], line["order_id"], line["trouble"]) for line in lines if "trouble" in line]
    assert told == [("WARNING", order.id, kind) for kind in kinds]


def test_what_is_known_of_one_change_is_not_on_the_lines_of_the_next(
    router: StreamRouter, logged: Callable[[], str]
) -> None:
    """One call brings the changes of many tenants. A request's id leads to its own order alone."""
    orders = [
        an_order("acme", correlation_id="R1="),
        an_order("other", correlation_id="R2="),
        an_order("third", carrier="ubi"),
    ]
    troubled = [moved(order, status=OrderStatus.NEEDS_ATTENTION) for order in orders]
    router.route(
        [
            record(number, image(after), image(before))
            for number, (before, after) in enumerate(zip(orders, troubled, strict=True), start=1)
        ]
    )

    lines = [line for line in map(json.loads, logged().splitlines()) if "trouble" in line]
    assert [(line["order_id"], line["carrier"], line.get("correlation_id")) for line in lines] == [
        (orders[0].id, "lso", "R1="),
        (orders[1].id, "lso", "R2="),
        (orders[2].id, "ubi", None),
    ]


def test_a_new_webhook_goes_to_the_inbox_queue_and_a_changed_one_does_not(
    router: StreamRouter, queues: Queues
) -> None:
    came = webhook(1)
    before = came["dynamodb"]["NewImage"]
    put_off = record(2, before | {"due_at": {"S": "later"}}, before)
    closed = record(3, {name: value for name, value in before.items() if name != "due_pk"}, before)
    assert router.route([came, put_off, closed]) == []
    assert queues.sent == [("inbox", {"tenant": "acme", "id": "lso#abc"})]


def test_a_webhook_that_comes_again_unprocessed_goes_to_the_inbox_queue_again(
    router: StreamRouter, queues: Queues
) -> None:
    before = webhook(1)["dynamodb"]["NewImage"]
    again = before | {"again_at": {"S": "now"}}
    closed = {name: value for name, value in again.items() if name != "due_pk"}
    assert router.route([record(2, again, before), record(3, closed, again)]) == []
    assert queues.sent == [("inbox", {"tenant": "acme", "id": "lso#abc"})]


@pytest.mark.parametrize(
    ("document", "correlation_id"),
    [('{"id": "ord_1", "correlation_id": "R1="}', "R1="), ('{"id": "ord_1"}', "event-9"), ("{", "event-9")],
)
def test_the_line_of_a_record_that_cannot_be_read_leads_to_it(
    document: str, correlation_id: str, router: StreamRouter
) -> None:
    bad = {"pk": {"S": "T#acme#ORDER#ord_1"}, "sk": {"S": "ORDER"}, "doc": {"S": document}}
    handler = log.registered_handler
    before = handler.setStream(stream := io.StringIO())
    router.route([record(1, bad) | {"eventID": "event-9"}])
    handler.setStream(before)  # type: ignore[arg-type]
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]

    (line,) = [
        each for each in lines if each["message"] == "a change of the table cannot be read; it is set aside"
    ]
    assert (line["tenant"], line["order_id"]) == ("acme", "ord_1")
    assert line["correlation_id"] == correlation_id


def test_a_record_that_cannot_be_read_is_set_aside_and_its_neighbours_go_on(
    router: StreamRouter, queues: Queues
) -> None:
    bad = record(2, {"pk": {"S": "T#acme#ORDER#x"}, "sk": {"S": "ORDER"}, "doc": {"S": "{"}})
    assert router.route([webhook(1, "a"), bad, webhook(3, "b"), {}]) == []
    assert [name for name, _ in queues.sent] == ["inbox", "inbox", "dead-changes", "dead-changes"]
    assert queues.sent[2][1] == {"keys": {"pk": "k"}, "sequence": "2", "reason": "DecodeError"}


@pytest.mark.parametrize(
    "error", [KeyError("a row"), StoreError("ValidationException"), ItemTooLargeError("x")]
)
def test_what_can_never_be_counted_is_set_aside_and_its_neighbours_are_counted(
    router: StreamRouter, queues: Queues, table: Table, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Otherwise the stream would bring it again for a day, and everything behind it would wait."""
    good = Stats.count

    def refusing(stats: Stats, things: Sequence[Countable]) -> None:
        if any("#b" in thing.pk for thing in things):
            raise error
        good(stats, things)

    monkeypatch.setattr(Stats, "count", refusing)
    assert router.route([webhook(1, "a"), webhook(2, "b"), webhook(3, "c")]) == []

    assert [(name, body.get("sequence")) for name, body in queues.sent if name == "dead-changes"] == [
        ("dead-changes", "2")
    ]
    (row,) = table.tenant("acme").stats.rows(NOON.date(), NOON.date())
    assert row.figures == {"webhooks": 2}


@pytest.mark.parametrize(
    "error", [ThrottledError("x"), StoreUnavailableError("x"), StoreError("AccessDenied")]
)
def test_what_the_store_does_not_count_now_comes_again(
    router: StreamRouter, queues: Queues, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refusing(stats: Stats, things: Sequence[Countable]) -> None:
        raise error

    monkeypatch.setattr(Stats, "count", refusing)
    assert router.route([webhook(1, "a"), webhook(2, "b")]) == ["1", "2"]
    assert "dead-changes" not in [name for name, _ in queues.sent]


def test_what_a_queue_does_not_take_is_reported_by_its_own_number(
    router: StreamRouter, queues: Queues
) -> None:
    queues.refuse = {"#d7", "#d12"}
    assert router.route([webhook(n, f"d{n}") for n in range(1, 16)]) == ["7", "12"]
    assert len(queues.sent) == 13


def test_what_the_bus_does_not_take_is_reported_by_its_own_number(
    router: StreamRouter, bus: FakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = an_order()
    after = moved(order, status=OrderStatus.CONFIRMED)
    monkeypatch.setattr(
        bus,
        "put_events",
        lambda Entries: {  # noqa: N803
            "FailedEntryCount": 1,
            "Entries": [{"EventId": "1"}, {"ErrorCode": "ThrottlingException"}][: len(Entries)],
        },
    )
    records = [record(n, image(after), image(order)) for n in (1, 2)]
    assert router.route(records) == ["2"]


def test_a_queue_that_is_down_brings_everything_back(
    router: StreamRouter, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(**_: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(queues, "send_message_batch", down)
    assert router.route([webhook(1), webhook(2)]) == ["1", "2"]


def test_routing_items_and_deletions_are_nobodys_business(
    router: StreamRouter, queues: Queues, bus: FakeEvents
) -> None:
    deleted = {"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "1", "Keys": {}}}
    hook = record(2, {"pk": {"S": "HOOK#1"}, "sk": {"S": "HOOK"}})
    assert router.route([deleted, hook]) == []
    assert (queues.sent, bus.entries) == ([], [])


class TestTrackings:
    """Of a parcel is announced what its recipient may know."""

    PARCEL = a_tracking(id="trk_1", order_id="ord_1")

    def told(self, before: Tracking, *events: TrackingEvent) -> Tracking:
        return merge(before, events, source=Source.POLL, at=NOON)

    def announced(
        self, router: StreamRouter, bus: FakeEvents, after: Tracking, before: Tracking | None = PARCEL
    ) -> list[str]:
        bus.entries.clear()
        old = None if before is None else typed(tracking_item(before))
        assert router.route([record(1, typed(tracking_item(after)), old)]) == []
        return bus.kinds

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            ("out_for_delivery", "tracking.out_for_delivery"),
            ("delivered", "tracking.delivered"),
            ("attempt_failed", "tracking.attempt_failed"),
            ("available_for_pickup", "tracking.available_for_pickup"),
            ("exception", "tracking.exception"),
            ("lost", "tracking.exception"),
            ("damaged", "tracking.exception"),
            ("returned", "tracking.returned"),
            *((status, None) for status in ("in_transit", "returning", "expired", "cancelled")),
        ],
    )
    def test_that_got_to_a_status_others_wait_for(
        self, status: str, kind: str | None, router: StreamRouter, bus: FakeEvents
    ) -> None:
        after = self.told(self.PARCEL, seen(status))
        expected = ["tracking.updated", *([kind] if kind else [])]
        assert self.announced(router, bus, after) == expected
        assert self.announced(router, bus, after, None) == expected, "also of one that is new"
        again = self.told(after, seen(status, hours=1))
        assert self.announced(router, bus, again, after) == ["tracking.updated"], "it has got there before"

    def test_by_ids_and_the_sequence_and_nothing_personal(
        self, router: StreamRouter, bus: FakeEvents
    ) -> None:
        self.announced(router, bus, self.told(self.PARCEL, seen("delivered")))
        details = [json.loads(entry["Detail"]) for entry in bus.entries]
        assert len({detail.pop("id") for detail in details}) == 2
        assert (
            details
            == [
                {
                    "tenant": "acme",
                    "tracking_id": "trk_1",
                    "order_id": "ord_1",
                    "sequence": 2,
                    "status": "delivered",
                    "carrier": "lso",
                }
            ]
            * 2
        )

    def test_that_is_new_is_no_news(self, router: StreamRouter, bus: FakeEvents) -> None:
        assert self.announced(router, bus, self.PARCEL, None) == []

    def test_of_which_only_the_plan_changed_is_no_news(self, router: StreamRouter, bus: FakeEvents) -> None:
        parcel = self.told(self.PARCEL, seen("delivered"))
        waiting = typed(tracking_item(parcel))
        planned = {name: value for name, value in waiting.items() if not name.startswith("due_")}
        poll = {"pk": waiting["pk"], "sk": {"S": "POLL"}, "due_pk": {"S": "DUE#POLL#1"}}
        assert router.route([record(1, planned, waiting), record(2, poll)]) == []
        assert bus.entries == []

    def test_of_which_only_a_note_changed_is_no_news(self, router: StreamRouter, bus: FakeEvents) -> None:
        before = self.told(self.PARCEL, seen("delivered"))
        after = msgspec.structs.replace(before, note="ring twice", version=before.version + 1)
        assert self.announced(router, bus, after, before) == []

    def test_with_a_late_older_event_or_an_unknown_code_is_updated(
        self, router: StreamRouter, bus: FakeEvents
    ) -> None:
        before = self.told(self.PARCEL, seen("delivered"))
        for event in (seen("out_for_delivery", hours=-1), seen(None, hours=1)):
            assert self.announced(router, bus, self.told(before, event), before) == ["tracking.updated"]

    def test_with_an_event_that_the_recipient_does_not_see_is_not(
        self, router: StreamRouter, bus: FakeEvents
    ) -> None:
        before = self.told(self.PARCEL, seen("in_transit"))
        hidden = seen("in_transit", hours=1, visible_to_recipient=False)
        assert self.announced(router, bus, self.told(before, hidden), before) == []
        moved = seen("delivered", hours=1, visible_to_recipient=False)
        assert "tracking.delivered" in self.announced(router, bus, self.told(before, moved), before)

    def test_of_which_the_bus_takes_one_event_and_not_the_other_comes_again(
        self, router: StreamRouter, bus: FakeEvents, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        half = {"Entries": [{"EventId": "1"}, {"ErrorCode": "ThrottlingException"}]}
        monkeypatch.setattr(bus, "put_events", lambda Entries: half)  # noqa: N803
        after = self.told(self.PARCEL, seen("delivered"))
        change = record(7, typed(tracking_item(after)), typed(tracking_item(self.PARCEL)))
        assert router.route([change]) == ["7"]


class TestLabels:
    CONFIRMED = OrderStatus.CONFIRMED

    def wanted(self, router: StreamRouter, queues: Queues, after: Order, before: Order | None) -> list[Any]:
        queues.sent.clear()
        assert router.route([record(1, image(after), image(before) if before else None)]) == []
        return [message for queue, message in queues.sent if queue == "labels"]

    def test_are_wanted_once_an_order_is_confirmed(self, router: StreamRouter, queues: Queues) -> None:
        for carrier in ("ubi", "lme"):
            order = an_order(carrier=carrier)
            after = moved(order, status=self.CONFIRMED)
            (job,) = self.wanted(router, queues, after, order)
            assert (job["tenant"], job["order_id"]) == ("acme", order.id)
            assert datetime.fromisoformat(job["since"]) == after.updated_at

    def test_are_the_workflow_s_where_there_is_one(self, router: StreamRouter, queues: Queues) -> None:
        order = an_order(carrier="lso")
        assert self.wanted(router, queues, moved(order, status=self.CONFIRMED), order) == []

    def test_are_wanted_anew_when_the_order_was_changed(self, router: StreamRouter, queues: Queues) -> None:
        pending = an_order(carrier="ubi", status=self.CONFIRMED)
        ready = moved(pending, label=msgspec.structs.replace(pending.label, status=LabelStatus.READY))
        for before in (pending, ready):
            after = moved(before, label=before.label.thrown_away())
            assert len(self.wanted(router, queues, after, before)) == 1

    def test_are_wanted_of_an_order_that_its_carrier_kept(self, router: StreamRouter, queues: Queues) -> None:
        before = an_order(carrier="ubi", status=OrderStatus.CANCELLING)
        assert len(self.wanted(router, queues, moved(before, status=self.CONFIRMED), before)) == 1

    def test_are_nobody_else_s_once_a_workflow_saw_the_order_being_cancelled(
        self, router: StreamRouter, queues: Queues
    ) -> None:
        before = an_order(carrier="lso", status=OrderStatus.CANCELLING)
        assert len(self.wanted(router, queues, moved(before, status=self.CONFIRMED), before)) == 1
        ready = msgspec.structs.replace(before.label, status=LabelStatus.READY)
        after = moved(before, status=self.CONFIRMED, label=ready)
        assert self.wanted(router, queues, after, before) == []

    def test_are_not_wanted_by_any_other_change(self, router: StreamRouter, queues: Queues) -> None:
        order = an_order(carrier="ubi", status=self.CONFIRMED)
        ready = msgspec.structs.replace(order.label, status=LabelStatus.READY)
        assert self.wanted(router, queues, moved(order, metadata={"a": "b"}), order) == []
        assert self.wanted(router, queues, moved(order, label=ready), order) == []
        assert self.wanted(router, queues, moved(order, status=OrderStatus.CANCELLING), order) == []

    def test_that_could_not_be_asked_for_bring_the_record_again(
        self, router: StreamRouter, queues: Queues
    ) -> None:
        order = an_order(carrier="ubi")
        queues.refuse = {order.id}
        change = record(7, image(moved(order, status=self.CONFIRMED)), image(order))
        assert router.route([change]) == ["7"]


@pytest.mark.parametrize(
    "method",
    [(StatsCounter, "count"), (Trackings, "polls"), (EventFanOut, "fan_out")],
    ids=lambda method: method[1],
)
def test_tenants_are_worked_for_side_by_side(
    method: tuple[type, str], router: StreamRouter, bus: FakeEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tenant's slow reading does not hold up a reading of the stream for each of the others."""
    met, really = Barrier(router.workers), getattr(*method)

    def waits_for_others(*given: Any, **named: Any) -> Any:
        met.wait(timeout=20)
        return really(*given, **named)

    monkeypatch.setattr(*method, waits_for_others)
    records = []
    for number in range(router.workers):
        tracking = a_tracking(f"tenant-{number}", id="trk_1", status=TrackingStatus.IN_TRANSIT)
        records.append(record(number, typed(tracking_item(tracking))))
    assert router.route(records) == []
    assert bus.kinds == ["tracking.updated"] * router.workers

"""1,200 webhooks, shuffled, a third of them repeats, one in twenty garbage: the timelines are true.

The path is the whole of ours, in one process: the handlers `ingest_webhook`, `route_changes` (fed from the
table's own stream, in batches of a hundred), `process_webhook` (in batches of ten) and `sweep`. The table is
moto's, without its wire (`tests.support.fast_dynamodb`); queues and clock are `tests.support.world`'s. Pushes
are really sealed and signed, with prepared keys of 1024 bits. On the way functions die and messages get lost.
`tests/stack/test_webhooks.py` goes the same way through the emulator, with fewer webhooks.
"""

import base64
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from parcelgate.domain.trackings import TrackingStatus
from parcelgate.store.inbox import PARKED, PROCESSED, RECEIVED
from tests.support.faults import die
from tests.support.table import REGION
from tests.support.webhooks import (
    LME_ACK,
    TENANT,
    address,
    followed,
    lme_order,
    nudged,
    route,
    sealed,
    signed,
    tracking_of,
    verify_info,
    webhook,
)
from tests.support.world import World, worlds

WEBHOOKS = 1_200
REPEATS = 350
GARBAGE = 125
"""More than the list of what is parked reads at once."""
PARCELS = 50
FOLLOWED = 25
LIES = 25
JOURNEY_DAYS = 5
EVENTS = WEBHOOKS - REPEATS - GARBAGE - FOLLOWED - LIES

INBOX = "https://sqs.test/inbox"

JOURNEY = {
    "create_order": TrackingStatus.INFO_RECEIVED,
    "collect_order": TrackingStatus.IN_TRANSIT,
    "deliver_in_warehose": TrackingStatus.IN_TRANSIT,
    "order_sorting_finish": None,
    "transport_order": TrackingStatus.IN_TRANSIT,
    "allocate_in": None,
    "out_warehorse_2": TrackingStatus.OUT_FOR_DELIVERY,
    "reassign": TrackingStatus.ATTEMPT_FAILED,
    "a_code_in_no_table": None,
    "sign_in": TrackingStatus.DELIVERED,
}


class Push(NamedTuple):
    """What a carrier sends, to which address."""

    url: str
    body: bytes
    headers: dict[str, str] | None = None


class Busy(World):
    """A world whose stream and queue are worked off in batches, when the test says so."""

    def __init__(self, dynamodb: Any, name: str, patch: pytest.MonkeyPatch) -> None:
        super().__init__(dynamodb, name, patch)
        self.sqs.workers.clear()
        self._chance = random.Random(1)
        self._read = 0

    def stream(self) -> None:
        """Nothing by itself; see `flow`."""

    @property
    def _moto(self) -> Any:
        return dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables[self._table_name]

    def states(self) -> Counter[str]:
        """How the webhooks in the inbox stand; a scan of so many would take longer than all the rest."""
        items = [item.attrs for places in self._moto.items.values() for item in places.values()]
        return Counter(item["entry_state"].value for item in items if item["sk"].value == "ENTRY")

    def flow(self, *, loses: float = 0.0) -> None:
        """What the stream has, to the router; what the queue has, to its worker, save what gets lost."""
        shard = self._moto.stream_shard
        records = [record.to_json() for record in shard.items[self._read :]]
        self._read += len(records)
        for start in range(0, len(records), 100):
            wanted = [record for record in records[start : start + 100] if of_interest(record)]
            assert self._function("route_changes")({"Records": wanted}) == {"batchItemFailures": []}
        waiting, self.sqs.messages[INBOX] = self.sqs.messages.get(INBOX, []), []
        kept = [message for message in waiting if self._chance.random() >= loses]
        for start in range(0, len(kept), 10):
            batch = [record_of(message) for message in kept[start : start + 10]]
            assert self._function("process_webhook")({"Records": batch}) == {"batchItemFailures": []}


def of_interest(record: dict[str, Any]) -> bool:
    """What the stream's filter lets through of webhooks."""
    change = record["dynamodb"]
    return (
        record["eventName"] in ("INSERT", "MODIFY")
        and change["Keys"]["sk"] == {"S": "ENTRY"}
        and change["NewImage"]["entry_state"] == {"S": "received"}
    )


def record_of(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["id"],
        "receiptHandle": message["id"],
        "body": message["body"],
        "attributes": {},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


@pytest.fixture
def busy() -> Iterator[Busy]:
    with worlds() as make:
        yield make(kind=Busy)


def journeys(start: datetime) -> dict[str, list[tuple[datetime, str]]]:
    """What truly happens to each parcel, oldest first, as evenly shared out as can be."""
    codes = list(JOURNEY)
    found: dict[str, list[tuple[datetime, str]]] = {}
    for number in range(PARCELS):
        events = EVENTS // PARCELS + (number < EVENTS % PARCELS)
        chance = random.Random(number)
        times = sorted(chance.sample(range(60 * 24 * JOURNEY_DAYS), events))
        # Told in the order of the journey, with detours; the last event is any.
        told = [codes[min(place * len(codes) // events, 8)] for place in range(events - 1)]
        told.append(chance.choice(codes))
        found[f"FHE{number}"] = [
            (start - timedelta(minutes=minutes), code)
            for minutes, code in zip(reversed(times), told, strict=True)
        ]
    return found


def garbage(number: int, lme: str, trackingmore: str, at: datetime) -> tuple[Push, str]:
    """One of many kinds of webhooks with which nothing can be done, and why."""
    stranger = route(f"STRANGE{number}", "lost", at, reference=f"S-{number}")
    kinds = [
        (Push(lme, b"not JSON %d" % number), "not JSON"),
        (Push(lme, b"[%d]" % number), "not an object"),
        (Push(lme, b'{"data": "%d"}' % number), "cannot be read"),
        (Push(lme, sealed([number])), "cannot be read"),
        (Push(lme, sealed({"hello": number})), "its content cannot be read"),
        (Push(lme, json.dumps({"data": noise(number)}).encode()), "cannot be read"),
        (Push(lme, json.dumps(stranger).encode()), "no such parcel"),
        (known(lme, stranger, at), "no such parcel"),
        (Push(trackingmore, b"{%d" % number), "not a JSON object"),
        (Push(trackingmore, webhook(None, f"RR{number}CN")), "not signed"),
    ]
    return kinds[number % len(kinds)]


def known(lme: str, fields: dict[str, str], at: datetime) -> Push:
    body = sealed(fields)
    return Push(lme, body, signed(body, at))


def noise(number: int) -> str:
    return base64.b64encode(random.Random(number).randbytes(256)).decode()


def test_many_shuffled_webhooks_give_the_true_timelines(busy: Busy) -> None:
    numbers = [f"FHE{number}" for number in range(PARCELS)]
    orders = {number: lme_order(busy, reference=f"R-{number}", number=number) for number in numbers}
    busy.clock.sleep(JOURNEY_DAYS * 24 * 3600)
    at = busy.clock.now
    lme, trackingmore = address(busy, "lme"), address(busy, "trackingmore", token="u" * 43)
    truth = journeys(at)
    parcels = [followed(busy, f"RR{number}CN") for number in range(FOLLOWED)]
    events = [
        known(lme, route(number, code, moment, reference=f"R-{number}"), at)
        for number, journey in truth.items()
        for moment, code in journey
    ]
    liars = list(truth)[:LIES]
    lies = [Push(lme, sealed(route(number, "lost", at, reference=f"R-{number}"))) for number in liars]
    nudges = [
        Push(trackingmore, webhook(verify_info(int(at.timestamp()) + number), f"RR{number}CN"))
        for number in range(FOLLOWED)
    ]
    rubbish = [garbage(number, lme, trackingmore, at) for number in range(GARBAGE)]
    once = [*events, *lies, *nudges, *(push for push, _ in rubbish)]
    chance = random.Random(7)
    everything = [*once, *chance.choices(once, k=REPEATS)]
    chance.shuffle(everything)
    assert len(everything) == WEBHOOKS

    for place, push in enumerate(everything, 1):
        if place % 60 == 0:
            busy.faults.at(len(busy.faults.calls) + chance.randint(1, 2), die(after=chance.random() < 0.5))
        answer = busy.push(*push)
        if answer is None:
            answer = busy.push(*push)
        assert answer is not None
        assert answer["statusCode"] == 200
        assert json.loads(answer["body"]) == (LME_ACK if push.url == lme else {})
        busy.clock.sleep(0.01)
        if place % 250 == 0:
            busy.flow(loses=0.04)
    assert busy.states()[RECEIVED] > 0, "some wait for the sweep"
    busy.clock.sleep(600)
    busy._function("sweep")({})
    busy.flow()

    inbox = busy.table.tenant(TENANT).inbox
    assert busy.states() == {PROCESSED: WEBHOOKS - REPEATS - GARBAGE, PARKED: GARBAGE}
    assert Counter(entry.reason for entry in inbox.parked()) == Counter(reason for _, reason in rubbish)
    for number, journey in truth.items():
        tracking = tracking_of(busy, orders[number])
        assert [(event.at, event.code) for event in tracking.events] == journey
        newest = next(code for _, code in reversed(journey) if JOURNEY[code] is not None)
        assert tracking.status is JOURNEY[newest], number
    asked = {tracking_of(busy, orders[number]).id for number in liars} | {one.id for one in parcels}
    assert set(nudged(busy)) == asked
    for parcel in parcels:
        assert busy.table.tenant(TENANT).trackings.get(parcel.id) == parcel

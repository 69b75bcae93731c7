"""Parcels, poll workers and a carrier that tells where parcels are, all in this process.

Time is a `FakeClock`, the table moto's, and every outward call goes through one `Faults`. Each call of the
table is made by itself, as DynamoDB makes it, so that several threads may work.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import count
from threading import Lock
from types import SimpleNamespace
from typing import Any

from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.results import ParcelHistory
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.trackings import Tracking, TrackingEvent, TrackingStatus
from parcelgate.services.settings import Settings
from parcelgate.services.trackings.polls import Nudge, Polls
from parcelgate.services.trackings.timeline import Timelines
from parcelgate.store.calls import typed
from parcelgate.store.table import Table
from parcelgate.store.trackings import tracking_item
from tests.support.clock import FakeClock
from tests.support.fast_dynamodb import FastDynamoDB
from tests.support.faults import Faults
from tests.support.table import TABLE_NAME
from tests.support.trackings import a_tracking
from tests.support.world import FakeSqs

QUEUE = "https://sqs.test/nudged"
SECONDS = 60.0


class Post:
    """A carrier that is asked about parcels.

    `journeys` is what it tells of a number; `bad` are numbers that spoil a question; `troubles` are raised
    first, one for each question; `meanwhile` happens during the next question.
    """

    def __init__(self) -> None:
        self.journeys: dict[str, ParcelHistory] = {}
        self.bad: dict[str, Exception] = {}
        self.troubles: list[Exception] = []
        self.asked: list[tuple[str, ...]] = []
        self.meanwhile: list[Callable[[], None]] = []

    def tells(self, number: str, *events: TrackingEvent, **more: Any) -> None:
        self.journeys[number] = ParcelHistory(tracking_number=number, events=events, **more)

    def track(self, numbers: Sequence[str]) -> list[ParcelHistory]:
        self.asked.append(tuple(numbers))
        if self.meanwhile:
            self.meanwhile.pop(0)()
        if self.troubles:
            raise self.troubles.pop(0)
        for number in numbers:
            if number in self.bad:
                raise self.bad[number]
        return [self.journeys[number] for number in numbers if number in self.journeys]

    @property
    def numbers(self) -> list[str]:
        """Every number that was asked about, as often as it was."""
        return [number for numbers in self.asked for number in numbers]


class OneAtATime:
    """A client whose calls do not overlap."""

    def __init__(self, client: Any) -> None:
        self.meta = client.meta
        self._client = client
        self._lock = Lock()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**request: Any) -> Any:
            with self._lock:
                return method(**request)

        return call


class PostOffice:
    """Everything that polls need, and the parcels they are about."""

    def __init__(self, dynamodb: Any) -> None:
        self.clock = FakeClock()
        self.faults = Faults()
        self.sqs = FakeSqs(self.clock)
        self.posts: dict[AccountName, Any] = {}
        self.settings = Settings({"PARCELGATE_POLL_QUEUE_URL": QUEUE})
        self._dynamodb = OneAtATime(FastDynamoDB(dynamodb))
        self._numbers = count(1)
        self.table = Table(self._dynamodb, TABLE_NAME)  # type: ignore[arg-type]

    # Parcels

    def receive(self, *, tenant: str = "acme", **facts: Any) -> Tracking:
        """A parcel as an order's confirmation writes it: its first poll is not planned yet."""
        facts = {"carrier": "ubi", "tracking_number": f"N{next(self._numbers):04}"} | facts
        tracking = a_tracking(tenant, at=self.clock.now, **facts)
        self._dynamodb.put_item(TableName=TABLE_NAME, Item=typed(tracking_item(tracking)))
        return tracking

    def due(self, number: int = 1, **facts: Any) -> list[Tracking]:
        """Parcels to be asked about now, the first of them the longest overdue."""
        parcels = [self.receive(**facts) for _ in range(number)]
        for place, parcel in enumerate(parcels):
            at = self.clock.now - timedelta(seconds=len(parcels) - place)
            self.table.tenant(parcel.tenant).trackings.plan(parcel.id, at)
        return parcels

    def read(self, parcel: Tracking) -> Tracking:
        return self.table.tenant(parcel.tenant).trackings.get(parcel.id)

    def next_poll(self, parcel: Tracking) -> datetime | None:
        return self.table.tenant(parcel.tenant).trackings.polls([parcel.id])[parcel.id]

    def wait(self, parcel: Tracking) -> timedelta:
        """In how long the parcel is asked about."""
        due = self.next_poll(parcel)
        assert due is not None
        return due - self.clock.now

    def status(self, parcel: Tracking) -> TrackingStatus:
        return self.read(parcel).status

    def item(self, parcel: Tracking, sk: str = "POLL") -> dict[str, Any]:
        key = {"pk": {"S": f"T#{parcel.tenant}#TRACKING#{parcel.id}"}, "sk": {"S": sk}}
        found: dict[str, Any] = self._dynamodb.get_item(TableName=TABLE_NAME, Key=key).get("Item", {})
        return found

    # Work

    def post(self, tenant: str = "acme", carrier: str = "ubi", account: str = "default") -> Post:
        """Whoever is asked with that account."""
        post: Post = self.posts.setdefault(AccountName(tenant, carrier, account), Post())
        return post

    def worker(self, **how: Any) -> Polls:
        """Another environment's worker."""
        table = Table(self.faults.wrap(self._dynamodb, "dynamodb"), TABLE_NAME)  # type: ignore[arg-type]
        sqs: Any = self.faults.wrap(self.sqs, "sqs")

        def tracker(whose: AccountName, deadline: Deadline) -> Any:
            found = self.posts.setdefault(whose, Post())
            if isinstance(found, Exception):
                raise found
            return self.faults.wrap(found, "carrier")

        facts = {
            "table": table,
            "carriers": SimpleNamespace(tracker=tracker, aggregator=tracker),
            "timelines": Timelines(table=table, sqs=sqs, settings=self.settings, clock=self.clock),
            "sqs": sqs,
            "settings": self.settings,
            "clock": self.clock,
            "sleep": self.clock.sleep,
            "threads": 1,
        }
        return Polls(**facts | how)

    def run(
        self, polls: Polls | None = None, *, seconds: float = SECONDS, share: tuple[int, int] = (0, 1)
    ) -> bool:
        """One run of a worker, which began just now."""
        began = self.clock.now
        polls = polls or self.worker()
        return polls.run(*share, began, self.time_left(seconds))

    def time_left(self, seconds: float = SECONDS) -> Deadline:
        end = self.clock.now + timedelta(seconds=seconds)
        return Deadline(lambda: (end - self.clock.now).total_seconds())

    def nudge(self, *parcels: Tracking) -> None:
        timelines = Timelines(
            table=self.table,
            sqs=self.sqs,  # type: ignore[arg-type]
            settings=self.settings,
            clock=self.clock,
        )
        for parcel in parcels:
            timelines.nudge(parcel.tenant, parcel.id)

    def nudges(self) -> list[Nudge]:
        """What waits in the poll queue."""
        return [Nudge(each["id"], each["id"], each["body"]) for each in self.sqs.messages.get(QUEUE, [])]

    def hidden(self, nudge: Nudge) -> float | None:
        """For how many seconds a message was put back."""
        return self.sqs._visible_after.get(nudge.receipt_handle)


def a_nudge(tenant: str, tracking_id: str, *, message_id: str = "1") -> Nudge:
    """A message of the poll queue."""
    return Nudge(message_id, message_id, json.dumps({"tenant": tenant, "tracking_id": tracking_id}))

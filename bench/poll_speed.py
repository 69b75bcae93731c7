"""How many parcels one poll worker gets through: the real worker, store and AWS client, no network.

``python -m bench.poll_speed`` prints it. DynamoDB's answers are made up after a pause as long as DynamoDB
takes, inside the client, so that all of its own work is measured: signing, writing, reading. The carrier
answers after a pause too, for thirty parcels at once, with news of one in five. All parcels wait in full
buckets, and are of one account, for which a worker has no more than eight threads. It has one processor, as
its memory gives it on Lambda. The fastest of three runs counts: what else the machine did only slows it down.
"""

import base64
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from itertools import batched, count
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import Mock

from botocore.awsrequest import AWSResponse

from local import arguments
from parcelgate import aws_clients
from parcelgate.carriers.results import ParcelHistory
from parcelgate.domain.clock import now, rfc3339
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.timetables import Timetable
from parcelgate.domain.trackings import Source, Tracking, TrackingEvent, TrackingStatus, merge
from parcelgate.observability.logs import log
from parcelgate.services.accounts.places import AccountPlaces
from parcelgate.services.settings import Settings
from parcelgate.services.trackings.polls import Polls
from parcelgate.services.trackings.timeline import Timelines
from parcelgate.store import keys
from parcelgate.store.calls import TypedItem, typed
from parcelgate.store.table import Table
from parcelgate.store.trackings import key, tracking_item
from parcelgate.store.wheel import IN_A_BUCKET, Entry, new_ticket, packed

PARCELS = 1440
_WAIT = timedelta(hours=8)
RUNS = 3
TABLE_SECONDS = 0.005
CARRIER_SECONDS = 0.4
NEWS_IN = 5
"""One parcel in so many has news."""


class Speed(NamedTuple):
    """What a worker did, in how many seconds by the clock, and of CPU; and how large a parcel's item is."""

    parcels: int
    wall: float
    cpu: float
    writes: int
    item_bytes: int


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        yield self._body


class _Dynamo:
    """Answers the worker's calls."""

    def __init__(self, trackings: Sequence[Tracking]) -> None:
        self.writes = 0
        at = now()
        timetable = Timetable(at - _WAIT, tuple(at + _WAIT * number for number in range(8)))
        self._items: dict[tuple[str, str], TypedItem] = {}
        self._buckets: dict[str, list[TypedItem]] = {}
        for number, some in enumerate(batched(trackings, IN_A_BUCKET, strict=False)):
            entries = [Entry(each.tenant, each.id, new_ticket()) for each in some]
            for each, entry in zip(some, entries, strict=True):
                poll = key(each.tenant, each.id) | {"sk": keys.POLL}
                waits = {"ticket": entry.ticket, "timetable": timetable.encode()}
                for item in (typed(tracking_item(each)), typed(poll | waits)):
                    self._items[item["pk"]["S"], item["sk"]["S"]] = item
            shard = keys.wheel(number % keys.POLL_SHARDS)
            bucket = typed({"pk": shard, "sk": f"{rfc3339(at)}#{number}", "planned": at})
            bucket["parcels"] = {"N": str(len(entries))}
            contents = base64.b64encode(packed(entries)).decode()
            self._buckets.setdefault(shard, []).append(bucket | {"contents": {"B": contents}})

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        time.sleep(TABLE_SECONDS)
        operation = request.headers["X-Amz-Target"].decode().partition(".")[2]
        body = json.dumps(getattr(self, operation)(json.loads(request.body))).encode()
        return AWSResponse(request.url, 200, {"Content-Type": "application/x-amz-json-1.0"}, _Raw(body))

    def Query(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if "IndexName" in body:
            return {"Items": []}
        size, shard = body["Limit"], body["ExpressionAttributeValues"][":pk"]["S"]
        buckets = self._buckets.get(shard, [])
        page, self._buckets[shard] = buckets[:size], buckets[size:]
        more = {"LastEvaluatedKey": {name: page[-1][name] for name in ("pk", "sk")}} if page else {}
        return {"Items": page, **more}

    def BatchGetItem(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        ((table, request),) = body["RequestItems"].items()
        items = [self._items[each["pk"]["S"], each["sk"]["S"]] for each in request["Keys"]]
        return {"Responses": {table: items}, "UnprocessedKeys": {}}

    def _write(self, _: dict[str, Any]) -> dict[str, Any]:
        self.writes += 1
        return {}

    PutItem = UpdateItem = DeleteItem = TransactWriteItems = _write


class _Carrier:
    def __init__(self) -> None:
        self._numbers = count()

    def track(self, numbers: Sequence[str]) -> list[ParcelHistory]:
        time.sleep(CARRIER_SECONDS)
        events = [*_events()]
        news = TrackingEvent(at=now(), code="NEW", description="Arrived", status=TrackingStatus.IN_TRANSIT)
        return [
            ParcelHistory(
                tracking_number=number,
                events=(*events, news) if next(self._numbers) % NEWS_IN == 0 else tuple(events),
            )
            for number in numbers
        ]


def _events() -> Iterator[TrackingEvent]:
    began = datetime(2026, 11, 20, tzinfo=UTC)
    for number in range(6):
        yield TrackingEvent(
            at=began + timedelta(hours=7 * number),
            code=f"SCN{number}",
            description="Processed at the sorting centre of the carrier",
            status=TrackingStatus.IN_TRANSIT,
            city="Sydney",
            country="AU",
            utc_offset="+10:00",
        )


def _parcel(number: int) -> Tracking:
    at = now() - timedelta(minutes=5)
    tracking = Tracking(
        id=f"trk_{number:026}",
        tenant="acme",
        carrier="ubi",
        account="default",
        tracking_number=f"N{number}",
        order_id=f"ord_{number:026}",
        destination_country="AU",
        destination_state="NSW",
        created_at=at,
        updated_at=at,
    )
    return merge(tracking, _events(), source=Source.POLL, at=at)


def measured(parcels: int = PARCELS) -> Speed:
    """Let one worker go through so many parcels."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "none")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "none")
    os.environ.setdefault("AWS_REGION", "us-east-1")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    trackings = [_parcel(number) for number in range(parcels)]
    dynamo = _Dynamo(trackings)
    aws_clients.forget()
    client = aws_clients.client("dynamodb")
    client.meta.events.register("before-send.dynamodb", dynamo.answer)
    table, settings, carrier = Table(client, "table"), Settings({}), _Carrier()
    polls = Polls(
        table=table,
        carriers=Mock(tracker=lambda *_: carrier),
        timelines=Timelines(table=table, sqs=Mock(), settings=settings),
        sqs=Mock(),
        settings=settings,
        places=AccountPlaces(table=table, kind="polls", most=settings.account_places),
    )
    log.setLevel(logging.CRITICAL)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        cpu, wall = time.process_time(), time.monotonic()
        polls.run(0, 1, now(), Deadline.after(600))
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    size = sum(len(tracking_item(each)["doc"]) for each in trackings) // parcels
    return Speed(parcels, wall, cpu, dynamo.writes, size)


def main() -> None:
    """Measure on one processor, and say what came of it as JSON."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    speed = min((measured() for _ in range(RUNS)), key=lambda speed: speed.wall)
    print(json.dumps(speed._asdict()))


if __name__ == "__main__":
    arguments.none(__doc__)
    main()

"""The whole life of an order in dollars: each call recorded on the local stack, and priced.

    .venv/bin/python -m bench.costs

Starts a stack of its own with the proxy of `local.faults` between the functions and all that they call, buys
orders of each carrier in each way, follows their parcels, and prices what was recorded with
`bench/prices.toml`. How often a parcel is polled, how often there is news of it, and what is written to plan
its polls comes from the lives that `bench.scale` draws, for a million orders a month. Prints Markdown.
`--keep FILE` keeps what was recorded, `--from FILE` prices it again.
"""

import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil

from bench import prices
from bench.figures import verdict
from bench.lives import TRADES, a_life, learned
from bench.prices import Usage
from bench.scale import DAY, MONTH, ROUND, TOGETHER, Tally, ask, bucket_units
from infra.settings import PUBLIC, settings_for
from local import arguments
from local.command.deployment import Deployment
from local.demo.merchant import Merchant, listen, open_shop
from local.stack import stack as local_stack
from local.stack.stack import TENANT, PollRounds, Stack
from parcelgate.carriers import registry
from parcelgate.domain.batches import progress
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.store import keys
from tests.stack.shop import order_body, until
from tests.support.bodies import Body, lme_body, ubi_body

STATE = Path(".local/bench-costs")
ORDERS = 20
ACCELERATION = 1.0
"""Parcels travel as in life, and only when the carriers' clock is moved on."""
STEP = 12 * 3600.0
"""Seconds by which it is moved on."""
STEPS = 30
QUIET = 3.0
"""Seconds without a call, after which nothing is under way any more."""
STACK = {
    # Rounds begin when the recording says so.
    "poll_minutes": 60,
    "sweep_minutes": 60,
    # As many passes to call endpoints with as in production, and workers enough for them and for the places.
    "delivery_passes": settings_for("production").delivery_passes,
    "delivery_concurrency": 12,
}
"""Settings of the stack on which is recorded."""
NOT_COUNTED = frozenset({"authorize", "sweep", "poll_trackings", "check_release", "?"})
"""Functions whose time is not that of one order: the gateway keeps the authorizer's answers, sweeps and
rounds of polls run whether there are orders or not. The polls themselves are counted by the parcel."""
BODIES: Mapping[str, Callable[[str], Body]] = {"lso": order_body, "ubi": ubi_body, "lme": lme_body}
ASKED_BEFORE: Mapping[str, tuple[str, Callable[[Body], Body]]] = {
    "lso": ("/v1/rates", lambda body: body),
    "lme": ("/v1/addresses/validate", lambda body: {"address": body["ship_to"]}),
}
"""What a merchant may ask about an order before it is created, where its carrier answers that."""
GOALS = {"lso": 150.0, "ubi": 80.0, "lme": 80.0}
MILLION = 1e6
LIMIT_UNITS = 1.5
"""Write units for the limits of a call."""

PARTS = {
    "Step Functions": ("transition",),
    "DynamoDB, writes": ("write_unit",),
    "DynamoDB, reads": ("read_unit",),
    "Lambda, time": ("lambda_gb_second",),
    "Lambda, calls": ("lambda_request",),
    "logs": ("log_gb",),
    "SQS": ("sqs_request",),
    "EventBridge": ("bus_event",),
    "S3": ("s3_put", "s3_get"),
    "API Gateway": ("api_request",),
    "secrets and keys": ("secret_read", "key_request"),
    "X-Ray": ("trace",),
    "data out": ("gb_out",),
}
KEPT = ("table_gb_month", "backup_gb_month", "s3_gb_month")


@dataclass
class Lane:
    """What was recorded while one kind of thing was done `count` times."""

    name: str
    count: int
    began: float = 0.0
    ended: float = 0.0
    lines: list[dict[str, Any]] = field(default_factory=list)
    calls_of: dict[str, int] = field(default_factory=dict)
    """How often each function was called."""
    log_bytes: dict[str, int] = field(default_factory=dict)
    cpu_of: dict[str, float] = field(default_factory=dict)
    """Seconds of a processor, by function."""
    memory_of: dict[str, int] = field(default_factory=dict)
    """MB at the most, by function."""
    transitions: int = 0
    history_events: int = 0
    bytes_out: int = 0
    """What the API, the S3 buckets and the webhooks sent."""
    news: int = 0


@dataclass
class Part:
    """Where in an order's life something is used."""

    usage: Usage = field(default_factory=Counter)
    events: Usage = field(default_factory=Counter)
    """Of it, for events to merchants: their log, the bus, and the delivery to one endpoint."""


# Recording


class Recorder:
    """Drives the stack, and collects what is recorded meanwhile."""

    def __init__(self, stack: Stack, deployment: Deployment, state: Path, merchant: Merchant) -> None:
        self.stack, self.deployment, self.state, self.merchant = stack, deployment, state, merchant
        self.file = (state / "calls.jsonl").resolve()
        self.http = httpx.Client(
            base_url=stack.api_url, headers={"Authorization": f"Bearer {stack.api_key}"}, timeout=90
        )
        self.sandbox = httpx.Client(base_url=stack.sandbox_url, timeout=60)
        self.own = deployment.table.tenant(TENANT)
        self.rounds = PollRounds(state)
        self.logs = deployment.client("logs")
        self.states = deployment.client("stepfunctions")
        self.kinds = {
            deployment.outputs[output]: kind
            for output, kind in (
                ("TableName", "main"), ("EventsTableName", "events"), ("UsageTableName", "usage"),
            )
        }  # fmt: skip
        self.bytes_out = self._seen = self._counted = 0
        answer = httpx.post(f"{stack.faults_url}/_faults/record", json={"file": str(self.file)})
        answer.raise_for_status()
        groups = deployment.client("lambda").get_paginator("list_functions").paginate()
        self.groups = {
            each["FunctionName"].removeprefix("parcelgate-local-"): each["LoggingConfig"]["LogGroup"]
            for page in groups
            for each in page["Functions"]
        }

    @contextmanager
    def lane(self, name: str, count: int) -> Iterator[Lane]:
        """Record what is done inside, with all that follows from it."""
        self.quiet()
        lane = Lane(name, count, began=time.time())
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        at, cpu, out, heard = self._place(), self._cpu(), self.bytes_out, self._heard()
        yield lane
        self.quiet()
        lane.ended = time.time()
        lane.lines = self._lines(at)
        after = self._cpu()
        for (function, pid), seconds in after.items():
            # A process that came in between has spent its first seconds on its import.
            if (function, pid) in cpu:
                spent = seconds - cpu[function, pid]
                lane.cpu_of[function] = lane.cpu_of.get(function, 0.0) + spent
        lane.bytes_out = self.bytes_out - out + self._heard() - heard
        self._read_logs(lane)
        self._read_executions(lane)
        print(f"{len(lane.lines)} calls", file=sys.stderr, flush=True)

    def quiet(self) -> None:
        """Wait until nothing is under way."""
        last, since = self._busy(), time.monotonic()
        while time.monotonic() - since < QUIET:
            time.sleep(0.2)
            if (now := self._busy()) != last:
                last, since = now, time.monotonic()

    def _busy(self) -> int:
        """How many calls were made so far, apart from those that are made by the clock."""
        marks = (b'"function": "sweep"', b'"function": "poll_trackings"')
        with self.file.open("rb") as file:
            file.seek(self._seen)
            whole, end, _ = file.read().rpartition(b"\n")
        self._seen += len(whole) + len(end)
        self._counted += sum(not any(mark in line[:200] for mark in marks) for line in whole.splitlines())
        return self._counted

    def _place(self) -> int:
        return self.file.stat().st_size

    def _lines(self, at: int) -> list[dict[str, Any]]:
        with self.file.open() as file:
            file.seek(at)
            return [self._named(json.loads(line)) for line in file]

    def _named(self, line: dict[str, Any]) -> dict[str, Any]:
        """The same with the tables' short names."""
        for each in line.get("items", ()):
            each[:] = [self.kinds[each[0]], *map(as_on_aws, each[1:])]
        if "request" in line:
            name = line["request"].get("TableName")
            line["table"] = self.kinds.get(name) or (line["items"][0][0] if line["items"] else "main")
            if "reply" not in line:
                del line["request"]
            elif "RequestItems" in line["request"]:
                line["table"] = self.kinds[next(iter(line["request"]["RequestItems"]))]
        return line

    def _heard(self) -> int:
        return sum(len(json.dumps(event)) for event in self.merchant.events)

    def _cpu(self) -> dict[tuple[str, int], float]:
        found = {}
        for process in psutil.process_iter():
            try:
                variables = process.environ()
                if variables.get("AWS_ENDPOINT_URL") != self.stack.faults_url:
                    continue
                if function := variables.get("AWS_LAMBDA_FUNCTION_NAME"):
                    spent = process.cpu_times()
                    name = function.removeprefix("parcelgate-local-")
                    found[name, process.pid] = spent.user + spent.system
            except (psutil.Error, OSError):
                continue
        return found

    def _read_logs(self, lane: Lane) -> None:
        start, end = int(lane.began * 1000), int(lane.ended * 1000)
        for function, group in self.groups.items():
            try:
                pages = self.logs.get_paginator("filter_log_events").paginate(
                    logGroupName=group, startTime=start, endTime=end
                )
                messages = [each["message"] for page in pages for each in page["events"]]
            except self.logs.exceptions.ResourceNotFoundException:
                continue
            own = [line for line in messages if line.split(" ", 1)[0] not in ("START", "END", "REPORT")]
            reports = [line for line in messages if line.startswith("REPORT ")]
            if reports:
                lane.calls_of[function] = len(reports)
                lane.log_bytes[function] = sum(
                    len(line.encode()) + prices.assumed("log_line_bytes") for line in own
                )
                peaks = (line.partition("Max Memory Used: ")[2].split(" ")[0] for line in reports)
                lane.memory_of[function] = max(int(peak or 0) for peak in peaks)

    def _read_executions(self, lane: Lane) -> None:
        machine = next(
            each["stateMachineArn"]
            for each in self.states.list_state_machines()["stateMachines"]
            if each["name"].endswith("order-flow")
        )
        for execution in self.states.list_executions(stateMachineArn=machine)["executions"]:
            if not lane.began <= execution["startDate"].timestamp() <= lane.ended:
                continue
            history = self.states.get_execution_history(
                executionArn=execution["executionArn"], maxResults=1000
            )["events"]
            kinds = Counter(event["type"] for event in history)
            entered = sum(many for kind, many in kinds.items() if kind.endswith("StateEntered"))
            tries = kinds["TaskScheduled"] + kinds["LambdaFunctionScheduled"]
            lane.history_events += len(history)
            lane.transitions += 1 + max(entered, tries)

    # What merchants and carriers do

    def call(self, method: str, path: str, body: Any = None) -> Body:
        """Call the API."""
        answer = self.http.request(method, path, json=body).raise_for_status()
        self.bytes_out += len(answer.content)
        content: Body = answer.json() if answer.content else {}
        return content

    def order(self, order_id: str) -> Order:
        """The order as it is stored."""
        return self.own.orders.get(order_id)

    def settled(self, order_id: str) -> Order:
        """Wait for an order's label."""

        def is_over(order: Order) -> bool:
            return order.label.status is LabelStatus.READY or order.status in (
                OrderStatus.FAILED, OrderStatus.NEEDS_ATTENTION,
            )  # fmt: skip

        order = until(lambda: self.order(order_id), is_over, within=120, every=0.1)
        if order.status is not OrderStatus.CONFIRMED:
            raise RuntimeError(f"{order_id} is {order.status}: {order.problem}")
        return order

    def buy(self, carrier: str, words: str, count: int) -> list[Order]:
        """Create orders one after the other, each to its label."""
        made = []
        for number in range(count):
            answer = self.call("POST", "/v1/orders", BODIES[carrier](f"{words}-{number}"))
            made.append(self.settled(answer.get("order_id") or answer["id"]))
        return made

    def batch(self, carrier: str, words: str, count: int) -> list[Order]:
        """Create orders in one batch."""
        rows = [BODIES[carrier](f"{words}-{number}") for number in range(count)]
        batch = self.call("POST", "/v1/orders/batch", {"orders": rows})
        ended = until(
            lambda: progress(*self.own.batches.read(batch["id"])), lambda seen: seen.finished, within=180
        )
        return [self.settled(row.order_id) for row in ended.rows if row.order_id]

    def follow(self, words: str, count: int) -> list[str]:
        """Follow parcels of a courier; their ids."""
        return [
            self.call(
                "POST",
                "/v1/trackings",
                {"carrier_code": "china-ems", "tracking_number": f"LK{words}{number:05}CN"},
            )["id"]
            for number in range(count)
        ]

    def read_like_a_client(self, orders: Iterable[Order]) -> None:
        """Read each order once, and download its label."""
        for order in orders:
            self.call("GET", f"/v1/orders/{order.id}")
            label = self.call("GET", f"/v1/orders/{order.id}/label")
            for url in _links(label):
                self.bytes_out += len(httpx.get(url, timeout=30).content)

    def poll(self, parcels: Sequence[str]) -> None:
        """Have these parcels polled in one round."""
        for tracking in parcels:
            self.own.trackings.schedule(tracking, datetime.now(UTC))
        self.rounds.start()
        until(self.rounds.is_over, bool, within=120)

    def living(self, parcels: Sequence[str]) -> list[str]:
        """The parcels that are polled any more."""
        return [each for each in parcels if not self.own.trackings.get(each).status.final]


def _links(label: Any) -> Iterator[str]:
    if isinstance(label, dict):
        for name, value in label.items():
            if name == "url" and isinstance(value, str) and value.startswith("http"):
                yield value
            else:
                yield from _links(value)
    elif isinstance(label, list):
        for each in label:
            yield from _links(each)


def as_on_aws(item: Any) -> Any:
    """An item with a task token as long as those of AWS."""
    text = ((item or {}).get("doc") or {}).get("S", "")
    if '"task_token":"' not in text:
        return item
    longer = "-" * (prices.assumed("task_token_bytes") - len(str(uuid4())))
    return item | {"doc": {"S": text.replace('"task_token":"', f'"task_token":"{longer}')}}


def news_in(lines: Iterable[Mapping[str, Any]]) -> int:
    """How often a call has written something new of a parcel."""
    return sum(
        old is not None and new is not None and "doc" in new and old.get("version") != new.get("version")
        for line in lines
        for table, old, new in line.get("items", ())
        if table == "main" and (new or old or {}).get("sk") == {"S": "TRACKING"}
    )


def record(count: int, keep: Callable[[Sequence[Lane]], None]) -> list[Lane]:
    """Record all lanes on a stack of its own. `keep` is given what there is after each carrier."""
    lanes: list[Lane] = []
    STATE.mkdir(parents=True, exist_ok=True)
    (STATE / "calls.jsonl").write_text("")
    (STATE / local_stack.SETTINGS).write_text(json.dumps(STACK))
    with (
        local_stack.running(STATE, acceleration=ACCELERATION, with_faults=True) as running,
        open_shop() as merchant,
    ):
        recorder = Recorder(running, Deployment.local(STATE / "stack.json"), STATE, merchant)
        listen(recorder.http, merchant)
        _warm_up(recorder)
        for carrier in BODIES:
            _record_carrier(recorder, carrier, count, lanes)
            keep(lanes)
        _record_followed(recorder, count, lanes)
        keep(lanes)
    return lanes


def _warm_up(recorder: Recorder) -> None:
    """Have every function started, and everything that is kept for long written once."""
    parcels = recorder.follow("1", 2)
    for carrier in BODIES:
        orders = recorder.buy(carrier, f"warm-{carrier}", 2) + recorder.batch(carrier, f"warmer-{carrier}", 4)
        recorder.read_like_a_client(orders[:1])
        parcels += [each for order in orders for each in order.tracking_ids]
    for _ in range(4):
        recorder.sandbox.post("/_sandbox/advance", json={"seconds": 2 * STEP}).raise_for_status()
        recorder.poll(recorder.living(parcels))
    recorder.quiet()
    recorder.sandbox.post("/_sandbox/reset").raise_for_status()


def _record_carrier(recorder: Recorder, carrier: str, count: int, lanes: list[Lane]) -> None:
    with recorder.lane(f"{carrier} create", count) as lane:
        orders = recorder.buy(carrier, f"single-{carrier}", count)
    lanes.append(lane)
    with recorder.lane(f"{carrier} row", count) as lane:
        rows = recorder.batch(carrier, f"row-{carrier}", count)
    lanes.append(lane)
    with recorder.lane(f"{carrier} reads", count) as lane:
        recorder.read_like_a_client(orders)
    lanes.append(lane)
    if carrier in ASKED_BEFORE:
        path, part = ASKED_BEFORE[carrier]
        with recorder.lane(f"{carrier} before", count) as lane:
            for number in range(count):
                body = BODIES[carrier](f"before-{number}")
                recorder.call("POST", path, {"carrier": carrier, **part(body)})
        lanes.append(lane)
    parcels = [each for order in orders for each in order.tracking_ids]
    for each in (each for order in rows for each in order.tracking_ids):
        recorder.own.trackings.schedule(each, None)
    _record_journeys(recorder, carrier, parcels, lanes)


def _record_followed(recorder: Recorder, count: int, lanes: list[Lane]) -> None:
    with recorder.lane("trackingmore create", count) as lane:
        parcels = recorder.follow("7", count)
    lanes.append(lane)
    _record_journeys(recorder, "trackingmore", parcels, lanes)


def _record_journeys(recorder: Recorder, carrier: str, parcels: list[str], lanes: list[Lane]) -> None:
    recorder.poll(parcels)
    with recorder.lane(f"{carrier} polls", len(recorder.living(parcels))) as lane:
        recorder.poll(recorder.living(parcels))
    lane.news = news_in(lane.lines)
    lanes.append(lane)
    pushes = carrier in ("lme", "trackingmore")
    polled = 0
    with recorder.lane(f"{carrier} news", 0) as lane:
        for _ in range(STEPS):
            living = recorder.living(parcels)
            if not living:
                break
            recorder.sandbox.post("/_sandbox/advance", json={"seconds": STEP}).raise_for_status()
            if pushes:
                time.sleep(1)
            else:
                polled += len(living)
                recorder.poll(living)
    lane.count, lane.news = polled, news_in(lane.lines)
    lanes.append(lane)
    recorder.sandbox.post("/_sandbox/reset").raise_for_status()


# Pricing


def usage_of(lane: Lane, settings: Any) -> Part:
    """What a lane took, in units of the price table."""
    part = Part()
    waits: dict[str, float] = defaultdict(float)
    taken = _share_of_webhooks_taken(lane)
    for line in lane.lines:
        if line["function"] in NOT_COUNTED or line["status"] >= 500:
            continue
        share = taken if line["function"] == "ingest_webhook" else 1.0
        used = prices.times(prices.call_usage(line), share)
        part.usage.update(used)
        if _is_event(line):
            part.events.update(used)
        waits[line["function"]] += prices.wait_seconds(line)
    for function, calls in lane.calls_of.items():
        if function in NOT_COUNTED:
            continue
        memory = settings.size(function).memory
        slower = max(1.0, prices.assumed("full_processor_mb") / memory)
        seconds = lane.cpu_of.get(function, 0.0) * slower + waits[function]
        used: Usage = Counter(
            {
                "lambda_request": calls,
                "log_gb": (lane.log_bytes[function] + calls * prices.assumed("platform_log_bytes")) / 1e9,
                "trace": calls * prices.assumed("traced") if settings.begins_traces(function) else 0,
            }
        )
        if function == "deliver_event":
            seconds += calls * prices.assumed("wait")["endpoint"]
        used["lambda_gb_second"] = seconds * memory / 1024  # type: ignore[assignment]
        if _from_a_queue(function):
            used["sqs_request"] = 2 * calls
        if function in PUBLIC:
            used["api_request"] = calls
            line = prices.assumed("access_log_bytes") + prices.assumed("log_line_bytes")
            used["log_gb"] += calls * line / 1e9
        part.usage.update(prices.times(used, taken if function == "ingest_webhook" else 1.0))
        if function == "deliver_event":
            part.events.update(used)
    per_event = prices.assumed("history_event_bytes") + prices.assumed("log_line_bytes")
    part.usage.update(
        {
            "transition": lane.transitions,
            "trace": lane.count * prices.assumed("traced") if lane.transitions else 0,
            "log_gb": lane.history_events * per_event / 1e9,
            "gb_out": lane.bytes_out / 1e9,
        }
    )
    return part


def _share_of_webhooks_taken(lane: Lane) -> float:
    """Which part of the webhooks was new.

    The clock makes leaps here, so that a carrier sends in a second what it sends in half a day. TrackingMore
    signs the second, so that all but one of them are turned away.
    """
    calls = lane.calls_of.get("ingest_webhook", 0)
    return min(1.0, webhooks_in(lane.lines) / calls) if calls else 1.0


def webhooks_in(lines: Iterable[Mapping[str, Any]]) -> int:
    """How many new webhooks were stored."""
    return sum(
        old is None and new is not None
        for line in lines
        if line["function"] == "ingest_webhook"
        for table, old, new in line.get("items", ())
        if table == "main" and (new or {}).get("sk") == {"S": "ENTRY"}
    )


def _is_event(line: Mapping[str, Any]) -> bool:
    if line["function"] == "deliver_event" or line["call"].startswith("events."):
        return True
    return bool(line.get("table") == "events")


def _from_a_queue(function: str) -> bool:
    return function in (
        "deliver_event", "process_webhook", "label_order", "retry_order", "work_batch", "poll_nudged",
        "print_labels",
    )  # fmt: skip


def polled(lane: Lane) -> Usage:
    """What the worker of polls took from DynamoDB and the carrier's address in a lane, for its parcels.

    What many parcels share is left out, since a lane has a handful of them: plans and poll buckets, the
    limits of calls and the figures (`Life.writes`), and the search for what is due: a round looks into every
    partition, whether it finds six parcels or thousands, and is priced as such (`bench.bills`).
    """
    used: Usage = Counter()
    for line in lane.lines:
        if line["function"] == "poll_trackings" and line["call"] != "dynamodb.Query":
            taken = prices.call_usage(line)
            if not is_of_parcels(line):
                del taken["write_unit"]
            used.update(taken)
    return used


def is_of_parcels(line: Mapping[str, Any]) -> bool:
    """Whether a call writes nothing but parcels themselves."""
    return all(
        item["sk"] == {"S": keys.TRACKING}
        for _, *images in line.get("items", ())
        for item in images
        if item is not None
    )


@dataclass
class Life:
    """What a carrier's parcels are like, on the average."""

    days: float
    polls: float
    news: float
    """Found by polls."""
    pushes: float
    """Webhooks with news."""
    writes: float = 0.0
    """Write units for its polls beside those for news: plans, its share of poll buckets, limits of calls."""


def lives(count: int = 4000) -> dict[str, Life]:
    """The lives that `bench.scale` draws, by carrier."""
    chance = random.Random(1)  # noqa: S311 - always the same lives
    habits = learned(count, seed=2)
    tallies = {trade.carrier: Tally() for trade in TRADES}
    pushes: Counter[str] = Counter()
    for number in range(count):
        life = a_life(number, chance)
        carrier = life.trade.carrier
        ask(life, tallies[carrier], random.Random(number), habits)  # noqa: S311
        pushes[carrier] += len(life.events) - len(life.unpushed) if life.pushed else 0
    return {
        carrier: Life(
            days=tally.days_of[carrier] / tally.parcels,
            polls=sum(tally.per_parcel) / tally.parcels,
            news=tally.news / tally.parcels,
            pushes=pushes[carrier] / tally.parcels,
            writes=_writes(carrier, tally),
        )
        for carrier, tally in tallies.items()
    }


def _writes(carrier: str, tally: Tally) -> float:
    """The write units for a parcel's polls, where a million parcels come in a month; see `bench.scale`."""
    rounds = MONTH * (DAY / ROUND)
    workers = settings_for("production").poll_workers
    a_run = sum(tally.per_parcel) / tally.parcels * MILLION / rounds / workers
    bucket = bucket_units(tally, max(1, min(TOGETHER, round(a_run))))
    own = sum(tally.units[name] for name in ("first plans", "plans", "polls of parcels that wait alone"))
    fill = next(trade.fill for trade in TRADES if trade.carrier == carrier)
    calls = sum(tally.per_parcel) / (registry.profile(carrier).track_batch * fill)
    return (own + bucket * sum(map(len, tally.waits.values())) + LIMIT_UNITS * calls) / tally.parcels


def stages(lanes: Mapping[str, Lane], carrier: str, life: Life, speed: float) -> dict[str, Part]:
    """What one order takes, by the stage of its life."""
    settings = settings_for("production")

    def each(name: str, by: float) -> Part:
        whole = usage_of(lanes[name], settings)
        return Part(prices.times(whole.usage, by), prices.times(whole.events, by))

    made: dict[str, Part] = {}
    ways = {
        "before": "besides: price or address asked before",
        "create": "created, one by one",
        "row": "created, in a batch (a file too)",
        "reads": "read, label downloaded",
    }
    for way, title in ways.items():
        if (name := f"{carrier} {way}") in lanes:
            made[title] = each(name, 1 / lanes[name].count)
    quiet = lanes[f"{carrier} polls"]
    quiet = quiet if quiet.count else lanes["ubi polls"]
    a_poll = prices.times(polled(quiet), 1 / quiet.count)
    memory = settings.size("poll_trackings").memory / 1024
    a_poll["lambda_gb_second"] += memory / speed  # type: ignore[assignment]
    news = lanes[f"{carrier} news"]
    found = Part()
    if life.news and news.count:
        found = each(news.name, 1 / max(1, news.news))
        written = polled(news)
        written.subtract(prices.times(a_poll, news.count))
        written["lambda_gb_second"] = 0
        found.usage.update(prices.times(written, 1 / max(1, news.news)))
        number = life.news
    else:
        found = each(news.name, 1 / max(1, webhooks_in(news.lines)))
        # What a poll finds that no webhook brought is told like that.
        number = life.news + life.pushes
    made["polls"] = Part(prices.times(a_poll, life.polls))
    made["polls"].usage["write_unit"] += life.writes  # type: ignore[assignment]
    made["news of the parcel"] = Part(prices.times(found.usage, number), prices.times(found.events, number))
    return made


def whole(made: Mapping[str, Part], way: str = "created, one by one") -> Part:
    """The stages of a life that begins in this way, together."""
    total = Part()
    for title, part in made.items():
        if title == way or not title.startswith(("created", "besides")):
            total.usage.update(part.usage)
            total.events.update(part.events)
    return total


def report(lanes: Sequence[Lane], speed: float, *, by_function: bool = False) -> str:
    """The tables, as Markdown. A further one says what each function waits and computes."""
    by_name = {lane.name: lane for lane in lanes}
    of_lives = lives()
    carriers = [*BODIES, "trackingmore"]
    made = {carrier: stages(by_name, carrier, of_lives[carrier], speed) for carrier in carriers}
    totals = {carrier: whole(made[carrier]) for carrier in carriers}
    lines = [f"| a million orders, in dollars | {' | '.join(carriers)} |", "|---" * (len(carriers) + 1) + "|"]

    def row(name: str, values: Iterable[float | str]) -> None:
        cells = (value if isinstance(value, str) else f"{value:,.1f}" for value in values)
        lines.append(f"| {name} | {' | '.join(cells)} |")

    sums = {carrier: MILLION * prices.dollars(totals[carrier].usage) for carrier in carriers}
    for name, kinds in PARTS.items():
        costs = {
            carrier: MILLION * sum(totals[carrier].usage[kind] * prices.price(kind) for kind in kinds)
            for carrier in carriers
        }
        row(name, [f"{costs[each]:,.1f} ({100 * costs[each] / sums[each]:.0f} %)" for each in carriers])
    row("**together**", [f"**{sums[carrier]:,.0f}**" for carrier in carriers])
    row("goal", [f"{GOALS[carrier]:,.0f}" if carrier in GOALS else "" for carrier in carriers])
    met = [verdict(sums[carrier], GOALS[carrier]) if carrier in GOALS else "" for carrier in carriers]
    row("goal met?", met)
    row("of it events to merchants", [MILLION * prices.dollars(totals[each].events) for each in carriers])
    kept = [MILLION * prices.dollars(_kept(by_name, carrier, of_lives[carrier])) for carrier in carriers]
    row("kept for 400 days, besides", kept)
    lines += ["", f"| by stage, in dollars | {' | '.join(carriers)} |", "|---" * (len(carriers) + 1) + "|"]
    titles = dict.fromkeys(title for each in made.values() for title in each)
    for title in titles:
        costs = [
            f"{MILLION * prices.dollars(made[carrier][title].usage):,.1f}" if title in made[carrier] else ""
            for carrier in carriers
        ]
        row(title, costs)
    row("polls of a parcel", [of_lives[carrier].polls for carrier in carriers])
    row(
        "news of it, by poll and by webhook",
        [of_lives[each].news + of_lives[each].pushes for each in carriers],
    )
    units = {carrier: written(by_name, carrier, of_lives[carrier]) for carrier in carriers}
    lines += ["", f"| written to DynamoDB, in dollars | {' | '.join(carriers)} |"]
    lines += ["|---" * (len(carriers) + 1) + "|"]
    things = {thing: sum(each[thing] for each in units.values()) for each in units.values() for thing in each}
    for thing in sorted(things, key=lambda thing: -things[thing]):
        row(thing, [MILLION * units[carrier][thing] * prices.price("write_unit") for carrier in carriers])
    if by_function:
        lines += ["", *_functions(by_name)]
    lines += ["", *_peers(made, totals, of_lives, sums)]
    return "\n".join(lines)


def thing_of(table: str, item: Mapping[str, Any]) -> str:
    """What an item is, in the words of the table of what is written."""
    pk, sk = item["pk"]["S"], item["sk"]["S"]
    owner, *parts = pk.split("#")
    kind = parts[1] if owner == "T" else owner
    if table == "events":
        return {"EVENT": "event log", "DELIVERY": "deliveries"}.get(kind, "places at endpoints")
    if sk == "COUNTED" or kind == "STATS":
        return "figures"
    if kind == keys.ORDER and sk.startswith("EVENT"):
        return "audit trail"
    if sk in (keys.ORDER, keys.TRACKING):
        return "the order" if sk == keys.ORDER else "its parcel"
    if kind in ("INBOX", "PROOF"):
        return "webhooks of carriers"
    if sk == keys.POLL:
        return "plans of polls, by webhooks"
    if table == "usage" or kind == "LIMITS":
        return "limits, and places at carriers"
    return "entries and claims"


def written(lanes: Mapping[str, Lane], carrier: str, life: Life) -> Counter[str]:
    """The write units of one order, by what is written."""
    create, news = lanes[f"{carrier} create"], lanes[f"{carrier} news"]
    if life.news and news.count:
        share = life.news / max(1, news.news)
    else:
        share = (life.news + life.pushes) / max(1, webhooks_in(news.lines))
    made: Counter[str] = Counter({"polls": life.writes})  # type: ignore[dict-item]
    for lane, part in ((create, 1 / create.count), (news, share)):
        taken = _share_of_webhooks_taken(lane)
        for line in lane.lines:
            joins = lane is news and line["function"] == "poll_trackings" and is_of_parcels(line)
            if line["status"] >= 500 or (line["function"] in NOT_COUNTED and not joins):
                continue
            of_line = part * (taken if line["function"] == "ingest_webhook" else 1.0)
            in_transaction = line["call"].endswith("TransactWriteItems")
            for table, old, new in line.get("items", ()):
                units = prices.write_units(table, old, new, in_transaction=in_transaction)
                made[thing_of(table, new or old or _NOTHING)] += units * of_line  # type: ignore[assignment]
    return made


_NOTHING = {"pk": {"S": "?"}, "sk": {"S": "?"}}


def _kept(lanes: Mapping[str, Lane], carrier: str, life: Life) -> Usage:
    create, news = lanes[f"{carrier} create"], lanes[f"{carrier} news"]
    used = prices.times(prices.stored_bytes(create.lines, create.began), 1 / create.count)
    later = [line for line in news.lines if line.get("table") == "events"]
    stored = prices.stored_bytes(later, news.began)
    used.update(prices.times(stored, (life.news + life.pushes) / max(1, news.news)))
    return used


def _functions(lanes: Mapping[str, Lane]) -> list[str]:
    """Each function's part in an LSO order and in news, so that it is seen what is worth a change."""
    settings = settings_for("production")
    lines = ["| function | in | calls | CPU ms | waits ms | MB | peak MB | write units | log bytes |"]
    lines.append("|---" * 9 + "|")
    for lane in lanes.values():
        if not lane.count and not lane.news:
            continue
        many = lane.news if lane.name.endswith("news") else lane.count
        for function, calls in sorted(lane.calls_of.items()):
            if function in NOT_COUNTED:
                continue
            own = [line for line in lane.lines if line["function"] == function]
            waits = sum(map(prices.wait_seconds, own)) / calls * 1000
            writes = sum(prices.call_usage(line)["write_unit"] for line in own) / many
            lines.append(
                f"| {function} | {lane.name} | {calls / many:.2f} "
                f"| {lane.cpu_of.get(function, 0.0) / calls * 1000:.0f} | {waits:.0f} "
                f"| {settings.size(function).memory} | {lane.memory_of.get(function, 0)} | {writes:.1f} "
                f"| {lane.log_bytes[function] / calls:.0f} |"
            )
    return lines


def _peers(
    made: Mapping[str, Mapping[str, Part]],
    totals: Mapping[str, Part],
    of_lives: Mapping[str, Life],
    sums: Mapping[str, float],
) -> list[str]:
    """What the same costs in other ways."""
    lines = ["| in another way, a million orders | dollars |", "|---|---|"]
    transition = prices.price("transition") * MILLION
    waits = settings_for("production").callback_wait
    rounds = waits / 5
    lines.append(
        f"| Step Functions alone, ours (LSO) | {totals['lso'].usage['transition'] * transition:,.0f} |"
    )
    lines.append(
        f"| Step Functions alone, a loop that asks every 5 s (Wait, Task, Choice) a carrier that takes "
        f"{waits} s | {(3 * rounds + 3) * transition:,.0f} |"
    )
    for carrier in made:
        life = of_lives[carrier]
        a_poll = prices.dollars(made[carrier]["polls"].usage) / life.polls * MILLION
        lines.append(
            f"| polls of {carrier}: ours, {life.polls:.0f} of a parcel | {a_poll * life.polls:,.0f} |"
        )
        often = life.days * 12
        lines.append(f"| the same every 2 hours, {often:.0f} of a parcel | {a_poll * often:,.0f} |")
    for gateway in prices.table()["gateways"]:
        dollars = gateway["dollars"] * MILLION
        lines.append(
            f"| {gateway['name']}: ${gateway['dollars']} for a {gateway['of']} ({gateway['seen']}) "
            f"| {dollars:,.0f}, {dollars / sums['lso']:,.0f} times an LSO order |"
        )
    return lines


def main() -> None:
    """Record, price, and print."""
    options = arguments.parser(__doc__)
    options.add_argument(
        "--orders", type=arguments.bounded(1), default=ORDERS, help="how many of each kind are created"
    )
    options.add_argument(
        "--speed", type=arguments.positive, default=260.0, help="parcels a second of a poll worker"
    )
    options.add_argument("--keep", type=Path, help="where to keep what was recorded")
    options.add_argument("--from", dest="kept", type=Path, help="price what was recorded before")
    options.add_argument(
        "--functions", action="store_true", help="what each function waits and computes, too"
    )
    given = options.parse_args()
    if given.kept:
        lanes = [Lane(**each) for each in json.loads(given.kept.read_text())]
    else:

        def keep(so_far: Sequence[Lane]) -> None:
            if given.keep:
                given.keep.write_text(json.dumps([asdict(lane) for lane in so_far]))

        lanes = record(given.orders, keep)
    print(report(lanes, given.speed, by_function=given.functions))


if __name__ == "__main__":
    main()

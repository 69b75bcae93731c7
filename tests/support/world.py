"""A whole Parcelgate in this process: the real functions over fakes of AWS and of the carriers.

    def test_an_order_is_confirmed(world: World) -> None:
        order = world.start_order()
        assert world.settle(order).status is OrderStatus.CONFIRMED

The functions' own runtime builds every service, from the environment and the AWS clients that a world sets.
Time is a `FakeClock`: nothing sleeps, and everything that happens later is on its agenda (callbacks, retries
of the workflow, messages that become visible, the sweep every five minutes). DynamoDB is moto's. Every
outward call of our functions goes through one `Faults`, so a function can die at any of them.

The fixture `world` has carriers in memory: `world.carrier` buys orders, `world.tracker()` answers where
parcels are. In `sandbox_world` the real adapters call the sandbox over HTTP; both read the wall clock.
`new_world` and `new_sandbox_world` make several, or others than usual.
"""

import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cache, partial
from importlib import import_module
from itertools import count
from types import ModuleType
from typing import Any

import msgspec
import pytest

from infra.settings import settings_for
from infra.state_machines.order_flow import definition as order_flow_definition
from parcelgate import aws_clients, services
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountName, OfAccount
from parcelgate.carriers.port import Carrier
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.carriers.toolkit.transport import HttpTransport
from parcelgate.domain.batches import Batch, Progress, progress
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.domain.trackings import Tracking, TrackingStatus
from parcelgate.http.requests.batches import read_batch
from parcelgate.http.requests.formats.reading import read_json
from parcelgate.runtime import runtime
from parcelgate.services.accounts.carriers import Carriers
from parcelgate.services.orders.submission import OrderSubmitter
from parcelgate.services.settings import Settings
from parcelgate.services.trackings import polls
from parcelgate.services.trackings.polls import Nudge, Polls
from parcelgate.store.calls import typed
from parcelgate.store.merchant_events.table import EventsTable
from parcelgate.store.table import Table
from parcelgate.store.trackings import tracking_item
from parcelgate.store.wheel import Entry, PollBucket
from tests.support import observed_calls
from tests.support.api import ROUTES, TENANT, Body, Context, Reply, api_event, send
from tests.support.aws import FakeEvents, FakeS3, FakeSecrets, FakeSqs
from tests.support.clock import FakeClock
from tests.support.endpoints import FakeEndpoints
from tests.support.fake_carriers import FakeCarrier, FakeTracker
from tests.support.fast_dynamodb import FastDynamoDB, OneAtATime
from tests.support.faults import Faults, Killed
from tests.support.orders import an_event, an_order, trackings_of
from tests.support.sandbox import READ_SECONDS, Sandbox
from tests.support.state_machine import MACHINE, Execution, StepFunctions
from tests.support.table import TABLE_NAME, all_items, aws, create_events_table, create_table, dynamodb_client
from tests.support.trackings import a_tracking

QUEUES = "https://sqs.test"
_CARRIERS = ("lso", "ubi", "lme")


def events_name(table_name: str) -> str:
    """The name of the events table beside a world's table."""
    return f"events-{table_name}"


def queue(name: str) -> str:
    """The address of a queue such as `retry-lso`."""
    return f"{QUEUES}/{name}"


def _of_each_carrier(kind: str) -> str:
    return json.dumps({carrier: queue(f"{kind}-{carrier}") for carrier in _CARRIERS})


ENVIRONMENT = {
    "PARCELGATE_LABEL_BUCKET": "labels",
    "PARCELGATE_BATCH_BUCKET": "bodies",
    "PARCELGATE_ORDER_FLOW_ARN": MACHINE,
    "PARCELGATE_LABEL_QUEUE_URL": queue("labels"),
    "PARCELGATE_PRINT_QUEUE_URL": queue("prints"),
    "PARCELGATE_INBOX_QUEUE_URL": queue("inbox"),
    "PARCELGATE_POLL_QUEUE_URL": queue("polls"),
    "PARCELGATE_DELIVERY_QUEUE_URL": queue("deliveries"),
    "PARCELGATE_BATCH_QUEUE_URLS": _of_each_carrier("batch"),
    "PARCELGATE_RETRY_QUEUE_URLS": _of_each_carrier("retry"),
    "PARCELGATE_RETRY_DEAD_LETTER_URLS": _of_each_carrier("dead"),
    "PARCELGATE_CHANGES_DEAD_LETTER_URL": queue("dead-changes"),
    "PARCELGATE_EVENT_BUS": "bus",
    "PARCELGATE_KMS_KEY": "key",
    "PARCELGATE_WEBHOOK_BASE_URL": "https://hooks.test",
    "POWERTOOLS_METRICS_NAMESPACE": "Parcelgate",
    "POWERTOOLS_SERVICE_NAME": "test",
}
STATES = ("submit_order", "check_order", "fetch_label", "compensate_order", "escalate_order")
FUNCTION_SECONDS = 60.0
BATCH_FUNCTION_SECONDS = 180.0
BATCH_HIDDEN_SECONDS = 210.0
SWEEP_SECONDS = 300.0
JITTER = 0.999
"""What a random number between 0 and 1 is here: every wait is its longest."""


class World:
    """One Parcelgate. Make it with `worlds`, or ask for the fixture `world`.

    Parameters
    ----------
    dynamodb, table_name
        The client, and the name of this world's own table.
    patch
        Changes the environment and the time of services; whoever makes worlds undoes it.
    sandbox
        The sandbox that the carriers' adapters call; without it carriers are in memory.
    carrier
        Another carrier in memory in place of `FakeCarrier`.
    death, swallows
        See `StepFunctions`.
    environment
        Variables of the functions' environment beside `ENVIRONMENT`.
    limits
        Limits of each account of the sandbox, as its secret names them.
    """

    CLOCK: Any = FakeClock
    SQS: Any = FakeSqs

    def __init__(
        self,
        dynamodb: Any,
        table_name: str,
        patch: pytest.MonkeyPatch,
        *,
        sandbox: Sandbox | None = None,
        carrier: Callable[["World"], Carrier] | None = None,
        death: str = "Lambda.Unknown",
        swallows: bool = True,
        environment: dict[str, str] | None = None,
        limits: Body | None = None,
    ) -> None:
        self.clock = self.CLOCK()
        self.faults = Faults()
        self.table = Table(dynamodb, table_name)
        self._events_table = EventsTable(dynamodb, events_name(table_name))
        self.sqs: Any = self.SQS(self.clock)
        self.events, self.s3 = FakeEvents(), FakeS3()
        self.secrets = FakeSecrets()
        self.endpoints = FakeEndpoints(self.clock)
        """The merchants' servers."""
        self.carrier: Any = carrier(self) if carrier else FakeCarrier(self)
        self.trackers: dict[AccountName, Any] = {}
        """The carriers in memory that answer where parcels are. An exception in place of one is raised."""
        self.function_seconds = {"work_batch": BATCH_FUNCTION_SECONDS}
        """How long a function may run, where it is not the usual time."""
        self.sweep_seconds = SWEEP_SECONDS
        self.account_errors = 0
        """How many of the next reads of the carrier account fail."""
        self.answers: list[dict[str, Any]] = []
        """What our webhook endpoint answered."""
        self.ended: list[Execution] = []
        """The executions of the workflow that are over."""
        self.read_seconds = READ_SECONDS
        self._sandbox = sandbox
        self._dynamodb, self._table_name = dynamodb, table_name
        self._images: dict[tuple[str, str], dict[str, Any]] = {}
        self._coming_again: list[dict[str, Any]] = []
        self._sequence, self._numbers = count(1), count(1)
        self._streamed = -1
        self._sweeping = False
        tables = {"PARCELGATE_TABLE": table_name, "PARCELGATE_EVENTS_TABLE": events_name(table_name)}
        for name, value in (ENVIRONMENT | tables | (environment or {})).items():
            patch.setenv(name, value)
        self.settings = Settings()
        self.machine = StepFunctions(
            order_flow(),
            {name: self._function(name) for name in STATES},
            self.clock,
            on_end=self._execution_ended,
            death=death,
            swallows=swallows,
        )
        self._build(patch)
        self._start_workers()
        if sandbox is not None:
            for name in _CARRIERS:
                self.put_account(name, sandbox.logins[name], **({"limits": limits} if limits else {}))

    # Orders

    def create_order(self, body: Body, **headers: str) -> Reply:
        """`POST /v1/orders`."""
        return self._request(api_event("POST /v1/orders", body=body, headers=headers))

    def cancel_order(self, order: Order) -> Reply:
        """`POST /v1/orders/{id}/cancel`."""
        return self._request(api_event("POST /v1/orders/{id}/cancel", id=order.id))

    def start_order(self, reference: str = "R-1", **facts: Any) -> Order:
        """Store an order and start its workflow, as `create_order` does for LSO."""
        at = self.clock.now
        order = an_order(reference=reference, at=at, watch_at=at + self.settings.deadline_margin, **facts)
        self.table.tenant(order.tenant).orders.add(order, an_event(at=at))
        self.start_workflow(order)
        return order

    def start_workflow(self, order: Order) -> None:
        names = msgspec.json.encode({"tenant": order.tenant, "order_id": order.id}).decode()
        self.machine.start_execution(stateMachineArn=MACHINE, name=order.id, input=names)

    def order(self, order: Order) -> Order:
        """The order as it is stored now."""
        return self.table.tenant(order.tenant).orders.get(order.id)

    def only_order(self) -> Order:
        """The one order that there is."""
        (order,) = self.table.tenant(TENANT).orders.page(limit=2).data
        return order

    def settle(self, order: Order, *, hours: float = 30) -> Order:
        """Let time pass until the order is settled and nothing is under way; the order as it then is."""
        self.start_sweeping()
        self.clock.run(until=lambda: self._settled(order), hours=hours)
        self.stream()
        self.clock.run(until=lambda: not self._coming_again, hours=1)
        return self.order(order)

    def assert_promises(self, order: Order) -> None:
        """Check what must hold of an order at its end, whatever went wrong on the way."""
        order = self.order(order)
        assert order.status in {
            OrderStatus.CONFIRMED,
            OrderStatus.CANCELLED,
            OrderStatus.FAILED,
            OrderStatus.NEEDS_ATTENTION,
        }
        if order.status in (OrderStatus.FAILED, OrderStatus.NEEDS_ATTENTION):
            assert order.problem is not None
            assert order.problem.title
            assert order.problem.detail
        if order.status is OrderStatus.CONFIRMED:
            assert len(trackings_of(self.table, order)) == len(order.parcels)
            assert order.label.status is not LabelStatus.PENDING
            assert (order.label.status is LabelStatus.READY) != (order.attention is not None)
        assert order.watch_at is None, "nobody is to look after a settled order"
        types = [event["type"] for event in self.told(order.tenant, order_id=order.id)]
        assert types.count(f"order.{order.status}") == 1, f"told as {types}"
        if order.status is OrderStatus.CONFIRMED:
            assert types.count(f"label.{order.label.status}") == 1, f"told as {types}"
        holder = self.table.tenant(order.tenant).orders.by_reference(
            order.carrier, order.account, order.reference
        )
        assert (holder is None) == order.status.final, "a final order frees its reference, no other does"
        if self._sandbox is None:
            self._assert_bought_once(order)
        else:
            self._assert_sandbox_agrees(order, self._sandbox)

    # Batches

    def create_batch(self, entries: list[Any]) -> Batch:
        """Take a batch in, as `POST /v1/orders/batch` does."""
        raw = json.dumps({"orders": entries}).encode()
        lines = read_batch(read_json(raw, "application/json", most=len(raw)), carriers=registry.names())
        return runtime.batches.create(TENANT, lines, raw)

    def batch_progress(self, batch: Batch) -> Progress:
        return progress(*self.table.tenant(TENANT).batches.read(batch.id))

    def finish_batch(self, batch: Batch) -> Progress:
        """Let time pass until the batch is finished and nothing of it lies in a queue."""
        self.pass_time(until=lambda: self.batch_progress(batch).finished and not self.sqs.busy)
        return self.batch_progress(batch)

    # Webhooks of carriers

    def push(
        self, url: str, body: bytes = b"{}", headers: dict[str, str] | None = None
    ) -> dict[str, Any] | None:
        """Deliver a carrier's webhook once; our answer, None when our function died."""
        *_, carrier, account, token = url.split("/")
        event = {
            "pathParameters": {"carrier": carrier, "account": account, "token": token},
            "headers": {"content-type": "application/json", **(headers or {})},
            "body": body.decode(errors="surrogateescape"),
            "isBase64Encoded": False,
        }
        try:
            answer = self._function("ingest_webhook")(event)
        except Killed:
            return None
        finally:
            self.stream()
        self.answers.append(answer)
        return answer

    def call_back(self, url: str, body: bytes = b'{"code": 200, "data": {}}', *, attempt: int = 1) -> None:
        """Deliver a callback as LSO does: without a 200 again five minutes later, five times in all."""
        answer = self.push(url, body)
        if (answer is None or answer["statusCode"] != 200) and attempt < 5:
            self.clock.after(300, lambda: self.call_back(url, body, attempt=attempt + 1))

    # Trackings

    def add_parcel(self, *, tenant: str = TENANT, **facts: Any) -> Tracking:
        """A parcel as an order's confirmation stores it: its first poll is not planned yet."""
        number = next(self._numbers)
        # Its plan depends on its id: with the same id in each world all worlds make the same calls.
        facts = {"id": f"trk_{number:026}", "carrier": "ubi", "tracking_number": f"N{number:04}"} | facts
        tracking = a_tracking(tenant, at=self.clock.now, **facts)
        self._dynamodb.put_item(TableName=self._table_name, Item=typed(tracking_item(tracking)))
        self.tracker(tenant, tracking.carrier, tracking.account)
        return tracking

    def due_parcels(self, number: int = 1, **facts: Any) -> list[Tracking]:
        """Parcels that are due for a poll now, the first of them the longest."""
        parcels = [self.add_parcel(**facts) for _ in range(number)]
        for place, parcel in enumerate(parcels):
            at = self.clock.now - timedelta(seconds=len(parcels) - place)
            self.table.tenant(parcel.tenant).trackings.plan(parcel.id, at)
        return parcels

    def tracker(self, tenant: str = TENANT, carrier: str = "ubi", account: str = "default") -> FakeTracker:
        """The carrier in memory that polls ask with this account."""
        tracker: FakeTracker = self.trackers.setdefault(AccountName(tenant, carrier, account), FakeTracker())
        return tracker

    def poll(
        self,
        worker: Polls | None = None,
        *,
        seconds: float = FUNCTION_SECONDS,
        share: tuple[int, int] = (0, 1),
    ) -> bool:
        """Run a poll worker that begins now; whether it left something."""
        return (worker or self.poll_worker()).run(*share, self.clock.now, self.time_left(seconds))

    def poll_worker(self, **parts: Any) -> Polls:
        """A poll worker of another process, with other parts where a test gives them."""
        built: dict[str, Any] = {
            "table": runtime.table,
            "carriers": runtime.carriers,
            "timelines": runtime.timelines,
            "sqs": aws_clients.client("sqs"),
            "settings": self.settings,
            "places": runtime.places("polls"),
        }
        worker: Polls = polls.Polls(**built | parts)
        return worker

    def time_left(self, seconds: float = FUNCTION_SECONDS) -> Deadline:
        end = self.clock.now + timedelta(seconds=seconds)
        return Deadline(lambda: (end - self.clock.now).total_seconds())

    def nudge(self, *parcels: Tracking) -> None:
        """Have parcels asked about soon, as a webhook without proof does."""
        for parcel in parcels:
            runtime.timelines.nudge(parcel.tenant, parcel.id)

    def nudges(self) -> list[Nudge]:
        """The messages in the poll queue."""
        return [
            Nudge(each["id"], each["id"], each["body"]) for each in self.sqs.messages.get(queue("polls"), [])
        ]

    def tracking(self, parcel: Tracking) -> Tracking:
        """The tracking as it is stored now."""
        return self.table.tenant(parcel.tenant).trackings.get(parcel.id)

    def tracking_status(self, parcel: Tracking) -> TrackingStatus:
        return self.tracking(parcel).status

    def next_poll(self, parcel: Tracking) -> datetime | None:
        return self.table.tenant(parcel.tenant).trackings.polls([parcel.id], now=self.clock.now)[parcel.id]

    def time_to_poll(self, parcel: Tracking) -> timedelta:
        """How long it is until the parcel is due."""
        due = self.next_poll(parcel)
        assert due is not None
        return due - self.clock.now

    def poll_buckets(self) -> list[PollBucket]:
        """The poll buckets in which parcels wait together, the first to be due first."""
        pages = self.table.wheel.pages(0, 1, self.clock.now + timedelta(days=400), 100)
        return sorted((bucket for page in pages for bucket in page), key=lambda bucket: bucket.sk)

    def ways_to_poll(self, parcel: Tracking) -> list[str]:
        """How the parcel comes to its next poll: `alone`, or for each of its buckets `free` or `claimed`."""
        item = self.tracking_item(parcel)
        if "due_at" in item or "due_at" in self.tracking_item(parcel, "TRACKING"):
            return ["alone"]
        if "ticket" not in item:
            return []
        entry = Entry(parcel.tenant, parcel.id, item["ticket"]["S"])
        found = [bucket for bucket in self.poll_buckets() if entry in bucket.entries]
        return ["free" if bucket.claim_until is None else "claimed" for bucket in found]

    def tracking_item(self, parcel: Tracking, sk: str = "POLL") -> dict[str, Any]:
        """An item of the tracking as the table holds it; empty when there is none."""
        key = {"pk": {"S": f"T#{parcel.tenant}#TRACKING#{parcel.id}"}, "sk": {"S": sk}}
        item: dict[str, Any] = self._dynamodb.get_item(TableName=self._table_name, Key=key).get("Item", {})
        return item

    # Time, and what goes by itself

    def pass_time(self, *, until: Callable[[], bool] = lambda: False, hours: float = 24) -> None:
        """Let everything happen that is to happen meanwhile, the sweep included."""
        self.start_sweeping()
        self.clock.run(until=until, hours=hours)

    def start_sweeping(self) -> None:
        """Have the sweep run every so often from now on."""
        if not self._sweeping:
            self._sweeping = True
            self.clock.after(self.sweep_seconds, self._sweep)

    def stream(self) -> None:
        """Give the stream router what has changed in the table; it comes again on failure."""
        writes = self._dynamodb.writes
        if writes == self._streamed:
            return
        self._streamed = writes
        records = []
        for item in self.items():
            name = (item["pk"]["S"], item["sk"]["S"])
            of_interest = name[1] in ("ORDER", "ENTRY", "TRACKING") or name[1].startswith("ROW#")
            if not of_interest or self._images.get(name) == item:
                continue
            old = self._images.get(name)
            change = {"Keys": {"pk": item["pk"], "sk": item["sk"]}, "NewImage": item}
            change["SequenceNumber"] = str(next(self._sequence))
            if old is not None:
                change["OldImage"] = old
            records.append({"eventName": "MODIFY" if old else "INSERT", "dynamodb": change})
            self._images[name] = item
        if records:
            self._route(records)

    def told(self, tenant: str = TENANT, **filters: Any) -> list[Body]:
        """What the tenant was told so far, as webhooks and the event log have it, oldest first."""
        log = self._events_table.tenant(tenant).log
        events, cursor = [], None
        while True:
            page = log.page(at=self.clock.now, limit=100, cursor=cursor, **filters)
            events += [json.loads(event.body) for event in page.data]
            if (cursor := page.next_cursor) is None:
                return events[::-1]

    # Accounts, AWS and the carriers' side

    def put_account(
        self, carrier: str, credentials: dict[str, str], *, account: str = "default", **more: Any
    ) -> None:
        """Store a carrier account's secret."""
        base_url = f"{self.sandbox.url}/{carrier}" if self._sandbox else f"https://{carrier}.test"
        secret = {"base_url": base_url, "credentials": credentials, **more}
        self.secrets.texts[f"parcelgate/{TENANT}/{carrier}/{account}"] = json.dumps(secret)

    def forget_accounts(self) -> None:
        """A minute passes, after which carrier accounts are read again."""
        runtime.accounts._kept.clear()

    def items(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Everything in the table, or every item of a kind."""
        items = all_items(self._dynamodb, self._table_name)
        return [item for item in items if kind is None or item.get("type") == {"S": kind}]

    @property
    def submitter(self) -> OrderSubmitter:
        return runtime.order_submitter

    @property
    def sandbox(self) -> Sandbox:
        assert self._sandbox is not None, "this world's carriers are in memory"
        return self._sandbox

    @property
    def carrier_calls(self) -> list[str]:
        """The calls that went out to the sandbox, such as `ubi.orders`."""
        return [
            call.arguments["args"][0].call
            for call in self.faults.calls
            if (call.target, call.method) == ("carrier", "send")
        ]

    # How it is built

    def _build(self, patch: pytest.MonkeyPatch) -> None:
        clients = {
            "dynamodb": self._dynamodb,
            "sqs": self.sqs,
            "s3": self.s3,
            "events": self.events,
            "secrets": self.secrets,
            "states": self.machine,
        }
        services_of = {"secrets": "secretsmanager", "states": "stepfunctions"}
        for name, client in clients.items():
            aws_clients.put(services_of.get(name, name), self.faults.wrap(client, name))
        own = {
            "clock": self.clock,
            "sleep": self.clock.sleep,
            "roll": lambda: JITTER,
            "workers": 1,
            "threads": 1,
        }
        for module, service, parameters in _services():
            given = {name: own[name] for name in own.keys() & parameters}
            patch.setattr(module, service.__name__, partial(service, **given))
        runtime.reset()
        runtime.use(endpoint_caller=self.faults.wrap(self.endpoints, "endpoint"))
        if self._sandbox is None:
            runtime.use(carriers=_CarriersInMemory(self))
        else:
            # The sandbox's carriers check signatures by the wall clock, so the adapters read that one.
            adapter = registry.adapter
            patch.setattr(
                registry, "adapter", lambda code: lambda given: adapter(code)(given._replace(clock=now))
            )
            runtime.use(transport=self._transport)

    def _start_workers(self) -> None:
        workers = {
            "inbox": "process_webhook",
            "labels": "label_order",
            "deliveries": "deliver_event",
            "prints": "print_labels",
        }
        for carrier in _CARRIERS:
            workers |= {f"retry-{carrier}": "retry_order", f"batch-{carrier}": "work_batch"}
            self.sqs.hidden[queue(f"batch-{carrier}")] = BATCH_HIDDEN_SECONDS
        self.sqs.workers = {queue(name): self._function(function) for name, function in workers.items()}
        self.sqs.most_receives[queue("inbox")] = 5

    def _transport(self, deadline: Deadline | None) -> Any:
        return self.faults.wrap(_SandboxTransport(self, HttpTransport(deadline)), "carrier")

    def _function(self, name: str) -> Callable[[dict[str, Any]], Any]:
        handler = import_module(f"functions.{name}.handler").handler

        def call(event: dict[str, Any]) -> Any:
            # The stream's records hold bytes, every other event is JSON.
            given = event if name == "route_changes" else json.loads(json.dumps(event))
            with observed_calls.running(name):
                return handler(given, self._context(name))

        return call

    def _context(self, function: str) -> Context:
        seconds = self.function_seconds.get(function, FUNCTION_SECONDS)
        return _TimedContext(self.time_left(seconds))

    def _request(self, event: Body) -> Reply:
        reply = send(event, self._function(ROUTES[event["routeKey"]]))
        self.stream()
        return reply

    # What goes by itself

    def _sweep(self) -> None:
        with suppress(Killed):
            self._function("sweep")({})
        self.stream()
        self.clock.after(self.sweep_seconds, self._sweep)

    def _route(self, records: list[dict[str, Any]]) -> None:
        try:
            answer = self._function("route_changes")({"Records": records})
        except Killed:
            answer = {"batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]}
        failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        again = [record for record in records if record["dynamodb"]["SequenceNumber"] in failed]
        if again:
            self._coming_again += records[records.index(again[0]) :]
            self.clock.after(1, self._route_again)

    def _route_again(self) -> None:
        records, self._coming_again = self._coming_again, []
        if records:
            self._route(records)

    def _execution_ended(self, execution: Execution) -> None:
        self.ended.append(execution)
        if execution.status == "SUCCEEDED":
            return
        detail = {"name": execution.name, "status": execution.status, "input": execution.input}
        self._close_order_flow({"detail": detail}, attempts=3)

    def _close_order_flow(self, event: dict[str, Any], *, attempts: int) -> None:
        try:
            self._function("close_order_flow")(event)
        except (Killed, Exception):
            if attempts > 1:
                self.clock.after(60, lambda: self._close_order_flow(event, attempts=attempts - 1))

    def _settled(self, order: Order) -> bool:
        if any(execution.status == "RUNNING" for execution in self.machine.executions.values()):
            return False
        order = self.order(order)
        if order.status in (OrderStatus.ACCEPTED, OrderStatus.PROCESSING, OrderStatus.CANCELLING):
            return False
        return order.watch_at is None and not self.sqs.busy

    # What must hold on the carriers' side

    def _assert_bought_once(self, order: Order) -> None:
        if isinstance(self.carrier, FakeCarrier):
            assert len(self.carrier.commits) <= 1, "bought twice"
            if order.status is OrderStatus.FAILED:
                assert not self.carrier.money_held, "money is held for a failed order"
        assert not any(self.sqs.messages.get(f"{queue}-dead") for queue in self.sqs.workers)

    def _assert_sandbox_agrees(self, order: Order, sandbox: Sandbox) -> None:
        bought = sandbox.bought(order.carrier, order.reference)
        assert len(bought) <= 1, "bought twice"
        living = [entry for entry in bought if not entry["refunded"]]
        if order.status is OrderStatus.CONFIRMED:
            assert [entry["order_number"] for entry in living] == [order.carrier_order_number]
        if order.status in (OrderStatus.FAILED, OrderStatus.CANCELLED):
            assert living == [], "the carrier still has it"


class _TimedContext(Context):
    """Lambda's context of a call that may last so long."""

    def __init__(self, left: Deadline) -> None:
        self._left = left

    def get_remaining_time_in_millis(self) -> int:
        return int(self._left.remaining() * 1000)


class _SandboxTransport:
    """The real transport to the sandbox, which waits for answers no longer than a test can."""

    def __init__(self, world: World, http: HttpTransport) -> None:
        self._world = world
        self._http = http

    def send(self, request: Request) -> Response:
        return self._http.send(msgspec.structs.replace(request, read_seconds=self._world.read_seconds))


class _CarriersInMemory(Carriers):
    """In the place of the runtime's: every order's carrier is the world's, and so is each of its trackers."""

    def __init__(self, world: World) -> None:
        super().__init__(
            runtime.table,
            accounts=lambda: runtime.accounts,
            logins=lambda: runtime.logins_table,
            transport=runtime.transport,
            kms=lambda: aws_clients.client("kms"),
            kms_key=lambda: world.settings.kms_key,
            clock=world.clock,
            sleep=world.clock.sleep,
        )
        self._world = world

    def of(self, subject: OfAccount, deadline: Deadline | None = None) -> Carrier:
        if self._world.account_errors > 0:
            self._world.account_errors -= 1
            raise RuntimeError("AccessDenied")
        carrier: Carrier = self._world.carrier
        return carrier

    def tracker(
        self, subject: OfAccount, deadline: Deadline | None = None, *, clock: Clock | None = None
    ) -> Any:
        name = AccountName(subject.tenant, subject.carrier, subject.account)
        if name not in self._world.trackers:
            return super().tracker(subject, deadline, clock=clock)
        tracker = self._world.trackers[name]
        if isinstance(tracker, Exception):
            raise tracker
        return self._world.faults.wrap(tracker, "carrier")


@cache
def order_flow() -> dict[str, Any]:
    """The order workflow as the stack for AWS deploys it, with functions by their plain names."""
    return order_flow_definition(settings_for("production"), {name: name for name in STATES})


@cache
def _services() -> list[tuple[ModuleType, type, frozenset[str]]]:
    """Every class that the runtime may build, where it builds it from, and the names of its parameters."""
    names = [module.name for module in pkgutil.walk_packages(services.__path__, f"{services.__name__}.")]
    parts = []
    for module in map(import_module, names):
        for thing in list(vars(module).values()):
            if inspect.isclass(thing) and thing.__module__ == module.__name__:
                # A struct's fields are its parameters; other classes have an `__init__` to look at.
                fields = getattr(thing, "__struct_fields__", None)
                parameters = frozenset(fields or getattr(thing.__init__, "__kwdefaults__", None) or ())
                if parameters & {"clock", "sleep", "roll", "workers", "threads"}:
                    parts.append((module, thing, parameters))
    return parts


@contextmanager
def worlds(sandbox: Sandbox | None = None) -> Iterator[Callable[..., Any]]:
    """A maker of fresh worlds over one moto. Each has a table of its own; the newest one runs."""
    with aws(), pytest.MonkeyPatch.context() as patch:
        client = OneAtATime(FastDynamoDB(dynamodb_client()))
        numbers = count(1)
        fixed: dict[str, Any] = {}
        if sandbox is not None:
            key = aws_clients.client("kms").create_key()["KeyMetadata"]["Arn"]
            fixed = {"sandbox": sandbox}

        def make(*, kind: Callable[..., World] = World, **how: Any) -> Any:
            patch.undo()
            name = f"{TABLE_NAME}-{next(numbers)}"
            create_table(client, name)
            create_events_table(client, events_name(name))
            if sandbox is not None:
                how["environment"] = {"PARCELGATE_KMS_KEY": key} | how.get("environment", {})
            return kind(client, name, patch, **fixed | how)

        yield make

"""A whole Parcelgate in this process: the deployed machine, the real handlers, a carrier that can be told.

Time is a `FakeClock`: nothing sleeps, and everything that is to happen later is on its agenda (callbacks,
retries of the machine, messages that become visible, the sweep every five minutes). DynamoDB is moto's;
queues, bus and bucket are the few lines below. Every outward call of our functions goes through one
`Faults`, so that a function can die at any of them.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import cache
from importlib import import_module
from itertools import count
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from infra.settings import settings_for
from infra.state_machines.order_flow import definition as order_flow_definition
from parcelgate import aws_clients
from parcelgate.carriers.accounts import Accounts
from parcelgate.carriers.errors import LabelPendingError, RefusedError, UnknownOutcomeError
from parcelgate.carriers.port import Carrier
from parcelgate.carriers.results import (
    Cancellation,
    Confirmed,
    Examination,
    Failed,
    LabelFile,
    NotFound,
    OrderResult,
    ParcelHistory,
    ParcelResult,
    Pending,
    Rate,
    Submitted,
)
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.domain.problems import CarrierWords
from parcelgate.runtime import runtime
from parcelgate.services.batches.batches import Batches, Bodies, FanOut
from parcelgate.services.events import stream_router
from parcelgate.services.labels.documents import LabelStore
from parcelgate.services.labels.fetch import LabelFetcher, LabelWorker
from parcelgate.services.operator import sweep
from parcelgate.services.orders.retries import Retrier
from parcelgate.services.orders.retry_queues import RetryQueues
from parcelgate.services.orders.submission import OrderSubmitter
from parcelgate.services.orders.workflow import OrderFlow
from parcelgate.services.settings import Settings
from parcelgate.services.trackings.timeline import Timelines
from parcelgate.services.webhooks import process, receive
from parcelgate.store.table import Table
from tests.support.carriers import carriers_over
from tests.support.clock import FakeClock
from tests.support.fast_dynamodb import FastDynamoDB
from tests.support.faults import Call, Faults, Killed
from tests.support.orders import an_event, an_order, trackings_of
from tests.support.state_machine import MACHINE, Execution, StepFunctions
from tests.support.table import TABLE_NAME, all_items, aws, create_table

ENVIRONMENT = {
    "PARCELGATE_TABLE": TABLE_NAME,
    "PARCELGATE_LABEL_BUCKET": "labels",
    "PARCELGATE_ORDER_FLOW_ARN": MACHINE,
    "PARCELGATE_LABEL_QUEUE_URL": "https://sqs.test/labels",
    "PARCELGATE_INBOX_QUEUE_URL": "https://sqs.test/inbox",
    "PARCELGATE_POLL_QUEUE_URL": "https://sqs.test/polls",
    "PARCELGATE_RETRY_QUEUE_URLS": (
        '{"lso": "https://sqs.test/retry-lso", "lme": "https://sqs.test/retry-lme"}'
    ),
    "PARCELGATE_RETRY_DEAD_LETTER_URLS": '{"lso": "https://sqs.test/dead-lso"}',
    "PARCELGATE_CHANGES_DEAD_LETTER_URL": "https://sqs.test/dead-changes",
    "PARCELGATE_EVENT_BUS": "bus",
    "PARCELGATE_KMS_KEY": "key",
    "PARCELGATE_WEBHOOK_BASE_URL": "https://hooks.test",
}
STATES = ("submit_order", "check_order", "fetch_label", "compensate_order", "escalate_order")
FUNCTION_SECONDS = 60.0
SWEEP_SECONDS = 300.0
VISIBILITY_SECONDS = 360.0
PDF = b"%PDF-1.4 a label"


@cache
def definition() -> dict[str, Any]:
    """The machine as the stack for AWS deploys it, with functions by their plain names."""
    return order_flow_definition(settings_for("production"), {name: name for name in STATES})


class FakeSqs:
    """Queues on the fake clock. A queue with a worker hands its messages to it as they become visible."""

    def __init__(self, clock: FakeClock) -> None:
        self.workers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        self.most_receives: dict[str, int] = {}
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self._clock = clock
        self._ids = count(1)
        self._visible_after: dict[str, float] = {}
        self.hidden: dict[str, float] = {}
        """How long a queue hides a message that is being worked on, where not the usual time."""

    def send_message(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        MessageBody: str,  # noqa: N803
        DelaySeconds: float = 0,  # noqa: N803
        MessageAttributes: dict[str, Any] | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        message = {"id": str(next(self._ids)), "body": MessageBody, "receives": 0}
        message["attributes"] = MessageAttributes or {}
        self.messages.setdefault(QueueUrl, []).append(message)
        if QueueUrl in self.workers:
            self._clock.after(DelaySeconds, lambda: self._deliver(QueueUrl, message))
        return {"MessageId": message["id"]}

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        for entry in Entries:
            self.send_message(QueueUrl=QueueUrl, MessageBody=entry["MessageBody"])
        return {"Successful": [], "Failed": []}

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
    ) -> None:
        assert 0 <= VisibilityTimeout <= 43200
        self._visible_after[ReceiptHandle] = VisibilityTimeout

    def bodies(self, queue: str) -> list[str]:
        return [message["body"] for message in self.messages.get(queue, [])]

    @property
    def busy(self) -> bool:
        return any(self.messages.get(queue) for queue in self.workers)

    def hurry(self, queue: str) -> None:
        """Hand every message to its worker at once."""
        for message in list(self.messages.get(queue, ())):
            self._deliver(queue, message)

    def _deliver(self, queue: str, message: dict[str, Any]) -> None:
        if message not in self.messages[queue]:
            return
        message["receives"] += 1
        if message["receives"] > self.most_receives.get(queue, 1000):
            self.messages[queue].remove(message)
            self.messages.setdefault(f"{queue}-dead", []).append(message)
            return
        record = {
            "messageId": message["id"],
            "receiptHandle": message["id"],
            "body": message["body"],
            "attributes": {"ApproximateReceiveCount": str(message["receives"])},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:eu-central-1:000000000000:{queue.rpartition('/')[2]}",
        }
        try:
            answer = self.workers[queue]({"Records": [record]})
            failed = bool(answer and answer["batchItemFailures"])
        except Killed:
            failed = True
        if failed:
            hidden = self.hidden.get(queue, VISIBILITY_SECONDS)
            after = self._visible_after.pop(message["id"], hidden)
            self._clock.after(after, lambda: self._deliver(queue, message))
        else:
            self.messages[queue].remove(message)


class FakeEvents:
    """The bus: remembers what was put on it."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.entries += Entries
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in Entries]}

    @property
    def kinds(self) -> list[str]:
        return [entry["DetailType"] for entry in self.entries]


class FakeS3:
    """The bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803
        assert Bucket == "labels"
        self.objects[Key] = Body


class FakeSecrets:
    """The secrets of carrier accounts, by their whole names."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.exceptions = SimpleNamespace(ResourceExistsException=type("Exists", (Exception,), {}))

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803
        if SecretId not in self.texts:
            error = {"Code": "ResourceNotFoundException", "Message": "made up by a test"}
            raise ClientError({"Error": error}, "GetSecretValue")
        return {"SecretString": self.texts[SecretId]}

    def create_secret(self, *, Name: str, SecretString: str) -> None:  # noqa: N803
        if Name in self.texts:
            raise self.exceptions.ResourceExistsException
        self.texts[Name] = SecretString

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_secrets"

        def paginate(*, Filters: Any) -> list[dict[str, Any]]:  # noqa: N803
            ((start,),) = [one["Values"] for one in Filters]
            return [{"SecretList": [{"Name": name} for name in self.texts if name.startswith(start)]}]

        return SimpleNamespace(paginate=paginate)

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:  # noqa: N803
        assert SecretId in self.texts
        self.texts[SecretId] = SecretString


class Behaviour(msgspec.Struct, kw_only=True):
    """What the carrier shall do with an order."""

    fails: bool = False
    lost: str | None = None
    """`answer`: commits, and the answer is lost. `request`: it never arrives. Both look alike to us."""
    refuses: bool = False
    pending: int = 0
    no_label: int = 0
    callback_after: float | None = 1.0
    callback_is_early: bool = False
    callbacks: int = 1
    refund_troubles: int = 0
    results: list[OrderResult | Exception] = []
    create_error: Exception | None = None
    labels: list[bytes] = []
    may_resend: bool = False


class FakeCarrier:
    """A carrier that confirms later, with a ledger of what was bought and what money it holds."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.behaviour = Behaviour()
        self.commits: list[str] = []
        self.orders: dict[str, str] = {}
        self.held: dict[str, bool] = {}
        self.urls: list[str] = []
        self.asked = 0
        self.price = Money(Decimal("9.90"), "USD")

    @property
    def may_resend(self) -> bool:
        return self.behaviour.may_resend

    def examine(self, order: Order) -> Examination:
        return Examination()

    def rates(self, order: Order) -> list[Rate]:
        return self._out("rates", lambda: [Rate(service=order.service or "", price=self.price)])

    def create(self, order: Order, *, callback_url: str | None = None) -> Submitted:
        return self._out("create", lambda: self._commit(order, callback_url or ""))

    def order_result(self, order: Order) -> OrderResult:
        return self._out("order_result", lambda: self._result(order))

    def find_by_reference(self, order: Order) -> OrderResult:
        return self._out("find_by_reference", lambda: self._result(order))

    def cancel(self, order: Order, *, at: Any) -> Cancellation:
        return self._out("cancel", lambda: self._refund(order))

    def label(self, order: Order) -> list[LabelFile]:
        return self._out("label", lambda: self._label(order))

    def track(self, tracking_numbers: Any) -> list[ParcelHistory]:
        return []

    @property
    def money_held(self) -> list[str]:
        return [number for number, held in self.held.items() if held]

    def _out[T](self, call: str, really: Callable[[], T]) -> T:
        return self._world.faults.make(Call("carrier", call, {}), really)

    def _commit(self, order: Order, url: str) -> Submitted:
        behaviour = self.behaviour
        if behaviour.create_error is not None:
            error, behaviour.create_error = behaviour.create_error, None
            raise error
        if behaviour.refuses:
            raise RefusedError("no", words=CarrierWords("fake", "77", "we do not go there"))
        if behaviour.lost == "request":
            behaviour.lost = None
            raise UnknownOutcomeError("nobody answered")
        number = f"N{len(self.commits) + 1}"
        self.commits.append(order.reference)
        self.orders[order.reference] = number
        self.held[number] = True
        self.urls.append(url)
        if behaviour.callback_is_early:
            self._world.call_back(url)
            self._world.sqs.hurry("https://sqs.test/inbox")
        elif behaviour.callback_after is not None:
            for repeat in range(behaviour.callbacks):
                self._world.clock.after(behaviour.callback_after + repeat, lambda: self._world.call_back(url))
        if behaviour.lost == "answer":
            raise UnknownOutcomeError("the answer was lost")
        return Submitted(carrier_order_number=number)

    def _result(self, order: Order) -> OrderResult:
        self.asked += 1
        behaviour = self.behaviour
        if behaviour.results:
            result = behaviour.results.pop(0)
            if isinstance(result, Exception):
                raise result
            return result
        number = order.carrier_order_number or self.orders.get(order.reference)
        if number is None:
            return NotFound()
        if behaviour.pending > 0:
            behaviour.pending -= 1
            return Pending(reason="1024", carrier_order_number=number)
        if behaviour.fails:
            return Failed(words=CarrierWords("fake", "1001", "cannot"), carrier_order_number=number)
        return self.confirmation(order, number)

    def confirmation(self, order: Order, number: str) -> Confirmed:
        return Confirmed(
            carrier_order_number=number,
            parcels=tuple(
                ParcelResult(reference=parcel.reference, tracking_number=f"{number}-{place}")
                for place, parcel in enumerate(order.parcels, 1)
            ),
            price=self.price,
        )

    def _refund(self, order: Order) -> Cancellation:
        if self.behaviour.refund_troubles > 0:
            self.behaviour.refund_troubles -= 1
            raise RefusedError("not now")
        assert order.carrier_order_number is not None
        self.held[order.carrier_order_number] = False
        return Cancellation(refund_status="confirmed", amount=self.price)

    def _label(self, order: Order) -> list[LabelFile]:
        behaviour = self.behaviour
        if behaviour.no_label > 0:
            behaviour.no_label -= 1
            raise LabelPendingError("1115")
        content = behaviour.labels.pop(0) if behaviour.labels else PDF
        return [
            LabelFile(reference=parcel.reference, format="pdf", content=content) for parcel in order.parcels
        ]


class World:
    """Everything, ready to take an order. Make it with `a_world`."""

    def __init__(
        self,
        dynamodb: Any,
        table_name: str,
        patch: pytest.MonkeyPatch,
        *,
        carrier: Callable[["World"], Carrier] | None = None,
        death: str = "Lambda.Unknown",
        swallows: bool = True,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.faults = Faults()
        self.settings = Settings(ENVIRONMENT | (environment or {}))
        self.table = Table(dynamodb, table_name)
        self.sqs, self.events, self.s3 = FakeSqs(self.clock), FakeEvents(), FakeS3()
        self.secrets = FakeSecrets()
        self.fake = FakeCarrier(self)
        self.carrier: Carrier = carrier(self) if carrier else self.fake
        self.sweep_seconds = SWEEP_SECONDS
        self.account_troubles = 0
        """How often the carrier account cannot be read."""
        self.answers: list[dict[str, Any]] = []
        self.ended: list[Execution] = []
        self._dynamodb = dynamodb
        self._table_name = table_name
        self._images: dict[tuple[str, str], dict[str, Any]] = {}
        self._sequence = count(1)
        self.machine = StepFunctions(
            definition(),
            {name: self._function(name) for name in STATES},
            self.clock,
            on_end=self._execution_ended,
            death=death,
            swallows=swallows,
        )
        self._wire(patch)
        self.sqs.workers["https://sqs.test/inbox"] = self._function("process_webhook")
        self.sqs.workers["https://sqs.test/labels"] = self._function("label_order")
        self.sqs.workers["https://sqs.test/retry-lso"] = self._function("retry_order")
        self.sqs.most_receives["https://sqs.test/inbox"] = 5

    # Doing

    def place(self, reference: str = "R-1", **facts: Any) -> Order:
        """Store an order and start its workflow, as create_order does."""
        at = self.clock.now
        order = an_order(reference=reference, at=at, watch_at=at + self.settings.watch_margin, **facts)
        self.table.tenant(order.tenant).orders.add(order, an_event(at=at))
        self.start(order)
        return order

    def start(self, order: Order) -> None:
        names = msgspec.json.encode({"tenant": order.tenant, "order_id": order.id}).decode()
        self.machine.start_execution(stateMachineArn=MACHINE, name=order.id, input=names)

    def settle(self, order: Order, *, hours: float = 30) -> Order:
        """Let time pass until the order is settled and nothing is under way; the order as it then is."""
        self.start_sweeping()
        self.clock.run(until=lambda: self._settled(order), hours=hours)
        self.stream()
        return self.read(order)

    def start_sweeping(self) -> None:
        """Have the sweep run every so often from now on."""
        self.clock.after(self.sweep_seconds, self._sweep)

    def read(self, order: Order) -> Order:
        return self.table.tenant(order.tenant).orders.get(order.id)

    def call_back(self, url: str, body: bytes = b'{"code": 200, "data": {}}', *, attempt: int = 1) -> None:
        """The carrier delivers; without a 200 it comes again five minutes later, five times in all."""
        answer = self.deliver(url, body)
        if (answer is None or answer["statusCode"] != 200) and attempt < 5:
            self.clock.after(300, lambda: self.call_back(url, body, attempt=attempt + 1))

    def deliver(
        self, url: str, body: bytes = b"{}", headers: dict[str, str] | None = None
    ) -> dict[str, Any] | None:
        """One delivery to the address; the answer, None when our function died."""
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

    def stream(self) -> None:
        """Give the router what has changed in the table, as the stream does; it comes again on failure."""
        records = []
        for item in self.items():
            name = (item["pk"]["S"], item["sk"]["S"])
            if name[1] not in ("ORDER", "ENTRY") or self._images.get(name) == item:
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

    def forget_accounts(self) -> None:
        """A minute passes, after which carrier accounts are read anew."""
        for accounts in (self.accounts, self.trackers._accounts()):
            accounts._kept.clear()

    def items(self) -> list[dict[str, Any]]:
        """Everything in the table."""
        return all_items(self._dynamodb, self._table_name)

    # Judging

    def assert_promises(self, order: Order) -> None:
        """What must hold of an order however often a function has died."""
        order = self.read(order)
        orders = self.table.tenant(order.tenant).orders
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
        holder = orders.by_reference(order.carrier, order.account, order.reference)
        assert (holder is None) == order.status.final, "a final order frees its reference, no other does"
        assert len(self.fake.commits) <= 1, "bought twice"
        if order.status is OrderStatus.FAILED:
            assert not self.fake.money_held, "money is held for a failed order"
        assert not any(self.sqs.messages.get(f"{queue}-dead") for queue in self.sqs.workers)

    # Wiring

    def _wire(self, patch: pytest.MonkeyPatch) -> None:
        wrap = self.faults.wrap
        table = Table(wrap(self._dynamodb, "dynamodb"), self._table_name)
        sqs = wrap(self.sqs, "sqs")
        labels = LabelStore(wrap(self.s3, "s3"), "labels")  # type: ignore[arg-type]

        def carrier_of(*_: Any) -> Carrier:
            if self.account_troubles > 0:
                self.account_troubles -= 1
                raise RuntimeError("AccessDenied")
            return self.carrier

        carriers: Any = SimpleNamespace(of=carrier_of)

        def machine() -> Any:
            return wrap(self.machine, "states")

        queues = RetryQueues(sqs, self.settings)
        submitter = self.submitter = OrderSubmitter(
            table=table,
            carriers=carriers,
            settings=self.settings,
            retries=lambda: queues,
            clock=self.clock,
            roll=lambda: 0.999,
            workers=1,
        )
        fetcher = LabelFetcher(table=table, carriers=carriers, labels=lambda: labels, clock=self.clock)
        flow = OrderFlow(
            submitter=submitter,
            fetcher=fetcher,
            settings=self.settings,
            stepfunctions=machine,
            clock=self.clock,
            sleep=self.clock.sleep,
            roll=lambda: 0.999,
        )
        retrier = Retrier(
            table=table,
            settings=self.settings,
            fetcher=fetcher,
            sqs=sqs,
            submitter=submitter,
            deadline=Deadline(lambda: FUNCTION_SECONDS),
            clock=self.clock,
            roll=lambda: 0.999,
        )
        several = Batches(
            table=table,
            settings=self.settings,
            bodies=lambda: Bodies(wrap(self.s3, "s3"), "batches"),  # type: ignore[arg-type]
            queues=lambda: FanOut(sqs, self.settings),
            clock=self.clock,
        )
        labeller = LabelWorker(
            fetcher=fetcher,
            settings=self.settings,
            sqs=sqs,
            clock=self.clock,
            roll=lambda: 0.999,
        )
        router = stream_router.StreamRouter(
            sqs=sqs, events=wrap(self.events, "events"), settings=self.settings
        )
        secrets = wrap(self.secrets, "secrets")
        aws_clients.put("secretsmanager", secrets)
        self.accounts = accounts = Accounts(secrets, "parcelgate", allows_http=True)  # type: ignore[arg-type]
        self.trackers = carriers_over(table, self.settings, clock=self.clock)
        timelines = Timelines(table=table, sqs=sqs, settings=self.settings, clock=self.clock)
        runtime.use(
            label_worker=labeller,
            order_flow=flow,
            retrier=lambda deadline: retrier,
            stream_router=router,
            webhook_receiver=receive.WebhookReceiver(
                table=table, accounts=lambda: accounts, clock=self.clock
            ),
            webhook_processor=process.WebhookProcessor(
                table=table,
                carriers=self.trackers,
                timelines=timelines,
                stepfunctions=machine(),
                queues=queues,
                clock=self.clock,
            ),
            sweep=sweep.Sweep(
                table=table,
                submitter=submitter,
                batches=several,
                stepfunctions=machine(),
                sqs=sqs,
                queues=queues,
                settings=self.settings,
                clock=self.clock,
            ),
        )

    def _function(self, name: str) -> Callable[[dict[str, Any]], Any]:
        handler = import_module(f"functions.{name}.handler").handler

        def call(event: dict[str, Any]) -> Any:
            end = self.clock.now.timestamp() + FUNCTION_SECONDS

            def remaining() -> int:
                return int((end - self.clock.now.timestamp()) * 1000)

            context = SimpleNamespace(get_remaining_time_in_millis=remaining, aws_request_id="request")
            return handler(
                json.loads(json.dumps(event, default=_bytes)) if name != "route_changes" else event, context
            )

        return call

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
            left = records[records.index(again[0]) :]
            self.clock.after(1, lambda: self._route(left))

    def _execution_ended(self, execution: Execution) -> None:
        self.ended.append(execution)
        if execution.status == "SUCCEEDED":
            return
        detail = {"name": execution.name, "status": execution.status, "input": execution.input}
        self._backstop({"detail": detail}, attempts=3)

    def _backstop(self, event: dict[str, Any], *, attempts: int) -> None:
        try:
            self._function("close_order_flow")(event)
        except (Killed, Exception):
            if attempts > 1:
                self.clock.after(60, lambda: self._backstop(event, attempts=attempts - 1))

    def _settled(self, order: Order) -> bool:
        if any(execution.status == "RUNNING" for execution in self.machine.executions.values()):
            return False
        order = self.read(order)
        if order.status in (OrderStatus.ACCEPTED, OrderStatus.PROCESSING, OrderStatus.CANCELLING):
            return False
        return order.watch_at is None and not self.sqs.busy


def _bytes(value: Any) -> Any:
    raise TypeError(f"an event holds {type(value).__name__}")


@contextmanager
def worlds() -> Iterator[Callable[..., Any]]:
    """A maker of fresh worlds, all over one moto: each has a table of its own."""
    with aws(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Parcelgate")
        patch.setenv("POWERTOOLS_SERVICE_NAME", "test")
        dynamodb = FastDynamoDB(aws_clients.client("dynamodb"))
        numbers = count(1)

        def make(*, kind: Callable[..., World] = World, **how: Any) -> Any:
            name = f"{TABLE_NAME}-{next(numbers)}"
            create_table(dynamodb, name)
            return kind(dynamodb, name, patch, **how)

        yield make

"""Batches in this process: the real functions and adapters, moto's table, the carriers' sandbox over HTTP.

Time is a `FakeClock`, which the sandbox follows. Every outward call of our functions goes through one
`Faults`, so that the worker of a batch can die at any of them; messages come again, and the sweep runs.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import count
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from parcelgate import aws_clients
from parcelgate.carriers import registry
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.carriers.toolkit.transport import HttpTransport
from parcelgate.domain.batches import Batch, Progress, progress
from parcelgate.domain.clock import now
from parcelgate.domain.deadline import Deadline
from parcelgate.http.requests.batches import read_batch
from parcelgate.http.requests.reading import read_json
from parcelgate.runtime import runtime
from parcelgate.services.batches import batches
from parcelgate.services.batches.batches import BatchWorker, Bodies, FanOut, Reading
from parcelgate.services.operator import sweep
from parcelgate.services.orders.create import Intake
from parcelgate.services.orders.retries import Retrier
from parcelgate.services.orders.retry_queues import RetryQueues
from parcelgate.services.orders.submission import OrderSubmitter
from parcelgate.services.settings import Settings
from parcelgate.store.table import Table
from sandbox import Settings as SandboxSettings
from sandbox import serve
from tests.support.carriers import carriers_over
from tests.support.clock import FakeClock
from tests.support.fast_dynamodb import FastDynamoDB
from tests.support.faults import Faults, Killed
from tests.support.table import TABLE_NAME, all_items, aws, create_table
from tests.support.world import FakeSqs

TENANT = "acme"
LOGINS = {"ubi": {"token": "t-7", "secret": "made-up"}, "lso": {"app_id": "a-7", "app_secret": "made-up"}}
FUNCTION_SECONDS = 180.0
HIDDEN_SECONDS = 210.0
SWEEP_SECONDS = 300.0
FLOW = "arn:aws:states:eu-central-1:000000000000:stateMachine:order-flow"


class FakeS3:
    """The bucket of bodies."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803
        assert ContentType == "application/json"
        self.objects[f"{Bucket}/{Key}"] = Body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        found = self.objects[f"{Bucket}/{Key}"]
        return {"Body": SimpleNamespace(read=lambda: found)}


class FakeStates:
    """The workflow: remembers what was started."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:  # noqa: N803
        assert stateMachineArn == FLOW
        names = json.loads(input)
        assert set(names) == {"tenant", "order_id", "correlation_id"}
        assert (names["tenant"], names["order_id"]) == (TENANT, name)
        self.started.append(name)


class Depot:
    """Everything that works batches off. Make it with `depots`."""

    def __init__(self, dynamodb: Any, table_name: str, sandbox_url: str, patch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock(now())
        self.faults = Faults()
        self.sqs, self.s3, self.states = FakeSqs(self.clock), FakeS3(), FakeStates()
        self.function_seconds = FUNCTION_SECONDS
        self.control = httpx.Client(base_url=f"{sandbox_url}/_sandbox", trust_env=False)
        self.requests: Counter[str] = Counter()
        """Calls to carriers, by carrier and call."""
        self._url = sandbox_url
        self._dynamodb, self._table_name = dynamodb, table_name
        self._table = Table(dynamodb, table_name)
        self._ahead = 0.0
        self.settings = Settings(
            {
                "PARCELGATE_TABLE": table_name,
                "PARCELGATE_BATCH_BUCKET": "bodies",
                "PARCELGATE_ORDER_FLOW_ARN": FLOW,
                **{
                    f"PARCELGATE_{name}": json.dumps({one: f"https://sqs.test/{kind}-{one}" for one in names})
                    for names in [registry.names()]
                    for name, kind in (
                        ("BATCH_QUEUE_URLS", "batch"),
                        ("RETRY_QUEUE_URLS", "retry"),
                        ("RETRY_DEAD_LETTER_URLS", "dead"),
                    )
                },
            }
        )
        self._wire(patch)
        self.clock.after(SWEEP_SECONDS, self._sweep)

    # Doing

    def submit(self, entries: list[Any]) -> Batch:
        """Give a batch in, as create_batch does."""
        raw = json.dumps({"orders": entries}).encode()
        lines = read_batch(read_json(raw, "application/json", most=len(raw)), carriers=registry.names())
        return self.batches.create(TENANT, lines, raw)

    def work(self, *, until: Callable[[], bool] = lambda: False, hours: float = 24) -> None:
        """Let time pass."""
        self.clock.run(until=until, hours=hours)

    def settle(self, batch: Batch) -> Progress:
        """Let time pass until the batch is finished and nothing of it lies in a queue."""
        self.work(until=lambda: self.progress(batch).finished and not self.sqs.busy)
        return self.progress(batch)

    # Looking

    def progress(self, batch: Batch) -> Progress:
        return progress(*self._table.tenant(TENANT).batches.read(batch.id))

    def bought(self, carrier: str = "ubi") -> Counter[str]:
        """The carrier's living orders, by reference."""
        entries = self.control.get("/ledger").json()[carrier]["orders"]
        return Counter(entry["reference"] for entry in entries if not entry["refunded"])

    def items(self, kind: str) -> list[dict[str, Any]]:
        items = all_items(self._dynamodb, self._table_name)
        return [item for item in items if item.get("type") == {"S": kind}]

    # Wiring

    def _wire(self, patch: pytest.MonkeyPatch) -> None:
        wrap = self.faults.wrap
        table = Table(wrap(self._dynamodb, "dynamodb"), self._table_name)
        sqs = wrap(self.sqs, "sqs")
        bodies = Bodies(wrap(self.s3, "s3"), "bodies")  # type: ignore[arg-type]
        queues = FanOut(sqs, self.settings)  # type: ignore[arg-type]
        retry_queues = RetryQueues(sqs, self.settings)  # type: ignore[arg-type]
        carriers = carriers_over(
            table, self.settings, transport=self._transport, clock=self.clock, sleep=self.clock.sleep
        )
        self.batches = batches.Batches(
            table=table,
            settings=self.settings,
            bodies=lambda: bodies,
            queues=lambda: queues,
            clock=self.clock,
        )
        submitter = OrderSubmitter(
            table=table,
            carriers=carriers,
            settings=self.settings,
            retries=lambda: retry_queues,
            clock=self.clock,
            roll=lambda: 0.999,
            workers=1,
        )
        intake = Intake(
            table=table,
            carriers=carriers,
            settings=self.settings,
            stepfunctions=lambda: wrap(self.states, "states"),  # type: ignore[arg-type, return-value]
            submitter=lambda: submitter,
            clock=self.clock,
        )

        def worker(reading: Reading) -> BatchWorker:
            return BatchWorker(
                intake=intake,
                submitter=submitter,
                bodies=bodies,
                queues=queues,
                reading=reading,
                clock=self.clock,
            )

        def retrier(deadline: Deadline) -> Retrier:
            return Retrier(
                table=table,
                settings=self.settings,
                fetcher=None,  # type: ignore[arg-type]
                sqs=sqs,  # type: ignore[arg-type]
                submitter=submitter,
                deadline=deadline,
                clock=self.clock,
                roll=lambda: 0.999,
            )

        several = self.batches
        runtime.use(
            batch_worker=worker,
            retrier=retrier,
            sweep=sweep.Sweep(
                table=table,
                submitter=submitter,
                batches=several,
                stepfunctions=wrap(self.states, "states"),  # type: ignore[arg-type]
                sqs=sqs,  # type: ignore[arg-type]
                queues=retry_queues,
                settings=self.settings,
                clock=self.clock,
            ),
        )
        for carrier in registry.names():
            self.sqs.workers[f"https://sqs.test/batch-{carrier}"] = self._function("work_batch")
            self.sqs.hidden[f"https://sqs.test/batch-{carrier}"] = HIDDEN_SECONDS
            self.sqs.workers[f"https://sqs.test/retry-{carrier}"] = self._function("retry_order")

    def _transport(self, deadline: Deadline | None) -> Any:
        http = HttpTransport(deadline)

        def send(request: Request) -> Response:
            self._keep_time()
            self.requests[request.call] += 1
            return http.send(request)

        return self.faults.wrap(SimpleNamespace(send=send), "carrier")

    def _keep_time(self) -> None:
        """Move the sandbox's clock to where ours is."""
        behind = (self.clock.now - now()).total_seconds() - self._ahead
        if behind > 30:
            self.control.post("/advance", json={"seconds": behind}).raise_for_status()
            self._ahead += behind

    def _function(self, name: str) -> Callable[[dict[str, Any]], Any]:
        handler = import_module(f"functions.{name}.handler").handler

        def call(event: dict[str, Any]) -> Any:
            end = self.clock.now.timestamp() + self.function_seconds

            def remaining() -> int:
                return int((end - self.clock.now.timestamp()) * 1000)

            context = SimpleNamespace(get_remaining_time_in_millis=remaining, aws_request_id="request")
            return handler(json.loads(json.dumps(event)), context)

        return call

    def _sweep(self) -> None:
        with suppress(Killed):
            self._function("sweep")({})
        self.clock.after(SWEEP_SECONDS, self._sweep)


@contextmanager
def depots() -> Iterator[Callable[[], Depot]]:
    """A maker of fresh depots, all over one moto and one sandbox, whose books are empty for each."""
    settings = SandboxSettings(accounts={name: {"default": login} for name, login in LOGINS.items()})
    with serve(settings) as url, aws(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Parcelgate")
        patch.setenv("POWERTOOLS_SERVICE_NAME", "test")
        secrets = aws_clients.client("secretsmanager")
        for name, login in LOGINS.items():
            text = json.dumps({"base_url": f"{url}/{name}", "credentials": login})
            secrets.create_secret(Name=f"parcelgate/{TENANT}/{name}/default", SecretString=text)
        dynamodb = FastDynamoDB(aws_clients.client("dynamodb"))
        numbers = count(1)

        def make() -> Depot:
            httpx.post(f"{url}/_sandbox/reset", trust_env=False).raise_for_status()
            name = f"{TABLE_NAME}-{next(numbers)}"
            create_table(dynamodb, name)
            return Depot(dynamodb, name, url, patch)

        yield make

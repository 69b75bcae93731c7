"""The memory of one process over ten thousand invocations of the functions that work most.

The real handlers, adapters and HTTP transport, in one process, over fakes of AWS and a sandbox beside it.
What the fakes have stored is forgotten every few rounds, so that what grows is ours.
`python -m tests.load.memory` measures.
"""

import gc
import json
import logging
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.model_instances import reset_model_data
from moto.dynamodb.models import dynamodb_backends

from local import arguments
from parcelgate.domain.clock import rfc3339
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.observability.logs import log
from tests.support.api import TENANT, api_event
from tests.support.bodies import ubi_body
from tests.support.orders import an_event, an_order
from tests.support.sandbox import sandbox_process
from tests.support.table import REGION
from tests.support.webhooks import address, confirmed, route, sealed, signed
from tests.support.world import World, events_name, worlds

MARKS = (2_000, 4_000, 6_000, 8_000, 10_000)
"""Invocations after which the memory is read."""
FLAT = 0.02
"""The share by which it may differ between the first mark and the last."""
FORGOTTEN_EVERY = 10
"""Rounds."""
ACCOUNT, REFERENCE, NUMBER = "hooks", "H-1", "FHE1"
"""Of the parcel of which a carrier sends webhooks."""


class Memory(NamedTuple):
    """The resident memory in bytes at each mark, and how often each function was called."""

    resident: dict[int, int]
    calls: dict[str, int]

    @property
    def growth(self) -> float:
        """By which share it grew from the first mark to the last."""
        first, *_, last = self.resident.values()
        return last / first - 1

    @property
    def is_flat(self) -> bool:
        """Whether it hardly grew."""
        return self.growth <= FLAT

    def table(self) -> str:
        """What is written into the documents."""
        heads = " | ".join(f"{mark:,}" for mark in self.resident)
        values = " | ".join(f"{size / 1e6:.1f}" for size in self.resident.values())
        functions = ", ".join(f"`{name}` {number:,}" for name, number in sorted(self.calls.items()))
        return (
            f"| invocations of one process | {heads} |\n|---|{'---|' * len(self.resident)}\n"
            f"| resident memory, MB | {values} |\n\nThe invocations: {functions}."
        )


class Long(World):
    """A world that forgets what it has stored, and counts the invocations of its functions."""

    def __init__(self, *parts: Any, **how: Any) -> None:
        self.called: Counter[str] = Counter()
        super().__init__(*parts, **how)
        self._rounds = count(1)
        self.url = address(self, "lme", account=ACCOUNT)
        body = {"url": "https://shop.test/hooks", "events": []}
        assert self._request(api_event("POST /v1/webhook-endpoints", body=body)).status == 201
        confirmed(self, self._ordered(), NUMBER)
        self._kept = {name: _copied(table.items) for name, table in self._tables()}
        self._known()

    def _function(self, name: str) -> Callable[[dict[str, Any]], Any]:
        function = super()._function(name)

        def call(event: dict[str, Any]) -> Any:
            self.called[name] += 1
            return function(event)

        return call

    def go_round(self) -> None:
        """Buy an order, fetch its label, ask about its parcel, hear of another by webhook, tell of it all."""
        number = next(self._rounds)
        reply = self.create_order(ubi_body(f"M-{number}"))
        assert reply.status == 201, reply.text
        self._finish()
        order_id = reply.json()["id"]
        assert self._request(api_event("GET /v1/orders/{id}/label", id=order_id)).status == 200
        self._hear()
        self._finish()
        for tracking_id in self.table.tenant(TENANT).orders.get(order_id).tracking_ids:
            self.table.tenant(TENANT).trackings.plan(tracking_id, self.clock.now)
        started = rfc3339(self.clock.now)
        self._function("poll_trackings")({"worker": 0, "workers": 1, "started_at": started})
        self.stream()
        self._finish()
        if number % FORGOTTEN_EVERY == 0:
            self.forget()

    def _hear(self) -> None:
        """Take the carrier's word about the parcel that there always is."""
        body = sealed(route(NUMBER, "collect_order", self.clock.now, reference=REFERENCE))
        answer = self.push(self.url, body, signed(body, datetime.now(UTC)))
        assert answer is not None
        assert answer["statusCode"] == 200

    def _ordered(self) -> Order:
        order = an_order(
            reference=REFERENCE, carrier="lme", account=ACCOUNT, at=self.clock.now,
            status=OrderStatus.PROCESSING, watch_at=None,
        )  # fmt: skip
        self.table.tenant(TENANT).orders.add(order, an_event(at=self.clock.now))
        return order

    def _known(self) -> None:
        """Let the stream be silent about what is in the table now."""
        self._images = {(item["pk"]["S"], item["sk"]["S"]): item for item in self.items()}

    def _finish(self) -> None:
        self.clock.run(until=lambda: not self.sqs.busy, hours=1)
        self.stream()

    def forget(self) -> None:
        """Forget all orders, and what the fakes remember of what they were asked."""
        for name, table in self._tables():
            table.items = _copied(self._kept[name])
            if table.stream_shard is not None:
                table.stream_shard.items.clear()
        for memory in (
            self.faults.calls, self.events.entries, self.s3.objects, self.s3.types, self.endpoints.received,
            self.answers, self.ended, self.sqs.messages, self.sqs._visible_after,
            self.machine.executions, self.clock._agenda,
        ):  # fmt: skip
            memory.clear()
        self._known()
        self.sandbox.reset()
        reset_model_data()

    def _tables(self) -> Iterator[tuple[str, Any]]:
        tables = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables
        for name in (self._table_name, events_name(self._table_name)):
            yield name, tables[name]


def _copied(items: Any) -> Any:
    return defaultdict(dict, {partition: dict(inside) for partition, inside in items.items()})


@contextmanager
def long_world() -> Iterator[Long]:
    """Make such a world, over a sandbox of its own, in a process of its own."""
    with sandbox_process() as sandbox, worlds(sandbox) as make:
        yield make(kind=Long)


@contextmanager
def measuring() -> Iterator[Callable[[], Memory]]:
    """Measure in a process of its own meanwhile; gives a function that waits for the result."""
    command = [sys.executable, "-m", "tests.load.memory"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:

        def result() -> Memory:
            told = json.loads(process.communicate()[0])
            return Memory({int(mark): size for mark, size in told["resident"].items()}, told["calls"])

        try:
            yield result
        finally:
            # Its sandbox too, which has no other end when the measurement is broken off.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def main() -> None:
    """Measure, and print what came of it as JSON."""
    os.environ["PARCELGATE_CARRIERS_OVER_HTTP"] = "yes"
    log.setLevel(logging.CRITICAL)
    resident: dict[int, int] = {}
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), long_world() as world:
        for mark in MARKS:
            while world.called.total() < mark:
                world.go_round()
            world.forget()
            gc.collect()
            resident[mark] = psutil.Process().memory_info().rss
        calls = dict(world.called)
    print(json.dumps({"resident": resident, "calls": calls}))


if __name__ == "__main__":
    arguments.none(__doc__)
    main()

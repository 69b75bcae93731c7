"""Working batches off: what goes together, what is handed on, and what becomes of what stands still."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from functions.work_batch import handler as work_batch
from infra.settings import settings_for
from parcelgate.carriers import registry
from parcelgate.carriers.lme.adapter import Adapter as Lme
from parcelgate.carriers.lso.adapter import Adapter as Lso
from parcelgate.carriers.ubi.adapter import Adapter as Ubi
from parcelgate.domain.batches import Batch, BatchLine
from parcelgate.domain.ids import fixed_id
from parcelgate.domain.orders import OrderStatus
from parcelgate.runtime import runtime
from parcelgate.services.batches.batches import BatchMessage, FanOut, messages, seconds_to_send
from parcelgate.services.settings import Settings
from tests.support.depot import Depot, depots
from tests.support.faults import aws_error
from tests.support.orders import NOON
from tests.unit.carriers.ubi.orders import body as ubi_body


@pytest.fixture(scope="module")
def new_depot() -> Iterator[Callable[[], Depot]]:
    with depots() as make:
        yield make


@pytest.fixture
def depot(new_depot: Callable[[], Depot]) -> Depot:
    return new_depot()


def of(*lines: BatchLine) -> Batch:
    return Batch(id="bat_1", tenant="acme", lines=lines, created_at=NOON)


def good(count: int, start: str = "R") -> list[Any]:
    return [ubi_body(reference=f"{start}-{n}") for n in range(count)]


class TestWhatGoesTogether:
    def test_every_entry_goes_once_and_only_with_its_own_account(self) -> None:
        lines = [
            BatchLine(carrier=carrier, account=account)
            for _ in range(40)
            for carrier in (*registry.names(), None)
            for account in ("default", "west")
        ]
        batch = of(*lines)
        made = messages(batch, range(len(lines)))
        assert sorted(n for message in made for n in message.entries) == [*range(len(lines))]
        for message in made:
            whose = {(lines[n].carrier or registry.names()[0], lines[n].account) for n in message.entries}
            assert len(whose) == 1
            assert message.carrier == next(iter(whose))[0]
            assert list(message.entries) == sorted(message.entries)

    @pytest.mark.parametrize(("carrier", "requests"), [("ubi", 1), ("lme", 30), ("lso", 30)])
    def test_as_many_as_the_carrier_takes_at_once(self, carrier: str, requests: int) -> None:
        assert len(messages(of(*[BatchLine(carrier=carrier)] * 300), range(300))) == requests

    @pytest.mark.parametrize(("code", "adapter"), [("ubi", Ubi), ("lme", Lme), ("lso", Lso)])
    def test_the_profile_says_what_the_adapter_says(self, code: str, adapter: type) -> None:
        assert registry.profile(code).create_batch == getattr(adapter, "create_batch", 1)


def test_an_id_is_fixed_by_what_it_names() -> None:
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    named = fixed_id("ord", at, "acme", "bat_1", 7)
    assert named == fixed_id("ord", at, "acme", "bat_1", 7)
    assert len({named, fixed_id("ord", at, "acme", "bat_1", 8), fixed_id("ord", at, "acme", "bat_17")}) == 3
    assert named < fixed_id("ord", at + timedelta(milliseconds=1), "acme", "bat_1", 0)


class TestSending:
    class Queue:
        def __init__(self, refusals: int) -> None:
            self.refusals = refusals
            self.taken: list[str] = []

        def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
            refused = Entries[-1:] if self.refusals > 0 else []
            self.refusals -= 1
            self.taken += [entry["MessageBody"] for entry in Entries if entry not in refused]
            return {"Failed": [{"Id": entry["Id"]} for entry in refused]}

    def fan_out(self, queue: Any) -> FanOut:
        return FanOut(queue, Settings({"PARCELGATE_BATCH_QUEUE_URLS": '{"lme": "https://sqs.test/lme"}'}))

    @pytest.mark.parametrize(("refusals", "all_sent"), [(0, True), (2, True), (3, False)])
    def test_what_the_queue_refuses_is_sent_again(self, refusals: int, all_sent: bool) -> None:
        queue = self.Queue(refusals)
        batch = of(*[BatchLine(carrier="lme")] * 25)
        assert self.fan_out(queue).send(batch, range(25)) is all_sent
        entries = [n for body in queue.taken for n in json.loads(body)["entries"]]
        assert (sorted(entries) == [*range(25)]) is all_sent
        assert len(set(entries)) == len(entries)


class TestTheWorker:
    @pytest.mark.parametrize("stage", ["production", "local"])
    def test_lives_long_enough_for_the_largest_request(self, stage: str) -> None:
        most = max(registry.profile(carrier).create_batch for carrier in registry.names())
        assert settings_for(stage).size("work_batch").timeout > 2 * seconds_to_send(most)

    def test_hands_on_what_it_has_no_time_for(self, depot: Depot) -> None:
        depot.function_seconds = 24.0
        slow(depot, 0.15)
        batch = depot.submit(good(40))

        far = depot.settle(batch)

        assert far.confirmed == 40
        assert depot.requests == {"ubi.orders": 1}
        assert depot.faults.names.count("sqs.send_message_batch") > 1

    def test_an_entry_that_makes_trouble_comes_again_alone(self, depot: Depot) -> None:
        given = good(5)
        batch = depot.submit(given)
        depot.faults.on("transact_write_items", aws_error("AccessDeniedException"))
        depot.sqs.hurry("https://sqs.test/batch-ubi")
        assert [row.status for row in depot.progress(batch).rows].count(OrderStatus.CONFIRMED) == 4

        far = depot.settle(batch)

        assert far.confirmed == 5
        assert set(depot.bought().values()) == {1}

    def test_an_entry_of_nothing_but_errors_is_told_in_a_few_words(self, depot: Depot) -> None:
        batch = depot.submit([{"x" * 500_000: 1, **{f"field-{n}": n for n in range(500)}}, *good(1)])

        far = depot.settle(batch)

        assert (far.failed, far.confirmed) == (1, 1)
        assert len(msgspec.json.encode(far.rows[0])) < 10_000

    def test_does_nothing_the_second_time(self, depot: Depot) -> None:
        batch = depot.submit(good(3))
        (message,) = depot.sqs.bodies("https://sqs.test/batch-ubi")
        depot.settle(batch)
        depot.sqs.send_message(QueueUrl="https://sqs.test/batch-ubi", MessageBody=message)
        before = len(depot.faults.calls)
        depot.settle(batch)
        depot.work(until=lambda: not depot.sqs.busy)
        assert depot.faults.names[before:] == ["dynamodb.query"]
        assert depot.requests == {"ubi.orders": 1}

    def test_a_message_that_cannot_be_read_goes_to_the_dead_letters(self, depot: Depot) -> None:
        queue = "https://sqs.test/batch-ubi"
        depot.sqs.most_receives[queue] = 5
        depot.sqs.send_message(QueueUrl=queue, MessageBody="{}")
        depot.sqs.send_message(QueueUrl=queue, MessageBody='{"tenant": "acme", "batch_id": "bat_x"}')
        depot.work(until=lambda: not depot.sqs.busy)
        assert len(depot.sqs.bodies(f"{queue}-dead")) == 2

    def test_a_sample_event_is_worked_off(self, depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[str] = []
        fake = SimpleNamespace(work=lambda body, remaining: seen.append(body))
        runtime.use(batch_worker=lambda reading: fake)
        event = json.loads(Path("events/work_batch.json").read_text())
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 1000, aws_request_id="r")
        assert work_batch.handler(event, context) == {"batchItemFailures": []}
        assert msgspec.json.decode(seen[0], type=BatchMessage).entries == (0, 1, 2)


class TestWhatStandsStill:
    def lost(self, depot: Depot) -> Batch:
        """A batch whose messages never came into a queue."""
        depot.faults.on("send_message_batch", aws_error("AccessDenied"))
        return depot.submit(good(4))

    def test_is_sent_on_by_the_sweep(self, depot: Depot) -> None:
        batch = self.lost(depot)
        assert not depot.sqs.busy
        assert depot.settle(batch).confirmed == 4
        assert depot.requests == {"ubi.orders": 1}

    def test_is_looked_after_until_every_entry_was_begun(self, depot: Depot) -> None:
        batch = self.lost(depot)
        depot.settle(batch)
        depot.work(hours=2)
        assert [item for item in depot.items("batch") if "due_at" in item] == []

    def test_is_given_up_after_twelve_hours_and_says_so(self, depot: Depot) -> None:
        depot.sqs.workers.clear()
        batch = depot.submit(good(2))
        depot.work(hours=13)

        far = depot.progress(batch)

        assert (far.failed, far.finished) == (2, True)
        assert {row.problem.code for row in far.rows if row.problem} == {"internal"}
        assert [item for item in depot.items("batch") if "due_at" in item] == []

    def test_what_was_given_up_is_not_bought_by_a_message_that_comes_late(self, depot: Depot) -> None:
        workers = dict(depot.sqs.workers)
        depot.sqs.workers.clear()
        batch = depot.submit(good(2))
        depot.work(hours=13)
        depot.sqs.workers |= workers
        depot.sqs.hurry("https://sqs.test/batch-ubi")
        assert depot.progress(batch).failed == 2
        assert not depot.bought()


def slow(depot: Depot, seconds: float) -> None:
    """Let every call to the table take so long."""
    really = depot.faults.make

    def make(call: Any, do: Callable[[], Any]) -> Any:
        if call.method == "transact_write_items":
            depot.clock.sleep(seconds)
        return really(call, do)

    depot.faults.make = make  # type: ignore[method-assign]

"""Working batches off: what goes together, what is handed on, and what becomes of what stands still."""

import json
from collections.abc import Callable
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
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.runtime import runtime
from parcelgate.services.batches.batches import BatchMessage, FanOut, messages, seconds_to_send
from parcelgate.services.orders.create import Draft, Intake
from parcelgate.services.settings import Settings
from parcelgate.store.errors import ItemTooLargeError
from tests.support.faults import aws_error
from tests.support.orders import NOON
from tests.support.world import World
from tests.unit.carriers.ubi.orders import body as ubi_body


@pytest.fixture
def world(sandbox_world: World) -> World:
    return sandbox_world


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

    def test_hands_on_what_it_has_no_time_for(self, world: World) -> None:
        world.function_seconds["work_batch"] = 24.0
        slow(world, 0.15)
        batch = world.create_batch(good(40))

        far = world.finish_batch(batch)

        assert far.confirmed == 40
        assert world.carrier_calls == ["ubi.orders"]
        assert world.faults.names.count("sqs.send_message_batch") > 1

    def test_an_entry_that_makes_trouble_comes_again_alone(self, world: World) -> None:
        given = good(5)
        batch = world.create_batch(given)
        world.faults.on("transact_write_items", aws_error("AccessDeniedException"))
        world.sqs.deliver_now("https://sqs.test/batch-ubi")
        assert [row.status for row in world.batch_progress(batch).rows].count(OrderStatus.CONFIRMED) == 4

        far = world.finish_batch(batch)

        assert far.confirmed == 5
        assert set(world.sandbox.living("ubi").values()) == {1}

    @pytest.mark.parametrize("error", [OverflowError("s3cret"), ItemTooLargeError("too large")])
    def test_an_entry_that_would_fail_again_is_given_up_at_once(
        self, error: Exception, world: World, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
    ) -> None:
        really = Intake.accept

        def accept(intake: Intake, draft: Draft, claim: Any = None) -> Order:
            if draft.order is not None and draft.order.reference == "R-2":
                raise error
            return really(intake, draft, claim)

        monkeypatch.setattr(Intake, "accept", accept)
        batch = world.create_batch(good(5))

        world.sqs.deliver_now("https://sqs.test/batch-ubi")

        far = world.batch_progress(batch)
        assert (far.confirmed, far.failed, far.finished) == (4, 1, True)
        assert [row.problem and row.problem.code for row in far.rows] == [None, None, "internal", None, None]
        assert not world.sqs.busy
        assert "s3cret" not in logged()

    def test_an_entry_of_nothing_but_errors_is_told_in_a_few_words(self, world: World) -> None:
        batch = world.create_batch([{"x" * 500_000: 1, **{f"field-{n}": n for n in range(500)}}, *good(1)])

        far = world.finish_batch(batch)

        assert (far.failed, far.confirmed) == (1, 1)
        assert len(msgspec.json.encode(far.rows[0])) < 10_000

    def test_does_nothing_the_second_time(self, world: World) -> None:
        batch = world.create_batch(good(3))
        (message,) = world.sqs.bodies("https://sqs.test/batch-ubi")
        world.finish_batch(batch)
        world.sqs.send_message(QueueUrl="https://sqs.test/batch-ubi", MessageBody=message)
        before = len(world.faults.calls)
        world.finish_batch(batch)
        world.pass_time(until=lambda: not world.sqs.busy)
        place_taken = place_given_back = "dynamodb.update_item"
        assert world.faults.names[before:] == [place_taken, "dynamodb.query", place_given_back]
        assert world.carrier_calls == ["ubi.orders"]

    def test_a_message_that_cannot_be_read_goes_to_the_dead_letters(self, world: World) -> None:
        queue = "https://sqs.test/batch-ubi"
        world.sqs.most_receives[queue] = 5
        world.sqs.send_message(QueueUrl=queue, MessageBody="{}")
        world.sqs.send_message(QueueUrl=queue, MessageBody='{"tenant": "acme", "batch_id": "bat_x"}')
        world.pass_time(until=lambda: not world.sqs.busy)
        assert len(world.sqs.bodies(f"{queue}-dead")) == 2

    def test_a_sample_event_is_worked_off(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[str] = []
        fake = SimpleNamespace(work=lambda body, remaining: seen.append(body))
        runtime.use(batch_worker=lambda reading: fake)
        event = json.loads(Path("events/work_batch.json").read_text())
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 1000, aws_request_id="r")
        assert work_batch.handler(event, context) == {"batchItemFailures": []}
        assert msgspec.json.decode(seen[0], type=BatchMessage).entries == (0, 1, 2)


class TestWhatStandsStill:
    def lost(self, world: World) -> Batch:
        """A batch whose messages never came into a queue."""
        world.faults.on("send_message_batch", aws_error("AccessDenied"))
        return world.create_batch(good(4))

    def test_is_sent_on_by_the_sweep(self, world: World) -> None:
        batch = self.lost(world)
        assert not world.sqs.busy
        assert world.finish_batch(batch).confirmed == 4
        assert world.carrier_calls == ["ubi.orders"]

    def test_is_looked_after_until_every_entry_was_begun(self, world: World) -> None:
        batch = self.lost(world)
        world.finish_batch(batch)
        world.pass_time(hours=2)
        assert [item for item in world.items("batch") if "due_at" in item] == []

    def test_is_given_up_after_twelve_hours_and_says_so(self, world: World) -> None:
        world.sqs.workers.clear()
        batch = world.create_batch(good(2))
        world.pass_time(hours=13)

        far = world.batch_progress(batch)

        assert (far.failed, far.finished) == (2, True)
        assert {row.problem.code for row in far.rows if row.problem} == {"internal"}
        assert [item for item in world.items("batch") if "due_at" in item] == []

    def test_what_was_given_up_is_not_bought_by_a_message_that_comes_late(self, world: World) -> None:
        workers = dict(world.sqs.workers)
        world.sqs.workers.clear()
        batch = world.create_batch(good(2))
        world.pass_time(hours=13)
        world.sqs.workers |= workers
        world.sqs.deliver_now("https://sqs.test/batch-ubi")
        assert world.batch_progress(batch).failed == 2
        assert not world.sandbox.living("ubi")


def slow(world: World, seconds: float) -> None:
    """Let every call to the table take so long."""
    really = world.faults.make

    def make(call: Any, do: Callable[[], Any]) -> Any:
        if call.method == "transact_write_items":
            world.clock.sleep(seconds)
        return really(call, do)

    world.faults.make = make  # type: ignore[method-assign]

"""Batches against the sandbox: each entry ends well by itself, and nothing is bought twice."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from parcelgate.domain.batches import Batch, Progress
from tests.support.api import TENANT
from tests.support.api import order_body as lso_body
from tests.support.faults import Faults, Killed, at_every_call, die
from tests.support.world import World
from tests.unit.carriers.ubi.orders import body as ubi_body
from tests.unit.carriers.ubi.orders import parcel

BAD: list[Any] = [
    ubi_body(reference="bad-0", carrier="nobody"),
    ubi_body(reference="bad-1", account="unknown"),
    ubi_body(reference="bad-2", parcels=[]),
    ubi_body(reference="bad-3", colour="red"),
    ubi_body(reference="bad-4", parcels=[parcel(weight={"value": -1, "unit": "kg"})]),
    {"carrier": "ubi", "reference": "bad-5"},
    {},
    "not an object",
    ubi_body(reference="SBX-REJECT-8"),
    ubi_body(reference="good-0", metadata={"the": "second"}),
]
"""Each of them wrong in its own way; the last has the reference of another entry."""
POINTERS = {
    0: "/carrier",
    1: "/account",
    2: "/parcels",
    3: "/colour",
    4: "/parcels/0/weight/value",
    5: "/ship_to",
    6: "/carrier",
    7: "",
    8: "/service",
}


@pytest.fixture
def world(sandbox_world: World) -> World:
    return sandbox_world


def entries(count: int) -> list[Any]:
    """Good entries with the bad ones among them, never before the entry they collide with."""
    good = [ubi_body(reference=f"good-{n}") for n in range(count - len(BAD))]
    step = max(1, len(good) // len(BAD))
    for place, bad in enumerate(BAD):
        good.insert((place + 1) * step + place, bad)
    return good


def judge(world: World, given: list[Any], far: Progress) -> None:
    """All that must hold of a batch that is over, whatever happened to its workers."""
    good = [entry["reference"] for entry in given if entry not in BAD]
    assert far.finished
    assert (far.confirmed, far.failed, far.needs_attention) == (len(good), len(BAD), 0)
    assert world.sandbox.living("ubi") == Counter(good), "each once, and no other"
    for row, entry in zip(far.rows, given, strict=True):
        if entry not in BAD:
            assert (row.status, row.problem) == ("confirmed", None)
            assert row.reference == entry["reference"]
            continue
        assert row.status == "failed"
        assert row.problem is not None
        place = BAD.index(entry)
        if place in POINTERS:
            assert POINTERS[place] in {error.pointer for error in row.problem.errors}
        else:
            assert row.problem.code == "reference_in_use"
            assert row.about == far.rows[0].order_id
    ids = [row.order_id for row in far.rows if row.order_id]
    assert len(set(ids)) == len(ids) == len(world.items("order"))


def test_three_hundred_orders_with_ten_bad_ones(world: World) -> None:
    given = entries(300)
    batch = world.create_batch(given)

    far = world.finish_batch(batch)

    judge(world, given, far)
    assert far.confirmed == 290
    assert world.carrier_calls == ["ubi.orders"], "all in one request"


def test_three_hundred_orders_whose_worker_dies_half_way(world: World) -> None:
    given = entries(300)
    batch = world.create_batch(given)
    world.faults.at(len(world.faults.calls) + 150, die())

    far = world.finish_batch(batch)

    judge(world, given, far)
    assert world.carrier_calls == ["ubi.orders"], "nothing had been sent before"


@pytest.mark.parametrize("share", [0.4, 0.6, 0.8, 0.95])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_thirty_orders_whose_worker_dies_half_way(
    new_sandbox_world: Callable[[], World], share: float, after: bool
) -> None:
    """While it stores them, marks them, and stores what came of them."""
    given = entries(30)
    submitted, settled = calls_of(new_sandbox_world, 30)
    world = new_sandbox_world()
    world.faults.at(int(submitted + (settled - submitted) * share), die(after=after))

    far = world.finish_batch(world.create_batch(given))

    judge(world, given, far)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_thirty_orders_whose_worker_dies_in_the_midst_of_the_request(world: World, after: bool) -> None:
    given = entries(30)
    world.faults.on("send", die(after=after), target="carrier")

    far = world.finish_batch(world.create_batch(given))

    judge(world, given, far)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_dying_at_any_call_buys_nothing_twice_and_forgets_nothing(
    new_sandbox_world: Callable[[], World], after: bool
) -> None:
    """From the answer to the client on, every outward call is a place to die."""
    given = entries(13)
    submitted, settled = calls_of(new_sandbox_world, 13)
    for n in range(submitted + 1, settled + 1):
        world = new_sandbox_world()
        world.faults.at(n, die(after=after))
        far = world.finish_batch(world.create_batch(given))
        judge(world, given, far)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_dying_before_the_client_is_answered_leaves_a_whole_batch_or_none(
    new_sandbox_world: Callable[[], World], after: bool
) -> None:
    """A batch that was stored is worked on, although nothing of it lies in a queue and no client knows it."""
    given = entries(13)
    stored = []

    def story(n: int) -> Faults:
        world = new_sandbox_world()
        world.sandbox.reset()
        world.faults.at(n, die(after=after))
        with suppress(Killed):
            world.create_batch(given)
            return world.faults
        batches = [msgspec.json.decode(item["doc"]["S"], type=Batch) for item in world.items("batch")]
        for batch in batches:
            judge(world, given, world.finish_batch(batch))
        stored.append(len(batches))
        return world.faults

    at_every_call(story, least=3)

    assert stored == sorted(stored)
    assert set(stored) == {0, 1}


def calls_of(new_sandbox_world: Callable[[], World], count: int) -> tuple[int, int]:
    """How many outward calls there are until a batch is taken, and until it is over."""
    world = new_sandbox_world()
    batch = world.create_batch(entries(count))
    submitted = len(world.faults.calls)
    world.finish_batch(batch)
    return submitted, len(world.faults.calls)


def test_orders_with_a_workflow_are_started_and_each_goes_its_own_way(world: World) -> None:
    given = [lso_body(f"lso-{n}") for n in range(25)] + [ubi_body(reference="ubi-1")]
    batch = world.create_batch(given)
    world.pass_time(until=lambda: not world.sqs.busy)

    far = world.batch_progress(batch)

    started = world.machine.executions
    assert sorted(started) == sorted(row.order_id or "" for row in far.rows[:25])
    for order_id, execution in started.items():
        names = json.loads(execution.input)
        assert names.keys() == {"tenant", "order_id", "correlation_id"}
        assert (names["tenant"], names["order_id"]) == (TENANT, order_id)
    assert (far.confirmed, far.processing) == (1, 25)

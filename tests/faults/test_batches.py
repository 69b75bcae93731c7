"""Batches against the carrier's stand-in: each entry ends well by itself, and nothing is bought twice."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from parcelgate.domain.batches import Progress
from tests.support.api import order_body as lso_body
from tests.support.depot import Depot, depots
from tests.support.faults import die
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


@pytest.fixture(scope="module")
def new_depot() -> Iterator[Callable[[], Depot]]:
    with depots() as make:
        yield make


@pytest.fixture
def depot(new_depot: Callable[[], Depot]) -> Depot:
    return new_depot()


def entries(count: int) -> list[Any]:
    """Good entries with the bad ones among them, never before the entry they collide with."""
    good = [ubi_body(reference=f"good-{n}") for n in range(count - len(BAD))]
    step = max(1, len(good) // len(BAD))
    for place, bad in enumerate(BAD):
        good.insert((place + 1) * step + place, bad)
    return good


def judge(depot: Depot, given: list[Any], far: Progress) -> None:
    """All that must hold of a batch that is over, whatever happened to its workers."""
    good = [entry["reference"] for entry in given if entry not in BAD]
    assert far.finished
    assert (far.confirmed, far.failed, far.needs_attention) == (len(good), len(BAD), 0)
    assert depot.bought() == Counter(good), "each once, and no other"
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
    assert len(set(ids)) == len(ids) == len(depot.items("order"))


def test_three_hundred_orders_with_ten_bad_ones(depot: Depot) -> None:
    given = entries(300)
    batch = depot.submit(given)

    far = depot.settle(batch)

    judge(depot, given, far)
    assert far.confirmed == 290
    assert depot.requests == {"ubi.orders": 1}, "all in one request"


def test_three_hundred_orders_whose_worker_dies_half_way(depot: Depot) -> None:
    given = entries(300)
    batch = depot.submit(given)
    depot.faults.at(len(depot.faults.calls) + 150, die())

    far = depot.settle(batch)

    judge(depot, given, far)
    assert depot.requests == {"ubi.orders": 1}, "nothing had been sent before"


@pytest.mark.parametrize("share", [0.4, 0.6, 0.8, 0.95])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_thirty_orders_whose_worker_dies_half_way(
    new_depot: Callable[[], Depot], share: float, after: bool
) -> None:
    """While it stores them, marks them, and stores what came of them."""
    given = entries(30)
    submitted, settled = calls_of(new_depot, 30)
    depot = new_depot()
    depot.faults.at(int(submitted + (settled - submitted) * share), die(after=after))

    far = depot.settle(depot.submit(given))

    judge(depot, given, far)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_thirty_orders_whose_worker_dies_in_the_midst_of_the_request(depot: Depot, after: bool) -> None:
    given = entries(30)
    depot.faults.on("send", die(after=after), target="carrier")

    far = depot.settle(depot.submit(given))

    judge(depot, given, far)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_dying_at_any_call_buys_nothing_twice_and_forgets_nothing(
    new_depot: Callable[[], Depot], after: bool
) -> None:
    """From the answer to the client on, every outward call is a place to die."""
    given = entries(13)
    submitted, settled = calls_of(new_depot, 13)
    for n in range(submitted + 1, settled + 1):
        depot = new_depot()
        depot.faults.at(n, die(after=after))
        far = depot.settle(depot.submit(given))
        judge(depot, given, far)


def calls_of(new_depot: Callable[[], Depot], count: int) -> tuple[int, int]:
    """How many outward calls there are until a batch is taken, and until it is over."""
    depot = new_depot()
    batch = depot.submit(entries(count))
    submitted = len(depot.faults.calls)
    depot.settle(batch)
    return submitted, len(depot.faults.calls)


def test_orders_with_a_workflow_are_started_and_each_goes_its_own_way(depot: Depot) -> None:
    given = [lso_body(f"lso-{n}") for n in range(25)] + [ubi_body(reference="ubi-1")]
    batch = depot.submit(given)
    depot.work(until=lambda: not depot.sqs.busy)

    far = depot.progress(batch)

    assert sorted(depot.states.started) == sorted(row.order_id or "" for row in far.rows[:25])
    assert (far.confirmed, far.processing) == (1, 25)

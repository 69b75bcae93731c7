"""The harness of `make load`: what it buys, and what it writes."""

import gc
import logging
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from parcelgate.domain.orders import OrderStatus
from parcelgate.observability.logs import log
from tests.faults.stack.trials import Merchant, Trial
from tests.load.books import Account, _all_there
from tests.load.desk import Desk, Meter
from tests.load.memory import Memory, long_world
from tests.load.plan import CARRIERS, Batch, Follow, planned
from tests.load.report import _percentiles, report
from tests.support.orders import an_order


class Meant:
    """A merchant's work, as far as the tables are made of it."""

    redriven = 0

    def __init__(self, meter: Meter) -> None:
        self.desk = SimpleNamespace(meter=meter)


ROUNDS = 5
"""What each round leaves behind, be it a single object, shows."""


def test_a_desk_is_that_of_the_trial_s_merchant() -> None:
    ground = cast(Any, SimpleNamespace(stack=SimpleNamespace(api_url="http://api.test")))
    trial = Trial(ground, "load-x", ("ubi",), "pg_key_secret", Merchant())
    desk = Desk.of(trial)
    assert (desk.marks, desk.carriers, desk.merchant) == (["load-x", "key"], ("ubi",), trial.merchant)
    assert desk.http.headers["authorization"] == "Bearer pg_key_secret"


@pytest.mark.parametrize("count", [40, 200, 5000])
def test_a_plan_has_as_many_orders_as_are_asked_for_over_all_carriers(count: int) -> None:
    plan = planned(count, seed=1)
    assert len(plan.orders) == count
    assert set(plan.orders.values()) == set(CARRIERS)
    assert all(1 <= len(job.bodies) <= 300 for job in plan.jobs if isinstance(job, Batch))
    assert sum(len(job.entries) for job in plan.jobs if isinstance(job, Follow)) == len(set(plan.numbers))
    assert plan.jobs == planned(count, seed=1).jobs != planned(count, seed=2).jobs
    first_other = next(place for place, job in enumerate(plan.jobs) if not isinstance(job, Batch))
    assert not any(isinstance(job, Batch) for job in plan.jobs[first_other:])


def test_percentiles_are_those_of_the_answers() -> None:
    assert _percentiles([n / 100 for n in range(101)]) == "0.50 | 0.90 | 0.99"
    assert _percentiles([0.5]) == "0.50 | 0.50 | 0.50"


def test_the_tables_say_how_orders_ended_what_was_answered_and_what_went_wrong() -> None:
    meter = Meter()
    for status, seconds, code in (
        (201, 0.2, ""),
        (201, 0.4, ""),
        (503, 9.0, "carrier_unavailable"),
        (0, 9.0, ""),
    ):
        meter.note("POST /v1/orders", status, seconds, code)
    ended = [("ubi", OrderStatus.CONFIRMED), ("ubi", OrderStatus.CANCELLED), ("lso", OrderStatus.FAILED)]
    account = Account(
        orders=[an_order(carrier=carrier, status=status) for carrier, status in ended],
        events=5,
        heard=6,
        wrong=["order.failed evt_1 was never heard", "L1: it was bought 2 times"],
    )
    faults = {"made": {"sqs": 40, "lso": 10}, "spoilt": {"sqs throttle": 2, "lso html": 1}}
    told = report(
        "make load", planned(40, 1), cast(Any, Meant(meter)), account, faults, {"of work": 2.0}, None
    )
    for line in (
        "| confirmed | 0 | 1 | 0 | 1 |",
        "| all | 1 | 2 | 0 | 3 |",
        "| bought twice | 1 |",
        "| of these heard once or more | 4 |",
        "| create | 4 | 50.0 | 25.0 | 25.0 | 0.30 | 0.38 | 0.40 |",
        "| create | 503 carrier_unavailable | 1 |",
        "| throttle | 2 | 0 |",
        "| all | 2 of 40 | 1 of 10 |",
    ):
        assert line in told


def test_an_order_that_is_lost_doubled_or_of_nobody_is_noticed() -> None:
    plan = planned(40, 1)
    orders = [an_order(reference=reference, carrier=carrier) for reference, carrier in plan.orders.items()]
    books: dict[str, Any] = {carrier: {"orders": []} for carrier in CARRIERS}
    assert _all_there(plan, orders, books) == []
    first, second, *rest = orders
    books["lso"]["orders"] = [{"reference": "L-9"}]
    assert _all_there(plan, [second, second, an_order(reference="X"), *rest], books) == [
        f"{first.reference} is lost",
        "X is no order of the plan",
        f"{second.reference} is there 2 times",
        "L-9 was bought for no order of ours",
    ]


def test_memory_that_grows_is_noticed() -> None:
    assert Memory({2_000: 100, 10_000: 101}, {}).is_flat
    assert not Memory({2_000: 100, 10_000: 110}, {}).is_flat


@pytest.fixture
def unlogged() -> Iterator[None]:
    """No log lines during a test."""
    level = log.log_level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


@pytest.mark.usefixtures("unlogged")
def test_a_process_keeps_nothing_of_the_requests_that_it_has_answered() -> None:
    def objects() -> Counter[str]:
        gc.collect()
        return Counter(type(each).__qualname__ for each in gc.get_objects())

    sizes = []
    with long_world() as world:
        for _ in range(3):
            for _ in range(ROUNDS):
                world.go_round()
            world.forget()
            sizes.append(objects())
    _, before, after = sizes
    assert {name: after[name] - before[name] for name in after if after[name] >= before[name] + ROUNDS} == {}

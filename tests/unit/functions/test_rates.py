"""Limits of tenants and keys: nobody has more than its share of a minute, and a refusal loses nothing."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from parcelgate.domain.problems import ProblemError
from parcelgate.http.routes import FUNCTIONS
from parcelgate.runtime import runtime
from parcelgate.services.accounts import rates
from parcelgate.services.accounts.rates import KEY_SHARE, STEP, Kind, RateLimiter
from parcelgate.store.errors import ThrottledError
from parcelgate.store.tenants.usage import UsageTable
from tests.support.aggregator import FakeAggregator
from tests.support.api import TENANT, Backend, Reply, api_event, call, order_body, send
from tests.support.clock import FakeClock

TABLE = "usage-test"
LIMITS = dict.fromkeys(Kind, 8)
COUNTING = sorted(name for name, each in FUNCTIONS.items() if any(not route.open for route in each.routes))


@pytest.fixture
def usage(backend: Backend) -> Iterator[UsageTable]:
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    backend.dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=keys,
    )
    yield UsageTable(backend.dynamodb, TABLE)
    backend.dynamodb.delete_table(TableName=TABLE)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def new_limiter(usage: UsageTable, clock: FakeClock) -> Callable[..., RateLimiter]:
    """Makes a limiter as one more process has it."""
    return lambda **limits: RateLimiter(usage, LIMITS | limits, clock=clock)


def passed(limiter: RateLimiter, number: int, key: str = "k1", tenant: str = TENANT, **how: Any) -> int:
    """How many of so many orders were let through."""
    good = 0
    for _ in range(number):
        try:
            limiter.spend(tenant, key, Kind.ORDERS, **how)
        except ProblemError:
            continue
        good += 1
    return good


class TestWhatIsCountedExactly:
    def test_a_key_has_half_of_its_tenant_and_all_keys_together_no_more_than_all(
        self, new_limiter: Callable[..., RateLimiter]
    ) -> None:
        first, second = new_limiter(), new_limiter()
        assert passed(first, 10, "k1") == 8 // KEY_SHARE
        assert passed(second, 10, "k1") == 0
        assert passed(second, 10, "k2") == 8 // KEY_SHARE, "what was refused was not counted"
        assert passed(first, 10, "k3") == 0
        assert passed(first, 3, "k1", tenant="globex") == 3

    def test_a_key_that_asks_for_too_much_at_once_locks_none_of_the_others_out(
        self, new_limiter: Callable[..., RateLimiter]
    ) -> None:
        limiter = new_limiter()
        assert passed(limiter, 1, "leaked", amount=1000) == 0
        assert passed(limiter, 10, "k2") == 8 // KEY_SHARE

    def test_another_minute_begins_anew_and_the_refusal_says_when(
        self, new_limiter: Callable[..., RateLimiter], clock: FakeClock
    ) -> None:
        limiter = new_limiter()
        clock.sleep(21)
        passed(limiter, 5)
        with pytest.raises(ProblemError) as refused:
            limiter.spend(TENANT, "k1", Kind.ORDERS)
        assert (refused.value.problem.code, refused.value.retry_after) == ("too_many_requests", 39)
        assert "4 orders a minute" in refused.value.problem.detail
        clock.sleep(39)
        assert passed(limiter, 5) == 4

    def test_other_kinds_are_counted_for_themselves(self, new_limiter: Callable[..., RateLimiter]) -> None:
        limiter = new_limiter()
        passed(limiter, 9)
        limiter.spend(TENANT, "k1", Kind.BATCHES)
        limiter.spend(TENANT, "k1", Kind.REFRESHES, 4)
        with pytest.raises(ProblemError):
            limiter.spend(TENANT, "k1", Kind.REFRESHES)

    def test_a_tenants_own_limit_counts_at_once_and_can_be_taken_back(
        self, new_limiter: Callable[..., RateLimiter], usage: UsageTable, clock: FakeClock
    ) -> None:
        limiter = new_limiter()
        limiter.spend(TENANT, "k1", Kind.ORDERS)
        usage.set_limits(TENANT, {"orders": 40, "batches": 2})
        assert passed(limiter, 30) == 19
        assert usage.limits(TENANT) == {"orders": 40, "batches": 2}
        usage.set_limits(TENANT, {"orders": None})
        clock.sleep(60)
        assert passed(limiter, 30) == 4
        assert usage.limits(TENANT) == {"batches": 2}

    def test_a_process_whose_clock_is_behind_counts_in_nobodys_minute(
        self, new_limiter: Callable[..., RateLimiter], usage: UsageTable
    ) -> None:
        behind = RateLimiter(usage, LIMITS, clock=FakeClock(FakeClock().now - timedelta(minutes=1)))
        limiter = new_limiter()
        limiter.spend(TENANT, "k1", Kind.ORDERS)
        assert passed(behind, 3) == 3
        assert passed(limiter, 9) == 3


class TestRequests:
    def test_are_counted_in_steps_over_all_processes_and_overshoot_by_less_than_a_step_for_each(
        self, new_limiter: Callable[..., RateLimiter]
    ) -> None:
        limiters = [new_limiter(requests=40) for _ in range(3)]
        answered = 0
        for place in range(300):
            try:
                limiters[place % 3].request(TENANT, "k1")
            except ProblemError:
                continue
            answered += 1
        assert 20 <= answered <= 20 + len(limiters) * (STEP - 1)

    def test_a_key_over_its_limit_takes_nothing_of_the_others_whatever_number_of_processes_it_meets(
        self, new_limiter: Callable[..., RateLimiter]
    ) -> None:
        for limiter in [new_limiter(requests=40) for _ in range(6)]:
            for _ in range(2 * STEP):
                with suppress(ProblemError):
                    limiter.request(TENANT, "leaked")
        other = new_limiter(requests=40)
        for _ in range(2 * STEP):
            other.request(TENANT, "k2")

    def test_cost_a_tenth_of_a_write(
        self, new_limiter: Callable[..., RateLimiter], usage: UsageTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writes = []
        add = usage.add
        monkeypatch.setattr(usage, "add", lambda *what: writes.append(what) or add(*what))  # type: ignore[func-returns-value]
        limiter = new_limiter(requests=1000)
        for _ in range(100):
            limiter.request(TENANT, "k1")
        assert len(writes) == 100 / STEP
        assert sum(amount for *_, amount in writes) == 100

    def test_note_the_day_of_a_key_once_a_day_for_each_process(
        self, usage: UsageTable, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        notes = []
        used = usage.used
        monkeypatch.setattr(usage, "used", lambda *what: notes.append(what) or used(*what))  # type: ignore[func-returns-value]
        first, second = (RateLimiter(usage, LIMITS | {Kind.REQUESTS: 1000}, clock=clock) for _ in range(2))
        for limiter in (first, first, second):
            limiter.request(TENANT, "k1")
        begun = clock.now.date()
        assert (len(notes), usage.last_used(TENANT, ["k1", "k2"])) == (2, {"k1": begun})
        clock.sleep(86_400)
        first.request(TENANT, "k1")
        assert usage.last_used(TENANT, ["k1"]) == {"k1": begun + timedelta(days=1)}
        assert usage.last_used("globex", ["k1"]) == {}

    def test_who_is_over_the_limit_costs_no_more_writes(
        self, new_limiter: Callable[..., RateLimiter], usage: UsageTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limiter = new_limiter()
        for _ in range(STEP - 1):
            limiter.request(TENANT, "k1")
        with pytest.raises(ProblemError):
            limiter.request(TENANT, "k1")
        monkeypatch.setattr(usage, "add", None)
        for _ in range(3 * STEP):
            with pytest.raises(ProblemError):
                limiter.request(TENANT, "k1")


def test_a_count_that_cannot_be_made_refuses_nobody(
    new_limiter: Callable[..., RateLimiter], usage: UsageTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise ThrottledError("busy")

    limiter = new_limiter()
    monkeypatch.setattr(usage, "add", fails)
    monkeypatch.setattr(usage, "used", fails)
    assert passed(limiter, 20) == 20
    for _ in range(3 * STEP):
        limiter.request(TENANT, "k1")


# Over the API


@pytest.fixture
def limited(usage: UsageTable, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets limits of the functions' own environment."""

    def limit(**limits: int) -> None:
        monkeypatch.setattr(rates, "STEP", 1)
        runtime.use(rate_limiter=RateLimiter(usage, dict.fromkeys(Kind, 1000) | limits, clock=clock))

    return limit


def buy(number: int, **more: Any) -> Reply:
    return call("POST /v1/orders", body=order_body(f"R-{number}"), **more)


def test_one_order_too_many_is_refused_before_anything_is_stored_and_comes_through_later(
    backend: Backend, limited: Callable[..., None]
) -> None:
    limited(orders=4)
    assert [buy(number).status for number in range(2)] == [202, 202]

    reply = buy(2, headers={"Idempotency-Key": "k"})

    assert (reply.status, reply.code) == (429, "too_many_requests")
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert len(backend.stored("order")) == 2
    limited(orders=1000)
    assert buy(2, headers={"Idempotency-Key": "k"}).status == 202, "the key was not used up"


def test_a_replay_is_no_order_and_a_batch_is_none(backend: Backend, limited: Callable[..., None]) -> None:
    limited(orders=2, batches=2)
    headers = {"Idempotency-Key": "k"}
    first = buy(1, headers=headers)
    again = buy(1, headers=headers)
    assert (again.status, again.text) == (first.status, first.text)
    batch = {"orders": [order_body("B-1"), order_body("B-2")]}
    assert call("POST /v1/orders/batch", body=batch).status == 202
    assert call("POST /v1/orders/batch", body=batch).status == 429
    assert call("POST /v1/orders/batch", body=batch | {"validate_only": True}).status == 200


def test_refreshes_and_parcels_followed_anew_are_counted_together(
    backend: Backend, limited: Callable[..., None]
) -> None:
    limited(refreshes=10)
    with FakeAggregator().in_place():
        parcels = [{"carrier_code": "china-ems", "tracking_number": f"N{n}"} for n in range(4)]
        reply = call("POST /v1/trackings", body=parcels)
        assert reply.status == 201
        tracking = reply.json()["data"][0]["id"]
        refreshes = [call("POST /v1/trackings/{id}/refresh", id=tracking).status for _ in range(2)]
        assert refreshes == [202, 429]
        assert call("POST /v1/trackings", body=parcels[0]).status == 429


@pytest.mark.parametrize(
    "body", [[0] * 5000, [], [{"tracking_number": "N"}] * 41], ids=["junk", "none", "many"]
)
def test_a_list_that_cannot_be_read_is_counted_for_nobody(
    body: list[Any], backend: Backend, limited: Callable[..., None]
) -> None:
    limited(refreshes=10)
    with FakeAggregator().in_place():
        assert call("POST /v1/trackings", body=body).status in (413, 422)
        parcel = {"carrier_code": "china-ems", "tracking_number": "N1"}
        assert call("POST /v1/trackings", body=parcel).status == 201


@pytest.mark.parametrize("function", COUNTING)
def test_every_function_behind_a_key_counts_its_requests(
    function: str, backend: Backend, limited: Callable[..., None]
) -> None:
    limited(requests=1)
    route = next(route for route in FUNCTIONS[function].routes if not route.open)
    event = api_event(route.key, id="none", carrier="lso", account="default", awb="none")

    first, second = (send(event) for _ in range(2))

    assert first.status != 429
    assert second.status == 429
    assert second.code == "too_many_requests"

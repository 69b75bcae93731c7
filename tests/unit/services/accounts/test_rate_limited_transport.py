"""The limits of a carrier account hold over all environments: many guards over one table."""

from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.errors import (
    HeldBackError,
    OverLimitError,
    TooManyRequestsError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.limits import Limits
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.domain.deadline import Deadline
from parcelgate.services.accounts.rate_limited_transport import (
    LANE_USE,
    PATIENCE,
    PROBE_LIFE,
    RateLimitedTransport,
)
from parcelgate.store.calls import Items
from parcelgate.store.limits import AccountLimits, Entry
from parcelgate.store.table import Table
from tests.support.clock import FakeClock
from tests.support.faults import Faults, Killed, unavailable
from tests.support.table import TABLE_NAME, dynamodb, table  # noqa: F401 - fixtures

CALL = Request(call="ubi.orders", method="POST", url="https://carrier.example/orders")
LIMITS = Limits(rate=10, burst=4, failures=5, window=60, cool_down=30)
OK = Response(status=200)
DOWN = UnknownOutcomeError("ReadTimeout")


class Carrier:
    """A carrier that answers as it is told, and counts."""

    def __init__(self) -> None:
        self.answer: Response | BaseException = OK
        self.calls = 0

    def send(self, request: Request) -> Response:
        self.calls += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Street:
    """One carrier account, and as many environments that work for it as one likes."""

    def __init__(self, store: Table) -> None:
        self.clock, self.carrier = FakeClock(), Carrier()
        self._table = store

    def environment(self, account: str = "default", tenant: str = "acme", **how: Any) -> RateLimitedTransport:
        return RateLimitedTransport(
            lambda: self.carrier,
            carrier="ubi",
            limits=how.pop("limits", LIMITS),
            account=how.pop("counted", self._table.tenant(tenant).limits("ubi", account)),
            clock=self.clock,
            sleep=self.clock.sleep,
            **how,
        )

    def go_down(self) -> None:
        self.carrier.answer = DOWN
        for _ in range(LIMITS.failures):
            self.fail(self.environment())

    def fail(self, guard: RateLimitedTransport) -> None:
        with pytest.raises(UnknownOutcomeError):
            guard.send(CALL)


@pytest.fixture
def street(table: Table) -> Street:  # noqa: F811
    return Street(table)


def held_back(guard: RateLimitedTransport, call: Request = CALL) -> HeldBackError:
    with pytest.raises(HeldBackError) as caught:
        guard.send(call)
    return caught.value


# The circuit breaker


def test_failures_of_many_environments_open_the_breaker_for_all(street: Street) -> None:
    street.carrier.answer = DOWN
    environments = [street.environment() for _ in range(LIMITS.failures)]
    for environment in environments:
        street.fail(environment)

    another = street.environment()

    assert held_back(another).retry_after == LIMITS.cool_down
    assert street.carrier.calls == LIMITS.failures, "an open breaker makes no call"


@pytest.mark.parametrize(
    "trouble", [TransientError("ConnectError"), Response(status=500), Response(status=503)], ids=str
)
def test_whatever_says_that_the_carrier_is_down_counts(trouble: Response | Exception, street: Street) -> None:
    street.carrier.answer = trouble
    for _ in range(LIMITS.failures):
        with suppress(TransientError):
            street.environment().send(CALL)
    assert street.carrier.calls == LIMITS.failures
    held_back(street.environment())


@pytest.mark.parametrize(
    "answer",
    [OK, Response(status=401), Response(status=404), HeldBackError("no time left")],
    ids=str,
)
def test_an_answer_of_a_carrier_that_is_there_does_not_count(
    answer: Response | Exception, street: Street
) -> None:
    street.carrier.answer = answer
    for _ in range(3 * LIMITS.failures):
        with suppress(HeldBackError):
            street.environment().send(CALL)
    assert street.carrier.calls == 3 * LIMITS.failures


def test_one_success_between_failures_keeps_the_breaker_closed(street: Street) -> None:
    for _ in range(3):
        street.carrier.answer = DOWN
        for _ in range(LIMITS.failures - 1):
            street.fail(street.environment())
        street.carrier.answer = OK
        assert street.environment().send(CALL) == OK


def test_failures_long_apart_keep_the_breaker_closed(street: Street) -> None:
    street.carrier.answer = DOWN
    for _ in range(3 * LIMITS.failures):
        street.fail(street.environment())
        street.clock.sleep(LIMITS.window / 2)


def test_after_the_cool_down_one_environment_tries_for_all(street: Street) -> None:
    street.go_down()
    street.clock.sleep(LIMITS.cool_down)
    others: list[HeldBackError] = []
    street.carrier.answer = OK
    environment = street.environment()
    really = street.carrier.send

    def meanwhile(request: Request) -> Response:
        street.carrier.send = really  # type: ignore[method-assign]
        others.append(held_back(street.environment()))
        return really(request)

    street.carrier.send = meanwhile  # type: ignore[method-assign]

    assert environment.send(CALL) == OK

    assert len(others) == 1
    assert street.environment().send(CALL) == OK, "it is back, for everybody"


def test_a_carrier_that_is_still_down_is_left_alone_again(street: Street) -> None:
    street.go_down()
    street.clock.sleep(LIMITS.cool_down)

    street.fail(street.environment())

    assert held_back(street.environment()).retry_after == LIMITS.cool_down


def test_whoever_tries_and_dies_is_followed_by_another(street: Street) -> None:
    street.go_down()
    street.clock.sleep(LIMITS.cool_down)
    street.carrier.answer = Killed()
    with pytest.raises(Killed):
        street.environment().send(CALL)
    held_back(street.environment())

    street.clock.sleep(PROBE_LIFE.total_seconds())

    street.carrier.answer = OK
    assert street.environment().send(CALL) == OK


def test_who_could_not_try_lets_another_try(street: Street) -> None:
    street.go_down()
    street.clock.sleep(LIMITS.cool_down)
    street.carrier.answer = HeldBackError("no time left")
    with pytest.raises(HeldBackError):
        street.environment().send(CALL)

    street.carrier.answer = OK
    assert street.environment().send(CALL) == OK


def test_a_limit_is_told_apart_from_a_carrier_that_is_down(street: Street) -> None:
    street.carrier.answer = TooManyRequestsError("x", retry_after=30)
    with suppress(TransientError):
        street.environment().send(CALL)
    assert isinstance(held_back(street.environment()), OverLimitError)

    street.clock.sleep(30)
    street.go_down()
    assert not isinstance(held_back(street.environment()), OverLimitError)


def test_other_accounts_and_tenants_go_on(street: Street) -> None:
    street.go_down()
    street.carrier.answer = OK

    assert street.environment("second").send(CALL) == OK
    assert street.environment(tenant="rival").send(CALL) == OK


# The carrier's own wishes


@pytest.mark.parametrize(("wanted", "rest"), [(120.0, 120.0), (None, 5.0)])
def test_too_many_requests_keep_every_environment_away(
    wanted: float | None, rest: float, street: Street
) -> None:
    street.carrier.answer = TooManyRequestsError("429", retry_after=wanted)
    with pytest.raises(TooManyRequestsError):
        street.environment().send(CALL)
    street.carrier.answer = OK

    assert held_back(street.environment()).retry_after == rest
    street.clock.sleep(rest)
    assert street.environment().send(CALL) == OK


def test_a_carrier_out_of_service_says_for_how_long(street: Street) -> None:
    street.carrier.answer = Response(status=503, headers={"retry-after": "90"})
    street.environment().send(CALL)

    assert held_back(street.environment()).retry_after == 90.0


LONG_REST = Limits(rate=10, burst=4, rest=120)


def test_how_long_a_carrier_rests_that_names_no_time_is_its_limits_affair(street: Street) -> None:
    street.carrier.answer = TooManyRequestsError("429")
    with pytest.raises(TooManyRequestsError):
        street.environment(limits=LONG_REST).send(CALL)

    assert held_back(street.environment(limits=LONG_REST)).retry_after == 120.0


def saying(verdict: int) -> Request:
    return msgspec.structs.replace(CALL, verdict=lambda answer: verdict)


def test_an_answer_that_says_too_many_requests_in_its_body_rests_the_account(street: Street) -> None:
    with pytest.raises(TooManyRequestsError) as caught:
        street.environment(limits=LONG_REST).send(saying(429))

    assert caught.value.retry_after == 120.0
    assert held_back(street.environment(limits=LONG_REST)).retry_after == 120.0
    street.clock.sleep(120)
    assert street.environment(limits=LONG_REST).send(CALL) == OK


def test_what_an_answer_says_of_itself_counts_and_not_its_http_status(street: Street) -> None:
    street.carrier.answer = Response(status=500)
    for _ in range(3 * LIMITS.failures):
        street.environment().send(saying(200))
        street.environment().send(saying(4016))
    street.carrier.answer = OK
    for _ in range(LIMITS.failures):
        street.environment().send(saying(503))

    held_back(street.environment())


# The rate


LANES = Limits(rate=10, burst=4, lanes={"list": 1.0, "realtime": 3.0})
LIST = msgspec.structs.replace(CALL, lane="list")
REALTIME = msgspec.structs.replace(CALL, lane="realtime")


@pytest.mark.parametrize(("call", "rate"), [(LIST, 1.0), (REALTIME, 3.0)])
def test_a_lane_is_kept_over_all_environments_and_never_used_up(
    call: Request, rate: float, street: Street
) -> None:
    sent = []
    for _ in range(12):
        street.environment(limits=LANES).send(call)
        sent.append(street.clock.now)

    gaps = [(later - one).total_seconds() for one, later in pairwise(sent)]
    assert min(gaps) >= 1 / rate
    assert sum(gaps) == pytest.approx(11 / rate / LANE_USE, rel=0.05)


def test_a_turn_that_was_taken_long_ago_is_taken_anew(street: Street) -> None:
    sent: list[datetime] = []

    class Slow(RateLimitedTransport):
        """An environment whose write takes half a second, as in a cold start, and is dated before it."""

        def _asked(self, door: AccountLimits, rate: float, burst: int) -> Entry:
            entry = super()._asked(door, rate, burst)
            if door is self.account:
                street.clock.sleep(0.5)
            return entry

    def environment(kind: type[RateLimitedTransport]) -> RateLimitedTransport:
        return kind(
            lambda: street.carrier,
            carrier="ubi",
            limits=LANES,
            account=street.environment().account,
            clock=street.clock,
            sleep=street.clock.sleep,
        )

    for kind in (Slow, RateLimitedTransport, Slow, RateLimitedTransport):
        environment(kind).send(LIST)
        sent.append(street.clock.now)

    gaps = [(later - one).total_seconds() for one, later in pairwise(sent)]
    assert min(gaps) >= 1


def test_who_is_always_late_calls_all_the_same(street: Street) -> None:
    limits = Limits(rate=1, burst=1, lanes={"realtime": 30.0})

    class Slow(RateLimitedTransport):
        def _asked(self, door: AccountLimits, rate: float, burst: int) -> Entry:
            entry = super()._asked(door, rate, burst)
            street.clock.sleep(0.2)
            return entry

    given = street.environment(limits=limits)
    guard = Slow(**{name: getattr(given, name) for name in given.__struct_fields__})
    assert guard.send(REALTIME) == OK


def test_the_way_out_is_ready_before_a_turn_is_taken(street: Street) -> None:
    done: list[str] = []

    class Watched(RateLimitedTransport):
        def _asked(self, door: AccountLimits, rate: float, burst: int) -> Entry:
            done.append("turn")
            return super()._asked(door, rate, burst)

    def way_out() -> Carrier:
        done.append("ready")
        return street.carrier

    Watched(
        way_out,
        carrier="ubi",
        limits=LIMITS,
        account=street.environment().account,
        clock=street.clock,
        sleep=street.clock.sleep,
    ).send(CALL)

    assert done == ["ready", "turn"]


def test_a_full_lane_holds_up_nobody_else(street: Street) -> None:
    guard = street.environment(limits=LANES, deadline=Deadline.after(0.1))
    guard.send(LIST)
    held_back_at = held_back(guard, LIST)
    assert held_back_at.retry_after == pytest.approx(1 / LANE_USE, rel=0.01)

    guard.send(REALTIME)
    guard.send(CALL)
    assert street.environment("second", limits=LANES, deadline=Deadline.after(0.1)).send(LIST) == OK


def test_calls_of_a_lane_count_for_the_account_too(street: Street) -> None:
    limits = Limits(rate=1, burst=2, lanes={"realtime": 30.0})
    guard = street.environment(limits=limits)
    guard.send(REALTIME)
    guard.send(CALL)

    begun = street.clock.now
    guard.send(REALTIME)
    assert (street.clock.now - begun).total_seconds() == pytest.approx(1, abs=0.05)


def test_a_lane_that_the_limits_do_not_name_is_as_wide_as_the_account(street: Street) -> None:
    guard = street.environment(deadline=Deadline.after(0.1))
    for _ in range(LIMITS.burst):
        guard.send(LIST)


def test_who_waits_for_a_lane_does_not_try_whether_the_carrier_is_back(street: Street) -> None:
    street.environment(limits=LANES).send(LIST)
    street.go_down()
    street.clock.sleep(LIMITS.cool_down)
    street.environment(limits=LANES).account.lane("list").enter(
        street.clock(), rate=0.1, burst=1, probe_life=PROBE_LIFE
    )
    street.carrier.answer = OK

    held_back(street.environment(limits=LANES), LIST)

    assert street.environment(limits=LANES).send(CALL) == OK, "nobody holds the turn to try"


def test_the_rate_holds_over_all_environments(street: Street) -> None:
    begun = street.clock.now
    for _ in range(50):
        street.environment().send(CALL)

    took = (street.clock.now - begun).total_seconds()
    assert took == pytest.approx((50 - LIMITS.burst) / LIMITS.rate, rel=0.05)


def test_a_burst_is_let_through_at_once_and_comes_again_with_time(street: Street) -> None:
    guard = street.environment(deadline=Deadline.after(0.1))
    for _ in range(2):
        for _ in range(LIMITS.burst):
            guard.send(CALL)
        assert held_back(guard).retry_after == pytest.approx(1 / LIMITS.rate, rel=0.05)
        street.clock.sleep(LIMITS.burst / LIMITS.rate)


def test_nobody_waits_long_for_a_turn(street: Street) -> None:
    guard = street.environment(limits=Limits(rate=0.1, burst=1))
    guard.send(CALL)
    begun = street.clock.now

    assert held_back(guard).retry_after == pytest.approx(10.0, abs=0.01)
    assert street.clock.now - begun < timedelta(seconds=PATIENCE)


# When the count itself is in trouble


def test_nothing_is_sent_while_the_limits_cannot_be_read(street: Street, dynamodb: Any) -> None:  # noqa: F811
    faults = Faults().on("update_item", unavailable(), times=9)
    counted = AccountLimits(Items(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME), "acme", "ubi", "default")

    held_back(street.environment(counted=counted))

    assert street.carrier.calls == 0


def test_an_answer_counts_although_it_could_not_be_noted(street: Street, dynamodb: Any) -> None:  # noqa: F811
    street.carrier.answer = DOWN
    street.fail(street.environment())
    street.carrier.answer = OK
    street.clock.sleep(1)
    faults = Faults().at(2, unavailable())
    counted = AccountLimits(Items(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME), "acme", "ubi", "default")

    assert street.environment(counted=counted).send(CALL) == OK
    assert len(faults.calls) == 2


def test_a_document_that_lies_elsewhere_is_not_the_carriers_affair(street: Street) -> None:
    street.go_down()
    street.carrier.answer = OK
    elsewhere = Request(call="lme.label_file", method="GET", url="https://files.example", public_only=True)

    assert street.environment().send(elsewhere) == OK

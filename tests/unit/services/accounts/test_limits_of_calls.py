"""The limits of a carrier account hold over all environments: many transports over one table."""

from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.errors import (
    HeldBackError,
    OverLimitError,
    PausedError,
    TooManyRequestsError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.limits import Limits
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.domain.deadline import Deadline
from parcelgate.services.accounts.carriers import (
    LANE_USE,
    PATIENCE,
    PROBE_LIFE,
    SHOWN_DOWN,
    RateLimitedTransport,
)
from parcelgate.store.calls import Items
from parcelgate.store.limits import AccountLimits, Entry, LoginLimits, LoginsTable
from parcelgate.store.table import Table
from tests.support.clock import FakeClock
from tests.support.fast_dynamodb import dynamodb  # noqa: F401 - fixtures
from tests.support.faults import Faults, Killed, unavailable
from tests.support.table import TABLE_NAME, all_items, table  # noqa: F401 - fixtures

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


class Setup:
    """One carrier account, and as many environments that work for it as one likes."""

    def __init__(self, store: Table) -> None:
        self.clock, self.carrier = FakeClock(), Carrier()
        self._table = self.store = store

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

    def go_down(self, **whose: str) -> None:
        self.carrier.answer = DOWN
        for _ in range(LIMITS.failures):
            self.fail(self.environment(**whose))

    def fail_once(self) -> None:
        self.carrier.answer = DOWN
        self.fail(self.environment())
        self.carrier.answer = OK
        self.environment().send(CALL)

    def fail(self, transport: RateLimitedTransport) -> None:
        with pytest.raises(UnknownOutcomeError):
            transport.send(CALL)


@pytest.fixture
def setup(table: Table) -> Setup:  # noqa: F811
    return Setup(table)


def held_back(transport: RateLimitedTransport, call: Request = CALL) -> HeldBackError:
    with pytest.raises(HeldBackError) as caught:
        transport.send(call)
    return caught.value


# The circuit breaker


def test_failures_of_many_environments_open_the_breaker_for_all(setup: Setup) -> None:
    setup.carrier.answer = DOWN
    environments = [setup.environment() for _ in range(LIMITS.failures)]
    for environment in environments:
        setup.fail(environment)

    another = setup.environment()

    assert held_back(another).retry_after == LIMITS.cool_down
    assert setup.carrier.calls == LIMITS.failures, "an open breaker makes no call"


@pytest.mark.parametrize(
    "trouble", [TransientError("ConnectError"), Response(status=500), Response(status=503)], ids=str
)
def test_whatever_says_that_the_carrier_is_down_counts(trouble: Response | Exception, setup: Setup) -> None:
    setup.carrier.answer = trouble
    for _ in range(LIMITS.failures):
        with suppress(TransientError):
            setup.environment().send(CALL)
    assert setup.carrier.calls == LIMITS.failures
    held_back(setup.environment())


@pytest.mark.parametrize(
    "answer",
    [OK, Response(status=401), Response(status=404), HeldBackError("no time left")],
    ids=str,
)
def test_an_answer_of_a_carrier_that_is_there_does_not_count(
    answer: Response | Exception, setup: Setup
) -> None:
    setup.carrier.answer = answer
    for _ in range(3 * LIMITS.failures):
        with suppress(HeldBackError):
            setup.environment().send(CALL)
    assert setup.carrier.calls == 3 * LIMITS.failures


def test_one_success_between_failures_keeps_the_breaker_closed(setup: Setup) -> None:
    for _ in range(3):
        setup.carrier.answer = DOWN
        for _ in range(LIMITS.failures - 1):
            setup.fail(setup.environment())
        setup.carrier.answer = OK
        assert setup.environment().send(CALL) == OK


def test_failures_long_apart_keep_the_breaker_closed(setup: Setup) -> None:
    setup.carrier.answer = DOWN
    for _ in range(3 * LIMITS.failures):
        setup.fail(setup.environment())
        setup.clock.sleep(LIMITS.window / 2)


def test_after_the_cool_down_one_environment_tries_for_all(setup: Setup) -> None:
    setup.go_down()
    setup.clock.sleep(LIMITS.cool_down)
    others: list[HeldBackError] = []
    setup.carrier.answer = OK
    environment = setup.environment()
    really = setup.carrier.send

    def meanwhile(request: Request) -> Response:
        setup.carrier.send = really  # type: ignore[method-assign]
        others.append(held_back(setup.environment()))
        return really(request)

    setup.carrier.send = meanwhile  # type: ignore[method-assign]

    assert environment.send(CALL) == OK

    assert len(others) == 1
    assert setup.environment().send(CALL) == OK, "it is back, for everybody"


def test_a_carrier_that_is_still_down_is_left_alone_again(setup: Setup) -> None:
    setup.go_down()
    setup.clock.sleep(LIMITS.cool_down)

    setup.fail(setup.environment())

    assert held_back(setup.environment()).retry_after == LIMITS.cool_down


def test_whoever_tries_and_dies_is_followed_by_another(setup: Setup) -> None:
    setup.go_down()
    setup.clock.sleep(LIMITS.cool_down)
    setup.carrier.answer = Killed()
    with pytest.raises(Killed):
        setup.environment().send(CALL)
    held_back(setup.environment())

    setup.clock.sleep(PROBE_LIFE.total_seconds())

    setup.carrier.answer = OK
    assert setup.environment().send(CALL) == OK


def test_who_could_not_try_lets_another_try(setup: Setup) -> None:
    setup.go_down()
    setup.clock.sleep(LIMITS.cool_down)
    setup.carrier.answer = HeldBackError("no time left")
    with pytest.raises(HeldBackError):
        setup.environment().send(CALL)

    setup.carrier.answer = OK
    assert setup.environment().send(CALL) == OK


def test_a_limit_is_told_apart_from_a_carrier_that_is_down(setup: Setup) -> None:
    setup.carrier.answer = TooManyRequestsError("x", retry_after=30)
    with suppress(TransientError):
        setup.environment().send(CALL)
    assert isinstance(held_back(setup.environment()), OverLimitError)

    setup.clock.sleep(30)
    setup.go_down()
    assert not isinstance(held_back(setup.environment()), OverLimitError)


def test_other_accounts_and_tenants_go_on(setup: Setup) -> None:
    setup.go_down()
    setup.carrier.answer = OK

    assert setup.environment("second").send(CALL) == OK
    assert setup.environment(tenant="rival").send(CALL) == OK


# The carrier's own wishes


@pytest.mark.parametrize(("wanted", "rest"), [(120.0, 120.0), (None, 5.0)])
def test_too_many_requests_keep_every_environment_away(
    wanted: float | None, rest: float, setup: Setup
) -> None:
    setup.carrier.answer = TooManyRequestsError("429", retry_after=wanted)
    with pytest.raises(TooManyRequestsError):
        setup.environment().send(CALL)
    setup.carrier.answer = OK

    assert held_back(setup.environment()).retry_after == rest
    setup.clock.sleep(rest)
    assert setup.environment().send(CALL) == OK


def test_a_carrier_out_of_service_says_for_how_long(setup: Setup) -> None:
    setup.carrier.answer = Response(status=503, headers={"retry-after": "90"})
    setup.environment().send(CALL)

    assert held_back(setup.environment()).retry_after == 90.0


LONG_REST = Limits(rate=10, burst=4, rest=120)


def test_how_long_a_carrier_rests_that_names_no_time_is_its_limits_affair(setup: Setup) -> None:
    setup.carrier.answer = TooManyRequestsError("429")
    with pytest.raises(TooManyRequestsError):
        setup.environment(limits=LONG_REST).send(CALL)

    assert held_back(setup.environment(limits=LONG_REST)).retry_after == 120.0


def saying(verdict: int) -> Request:
    return msgspec.structs.replace(CALL, verdict=lambda answer: verdict)


def test_an_answer_that_says_too_many_requests_in_its_body_rests_the_account(setup: Setup) -> None:
    with pytest.raises(TooManyRequestsError) as caught:
        setup.environment(limits=LONG_REST).send(saying(429))

    assert caught.value.retry_after == 120.0
    assert held_back(setup.environment(limits=LONG_REST)).retry_after == 120.0
    setup.clock.sleep(120)
    assert setup.environment(limits=LONG_REST).send(CALL) == OK


def test_what_an_answer_says_of_itself_counts_and_not_its_http_status(setup: Setup) -> None:
    setup.carrier.answer = Response(status=500)
    for _ in range(3 * LIMITS.failures):
        setup.environment().send(saying(200))
        setup.environment().send(saying(4016))
    setup.carrier.answer = OK
    for _ in range(LIMITS.failures):
        setup.environment().send(saying(503))

    held_back(setup.environment())


# The rate


LANES = Limits(rate=10, burst=4, lanes={"list": 1.0, "realtime": 3.0})
LIST = msgspec.structs.replace(CALL, lane="list")
REALTIME = msgspec.structs.replace(CALL, lane="realtime")


@pytest.mark.parametrize(("call", "rate"), [(LIST, 1.0), (REALTIME, 3.0)])
def test_a_lane_is_kept_over_all_environments_and_never_used_up(
    call: Request, rate: float, setup: Setup
) -> None:
    sent = []
    for _ in range(12):
        setup.environment(limits=LANES).send(call)
        sent.append(setup.clock.now)

    gaps = [(later - one).total_seconds() for one, later in pairwise(sent)]
    assert min(gaps) >= 1 / rate
    assert sum(gaps) == pytest.approx(11 / rate / LANE_USE, rel=0.05)


def test_a_turn_that_was_taken_long_ago_is_taken_anew(setup: Setup) -> None:
    sent: list[datetime] = []

    class Slow(RateLimitedTransport):
        """An environment whose write takes half a second, as in a cold start, and is dated before it."""

        def _asked(self, limits: AccountLimits | LoginLimits, rate: float, burst: int) -> Entry:
            entry = super()._asked(limits, rate, burst)
            if limits is self.account:
                setup.clock.sleep(0.5)
            return entry

    def environment(kind: type[RateLimitedTransport]) -> RateLimitedTransport:
        return kind(
            lambda: setup.carrier,
            carrier="ubi",
            limits=LANES,
            account=setup.environment().account,
            clock=setup.clock,
            sleep=setup.clock.sleep,
        )

    for kind in (Slow, RateLimitedTransport, Slow, RateLimitedTransport):
        environment(kind).send(LIST)
        sent.append(setup.clock.now)

    gaps = [(later - one).total_seconds() for one, later in pairwise(sent)]
    assert min(gaps) >= 1


def test_who_is_always_late_calls_all_the_same(setup: Setup) -> None:
    limits = Limits(rate=1, burst=1, lanes={"realtime": 30.0})

    class Slow(RateLimitedTransport):
        def _asked(self, limits: AccountLimits | LoginLimits, rate: float, burst: int) -> Entry:
            entry = super()._asked(limits, rate, burst)
            setup.clock.sleep(0.2)
            return entry

    given = setup.environment(limits=limits)
    transport = Slow(**{name: getattr(given, name) for name in given.__struct_fields__})
    assert transport.send(REALTIME) == OK


def test_the_way_out_is_ready_before_a_turn_is_taken(setup: Setup) -> None:
    done: list[str] = []

    class Watched(RateLimitedTransport):
        def _asked(self, limits: AccountLimits | LoginLimits, rate: float, burst: int) -> Entry:
            done.append("turn")
            return super()._asked(limits, rate, burst)

    def way_out() -> Carrier:
        done.append("ready")
        return setup.carrier

    Watched(
        way_out,
        carrier="ubi",
        limits=LIMITS,
        account=setup.environment().account,
        clock=setup.clock,
        sleep=setup.clock.sleep,
    ).send(CALL)

    assert done == ["ready", "turn"]


def test_a_full_lane_holds_up_nobody_else(setup: Setup) -> None:
    transport = setup.environment(limits=LANES, deadline=Deadline.after(0.1))
    transport.send(LIST)
    held_back_at = held_back(transport, LIST)
    assert held_back_at.retry_after == pytest.approx(1 / LANE_USE, rel=0.01)

    transport.send(REALTIME)
    transport.send(CALL)
    assert setup.environment("second", limits=LANES, deadline=Deadline.after(0.1)).send(LIST) == OK


def test_calls_of_a_lane_count_for_the_account_too(setup: Setup) -> None:
    limits = Limits(rate=1, burst=2, lanes={"realtime": 30.0})
    transport = setup.environment(limits=limits)
    transport.send(REALTIME)
    transport.send(CALL)

    begun = setup.clock.now
    transport.send(REALTIME)
    assert (setup.clock.now - begun).total_seconds() == pytest.approx(1, abs=0.05)


def test_a_lane_that_the_limits_do_not_name_is_as_wide_as_the_account(setup: Setup) -> None:
    transport = setup.environment(deadline=Deadline.after(0.1))
    for _ in range(LIMITS.burst):
        transport.send(LIST)


def test_who_waits_for_a_lane_does_not_try_whether_the_carrier_is_back(setup: Setup) -> None:
    setup.environment(limits=LANES).send(LIST)
    setup.go_down()
    setup.clock.sleep(LIMITS.cool_down)
    setup.environment(limits=LANES).account.lane("list").enter(
        setup.clock(), rate=0.1, burst=1, probe_life=PROBE_LIFE
    )
    setup.carrier.answer = OK

    held_back(setup.environment(limits=LANES), LIST)

    assert setup.environment(limits=LANES).send(CALL) == OK, "nobody holds the turn to try"


def test_the_rate_holds_over_all_environments(setup: Setup) -> None:
    begun = setup.clock.now
    for _ in range(50):
        setup.environment().send(CALL)

    took = (setup.clock.now - begun).total_seconds()
    assert took == pytest.approx((50 - LIMITS.burst) / LIMITS.rate, rel=0.05)


def test_a_burst_is_let_through_at_once_and_comes_again_with_time(setup: Setup) -> None:
    transport = setup.environment(deadline=Deadline.after(0.1))
    for _ in range(2):
        for _ in range(LIMITS.burst):
            transport.send(CALL)
        assert held_back(transport).retry_after == pytest.approx(1 / LIMITS.rate, rel=0.05)
        setup.clock.sleep(LIMITS.burst / LIMITS.rate)


def test_nobody_waits_long_for_a_turn(setup: Setup) -> None:
    transport = setup.environment(limits=Limits(rate=0.1, burst=1))
    transport.send(CALL)
    begun = setup.clock.now

    assert held_back(transport).retry_after == pytest.approx(10.0, abs=0.01)
    assert setup.clock.now - begun < timedelta(seconds=PATIENCE)


# What everybody is shown


class TestWhoIsDown:
    def down(self, setup: Setup) -> set[str]:
        return setup.store.open_circuits.states(setup.clock.now)[0]

    def test_is_a_carrier_whose_calls_are_held_back(self, setup: Setup) -> None:
        setup.fail_once()
        assert self.down(setup) == set()

        setup.go_down()

        assert self.down(setup) == {"ubi"}

    def test_is_shown_until_a_call_that_tries_succeeds(self, setup: Setup) -> None:
        setup.go_down()
        setup.clock.sleep(LIMITS.cool_down)
        setup.fail(setup.environment())
        assert self.down(setup) == {"ubi"}
        setup.clock.sleep(LIMITS.cool_down)
        setup.carrier.answer = OK

        setup.environment().send(CALL)

        assert self.down(setup) == set()

    def test_is_not_said_for_ever_of_an_account_that_nobody_uses(self, setup: Setup) -> None:
        setup.go_down()
        setup.clock.sleep(LIMITS.cool_down + SHOWN_DOWN.total_seconds() - 1)
        assert self.down(setup) == {"ubi"}
        setup.clock.sleep(1)
        assert self.down(setup) == set()

    def test_is_down_while_one_account_of_many_is(self, setup: Setup) -> None:
        setup.go_down()
        setup.go_down(tenant="other")
        setup.clock.sleep(LIMITS.cool_down)
        setup.carrier.answer = OK

        setup.environment().send(CALL)

        assert self.down(setup) == {"ubi"}

    def test_names_nobody(self, setup: Setup, dynamodb: Any) -> None:  # noqa: F811
        setup.go_down()
        (item,) = [item for item in all_items(dynamodb) if item["pk"]["S"] == "DOWN"]
        assert "acme" not in str(item)
        assert "default" not in str(item)


# A login that several accounts have


def logins(client: Any) -> LoginsTable:
    return LoginsTable(client, TABLE_NAME)


class TestSharedLogin:
    """Two accounts, of two tenants, whose carrier knows them by one login."""

    @pytest.fixture
    def pair(self, setup: Setup, dynamodb: Any) -> list[RateLimitedTransport]:  # noqa: F811
        login = logins(dynamodb).limits("ubi", "t-7")
        return [setup.environment(tenant=tenant, login=login) for tenant in ("acme", "bolt")]

    def test_they_keep_one_rate_together(self, pair: list[RateLimitedTransport], setup: Setup) -> None:
        assert self.calls(pair, setup) == pytest.approx(LIMITS.rate * 4 + LIMITS.burst, abs=2)

    def test_accounts_that_do_not_say_so_have_a_rate_each(self, setup: Setup) -> None:
        pair = [setup.environment(tenant=tenant) for tenant in ("acme", "bolt")]
        assert self.calls(pair, setup) == pytest.approx(2 * (LIMITS.rate * 4 + LIMITS.burst), abs=4)

    def test_one_alone_has_the_whole_rate(self, pair: list[RateLimitedTransport], setup: Setup) -> None:
        assert self.calls(pair[:1], setup) == pytest.approx(LIMITS.rate * 4 + LIMITS.burst, abs=2)

    def test_another_login_is_another_token_bucket(self, setup: Setup, dynamodb: Any) -> None:  # noqa: F811
        counted = logins(dynamodb)
        whose = [("ubi", "t-7"), ("ubi", "t-8"), ("lso", "t-7"), ("ubit", "-7")]
        for _ in range(LIMITS.burst):
            for carrier, login in whose:
                at = setup.clock()
                assert counted.limits(carrier, login).enter(at, rate=10, burst=LIMITS.burst).reason is None

    def test_a_lane_is_of_the_login(self, setup: Setup, dynamodb: Any) -> None:  # noqa: F811
        login = logins(dynamodb).limits("ubi", "t-7")
        pair = [setup.environment(tenant=each, login=login, limits=LANES) for each in ("acme", "bolt")]
        sent = []
        for turn in range(6):
            pair[turn % 2].send(LIST)
            sent.append(setup.clock.now)
        assert min((later - one).total_seconds() for one, later in pairwise(sent)) >= 1

    def test_a_pause_and_a_circuit_are_of_one_account(
        self, pair: list[RateLimitedTransport], setup: Setup
    ) -> None:
        """And what they hold takes no turn from the others."""
        pair[0].account.pause(setup.clock(), by="Ada", reason="They move.")
        for _ in range(3 * LIMITS.burst):
            with pytest.raises(PausedError):
                pair[0].send(CALL)
        for _ in range(LIMITS.burst):
            assert pair[1].send(CALL) == OK
        assert setup.clock.now == FakeClock().now

    def test_a_probe_that_gets_no_turn_lets_another_try(
        self, pair: list[RateLimitedTransport], setup: Setup
    ) -> None:
        setup.go_down()
        setup.carrier.answer = OK
        setup.clock.sleep(LIMITS.cool_down)
        slow = msgspec.structs.replace(LIMITS, rate=0.01, burst=1)
        other, mine = (msgspec.structs.replace(each, limits=slow) for each in reversed(pair))
        other.send(CALL)
        assert isinstance(held_back(mine), OverLimitError)
        assert setup.environment().send(CALL) == OK

    def test_a_call_of_an_account_alone_is_one_write_and_of_a_shared_login_two(
        self,
        setup: Setup,
        dynamodb: Any,  # noqa: F811
    ) -> None:
        counted = Faults()
        client = counted.wrap(dynamodb, "dynamodb")
        account = AccountLimits(Items(client, TABLE_NAME), "acme", "ubi", "default")
        setup.environment(counted=account).send(CALL)
        assert len(counted.calls) == 1
        setup.clock.sleep(1)
        setup.environment(counted=account, login=logins(client).limits("ubi", "t-7")).send(CALL)
        assert len(counted.calls) == 3

    def test_nothing_is_sent_while_its_table_cannot_be_reached(
        self,
        setup: Setup,
        dynamodb: Any,  # noqa: F811
    ) -> None:
        faults = Faults().on("update_item", unavailable(), times=9)
        login = logins(faults.wrap(dynamodb, "dynamodb")).limits("ubi", "t-7")
        held_back(setup.environment(login=login))
        assert setup.carrier.calls == 0

    def test_its_item_holds_a_moment_alone(
        self,
        pair: list[RateLimitedTransport],
        dynamodb: Any,  # noqa: F811
    ) -> None:
        pair[0].send(CALL)
        (item,) = [item for item in all_items(dynamodb) if item["pk"]["S"].startswith("LOGINS#")]
        assert set(item) == {"pk", "sk", "full_at", "expires_at"}
        assert "t-7" not in str(item)

    @staticmethod
    def calls(transports: list[RateLimitedTransport], setup: Setup) -> int:
        """How many calls are made in 4 seconds in which each would like to make twice its rate."""
        for _ in range(int(4 * LIMITS.rate * 2)):
            for transport in transports:
                with suppress(OverLimitError):
                    msgspec.structs.replace(transport, deadline=Deadline.after(0)).send(CALL)
            setup.clock.sleep(1 / LIMITS.rate / 2)
        return setup.carrier.calls


# When the count itself is in trouble


def test_nothing_is_sent_while_the_limits_cannot_be_read(setup: Setup, dynamodb: Any) -> None:  # noqa: F811
    faults = Faults().on("update_item", unavailable(), times=9)
    counted = AccountLimits(Items(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME), "acme", "ubi", "default")

    held_back(setup.environment(counted=counted))

    assert setup.carrier.calls == 0


def test_an_answer_counts_although_it_could_not_be_noted(setup: Setup, dynamodb: Any) -> None:  # noqa: F811
    setup.carrier.answer = DOWN
    setup.fail(setup.environment())
    setup.carrier.answer = OK
    setup.clock.sleep(1)
    faults = Faults().at(2, unavailable())
    counted = AccountLimits(Items(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME), "acme", "ubi", "default")

    assert setup.environment(counted=counted).send(CALL) == OK
    assert len(faults.calls) == 2


def test_a_document_that_lies_elsewhere_is_not_the_carriers_affair(setup: Setup) -> None:
    setup.go_down()
    setup.carrier.answer = OK
    elsewhere = Request(call="lme.label_file", method="GET", url="https://files.example", public_only=True)

    assert setup.environment().send(elsewhere) == OK


# A person's pause


def test_a_pause_holds_the_calls_of_all_environments_until_it_ends(setup: Setup) -> None:
    account = setup.store.tenant("acme").limits("ubi", "default")
    account.pause(setup.clock.now, by="Ada", reason="They move")

    for _ in range(2):
        held = held_back(setup.environment())
        assert isinstance(held, PausedError)
        assert held.detail.endswith("UTC by Ada: They move.")
        setup.clock.now += timedelta(days=3)
    setup.environment("second").send(CALL)
    setup.environment(tenant="byrd").send(CALL)
    assert (setup.carrier.calls, account.record().held) == (2, 2)
    assert setup.store.open_circuits.states(setup.clock.now) == (set(), {"ubi"})

    account.resume()
    setup.environment().send(CALL)
    assert account.record().held == 0
    assert setup.store.open_circuits.states(setup.clock.now) == (set(), set())


def test_a_carrier_that_is_down_is_not_tried_while_it_is_paused(setup: Setup) -> None:
    account = setup.store.tenant("acme").limits("ubi", "default")
    setup.go_down()
    calls = setup.carrier.calls
    account.pause(setup.clock.now, by="Ada", reason="They move")
    setup.clock.now += timedelta(hours=1)
    assert isinstance(held_back(setup.environment()), PausedError)

    account.resume()
    assert account.record().held == 1, "the carrier may still be down, and what was held meanwhile counts on"
    setup.carrier.answer = OK
    setup.environment().send(CALL)
    assert setup.carrier.calls == calls + 1

"""The harness of `make faults`: which pairs it tries, and that its check notices what must not be."""

from collections import Counter
from functools import partial
from threading import Barrier, current_thread
from types import SimpleNamespace
from typing import Any

import pytest

from parcelgate.domain.orders import Actor, Order, OrderEvent, OrderStatus
from parcelgate.domain.trackings import TrackingEvent, TrackingStatus
from tests.faults.stack import again, pairs, promises, table
from tests.faults.stack.pairs import STANDS, Checks, Pair, Result, chosen
from tests.support.orders import NOON, an_order
from tests.support.trackings import a_tracking

PAIRS = [
    Pair(flow, function, call, nth, fault)
    for flow in ("ubi create", "lme create")
    for function, call in (("create_order", "dynamodb.GetItem"), ("label_order", "s3.PutObject"))
    for nth in (1, 2)
    for fault in ("throttle", "kill_after", "freeze")
]
STATUS = OrderStatus


def test_each_step_and_fault_is_tried_in_one_flow() -> None:
    pairs = chosen(PAIRS, seed=1)
    assert len(pairs) == len({(pair.function, pair.call, pair.nth, pair.fault) for pair in pairs}) == 12
    assert {pair.flow for pair in pairs} == {"ubi create", "lme create"}


def test_a_seed_gives_the_same_pairs_and_another_one_others() -> None:
    assert chosen(PAIRS, seed=1) == chosen(PAIRS[::-1], seed=1)
    assert chosen(PAIRS, seed=1) != chosen(PAIRS, seed=2)


def test_few_pairs_are_spread_over_the_calls() -> None:
    few = chosen(PAIRS, seed=1, count=4)
    assert Counter(pair.call for pair in few) == {"dynamodb.GetItem": 2, "s3.PutObject": 2}


def test_only_the_pairs_with_all_the_words_are_tried() -> None:
    assert {(pair.flow, pair.fault) for pair in chosen(PAIRS, seed=1, only="lme kill")} == {
        ("lme create", "kill_after")
    }
    two = chosen(PAIRS, seed=1, only="lme kill|ubi freeze")
    assert {(pair.flow, pair.fault) for pair in two} == {
        ("lme create", "kill_after"),
        ("ubi create", "freeze"),
    }


def order(status: OrderStatus, **facts: Any) -> Order:
    return an_order(reference="r-1", status=status, carrier_order_number="N1", **facts)


def entry(number: str = "N1", **facts: Any) -> dict[str, Any]:
    return {
        "order_number": number, "reference": "r-1", "refunded": False, "status": "completed", "held": "0.00",
    } | facts  # fmt: skip


@pytest.mark.parametrize(
    ("status", "entries", "noticed"),
    [
        (STATUS.CONFIRMED, [entry()], ""),
        (STATUS.CONFIRMED, [], "the carrier knows it as []"),
        (STATUS.CONFIRMED, [entry("N2")], "the carrier knows it as ['N2']"),
        (STATUS.CONFIRMED, [entry(), entry("N2", refunded=True)], "it was bought 2 times"),
        (STATUS.CANCELLED, [entry()], "the carrier still has it"),
        (STATUS.CANCELLED, [entry(refunded=True)], ""),
        (STATUS.FAILED, [entry(status="failed", held="9.50")], "the carrier holds money"),
        (STATUS.NEEDS_ATTENTION, [entry()], ""),
    ],
)
def test_the_books_are_compared(status: OrderStatus, entries: list[dict[str, Any]], noticed: str) -> None:
    found = "; ".join(promises._books(order(status), entries))
    assert noticed in found
    assert bool(noticed) == bool(found)


def moved(*path: OrderStatus) -> list[OrderEvent]:
    steps = zip((None, *path), path, strict=False)
    return [OrderEvent(at=NOON, type="x", actor=Actor.CLIENT, from_=a, to=b) for a, b in steps]


def test_a_status_that_runs_backwards_or_jumps_is_noticed() -> None:
    good = moved(STATUS.ACCEPTED, STATUS.PROCESSING, STATUS.CONFIRMED)
    assert promises._trail(good) == []
    assert "went from failed to processing" in promises._trail(moved(STATUS.FAILED, STATUS.PROCESSING))[0]
    assert "jumped" in promises._trail([good[0], good[2]])[0]


@pytest.mark.parametrize(
    ("types", "noticed"),
    [
        (["order.confirmed"], ""),
        ([], "told 0 times as order.confirmed"),
        (["order.confirmed"] * 2, "told 2 times as order.confirmed"),
        (["order.confirmed", "order.failed"], "told 1 times as order.failed"),
    ],
)
def test_an_event_that_is_missing_or_invented_is_noticed(types: list[str], noticed: str) -> None:
    trail = moved(STATUS.ACCEPTED, STATUS.PROCESSING, STATUS.CONFIRMED)
    found = "; ".join(promises._told(order(STATUS.CONFIRMED), trail, [{"type": kind} for kind in types]))
    assert noticed in found
    assert bool(noticed) == bool(found)


def test_the_table_counts_what_became_of_the_pairs() -> None:
    results = [
        Result(PAIRS[0], met=True, outcome="well"),
        Result(PAIRS[1], met=True, outcome="attention"),
        Result(PAIRS[2], met=False, outcome="well", violations=["it was bought twice"]),
    ]
    told = table.table(results, command="make faults", seed=3, minutes=2.2, of=2319)
    assert "`make faults`, seed 3: 3 of 2,319 pairs in 2 minutes" in told
    assert "| all | | | 3 | 3 | 1 | 1 | 1 | 1 |" in told
    assert "| `create_order` | 1 | 3 |" in told
    assert "| throttle | 1 | 1 | 0 | 0 | 0 |" in told


TOLD = {"type": "tracking.updated", "sequence": 2, "data": {"id": "trk_1", "status": "in_transit"}}
STORY = {"tracking_number": "N1", "events": [{"code": "PICKED_UP"}]}


@pytest.mark.parametrize(
    ("code", "taken", "told", "noticed"),
    [
        ("PICKED_UP", {"PICKED_UP"}, [TOLD], ""),
        ("PICKED_UP", (), [], "which nobody was told"),
        ("PICKED_UP", (), [TOLD, TOLD], "two events of one kind"),
        ("PICKED_UP", {"SORTED"}, [TOLD], "lacks what a webhook said"),
        ("LOST", (), [TOLD], "events that did not happen"),
        ("pending", (), [TOLD], ""),
    ],
)
def test_a_parcel_is_held_against_what_happened_and_what_was_told(
    code: str, taken: Any, told: list[Any], noticed: str
) -> None:
    event = TrackingEvent(at=NOON, code=code, description="", status=TrackingStatus.IN_TRANSIT)
    parcel = a_tracking(
        "acme", id="trk_1", carrier="ubi", tracking_number="N1", status="in_transit", events=(event,)
    )
    found = "; ".join(promises.of_parcel(parcel, taken, {"ubi": [STORY]}, told))
    assert noticed in found
    assert bool(noticed) == bool(found)


class Trials:
    """Trials of which `lines` do not hold, one entry for each look; and what became of them."""

    def __init__(self, *lines: list[str], trouble: str = "") -> None:
        self.lines = list(lines)
        self.now = 0.0
        self.closed: list[str] = []
        rest = partial(self.closed.append, "its parcels")
        trial = SimpleNamespace(tenant="t-1", trouble=trouble, rest=rest)
        self.result = Result(PAIRS[0], trial)  # type: ignore[arg-type]

    def ledger(self) -> None:
        """The books are not looked at here."""

    truth = ledger

    def noted(self, case: str) -> dict[str, int]:
        return {"met": 1}

    def close(self, case: str) -> None:
        self.closed.append(case)

    def look(self) -> list[str]:
        lines = self.lines.pop(0)
        if lines == ["breaks off"]:
            raise TimeoutError("no answer")
        return lines


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> tuple[Checks, Trials]:
    trials = Trials(*request.param[0], trouble=request.param[1])
    clock = SimpleNamespace(monotonic=lambda: trials.now)
    monkeypatch.setattr(pairs, "time", clock)
    monkeypatch.setattr(promises, "violations", lambda *args: trials.look())
    monkeypatch.setattr(promises, "outcome", lambda trial: "well")
    return Checks(trials), trials  # type: ignore[arg-type]


def looked(checks: Checks, trials: Trials, at: float) -> list[Result]:
    trials.now = at
    return checks.look()


@pytest.mark.parametrize("checks", [([[]], "")], indirect=True)
def test_a_trial_is_checked_once_it_has_lingered(checks: tuple[Checks, Trials]) -> None:
    one, trials = checks
    one.take([trials.result], lingers=45)
    assert (looked(one, trials, 44), one.left, trials.closed) == ([], 1, [])
    assert looked(one, trials, 45) == [trials.result]
    assert (one.left, trials.result.violations, trials.result.met) == (0, [], True)
    assert trials.closed == ["its parcels", "t-1"]


@pytest.mark.parametrize("checks", [([["late"], ["breaks off"], []], "")], indirect=True)
def test_what_comes_right_in_time_is_no_violation(checks: tuple[Checks, Trials]) -> None:
    one, trials = checks
    one.take([trials.result])
    assert looked(one, trials, 0) == looked(one, trials, STANDS) == []
    assert looked(one, trials, 2 * STANDS) == [trials.result]
    assert trials.result.violations == []


@pytest.mark.parametrize("checks", [([["lost"], ["lost", "late"]], "")], indirect=True)
def test_what_stands_too_long_is_a_violation_and_is_left_as_it_is(checks: tuple[Checks, Trials]) -> None:
    one, trials = checks
    one.take([trials.result])
    assert looked(one, trials, 0) == []
    assert looked(one, trials, STANDS + 1) == [trials.result]
    assert (trials.result.violations, trials.closed, one.left) == (["lost", "late"], [], 0)


@pytest.mark.parametrize("checks", [([["first"], ["second"], ["third"], []], "")], indirect=True)
def test_what_is_always_something_else_is_news_under_way(checks: tuple[Checks, Trials]) -> None:
    one, trials = checks
    one.take([trials.result])
    assert not any(looked(one, trials, at * STANDS) for at in (0, 1, 2))
    assert looked(one, trials, 3 * STANDS) == [trials.result]
    assert trials.result.violations == []


@pytest.mark.parametrize("checks", [([[]], "not within 420 s")], indirect=True)
def test_a_flow_that_did_not_end_is_a_violation(checks: tuple[Checks, Trials]) -> None:
    one, trials = checks
    one.take([trials.result])
    assert looked(one, trials, 0) == [trials.result]
    assert trials.result.violations == ["not within 420 s"]


def test_only_changes_of_the_tenants_that_are_over_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(tenant: str, number: int) -> Any:
        return {"dynamodb": {"Keys": {"pk": {"S": f"T#{tenant}#ORDER#{number}"}}}}

    waiting = [[change("a", 1), change("b", 1)], [change("a", 2)], [change("c", 1)]]
    given: list[Any] = []
    changes = SimpleNamespace(new=lambda: waiting.pop(0) if waiting else [], give=given.extend)
    monkeypatch.setattr(again, "Changes", lambda ground: changes)
    monkeypatch.setattr(again, "_tenant", lambda record: record["dynamodb"]["Keys"]["pk"]["S"].split("#")[1])
    once_more = again.Again(SimpleNamespace(), 1, 1.0)  # type: ignore[arg-type]
    assert once_more.give([]) == 0
    assert once_more.give(["a"]) == len(given) == 2
    assert once_more.give(["a", "b", "c"]) == 2
    assert sorted(map(str, given[2:])) == sorted(map(str, [change("b", 1), change("c", 1)]))
    none = again.Again(SimpleNamespace(), 1, 0.0)  # type: ignore[arg-type]
    waiting.append([change("a", 3)])
    assert none.give(["a"]) == 0


def test_a_pair_that_has_no_turn_in_time_has_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = SimpleNamespace(tenant="t", rested=0)
    trial.rest = lambda: setattr(trial, "rested", trial.rested + 1)
    monkeypatch.setattr(pairs, "run", lambda *args: trial)
    heard: list[int] = []
    how: Any = {"at_once": 1, "over": lambda new, left: heard.append(len(new))}
    done = pairs.tried(SimpleNamespace(), PAIRS[:3], "s1", **how)  # type: ignore[arg-type]
    assert (sorted(result.pair for result in done), trial.rested) == (sorted(PAIRS[:3]), 3)
    assert sum(heard) == 3
    assert pairs.tried(SimpleNamespace(), PAIRS[:3], "s1", within=-1.0, **how) == []  # type: ignore[arg-type]


def test_few_at_once_spoil_what_is_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each round of polls loses its workers no parcel is polled in time, and nothing is proved."""
    rounds = [
        Pair(flow, "poll_trackings", "dynamodb.Query", nth, fault)
        for flow, fault in (("poll round", "throttle"), ("ubi poll", "freeze"))
        for nth in range(pairs.FOR_ALL_AT_ONCE)
    ]
    together, threads = Barrier(pairs.FOR_ALL_AT_ONCE), set()

    def run(*args: Any) -> Any:
        threads.add(current_thread())
        together.wait(timeout=20)
        return SimpleNamespace(rest=lambda: None)

    monkeypatch.setattr(pairs, "run", run)
    done = pairs.tried(SimpleNamespace(), rounds, "s1", at_once=24)  # type: ignore[arg-type]
    assert sorted(result.pair for result in done) == sorted(rounds)
    assert len(threads) == pairs.FOR_ALL_AT_ONCE

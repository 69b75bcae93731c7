"""Pairs of a step and a fault: recorded in a clean run, shuffled by a seed, tried many at once.

Each is checked soon after its flow is over, while others go on: its parcels would travel further meanwhile.
"""

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from local import ROOT
from local.faults.rules import faults_of
from tests.faults.stack import promises
from tests.faults.stack.flows import FLOWS
from tests.faults.stack.trials import Ground, NotSettledError, Trial

MOST_OF_A_KIND = 3
"""Of calls that a function makes often, the first ones are steps."""
_ANY = frozenset({path.parent.name for path in (ROOT / "functions").glob("*/handler.py")})
SILENCE = 40.0
"""Seconds. No function waits longer for a carrier."""
_ENDS = {"kill_before", "kill_after", "freeze"}
"""Faults that end a function's process with all that it had under way."""
_LONG = {*_ENDS, "silence"}
"""Faults after which a flow waits longest, until leases and messages come free again."""
FOR_ALL_AT_ONCE = 6
"""How many pairs at once spoil what is for all merchants."""
LINGERS = 45.0
"""Seconds between the end of a flow and its check: what follows from it may meet its fault only then."""
STANDS = 180.0
"""Seconds after which what does not hold will not come right by itself; a webhook is sent again sooner."""
ROUND = 10.0
"""Seconds from one round of checks to the next while others are tried."""
_SELDOM = 40.0
"""Seconds at most from one look at a trial to the next: it is some ten calls, and others wait for these."""


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """A step of a flow, and what becomes of it."""

    flow: str
    function: str
    call: str
    nth: int
    fault: str

    def __str__(self) -> str:
        return f"{self.flow}: {self.function} {self.call} #{self.nth} {self.fault}"

    @property
    def rule(self) -> dict[str, Any]:
        """What the proxy is told."""
        more = {"seconds": SILENCE} if self.fault == "silence" else {}
        return {"function": self.function, "call": self.call, "nth": self.nth, "fault": self.fault, **more}


@dataclass
class Result:
    """What became of a pair."""

    pair: Pair
    trial: Trial | None = None
    met: bool = False
    outcome: str = ""
    violations: list[str] = field(default_factory=list)

    @property
    def tenant(self) -> str:
        """The merchant's tenant; empty when there was none."""
        return self.trial.tenant if self.trial else ""


def run(ground: Ground, tenant: str, flow: str, rules: list[dict[str, Any]]) -> Trial:
    """Let one merchant go through a flow. The case of the proxy stays open, for what comes late."""
    made = FLOWS[flow]
    trial = ground.trial(tenant, made.carriers)
    ground.spoil(tenant, trial.marks, [*made.always, *([] if made.of else rules)])
    if made.of:
        ground.spoil(_nobodys(tenant), [], rules)
    began = time.monotonic()
    try:
        made.act(trial)
    except Exception as error:
        trial.trouble = f"{type(error).__name__}: {error}"
    trial.seconds = time.monotonic() - began
    return trial


def recorded(ground: Ground, flows: Iterable[str], tag: str) -> tuple[list[Pair], list[Result]]:
    """The pairs of each flow's steps, from a run in which nothing is spoilt; and those runs."""
    pairs: list[Pair] = []
    clean: list[Result] = []
    names = list(flows)
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        runs = pool.map(lambda flow: run(ground, _tenant(tag, flow, 0), flow, []), names)
        for flow, trial in zip(names, runs, strict=True):
            with suppress(NotSettledError):  # It is checked like all others.
                trial.until(trial.told, lambda told, merchant=trial.merchant: not merchant.mistakes(told))
            clean.append(Result(Pair(flow, "-", "-", 0, "none"), trial, met=True))
            pairs += [
                Pair(flow, step["function"], step["call"], step["nth"], fault)
                for step in ground.noted(_case(flow, trial.tenant))["calls"]
                if step["nth"] <= MOST_OF_A_KIND and step["function"] in (FLOWS[flow].of or _ANY)
                for fault in faults_of(step["call"])
            ]
            trial.rest()
    return pairs, clean


def chosen(pairs: list[Pair], *, seed: int, only: str = "", count: int = 0) -> list[Pair]:
    """The pairs to try, in the sequence of the seed: those whose words contain each word of `only`.

    Flows share most of their steps. Each step and fault is tried in one of the flows that have it; the seed
    says in which. With `count` there are at most so many, spread over the calls: none comes again before each
    had its turn.
    """
    fits = [pair for pair in sorted(pairs) if any(_has(str(pair), words) for words in only.split("|"))]
    random.Random(seed).shuffle(fits)
    one_of_each: dict[tuple[str, str, int, str], Pair] = {}
    for pair in fits:
        one_of_each.setdefault((pair.function, pair.call, pair.nth, pair.fault), pair)
    turns: Counter[tuple[str, str]] = Counter()
    placed = []
    for pair in one_of_each.values():
        turns[pair.function, pair.call] += 1
        placed.append((turns[pair.function, pair.call], len(placed), pair))
    return [pair for _, _, pair in sorted(placed)[: count or None]]


def _has(text: str, words: str) -> bool:
    return all(word in text for word in words.split())


class Checks:
    """Trials that are over, held against the carriers' books until all is well or something stays wrong."""

    def __init__(self, ground: Ground, *, stands: float = STANDS, at_once: int = 8) -> None:
        self._ground = ground
        self._stands = stands
        self._at_once = at_once
        self._open: list[_Open] = []

    @property
    def left(self) -> int:
        """How many are still to be decided."""
        return len(self._open)

    def take(self, results: Iterable[Result], *, lingers: float = 0.0) -> None:
        """Check these from now on, for the first time after `lingers` seconds."""
        now = time.monotonic()
        self._open += [_Open(each, each.trial, now + lingers) for each in results if each.trial]

    def look(self) -> list[Result]:
        """Look at each that is due. Returns those that are decided now."""
        due = [each for each in self._open if each.due <= time.monotonic()]
        if not due:
            return []
        ledger, truth = self._ground.ledger(), self._ground.truth()
        with ThreadPoolExecutor(self._at_once) as pool:
            decided = list(pool.map(lambda each: self._decide(each, ledger, truth), due))
        over = [each for each, is_over in zip(due, decided, strict=True) if is_over]
        self._open = [each for each in self._open if each not in over]
        return [each.result for each in over]

    def _decide(self, one: "_Open", ledger: Any, truth: Any) -> bool:
        """Look at one. Whether it is decided: all is well, or something has stood for long."""
        result, trial, now = one.result, one.trial, time.monotonic()
        case = _case(result.pair.flow, trial.tenant)
        try:
            lines = promises.violations(FLOWS[result.pair.flow], trial, ledger, truth)
            result.outcome = promises.outcome(trial)
            result.met = result.met or self._ground.noted(case)["met"] > 0
            if not lines:
                # A webhook that was still under way has planned a poll.
                trial.rest()
                for name in {trial.tenant, case}:
                    self._ground.close(name)
        except Exception as error:
            lines = [f"it cannot be checked: {type(error).__name__}: {error}"]
        one.standing = {line: one.standing.get(line, now) for line in lines}
        result.violations = [*lines, *([trial.trouble] if trial.trouble else [])]
        stood = max((now - since for since in one.standing.values()), default=0.0)
        one.due = now + min(2.0 + stood, _SELDOM)
        return not lines or stood > self._stands


@dataclass(eq=False)
class _Open:
    """A trial that is checked."""

    result: Result
    trial: Trial
    due: float
    standing: dict[str, float] = field(default_factory=dict)
    """What did not hold when it was last looked at, and since when."""


def tried(
    ground: Ground,
    pairs: list[Pair],
    tag: str,
    *,
    at_once: int,
    within: float = math.inf,
    over: Callable[[list[Result], int], None] = lambda results, left: None,
) -> list[Result]:
    """Try pairs, many at once. `over` is called now and then with those that are over since the last time.

    None begins that had no turn `within` so many seconds, and those have no result.

    Four times as many again are under way of those that wait most of the time and cost no CPU meanwhile. Of
    those that spoil what is for all merchants, such as the rounds of polls, there are only a few: many
    together would kill the workers of each round, so that no parcel is polled in time.
    """

    began = time.monotonic()

    def one(number: int, pair: Pair) -> Result | None:
        if time.monotonic() - began > within:
            return None
        tenant = _tenant(tag, pair.flow, number)
        try:
            trial = run(ground, tenant, pair.flow, [pair.rule])
            # Its parcels travel on, and each event of theirs would be work for those that come after it.
            trial.rest()
            return Result(pair, trial)
        except Exception as error:
            return Result(pair, violations=[f"it could not begin: {type(error).__name__}: {error}"])

    results: list[Result] = []
    with (
        ThreadPoolExecutor(at_once) as quick,
        ThreadPoolExecutor(4 * at_once) as waiting,
        ThreadPoolExecutor(FOR_ALL_AT_ONCE) as for_all,
    ):

        def pool(pair: Pair) -> ThreadPoolExecutor:
            if is_for_all(pair):
                return for_all
            return waiting if pair.fault in _LONG or FLOWS[pair.flow].waits else quick

        left: set[Future[Result | None]] = {
            pool(pair).submit(one, number, pair) for number, pair in enumerate(pairs, 1)
        }
        while left:
            ended, left = wait(left, timeout=ROUND)
            new = [result for future in ended if (result := future.result())]
            results += new
            over(new, len(left))
    return results


def is_for_all(pair: Pair) -> bool:
    """Whether a pair spoils what is done for all merchants together: a sweep, a round of polls."""
    ends_a_round = pair.function == "poll_trackings" and pair.fault in _ENDS
    return bool(FLOWS[pair.flow].of) or ends_a_round


def checked(ground: Ground, results: list[Result]) -> list[Result]:
    """Hold every trial against the carriers' books, until each is decided."""
    checks = Checks(ground)
    checks.take(results)
    while checks.left:
        checks.look()
        if checks.left:
            time.sleep(2)
    return results


def _case(flow: str, tenant: str) -> str:
    """The case that has the steps of a flow."""
    return _nobodys(tenant) if FLOWS[flow].of else tenant


def _nobodys(tenant: str) -> str:
    return f"{tenant}nobody"


def _tenant(tag: str, flow: str, number: int) -> str:
    return f"{tag}-{flow.replace(' ', '')}-{number:04}-x"

"""`make faults`: each call of the main flows meets each fault, on a stack of its own.

    make faults                          every pair of step and fault
    make faults ONLY="lso kill"          the pairs whose words contain these
    make faults ONLY="sweep|lso kill"    those whose words contain these or these
    make faults COUNT=200 SEED=7         so many of them, spread over the steps, in the sequence of a seed
    make faults MINUTES=40               those of this sequence that begin within so many minutes

A pair is written `<flow>: <function> <call> #<nth> <fault>`. Without ONLY the table goes to
`docs/reliability.md`. Ends with 1 when a promise did not hold; the stack's logs are in `out/faults` then.
"""

import json
import math
import os
import shutil
import sys
import time

from local import ROOT, arguments
from local.checks.checks import STATES, end_abandoned_stacks
from local.command.deployment import Deployment
from local.stack import stack as local_stack
from tests.faults.stack import again, pairs, table
from tests.faults.stack.flows import FLOWS
from tests.faults.stack.pairs import Pair, Result
from tests.faults.stack.trials import Ground, merchants

AT_ONCE = 24
STANDS = 600.0
"""Seconds. All share one shard of the stream, and each fault at its router holds up what they are told."""
SETTINGS = {"queue_concurrency": 8, "poll_workers": 8}
"""More than a stack on one machine has otherwise. A worker that is spoilt holds up the webhooks, or the
polls, of other merchants too, and of two workers at times none was left for longer than a flow waits."""
LOGS = ROOT / "out" / "faults"
AGAIN = 0.1
"""The share of the stream's records that come once more."""


def main() -> int:
    """Run the pairs that the environment names; return the exit code."""
    only, seed = os.environ.get("ONLY", ""), arguments.whole("SEED", 1)
    count, at_once = arguments.whole("COUNT", 0, least=1), arguments.whole("AT_ONCE", AT_ONCE, least=1)
    within = arguments.whole("MINUTES", 0, least=1)
    asked = {"ONLY": f'"{only}"' if only else "", "COUNT": count, "SEED": os.environ.get("SEED")}
    asked["MINUTES"] = within
    end_abandoned_stacks()
    state, began = STATES / str(os.getpid()), time.monotonic()
    state.mkdir(parents=True, exist_ok=True)
    (state / local_stack.SETTINGS).write_text(json.dumps(SETTINGS))
    with local_stack.running(state, with_faults=True) as stack, merchants() as servers:
        ground = Ground(stack, Deployment.local(state / "stack.json"), servers)
        results, of = tried(ground, only, seed, count, at_once, 60.0 * within or math.inf)
    if any(result.violations for result in results):
        shutil.copytree(state / "logs", LOGS, dirs_exist_ok=True)
        print(f"\nthe logs of the stack: {LOGS.relative_to(ROOT)}")
    shutil.rmtree(state, ignore_errors=True)
    minutes = (time.monotonic() - began) / 60
    command = " ".join(["make faults", *(f"{name}={value}" for name, value in asked.items() if value)])
    report = table.table(results, command=command, seed=seed, minutes=minutes, of=of)
    print(f"\n{report}")
    if not only:
        table.write(report)
    return int(any(result.violations for result in results))


def tried(
    ground: Ground, only: str, seed: int, count: int, at_once: int, within: float
) -> tuple[list[Result], int]:
    """Record the steps, try the pairs, and check each once it is over.

    Returns what came of the pairs, and how many there were to choose from.
    """
    words = only.replace("|", " ").split()
    # Words of a call or a fault alone can be in every flow.
    flows = [flow for flow in FLOWS if not only or any(word in flow for word in words)] or [*FLOWS]
    print(f"recording the steps of {len(flows)} flows", flush=True)
    every, clean = pairs.recorded(ground, flows, "clean")
    todo = pairs.chosen(every, seed=seed, only=only, count=count)
    all_of_them = len(pairs.chosen(every, seed=seed, only=only))
    if not todo:
        raise SystemExit(f'ONLY: no pair has the words "{only}"')
    print(f"{len(todo)} of {all_of_them} pairs, {at_once} at once, seed {seed}", flush=True)
    return clean + _tried_and_checked(ground, todo, clean, seed, at_once, within), all_of_them


def _tried_and_checked(
    ground: Ground, todo: list[Pair], clean: list[Result], seed: int, at_once: int, within: float
) -> list[Result]:
    once_more, began = again.Again(ground, seed, AGAIN), time.monotonic()
    checks = pairs.Checks(ground, stands=STANDS)
    checks.take(clean)

    def look() -> None:
        wrong = [result for result in checks.look() if result.violations]
        for result in wrong:
            print(f"\n{result.pair}", *result.violations, sep="\n    ", flush=True)

    def over(new: list[Result], left: int) -> None:
        once_more.give([result.tenant for result in new])
        checks.take(new, lingers=pairs.LINGERS)
        look()
        if tried := len(todo) - left:
            minutes = (time.monotonic() - began) / tried * left / 60
            _progress(f"{tried} of {len(todo)} pairs, {checks.left} to check, about {minutes:.0f} min left")

    results = pairs.tried(ground, todo, f"s{seed}", at_once=at_once, within=within, over=over)
    for result in results:
        if not result.trial:
            print(f"\n{result.pair}", *result.violations, sep="\n    ", flush=True)
    while checks.left:
        _progress(f"{checks.left} pairs to check")
        time.sleep(pairs.ROUND)
        look()
    return results


def _progress(line: str) -> None:
    end = "\n" if not sys.stdout.isatty() else ""
    print(f"\r{line}   ", end=end, flush=True)


if __name__ == "__main__":
    arguments.none(__doc__)
    raise SystemExit(main())

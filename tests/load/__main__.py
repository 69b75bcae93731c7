"""`make load`: a busy merchant's hour in minutes, on a stack of its own.

    make load                              5,000 orders, one call in fifty goes wrong
    make load COUNT=200 FAULTS=0.05 SEED=7

The tables go to `docs/reliability.md`. Ends with 1 when a promise did not hold.
"""

import json
import os
import shutil
import sys
import time

from local import arguments
from local.checks.checks import STATES, end_abandoned_stacks
from local.command.deployment import Deployment
from local.stack import stack as local_stack
from tests.faults.stack import again
from tests.faults.stack.trials import Ground, merchants
from tests.load import books, memory, report
from tests.load.desk import Desk
from tests.load.plan import planned
from tests.load.work import Work

COUNT, FAULTS, SEED = 5000, 0.02, 1
FEWEST = 10
"""Orders, so that each carrier has some."""
TENANT = "load-x"
CASE = "load"
SETTINGS = {
    "poll_pace": 24,
    # The merchant is alone, so no worker has to be left to others: one that finds no place does nothing.
    "queue_concurrency": 8,
    "carrier_concurrency": 6,
    "carrier_places": 6,
    "label_concurrency": 8,
    "label_places": 8,
}
ACCELERATION = 360.0
"""A parcel travels a day in four minutes, and is asked about as seldom as in reality, for these minutes."""
CHANGES_AGAIN = 2_000
"""So many changes come once more. Each brings messages, and the run waits for all of them."""
CHANCES = {
    "throttle": 30, "error": 20, "conflict": 10, "partial": 10, "reset_before": 15, "reset_after": 15,
    "delay": 5, "duplicate": 5, "html": 20, "too_many": 10, "half_body": 10, "slow_drip": 10,
    "silence": 5, "kill_before": 1, "kill_after": 1,
}  # fmt: skip
"""How often each fault comes, as compared with the others."""


def main() -> int:
    """Do what the environment asks for; return the exit code."""
    count, seed = arguments.whole("COUNT", COUNT, least=FEWEST), arguments.whole("SEED", SEED)
    share = arguments.share("FAULTS", FAULTS)
    plan, began = planned(count, seed), time.monotonic()
    minutes: dict[str, float] = {}

    def lap(name: str) -> None:
        minutes[name] = (time.monotonic() - began) / 60 - sum(minutes.values())

    print(plan.words(), flush=True)
    end_abandoned_stacks()
    state = STATES / str(os.getpid())
    state.mkdir(parents=True, exist_ok=True)
    (state / local_stack.SETTINGS).write_text(json.dumps(SETTINGS))
    running = local_stack.running(state, acceleration=ACCELERATION, with_faults=True)
    with running as stack, merchants() as servers:
        ground = Ground(stack, Deployment.local(state / "stack.json"), servers)
        desk = Desk.of(ground.trial(TENANT, ("lso", "ubi", "lme", "trackingmore")))
        work = Work(desk, seed)
        lap("until the stack was ready")
        ground.spoil_by_chance(CASE, share, CHANCES, seed)
        work.do(plan, _progress)
        faults = ground.noted(CASE)
        ground.close(CASE)
        lap("of work")
        with memory.measuring() as measured:
            books.settled(work, lambda left: _say(f"{left} orders are under way"))
            again.replay_changes(ground, seed, most=CHANGES_AGAIN)
            books.settled(work, lambda left: _say(f"{left} orders are under way"))
            ground.stop_the_clock()
            account = books.accounted(work, plan, _say)
            lap("until all was quiet and accounted for")
            flat = measured()
    shutil.rmtree(state, ignore_errors=True)
    asked = {"COUNT": count, "FAULTS": share, "SEED": seed}
    command = " ".join(["make load", *(f"{name}={value}" for name, value in asked.items())])
    text = report.report(command, plan, work, account, faults, minutes, flat)
    print(f"\n{text}")
    for line in account.wrong:
        print(f"    {line}")
    report.write(text)
    return int(bool(account.wrong) or not flat.is_flat)


def _progress(done: int, of: int) -> None:
    if done % 20 == 0 or done == of:
        _say(f"{done} of {of} jobs are done")


def _say(line: str) -> None:
    print(line, flush=True, file=sys.stderr)


if __name__ == "__main__":
    arguments.none(__doc__)
    raise SystemExit(main())

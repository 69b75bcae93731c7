"""`make contract`: calls that schemathesis makes from the API's own document, one leading to the next.

    make contract                           2,000 calls of the functions or more, in one process
    make contract CASES=20000 SEED=7        so many, in runs with the seeds 7, 8, 9 and so on
    make contract STACK=1 CASES=20000       over HTTP, on a stack of its own; three runs at once (WORKERS=3)
    make contract STACK=up                  on the stack of `make up`

A run is never cut short: it makes some 600 calls, and on a stack 2,000. Each operation is called by itself
first. The tool's stateful phase then takes what a call answers, such as the id of an order, to later calls.
A run begins with some orders, a batch, parcels and an endpoint. An answer must be no server error, and must
be as the document says. Each run has a new world, and an error that no function handles is found as well; on
a stack it is found in the logs (`tests/contract/stack.py`). The counts go to `docs/reliability.md`; in one
process, those of other commands stay. Ends with 1 when something was found.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

from local import ROOT, arguments
from parcelgate.carriers import registry
from parcelgate.observability.logs import log
from tests.contract.runs import Run, Served, account_limits, fill, run, words
from tests.support.api import TENANT

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- made by make contract -->", "<!-- end of what make contract made -->"
STACK_BEGIN = "<!-- made by make contract STACK=1 -->"
STACK_END = "<!-- end of what make contract STACK=1 made -->"
HEAD = (
    "| Command, date | Seeds | Sequences | Calls | Most operations called | Answers that are wrong |",
    "| --- | --- | --- | --- | --- | --- |",
)
CASES, WORKERS = 2000, 3
"""Calls that are made at least, and runs at once on a stack."""


@contextmanager
def quietly() -> Iterator[None]:
    """Drop what functions log and count."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        before = log.registered_handler.setStream(nowhere)
        try:
            yield
        finally:
            if before is not None:
                log.registered_handler.setStream(before)


@contextmanager
def in_process() -> Iterator[Served]:
    """The functions over a fake of AWS, in a new world whose carriers are the sandbox."""
    from tests.support.sandbox import running_sandbox
    from tests.support.served import ServedWorld
    from tests.support.world import worlds

    # As in the local environment.
    os.environ["PARCELGATE_CARRIERS_OVER_HTTP"] = "yes"
    served, errors = ServedWorld(), list[str]()
    with quietly(), running_sandbox() as sandbox, worlds(sandbox) as make, served.running(make):
        with served.hold() as world:
            for carrier in registry.trackers():
                world.put_account(carrier, sandbox.logins[carrier], limits=account_limits())
                world.table.tenant(TENANT).account_names.add(carrier, "default")
        try:
            yield Served(served.url, served.key(), errors)
        finally:
            errors += served.errors
            served.errors.clear()


def with_row(page: str, runs: Sequence[Run], wrong: int, command: str) -> str:
    """The page with a row for these runs, in the place of one of the same command, and the sums."""
    before, _, rest = page.partition(BEGIN)
    table, _, after = rest.partition(END)
    seeds = f"{runs[0].seed} to {runs[-1].seed}" if len(runs) > 1 else str(runs[0].seed)
    made = f"`{command}`, {datetime.now(UTC):%d %B %Y}"
    sums = (sum(run.sequences for run in runs), sum(run.calls for run in runs))
    rows = [_cells(line) for line in table.splitlines() if line.startswith("| `")]
    rows = [cells for cells in rows if cells[0].partition(",")[0] != f"`{command}`"]
    rows.append(
        [made, seeds, *(f"{each:,}" for each in sums), str(max(run.operations for run in runs)), str(wrong)]
    )
    numbers = [[int(cell.replace(",", "")) for cell in cells[2:]] for cells in rows]
    sequences, calls, operations, faults = zip(*numbers, strict=True)
    rows.append(["all", "", f"{sum(sequences):,}", f"{sum(calls):,}", str(max(operations)), str(sum(faults))])
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return before + "\n".join((BEGIN, *HEAD, *lines, END)) + after


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def written(page: str, report: str) -> str:
    """The page with what a run on a stack came to, in the place of what an earlier one did."""
    before, _, rest = page.partition(STACK_BEGIN)
    _, _, after = rest.partition(STACK_END)
    return f"{before}{STACK_BEGIN}\n\n{report}\n\n{STACK_END}{after}"


def main() -> int:
    """Make as many calls as the environment asks for; return the exit code."""
    given = {name: os.environ.get(name, "") for name in ("STACK", "CASES", "SEED", "WORKERS")}
    cases, seed = arguments.whole("CASES", CASES, least=1), arguments.whole("SEED", 1)
    at_once, which = arguments.whole("WORKERS", WORKERS, least=1), arguments.word("STACK", ("1", "up"))
    command = " ".join(["make contract", *(f"{name}={value}" for name, value in given.items() if value)])
    with tempfile.TemporaryDirectory(prefix="parcelgate-contract-") as folder:
        if which:
            return _on_a_stack(which, cases, seed, at_once, Path(folder), command)
        return _in_one_process(cases, seed, Path(folder), command)


def _in_one_process(cases: int, seed: int, folder: Path, command: str) -> int:
    done: list[Run] = []
    wrong = 0
    while sum(each.calls for each in done) < cases:
        began = time.monotonic()
        with in_process() as served:
            done.append(run(served, seed, folder, fill(served, seed)))
        wrong += len(served.errors) + done[-1].wrong
        print(*served.errors, done[-1].found, sep="\n")
        calls, seconds = sum(each.calls for each in done), time.monotonic() - began
        print(f"seed {seed}: {done[-1].calls} calls in {seconds:.0f} s, {calls} in all", flush=True)
        PAGE.write_text(with_row(PAGE.read_text("utf-8"), done, wrong, command), "utf-8")
        seed += 1
    return int(wrong > 0)


def _on_a_stack(which: str, cases: int, seed: int, at_once: int, folder: Path, command: str) -> int:
    from tests.contract import stack

    outcome = stack.tried(which, cases, seed, at_once, folder)
    report = stack.report(outcome, command)
    print(f"\n{report}")
    print(*map(words, outcome.errors), *outcome.wrong, sep="\n")
    PAGE.write_text(written(PAGE.read_text("utf-8"), report), "utf-8")
    return int(bool(outcome.errors or outcome.wrong or any(each.wrong for each in outcome.runs)))


if __name__ == "__main__":
    arguments.none(__doc__)
    sys.exit(main())

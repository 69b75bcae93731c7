"""`make contract`: calls that schemathesis makes from the API's own document, one leading to the next.

    make contract                        2,000 calls of the functions or more, in one process
    make contract CASES=20000 SEED=7     so many, in runs with the seeds 7, 8, 9 and so on

A run is never cut short: it makes some 600 calls, so that CASES=1 makes as many. Each operation is called by
itself first. The tool's stateful phase then takes what a call answers, such as
the id of an order, to later calls. A run begins with some orders, a batch, a parcel and an endpoint. An
answer must be no server error, and must be as the document says. Each run has a new world, and an error
that no function handles is found as well. The counts go to `docs/reliability.md`, between two marks;
those of the same command with other seeds stay. Ends with 1 when something was found.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx

from local import ROOT, arguments
from local.toolchain.tools import environment
from parcelgate.observability.logs import log
from tests.support.api import openapi_document, order_body
from tests.support.bodies import lme_body, ubi_body

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- made by make contract -->", "<!-- end of what make contract made -->"
HEAD = (
    "| Command, date | Seeds | Sequences | Calls | Most operations called | Answers that are wrong |",
    "| --- | --- | --- | --- | --- | --- |",
)
SETTINGS = """
[phases.fuzzing]
generation.max-examples = 8
[phases.stateful]
generation.max-examples = 120
"""
"""How many calls of each operation the tool is to make in one run, and then how many sequences of calls."""
CASES = 2000
PAUSES = "pauseAccount"
"""The operation that is left out: 503 is the right answer about an account that is paused."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
_COUNTED = (
    r"Scenarios: +(\d[\d,]*)",
    r"(\d[\d,]*) generated",
    r"Tested: +(\d[\d,]*)",
    r"(\d[\d,]*) unique failures?",
)
"""What the tool says of a run: sequences, calls, operations and failures."""


class Served(NamedTuple):
    """The API under test. `errors` are what no function handled, where that can be seen."""

    url: str
    key: str
    errors: list[str]


class Run(NamedTuple):
    """What came of one run of the tool; `found` are its words about answers that are wrong."""

    seed: int
    sequences: int
    calls: int
    operations: int
    wrong: int
    found: str


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
        try:
            yield Served(served.url, served.key(), errors)
        finally:
            errors += served.errors
            served.errors.clear()


def fill(served: Served, seed: int) -> dict[str, list[str]]:
    """Make some of everything. Returns the ids, by the word of a path that they follow."""
    key = {"authorization": f"Bearer {served.key}"}
    with httpx.Client(base_url=served.url, headers=key, timeout=60, trust_env=False) as http:
        for body in (ubi_body, lme_body, order_body):
            for place in range(2):
                http.post("/v1/orders", json=body(f"contract-{seed}-{place}")).raise_for_status()
        rows = [ubi_body(f"contract-{seed}-row-{place}") for place in range(3)]
        http.post("/v1/orders/batch", json={"orders": rows}).raise_for_status()
        http.post("/v1/webhook-endpoints", json={"url": "https://shop.example.com/hooks"}).raise_for_status()
        http.post("/v1/trackings", json={"tracking_number": f"RR{seed}CN", "carrier_code": "china-ems"})
        known = {
            word: [each["id"] for each in http.get(f"/v1/{word}").raise_for_status().json()["data"]]
            for word in ("orders", "trackings", "events", "webhook-endpoints")
        }
    carriers = ["ubi", "lme", "lso", "trackingmore"]
    return known | {"carriers": carriers, "carrier-accounts": carriers, "{carrier}": ["default"]}


def run(served: Served, seed: int, folder: Path, known: dict[str, list[str]]) -> Run:
    """Let the tool make one run."""
    schema, orders, ids = (folder / f"{name}.json" for name in ("openapi", "orders", "known"))
    schema.write_text(json.dumps(openapi_document()), "utf-8")
    orders.write_text(json.dumps([ubi_body(), lme_body(), order_body()]), "utf-8")
    hooks = {"PYTHONPATH": str(Path(__file__).parent), "SCHEMATHESIS_HOOKS": "hooks"}
    hooks |= {"PARCELGATE_CONTRACT_ORDERS": str(orders), "PARCELGATE_CONTRACT_KNOWN": str(ids)}
    ids.write_text(json.dumps(known), "utf-8")
    (folder / "schemathesis.toml").write_text(SETTINGS, "utf-8")
    done = subprocess.run(
        [
            *(environment("contract") / "bin" / "st", "--no-color", "run", schema),
            *("--url", served.url, "--header", f"Authorization: Bearer {served.key}"),
            *("--phases", "fuzzing,stateful", "--exclude-operation-id", PAUSES, "--seed", str(seed)),
            *("--checks", ",".join(CHECKS), "--suppress-health-check", "all", "--request-timeout", "60"),
            "--continue-on-failure",
        ],
        cwd=folder,
        env=os.environ | hooks,
        capture_output=True,
        text=True,
        check=False,
    )
    numbers = [re.search(words, done.stdout) for words in _COUNTED]
    if not all(numbers[:3]):
        sys.exit(f"contract: the tool did not run:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    counts = [int(each[1].replace(",", "")) if each else 0 for each in numbers]
    if done.returncode:
        counts[-1] = max(counts[-1], 1)
    return Run(seed, *counts, done.stdout if done.returncode else "")


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


def main() -> int:
    """Make as many calls as the environment asks for; return the exit code."""
    given = {name: os.environ.get(name, "") for name in ("CASES", "SEED")}
    cases, seed = arguments.whole("CASES", CASES, least=1), arguments.whole("SEED", 1)
    command = " ".join(["make contract", *(f"{name}={value}" for name, value in given.items() if value)])
    runs: list[Run] = []
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="parcelgate-contract-") as folder:
        while sum(each.calls for each in runs) < cases:
            began = time.monotonic()
            with in_process() as served:
                known = fill(served, seed)
                runs.append(run(served, seed, Path(folder), known))
            wrong += len(served.errors) + runs[-1].wrong
            print(*served.errors, runs[-1].found, sep="\n")
            calls, seconds = sum(each.calls for each in runs), time.monotonic() - began
            print(f"seed {seed}: {runs[-1].calls} calls in {seconds:.0f} s, {calls} in all", flush=True)
            PAGE.write_text(with_row(PAGE.read_text("utf-8"), runs, wrong, command), "utf-8")
            seed += 1
    return int(wrong > 0)


if __name__ == "__main__":
    arguments.none(__doc__)
    sys.exit(main())

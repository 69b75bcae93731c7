"""What a function's start and its request cost, and which parts cost most: ``python -m bench.instructions``.

CPU times depend on the machine and the moment. The instructions that a processor carries out do not: two runs
differ by less than a hundredth. They are counted by the processor itself (`perf`), or by valgrind, which is
thirty times slower; where a machine has neither, the CPU times stand alone.

A request is counted as the difference between many and few of them in one process.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import figures
from infra.bundle import ROOT, build
from local import arguments

FUNCTIONS = tuple(sorted(each.parent.name for each in (ROOT / "functions").glob("*/handler.py")))
REQUESTS = ("authorize", "ingest_webhook", "read_trackings", "read_orders", "create_order")
"""The functions whose requests `bench.function_requests` makes."""
COUNTED_SLOWLY = (*REQUESTS, "process_webhook", "poll_trackings", "work_batch", "submit_order")
"""The handlers whose import is counted where that takes valgrind."""
RUNS = 3
FEW, MANY = 2, 22
TIMED = 200
LARGEST = 3
DEEPEST = 6
"""How far up the callers it is looked for whose work a function of Python's own does."""
BENCH = "the measuring"
_PERF = ("perf", "stat", "-x,", "-e", "instructions:u")
_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_IMPORTED = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| (\s*)(\S+)")
_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "PATH": os.environ["PATH"]}


class Cost(NamedTuple):
    """What something costs."""

    cpu: float
    """Milliseconds."""
    instructions: float | None
    """Millions."""
    largest: Sequence[tuple[str, float]]
    """The parts that cost most, and their shares of all."""


class InstructionCounter(NamedTuple):
    """A way to count the instructions of a program."""

    name: str
    command: tuple[str, ...]
    found: re.Pattern[str]

    def count(self, code: str, *folders: Path) -> float | None:
        """The millions of instructions of a fresh Python that runs `code`; None if they were not counted."""
        paths = f"import sys; sys.path[:0] = {[*map(str, folders)]!r}\n"
        done = subprocess.run(  # noqa: S603 - a tool of the system
            [*self.command, sys.executable, "-I", "-S", "-c", paths + code],
            check=True,
            capture_output=True,
            text=True,
            env=_ENVIRONMENT,
        )
        found = self.found.search(done.stderr)
        return int(found[1].replace(",", "")) / 1e6 if found else None


COUNTERS = (
    InstructionCounter("perf", _PERF, re.compile(r"^(\d+),[^,]*,instructions", re.MULTILINE)),
    InstructionCounter("valgrind", _VALGRIND, re.compile(r"I +refs: +([\d,]+)")),
)


def counter() -> InstructionCounter | None:
    """The first way to count that this machine has."""
    for each in COUNTERS:
        if shutil.which(each.command[0]):
            try:
                if each.count("pass"):
                    return each
            except (OSError, subprocess.CalledProcessError):
                continue
    return None


def _part_of(module: str, parent: str, theirs: frozenset[str]) -> str:
    """Whose cost a module's import is: a library's own, or that of whoever imports one of Python's."""
    top = module.partition(".")[0]
    if top in ("parcelgate", "functions", "bench"):
        return "our own code"
    return top if top in theirs else parent


def import_shares(code: str, layer: Path) -> Sequence[tuple[str, float]]:
    """The largest costs of an import, by library; Python's own modules count for who imports them."""
    paths = f"import sys; sys.path[:0] = {[str(layer), str(ROOT)]!r}\n"
    done = subprocess.run(  # noqa: S603 - Python
        [sys.executable, "-X", "importtime", "-I", "-S", "-c", paths + code],
        check=True,
        capture_output=True,
        text=True,
        env=_ENVIRONMENT,
    )
    theirs = frozenset(path.name.partition(".")[0] for path in layer.iterdir())
    spent: Counter[str] = Counter()
    parents = ["Python itself"]
    # A module's line stands below the lines of what it imports. So read from the end, parents come first.
    for line in reversed(done.stderr.splitlines()):
        if found := _IMPORTED.match(line):
            depth = len(found[2]) // 2
            del parents[depth + 1 :]
            parents.append(_part_of(found[3], parents[-1], theirs))
            spent[parents[-1]] += int(found[1])
    total = spent.total()
    return [(part, each / total) for part, each in spent.most_common(LARGEST)]


def request_shares(function: str, layer: Path) -> Sequence[tuple[str, float]]:
    """The largest costs of a request, by library or folder of ours; Python's own count for their callers."""
    code = f"""
import cProfile, json, pstats
from bench import function_requests
once = function_requests.ready({function!r})
profile = cProfile.Profile()
with function_requests.silence():
    profile.enable()
    for _ in range({TIMED}):
        once()
    profile.disable()
rows = {{
    str(place): (own, {{str(caller): spent[3] for caller, spent in callers.items()}}, place[0])
    for place, (_, _, own, _, callers) in pstats.Stats(profile).stats.items()
}}
print(json.dumps(rows))
"""
    rows: dict[str, tuple[float, dict[str, float], str]] = figures.result(code, layer, ROOT)
    spent: Counter[str] = Counter()

    def charge(place: str, seconds: float, depth: int = 0) -> None:
        """Charge what was spent at a place to its part, or in shares to those who called it."""
        _, callers, path = rows[place]
        part, total = _part(path), sum(callers.values())
        if part or not total or depth == DEEPEST:
            spent[part or "Python itself"] += seconds
            return
        for caller, theirs in callers.items():
            charge(caller, seconds * theirs / total, depth + 1)

    for place, (own, _, _) in rows.items():
        charge(place, own)
    del spent[BENCH]
    total = spent.total()
    return [(part, each / total) for part, each in spent.most_common(LARGEST)]


def _part(path: str) -> str:
    """The library of a file, or the folder of ours; empty for a module of Python's own."""
    if "/bench/" in path:
        return BENCH
    if "/functions/" in path:
        return "our functions"
    for begin in ("/python/parcelgate/", "/python/"):
        _, found, rest = path.rpartition(begin)
        if found:
            name = rest.partition("/")[0].removesuffix(".py")
            return f"our `{name}`" if "parcelgate" in begin else name
    return ""


def import_cost(name: str, layer: Path, counts: InstructionCounter | None) -> Cost:
    """What importing a handler costs."""
    code = f"import functions.{name}.handler"
    cpu = statistics.median(figures.taken(code, layer, ROOT).cpu for _ in range(RUNS))
    counted = None
    if counts and (counts.name == "perf" or name in COUNTED_SLOWLY):
        counted = counts.count(code, layer, ROOT)
    return Cost(1000 * cpu, counted, import_shares(code, layer))


def request_cost(name: str, layer: Path, counts: InstructionCounter | None) -> Cost:
    """What a request of a function costs."""
    code = f"from bench import function_requests as made; once = made.ready({name!r})\n"
    timed = f"{code}print(made.seconds(once, {TIMED}))"
    cpu = statistics.median(figures.result(timed, layer, ROOT) for _ in range(RUNS))
    counted = None
    if counts:
        few, many = (
            counts.count(f"{code}made.seconds(once, {number})", layer, ROOT) for number in (FEW, MANY)
        )
        counted = (many - few) / (MANY - FEW) if few and many else None
    return Cost(1000 * cpu, counted, request_shares(name, layer))


def shown(head: str, costs: Mapping[str, Cost]) -> str:
    """The table of what each function costs."""
    rows = [
        (
            f"`{name}`",
            f"{cost.cpu:.{0 if cost.cpu > 20 else 1}f}",
            ""
            if cost.instructions is None
            else f"{cost.instructions:.{0 if cost.instructions > 99 else 1}f}",
            *(f"{part} {100 * share:.0f} %" for part, share in cost.largest),
        )
        for name, cost in sorted(costs.items(), key=lambda each: -each[1].cpu)
    ]
    heads = (head, "CPU ms", "million instructions", "largest cost", "second", "third")
    return figures.table(heads, rows)


def main() -> None:
    """Print the two tables."""
    layer, counts = build("local").layer, counter()
    how = f"counted by {counts.name}" if counts else "not counted: this machine has neither perf nor valgrind"
    print(f"Instructions are {how}.\n")
    costs = []
    for work, names in ((request_cost, REQUESTS), (import_cost, FUNCTIONS)):
        print(f"instructions: {work.__name__} of {len(names)} functions", file=sys.stderr)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            made = pool.map(partial(work, layer=layer, counts=counts), names)
            costs.append(dict(zip(names, made, strict=True)))
    requests, imports = costs
    print(shown("request of", requests), end="\n\n")
    print(shown("import of", imports))


if __name__ == "__main__":
    arguments.none(__doc__)
    main()

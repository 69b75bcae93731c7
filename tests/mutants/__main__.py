"""Takes each guard out of a copy of the tree and runs the tests that are to notice.

    make mutants              all of them; takes some minutes
    make mutants ONLY=7       those of one promise, or of several: ONLY=7,8
    make mutants STACK=yes    those that pairs of `make faults` meet, on a running stack each; takes longer

A mutant is caught when a test fails that passes with the guard. On the running stack it is caught when
`make faults` finds that a promise did not hold. The table is in `docs/reliability.md`, between two marks; a
run of some of them changes the rows of those. Ends with 1 when a mutant survives, or when a guard no longer
stands where the table says.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from local.toolchain.setup import NODE_FOLDERS
from tests.mutants.guards import GUARDS, Guard

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- made by make mutants -->", "<!-- end of what make mutants made -->"
HEAD = (
    "| Promise | Guard that was taken out | The test that failed | On the running stack |",
    "| --- | --- | --- | --- |",
)
_NOT_CAUGHT = "not caught"
SECONDS = 400.0
STACK_SECONDS = 1500.0
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - .*)?$", re.MULTILINE)
_VIOLATION = re.compile(r"^(\S[^\n]*: \S+ [^\n]*#\d+ \w+)\n {4}\S", re.MULTILINE)


class Verdict(NamedTuple):
    """What became of a mutant; `by` is what caught it."""

    guard: Guard
    by: str | None
    why: str
    seconds: float


def copied(to: Path) -> None:
    """A copy of everything that is under version control or is to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        source = ROOT / name
        if source.is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to / name)
    for name in (".venv", *(f"{folder}/node_modules" for folder in NODE_FOLDERS)):
        if (ROOT / name).exists():
            (to / name).symlink_to(ROOT / name)


def _run(tree: Path, arguments: Sequence[str], seconds: float, **environment: str) -> tuple[int, str]:
    named = {"PYTHONPATH": f"{tree}:{tree / 'shared'}", "PYTHONDONTWRITEBYTECODE": "1"}
    program = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=tree,
        env=os.environ | named | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        printed, _ = program.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # It stops what it has started itself.
        program.send_signal(signal.SIGINT)
        printed, _ = program.communicate()
        return -1, f"it never ended: {printed[-400:]}"
    return program.returncode, printed


def tried(tree: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Run tests in the tree: pytest's exit code, and what it printed."""
    options = ["-q", "-x", "-n0", "-p", "no:randomly", "-p", "no:cacheprovider", "--tb=no", "-o", "addopts="]
    options += ["--import-mode=importlib", "-rfE"]
    return _run(tree, ["-m", "pytest", *options, *tests], SECONDS)


class _GoneError(Exception):
    """The guard no longer stands where the table says."""


@contextmanager
def taken_out(guard: Guard, tree: Path) -> Iterator[None]:
    """Change the tree while the block lasts."""
    path = tree / guard.path
    whole = path.read_text("utf-8")
    if whole.count(guard.old) != 1:
        raise _GoneError(f"the guard stands {whole.count(guard.old)} times in {guard.path}")
    path.write_text(whole.replace(guard.old, guard.new), "utf-8")
    try:
        yield
    finally:
        path.write_text(whole, "utf-8")


def by_a_test(guard: Guard, tree: Path) -> tuple[str | None, str]:
    """The test that fails without the guard; if there is none, None and why."""
    tests = tuple(name for name in guard.tests if (tree / name).exists())
    with taken_out(guard, tree):
        code, printed = tried(tree, tests)
    if code == 0:
        return None, "no test noticed"
    failed = _FAILED.search(printed)
    if code != 1 or failed is None:
        return None, f"pytest ended with {code}: {printed.strip()[-200:]}"
    code, _ = tried(tree, (failed[1],))
    return (failed[1], "") if code == 0 else (None, f"{failed[1]} fails with the guard too")


def by_the_stack(guard: Guard, tree: Path) -> tuple[str | None, str]:
    """What `make faults` finds on a stack of the tree without the guard; if nothing, None and why."""
    with taken_out(guard, tree):
        code, printed = _run(tree, ("-m", "local", "faults"), STACK_SECONDS, ONLY=guard.on_stack, COUNT="4")
    violation = _VIOLATION.search(printed)
    if code != 1 or violation is None:
        return None, f"make faults ended with {code}: {printed.strip()[-400:]}"
    return violation[1].replace(" - - #0 none", " nothing spoilt"), ""


def judged(guard: Guard, tree: Path, *, on_stack: bool) -> Verdict:
    """Take one guard out, see who notices, and put it back."""
    began = time.monotonic()
    try:
        by, why = (by_the_stack if on_stack else by_a_test)(guard, tree)
    except _GoneError as error:
        by, why = None, str(error)
    return Verdict(guard, by, why, time.monotonic() - began)


def with_rows(page: str, verdicts: Sequence[Verdict], *, on_stack: bool) -> str:
    """The page with these verdicts in its table. Other rows stay, except those of guards that are gone."""
    before, _, rest = page.partition(BEGIN)
    table, _, after = rest.partition(END)
    known: dict[str, list[str]] = {}
    for line in table.splitlines():
        if line.startswith("| ") and line not in HEAD:
            _, what, *by = (cell.strip() for cell in line.strip("|").split("|"))
            known[what] = by
    for verdict in verdicts:
        cells = known.setdefault(verdict.guard.what, ["", ""])
        by = f"`{verdict.by}`".replace("|", "/") if verdict.by else _NOT_CAUGHT
        cells[1 if on_stack else 0] = by
    guards = [guard for guard in sorted(GUARDS, key=lambda guard: guard.promise) if guard.what in known]
    rows = [f"| {guard.promise} | {guard.what} | {' | '.join(known[guard.what])} |" for guard in guards]
    tried = [[known[guard.what][place] for guard in guards if known[guard.what][place]] for place in (0, 1)]
    tests, stack = (f"{sum(cell != _NOT_CAUGHT for cell in cells)} of {len(cells)}" for cells in tried)
    made = f"`make mutants`, the last part {datetime.now(UTC):%d %B %Y}: a test caught {tests} mutants"
    made += f", and `make faults` caught {stack} on a running stack." if tried[1] else "."
    return before + "\n".join((BEGIN, made, "", *HEAD, *rows, END)) + after


def main() -> int:
    """Try the mutants that the environment names; return the exit code."""
    only, on_stack = os.environ.get("ONLY", ""), bool(os.environ.get("STACK"))
    guards = [guard for guard in GUARDS if not only or str(guard.promise) in only.split(",")]
    guards = [guard for guard in guards if guard.on_stack or not on_stack]
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="parcelgate-mutants-") as folder:
        tree = Path(folder)
        copied(tree)
        for guard in guards:
            verdict = judged(guard, tree, on_stack=on_stack)
            verdicts.append(verdict)
            result = f"caught by {verdict.by}" if verdict.by else f"SURVIVED: {verdict.why}"
            print(f"{guard.promise:>2}  {guard.what}: {result} ({verdict.seconds:.0f} s)", flush=True)
            page = PAGE.read_text("utf-8")
            PAGE.write_text(with_rows(page, verdicts, on_stack=on_stack), "utf-8")
    survived = [one for one in verdicts if one.by is None]
    print(f"{len(verdicts) - len(survived)} of {len(verdicts)} mutants caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())

"""Takes each guard out of a copy of the tree and runs the tests that are to notice.

    make mutants              all of them; takes some minutes
    make mutants ONLY=7       those of one promise, or of several: ONLY=7,8
    make mutants STACK=1      out of a running stack: the check of `make faults` is to notice

A mutant is caught when a test fails that passes with the guard. The table is in `docs/reliability.md`,
between two marks; a run of some of them changes the rows of those. Ends with 1 when a mutant survives, or
when a guard no longer stands where the table says.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from local import arguments
from local.toolchain.setup import NODE_FOLDERS
from tests.mutants.guards import GUARDS, Guard

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- made by make mutants -->", "<!-- end of what make mutants made -->"
HEAD = ("| Promise | Guard that was taken out | The test that failed |", "| --- | --- | --- |")
_NOT_CAUGHT = "not caught"
SECONDS = 400.0
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - .*)?$", re.MULTILINE)


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


def tried(tree: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Run tests in the tree: pytest's exit code, and what it printed."""
    environment = os.environ | {
        "PYTHONPATH": f"{tree}:{tree / 'shared'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = ["-q", "-x", "-n0", "-p", "no:randomly", "-p", "no:cacheprovider", "--tb=no", "-o", "addopts="]
    options += ["--import-mode=importlib", "-rfE"]
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, "it never ended"
    return ran.returncode, ran.stdout


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


def judged(guard: Guard, tree: Path) -> Verdict:
    """Take one guard out, see who notices, and put it back."""
    began = time.monotonic()
    try:
        by, why = by_a_test(guard, tree)
    except _GoneError as error:
        by, why = None, str(error)
    return Verdict(guard, by, why, time.monotonic() - began)


def with_rows(page: str, verdicts: Sequence[Verdict]) -> str:
    """The page with these verdicts in its table. Other rows stay, except those of guards that are gone."""
    before, _, rest = page.partition(BEGIN)
    table, _, after = rest.partition(END)
    known: dict[str, str] = {}
    for line in table.splitlines():
        if line.startswith("| ") and line not in HEAD:
            _, what, by = (cell.strip() for cell in line.strip("|").split("|"))
            known[what] = by
    for one in verdicts:
        known[one.guard.what] = f"`{one.by}`".replace("|", "/") if one.by else _NOT_CAUGHT
    guards = [guard for guard in sorted(GUARDS, key=lambda guard: guard.promise) if guard.what in known]
    rows = [f"| {guard.promise} | {guard.what} | {known[guard.what]} |" for guard in guards]
    caught = sum(known[guard.what] != _NOT_CAUGHT for guard in guards)
    made = f"`make mutants`, the last part {datetime.now(UTC):%d %B %Y}: a test caught"
    made += f" {caught} of {len(guards)} mutants."
    return before + "\n".join((BEGIN, made, "", *HEAD, *rows, END)) + after


def on_a_stack() -> int:
    """Try those that a running stack can show, on one of a copy of the tree; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="parcelgate-mutants-") as folder:
        tree = Path(folder)
        copied(tree)
        for path in (ROOT / ".local" / "runtime", *(ROOT / ".local" / "build" / "local").glob("libraries-*")):
            shutil.copytree(path, tree / path.relative_to(ROOT), symlinks=True)
        command = [sys.executable, "-m", "tests.mutants.on_the_stack", str(PAGE)]
        environment = os.environ | {"PYTHONPATH": f"{tree}:{tree / 'shared'}"}
        return subprocess.run(command, cwd=tree, env=environment, check=False).returncode


def main() -> int:
    """Try the mutants that the environment names; return the exit code."""
    if arguments.word("STACK", ("1",)):
        return on_a_stack()
    only = os.environ.get("ONLY", "")
    guards = [guard for guard in GUARDS if not only or str(guard.promise) in only.split(",")]
    if not guards:
        print(f"No guard is of a promise {only}.", file=sys.stderr)
        return 2
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="parcelgate-mutants-") as folder:
        tree = Path(folder)
        copied(tree)
        for guard in guards:
            verdict = judged(guard, tree)
            verdicts.append(verdict)
            result = f"caught by {verdict.by}" if verdict.by else f"SURVIVED: {verdict.why}"
            print(f"{guard.promise:>2}  {guard.what}: {result} ({verdict.seconds:.0f} s)", flush=True)
            page = PAGE.read_text("utf-8")
            PAGE.write_text(with_rows(page, verdicts), "utf-8")
    survived = [one for one in verdicts if one.by is None]
    print(f"{len(verdicts) - len(survived)} of {len(verdicts)} mutants caught")
    return 1 if survived else 0


if __name__ == "__main__":
    arguments.none(__doc__)
    sys.exit(main())

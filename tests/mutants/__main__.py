"""Takes each guard out of a copy of the tree and runs the tests that are to notice.

    make mutants              all of them; takes some minutes
    make mutants ONLY=7       those of one promise

A mutant is caught when a test fails that passes with the guard. The table goes to `docs/mutants.md` after a
run of all. Ends with 1 when a mutant survives, or when a guard no longer stands where the table says.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from local.toolchain.setup import NODE_FOLDERS
from tests.mutants.guards import GUARDS, Guard

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "mutants.md"
SECONDS = 400.0
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - .*)?$", re.MULTILINE)


class Verdict(NamedTuple):
    """What became of a mutant; `by` is the test that caught it."""

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
            [sys.executable, "-m", "pytest", *options, *(one for one in tests)],
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


def judged(guard: Guard, tree: Path) -> Verdict:
    """Take one guard out, see who notices, and put it back."""
    began = time.monotonic()
    path = tree / guard.path
    whole = path.read_text("utf-8")
    if whole.count(guard.old) != 1:
        return Verdict(guard, None, f"the guard stands {whole.count(guard.old)} times in {guard.path}", 0.0)
    tests = tuple(name for name in guard.tests if (tree / name).exists())
    path.write_text(whole.replace(guard.old, guard.new), "utf-8")
    try:
        code, printed = tried(tree, tests)
    finally:
        path.write_text(whole, "utf-8")
    seconds = time.monotonic() - began
    if code == 0:
        return Verdict(guard, None, "no test noticed", seconds)
    failed = _FAILED.search(printed)
    if code != 1 or failed is None:
        return Verdict(guard, None, f"pytest ended with {code}: {printed.strip()[-200:]}", seconds)
    by = failed[1]
    code, _ = tried(tree, (by,))
    if code != 0:
        return Verdict(guard, None, f"{by} fails with the guard too", seconds)
    return Verdict(guard, by, "", seconds)


def table_of(verdicts: list[Verdict]) -> str:
    """The table, for `docs/mutants.md`."""
    lines = [
        "# Mutants",
        "",
        "Each guard of a promise was taken out of a copy of the tree, and the tests had to notice. Made by",
        "`make mutants`; the guards stand in `tests/mutants/guards.py`.",
        "",
        "| Promise | Guard that was taken out | Caught by |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {one.guard.promise} | {one.guard.what} | `{one.by}` |" for one in verdicts]
    return "\n".join(lines) + "\n"


def main() -> int:
    only = os.environ.get("ONLY", "")
    guards = [guard for guard in GUARDS if not only or str(guard.promise) in only.split(",")]
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="parcelgate-mutants-") as folder:
        tree = Path(folder)
        copied(tree)
        for guard in guards:
            verdict = judged(guard, tree)
            verdicts.append(verdict)
            result = f"caught by {verdict.by}" if verdict.by else f"SURVIVED: {verdict.why}"
            print(f"{guard.promise:>2}  {guard.what}: {result} ({verdict.seconds:.0f} s)", flush=True)
    survived = [one for one in verdicts if one.by is None]
    print(f"{len(verdicts) - len(survived)} of {len(verdicts)} mutants caught")
    if not only and not survived:
        TABLE.write_text(table_of(verdicts), "utf-8")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())

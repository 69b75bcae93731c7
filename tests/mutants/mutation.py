"""`make mutation`: changes single expressions of the code on which money and trust rest, to see who notices.

    make mutation                          all of them; takes hours
    make mutation MODULE=idempotency       those of one module: submission, idempotency, webhooks, trust,
                                           domain or polling
    make mutation SAMPLE=100               so many of each module, drawn by chance, the same each time
    make mutation SAMPLE=100 SKIP=100      the next so many

The tool is mutmut, in an environment of its own (`.local/mutation`, from `requirements/mutation.txt`) that
sees the tests' packages. It works on a copy of the tree. What is only logged or counted is not changed,
nor are the words of errors. The counts go to `docs/reliability.md`, between two marks, and the changes that
nobody noticed are printed.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from local import arguments
from local.toolchain.tools import environment
from tests.mutants.__main__ import copied

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".local" / "mutation"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- made by make mutation -->", "<!-- end of what make mutation made -->"
HEAD = ("| Module | Changed | Noticed | Not noticed | Run by no test | Of all | Command, date |",)
HEAD += ("| --- | --- | --- | --- | --- | --- | --- |",)
_VERDICTS = {0: "survived", 1: "caught", 3: "caught", 5: "untested", 33: "untested"}
"""What the tool's exit codes mean; every other one is a mutant that never ended or that broke the run."""
_UNCHANGED = (
    r"\blog\.",
    r"\bcount\(",
    r"\bduration\(",
    r"extra=",
    r"bind_log_keys",
    r"Error\(\"",
    r"__init__\(\"",
)
_TESTS = "tests/unit"


class Module(NamedTuple):
    """Code that is changed, in the layer, and the tests that are to notice."""

    name: str
    paths: tuple[str, ...]
    tests: tuple[str, ...]
    functions: str = ""
    """What the names of the functions match of which alone the code is changed; empty: all."""


MODULES = (
    Module(
        "submission",
        ("services/orders/submission.py",),
        (
            f"{_TESTS}/services/orders/test_order_submitter.py",
            f"{_TESTS}/services/orders/test_submission.py",
            f"{_TESTS}/services/orders/test_retries.py",
        ),
    ),
    Module(
        "idempotency",
        ("store/idempotency.py",),
        (f"{_TESTS}/store/test_idempotency.py",),
    ),
    Module(
        "webhooks",
        (
            "services/webhooks/receive.py",
            "services/webhooks/process.py",
            "carriers/lme/signing.py",
            "carriers/trackingmore/signing.py",
        ),
        (
            f"{_TESTS}/carriers/lme/test_lme_signing.py",
            f"{_TESTS}/carriers/trackingmore/test_trackingmore_webhooks.py",
            "tests/faults/test_webhooks.py",
            "tests/faults/test_callbacks.py",
        ),
    ),
    Module(
        "trust",
        (
            "carriers/lme/signing.py",
            "carriers/lme/adapter.py",
            "carriers/lme/mapping/track.py",
            "carriers/trackingmore/signing.py",
            "carriers/trackingmore/adapter.py",
        ),
        (
            *(f"{_TESTS}/carriers/lme/test_lme_{name}.py" for name in ("adapter", "signing")),
            f"{_TESTS}/carriers/trackingmore/test_trackingmore_webhooks.py",
            "tests/property/test_outside_bytes.py",
        ),
        r"signing\.|verify_webhook|_pushed__|\.x_(pushed|channel)__",
    ),
    Module(
        "domain",
        ("domain/orders.py", "domain/trackings.py", "domain/deadline.py"),
        (
            *(f"{_TESTS}/domain/test_{name}.py" for name in ("order_facts", "order_status", "parcel_facts")),
            f"{_TESTS}/domain/test_deadline.py",
            f"{_TESTS}/services/orders/test_transitions.py",
            "tests/property/test_timelines.py",
        ),
    ),
    Module("polling", ("domain/polling.py",), (f"{_TESTS}/domain/test_polling.py",)),
)


def make_tools() -> None:
    """Make the tool's environment, unless it is there as its lock says. It sees the tests' packages."""
    home = environment("mutation")
    (ours,) = (ROOT / ".venv" / "lib").glob("python*/site-packages")
    (theirs,) = (home / "lib").glob("python*/site-packages")
    (theirs / "zz_packages_of_the_tests.pth").write_text(f"{ours}\n")


def prepared(tree: Path, module: Module) -> None:
    """Copy the tree as the tool wants it: the layer's package at the top, with the tool's settings."""
    copied(tree)
    (tree / ".venv").unlink(missing_ok=True)
    (tree / "shared" / "parcelgate").rename(tree / "parcelgate")
    settings = {
        "source_paths": ["parcelgate"],
        "only_mutate": [f"parcelgate/{path}" for path in module.paths],
        "do_not_mutate_patterns": [*_UNCHANGED],
        "also_copy": [
            "bench",
            "console",
            "docs",
            "events",
            "functions",
            "infra",
            "local",
            "sandbox",
            "tests",
        ],
        "pytest_add_cli_args": ["-n0", "-p", "no:randomly", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": [*module.tests],
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    with (tree / "pyproject.toml").open("a") as file:
        file.write("\n".join(["", "[tool.mutmut]", *lines, "use_git_change_detection = false", ""]))


def _mutmut(tree: Path, *arguments: str) -> str:
    # Otherwise the tests' packages come first, and the layer from this tree with them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [HOME / "bin" / "python", *arguments],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


_GENERATE = """
from mutmut.__main__ import *
set_mutant_under_test("mutant_generation")
makedirs(Path("mutants"), exist_ok=True)
copy_src_dir()
create_mutants(1)
"""


def codes(tree: Path) -> dict[str, int | None]:
    """The exit code of each mutant, None for one that was not tried."""
    found: dict[str, int | None] = {}
    for file in sorted((tree / "mutants").rglob("*.py.meta")):
        found |= json.loads(file.read_text("utf-8"))["exit_code_by_key"]
    return found


def tried(module: Module, sample: int, skip: int) -> tuple[Counter[str], list[str]]:
    """Try a module's mutants. Returns how many ended how, and the change of each that survived."""
    with tempfile.TemporaryDirectory(prefix="parcelgate-mutation-") as folder:
        tree = Path(folder)
        prepared(tree, module)
        _mutmut(tree, "-c", _GENERATE)
        names = sorted(name for name in codes(tree) if re.search(module.functions, name))
        drawn = random.Random(14).sample(names, len(names))
        chosen = drawn[skip : skip + (sample or len(names))]
        printed = _mutmut(tree, "-m", "mutmut", "run", "--max-children", "1", *chosen)
        verdicts = {name: code for name, code in codes(tree).items() if name in set(chosen)}
        if not names or all(code is None for code in verdicts.values()):
            sys.exit(f"mutation: {module.name}: the tool did not run:\n{printed[-2000:]}")
        counts = Counter(_VERDICTS.get(code, "other") for code in verdicts.values() if code is not None)
        counts["all"] = len(names)
        alive = [name for name, code in verdicts.items() if code == 0]
        return counts, [_mutmut(tree, "-m", "mutmut", "show", name) for name in alive]


def _row(module: Module, counts: Counter[str], command: str) -> str:
    changed = sum(number for name, number in counts.items() if name != "all")
    caught = counts["caught"] + counts["other"]
    cells = (module.name, changed, caught, counts["survived"], counts["untested"], counts["all"])
    return f"| {' | '.join(map(str, cells))} | {command}, {datetime.now(UTC):%d %B %Y} |"


def with_row(page: str, row: str) -> str:
    """The page with a row in its table, in the place of an earlier one of the same module and command."""
    before, _, rest = page.partition(BEGIN)
    table, _, after = rest.partition(END)

    def key(line: str) -> tuple[str, str]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        return cells[0], cells[-1].partition(",")[0]

    earlier = [line for line in table.splitlines() if line.startswith("| ") and line not in HEAD]
    known = {key(line): line for line in (*earlier, row)}
    order = [module.name for module in MODULES]
    rows = [line for _, line in sorted(known.items(), key=lambda each: order.index(each[0][0]))]
    return before + "\n".join((BEGIN, *HEAD, *rows, END)) + after


def main() -> int:
    """Try the mutants of the chosen modules."""
    only = os.environ.get("MODULE", "")
    if only and only not in {module.name for module in MODULES}:
        print(f"MODULE is one of {', '.join(module.name for module in MODULES)}.", file=sys.stderr)
        return 2
    sample, skip = arguments.whole("SAMPLE", 0, least=1), arguments.whole("SKIP", 0)
    make_tools()
    for module in (module for module in MODULES if only in ("", module.name)):
        began = time.monotonic()
        counts, alive = tried(module, sample, skip)
        print("\n\n".join(alive))
        print(f"{module.name}: {dict(counts)} ({time.monotonic() - began:.0f} s)", flush=True)
        asked = {"MODULE": module.name, "SAMPLE": sample, "SKIP": skip}
        command = " ".join(["make mutation", *(f"{name}={value}" for name, value in asked.items() if value)])
        PAGE.write_text(with_row(PAGE.read_text("utf-8"), _row(module, counts, f"`{command}`")), "utf-8")
    return 0


if __name__ == "__main__":
    arguments.none(__doc__)
    sys.exit(main())

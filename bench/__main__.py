"""`make bench`: measures, and rewrites the figures in `docs/performance.md`, `docs/scale.md` and other pages.

    make bench                             everything but the parts that have to be named, in under ten
                                           minutes on two quiet cores
    make bench ONLY="imports pages"        some parts

A **part** is a program of this folder that prints Markdown: tables, and a word on what they show. The page
has two marks for it, between which `make bench` puts what it printed, under a line with its command, the
date and the machine::

    <!-- made by make bench: imports -->
    <!-- end of what make bench made: imports -->

All other words of the page are written by hand and stay. To add a part:

1. Write `bench/NAME.py` with a `main` that prints Markdown on standard output. Progress goes to standard
   error. It may end by raising any error: the part is named, and its page keeps the older figures.
2. Give it a line in `PARTS`, in the order in which the parts are to run.
3. Put its two marks into its page.

Where a figure has a goal, `bench.figures.verdict` words by how much it is met. A picture is made by
`bench.svg` and kept by `svg.save("NAME.svg", ...)`; the page shows it, within or outside the marks, as
`![what it shows](pictures/NAME.svg)`. A part that cannot be measured on a machine (a tool is not there, a
package cannot be fetched) ends with `figures.not_here("why")`: that is said, and is no failure.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import figures, svg

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LONGEST = 600
"""Seconds after which a part is given up."""


class Part(NamedTuple):
    """A program that measures something, and the page that shows it."""

    name: str
    """What `--only` and the marks call it."""
    page: str
    """A file in `docs`."""
    program: str
    """A module of this folder, which `python -m` runs."""
    by_name_alone: bool = False
    """Whether it runs only when it is named: it is long, and what it shows changes seldom."""

    @property
    def marks(self) -> tuple[str, str]:
        """What stands before and after its text in the page."""
        return (
            f"<!-- made by make bench: {self.name} -->",
            f"<!-- end of what make bench made: {self.name} -->",
        )


PARTS = (
    Part("imports", "performance.md", "bench.imports"),
    Part("instructions", "performance.md", "bench.instructions", by_name_alone=True),
    Part("snapshots", "performance.md", "bench.snapshots", by_name_alone=True),
    Part("peers", "performance.md", "bench.side_by_side"),
    Part("throughput", "performance.md", "bench.throughput"),
    Part("order-to-label", "performance.md", "bench.order_to_label"),
    Part("label-documents", "performance.md", "bench.label_documents", by_name_alone=True),
    Part("pages", "performance.md", "bench.pages", by_name_alone=True),
    Part("costs", "costs.md", "bench.costs", by_name_alone=True),
    Part("fewer-polls", "scale.md", "bench.fewer_polls"),
    Part("scale", "scale.md", "bench.scale"),
    Part("bills", "scale.md", "bench.bills"),
)


class MarksError(Exception):
    """A page has no place for what was measured."""


class NotHereError(Exception):
    """A part cannot be measured on this machine. The message says why."""


def put(page: str, part: Part, text: str) -> str:
    """The page with `text` between the part's marks. Raises MarksError when it does not have them."""
    begin, end = part.marks
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise MarksError(f"docs/{part.page} lacks the line {end if found else begin}")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"


def run(part: Part, pictures: Path) -> str:
    """Run a part, which keeps its pictures in that folder, and return what it printed.

    Raises NotHereError, and CalledProcessError or TimeoutExpired.
    """
    with subprocess.Popen(  # noqa: S603 - a module of ours
        [sys.executable, "-m", part.program],
        cwd=ROOT,
        env=os.environ | {svg.FOLDER: str(pictures)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=LONGEST)
        except BaseException:
            # It may have a stack to stop.
            process.terminate()
            raise
    if process.returncode == figures.NOT_HERE:
        raise NotHereError(printed.strip().rpartition("\n")[2])
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, part.program)
    return printed


def measure(part: Part, docs: Path = DOCS) -> None:
    """Run a part and put what it printed, and its pictures, in their places. Raises what `run` raises."""
    page = docs / part.page
    put(page.read_text("utf-8"), part, "")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="parcelgate-bench-") as folder:
        text = run(part, Path(folder))
        made = figures.made(f"make bench ONLY={part.name}", time.monotonic() - began)
        page.write_text(put(page.read_text("utf-8"), part, f"{made}\n\n{text.strip()}"), "utf-8")
        for picture in sorted(Path(folder).iterdir()):
            shutil.copy(picture, docs / "pictures" / picture.name)


def main(*arguments: str, parts: Sequence[Part] = PARTS, docs: Path = DOCS) -> int:
    """Measure the parts that are named, or the usual ones. Returns 1 when one of them failed."""
    names, usual = [part.name for part in parts], [part.name for part in parts if not part.by_name_alone]
    options = argparse.ArgumentParser(prog="make bench", description="Measures, and rewrites the pages.")
    options.add_argument("--only", nargs="+", choices=names, default=usual, metavar="PART")
    only = options.parse_args(arguments or _asked(os.environ)).only
    chosen = [part for part in parts if part.name in only]
    began, failed = time.monotonic(), []
    for place, part in enumerate(chosen, 1):
        _say(f"bench: {part.name} ({place} of {len(chosen)}) ...")
        started = time.monotonic()
        try:
            measure(part, docs)
        except NotHereError as error:
            _say(f"bench: {part.name} cannot be measured here, the page keeps what it has: {error}")
        except (subprocess.SubprocessError, OSError, MarksError) as error:
            failed.append(part.name)
            _say(f"bench: {part.name} failed, the page keeps what it has: {error}")
        else:
            _say(f"bench: {part.name} took {time.monotonic() - started:.0f} s")
    _say(f"bench: {len(chosen)} parts, {time.monotonic() - began:.0f} s")
    if failed:
        _say(f"bench: failed: {', '.join(failed)}")
    return 1 if failed else 0


def _asked(environment: Mapping[str, str]) -> list[str]:
    only = environment.get("ONLY", "").split()
    return ["--only", *only] if only else []


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""`make model`: explores the life of an order as far as it goes, and leads the engine along every way of it.

It writes what it found to `docs/reliability.md`, between two marks. Ends with 1 when a promise is broken,
when a rule that is left out is not noticed, or when the engine leaves the model.
"""

import io
import logging
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime
from typing import NamedTuple

from local import ROOT, arguments
from tests.model.engine import MOST_HOURS, DifferenceError, follow
from tests.model.exploration import Explored, Trace, Violation, explore, walk
from tests.model.flaws import FLAWS
from tests.model.order_life import OrderLife
from tests.support.world import World, worlds

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- made by make model -->", "<!-- end of what make model made -->"
NEAREST = 500_000
"""States of a life that has too many: the nearest ones are explored."""
WALKS = 300
LENGTH = 60


class Course(NamedTuple):
    """A life that is explored, and whether the engine is led along its traces."""

    name: str
    life: OrderLife
    most: int = 10_000_000
    followed: bool = True


COURSES = (
    Course("at once, one function at a time", OrderLife(workers=1)),
    Course("at once, two functions at a time", OrderLife(), followed=False),
    Course("later, one function at a time", OrderLife(later=True, workers=1)),
    Course("later, sent again, one function at a time", OrderLife(later=True, resends=True, workers=1)),
    Course("later, two functions at a time", OrderLife(later=True), most=NEAREST, followed=False),
)
"""The two lives of an order: its carrier answers at once, or later."""


def _explored(course: Course) -> Explored:
    found = explore(course.life, most=course.most)
    if found.violation is not None:
        _fail(course.name, found.violation)
    print(f"{course.name}: {len(found.ways):,} states, {found.steps:,} steps, no promise broken", flush=True)
    return found


def _fail(name: str, violation: Violation) -> None:
    way = "\n".join(f"    {step}" for step in violation.trace)
    sys.exit(f"{name}: promise {violation.promise} is broken:\n{way}")


def _followed(make: Callable[..., World], name: str, life: OrderLife, traces: list[Trace]) -> int:
    """Lead the engine along traces. Returns the number of steps."""
    for trace in traces:
        try:
            with redirect_stdout(io.StringIO()):  # metrics
                follow(make, life, trace)
        except DifferenceError as error:
            sys.exit(f"{name}: the engine leaves the model {error}")
    steps = sum(map(len, traces))
    print(f"{name}: the engine took {len(traces):,} traces, {steps:,} steps", flush=True)
    return steps


def _walks(life: OrderLife) -> list[Trace]:
    return [walk(life, seed=seed, length=LENGTH, most_hours=MOST_HOURS) for seed in range(WALKS)]


def _row(*cells: object) -> str:
    return f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in cells)} |"


def main() -> int:
    """Explore, follow, and write the page."""
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    rows, walked = [], []
    with worlds() as make:
        for course in COURSES:
            found = _explored(course)
            whole = "all" if len(found.ways) < course.most else "the nearest"
            traces = [each for each in found.traces() if each.count("hour") <= MOST_HOURS]
            steps = _followed(make, course.name, course.life, traces) if course.followed else 0
            cells = (len(traces), steps) if course.followed else ("by chance, below", "")
            rows.append(_row(course.name, f"{whole} {len(found.ways):,}", found.steps, *cells))
            del found
        for name, life in {
            "at once": OrderLife(),
            "later": OrderLife(later=True),
            "later, sent again": OrderLife(later=True, resends=True),
        }.items():
            steps = _followed(make, f"{name}, two functions, by chance", life, _walks(life))
            walked.append(_row(name, WALKS, steps))
    flaws, mark = [], None
    for flaw in FLAWS:
        violation = explore(flaw.life).violation
        if violation is None or violation.promise != flaw.promise:
            sys.exit(f"without a rule nothing was noticed: {flaw.name}")
        print(f"left out: {flaw.name}: promise {violation.promise}, {len(violation.trace)} steps", flush=True)
        flaws.append(_row(flaw.name, violation.promise, len(violation.trace)))
        mark = violation if flaw.name == "no mark" else mark
    _write(rows, walked, flaws, mark)
    print(f"{(time.monotonic() - began) / 60:.0f} minutes")
    return 0


def _write(rows: list[str], walked: list[str], flaws: list[str], mark: Violation | None) -> None:
    lines = [
        BEGIN,
        f"`make model`, {datetime.now(UTC):%d %B %Y}.",
        "",
        "| Carrier answers | States | Steps between them | Traces that the engine took | Their steps |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
        "Courses by chance, with two functions at a time, that the engine took:",
        "",
        "| Carrier answers | Courses | Steps |",
        "| --- | --- | --- |",
        *walked,
        "",
        "Rules left out of the specification, and the promise whose breach was found:",
        "",
        "| Rule | Promise | Shortest way, in steps |",
        "| --- | --- | --- |",
        *flaws,
        "",
        "The shortest way to an order that is bought twice when there is no sending mark:",
        "",
        "```text",
        *(mark.trace if mark else ()),
        "```",
        END,
    ]
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + "\n".join(lines) + after, "utf-8")


if __name__ == "__main__":
    arguments.none(__doc__)
    sys.exit(main())

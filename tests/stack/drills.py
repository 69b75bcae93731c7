"""The failure drills that can live beside other tests: they begin with the tests, and take minutes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local.drills.command import DRILLS
from local.drills.drill import Drill, Result, practise

BESIDE_OTHERS = tuple(kind for kind in DRILLS if not kind.alone)


@dataclass(frozen=True)
class Practised:
    """How a drill ended, and every line that it printed."""

    result: Result
    lines: list[str]


type Drills = Callable[[type[Drill]], Practised]
"""Waits for a drill to end."""


@contextmanager
def begun(state: Path) -> Iterator[Drills]:
    """Begin every drill now on the stack in `state`, each mended by the runbook's commands."""
    with ThreadPoolExecutor(len(BESIDE_OTHERS)) as pool:
        running = {kind: pool.submit(partial(_practised, kind, state)) for kind in BESIDE_OTHERS}
        yield lambda kind: running[kind].result()


def _practised(kind: type[Drill], state: Path) -> Practised:
    lines: list[str] = []
    return Practised(practise(kind, state, lines.append, mends=True), lines)

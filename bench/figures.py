"""What the parts of `make bench` share: CPU times of fresh Pythons, words for goals, Markdown tables."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

DEPLOYED = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""What the environment of each of our functions has that makes a difference to its speed."""
NOT_HERE = 75
"""The exit code of a part that cannot be measured on this machine."""


def not_here(why: str) -> NoReturn:
    """End this part: it cannot be measured on this machine. `why` is one line."""
    print(why)
    sys.exit(NOT_HERE)


class Taken(NamedTuple):
    """What a fresh Python took."""

    cpu: float
    """Seconds of CPU from its start to the end of the code."""
    peak: float
    """MB of memory at the most."""


_AFTER = """
import time
cpu = time.process_time()
import json
# Of this program alone: what getrusage says counts the process that started it, too.
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(json.dumps([cpu, int(peak) / 1024]))
"""


def taken(code: str, *folders: Path, environment: Mapping[str, str] | None = None) -> Taken:
    """Run `code` in a fresh Python that imports from these folders and the standard library alone."""
    return Taken(*result(code + _AFTER, *folders, environment=environment))


def result(code: str, *folders: Path, environment: Mapping[str, str] | None = None) -> Any:
    """The JSON in the last line that `code` prints in such a Python."""
    paths = f"import sys; sys.path[:0] = {[*map(str, folders)]!r}\n"
    done = subprocess.run(  # noqa: S603 - code of ours
        [sys.executable, "-I", "-S", "-c", paths + code],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"], **(environment or {})},
    )
    return json.loads(done.stdout.splitlines()[-1])


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(map(str, cells)) + " |" for cells in (heads, *rows)]
    lines.insert(1, "|" + "---|" * len(heads))
    return "\n".join(lines)


def verdict(figure: float, goal: float) -> str:
    """By how much a goal is met, where less is better: `met, by 40 %` or `missed, by 12 %`."""
    share = abs(figure - goal) / goal
    return f"{'met' if figure <= goal else 'missed'}, by {100 * share:.0f} %"


def made(command: str, seconds: float) -> str:
    """The line over a part's tables: the command, the day, the machine, and how long it took."""
    day = f"{datetime.now(UTC):%-d %B %Y}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = f"{cores} cores ({platform.machine()}), Python {platform.python_version()}"
    return f"`{command}`, {day}, {machine}, {seconds:.0f} s."

"""The demo's tables: no markup is ever seen, and what follows them stands on lines of its own."""

import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from local.demo import demo, travels
from local.demo.live import coloured, shown

ROOT = Path(__file__).parents[4]


class NoRounds:
    def start(self) -> None: ...

    def is_over(self) -> bool:
        return True


def a_table() -> Table:
    table = Table("status")
    table.add_row(coloured("pending", "yellow"))
    return table


@pytest.mark.parametrize("terminal", [True, False])
def test_what_follows_a_table_begins_on_a_line_of_its_own(terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80, color_system=None)
    with shown(console, a_table) as tell:
        tell("[yellow] is no markup here")
    console.print("✓ done")
    lines = re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", out.getvalue()).replace("\r", "\n").splitlines()
    assert "✓ done" in lines
    assert "[yellow] is no markup here" in lines


TABLES = """
from rich.console import Console
from local.demo import demo, travels
from local.demo.live import shown
from tests.unit.local.demo.test_live import NoRounds

console = Console()
assert console.is_terminal
run = demo.Run(demo.scenarios()[0], order={"status": "accepted"})
parcel = {"carrier": "lso", "tracking_number": "1", "status": "pending", "events": []}
for table in (lambda: demo._table([run]), travels.Travels(NoRounds(), print, {"a": parcel}).table):
    with shown(console, table) as tell:
        tell("[yellow]a line")
run.order |= {"status": "confirmed", "warnings": []}
demo._summary(console, [run], {})
"""


def test_in_a_terminal_words_stand_in_colour_and_ticks_on_lines_of_their_own() -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    # Neither a size nor a wish of whoever runs the tests is to count.
    plain = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
    }
    env = plain | {"TERM": "xterm-256color", "PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}"}
    with subprocess.Popen([sys.executable, "-c", TABLES], cwd=ROOT, env=env, stdout=theirs) as program:
        os.close(theirs)
        out = b""
        while block := _read(ours):
            out += block
    os.close(ours)
    assert program.returncode == 0
    seen = out.decode()
    assert "\x1b[33maccepted" in seen
    assert "\x1b[33mpending" in seen
    lines = re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", seen).replace("\r", "\n").splitlines()
    assert [line for line in lines if "yellow" in line] == ["[yellow]a line"] * 2
    assert [line[:2] for line in lines if "✓" in line] == ["✓ "]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        # That is how Linux says that nobody writes any more.
        return b""


def test_no_table_of_the_demo_shows_markup() -> None:
    parcel = {"carrier": "lso", "tracking_number": "1", "status": "pending", "events": []}
    run = demo.Run(demo.scenarios()[0], order={"status": "accepted"})
    for table in (
        travels.Travels(NoRounds(), lambda _: None, {"a": parcel}).table,
        lambda: demo._table([run]),
    ):
        out = io.StringIO()
        console = Console(file=out, force_terminal=True, width=200, color_system=None)
        with shown(console, table) as tell:
            tell("a line")
        assert "pending" in out.getvalue() or "accepted" in out.getvalue()
        assert "[yellow]" not in out.getvalue()


def test_ticks_keep_their_lines_in_a_narrow_terminal() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=40, color_system=None)
    run = demo.Run(demo.scenarios()[0], order={"status": "confirmed", "warnings": []})
    run.mismatches = ["[red]something " * 10]
    demo._summary(console, [run, run], {})
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert all(line.startswith("✗ ") and "[red]something" in line for line in lines)

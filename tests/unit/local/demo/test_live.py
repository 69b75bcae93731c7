"""The demo's tables: no markup is ever seen, and what follows them stands on lines of its own."""

import io
import re

import pytest
from rich.console import Console
from rich.table import Table

from local.demo import demo, travels
from local.demo.live import coloured, shown


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

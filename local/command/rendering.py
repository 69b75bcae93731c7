"""Prints what commands have to say: tables, facts, JSON and refusals.

Words of clients and carriers are printed as text that cannot control a terminal.
"""

import json
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from getpass import GetPassWarning
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

FAILED, WRONG_USE, NO_ANSWER, NO_RIGHT, NOT_FOUND, INTERRUPTED = 1, 2, 3, 4, 5, 130
"""The exit codes beside 0; docs/command.md says what each means."""

out = Console()
err = Console(stderr=True)


def fail(message: str, *, code: int = FAILED) -> NoReturn:
    """End the command with a text that says what is wrong and what to do."""
    sys.stdout.flush()  # Into a pipe it would come after this.
    err.print(inert(message, keep="\n"), style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def say(text: str) -> None:
    """Print one sentence to standard output."""
    out.print(inert(text, keep="\n"), markup=False, highlight=False, soft_wrap=True)


def ask(name: str, *, instead: str, **more: Any) -> str:
    """Ask for a value on the terminal; end the command if there is none, or at a Ctrl-C.

    `instead` says how the value is given without a terminal, and `more` goes to `typer.prompt`.
    """
    try:
        with warnings.catch_warnings():
            # Without a terminal the value would be read from elsewhere, and perhaps shown.
            warnings.simplefilter("error", GetPassWarning)
            value: str = typer.prompt(name, **more)
    except (typer.Abort, GetPassWarning):
        if sys.stdin.isatty():
            fail("Interrupted.", code=INTERRUPTED)
        fail(f"There is no terminal on which to ask: {name}. {instead}", code=WRONG_USE)
    return value


def note(text: str) -> None:
    """Print what is no part of the result: it goes to standard error, behind the results until now."""
    sys.stdout.flush()
    err.print(inert(text, keep="\n"), markup=False, highlight=False, soft_wrap=True)


def show_json(value: object) -> None:
    """Print a value as JSON."""
    sys.stdout.write(json_text(value, indent=2) + "\n")


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return a value as JSON that a person can read, and in which nothing controls a terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(
        letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1] for letter in text
    )


def show(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, as_json: bool = False) -> None:
    """Print rows without cutting anything: JSON, a table, or plain lines if a table does not fit.

    A pipe gets a line for each row, with tabs between its cells.
    """
    if as_json:
        show_json([dict(zip(headings, row, strict=True)) for row in rows])
        return
    plain = [tuple(inert(re.sub(r"\s+", " ", cell)) for cell in row) for row in rows]
    grid = Grid(*headings)
    for row in plain:
        grid.add_row(*map(escape, row))
    if (
        out.is_terminal
        and Measurement.get(out, out.options.update(max_width=10_000), grid).maximum <= out.width
    ):
        out.print(grid)
        return
    for row in plain:
        sys.stdout.write("\t".join(row) + "\n")


def listed(
    resources: Iterable[Mapping[str, Any]],
    columns: Mapping[str, Callable[[Any], object]],
    *,
    as_json: bool,
    empty: str,
) -> None:
    """Print resources of the API: as the API gave them, or a column for each function of one of them."""
    found = list(resources)
    if as_json:
        show_json(found)
    elif found:
        show(tuple(columns), [tuple(text(column(each)) for column in columns.values()) for each in found])
    else:
        note(empty)


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its word: "1 order", "2 orders"; `many` is for words that take more than an s."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def facts(values: Mapping[str, object]) -> None:
    """Print one line for each fact that there is."""
    width = max(map(len, values), default=0) + 2
    for name, value in values.items():
        if (shown := text(value)) != "":
            sys.stdout.write(f"{name:{width}}{inert(shown)}\n")


@contextmanager
def bar(working: str, total: int) -> Iterator[Callable[[], None]]:
    """Show the progress of some steps on standard error; gives what says that one is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=total < 2) as progress:
        task = progress.add_task(working, total=total)
        yield lambda: progress.advance(task)


def text(value: object) -> str:
    """Return a value as one cell shows it; a missing one as nothing."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case {"amount": amount, "currency": currency}:
            return f"{amount} {currency}"
        case list() | tuple():
            return " ".join(map(text, value))
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M")
    return str(value)


def moment(value: str | None) -> str:
    """Return a time of the API to the minute, in UTC as all times are."""
    return value[:16].replace("T", " ") if value else ""


def second(value: str) -> str:
    """Return a time of the API to the second, in UTC."""
    return value[:19].replace("T", " ")


def inert(value: str, *, keep: str = "") -> str:
    """Return a text in which nothing controls a terminal; what would do so becomes a question mark."""
    return "".join(
        letter if letter.isprintable() or letter in keep else "\N{REPLACEMENT CHARACTER}" for letter in value
    )

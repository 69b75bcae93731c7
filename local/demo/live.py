"""Shows a table that changes, while lines are printed above it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text


@contextmanager
def shown(console: Console, table: Callable[[], Table]) -> Iterator[Callable[[str], None]]:
    """Show `table` until the block ends; yield a function that prints a line above it.

    Later output begins on a line of its own, on a terminal and in a pipe.
    """

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    with Live(get_renderable=table, console=console, refresh_per_second=4):
        yield tell
    if not console.is_terminal:
        # Without a terminal the last table has no line break at its end.
        console.line()


def coloured(words: str, colour: str) -> Text:
    """Return a cell in colour. It uses no markup, which a pipe would show as it is."""
    return Text(words, style=colour)

"""Reading a table of CSV as spreadsheets save it: what rate cards and files of orders have in common.

UTF-8 with or without a byte order mark; commas, semicolons or tabs; Excel's own `sep=;` may come first.
"""

import csv
import io
import re
from collections.abc import Iterator

_SHORTENED = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]\d{1,3}")
"""What a spreadsheet makes of a long number."""


class TableError(ValueError):
    """The content is no such table; `line` is where, as far as that is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def decoded(content: bytes, name: str) -> str:
    """The text of a file, which messages call `name`. Raises TableError for what is not UTF-8."""
    advice = 'save it as "CSV UTF-8" and send that.'
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableError(f"{name} is UTF-16 (Excel's Unicode text): {advice}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        word = re.split(rb"[\s,;\t\"]", content[: error.start])[-1]
        word += re.split(rb"[\s,;\t\"]", content[error.start :])[0]
        try:
            seen = f"probably Windows-1252 (line {line} then has `{word.decode('cp1252')}`)"
        except UnicodeDecodeError:
            seen = f"line {line} is no text in it"
        raise TableError(f"{name} is not UTF-8, {seen}: {advice}", line) from None


def read_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line, each with the number that the line has in the file; the heading comes first.

    Raises TableError on the way, at a line that is no CSV.
    """
    lines = io.StringIO(text, newline="")
    separator, skipped = _separator(lines)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        line = reader.line_num + skipped + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise TableError(f"Line {line} is not CSV: {error}.", line) from None
        if cells is None:
            return
        yield line, cells


def is_shortened(cell: str) -> bool:
    """Whether a spreadsheet has shortened a number (`1.23E+11`), so that digits of it are lost."""
    return _SHORTENED.fullmatch(cell) is not None


def _separator(lines: io.StringIO) -> tuple[str, int]:
    """What divides the cells, and how many lines are no part of the table: Excel's `sep=;` is one."""
    heading = lines.readline()
    separator = re.fullmatch(r'"?sep=([^"])"?', heading.strip(" \r\n"), re.IGNORECASE)
    if separator:
        return separator[1], 1
    if heading.strip("\r\n").lower() == "sep=\t":
        return "\t", 1
    lines.seek(0)
    return max(",;\t", key=heading.count), 0

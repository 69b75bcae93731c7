"""Tables of the documentation, and the tests that their rows name."""

import re
from pathlib import Path

from local import ROOT


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of each row of every table whose heading begins with `heading`."""
    found: list[list[str]] = []
    inside = False
    for line in page.read_text().splitlines():
        if line.startswith(heading):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("| -") and not line.startswith("|-"):
            found.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return found


def named_tests(cell: str) -> list[str]:
    """The tests that a cell names, as files or as `file::name`."""
    return re.findall(r"`(tests/[^`]+)`", cell)


def assert_there(test: str) -> None:
    """Check that a test is there."""
    path, _, name = test.partition("::")
    assert (ROOT / path).is_file(), path
    assert re.search(rf"(def|class) {name}\b", (ROOT / path).read_text()) if name else True, test

"""The page of what AWS does and the emulator does not: every row names a test that there is, or says so."""

import re

import pytest

from infra.bundle import ROOT

PAGE = (ROOT / "docs" / "aws-differences.md").read_text()
ROWS = [
    line.strip("|").split("|")
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| on AWS")
]


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip()[:50] for row in ROWS])
def test_every_row_names_a_test_that_there_is(row: list[str]) -> None:
    _, _, tests = row
    named = re.findall(r"`(tests/[^`]+)`", tests)
    assert bool(named) != ("**no test**" in tests)
    for each in named:
        path, _, name = each.partition("::")
        assert (ROOT / path).is_file(), path
        assert re.search(rf"(def|class) {name}\b", (ROOT / path).read_text()) if name else True, each


def test_what_is_held_by_reading_alone_is_little() -> None:
    assert sum("**no test**" in row[2] for row in ROWS) <= 3

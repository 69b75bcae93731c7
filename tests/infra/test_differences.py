"""The page of what AWS does and the emulator does not: every row names a test that there is, or says so."""

import pytest

from infra.bundle import ROOT
from tests.support.pages import assert_there, named_tests, rows

ROWS = rows(ROOT / "docs" / "aws-differences.md", "| on AWS")


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:50] for row in ROWS])
def test_every_row_names_a_test_that_there_is(row: list[str]) -> None:
    _, _, tests = row
    named = named_tests(tests)
    assert bool(named) != ("**no test**" in tests)
    for each in named:
        assert_there(each)


def test_what_is_held_by_reading_alone_is_little() -> None:
    assert sum("**no test**" in row[2] for row in ROWS) <= 1

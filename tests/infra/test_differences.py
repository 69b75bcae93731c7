"""The page of what AWS does and the emulator does not: every row names tests, and they are there."""

import pytest

from infra.bundle import ROOT
from tests.support.pages import assert_there, named_tests, rows

ROWS = rows(ROOT / "docs" / "aws-differences.md", "| on AWS")


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:50] for row in ROWS])
def test_every_row_names_a_test_that_there_is(row: list[str]) -> None:
    named = named_tests(row[2])
    assert named, "a row that is held by reading alone"
    for each in named:
        assert_there(each)

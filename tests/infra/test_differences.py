"""The page of what AWS does and the emulator does not: every row has a test, and a guard that is there."""

import pytest

from infra.bundle import ROOT
from tests.mutants.differences import GUARDS, PAGE, Guard, named_by
from tests.support.pages import assert_there, named_tests, rows

ROWS = rows(PAGE, "| on AWS")


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:50] for row in ROWS])
def test_every_row_names_a_test_that_there_is(row: list[str]) -> None:
    named = named_tests(row[2])
    assert named, "a row that is held by reading alone"
    for each in named:
        assert_there(each)
    assert any(row[0].startswith(guard.row) for guard in GUARDS)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.row}: {guard.what}")
def test_a_guard_stands_where_the_table_says(guard: Guard) -> None:
    assert named_by(guard.row)[0].startswith("tests/")
    for change in guard.changes:
        assert (ROOT / change.path).read_text("utf-8").count(change.old) == 1

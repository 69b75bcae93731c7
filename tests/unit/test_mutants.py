"""The table of guards is true of the tree, so that `make mutants` takes out what it says it does."""

from pathlib import Path

import pytest

from tests.mutants.guards import GUARDS, Guard

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.what)
def test_a_guard_stands_where_the_table_says(guard: Guard) -> None:
    assert (ROOT / guard.path).read_text("utf-8").count(guard.old) == 1
    assert any((ROOT / name).exists() for name in guard.tests)


def test_each_promise_has_two_guards_at_least() -> None:
    promises = [guard.promise for guard in GUARDS]
    assert {promise for promise in range(1, 13) if promises.count(promise) < 2} == set()

"""What was learned of corridors: added up by all workers, and forgotten in eight weeks."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from parcelgate.domain.habits import Corridor, Habit
from parcelgate.store.calls import plain
from parcelgate.store.table import Table, TenantTable
from tests.support.table import all_items

CORRIDOR = Corridor("ubi", "UBI.CN2AU", "CN", "AU", "t")
FIRST = date.fromordinal(26_451 * 28)
"""The first of four weeks that are counted together."""
WEEK = timedelta(weeks=1)


@pytest.fixture
def own(table: Table) -> TenantTable:
    return table.tenant("acme")


def moves(habit: Habit) -> float:
    return round(habit.moves, 6)


def test_what_many_workers_have_seen_is_added_up(own: TenantTable) -> None:
    own.habits.add(CORRIDOR, {"h8": 2, "d0": 2, "s3": 2}, FIRST)
    own.habits.add(CORRIDOR, {"h8": 1, "d6": 1, "s3": 1}, FIRST + WEEK)
    assert moves(own.habits.read(CORRIDOR, FIRST + WEEK)) == 3


def test_corridors_stages_and_tenants_are_kept_apart(own: TenantTable, table: Table) -> None:
    own.habits.add(CORRIDOR, {"d0": 1}, FIRST)
    others = [CORRIDOR._replace(**{name: "z"}) for name in CORRIDOR._fields]
    assert [moves(own.habits.read(corridor, FIRST)) for corridor in others] == [0] * 5
    assert moves(table.tenant("globex").habits.read(CORRIDOR, FIRST)) == 0


def test_old_counts_fade(own: TenantTable) -> None:
    own.habits.add(CORRIDOR, {"d0": 100}, FIRST + 2 * WEEK)
    weights = [moves(own.habits.read(CORRIDOR, FIRST + weeks * WEEK)) for weeks in (3, 4, 6, 7, 8)]
    assert weights == [100, 100, 50, 25, 0]


def test_dynamodb_deletes_what_counts_no_more(own: TenantTable, dynamodb: Any) -> None:
    own.habits.add(CORRIDOR, {"d0": 1}, FIRST)
    (item,) = map(plain, all_items(dynamodb))
    ends = datetime.fromtimestamp(item["expires_at"], UTC).date()
    assert FIRST + 8 * WEEK < ends <= FIRST + 9 * WEEK
    assert set(item) == {"pk", "sk", "expires_at", "d0"}

"""Figures are exact: what is seen twice, late or by two at once counts once, in its latest state."""

import random
from datetime import date
from itertools import permutations
from typing import Any

import pytest

from parcelgate.store.errors import StoreError, StoreUnavailableError
from parcelgate.store.table import Table, TenantTable
from parcelgate.store.tenants.stats import Countable, StatsRow

DAY = date(2026, 11, 21)
SPAN = (date(2026, 1, 1), date(2026, 12, 31))


def row(day: date = DAY, service: str | None = "S", carrier: str = "lso", **figures: int) -> StatsRow:
    return StatsRow(day, carrier, service, figures)


def thing(name: str, version: int, adds: StatsRow) -> Countable:
    return Countable(f"T#acme#ORDER#{name}", version, adds)


LIFE = [
    thing("a", 1, row(accepted=1)),
    thing("a", 2, row(confirmed=1, spend=1160)),
    thing("a", 5, row(cancelled=1, spend=1160, refund=1160)),
]


@pytest.fixture
def own(table: Table) -> TenantTable:
    return table.tenant("acme")


def figures(own: TenantTable) -> dict[str, int]:
    """All figures that are not zero."""
    total: dict[str, int] = {}
    for each in own.stats.rows(*SPAN):
        for name, number in each.figures.items():
            total[name] = total.get(name, 0) + number
    return {name: number for name, number in total.items() if number}


@pytest.mark.parametrize("sequence", list(permutations(range(3))))
def test_the_latest_state_counts_whatever_comes_first(own: TenantTable, sequence: tuple[int, ...]) -> None:
    for place in sequence:
        own.stats.count([LIFE[place]])
    assert figures(own) == {"cancelled": 1, "spend": 1160, "refund": 1160}


def test_repeats_in_any_batches_count_once(own: TenantTable) -> None:
    lives = [
        thing(f"n{number}", version, row(service=f"S{number % 3}", **state))
        for number in range(60)
        for version, state in enumerate(({"accepted": 1}, {"confirmed": 1, "spend": number}), start=1)
    ]
    chance = random.Random(11)
    records = lives * 2
    chance.shuffle(records)
    while records:
        size = chance.randint(1, 70)
        own.stats.count(records[:size])
        records = records[size:]
    assert figures(own) == {"confirmed": 60, "spend": sum(range(60))}
    rows = {each.service: each.figures["confirmed"] for each in own.stats.rows(*SPAN)}
    assert rows == {"S0": 20, "S1": 20, "S2": 20}


def test_what_moves_to_another_row_leaves_the_first(own: TenantTable) -> None:
    own.stats.count([thing("a", 1, row(confirmed=1))])
    own.stats.count([thing("a", 2, row(service=None, confirmed=1))])
    rows = {each.service: each.figures.get("confirmed", 0) for each in own.stats.rows(*SPAN)}
    assert rows == {"S": 0, None: 1}


def test_many_may_move_at_once_each_from_a_row_of_its_own_to_another(own: TenantTable) -> None:
    """DynamoDB takes 100 writes in one transaction, and each of these has three."""
    for version, start in enumerate("ST", start=1):
        own.stats.count(
            [thing(f"n{each}", version, row(service=f"{start}{each}", confirmed=1)) for each in range(100)]
        )
    rows = {each.service: each.figures["confirmed"] for each in own.stats.rows(*SPAN)}
    assert rows == {f"{start}{each}": int(start == "T") for start in "ST" for each in range(100)}


def test_whom_another_has_overtaken_counts_on_top_of_it(
    own: TenantTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.stats.count(LIFE[:1])
    read, others = own.stats._items.get_many, [LIFE[1]]

    def late(*given: Any) -> Any:
        found = read(*given)
        while others:
            own.stats.count([others.pop()])
        return found

    monkeypatch.setattr(own.stats._items, "get_many", late)
    own.stats.count(LIFE[2:])
    assert figures(own) == {"cancelled": 1, "spend": 1160, "refund": 1160}


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
def test_a_death_in_the_middle_is_mended_by_the_repeat(
    own: TenantTable, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    many = [thing(f"n{number}", 1, row(confirmed=1)) for number in range(120)]
    commit, commits = own.stats._items.commit, []

    def dies(writes: Any) -> None:
        commits.append(writes)
        if len(commits) == 2 and not after:
            raise StoreUnavailableError("gone")
        commit(writes)
        if len(commits) == 2:
            raise StoreUnavailableError("gone")

    monkeypatch.setattr(own.stats._items, "commit", dies)
    with pytest.raises(StoreError):
        own.stats.count(many)
    own.stats.count(many)
    assert figures(own) == {"confirmed": 120}


def test_only_the_days_that_are_asked_for_are_read(own: TenantTable) -> None:
    for day in range(1, 8):
        own.stats.add(row(date(2026, 11, day), polls=day))
    found = own.stats.rows(date(2026, 11, 3), date(2026, 11, 5))
    assert [(each.day.day, each.figures) for each in found] == [(n, {"polls": n}) for n in (3, 4, 5)]


def test_a_service_may_have_any_name(own: TenantTable) -> None:
    own.stats.count([thing("a", 1, row(service="A#B~/é", confirmed=1))])
    assert [each.service for each in own.stats.rows(DAY, DAY)] == ["A#B~/é"]


def test_another_tenants_thing_is_not_counted(own: TenantTable, table: Table) -> None:
    with pytest.raises(ValueError, match="another tenant"):
        own.stats.count([Countable("T#other#ORDER#a", 1, row(confirmed=1))])
    own.stats.count([thing("a", 1, row(confirmed=1))])
    assert figures(table.tenant("other")) == {}

"""Identifiers: ULIDs with a prefix, in the sequence in which they are made."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from parcelgate.domain import ids
from parcelgate.domain.ids import fixed_id, new_id, text_of


def test_a_number_is_written_as_the_specification_has_it() -> None:
    assert text_of(1469918176385 << 80).startswith("01ARYZ6S41")
    assert text_of(2**128 - 1) == "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
    assert text_of(0) == "0" * 26


def test_an_id_begins_with_its_prefix_and_its_moment() -> None:
    before = text_of(time.time_ns() // 1_000_000 << 80)[:10]
    made = new_id("ord")
    after = text_of(time.time_ns() // 1_000_000 << 80)[:10]
    assert re.fullmatch(r"ord_[0-7][0-9A-HJKMNP-TV-Z]{25}", made)
    assert before <= made[4:14] <= after


def test_those_of_one_moment_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_469_918_176_385_000_000)
    made = [new_id("ord") for _ in range(1000)]
    assert made == sorted(set(made))
    assert len({each[:14] for each in made}) == 1


def test_two_processes_make_different_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_469_918_176_385_000_000)
    made = set()
    for _ in range(100):
        monkeypatch.setattr(ids, "_last", 0)
        made.add(new_id("ord"))
    assert len(made) == 100


def test_threads_never_make_the_same_one() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [*pool.map(lambda _: new_id("ord"), range(4000))]
    assert len(set(made)) == 4000


def test_a_fixed_id_is_the_same_in_every_release() -> None:
    at = datetime(2026, 11, 27, 18, 30, 0, 123000, tzinfo=UTC)
    assert fixed_id("evt", at, "acme", "ord_1", 3, "order.confirmed") == "evt_01M8F4AZ5VHASBXJ18CT1R5H4K"

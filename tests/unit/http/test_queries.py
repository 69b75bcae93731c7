"""Queries: whatever stands in them, DynamoDB is asked by no key that it would refuse."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import pytest

from parcelgate.domain.problems import ProblemError
from parcelgate.http.openapi import QUERIES
from parcelgate.http.requests.queries.events import read_event_query
from parcelgate.http.requests.queries.orders import read_order_query
from parcelgate.http.requests.queries.plain import read_account_query, read_courier_query, read_page_query
from parcelgate.http.requests.queries.stats import read_stats_query
from parcelgate.http.requests.queries.trackings import read_tracking_query

TODAY = date(2026, 11, 27)
read_stats = partial(read_stats_query, today=TODAY)
READERS: dict[str, Callable[[dict[str, str]], Any]] = {
    "orders": read_order_query,
    "trackings": read_tracking_query,
    "account": read_account_query,
    "couriers": read_courier_query,
    "events": read_event_query,
    "page": read_page_query,
    "stats": read_stats,
}


NO_PART_OF_A_KEY = {"language"}


def test_every_kind_of_query_is_read_here() -> None:
    assert set(READERS) == set(QUERIES) - NO_PART_OF_A_KEY


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in READERS for name in QUERIES[kind]])
@pytest.mark.parametrize("letter", ["9", "\u6587"])
def test_a_parameter_is_never_longer_than_a_key_may_be(kind: str, name: str, letter: str) -> None:
    with pytest.raises(ProblemError) as refused:
        READERS[kind]({name: letter * 5000})

    (error,) = refused.value.problem.errors
    assert (error.pointer, refused.value.problem.code) == (f"/{name}", "validation_failed")


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({}, ("2026-10-29", "2026-11-27")),
        ({"from": "", "to": "", "by": ""}, ("2026-10-29", "2026-11-27")),
        ({"from": "2026-11-27"}, ("2026-11-27", "2026-11-27")),
        ({"to": "2026-03-01"}, ("2026-01-31", "2026-03-01")),
        ({"to": "0001-01-05"}, ("0001-01-01", "0001-01-05")),
        ({"from": " 2024-01-01 ", "to": "2024-12-31"}, ("2024-01-01", "2024-12-31")),
        ({"from": "2026-12-01", "to": "2026-12-02"}, ("2026-12-01", "2026-12-02")),
    ],
)
def test_figures_are_of_the_last_thirty_days_unless_others_are_named(
    query: dict[str, str], days: tuple[str, str]
) -> None:
    asked = read_stats(query)
    assert (str(asked.first), str(asked.last), asked.by) == (*days, ())


@pytest.mark.parametrize(
    ("by", "read"),
    [
        ("day", ["day"]),
        ("service,day", ["day", "service"]),
        ("carrier, service ,day", ["day", "carrier", "service"]),
    ],
)
def test_figures_are_told_apart_in_the_contracts_sequence(by: str, read: list[str]) -> None:
    assert read_stats({"by": by}).by == tuple(read)


@pytest.mark.parametrize(
    ("query", "pointer", "code", "words"),
    [
        ({"from": "2026-11-02", "to": "2026-11-01"}, "/from", "out_of_range", "not be later than `to`"),
        ({"from": "2026-11-28"}, "/from", "out_of_range", "not be later than today"),
        ({"from": "2025-11-26", "to": "2026-11-27"}, "/from", "out_of_range", "367 days are asked for"),
        ({"from": "1926-11-27"}, "/from", "out_of_range", "less than 366 days"),
        ({"from": "2026-02-30"}, "/from", "format", "such as 2026-11-27"),
        ({"to": "2026-11-27T00:00:00Z"}, "/to", "format", "such as 2026-11-27"),
        ({"to": "20261127"}, "/to", "format", "such as 2026-11-27"),
        ({"to": "2026-W48-5"}, "/to", "format", "such as 2026-11-27"),
        ({"to": "yesterday"}, "/to", "format", "such as 2026-11-27"),
        ({"from": "2026-11-01,2026-11-02"}, "/from", "format", "such as 2026-11-27"),
        ({"by": "month"}, "/by", "unknown_value", "one of: day, carrier, service"),
        ({"by": "day,"}, "/by", "unknown_value", "one of: day, carrier, service"),
        ({"by": "Day"}, "/by", "unknown_value", "one of: day, carrier, service"),
        ({"by": "day,day"}, "/by", "repeated", "once"),
        ({"group": "day"}, "/group", "unknown_field", "no such parameter"),
    ],
)
def test_a_query_of_figures_that_cannot_be_answered_says_why(
    query: dict[str, str], pointer: str, code: str, words: str
) -> None:
    with pytest.raises(ProblemError) as refused:
        read_stats(query)
    (error,) = refused.value.problem.errors
    assert (error.pointer, error.code) == (pointer, code)
    assert words in error.message

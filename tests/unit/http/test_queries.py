"""Queries: whatever stands in them, DynamoDB is asked by no key that it would refuse."""

from collections.abc import Callable
from typing import Any

import pytest

from parcelgate.domain.problems import ProblemError
from parcelgate.http.requests import queries

READERS: dict[str, Callable[[dict[str, str]], Any]] = {
    "orders": queries.read_order_query,
    "trackings": queries.read_tracking_query,
    "account": queries.read_account_query,
    "couriers": queries.read_courier_query,
    "events": queries.read_event_query,
    "page": queries.read_page_query,
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, all_of in queries.PARAMETERS.items() for name in all_of]
)
@pytest.mark.parametrize("letter", ["9", "\u6587"])
def test_a_parameter_is_never_longer_than_a_key_may_be(kind: str, name: str, letter: str) -> None:
    with pytest.raises(ProblemError) as refused:
        READERS[kind]({name: letter * 5000})

    (error,) = refused.value.problem.errors
    assert (error.pointer, refused.value.problem.code) == (f"/{name}", "validation_failed")

"""Idempotency keys as the contract has them: one answer for one request, however often it comes."""

import json
import os
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import settings_for
from parcelgate.domain.problems import ProblemError
from parcelgate.http.routes import FUNCTIONS
from parcelgate.services.idempotency import (
    LEASE,
    Answer,
    Fresh,
    Replay,
    Resume,
    begin,
    finish,
    hash_of,
)
from parcelgate.store import calls
from parcelgate.store import idempotency as stored_answers
from parcelgate.store.errors import ClaimTakenError, ReferenceTakenError
from parcelgate.store.table import Table, TenantTable
from tests.support.faults import Faults, conflict, time_out
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import TABLE_NAME, all_items

BODY = b'{"reference": "R-1", "n": 1.0}'
CREATED = Answer(202, {"Location": "/v1/orders/ord_1"}, '{"id": "ord_1"}')
SECOND = timedelta(seconds=1)


@pytest.fixture
def acme(table: Table) -> TenantTable:
    return table.tenant("acme")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls.time, "sleep", lambda _: None)


def ask(
    table: TenantTable, *, at: datetime = NOON, body: bytes = BODY, key: str = "key-1", **more: str
) -> Replay | Resume | Fresh:
    where = {"method": "POST", "path": "/v1/orders"} | more
    return begin(table, key=key, body=body, now=at, **where)


def fresh(found: Replay | Resume | Fresh) -> Fresh:
    assert isinstance(found, Fresh)
    return found


def problem(table: TenantTable, **more: Any) -> ProblemError:
    with pytest.raises(ProblemError) as error:
        ask(table, **more)
    return error.value


# The life of a key


def test_the_first_answer_is_given_again_word_for_word(acme: TenantTable) -> None:
    claim = fresh(ask(acme)).claim
    acme.orders.add(an_order(), an_event(), claim)
    assert finish(claim, CREATED, now=NOON + SECOND)
    assert ask(acme, at=NOON + 2 * SECOND) == Replay(*CREATED)


def test_the_answer_is_kept_for_24_hours_and_then_gone_although_still_stored(acme: TenantTable) -> None:
    claim = fresh(ask(acme)).claim
    claim.hold()
    finish(claim, CREATED, now=NOON)
    day = timedelta(hours=24)
    assert isinstance(ask(acme, at=NOON + day - SECOND), Replay)
    again = fresh(ask(acme, at=NOON + day, body=b'{"another": "body"}')).claim
    again.hold()
    finish(again, Answer(200, {}, "new"), now=NOON + day)
    assert ask(acme, at=NOON + day, body=b'{"another": "body"}') == Replay(200, {}, "new")


def test_an_answer_is_kept_for_24_hours_from_when_it_was_given(acme: TenantTable) -> None:
    claim = fresh(ask(acme)).claim
    claim.hold()
    finish(claim, CREATED, now=NOON + 10 * SECOND)
    assert isinstance(ask(acme, at=NOON + timedelta(hours=24) + 5 * SECOND), Replay)


def test_an_order_may_take_a_key_whose_answer_is_gone_although_still_stored(acme: TenantTable) -> None:
    claim = fresh(ask(acme)).claim
    claim.hold()
    finish(claim, CREATED, now=NOON)
    later = NOON + timedelta(hours=25)
    acme.orders.add(an_order(), an_event(), fresh(ask(acme, at=later)).claim)
    assert problem(acme, at=later + SECOND).problem.code == "idempotency_in_progress"


def test_an_answer_may_take_a_key_whose_answer_is_gone_although_still_stored(acme: TenantTable) -> None:
    later, newer = NOON + timedelta(hours=25), Answer(200, {}, "newer")
    assert finish(fresh(ask(acme)).claim, CREATED, now=NOON)
    assert finish(fresh(ask(acme, at=later)).claim, newer, now=later)
    assert ask(acme, at=later) == Replay(*newer)


def test_while_the_first_runs_the_second_is_told_to_wait(acme: TenantTable) -> None:
    acme.orders.add(an_order(), an_event(), fresh(ask(acme)).claim)
    found = problem(acme, at=NOON + SECOND)
    assert found.problem.code == "idempotency_in_progress"
    assert found.problem.status == 409
    assert found.retry_after is not None
    assert found.retry_after >= 1


def test_another_body_under_the_same_key_is_refused_while_running_and_after(acme: TenantTable) -> None:
    claim = fresh(ask(acme)).claim
    claim.hold()
    assert problem(acme, body=b"{}").problem.code == "idempotency_key_reused"
    finish(claim, CREATED, now=NOON)
    assert problem(acme, body=b"{}").problem.code == "idempotency_key_reused"
    assert problem(acme, body=b"{}").problem.status == 422


def test_the_same_body_written_otherwise_is_the_same(acme: TenantTable) -> None:
    claim = fresh(ask(acme)).claim
    claim.hold()
    finish(claim, CREATED, now=NOON)
    assert ask(acme, body=b'{ "n" : 1, "reference":"\\u0052-1" }') == Replay(*CREATED)


@pytest.mark.parametrize("other", [{"method": "PATCH"}, {"path": "/v1/rates"}, {"key": "key-2"}])
def test_a_key_counts_within_its_method_and_path(acme: TenantTable, other: dict[str, str]) -> None:
    claim = fresh(ask(acme)).claim
    claim.hold()
    assert isinstance(ask(acme, **other), Fresh)


def test_promise_7_a_key_counts_within_its_tenant(table: Table, acme: TenantTable) -> None:
    claim = fresh(ask(acme)).claim
    claim.hold()
    finish(claim, CREATED, now=NOON)
    assert isinstance(ask(table.tenant("other")), Fresh)


@pytest.mark.parametrize("key", ["", "k" * 256, "a\nb", "schlüssel", "\x7f"])
def test_a_key_that_is_none_is_refused(acme: TenantTable, key: str) -> None:
    found = problem(acme, key=key)
    assert (found.problem.code, found.problem.status) == ("validation_failed", 422)


@pytest.mark.parametrize("key", ["k", "k" * 255, "a b#c%d~"])
def test_any_other_key_is_taken(acme: TenantTable, key: str) -> None:
    fresh(ask(acme, key=key)).claim.hold()
    assert problem(acme, key=key).problem.code == "idempotency_in_progress"


# What is kept


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_kept(acme: TenantTable, status: int) -> None:
    claim = fresh(ask(acme)).claim
    claim.hold()
    assert finish(claim, CREATED._replace(status=status), now=NOON)
    assert ask(acme) == Replay(*CREATED._replace(status=status))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503])
def test_no_other_answer_is_kept_while_no_order_was_stored(acme: TenantTable, status: int) -> None:
    claim = fresh(ask(acme)).claim
    claim.hold()
    assert not finish(claim, CREATED._replace(status=status), now=NOON)
    assert isinstance(ask(acme, body=b'{"mended": true}'), Fresh)


@pytest.mark.parametrize("status", [409, 422])
def test_409_and_422_are_kept_once_the_reference_was_claimed(acme: TenantTable, status: int) -> None:
    claim = fresh(ask(acme)).claim
    acme.orders.add(an_order(), an_event(), claim)
    assert finish(claim, CREATED._replace(status=status), now=NOON)
    assert ask(acme) == Replay(*CREATED._replace(status=status))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_after_the_order_was_stored_lets_the_same_request_resume_it(
    acme: TenantTable, status: int
) -> None:
    claim = fresh(ask(acme)).claim
    order = an_order()
    acme.orders.add(order, an_event(), claim)
    assert not finish(claim, CREATED._replace(status=status), now=NOON)
    found = ask(acme)
    assert isinstance(found, Resume)
    assert found.order_id == order.id


def test_an_answer_to_a_request_that_held_nothing_is_kept_too(acme: TenantTable) -> None:
    assert finish(fresh(ask(acme)).claim, CREATED, now=NOON)
    assert ask(acme) == Replay(*CREATED)


def test_a_refused_request_that_held_nothing_costs_no_call(dynamodb: Any) -> None:
    faults = Faults()
    tenant = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme")
    claim = fresh(ask(tenant)).claim
    finish(claim, Answer(422, {}, "{}"), now=NOON)
    assert faults.names == ["dynamodb.get_item"]


def test_an_answer_of_the_largest_order_is_kept(acme: TenantTable) -> None:
    incompressible = os.urandom(100_000).hex()
    answer = Answer(201, {}, json.dumps({"a": incompressible, "b": incompressible, "c": " " * 900_000}))
    claim = fresh(ask(acme)).claim
    claim.hold()
    assert finish(claim, answer, now=NOON)
    assert ask(acme) == Replay(*answer)


@pytest.mark.parametrize("measured", [True, False], ids=["is not sent", "is refused"])
def test_an_answer_that_does_not_fit_lets_the_order_be_resumed(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch, measured: bool
) -> None:
    """Whether we measure that it is too large, or DynamoDB has to say so."""
    if not measured:
        monkeypatch.setattr(stored_answers, "LARGEST_BODY", 10**9)
    faults = Faults()
    acme = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme")
    claim = fresh(ask(acme)).claim
    acme.orders.add(an_order(), an_event(), claim)
    assert not finish(claim, Answer(201, {}, os.urandom(500_000).hex()), now=NOON)
    assert ("dynamodb.put_item" in faults.names) == (not measured)
    assert isinstance(ask(acme), Resume)


# Deaths and races


def test_a_request_whose_function_died_is_resumed_when_its_lease_is_over(acme: TenantTable) -> None:
    order = an_order()
    acme.orders.add(order, an_event(), fresh(ask(acme)).claim)
    assert problem(acme, at=NOON + LEASE - SECOND).problem.code == "idempotency_in_progress"
    found = ask(acme, at=NOON + LEASE)
    assert isinstance(found, Resume)
    assert found.order_id == order.id
    assert problem(acme, at=NOON + LEASE + SECOND).problem.code == "idempotency_in_progress"
    assert finish(found.claim, CREATED, now=NOON + LEASE)
    assert ask(acme, at=NOON + LEASE) == Replay(*CREATED)


@pytest.mark.parametrize("stage", ["production", "local"])
def test_a_lease_outlives_every_function_that_may_hold_it(stage: str) -> None:
    """By some seconds, since another function's clock may be ahead."""
    settings = settings_for(stage)
    holders = [
        name for name, function in FUNCTIONS.items() if any(route.idempotent for route in function.routes)
    ]
    assert timedelta(seconds=max(settings.size(name).timeout for name in holders) + 5) <= LEASE


def test_who_resumes_an_order_and_meets_trouble_leaves_it_to_the_next(acme: TenantTable) -> None:
    order = an_order()
    acme.orders.add(order, an_event(), fresh(ask(acme)).claim)
    first = ask(acme, at=NOON + LEASE)
    assert isinstance(first, Resume)
    assert not finish(first.claim, CREATED._replace(status=503), now=NOON + LEASE)

    second = ask(acme, at=NOON + LEASE)

    assert isinstance(second, Resume)
    assert second.order_id == order.id


def test_of_two_that_would_resume_only_one_does(dynamodb: Any, acme: TenantTable) -> None:
    order = an_order()
    acme.orders.add(order, an_event(), fresh(ask(acme)).claim)
    late = NOON + LEASE
    faults = Faults().before("update_item", lambda: won.append(ask(acme, at=late)))
    won: list[Any] = []
    slow = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme")
    assert problem(slow, at=late).problem.code == "idempotency_in_progress"
    assert isinstance(won[0], Resume)


def test_a_first_request_that_comes_back_from_the_dead_changes_nothing(acme: TenantTable) -> None:
    claim = fresh(ask(acme)).claim
    acme.orders.add(an_order(), an_event(), claim)
    resumed = ask(acme, at=NOON + LEASE)
    assert isinstance(resumed, Resume)
    assert not finish(claim, Answer(500, {}, ""), now=NOON + LEASE)
    assert problem(acme, at=NOON + LEASE).problem.code == "idempotency_in_progress"
    finish(resumed.claim, CREATED, now=NOON + LEASE)
    assert not finish(claim, Answer(201, {}, "late"), now=NOON + LEASE)
    assert ask(acme, at=NOON + LEASE) == Replay(*CREATED)


def test_who_was_taken_over_gives_no_answer_any_more(acme: TenantTable) -> None:
    claim = fresh(ask(acme)).claim
    acme.orders.add(an_order(), an_event(), claim)
    resumed = ask(acme, at=NOON + LEASE)
    assert isinstance(resumed, Resume)

    assert not finish(claim, Answer(201, {}, "late"), now=NOON + LEASE)

    assert finish(resumed.claim, CREATED, now=NOON + LEASE)
    assert ask(acme, at=NOON + LEASE) == Replay(*CREATED)


def test_of_two_requests_that_held_nothing_the_first_answer_counts(acme: TenantTable) -> None:
    first, second = fresh(ask(acme)).claim, fresh(ask(acme)).claim
    assert finish(first, CREATED, now=NOON)
    assert not finish(second, Answer(200, {}, "another"), now=NOON)
    assert ask(acme) == Replay(*CREATED)


def test_a_request_that_let_go_of_its_key_may_still_answer(acme: TenantTable) -> None:
    claim = fresh(ask(acme)).claim
    claim.hold()
    assert not finish(claim, CREATED._replace(status=503), now=NOON)
    assert finish(claim, CREATED, now=NOON)
    assert ask(acme) == Replay(*CREATED)


def test_an_answer_is_stored_with_its_kind_and_its_order(dynamodb: Any, acme: TenantTable) -> None:
    order, claim = an_order(), fresh(ask(acme)).claim
    acme.orders.add(order, an_event(), claim)
    for _ in range(2):
        (item,) = (item for item in all_items(dynamodb) if "#IDEMPOTENCY#" in item["pk"]["S"])
        assert (item["type"], item["order_id"]) == ({"S": "idempotency"}, {"S": order.id})
        finish(claim, CREATED, now=NOON)


def test_a_dead_request_without_an_order_leaves_the_key_to_the_next(acme: TenantTable) -> None:
    dead = fresh(ask(acme)).claim
    dead.hold()
    late = NOON + LEASE
    first, second = fresh(ask(acme, at=late)).claim, fresh(ask(acme, at=late)).claim
    first.hold()
    with pytest.raises(ClaimTakenError):
        second.hold()
    with pytest.raises(ClaimTakenError):
        acme.orders.add(an_order(), an_event(), second)
    finish(dead, Answer(200, {}, "late"), now=late)
    assert finish(first, CREATED, now=late)
    assert ask(acme, at=late) == Replay(*CREATED)


def test_the_same_request_twice_at_the_same_moment_makes_one_order(acme: TenantTable) -> None:
    first, second = fresh(ask(acme)).claim, fresh(ask(acme)).claim
    order = an_order()
    acme.orders.add(order, an_event(), first)
    with pytest.raises(ClaimTakenError):
        acme.orders.add(an_order(), an_event(), second)
    assert acme.orders.page().data == [order]
    assert problem(acme).problem.code == "idempotency_in_progress"


def test_a_create_refused_for_its_reference_leaves_no_claim(dynamodb: Any, acme: TenantTable) -> None:
    acme.orders.add(an_order(), an_event())
    claim = fresh(ask(acme)).claim
    with pytest.raises(ReferenceTakenError):
        acme.orders.add(an_order(), an_event(), claim)
    finish(claim, Answer(409, {}, "{}"), now=NOON)
    assert not [item for item in all_items(dynamodb) if "#IDEMPOTENCY#" in item["pk"]["S"]]


def test_a_collision_on_the_key_outranks_the_reference(dynamodb: Any, acme: TenantTable) -> None:
    """The other request is just keeping its answer: this one is to see that answer, not a 409."""
    first, second = fresh(ask(acme)).claim, fresh(ask(acme)).claim
    acme.orders.add(an_order(), an_event(), first)
    faults = Faults().on("transact_write_items", conflict(index=1))
    slow = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme")
    with pytest.raises(ClaimTakenError):
        slow.orders.add(an_order(), an_event(), second)


@pytest.mark.parametrize("fault", [conflict(), time_out(after=True), time_out()])
def test_keeping_an_answer_survives_a_collision_and_is_safe_to_repeat(dynamodb: Any, fault: Any) -> None:
    faults = Faults()
    tenant = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).tenant("acme")
    claim = fresh(ask(tenant)).claim
    claim.hold()
    faults.on("put_item", fault)
    try:
        finish(claim, CREATED, now=NOON)
    except Exception:
        finish(claim, CREATED, now=NOON)
    assert ask(tenant) == Replay(*CREATED)


def test_a_key_is_stored_only_as_a_hash(dynamodb: Any, acme: TenantTable) -> None:
    fresh(ask(acme, key="told-to-nobody")).claim.hold()
    assert "told-to-nobody" not in str(all_items(dynamodb))


# Bodies as JSON


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.decimals(allow_nan=False).map(float),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


def jumbled(value: Any) -> Any:
    """The same JSON value, names in the opposite order."""
    if isinstance(value, dict):
        return {name: jumbled(value[name]) for name in reversed(value)}
    return [jumbled(part) for part in value] if isinstance(value, list) else value


@given(JSON_VALUES)
def test_blanks_order_and_escapes_do_not_count(value: Any) -> None:
    spacious = json.dumps(jumbled(value), indent=2)
    assert hash_of(json.dumps(value)) == hash_of(spacious.encode())
    terse = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert hash_of(json.dumps(value)) == hash_of(terse)


@pytest.mark.parametrize(
    "same",
    [
        ["1", "1.0", "1e0", "10e-1", "0.1E1"],
        ["0", "-0", "0.000", "0e7"],
        ["100", "1e2", "100.00"],
        ["-1.50", "-15e-1"],
        ["{}", "", "  ", "\n"],
        ['{"a":1,"b":2}', '{"b":2,"a":1}', '\ufeff{"a":1,"b":2}'],
    ],
)
def test_one_value_has_one_hash(same: list[str]) -> None:
    assert len({hash_of(text) for text in same}) == 1


def test_different_values_have_different_hashes() -> None:
    parts = ["1", '"1"', "[1]", "{}", "[]", "null", "true", "false", "0", '""', "-1", "10", "0.1", "12"]
    parts += ["[1,2]", "[[1],2]", "[[1,2]]", '"n1e0:"', '["b","c"]', '["bc"]', '{"b":1}', '{"b":null}']
    parts += ["1e999999999999999999999", "2e999999999999999999999"]
    texts = [*parts, *(f'{{"a":{part}}}' for part in parts)]
    assert len({hash_of(text) for text in texts}) == len(texts)


@pytest.mark.parametrize("body", [b"\xff", b"{", "[" * 100_000, b'{"a": "\\ud800"}', "\ud800", "NaN"])
def test_any_body_has_a_hash(body: bytes | str) -> None:
    assert hash_of(body) == hash_of(body)
    assert hash_of(body) != hash_of("{}")

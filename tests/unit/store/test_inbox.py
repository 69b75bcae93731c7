"""The inbox: a webhook is stored as it came before it is acknowledged, and due until it was worked on."""

from datetime import timedelta
from typing import Any

import pytest

from parcelgate.store import calls
from parcelgate.store.credentials.webhook_tokens import Hook, WebhookTokens, hash_of
from parcelgate.store.errors import ProofTakenError, StoreUnavailableError
from parcelgate.store.inbox import DUE_AFTER, PARKED, PROCESSED, RECEIVED, InboxEntry
from parcelgate.store.table import Table
from tests.support.faults import Faults, conflict, time_out
from tests.support.orders import NOON
from tests.support.table import TABLE_NAME, all_items

BODY = b'\xff not even JSON \x00 {"a": 1}'


def delivered(table: Table, tenant: str = "acme", **more: Any) -> InboxEntry:
    facts = {"carrier": "lso", "account": "default", "body": BODY, "now": NOON, "order_id": "ord_1"}
    return table.tenant(tenant).inbox.put(**facts | more)


def test_a_webhook_is_kept_byte_for_byte_with_what_proves_it(table: Table) -> None:
    entry = delivered(table, headers={"sign": "abc"})
    assert entry.is_new
    assert table.tenant("acme").inbox.get(entry.id) == entry._replace(is_new=False)
    assert (entry.body, entry.headers, entry.state) == (BODY, {"sign": "abc"}, RECEIVED)


def test_promise_4_a_webhook_is_due_until_it_was_worked_on(table: Table) -> None:
    inbox = table.tenant("acme").inbox
    entry = delivered(table)
    assert table.due.due("INBOX", NOON + DUE_AFTER - timedelta(milliseconds=1)) == []
    assert table.due.due("INBOX", NOON + DUE_AFTER) == [("acme", entry.id)]
    assert table.due.due("ORDER", NOON + DUE_AFTER) == []
    inbox.processed(entry.id, NOON)
    inbox.processed(entry.id, NOON)
    assert table.due.due("INBOX", NOON + DUE_AFTER) == []
    found = inbox.get(entry.id)
    assert found is not None
    assert found.state == PROCESSED
    assert found.body == BODY


def test_a_repeat_finds_the_first_webhook_and_how_it_stands(table: Table) -> None:
    first = delivered(table)
    again = delivered(table, now=NOON + timedelta(minutes=5))
    assert again == first._replace(is_new=False)
    table.tenant("acme").inbox.processed(first.id, NOON)
    assert delivered(table, now=NOON + timedelta(minutes=10)).state == PROCESSED
    assert table.due.due("INBOX", NOON + timedelta(days=1)) == []


@pytest.mark.parametrize(
    "other", [{"body": b"other"}, {"order_id": "ord_2"}, {"order_id": None}, {"account": "b"}]
)
def test_another_webhook_is_no_repeat(table: Table, other: dict[str, Any]) -> None:
    first = delivered(table)
    assert delivered(table, **other).is_new
    assert delivered(table, tenant="other").is_new
    assert first.is_new


def test_what_cannot_be_used_is_parked_with_its_reason(table: Table) -> None:
    inbox = table.tenant("acme").inbox
    entry = delivered(table)
    inbox.park(entry, "not JSON", NOON)
    found = inbox.get(entry.id)
    assert found is not None
    assert (found.state, found.reason) == (PARKED, "not JSON")
    assert table.due.due("INBOX", NOON + timedelta(days=1)) == []


def test_an_unprocessed_entry_can_be_put_off_a_processed_one_not(table: Table) -> None:
    inbox = table.tenant("acme").inbox
    entry = delivered(table)
    later = NOON + timedelta(hours=1)
    inbox.postpone(entry.id, later)
    assert table.due.due("INBOX", later - timedelta(seconds=1)) == []
    assert table.due.due("INBOX", later) == [("acme", entry.id)]
    inbox.processed(entry.id, NOON)
    inbox.postpone(entry.id, later)
    assert table.due.due("INBOX", later) == []


def test_a_webhook_expires_after_thirty_days_and_then_counts_as_gone(table: Table, dynamodb: Any) -> None:
    first = delivered(table)
    (item,) = all_items(dynamodb)
    assert int(item["expires_at"]["N"]) == (NOON + timedelta(days=30)).timestamp()
    table.tenant("acme").inbox.processed(first.id, NOON)
    assert delivered(table, now=NOON + timedelta(days=30)).is_new


def test_nothing_comes_of_marking_what_is_gone(table: Table, dynamodb: Any) -> None:
    inbox = table.tenant("acme").inbox
    entry = InboxEntry("lso#gone", "acme", "lso", "default", None, BODY, {}, NOON, RECEIVED, None)
    inbox.processed("lso#gone", NOON)
    inbox.park(entry, "why", NOON)
    inbox.postpone("lso#gone", NOON)
    inbox.replay("lso#gone", NOON)
    assert all_items(dynamodb) == []
    assert inbox.get("lso#gone") is None


def test_a_webhook_is_one_write_and_survives_a_collision(dynamodb: Any) -> None:
    faults = Faults()
    table = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
    delivered(table)
    assert faults.names == ["dynamodb.put_item"]
    faults.on("put_item", conflict())
    assert delivered(table, body=b"other").is_new


def test_a_webhook_whose_storing_was_not_answered_is_found_when_it_is_repeated(dynamodb: Any) -> None:
    faults = Faults().on("put_item", time_out(after=True))
    table = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
    with pytest.raises(Exception, match="ReadTimeout"):
        delivered(table)
    again = delivered(table)
    assert (again.is_new, again.state) == (False, RECEIVED)


# Repeats of what nobody has worked on


def test_a_repeat_of_what_nobody_worked_on_is_a_change_that_the_stream_tells(
    table: Table, dynamodb: Any
) -> None:
    first = delivered(table)
    delivered(table, now=NOON + timedelta(seconds=1))
    (item,) = all_items(dynamodb)
    assert item["again_at"] == {"S": "2026-11-21T12:00:01.000Z"}
    table.tenant("acme").inbox.processed(first.id, NOON)
    delivered(table, now=NOON + timedelta(seconds=2))
    (item,) = all_items(dynamodb)
    assert item["again_at"] == {"S": "2026-11-21T12:00:01.000Z"}, "what was worked on stays as it is"


def test_a_webhook_that_is_closed_while_its_repeat_comes_stays_closed(dynamodb: Any) -> None:
    faults = Faults()
    table = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
    first = delivered(table)
    faults.before("update_item", lambda: table.tenant("acme").inbox.processed(first.id, NOON))
    assert delivered(table).state == RECEIVED
    (item,) = all_items(dynamodb)
    assert "again_at" not in item


def test_the_same_body_with_other_proof_is_another_delivery(table: Table) -> None:
    plain = delivered(table)
    proven = delivered(table, headers={"sign": "abc", "timestamp": "1"})
    assert proven.is_new
    assert not delivered(table, headers={"timestamp": "1", "sign": "abc"}).is_new
    assert delivered(table, headers={"sign": "abd", "timestamp": "1"}).is_new
    assert plain.id != proven.id


# Proofs that are good for one webhook


def test_a_proof_lets_in_the_webhook_that_came_with_it_first(table: Table, dynamodb: Any) -> None:
    first = delivered(table, proof="p")
    again = delivered(table, proof="p", now=NOON + timedelta(minutes=1))
    assert (again.id, again.is_new, again.state) == (first.id, False, RECEIVED)
    before = all_items(dynamodb)
    for other in ({"body": b"other"}, {"account": "b"}, {"order_id": "ord_2"}):
        with pytest.raises(ProofTakenError):
            delivered(table, proof="p", **other)
    assert all_items(dynamodb) == before
    assert delivered(table, body=b"other", proof="q").is_new
    assert delivered(table, tenant="other", proof="p").is_new


def test_a_proof_is_claimed_in_the_write_that_stores_its_delivery(dynamodb: Any) -> None:
    faults = Faults()
    table = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
    delivered(table, proof="p")
    assert faults.names == ["dynamodb.transact_write_items"]
    faults.on("transact_write_items", time_out())
    assert delivered(table, body=b"other", proof="q").is_new


def test_a_claim_whose_answer_was_lost_is_known_again(dynamodb: Any) -> None:
    faults = Faults().on("transact_write_items", time_out(after=True))
    table = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
    assert delivered(table, proof="p").is_new
    assert faults.names == ["dynamodb.transact_write_items"] * 2


def test_a_claim_that_nobody_answers_is_not_taken_for_one(dynamodb: Any) -> None:
    faults = Faults().on("transact_write_items", time_out(), times=calls.ASKED)
    table = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
    with pytest.raises(StoreUnavailableError):
        delivered(table, proof="p")
    assert all_items(dynamodb) == []


def test_two_with_one_proof_at_once_are_told_to_come_again(dynamodb: Any) -> None:
    faults = Faults().on("transact_write_items", conflict(), times=calls.ATTEMPTS)
    table = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
    with pytest.raises(calls.CollisionError):
        delivered(table, proof="p")


def test_a_webhook_that_another_write_of_it_kept_out_is_not_acknowledged(dynamodb: Any) -> None:
    faults = Faults().on("transact_write_items", conflict(index=1), times=calls.ATTEMPTS)
    table = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
    with pytest.raises(calls.CollisionError):
        delivered(table, proof="p")
    assert all_items(dynamodb) == []


def test_a_proof_has_its_time_as_its_webhook_has(table: Table) -> None:
    delivered(table, proof="p")
    later = NOON + timedelta(days=30)
    assert delivered(table, proof="p", body=b"other", now=later).is_new


# The parking lot


def test_what_is_parked_is_listed_newest_first_and_page_after_page(table: Table, dynamodb: Any) -> None:
    inbox = table.tenant("acme").inbox
    expected = []
    for number in range(230):
        at = NOON + timedelta(seconds=number)
        entry = delivered(table, body=b"%d" % number, now=at, parked="why" if number % 2 else None)
        if number % 2 == 0:
            inbox.park(entry, "later", at + timedelta(hours=1))
        expected.append((entry.id, "why" if number % 2 else "later"))
    delivered(table, tenant="other", parked="theirs")
    waiting = delivered(table, body=b"under way")

    found = [(entry.id, entry.reason) for entry in inbox.parked()]

    assert found == expected[::-1]
    assert table.due.due("INBOX", NOON + timedelta(days=1)) == [("acme", waiting.id)]


def test_what_is_parked_at_once_is_stored_in_one_write_and_never_due(table: Table) -> None:
    entry = delivered(table, parked="why")
    found = table.tenant("acme").inbox.get(entry.id)
    assert found is not None
    assert (found.state, found.reason, found.closed_at) == (PARKED, "why", NOON)
    assert table.due.due("INBOX", NOON + timedelta(days=1)) == []


@pytest.mark.parametrize("close", ["park", "processed"])
def test_what_is_to_be_worked_on_again_is_due_and_in_no_list(close: str, table: Table, dynamodb: Any) -> None:
    inbox = table.tenant("acme").inbox
    entry = delivered(table)
    if close == "park":
        inbox.park(entry, "why", NOON)
    else:
        inbox.processed(entry.id, NOON)
    later = NOON + timedelta(days=1)

    inbox.replay(entry.id, later)

    assert list(inbox.parked()) == []
    assert inbox.get(entry.id) == entry._replace(is_new=False), "as it came, with the time at which it came"
    assert table.due.due("INBOX", later + DUE_AFTER - timedelta(milliseconds=1)) == []
    assert table.due.due("INBOX", later + DUE_AFTER) == [("acme", entry.id)]
    (item,) = all_items(dynamodb)
    assert item["again_at"] == {"S": "2026-11-22T12:00:00.000Z"}
    inbox.processed(entry.id, later)
    assert set(all_items(dynamodb)[0]) & {"list_pk", "list_sk", "reason", "due_pk", "due_at"} == set()


def test_promise_7_an_entry_is_its_tenants_alone(table: Table) -> None:
    entry = delivered(table)
    assert table.tenant("other").inbox.get(entry.id) is None


# Webhook tokens


def test_a_token_leads_to_its_account_and_nowhere_else(table: Table, dynamodb: Any) -> None:
    hook = Hook("acme", "lme", "default")
    table.webhook_tokens.put("t0ken", hook)
    find = table.webhook_tokens.find
    assert find("lme", "default", "t0ken") == hook
    for wrong in [("lso", "default", "t0ken"), ("lme", "other", "t0ken"), ("lme", "default", "t0keN")]:
        assert find(*wrong) is None
    for odd in ("", "#", "x" * 5000, "é", "\udc80"):
        assert find("lme", "default", odd) is None
    assert "t0ken" not in str(all_items(dynamodb))
    assert hash_of("t0ken") in str(all_items(dynamodb))
    table.webhook_tokens.remove("t0ken")
    assert find("lme", "default", "t0ken") is None


def test_a_token_is_found_the_moment_it_was_stored() -> None:
    asked: dict[str, Any] = {}

    class Client:
        def get_item(self, **given: Any) -> dict[str, Any]:
            asked.update(given)
            return {}

    WebhookTokens(calls.Items(Client(), "table")).find("lme", "default", "t")  # type: ignore[arg-type]
    assert asked["ConsistentRead"] is True


def test_a_tenant_that_cannot_be_gets_no_token(table: Table) -> None:
    with pytest.raises(ValueError, match="tenant"):
        table.webhook_tokens.put("t", Hook("a#b", "lme", "default"))

"""Tokens of webhooks: one leads to one account, and no guess leads anywhere, however close it is."""

import secrets
from typing import Any

import pytest

from parcelgate.store.credentials import webhook_tokens
from parcelgate.store.credentials.webhook_tokens import Hook
from parcelgate.store.table import Table
from tests.support.table import all_items

HOOK = Hook("acme", "lme", "default")
TOKEN = secrets.token_urlsafe(32)


@pytest.fixture
def tokens(table: Table) -> webhook_tokens.WebhookTokens:
    table.webhook_tokens.put(TOKEN, HOOK)
    return table.webhook_tokens


def test_a_token_leads_to_its_account_alone(tokens: webhook_tokens.WebhookTokens) -> None:
    assert tokens.find("lme", "default", TOKEN) == HOOK
    others = [("lso", "default"), ("lme", "west"), ("lme", "DEFAULT"), ("lm", "edefault"), ("", "")]
    assert [tokens.find(*where, TOKEN) for where in others] == [None] * len(others)


def test_no_guess_that_is_close_leads_anywhere(tokens: webhook_tokens.WebhookTokens) -> None:
    close = [TOKEN[:-1], TOKEN[1:], f"{TOKEN}=", f" {TOKEN}", TOKEN.swapcase(), f"{TOKEN}\0", "", "#", "é"]
    close += [
        TOKEN[:place] + ("A" if TOKEN[place] != "A" else "B") + TOKEN[place + 1 :] for place in range(43)
    ]
    assert [tokens.find("lme", "default", guess) for guess in close] == [None] * len(close)


def test_whoever_reads_the_table_finds_no_token(tokens: webhook_tokens.WebhookTokens, dynamodb: Any) -> None:
    assert TOKEN not in str(all_items(dynamodb))
    assert webhook_tokens.hash_of(TOKEN) in str(all_items(dynamodb))


def test_a_path_is_compared_in_constant_time(
    tokens: webhook_tokens.WebhookTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return False

    monkeypatch.setattr(webhook_tokens, "compare_digest", compare)
    assert tokens.find("lme", "default", TOKEN) is None
    assert compared == [(b"lme\0default", b"lme\0default")]

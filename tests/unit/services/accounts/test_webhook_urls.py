"""The address of an account's webhooks: the same until it is replaced, and then nothing else."""

import json
from typing import Any

import pytest

from parcelgate.services.accounts import webhook_urls
from parcelgate.store.credentials.webhook_tokens import Hook
from parcelgate.store.table import Table
from tests.support.faults import Faults, die, unavailable
from tests.support.table import TABLE_NAME, all_items
from tests.support.world import FakeSecrets

HOOK = Hook("acme", "lme", "default")
NAME = "parcelgate/acme/lme/default"
SECRET = {"credentials": {"app_key": "made-up"}, "limits": {"rate": 5}}


@pytest.fixture
def secrets() -> FakeSecrets:
    found = FakeSecrets()
    found.texts[NAME] = json.dumps(SECRET)
    return found


def url_of(table: Table, secrets: Any, hook: Hook = HOOK, **how: Any) -> str:
    return webhook_urls.webhook_url(
        table, secrets, hook, secret_prefix="parcelgate", base_url="https://hooks.test/", **how
    )


def lets_in(table: Table, url: str) -> bool:
    return table.webhook_tokens.find("lme", "default", url.rpartition("/")[2]) == HOOK


def test_an_address_is_made_once_and_printed_again(table: Table, secrets: FakeSecrets, dynamodb: Any) -> None:
    url = url_of(table, secrets)

    assert url.startswith("https://hooks.test/webhooks/lme/default/")
    token = url.rpartition("/")[2]
    assert len(token) >= 43
    assert lets_in(table, url)
    assert url_of(table, secrets) == url
    assert token not in str(all_items(dynamodb)), "the table has the hash alone"
    assert json.loads(secrets.texts[NAME]) == SECRET | {"webhook_token": token}


def test_a_replaced_address_lets_nothing_in_any_more(table: Table, secrets: FakeSecrets) -> None:
    old = url_of(table, secrets)

    new = url_of(table, secrets, rotate=True)

    assert new != old
    assert lets_in(table, new)
    assert not lets_in(table, old)
    assert url_of(table, secrets) == new


def test_an_address_whose_hash_was_lost_is_put_right_by_asking_for_it(
    table: Table, secrets: FakeSecrets
) -> None:
    url = url_of(table, secrets)
    table.webhook_tokens.remove(url.rpartition("/")[2])

    assert url_of(table, secrets) == url
    assert lets_in(table, url)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("n", range(1, 5))
def test_who_dies_while_replacing_an_address_is_put_right_by_doing_it_again(
    n: int, after: bool, secrets: FakeSecrets, dynamodb: Any
) -> None:
    table = Table(dynamodb, TABLE_NAME)
    old = url_of(table, secrets)
    faults = Faults().at(n, die(after=after))
    broken = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
    with pytest.raises(BaseException):  # noqa: B017, PT011
        url_of(broken, faults.wrap(secrets, "secrets"), rotate=True)

    new = url_of(table, secrets, rotate=True)

    assert lets_in(table, new)
    assert not lets_in(table, old)
    assert url_of(table, secrets) == new


@pytest.mark.parametrize("carrier", ["lso", "ubi", "pigeon"])
def test_a_carrier_that_pushes_nothing_to_an_account_has_no_address(
    carrier: str, table: Table, secrets: FakeSecrets, dynamodb: Any
) -> None:
    with pytest.raises(webhook_urls.NoAddressError):
        url_of(table, secrets, Hook("acme", carrier, "default"))
    assert all_items(dynamodb) == []


@pytest.mark.parametrize("text", [None, "[]", "not json"])
def test_an_account_that_is_none_has_no_address(
    text: str | None, table: Table, secrets: FakeSecrets, dynamodb: Any
) -> None:
    secrets.texts = {} if text is None else {NAME: text}
    with pytest.raises(webhook_urls.NoAccountError):
        url_of(table, secrets)
    assert all_items(dynamodb) == []


def test_trouble_with_the_secrets_is_not_taken_for_a_missing_account(
    table: Table, secrets: FakeSecrets
) -> None:
    faults = Faults().on("get_secret_value", unavailable())
    with pytest.raises(Exception, match="InternalServerError"):
        url_of(table, faults.wrap(secrets, "secrets"))


def test_other_credentials_leave_the_address_as_it_is(table: Table, secrets: FakeSecrets) -> None:
    url = url_of(table, secrets)
    client: Any = secrets
    rotated = {"credentials": {"app_key": "other"}}

    kept = webhook_urls.with_its_token(client, NAME, rotated)

    assert kept == rotated | {"webhook_token": url.rpartition("/")[2]}
    assert webhook_urls.with_its_token(client, NAME, rotated | {"webhook_token": "own"}) == rotated | {
        "webhook_token": "own"
    }
    assert webhook_urls.with_its_token(client, "parcelgate/acme/lme/new", rotated) == rotated

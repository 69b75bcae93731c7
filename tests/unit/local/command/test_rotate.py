"""`parcelgate accounts rotate`: new secrets are tried with the carrier, and only then stored."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from local.command.account_secret import AccountSecret
from local.command.cli import app
from local.command.deployment import Deployment
from parcelgate.services.operator.accounts import Check
from sandbox import Settings, serve
from tests.support.served import ServedWorld
from tests.support.world import World
from tests.unit.local.command.test_cli import StandIn

OLD, NEW = {"app_id": "a-7", "app_secret": "old-one"}, {"app_id": "a-7", "app_secret": "new-one"}
SECRET = "parcelgate/acme/lso/default"


@pytest.fixture
def world(served_world: ServedWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An operator with an LSO account, at a carrier that takes the old and the new secret."""
    with served_world.hold() as world, serve(Settings(accounts={"lso": {"default": NEW}})) as url:
        stack = object.__new__(StandIn)
        stack.world = world
        stack.outputs = {"SecretPrefix": "parcelgate", "ApiUrl": served_world.url}
        monkeypatch.setattr(Deployment, "named", lambda name: stack)
        content = {"credentials": OLD, "base_url": f"{url}/lso", "webhook_token": "t", "limits": {"rate": 5}}
        world.secrets.texts[SECRET] = json.dumps(content)
        yield world


def rotate(*words: str, answers: str = "") -> Any:
    command = ["accounts", "rotate", "lso", "--tenant", "acme", *words]
    return CliRunner().invoke(app, command, input=answers)


def stored(world: World) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(world.secrets.texts[SECRET])
    return content


def test_new_secrets_that_work_are_stored_and_the_old_ones_kept(world: World) -> None:
    before = stored(world)
    done = rotate(answers="new-one\n")
    assert done.exit_code == 0, done.output
    assert stored(world) == before | {"credentials": NEW}
    assert "~ credentials.app_secret: (hidden) -> (hidden)" in done.output
    assert "new-one" not in done.output
    assert "accounts rotate lso --account default --back --tenant acme" in done.stderr
    assert json.loads(world.secrets.earlier[SECRET]) == before


def test_secrets_that_the_carrier_refuses_change_nothing(world: World) -> None:
    before = dict(world.secrets.texts)
    refused = rotate(answers="revoked\n")
    assert (refused.exit_code, "Nothing is changed" in refused.stderr) == (1, True), refused.output
    assert "revoked" not in refused.output
    assert rotate("--untried", answers="revoked\n").exit_code == 1, "the carrier was reached, and refuses"
    same = rotate(answers="old-one\n")
    assert (same.exit_code, "stored credentials" in same.stderr) == (1, True)
    assert world.secrets.texts == before


def test_the_earlier_secrets_are_taken_up_again_and_nothing_else_of_the_account(world: World) -> None:
    world.secrets.texts[SECRET] = json.dumps(stored(world) | {"credentials": NEW})
    assert rotate("--back").exit_code == 5, "there are no earlier ones"
    changed = stored(world) | {"credentials": OLD, "webhook_token": "newer"}
    world.secrets.put_secret_value(SecretId=SECRET, SecretString=json.dumps(changed))

    done = rotate("--back")

    assert done.exit_code == 0, done.output
    assert stored(world) == changed | {"credentials": NEW}


def test_a_carrier_that_cannot_be_reached_from_here_changes_nothing_unless_one_says_so(world: World) -> None:
    world.secrets.texts[SECRET] = json.dumps(stored(world) | {"base_url": "http://127.0.0.1:9"})
    assert rotate(answers="new-one\n").exit_code == 1
    assert stored(world)["credentials"] == OLD
    assert rotate("--untried", answers="new-one\n").exit_code == 0
    assert stored(world)["credentials"] == NEW


def test_what_others_have_stored_meanwhile_is_not_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a new webhook token, in place of one that has leaked."""
    changed = stored(world) | {"webhook_token": "newer"}
    tried = AccountSecret.try_with

    def slowly(secret: AccountSecret, content: dict[str, Any]) -> Check:
        world.secrets.put_secret_value(SecretId=SECRET, SecretString=json.dumps(changed))
        return tried(secret, content)

    monkeypatch.setattr(AccountSecret, "try_with", slowly)
    refused = rotate(answers="new-one\n")
    assert (refused.exit_code, "changed meanwhile" in refused.stderr) == (1, True), refused.output
    assert stored(world) == changed


def test_what_is_not_there_cannot_be_rotated(world: World) -> None:
    other = rotate("--account", "other")
    assert (other.exit_code, "accounts add" in other.stderr) == (5, True)

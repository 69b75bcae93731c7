"""`parcelgate attention`, `dlq`, `stats` and `accounts`: an operator's night."""

import json
from typing import Any

import pytest

import sandbox.carriers
from local.command.deployment import Deployment
from parcelgate.domain.orders import Order, OrderStatus
from tests.support.served import ServedWorld
from tests.support.world import World
from tests.unit.local.command.conftest import Run
from tests.unit.local.command.test_cli import StandIn, stored


@pytest.fixture
def world(served_world: ServedWorld) -> World:
    with served_world.hold() as world:
        return world


def several(world: World) -> list[Order]:
    lso = [stored(world, reference=f"L-{number}") for number in range(3)]
    return [*lso, stored(world, reference="U-1", carrier="ubi")]


def test_what_needs_a_person_is_listed(world: World, run: Run) -> None:
    assert "Nothing needs a person" in run("attention", "list").stderr
    orders = several(world)
    found = json.loads(run("attention", "list", "--json").stdout)
    assert {each["id"] for each in found} == {order.id for order in orders}
    assert len(run("attention", "list", "--carrier", "ubi").stdout.splitlines()) == 1
    assert run("attention", "list", "--kind", "account").stdout == ""


def test_all_of_a_carrier_are_moved_on_at_once(world: World, run: Run) -> None:
    *lso, other = several(world)
    words = ("attention", "resolve", "--all", "--carrier", "lso", "--outcome", "not_at_carrier")

    assert run(*words, input="n\n").exit_code == 1
    assert {world.order(order).status for order in lso} == {OrderStatus.NEEDS_ATTENTION}
    done = run(*words, input="y\n")

    assert done.exit_code == 0, done.output
    assert "3 orders" in done.stderr
    assert {world.order(order).status for order in lso} == {OrderStatus.FAILED}
    assert world.order(other).status is OrderStatus.NEEDS_ATTENTION
    again = run(*words, "--json")
    assert (again.exit_code, json.loads(again.stdout)) == (0, [])


def test_what_cannot_be_moved_on_is_told_and_holds_up_nothing(world: World, run: Run) -> None:
    order = stored(world)
    done = run("attention", "resolve", "ord_unknown", order.id, "--outcome", "reread", "--json")
    assert done.exit_code == 1
    assert [row["refused"] for row in json.loads(done.stdout)] == [True, False]
    assert "1 of 2 were refused" in done.stderr


def test_one_order_is_resolved(world: World, run: Run) -> None:
    order = stored(world)
    done = run("orders", "resolve", order.id, "--outcome", "not_at_carrier", "--yes", "--json")
    assert json.loads(done.stdout)["status"] == "failed"
    assert run("orders", "resolve", order.id, "--outcome", "nonsense").exit_code == 2


# Dead letters


def dead(world: World, queue: str, count: int) -> None:
    for number in range(count):
        body = json.dumps({"tenant": "acme", "order_id": f"ord_{number}", "action": "create"})
        world.sqs.send_message(QueueUrl=f"https://sqs.test/letters-{queue}", MessageBody=body)


def test_dead_letters_are_counted_shown_and_sent_again(world: World, run: Run) -> None:
    dead(world, "retries-lso", 3)
    queues = {each["queue"]: each for each in json.loads(run("dlq", "list", "--json").stdout)}
    assert queues["retries-lso"]["messages"] == 3
    assert "retries-lso\t3" in run("dlq", "list").stdout
    shown = run("dlq", "show", "retries-lso")
    assert "ord_0\tcreate" in shown.stdout

    done = run("dlq", "redrive", "retries-lso")

    assert done.exit_code == 0, done.output
    assert "3 messages were sent again; about 0 left." in done.stdout
    unknown = run("dlq", "redrive", "nothing")
    assert (unknown.exit_code, "retries-lso" in unknown.stderr) == (5, True)


def test_what_cannot_be_sent_again_is_refused_with_the_section_of_the_runbook(world: World, run: Run) -> None:
    dead(world, "changes", 1)
    refused = run("dlq", "redrive", "changes")
    assert (refused.exit_code, "docs/runbook.md#dead-letters" in refused.stderr) == (1, True)
    assert "1 message of all tenants" in run("dlq", "show", "changes").stderr


# Figures


def test_the_figures_are_shown_in_words_by_group_and_as_json(world: World, run: Run) -> None:
    world.settle(world.start_order())
    world.stream()
    whole = run("stats")
    assert whole.exit_code == 0, whole.output
    for word in ("days", "orders", "parcels", "polls"):
        assert word in whole.stdout
    groups = run("stats", "--by", "day,carrier").stdout.splitlines()
    assert groups[-1].startswith("total\t")
    figures = json.loads(run("stats", "--json").stdout)
    assert figures["total"]["orders"]["total"] >= 0
    wrong = run("stats", "--from", "2026-12-01", "--to", "2026-01-01")
    assert (wrong.exit_code, "/" in wrong.stderr) == (1, True)


# Accounts


@pytest.fixture
def operator(world: World, served_world: ServedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody with the AWS credentials of the stack."""
    stack = object.__new__(StandIn)
    stack.world = world
    stack.outputs = {"SecretPrefix": "parcelgate", "ApiUrl": served_world.url}
    monkeypatch.setattr(Deployment, "named", lambda name: stack)


def test_an_account_is_asked_for_stored_and_tried(
    operator: None, world: World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = sandbox.carriers.package("lso").new_login()
    answers = "".join(f"{login[name]}\n" for name in ("app_id", "app_secret"))

    done = add("lso", answers)

    secret = json.loads(world.secrets.texts["parcelgate/acme/lso/default"])
    assert secret == {"credentials": {name: login[name] for name in ("app_id", "app_secret")}}
    assert login["app_secret"] not in done.output
    assert done.exit_code == 0, done.output
    assert "lso/default: The carrier accepts the account's login." in done.stdout
    (account,) = json.loads(run("accounts", "list", "--json").stdout)
    assert (account["carrier"], account["account"]) == ("lso", "default")
    assert "app_secret" not in json.dumps(account)


def test_a_wrong_login_is_stored_nowhere_and_named(operator: None, world: World) -> None:
    done = add("lme", "key\nnot a key\nnor this\n")
    assert done.exit_code == 2
    assert "credentials.client_private" in done.output
    assert "parcelgate/acme/lme/default" not in world.secrets.texts
    assert add("pigeon", "").exit_code == 2


def test_an_account_that_is_not_there_cannot_be_checked(run: Run) -> None:
    assert run("accounts", "check", "lso", "--account", "other").exit_code == 5
    assert "accounts add" in run("accounts", "list").stderr


def test_the_calls_of_an_account_are_paused_and_resumed(world: World, run: Run) -> None:
    world.put_account("lso", {"app_id": "a", "app_secret": "s"})
    paused = run("accounts", "pause", "lso", "--reason", "They\tmove", "--by", "Ada")
    assert paused.exit_code == 0, paused.output
    assert "by Ada: They move" in paused.stdout
    assert "accounts resume lso --account default" in paused.stderr
    again = json.loads(run("accounts", "pause", "lso", "--reason", "Still", "--json").stdout)["paused"]
    assert (again["reason"], again["by"] != "") == ("Still", True)
    assert "\tpaused\tsince " in run("accounts", "list").stdout
    (entry,) = json.loads(run("attention", "list", "--json").stdout)
    assert (entry["id"], entry["problem"]["code"]) == ("lso/default", "account_paused")

    resumed = run("accounts", "resume", "lso")
    assert (resumed.exit_code, "made again" in resumed.stdout) == (0, True)
    assert json.loads(run("accounts", "resume", "lso", "--json").stdout)["paused"] is None
    assert run("accounts", "pause", "lso", "--account", "other", "--reason", "x").exit_code == 5


def add(carrier: str, answers: str) -> Any:
    from typer.testing import CliRunner

    from local.command.cli import app

    return CliRunner().invoke(app, ["accounts", "add", carrier, "--tenant", "acme"], input=answers)


# Parked webhooks


def test_a_parked_webhook_is_dismissed_and_can_still_be_replayed(world: World, run: Run) -> None:
    inbox = world.table.tenant("acme").inbox
    entry = inbox.put(carrier="lme", account="default", body=b"?", now=world.clock.now, parked="not JSON")
    name = entry.id.replace("#", "-")
    assert len(run("inbox", "list").stdout.splitlines()) == 1

    done = run("inbox", "dismiss", name[:12], "--reason", "LME sent it twice", "--by", "Ada")

    assert done.exit_code == 0, done.output
    assert "is dismissed" in done.stdout
    assert "No webhook is parked" in run("inbox", "list").stderr
    assert json.loads(run("attention", "list", "--json").stdout) == []
    shown = run("inbox", "show", name).stdout
    assert "by Ada: LME sent it twice" in shown
    assert "not JSON" in shown, "why it was parked is not forgotten"
    again = json.loads(run("inbox", "dismiss", name, "--reason", "again", "--json").stdout)
    assert (again["state"], again["dismissed"]["reason"]) == ("dismissed", "LME sent it twice")

    assert run("inbox", "replay", name).exit_code == 0
    replayed = inbox.get(entry.id)
    assert replayed is not None
    assert (replayed.state == "dismissed", replayed.dismissal) == (False, None)
    inbox.processed(entry.id, world.clock.now)
    refused = run("inbox", "dismiss", name, "--reason", "x")
    assert (refused.exit_code, "Only one that is parked" in refused.stderr) == (1, True)

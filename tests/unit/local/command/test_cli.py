"""What an operator's commands say and ask before they do anything to an order."""

import json
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

import sandbox.carriers
from local.command import rendering
from local.command.cli import app
from local.command.deployment import Deployment
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.services.accounts import api_keys
from parcelgate.store.inbox import RECEIVED, InboxEntry, name_of
from parcelgate.store.table import Table
from parcelgate.store.tenants.usage import UsageTable
from tests.support.orders import an_event, an_order
from tests.support.served import ServedWorld
from tests.support.world import World
from tests.unit.local.command.test_every_command import COMMANDS


class StandIn(Deployment):
    """The stack that a command works on, made of the parts of a world."""

    world: World

    def client(self, service: str) -> Any:
        return self.world.secrets

    @property
    def table(self) -> Table:
        return self.world.table

    @property
    def usage(self) -> UsageTable:
        return UsageTable(self.world._dynamodb, self.world._table_name)


@pytest.fixture
def world(served_world: ServedWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    served_world.step = timedelta()
    deployment = object.__new__(StandIn)
    with served_world.hold() as world:
        deployment.world = world
    deployment.outputs = {
        "SecretPrefix": "parcelgate",
        "WebhookBaseUrl": "https://hooks.test",
        "ApiUrl": served_world.url,
    }
    api_keys.create(world.table, "acme", ["orders:read"], "a shop")
    monkeypatch.setattr(Deployment, "named", lambda stack: deployment)
    yield world
    assert all(key.revoked_at or key.name in ("", "a shop", "second") for key in _keys(world))


def _keys(world: World) -> list[Any]:
    return [key for tenant in ("acme", "demo", "amce") for key in api_keys.list_keys(world.table, tenant)]


def stored(world: World, status: OrderStatus = OrderStatus.NEEDS_ATTENTION, **more: Any) -> Order:
    order = an_order(status=status, watch_at=None, **more)
    world.table.tenant("acme").orders.add(order, an_event())
    return order


def run(*words: str, answer: str = "", of: str = "orders") -> Any:
    return CliRunner().invoke(app, [of, *words, "--tenant", "acme"], input=answer)


def test_nothing_is_closed_that_nobody_has_looked_up(world: World) -> None:
    order = stored(world)
    assert run("close", order.id).exit_code == 1
    assert run("close", order.id, "--not-at-carrier", answer="n\n").exit_code == 1
    assert world.order(order) == order


@pytest.mark.parametrize(("words", "answer"), [(("--yes",), ""), ((), "y\n")])
def test_an_order_is_closed(words: tuple[str, ...], answer: str, world: World) -> None:
    order = stored(world)
    result = run("close", order.id, "--not-at-carrier", *words, answer=answer)
    assert result.exit_code == 0, result.output
    assert world.order(order).status is OrderStatus.FAILED


def test_an_order_is_read_again(world: World) -> None:
    order = stored(world)
    assert run("reread", order.id).exit_code == 0
    (body,) = world.sqs.bodies("https://sqs.test/retry-lso")
    assert (json.loads(body)["action"], json.loads(body)["order_id"]) == ("reread", order.id)


def test_an_order_that_is_not_for_a_person_is_left_alone(world: World) -> None:
    order = stored(world, OrderStatus.PROCESSING)
    assert run("reread", order.id).exit_code == 1
    assert run("close", order.id, "--not-at-carrier", "--yes").exit_code == 1
    assert run("close", "ord_unknown", "--not-at-carrier", "--yes").exit_code == 5
    assert run("reread", "ord_unknown").exit_code == 5
    assert world.order(order) == order


def test_a_key_may_what_a_shop_needs_and_is_the_operators_only_by_name(world: World) -> None:
    assert run("create", of="keys").exit_code == 0
    assert run("create", "--scope", "operator", of="keys").exit_code == 0
    *_, shops, operators = api_keys.list_keys(world.table, "acme")
    assert set(shops.scopes) == api_keys.SCOPES - {"operator"}
    assert operators.scopes == ("operator",)


# The parking lot


def parked(world: World, body: bytes = b"{}", *, reason: str = "no such parcel", **more: Any) -> InboxEntry:
    facts = {"carrier": "lme", "account": "default", "now": world.clock.now, "headers": {"sign": "s3cret"}}
    return world.table.tenant("acme").inbox.put(body=body, parked=reason, **facts | more)


def test_what_is_parked_is_listed_newest_first_with_its_reason(world: World) -> None:
    assert "No webhook is parked" in run("list", of="inbox").output
    first = parked(world, b"1")
    world.clock.sleep(60)
    second = parked(world, b"2", reason="not JSON")

    rows = run("list", of="inbox").stdout

    assert rows.index(name_of(second.id)) < rows.index(name_of(first.id))
    assert "not JSON" in rows
    assert "no such parcel" in rows
    newest = run("list", "--limit", "1", of="inbox").output
    assert name_of(second.id) in newest
    assert name_of(first.id) not in newest


def test_a_webhook_is_shown_without_what_proves_it_and_without_its_content(world: World) -> None:
    body = '{"city": "Foshan", "text": "顺丰"}'.encode()
    entry = parked(world, body)

    shown = run("show", entry.id[:8], of="inbox").output

    for word in (name_of(entry.id), "no such parcel", "2026-11-21T12:00:00", "sign", "parked", "36 bytes"):
        assert word in shown
    assert sha256(body).hexdigest() in shown
    assert "s3cret" not in shown
    assert "Foshan" not in shown


def test_a_webhook_is_worked_on_again(world: World) -> None:
    entry, other = parked(world), parked(world, b"other")

    assert run("replay", entry.id, of="inbox").exit_code == 0

    inbox = world.table.tenant("acme").inbox
    found = inbox.get(entry.id)
    assert found is not None
    assert found.state == RECEIVED
    assert [left.id for left in inbox.parked()] == [other.id]
    world.stream()
    assert [json.loads(body)["id"] for body in world.sqs.bodies("https://sqs.test/inbox")] == [entry.id]


def test_all_that_is_parked_is_worked_on_again(world: World, served_world: ServedWorld) -> None:
    ids = [name_of(parked(world, b"%d" % number).id) for number in range(5)]

    result = run("replay", "--all", of="inbox")

    assert "5 webhooks" in result.output
    replays = [call for call in served_world.calls if call.path.endswith("/replay")]
    assert {call.status for call in replays} == {202}
    assert sorted(call.path for call in replays) == sorted(f"/v1/inbox/{name}/replay" for name in ids)


def test_a_webhook_must_be_named_well_enough(world: World) -> None:
    for number in range(2):
        parked(world, b"%d" % number)
    for words, advice, code in (
        (("replay",), "--all", 2),
        (("replay", "lme", "--all"), "--all", 2),
        (("replay", "lme"), "more of the id", 2),
        (("show", "lme"), "more of the id", 2),
        (("show", "lme#nothing"), "inbox list", 5),
        (("replay", "nothing"), "inbox list", 5),
    ):
        result = run(*words, of="inbox")
        assert result.exit_code == code, words
        assert advice in result.output
    assert len(list(world.table.tenant("acme").inbox.parked())) == 2


# Tables


def test_a_pipe_gets_a_line_for_each_and_ids_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "out", Console(force_terminal=False, width=1000))
    entry = parked(
        world, order_id="ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ", reason="a reason\nof " + "many words " * 30
    )

    rows = run("list", of="inbox").stdout.splitlines()

    assert len(rows) == 1
    cells = rows[0].split("\t")
    assert (cells[0], cells[3]) == (name_of(entry.id), "ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ")
    assert cells[4].startswith("a reason of many words")
    (told,) = json.loads(run("list", "--json", of="inbox").stdout)
    assert (told["id"], told["reason"]) == (name_of(entry.id), entry.reason)
    assert json.loads(run("list", "--json", of="keys").stdout)[0]["name"] == "a shop"
    (key, *_) = run("list", of="keys").stdout.splitlines()
    assert key.split("\t")[1:3] == ["a shop", "orders:read"]


@pytest.mark.parametrize("width", [20, 60, 90, 300])
def test_no_terminal_is_too_narrow_for_an_id(
    width: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = parked(world, reason="[red]no such parcel")
    monkeypatch.setattr(rendering, "out", Console(force_terminal=True, width=width))
    shown = run("list", of="inbox").stdout
    assert name_of(entry.id) in shown
    assert "[red]no such parcel" in shown


# Tenants


def test_a_tenant_is_given_limits_of_its_own_and_they_are_taken_back(world: World) -> None:
    def limits(*words: str) -> dict[str, str]:
        rows = json.loads(run("limits", *words, "--json", of="keys").stdout)
        return {row["kind"]: row["a minute"] for row in rows}

    assert limits("--orders", "5000", "--batches", "7")["orders"] == "5000"
    assert limits() == {
        "requests": "as the stack has it",
        "orders": "5000",
        "batches": "7",
        "refreshes": "as the stack has it",
    }
    assert limits("--orders", "0")["orders"] == "as the stack has it"
    assert run("limits", "--orders", "-1", of="keys").exit_code == 2


def test_a_tenant_that_there_is_not_is_said_to_be_unknown(world: World) -> None:
    order = stored(world)
    for words in (
        ("keys", "list"),
        ("keys", "revoke", "abc"),
        ("keys", "limits"),
        ("inbox", "list"),
        ("inbox", "show", "lme#1"),
        ("inbox", "replay", "--all"),
        ("orders", "reread", order.id),
        ("orders", "close", order.id, "--not-at-carrier", "--yes"),
        ("accounts", "webhook-url", "lme"),
    ):
        result = CliRunner().invoke(app, [*words, "--tenant", "amce"])
        assert (result.exit_code, "There is no tenant amce here" in result.stderr) == (1, True), words
        result = CliRunner().invoke(app, [*words, "--tenant", "a b"])
        assert (result.exit_code, "cannot be a tenant" in result.stderr) == (2, True), words
    world.secrets.texts["parcelgate/amce/lme/default"] = "{}"
    assert CliRunner().invoke(app, ["inbox", "list", "--tenant", "amce"]).exit_code == 0


def test_the_key_of_a_run_may_what_its_command_needs_and_names_it(world: World) -> None:
    assert run("list", of="inbox").exit_code == 0
    (*_, made) = api_keys.list_keys(world.table, "acme")
    assert made.scopes == ("operator",)
    assert made.name.endswith(" inbox list")
    assert made.revoked_at is not None


def test_the_local_stack_has_a_tenant_of_its_own_and_another_one_must_be_named(world: World) -> None:
    made = CliRunner().invoke(app, ["keys", "create", "--name", "second"])
    assert made.exit_code == 0, made.output
    assert [key.name for key in api_keys.list_keys(world.table, "demo")] == ["second"]
    elsewhere = CliRunner().invoke(app, ["keys", "create", "--stack", "parcelgate-production"])
    assert elsewhere.exit_code == 2
    assert "--tenant" in elsewhere.stderr


@pytest.mark.parametrize(("name", "command"), COMMANDS.items())
def test_no_command_asks_for_the_tenant_of_the_local_stack(name: str, command: Any) -> None:
    assert not any(option.required for option in command.params if option.name == "tenant"), name


def test_a_file_of_credentials_that_is_not_there_is_told_in_words(world: World, tmp_path: Path) -> None:
    result = run("put", "lme", "--file", str(tmp_path / "none.json"), of="accounts")
    assert result.exit_code == 2
    assert "cannot be read: No such file" in " ".join(result.stderr.split())


# Addresses


def test_the_address_of_an_account_is_printed_alone_and_again(world: World) -> None:
    world.secrets.texts["parcelgate/acme/lme/default"] = '{"credentials": {}}'

    first, again = (run("webhook-url", "lme", of="accounts") for _ in range(2))
    other = run("webhook-url", "lme", "--rotate", of="accounts")

    assert first.stdout == again.stdout
    assert first.stdout.startswith("https://hooks.test/webhooks/lme/default/")
    assert other.stdout.startswith("https://hooks.test/webhooks/lme/default/")
    assert other.stdout != first.stdout


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("ubi",), "lme, trackingmore"),
        (("lso",), "with each order"),
        (("pigeon",), "no carrier"),
        (("lme",), "accounts put"),
        (("lme", "--account", "other"), "accounts put"),
    ],
)
def test_an_address_that_cannot_be_is_explained(words: tuple[str, ...], advice: str, world: World) -> None:
    result = run("webhook-url", *words, of="accounts")
    assert result.exit_code == 1
    assert advice in " ".join(result.output.split())


def test_other_credentials_keep_the_address(world: World, tmp_path: Path) -> None:
    world.secrets.texts["parcelgate/acme/lme/default"] = '{"credentials": {}}'
    url = run("webhook-url", "lme", of="accounts").stdout
    file = tmp_path / "secret.json"
    credentials = sandbox.carriers.package("lme").new_login()
    file.write_text(json.dumps({"credentials": credentials}))

    result = run("put", "lme", "--file", str(file), of="accounts")

    assert result.exit_code == 0, result.output
    assert json.loads(world.secrets.texts["parcelgate/acme/lme/default"])["credentials"] == credentials
    assert run("webhook-url", "lme", of="accounts").stdout == url


def test_tenants_are_listed_with_their_accounts_and_keys(world: World) -> None:
    revoked = api_keys.create(world.table, "amce", ["orders:read"], "second").split("_")[1]
    api_keys.revoke(world.table, "amce", revoked)
    for name in ("acme/lso/eu", "amce/ubi/default", "acme/too/many/parts"):
        world.secrets.create_secret(Name=f"parcelgate/{name}", SecretString="{}")
    done = CliRunner().invoke(app, ["tenants", "--json"])
    assert done.exit_code == 0, done.output
    acme, amce = (each for each in json.loads(done.stdout) if each["tenant"] in ("acme", "amce"))
    assert "lso/eu" in acme["carrier accounts"].split()
    assert amce == {"tenant": "amce", "carrier accounts": "ubi/default", "keys": "0", "last used": ""}
    assert int(acme["keys"]) >= 1

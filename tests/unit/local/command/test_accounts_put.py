"""`parcelgate accounts put`: what is refused, what is shown, and what stays."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

import sandbox.carriers
from local.command import account_content as accounts
from local.command.cli import app
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import looks_like
from tests.support.world import World
from tests.unit.local.command.test_cli import run, world

__all__ = ["world"]

URL = "https://carrier.example"
SENDER = {"name": "Dock 4", "line1": "1 Main St", "city": "Melbourne", "country": "AU"}


def login(carrier: str) -> dict[str, str]:
    made: dict[str, str] = sandbox.carriers.package(carrier).new_login()
    return made


def put(carrier: str, content: Any, tmp_path: Path, *more: str) -> Any:
    file = tmp_path / "account.json"
    file.write_text(json.dumps(content))
    return run("put", carrier, "--file", str(file), *more, of="accounts")


def held(world: World, carrier: str) -> Any:
    return json.loads(world.secrets.texts[f"parcelgate/acme/{carrier}/default"])


@pytest.mark.parametrize("carrier", registry.trackers())
def test_a_whole_login_is_stored_as_it_is(carrier: str, world: World, tmp_path: Path) -> None:
    content = {"base_url": URL, "credentials": login(carrier), "ship_from": SENDER}
    result = put(carrier, content, tmp_path)
    assert result.exit_code == 0, result.output
    assert held(world, carrier) == content
    assert world.table.tenant("acme").account_names.all() == [(carrier, "default")]


@pytest.mark.parametrize("carrier", registry.trackers())
def test_every_required_credential_that_is_missing_is_named(
    carrier: str, world: World, tmp_path: Path
) -> None:
    fields = msgspec.structs.fields(registry.account_fields(carrier).credentials)
    required = [field for field in fields if field.required]
    assert required
    for field in required:
        credentials = {name: value for name, value in login(carrier).items() if name != field.name}
        result = put(carrier, {"base_url": URL, "credentials": credentials}, tmp_path)
        assert result.exit_code == 2
        words = " ".join(result.output.split())
        assert f"credentials.{field.name} is missing: it is {looks_like(field.type)}" in words
    assert not world.secrets.texts


@pytest.mark.parametrize("carrier", registry.trackers())
@pytest.mark.parametrize("place", ["", "credentials", "overrides", "limits"])
def test_a_field_that_there_is_not_is_refused_by_name_with_those_there_are(
    carrier: str, place: str, world: World, tmp_path: Path
) -> None:
    content: dict[str, Any] = {"base_url": URL, "credentials": login(carrier)}
    (content.setdefault(place, {}) if place else content)["foo"] = 1
    result = put(carrier, content, tmp_path)
    words = " ".join(result.output.split())
    assert result.exit_code == 2
    assert f"{place}{'.' if place else ''}foo is not a field of an account of carrier {carrier}. " in words
    if place == "credentials":
        for field in msgspec.structs.fields(registry.account_fields(carrier).credentials):
            assert f"{field.name} ({looks_like(field.type)})" in words
    assert not world.secrets.texts


def test_a_rotation_keeps_what_it_leaves_out(world: World, tmp_path: Path) -> None:
    before = {"base_url": URL, "credentials": login("ubi"), "ship_from": SENDER, "overrides": {"paths": {}}}
    put("ubi", before, tmp_path)

    result = put("ubi", {"credentials": {"secret": "fresh-s3cret"}}, tmp_path)

    assert result.exit_code == 0, result.output
    assert held(world, "ubi") == before | {
        "credentials": {**before["credentials"], "secret": "fresh-s3cret"}  # type: ignore[dict-item]
    }
    assert "~ credentials.secret: (hidden) -> (hidden)" in result.output
    assert "s3cret" not in result.output


def test_what_changes_is_shown_and_no_secret_is(world: World, tmp_path: Path) -> None:
    before = {"base_url": URL, "credentials": login("ubi"), "overrides": {"default_time_zone": "UTC"}}
    made = put("ubi", before, tmp_path)
    assert f'+ base_url: "{URL}"' in made.output
    assert "+ credentials.token: (hidden)" in made.output
    changes = {"base_url": "https://other.example", "overrides": {"default_time_zone": None}}

    result = put("ubi", changes, tmp_path)

    assert f'~ base_url: "{URL}" -> "https://other.example"' in result.output
    assert '- overrides.default_time_zone: "UTC"' in result.output
    assert held(world, "ubi")["overrides"] == {}
    for secret in login("ubi").values():
        assert secret not in made.output + result.output


def test_replace_keeps_nothing_but_the_webhook_address(world: World, tmp_path: Path) -> None:
    put("trackingmore", {"base_url": URL, "credentials": login("trackingmore")}, tmp_path)
    url = run("webhook-url", "trackingmore", of="accounts").stdout

    result = put("trackingmore", {"credentials": {"api_key": "k"}}, tmp_path, "--replace")

    assert result.exit_code == 0, result.output
    token = held(world, "trackingmore")["webhook_token"]
    assert held(world, "trackingmore") == {"credentials": {"api_key": "k"}, "webhook_token": token}
    assert run("webhook-url", "trackingmore", of="accounts").stdout == url


@pytest.mark.parametrize(
    ("carrier", "content", "words"),
    [
        ("lso", {"overrides": {"currency": "dollars"}}, "overrides.currency must be three capital letters"),
        ("lso", {"ship_from": {"name": 7}}, "ship_from must be an address, as in an order"),
        ("lme", {"overrides": {"window_to": "08:00"}}, "window_to: it must be later than window_from"),
        ("lme", {"credentials": {"lme_public": "nonsense"}}, "credentials.lme_public"),
        ("ubi", {"base_url": None}, "base_url must be https://"),
        ("ubi", {"overrides": {"default_time_zone": "Mars"}}, "default_time_zone: there is no such zone"),
        ("trackingmore", {"overrides": {"page_size": 0}}, "page_size must be a whole number from 1 to 2000"),
        ("trackingmore", {"limits": {"rate": "fast"}}, "limits must be numbers: rate, "),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_with_what_it_looks_like(
    carrier: str, content: dict[str, Any], words: str, world: World, tmp_path: Path
) -> None:
    whole = {"base_url": URL, "credentials": login(carrier)}
    assert put(carrier, whole, tmp_path).exit_code == 0
    result = put(carrier, content, tmp_path)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert held(world, carrier) == whole


def test_a_file_that_is_no_object_is_refused_in_words(world: World, tmp_path: Path) -> None:
    result = put("lme", ["credentials"], tmp_path)
    assert result.exit_code == 2
    assert "must hold an object" in " ".join(result.output.split())


def test_without_tls_a_carrier_is_called_in_the_local_environment_alone(world: World, tmp_path: Path) -> None:
    content = {"base_url": "http://127.0.0.1:9/ubi", "credentials": login("ubi")}
    away = put("ubi", content, tmp_path, "--stack", "parcelgate-production")
    assert away.exit_code == 2
    assert "base_url must be https://" in " ".join(away.output.split())
    assert not world.secrets.texts
    assert put("ubi", content, tmp_path).exit_code == 0


@pytest.mark.parametrize("carrier", registry.trackers())
def test_every_field_says_what_it_looks_like_and_what_it_means(carrier: str) -> None:
    listed = json.loads(CliRunner().invoke(app, ["accounts", "fields", carrier, "--json"]).stdout)
    for field in listed:
        assert field["looks like"], f"not written yet: what {field['field']} of {carrier} looks like"
        assert field["meaning"], f"not written yet: what {field['field']} of {carrier} means, below it"
    assert {field["field"].partition(".")[0] for field in listed} > {"credentials", "base_url", "overrides"}
    assert any(field["needed"] == "required, secret" for field in listed)


@pytest.mark.parametrize("carrier", registry.trackers())
def test_the_limits_that_are_listed_are_the_carriers_own(carrier: str) -> None:
    listed = {name: needed for name, _, needed, _ in accounts.fields(carrier)}
    limits = msgspec.to_builtins(registry.profile(carrier).limits)
    told = {
        name: f"optional, {msgspec.json.encode(value).decode()}" for name, value in limits.items() if value
    }
    assert {name: listed[f"limits.{name}"] for name in told} == told


def test_an_account_that_no_order_could_name_is_not_stored(world: World, tmp_path: Path) -> None:
    content = {"base_url": URL, "credentials": login("ubi")}
    result = put("ubi", content, tmp_path, "--account", "second/one")
    assert result.exit_code == 2
    assert "second/one cannot be the name of an account" in " ".join(result.output.split())
    assert not world.secrets.texts


@pytest.mark.parametrize("text", ["{", "[]"])
def test_what_is_wrong_with_standard_input_is_not_said_of_a_file(text: str, world: World) -> None:
    result = run("put", "ubi", "--file", "-", of="accounts", answer=text)
    assert result.exit_code == 2
    assert result.stderr.startswith("Standard input ")


def test_a_merge_drops_what_is_null() -> None:
    stored = {"credentials": {"a": "1", "b": "2"}, "base_url": URL, "limits": {"rate": 1}}
    given = {"credentials": {"b": "3"}, "base_url": None, "limits": {"rate": None, "burst": 2}}
    assert accounts.merged(stored, given) == {"credentials": {"a": "1", "b": "3"}, "limits": {"burst": 2}}


class TestSharedLogin:
    """An account says that others have its login, without its file."""

    def test_it_is_marked_and_unmarked(self, world: World, tmp_path: Path) -> None:
        content = {"credentials": login("lso")}
        assert put("lso", content, tmp_path, "--shared-login").exit_code == 0
        assert held(world, "lso") == content | {"shared_login": True}
        result = run("put", "lso", "--own-login", of="accounts")
        assert result.exit_code == 0, result.output
        assert held(world, "lso") == content
        result = run("put", "lso", "--shared-login", of="accounts")
        assert "+ shared_login: true" in result.output
        assert held(world, "lso") == content | {"shared_login": True}

    def test_a_change_of_something_else_keeps_the_mark(self, world: World, tmp_path: Path) -> None:
        put("lso", {"credentials": login("lso")}, tmp_path, "--shared-login")
        put("lso", {"base_url": URL}, tmp_path)
        assert held(world, "lso")["shared_login"] is True

    @pytest.mark.parametrize("words", [(), ("--shared-login", "--replace")])
    def test_nothing_but_the_mark_goes_without_a_file(self, words: tuple[str, ...], world: World) -> None:
        result = run("put", "lso", *words, of="accounts")
        assert result.exit_code == 2
        assert "--file" in result.output
        assert not world.secrets.texts

    def test_an_account_that_is_not_there_is_not_made_by_it(self, world: World) -> None:
        assert run("put", "lso", "--shared-login", of="accounts").exit_code == 2
        assert not world.secrets.texts

    @pytest.mark.parametrize("carrier", registry.trackers())
    def test_every_carrier_says_by_which_credential_it_knows_a_login(self, carrier: str) -> None:
        fields = registry.account_fields(carrier)
        (known,) = [each for each in msgspec.structs.fields(fields.credentials) if each.name == fields.login]
        assert known.required

"""`parcelgate rates`: an operator's price lists, through the API."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from local.command import cli
from parcelgate import aws_clients
from tests.support.api import Backend, backend, call, shared_backend

__all__ = ["backend", "shared_backend"]

CARD = "Service;Destination country;Weight up to;Price;Currency\nPOST;AU;500 g;6.20;AUD\n"

type Rates = Callable[..., Any]


@pytest.fixture
def rates(backend: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rates:
    """Runs a command against the functions."""
    client = aws_clients.client("secretsmanager")
    with suppress(client.exceptions.ResourceExistsException):
        client.create_secret(Name="parcelgate/acme/ubi/default", SecretString='{"credentials": {}}')

    def request(method: str, url: str, *, headers: Any, content: Any, timeout: float) -> httpx.Response:
        assert headers.pop("Authorization") == "Bearer pg_k_s"
        *_, carrier, account, _ = url.removeprefix("https://api.test/v1/carrier-accounts").split("/")
        route = f"{method} /v1/carrier-accounts/{{carrier}}/{{account}}/rate-card"
        reply = call(route, carrier=carrier, account=account, headers=headers, body=content)
        return httpx.Response(reply.status, headers=reply.headers, text=reply.text)

    monkeypatch.setattr(httpx, "request", request)

    def run(command: str, carrier: str, *more: str, table: str = CARD) -> Any:
        file = tmp_path / "prices.csv"
        file.write_text(table, "utf-8-sig")
        words = [command, carrier, *([str(file)] if command == "put" else []), *more]
        access = ["--key", "pg_k_s", "--url", "https://api.test/"]
        return CliRunner().invoke(cli.app, ["rates", *words, *access])

    return run


def test_a_price_list_is_put_shown_and_deleted(rates: Rates) -> None:
    put = rates("put", "ubi")
    assert put.exit_code == 0, put.output
    assert "ubi/default has a rate card of 1 rows." in put.output
    (row,) = json.loads(rates("show", "ubi", "--json").output)
    assert row == {
        "service": "POST",
        "destination_country": "AU",
        "weight_up_to": "500 g",
        "price": "6.20",
        "currency": "AUD",
    }
    assert rates("delete", "ubi").exit_code == 0
    shown = rates("show", "ubi")
    assert (shown.exit_code, "has no rate card" in shown.output) == (1, True)


def test_each_wrong_line_is_named(rates: Rates) -> None:
    result = rates("put", "ubi", table=f"{CARD};AU;x;1;AUD\nPOST;NZ;1 kg;1;AUD;more\n")

    words = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "lines 3 to 4" in words
    assert "Line 3, column service: Is required" in words
    assert "Line 3, column weight_up_to: Must be a weight" in words
    assert "Line 4: There are more cells than columns." in words


def test_other_refusals_are_shown_in_the_api_s_words(rates: Rates) -> None:
    assert "tells its prices itself" in " ".join(rates("put", "lso").output.split())
    assert "no account second" in " ".join(rates("put", "ubi", "--account", "second").output.split())
    assert rates("put", "ubi", table="").exit_code == 1


def test_a_file_that_cannot_be_read_and_an_api_that_does_not_answer(
    rates: Rates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    access = ["--key", "k", "--url", "https://api.test"]
    nothing = CliRunner().invoke(cli.app, ["rates", "put", "ubi", str(tmp_path / "none.csv"), *access])
    assert (nothing.exit_code, "cannot be read" in " ".join(nothing.output.split())) == (1, True)

    def down(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("no")

    monkeypatch.setattr(httpx, "request", down)
    answer = rates("put", "ubi")
    assert (answer.exit_code, "does not answer" in " ".join(answer.output.split())) == (1, True)

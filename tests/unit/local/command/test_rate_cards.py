"""`parcelgate rates`: an operator's price lists, through the API."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.served import ServedWorld
from tests.unit.local.command.conftest import Run

CARD = "Service;Destination country;Weight up to;Price;Currency\nPOST;AU;500 g;6.20;AUD\n"

type Rates = Callable[..., Any]


@pytest.fixture
def rates(served_world: ServedWorld, run: Run, tmp_path: Path) -> Rates:
    """Runs a command against the functions."""
    with served_world.hold() as world:
        world.secrets.texts["parcelgate/acme/ubi/default"] = '{"credentials": {}}'

    def rates(command: str, carrier: str, *more: str, table: str = CARD) -> Any:
        file = tmp_path / "prices.csv"
        file.write_text(table, "utf-8-sig")
        return run("rates", command, carrier, *([str(file)] if command == "put" else []), *more)

    return rates


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
    assert (shown.exit_code, "has no rate card" in shown.output) == (5, True)


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
    rates: Rates, run: Run, served_world: ServedWorld, tmp_path: Path
) -> None:
    nothing = run("rates", "put", "ubi", str(tmp_path / "none.csv"))
    assert (nothing.exit_code, "cannot be read" in nothing.output) == (2, True)
    served_world.down = True
    answer = rates("put", "ubi")
    assert (answer.exit_code, "does not answer" in answer.output) == (3, True)

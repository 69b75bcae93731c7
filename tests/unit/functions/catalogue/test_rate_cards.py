"""Rate cards: a merchant's own price list, put as CSV."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from parcelgate import aws_clients
from parcelgate.domain.merchants.rate_cards import MOST_ROWS
from parcelgate.http.requests import rate_cards
from tests.support.api import Backend, Reply, call

HEADING = "service,destination_country,weight_up_to,price,currency"
PATH = "/v1/carrier-accounts/{carrier}/{account}/rate-card"
ROWS = [
    {
        "service": "POST",
        "destination_country": "AU",
        "weight_up_to": {"value": 500, "unit": "g"},
        "price": {"amount": "6.20", "currency": "AUD"},
    },
    {
        "service": "*",
        "destination_country": "*",
        "weight_up_to": {"value": 2, "unit": "kg"},
        "price": {"amount": "19", "currency": "AUD"},
    },
]
TABLE = f"{HEADING}\nPOST,AU,500 g,6.20,AUD\n*,*,2 kg,19,AUD\n"


@pytest.fixture(autouse=True)
def ubi(backend: Backend) -> None:
    client = aws_clients.client("secretsmanager")
    with suppress(client.exceptions.ResourceExistsException):
        client.create_secret(Name="parcelgate/acme/ubi/default", SecretString=json.dumps({"credentials": {}}))


def send(method: str, carrier: str = "ubi", account: str = "default", **more: Any) -> Reply:
    return call(f"{method} {PATH}", carrier=carrier, account=account, **more)


def put(table: str | bytes, *, kind: str = "text/csv", **more: Any) -> Reply:
    headers = {"content-type": kind, **more.pop("headers", {})}
    return send("PUT", body=table, headers=headers, **more)


def told(reply: Reply) -> dict[str, tuple[str, str]]:
    """What is said of each place."""
    assert (reply.status, reply.code) == (422, "validation_failed"), reply.text
    return {error["pointer"]: (error["code"], error["message"]) for error in reply.json()["errors"]}


def test_a_card_is_kept_shown_replaced_and_deleted(backend: Backend) -> None:
    reply = put(TABLE)
    assert reply.status == 200
    card = reply.json()
    assert (card["carrier"], card["account"], card["rows"]) == ("ubi", "default", ROWS)
    assert send("GET").json() == card
    assert backend.tenant().account_names.all() == [("ubi", "default")]

    assert put(f"{HEADING}\nPOST,AU,500 g,7,AUD\n").status == 200
    assert [row["price"]["amount"] for row in send("GET").json()["rows"]] == ["7"]

    assert [send("DELETE").status for _ in range(2)] == [204, 204]
    assert (send("GET").status, send("GET").code) == (404, "not_found")


@pytest.mark.parametrize(
    "table",
    [
        "\ufeff" + TABLE,
        TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        "sep=;\n" + TABLE.replace(",", ";"),
        TABLE.replace("\n", "\r\n"),
        TABLE.replace(HEADING, HEADING.upper()),
        TABLE.replace(HEADING, " Service , Destination Country , Weight up to ,PRICE,Currency "),
        TABLE.replace(HEADING, "service,country,weight,price,currency"),
        TABLE.replace("POST,AU,500 g", ' "POST" ,au, 500g').replace("AUD\n", "aud\n", 1),
        TABLE.replace(HEADING, "service,destination,weight up to (kg),price,currency")
        .replace("500 g", "500 g")
        .replace("2 kg", "2"),
        TABLE.replace("\n", ",,\n"),
        TABLE.replace("\n", "\n\n,,,,\n"),
    ],
)
def test_a_table_is_taken_as_spreadsheets_save_it(table: str) -> None:
    reply = put(table.replace(' "POST" ', '"POST"'))
    assert reply.status == 200, reply.text
    assert reply.json()["rows"] == ROWS


def test_columns_may_stand_in_any_order() -> None:
    turned = "\n".join(",".join(line.split(",")[::-1]) for line in TABLE.splitlines())
    assert put(turned).json()["rows"] == ROWS


@pytest.mark.parametrize(
    ("line", "column", "code", "words"),
    [
        (",AU,1 kg,1,AUD", "service", "missing", "* stands for any"),
        ("S,,1 kg,1,AUD", "destination_country", "missing", "* stands for any"),
        ("S,AU,,1,AUD", "weight_up_to", "missing", "required"),
        ("S,AU,1 kg,,AUD", "price", "missing", "required"),
        ("S,AU,1 kg,1,", "currency", "missing", "required"),
        ("S,AU,1 kg,1", "currency", "missing", "required"),
        ("S,Australia,1 kg,1,AUD", "destination_country", "format", "AU"),
        ("S,UK,1 kg,1,AUD", "destination_country", "format", "GB"),
        ("S,AU,1,1,AUD", "weight_up_to", "format", "such as 1 kg"),
        ('S,AU,"1,25 kg",1,AUD', "weight_up_to", "format", "such as 1.25 kg"),
        ("S,AU,1 stone,1,AUD", "weight_up_to", "format", "such as 1 kg"),
        ("S,AU,-1 kg,1,AUD", "weight_up_to", "format", "g, kg, lb or oz"),
        ("S,AU,0 kg,1,AUD", "weight_up_to", "out_of_range", "greater than 0"),
        ("S,AU,1001 kg,1,AUD", "weight_up_to", "out_of_range", "1000 kg"),
        ("S,AU,1E+3 g,1,AUD", "weight_up_to", "format", "spreadsheet"),
        ('S,AU,1 kg,"1,50",AUD', "price", "format", "1.50"),
        ("S,AU,1 kg,$1,AUD", "price", "format", "decimal"),
        ("S,AU,1 kg,-1,AUD", "price", "out_of_range", "0 or more"),
        ("S,AU,1 kg,1.555,AUD", "price", "out_of_range", "2 decimals"),
        ("S,AU,1 kg,1.5,JPY", "price", "out_of_range", "0 decimals"),
        ("S,AU,1 kg,1E+3,AUD", "price", "format", "spreadsheet"),
        ("S,AU,1 kg,1,RMB", "currency", "unknown_value", "CNY"),
        ("S,AU,1 kg,1,$", "currency", "unknown_value", "ISO 4217"),
        ("S\ufffd,AU,1 kg,1,AUD", "service", "characters", "U+FFFD"),
        ("s" * 101 + ",AU,1 kg,1,AUD", "service", "too_long", "100"),
        ("post,AU,0.5 kg,7,AUD", "weight_up_to", "not_unique", "Line 2 "),
        ("POST,AU,1 kg,7,USD", "currency", "format", "in AUD"),
    ],
)
def test_a_wrong_cell_is_named_and_nothing_is_stored(line: str, column: str, code: str, words: str) -> None:
    assert put(TABLE).status == 200
    found = told(put(f"{TABLE}{line}\n"))

    assert list(found) == [f"/lines/4/{column}"]
    assert found[f"/lines/4/{column}"][0] == code
    assert words in found[f"/lines/4/{column}"][1]
    assert send("GET").json()["rows"] == ROWS


def test_each_bad_line_is_named_with_all_that_is_wrong() -> None:
    reply = put(f"{HEADING}\nS,AU,1 kg,1,AUD\n,XX,1 kg,1,AUD\n\nS,AU,x,y,z\nS,NZ,1 kg,1,AUD,more\n")

    assert set(told(reply)) == {
        "/lines/3/service",
        "/lines/3/destination_country",
        "/lines/5/weight_up_to",
        "/lines/5/price",
        "/lines/5/currency",
        "/lines/6",
    }
    assert "lines 3, 5 to 6;" in reply.json()["detail"]


def test_a_thousand_bad_lines_are_all_named_and_a_hundred_explained() -> None:
    reply = put("\n".join([HEADING, *["S,AU,1 kg,no,AUD"] * 1000]))
    assert len(reply.json()["errors"]) == 100
    assert "lines 2 to 1001;" in reply.json()["detail"]


def test_the_detail_stays_short_however_many_lines_apart_are_bad() -> None:
    lines = [f"S{place},AU,1 kg,{place if place % 2 else 'no'},AUD" for place in range(20_000)]
    detail = put("\n".join([HEADING, *lines])[: 256 * 1024]).json()["detail"]
    assert "lines 2, 4, 6, " in detail
    assert ", 40 and 5" in detail
    assert " more; see errors." in detail
    assert len(detail) < 300

    twenty = put("\n".join([HEADING, *lines[:40]])).json()["detail"]
    assert ", 38, 40; see errors." in twenty
    one_more = put("\n".join([HEADING, *lines[:41]])).json()["detail"]
    assert ", 38, 40 and 1 more; see errors." in one_more


@pytest.mark.parametrize(
    ("table", "errors"),
    [
        ("", {"": "missing"}),
        ("\n , \n", {"": "missing"}),
        (HEADING, {"": "missing"}),
        ("S,AU,1 kg,1,AUD", {"/lines/1/s": "unknown_field"}),
        ("service,price,currency,colour\n", {"/lines/1/colour": "unknown_field"}),
        (HEADING + ",price\n", {"/lines/1/price": "not_unique"}),
        (HEADING + '\n"S,AU', {"/lines/2": "format"}),
    ],
)
def test_what_is_no_rate_card_is_refused(table: str, errors: dict[str, str]) -> None:
    found = {place: code for place, (code, _) in told(put(table)).items()}
    assert errors.items() <= found.items()


def test_a_missing_column_is_named() -> None:
    assert set(told(put("service,price,currency\nS,1,AUD"))) == {
        "/lines/1/destination_country",
        "/lines/1/weight_up_to",
    }


def test_what_is_not_utf_8_is_refused_with_the_likely_letters() -> None:
    ((place, (code, message)),) = told(put(f"{HEADING}\nExpreß,AU,1 kg,1,AUD".encode("cp1252"))).items()
    assert (place, code) == ("/lines/2", "format")
    assert "Expreß" in message
    assert "UTF-16" in told(put(TABLE.encode("utf-16")))[""][1]


def test_a_card_has_bounds() -> None:
    rows = [f"S{place},AU,1 kg,1,AUD" for place in range(MOST_ROWS)]
    assert put("\n".join([HEADING, *rows])).status == 200
    assert told(put("\n".join([HEADING, *rows, "S,AU,1 kg,1,AUD"])))[""][0] == "too_many"
    assert put("x" * (256 * 1024 + 1)).code == "body_too_large"


def test_only_csv_is_taken() -> None:
    assert put(TABLE, kind="text/csv; charset=utf-8").status == 200
    for kind in ("application/json", "", "text/plain"):
        reply = put(TABLE, kind=kind)
        assert (reply.status, reply.code) == (415, "unsupported_media_type")
        assert "text/csv" in reply.json()["detail"]
    assert put(TABLE, headers={"content-encoding": "gzip"}).code == "unsupported_media_type"


def test_whom_a_card_can_be_for() -> None:
    assert put(TABLE, carrier="pigeon").code == "not_found"
    assert put(TABLE, account="second").code == "not_found"
    assert put(TABLE, account="a b").code == "not_found"
    assert put(TABLE, carrier="trackingmore").code == "not_supported_by_carrier"
    assert put(TABLE, carrier="lso").code == "not_supported_by_carrier"


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
@pytest.mark.parametrize("account", ["a b", "x" * 65, "x" * 2100, "a#b", "-"])
def test_what_can_be_no_account_has_no_card(method: str, account: str) -> None:
    more: Any = {"body": TABLE, "headers": {"content-type": "text/csv"}} if method == "PUT" else {}
    reply = send(method, account=account, **more)
    assert (reply.status, reply.code) == (404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_it_is_the_operators(method: str) -> None:
    more: Any = {"body": TABLE, "headers": {"content-type": "text/csv"}} if method == "PUT" else {}
    assert send(method, scopes="orders:write orders:read", **more).code == "missing_scope"
    assert send(method, tenant=None, **more).code == "invalid_key"


def test_another_tenant_has_cards_of_its_own() -> None:
    put(TABLE)
    assert send("GET", tenant="other").code == "not_found"
    assert send("DELETE", tenant="other").status == 204
    assert send("GET").status == 200


def test_a_quote_divides_no_cells() -> None:
    errors = told(put(f'sep="\n{TABLE}'))
    assert "/lines/1/sep" in errors


def test_a_row_costs_its_own_cells_and_not_all_columns() -> None:
    looked_at: list[str] = []

    class Names(list[str]):
        def __iter__(self) -> Iterator[str]:
            for name in super().__iter__():
                looked_at.append(name)
                yield name

    row, errors = rate_cards._row(2, Names([*rate_cards.COLUMNS, *[""] * 1000]), ["POST"], None)
    assert row is None
    assert len(errors) == len(rate_cards.COLUMNS) - 1
    assert len(looked_at) < 10

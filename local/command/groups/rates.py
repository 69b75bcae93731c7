"""`parcelgate rates`: what orders cost, and a merchant's own price lists."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import httpx
import typer

from local.command.access import AccountOption, JsonOption, api_command
from local.command.api import Api, RefusedError, part
from local.command.json_files import read_json
from local.command.rendering import WRONG_USE, fail, listed, note, say, show, show_json

group = typer.Typer(
    help="Ask what an order costs, or store rate cards: your own prices with a carrier that gives none."
)

CardCarrierArgument = Annotated[
    str, typer.Argument(metavar="CARRIER", help="A carrier that gives no prices, such as ubi.")
]
_OPERATOR = ("operator",)


@api_command(
    group,
    "quote",
    "parcelgate rates quote order.json",
    scopes=("orders:write",),
)
def quote(
    api: Api,
    file: Annotated[
        Path,
        typer.Argument(
            help="The body of POST /v1/rates in JSON: an order's, carrier and service optional; - reads "
            "standard input.",
            allow_dash=True,
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Ask every account that can tell what an order costs, the cheapest first."""
    answer = api.post("/v1/rates", read_json(file))
    if as_json:
        show_json(answer)
        return
    columns = {
        "price": lambda each: each["price"],
        "carrier": lambda each: each["carrier"],
        "account": lambda each: each["account"],
        "service": lambda each: each["service"],
        "source": lambda each: each["source"],
    }
    listed(answer["rates"], columns, as_json=False, empty="Nobody tells a price.")
    for skipped in answer["skipped"]:
        where = "/".join(filter(None, (skipped["carrier"], skipped["account"], skipped["service"])))
        note(f"{where} tells no price: {skipped['message']}")


@api_command(group, "put", "parcelgate rates put ubi prices.csv", scopes=_OPERATOR)
def put_rate_card(
    api: Api,
    carrier: CardCarrierArgument,
    file: Annotated[Path, typer.Argument(help="A CSV file of prices; docs/rates.md describes it.")],
    account: AccountOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Store a price list in the place of the earlier one. Nothing is stored when a line is wrong."""
    try:
        content = file.read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}.", code=WRONG_USE)
    card = _call(api, "PUT", carrier, account, content).json()
    if as_json:
        show_json(card)
        return
    say(f"{carrier}/{account} has a rate card of {len(card['rows'])} rows.")


@api_command(group, "show", "parcelgate rates show ubi", scopes=_OPERATOR)
def show_rate_card(
    api: Api,
    carrier: CardCarrierArgument,
    account: AccountOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Show the price list of an account."""
    card = _call(api, "GET", carrier, account).json()
    rows = [
        (
            row["service"],
            row["destination_country"],
            "{value} {unit}".format(**row["weight_up_to"]),
            row["price"]["amount"],
            row["price"]["currency"],
        )
        for row in card["rows"]
    ]
    columns = ("service", "destination_country", "weight_up_to", "price", "currency")
    show(columns, rows, as_json=as_json)


@api_command(group, "delete", "parcelgate rates delete ubi", scopes=_OPERATOR)
def delete_rate_card(api: Api, carrier: CardCarrierArgument, account: AccountOption = "default") -> None:
    """Delete the price list of an account. Orders that were priced by it keep their prices."""
    _call(api, "DELETE", carrier, account)
    say(f"{carrier}/{account} has no rate card.")


def _call(api: Api, method: str, carrier: str, account: str, content: bytes | None = None) -> httpx.Response:
    """Call the rate card of an account. A refusal ends the command with a text for each wrong line."""
    path = f"/v1/carrier-accounts/{part(carrier)}/{part(account)}/rate-card"
    try:
        return api.call(method, path, content=content, media="text/csv" if content is not None else None)
    except RefusedError as error:
        fail("\n".join(_refusals(error)), code=error.exit_code)


def _refusals(error: RefusedError) -> Iterator[str]:
    errors = error.problem.get("errors")
    if not errors:
        yield str(error)
        return
    yield error.problem["detail"]
    for each in errors:
        _, _, line, *column = each["pointer"].split("/") if each["pointer"] else ("", "", "", "")
        place = f"Line {line}{''.join(f', column {name}' for name in column if name)}: " if line else ""
        yield f"{place}{each['message']}"

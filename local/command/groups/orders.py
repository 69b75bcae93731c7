"""`parcelgate orders`: create, find, change and look after orders."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from local.command.access import (
    Access,
    AnyTenantOption,
    KeyOption,
    ProfileOption,
    StackOption,
    UrlOption,
    api_command,
    example,
)
from local.command.api import Api
from local.command.rendering import err, fail, say

group = typer.Typer(help="Import many orders, or look after one that needs a person.")

OrderArgument = Annotated[str, typer.Argument(metavar="ORDER_ID", help="The order's id, `ord_...`.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
_OPERATOR = ("operator",)


@api_command(group, "reread", "parcelgate orders reread ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ", scopes=_OPERATOR)
def reread_order(api: Api, order_id: OrderArgument) -> None:
    """Ask the carrier how an order stands, and bring the order here up to date."""
    order = api.post(f"/v1/orders/{order_id}/resolve", {"outcome": "reread"})
    say(f"{order_id} is {order['status']}. Parcelgate asks {order['carrier']} now, and retries for 12 hours.")


@api_command(
    group,
    "close",
    "parcelgate orders close ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ --not-at-carrier",
    scopes=_OPERATOR,
)
def close_order(
    api: Api,
    order_id: OrderArgument,
    not_at_carrier: Annotated[
        bool,
        typer.Option(
            "--not-at-carrier", help="Confirms that you asked the carrier and it does not have the order."
        ),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Close an order that needs attention and that the carrier does not have. It becomes failed."""
    if not not_at_carrier:
        fail("First ask the carrier. If it does not have the order, run this again with --not-at-carrier.")
    if not yes:
        say(f"Closing {order_id} frees its reference. If the carrier has it, a new order is paid twice.")
        typer.confirm("Close the order?", abort=True)
    api.post(f"/v1/orders/{order_id}/resolve", {"outcome": "not_at_carrier"})
    say(f"{order_id} has failed now. Its reference is free.")


@group.command(
    "import",
    epilog=example("parcelgate orders import orders.csv --check", "parcelgate orders import orders.csv"),
)
def import_orders(
    file: Annotated[
        Path, typer.Argument(help="A CSV or JSON file of orders; docs/importing.md describes it.")
    ],
    check: Annotated[bool, typer.Option("--check", help="Only check the orders. Nothing is bought.")] = False,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Ignore columns that are not fields of an order.")
    ] = False,
    profile: ProfileOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    tenant: AnyTenantOption = None,
    stack: StackOption = None,
) -> None:
    """Create orders from a file, show the progress, and write the results beside the file.

    It ends with 0 when every order was confirmed, with 1 when some were not. After an interruption, the
    same command continues. Later it sends the orders that are new in the file and those that failed.
    """
    from local.command import importing
    from local.command.order_files import FileError, results_path

    try:
        access = Access(profile, url, key, tenant, stack)
        with access.credentials(("orders:read", "orders:write"), "an import") as (address, secret):
            api = importing.Api(address, secret)
            if check:
                _tell(*importing.check(file, api, ignore_unknown=ignore_unknown))
                return
            whole = importing.run(file, api, err, ignore_unknown=ignore_unknown)
    except (FileError, OSError) as error:
        fail(str(error), code=2)
    except importing.ImportFailedError as error:
        fail(f"{error} Run the same command again to continue.", code=2)
    except KeyboardInterrupt:
        fail("Interrupted. Run the same command again to continue.", code=130)
    say(str(results_path(file)))
    if not whole:
        raise typer.Exit(1)


def _tell(total: int, wrong: list[str], warned: list[str]) -> None:
    """Print the result of a check; end with 1 when anything is wrong."""
    for line in wrong:
        sys.stdout.write(f"{line}\n")
    for line in warned:
        sys.stdout.write(f"Warning. {line}\n")
    if wrong:
        things = "1 thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
        fail(f"Nothing was bought. {things} wrong with {_orders(total)}.")
    sys.stdout.write(f"{_orders(total)} {'is' if total == 1 else 'are'} correct. Nothing was bought.\n")


def _orders(count: int) -> str:
    return "1 order" if count == 1 else f"{count} orders"

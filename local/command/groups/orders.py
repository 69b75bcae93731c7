"""`parcelgate orders`: create, find, change and look after orders."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from local.command.access import (
    Access,
    AnyTenantOption,
    JsonOption,
    KeyOption,
    LimitOption,
    ProfileOption,
    StackOption,
    UrlOption,
    api_command,
    example,
)
from local.command.api import Api, RefusedError, part
from local.command.json_files import read_json
from local.command.rendering import (
    FAILED,
    INTERRUPTED,
    WRONG_USE,
    bar,
    counted,
    err,
    facts,
    fail,
    listed,
    moment,
    note,
    say,
    second,
    show,
    show_json,
)

group = typer.Typer(help="Create, find, import and cancel orders, or look after one that needs a person.")

OrderArgument = Annotated[str, typer.Argument(metavar="ORDER_ID", help="The order's id, `ord_...`.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
OutcomeOption = Annotated[
    Literal["reread", "not_at_carrier", "refunded"],
    typer.Option(
        help="`reread`: ask the carrier. `not_at_carrier`: you asked it, and it does not have the order. "
        "`refunded`: the money came back."
    ),
]
_OPERATOR = ("operator",)
_POLL_SECONDS = 2.0


@api_command(
    group,
    "create",
    "parcelgate orders create order.json --wait",
    "jq '.reference = \"shop-1002\"' order.json | parcelgate orders create -",
    scopes=("orders:read", "orders:write"),
)
def create_order(
    api: Api,
    file: Annotated[
        Path,
        typer.Argument(help="The body of POST /v1/orders in JSON; - reads standard input.", allow_dash=True),
    ],
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the carrier has decided.")] = False,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Repeats of the command with this key create nothing more.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create an order. With --wait it ends with 0 only if the carrier has confirmed it."""
    order = api.post("/v1/orders", read_json(file), key=idempotency_key)
    if wait:
        order = _decided(api, order)
    _show(order, as_json=as_json)
    if order["status"] in ("failed", "needs_attention"):
        raise typer.Exit(FAILED)


@api_command(
    group, "get", "parcelgate orders get ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ --events", scopes=("orders:read",)
)
def get_order(
    api: Api,
    order_id: OrderArgument,
    events: Annotated[bool, typer.Option("--events", help="Show the audit trail.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show an order: where it stands, what it waits for, and what is wrong with it."""
    if events:
        columns = {
            "at": lambda each: second(each["at"]),
            "type": lambda each: each["type"],
            "to": lambda each: each["to"],
            "by": lambda each: each["actor"],
            "detail": lambda each: each["detail"],
            "carrier": lambda each: [*(each["carrier"] or {}).values()],
        }
        trail = api.get(f"/v1/orders/{part(order_id)}/events")["data"]
        listed(trail, columns, as_json=as_json, empty="Nothing has happened.")
        return
    _show(api.get(f"/v1/orders/{part(order_id)}"), as_json=as_json)


@api_command(
    group,
    "list",
    "parcelgate orders list --status needs_attention --carrier lso",
    "parcelgate orders list --created-after 2026-11-01 --limit 500 --json",
    scopes=("orders:read",),
)
def list_orders(
    api: Api,
    status: Annotated[str | None, typer.Option(help="Such as confirmed or needs_attention.")] = None,
    carrier: Annotated[str | None, typer.Option(help="Such as lso.")] = None,
    account: Annotated[str | None, typer.Option(help="An account of the carrier.")] = None,
    reference: Annotated[str | None, typer.Option(help="Your own reference.")] = None,
    tracking_number: Annotated[str | None, typer.Option(help="The number of a parcel.")] = None,
    carrier_order_number: Annotated[str | None, typer.Option(help="The carrier's number.")] = None,
    created_after: Annotated[str | None, typer.Option(help="A date or a time.")] = None,
    created_before: Annotated[str | None, typer.Option(help="A date or a time.")] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """List orders, the newest first."""
    found = api.pages(
        "/v1/orders",
        limit=limit,
        status=status,
        carrier=carrier,
        account=account,
        reference=reference,
        tracking_number=tracking_number,
        carrier_order_number=carrier_order_number,
        created_after=created_after,
        created_before=created_before,
    )
    columns = {
        "order": lambda each: each["id"],
        "created": lambda each: moment(each["created_at"]),
        "carrier": lambda each: each["carrier"],
        "reference": lambda each: each["reference"],
        "status": lambda each: each["status"],
        "delivery": lambda each: each["delivery_status"],
        "price": lambda each: each["price"],
        "tracking": lambda each: each["tracking_numbers"],
    }
    listed(found, columns, as_json=as_json, empty="There is no such order.")


@api_command(
    group,
    "cancel",
    "parcelgate orders cancel ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ",
    scopes=("orders:read", "orders:write"),
)
def cancel_orders(
    api: Api,
    order_ids: Annotated[list[str], typer.Argument(metavar="ORDER_ID", help="One order or several.")],
    as_json: JsonOption = False,
) -> None:
    """Cancel orders and ask for the money back. It ends with 1 if one cannot be cancelled."""
    each_of(
        [*order_ids],
        lambda order_id: api.post(f"/v1/orders/{part(order_id)}/cancel"),
        lambda order: f"{order['status']}, refund {order['refund']['status']}",
        as_json=as_json,
    )


@api_command(
    group,
    "resolve",
    "parcelgate orders resolve ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ --outcome refunded",
    scopes=_OPERATOR,
)
def resolve_order(
    api: Api,
    order_id: OrderArgument,
    outcome: OutcomeOption,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Do with an order that needs a person what the person has found out."""
    confirmed(outcome, "1 order", yes=yes)
    _show(api.post(f"/v1/orders/{part(order_id)}/resolve", {"outcome": outcome}), as_json=as_json)


@api_command(group, "reread", "parcelgate orders reread ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ", scopes=_OPERATOR)
def reread_order(api: Api, order_id: OrderArgument, as_json: JsonOption = False) -> None:
    """Ask the carrier how an order stands, and bring the order here up to date."""
    order = api.post(f"/v1/orders/{part(order_id)}/resolve", {"outcome": "reread"})
    if as_json:
        show_json(order)
        return
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
    as_json: JsonOption = False,
) -> None:
    """Close an order that needs attention and that the carrier does not have. It becomes failed."""
    if not not_at_carrier:
        fail("First ask the carrier. If it does not have the order, run this again with --not-at-carrier.")
    if not yes:
        note(f"Closing {order_id} frees its reference. If the carrier has it, a new order is paid twice.")
        typer.confirm("Close the order?", abort=True, err=True)
    order = api.post(f"/v1/orders/{part(order_id)}/resolve", {"outcome": "not_at_carrier"})
    if as_json:
        show_json(order)
        return
    say(f"{order_id} has failed now. Its reference is free.")


@group.command(
    "import",
    epilog=example("parcelgate orders import orders.csv --check", "parcelgate orders import orders.csv"),
)
def import_orders(
    context: typer.Context,
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
    as_json: JsonOption = False,
) -> None:
    """Create orders from a file, show the progress, and write the results beside the file.

    --json prints the results, too, or with --check what is wrong.

    It ends with 0 when every order was confirmed, with 1 when some were not. After an interruption, the
    same command continues. Later it sends the orders that are new in the file and those that failed.
    """
    from local.command import importing
    from local.command.order_files import FileError, results_path

    try:
        access = Access.of(
            context, {"profile": profile, "url": url, "key": key, "tenant": tenant, "stack": stack}
        )
        with access.credentials(("orders:read", "orders:write"), "an import") as (address, secret):
            api = importing.Api(address, secret)
            if check:
                _tell(*importing.check(file, api, ignore_unknown=ignore_unknown), as_json=as_json)
                return
            results = importing.run(file, api, err, ignore_unknown=ignore_unknown)
    except (FileError, OSError) as error:
        fail(str(error), code=WRONG_USE)
    except importing.ImportFailedError as error:
        fail(f"{error} Run the same command again to continue.", code=error.exit_code)
    except KeyboardInterrupt:
        fail("Interrupted. Run the same command again to continue.", code=INTERRUPTED)
    if as_json:
        show_json(results)
    (note if as_json else say)(str(results_path(file)))
    if any(result["status"] != "confirmed" for result in results):
        raise typer.Exit(FAILED)


def _tell(total: int, wrong: list[str], warned: list[str], *, as_json: bool) -> None:
    """Print the result of a check; end with 1 when anything is wrong."""
    if as_json:
        show_json({"orders": total, "wrong": wrong, "warnings": warned})
        if wrong:
            raise typer.Exit(FAILED)
        return
    for line in wrong:
        sys.stdout.write(f"{line}\n")
    for line in warned:
        sys.stdout.write(f"Warning. {line}\n")
    if wrong:
        things = "1 thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
        fail(f"Nothing was bought. {things} wrong with {counted(total, 'order')}.")
    if total:
        said = f"{counted(total, 'order')} {'is' if total == 1 else 'are'} correct. Nothing was bought."
    else:
        said = "Every order of the file was imported before."
    sys.stdout.write(f"{said}\n")


def confirmed(outcome: str, what: str, *, yes: bool) -> None:
    """Ask before an outcome that cannot be taken back; end the command if it is not confirmed."""
    if outcome == "reread" or yes:
        return
    consequence = {
        "not_at_carrier": "the reference is freed. If the carrier has an order, a new one is paid twice",
        "refunded": "the money counts as given back",
    }[outcome]
    note(f"With {outcome} for {what} {consequence}.")
    typer.confirm("Go on?", abort=True, err=True)


def each_of(
    names: list[str],
    call: Callable[[str], Any],
    result: Callable[[Any], str],
    *,
    as_json: bool,
    working: str = "working",
) -> None:
    """Make a call for each name, and show what came of each; end with 1 if one was refused."""
    rows, refused = [], 0
    with bar(working, len(names)) as advance:
        for name in names:
            try:
                answer = call(name)
                rows.append({"id": name, "result": result(answer), "refused": False})
            except RefusedError as error:
                refused += 1
                rows.append({"id": name, "result": str(error).replace("\n", " "), "refused": True})
            advance()
    if as_json:
        show_json(rows)
    else:
        show(("id", "result"), [(row["id"], row["result"]) for row in rows])
    if refused:
        fail(f"{refused} of {len(names)} were refused.")


def _decided(api: Api, order: dict[str, Any]) -> dict[str, Any]:
    """Wait until an order is neither accepted nor processing."""
    with err.status(f"{order['id']} is {order['status']}") as status:
        while order["status"] in ("accepted", "processing"):
            api.sleep(_POLL_SECONDS)
            order = api.get(f"/v1/orders/{part(order['id'])}")
            status.update(f"{order['id']} is {order['status']}")
    return order


def _show(order: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(order)
        return
    refund, waiting = order["refund"], order["waiting"]
    facts(
        {
            "order": order["id"],
            "reference": order["reference"],
            "carrier": " ".join(filter(None, (order["carrier"], order["account"], order["service"]))),
            "status": order["status"],
            "delivery": order["delivery_status"],
            "to": " ".join(filter(None, map(order["ship_to"].get, ("name", "city", "postcode", "country")))),
            "number": order["carrier_order_number"],
            "tracking": order["tracking_numbers"],
            "price": order["price"],
            "refund": None if refund["status"] == "none" else [refund["status"], refund["amount"]],
            "label": order["label"]["status"],
            "waiting": waiting and _waiting(waiting),
            "problem": order["problem"] and order["problem"]["detail"],
            "attention": order["attention"] and order["attention"]["detail"],
            "created": moment(order["created_at"]),
        }
    )
    for warning in order["warnings"]:
        note(f"Warning: {warning['message']}")


def _waiting(waiting: dict[str, Any]) -> str:
    trouble = waiting["last_error"]
    words = f"for the {waiting['for']} since {moment(waiting['since'])}"
    if trouble and trouble["code"] == "account_paused":
        return f"{words}: {trouble['message']}"
    words += f", {waiting['attempts']} failed attempts"
    if trouble:
        words += f", the last: {trouble['message'] or trouble['code']}"
    if waiting["next_attempt_at"]:
        words += f"; next at {moment(waiting['next_attempt_at'])}"
    return words

"""`parcelgate attention`, `dlq` and `stats`: what an operator sees of a stack, and does about it."""

from typing import Annotated, Any, Literal

import typer

from local.command.access import JsonOption, api_command
from local.command.api import Api, part
from local.command.groups.orders import OutcomeOption, YesOption, confirmed, each_of
from local.command.rendering import (
    NOT_FOUND,
    WRONG_USE,
    counted,
    facts,
    fail,
    listed,
    moment,
    note,
    say,
    show,
    show_json,
    text,
)

attention = typer.Typer(help="List what needs a person, and move orders on, one or many at once.")
letters = typer.Typer(help="List, show and redrive dead letters: messages that could not be processed.")

_OPERATOR = ("operator",)
_ACTIONS = {"reread": "reread", "not_at_carrier": "close", "refunded": "close"}
"""By outcome: the action that an entry must offer."""

KindOption = Annotated[
    Literal["order", "refund", "delivery", "dead_letter", "account", "endpoint"] | None,
    typer.Option(help="Only entries of this kind."),
]
CarrierOption = Annotated[str | None, typer.Option(help="Only those of this carrier.")]


@api_command(
    attention,
    "list",
    "parcelgate attention list",
    "parcelgate attention list --carrier lso",
    scopes=_OPERATOR,
)
def list_attention(
    api: Api,
    kind: KindOption = None,
    carrier: CarrierOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The largest number to list.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List what needs a person, the worst first."""
    found = [each for each in api.pages("/v1/attention") if _is_of(each, kind, carrier)][:limit]
    columns = {
        "kind": lambda each: each["kind"],
        "id": lambda each: each["id"],
        "since": lambda each: moment(each["since"]),
        "carrier": lambda each: each["carrier"],
        "code": lambda each: each["problem"]["code"],
        "problem": lambda each: each["problem"]["detail"],
        "actions": lambda each: each["actions"],
    }
    listed(found, columns, as_json=as_json, empty="Nothing needs a person.")


@api_command(
    attention,
    "resolve",
    "parcelgate attention resolve ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ --outcome reread",
    "parcelgate attention resolve --all --carrier lso --outcome reread",
    scopes=_OPERATOR,
)
def resolve_attention(
    api: Api,
    outcome: OutcomeOption,
    order_ids: Annotated[list[str] | None, typer.Argument(metavar="ORDER_ID", help="The orders.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All orders that need a person and allow this outcome.")
    ] = False,
    carrier: CarrierOption = None,
    kind: Annotated[
        Literal["order", "refund"] | None, typer.Option(help="With --all: only entries of this kind.")
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="With --all: only problems of this code, such as outcome_unknown.")
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Do with orders what a person has found out about them. It ends with 1 if one was refused."""
    if bool(order_ids) is everything:
        fail("Name orders (see `parcelgate attention list`), or give --all.", code=WRONG_USE)
    names = order_ids or []
    if everything:
        entries = [
            each
            for each in api.pages("/v1/attention")
            if each["kind"] in ("order", "refund")
            and _is_of(each, kind, carrier)
            and code in (None, each["problem"]["code"])
        ]
        names = [each["id"] for each in entries if _ACTIONS[outcome] in each["actions"]]
        if others := len(entries) - len(names):
            left = counted(others, "other does not allow", "others do not allow")
            note(f"{left} {outcome}: left alone.")
    names = [*dict.fromkeys(names)]
    if not names:
        if as_json:
            show_json([])
        note("Nothing is to be done.")
        return
    confirmed(outcome, counted(len(names), "order"), yes=yes)
    each_of(
        names,
        lambda name: api.post(f"/v1/orders/{part(name)}/resolve", {"outcome": outcome}),
        lambda order: "asked" if outcome == "reread" else str(order["status"]),
        as_json=as_json,
        working=outcome,
    )


def _is_of(entry: dict[str, Any], kind: str | None, carrier: str | None) -> bool:
    return kind in (None, entry["kind"]) and carrier in (None, entry["carrier"])


@api_command(letters, "list", "parcelgate dlq list", scopes=_OPERATOR)
def list_dead_letters(api: Api, as_json: JsonOption = False) -> None:
    """List the dead-letter queues of the stack. Their names are those of the alarms and of the runbook."""
    columns = {
        "queue": lambda each: each["queue"],
        "messages": lambda each: each["messages"],
        "oldest": lambda each: moment(each["oldest"]),
        "redrivable": lambda each: each["redrivable"],
    }
    listed(api.get("/v1/dead-letters")["data"], columns, as_json=as_json, empty="There is no queue.")


@api_command(letters, "show", "parcelgate dlq show retries-lso", scopes=_OPERATOR)
def show_dead_letters(
    api: Api,
    queue: Annotated[str, typer.Argument(help="The queue's name, as `parcelgate dlq list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Show a sample of the messages in a queue: those of your tenant among its first ten."""
    found = _queue(api, queue)
    if as_json:
        show_json(found)
        return
    note(f"{counted(found['messages'], 'message')} of all tenants.")
    columns = {
        "id": lambda each: each["id"],
        "action": lambda each: each["action"],
        "sent": lambda each: moment(each["sent_at"]),
    }
    listed(
        found["sample"],
        columns,
        as_json=False,
        empty="None of those looked at names your tenant.",
    )


@api_command(letters, "redrive", "parcelgate dlq redrive retries-lso", scopes=_OPERATOR)
def redrive_dead_letters(
    api: Api,
    queue: Annotated[str, typer.Argument(help="The queue's name, as `parcelgate dlq list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Send the messages of a queue, of all tenants, to where they came from. Correct the cause first.

    No more are sent than were there at the beginning, so none goes in circles.
    """
    found = _queue(api, queue)
    if not found["redrivable"]:
        fail(
            f"The messages of {queue} came from no queue, so they cannot be sent again. "
            "The section docs/runbook.md#dead-letters says what to do."
        )
    waiting = found["messages"]
    moved, left = 0, waiting
    while True:
        done = api.post(f"/v1/dead-letters/{part(queue)}/redrive")
        moved, left = moved + done["moved"], done["left"]
        if moved >= waiting or not done["moved"] or not left:
            break
    if as_json:
        show_json({"queue": queue, "moved": moved, "left": left})
    else:
        say(f"{counted(moved, 'message was', 'messages were')} sent again; about {left} left.")


def _queue(api: Api, name: str) -> dict[str, Any]:
    queues: list[dict[str, Any]] = api.get("/v1/dead-letters")["data"]
    found = next((queue for queue in queues if queue["queue"] == name), None)
    if found is None:
        listed_names = ", ".join(queue["queue"] for queue in queues)
        fail(f"There is no queue {name}. There are: {listed_names}.", code=NOT_FOUND)
    return found


STATS_SCOPES = _OPERATOR


def stats(
    api: Api,
    first: Annotated[str | None, typer.Option("--from", help="The first day. Default: 30 days ago.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="The last day. Default: today.")] = None,
    by: Annotated[
        str | None, typer.Option(help="Groups: day, carrier, service, or several with commas between them.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the figures of a tenant: orders by outcome, spend, refunds, labels, deliveries."""
    answer = api.get("/v1/stats", **{"from": first, "to": last, "by": by})
    if as_json:
        show_json(answer)
        return
    if answer["by"]:
        rows = [
            tuple(text(group[name]) for name in answer["by"]) + _figures(group) for group in answer["data"]
        ]
        total = ("total", *[""] * (len(answer["by"]) - 1), *_figures(answer["total"]))
        show((*answer["by"], *_FIGURES), [*rows, total])
        return
    figures = answer["total"]
    waits, travels = figures["minutes_to_label"]["mean"], figures["days_to_delivery"]["mean"]
    facts(
        {
            "days": f"{answer['from']} to {answer['to']}",
            "orders": _counts(figures["orders"]),
            "spend": _money(figures["spend"], "source"),
            "refunds": _money(figures["refunds"], "status"),
            "labels": _counts(figures["labels"]),
            "to label": None if waits is None else f"{waits} minutes",
            "parcels": _counts(figures["parcels"]),
            "to delivery": None if travels is None else f"{travels} days",
            "polls": " for ".join(
                counted(figures["polls"][each], each[:-1]) for each in ("calls", "parcels")
            ),
            "webhooks": figures["webhooks"],
        }
    )


_FIGURES = ("orders", "confirmed", "failed", "cancelled", "attention", "spend", "delivered", "exception")


def _figures(group: dict[str, Any]) -> tuple[str, ...]:
    orders, parcels = group["orders"], group["parcels"]
    counts = (orders[name] for name in ("total", "confirmed", "failed", "cancelled", "needs_attention"))
    spend = " ".join(text(each["amount"]) for each in group["spend"])
    return (*map(str, counts), spend, str(parcels["delivered"]), str(parcels["exception"]))


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items() if number) or "0"


def _money(amounts: list[dict[str, Any]], kind: str) -> str:
    return ", ".join(f"{text(each['amount'])} ({each[kind].replace('_', ' ')})" for each in amounts)

"""`parcelgate inbox`: carriers' webhooks that could not be used."""

from typing import Annotated, Any

import typer

from local.command.access import JsonOption, api_command, user
from local.command.api import Api, RefusedError, part
from local.command.rendering import NOT_FOUND, WRONG_USE, counted, facts, fail, listed, moment, say, show_json

group = typer.Typer(help="List, read, replay and dismiss parked webhooks: those that could not be used.")

WEBHOOK_HELP = "The webhook's id, or the beginning of it, such as `lme-3f9a`."
_OPERATOR = ("operator",)


@api_command(group, "list", "parcelgate inbox list --limit 20", scopes=_OPERATOR)
def list_parked(
    api: Api,
    limit: Annotated[int | None, typer.Option(min=1, help="The largest number of webhooks to list.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List parked webhooks with the reason of each, the newest first."""
    columns = {
        "webhook": lambda each: each["id"],
        "received": lambda each: moment(each["received_at"]),
        "account": lambda each: each["account"],
        "order": lambda each: each["order_id"],
        "reason": lambda each: each["reason"],
    }
    listed(api.pages("/v1/inbox", limit=limit), columns, as_json=as_json, empty="No webhook is parked.")


@api_command(group, "show", "parcelgate inbox show lme-3f9a", scopes=_OPERATOR)
def show_webhook(
    api: Api, webhook: Annotated[str, typer.Argument(help=WEBHOOK_HELP)], as_json: JsonOption = False
) -> None:
    """Show what is known of one webhook. Its content is not shown, as it may have personal data."""
    entry = _webhook(api, webhook)
    if as_json:
        show_json(entry)
        return
    facts(
        {
            "webhook": entry["id"],
            "carrier": entry["carrier"],
            "account": entry["account"],
            "order": entry["order_id"],
            "state": entry["state"],
            "reason": entry["reason"],
            "received": entry["received_at"],
            "parked": entry["parked_at"],
            "dismissed": _dismissal(entry),
            "headers": ", ".join(entry["headers"]),
            "body": f"{entry['size']} bytes",
            "sha256": entry["sha256"],
        }
    )


@api_command(
    group, "replay", "parcelgate inbox replay lme-3f9a", "parcelgate inbox replay --all", scopes=_OPERATOR
)
def replay_webhooks(
    api: Api,
    webhook: Annotated[str | None, typer.Argument(help=WEBHOOK_HELP)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All parked webhooks.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Process a parked webhook again, or all of them. Its age counts from when it first came."""
    if (webhook is None) is not everything:
        fail("Name one webhook (see `parcelgate inbox list`), or give --all.", code=WRONG_USE)
    if webhook is not None:
        names = [_webhook(api, webhook)["id"]]
    else:
        # All are read before the first is replayed, because a replay takes it out of the list.
        names = [entry["id"] for entry in api.pages("/v1/inbox")]
    replayed = [api.post(f"/v1/inbox/{part(name)}/replay") for name in names]
    if as_json:
        show_json(replayed)
    elif webhook is not None:
        say(f"{names[0]} will be processed within seconds. If it still cannot be used, it is parked again.")
    else:
        webhooks = counted(len(names), "webhook")
        say(f"{webhooks} will be processed again. See `parcelgate inbox list` in a minute.")


@api_command(
    group, "dismiss", 'parcelgate inbox dismiss lme-3f9a --reason "LME sent it twice"', scopes=_OPERATOR
)
def dismiss_webhook(
    api: Api,
    webhook: Annotated[str, typer.Argument(help=WEBHOOK_HELP)],
    reason: Annotated[str, typer.Option(help="How it was dealt with.")],
    by: Annotated[str | None, typer.Option(help="By whom. Default: your name on this machine.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say that a parked webhook was dealt with: it needs nobody any more. It can still be replayed."""
    name = _webhook(api, webhook)["id"]
    who = by or user()
    body = {"reason": reason, **({"by": who} if who else {})}
    done = api.post(f"/v1/inbox/{part(name)}/dismiss", body)
    if as_json:
        show_json(done)
    else:
        say(f"{name} is dismissed. To have it processed after all: parcelgate inbox replay {name}")


def _dismissal(entry: dict[str, Any]) -> str | None:
    done = entry.get("dismissed")
    return done and f"{moment(done['at'])} by {done['by']}: {done['reason']}"


def _webhook(api: Api, name: str) -> dict[str, Any]:
    """Return the webhook of that id, or the parked one whose id begins so."""
    # The id in the log has another sign between carrier and number.
    name = name.replace("#", "-")
    try:
        entry: dict[str, Any] = api.get(f"/v1/inbox/{part(name)}")
        return entry
    except RefusedError as error:
        if error.code != "not_found":
            raise
    matches = [entry["id"] for entry in api.pages("/v1/inbox") if entry["id"].startswith(name)]
    if len(matches) > 1:
        fail(f"Several parked webhooks begin with {name}. Give more of the id.", code=WRONG_USE)
    if not matches:
        fail(f"There is no webhook {name}; see `parcelgate inbox list`.", code=NOT_FOUND)
    found: dict[str, Any] = api.get(f"/v1/inbox/{part(matches[0])}")
    return found

"""What the API says of one tenant: carriers, their logins and clocks, dead letters, what needs a person."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from local.command.deployment import Deployment
from local.command.rendering import counted
from local.deploy.findings import Finding
from parcelgate.services.accounts import api_keys

_SKEW = timedelta(minutes=2)
"""Carriers refuse signatures whose time is five minutes off, as far as they say."""

_UNUSED = timedelta(days=30)
"""A key that was not used for so long is used by nobody."""

type Get = Callable[..., Any]
"""Reads from the API: `get("/v1/attention", limit=100)` returns the answer's body."""
type Post = Callable[[str], Any]


def dead_letters(get: Get) -> Iterator[Finding]:
    """Name each queue with messages that could not be worked on."""
    for queue in get("/v1/dead-letters")["data"]:
        if queue["messages"]:
            name = queue["queue"]
            messages = counted(queue["messages"], "message")
            what = f"{messages} could not be worked on, now among the dead letters of {name}."
            if queue["redrivable"]:
                yield Finding(
                    f"{what} Look at them first (docs/runbook.md#dead-letters).",
                    f"parcelgate dlq list && parcelgate dlq redrive {name}",
                )
            else:
                yield Finding(
                    f"{what} Nothing there can be sent again: docs/runbook.md#dead-letters says what to do.",
                    f"parcelgate dlq show {name}",
                )


def attention(get: Get) -> Iterator[Finding]:
    """Say how much needs a person, by kind."""
    page = get("/v1/attention", limit=100)
    kinds: dict[str, list[str]] = {}
    for entry in page["data"]:
        kinds.setdefault(entry["kind"], []).append(entry["since"])
    for kind, times in kinds.items():
        if kind in ("dead_letter", "account"):
            continue  # Told by their own checks.
        more = "at least " if page["next_cursor"] else ""
        found, verb = f"{more}{len(times)}", "needs" if len(times) == 1 and not more else "need"
        oldest = min(times)[:16].replace("T", " ")
        yield Finding(
            f"{found} of kind `{kind}` {verb} a person, the oldest since {oldest} UTC.",
            "parcelgate attention list",
        )


def logins(get: Get, post: Post) -> Iterator[Finding]:
    """Ask each carrier whether it takes the login of each account."""
    for account in get("/v1/carrier-accounts")["data"]:
        name = f"{account['carrier']}/{account['account']}"
        checked = post(f"/v1/carrier-accounts/{name}/check")
        if paused := checked.get("paused"):
            why = paused["reason"].rstrip(" .")
            yield Finding(
                f"{name}: its calls are paused since {paused['since'][:16].replace('T', ' ')} UTC by "
                f"{paused['by']}: {why}. {_held(checked)}",
                "parcelgate accounts resume " + name.replace("/", " --account "),
                stops=False,
            )
        elif checked["circuit"] != "closed":
            error = checked.get("last_error") or {}
            yield Finding(
                f"{name}: no calls are made because the carrier does not answer "
                f"({error.get('message', 'no reason is known')}); "
                f"{_held(checked)}",
                "parcelgate accounts check " + name.replace("/", " --account "),
            )
        if checked["login"] in ("refused", "wrong", "missing"):
            what = {
                "refused": "the carrier refuses its login",
                "wrong": "its secret has faults",
                "missing": "it has no secret",
            }[checked["login"]]
            yield Finding(
                f"{name}: {what}. No order can be created with it.",
                "parcelgate accounts put " + name.replace("/", " --account ") + " --file -",
            )


def _held(checked: Mapping[str, Any]) -> str:
    return f"{counted(checked['held_calls'], 'call was', 'calls were')} held back."


def keys(deployment: Deployment, tenant: str, now: datetime) -> Iterator[Finding]:
    """Name keys that nobody uses: whoever finds one can do what it may."""
    living = [
        key
        for key in api_keys.list_keys(deployment.table, tenant)
        if key.revoked_at is None and now - key.created_at > _UNUSED
    ]
    used = deployment.usage.last_used(tenant, [key.id for key in living])
    for key in living:
        day = used.get(key.id)
        if day is None or now.date() - day > _UNUSED:
            last = f"since {day}" if day else f"that is known, since it was made on {key.created_at:%Y-%m-%d}"
            yield Finding(
                f"Nobody has used the key {key.id}{f' ({key.name})' if key.name else ''} of {tenant} {last}. "
                "If nobody needs it, revoke it.",
                f"parcelgate keys revoke {key.id} --tenant {tenant}",
                stops=False,
            )


def clocks(
    addresses: Mapping[str, str], http: httpx.Client, *, now: Callable[[], datetime]
) -> Iterator[Finding]:
    """Compare this machine's clock with that of each server: signatures contain the time.

    Parameters
    ----------
    addresses
        Where each server answers, by its name. Any answer has its clock.
    http
        The client.
    now
        This machine's time, with a zone.
    """
    for name, address in addresses.items():
        try:
            stated = http.head(address).headers.get("date")
        except httpx.HTTPError as error:
            yield Finding(f"{name} cannot be reached from here: {error}", stops=False)
            continue
        try:
            skew = parsedate_to_datetime(stated) - now() if stated else timedelta()
        except (TypeError, ValueError):
            continue
        if abs(skew) > _SKEW:
            way = "ahead of" if skew > timedelta() else "behind"
            yield Finding(
                f"The clock of {name} is {abs(skew).total_seconds():.0f} seconds {way} this machine's. If "
                "this machine's clock is right, the carrier refuses signatures; if not, correct it.",
                stops=False,
            )

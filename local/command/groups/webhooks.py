"""`parcelgate events` and `parcelgate webhooks`: what happened, and who is told."""

import base64
import json
import secrets
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Annotated, Any

import httpx
import typer

from local.command.access import JsonOption, LimitOption, api_command
from local.command.api import Api, part
from local.command.rendering import WRONG_USE, fail, json_text, listed, moment, note, say, second, show_json

events = typer.Typer(help="Show what happened to orders, batches and parcels in the last 30 days.")
webhooks = typer.Typer(help="Look after webhook endpoints, and have events sent to your own machine.")

_READS = ("orders:read", "trackings:read", "webhooks:manage")
_MANAGES = ("webhooks:manage",)
_OVERLAP = timedelta(minutes=1)
"""How far before the newest event a look begins, because events may come a little out of sequence."""
_TIMEOUT = 15.0
"""How long an endpoint may take, in seconds, as for a real one."""

EndpointArgument = Annotated[str, typer.Argument(metavar="ENDPOINT_ID", help="The endpoint's id.")]
TypesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--event", help="A type of events, or a group such as `order.*`; may be given several times."
    ),
]


@api_command(
    events,
    "list",
    "parcelgate events list --order ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ",
    "parcelgate events list --type order.failed --after 2026-11-01 --limit 500 --json",
    scopes=_READS,
)
def list_events(
    api: Api,
    kind: Annotated[str | None, typer.Option("--type", help="Such as tracking.delivered.")] = None,
    order: Annotated[str | None, typer.Option(help="Those of an order.")] = None,
    tracking: Annotated[str | None, typer.Option(help="Those of a parcel.")] = None,
    after: Annotated[str | None, typer.Option(help="A date or a time.")] = None,
    before: Annotated[str | None, typer.Option(help="A date or a time.")] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """List events, the newest first."""
    found = api.pages(
        "/v1/events",
        limit=limit,
        type=kind,
        order_id=order,
        tracking_id=tracking,
        after=after,
        before=before,
    )
    columns = {
        "at": lambda each: second(each["timestamp"]),
        "event": lambda each: each["id"],
        "type": lambda each: each["type"],
        "subject": lambda each: each["data"]["id"],
        "status": lambda each: each["data"].get("status"),
    }
    listed(found, columns, as_json=as_json, empty="There is no such event.")


@api_command(events, "get", "parcelgate events get evt_01M7ZRKREQ3FTG9PCR4VJ8JWXJ", scopes=_READS)
def get_event(
    api: Api, event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="The event's id.")]
) -> None:
    """Show one event, in JSON, as webhooks carry it."""
    show_json(api.get(f"/v1/events/{part(event_id)}"))


@api_command(webhooks, "endpoints", "parcelgate webhooks endpoints", scopes=_MANAGES)
def list_endpoints(api: Api, as_json: JsonOption = False) -> None:
    """List the endpoints, with the reason of each that is disabled."""
    columns = {
        "endpoint": lambda each: each["id"],
        "address": lambda each: each["url"],
        "events": lambda each: each["events"],
        "enabled": lambda each: each["enabled"],
        "reason": lambda each: each["disabled_reason"],
        "since": lambda each: moment(each["disabled_at"]),
    }
    found = api.get("/v1/webhook-endpoints")["data"]
    listed(found, columns, as_json=as_json, empty="There is no endpoint.")


@api_command(
    webhooks,
    "add",
    "parcelgate webhooks add https://shop.example/hooks --event 'order.*'",
    scopes=_MANAGES,
)
def add_endpoint(
    api: Api,
    address: Annotated[str, typer.Argument(metavar="URL", help="An https:// address.")],
    kinds: TypesOption = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Have events sent to an address. Standard output has its secret, which is shown this once."""
    body = {"url": address, "events": kinds or ["*"], "description": description}
    endpoint = api.post("/v1/webhook-endpoints", body)
    if as_json:
        show_json(endpoint)
        return
    note(f"{endpoint['id']} hears {' '.join(endpoint['events'])}. Store its secret: it is not shown again.")
    say(endpoint["secret"])


@api_command(webhooks, "enable", "parcelgate webhooks enable whe_01M7ZRKR", scopes=_MANAGES)
def enable_endpoint(api: Api, endpoint_id: EndpointArgument, as_json: JsonOption = False) -> None:
    """Enable an endpoint again that was disabled."""
    endpoint = api.call("PATCH", f"/v1/webhook-endpoints/{part(endpoint_id)}", body={"enabled": True}).json()
    if as_json:
        show_json(endpoint)
    else:
        say(f"{endpoint_id} is enabled.")


@api_command(webhooks, "remove", "parcelgate webhooks remove whe_01M7ZRKR", scopes=_MANAGES)
def remove_endpoint(api: Api, endpoint_id: EndpointArgument) -> None:
    """Delete an endpoint."""
    api.call("DELETE", f"/v1/webhook-endpoints/{part(endpoint_id)}")
    say(f"{endpoint_id} is deleted.")


@api_command(webhooks, "test", "parcelgate webhooks test whe_01M7ZRKR", scopes=_MANAGES)
def ping_endpoint(api: Api, endpoint_id: EndpointArgument, as_json: JsonOption = False) -> None:
    """Send the event `ping` to an endpoint."""
    delivery = api.post(f"/v1/webhook-endpoints/{part(endpoint_id)}/test")
    if as_json:
        show_json(delivery)
    else:
        say(f"{delivery['id']} is on its way; see `parcelgate webhooks deliveries {endpoint_id}`.")


@api_command(webhooks, "deliveries", "parcelgate webhooks deliveries whe_01M7ZRKR", scopes=_MANAGES)
def list_deliveries(
    api: Api, endpoint_id: EndpointArgument, limit: LimitOption = 20, as_json: JsonOption = False
) -> None:
    """List what was sent to an endpoint, the newest first, with the last attempt of each."""
    columns = {
        "delivery": lambda each: each["id"],
        "created": lambda each: moment(each["created_at"]),
        "type": lambda each: each["type"],
        "state": lambda each: each["state"],
        "attempts": lambda each: len(each["attempts"]),
        "last": lambda each: _last(each["attempts"]),
        "next": lambda each: moment(each["next_attempt_at"]),
    }
    found = api.pages(f"/v1/webhook-endpoints/{part(endpoint_id)}/deliveries", limit=limit)
    listed(found, columns, as_json=as_json, empty="Nothing was sent to it.")


def _last(attempts: list[dict[str, Any]]) -> str:
    return str(attempts[-1]["error"] or attempts[-1]["status"]) if attempts else ""


@api_command(webhooks, "replay", "parcelgate webhooks replay whd_01M7ZRKR", scopes=_MANAGES)
def replay_delivery(
    api: Api,
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY_ID", help="The delivery's id.")],
    as_json: JsonOption = False,
) -> None:
    """Send an event to its endpoint again, with the same id."""
    delivery = api.post(f"/v1/webhook-deliveries/{part(delivery_id)}/replay")
    if as_json:
        show_json(delivery)
    else:
        say(f"{delivery_id} is {delivery['state']}.")


@api_command(
    webhooks,
    "listen",
    "parcelgate webhooks listen --forward-to localhost:3000/hooks",
    "parcelgate webhooks listen --event 'order.*' --event tracking.delivered",
    scopes=_READS,
)
def listen(
    api: Api,
    forward_to: Annotated[
        str | None, typer.Option(help="Where to send each event: a port, or an address on your machine.")
    ] = None,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let --forward-to name another machine than yours.")
    ] = False,
    kinds: TypesOption = None,
    since: Annotated[
        str | None, typer.Option(help="Begin with what happened after this date or time. Default: now.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(help="The secret that signs (`whsec_...`). Default: a new one, which is printed."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Forward the events of a stack to your own machine, signed as real ones, while you write a receiver.

    It reads GET /v1/events, so nothing has to reach your machine from outside. An event that your receiver
    does not take is not repeated.
    """
    address = None if forward_to is None else _address(forward_to, remote=allow_remote)
    signer = None if address is None else _signer(secret)
    left = limit
    for event in _following(api, since, interval):
        if kinds and not any(fnmatchcase(event["type"], pattern) for pattern in kinds):
            continue
        result = "" if address is None else f" -> {_forwarded(address, event, signer)}"
        if as_json:
            sys.stdout.write(json_text(event) + "\n")
            sys.stdout.flush()
        else:
            words = (second(event["timestamp"]), event["type"], event["data"]["id"], event["id"])
            say("  ".join(words) + result)
        if left is not None:
            left -= 1
            if left == 0:
                return


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _address(text: str, *, remote: bool) -> str:
    if text.isdigit():
        text = f"localhost:{text}"
    address = text if "://" in text else f"http://{text}"
    try:
        parts = httpx.URL(address)
    except httpx.InvalidURL:
        parts = httpx.URL("")
    if parts.scheme not in ("http", "https") or not parts.host:
        fail(f"{text} is no address. Give a port, or one such as localhost:3000/hooks.", code=WRONG_USE)
    if not remote and not _is_here(parts.host):
        fail(
            f"{parts.host} is not your own machine, and events have names and addresses in them. If you mean "
            "it, give --allow-remote.",
            code=WRONG_USE,
        )
    return address


def _signer(secret: str | None) -> Any:
    from standardwebhooks import Webhook
    from standardwebhooks.webhooks import EmptyWebhookSecretError

    if secret is None:
        secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        note(f"Your receiver verifies with this secret: {secret}")
    try:
        return Webhook(secret)
    except (ValueError, RuntimeError, EmptyWebhookSecretError):
        fail("The secret cannot be used: it looks like whsec_ and Base64.", code=WRONG_USE)


def _following(api: Api, since: str | None, interval: float) -> Iterator[dict[str, Any]]:
    """Give each event once, the oldest first, without an end."""
    seen: dict[str, datetime] = {}
    after = since
    if since is None:
        newest = next(api.pages("/v1/events", limit=1), None)
        if newest is not None:
            after = _before(newest)
            seen = {event["id"]: _at(event) for event in api.pages("/v1/events", after=after)}
        note("Waiting for events. Ctrl-C ends it.")
    while True:
        new = [event for event in api.pages("/v1/events", after=after) if event["id"] not in seen]
        new.reverse()
        for event in sorted(new, key=_at):
            seen[event["id"]] = _at(event)
            yield event
        if new:
            after = _before(max(new, key=_at))
            begin = datetime.fromisoformat(after)
            seen = {name: at for name, at in seen.items() if at > begin}
        api.sleep(interval)


def _at(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


def _before(event: dict[str, Any]) -> str:
    return (_at(event) - _OVERLAP).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _forwarded(address: str, event: dict[str, Any], signer: Any) -> str:
    """Send an event; what came of it, in words."""
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    now = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event["id"],
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signer.sign(event["id"], now, body),
    }
    began = time.monotonic()
    try:
        answer = httpx.post(address, content=body.encode(), headers=headers, timeout=_TIMEOUT)
    except httpx.HTTPError as error:
        return f"not taken ({type(error).__name__})"
    return f"{answer.status_code} in {(time.monotonic() - began) * 1000:.0f} ms"

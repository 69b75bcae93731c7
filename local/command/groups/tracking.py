"""`parcelgate track`: the timelines of parcels, drawn in the terminal."""

from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from local.command.access import JsonOption
from local.command.api import Api, part
from local.command.rendering import NOT_FOUND, fail, inert, moment, note, out, show_json
from parcelgate.domain.trackings import TrackingStatus

_FINAL = {status.value for status in TrackingStatus if status.final}
_COLOURS = {
    "delivered": "green",
    "out_for_delivery": "cyan",
    "available_for_pickup": "cyan",
    "attempt_failed": "yellow",
    "exception": "red",
    "lost": "red",
    "damaged": "red",
    "returning": "yellow",
    "returned": "yellow",
}
SCOPES = ("orders:read", "trackings:read", "trackings:write")


def track(
    api: Api,
    target: Annotated[
        str, typer.Argument(metavar="PARCEL", help="An order's id, a tracking's id, or a tracking number.")
    ],
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again until the parcel has arrived or is given up.")
    ] = False,
    interval: Annotated[
        float, typer.Option(min=1, help="How many seconds --watch waits between two looks.")
    ] = 5,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the carrier first.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Draw the timelines of a parcel, or of all parcels of an order. The newest event is on top."""
    parcels = _read(api, target)
    if refresh:
        for parcel in parcels:
            api.post(f"/v1/trackings/{part(parcel['id'])}/refresh")
        parcels = _read(api, target)
    if as_json and not watch:
        show_json(parcels)
        return
    if not watch or not out.is_terminal or as_json:
        _print(parcels, as_json=as_json)
        while watch and not _over(parcels):
            api.sleep(interval)
            before, parcels = parcels, _read(api, target)
            if _seen(parcels) != _seen(before):
                _print(parcels, as_json=as_json)
        return
    with Live(_drawn(parcels), console=out, auto_refresh=False) as live:
        while not _over(parcels):
            api.sleep(interval)
            parcels = _read(api, target)
            live.update(_drawn(parcels), refresh=True)


def _read(api: Api, target: str) -> list[dict[str, Any]]:
    if target.startswith("ord_"):
        found: list[dict[str, Any]] = api.get(f"/v1/orders/{part(target)}/tracking")["data"]
        if not found:
            note(f"{target} has no parcels yet: its carrier has not confirmed it.")
        return found
    if target.startswith("trk_"):
        return [api.get(f"/v1/trackings/{part(target)}")]
    found = [*api.pages("/v1/trackings", tracking_number=target)]
    if not found:
        fail(f"No parcel of yours has the number {target}.", code=NOT_FOUND)
    return found


def _over(parcels: list[dict[str, Any]]) -> bool:
    return bool(parcels) and all(parcel["status"] in _FINAL for parcel in parcels)


def _seen(parcels: list[dict[str, Any]]) -> list[Any]:
    return [(parcel["id"], parcel["status"], len(parcel["events"])) for parcel in parcels]


def _print(parcels: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        show_json(parcels)
    else:
        out.print(_drawn(parcels), soft_wrap=True)


def _drawn(parcels: list[dict[str, Any]]) -> Group:
    return Group(*(drawn(parcel) for parcel in parcels))


def drawn(parcel: dict[str, Any]) -> Text:
    """Return the timeline of one parcel."""
    picture = Text()
    carrier = parcel["carrier_code"] or parcel["carrier"]
    picture.append(inert(f"{parcel['tracking_number']}  {carrier}  "), "bold")
    picture.append(inert(parcel["status"]), _COLOURS.get(parcel["status"], "blue"))
    if parcel["sub_status"]:
        picture.append(inert(f", {parcel['sub_status']}"))
    picture.append(inert(f"  {parcel['id']}") + "\n", "dim")
    for other in parcel["secondary_tracking_numbers"]:
        picture.append(
            inert(f"    also {other['number']} with {other['carrier'] or 'another carrier'}") + "\n"
        )
    if parcel["estimated_delivery"] and not parcel["delivered_at"]:
        picture.append(inert(f"    expected {parcel['estimated_delivery']}") + "\n")
    if parcel["signed_by"]:
        picture.append(inert(f"    signed by {parcel['signed_by']}") + "\n")
    events = parcel["events"][::-1]
    for number, event in enumerate(events):
        if number:
            picture.append("  │\n", "dim")
        colour = _COLOURS.get(event["status"] or "", "blue" if event["status"] else "dim")
        picture.append("  ● " if number == 0 else "  ○ ", colour)
        # A time that came without a zone was read in the account's.
        zone = "UTC, zone unknown" if event["at_is_local"] else "UTC"
        picture.append(inert(f"{moment(event['at'])} {zone}  "))
        if event["status"]:
            picture.append(inert(f"{event['status']}  "), colour)
        picture.append(inert(event["description"] or event["code"]))
        place = event["location"]
        where = place["text"] or ", ".join(filter(None, map(place.get, ("city", "state", "country"))))
        if where:
            picture.append(inert(f"  {where}"), "dim")
        picture.append("\n")
    if not events:
        picture.append("  ○ nothing has happened yet\n", "dim")
    return picture

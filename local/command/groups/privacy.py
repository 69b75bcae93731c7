"""`parcelgate privacy`: what is held of one recipient, as a file; and taking it out of everything.

The orders are found by walking through the tenant's own list, as any client can: no index of persons is kept
for it, so that it costs nothing until it is used.
"""

import base64
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from local.command.access import JsonOption, api_command
from local.command.api import Api, RefusedError, part
from local.command.groups.orders import YesOption
from local.command.recipients import Recipient
from local.command.rendering import (
    FAILED,
    NOT_FOUND,
    WRONG_USE,
    bar,
    counted,
    err,
    fail,
    moment,
    note,
    say,
    show,
    show_json,
)

group = typer.Typer(help="Give out, or erase, all that is held of one recipient.")

_EVERY_TIME = 500
"""After so many orders the progress is written to a file or a pipe, too."""
_READS = ("orders:read", "trackings:read")
_NOT_IN_FILE = (
    "Bodies of carriers' webhooks, answers of your endpoints, and events about parcels without an order, "
    "which end after 30 days, and answers to requests with an idempotency key, which end after 24 hours. "
    "The carriers' own records."
)
_LEFT = (
    "Ends by itself: bodies of carriers' webhooks, answers of your endpoints, and events about parcels "
    "without an order within 30 days, answers to requests with an idempotency key within 24 hours, PDFs of "
    "many labels within a day. The carriers and your own systems are not asked."
)

EmailOption = Annotated[str | None, typer.Option(help="The recipient's e-mail address.")]
PhoneOption = Annotated[
    str | None, typer.Option(help="The recipient's telephone number, in any spelling; at least 7 digits.")
]
NameOption = Annotated[str | None, typer.Option(help="The recipient's whole name; with --postcode.")]
PostcodeOption = Annotated[str | None, typer.Option(help="The recipient's postcode; with --name.")]
ReferenceOption = Annotated[str | None, typer.Option(help="Your reference of an order.")]
OrdersOption = Annotated[
    list[str] | None, typer.Option("--order", help="An order's id. May be given several times.")
]
AfterOption = Annotated[
    str | None, typer.Option(help="Look only at what was created after this date or time.")
]
BeforeOption = Annotated[
    str | None, typer.Option(help="Look only at what was created before this date or time.")
]
ForceOption = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Also while parcels are on their way, a refund is outstanding or an order needs a person.",
    ),
]


class Found(NamedTuple):
    """The orders of a recipient, and the parcels followed for them without an order."""

    orders: list[dict[str, Any]]
    trackings: list[dict[str, Any]]


@api_command(
    group,
    "export",
    "parcelgate privacy export --email ada@example.com -o ada.json",
    "parcelgate privacy export --name 'Ada Byrd' --postcode 78701 --created-after 2026-01-01",
    scopes=_READS,
)
def export_recipient(
    api: Api,
    email: EmailOption = None,
    phone: PhoneOption = None,
    name: NameOption = None,
    postcode: PostcodeOption = None,
    reference: ReferenceOption = None,
    order_ids: OrdersOption = None,
    created_after: AfterOption = None,
    created_before: BeforeOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", dir_okay=False, help="The file. It must not be there yet.")
    ] = Path("recipient.json"),
    as_json: JsonOption = False,
) -> None:
    """Write all that is held of one recipient into a JSON file, which only you can read."""
    if output.exists():
        fail(f"{output} is there already.", code=WRONG_USE)
    person = _person(email, phone, name, postcode, reference, order_ids)
    found = _found(api, person, order_ids or [], created_after, created_before)
    _must_be_something(found)
    with bar("reading", len(found.orders)) as advance:
        orders = []
        for order in found.orders:
            orders.append(_whole(api, order))
            advance()
    content = {
        "asked_for": person.given | ({"orders": order_ids} if order_ids else {}),
        "made_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "orders": orders,
        "trackings": found.trackings,
        "not_in_this_file": _NOT_IN_FILE,
    }
    try:
        with os.fdopen(
            os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(content, file, ensure_ascii=False, indent=2)
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}.", code=WRONG_USE)
    if as_json:
        show_json({"file": str(output), **_names(found)})
    else:
        say(str(output))


@api_command(
    group,
    "erase",
    "parcelgate privacy erase --email ada@example.com",
    "parcelgate privacy erase --order ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ --yes --json",
    scopes=(*_READS, "trackings:write", "operator"),
)
def erase_recipient(
    api: Api,
    email: EmailOption = None,
    phone: PhoneOption = None,
    name: NameOption = None,
    postcode: PostcodeOption = None,
    reference: ReferenceOption = None,
    order_ids: OrdersOption = None,
    created_after: AfterOption = None,
    created_before: BeforeOption = None,
    force: ForceOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take one recipient out of all orders, labels, parcels and events. Money and numbers stay.

    It shows what it has found and asks first. It ends with 1 if an order still needs its address: then run it
    again later. Running it again does no harm.
    """
    person = _person(email, phone, name, postcode, reference, order_ids)
    found = _found(api, person, order_ids or [], created_after, created_before)
    _must_be_something(found)
    if not yes:
        _show(found)
        note("This cannot be undone. Export it first if somebody may ask for it.")
        typer.confirm("Erase this recipient?", abort=True, err=True)
    steps: list[tuple[str, Callable[[], str]]] = [
        *((each["id"], lambda order=each: _erased(api, order, force=force)) for each in found.orders),
        *((each["id"], lambda tracking=each: _forgotten(api, tracking)) for each in found.trackings),
    ]
    rows = []
    with bar("erasing", len(steps)) as advance:
        for thing, step in steps:
            try:
                rows.append({"id": thing, "result": step(), "refused": False})
            except RefusedError as error:
                rows.append({"id": thing, "result": str(error).replace("\n", " "), "refused": True})
            advance()
    if as_json:
        show_json(rows)
    else:
        show(("id", "result"), [(row["id"], row["result"]) for row in rows])
    note(_LEFT)
    if refused := sum(row["refused"] for row in rows):
        fail(f"{refused} of {len(rows)} were refused.", code=FAILED)


def _erased(api: Api, order: dict[str, Any], *, force: bool) -> str:
    """Erase the person of an order; also of one that was erased, since something may have been left."""
    api.post(f"/v1/orders/{part(order['id'])}/erase", {"force": force})
    return "erased"


def _forgotten(api: Api, tracking: dict[str, Any]) -> str:
    api.call("DELETE", f"/v1/trackings/{part(tracking['id'])}")
    return "forgotten"


def _person(
    email: str | None,
    phone: str | None,
    name: str | None,
    postcode: str | None,
    reference: str | None,
    order_ids: list[str] | None,
) -> Recipient:
    person = Recipient(email, phone, name, postcode, reference)
    if (name is None) is not (postcode is None):
        fail("Many people have one name: give --name and --postcode together.", code=WRONG_USE)
    if bool(person.given) is bool(order_ids):
        what = "--email, --phone, --name with --postcode, or --reference"
        fail(f"Say who it is: give {what}; or only the orders, with --order.", code=WRONG_USE)
    if any(not value.strip() for value in person.given.values()):
        fail("An empty text fits nobody.", code=WRONG_USE)
    return person


def _found(
    api: Api, person: Recipient, order_ids: list[str], created_after: str | None, created_before: str | None
) -> Found:
    """Find what is this person's. By reference one list is read, by anything else all orders are."""
    if order_ids:
        return Found([api.get(f"/v1/orders/{part(each)}") for each in dict.fromkeys(order_ids)], [])
    times = {"created_after": created_after, "created_before": created_before}
    orders = _walked(api, "/v1/orders", "orders", person.has, reference=person.reference, **times)
    trackings = _walked(
        api,
        "/v1/trackings",
        "trackings",
        person.follows,
        # An order's own parcels are given out and erased with the order.
        counts=lambda each: each["order_id"] is None,
        of=" without an order",
        **times,
    )
    return Found(orders, trackings)


def _walked(
    api: Api,
    path: str,
    what: str,
    fits: Callable[[dict[str, Any]], bool],
    *,
    counts: Callable[[dict[str, Any]], bool] = lambda _: True,
    of: str = "",
    **filters: str | None,
) -> list[dict[str, Any]]:
    """Read a whole list and return what fits among what counts; `of` says in words what counts."""
    found, looked_at, of_these = [], 0, 0
    with err.status(f"looking through the {what}") as status:
        for each in api.pages(path, **filters):
            looked_at += 1
            if counts(each):
                of_these += 1
                if fits(each):
                    found.append(each)
            if looked_at % _EVERY_TIME == 0:
                words = f"{looked_at} {what} looked at, back to {moment(each['created_at'])}"
                status.update(f"{words}; {len(found)} found")
                if not err.is_terminal:
                    note(f"{words}; {len(found)} found")
    note(f"{counted(of_these, what.removesuffix('s') + of, what + of)} looked at, {len(found)} found.")
    return found


def _must_be_something(found: Found) -> None:
    if not found.orders and not found.trackings:
        fail("Nothing is held of such a recipient.", code=NOT_FOUND)


def _whole(api: Api, order: dict[str, Any]) -> dict[str, Any]:
    """An order with everything that belongs to it."""
    path = f"/v1/orders/{part(order['id'])}"
    return {
        "order": order,
        "audit_trail": api.get(f"{path}/events")["data"],
        "trackings": api.get(f"{path}/tracking")["data"],
        "events": [*api.pages("/v1/events", order_id=order["id"])],
        "labels": _labels(api, order),
    }


def _labels(api: Api, order: dict[str, Any]) -> list[dict[str, str]]:
    """The order's label documents. What cannot be had is left out: the order says how its label stands."""
    if order["label"]["status"] != "ready":
        return []
    try:
        label = api.get(f"/v1/orders/{part(order['id'])}/label")
    except RefusedError:
        return []
    links = [label["url"]] if label["url"] else [parcel["url"] for parcel in label["parcels"]]
    return [
        {"format": label["format"], "base64": base64.b64encode(api.download(link)).decode()} for link in links
    ]


def _names(found: Found) -> dict[str, list[str]]:
    return {
        "orders": [order["id"] for order in found.orders],
        "trackings": [tracking["id"] for tracking in found.trackings],
    }


def _show(found: Found) -> None:
    """Show what was found: enough to see that it is the right person, on standard error."""
    for order in found.orders:
        address = order["ship_to"]
        place = " ".join(filter(None, (address["name"], address["postcode"], address["city"])))
        standing = "erased before" if order["erased_at"] else f"{order['status']}, {order['delivery_status']}"
        note(f"{order['id']}  {moment(order['created_at'])}  {order['reference']}  {standing}  {place}")
    for tracking in found.trackings:
        customer = tracking["customer"] or {}
        who = " ".join(filter(None, (customer.get("name"), customer.get("email"))))
        note(f"{tracking['id']}  {moment(tracking['created_at'])}  {tracking['tracking_number']}  {who}")

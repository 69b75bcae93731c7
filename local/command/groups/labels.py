"""`parcelgate label`: the labels of orders, as files."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from local.command.access import JsonOption, api_command
from local.command.api import Api, part
from local.command.rendering import FAILED, WRONG_USE, counted, err, fail, note, say, show_json

group = typer.Typer(help="Save and print the labels of orders.")

_POLL_SECONDS = 1.0
_FORMATS = ("pdf", "jpg", "png", "zpl")
"""The endings of files that are named after an order. No other word of an answer becomes part of a name."""


@api_command(
    group,
    "get",
    "parcelgate label get ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ -o label.pdf",
    scopes=("orders:read",),
)
def get_label(
    api: Api,
    order_id: Annotated[str, typer.Argument(metavar="ORDER_ID", help="The order's id, `ord_...`.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file. Default: the order's id, with the format's ending."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Save the label of an order, and wait for it if the carrier has not given it yet.

    Images of several parcels become a file each, with the number of the parcel in its name.
    """
    with err.status(f"waiting for the label of {order_id}"):
        while (label := api.get(f"/v1/orders/{part(order_id)}/label"))["status"] == "pending":
            api.sleep(_POLL_SECONDS)
    path = output or Path(f"{order_id}.{label['format'] if label['format'] in _FORMATS else 'label'}")
    links = [label["url"]] if label["url"] else [parcel["url"] for parcel in label["parcels"]]
    files = [
        path if len(links) == 1 or str(path) == "-" else path.with_name(f"{path.stem}-{number}{path.suffix}")
        for number in range(1, len(links) + 1)
    ]
    for file, link in zip(files, links, strict=True):
        save(file, api.download(link))
    if as_json:
        show_json(label | {"files": [*map(str, files)]})
    elif str(path) != "-":
        for file in files:
            say(str(file))


@api_command(
    group,
    "print",
    "parcelgate label print ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ --layout a4_4 -o labels.pdf",
    "cat ids.txt | parcelgate label print - -o labels.pdf",
    scopes=("orders:read",),
)
def print_labels(
    api: Api,
    orders: Annotated[
        list[str],
        typer.Argument(metavar="ORDER_ID", help="Up to 300 orders; - reads them from standard input."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The PDF file.", dir_okay=False)] = Path(
        "labels.pdf"
    ),
    layout: Annotated[
        Literal["as_is", "a4_4"],
        typer.Option(help="`as_is`: a page for each label. `a4_4`: four on each A4 page."),
    ] = "as_is",
    start_at: Annotated[
        int, typer.Option(min=1, max=4, help="For a half-used sheet of a4_4: the first free place.")
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Put the labels of many orders into one PDF, in the order that you give.

    It ends with 0 when every label is in it, and with 1 when one is missing; each missing one is named.
    """
    ids = [*_ids(orders)]
    body = {"order_ids": ids, "layout": layout} | ({"start_at": start_at} if start_at > 1 else {})
    taken = api.post("/v1/label-documents", body)
    document = _made(api, taken["id"], len(ids))
    if document["status"] == "ready":
        save(output, api.download(document["url"]))
    if as_json:
        show_json(document)
    for one in document["missing"]:
        note(f"{one['order_id']} is not in it: {_MISSING.get(one['code'], one['code'])}")
    if document["status"] != "ready":
        failure = document["failure"] or {}
        fail(f"There is no document: {failure.get('message') or 'no label is there.'}")
    if not as_json:
        printed = len(ids) - len(document["missing"])
        tell = note if str(output) == "-" else say
        tell(f"{output}: {printed} of {counted(len(ids), 'order')} on {counted(document['pages'], 'page')}")
    if document["missing"]:
        raise typer.Exit(FAILED)


_MISSING = {
    "not_found": "there is no such order.",
    "order_not_live": "the order failed or was cancelled, so its label must not be used.",
    "label_pending": "the label is not there yet. Ask again later.",
    "label_unavailable": "the carrier never gave a label, or it is kept no longer.",
    "label_unreadable": "the carrier's file cannot be read.",
    "format_left_out": "the label is ZPL, which only a label printer can draw.",
    "repeated": "it was named more than once; its label is there once, at its first place.",
}


def _ids(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        if word == "-":
            yield from sys.stdin.read().split()
        else:
            yield word


def _made(api: Api, name: str, count: int) -> dict[str, Any]:
    """Wait until a document is made or has failed, which it has after 15 minutes at the latest."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        progress.add_task(f"{count} {'order' if count == 1 else 'orders'}")
        while True:
            document: dict[str, Any] = api.get(f"/v1/label-documents/{part(name)}")
            if document["status"] != "processing":
                return document
            api.sleep(_POLL_SECONDS)


def save(path: Path, content: bytes) -> None:
    """Write a file, or standard output for `-`; end the command if that cannot be."""
    if str(path) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        path.write_bytes(content)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.", code=WRONG_USE)

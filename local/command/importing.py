"""Imports a file of orders through the API, in batches, so that it can be interrupted anywhere.

The state of the import is beside the file: `orders.csv.import.json`. It names each batch and its content
before the batch is sent. So the same command continues where it was interrupted, and a later one sends only
the orders that are new in the file and those that failed.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.command.api import Api as Calls
from local.command.api import ApiError, RefusedError
from local.command.order_files import Given, chunks, column_of, read, results_path, write_results

AT_ONCE = 300
"""The largest number of orders in one batch."""
MOST_BYTES = 4_000_000
"""The largest batch in bytes.

It is below the contract's 4 MiB, which is what a function takes with quotes escaped.
"""

_POLL_SECONDS = 1.0
_TRIES = 8
_READERS = 8
_OVER = ("confirmed", "failed", "needs_attention")


class ImportFailedError(Exception):
    """The import cannot continue; the message says why. Batches that were sent are still processed.

    `exit_code` is what the command ends with.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass
class Sent:
    """One batch: its idempotency key, the names of its entries, and its id once that is known."""

    key: str
    entries: list[str]
    id: str | None = None


@dataclass
class State:
    """The state of the import of one file."""

    api: str
    batches: list[Sent] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Orders that had failed when an import ended: the next import sends them again."""

    @classmethod
    def load(cls, path: Path, api: str) -> "State":
        """Read the state; it is empty when there is no file, or when the file belongs to another API."""
        if not path.exists():
            return cls(api)
        known = json.loads(path.read_text("utf-8"))
        if known["api"] != api:
            return cls(api)
        return cls(api, [Sent(**sent) for sent in known["batches"]], known["failed"])

    def save(self, path: Path) -> None:
        """Write the state to its file, all at once."""
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(json.dumps(asdict(self), indent=1), "utf-8")
        partial.replace(path)

    def pending(self, given: Sequence[Given]) -> list[Given]:
        """Return the orders that an import sends now: those that it has not sent, and those that failed."""
        return [one for one in given if one.name in self.failed or self.place(one.name) is None]

    def place(self, name: str) -> tuple[Sent, int] | None:
        """Return the batch in which an entry was last sent."""
        for sent in reversed(self.batches):
            if name in sent.entries:
                return sent, sent.entries.index(name)
        return None


class Api:
    """Makes the calls of an import; repeats a call that met a passing failure.

    Parameters
    ----------
    url, key
        The API's address, without `/v1`, and a key.
    transport, sleep
        For tests.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls = Calls(url, key, tries=_TRIES, patient=True, transport=transport, sleep=sleep)
        self.url = self._calls.url
        self.sleep = sleep

    def create(self, entries: Sequence[Any], key: str) -> str:
        """Create a batch; return its id."""
        answer = self._call("POST", "/v1/orders/batch", {"orders": list(entries)}, key)
        return str(answer["id"])

    def check(self, entries: Sequence[Any]) -> list[dict[str, Any]]:
        """Return what is wrong with each entry; nothing is bought."""
        body = {"orders": list(entries), "validate_only": True}
        rows: list[dict[str, Any]] = self._call("POST", "/v1/orders/batch", body)["orders"]
        return rows

    def batch(self, batch_id: str) -> dict[str, Any]:
        """Return the progress of a batch."""
        return self._call("GET", f"/v1/batches/{batch_id}")

    def order(self, order_id: str) -> dict[str, Any]:
        """Return an order."""
        return self._call("GET", f"/v1/orders/{order_id}")

    def absolute(self, link: str | None) -> str | None:
        """Return a link of an answer with this API's address before it, its path included."""
        return None if link is None else self._calls.absolute(link)

    def _call(self, method: str, path: str, body: object = None, key: str | None = None) -> dict[str, Any]:
        try:
            answer = self._calls.call(method, path, body=body, key=key)
        except RefusedError as error:
            status = f"{error.status} " if error.problem else ""
            raise ImportFailedError(f"{method} {path}: {status}{error}", error.exit_code) from None
        except ApiError as error:
            raise ImportFailedError(str(error), error.exit_code) from None
        content: dict[str, Any] = answer.json()
        return content


def state_path(file: Path) -> Path:
    """Return the path of the state of a file's import."""
    return file.with_name(f"{file.name}.import.json")


def check(file: Path, api: Api, *, ignore_unknown: bool = False) -> tuple[int, list[str], list[str]]:
    """Check every order that an import would send now against its carrier's limits, and buy nothing.

    Returns how many orders there are, a line for everything that is wrong, and a line for each warning.
    Raises FileError and ImportFailedError.
    """
    given = read(file, ignore_unknown=ignore_unknown)
    wrong: list[str] = []
    warned: list[str] = []
    pending = State.load(state_path(file), api.url).pending(given)
    for chunk in chunks(pending, most=AT_ONCE, most_bytes=MOST_BYTES):
        for one, row in zip(chunk, api.check([one.entry for one in chunk]), strict=True):
            wrong += [_finding(one, row, error, file) for error in row["errors"]]
            warned += [_finding(one, row, warning, file) for warning in row["warnings"]]
    return len(pending), wrong, warned


def _finding(one: Given, row: dict[str, Any], fault: dict[str, Any], file: Path) -> str:
    is_json = file.suffix.lower() == ".json"
    line = f"{'Order' if is_json else 'Line'} {one.line}"
    where = fault["pointer"] if is_json else column_of(fault["pointer"])
    place = (", " if is_json else ", column ") + where if where else ""
    return f"{line} ({row['reference'] or 'no reference'}){place}: {fault['message']}"


def run(file: Path, api: Api, console: Console, *, ignore_unknown: bool = False) -> list[dict[str, Any]]:
    """Import a file and write its results beside it; return the result of each order, in the file's order.

    Raises FileError for a file that is no list of orders, and ImportFailedError.
    """
    given = read(file, ignore_unknown=ignore_unknown)
    state = State.load(state_path(file), api.url)
    with _bar(console) as progress:
        task = progress.add_task("sending", total=len(given), confirmed=0, failed=0)
        _send(given, state, file, api)
        progress.update(task, description="waiting")

        def show(rows: dict[str, dict[str, Any]]) -> None:
            counts = [rows[one.name]["status"] for one in given if one.name in rows]
            progress.update(
                task,
                completed=sum(status in _OVER for status in counts),
                confirmed=counts.count("confirmed"),
                failed=counts.count("failed") + counts.count("needs_attention"),
            )

        rows = _wait(given, state, api, show)
        progress.update(task, description="reading")
        results = _results(given, rows, api)
    write_results(results_path(file), results)
    state.failed = [one.name for one in given if rows[one.name]["status"] == "failed"]
    state.save(state_path(file))
    return results


def _send(given: Sequence[Given], state: State, file: Path, api: Api) -> None:
    """Create the batches that do not exist yet, under keys that are remembered first."""
    by_name = {one.name: one for one in given}
    # A batch whose answer never came can only be sent again unchanged.
    state.batches = [sent for sent in state.batches if sent.id or by_name.keys() >= set(sent.entries)]
    pending, state.failed = state.pending(given), []
    for chunk in chunks(pending, most=AT_ONCE, most_bytes=MOST_BYTES):
        state.batches.append(Sent(uuid4().hex, [one.name for one in chunk]))
    state.save(state_path(file))
    for sent in state.batches:
        if sent.id is None:
            sent.id = api.create([by_name[name].entry for name in sent.entries], sent.key)
            state.save(state_path(file))


def _wait(
    given: Sequence[Given],
    state: State,
    api: Api,
    show: Callable[[dict[str, dict[str, Any]]], None],
) -> dict[str, dict[str, Any]]:
    """Wait until all orders are settled; return the row of each order, by its name."""
    places = {one.name: place for one in given if (place := state.place(one.name))}
    open_batches = {sent.id for sent, _ in places.values() if sent.id}
    rows: dict[str, dict[str, Any]] = {}
    while True:
        for batch_id in sorted(open_batches):
            seen = api.batch(batch_id)
            rows |= {
                name: seen["orders"][index] for name, (sent, index) in places.items() if sent.id == batch_id
            }
            if seen["status"] == "finished":
                open_batches.discard(batch_id)
            show(rows)
        if not open_batches:
            return rows
        api.sleep(_POLL_SECONDS)


def _results(given: Sequence[Given], rows: dict[str, dict[str, Any]], api: Api) -> list[dict[str, Any]]:
    """Return the result of each order, in the file's order."""

    def result(one: Given) -> dict[str, Any]:
        row = rows[one.name]
        order = api.order(row["id"]) if row["id"] and row["status"] == "confirmed" else {}
        return {
            "line": one.line,
            "reference": row["reference"],
            "id": row["id"],
            "status": row["status"],
            "tracking_numbers": order.get("tracking_numbers", []),
            "carrier_order_number": order.get("carrier_order_number"),
            "price": order.get("price"),
            "label": api.absolute(order.get("links", {}).get("label")),
            "problem": row["problem"],
        }

    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(result, given))


@contextmanager
def _bar(console: Console) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("[green]{task.fields[confirmed]} confirmed[/] [red]{task.fields[failed]} failed[/]"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield progress

"""Files of orders: what is imported, and what is written beside it. No network here.

A JSON file holds a list of create bodies, alone or as `{"orders": [...]}`. A CSV file (UTF-8; commas,
semicolons or tabs) has a line for each parcel, or for each item of one:

- A column is named by the place of its value in the create body: `ship_to.postcode`, `options.locker`,
  `metadata.shop`. `parcel.` stands for the line's parcel, and `item.` for its item.
- A line with the reference of the line before it (or none) goes on with that order: as its next parcel, or,
  when all its `parcel.` cells are empty, as one more item of the parcel before. Its other cells are empty
  or repeat what the first line said.
- Measures and money are written in one cell: `1.25 kg`, `30x20x10 cm`, `12.50 USD`.
- Empty cells say nothing.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

type Entry = Any
"""The create body of one order, or whatever stands in its place."""

_MONEY = frozenset({"unit_value", "value", "max_price", "declared_value"})
_FLAGS = frozenset({"authority_to_leave", "locker", "pick_up", "dangerous_goods"})
_WHOLE = frozenset({"quantity", "dpi"})
_PAIR = re.compile(r"([\d.]+)\s*([A-Za-z]+)", re.ASCII)
_SIDES = re.compile(r"([\d.]+)\s*[x*\u00d7]\s*([\d.]+)\s*[x*\u00d7]\s*([\d.]+)\s*([A-Za-z]+)")
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

COLUMNS = (
    "line",
    "reference",
    "id",
    "status",
    "tracking_numbers",
    "carrier_order_number",
    "problem",
    "detail",
    "errors",
    "carrier_code",
    "carrier_message",
)
"""What is written of each order into a CSV file of results."""


class FileError(Exception):
    """The file is no list of orders; the message says where."""


@dataclass(frozen=True)
class Given:
    """One order of a file. `line` is where it begins: a line of a CSV file, a place from 1 in a JSON file."""

    line: int
    entry: Entry
    name: str
    """The same for the same order in a later version of the file, whatever stands around it."""


def read(path: Path) -> list[Given]:
    """Read a file of orders. Raises FileError, and OSError for a file that cannot be read."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(f"{path} is not UTF-8.") from None
    entries = _from_json(text) if path.suffix.lower() == ".json" else _from_csv(text)
    if not entries:
        raise FileError(f"{path} holds no orders.")
    seen: dict[str, int] = {}
    found = []
    for line, entry in entries:
        digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:32]
        seen[digest] = seen.get(digest, 0) + 1
        found.append(Given(line, entry, f"{digest}-{seen[digest]}"))
    return found


def results_path(path: Path) -> Path:
    """Where the results of a file go: beside it, in its own form."""
    return path.with_name(f"{path.stem}.results{'.json' if path.suffix.lower() == '.json' else '.csv'}")


def write_results(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """Write results, in the form the path's name says; a CSV file has `COLUMNS`."""
    if path.suffix.lower() == ".json":
        text = json.dumps(results, ensure_ascii=False, indent=2) + "\n"
    else:
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_flat(result) for result in results)
        text = out.getvalue()
    # With the mark that makes spreadsheets read UTF-8.
    path.write_text(text, "utf-8" if path.suffix.lower() == ".json" else "utf-8-sig")


def _flat(result: dict[str, Any]) -> dict[str, str]:
    problem = result["problem"] or {}
    words = problem.get("carrier") or {}
    errors = (f"{error['pointer']}: {error['message']}" for error in problem.get("errors", ()))
    flat = {
        **{name: result[name] for name in ("line", "reference", "id", "status", "carrier_order_number")},
        "tracking_numbers": " ".join(result["tracking_numbers"]),
        "problem": problem.get("code"),
        "detail": problem.get("detail"),
        "errors": "; ".join(errors),
        "carrier_code": words.get("code"),
        "carrier_message": words.get("message"),
    }
    return {name: _inert("" if value is None else str(value)) for name, value in flat.items()}


def _inert(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: carriers choose some of these words."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _from_json(text: str) -> list[tuple[int, Entry]]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileError(f"Not JSON: line {error.lineno}, column {error.colno}.") from None
    orders = content.get("orders") if isinstance(content, dict) else content
    if not isinstance(orders, list):
        raise FileError('Give a list of orders, alone or as {"orders": [...]}.')
    return list(enumerate(orders, 1))


def _from_csv(text: str) -> list[tuple[int, Entry]]:
    heading = text.partition("\n")[0]
    separator = max(",;\t", key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    orders: list[tuple[int, Entry]] = []
    try:
        names = [name.strip() for name in next(reader, [])]
        _check_names(names)
        for cells in reader:
            if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
                raise FileError(f"Line {reader.line_num} has more cells than there are columns.")
            row = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()}
            if row:
                _take(row, reader.line_num, orders)
    except csv.Error as error:
        raise FileError(f"Line {reader.line_num} is not CSV: {error}.") from None
    return orders


def _check_names(names: Sequence[str]) -> None:
    if "reference" not in names:
        raise FileError("The first line names the columns, and one of them is `reference`.")
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        raise FileError(f"A column is there twice: {', '.join(sorted(twice))}.")


def _take(row: dict[str, str], line: int, orders: list[tuple[int, Entry]]) -> None:
    """Begin an order with a line, or go on with the last one."""
    order = {name: cell for name, cell in row.items() if not name.startswith(("parcel.", "item."))}
    parcel = _body(row, "parcel.")
    item = _body(row, "item.")
    reference = order.get("reference")
    if not orders or (reference is not None and orders[-1][1].get("reference") != reference):
        if reference is None:
            raise FileError(f"Line {line} begins an order and has no reference.")
        orders.append((line, _body(order, "")))
        parcels = orders[-1][1].setdefault("parcels", [])
    else:
        begun = orders[-1][1]
        _agree(begun, _body(order, ""), line)
        parcels = begun["parcels"]
    if parcel or not parcels:
        parcels.append(parcel)
    if item:
        parcels[-1].setdefault("items", []).append(item)


def _agree(begun: Entry, more: Entry, line: int, place: str = "") -> None:
    for name, value in more.items():
        where = f"{place}{name}"
        if isinstance(value, dict) and isinstance(begun.get(name), dict):
            _agree(begun[name], value, line, f"{where}.")
        elif begun.get(name) != value:
            raise FileError(f"Line {line} says something else of {where} than its order's first line.")


def _body(row: dict[str, str], start: str) -> dict[str, Any]:
    """Make of cells named by places the object that has them there."""
    body: dict[str, Any] = {}
    for name, cell in row.items():
        if not name.startswith(start):
            continue
        *way, last = name.removeprefix(start).split(".")
        holder = body
        for part in way:
            holder = holder.setdefault(part, {})
            if not isinstance(holder, dict):
                raise FileError(f"The columns {name} and {name.rpartition('.')[0]} exclude each other.")
        holder[last] = cell if way[:1] == ["metadata"] else _value(last, cell)
    return body


def _value(name: str, cell: str) -> Any:
    """What a cell means; one that does not look as it should is left to the API to refuse."""
    if name in _FLAGS:
        return _TRUTHS.get(cell.lower(), cell)
    if name in _WHOLE and cell.isascii() and cell.isdigit():
        return int(cell)
    if (name in _MONEY or name == "weight") and (pair := _PAIR.fullmatch(cell)):
        amount, unit = pair.groups()
        return {"value": amount, "unit": unit} if name == "weight" else {"amount": amount, "currency": unit}
    if name == "dimensions" and (sides := _SIDES.fullmatch(cell)):
        return dict(zip(("length", "width", "height", "unit"), sides.groups(), strict=True))
    return cell


def chunks(entries: Iterable[Given], *, most: int, most_bytes: int) -> list[list[Given]]:
    """The entries in batches that are taken in one request."""
    found: list[list[Given]] = []
    room = 0
    for given in entries:
        size = len(json.dumps(given.entry, ensure_ascii=False).encode()) + 2
        if not found or len(found[-1]) == most or size > room:
            found.append([])
            room = most_bytes
        found[-1].append(given)
        room -= size
    return found

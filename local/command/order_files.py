"""Reads files of orders and writes files of results. It uses no network.

A JSON file holds a list of create bodies, alone or as `{"orders": [...]}`. A CSV file (UTF-8; commas,
semicolons or tabs; Excel's `sep=;` may come first) has a line for each parcel, or for each item of one:

- A column is named by the place of its value in the create body, in any case: `ship_to.postcode`,
  `options.locker`, `metadata.shop`. `parcel.` stands for the line's parcel, and `item.` for its item.
- A line with the reference of the line before it (or none) continues that order: it is the next parcel, or,
  when all its `parcel.` cells are empty, one more item of the parcel before. Its other cells are empty
  or the same as in the first line.
- Measures and money are written in one cell: `1.25 kg`, `30x20x10 cm`, `12.50 USD`.
- An empty cell means that there is no value.
- A number that a spreadsheet has shortened (`1.23E+11`) is refused in every column, because digits are lost.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from parcelgate.http.requests.formats import tables
from parcelgate.http.requests.orders import OrderInput

type Entry = Any
"""The create body of one order, or any other value in its place."""

_PAIR = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([A-Za-z]+)")
_SIDES = re.compile(r"([\d.]+)\s*[xX*\u00d7]\s*([\d.]+)\s*[xX*\u00d7]\s*([\d.]+)\s*([A-Za-z]+)")
_COMMA = re.compile(r"(?<=\d),(?=\d)")
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d{1,3}(?![\dA-Za-z])")
_FORMULA = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""What a spreadsheet would run; those of East Asia take a full-width sign for the sign itself."""
_MOST_COMPLAINTS = 20
_USUAL = {
    "MoneyInput": ("12.50 USD", "USD"),
    "WeightInput": ("1.25 kg", "kg"),
    "DimensionsInput": ("30x20x10 cm", "cm"),
}
"""By model: an example of what one cell holds, and the usual unit."""
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

COLUMNS = (
    "line",
    "reference",
    "id",
    "status",
    "tracking_numbers",
    "carrier_order_number",
    "price",
    "currency",
    "label",
    "problem",
    "detail",
    "errors",
    "carrier_code",
    "carrier_message",
)
"""The columns of a CSV file of results."""


class FileError(Exception):
    """The file is no list of orders; the message says at which place."""


@dataclass(frozen=True)
class Given:
    """One order of a file. `line` is where it begins: a line of CSV, a place from 1 in JSON."""

    line: int
    entry: Entry
    name: str
    """A name that stays the same for this order when the rest of the file changes."""


def read(path: Path, *, ignore_unknown: bool = False) -> list[Given]:
    """Read a file of orders. Raises FileError.

    With `ignore_unknown`, columns of a CSV file that are no place in a create body are ignored.
    """
    text = _text(path)
    if not text.strip():
        raise FileError(f"{path} is empty.")
    if path.suffix.lower() == ".json":
        entries = _from_json(text)
    else:
        entries = _from_csv(text, known_columns() if ignore_unknown else None)
    if not entries:
        raise FileError(f"{path} holds no orders.")
    seen: dict[str, int] = {}
    orders = []
    for line, entry in entries:
        digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:32]
        seen[digest] = seen.get(digest, 0) + 1
        orders.append(Given(line, entry, f"{digest}-{seen[digest]}"))
    return orders


def _text(path: Path) -> str:
    """Return the text of a file. Raises FileError if it does not exist, cannot be read or is no text."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise FileError(f"{path} is a folder.") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        return tables.decoded(content, str(path))
    except tables.TableError as error:
        raise FileError(str(error)) from None


def known_columns() -> frozenset[str]:
    """Return the columns that name a place in a create body, except `metadata.`, which takes any name."""
    from parcelgate.http.requests.orders import OrderInput

    schema = OrderInput.model_json_schema()
    columns: set[str] = set()

    def walk(part: dict[str, Any], place: str) -> None:
        for name, inner in part.get("properties", {}).items():
            start = {"parcels": "parcel", "items": "item"}.get(name)
            where = start or f"{place}{name}"
            if start is None:
                columns.add(where)
            for form in (inner, *inner.get("anyOf", ()), inner.get("items", {})):
                target = form.get("items", form).get("$ref", form.get("$ref", ""))
                if target:
                    walk(schema["$defs"][target.rpartition("/")[2]], f"{where}.")

    walk(schema, "")
    return frozenset(columns)


def column_of(pointer: str) -> str:
    """Return the column for a JSON pointer into a create body: `/parcels/0/weight` is `parcel.weight`."""
    parts = pointer.strip("/").split("/")
    if parts[:1] == ["parcels"] and len(parts) > 2:
        number, parts = int(parts[1]) + 1 if parts[1].isdigit() else parts[1], parts[2:]
        if parts[:1] == ["items"] and len(parts) > 2:
            return f"item.{'.'.join(parts[2:])} (parcel {number})"
        return f"parcel.{'.'.join(parts)} (parcel {number})"
    return ".".join(parts)


def results_path(path: Path) -> Path:
    """Return the path of a file's results: beside the file, in its own form."""
    return path.with_name(f"{path.stem}.results{'.json' if path.suffix.lower() == '.json' else '.csv'}")


def write_results(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """Write results in the form that the path's name says; a CSV file has `COLUMNS`."""
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
    price = result.get("price") or {}
    flat = {
        **{name: result[name] for name in ("line", "reference", "id", "status", "carrier_order_number")},
        "tracking_numbers": " ".join(result["tracking_numbers"]),
        "price": price.get("amount"),
        "currency": price.get("currency"),
        "label": result.get("label"),
        "problem": problem.get("code"),
        "detail": problem.get("detail"),
        "errors": "; ".join(errors),
        "carrier_code": words.get("code"),
        "carrier_message": words.get("message"),
    }
    return {name: _inert("" if value is None else str(value)) for name, value in flat.items()}


def _inert(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, because carriers choose some of these words."""
    return f"'{text}" if _FORMULA.match(text) else text


def _from_json(text: str) -> list[tuple[int, Entry]]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileError(f"Not JSON: line {error.lineno}, column {error.colno}.") from None
    orders = content.get("orders") if isinstance(content, dict) else content
    if not isinstance(orders, list):
        raise FileError('Give a list of orders, alone or as {"orders": [...]}.')
    return list(enumerate(orders, 1))


def _from_csv(text: str, known: frozenset[str] | None) -> list[tuple[int, Entry]]:
    lines = tables.read_lines(text)
    orders: list[tuple[int, Entry]] = []
    complaints: list[str] = []
    try:
        names = [_column(name) for name in next(lines, (1, []))[1]]
        _check_names(names)
        for line, cells in lines:
            if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
                raise FileError(f"Line {line} has more cells than there are columns.")
            row = {
                name: cell.strip()
                for name, cell in zip(names, cells, strict=False)
                if cell.strip() and (known is None or name in known or name.startswith("metadata."))
            }
            wrong = [
                f"Line {line}, column {name}: {why}"
                for name, cell in row.items()
                if (why := _wrong(name, cell))
            ]
            complaints += wrong
            if row and not wrong:
                _take(row, line, orders)
    except tables.TableError as error:
        raise FileError(str(error)) from None
    if complaints:
        more = len(complaints) - _MOST_COMPLAINTS
        shown = complaints[:_MOST_COMPLAINTS] + ([f"... and {more} more."] if more > 0 else [])
        raise FileError("\n".join(shown))
    return orders


def _column(name: str) -> str:
    """Return the name of a column in small letters.

    A name after `metadata.` is the client's own and stays.
    """
    first, dot, rest = name.strip().partition(".")
    return f"{first.lower()}{dot}{rest if first.lower() == 'metadata' else rest.lower()}"


def _wrong(name: str, cell: str) -> str | None:
    """Return what is wrong with a cell. It is None if nothing is wrong, or if the API will say it."""
    if name.startswith("metadata.") and not tables.is_shortened(cell):
        return None
    kind = _kinds().get(name)
    measure = kind in _USUAL
    if tables.is_shortened(cell) or ((measure or kind == "integer") and _SCIENTIFIC.match(cell)):
        return (
            f"{cell} is a number in scientific notation, as spreadsheets shorten long ones: make the column "
            "text and write it out."
        )
    if name.startswith("metadata.") or not measure or not isinstance(_value(name, cell), str):
        return None
    return f"{cell} cannot be read: write it as {_as_it_should_be(name, cell)}."


def _as_it_should_be(name: str, cell: str) -> str:
    """Return how to write a measure or an amount: the cell's value, or an example if it cannot be read."""
    pointed = re.sub(r"\s+", " ", _COMMA.sub(".", cell)).strip()
    example, unit = _USUAL[_kinds()[name]]
    for text in (pointed, f"{pointed} {unit}"):
        if not isinstance(_value(name, text), str):
            return text
    return example


def _check_names(names: Sequence[str]) -> None:
    if "reference" not in names:
        raise FileError("The first line must name the columns. One of them must be `reference`.")
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        raise FileError(f"A column is there twice: {', '.join(sorted(twice))}.")


def _take(row: dict[str, str], line: int, orders: list[tuple[int, Entry]]) -> None:
    """Begin an order with a line, or continue the last one."""
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
            raise FileError(f"Line {line} has another value of {where} than its order's first line.")


def _body(row: dict[str, str], start: str) -> dict[str, Any]:
    """Return the object that has each cell at the place that its name says."""
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
        holder[last] = cell if way[:1] == ["metadata"] else _value(name, cell)
    return body


@cache
def _kinds() -> dict[str, str]:
    """Return what the API takes in columns that are more than text: the name of a model, or a JSON type."""
    schema = OrderInput.model_json_schema()
    kinds = {}
    left = [("", schema)]
    for start, holder in left:
        for name, field in holder["properties"].items():
            one = field.get("items") or next(iter(field.get("anyOf", ())), field)
            model = one.get("$ref", "").rpartition("/")[2]
            if model in _USUAL:
                kinds[start + name] = model
            elif model:
                line = {"parcels": "parcel.", "items": "item."}.get(name)
                left.append((line or f"{start}{name}.", schema["$defs"][model]))
            else:
                kinds[start + name] = str(one.get("type", "string"))
    return kinds


def _value(name: str, cell: str) -> Any:
    """Return the value of a cell. A cell in a wrong form stays as it is, and the API refuses it."""
    match _kinds().get(name):
        case "boolean":
            return _TRUTHS.get(cell.lower(), cell)
        case "integer" if cell.isascii() and cell.isdigit():
            return int(cell)
        case "MoneyInput" if pair := _PAIR.fullmatch(cell):
            return {"amount": pair[1], "currency": pair[2].upper()}
        case "WeightInput" if pair := _PAIR.fullmatch(cell):
            return {"value": pair[1], "unit": pair[2].lower()}
        case "DimensionsInput" if sides := _SIDES.fullmatch(cell):
            *lengths, unit = sides.groups()
            return dict(zip(("length", "width", "height", "unit"), (*lengths, unit.lower()), strict=True))
    return cell


def chunks(entries: Iterable[Given], *, most: int, most_bytes: int) -> list[list[Given]]:
    """Return the entries in batches that fit into one request."""
    batches: list[list[Given]] = []
    room = 0
    for given in entries:
        size = len(json.dumps(given.entry, ensure_ascii=False).encode()) + 2
        if not batches or len(batches[-1]) == most or size > room:
            batches.append([])
            room = most_bytes
        batches[-1].append(given)
        room -= size
    return batches

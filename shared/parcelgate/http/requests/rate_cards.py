"""What clients may send as a rate card: a table of CSV, checked whole.

==================== ======================================================================
column               its cells
==================== ======================================================================
service              the carrier's service code, or `*` for any
destination_country  a country's two letters, or `*` for any; also `country`, `destination`
weight_up_to         the heaviest parcel of this price, such as `500 g` or `2 kg`; `weight` too.
                     The unit may stand in the heading instead: `weight_up_to_kg`
price                what such a parcel costs: `12.50`
currency             ISO 4217, such as AUD
==================== ======================================================================

Headings are read in any case, with blanks, dashes or brackets in the place of underscores. Every line that is
wrong is found: a pointer such as `/lines/7/price` is the cell of line 7 under `price`.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from parcelgate.domain import currencies
from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.merchants.rate_cards import ANY, MOST_ROWS, RateCardRow
from parcelgate.domain.problems import FieldError, Problem, ProblemError, bounded
from parcelgate.http.requests.formats import reading, tables
from parcelgate.http.requests.formats.reading import WrongValueError

COLUMNS = ("service", "destination_country", "weight_up_to", "price", "currency")
_ALSO = {"country": "destination_country", "destination": "destination_country", "weight": "weight_up_to"}
_UNITS = {unit.value: unit for unit in WeightUnit}
_WEIGHT = re.compile(r"(?P<number>\d+(?:[.,]\d+)?)\s*(?P<unit>[A-Za-z]*)", re.ASCII)
_HEAVIEST_GRAMS = Decimal(1_000_000)
_LONGEST_SERVICE = 100
_MOST_NAMED = 20
"""Ranges of wrong lines in the sentence that says so."""

type _Cells = dict[str, str]


def read_rate_card(content: bytes) -> tuple[RateCardRow, ...]:
    """The rows of a rate card. Raises ProblemError (`validation_failed`), which says what is wrong where."""
    try:
        lines = list(tables.read_lines(tables.decoded(content, "The table")))
    except tables.TableError as error:
        place = "" if error.line is None else _pointer(error.line)
        raise _invalid([FieldError(place, "format", str(error))]) from None
    heading = next(((line, cells) for line, cells in lines if any(map(str.strip, cells))), None)
    if heading is None:
        raise _invalid([FieldError("", "missing", "The table is empty. DELETE takes a rate card away.")])
    names, unit, errors = _columns(*heading)
    if errors:
        raise _invalid(errors)
    rows: dict[tuple[str, str, Decimal], int] = {}
    priced_in: dict[tuple[str, str], str] = {}
    card_rows: list[RateCardRow] = []
    for line, cells in lines:
        if line <= heading[0] or not any(map(str.strip, cells)):
            continue
        row, wrong = _row(line, names, cells, unit)
        if row is not None:
            where = (row.service.casefold(), row.destination_country)
            first = rows.setdefault((*where, row.grams), line)
            currency = priced_in.setdefault(where, row.price.currency)
            if first != line:
                message = f"Line {first} has the same service, country and weight."
                wrong.append(FieldError(_pointer(line, "weight_up_to"), "not_unique", message))
            elif currency != row.price.currency:
                message = f"The other prices of this service and country are in {currency}."
                wrong.append(FieldError(_pointer(line, "currency"), "format", message))
            card_rows.append(row)
        errors += wrong
    if len(card_rows) > MOST_ROWS:
        errors.insert(0, FieldError("", "too_many", f"Must have at most {MOST_ROWS} rows."))
    if not card_rows and not errors:
        message = "The table has no rows below its heading. DELETE takes a rate card away."
        errors = [FieldError("", "missing", message)]
    if errors:
        raise _invalid(errors)
    return tuple(card_rows)


def _columns(line: int, cells: Sequence[str]) -> tuple[list[str], WeightUnit | None, list[FieldError]]:
    """The name of each column, the unit of weights where the heading says it, and what is wrong."""
    unit, names, errors = None, [], []
    for cell in cells:
        name = re.sub(r"[^a-z0-9]+", "_", cell.strip().lower()).strip("_")
        stem, _, last = name.rpartition("_")
        if last in _UNITS and _ALSO.get(stem, stem) == "weight_up_to":
            name, unit = stem, _UNITS[last]
        name = _ALSO.get(name, name)
        if name and name not in COLUMNS:
            message = f"There is no column {cell.strip()}; the columns are {', '.join(COLUMNS)}."
            errors.append(FieldError(_pointer(line, name), "unknown_field", message))
        elif name in names and name:
            errors.append(FieldError(_pointer(line, name), "not_unique", "The column is there twice."))
        names.append(name)
    missing = [name for name in COLUMNS if name not in names]
    errors += [FieldError(_pointer(line, name), "missing", "The column is missing.") for name in missing]
    return names, unit, errors


def _row(
    line: int, names: Sequence[str], cells: Sequence[str], unit: WeightUnit | None
) -> tuple[RateCardRow | None, list[FieldError]]:
    """The row that a line holds, or what is wrong with it."""
    by_name = dict(zip(names, map(str.strip, cells), strict=False))
    errors = []
    nameless = (cell for place, cell in enumerate(cells) if place >= len(names) or not names[place])
    if any(map(str.strip, nameless)):
        errors.append(FieldError(_pointer(line), "too_many", "There are more cells than columns."))
    values: dict[str, object] = {}
    for name, read in (
        ("service", _service),
        ("destination_country", _country),
        ("weight_up_to", lambda cell: _weight(cell, unit)),
        ("currency", reading.currency),
        ("price", lambda cell: _price(cell, values.get("currency"))),
    ):
        cell = by_name.get(name, "")
        try:
            if not cell:
                raise WrongValueError("missing", _MISSING.get(name, "Is required."))
            values[name] = read(cell)
        except WrongValueError as error:
            errors.append(FieldError(_pointer(line, name), error.code, error.message))
    if errors:
        return None, errors
    price = Money(values.pop("price"), values.pop("currency"))  # type: ignore[arg-type] # each as it is read
    return RateCardRow(price=price, **values), []  # type: ignore[arg-type] # the same


_MISSING = {
    "service": "Is required: * stands for any service.",
    "destination_country": "Is required: * stands for any country.",
}


def _service(cell: str) -> object:
    if len(cell) > _LONGEST_SERVICE:
        raise WrongValueError("too_long", f"Must have at most {_LONGEST_SERVICE} characters.")
    return reading.reference(cell)


def _country(cell: str) -> object:
    return ANY if cell == ANY else reading.country(cell)


def _weight(cell: str, unit: WeightUnit | None) -> Weight:
    match = _WEIGHT.fullmatch(cell)
    given = unit if match and not match["unit"] else _UNITS.get(match["unit"].lower()) if match else None
    if match is None or given is None or "," in match["number"]:
        number = match["number"].replace(",", ".") if match else "1.25"
        message = (
            f"Must be a weight with its unit (g, kg, lb or oz), such as {number} {given or unit or 'kg'}."
        )
        raise WrongValueError("format", _if_shortened(cell) or message)
    weight = Weight(reading.number(match["number"], below=1_000_000_000, places=6), given)
    if weight.to(WeightUnit.G) > _HEAVIEST_GRAMS:
        raise WrongValueError("out_of_range", "Must not be more than 1000 kg.")
    return weight


def _price(cell: str, currency: object) -> Decimal:
    if message := _if_shortened(cell):
        raise WrongValueError("format", message)
    amount = reading.number(cell, below=1_000_000_000_000, places=20, positive=False)
    decimals = currencies.decimals(str(currency))
    if decimals is not None and reading.decimals_of(amount) > decimals:
        raise WrongValueError("out_of_range", f"Must have at most {decimals} decimals: it is {currency}.")
    return amount


def _if_shortened(cell: str) -> str | None:
    if not tables.is_shortened(cell.split()[0]):
        return None
    return "A spreadsheet has shortened the number: make the column text, and write it out."


def _pointer(line: int, column: str | None = None) -> str:
    return reading.pointer(["lines", line, *([column] if column else [])])


def _invalid(errors: Sequence[FieldError]) -> ProblemError:
    """The problem, which names wrong lines also where there are more errors than are shown."""
    lines = sorted({int(place.split("/")[2]) for each in errors if (place := each.pointer)})
    detail = "The rate card is not valid; see errors."
    if lines:
        detail = f"Not valid: line{'s' if len(lines) > 1 else ''} {_named(lines)}; see errors."
    return ProblemError.of(Problem(code="validation_failed", detail=detail, errors=bounded(errors)))


def _named(lines: Sequence[int]) -> str:
    """Numbers in ascending order, those that follow each other as one: `2, 5 to 9 and 30 more`."""
    ranges = list(_ranges(lines))
    named = ", ".join(
        str(first) if first == last else f"{first} to {last}" for first, last in ranges[:_MOST_NAMED]
    )
    more = sum(last - first + 1 for first, last in ranges[_MOST_NAMED:])
    return f"{named} and {more} more" if more else named


def _ranges(lines: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of the numbers that follow each other."""
    first = last = lines[0]
    for line in (*lines[1:], 0):
        if line != last + 1:
            yield first, last
            first = line
        last = line

"""Reading a query: filters, limit and cursor of a list. Pointers name the parameter."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from parcelgate.domain.problems import FieldError, invalid
from parcelgate.http.requests.formats.reading import (
    WrongValueError,
    is_absent,
    lower,
    pointer,
    time,
    tracking_number,
)

DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
MOST = 100
DEFAULT = 20


class ListQuery[F](NamedTuple):
    """A filter for orders, trackings or events, the size of a page, and where the page begins."""

    filter: F
    limit: int
    cursor: str | None


class Parameter(NamedTuple):
    """One parameter of a query."""

    parse: Callable[[str], Any]
    """Raises WrongValueError."""
    schema: Mapping[str, Any]
    description: str

    def read(self, text: str) -> Any:
        """Read the parameter's value. Raises WrongValueError."""
        most = self.schema.get("maxLength")
        if most and len(text) > most:
            raise WrongValueError("too_long", f"Must have at most {most} characters.")
        return self.parse(text)


def read_parameters(parameters: Mapping[str, "Parameter"], query: Mapping[str, str]) -> dict[str, Any]:
    """Read every parameter; None if it is absent. Raises ProblemError naming each that is wrong."""
    values: dict[str, Any] = dict.fromkeys(parameters)
    errors = []
    for name, text in query.items():
        if name not in parameters:
            errors.append(
                FieldError(pointer([name]), "unknown_field", "There is no such parameter. Leave it out.")
            )
        elif not is_absent(text):
            try:
                values[name] = parameters[name].read(text)
            except WrongValueError as error:
                errors.append(FieldError(pointer([name]), error.code, error.message))
    if errors:
        raise invalid(errors)
    return values


def read_list[F](
    parameters: Mapping[str, Parameter], query: Mapping[str, str], filters: Callable[..., F]
) -> ListQuery[F]:
    """Read the query of a list. Raises ProblemError naming every parameter that is wrong."""
    values = read_parameters(parameters, query)
    limit, cursor = values.pop("limit") or DEFAULT, values.pop("cursor")
    return ListQuery(filters(**values), limit, cursor)


def one_of[E: StrEnum](kind: type[E]) -> Callable[[str], E]:
    """Read one of these values."""

    def parse(text: str) -> E:
        try:
            return kind(text)
        except ValueError:
            raise WrongValueError("unknown_value", f"Must be one of: {', '.join(kind)}.") from None

    return parse


def enum(kind: type[StrEnum], description: str = "Only with this status.") -> Parameter:
    """Make the parameter that is one of these values."""
    return Parameter(one_of(kind), {"type": "string", "enum": list(kind)}, description)


def carrier_among(names: Callable[[], Collection[str]], description: str) -> Parameter:
    """Make the parameter that is one of these carriers."""

    def parse(text: str) -> object:
        carrier = lower(text)
        if carrier not in names():
            raise WrongValueError("unknown_value", f"Must be one of: {', '.join(names())}.")
        return carrier

    return Parameter(parse, TEXT, description)


def _time(text: str) -> datetime:
    """Read a time; a date is the moment at which it begins in UTC."""
    if DATE.fullmatch(text.strip()):
        text = f"{text.strip()}T00:00:00Z"
    # A plus sign that was not percent-encoded arrives as a blank.
    return time(text.replace(" ", "+"))


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise WrongValueError("type", "Must be a whole number.")
    if len(text) > 9 or not 1 <= int(text) <= MOST:
        raise WrongValueError("out_of_range", f"Must be between 1 and {MOST}.")
    return int(text)


TEXT = {"type": "string", "maxLength": 255}
"""Longer than any stored value, and short enough for a key: DynamoDB refuses a query with a longer one."""
_CURSOR = {"type": "string", "maxLength": 4096}
NUMBER = Parameter(
    tracking_number, TEXT, "Only with this tracking number. Case and blanks make no difference."
)
_INSTANT = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
_COUNT = {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT}
PAGE = {
    "created_after": Parameter(
        _time, _INSTANT, "Only later than this time, or than the beginning of this day in UTC."
    ),
    "created_before": Parameter(
        _time, _INSTANT, "Only earlier than this time, or than the beginning of this day in UTC."
    ),
    "limit": Parameter(_limit, _COUNT, "The largest number of results in the page."),
    "cursor": Parameter(str, _CURSOR, "The `next_cursor` of the page before. Use the same filters."),
}

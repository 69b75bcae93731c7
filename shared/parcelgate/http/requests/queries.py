"""Reading a query: filters, limit and cursor of a list. Pointers name the parameter."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from parcelgate.carriers import registry
from parcelgate.domain.merchants.events import EventType
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.problems import FieldError, invalid
from parcelgate.domain.trackings import TrackingStatus
from parcelgate.http.requests.formats.reading import (
    WrongValueError,
    is_absent,
    lower,
    pointer,
    time,
    tracking_number,
)
from parcelgate.services.events.reader import EventFilter
from parcelgate.services.orders.reader import OrderFilter
from parcelgate.services.stats.reports import MOST_DAYS, Dimension
from parcelgate.services.trackings.tracking_reader import TrackingFilter

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{2,4})?", re.ASCII)
MOST = 100
DEFAULT = 20
_USUAL_DAYS = 30


class ListQuery[F](NamedTuple):
    """A filter for orders, trackings or events, the size of a page, and where the page begins."""

    filter: F
    limit: int
    cursor: str | None


class StatsQuery(NamedTuple):
    """Which days figures are asked for, both included, and what they are told apart by."""

    first: date
    last: date
    by: tuple[Dimension, ...]


def read_order_query(query: Mapping[str, str]) -> ListQuery[OrderFilter]:
    """Read the query of the list of orders. Raises ProblemError naming every parameter that is wrong."""
    values = _read("orders", query)
    limit, cursor = values.pop("limit") or DEFAULT, values.pop("cursor")
    return ListQuery(OrderFilter(**values), limit, cursor)


def read_tracking_query(query: Mapping[str, str]) -> ListQuery[TrackingFilter]:
    """Read the query of the list of trackings. Raises ProblemError naming every parameter that is wrong."""
    values = _read("trackings", query)
    limit, cursor = values.pop("limit") or DEFAULT, values.pop("cursor")
    return ListQuery(TrackingFilter(**values), limit, cursor)


def read_event_query(query: Mapping[str, str]) -> ListQuery[EventFilter]:
    """Read the query of the list of events. Raises ProblemError naming every parameter that is wrong."""
    values = _read("events", query)
    limit, cursor = values.pop("limit") or DEFAULT, values.pop("cursor")
    return ListQuery(EventFilter(**values), limit, cursor)


def read_page_query(query: Mapping[str, str]) -> tuple[int, str | None]:
    """Read the size of a page of a list without filters, and where it begins. Raises ProblemError."""
    values = _read("page", query)
    return values["limit"] or DEFAULT, values["cursor"]


def read_account_query(query: Mapping[str, str]) -> str | None:
    """Read which of the tenant's accounts with a carrier is meant. Raises ProblemError."""
    account: str | None = _read("account", query)["account"]
    return account


def read_courier_query(query: Mapping[str, str]) -> tuple[str, str]:
    """Read the account and the language of a list of couriers. Empty: any language. Raises ProblemError."""
    values = _read("couriers", query)
    return values["account"] or "default", values["lang"] or ""


def read_stats_query(query: Mapping[str, str], *, today: date) -> StatsQuery:
    """Read the query of the figures; by default they are of the last 30 days. Raises ProblemError."""
    values = _read("stats", query)
    last: date = values["to"] or today
    first: date = values["from"] or date.fromordinal(max(last.toordinal() - _USUAL_DAYS + 1, 1))
    if first > last:
        end = "`to`" if values["to"] else "today, where `to` is not given"
        raise invalid([FieldError("/from", "out_of_range", f"Must not be later than {end}.")])
    days = (last - first).days + 1
    if days > MOST_DAYS:
        message = f"Must be less than {MOST_DAYS} days before `to`: {days} days are asked for."
        raise invalid([FieldError("/from", "out_of_range", message)])
    return StatsQuery(first, last, values["by"] or ())


def _read(kind: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Read every parameter of this kind of query; None if it is absent."""
    parameters = PARAMETERS[kind]
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


def _one_of[E: StrEnum](kind: type[E]) -> Callable[[str], E]:
    def parse(text: str) -> E:
        try:
            return kind(text)
        except ValueError:
            raise WrongValueError("unknown_value", f"Must be one of: {', '.join(kind)}.") from None

    return parse


def _time(text: str) -> datetime:
    """Read a time; a date is the moment at which it begins in UTC."""
    if _DATE.fullmatch(text.strip()):
        text = f"{text.strip()}T00:00:00Z"
    # A plus sign that was not percent-encoded arrives as a blank.
    return time(text.replace(" ", "+"))


def _day(text: str) -> date:
    try:
        # `fromisoformat` alone reads weeks, too.
        if _DATE.fullmatch(text.strip()):
            return date.fromisoformat(text.strip())
    except ValueError:
        pass
    raise WrongValueError("format", "Must be a day such as 2026-11-27.")


def _dimensions(text: str) -> tuple[Dimension, ...]:
    """Read what figures are told apart by, in the contract's sequence."""
    named = [_one_of(Dimension)(part.strip()) for part in text.split(",")]
    if len({*named}) < len(named):
        raise WrongValueError("repeated", "Must name each of them once.")
    return tuple(each for each in Dimension if each in named)


def _language(text: str) -> str:
    language = lower(text)
    if not _LANGUAGE.fullmatch(str(language)):
        raise WrongValueError("format", "Must be the code of a language, such as en.")
    return str(language)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise WrongValueError("type", "Must be a whole number.")
    if len(text) > 9 or not 1 <= int(text) <= MOST:
        raise WrongValueError("out_of_range", f"Must be between 1 and {MOST}.")
    return int(text)


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


def _enum(kind: type[StrEnum], description: str = "Only with this status.") -> Parameter:
    return Parameter(_one_of(kind), {"type": "string", "enum": list(kind)}, description)


def _carrier(names: Callable[[], Collection[str]], description: str) -> Parameter:
    def parse(text: str) -> object:
        carrier = lower(text)
        if carrier not in names():
            raise WrongValueError("unknown_value", f"Must be one of: {', '.join(names())}.")
        return carrier

    return Parameter(parse, _TEXT, description)


_TEXT = {"type": "string", "maxLength": 255}
"""Longer than any stored value, and short enough for a key: DynamoDB refuses a query with a longer one."""
_CURSOR = {"type": "string", "maxLength": 4096}
_NUMBER = Parameter(
    tracking_number, _TEXT, "Only with this tracking number. Case and blanks make no difference."
)
_INSTANT = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
_COUNT = {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT}
_DAY = {"type": "string", "format": "date"}
_BY = {"type": "string", "maxLength": 255, "examples": ["day", "carrier,service"]}
_ACCOUNT = Parameter(str, _TEXT, "The account that is used. Default: `default`.")
_PAGE = {
    "created_after": Parameter(
        _time, _INSTANT, "Only later than this time, or than the beginning of this day in UTC."
    ),
    "created_before": Parameter(
        _time, _INSTANT, "Only earlier than this time, or than the beginning of this day in UTC."
    ),
    "limit": Parameter(_limit, _COUNT, "The largest number of results in the page."),
    "cursor": Parameter(str, _CURSOR, "The `next_cursor` of the page before. Use the same filters."),
}

PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    "orders": {
        "status": _enum(OrderStatus),
        "carrier": _carrier(registry.names, "Only with this carrier."),
        "account": Parameter(str, _TEXT, "Only with this carrier account."),
        "reference": Parameter(str, _TEXT, "Only with this reference."),
        "tracking_number": _NUMBER,
        "carrier_order_number": Parameter(
            tracking_number,
            _TEXT,
            "Only with this order number of the carrier. Case and blanks make no difference.",
        ),
        **_PAGE,
    },
    "trackings": {
        "status": _enum(TrackingStatus),
        "carrier": _carrier(registry.trackers, "Only with this carrier or aggregator."),
        "carrier_code": Parameter(lower, _TEXT, "Only with this courier, by the aggregator's code."),
        "tracking_number": _NUMBER,
        "order_id": Parameter(
            str, _TEXT, "Only parcels of this order, including those with earlier tracking numbers."
        ),
        **_PAGE,
    },
    "events": {
        "type": _enum(EventType, "Only of this type."),
        "order_id": Parameter(str, _TEXT, "Only of this order and its parcels. Needs `orders:read`."),
        "tracking_id": Parameter(str, _TEXT, "Only of this tracking. Needs `trackings:read`."),
        "after": _PAGE["created_after"],
        "before": _PAGE["created_before"],
        "limit": _PAGE["limit"],
        "cursor": _PAGE["cursor"],
    },
    "page": {name: _PAGE[name] for name in ("limit", "cursor")},
    "stats": {
        "from": Parameter(_day, _DAY, "The first day, in UTC. Default: 29 days before `to`."),
        "to": Parameter(
            _day,
            _DAY,
            f"The last day, in UTC. Default: today. At most {MOST_DAYS} days in all, both included.",
        ),
        "by": Parameter(
            _dimensions,
            _BY,
            "What the figures are told apart by: `day`, `carrier`, `service`, or several of them with commas "
            "between. Default: nothing, so that only `total` is given.",
        ),
    },
    "account": {"account": _ACCOUNT},
    "couriers": {
        "account": _ACCOUNT,
        "lang": Parameter(_language, _TEXT, "The language of the names, such as `en`."),
    },
    "language": {
        "lang": Parameter(
            str,
            _TEXT,
            "The language: `en`, `de`, `es`, `fr` or `zh`. Any other value, and none, leave it to the "
            "Accept-Language header.",
        ),
    },
}
"""The parameters of each kind of query, as the table of routes names them."""

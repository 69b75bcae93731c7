"""Reading a query: filters, limit and cursor of a list. Pointers name the parameter."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.problems import FieldError, invalid
from parcelgate.domain.trackings import TrackingStatus
from parcelgate.http.requests.texts import WrongTextError, is_absent, parse_time, pointer
from parcelgate.services.orders.reader import OrderFilter
from parcelgate.services.trackings.tracking_reader import TrackingFilter

MOST = 100
DEFAULT = 20


class OrderQuery(NamedTuple):
    """Which orders are wanted, how many of them, and from where on."""

    filter: OrderFilter
    limit: int
    cursor: str | None


class TrackingQuery(NamedTuple):
    """Which trackings are wanted, how many of them, and from where on."""

    filter: TrackingFilter
    limit: int
    cursor: str | None


def read_order_query(query: Mapping[str, str]) -> OrderQuery:
    """Read the query of the list of orders. Raises ProblemError naming every parameter that is wrong."""
    given = _Given(query)
    wanted = OrderFilter(
        status=given.read("status", _one_of(OrderStatus)),
        carrier=given.read("carrier", str),
        reference=given.read("reference", str),
        created_after=given.read("created_after", _time),
        created_before=given.read("created_before", _time),
    )
    return OrderQuery(wanted, *given.page())


def read_tracking_query(query: Mapping[str, str]) -> TrackingQuery:
    """Read the query of the list of trackings. Raises ProblemError naming every parameter that is wrong."""
    given = _Given(query)
    wanted = TrackingFilter(
        status=given.read("status", _one_of(TrackingStatus)), carrier=given.read("carrier", str)
    )
    return TrackingQuery(wanted, *given.page())


def read_account_query(query: Mapping[str, str]) -> str | None:
    """Read which of the tenant's accounts with a carrier is meant. Raises ProblemError."""
    unknown = [name for name in query if name != "account"]
    if unknown:
        message = "There is no such parameter."
        raise invalid([FieldError(pointer([name]), "unknown_field", message) for name in unknown])
    text = query.get("account")
    return None if is_absent(text) else text


def bad_cursor() -> Exception:
    """Tell that a cursor is not one that this list has given out."""
    message = "This list has not given out such a cursor."
    return invalid([FieldError("/cursor", "format", message)])


class _Given:
    """The parameters of a list's query, read one by one."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._query = query
        self._known: set[str] = set()
        self._errors: list[FieldError] = []

    def read[T](self, name: str, parse: Callable[[str], T]) -> T | None:
        """One parameter, or None when it is absent or wrong."""
        self._known.add(name)
        text = self._query.get(name)
        if text is None or is_absent(text):
            return None
        try:
            return parse(text)
        except WrongTextError as error:
            self._errors.append(FieldError(pointer([name]), error.code, error.message))
            return None

    def page(self) -> tuple[int, str | None]:
        """Limit and cursor, after all else. Raises ProblemError naming every parameter that is wrong."""
        limit, cursor = self.read("limit", _limit), self.read("cursor", str)
        self._errors += [
            FieldError(pointer([name]), "unknown_field", "There is no such parameter.")
            for name in self._query
            if name not in self._known
        ]
        if self._errors:
            raise invalid(self._errors)
        return limit or DEFAULT, cursor


def _one_of[E: StrEnum](kind: type[E]) -> Callable[[str], E]:
    def parse(text: str) -> E:
        try:
            return kind(text)
        except ValueError:
            raise WrongTextError("unknown_value", f"Must be one of: {', '.join(kind)}.") from None

    return parse


def _time(text: str) -> datetime:
    # A plus sign that was not escaped arrives as a blank.
    return parse_time(text.replace(" ", "+"))


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise WrongTextError("type", "Must be a whole number.")
    if len(text) > 9 or not 1 <= int(text) <= MOST:
        raise WrongTextError("out_of_range", f"Must be between 1 and {MOST}.")
    return int(text)

"""Reading a query: filters, limit and cursor of a list. Pointers name the parameter."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.problems import FieldError, invalid
from parcelgate.http.texts import WrongTextError, is_absent, parse_time, pointer
from parcelgate.services.orders import OrderFilter

MOST = 100
DEFAULT = 20


class OrderQuery(NamedTuple):
    """Which orders are wanted, how many of them, and from where on."""

    filter: OrderFilter
    limit: int
    cursor: str | None


def read_order_query(query: Mapping[str, str]) -> OrderQuery:
    """Read the query of the list of orders. Raises ProblemError naming every parameter that is wrong."""
    errors: list[FieldError] = []
    given = {name: text for name, text in query.items() if not is_absent(text)}

    def read[T](name: str, parse: Callable[[str], T]) -> T | None:
        text = given.pop(name, None)
        if text is None:
            return None
        try:
            return parse(text)
        except WrongTextError as error:
            errors.append(FieldError(pointer([name]), error.code, error.message))
            return None

    wanted = OrderFilter(
        status=read("status", _status),
        carrier=read("carrier", str),
        reference=read("reference", str),
        created_after=read("created_after", _time),
        created_before=read("created_before", _time),
    )
    limit = read("limit", _limit)
    cursor = read("cursor", str)
    known = (*OrderFilter.__struct_fields__, "limit", "cursor")
    errors += [
        FieldError(pointer([name]), "unknown_field", "There is no such parameter.")
        for name in query
        if name not in known
    ]
    if errors:
        raise invalid(errors)
    return OrderQuery(wanted, limit or DEFAULT, cursor)


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


def _status(text: str) -> OrderStatus:
    try:
        return OrderStatus(text)
    except ValueError:
        known = ", ".join(OrderStatus)
        raise WrongTextError("unknown_value", f"Must be one of: {known}.") from None


def _time(text: str) -> datetime:
    # A plus sign that was not escaped arrives as a blank.
    return parse_time(text.replace(" ", "+"))


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise WrongTextError("type", "Must be a whole number.")
    if len(text) > 9 or not 1 <= int(text) <= MOST:
        raise WrongTextError("out_of_range", f"Must be between 1 and {MOST}.")
    return int(text)

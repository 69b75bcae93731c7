"""The query of the figures."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from parcelgate.domain.problems import FieldError, invalid
from parcelgate.http.requests.formats.reading import WrongValueError
from parcelgate.http.requests.queries.reading import DATE, Parameter, one_of, read_parameters
from parcelgate.services.stats.reports import MOST_DAYS, Dimension

_USUAL_DAYS = 30


class StatsQuery(NamedTuple):
    """Which days figures are asked for, both included, and what they are told apart by."""

    first: date
    last: date
    by: tuple[Dimension, ...]


def _day(text: str) -> date:
    try:
        # `fromisoformat` alone reads weeks, too.
        if DATE.fullmatch(text.strip()):
            return date.fromisoformat(text.strip())
    except ValueError:
        pass
    raise WrongValueError("format", "Must be a day such as 2026-11-27.")


def _dimensions(text: str) -> tuple[Dimension, ...]:
    """Read what figures are told apart by, in the contract's sequence."""
    named = [one_of(Dimension)(part.strip()) for part in text.split(",")]
    if len({*named}) < len(named):
        raise WrongValueError("repeated", "Must name each of them once.")
    return tuple(each for each in Dimension if each in named)


_DAY = {"type": "string", "format": "date"}
_BY = {"type": "string", "maxLength": 255, "examples": ["day", "carrier,service"]}
PARAMETERS: Mapping[str, Parameter] = {
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
}


def read_stats_query(query: Mapping[str, str], *, today: date) -> StatsQuery:
    """Read the query of the figures; by default they are of the last 30 days. Raises ProblemError."""
    values = read_parameters(PARAMETERS, query)
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

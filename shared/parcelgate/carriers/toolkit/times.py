"""Times, time zones and offsets as carriers write them. Pure."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

_OFFSET = re.compile(
    r"(?:UTC|GMT)?\s*([+-])\s*(\d{1,2})(?::?([0-5]\d)|\.(5|25|75))?", re.ASCII | re.IGNORECASE
)
_FRACTIONS = {"5": 30, "25": 15, "75": 45}
_EPOCH = re.compile(r"\d{10}(\d{3})?", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})"
    r"(?:(?:T|\s+)(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*([AP]M\b)?\s*(\S.*)?)?",
    re.ASCII | re.IGNORECASE,
)


class Moment(NamedTuple):
    """An instant in UTC, with the local offset where it is known, or marked as read in no known zone."""

    at: datetime
    utc_offset: str | None
    at_is_local: bool


def read_moment(text: str | None, default: tzinfo) -> Moment | None:
    """An event's time; one without a zone is read in the `default` one and marked. None: see `read_time`."""
    moment = read_time(text)
    if moment is None:
        return None
    away = moment.utcoffset()
    if away is None:
        return Moment(moment.replace(tzinfo=default).astimezone(UTC), None, True)
    return Moment(moment.astimezone(UTC), offset_text(away), False)


def read_time(text: str | None) -> datetime | None:
    """A time as carriers write it; None when it cannot be read or cannot be meant.

    Year first, with dashes, slashes or dots, padded or not, with a blank or a `T`, with any number of
    digits of a second (.NET has seven), morning and afternoon, `Z` or an offset behind it; digits alone
    as a date (`20181001`), or as seconds or milliseconds since 1970. Without a readable zone it has none.
    """
    word = (text or "").strip()
    try:
        if _EPOCH.fullmatch(word):
            moment = datetime.fromtimestamp(int(word[:10]), UTC)
        elif match := _MOMENT.fullmatch(word):
            moment = _moment(*match.groups())
        else:
            moment = datetime.fromisoformat(word)
    except (ValueError, OverflowError):
        return None
    # An empty date of .NET is the year 1.
    return moment if 2000 <= moment.year < 2200 else None


def _moment(
    year: str,
    _: str,
    month: str,
    day: str,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    half: str | None,
    zone: str | None,
) -> datetime:
    hours = int(hour or 0)
    if half is not None:
        if not 1 <= hours <= 12:
            raise ValueError(hour)
        hours = hours % 12 + (12 if half.upper() == "PM" else 0)
    return datetime(
        int(year),
        int(month),
        int(day),
        hours,
        int(minute or 0),
        int(second or 0),
        int((fraction or "").ljust(6, "0")[:6]),
        tzinfo=read_zone(zone),
    )


def read_zone(text: str | None) -> tzinfo | None:
    """The zone named `UTC+10`, `GMT+08:00` or `Australia/Sydney`; None when it cannot be read."""
    word = (text or "").strip()
    if word.upper() in {"UTC", "GMT", "Z"}:
        return UTC
    if match := _OFFSET.fullmatch(word):
        sign, hours, minutes, fraction = match.groups()
        away = timedelta(hours=int(hours), minutes=int(minutes or _FRACTIONS.get(fraction, 0)))
        return timezone(-away if sign == "-" else away) if away <= timedelta(hours=14) else None
    if "/" not in word:
        # Names such as EST mean several zones.
        return None
    try:
        return ZoneInfo(word)
    except (KeyError, ValueError, OSError):
        return None


def nearest(local: datetime, in_utc: datetime | None) -> datetime:
    """A time in a zone; of an hour that the zone has twice, the one nearer to `in_utc` where that is told."""
    if in_utc is None:
        return local
    return min((local, local.replace(fold=1)), key=lambda time: abs(time.astimezone(UTC) - in_utc))


def offset_text(away: timedelta) -> str:
    """An offset as the contract writes it: `+10:00`."""
    minutes = round(away.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"

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
    r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:(?:T|\s+)(?P<hour>\d{1,2}):(\d\d)(?::(\d\d)"
    r"(?:[.,](?P<fraction>\d+))?)?\s*(?P<half>[AP]M\b)?\s*(?P<zone>\S.*)?)?",
    re.ASCII | re.IGNORECASE,
)


class Moment(NamedTuple):
    """An instant in UTC, with the local offset if it is known, or with a mark that its zone is not known."""

    at: datetime
    utc_offset: str | None
    at_is_local: bool


def read_moment(text: str | None, default: tzinfo) -> Moment | None:
    """Read an event's time; without a zone it is read in the `default` zone and marked.

    None: see `read_time`.
    """
    moment = read_time(text)
    if moment is None:
        return None
    away = moment.utcoffset()
    if away is None:
        return Moment(moment.replace(tzinfo=default).astimezone(UTC), None, True)
    return Moment(moment.astimezone(UTC), offset_text(away), False)


def read_time(text: str | None) -> datetime | None:
    """Read a time as carriers write it; None when it cannot be read or cannot be meant.

    The year comes first, with dashes, slashes or dots, padded or not, then a blank or a `T`. A second may
    have any number of digits (.NET has seven). AM and PM, `Z` or an offset may follow. Digits alone are a
    date (`20181001`), or seconds or milliseconds since 1970. Without a readable zone the time has no zone.
    """
    word = (text or "").strip()
    try:
        if _EPOCH.fullmatch(word):
            moment = datetime.fromtimestamp(int(word[:10]), UTC)
        elif match := _MOMENT.fullmatch(word):
            moment = _moment(match)
        else:
            moment = datetime.fromisoformat(word)
    except (ValueError, OverflowError):
        return None
    # An empty date of .NET is the year 1.
    return moment if 2000 <= moment.year < 2200 else None


def _moment(match: re.Match[str]) -> datetime:
    year, _, month, day, hour, minute, second = (match[number] for number in range(1, 8))
    hours, half = int(hour or 0), match["half"]
    if half is not None:
        if not 1 <= hours <= 12:
            raise ValueError(hour)
        hours = hours % 12 + (12 if half.upper() == "PM" else 0)
    micros = int((match["fraction"] or "").ljust(6, "0")[:6])
    date = datetime(int(year), int(month), int(day), tzinfo=read_zone(match["zone"]))
    return date.replace(hour=hours, minute=int(minute or 0), second=int(second or 0), microsecond=micros)


def read_zone(text: str | None) -> tzinfo | None:
    """Return the zone named `UTC+10`, `GMT+08:00` or `Australia/Sydney`; None when it cannot be read."""
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
    """Put a time into a zone.

    If the zone has the hour twice, the one nearer to `in_utc` is taken, if known.
    """
    if in_utc is None:
        return local
    return min((local, local.replace(fold=1)), key=lambda time: abs(time.astimezone(UTC) - in_utc))


def offset_text(away: timedelta) -> str:
    """Write an offset as the contract does: `+10:00`."""
    minutes = round(away.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"

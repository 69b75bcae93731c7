"""Time zones and offsets as carriers write them. Pure."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

_OFFSET = re.compile(
    r"(?:UTC|GMT)?\s*([+-])\s*(\d{1,2})(?::?([0-5]\d)|\.(5|25|75))?", re.ASCII | re.IGNORECASE
)
_FRACTIONS = {"5": 30, "25": 15, "75": 45}


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


def offset_text(away: timedelta) -> str:
    """An offset as the contract writes it: `+10:00`."""
    minutes = round(away.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"

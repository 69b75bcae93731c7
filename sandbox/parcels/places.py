"""Says how far the clocks of a place are ahead of UTC, without summer time."""

from collections.abc import Mapping
from datetime import timedelta

_COUNTRIES: Mapping[str, float] = {
    "AU": 10, "CA": -5, "CN": 8, "DE": 1, "FR": 1, "GB": 0, "HK": 8, "JP": 9, "NZ": 12, "SG": 8, "US": -5,
}  # fmt: skip
_STATES: Mapping[str, Mapping[float, str]] = {
    "AU": {8: "WA|Western Australia", 9.5: "SA|South Australia|NT|Northern Territory"},
    "CA": {
        -8: "BC|British Columbia",
        -7: "AB|Alberta",
        -6: "MB|Manitoba|SK|Saskatchewan",
        -4: "NB|New Brunswick|NS|Nova Scotia|PE|Prince Edward Island",
    },
    "US": {
        -8: "CA|California|NV|Nevada|OR|Oregon|WA|Washington",
        -7: "AZ|Arizona|CO|Colorado|ID|Idaho|MT|Montana|NM|New Mexico|UT|Utah|WY|Wyoming",
        -6: "AL|Alabama|AR|Arkansas|IA|Iowa|IL|Illinois|LA|Louisiana|MN|Minnesota|MO|Missouri|"
        "MS|Mississippi|OK|Oklahoma|TN|Tennessee|TX|Texas|WI|Wisconsin",
    },
}


def ahead_of_utc(country: str, state: str) -> timedelta:
    """Find the offset of a two-letter country, and of a state by its name or abbreviation; else 0."""
    for hours, states in _STATES.get(country, {}).items():
        if state.casefold() in states.casefold().split("|"):
            return timedelta(hours=hours)
    return timedelta(hours=_COUNTRIES.get(country, 0))


def offset_text(ahead: timedelta) -> str:
    """Write an offset as `+08:00`."""
    minutes = round(ahead.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"

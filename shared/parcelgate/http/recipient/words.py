"""The words of the recipient's page in the reader's language, and how that language writes dates."""

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import msgspec

from parcelgate.domain.trackings import TrackingStatus
from parcelgate.http.requests.formats.accept import weights

LANGUAGES: Mapping[str, str] = MappingProxyType(
    {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français", "zh": "中文"}
)
"""The languages of the page, each by its own name. Who asks for none of them reads the first."""


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All words of one language; `words/<code>.toml` has them."""

    code: str
    title: str
    title_of: str
    preview: str
    languages: str
    history: str
    nothing_yet: str
    older_left_out: str
    expected: str
    delivered: str
    carrier: str
    number: str
    handed_over: str
    parcel: str
    parcels: str
    last_news: str
    help: str
    help_page: str
    zone_unknown: str
    not_found: str
    not_found_more: str
    unavailable: str
    unavailable_more: str
    months: tuple[str, ...]
    date_form: str
    moment_form: str
    statuses: Mapping[TrackingStatus, str]
    sub_statuses: Mapping[str, str]

    def of(self, status: TrackingStatus, sub_status: str | None) -> str:
        """A status in words: those of its sub-status, if there are any."""
        return self.sub_statuses.get(sub_status or "", self.statuses[status])

    def day(self, day: date) -> str:
        """A date as the language writes it."""
        return self.date_form.format(day=day.day, month=self.months[day.month - 1], year=day.year)

    def time(self, at: datetime, utc_offset: str | None = None, *, is_uncertain: bool = False) -> str:
        """An instant as the clocks of its place showed it, with their offset from UTC.

        `is_uncertain` says that its zone is not known.
        """
        local = at.astimezone(_zone(utc_offset))
        zone = "UTC" if local.utcoffset() == timedelta(0) else f"UTC{utc_offset}"
        written = self.moment_form.format(date=self.day(local), time=f"{local:%H:%M}")
        return f"{written} ({zone}{', ' + self.zone_unknown if is_uncertain else ''})"


@cache
def words(code: str) -> Words:
    """The words of one of `LANGUAGES`."""
    text = files(__package__).joinpath("words", f"{code}.toml").read_text("utf-8")
    return msgspec.convert({"code": code, **tomllib.loads(text)}, Words)


def language(accepted: str, chosen: str = "") -> str:
    """Return the language of the reader: the `chosen` one, else the best of an Accept-Language header.

    >>> language("fr-CH, de;q=0.9"), language("fr", "zh"), language("it"), language("de;q=0.1, en;q=0.5")
    ('fr', 'zh', 'en', 'en')
    """
    if chosen.lower() in LANGUAGES:
        return chosen.lower()
    best: dict[str, float] = {}
    for name, weight in weights(accepted).items():
        code = name.partition("-")[0]
        best[code] = max(weight, best.get(code, 0.0))
    # Of equal weights, the one that the reader names first.
    named = [code for code in best if code in LANGUAGES and best[code] > 0]
    return max(named, key=lambda code: best[code], default=next(iter(LANGUAGES)))


def _zone(utc_offset: str | None) -> timezone:
    """The zone of an offset such as `+08:00`; UTC for none, and for a text that is none."""
    try:
        moment = datetime.fromisoformat(f"2000-01-01T00:00:00{utc_offset or '+00:00'}")
    except ValueError:
        return UTC
    return timezone(moment.utcoffset() or timedelta(0))

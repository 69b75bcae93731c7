"""Facts about countries, their states and postcodes, for all carriers and for the input of clients.

The facts are in `countries.json`. `local/generators/country_data.py` makes it from ISO's lists and Google's
address data. The file is read at its first use, so that only functions which need it pay for it. It has the
states of Australia, Canada and the US, and the postcodes of every country whose postcodes have known forms.
"""

import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from unicodedata import normalize

import msgspec

US_TERRITORIES = frozenset({"AS", "GU", "MP", "PR", "VI"})
"""Countries of ISO 3166-1 that the post treats as states of the US, under the same two letters."""


class _Country(msgspec.Struct, frozen=True):
    name: str
    also: tuple[str, ...]
    postcode: str | None = None
    examples: tuple[str, ...] = ()
    states: dict[str, tuple[str, ...]] = {}
    writes_states: bool = False
    clock: float | None = None
    clocks: dict[str, float] = {}


@cache
def _countries() -> dict[str, _Country]:
    return msgspec.json.decode(Path(__file__).with_suffix(".json").read_bytes(), type=dict[str, _Country])


@cache
def _codes() -> dict[str, str]:
    """Return the countries' codes by their names."""
    return {_key(name): code for code, each in _countries().items() for name in (each.name, *each.also)}


@cache
def _states(country: str) -> dict[str, str]:
    """Return a country's states by their codes and by their names; empty if they are not known."""
    each = _countries().get(country)
    states = each.states if each else {}
    return {_key(name): code for code, names in states.items() for name in (code, *names)}


def _key(text: str) -> str:
    """Return a text without accents, capitals, dots, apostrophes and repeated blanks."""
    plain = re.sub("[.'\u2019]", "", text).replace("-", " ")
    if not plain.isascii():
        plain = "".join(each for each in normalize("NFKD", plain) if not "\u0300" <= each <= "\u036f")
    return " ".join(plain.casefold().split())


def is_country(code: str) -> bool:
    """Return whether these are the two capital letters of a country (ISO 3166-1, and XK for Kosovo)."""
    return code in _countries()


def country_name(code: str) -> str:
    """Return the English name of a country, without commas and brackets; an unknown code stays as it is."""
    return _countries()[code].name if is_country(code) else code


def country_code(text: str) -> str | None:
    """Return the two letters of a country that is named by two or three letters, or by a name in use.

    >>> country_code("United Kingdom"), country_code("uk"), country_code("AUS-Australia"), country_code("x")
    ('GB', 'GB', 'AU', None)
    """
    code = text.strip().upper()
    names = (text, text.rpartition("-")[2])
    return (
        code if is_country(code) else next(filter(None, (_codes().get(_key(name)) for name in names)), None)
    )


def writes_states(country: str) -> bool:
    """Return whether an address in this country has a line for a state, province or county."""
    return is_country(country) and _countries()[country].writes_states


def has_known_states(country: str) -> bool:
    """Return whether the names of a country's states are known here."""
    return bool(_states(country))


def state_code(country: str, state: str) -> str | None:
    """Return the post's code of a US, Canadian or Australian state given as code or name; None when unknown.

    The code may be that of ISO 3166-2. Case, accents, dots and blanks around it do not matter.

    >>> state_code("US", "D.C."), state_code("CA", "Québec"), state_code("AU", "AU-NSW")
    ('DC', 'QC', 'NSW')
    """
    key = _key(state)
    states = _states(country)
    return states.get(key) or states.get(key.removeprefix(f"{country.lower()} "))


def state_name(country: str, state: str) -> str | None:
    """Return the full name of a US, Canadian or Australian state given as code or name; None when unknown."""
    code = state_code(country, state)
    return None if code is None else _countries()[country].states[code][0]


def likely_state(country: str, state: str) -> str | None:
    """Return the full name of the state that a misspelt text probably means.

    >>> likely_state("AU", "New South Whales")
    'New South Wales'
    """
    from difflib import get_close_matches

    match = get_close_matches(_key(state), _states(country), 1, cutoff=0.75)
    return state_name(country, match[0]) if match else None


def postcode(country: str, text: str) -> str | None:
    """Return a postcode as its country writes it; None if the country has no such postcode.

    If the postcodes of a country are not known, every text is accepted.

    >>> postcode("US", "787011234"), postcode("US", "78701 1234"), postcode("PL", "00950")
    ('78701-1234', '78701-1234', '00-950')
    """
    each = _countries().get(country)
    if each is None or each.postcode is None:
        return text
    letters = re.sub(r"[ \-]", "", text)
    for example in each.examples:
        written = _laid_out(letters, example)
        if written and re.fullmatch(each.postcode, written, re.ASCII):
            return written
    return text if re.fullmatch(each.postcode, text, re.ASCII) else None


def likely_postcode(country: str, text: str) -> str | None:
    """Return the postcode from which a spreadsheet has removed the leading zero.

    >>> likely_postcode("AU", "800"), likely_postcode("AU", "80000")
    ('0800', None)
    """
    return postcode(country, f"0{text}") if text.isdigit() else None


def postcode_examples(country: str) -> str:
    """Return examples of a country's postcodes, as one text."""
    return " or ".join(_countries()[country].examples[:2])


def _laid_out(letters: str, example: str) -> str | None:
    """Return the letters with the blanks and hyphens of an example; None if that has another length."""
    rest = iter(letters)
    if len(letters) != sum(character not in " -" for character in example):
        return None
    return "".join(character if character in " -" else next(rest) for character in example)


def clock_offset(country: str | None, state: str | None = None) -> timedelta | None:
    """Return how far a place's clocks are ahead of UTC; None for a country that is in no table.

    It is standard time all year round. A country with several zones has the zone of most of its people; a
    state with another zone has its own. `country` is two letters, `state` a code or a name.

    >>> clock_offset("US", "TX")
    datetime.timedelta(days=-1, seconds=64800)
    """
    each = _countries().get((country or "").upper())
    if each is None:
        return None
    code = state_code((country or "").upper(), state) if state else None
    hours = each.clocks.get(code or "", each.clock)
    return None if hours is None else timedelta(hours=hours)

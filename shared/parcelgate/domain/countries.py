"""What is known of countries, their states and postcodes, for all carriers and for what clients send.

The facts stand in `countries.json`, which `local/country_data.py` makes of ISO's lists and Google's address
data. It is read when it is first asked for, so that only who needs it pays for it. States are those of
Australia, Canada and the US; postcodes those of every country that has one shape of them.
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


@cache
def _countries() -> dict[str, _Country]:
    return msgspec.json.decode(Path(__file__).with_suffix(".json").read_bytes(), type=dict[str, _Country])


@cache
def _codes() -> dict[str, str]:
    """Countries' codes by what the countries are called."""
    return {_key(name): code for code, each in _countries().items() for name in (each.name, *each.also)}


@cache
def _states(country: str) -> dict[str, str]:
    """A country's states by their codes and by what they are called; empty where they are not known."""
    each = _countries().get(country)
    states = each.states if each else {}
    return {_key(name): code for code, names in states.items() for name in (code, *names)}


def _key(text: str) -> str:
    """What remains when accents, capitals, dots, apostrophes and repeated blanks mean nothing."""
    letters = normalize("NFKD", re.sub("[.'\u2019]", "", text).replace("-", " "))
    plain = "".join(letter for letter in letters if not "\u0300" <= letter <= "\u036f")
    return " ".join(plain.casefold().split())


def is_country(code: str) -> bool:
    """Whether these are the two capital letters of a country (ISO 3166-1, and XK for Kosovo)."""
    return code in _countries()


def country_name(code: str) -> str:
    """The English name of a country, without commas and brackets; a code that is none stays as it is."""
    return _countries()[code].name if is_country(code) else code


def country_code(text: str) -> str | None:
    """The two letters of a country named by them, by three letters, by a name or spelling in use.

    >>> country_code("United Kingdom"), country_code("uk"), country_code("AUS-Australia"), country_code("x")
    ('GB', 'GB', 'AU', None)
    """
    code = text.strip().upper()
    names = (text, text.rpartition("-")[2])
    return (
        code if is_country(code) else next(filter(None, (_codes().get(_key(name)) for name in names)), None)
    )


def writes_states(country: str) -> bool:
    """Whether an address there has a line for a state, province or county."""
    return is_country(country) and _countries()[country].writes_states


def has_known_states(country: str) -> bool:
    """Whether the states of a country are known here by name."""
    return bool(_states(country))


def state_code(country: str, state: str) -> str | None:
    """The post's code of a US, Canadian or Australian state given as code or name; None when unknown.

    The code may be that of ISO 3166-2. Case, accents, dots and blanks around it do not matter.

    >>> state_code("US", "D.C."), state_code("CA", "Québec"), state_code("AU", "AU-NSW")
    ('DC', 'QC', 'NSW')
    """
    key = _key(state)
    states = _states(country)
    return states.get(key) or states.get(key.removeprefix(f"{country.lower()} "))


def state_name(country: str, state: str) -> str | None:
    """The full name of a US, Canadian or Australian state given as code or name; None when unknown."""
    code = state_code(country, state)
    return None if code is None else _countries()[country].states[code][0]


def likely_state(country: str, state: str) -> str | None:
    """The full name of the state that a misspelt one is likely to be.

    >>> likely_state("AU", "New South Whales")
    'New South Wales'
    """
    from difflib import get_close_matches

    match = get_close_matches(_key(state), _states(country), 1, cutoff=0.75)
    return state_name(country, match[0]) if match else None


def postcode(country: str, text: str) -> str | None:
    """A postcode as its country writes it; None when the country has no such.

    Of a country whose postcodes are not known, every text is one.

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
    """The postcode that a spreadsheet took a leading zero from.

    >>> likely_postcode("AU", "800"), likely_postcode("AU", "80000")
    ('0800', None)
    """
    return postcode(country, f"0{text}") if text.isdigit() else None


def postcode_examples(country: str) -> str:
    """What postcodes of a country look like."""
    return " or ".join(_countries()[country].examples[:2])


def _laid_out(letters: str, example: str) -> str | None:
    """The letters with the blanks and hyphens of an example; None when the example has another length."""
    rest = iter(letters)
    if len(letters) != sum(character not in " -" for character in example):
        return None
    return "".join(character if character in " -" else next(rest) for character in example)


_BY_HOURS = {
    -8.0: "PN",
    -6.0: "BZ CR GT HN MX NI SV",
    -5.0: "BS CA CO CU EC HT JM KY PA PE TC US",
    -4.0: "AG AI AW BB BM BO BQ CW DM DO GD GP GY KN LC MF MQ MS PR SX TT VC VE VG VI",
    -3.0: "AR BR CL FK GF PY SR UY",
    -1.0: "CV",
    0.0: "BF CI FO GB GG GH GI GM GN GW IE IM IS JE LR MA ML MR PT SH SL SN TG",
    1.0: "AD AL AO AT BA BE BJ CD CF CG CH CM CZ DE DK DZ ES FR GA GQ HR HU IT LI LU MC ME MK MT NE NG NL NO "
    "PL RS SE SI SK SM TD TN VA XK",
    2.0: "BG BI BW CY EE EG FI GR IL LB LS LT LV LY MD MW MZ NA PS RO RW SD SS SZ UA ZA ZM ZW",
    3.0: "BH BY DJ ER ET IQ JO KE KM KW MG QA RU SA SO SY TR TZ UG YE YT",
    3.5: "IR",
    4.0: "AE AM AZ GE MU OM RE SC",
    4.5: "AF",
    5.0: "KZ MV PK TJ TM UZ",
    5.5: "IN LK",
    6.0: "BD BT KG NP",
    6.5: "CC MM",
    7.0: "CX ID KH LA TH VN",
    8.0: "BN CN HK MN MO MY PH SG TW",
    9.0: "JP KP KR PW TL",
    10.0: "AU GU MP PG",
    11.0: "NC NF SB VU",
    12.0: "FJ KI MH NR NZ TV WF",
    13.0: "TO WS",
}
"""Hours that clocks are ahead of UTC, and the countries where they are.

Standard time all year round, and of a country with several zones that of most of its people: it decides when
people sleep, for which an hour more or less is no matter.
"""
_STATES_BY_HOURS = {
    "US": {
        -10.0: "HI",
        -9.0: "AK",
        -8.0: "CA NV OR WA",
        -7.0: "AZ CO ID MT NM UT WY",
        -6.0: "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
    },
    "CA": {-8.0: "BC YT", -7.0: "AB NT", -6.0: "MB SK", -4.0: "NB NS PE", -3.5: "NL"},
    "AU": {8.0: "WA", 9.5: "NT SA"},
}

_AHEAD = {code: hours for hours, codes in _BY_HOURS.items() for code in codes.split()}
_AHEAD_IN = {
    (country, state): hours
    for country, by_hours in _STATES_BY_HOURS.items()
    for hours, states in by_hours.items()
    for state in states.split()
}


def clock_offset(country: str | None, state: str | None = None) -> timedelta | None:
    """How far a place's clocks are ahead of UTC; None for a country that is in no table.

    `country` is two letters; `state` counts where it is an abbreviation as post offices write it.

    >>> clock_offset("US", "TX")
    datetime.timedelta(days=-1, seconds=64800)
    """
    place = (country or "").upper()
    hours = _AHEAD_IN.get((place, (state or "").strip().upper()), _AHEAD.get(place))
    return None if hours is None else timedelta(hours=hours)

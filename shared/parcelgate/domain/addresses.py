"""Addresses, and the names of states where carriers want codes (or the other way round)."""

import msgspec


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A postal address. `country` is two capital letters; `state` is as the client gave it."""

    name: str
    line1: str
    city: str
    country: str
    company: str | None = None
    phone: str | None = None
    email: str | None = None
    line2: str | None = None
    line3: str | None = None
    state: str | None = None
    postcode: str | None = None
    tax_id: str | None = None


_STATES: dict[str, dict[str, str]] = {
    "US": {
        "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California",
        "CO": "Colorado", "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia",
        "FL": "Florida", "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois",
        "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana",
        "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota",
        "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada",
        "NH": "New Hampshire", "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York",
        "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon",
        "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota",
        "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia",
        "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
        "AS": "American Samoa", "GU": "Guam", "MP": "Northern Mariana Islands", "PR": "Puerto Rico",
        "VI": "U.S. Virgin Islands", "AA": "Armed Forces Americas", "AE": "Armed Forces Europe",
        "AP": "Armed Forces Pacific",
    },
    "CA": {
        "AB": "Alberta", "BC": "British Columbia", "MB": "Manitoba", "NB": "New Brunswick",
        "NL": "Newfoundland and Labrador", "NS": "Nova Scotia", "NT": "Northwest Territories",
        "NU": "Nunavut", "ON": "Ontario", "PE": "Prince Edward Island", "QC": "Quebec",
        "SK": "Saskatchewan", "YT": "Yukon",
    },
    "AU": {
        "ACT": "Australian Capital Territory", "NSW": "New South Wales", "NT": "Northern Territory",
        "QLD": "Queensland", "SA": "South Australia", "TAS": "Tasmania", "VIC": "Victoria",
        "WA": "Western Australia",
    },
}  # fmt: skip
_CODES = {
    country: {name.casefold(): code for code, name in states.items()} for country, states in _STATES.items()
}


def state_code(country: str, state: str) -> str | None:
    """The code of a US, Canadian or Australian state given as code or name; None when unknown.

    Case and surrounding blanks do not matter.
    """
    text = " ".join(state.split())
    states = _STATES.get(country, {})
    code = text.upper()
    return code if code in states else _CODES.get(country, {}).get(text.casefold())


def state_name(country: str, state: str) -> str | None:
    """The full name of a US, Canadian or Australian state given as code or name; None when unknown."""
    code = state_code(country, state)
    return None if code is None else _STATES[country][code]

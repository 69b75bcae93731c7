"""Roughly what time it is where a parcel goes: hours from UTC by country, and by state where that matters.

Standard time all year round, and of a country with several zones that of most of its people: it decides
when people sleep, for which an hour more or less is no matter.
"""

from datetime import timedelta

_COUNTRIES = {
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
_STATES = {
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

_OF_COUNTRIES = {country: hours for hours, countries in _COUNTRIES.items() for country in countries.split()}
_OF_STATES = {
    (country, state): hours
    for country, zones in _STATES.items()
    for hours, states in zones.items()
    for state in states.split()
}


def offset(country: str | None, state: str | None = None) -> timedelta | None:
    """How far a place's clocks are ahead of UTC; None for a country that is in no table.

    `country` is two letters; `state` counts where it is an abbreviation as post offices write it.

    >>> offset("US", "TX")
    datetime.timedelta(days=-1, seconds=64800)
    """
    place = (country or "").upper()
    hours = _OF_STATES.get((place, (state or "").strip().upper()), _OF_COUNTRIES.get(place))
    return None if hours is None else timedelta(hours=hours)

"""Answers calls that are not about a followed parcel: remote areas, transit times, air waybills."""

import random
import re
from datetime import UTC, datetime, timedelta

from sandbox.trackingmore.couriers import COUNTRIES, COURIERS, REMOTE_COMPANIES
from sandbox.trackingmore.wire import Code, JsonObject, RefusedError

_AIR_WAYBILL = re.compile(r"(\d{3})[ -]?(\d{7,8})")
_LETTERS = {name.casefold(): letters for letters, name in COUNTRIES.items()}
_FLIGHT = (
    (0, "Received from shipper", "PVG"),
    (9, "Departed", "PVG"),
    (21, "Arrived", "LAX"),
    (25, "Notified for delivery", "LAX"),
    (30, "Delivered", "LAX"),
)
"""The steps of a flight: hours, event and airport."""


def remote(areas: list[JsonObject]) -> JsonObject:
    """Sort places into remote ones, one entry for each company that calls them so, and the others."""
    places: list[JsonObject] = []
    other: list[JsonObject] = []
    for area in areas:
        country, postcode = _required(area, "country"), _required(area, "postcode")
        company = area.get("company")
        if company is not None and str(company).casefold() not in REMOTE_COMPANIES:
            raise RefusedError(Code.BAD_CARRIER, "only DHL, UPS, FedEx and TNT have remote areas")
        letters = country.upper() if len(country) == 2 else _LETTERS.get(country.casefold(), "")
        asked = (str(company).casefold(),) if company else REMOTE_COMPANIES
        of_it = [one for one in asked if _dice(letters, postcode, one).random() < 0.5]
        places += [
            {
                "far_express_company": one,
                "two_code": letters,
                "far_country": COUNTRIES.get(letters, country),
                "far_city_postcode": postcode,
            }
            for one in of_it
        ]
        if not of_it:
            other.append({"country": country, "postcode": postcode})
    return {"submitted": len(areas), "other": other, "remote": places}


def cost_time(route: JsonObject) -> JsonObject:
    """Return how long parcels take on a route: the same for the same route."""
    code = _required(route, "carrier_code")
    if code not in COURIERS:
        raise RefusedError(Code.BAD_CARRIER)
    ends = {name: _required(route, name) for name in ("original", "destination")}
    if not all(re.fullmatch("[A-Za-z]{2}", end) for end in ends.values()):
        raise RefusedError(Code.NOT_UNDERSTOOD, "a country is two letters")
    dice = _dice(code, *(end.upper() for end in ends.values()))
    total = dice.randrange(200, 2000)
    delivered = round(total * dice.uniform(0.8, 0.97))
    weights = [dice.random() for _ in range(5)]
    shares = [round(weight / sum(weights), 2) for weight in weights]
    ranges = {f"range{place}": share for place, share in enumerate(shares, 1)}
    return {"carrier_code": code, **ends, "total": total, "delivered": delivered, **ranges}


def air_waybills(numbers: object) -> list[str]:
    """Read the numbers of air waybills: an array of them; a single one is taken too (assumed)."""
    several = [numbers] if isinstance(numbers, str) else numbers
    if not isinstance(several, list) or not several:
        raise RefusedError(Code.NUMBER_REQUIRED)
    read = []
    for one in several:
        form = _AIR_WAYBILL.fullmatch(one) if isinstance(one, str) else None
        if form is None:
            raise RefusedError(Code.BAD_NUMBER)
        read.append(f"{form[1]}-{form[2]}")
    return read


def flown(number: str, began: datetime, now: datetime, acceleration: float) -> JsonObject:
    """Return the journey of an air waybill, which begins when it is first asked for."""
    dice = _dice(number)
    pieces, weight = dice.randrange(1, 40), dice.randrange(20, 900)
    rows = []
    for hours, event, station in _FLIGHT:
        at = began + timedelta(hours=hours) / acceleration
        local = f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
        rows.append(
            {
                "plan_date": local,
                "actual_date": local if at <= now else None,
                "event": event,
                "station": station,
                "flight_number": f"CK{dice.randrange(200, 300)}",
                "status": event.split()[0].upper()[:3],
                "piece": str(pieces),
                "weight": f"{weight}KG",
            }
        )
    happened = [row for row in rows if row["actual_date"]]
    return {
        "track_number": number,
        "weight": f"{weight}KG",
        "piece": str(pieces),
        "origin": _FLIGHT[0][2],
        "destination": _FLIGHT[-1][2],
        "status_number": 4 if len(happened) == len(rows) else 2,
        "track_info": rows,
    }


def _required(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RefusedError(Code.NOT_UNDERSTOOD, f"{name} is required")
    return value


def _dice(*seed: str) -> random.Random:
    return random.Random(" ".join(seed))  # noqa: S311 - the same for the same question

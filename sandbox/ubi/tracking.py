"""The way of UBI's parcels from China, and eTower's codes for it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sandbox.parcels.places import ahead_of_utc, offset_text
from sandbox.parcels.routes import Event, Kind, Leg, Place, Stage, belated, disordered, journey, known, so_far
from sandbox.ubi.orders import Order, Piece, State
from sandbox.ubi.wire import JsonObject

_ORIGIN = Place("Shenzhen", "Guangdong", country="CN", ahead=ahead_of_utc("CN", ""))
_AIRPORTS = {
    "AU": ("Sydney", "NSW"),
    "CA": ("Vancouver", "BC"),
    "NZ": ("Auckland", ""),
    "US": ("Los Angeles", "CA"),
}
_WORDS: Mapping[Stage | tuple[Stage, Leg], tuple[str, str]] = {
    Stage.LABEL_CREATED: ("INF", "Shipment information received"),
    Stage.PICKED_UP: ("RCV", "Received by UBI facility"),
    (Stage.AT_FACILITY, Leg.ORIGIN): ("SCN", "Processed at origin hub"),
    (Stage.AT_FACILITY, Leg.HUB): ("DVR", "Collected from airport terminal"),
    (Stage.AT_FACILITY, Leg.DESTINATION): ("RCV", "Received at delivery depot"),
    Stage.CUSTOMS_HELD: ("HLD", "Held by customs"),
    Stage.CUSTOMS_CLEARED: ("CCD", "Customs cleared"),
    Stage.ATTEMPTED: ("DLV", "Delivery attempted, nobody home"),
    Stage.REFUSED: ("DLV", "Delivery attempted, refused by recipient"),
    Stage.CARDED: ("DLV", "Delivery attempted, card left"),
    Stage.READY_TO_COLLECT: ("CRD", "Carded, left at nearby facility for collection"),
    Stage.COLLECTED: ("DLD", "Delivered, collected by recipient"),
    Stage.DAMAGED: ("DMG", "Damaged"),
    Stage.LOST: ("LST", "Lost"),
    Stage.RETURNED: ("RTN", "Returned to sender"),
    Stage.DELIVERED: ("DLD", "Delivered"),
}
"""Of what is not here (a van that leaves the depot, say) eTower tells nothing."""

Time = tuple[datetime, float]
"""What the clock shows, and the acceleration."""


def told(order: Order, piece: Piece, time: Time) -> list[JsonObject]:
    """Tell what is known of a parcel, newest first, as the steering words want it."""
    now, _ = time
    events = _journey(order, piece, time) if order.living else ()
    if order.words.has("DISORDER"):
        seen = disordered(known(belated(events), now), f"{piece.tracking_number} {now}")
    else:
        seen = known(events, now)[::-1]
    return [_told(event, piece) for event in seen]


def happened(order: Order, piece: Piece, time: Time) -> list[tuple[Event, str]]:
    """Give what has truly happened to a parcel by now, and eTower's code for it."""
    now, _ = time
    until = min(now, order.entry.refunded_at or now)
    return [(event, _words(event)[0]) for event in so_far(_journey(order, piece, time), until)]


def _journey(order: Order, piece: Piece, time: Time) -> Sequence[Event]:
    """Foretell what eTower will tell; an order that is held goes nowhere."""
    _, acceleration = time
    country, state = str(piece.fields["country"]), str(piece.fields.get("state") or "")
    destination = Place(str(piece.fields["city"]), state, country=country, ahead=ahead_of_utc(country, state))
    city, region = _AIRPORTS.get(country, (destination.city, state))
    airport = Place(city, region, country=country, ahead=ahead_of_utc(country, region))
    events = journey(
        piece.tracking_number,
        order.made_at,
        _ORIGIN,
        destination,
        acceleration,
        kind=Kind.of(order.words),
        hub=airport,
        abroad=country != _ORIGIN.country,
    )
    reported = [event for event in events if _key(event) in _WORDS]
    return reported[:1] if order.state is State.HELD else reported


def _key(event: Event) -> Stage | tuple[Stage, Leg]:
    return event.stage if event.stage in _WORDS else (event.stage, event.leg)


def _words(event: Event) -> tuple[str, str]:
    return _WORDS[_key(event)]


def _told(event: Event, piece: Piece) -> JsonObject:
    """Tell an event as eTower does: local time without an offset, the zone beside it."""
    code, activity = _words(event)
    return {
        "trackingNo": piece.tracking_number,
        "eventTime": f"{event.at.astimezone(event.place.zone):%Y-%m-%dT%H:%M:%S}",
        "eventCode": code,
        "activity": activity,
        "location": event.place.city,
        "referenceTrackingNo": None,
        "destCountry": str(piece.fields["country"]),
        "country": event.place.country,
        "timeZone": f"GMT{offset_text(event.place.ahead)}",
    }

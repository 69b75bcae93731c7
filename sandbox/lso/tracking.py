"""The journeys of the platform's parcels, in its words."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sandbox.controls.ledger import Status
from sandbox.lso.orders import JsonObject, Order
from sandbox.parcels.routes import Event, Kind, Place, Stage, belated, disordered, journey, known, so_far

_ORIGIN, _HUB = Place("Houston", "TX"), Place("Waco", "TX")
_WORDS: Mapping[Stage, tuple[str, str]] = {
    Stage.LABEL_CREATED: ("Label Created", "Shipping label created"),
    Stage.PICKED_UP: ("Picked Up", "Picked up from shipper"),
    Stage.AT_FACILITY: ("In Transit", "Arrived at LSO facility"),
    Stage.IN_TRANSIT: ("In Transit", "Departed LSO facility"),
    Stage.CUSTOMS_HELD: ("Exception", "Held for inspection"),
    Stage.CUSTOMS_CLEARED: ("In Transit", "Released from inspection"),
    Stage.OUT_FOR_DELIVERY: ("Out for Delivery", "With courier for delivery"),
    Stage.ATTEMPTED: ("Attempted", "Delivery attempted, recipient not available"),
    Stage.REFUSED: ("Attempted", "Delivery attempted, refused by recipient"),
    Stage.REDELIVERY: ("In Transit", "Back at LSO facility, delivery rescheduled"),
    Stage.CARDED: ("Attempted", "Delivery attempted, notice left"),
    Stage.READY_TO_COLLECT: ("Available for Pickup", "Held at LSO location for recipient"),
    Stage.COLLECTED: ("Delivered", "Collected by recipient"),
    Stage.DAMAGED: ("Exception", "Package damaged"),
    Stage.UNDELIVERABLE: ("Exception", "Package damaged, cannot be delivered"),
    Stage.LOST: ("Exception", "Package cannot be located"),
    Stage.RETURNING: ("Exception", "Undeliverable, going back to shipper"),
    Stage.RETURNED: ("Returned", "Returned to shipper"),
    Stage.DELIVERED: ("Delivered", "Delivered"),
}


Time = tuple[datetime, float]
"""What the clock shows, and the acceleration."""


def told(order: Order, number: str, time: Time) -> list[JsonObject]:
    """Return what is known of one of the order's parcels, as the steering words ask for it."""
    now, acceleration = time
    events, until = _journey(order, number, acceleration), _until(order, now)
    if order.words.has("DISORDER"):
        events = disordered(known(belated(events), until), f"{number} {now}")
    return [_told(event) for event in known(events, until)]


def happened(order: Order, number: str, time: Time) -> list[tuple[Event, str]]:
    """Return what has truly happened to a parcel by now, with the platform's words."""
    now, acceleration = time
    events = so_far(_journey(order, number, acceleration), _until(order, now))
    return [(event, _WORDS[event.stage][0]) for event in events]


def _until(order: Order, now: datetime) -> datetime:
    """Return until when it travels: a refunded parcel stops."""
    return min(now, order.entry.refunded_at or now)


def _journey(order: Order, number: str, acceleration: float) -> Sequence[Event]:
    entry, shipment = order.entry, order.request.shipment
    if entry.status is not Status.COMPLETED or entry.finished_at is None:
        return ()
    destination = Place(shipment.city, shipment.province, shipment.postcode)
    kind = Kind.of(order.words)
    return journey(number, entry.finished_at, _ORIGIN, destination, acceleration, kind=kind, hub=_HUB)


def _told(event: Event) -> JsonObject:
    status, description = _WORDS[event.stage]
    return {
        "time": f"{event.at:%Y-%m-%d %H:%M:%S}",
        "status": status,
        "description": description,
        "city": event.place.city,
        "state": event.place.state,
    }

"""What of an order and of a tracking says who the recipient is, and what stays when that is erased.

An erased order keeps its money, numbers, weights, status, carrier and times, and the country that it went to.
It loses its addresses, the texts and numbers by which a person could be named, and its label. An erased
tracking keeps its status and the times, codes and countries of its events.

The fields are named once, for documents: the JSON of a stored order or tracking, and of what the API showed
of one, which has the same names. A field that a document does not have is not added.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from parcelgate.domain.orders import Label, LabelStatus, Order, OrderEvent
from parcelgate.domain.trackings import Tracking

ERASED = "erased"
"""Stands where a text must stand."""

type Document = dict[str, Any]

_ORDER: Document = {
    "ship_from": None,
    "return_to": None,
    "metadata": {},
    "warnings": [],
    "carrier_details": {},
}
_PARCEL: Document = dict.fromkeys(
    ("secondary_reference", "description", "native_description", "sku_on_label")
)
_ITEM: Document = {"description": ERASED, "native_description": None, "url": None}
_CUSTOMS: Document = dict.fromkeys(
    ("description", "native_description", "vendor_id", "gst_exemption_code", "abn", "sender_tax_id")
)
_OPTIONS: Document = {"instruction": None, "sender_name": None}
_PROBLEM: Document = {"errors": []}
_TRACKING: Document = {
    "title": None,
    "customer": None,
    "note": None,
    "signed_by": None,
    "estimated_delivery": None,
    "proof": None,
    "proof_of_delivery": None,
    "destination_state": None,
    "metadata": {},
}
_EVENT: Document = {"description": ERASED, "city": None, "state": None, "postcode": None, "place": None}
_LOCATION: Document = dict.fromkeys(("city", "state", "postcode", "text"))

_encoder = msgspec.json.Encoder(decimal_format="string")
_orders = msgspec.json.Decoder(Order)
_trackings = msgspec.json.Decoder(Tracking)


def order_document(document: Document) -> Document:
    """The document of an order without its person."""
    after = _without(document, _ORDER)
    if after.get("ship_to"):
        place = {name: ERASED if name in ("name", "line1", "city") else None for name in after["ship_to"]}
        after["ship_to"] = place | {"country": after["ship_to"].get("country")}
    after["parcels"] = [_parcel(parcel) for parcel in document.get("parcels") or ()]
    for name, texts in (("customs", _CUSTOMS), ("options", _OPTIONS)):
        if after.get(name):
            after[name] = _without(after[name], texts)
    for name in ("problem", "attention"):
        after |= _problem_in(after, name)
    waiting = after.get("waiting")
    if waiting and waiting.get("last_error"):
        after["waiting"] = waiting | {"last_error": waiting["last_error"] | {"message": ERASED}}
    return after


def tracking_document(document: Document) -> Document:
    """The document of a tracking without its person."""
    after = _without(document, _TRACKING)
    after["events"] = [_event(event) for event in document.get("events") or ()]
    return after


def without_person(order: Order) -> Order:
    """The order without its person and its label. Of one that is so already nothing changes."""
    label = msgspec.structs.replace(
        order.label, status=LabelStatus.UNAVAILABLE, document=None, parcels=(), last_try=False
    )
    document = order_document(msgspec.json.decode(_encoder.encode(order)))
    return msgspec.structs.replace(_orders.decode(_encoder.encode(document)), label=label)


def erased_facts(order: Order, *, at: datetime) -> dict[str, Any]:
    """The fields of an order that erasing its person changes. The order waits for nothing then.

    The label's revision moves on, so that a label that is on its way is not used.
    """
    bare = without_person(order)
    label: Label = msgspec.structs.replace(bare.label, revision=order.label.revision + 1)
    changed = {
        name: value
        for name in Order.__struct_fields__
        if (value := getattr(bare, name)) != getattr(order, name)
    }
    return changed | {"label": label, "erased_at": at, "watch_at": None, "waiting": None}


def tracking_without_person(tracking: Tracking) -> Tracking:
    """The tracking without its person."""
    return _trackings.decode(
        _encoder.encode(tracking_document(msgspec.json.decode(_encoder.encode(tracking))))
    )


def erased_tracking(tracking: Tracking, *, at: datetime) -> Tracking:
    """The next version of the tracking, without its person."""
    return msgspec.structs.replace(
        tracking_without_person(tracking), erased_at=at, updated_at=at, version=tracking.version + 1
    )


def event_without_words(event: OrderEvent) -> OrderEvent:
    """A line of the audit trail without the carrier's message, which may quote an address. Its code stays."""
    if event.carrier is None or not event.carrier.message:
        return event
    return msgspec.structs.replace(event, carrier=msgspec.structs.replace(event.carrier, message=""))


def _without(document: Document, texts: Mapping[str, Any]) -> Document:
    return document | {name: value for name, value in texts.items() if name in document}


def _parcel(parcel: Document) -> Document:
    after = _without(parcel, _PARCEL) | _problem_in(parcel, "problem")
    if "items" in after:
        after["items"] = [_without(item, _ITEM) for item in after["items"]]
    return after


def _problem_in(document: Document, name: str) -> Document:
    problem = document.get(name)
    if not problem:
        return {}
    words = problem.get("carrier")
    bare = _without(problem, _PROBLEM)
    return {name: bare | ({"carrier": words | {"message": ""}} if words else {})}


def _event(event: Document) -> Document:
    after = _without(event, _EVENT)
    if after.get("location"):
        after["location"] = _without(after["location"], _LOCATION)
    return after

"""The journeys of LME's parcels, and their events in routes and pushes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sandbox.lme.orders import JsonObject, Order, warehouse
from sandbox.parcels.places import ahead_of_utc
from sandbox.parcels.routes import (
    Event,
    Kind,
    Leg,
    Place,
    Stage,
    belated,
    disordered,
    journey,
    known,
    repeated,
    sent_back,
    so_far,
)

_HUBS: Mapping[str, tuple[str, str, str]] = {
    "AU": ("Derrimut", "Victoria", "3030"),
    "NZ": ("Christchurch", "Canterbury", "8011"),
    "US": ("Dallas", "Texas", "75201"),
    "CA": ("Calgary", "Alberta", "T2P 1J9"),
}
_POST_HUBS: Mapping[str, tuple[str, str, str]] = {
    "Queensland": ("Brisbane", "Queensland", "4000"),
    "South Australia": ("Adelaide", "South Australia", "5000"),
    "Western Australia": ("Perth", "Western Australia", "6000"),
    "Tasmania": ("Hobart", "Tasmania", "7000"),
    "Northern Territory": ("Darwin", "Northern Territory", "0800"),
}
"""The states of Australia in which LME hands its parcels to Australia Post."""

_Step = Stage | tuple[Stage, Leg]
_ARRIVED = "Parcel arrived at warehouse {city}"
_LEFT = "Parcel left warehouse {city} and being transported to {to}"
_SIGNED = ("sign_in", "Your parcel has been delivered.")
_WORDS: Mapping[_Step, tuple[str, str]] = {
    Stage.LABEL_CREATED: ("create_order", "Order created by {sender}"),
    Stage.PICKED_UP: ("collect_order", _ARRIVED),
    (Stage.AT_FACILITY, Leg.ORIGIN): ("order_sorting_finish", "Warehouse sorting completed"),
    (Stage.IN_TRANSIT, Leg.ORIGIN): ("allocate_out", _LEFT),
    (Stage.AT_FACILITY, Leg.HUB): ("allocate_in", f"{_ARRIVED}. We will deliver within 3 working days"),
    Stage.CUSTOMS_HELD: (
        "block_remove_package_abnormal_remark",
        "Removed and marked as abnormal, reason customs inspection",
    ),
    Stage.CUSTOMS_CLEARED: ("order_sorting_finish", "Warehouse sorting completed"),
    (Stage.IN_TRANSIT, Leg.HUB): ("allocate_order", _LEFT),
    Stage.FORWARDED: (
        "transport_order",
        "Your parcel has been forwarded to Australia Post, Tracking Number: {post}",
    ),
    (Stage.AT_FACILITY, Leg.DESTINATION): ("deliver_in_warehose", _ARRIVED),
    Stage.OUT_FOR_DELIVERY: (
        "out_warehorse_2",
        "Parcel left warehouse {city} and being delivered by Liu",
    ),
    Stage.ATTEMPTED: (
        "exception_change_data_1",
        "Rescheduled-unable to contact: Liu could not contact recipent and has rescheduled the delivery. "
        "Parcel is expected to be redelivered within two days.",
    ),
    Stage.REDELIVERY: (
        "reassign",
        "The delivery has not been completed. parcel has been returned to the warehoused, "
        "and will be redeliverd for you as soon as possible.",
    ),
    Stage.REFUSED: ("exception_reject", "Rejected: You have rejected parcel."),
    Stage.CARDED: (
        "no_safe_no_way_contact",
        "here is no safe place for the parcel, and the recipient cannot be contacted",
    ),
    Stage.COLLECTED: _SIGNED,
    Stage.DAMAGED: (
        "exception_breakage",
        "Liu Mark as damaged. The parcel is about to return to the warehouse, "
        "please wait for further processing.",
    ),
    Stage.UNDELIVERABLE: ("damage_warehouse_out", "Undelivered, please contact customer service."),
    Stage.LOST: ("lost", "Parcel lost, please contact customer service."),
    Stage.RETURNING: (
        "exception_withdrawing_re_in_warehouse",
        "Your parcel has been withdrawn according to the sender's request",
    ),
    Stage.RETURNED: ("refund_warehouse_out", "Undelivered, please contact customer service."),
    Stage.DELIVERED: ("sign_image", "Your parcel has been delivered."),
}
_OTHER_WORDS: Mapping[Kind, Mapping[_Step, tuple[str, str]]] = {
    Kind.ATTEMPT: {Stage.DELIVERED: _SIGNED},
    Kind.FORWARDED: {
        (Stage.AT_FACILITY, Leg.DESTINATION): ("transport_order_v2", "Item processed at facility, {city}"),
        Stage.OUT_FOR_DELIVERY: ("to_be_delivered", "Onboard for delivery, {city}"),
        Stage.DELIVERED: _SIGNED,
    },
    Kind.COLLECT_POINT: {
        Stage.READY_TO_COLLECT: ("transport_order_v2", "Awaiting collection at {city} Post Office"),
    },
}
_BACK_AT_THE_SENDER = {Stage.RETURNED: _SIGNED}
"""The end of a return that the sender asked for (assumed)."""
_AWAY = frozenset({Stage.FORWARDED, Stage.OUT_FOR_DELIVERY, Stage.LOST, Stage.DELIVERED})
_OVER = frozenset({Stage.LOST, Stage.DELIVERED, Stage.COLLECTED, Stage.RETURNED})

Time = tuple[datetime, float]
"""What the clock shows, and the acceleration."""


def route(order: Order, time: Time, *, version: int) -> list[JsonObject]:
    """Return the answer to a route of either version: the known events, as the steering words say."""
    now, acceleration = time
    events, until = _journey(order, acceleration), _until(order, now)
    if order.words.has("DISORDER"):
        events = disordered(known(belated(events), until), f"{order.number} {now}")
    tell = _told_v1 if version == 1 else _told_v2
    return [tell(order, event) for event in known(events, until)]


def pushes(order: Order, acceleration: float) -> list[Event]:
    """Return the events that will be pushed, each at its `seen_at`."""
    events = _journey(order, acceleration)
    pushed_events = repeated(belated(events)) if order.words.has("DISORDER") else [*events]
    # Events that were known before the return began were pushed on the way out.
    return [
        event for event in pushed_events if order.sent_back_at is None or event.seen_at > order.sent_back_at
    ]


def pushed(order: Order, event: Event) -> JsonObject:
    """Return an event as a push has it, in the version that the steering words ask for."""
    if order.words.has("PUSHV1"):
        body = _told_v1(order, event)
        names = ("orderNo", "action", "operatorTime", "utcOperatorTime", "timeZone", "routingDescription")
        fields = {name: body[name] for name in names}
        more = {"channel": order.entry.account, "occurLocation": body["orderLocation"]}
        return fields | more | {"updatedTime": body["updatedTime"]}
    body = _told_v2(order, event)
    return {
        name: value
        for name, value in body.items()
        if value is not None and name not in {"utcOperatorTime", "driverPrivacyMobile"}
    }


def happened(order: Order, time: Time) -> list[tuple[Event, str]]:
    """Return what has truly happened to the parcel by now, with LME's codes."""
    now, acceleration = time
    events = so_far(_journey(order, acceleration), _until(order, now))
    return [(event, code_of(order, event)) for event in events]


def code_of(order: Order, event: Event) -> str:
    """Give LME's code of an event."""
    return _said(order, event)[0]


def is_away(order: Order, time: Time) -> bool:
    """Return whether it is too late to cancel or to change the order."""
    return order.words.has("COLLECTED") or any(event.stage in _AWAY for event, _ in happened(order, time))


def is_over(order: Order, time: Time) -> bool:
    """Return whether the parcel's journey has ended."""
    return any(event.stage in _OVER for event, _ in happened(order, time))


def is_with_post(order: Order, time: Time) -> bool:
    """Return whether the parcel was handed to Australia Post."""
    return any(event.stage is Stage.FORWARDED for event, _ in happened(order, time))


def comes_back(order: Order, time: Time) -> bool:
    """Return whether the parcel is on its way back, or will be."""
    turned = any(event.stage is Stage.RETURNING for event, _ in happened(order, time))
    return turned or order.sent_back_at is not None


def _until(order: Order, now: datetime) -> datetime:
    """Return until when it travels: the parcel of a cancelled order stops."""
    return min(now, order.entry.refunded_at or now)


def _kind(order: Order) -> Kind:
    kind, to = Kind.of(order.words), order.request.receiver
    goes_by_post = to.zone_code == "AU" and to.province in _POST_HUBS
    return Kind.FORWARDED if kind is Kind.ORDINARY and goes_by_post else kind


def _journey(order: Order, acceleration: float) -> Sequence[Event]:
    """Return all events that LME will report; steps for which LME has no code are left out."""
    to, kind = order.request.receiver, _kind(order)
    origin = warehouse(to)
    country = origin.country
    hub = _HUBS[country]
    if country == "AU":
        hub = _POST_HUBS.get(to.province, hub)
    destination = _place(country, to.city, to.province, to.postcode)
    events = journey(
        order.number,
        order.entry.committed_at,
        origin,
        destination,
        acceleration,
        kind=kind,
        hub=_place(country, *hub),
    )
    words = _words(order)
    reported = [event for event in events if _step(words, event) in words]
    if order.words.has("HANDEDON"):
        handed_on = [place for place, event in enumerate(reported) if event.stage is Stage.FORWARDED]
        reported = reported[: handed_on[0] + 1] if handed_on else reported
    if order.sent_back_at is not None:
        return sent_back(reported, order.sent_back_at, origin, acceleration)
    return reported


def _words(order: Order) -> Mapping[_Step, tuple[str, str]]:
    """Choose the words of an event; those of Australia Post exist in Australia alone."""
    kind = _kind(order)
    back = {} if order.sent_back_at is None else _BACK_AT_THE_SENDER
    if kind is Kind.COLLECT_POINT and order.request.receiver.zone_code != "AU":
        return {**_WORDS, **back}
    return {**_WORDS, **_OTHER_WORDS.get(kind, {}), **back}


def _place(country: str, city: str, province: str, postcode: str) -> Place:
    return Place(city, province, postcode, country, ahead_of_utc(country, province))


def _step(words: Mapping[_Step, object], event: Event) -> _Step:
    return event.stage if event.stage in words else (event.stage, event.leg)


def _told_v1(order: Order, event: Event) -> JsonObject:
    place = event.place
    code, text = _said(order, event)
    pictures = _pictures(order, code)
    return {
        "orderNo": order.number,
        "outOrderNo": order.entry.reference,
        "action": code,
        "operatorTime": f"{event.at.astimezone(place.zone):%Y-%m-%d %H:%M:%S}",
        "utcOperatorTime": f"{event.at:%Y-%m-%d %H:%M:%S}",
        "timeZone": _zone(place.ahead),
        "routingDescription": text,
        "orderLocation": f"{place.city}, {place.state}",
        "updatedTime": int(event.seen_at.timestamp() * 1000),
        "imageUrls": pictures["imageUrl"],
        "shippingAddressImageUrl": pictures["shippingAddressImageUrl"],
    }


def _told_v2(order: Order, event: Event) -> JsonObject:
    older, place = _told_v1(order, event), event.place
    del older["updatedTime"], older["imageUrls"]
    code = older["action"]
    return older | {
        "channel": order.entry.account,
        "eventCode": code,
        "eventTime": older["operatorTime"],
        "event": older["routingDescription"],
        "eventCity": place.city,
        "eventState": place.state,
        "eventZipCode": place.postcode,
        "eventCountry": order.request.receiver.country,
        "updateTime": f"{event.seen_at.astimezone(place.zone):%Y-%m-%dT%H:%M:%S}.{event.seen_at:%f}0",
        "trackNo": _post_number(order) if _is_with_post(order, event) else None,
        "driverPrivacyMobile": "0400000000" if code == "out_warehorse_2" else None,
        **_pictures(order, code),
    }


def _said(order: Order, event: Event) -> tuple[str, str]:
    words = _words(order)
    code, text = words[_step(words, event)]
    return code, text.format(
        city=event.place.city,
        to=order.request.receiver.city,
        sender=order.request.poster.contact,
        post=_post_number(order),
    )


def _pictures(order: Order, code: str) -> dict[str, str | None]:
    """Return the addresses of the pictures of a parcel that was left at the door."""
    url = f"https://pictures.example/{order.number}" if code == "sign_image" else None
    return {
        "imageUrl": url and f"{url}/parcel.jpg",
        "shippingAddressImageUrl": url and f"{url}/address.jpg",
    }


def _is_with_post(order: Order, event: Event) -> bool:
    handed_over = event.leg is Leg.DESTINATION or event.stage is Stage.FORWARDED
    return _kind(order) is Kind.FORWARDED and handed_over


def _post_number(order: Order) -> str:
    """Give the parcel's number at Australia Post."""
    return f"33FHE{order.number[-8:]}"


def _zone(ahead: timedelta) -> str:
    """Write an offset as `UTC+10`, or `UTC+9:30`."""
    hours, minutes = divmod(round(ahead.total_seconds() / 60), 60)
    return f"UTC{hours:+d}" + (f":{minutes:02d}" if minutes else "")

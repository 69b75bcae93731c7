"""Between our words and LME's, both ways. Pure: no I/O, no clock.

What is sent is public save where it says assumed; see `validation.FIELDS` for every field of ours.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any

import msgspec

from parcelgate.carriers.lme import codes, wire
from parcelgate.carriers.lme.countries import NAMES, country_code
from parcelgate.carriers.lme.settings import CarrierSettings
from parcelgate.carriers.results import (
    AddressCheck,
    Confirmed,
    Failed,
    LabelFile,
    Mismatch,
    OrderResult,
    ParcelHistory,
    ParcelResult,
    Pending,
)
from parcelgate.carriers.toolkit import documents
from parcelgate.carriers.toolkit.comparison import bare, plain_details
from parcelgate.carriers.toolkit.times import Moment, nearest, offset_text, read_time, read_zone
from parcelgate.domain.addresses import Address, state_code, state_name
from parcelgate.domain.measures import LengthUnit, WeightUnit, rounded
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import CarrierWords, FieldError
from parcelgate.domain.trackings import (
    NextCarrier,
    OtherNumber,
    ProofOfDelivery,
    TrackingEvent,
    same_number,
)

CARRIER = "lme"


# Ours to theirs.


def create(
    order: Order, *, channel: str, sender: Address, settings: CarrierSettings, now: datetime
) -> wire.OrderCreate:
    """The order as createOrder wants it. `order` has passed `validation.examine` on this account."""
    return wire.OrderCreate(**_order(order, channel, sender, settings, now))


def update(
    order: Order, *, channel: str, sender: Address, settings: CarrierSettings, now: datetime
) -> wire.OrderUpdate:
    """The changed order: createOrder's fields and LME's number (assumed)."""
    number = order.carrier_order_number
    return wire.OrderUpdate(**{**_order(order, channel, sender, settings, now), "order_no": number})


def _order(
    order: Order, channel: str, sender: Address, settings: CarrierSettings, now: datetime
) -> dict[str, Any]:
    (parcel,) = order.parcels
    begins, ends = window(order, settings, now)
    sides: tuple[Decimal | None, ...] = (None, None, None)
    if parcel.dimensions is not None:
        sides = tuple(rounded(side, 3) for side in parcel.dimensions.to(LengthUnit.M))
    length, width, height = sides
    return {
        "out_order_no": order.reference,
        "channel": channel,
        "order_no": parcel.tracking_number or None,
        "pre_time_start": begins,
        "pre_time_end": ends,
        "cargo_desc": cargo(order),
        "remark": order.options.instruction or None,
        "total_length": length,
        "total_width": width,
        "total_height": height,
        "total_weight": rounded(parcel.weight.to(WeightUnit.KG), 3),
        "poster": _contact(sender, settings),
        "receiver": _contact(order.ship_to, settings),
    }


def cargo(order: Order) -> str | None:
    """What is in the parcel: the customs description, else the parcel's own (assumed)."""
    described = order.customs.description if order.customs else None
    return described or order.parcels[0].description or None


def window(order: Order, settings: CarrierSettings, now: datetime) -> tuple[str, str]:
    """`preTimeStart` and `preTimeEnd` in the account's zone; tomorrow's usual hours when none is given."""
    asked = order.options.delivery_window
    if asked is not None:
        begins, ends = asked.from_.astimezone(settings.zone), asked.to.astimezone(settings.zone)
    else:
        tomorrow = (now.astimezone(settings.zone) + timedelta(days=1)).date()
        begins, ends = (datetime.combine(tomorrow, hour) for hour in settings.window)
    return f"{begins:%Y-%m-%d %H:%M:%S}", f"{ends:%Y-%m-%d %H:%M:%S}"


def _contact(address: Address, settings: CarrierSettings) -> wire.Contact:
    return wire.Contact(
        contact=address.name,
        mobile=address.phone or settings.missing_phone,
        company=address.company or None,
        email=address.email or None,
        zone_code=address.country,
        country=NAMES[address.country],
        province=province(address),
        city=address.city,
        address=lines(address),
        post_code=address.postcode or None,
    )


def lines(address: Address) -> str:
    """All lines of an address in one."""
    return ", ".join(line for line in (address.line1, address.line2, address.line3) if line)


def province(address: Address) -> str | None:
    """The state by its full name, where we know the country's states; otherwise as it was given."""
    if not address.state:
        return None
    return state_name(address.country, address.state) or address.state


def address_query(address: Address) -> wire.AddressQuery:
    """The address as the check wants it (assumed)."""
    return wire.AddressQuery(
        country=NAMES.get(address.country, address.country),
        province=province(address),
        city=address.city,
        post_code=address.postcode or None,
        address=lines(address),
    )


# Theirs to ours: orders.


def words(answer: wire.Answer) -> CarrierWords:
    """What LME said."""
    return CarrierWords(CARRIER, answer.code, answer.message)


def order_data(answer: wire.Answer) -> wire.OrderData | None:
    """The order in an answer; None when there is none."""
    data = answer.data
    if isinstance(data, list):
        data = data[0] if len(data) == 1 else None
    return wire.OrderData.model_validate(data) if isinstance(data, dict) and data else None


def confirmed(order: Order, data: wire.OrderData) -> Confirmed | Mismatch | Pending:
    """An order with its number, which is the parcel's tracking number too."""
    if data.out_order_no not in {None, order.reference.strip()}:
        detail = "The answer is about another reference."
        return Mismatch(detail=detail, carrier_order_number=order.carrier_order_number)
    number = data.order_no
    if number is None:
        return Pending(reason="the order has no number yet", carrier_order_number=order.carrier_order_number)
    if order.carrier_order_number not in {None, number}:
        return Mismatch(
            detail="The answer is about another order number.",
            carrier_order_number=order.carrier_order_number,
        )
    return Confirmed(
        carrier_order_number=number,
        parcels=(ParcelResult(reference=order.parcels[0].reference, tracking_number=number),),
        details=_rest(data),
    )


def found(order: Order, data: wire.OrderData, settings: CarrierSettings) -> OrderResult:
    """What an order found under our reference makes of ours: only our own is adopted, and only a live one."""
    result = confirmed(order, data)
    if not isinstance(result, Confirmed):
        return result
    if data.order_stage is not None and data.order_stage in settings.cancelled_stages:
        told = CarrierWords(CARRIER, data.order_stage, "The order was cancelled.")
        return Failed(words=told, carrier_order_number=result.carrier_order_number)
    if not _is_ours(order, data.receiver):
        return Mismatch(
            detail="Another parcel stands under this reference.",
            carrier_order_number=result.carrier_order_number,
        )
    return result


def _is_ours(order: Order, told: wire.Party) -> bool:
    """Whether the receiver is ours: what LME does not tell, or masks, is passed over (assumed)."""
    to = order.ship_to
    pairs = ((told.contact, to.name), (told.address, lines(to)), (told.post_code, to.postcode))
    return all(
        theirs is None or "*" in theirs or not ours or bare(theirs) == bare(ours) for theirs, ours in pairs
    )


_ELSEWHERE = {
    "orderNo", "outOrderNo", "channel", "preTimeStart", "preTimeEnd", "totalLength", "totalWidth",
    "totalHeight", "totalWeight", "cargoDesc", "cargoDetail", "remark",
}  # fmt: skip


def _rest(data: wire.OrderData) -> dict[str, Any]:
    """What LME added, by its own names: plain values alone, decimals as text."""
    told = {**data.model_dump(by_alias=True, exclude={"receiver"}), **(data.model_extra or {})}
    return plain_details(told, _ELSEWHERE)


# Theirs to ours: addresses and labels.


def address_check(address: Address, answer: wire.Answer) -> AddressCheck | None:
    """What the check says (assumed); None when it says nothing."""
    data = wire.AddressData.model_validate(answer.data if isinstance(answer.data, dict) else {})
    if data.is_valid is None:
        return None
    suggestion = _suggested(address, wire.Suggestion.model_validate(data.suggest))
    if data.is_valid:
        return AddressCheck(valid=True, suggestion=suggestion)
    message = data.message or "LME does not know this address."
    pointer = (codes.pointer_in(message) or "/ship_to").replace("/ship_to", "/address")
    return AddressCheck(
        valid=False, messages=(FieldError(pointer, "invalid", message),), suggestion=suggestion
    )


def _suggested(address: Address, told: wire.Suggestion) -> Address | None:
    """The address as LME would rather have it; None when it adds nothing."""
    country = country_code(told.country) if told.country else None
    country = country or address.country
    state = told.province and (state_code(country, told.province) or told.province)
    theirs = {"country": country, "city": told.city, "postcode": told.post_code, "state": state}
    changes: dict[str, Any] = {
        name: value
        for name, value in theirs.items()
        if value is not None and bare(value) != bare(getattr(address, name) or "")
    }
    if "state" in changes and address.state and state_code(country, address.state) == state:
        del changes["state"]
    if told.address and bare(told.address) != bare(lines(address)):
        changes |= {"line1": told.address, "line2": None, "line3": None}
    return msgspec.structs.replace(address, **changes) if changes else None


def label_data(answer: wire.Answer) -> wire.LabelData:
    """The label of an answer, bare or as the one entry of a list (assumed)."""
    data = answer.data
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    return wire.LabelData.model_validate(data if isinstance(data, dict) else {})


def label_file(order: Order, content: bytes | None) -> LabelFile | None:
    """The file, checked by its first bytes and its size; None when it is no label."""
    return documents.label_file(order.parcels[0].reference, content)


# Theirs to ours: journeys.


def history(number: str, answer: wire.Answer, settings: CarrierSettings) -> tuple[ParcelHistory, int]:
    """The journey in a route of either version, and how many of its events had to be set aside."""
    routes = wire.objects(answer.data, "orderRoutes", "orderRouteList", "routes", "list") or []
    return _history(number, routes, settings)


def pushed(fields: Mapping[str, Any], settings: CarrierSettings) -> tuple[ParcelHistory | None, str | None]:
    """The one event of a push, and the order's reference; None for a push that names no order."""
    told = wire.RouteEvent.model_validate(fields)
    if told.order_no is None:
        return None, told.out_order_no
    journey, _ = _history(told.order_no, [dict(fields)], settings)
    return journey, told.out_order_no


def channel(fields: Mapping[str, Any]) -> str | None:
    """Whose orders a push is about, in small letters: the app key (public: "same as appkey")."""
    told = wire.RouteEvent.model_validate(fields).channel
    return told.casefold() if told else None


def _history(
    number: str, routes: list[dict[str, Any]], settings: CarrierSettings
) -> tuple[ParcelHistory, int]:
    told = [wire.RouteEvent.model_validate(route) for route in routes]
    ours = [route for route in told if route.order_no is None or same_number(route.order_no, number)]
    read = [(route, event(route, settings)) for route in ours]
    events = [(route, entry) for route, entry in read if entry is not None]
    there = [_next(number, route, entry, settings) for route, entry in events]
    next_carriers = [one for one in there if one is not None]
    by_number = {
        one.tracking_number: OtherNumber(one.tracking_number, one.carrier_code) for one in next_carriers
    }
    for route, _ in events:
        if route.track_no and not same_number(route.track_no, number):
            by_number.setdefault(route.track_no, OtherNumber(route.track_no))
    found = ParcelHistory(
        tracking_number=number,
        events=tuple(entry for _, entry in events),
        other_numbers=tuple(by_number.values()),
        next_carrier=max(next_carriers, default=None),
        proof=_proof(events, settings),
    )
    return found, len(told) - len(events)


def _next(
    number: str, route: wire.RouteEvent, entry: TrackingEvent, settings: CarrierSettings
) -> NextCarrier | None:
    """Who takes the parcel on, where the event tells it: in its field, else in its text (documented)."""
    if _code(route) not in codes.FORWARDED:
        return None
    texts = (route.event, route.routing_description)
    told = route.track_no or next(
        (found for text in texts if text and (found := codes.next_number(text))), None
    )
    if told is None or same_number(told, number):
        return None
    return NextCarrier(entry.at, codes.NEXT_CARRIER, told, followed=settings.follow_next_carrier)


def _proof(
    events: list[tuple[wire.RouteEvent, TrackingEvent]], settings: CarrierSettings
) -> ProofOfDelivery | None:
    """The newest pictures; they open for 30 days (documented: pushes of `sign_image`; routes: public)."""
    pictured = [
        (entry.at, image, route.shipping_address_image_url)
        for route, entry in events
        if (image := route.image_url or route.image_urls) or route.shipping_address_image_url
    ]
    if not pictured:
        return None
    at, image, address_image = max(pictured, key=lambda picture: picture[0])
    return ProofOfDelivery(
        image_url=image, address_image_url=address_image, expires_at=at + timedelta(days=settings.image_days)
    )


def _code(told: wire.RouteEvent) -> str:
    """The code by which an event is understood: `eventCode`, else an `action` that is known."""
    names = [name for name in (told.event_code, told.action) if name]
    known = next((name for name in names if codes.action(name)), None)
    return (known or (names[0] if names else "")).strip().casefold()


def event(told: wire.RouteEvent, settings: CarrierSettings) -> TrackingEvent | None:
    """One event; None without a readable time. A code in no table has no status (never guessed).

    The newer names win: `eventCode` over `action`, `eventTime` over `operatorTime`, `event` over
    `routingDescription` (public: the old ones are marked so). An `action` that is known tells what an
    `eventCode` means that is not. One event may come with `orderLocation`, with city and state, or with
    neither, so the place is no part of what it is known by.
    """
    moment = read_moment(told, settings)
    if moment is None:
        return None
    code = told.event_code or told.action or ""
    known = codes.action(_code(told))
    place = told.order_location or told.occur_location
    country = told.event_country
    return TrackingEvent(
        at=moment.at,
        code=code,
        description=told.event or told.routing_description or code,
        status=known.status if known else None,
        sub_status=known.sub_status if known else None,
        is_housekeeping=known is not None and known.status is None,
        leaves=known.leaves if known else (),
        utc_offset=moment.utc_offset,
        at_is_local=moment.at_is_local,
        city=told.event_city,
        state=told.event_state,
        postcode=told.event_zip_code,
        country=country and (country_code(country) or country),
        place=place or ", ".join(part for part in (told.event_city, told.event_state) if part) or None,
        is_known_by_place=False,
        # Whether a row is shown of which nobody knows anything, nobody knows.
        visible_to_recipient=known is not None and known.shown,
    )


def read_moment(told: wire.RouteEvent, settings: CarrierSettings) -> Moment | None:
    """When an event happened: its time in `timeZone`; without a readable zone by `utcOperatorTime`.

    Of an hour that its zone has twice, the one that `utcOperatorTime` is nearer to. Where nothing tells the
    zone, the time is taken for the account's and marked as local. `updateTime` stands in where an event has
    no other time.
    """
    texts = (told.event_time, told.operator_time, told.update_time, told.updated_time)
    local = next((time for text in texts[:2] if (time := read_time(text))), None)
    in_utc = read_time(told.utc_operator_time)
    if in_utc is not None and in_utc.tzinfo is None:
        in_utc = in_utc.replace(tzinfo=UTC)
    if local is None and in_utc is None:
        local = next((time for text in texts[2:] if (time := read_time(text))), None)
    try:
        if local is None:
            return None if in_utc is None else Moment(in_utc.astimezone(UTC), "+00:00", False)
        if local.tzinfo is None and (zone := read_zone(told.time_zone)):
            local = nearest(local.replace(tzinfo=zone), in_utc)
        if local.tzinfo is None and in_utc is not None and (by_both := _between(local, in_utc)):
            local = local.replace(tzinfo=by_both)
        if local.tzinfo is None:
            return Moment(local.replace(tzinfo=settings.zone).astimezone(UTC), None, True)
        return Moment(local.astimezone(UTC), offset_text(local.utcoffset() or timedelta(0)), False)
    except OverflowError:
        return None


def _between(local: datetime, in_utc: datetime) -> tzinfo | None:
    """The zone that makes of the local time the one in UTC, where that is a zone there can be."""
    away = local - in_utc.replace(tzinfo=None)
    whole = away % timedelta(minutes=15) == timedelta(0)
    return timezone(away) if whole and abs(away) <= timedelta(hours=14) else None

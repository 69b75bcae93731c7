"""Read the journeys of parcels from LME's replies and pushes. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from parcelgate.carriers.lme import codes, wire
from parcelgate.carriers.lme.settings import CarrierSettings
from parcelgate.carriers.results import (
    ParcelHistory,
)
from parcelgate.carriers.toolkit.times import Moment, nearest, offset_text, read_time, read_zone
from parcelgate.domain.places.countries import country_code
from parcelgate.domain.trackings import (
    NextCarrier,
    OtherNumber,
    ProofOfDelivery,
    TrackingEvent,
    number_key,
    same_number,
)


def histories(number: str, answer: wire.Answer, settings: CarrierSettings) -> tuple[list[ParcelHistory], int]:
    """Return the journey in a route of either version, and how many of its events cannot be read.

    After it come the journeys of other orders, if the route has any.
    """
    routes = wire.objects(answer.data, "orderRoutes", "orderRouteList", "routes", "list") or []
    entries: dict[str, list[wire.RouteEvent]] = {number_key(number): []}
    for route in routes:
        entry = wire.RouteEvent.model_validate(route)
        entries.setdefault(number_key(entry.order_no or number), []).append(entry)
    read = [
        _history(number if key == number_key(number) else own[0].order_no or "", own, settings)
        for key, own in entries.items()
    ]
    return [journey for journey, _ in read], sum(aside for _, aside in read)


def pushed(fields: Mapping[str, Any], settings: CarrierSettings) -> tuple[ParcelHistory | None, str | None]:
    """The one event of a push, and the order's reference; None for a push that names no order."""
    route = wire.RouteEvent.model_validate(fields)
    if route.order_no is None:
        return None, route.out_order_no
    journey, _ = _history(route.order_no, [route], settings)
    return journey, route.out_order_no


def channel(fields: Mapping[str, Any]) -> str | None:
    """Return the app key whose orders a push is about, in small letters (public: "same as appkey")."""
    app_key = wire.RouteEvent.model_validate(fields).channel
    return app_key.casefold() if app_key else None


def _history(
    number: str, routes: list[wire.RouteEvent], settings: CarrierSettings
) -> tuple[ParcelHistory, int]:
    read = [(route, event(route, settings)) for route in routes]
    events = [(route, entry) for route, entry in read if entry is not None]
    there = [_next(number, route, entry, settings) for route, entry in events]
    next_carriers = [one for one in there if one is not None]
    by_number = {
        one.tracking_number: OtherNumber(one.tracking_number, one.carrier_code) for one in next_carriers
    }
    for route, _ in events:
        if route.track_no and not same_number(route.track_no, number):
            by_number.setdefault(route.track_no, OtherNumber(route.track_no))
    journey = ParcelHistory(
        tracking_number=number,
        events=tuple(entry for _, entry in events),
        other_numbers=tuple(by_number.values()),
        next_carrier=max(next_carriers, default=None),
        proof=_proof(events, settings),
    )
    return journey, len(routes) - len(events)


def _next(
    number: str, route: wire.RouteEvent, entry: TrackingEvent, settings: CarrierSettings
) -> NextCarrier | None:
    """The next carrier, if the event names one: in its field, otherwise in its text (documented)."""
    if _code(route) not in codes.FORWARDED:
        return None
    texts = (route.event, route.routing_description)
    carrier_number = route.track_no or next(
        (number_in_text for text in texts if text and (number_in_text := codes.next_number(text))), None
    )
    if carrier_number is None or same_number(carrier_number, number):
        return None
    return NextCarrier(entry.at, codes.NEXT_CARRIER, carrier_number, followed=settings.follow_next_carrier)


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


def _code(route: wire.RouteEvent) -> str:
    """Return the code that says what an event means: `eventCode`, else an `action` that is known."""
    names = [name for name in (route.event_code, route.action) if name]
    known = next((name for name in names if codes.action(name)), None)
    return (known or (names[0] if names else "")).strip().casefold()


def event(route: wire.RouteEvent, settings: CarrierSettings) -> TrackingEvent | None:
    """Return one event; None without a readable time. A code in no table has no status (never guessed).

    The newer names win: `eventCode` over `action`, `eventTime` over `operatorTime`, `event` over
    `routingDescription` (public: the old ones are marked so). A known `action` says what an unknown
    `eventCode` means. One event may come with `orderLocation`, with city and state, or with neither, so the
    place is not part of its identity.
    """
    moment = read_moment(route, settings)
    if moment is None:
        return None
    code = route.event_code or route.action or ""
    known = codes.action(_code(route))
    place = route.order_location or route.occur_location
    country = route.event_country
    return TrackingEvent(
        at=moment.at,
        code=code,
        description=route.event or route.routing_description or code,
        status=known.status if known else None,
        sub_status=known.sub_status if known else None,
        is_housekeeping=known is not None and known.status is None,
        leaves=known.leaves if known else (),
        utc_offset=moment.utc_offset,
        at_is_local=moment.at_is_local,
        city=route.event_city,
        state=route.event_state,
        postcode=route.event_zip_code,
        country=country and (country_code(country) or country),
        place=place or ", ".join(part for part in (route.event_city, route.event_state) if part) or None,
        is_known_by_place=False,
        # It is not known whether the recipient may see an event with an unknown code.
        visible_to_recipient=known is not None and known.shown,
    )


def read_moment(route: wire.RouteEvent, settings: CarrierSettings) -> Moment | None:
    """Return when an event happened: its time in `timeZone`; without a readable zone by `utcOperatorTime`.

    If its zone has the hour twice, the one nearer to `utcOperatorTime` counts. If nothing names the zone, the
    time is read in the account's zone and marked as local. `updateTime` is used if an event has no other
    time.
    """
    texts = (route.event_time, route.operator_time, route.update_time, route.updated_time)
    local = next((time for text in texts[:2] if (time := read_time(text))), None)
    in_utc = read_time(route.utc_operator_time)
    if in_utc is not None and in_utc.tzinfo is None:
        in_utc = in_utc.replace(tzinfo=UTC)
    if local is None and in_utc is None:
        local = next((time for text in texts[2:] if (time := read_time(text))), None)
    try:
        if local is None:
            return None if in_utc is None else Moment(in_utc.astimezone(UTC), "+00:00", False)
        if local.tzinfo is None and (zone := read_zone(route.time_zone)):
            local = nearest(local.replace(tzinfo=zone), in_utc)
        if local.tzinfo is None and in_utc is not None and (by_both := _between(local, in_utc)):
            local = local.replace(tzinfo=by_both)
        if local.tzinfo is None:
            return Moment(local.replace(tzinfo=settings.zone).astimezone(UTC), None, True)
        return Moment(local.astimezone(UTC), offset_text(local.utcoffset() or timedelta(0)), False)
    except OverflowError:
        return None


def _between(local: datetime, in_utc: datetime) -> tzinfo | None:
    """Return the offset between the local time and the time in UTC, if there can be such a zone."""
    away = local - in_utc.replace(tzinfo=None)
    whole = away % timedelta(minutes=15) == timedelta(0)
    return timezone(away) if whole and abs(away) <= timedelta(hours=14) else None

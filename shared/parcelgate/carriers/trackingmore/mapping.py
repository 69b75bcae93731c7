"""Between our words and TrackingMore's, both ways. Pure: no I/O, no clock."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from parcelgate.carriers.results import (
    Amendment,
    Area,
    Courier,
    Following,
    ParcelDetails,
    ParcelHistory,
    Route,
    TransitTimes,
)
from parcelgate.carriers.toolkit.times import Moment, read_moment
from parcelgate.carriers.trackingmore import codes, wire
from parcelgate.carriers.trackingmore.settings import CarrierSettings
from parcelgate.domain.trackings import (
    Customer,
    OtherNumber,
    Saying,
    Source,
    Tracking,
    TrackingEvent,
    TrackingStatus,
    merge,
)

_INSTANT = timedelta(milliseconds=1)
_NOTHING_YET = frozenset({TrackingStatus.PENDING, TrackingStatus.INFO_RECEIVED})


# Ours to theirs.


def new_tracking(parcel: Following, settings: CarrierSettings) -> wire.NewTracking:
    """Return a parcel to follow, in the document's own forms; absent values are left out."""
    more = {
        "order_create_time": parcel.order_created_at and order_time(parcel.order_created_at, settings),
        "tracking_ship_date": parcel.ship_date and f"{parcel.ship_date:%Y%m%d}",
        "tracking_postal_code": parcel.postcode,
        "tracking_account_number": parcel.account_number,
        "special_destination": parcel.special_destination,
        "lang": parcel.lang,
        # The field's name says the opposite of what 1 does (documented).
        "auto_correct": not parcel.auto_correct and 1,
    }
    return wire.NewTracking(**parcel.waybill._asdict(), **_given(_details(parcel) | more))


def order_time(moment: datetime, settings: CarrierSettings) -> str:
    """A time as `2017/8/27 16:51` (documented), in the account's zone (assumed)."""
    there = moment.astimezone(settings.zone) if moment.tzinfo else moment
    return f"{there.year}/{there.month}/{there.day} {there:%H:%M}"


def changes(amendment: Amendment) -> dict[str, Any]:
    """What is to be changed, by the names of `wire.Changes`."""
    archived = {None: None, True: "true", False: "false"}[amendment.archived]
    return _given({**_details(amendment), "archived": archived})


def _details(parcel: ParcelDetails) -> dict[str, Any]:
    customer, country = parcel.customer or Customer(), parcel.destination_country
    return {
        "title": parcel.title,
        "logistics_channel": parcel.logistics_channel,
        "customer_name": customer.name,
        "customer_email": customer.email,
        "customer_phone": customer.phone,
        "order_id": parcel.order_reference,
        # In small letters, as in the document's sample.
        "destination_code": country and country.casefold(),
        "comment": parcel.note,
    }


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def route_question(route: Route) -> wire.RouteQuestion:
    """Return the body of `costtime` for a route."""
    return wire.RouteQuestion(
        original=route.origin, destination=route.destination, carrier_code=route.carrier_code
    )


def area_question(area: Area) -> wire.AreaQuestion:
    """Return the body of `remote` for a place."""
    return wire.AreaQuestion(country=area.country, postcode=area.postcode, company=area.company or None)


# Theirs to ours: journeys.


class _Step(NamedTuple):
    """An event, and the words it had."""

    event: TrackingEvent
    word: str


def history(
    item: wire.Item, settings: CarrierSettings, *, number: str | None = None
) -> tuple[ParcelHistory, int]:
    """Return the journey of a parcel, and how many of its checkpoints cannot be read.

    The lists of both countries are one journey. The parcel's status becomes an event of its own if the
    checkpoints do not give it. `number` is our spelling of the parcel's number.
    """
    checkpoints = [*item.origin_info.trackinfo, *item.destination_info.trackinfo]
    read = [_step(entry, settings) for entry in checkpoints]
    steps = [step for step in read if step is not None]
    standing = _standing(item, steps, settings)
    events = dict.fromkeys(step.event for step in steps)
    if standing is not None:
        events[standing] = None
    journey = ParcelHistory(
        tracking_number=number or item.tracking_number or "",
        carrier_code=item.carrier_code,
        events=tuple(sorted(events, key=lambda event: event.at)),
        other_numbers=_other_numbers(item),
        signed_by=_signed_by(item, events),
    )
    return journey, len(checkpoints) - len(steps)


def _signed_by(item: wire.Item, events: Iterable[TrackingEvent]) -> Saying | None:
    """Return who signed for the parcel, dated as its newest event (public: `singed_by`, spelt so)."""
    at = max((event.at for event in events), default=None)
    return Saying(at, item.signed_by) if at is not None and item.signed_by else None


def _step(entry: Any, settings: CarrierSettings) -> _Step | None:
    """One checkpoint; None without a readable time."""
    if not isinstance(entry, dict):
        return None
    checkpoint = wire.Checkpoint.model_validate(entry)
    moment = read_moment(checkpoint.date, settings.zone)
    if moment is None:
        return None
    word = checkpoint.status or checkpoint.sub_status or ""
    text = " ".join(part for part in (checkpoint.description, checkpoint.details) if part)
    meaning = codes.meaning(checkpoint.status, checkpoint.sub_status, text)
    code = checkpoint.sub_status or checkpoint.status or ""
    return _Step(
        _event(moment, code, meaning, checkpoint.description or checkpoint.details, checkpoint.details), word
    )


def _event(
    moment: Moment, code: str, meaning: codes.Meaning, description: str | None, place: str | None = None
) -> TrackingEvent:
    return TrackingEvent(
        at=moment.at,
        code=code,
        description=description or code,
        status=meaning.status,
        sub_status=meaning.sub_status,
        utc_offset=moment.utc_offset,
        at_is_local=moment.at_is_local,
        place=place,
    )


def _standing(item: wire.Item, steps: Sequence[_Step], settings: CarrierSettings) -> TrackingEvent | None:
    """Return the parcel's status as an event; None if its newest checkpoint gives the same status.

    Every poll gives it the same time, so that several polls give one event.
    """
    if item.status is None and item.sub_status is None:
        return None
    last = _newest(steps)
    text = item.last_event or ""
    if last is not None:
        text = f"{text} {last.event.description} {last.event.place or ''}"
    meaning = codes.meaning(item.status, item.sub_status, text)
    if last is not None and not _differs(item, meaning, last):
        return None
    moment = _stands_since(item, meaning, steps, settings)
    if moment is None:
        return None
    return _event(moment, item.sub_status or item.status or "", meaning, item.last_event)


def _newest(steps: Sequence[_Step]) -> _Step | None:
    """Return the checkpoint that gives the status if there is nothing else."""
    known = [step for step in steps if step.event.status is not None]
    if not known:
        return None
    start = min(step.event.at for step in known)
    blank = Tracking(
        id="", tenant="", carrier="", account="", tracking_number="", created_at=start, updated_at=start
    )
    stands = merge(blank, [step.event for step in known], source=Source.POLL, at=start)
    end = max(step.event.at for step in known)
    return next((step for step in known if (step.event.at, step.event.status) == (end, stands.status)), None)


def _differs(item: wire.Item, meaning: codes.Meaning, last: _Step) -> bool:
    """Return whether the parcel's status differs from that of its newest checkpoint."""
    if meaning.status is TrackingStatus.PENDING:
        # `pending` is no news of a parcel if anything is known of it.
        return False
    if item.sub_status is None and codes.family(item.status) == codes.family(last.word):
        # The checkpoint may say more than the status to which it belongs.
        return False
    return meaning.status is not last.event.status or meaning.sub_status not in {None, last.event.sub_status}


def _stands_since(
    item: wire.Item, meaning: codes.Meaning, steps: Sequence[_Step], settings: CarrierSettings
) -> Moment | None:
    """Return the time of the status: right after the newest checkpoint, or later if the answer says so.

    Nothing is later than `lastUpdateTime`, which is the newest checkpoint's. `updated_at` changes whenever
    TrackingMore asks the courier. So it is used only if no other time exists: for an expired parcel, and for
    a journey without any checkpoint.
    """
    created, updated, changed = (
        read_moment(text, settings.zone) for text in (item.created_at, item.updated_at, item.last_update_time)
    )
    if not steps:
        if meaning.status in _NOTHING_YET:
            return created or updated or changed
        return changed or updated or created
    last = max((step.event for step in steps), key=lambda event: event.at)
    later = updated if meaning.status is TrackingStatus.EXPIRED else changed
    if later is not None and later.at > last.at:
        return later
    return Moment(last.at + _INSTANT, last.utc_offset, last.at_is_local)


def _other_numbers(item: wire.Item) -> tuple[OtherNumber, ...]:
    """Return the numbers under which other couriers have the parcel, if they are given."""
    places = (item, item.origin_info, item.destination_info)
    there = item.destination_info.carrier_code
    numbers = [OtherNumber(place.destination_number, there) for place in places if place.destination_number]
    known = {other.number for other in numbers}
    exchanged = [place.exchange_number for place in places]
    numbers += [OtherNumber(number) for number in exchanged if number and number not in known]
    return tuple(dict.fromkeys(other for other in numbers if other.number != item.tracking_number))


# Theirs to ours: all else.


def transit_times(routes: Sequence[Route], data: Any) -> list[TransitTimes]:
    """Return how long parcels take on each route; a route that the answer leaves out has no values."""
    ranges = [wire.Range.model_validate(entry) for entry in wire.objects(data, "items")]
    by_route = {_route_key(one.original, one.destination, one.carrier_code): one for one in ranges}
    keys = [_route_key(route.origin, route.destination, route.carrier_code) for route in routes]
    return [_transit_times(by_route.get(key, wire.Range())) for key in keys]


def _route_key(*parts: str | None) -> tuple[str, ...]:
    return tuple((part or "").casefold() for part in parts)


def _transit_times(times: wire.Range) -> TransitTimes:
    shares = {name: share for name, share in (times.model_extra or {}).items() if name.startswith("range")}
    return TransitTimes(
        total=times.total or 0,
        delivered=times.delivered or 0,
        ranges=tuple({"range": name, "share": shares[name]} for name in sorted(shares)),
    )


def couriers(data: Any) -> list[Courier]:
    """Return the couriers of a list; one without a code is left out."""
    read = [wire.CourierEntry.model_validate(entry) for entry in wire.objects(data, "items")]
    known = [entry.model_dump(include=set(Courier.__struct_fields__)) for entry in read if entry.code]
    return [Courier(**{**entry, "name": entry["name"] or entry["code"]}) for entry in known]


def counts(data: Any) -> dict[str, int]:
    """Return how many parcels have each of our statuses; unknown words are left out."""
    totals: dict[str, int] = {}
    for word, value in data.items() if isinstance(data, dict) else ():
        status = codes.meaning(word).status
        number = wire.number(value)
        if status is not None and number is not None:
            totals[status.value] = totals.get(status.value, 0) + number
    return totals


_OF_THE_HOLDER = frozenset({"email", "phone"})


def usage(data: Any) -> dict[str, Any]:
    """Return the account's quota, in TrackingMore's own words.

    The holder's e-mail address and phone are left out: the address is the key of the webhooks' signature.
    """
    fields = data if isinstance(data, dict) else {}
    return {name: value for name, value in fields.items() if name not in _OF_THE_HOLDER}

"""The journeys of parcels, as eTower tells them. Pure."""

from collections.abc import Sequence
from datetime import UTC
from zoneinfo import ZoneInfo

from parcelgate.carriers.results import (
    ParcelHistory,
)
from parcelgate.carriers.toolkit.times import offset_text, read_time, read_zone
from parcelgate.carriers.ubi.codes import EVENTS
from parcelgate.carriers.ubi.settings import CarrierSettings
from parcelgate.carriers.ubi.wire import (
    EventAnswer,
    TrackAnswer,
    read_each,
)
from parcelgate.domain.trackings import TrackingEvent, number_key


def histories(
    asked: Sequence[str], answers: Sequence[TrackAnswer], settings: CarrierSettings
) -> list[ParcelHistory]:
    """The journey of every number asked about, oldest event first; events without a time are left out.

    An answer speaks of a parcel by its number, its reference or the `orderId`, whichever it carries (public:
    `orderId` alone). What is of none of the numbers asked about comes behind those, under all its names: the
    caller knows the parcels by more names than by their numbers.
    """
    spelt = {number_key(number): number for number in asked}
    events: dict[str, list[TrackingEvent]] = {number: [] for number in asked}
    others: dict[tuple[str, ...], list[TrackingEvent]] = {}
    for answer in answers:
        outer = (answer.tracking_no, answer.reference_no, answer.order_id)
        for told in read_each(EventAnswer, answer.events):
            found = event(told, settings)
            if found is None:
                continue
            all_names = (told.tracking_no, told.reference_tracking_no, *outer)
            names = tuple(dict.fromkeys(name for name in all_names if name))
            number = next((spelt[key] for name in names if (key := number_key(name)) in spelt), None)
            (others.setdefault(names, []) if number is None else events[number]).append(found)
    journeys = [(number, (), found) for number, found in events.items()]
    unmatched = [(names[0] if names else "", names, found) for names, found in others.items()]
    return [
        ParcelHistory(
            tracking_number=number, names=names, events=tuple(sorted(found, key=lambda event: event.at))
        )
        for number, names, found in (*journeys, *unmatched)
    ]


def event(answer: EventAnswer, settings: CarrierSettings) -> TrackingEvent | None:
    """One event, its time read in its own zone; None when it has no readable time or code."""
    moment = read_time(answer.event_time)
    if moment is None or answer.event_code is None:
        return None
    local = False
    if moment.tzinfo is None:
        zone = read_zone(answer.time_zone)
        local = zone is None
        moment = moment.replace(tzinfo=zone or ZoneInfo(settings.default_time_zone))
    offset = moment.utcoffset()
    status, sub_status = EVENTS.get(answer.event_code.upper(), (None, None))
    return TrackingEvent(
        at=moment.astimezone(UTC),
        code=answer.event_code,
        description=answer.activity or "",
        status=status,
        sub_status=sub_status,
        utc_offset=None if local or offset is None else offset_text(offset),
        at_is_local=local,
        country=answer.country,
        place=answer.location,
    )

"""Read the journeys of parcels from eTower's replies. Pure."""

from collections.abc import Sequence
from datetime import UTC
from zoneinfo import ZoneInfo

from parcelgate.carriers.results import ParcelHistory
from parcelgate.carriers.toolkit.times import offset_text, read_time, read_zone
from parcelgate.carriers.ubi.codes import EVENTS
from parcelgate.carriers.ubi.settings import CarrierSettings
from parcelgate.carriers.ubi.wire import EventAnswer, TrackAnswer, read_each
from parcelgate.domain.trackings import TrackingEvent, number_key


def histories(
    asked: Sequence[str], answers: Sequence[TrackAnswer], settings: CarrierSettings
) -> tuple[list[ParcelHistory], int]:
    """Return the journey of each number asked about, oldest event first, and how many events are unreadable.

    An answer names a parcel by its number, its reference or the `orderId` (public: `orderId` alone). Journeys
    of other names come after those, under all their names, because the caller knows more names of its
    parcels.
    """
    spelt = {number_key(number): number for number in asked}
    events: dict[str, list[TrackingEvent]] = {number: [] for number in asked}
    others: dict[tuple[str, ...], list[TrackingEvent]] = {}
    aside = 0
    for answer in answers:
        outer = (answer.tracking_no, answer.reference_no, answer.order_id)
        entries = _dated(read_each(EventAnswer, answer.events))
        aside += len(answer.events) - len(entries)
        for entry in entries:
            read = event(entry, settings)
            if read is None:
                aside += 1
                continue
            all_names = (entry.tracking_no, entry.reference_tracking_no, *outer)
            names = tuple(dict.fromkeys(name for name in all_names if name))
            number = next((spelt[key] for name in names if (key := number_key(name)) in spelt), None)
            (others.setdefault(names, []) if number is None else events[number]).append(read)
    journeys = [(number, (), own) for number, own in events.items()]
    unmatched = [(names[0] if names else "", names, own) for names, own in others.items()]
    return [
        ParcelHistory(
            tracking_number=number, names=names, events=tuple(sorted(own, key=lambda event: event.at))
        )
        for number, names, own in (*journeys, *unmatched)
    ], aside


def _dated(entries: Sequence[EventAnswer]) -> list[EventAnswer]:
    """Return the entries; one without a time gets its neighbour's, so that every poll gives it the same time.

    The neighbour after it is preferred, because the newest event comes first (inferred).
    """
    dated = [*entries]
    nearest: dict[str | None, EventAnswer] = {}
    for place in [*reversed(range(len(dated))), *range(len(dated))]:
        entry = dated[place]
        if entry.event_time is None and (neighbour := nearest.get(entry.tracking_no)):
            when = {"event_time": neighbour.event_time, "time_zone": neighbour.time_zone}
            entry = dated[place] = entry.model_copy(update=when)
        if read_time(entry.event_time) is not None:
            nearest[entry.tracking_no] = entry
    return dated


def event(answer: EventAnswer, settings: CarrierSettings) -> TrackingEvent | None:
    """Return one event, its time read in its own zone; None when it has no readable time."""
    moment = read_time(answer.event_time)
    if moment is None:
        return None
    local = False
    if moment.tzinfo is None:
        zone = read_zone(answer.time_zone)
        local = zone is None
        moment = moment.replace(tzinfo=zone or ZoneInfo(settings.default_time_zone))
    offset = moment.utcoffset()
    code = answer.event_code or ""
    status, sub_status = EVENTS.get(code.upper(), (None, None))
    return TrackingEvent(
        at=moment.astimezone(UTC),
        code=code,
        description=answer.activity or "",
        status=status,
        sub_status=sub_status,
        utc_offset=None if local or offset is None else offset_text(offset),
        at_is_local=local,
        country=answer.country,
        place=answer.location,
    )

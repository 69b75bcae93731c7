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
from parcelgate.domain.trackings import TrackingEvent


def histories(
    asked: Sequence[str], answers: Sequence[TrackAnswer], settings: CarrierSettings
) -> list[ParcelHistory]:
    """The journey of every number asked about, oldest event first; what cannot be read is left out."""
    events: dict[str, list[TrackingEvent]] = {number: [] for number in asked}
    for answer in answers:
        for told in read_each(EventAnswer, answer.events):
            numbers = (told.tracking_no, told.reference_tracking_no, answer.tracking_no)
            number = next((number for number in numbers if number in events), None)
            found = event(told, settings)
            if number is not None and found is not None:
                events[number].append(found)
    return [
        ParcelHistory(tracking_number=number, events=tuple(sorted(found, key=lambda event: event.at)))
        for number, found in events.items()
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

"""Says what a carrier's answer tells of which parcel, among those that it was asked about."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from parcelgate.carriers.results import ParcelHistory
from parcelgate.domain.trackings import NextCarrier, Tracking, TrackingStatus, courier_key, number_key


class Matches(NamedTuple):
    """Whose the histories of an answer are."""

    by_id: dict[str, ParcelHistory | None]
    """The own history of each parcel, by its id. None if the carrier does not know the parcel."""
    strangers: list[list[str]]
    """The names of each history that fits no parcel: some timeline lacks it."""


def matched(trackings: Sequence[Tracking], histories: Sequence[ParcelHistory]) -> Matches:
    """Find the own history of each parcel. A history may name a parcel by any of its names."""
    found: dict[str, list[ParcelHistory]] = {tracking.id: [] for tracking in trackings}
    owners: dict[str, list[str]] = {}
    for tracking in trackings:
        for name in (tracking.tracking_number, tracking.carrier_number, tracking.parcel_reference):
            if name:
                owners.setdefault(number_key(name), []).append(tracking.id)
    strangers: list[list[str]] = []
    for history in histories:
        names = [number_key(name) for name in (history.tracking_number, *history.names)]
        owner = next((owners[name] for name in names if name in owners), None)
        if owner is None:
            strangers.append(names)
            continue
        for tracking_id in dict.fromkeys(owner):
            found[tracking_id].append(history)
    return Matches({tracking.id: _own(tracking, found[tracking.id]) for tracking in trackings}, strangers)


def carried_on(history: ParcelHistory, courier: NextCarrier) -> ParcelHistory:
    """The next courier's history, as events of the parcel.

    Statuses that would take a travelling parcel back to its beginning are left out: that the courier knows
    nothing, or that the parcel was announced to it.
    """
    events = []
    for event in history.events:
        if event.status in (TrackingStatus.PENDING, TrackingStatus.EXPIRED):
            continue
        announced = event.status is TrackingStatus.INFO_RECEIVED
        events.append(
            msgspec.structs.replace(
                event,
                carrier=history.carrier_code or courier.carrier_code,
                status=None if announced else event.status,
                is_housekeeping=announced or event.is_housekeeping,
            )
        )
    return msgspec.structs.replace(
        history,
        tracking_number=courier.tracking_number,
        carrier_code=None,
        events=tuple(events),
        other_numbers=(),
        next_carrier=None,
    )


def _own(tracking: Tracking, histories: Sequence[ParcelHistory]) -> ParcelHistory | None:
    """The parcel's own history, among those under its number: an aggregator may know several.

    If it knows only one, and from another courier, it may have found out that this courier has the parcel.
    """
    if tracking.carrier_code is None and len(histories) > 1:
        events = tuple(event for history in histories for event in history.events)
        return msgspec.structs.replace(histories[0], events=events)
    for history in histories:
        couriers = {courier_key(history.carrier_code), courier_key(tracking.carrier_code)}
        if len(couriers) == 1 or "" in couriers:
            return history
    return histories[0] if len(histories) == 1 else None

"""The way of a parcel, for carriers to tell in their own words."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class Stage(StrEnum):
    """What can happen to a parcel."""

    LABEL_CREATED = "label_created"
    PICKED_UP = "picked_up"
    AT_FACILITY = "at_facility"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Place:
    """A town."""

    city: str
    state: str


@dataclass(frozen=True, slots=True)
class Event:
    """A step of the way; `seen_at` is when the carrier gets to know of it."""

    stage: Stage
    at: datetime
    place: Place
    seen_at: datetime


#: Hours after the label at which a ground parcel makes its steps; the last three are made where
#: it is going.
_STEPS = (
    (Stage.LABEL_CREATED, 0.0),
    (Stage.PICKED_UP, 4.5),
    (Stage.AT_FACILITY, 7.0),
    (Stage.IN_TRANSIT, 15.0),
    (Stage.AT_FACILITY, 25.5),
    (Stage.OUT_FOR_DELIVERY, 29.0),
    (Stage.DELIVERED, 34.0),
)
_LAST_MILE = len(_STEPS) - 3
_SPREAD = 0.2
_SHORTEST_STEP = timedelta(seconds=1)


def journey(
    number: str, start: datetime, origin: Place, destination: Place, acceleration: float
) -> tuple[Event, ...]:
    """Foretell all that will happen to a parcel, oldest first and at least a second apart.

    The same number always travels alike; another one is up to a fifth slower or faster.
    """
    pace = _chance(number).uniform(1 - _SPREAD, 1 + _SPREAD) / acceleration
    events: list[Event] = []
    for index, (stage, hours) in enumerate(_STEPS):
        at = start + timedelta(hours=hours * pace)
        if events:
            at = max(at, events[-1].at + _SHORTEST_STEP)
        place = destination if index >= _LAST_MILE else origin
        events.append(Event(stage, at, place, seen_at=at))
    return tuple(events)


def disordered(events: Sequence[Event], seed: str) -> list[Event]:
    """Tell the same events in a sequence of no meaning, some of them twice."""
    mixed = [*events, *events[::2]]
    _chance(seed).shuffle(mixed)
    return mixed


def belated(events: Sequence[Event]) -> list[Event]:
    """Let every second event be known only after the one that follows it."""
    return [
        replace(event, seen_at=events[index + 1].at + _SHORTEST_STEP)
        if index % 2 and index + 1 < len(events)
        else event
        for index, event in enumerate(events)
    ]


def _chance(seed: str) -> random.Random:
    """Roll dice that fall alike for the same seed."""
    return random.Random(seed)  # noqa: S311 - repeatable on purpose, and no secret

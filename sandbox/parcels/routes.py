"""The journey of a parcel, which carriers report in their own words."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from sandbox.parcels.steering import Steering


class Stage(StrEnum):
    """What can happen to a parcel."""

    LABEL_CREATED = "label_created"
    PICKED_UP = "picked_up"
    AT_FACILITY = "at_facility"
    IN_TRANSIT = "in_transit"
    CUSTOMS_HELD = "customs_held"
    CUSTOMS_CLEARED = "customs_cleared"
    FORWARDED = "forwarded"
    """The parcel was handed to another carrier, which brings it to the door."""
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPTED = "attempted"
    REFUSED = "refused"
    REDELIVERY = "redelivery"
    """The parcel is back at the depot and will go out again."""
    CARDED = "carded"
    """Nobody was there, and a card was left."""
    READY_TO_COLLECT = "ready_to_collect"
    COLLECTED = "collected"
    DAMAGED = "damaged"
    UNDELIVERABLE = "undeliverable"
    LOST = "lost"
    RETURNING = "returning"
    RETURNED = "returned"
    DELIVERED = "delivered"


class Leg(StrEnum):
    """The part of the journey at which a parcel is."""

    ORIGIN = "origin"
    HUB = "hub"
    DESTINATION = "destination"


class Kind(StrEnum):
    """All journeys."""

    ORDINARY = "ordinary"
    FORWARDED = "forwarded"
    ATTEMPT = "attempt"
    CUSTOMS = "customs"
    LOST = "lost"
    DAMAGED = "damaged"
    RETURN = "return"
    COLLECT_POINT = "collect_point"

    @classmethod
    def of(cls, words: Steering) -> "Kind":
        """Choose the journey that an order's reference asks for: the first one of the table."""
        return next((kind for word, kind in _WORDS.items() if words.has(word)), cls.ORDINARY)


_WORDS = {
    "ATTEMPT": Kind.ATTEMPT,
    "CUSTOMS": Kind.CUSTOMS,
    "PARCELLOST": Kind.LOST,
    "DAMAGED": Kind.DAMAGED,
    "RETURN": Kind.RETURN,
    "COLLECTPOINT": Kind.COLLECT_POINT,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A town, and how far its clocks are ahead of UTC."""

    city: str
    state: str
    postcode: str = ""
    country: str = ""
    ahead: timedelta = timedelta(0)

    @property
    def zone(self) -> timezone:
        """Its time zone; none has summer time."""
        return timezone(self.ahead)


@dataclass(frozen=True, slots=True)
class Event:
    """A step of the journey, at a whole second; `seen_at` is when the carrier learns of it."""

    stage: Stage
    at: datetime
    place: Place
    seen_at: datetime
    leg: Leg


_Step = tuple[Stage, float, Leg]
"""What happens, how many hours after the label, and where."""

_O, _H, _D = Leg.ORIGIN, Leg.HUB, Leg.DESTINATION
_SENT: tuple[_Step, ...] = (
    (Stage.LABEL_CREATED, 0.0, _O),
    (Stage.PICKED_UP, 3.5, _O),
    (Stage.AT_FACILITY, 6.0, _O),
    (Stage.IN_TRANSIT, 10.0, _O),
    (Stage.AT_FACILITY, 15.0, _H),
)
_PASSED: tuple[_Step, ...] = (*_SENT, (Stage.IN_TRANSIT, 18.0, _H))
_ARRIVED: tuple[_Step, ...] = ((Stage.AT_FACILITY, 23.0, _D), (Stage.OUT_FOR_DELIVERY, 26.0, _D))
_JOURNEYS: Mapping[Kind, tuple[_Step, ...]] = {
    Kind.ORDINARY: (*_PASSED, *_ARRIVED, (Stage.DELIVERED, 30.0, _D)),
    Kind.FORWARDED: (*_PASSED, (Stage.FORWARDED, 20.0, _H), *_ARRIVED, (Stage.DELIVERED, 30.0, _D)),
    Kind.ATTEMPT: (
        *_PASSED,
        *_ARRIVED,
        (Stage.ATTEMPTED, 29.0, _D),
        (Stage.REDELIVERY, 32.0, _D),
        (Stage.OUT_FOR_DELIVERY, 44.0, _D),
        (Stage.DELIVERED, 48.0, _D),
    ),
    Kind.CUSTOMS: (
        *_SENT,
        (Stage.CUSTOMS_HELD, 16.0, _H),
        (Stage.CUSTOMS_CLEARED, 32.0, _H),
        (Stage.IN_TRANSIT, 34.0, _H),
        (Stage.AT_FACILITY, 39.0, _D),
        (Stage.OUT_FOR_DELIVERY, 42.0, _D),
        (Stage.DELIVERED, 46.0, _D),
    ),
    Kind.LOST: (*_PASSED, (Stage.LOST, 42.0, _H)),
    Kind.DAMAGED: (*_PASSED, *_ARRIVED, (Stage.DAMAGED, 28.0, _D), (Stage.UNDELIVERABLE, 33.0, _D)),
    Kind.RETURN: (
        *_PASSED,
        *_ARRIVED,
        (Stage.ATTEMPTED, 29.0, _D),
        (Stage.REDELIVERY, 31.0, _D),
        (Stage.OUT_FOR_DELIVERY, 38.0, _D),
        (Stage.REFUSED, 40.0, _D),
        (Stage.RETURNING, 43.0, _D),
        (Stage.RETURNED, 56.0, _O),
    ),
    Kind.COLLECT_POINT: (
        *_PASSED,
        *_ARRIVED,
        (Stage.CARDED, 28.0, _D),
        (Stage.READY_TO_COLLECT, 31.0, _D),
        (Stage.COLLECTED, 46.0, _D),
    ),
}
_CLEARANCE: _Step = (Stage.CUSTOMS_CLEARED, 16.5, _H)
_SPREAD = 0.2
_SHORTEST_STEP = timedelta(seconds=1)


def journey(
    number: str,
    start: datetime,
    origin: Place,
    destination: Place,
    acceleration: float,
    *,
    kind: Kind = Kind.ORDINARY,
    hub: Place | None = None,
    abroad: bool = False,
) -> tuple[Event, ...]:
    """Return all that will happen to a parcel, oldest first and at least a second apart.

    The same number always has the same journey; another number is up to a fifth slower or faster. Without a
    hub the parcel goes straight to its destination; one that goes abroad passes the customs of its
    destination.
    """
    pace = _chance(number).uniform(1 - _SPREAD, 1 + _SPREAD) / acceleration
    halfway = hub or (origin if kind is Kind.LOST else destination)
    places = {_O: origin, _H: halfway, _D: destination}
    events: list[Event] = []
    for stage, hours, leg in _steps(kind, abroad=abroad, straight=hub is None):
        at = (start + timedelta(hours=hours * pace)).replace(microsecond=0)
        if events:
            at = max(at, events[-1].at + _SHORTEST_STEP)
        events.append(Event(stage, at, places[leg], at, leg))
    return tuple(events)


def _steps(kind: Kind, *, abroad: bool, straight: bool) -> list[_Step]:
    steps = [*_JOURNEYS[kind]]
    if abroad and kind is not Kind.CUSTOMS:
        steps.insert(len(_SENT), _CLEARANCE)
    passing = {Stage.AT_FACILITY, Stage.IN_TRANSIT}
    return [step for step in steps if not (straight and step[2] is _H and step[0] in passing)]


def sent_back(events: Sequence[Event], asked_at: datetime, origin: Place, acceleration: float) -> list[Event]:
    """Send a parcel back: steps that have not happened when its sender asks for the return never happen."""
    way = so_far(events, asked_at)
    turns_at = way[-1].place if way else origin
    for stage, hours, place in ((Stage.RETURNING, 2.0, turns_at), (Stage.RETURNED, 20.0, origin)):
        at = (asked_at + timedelta(hours=hours / acceleration)).replace(microsecond=0)
        at = max(at, asked_at.replace(microsecond=0) + _SHORTEST_STEP)
        at = max([at, *(event.at + _SHORTEST_STEP for event in way[-1:])])
        way.append(Event(stage, at, place, at, Leg.ORIGIN))
    return way


def so_far(events: Sequence[Event], until: datetime) -> list[Event]:
    """Leave out what has not happened by then, whether or not the carrier knows of it."""
    return [event for event in events if event.at <= until]


def known(events: Sequence[Event], until: datetime) -> list[Event]:
    """Leave out what the carrier does not know by then."""
    return [event for event in events if event.seen_at <= until]


def disordered(events: Sequence[Event], seed: str) -> list[Event]:
    """Return the same events in a random sequence, some of them twice."""
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


def repeated(events: Sequence[Event]) -> list[Event]:
    """Let every second event become known once more at the end; sorted by when they become known."""
    over = events[-1].at
    again = [
        replace(event, seen_at=over + number * _SHORTEST_STEP)
        for number, event in enumerate(events[::2], start=1)
    ]
    return sorted([*events, *again], key=lambda event: event.seen_at)


def story(number: str, reference: str, events: Iterable[tuple[Event, str | None]]) -> dict[str, Any]:
    """Write a parcel as `GET /_sandbox/truth` has it: the events that have codes, with their codes."""
    return {
        "tracking_number": number,
        "reference": reference,
        "events": [
            {
                "at": event.at.astimezone(UTC).isoformat(timespec="milliseconds"),
                "code": code,
                "stage": event.stage,
            }
            for event, code in events
            if code is not None
        ],
    }


def _chance(seed: str) -> random.Random:
    """Return a random generator that gives the same values for the same seed."""
    return random.Random(seed)  # noqa: S311 - repeatable on purpose, and no secret

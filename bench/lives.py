"""Lives of parcels, drawn by chance: what happens to each, and when. Always the same ones for one seed.

What is assumed of them: carriers work in hours. Each corridor has its own: the hour at which parcels are
collected, the night hours of its hubs, the hour at which parcels of other countries come in, the hour at
which its vans leave the depot, the middle of their rounds, and the days on which anybody drives. They are
drawn by chance too (`Rhythm`), from another seed than the lives, and no plan is told of them. Carriers report
an event when it happens, with the hour and the zone of its place.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec

from parcelgate.domain.habits import Corridor, Habit
from parcelgate.domain.places import countries
from parcelgate.domain.polling import moves
from parcelgate.domain.trackings import Source, Tracking, TrackingEvent, TrackingStatus

BORN = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

S = TrackingStatus


@dataclass(frozen=True)
class Trade:
    """One carrier's part of the parcels, and what their lives are like."""

    carrier: str
    share: float
    days: float
    """From pick-up to the last depot, on the average."""
    pushed: float
    """The share of parcels of which the carrier tells us by itself."""
    to: tuple[tuple[str, str | None], ...]
    abroad: float
    """Which part of these the parcel spends in another country than the one it goes to."""
    fill: float
    """How full its questions are on the average: many accounts ask at the same time."""


TRADES = (
    Trade(
        "lme", 0.3, 8, 0.9, (("US", "CA"), ("US", "TX"), ("US", "NY"), ("GB", None), ("DE", None)), 0.6, 1.0
    ),
    Trade("ubi", 0.3, 8, 0.0, (("AU", "NSW"), ("AU", "VIC"), ("AU", "WA"), ("NZ", None)), 0.5, 0.6),
    Trade("lso", 0.2, 2, 0.0, (("US", "TX"), ("US", "OK"), ("US", "LA")), 0.0, 0.6),
    Trade("trackingmore", 0.2, 5, 0.9, (("US", "NY"), ("US", "FL"), ("FR", None), ("JP", None)), 0.4, 0.6),
)
FEWEST = 1000
"""Lives, so that there are some of each kind to take the middle of."""
ABROAD = timedelta(hours=8)
"""How far the clock of the country that parcels come from is ahead of UTC."""
NEVER_HANDED_OVER = 0.02
"""Half of them are cancelled, and of the others nothing is ever heard."""
LOST_FROM_SIGHT = 0.005
EXCEPTION = 0.03
MISSED = 0.08
"""Nobody is at home."""
COLLECTED = 0.03
PUSH_LOST = 0.01
"""Webhooks that never come."""
REGULAR = 0.8
"""Scans on the way that keep the hours of the corridor. The others come at any time."""


@dataclass(frozen=True)
class Rhythm:
    """The hours of a corridor, by the clock at the place."""

    collects: float
    sorts: float
    lands: float
    leaves: float
    delivers: float
    days: frozenset[int]
    """The weekdays on which parcels are collected and delivered, from Monday as 0."""


@cache
def rhythm_of(seed: int, carrier: str, country: str, state: str | None) -> Rhythm:
    """Draw the hours of a corridor. Two seeds are two habits of one corridor."""
    return _drawn(random.Random(f"{seed} {carrier} {country} {state}"))  # noqa: S311 - always the same hours


def _drawn(chance: random.Random) -> Rhythm:
    days = chance.choice((range(5), range(6), range(6), range(7)))
    return Rhythm(
        collects=chance.uniform(13, 19),
        sorts=chance.uniform(21, 28) % 24,
        lands=chance.uniform(0, 24),
        leaves=chance.uniform(6, 9.5),
        delivers=chance.uniform(11, 16.5),
        days=frozenset(days),
    )


@dataclass
class Life:
    """What is going to happen to a parcel."""

    trade: Trade
    parcel: Tracking
    events: list[TrackingEvent]
    cancelled_at: datetime | None
    pushed: bool
    unpushed: frozenset[int]
    """The places of the events of which no webhook comes, though the carrier sends them."""


def a_life(number: int, chance: random.Random, rhythms: int | None = 1) -> Life:
    """Draw a parcel and everything that will happen to it.

    `rhythms` is the seed of the corridors' hours. With None the corridors keep none: each parcel has its own.
    """
    trade = chance.choices(TRADES, [trade.share for trade in TRADES])[0]
    country, state = chance.choice(trade.to)
    ahead = countries.clock_offset(country, state) or timedelta(0)
    born = BORN + chance.uniform(0, 7) * DAY
    parcel = Tracking(
        id=f"trk_{number:026}",
        tenant="acme",
        carrier=trade.carrier,
        account="default",
        tracking_number=str(number),
        carrier_code="usps" if trade.carrier == "trackingmore" else None,
        destination_country=country,
        destination_state=state,
        created_at=born,
        updated_at=born,
    )
    events: list[TrackingEvent] = []
    cancelled_at = None
    pushed = chance.random() < trade.pushed
    if chance.random() < NEVER_HANDED_OVER:
        cancelled_at = born + DAY if chance.random() < 0.5 else None
    else:
        corridor = (trade.carrier, country, state)
        rhythm = _drawn(chance) if rhythms is None else rhythm_of(rhythms, *corridor)
        events = [
            TrackingEvent(
                at=at,
                code="X",
                description="",
                status=status,
                country=country if arrived else "CN",
                utc_offset=_written(ahead if arrived else ABROAD),
                source=Source.WEBHOOK if pushed else Source.POLL,
            )
            for at, status, arrived in _journey(trade, rhythm, born, ahead, chance)
        ]
    unpushed = frozenset(place for place in range(len(events)) if chance.random() < PUSH_LOST)
    return Life(trade, parcel, events, cancelled_at, pushed, unpushed)


def _journey(
    trade: Trade, rhythm: Rhythm, born: datetime, ahead: timedelta, chance: random.Random
) -> Iterator[tuple[datetime, TrackingStatus, bool]]:
    """What happens, when, and whether in the country that the parcel goes to."""
    is_abroad = trade.abroad > 0
    ready = born + HOUR * min(chance.lognormvariate(2.2, 0.8), 120)
    at = picked_up = _next(ready, ABROAD if is_abroad else ahead, chance.gauss(rhythm.collects, 1), rhythm)
    yield at, S.IN_TRANSIT, not is_abroad
    arrives = at + DAY * max(0.4, chance.gammavariate(4, trade.days / 4))
    lands = _next(picked_up + trade.abroad * (arrives - picked_up), ahead, chance.gauss(rhythm.lands, 3))
    while True:
        scanned = at + HOUR * chance.uniform(6, 28)
        if chance.random() < REGULAR:
            clock = ahead if scanned >= lands else ABROAD
            scanned = _next(scanned - 6 * HOUR, clock, chance.gauss(rhythm.sorts, 1.5))
        if is_abroad and at < lands <= scanned:
            scanned = lands
        at = max(scanned, at + HOUR / 2)
        if at >= arrives:
            break
        if chance.random() < LOST_FROM_SIGHT:
            return
        trouble = chance.random() < EXCEPTION
        yield at, S.EXCEPTION if trouble else S.IN_TRANSIT, not is_abroad or at >= lands
    while True:
        at = _next(arrives, ahead, chance.gauss(rhythm.leaves, 0.7), rhythm)
        yield at, S.OUT_FOR_DELIVERY, True
        hour = (at + ahead).hour + (at + ahead).minute / 60
        at += HOUR * min(max(chance.gauss(rhythm.delivers, 2.5) - hour, chance.uniform(0.3, 1.5)), 21 - hour)
        luck = chance.random()
        if luck < MISSED:
            yield at, S.ATTEMPT_FAILED, True
            arrives = at
            continue
        if luck < MISSED + COLLECTED:
            yield at, S.AVAILABLE_FOR_PICKUP, True
            at = _next(at + HOUR * chance.uniform(2, 80), ahead, chance.uniform(9, 20))
        yield at, S.DELIVERED, True
        return


def _next(after: datetime, ahead: timedelta, hour: float, rhythm: Rhythm | None = None) -> datetime:
    """The next time after `after` at which it is that hour there, on a day of the rhythm."""
    there = after + ahead
    at = there.replace(hour=0, minute=0, second=0, microsecond=0) + HOUR * hour
    while at <= there or (rhythm is not None and at.weekday() not in rhythm.days):
        at += DAY
    return at - ahead


def _written(ahead: timedelta) -> str:
    minutes = round(ahead / timedelta(minutes=1))
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def with_events(life: Life, number: int) -> Tracking:
    """The parcel when its first `number` events are known."""
    events = tuple(life.events[:number])
    status = (events[-1].status if events else None) or S.PENDING
    return msgspec.structs.replace(life.parcel, status=status, events=events)


def learned(parcels: int, seed: int, rhythms: int | None = 1) -> dict[Corridor, Habit]:
    """What is known of the corridors when so many parcels have been followed to their ends."""
    chance = random.Random(seed)  # noqa: S311 - always the same lives
    counters: defaultdict[Corridor, Counter[str]] = defaultdict(Counter)
    for number in range(parcels):
        life = a_life(number, chance, rhythms)
        whole = with_events(life, len(life.events))
        for move in moves(life.parcel, whole):
            counters[move.corridor].update(move.counters)
    return {corridor: Habit(counts) for corridor, counts in counters.items()}

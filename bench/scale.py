"""Ten million live parcels: what the plan asks for, and what it takes.

``python -m bench.scale``. Parcels with believable lives are drawn by chance, always the same ones, and the
real plan is asked for each of their polls; what came of them is scaled up. A steady state: every day as many
parcels are born as end. How many parcels a worker gets through is measured first (``--speed`` takes a figure
instead). Prints Markdown.
"""

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from infra.settings import settings_for
from parcelgate.carriers import registry
from parcelgate.domain.places import countries
from parcelgate.domain.polling import next_poll
from parcelgate.domain.trackings import SILENCE, Source, Tracking, TrackingEvent, TrackingStatus
from parcelgate.services.accounts.carriers import LANE_USE

PARCELS = 20_000
LIVE = 10_000_000
WORKERS = (4, 8, 16, 32)
ROUND = timedelta(minutes=5)
BORN = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONTH = 30

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
NEVER_HANDED_OVER = 0.02
"""Half of them are cancelled, and of the others nothing is ever heard."""
LOST_FROM_SIGHT = 0.005
EXCEPTION = 0.03
MISSED = 0.08
"""Nobody is at home."""
COLLECTED = 0.03

PRICES = {
    "DynamoDB, million write units": 0.625,
    "DynamoDB, million read units": 0.125,
    "DynamoDB, GB and month, with its backup": 0.45,
    "Lambda on ARM, GB and second": 0.0000133334,
    "Lambda, million calls": 0.20,
    "Express workflow, million executions": 1.00,
    "Express workflow, GB and second": 0.00001667,
    "CloudWatch Logs, GB": 0.50,
}
"""US dollars, us-east-1, list prices without any free tier."""
ORDER_KB = 3
WORKFLOW_GB = 64 / 1024


@dataclass
class Life:
    """What is going to happen to a parcel."""

    trade: Trade
    parcel: Tracking
    events: list[TrackingEvent]
    cancelled_at: datetime | None
    pushed: bool


@dataclass
class Tally:
    """What came of asking about the sample."""

    parcels: int = 0
    days_of: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    per_parcel: list[int] = field(default_factory=list)
    by_carrier: Counter[str] = field(default_factory=Counter)
    lives: Counter[str] = field(default_factory=Counter)
    by_bucket: Counter[int] = field(default_factory=Counter)
    by_bucket_of: dict[str, Counter[int]] = field(default_factory=dict)
    news: int = 0
    first_words: int = 0
    """Polls of parcels that have not moved, whose orders are read too."""
    known_after: list[float] = field(default_factory=list)
    """Minutes from a delivery to our knowing, where the carrier does not push."""


def a_life(number: int, chance: random.Random) -> Life:
    """Draw a parcel and everything that will happen to it."""
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
        steps = _journey(trade, born, ahead, chance)
        events = [
            TrackingEvent(
                at=at,
                code="X",
                description="",
                status=status,
                country=country if arrived else "CN",
                utc_offset=_written(ahead) if arrived else "+08:00",
            )
            for at, status, arrived in steps
        ]
    return Life(trade, parcel, events, cancelled_at, pushed)


def _journey(
    trade: Trade, born: datetime, ahead: timedelta, chance: random.Random
) -> Iterator[tuple[datetime, TrackingStatus, bool]]:
    """What happens, when, and whether in the country that the parcel goes to."""
    at = picked_up = born + HOUR * min(chance.lognormvariate(2.8, 0.7), 120)
    yield at, S.IN_TRANSIT, trade.abroad == 0
    arrives = at + DAY * max(0.6, chance.gammavariate(4, trade.days / 4))
    lands = picked_up + trade.abroad * (arrives - picked_up)
    while (at := at + HOUR * chance.uniform(6, 28)) < arrives:
        if chance.random() < LOST_FROM_SIGHT:
            return
        trouble = chance.random() < EXCEPTION
        yield at, S.EXCEPTION if trouble else S.IN_TRANSIT, at >= lands
    while True:
        there = arrives + ahead
        morning = there.replace(hour=8, minute=0, second=0, microsecond=0) + HOUR * chance.uniform(-1, 2)
        at = (morning if morning > there else morning + DAY) - ahead
        yield at, S.OUT_FOR_DELIVERY, True
        at += HOUR * chance.uniform(1, 9)
        luck = chance.random()
        if luck < MISSED:
            yield at, S.ATTEMPT_FAILED, True
            arrives = at
            continue
        if luck < MISSED + COLLECTED:
            yield at, S.AVAILABLE_FOR_PICKUP, True
            at += HOUR * chance.uniform(5, 96)
        yield at, S.DELIVERED, True
        return


def _written(ahead: timedelta) -> str:
    minutes = round(ahead / timedelta(minutes=1))
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def ask(life: Life, tally: Tally, chance: random.Random) -> None:
    """Ask about a parcel whenever the plan says so, until it says no more."""
    at = life.parcel.created_at + ROUND * chance.random()
    known, tracking, polls = 0, life.parcel, 0
    while True:
        due = next_poll(tracking, now=at)
        if due is None:
            break
        if life.pushed and known < len(life.events) and life.events[known].at <= due:
            at = life.events[known].at
            known += 1
            tracking = _as_known(life, known)
            continue
        at = BORN + math.ceil((due - BORN) / ROUND) * ROUND
        polls += 1
        bucket = int((at - BORN) % DAY / ROUND)
        tally.by_bucket[bucket] += 1
        tally.by_bucket_of.setdefault(life.trade.carrier, Counter())[bucket] += 1
        tally.first_words += tracking.status is S.PENDING
        if life.cancelled_at is not None and at >= life.cancelled_at:
            break
        seen = sum(event.at <= at for event in life.events)
        if seen > known:
            known = seen
            tally.news += 1
            tracking = _as_known(life, known)
            if tracking.status is S.DELIVERED and not life.pushed:
                tally.known_after.append((at - life.events[-1].at) / timedelta(minutes=1))
        elif at - (tracking.last_event_at or tracking.created_at) >= SILENCE:
            break
    tally.parcels += 1
    tally.per_parcel.append(polls)
    tally.by_carrier[life.trade.carrier] += polls
    tally.days_of[life.trade.carrier] += (at - life.parcel.created_at) / DAY
    tally.lives[life.trade.carrier] += 1


def _as_known(life: Life, known: int) -> Tracking:
    event = life.events[known - 1]
    report = msgspec.structs.replace(event, source=Source.WEBHOOK if life.pushed else Source.POLL)
    return msgspec.structs.replace(life.parcel, status=event.status or S.PENDING, events=(report,))


class Speed(NamedTuple):
    """How fast a worker is, and how large a parcel's item."""

    a_second: float
    item_bytes: int


def measure() -> Speed:
    """Measure in a process of its own, by the clock, the worker's waiting for answers included."""
    command = [sys.executable, "-m", "bench.poll_speed"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603
    return Speed(result["parcels"] / result["wall"], result["item_bytes"])


def lag(buckets: Sequence[float], a_second: float) -> float:
    """The longest that a due parcel waits for a worker, in minutes; three days, one like the other.

    Infinite when the workers get through less than comes.
    """
    seconds = ROUND.total_seconds()
    capacity = a_second * (settings_for("production").poll_round + 60)
    if sum(buckets) > capacity * len(buckets):
        return math.inf
    waiting, longest = 0.0, 0.0
    for come in [*buckets] * 3:
        waiting = max(0.0, waiting + come - capacity)
        longest = max(longest, min(come, capacity) / capacity + waiting / capacity)
    return longest * seconds / 60


def report(tally: Tally, speed: Speed) -> None:
    """Print what it takes."""
    days = sum(tally.days_of.values()) / tally.parcels
    born = LIVE / days
    scale = born / tally.parcels
    polls = sum(tally.per_parcel) / tally.parcels
    buckets = [tally.by_bucket[bucket] * scale for bucket in range(round(DAY / ROUND))]
    peak = max(range(len(buckets)), key=buckets.__getitem__)
    seconds = ROUND.total_seconds()
    a_day = polls * born
    print(f"{LIVE:,} live parcels, scaled up from {tally.parcels:,} lives drawn by chance.\n")
    print("| what the plan asks for | |\n|---|---|")
    quantiles = statistics.quantiles(tally.per_parcel, n=20)
    rows = [
        ("a parcel is followed for, days", f"{days:.1f}"),
        ("new parcels a day", f"{born:,.0f}"),
        (
            "polls per parcel: mean, median, 95 of 100",
            f"{polls:.1f}, {quantiles[9]:.0f}, {quantiles[18]:.0f}",
        ),
        *(
            (
                f"polls per parcel: {trade.carrier}",
                f"{tally.by_carrier[trade.carrier] / tally.lives[trade.carrier]:.1f}",
            )
            for trade in TRADES
        ),
        ("polls a second, on the average", f"{a_day / 86_400:,.0f}"),
        (
            f"polls a second at the peak ({peak * 5 // 60:02}:{peak * 5 % 60:02} UTC)",
            f"{buckets[peak] / seconds:,.0f}",
        ),
        ("polls with news", f"{100 * tally.news / sum(tally.per_parcel):.0f} %"),
        ("minutes until a delivery is known, unpushed: median, 9 of 10", _minutes(tally.known_after)),
    ]
    for name, value in rows:
        print(f"| {name} | {value} |")
    print(f"\nOne worker gets through {speed.a_second:,.0f} parcels a second.\n")
    print("| workers | parcels a second | of it at the peak | longest wait for a worker |\n|---|---|---|---|")
    for workers in WORKERS:
        capacity = workers * speed.a_second
        longest = lag(buckets, capacity)
        said = "for ever" if longest == math.inf else f"{longest:.1f} min"
        print(f"| {workers} | {capacity:,.0f} | {100 * buckets[peak] / seconds / capacity:.0f} % | {said} |")
    _limits(tally, scale)
    _cost(tally, scale, speed)


def _minutes(known_after: Sequence[float]) -> str:
    parts = statistics.quantiles(known_after, n=10)
    return f"{parts[4]:.0f}, {parts[8]:.0f}"


def _limits(tally: Tally, scale: float) -> None:
    heads = (
        "carrier",
        "parcels a call",
        "calls a second, one account",
        "live parcels",
        "calls a second at the peak",
        "accounts needed",
    )
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for trade in TRADES:
        profile = registry.profile(trade.carrier)
        lanes = [lane * LANE_USE for lane in profile.limits.lanes.values()]
        allowed = min(profile.limits.rate, *lanes) if lanes else profile.limits.rate
        peak = max(tally.by_bucket_of[trade.carrier].values()) * scale / ROUND.total_seconds()
        calls = peak / (profile.track_batch * trade.fill)
        live = tally.days_of[trade.carrier] * scale
        print(
            f"| {trade.carrier} | {profile.track_batch} | {allowed:g} | {live:,.0f} | {calls:,.1f} "
            f"| {math.ceil(calls / allowed)} |"
        )


def _cost(tally: Tally, scale: float, speed: Speed) -> None:
    settings = settings_for("production")
    month = MONTH * scale
    polls, news = sum(tally.per_parcel) * month, tally.news * month
    calls = sum(
        tally.by_carrier[trade.carrier] * month / (registry.profile(trade.carrier).track_batch * trade.fill)
        for trade in TRADES
    )
    rounds = MONTH * (DAY / ROUND)
    item_kb = speed.item_bytes / 1024
    memory = settings.size("poll_trackings").memory / 1024
    # A claim is one; giving it back is one, and two in the index whose time changes.
    writes = 4 * polls + (math.ceil(item_kb) + 2) * news + 1.5 * calls
    reads = math.ceil(item_kb / 4) * polls + math.ceil(ORDER_KB / 4) * tally.first_words * month
    reads += rounds * 32 / 2
    worked = polls / speed.a_second * memory
    lines = [
        ("writes: claims, next polls, news, limits", writes / 1e6 * PRICES["DynamoDB, million write units"]),
        ("reads: parcels, orders, what is due", reads / 1e6 * PRICES["DynamoDB, million read units"]),
        ("keeping them", LIVE * (item_kb + 0.5) / 1e6 * PRICES["DynamoDB, GB and month, with its backup"]),
        ("workers", worked * PRICES["Lambda on ARM, GB and second"]),
        (
            "rounds",
            rounds / 1e6 * PRICES["Express workflow, million executions"]
            + rounds * ROUND.total_seconds() * WORKFLOW_GB * PRICES["Express workflow, GB and second"],
        ),
        ("logs and metrics", rounds * 32 * 20 * 600 / 1e9 * PRICES["CloudWatch Logs, GB"]),
    ]
    print("\n| a month | dollars |\n|---|---|")
    for name, dollars in lines:
        print(f"| {name} | {dollars:,.0f} |")
    total = sum(dollars for _, dollars in lines)
    ended = tally.parcels * scale * MONTH
    print(f"| together | {total:,.0f} |")
    print(f"| a million parcels, from their first day to their last | {total / ended * 1e6:,.0f} |")
    idle = rounds * (
        settings.poll_workers * 0.4 * memory * PRICES["Lambda on ARM, GB and second"]
        + settings.poll_workers * PRICES["Lambda, million calls"] / 1e6
        + 16 * PRICES["DynamoDB, million read units"] / 1e6
        + PRICES["Express workflow, million executions"] / 1e6
        + WORKFLOW_GB * PRICES["Express workflow, GB and second"]
    )
    print(f"| with nothing to ask about | {idle:.2f} |")


def main() -> None:
    """Draw, ask, and print."""
    options = argparse.ArgumentParser(description="What ten million live parcels take.")
    options.add_argument("--parcels", type=int, default=PARCELS, help="how many lives are drawn")
    options.add_argument("--speed", type=float, help="parcels a second of a worker, instead of measuring")
    given = options.parse_args()
    began = time.monotonic()
    speed = Speed(given.speed, 2600) if given.speed else measure()
    chance, tally = random.Random(1), Tally()  # noqa: S311 - always the same lives
    for number in range(given.parcels):
        ask(a_life(number, chance), tally, chance)
    report(tally, speed)
    print(f"\n{time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()

"""Ten million live parcels: what the plan asks for, and what it takes.

``python -m bench.scale``. Parcels with believable lives are drawn by chance, always the same ones, and the
real plan is asked for each of their polls; what came of them is scaled up. A steady state: every day as many
parcels are born as end. How many parcels a worker gets through is measured first (``--speed`` takes a figure
instead). Prints Markdown.
"""

import json
import math
import random
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from bench import prices, svg
from bench.lives import BORN, DAY, FEWEST, HOUR, TRADES, Life, a_life, learned, with_events
from infra.settings import settings_for
from local import arguments
from parcelgate.carriers import registry
from parcelgate.domain.habits import Corridor, Habit
from parcelgate.domain.ids import new_id
from parcelgate.domain.polling import corridor_of, next_poll
from parcelgate.domain.timetables import MOST as TIMETABLE
from parcelgate.domain.trackings import SILENCE, TrackingStatus
from parcelgate.services.accounts.carriers import LANE_USE
from parcelgate.services.trackings.poll_buckets import TOGETHER, Follower, earliest, groups
from parcelgate.store import keys
from parcelgate.store.wheel import Entry, new_ticket, packed

PARCELS = 20_000
LIVE = 10_000_000
WORKERS = (4, 8, 16, 32)
ROUND = timedelta(minutes=5)
MONTH = prices.MONTH_DAYS

S = TrackingStatus


ORDER_KB = 3
ITEM_BYTES = 1760
"""A parcel's item, as `bench.poll_speed` measures it."""
POLL_KB = 0.7
HOURLY = 12
"""Of the rounds of a day, every so many is looked at more closely."""
BUCKET_BYTES = 250
"""A claimed poll bucket, without the parcels that it names."""
WORKFLOW_GB = 64 / 1024


@dataclass
class Tally:
    """What came of asking about the sample."""

    parcels: int = 0
    days_of: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    per_parcel: list[int] = field(default_factory=list)
    by_carrier: Counter[str] = field(default_factory=Counter)
    lives: Counter[str] = field(default_factory=Counter)
    by_round: Counter[int] = field(default_factory=Counter)
    by_round_of: dict[str, Counter[int]] = field(default_factory=dict)
    news: int = 0
    first_words: int = 0
    """Polls of parcels that have not moved, whose orders are read too."""
    known_after: list[float] = field(default_factory=list)
    """Minutes from a delivery to our knowing, where the carrier does not push."""
    pushed_known_after: list[float] = field(default_factory=list)
    """The same where it does, and its webhook was lost."""
    news_after: list[float] = field(default_factory=list)
    """Hours from any event to our knowing, where the carrier does not push."""
    by_stage: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Polls by carrier and stage."""
    units: Counter[str] = field(default_factory=Counter)
    """Write units besides those of buckets and of the parcels themselves, by what they are for."""
    waits: dict[int, list[timedelta]] = field(default_factory=lambda: defaultdict(list))
    """How long the parcels that go on in buckets wait there, by the time of day at which they go."""
    webhooks: int = 0
    """Webhooks with news that put the next poll off."""

    def goes_on(self, at: datetime, due: datetime | None) -> None:
        """Count a parcel that goes into a poll bucket."""
        if due is not None:
            self.waits[int((at - BORN) % DAY / ROUND)].append(due - at)


def ask(life: Life, tally: Tally, chance: random.Random, habits: Mapping[Corridor, Habit]) -> None:
    """Ask about a parcel whenever the plan says so, until it says no more."""
    at = life.parcel.created_at + ROUND * chance.random()
    known, tracking, polls = 0, life.parcel, 0
    corridor = corridor_of(tracking)
    comes: datetime | None = None
    """When the parcel's bucket is due; None while it waits alone."""
    is_pushed = False
    silent = 0
    tally.units["first plans"] += 3  # Its POLL, and its TRACKING leaves the index.
    while True:
        due = next_poll(tracking, now=at, habit=habits.get(corridor) if corridor else None)
        if is_pushed:
            tally.webhooks += 1
            if due is None:
                tally.units["webhooks"] += 1
            elif comes is not None and comes <= due:
                tally.units["webhooks"] += 1
                if comes < due:
                    tally.goes_on(comes, due)  # Its bucket comes before its time, and it goes on.
            else:
                tally.units["webhooks"] += 2  # The POLL, and its place in the index.
                comes = None
        else:
            comes = due
            tally.goes_on(at, due)
        is_pushed = False
        if due is None:
            break
        if life.pushed:
            pushed = next((n for n in range(known, len(life.events)) if n not in life.unpushed), None)
            if pushed is not None and life.events[pushed].at <= due:
                at, known = life.events[pushed].at, pushed + 1
                is_pushed, silent = True, 0
                tracking = with_events(life, known)
                corridor = corridor_of(tracking)
                continue
        at = BORN + math.ceil((due - BORN) / ROUND) * ROUND
        polls += 1
        if comes is None:
            tally.units["polls of parcels that wait alone"] += 3  # Claimed, settled, and out of the index.
        silent += 1
        number = int((at - BORN) % DAY / ROUND)
        tally.by_round[number] += 1
        tally.by_round_of.setdefault(life.trade.carrier, Counter())[number] += 1
        tally.by_stage[life.trade.carrier, corridor.stage if corridor else ""] += 1
        tally.first_words += tracking.status is S.PENDING
        if life.cancelled_at is not None and at >= life.cancelled_at:
            break
        seen = sum(event.at <= at for event in life.events)
        if seen > known:
            if not life.pushed:
                tally.news_after += [(at - event.at) / HOUR for event in life.events[known:seen]]
            known, silent = seen, 0
            tally.news += 1
            before, tracking = tracking, with_events(life, known)
            tally.units["plans"] += 1
            if tracking.status is not before.status:
                # An item leaves the index and another comes; a parcel with a courier is in a second one so.
                tally.units["lists by status"] += 4 if tracking.carrier_code else 2
            corridor = corridor_of(tracking)
            if tracking.status is S.DELIVERED:
                waited = (at - life.events[-1].at) / timedelta(minutes=1)
                if not life.pushed:
                    tally.known_after.append(waited)
                elif known - 1 in life.unpushed:
                    tally.pushed_known_after.append(waited)
        elif at - (tracking.last_event_at or tracking.created_at) >= SILENCE:
            break
        elif silent % TIMETABLE == 0:
            tally.units["plans"] += 1
    tally.parcels += 1
    tally.per_parcel.append(polls)
    tally.by_carrier[life.trade.carrier] += polls
    tally.days_of[life.trade.carrier] += (at - life.parcel.created_at) / DAY
    tally.lives[life.trade.carrier] += 1


def asked(parcels: int, habits: Mapping[Corridor, Habit], *, seed: int = 1, rhythms: int | None = 1) -> Tally:
    """Draw lives, and ask about each by the plan with these habits; without any it is the table."""
    chance, tally = random.Random(seed), Tally()  # noqa: S311 - always the same lives
    for number in range(parcels):
        ask(a_life(number, chance, rhythms), tally, random.Random(number), habits)  # noqa: S311
    return tally


class Speed(NamedTuple):
    """How fast a worker is, and how large a parcel's item."""

    a_second: float
    item_bytes: int


def measure() -> Speed:
    """Measure in a process of its own, by the clock, the worker's waiting for answers included."""
    command = [sys.executable, "-m", "bench.poll_speed"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603
    return Speed(result["parcels"] / result["wall"], result["item_bytes"])


def lag(rounds: Sequence[float], a_second: float) -> float:
    """The longest that a due parcel waits for a worker, in minutes; three days, one like the other.

    Infinite when the workers get through less than comes.
    """
    seconds = ROUND.total_seconds()
    capacity = a_second * (settings_for("production").poll_round + 60)
    if sum(rounds) > capacity * len(rounds):
        return math.inf
    waiting, longest = 0.0, 0.0
    for come in [*rounds] * 3:
        waiting = max(0.0, waiting + come - capacity)
        longest = max(longest, min(come, capacity) / capacity + waiting / capacity)
    return longest * seconds / 60


def report(tally: Tally, speed: Speed) -> None:
    """Print what it takes."""
    days = sum(tally.days_of.values()) / tally.parcels
    born = LIVE / days
    scale = born / tally.parcels
    polls = sum(tally.per_parcel) / tally.parcels
    rounds = [tally.by_round[number] * scale for number in range(round(DAY / ROUND))]
    peak = max(range(len(rounds)), key=rounds.__getitem__)
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
            f"{rounds[peak] / seconds:,.0f}",
        ),
        ("polls with news", f"{100 * tally.news / sum(tally.per_parcel):.0f} %"),
        ("minutes until a delivery is known, unpushed: median, 9 of 10", _minutes(tally.known_after)),
    ]
    for name, value in rows:
        print(f"| {name} | {value} |")
    svg.save(
        "polls-of-a-day.svg",
        svg.course(
            "Polls a second over a day (UTC)",
            [each / seconds for each in rounds],
            marks=("0:00", "6:00", "12:00", "18:00", "24:00"),
            level=(a_day / 86_400, "the average"),
        ),
    )
    print(f"\nOne worker gets through {speed.a_second:,.0f} parcels a second.\n")
    print("| workers | parcels a second | of it at the peak | longest wait for a worker |\n|---|---|---|---|")
    for workers in WORKERS:
        capacity = workers * speed.a_second
        longest = lag(rounds, capacity)
        said = "for ever" if longest == math.inf else f"{longest:.1f} min"
        print(f"| {workers} | {capacity:,.0f} | {100 * rounds[peak] / seconds / capacity:.0f} % | {said} |")
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
        peak = max(tally.by_round_of[trade.carrier].values()) * scale / ROUND.total_seconds()
        calls = peak / (profile.track_batch * trade.fill)
        live = tally.days_of[trade.carrier] * scale
        print(
            f"| {trade.carrier} | {profile.track_batch} | {allowed:g} | {live:,.0f} | {calls:,.1f} "
            f"| {math.ceil(calls / allowed)} |"
        )


def _follower(at: datetime) -> Follower:
    entry = Entry("acme", new_id("trk"), new_ticket())
    return Follower(at, earliest(at, BORN), at, entry, None, None)


def bucket_units(tally: Tally, together: int) -> float:
    """The write units for each parcel that goes on in a poll bucket, if `together` are written at once.

    Each bucket is written, claimed and deleted. A unit is a KB begun of the claimed item.
    """
    units, parcels = 0, 0
    chance = random.Random(1)  # noqa: S311 - always the same parcels
    for _, waits in sorted(tally.waits.items())[::HOURLY]:
        # A worker has more parcels at this time of day than the sample: the same waits, a little apart.
        drawn = (wait + chance.uniform(-1, 1) * ROUND / 2 for wait in chance.choices(waits, k=together))
        followers = [_follower(BORN + max(wait, ROUND)) for wait in drawn]
        for group in groups(followers):
            size = BUCKET_BYTES + len(packed(follower.entry for follower in group))
            units += 3 * math.ceil(size / 1024)
            parcels += len(group)
    return units / parcels


def _cost(tally: Tally, scale: float, speed: Speed) -> None:
    settings = settings_for("production")
    month = MONTH * scale
    polls, news = sum(tally.per_parcel) * month, tally.news * month
    calls = sum(
        tally.by_carrier[trade.carrier] * month / (registry.profile(trade.carrier).track_batch * trade.fill)
        for trade in TRADES
    )
    rounds = MONTH * (DAY / ROUND)
    a_run = polls / rounds / settings.poll_workers
    item_kb = speed.item_bytes / 1024
    memory = settings.size("poll_trackings").memory / 1024
    kept_gb = prices.price("table_gb_month") + prices.price("backup_gb_month")
    bucket = bucket_units(tally, TOGETHER)
    goes_on = sum(map(len, tally.waits.values())) * month
    units = {name: number * month for name, number in tally.units.items()}
    # A parcel and its plan are read as they stood a moment ago, which costs half.
    reads = (math.ceil(item_kb / 4) + 1) / 2 * polls + math.ceil(ORDER_KB / 4) * tally.first_words * month
    reads += rounds * keys.POLL_SHARDS * 1.5 + tally.webhooks * month
    worked = polls / speed.a_second * memory
    writes = {
        "polls without news: the poll buckets": bucket * goes_on,
        "news: the parcel, and its lists by status": math.ceil(item_kb) * news + units.pop("lists by status"),
        "news: the parcel's new plan": units.pop("plans"),
        "limits: each call's place": 1.5 * calls,
        **units,
    }
    lines = [
        *((f"writes, {name}", each * prices.price("write_unit")) for name, each in writes.items()),
        ("reads: parcels, their plans, orders, what is due", reads * prices.price("read_unit")),
        ("keeping them", LIVE * (item_kb + POLL_KB) / 1e6 * kept_gb),
        ("workers", worked * prices.price("lambda_gb_second")),
        (
            "rounds",
            rounds * prices.price("express_execution")
            + rounds * ROUND.total_seconds() * WORKFLOW_GB * prices.price("express_gb_second"),
        ),
        ("logs and metrics", rounds * 32 * 20 * 600 / 1e9 * prices.price("log_gb")),
    ]
    print("\n| a month | dollars |\n|---|---|")
    for name, dollars in lines:
        print(f"| {name} | {dollars:,.0f} |")
    total = sum(dollars for _, dollars in lines)
    ended = tally.parcels * scale * MONTH
    print(f"| together | {total:,.0f} |")
    print(f"| a million parcels, from their first day to their last | {total / ended * 1e6:,.0f} |")
    idle = rounds * (
        settings.poll_workers * 0.4 * memory * prices.price("lambda_gb_second")
        + settings.poll_workers * prices.price("lambda_request")
        + keys.POLL_SHARDS * 1.5 * prices.price("read_unit")
        + prices.price("express_execution")
        + WORKFLOW_GB * prices.price("express_gb_second")
    )
    print(f"| with nothing to ask about | {idle:.2f} |")
    print(
        "\n| live parcels | parcels that one run writes together | write units for each poll without news |"
    )
    print("|---|---|---|")
    for live in (10_000, 100_000, 1_000_000, LIVE):
        run = max(1, min(TOGETHER, round(a_run * live / LIVE)))
        print(f"| {live:,} | {run:,} | {bucket_units(tally, run):.2f} |")


def main() -> None:
    """Draw, ask, and print."""
    options = arguments.parser(__doc__)
    options.add_argument(
        "--parcels",
        type=arguments.bounded(FEWEST),
        default=PARCELS,
        help=f"how many lives are drawn, at least {FEWEST}",
    )
    options.add_argument(
        "--speed", type=arguments.positive, help="parcels a second of a worker, instead of measuring"
    )
    given = options.parse_args()
    began = time.monotonic()
    speed = Speed(given.speed, ITEM_BYTES) if given.speed else measure()
    report(asked(given.parcels, learned(given.parcels, seed=2)), speed)
    print(f"\n{time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()

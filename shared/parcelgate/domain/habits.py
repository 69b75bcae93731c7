"""Habits: when the parcels of a corridor move on, learned from what was seen, as small counters.

A corridor is what travels alike: one carrier, service, origin and destination. A move is an event that takes
a parcel from one stage of its journey to the next. Every move is counted three times: by the hour and by the
weekday at the place, and by how long the parcel had stood in the stage. From these counters follows how
likely a move is at any time. No parcel, no recipient and no place below a country is in them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import exp, floor, inf, log
from typing import NamedTuple

HOUR = timedelta(hours=1)
ENOUGH = 100
"""Moves. A corridor of which fewer were seen has no habits, and the plan is the table."""
EDGES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 30, 48, 72, 120, 192)
"""Hours: where each class of stays begins. The last one has no end."""
_LAST_CLASS = 240
"""Hours that the last class is taken to last."""
_FORESIGHT = timedelta(days=3)
"""How much further than a week the best timetable looks ahead."""
_DOUBT = 0.1
"""The part of the moves of which nothing is learned: they may come at any hour of any day."""


class Corridor(NamedTuple):
    """What travels alike, in one stage of its journey (`Stage.code`). Empty: not known."""

    carrier: str
    service: str
    origin: str
    destination: str
    stage: str


class Move(NamedTuple):
    """A parcel moved on: from which corridor, when by the clock at the place, and after which stay."""

    corridor: Corridor
    there: datetime
    stay: timedelta

    @property
    def counters(self) -> tuple[str, str, str]:
        """The names of the counters to which it adds one each."""
        return f"h{self.there.hour}", f"d{self.there.weekday()}", f"s{_class_of(self.stay / HOUR)}"


class Care(NamedTuple):
    """How much it matters to know soon that a parcel has moved on from a stage.

    Each poll costs as much as `price` of waiting news. The first `slack` of that waiting costs nothing. Polls
    are `soonest` to `longest` apart. `step` is how finely times are chosen.
    """

    price: timedelta
    slack: timedelta
    soonest: timedelta
    longest: timedelta
    step: timedelta


class Habit:
    """When the parcels of a corridor move on.

    Parameters
    ----------
    counters
        How many moves were seen: `h0` to `h23` by hour, `d0` to `d6` by weekday from Monday, `s0`, `s1`, ...
        by the class of their stay in the stage (`EDGES`). Counters that fade need not be whole.
    """

    def __init__(self, counters: Mapping[str, float]) -> None:
        hours, days, stays = (
            [counters.get(f"{kind}{place}", 0.0) for place in range(number)]
            for kind, number in (("h", 24), ("d", 7), ("s", len(EDGES)))
        )
        self.moves = sum(days)
        """How many moves were seen."""
        self._by_hour, self._by_day = _shares(hours), _shares(days)
        self._chances = _chances(stays)
        self._timetables: dict[Care, list[bytes]] = {}

    @property
    def is_known(self) -> bool:
        """Whether enough moves were seen to rely on them."""
        return self.moves >= ENOUGH

    def likely(self, there: datetime, stay: timedelta, care: Care, share: float) -> timedelta:
        """Return how long to wait until asking is worth it, at most `care.longest`.

        `there` is the time by the clock at the place, `stay` how long the parcel has stood in its stage.
        `share`, from 0 up to 1, spreads parcels over one step of the timetable.
        """
        step = care.step / HOUR
        moment = (there.weekday() * 24 + there.hour + (there.minute + there.second / 60) / 60) / step - share
        slot = floor(moment)
        waits = self._timetable(care)[_class_of(stay / HOUR)]
        wait = care.step * (slot + waits[slot % len(waits)] - moment)
        return wait if wait >= care.soonest - 0.75 * care.step else wait + care.step

    def overdue(self, there: datetime, stay: timedelta, *, longest: timedelta) -> timedelta:
        """Return how long to wait until three in four parcels would have moved on, at most `longest`."""
        hour, day = there.hour, there.weekday()
        stood, waited, most, left = max(stay / HOUR, 0.0), 0.0, longest / HOUR, log(4)
        while waited < most and left > 0:
            left -= self._chances[_class_of(stood)] * self._by_hour[hour] * self._by_day[day]
            waited, stood, hour = waited + 1, stood + 1, hour + 1
            if hour == 24:
                hour, day = 0, (day + 1) % 7
        return min(HOUR * waited, longest)

    def _timetable(self, care: Care) -> list[bytes]:
        """For each class of stays and each step of the week, after how many steps to ask about a parcel.

        Made at its first use, backward in time, as for any sequence of decisions: a wait costs what news are
        expected to wait in it, and one poll, and what is best from there on.
        """
        if care not in self._timetables:
            self._timetables[care] = self._best_waits(care)
        return self._timetables[care]

    def _best_waits(self, care: Care) -> list[bytes]:
        hours = care.step / HOUR
        soonest, longest = round(care.soonest / care.step), round(care.longest / care.step)
        slack, price = round(care.slack / care.step), care.price / care.step
        week = round(168 / hours)
        end = week + round(_FORESIGHT / care.step)
        clock = [int(slot * hours) for slot in range(week)]
        often = [self._by_hour[hour % 24] * self._by_day[hour // 24] for hour in clock]
        stays = [[1 - exp(-hours * chance * each) for each in often] for chance in self._chances]
        costs = [[0.0] * (end + longest + 1) for _ in EDGES]
        waits = [bytearray(week) for _ in EDGES]
        moved = [0.0] * (longest + 1)
        for place in range(len(EDGES) - 1, -1, -1):
            later = [_class_of(_middle(place) + wait * hours) for wait in range(longest + 1)]
            for slot in range(end - 1, -1, -1):
                cost, best, choice, before = price, inf, longest, 0.0
                for wait in range(1, longest + 1):
                    moves = stays[later[wait - 1]][(slot + wait - 1) % week]
                    moved[wait] = now = before + (1 - before) * moves
                    if wait > slack:
                        cost += (moved[wait - slack] + moved[wait - slack - 1]) / 2
                        if cost > best:
                            break
                    if wait >= soonest:
                        whole = cost + (1 - now) * costs[later[wait]][slot + wait]
                        if whole <= best:
                            best, choice = whole, wait
                    before = now
                costs[place][slot] = best
                if slot < week:
                    waits[place][slot] = choice
        return [bytes(each) for each in waits]


def _middle(place: int) -> float:
    """The middle of a class of stays, in hours."""
    return (EDGES[place] + (EDGES[place + 1] if place + 1 < len(EDGES) else EDGES[place])) / 2


def _class_of(hours: float) -> int:
    """The class of a stay of so many hours."""
    place = len(EDGES) - 1
    while place and hours < EDGES[place]:
        place -= 1
    return place


def _shares(counts: list[float]) -> list[float]:
    """How many times more often than on the average moves come at each of these times."""
    mean = sum(counts) / len(counts)
    return [(1 - _DOUBT) * count / mean + _DOUBT if mean else 1.0 for count in counts]


def _chances(stays: list[float]) -> list[float]:
    """The chance an hour, in each class of stays, that a parcel which has stood so long moves on."""
    chances = []
    left = sum(stays) + 1.0
    for count, begins, ends in zip(stays, EDGES, (*EDGES[1:], EDGES[-1] + _LAST_CLASS), strict=True):
        stood = left - (count + 0.5) / 2
        chances.append(min((count + 0.5) / (stood * (ends - begins)), 4.0))
        left = max(left - count, 1.0)
    return chances

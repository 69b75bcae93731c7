"""Habits: what is learned of a corridor, and when its parcels are asked about by it."""

import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.lives import learned
from bench.scale import asked
from parcelgate.domain import polling
from parcelgate.domain.habits import EDGES, ENOUGH, Care, Corridor, Habit, Move
from parcelgate.domain.polling import STAGES, corridor_of, moves, next_poll
from parcelgate.domain.trackings import SILENCE_CODE, Source, Tracking, TrackingEvent, TrackingStatus, merge
from tests.unit.domain.test_polling import DAY, HOUR, MINUTE, MOMENTS, MONDAY, SOME, a_parcel, wait

S = TrackingStatus
CORRIDOR = Corridor("ubi", "", "CN", "AU", "t")
CARE = Care(price=HOUR, slack=timedelta(0), soonest=HOUR, longest=12 * HOUR, step=HOUR)


def habit(*moved: Move, times: int = ENOUGH) -> Habit:
    """What is known when each of these was seen so often."""
    counters: Counter[str] = Counter()
    for move in moved:
        counters.update(dict.fromkeys(move.counters, times))
    return Habit(counters)


def a_move(hour: int, *, day: int = 0, stay: timedelta = 20 * HOUR) -> Move:
    there = datetime(2026, 11, 23, hour, 30, tzinfo=UTC) + day * DAY
    return Move(CORRIDOR, there, stay)


EVERY_MORNING = habit(
    *(a_move(8, day=day, stay=hours * HOUR) for day in range(7) for hours in (10, 20, 40, 60, 90, 130, 300))
)
ANYTHING = st.builds(
    Habit,
    st.dictionaries(
        st.sampled_from(
            [
                f"{kind}{place}"
                for kind, most in (("h", 24), ("d", 7), ("s", len(EDGES)))
                for place in range(most)
            ]
        ),
        st.integers(0, 10_000),
    ),
)


class TestWhatIsCounted:
    def test_a_parcel_that_goes_to_and_fro_makes_no_habit_by_itself(self) -> None:
        """However its events come: all in one history, or each in one of its own."""
        parcel = a_parcel(age=DAY, destination_country="AU")
        events = tuple(
            TrackingEvent(
                at=parcel.created_at + place * MINUTE,
                code="X",
                description="X",
                id=str(place),
                country="AU",
                status=(S.IN_TRANSIT, S.OUT_FOR_DELIVERY)[place % 2],
            )
            for place in range(4 * ENOUGH)
        )
        steps = [msgspec.structs.replace(parcel, events=events[:most]) for most in range(len(events) + 1)]
        at_once = [*moves(steps[0], steps[-1])]
        assert at_once == [move for pair in pairwise(steps[:40]) for move in moves(*pair)]
        assert max(Counter(move.corridor for move in at_once).values()) == polling.MOST_MOVES < ENOUGH / 10

    def test_a_move_is_counted_by_hour_weekday_and_stay(self) -> None:
        assert a_move(8, day=6, stay=90 * MINUTE).counters == ("h8", "d6", "s1")
        assert a_move(0, stay=timedelta(0)).counters == ("h0", "d0", "s0")
        assert a_move(23, stay=400 * DAY).counters == ("h23", "d0", f"s{len(EDGES) - 1}")

    def test_few_moves_are_no_habit(self) -> None:
        assert not habit(a_move(8), times=ENOUGH - 1).is_known
        assert habit(a_move(8), times=ENOUGH).is_known
        assert not Habit({}).is_known


class TestWhenToAsk:
    def test_it_is_asked_soon_after_the_hour_in_which_news_comes(self) -> None:
        evening = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
        due = evening + EVERY_MORNING.likely(evening, 20 * HOUR, CARE, 0.0)
        assert 9 <= due.hour <= 10

    def test_where_news_come_at_any_time_it_is_asked_evenly(self) -> None:
        flat = habit(*(a_move(hour, day=day) for hour in range(24) for day in range(7)), times=1)
        waits = {flat.likely(MONDAY + hour * HOUR, 3 * DAY, CARE, 0.0) for hour in range(24)}
        assert max(waits) - min(waits) <= HOUR

    def test_the_dearer_a_poll_the_fewer_there_are(self) -> None:
        def polls(price: timedelta) -> int:
            at, number = MONDAY, 0
            while at < MONDAY + 7 * DAY:
                at += EVERY_MORNING.likely(at, 20 * HOUR, CARE._replace(price=price), 0.5)
                number += 1
            return number

        assert polls(MINUTE) > polls(HOUR) >= polls(DAY) >= 14

    def test_parcels_are_spread_over_a_step(self) -> None:
        evening = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
        dues = [evening + EVERY_MORNING.likely(evening, 20 * HOUR, CARE, share / 60) for share in range(60)]
        assert max(Counter(due.replace(second=0, microsecond=0) for due in dues).values()) <= 2

    def test_a_pushed_parcel_is_overdue_when_three_in_four_would_have_moved_on(self) -> None:
        evening = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
        assert DAY < EVERY_MORNING.overdue(evening, 20 * HOUR, longest=30 * DAY) < 12 * DAY
        assert EVERY_MORNING.overdue(evening, 20 * HOUR, longest=2 * HOUR) == 2 * HOUR

    @settings(max_examples=30)
    @given(
        ANYTHING,
        MOMENTS,
        st.timedeltas(timedelta(0), 100 * DAY),
        st.floats(0, 0.999),
        st.sampled_from([stage.care() for stage in (polling.ABROAD, *STAGES)]),
    )
    def test_no_habit_makes_a_wait_longer_than_it_may_be(
        self, known: Habit, there: datetime, stay: timedelta, share: float, care: Care
    ) -> None:
        waited = known.likely(there, stay, care, share)
        assert care.step / 4 <= waited <= care.longest


class TestThePlan:
    @given(SOME, MOMENTS, st.integers(0, 20))
    def test_without_counters_it_is_the_table(self, tracking: Tracking, at: datetime, misses: int) -> None:
        table = next_poll(tracking, now=at, misses=misses)
        few = habit(a_move(8), times=ENOUGH - 1)
        for nothing in (None, Habit({}), few):
            assert next_poll(tracking, now=at, misses=misses, habit=nothing) == table

    @settings(max_examples=40)
    @given(SOME, MOMENTS, ANYTHING, st.integers(0, 20))
    def test_no_parcel_waits_longer_than_the_table_ever_has_it_wait_in_its_stage(
        self, tracking: Tracking, at: datetime, known: Habit, misses: int
    ) -> None:
        due = next_poll(tracking, now=at, misses=misses, habit=known)
        assert (due is None) is tracking.is_over(at)
        if due is None:
            return
        stage = polling._stage(tracking)
        night = 12 * HOUR if stage.by_day else timedelta(0)
        assert at < due <= at + stage.longest * (1 + polling.SPREAD / 2) + night

    def test_where_life_is_faster_it_is_the_table(self) -> None:
        parcel = a_parcel(S.IN_TRANSIT, age=HOUR, destination_country="AU")
        faster = next_poll(parcel, now=MONDAY, pace=1440, habit=EVERY_MORNING)
        assert faster == next_poll(parcel, now=MONDAY, pace=1440)

    def test_a_parcel_is_asked_about_when_its_corridor_moves_on(self) -> None:
        """It is ten in the evening in Sydney."""
        at = MONDAY.replace(hour=12)
        parcel = a_parcel(S.IN_TRANSIT, age=HOUR, at=at, destination_country="AU", destination_state="NSW")
        assert wait(parcel, at=at) < 5 * HOUR
        assert wait(parcel, at=at, habit=EVERY_MORNING) > 10 * HOUR

    def test_a_parcel_that_an_aggregator_looks_up_is_asked_about_by_the_table(self) -> None:
        new = a_parcel(age=MINUTE, carrier_code="usps", destination_country="US", destination_state="TX")
        assert wait(new, habit=EVERY_MORNING) == wait(new)

    def test_an_aggregator_is_asked_no_more_often_than_it_asks_couriers(self) -> None:
        always = habit(*(a_move(hour, stay=HOUR) for hour in range(24)), times=ENOUGH)
        door = a_parcel(S.OUT_FOR_DELIVERY, age=HOUR, carrier_code="usps", utc_offset="-06:00")
        assert wait(door, habit=always) >= polling.AGGREGATORS_PACE * (1 - polling.SPREAD / 2)

    def test_nobody_knows_the_hours_of_an_unknown_place(self) -> None:
        parcel = a_parcel(S.IN_TRANSIT, age=HOUR)
        assert wait(parcel, habit=EVERY_MORNING) == wait(parcel)

    def test_a_pushed_parcel_is_asked_about_when_its_news_are_overdue(self) -> None:
        door = a_parcel(S.OUT_FOR_DELIVERY, age=MINUTE, pushed=True, utc_offset="-06:00")
        afternoons = habit(*(a_move(15, day=day, stay=6 * HOUR) for day in range(7)))
        assert wait(door) < 3 * HOUR < 6 * HOUR < wait(door, habit=afternoons)


def told(parcel: Tracking, *events: tuple[datetime, TrackingStatus, str], **more: Any) -> Tracking:
    reports = [
        TrackingEvent(at=at, code=status, description="", status=status, country=country, **more)
        for at, status, country in events
    ]
    return merge(parcel, reports, source=Source.POLL, at=MONDAY)


class TestWhatIsLearned:
    """A parcel from China to Texas, followed since Monday at three in the afternoon (UTC)."""

    def parcel(self, **facts: Any) -> Tracking:
        where = {"destination_country": "US", "destination_state": "TX", "service": "EXPRESS"}
        return a_parcel(age=timedelta(0), **where | facts)

    def test_each_move_is_seen_in_the_corridor_and_by_the_clock_known_before_it(self) -> None:
        before = self.parcel()
        after = told(
            before,
            (MONDAY + 2 * HOUR, S.IN_TRANSIT, "CN"),
            (MONDAY + 5 * HOUR, S.IN_TRANSIT, "CN"),
            (MONDAY + 26 * HOUR, S.IN_TRANSIT, "US"),
            (MONDAY + 46 * HOUR, S.OUT_FOR_DELIVERY, "US"),
            (MONDAY + 50 * HOUR, S.DELIVERED, "US"),
            (MONDAY + 51 * HOUR, S.IN_TRANSIT, "US"),
        )
        seen = [(*move.corridor[1:], move.there.hour, move.stay / HOUR) for move in moves(before, after)]
        assert seen == [
            ("EXPRESS", "", "US", "b", 11, 2),
            ("EXPRESS", "CN", "US", "a", 11, 24),
            ("EXPRESS", "CN", "US", "t", 7, 20),
            ("EXPRESS", "CN", "US", "d", 11, 4),
        ]

    def test_only_what_is_new(self) -> None:
        before = told(self.parcel(), (MONDAY + 2 * HOUR, S.IN_TRANSIT, "US"))
        after = told(before, (MONDAY + 2 * HOUR, S.IN_TRANSIT, "US"), (MONDAY + 9 * HOUR, S.DELIVERED, "US"))
        assert [move.corridor.stage for move in moves(before, after)] == ["t"]
        assert not [*moves(after, after)]

    def test_the_clock_is_that_of_the_event_before(self) -> None:
        before = told(self.parcel(), (MONDAY + HOUR, S.IN_TRANSIT, "CN"), utc_offset="+08:00")
        after = told(before, (MONDAY + 3 * HOUR, S.IN_TRANSIT, "US"), utc_offset="-06:00")
        assert [move.there.hour for move in moves(before, after)] == [2]

    def test_silence_is_no_move(self) -> None:
        parcel = self.parcel()
        event = TrackingEvent(at=MONDAY + 60 * DAY, code=SILENCE_CODE, description="", status=S.EXPIRED)
        assert not [*moves(parcel, merge(parcel, [event], source=Source.POLL, at=MONDAY))]

    def test_nothing_is_learned_where_nobody_knows_the_clock(self) -> None:
        parcel = self.parcel(destination_country=None, destination_state=None)
        assert not [*moves(parcel, told(parcel, (MONDAY + HOUR, S.IN_TRANSIT, "CN")))]

    def test_the_corridor_of_a_followed_parcel_is_its_couriers(self) -> None:
        corridor = corridor_of(self.parcel(carrier="trackingmore", carrier_code="usps", service=None))
        assert corridor == Corridor("trackingmore", "usps", "", "US", "b")

    def test_what_is_planned_by_is_what_was_counted(self) -> None:
        """In every stage that a parcel passes, the plan reads the corridor in which its next move counts."""
        steps = [
            (MONDAY + 2 * HOUR, S.IN_TRANSIT, "CN"),
            (MONDAY + 26 * HOUR, S.IN_TRANSIT, "US"),
            (MONDAY + 40 * HOUR, S.EXCEPTION, "US"),
            (MONDAY + 46 * HOUR, S.OUT_FOR_DELIVERY, "US"),
            (MONDAY + 50 * HOUR, S.ATTEMPT_FAILED, "US"),
            (MONDAY + 59 * HOUR, S.DELIVERED, "US"),
        ]
        before = self.parcel()
        for step in steps:
            after = told(before, step)
            assert [move.corridor for move in moves(before, after)] == [corridor_of(before)]
            before = after
        assert corridor_of(before) is None


def test_habits_halve_the_polls_and_deliveries_are_known_no_later() -> None:
    """Of lives that are drawn by chance, learned from other lives than those that are asked about."""
    table, known = asked(250, {}), asked(250, learned(3000, seed=2))
    assert sum(known.per_parcel) < 0.55 * sum(table.per_parcel)
    late_by_table, late = (statistics.quantiles(each.known_after, n=10)[-1] for each in (table, known))
    assert late < 1.25 * late_by_table


@pytest.mark.parametrize("stage", [polling.ABROAD, *STAGES], ids=lambda stage: stage.name)
def test_every_stage_has_a_code_of_its_own(stage: polling.Stage) -> None:
    others = [each.code for each in (polling.FOLLOWED, polling.ABROAD, *STAGES) if each is not stage]
    assert stage.code not in others

"""The plan: often when news is likely, never when nothing can have happened."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcelgate.domain import polling
from parcelgate.domain.ids import new_id
from parcelgate.domain.places import countries
from parcelgate.domain.polling import STAGES, Stage, Step, next_poll
from parcelgate.domain.trackings import SILENCE, NextCarrier, Source, Tracking, TrackingEvent, TrackingStatus

MONDAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
"""Nine in the morning in Texas."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SCALE = Path("docs/scale.md")


def a_parcel(status: TrackingStatus = TrackingStatus.PENDING, *, age: timedelta, **facts: Any) -> Tracking:
    """A parcel whose newest news is of this age."""
    pushed, at = facts.pop("pushed", False), facts.pop("at", MONDAY) - age
    event = TrackingEvent(
        at=at,
        code="X",
        description="",
        status=status,
        utc_offset=facts.pop("utc_offset", None),
        country=facts.pop("seen_in", None),
        source=Source.WEBHOOK if pushed else Source.POLL,
    )
    known = status is not TrackingStatus.PENDING or pushed
    return Tracking(
        **{
            "id": new_id("trk"),
            "tenant": "acme",
            "carrier": "ubi",
            "account": "default",
            "tracking_number": "N1",
            "status": status,
            "events": (event,) if known else (),
            "created_at": at,
            "updated_at": at,
            **facts,
        }
    )


def wait(tracking: Tracking, *, at: datetime = MONDAY, **how: Any) -> timedelta:
    due = next_poll(tracking, now=at, **how)
    assert due is not None
    return due - at


def ages(step: Step, after: timedelta) -> list[timedelta]:
    """An age at each end of a step that begins where the one before it ends."""
    return [after, (step.younger_than or after + 30 * DAY) - timedelta(seconds=1)]


@pytest.mark.parametrize(
    ("status", "step", "after"),
    [
        (status, step, before.younger_than if before else timedelta(0))
        for stage in STAGES
        for status in sorted(stage.statuses)
        for before, step in pairwise((None, *stage.steps))
    ],
)
def test_every_step_holds_for_its_ages_give_or_take_the_spread(
    status: TrackingStatus, step: Step, after: timedelta
) -> None:
    for age in ages(step, after):
        waited = wait(a_parcel(status, age=age))
        assert abs(waited - step.every) <= step.every * polling.SPREAD / 2


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_carrier_that_tells_no_more_is_asked_at_the_ordinary_pace_again(stage: Stage) -> None:
    """After two missed expectations, and not at the slower pace for ever."""
    for status in sorted(stage.statuses):
        for missed, planned in ((0, stage.pushed), (1.9, stage.pushed), (2.1, None), (50, None)):
            age = missed * stage.pushed
            ordinary = wait(a_parcel(status, age=age, id="trk_1"))
            waited = wait(a_parcel(status, age=age, id="trk_1", pushed=True))
            if planned is None:
                assert waited == ordinary
            else:
                assert abs(waited - planned) <= planned * polling.SPREAD / 2


def test_a_parcel_that_its_carrier_has_handed_on_is_not_told_of_any_more() -> None:
    there = NextCarrier(MONDAY, "australia-post", "33X")
    parcel = a_parcel(TrackingStatus.IN_TRANSIT, age=HOUR, pushed=True, next_carrier=there)
    assert wait(parcel) < 5 * HOUR
    at_the_door = a_parcel(TrackingStatus.OUT_FOR_DELIVERY, age=HOUR, next_carrier=there)
    assert wait(at_the_door) >= 3 * HOUR * (1 - polling.SPREAD / 2), "as an aggregator's"


@pytest.mark.parametrize("status", ["damaged", "returning", "exception", "available_for_pickup"])
def test_a_parcel_that_stands_still_in_silence_is_asked_about_no_more(status: str) -> None:
    parcel = a_parcel(TrackingStatus(status), age=SILENCE - HOUR)
    assert next_poll(parcel, now=MONDAY) is not None
    assert next_poll(parcel, now=MONDAY + HOUR) is None
    assert next_poll(parcel, now=MONDAY + HOUR, misses=1) is None


def test_every_status_that_is_no_end_has_its_place_in_the_plan() -> None:
    placed = [status for stage in STAGES for status in stage.statuses]
    assert sorted(placed) == sorted(status for status in TrackingStatus if not status.final)


@pytest.mark.parametrize("status", [status for status in TrackingStatus if status.final])
def test_nobody_asks_after_the_end(status: TrackingStatus) -> None:
    assert next_poll(a_parcel(status, age=HOUR), now=MONDAY) is None


def test_nobody_asks_about_a_parcel_that_is_paused() -> None:
    assert next_poll(a_parcel(TrackingStatus.IN_TRANSIT, age=HOUR, paused=True), now=MONDAY) is None


def test_it_waits_longest_before_pick_up_and_shortest_at_the_door() -> None:
    waits = {stage.name: stage.steps[0].every for stage in STAGES}
    assert max(waits, key=waits.__getitem__) == "not yet handed over"
    assert min(waits, key=waits.__getitem__) == "out for delivery"


def test_a_carrier_that_tells_by_itself_is_never_asked_more_often() -> None:
    assert all(stage.pushed >= stage.steps[0].every for stage in STAGES)


class TestAParcelAbroad:
    def test_it_is_asked_about_less_often_than_in_its_own_country(self) -> None:
        waits = {
            country: wait(
                a_parcel(TrackingStatus.IN_TRANSIT, age=HOUR, seen_in=country, destination_country="AU")
            )
            for country in ("CN", "AU", None)
        }
        assert waits["AU"] < 5 * HOUR < 6 * HOUR < waits["CN"] < 10 * HOUR
        assert waits[None] < 5 * HOUR

    def test_nobody_knows_what_is_abroad_of_a_parcel_without_a_destination(self) -> None:
        assert wait(a_parcel(TrackingStatus.IN_TRANSIT, age=HOUR, seen_in="CN")) < 5 * HOUR

    def test_it_matters_in_transit_alone(self) -> None:
        at_the_door = a_parcel(
            TrackingStatus.OUT_FOR_DELIVERY, age=HOUR, seen_in="CA", destination_country="US"
        )
        assert wait(at_the_door) < HOUR


class TestAnAggregatorsParcel:
    def test_it_is_asked_about_within_minutes_while_nothing_is_known(self) -> None:
        assert 5 * MINUTE < wait(a_parcel(age=MINUTE, carrier_code="usps")) < 15 * MINUTE

    def test_after_that_as_any_other(self) -> None:
        assert wait(a_parcel(age=HOUR, carrier_code="usps")) > 9 * HOUR

    def test_it_is_asked_no_more_often_than_it_asks_couriers_itself(self) -> None:
        at_the_door = a_parcel(TrackingStatus.OUT_FOR_DELIVERY, age=HOUR, carrier_code="usps")
        assert wait(at_the_door) >= 3 * HOUR * (1 - polling.SPREAD / 2)

    def test_our_own_parcels_do_not_begin_in_such_haste(self) -> None:
        assert wait(a_parcel(age=MINUTE)) > 9 * HOUR


class TestAtNight:
    """The parcel is out for delivery in Texas: six hours behind UTC."""

    def at_the_door(self, at: datetime, **where: Any) -> timedelta:
        where = {"destination_country": "US", "destination_state": "TX"} | where
        return wait(a_parcel(TrackingStatus.OUT_FOR_DELIVERY, age=HOUR, at=at, **where), at=at)

    @pytest.mark.parametrize("hour", [3, 5, 8, 12])
    def test_it_waits_until_morning(self, hour: int) -> None:
        at = MONDAY.replace(hour=hour)
        morning = MONDAY.replace(hour=13)
        assert morning <= at + self.at_the_door(at) <= morning + polling.MORNING

    def test_a_late_poll_in_the_evening_waits_until_the_next_morning(self) -> None:
        at = MONDAY.replace(hour=2, minute=50)
        assert 10 * HOUR < self.at_the_door(at) < 12 * HOUR + 20 * MINUTE

    def test_by_day_it_does_not(self) -> None:
        assert self.at_the_door(MONDAY) < HOUR

    def test_the_newest_event_knows_the_recipients_clock_better_than_the_address(self) -> None:
        at = MONDAY.replace(hour=6)
        assert self.at_the_door(at) > HOUR
        assert self.at_the_door(at, utc_offset="-05:00") > HOUR
        assert self.at_the_door(at, utc_offset="+08:00") < HOUR
        assert self.at_the_door(at, utc_offset="nonsense") > HOUR

    def test_nobody_knows_the_night_of_an_unknown_place(self) -> None:
        for hour in range(24):
            at = MONDAY.replace(hour=hour)
            assert self.at_the_door(at, destination_country=None, destination_state=None) < HOUR

    def test_a_parcel_in_transit_travels_at_night_too(self) -> None:
        at = MONDAY.replace(hour=4)
        travelling = a_parcel(TrackingStatus.IN_TRANSIT, age=HOUR, at=at, destination_country="US")
        assert wait(travelling, at=at) < 5 * HOUR

    def test_a_states_clock_goes_before_its_countrys(self) -> None:
        assert countries.clock_offset("us", "hi") == timedelta(hours=-10)
        assert countries.clock_offset("US", "Texas") == timedelta(hours=-6)
        assert countries.clock_offset("US", "no such state") == countries.clock_offset("US")
        assert countries.clock_offset("US") == timedelta(hours=-5)
        assert countries.clock_offset("ZZ") is countries.clock_offset(None) is None


class TestMisses:
    def test_each_doubles_the_wait_up_to_the_plans(self) -> None:
        parcel = a_parcel(TrackingStatus.IN_TRANSIT, age=HOUR)
        planned = wait(parcel)
        first = wait(parcel, misses=1)
        assert abs(first - 5 * MINUTE) <= MINUTE
        waits = [wait(parcel, misses=misses) for misses in (*range(1, 10), 10_000)]
        wanted = [min(first * 2**doublings, planned) for doublings in range(10)]
        assert all(abs(one - other) < MINUTE for one, other in zip(waits, wanted, strict=True))

    def test_they_never_make_the_wait_longer(self) -> None:
        at_the_door = a_parcel(TrackingStatus.OUT_FOR_DELIVERY, age=HOUR)
        assert wait(at_the_door, misses=30) == wait(at_the_door)


class TestSpread:
    def test_what_was_confirmed_in_one_minute_is_not_due_in_one_minute(self) -> None:
        dues = sorted(next_poll(a_parcel(age=MINUTE), now=MONDAY) for _ in range(5000))  # type: ignore[type-var]
        minutes = {due.replace(second=0, microsecond=0) for due in dues if due}
        assert len(minutes) > 180
        most = max(sum(due.replace(second=0, microsecond=0) == minute for due in dues) for minute in minutes)
        assert most < 100

    def test_what_waited_for_the_morning_does_not_come_all_at_once(self) -> None:
        at = MONDAY.replace(hour=7)
        parcels = [
            a_parcel(TrackingStatus.OUT_FOR_DELIVERY, age=HOUR, at=at, destination_country="US")
            for _ in range(1000)
        ]
        dues = sorted(at + wait(parcel, at=at) for parcel in parcels)
        assert dues[-1] - dues[0] > HOUR

    def test_the_spread_of_one_parcel_is_always_the_same(self) -> None:
        parcel = a_parcel(age=HOUR)
        assert next_poll(parcel, now=MONDAY) == next_poll(parcel, now=MONDAY)


SOME = st.builds(
    a_parcel,
    st.sampled_from([status for status in TrackingStatus if not status.final]),
    age=st.timedeltas(-DAY, 400 * DAY),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    pushed=st.booleans(),
    carrier_code=st.sampled_from([None, "usps"]),
    destination_country=st.sampled_from([None, "US", "AU", "NZ", "DE", "XX"]),
    destination_state=st.sampled_from([None, "TX", "WA", "NSW", "nowhere"]),
    utc_offset=st.sampled_from([None, "+08:00", "-09:30", "?"]),
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))
LONGEST = max(step.every for stage in STAGES for step in stage.steps) * 1.2 + DAY


@given(SOME, MOMENTS, st.integers(0, 10_000), st.sampled_from([1.0, 60.0, 1440.0]))
def test_the_next_poll_is_always_to_come_and_never_out_of_sight(
    tracking: Tracking, at: datetime, misses: int, pace: float
) -> None:
    due = next_poll(tracking, now=at, misses=misses, pace=pace)
    assert (due is None) is tracking.is_over(at)
    if due is None:
        return
    assert at < due <= at + LONGEST / pace


@given(SOME, MOMENTS, st.integers(0, 20))
def test_no_poll_that_is_about_a_delivery_wakes_the_recipient(
    tracking: Tracking, at: datetime, misses: int
) -> None:
    stage = next(stage for stage in STAGES if tracking.status in stage.statuses)
    ahead = polling._recipients_offset(tracking)
    due = next_poll(tracking, now=at, misses=misses)
    if due is not None and stage.by_day and ahead is not None:
        assert 7 <= (due + ahead).hour < 21


@given(SOME, MOMENTS)
def test_where_life_is_faster_every_wait_is_that_much_shorter(tracking: Tracking, at: datetime) -> None:
    """The night too. `at` is when the news came, so that they are as old at either pace."""
    fresh = a_parcel(tracking.status, age=timedelta(0), at=at, id=tracking.id, destination_country="US")
    slow, fast = wait(fresh, at=at), wait(fresh, at=at, pace=1440)
    assert abs(slow / 1440 - fast) <= timedelta(milliseconds=1)


def test_the_documents_table_is_the_plan() -> None:
    wanted = [
        [
            stage.name,
            _age(step),
            _span(step.every),
            _span(stage.pushed) if step is stage.steps[0] else "",
            "waits" if stage.by_day else "",
        ]
        for stage in (polling.FOLLOWED, *STAGES[:1], polling.ABROAD, *STAGES[1:])
        for step in stage.steps
    ]
    lines = SCALE.read_text().partition("<!-- the plan -->")[2].partition("<!-- end -->")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert rows[2:] == wanted


def _age(step: Step) -> str:
    return "any" if step.younger_than is None else f"< {_span(step.younger_than)}"


def _span(span: timedelta) -> str:
    for unit, length in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if span % length == timedelta(0) and (unit != "d" or span >= 2 * DAY):
            return f"{span // length} {unit}"
    raise AssertionError(span)

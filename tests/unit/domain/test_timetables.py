"""Timetables: the polls of a parcel of which nothing is heard."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcelgate.domain.polling import next_poll
from parcelgate.domain.timetables import EARLY, Timetable
from parcelgate.domain.trackings import TrackingStatus
from tests.support.orders import NOON
from tests.support.trackings import a_tracking

HOUR = timedelta(hours=1)


def every(
    wait: timedelta, *, until: datetime = NOON + timedelta(days=900)
) -> Callable[[datetime], datetime | None]:
    return lambda at: at + wait if at + wait <= until else None


def hourly() -> Timetable:
    timetable = Timetable.of(every(HOUR), NOON)
    assert timetable is not None
    return timetable


def test_has_the_polls_of_the_plan_and_ends_with_it() -> None:
    assert Timetable.of(every(HOUR, until=NOON), NOON) is None
    timetable = Timetable.of(every(HOUR, until=NOON + 3 * HOUR), NOON)
    assert timetable == (NOON, (NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR))
    assert len(hourly().times) == 32


def test_of_a_silent_parcel_ends_after_the_poll_that_finds_its_silence() -> None:
    parcel = a_tracking(at=NOON, status=TrackingStatus.DAMAGED)
    timetable = Timetable.of(lambda moment: next_poll(parcel, now=moment), NOON + timedelta(days=55))
    assert timetable is not None
    *_, last_but_one, last = timetable.times
    assert last_but_one < NOON + timedelta(days=60) <= last


def test_shows_the_next_poll_and_one_that_is_late() -> None:
    timetable = hourly()
    assert timetable.shown(NOON) == NOON + HOUR
    assert timetable.shown(NOON + HOUR) == NOON + 2 * HOUR
    assert timetable.shown(NOON + 99 * HOUR) == NOON + 32 * HOUR


def test_a_poll_may_be_a_little_early_but_not_much() -> None:
    timetable = hourly()
    assert timetable.is_due(NOON + HOUR - HOUR * EARLY)
    assert not timetable.is_due(NOON + HOUR - HOUR * EARLY - timedelta(seconds=1))
    assert timetable.is_due(NOON + 99 * HOUR)


@pytest.mark.parametrize(
    ("minutes", "then"),
    [(0, 1), (55, 1), (57, 2), (60, 2), (67, 2), (68, None), (119, 3), (32 * 60, None)],
    ids=lambda value: str(value),
)
def test_a_poll_is_followed_by_the_next_one_unless_it_was_late(minutes: float, then: int | None) -> None:
    at = NOON + timedelta(minutes=minutes)
    if minutes == 55:
        assert hourly().upcoming(at) == NOON + HOUR, "it is not made in the place of this one"
        assert hourly().after_poll(at) is None
    else:
        assert hourly().after_poll(at) == (None if then is None else NOON + then * HOUR)


@given(
    waits=st.lists(st.integers(1, 10**9), min_size=1, max_size=32),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)),
)
def test_is_read_as_it_was_written(waits: list[int], start: datetime) -> None:
    left = iter(waits)

    def plan(at: datetime) -> datetime | None:
        wait = next(left, None)
        return None if wait is None else at + timedelta(milliseconds=wait)

    timetable = Timetable.of(plan, start.replace(tzinfo=NOON.tzinfo))
    assert timetable is not None
    assert Timetable.decode(timetable.encode()) == timetable


@given(hours=st.floats(0, 40), later=st.floats(0, 10))
def test_what_is_upcoming_never_moves_back(hours: float, later: float) -> None:
    """Whoever asks later than a worker has planned learns of a poll that is as late, or later."""
    upcoming = hourly().upcoming
    first, second = upcoming(NOON + hours * HOUR), upcoming(NOON + (hours + later) * HOUR)
    assert second is None or (first is not None and first <= second)

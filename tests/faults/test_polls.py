"""A poll worker that dies at any of its outward calls loses no poll, and asks no carrier twice at once."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from parcelgate.carriers.errors import RefusedError, TooManyRequestsError
from parcelgate.domain.trackings import Tracking, TrackingStatus
from tests.support.faults import Killed, die, throttle, time_out
from tests.support.post import PostOffice
from tests.support.table import TABLE_NAME, create_table, dynamodb  # noqa: F401 - a fixture
from tests.support.trackings import seen

FIVE_MINUTES = 300.0
NEWS = 2
"""Of so many of the parcels there is news."""

type Scene = Callable[[PostOffice], list[Tracking]]


def told(office: PostOffice) -> list[Tracking]:
    """Some news, some not, one refused, and one account that must rest."""
    parcels = [*office.due(3), *office.due(account="other"), office.receive()]
    for parcel in parcels[:NEWS]:
        office.post().tells(parcel.tracking_number, seen("in_transit"))
    office.post().bad[parcels[NEWS].tracking_number] = RefusedError("no such number")
    office.post(account="other").troubles = [TooManyRequestsError("429", retry_after=60)]
    return parcels


def calls_of(office: PostOffice) -> list[int]:
    """The places of a run's calls; of the many queries that look for what is due, one stands for all."""
    told(office)
    office.run()
    names = office.faults.names
    first_query = names.index("dynamodb.query")
    return [place + 1 for place, name in enumerate(names) if name != "dynamodb.query" or place == first_query]


@pytest.fixture
def new_office(dynamodb: Any) -> Callable[[], PostOffice]:  # noqa: F811
    def make() -> PostOffice:
        dynamodb.delete_table(TableName=TABLE_NAME)
        create_table(dynamodb)
        return PostOffice(dynamodb)

    return make


def all_was_asked(office: PostOffice, parcels: list[Tracking]) -> None:
    """After the following rounds, everything is as if nobody had died."""
    for _ in range(3):
        office.clock.sleep(FIVE_MINUTES)
        while office.run():
            pass
    assert [office.status(parcel) for parcel in parcels[:NEWS]] == [TrackingStatus.IN_TRANSIT] * NEWS
    asked = {number for post in office.posts.values() for number in post.numbers}
    assert {parcel.tracking_number for parcel in parcels[:-1]} <= asked
    for parcel in parcels:
        assert office.next_poll(parcel) is not None, "nobody would ask any more"
        assert "claim" not in office.item(parcel)
    assert all(len(office.read(parcel).events) == 1 for parcel in parcels[:NEWS])


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
def test_dying_at_any_call_loses_no_poll(new_office: Callable[[], PostOffice], *, after: bool) -> None:
    for place in calls_of(new_office()):
        office = new_office()
        parcels = told(office)
        office.faults.at(place, die(after=after))
        with suppress(Killed):
            office.run()
        all_was_asked(office, parcels)


@pytest.mark.parametrize(
    "fault",
    [throttle(), time_out(after=True)],
    ids=["throttled", "timed out after its effect"],
)
def test_trouble_with_the_table_at_any_call_loses_no_poll(
    new_office: Callable[[], PostOffice], fault: Any
) -> None:
    for place in calls_of(new_office()):
        office = new_office()
        parcels = told(office)
        office.faults.at(place, fault)
        # The function fails, or goes on with what it can do; the next round begins anew.
        with suppress(Exception):
            office.run()
        all_was_asked(office, parcels)


def test_while_a_dead_workers_claims_last_nobody_else_asks(new_office: Callable[[], PostOffice]) -> None:
    office = new_office()
    parcels = office.due(5)
    office.faults.on("track", die())
    with pytest.raises(Killed):
        office.run()
    for _ in range(6):
        office.clock.sleep(10)
        office.run()
        assert office.post().asked == []
    office.clock.sleep(10)
    office.run()
    assert sorted(office.post().numbers) == sorted(parcel.tracking_number for parcel in parcels)

"""The TrackingMore adapter and the real transport against the carrier sandbox, over HTTP."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from parcelgate.carriers.accounts import Connection
from parcelgate.carriers.errors import (
    AuthenticationError,
    RefusedError,
    TooManyRequestsError,
    TransientError,
)
from parcelgate.carriers.results import Amendment, Area, Followed, Following, ParcelHistory, Route, Waybill
from parcelgate.carriers.toolkit.transport import HttpTransport
from parcelgate.carriers.trackingmore.adapter import Adapter as TrackingMore
from parcelgate.domain.clock import now
from parcelgate.domain.trackings import Customer, Source, Tracking, merge
from sandbox import Settings, serve
from tests.support.adapters import FakeVault
from tests.unit.carriers.trackingmore.parcels import EMAIL, account

pytestmark = pytest.mark.usefixtures("no_kept_connections")

LOGIN = {"api_key": "k-7", "email": EMAIL}
DAY = 86_400


class Platform:
    """A running sandbox, seen from outside, and the adapter that talks to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control = httpx.Client(base_url=f"{url}/_sandbox", trust_env=False)
        self.tm = self.adapter()

    def adapter(self, **changes: Any) -> TrackingMore:
        config = account(**{"base_url": f"{self.url}/trackingmore", "credentials": LOGIN, **changes})
        return TrackingMore(Connection(config, send=HttpTransport(), tokens=FakeVault(), clock=now))

    def fault(self, call: str, kind: str) -> None:
        fault = {"carrier": "trackingmore", "call": call, "kind": kind}
        self.control.post("/faults", json=[fault]).raise_for_status()

    def pass_time(self, seconds: float) -> None:
        self.control.post("/advance", json={"seconds": seconds}).raise_for_status()

    def statuses(self, *numbers: str) -> dict[str, str]:
        """How the parcels stand, by what the list tells of them."""
        self.pass_time(2)
        return {one.tracking_number: stands(one).status for one in self.tm.track(numbers)}


def stands(told: ParcelHistory, before: Tracking | None = None) -> Tracking:
    """How a parcel stands by what is told of it."""
    at = now()
    tracking = before or Tracking(
        id="trk_1",
        tenant="acme",
        carrier="trackingmore",
        account="default",
        tracking_number=told.tracking_number,
        created_at=at,
        updated_at=at,
    )
    return merge(tracking, told.events, source=Source.POLL, at=at)


@pytest.fixture(scope="module")
def running() -> Iterator[Platform]:
    with serve(Settings(accounts={"trackingmore": {"default": LOGIN}}, acceleration=1440)) as url:
        yield Platform(url)


@pytest.fixture
def platform(running: Platform) -> Platform:
    running.control.post("/reset").raise_for_status()
    return running


def parcels(count: int, courier: str = "china-ems") -> list[Following]:
    return [Following(waybill=Waybill(courier, f"EA1525632{n:02}CN")) for n in range(count)]


def test_forty_parcels_go_from_being_followed_to_their_doors(platform: Platform) -> None:
    wanted = parcels(40)
    results = platform.tm.follow(wanted)
    assert [result.waybill for result in results if isinstance(result, Followed)] == [
        one.waybill for one in wanted
    ]
    again = platform.tm.follow(wanted)
    assert all(isinstance(result, Followed) and result.already for result in again)

    numbers = [one.waybill.tracking_number for one in wanted]
    assert set(platform.statuses(*numbers)) == set(numbers)
    platform.pass_time(DAY)
    assert set(platform.statuses(*numbers).values()) == {"delivered"}


def test_what_a_parcel_is_told_with_is_what_the_sandbox_takes(platform: Platform) -> None:
    (parcel,) = parcels(1)
    customer = Customer(name="Ada", email="ada@example.com", phone="+1")
    full = Following(
        waybill=parcel.waybill, destination_country="AU", special_destination="Australia", postcode="2000",
        ship_date=now().date(), account_number="A", auto_correct=False, title="Shoes", note="n", lang="en",
        logistics_channel="air", customer=customer, order_reference="17", order_created_at=now(),
    )  # fmt: skip
    (result,) = platform.tm.follow([full])
    assert isinstance(result, Followed)
    (again,) = platform.tm.follow([full])
    assert isinstance(again, Followed)
    assert again.already
    change = Amendment(waybill=parcel.waybill, title="Boots", archived=True, customer=customer)
    assert platform.tm.amend([change]) == [None]
    assert platform.tm.history(parcel.waybill) is not None


def test_results_belong_to_their_parcels_also_when_some_are_refused(platform: Platform) -> None:
    good = parcels(2)
    bad = [Following(waybill=Waybill("nobody", "EA152563299CN")), Following(waybill=Waybill("dhl", "x"))]
    platform.tm.follow(good[:1])
    first, second, third, fourth = platform.tm.follow([bad[0], good[0], bad[1], good[1]])
    assert isinstance(first, RefusedError)
    assert first.errors[0].pointer == "/carrier_code"
    assert isinstance(second, Followed)
    assert second.already
    assert isinstance(third, RefusedError)
    assert third.errors[0].pointer == "/tracking_number"
    assert isinstance(fourth, Followed)
    assert not fourth.already


def test_parcels_are_amended_paused_corrected_and_forgotten(platform: Platform) -> None:
    wanted = parcels(3)
    one, two, three = (parcel.waybill for parcel in wanted)
    stranger = Waybill("dhl", "7777777777")
    platform.tm.follow(wanted)
    changed, unknown = platform.tm.amend(
        [Amendment(waybill=one, title="a"), Amendment(waybill=stranger, title="b")]
    )
    assert changed is None
    assert isinstance(unknown, RefusedError)
    assert platform.tm.pause([one, two]) == [None, None]
    platform.tm.correct(three, "singapore-post")
    platform.tm.correct(three, "singapore-post")
    there = Waybill("singapore-post", three.tracking_number)
    found = platform.tm.history(there)
    assert found is not None
    assert found.carrier_code == "singapore-post"
    with pytest.raises(RefusedError):
        platform.tm.correct(stranger, "ups")
    assert platform.tm.forget([one, two, stranger]) == [None, None, None]
    assert platform.tm.forget([there]) == [None]
    assert platform.tm.forget([there]) == [None]
    assert [platform.tm.history(waybill) for waybill in (one, there)] == [None, None]


def test_the_courier_is_asked_now_and_not_again_for_two_hours(platform: Platform) -> None:
    (parcel,) = parcels(1)
    platform.tm.follow([parcel])
    assert platform.tm.realtime(parcel.waybill) is not None
    platform.pass_time(2)
    with pytest.raises(TooManyRequestsError):
        platform.tm.realtime(parcel.waybill)


def test_the_list_is_given_once_a_second(platform: Platform) -> None:
    platform.pass_time(2)
    platform.tm.track(["EA152563200CN"])
    with pytest.raises(TooManyRequestsError):
        platform.tm.track(["EA152563200CN"])


def test_the_other_questions_are_answered(platform: Platform) -> None:
    platform.tm.follow(parcels(2))
    assert platform.tm.usage()["track_number"] > 0
    assert "email" not in platform.tm.usage()
    assert sum(platform.tm.counts().values()) == 2
    (times,) = platform.tm.transit_times([Route(origin="CN", destination="US", carrier_code="dhl")])
    assert times.total >= times.delivered > 0
    assert [one["range"] for one in times.ranges] == [f"range{place}" for place in range(1, 6)]
    areas = [Area(country="NZ", postcode=str(postcode)) for postcode in range(20)]
    assert {one["two_code"] for one in platform.tm.remote_areas(areas)} == {"NZ"}
    assert platform.tm.air_cargo("172-28891936")["track_number"] == "172-28891936"
    assert "china-ems" in {courier.code for courier in platform.tm.detect("EA152563242CN")}
    assert platform.tm.detect("?") == []
    assert {"dhl", "china-ems"} <= {courier.code for courier in platform.tm.couriers("en")}


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "half_body", "status_500", "html_502"])
def test_a_lost_answer_is_asked_for_again_and_nobody_is_followed_twice(kind: str, platform: Platform) -> None:
    for wanted, call in ((parcels(1), "post"), (parcels(3), "batch")):
        platform.control.post("/reset").raise_for_status()
        platform.fault(call, kind)
        with pytest.raises(TransientError):
            platform.tm.follow(wanted)
        assert all(isinstance(one, Followed) for one in platform.tm.follow(wanted))
        assert sum(platform.tm.counts().values()) == len(wanted)


def test_a_wrong_key_is_no_refusal(platform: Platform) -> None:
    stranger = platform.adapter(credentials={"api_key": "other", "email": EMAIL})
    for ask in (lambda: stranger.follow(parcels(1)), lambda: stranger.track(["1"]), stranger.usage):
        with pytest.raises(AuthenticationError):
            ask()

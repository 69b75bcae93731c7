"""From TrackingMore's items to journeys: tolerant of everything, and guessing nothing."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcelgate.carriers.errors import CarrierError
from parcelgate.carriers.results import Amendment, Area, ParcelHistory, Route
from parcelgate.carriers.toolkit.calls import Response
from parcelgate.domain.trackings import OtherNumber, Saying, Source, Tracking, TrackingEvent, merge
from tests.support.adapters import FakeTransport
from tests.unit.carriers.trackingmore.parcels import (
    EMAIL,
    LK,
    NOON,
    RP,
    Body,
    adapter,
    answer,
    following,
    item,
    step,
)


def told(settings: dict[str, Any] | None = None, **changes: Any) -> ParcelHistory:
    transport = FakeTransport({"trackingmore.get_one": [answer(item(**changes))]})
    found = adapter(transport, **(settings or {})).history(RP)
    assert found is not None
    return found


def journey(*steps: Any, **changes: Any) -> tuple[TrackingEvent, ...]:
    return told(origin_info={"trackinfo": [*steps]}, **changes).events


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def stands(*histories: tuple[TrackingEvent, ...]) -> Tracking:
    """The tracking after these polls, one after the other."""
    tracking = Tracking(
        id="trk_1",
        tenant="acme",
        carrier="trackingmore",
        account="default",
        tracking_number=RP.tracking_number,
        created_at=NOON,
        updated_at=NOON,
    )
    for events in histories:
        tracking = merge(tracking, events, source=Source.POLL, at=NOON)
    return tracking


# Checkpoints.


def test_a_checkpoint_becomes_an_event() -> None:
    assert journey(step(substatus="transit002")) == (
        TrackingEvent(
            at=at("2026-11-20T08:15"),
            code="transit002",
            description="Left the hub",
            status="in_transit",
            sub_status="arrived_at_hub",
            at_is_local=True,
            place="Singapore",
        ),
    )


def test_the_lists_of_both_countries_are_one_journey_oldest_first() -> None:
    found = told(
        origin_info={"trackinfo": [step("2026-11-20 08:15"), step("2026-11-18 09:00")]},
        destination_info={"trackinfo": [step("2026-11-21 07:00", "pickup"), step("2026-11-20 08:15")]},
        status="pickup",
    )
    assert [(event.at.day, event.status) for event in found.events] == [
        (18, "in_transit"),
        (20, "in_transit"),
        (21, "out_for_delivery"),
    ]


@pytest.mark.parametrize(
    ("date", "instant", "offset", "local"),
    [
        ("2026-11-20 08:15", "2026-11-20T08:15", None, True),
        ("2026/11/20 8:15", "2026-11-20T08:15", None, True),
        ("2026-11-20", "2026-11-20T00:00", None, True),
        ("2018-04-18T07:26:14+00:00", "2018-04-18T07:26:14", "+00:00", False),
        ("2026-11-20T08:15:30+08:00", "2026-11-20T00:15:30", "+08:00", False),
        ("2026-11-20T08:15:30Z", "2026-11-20T08:15:30", "+00:00", False),
        ("2026-11-20T08:15:30.1234567Z", "2026-11-20T08:15:30.123456", "+00:00", False),
        (1795162530, "2026-11-20T08:15:30", "+00:00", False),
    ],
)
def test_a_time_keeps_its_offset_or_is_marked(date: Any, instant: str, offset: Any, local: bool) -> None:
    event = journey(step(date))[0]
    assert (event.at, event.utc_offset, event.at_is_local) == (at(instant), offset, local)


@pytest.mark.parametrize(
    ("missing", "description"),
    [(["StatusDescription"], "Singapore"), (["StatusDescription", "Details"], "transit")],
)
def test_a_checkpoint_without_a_description_is_an_event(missing: list[str], description: str) -> None:
    (event,) = journey(step(**dict.fromkeys(missing)))
    assert (event.status, event.description) == ("in_transit", description)


# Who signed for it, and what nobody tells.


@pytest.mark.parametrize("spelling", ["singed_by", "signed_by"])
def test_who_signed_is_known_since_the_newest_event(spelling: str) -> None:
    first, last = step(), step("2026-11-21 10:00", "delivered")
    history = told(origin_info={"trackinfo": [first, last]}, status="delivered", **{spelling: " A. BYRD "})
    assert history.signed_by == Saying(at("2026-11-21T10:00"), "A. BYRD")


@pytest.mark.parametrize("name", [None, "", "  ", {"name": "Ada"}, True])
def test_nobody_signed_where_no_name_is_given(name: Any) -> None:
    assert told(singed_by=name).signed_by is None


def test_a_name_without_any_event_says_nothing_yet() -> None:
    nothing = dict.fromkeys(("status", "lastEvent", "lastUpdateTime", "origin_info"))
    assert told(singed_by="Ada", **nothing).signed_by is None


def test_when_it_is_to_come_is_in_no_field_that_is_known() -> None:
    assert told().estimated_delivery is None


def test_a_time_without_a_zone_is_read_in_the_accounts() -> None:
    (event,) = told({"default_time_zone": "Asia/Shanghai"}).events
    assert (event.at, event.utc_offset, event.at_is_local) == (at("2026-11-20T00:15"), None, True)


@pytest.mark.parametrize(
    "bad", [None, "nonsense", 7, [], {}, {"Date": "soon"}, step("0001-01-01 00:00"), step(None)]
)
def test_an_unreadable_checkpoint_leaves_its_neighbours(bad: Any) -> None:
    assert len(journey(step("2026-11-19 08:15"), bad, step())) == 2


@pytest.mark.parametrize("trackinfo", [None, "", [], {}, "none", 7, False])
def test_a_journey_without_checkpoints_is_no_trouble(trackinfo: Any) -> None:
    found = told(origin_info={"trackinfo": trackinfo}, destination_info=None, status="pending")
    assert [event.status for event in found.events] == ["pending"]
    found = told(origin_info=trackinfo, destination_info=trackinfo, status="pending")
    assert [event.status for event in found.events] == ["pending"]


def test_an_unknown_word_is_shown_and_never_guessed() -> None:
    unknown, known = journey(step("2026-11-19 08:15", "teleported"), step())
    assert (unknown.code, unknown.status) == ("teleported", None)
    assert known.status == "in_transit"


def test_a_checkpoint_without_a_word_is_shown_without_a_status() -> None:
    event = journey(step("2026-11-19 08:15", None), step())[0]
    assert (event.code, event.description, event.status) == ("", "Left the hub", None)


def test_pickup_and_exception_are_told_by_their_text() -> None:
    events = journey(
        step("2026-11-18 08:00", "pickup", StatusDescription="Ready for collection", Details="Post office"),
        step("2026-11-19 08:00", "exception", substatus="exception007", StatusDescription="Parcel damaged"),
        status="exception",
    )
    assert [event.status for event in events] == ["available_for_pickup", "damaged"]


def test_checkpoints_of_v4_are_read_too() -> None:
    found = told(
        status=None,
        delivery_status="transit",
        origin_info={
            "trackinfo": [
                {
                    "checkpoint_date": "2026-11-20T08:15:00+08:00",
                    "tracking_detail": "Left",
                    "location": "Shenzhen",
                    "checkpoint_delivery_status": "transit",
                    "checkpoint_delivery_substatus": "transit007",
                }
            ]
        },
    )
    (event,) = found.events
    assert (event.sub_status, event.place, event.description) == ("left_airport", "Shenzhen", "Left")


def test_other_numbers_are_told_with_their_courier() -> None:
    found = told(
        destination_track_number="92001",
        exchangeNumber="EX7",
        destination_info={"carrier_code": "usps", "trackinfo": None, "destination_track_number": "92001"},
    )
    assert found.other_numbers == (OtherNumber("92001", "usps"), OtherNumber("EX7"))
    assert told(destination_track_number=RP.tracking_number).other_numbers == ()


# How a parcel stands without a checkpoint that says so.

NOTHING: Body = {"origin_info": None, "destination_info": None, "lastEvent": None, "lastUpdateTime": None}


@pytest.mark.parametrize(
    ("status", "sub_status", "ours"),
    [
        ("pending", None, "pending"),
        ("notfound", None, "pending"),
        ("notfound", "notfound002", "pending"),
        ("notfound", "not found001", "info_received"),
        ("notfound001", None, "info_received"),
        ("inforeceived", None, "info_received"),
    ],
)
def test_a_parcel_of_which_nothing_is_known_stands_so_since_it_is_followed(
    status: str, sub_status: str | None, ours: str
) -> None:
    (event,) = told(status=status, substatus=sub_status, **NOTHING).events
    assert (event.status, event.code, event.at) == (ours, sub_status or status, at("2026-11-19T07:26:14"))
    assert (event.utc_offset, event.at_is_local) == ("+00:00", False)


@pytest.mark.parametrize("status", ["expired", "transit", "delivered", "exception"])
def test_a_status_without_any_checkpoint_is_dated_when_it_was_updated(status: str) -> None:
    (event,) = told(status=status, **NOTHING).events
    assert (event.code, event.at) == (status, at("2026-11-21T11:00"))


def test_a_parcel_that_has_expired_did_so_when_it_was_updated() -> None:
    _, event = journey(step(), status="expired")
    assert (event.status, event.at) == ("expired", at("2026-11-21T11:00"))


def test_a_status_other_than_the_newest_checkpoints_comes_right_after_it() -> None:
    last, event = journey(step(), status="delivered", lastEvent="Delivered,Sydney,2026-11-20 08:15")
    assert (event.status, event.at) == ("delivered", last.at + timedelta(milliseconds=1))
    assert event.description == "Delivered,Sydney,2026-11-20 08:15"
    assert event.at_is_local
    assert stands((last, event)).status == "delivered"


def test_a_status_newer_than_the_newest_checkpoint_is_dated_by_its_own_time() -> None:
    _, event = journey(step(), status="exception", lastUpdateTime="2026-11-20 19:00")
    assert (event.status, event.at) == ("exception", at("2026-11-20T19:00"))


def test_a_later_checkpoint_overtakes_such_a_status() -> None:
    first = journey(step(), status="exception", updated_at="2026-11-21T11:00:00+00:00")
    then = journey(step("2026-11-20 09:30"), step(), status="transit", updated_at="2026-11-21T15:00:00+00:00")
    assert stands(first).status == "exception"
    assert stands(first, then).status == stands(then, first).status == "in_transit"


def test_every_poll_dates_such_a_status_alike() -> None:
    polls = [
        journey(step(), status="exception", updated_at=f"2026-11-21T{hour}:00:00+00:00")
        for hour in (11, 12, 13)
    ]
    assert len(stands(*polls).events) == 2
    waiting = [told(**NOTHING, status="notfound", updated_at=f"2026-11-2{day}").events for day in (1, 2, 3)]
    assert len(stands(*waiting).events) == 1


def test_what_was_found_of_a_parcel_counts_although_it_is_older_than_the_question() -> None:
    waiting = told(**NOTHING, status="pending", created_at="2026-11-21T07:00:00+00:00").events
    found = journey(step(), step("2026-11-20 19:00", "delivered"), status="delivered")
    tracking = stands(waiting, found)
    assert tracking.status == "delivered"
    assert tracking.delivered_at == at("2026-11-20T19:00")
    assert stands(found, waiting).status == "delivered"


def test_that_nothing_is_known_is_no_news_of_a_parcel_of_which_something_is() -> None:
    assert [event.status for event in journey(step(), status="notfound")] == ["in_transit"]


def test_a_checkpoint_that_says_more_than_its_status_stays_the_last_word() -> None:
    returned = step("2026-11-21 08:00", "exception", substatus="exception010")
    assert journey(returned, status="exception")[-1].status == "returned"
    collect = step("2026-11-21 08:00", "pickup", StatusDescription="Available for pickup")
    assert journey(collect, status="pickup", lastEvent=None)[-1].status == "available_for_pickup"


def test_a_parcels_sub_status_says_more_than_its_checkpoints_status() -> None:
    last = journey(step("2026-11-21 08:00", "exception"), status="exception", substatus="exception010")[-1]
    assert (last.status, last.code) == ("returned", "exception010")
    last = journey(step("2026-11-21 08:00", "exception"), status="exception", substatus="exception006")[-1]
    assert (last.status, last.sub_status) == ("exception", "customs_hold")


def test_of_checkpoints_at_one_time_that_counts_which_is_further_along() -> None:
    same = [step("2026-11-20 08:15", "delivered"), step("2026-11-20 08:15", "transit", Details="Hub")]
    assert len(journey(*same, status="delivered")) == 2
    assert stands(journey(*same, status="exception")).status == "exception"
    assert stands(journey(*same, status="transit")).status == "delivered", "a scan booked after the door"


def test_an_unknown_status_is_shown_and_never_guessed() -> None:
    event = journey(step(), status="teleported")[-1]
    assert (event.code, event.status) == ("teleported", None)
    assert stands((event,)).status == "pending"


def test_a_status_of_which_no_time_is_told_is_no_event() -> None:
    assert told(**NOTHING, status="transit", created_at=None, updated_at="soon").events == ()


def test_what_was_answered_to_following_is_the_beginning_of_the_journey() -> None:
    (followed,) = adapter(FakeTransport({"trackingmore.post": [answer(item())]})).follow([following()])
    assert followed.history.events == told().events  # type: ignore[union-attr]


# Whatever comes.

WORDS = st.sampled_from(
    ["transit", "pickup", "delivered", "exception", "exception007", "pending", "notfound", "not found001",
     "expired", "2026-11-20 08:15", "2026-11-20T08:15:00+08:00", "0001-01-01T00:00:00", "9999-12-31 23:59:59",
     RP.tracking_number, RP.carrier_code, "4016", "4014", "429", "200"]
)  # fmt: skip
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
    | st.text(max_size=8)
)
NAMES = st.sampled_from(
    ["tracking_number", "carrier_code", "status", "substatus", "created_at", "updated_at", "lastUpdateTime",
     "lastEvent", "origin_info", "destination_info", "trackinfo", "Date", "StatusDescription", "Details",
     "checkpoint_status", "items", "trackings", "errors", "code", "message", "total", "limit", "data",
     "verifyInfo", "timeStr", "signature", "model_extra", "range1", "original", "change"]
)  # fmt: skip
ANYTHING = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)
ITEMS = st.dictionaries(NAMES, ANYTHING, max_size=8).map(lambda more: item() | more)
DATA = (
    ANYTHING
    | ITEMS
    | st.lists(ITEMS, max_size=3)
    | st.fixed_dictionaries({"items": st.lists(ITEMS, max_size=3)})
)
CODES = st.sampled_from([200, 201, 202, 4016, 4017, 4031, 4021, "200", None, 7])


@given(data=DATA, code=CODES)
def test_whatever_is_answered_nothing_but_a_carriers_error_comes_of_it(data: Any, code: Any) -> None:
    body = json.dumps({"meta": {"code": code}, "data": data}).encode()

    class Fixed:
        def send(self, request: Any) -> Response:
            assert request.verdict(Response(status=200, body=body)) >= 0
            return Response(status=200, body=body)

    tm = adapter(Fixed())
    changes = [Amendment(waybill=one, title="t") for one in (RP, LK)]
    for ask in (
        lambda: tm.follow([following()]),
        lambda: tm.follow([following(), following(LK)]),
        lambda: tm.track([RP.tracking_number]),
        lambda: tm.history(RP),
        lambda: tm.realtime(RP),
        lambda: tm.amend(changes),
        lambda: tm.amend(changes[:1]),
        lambda: tm.correct(RP, "dhl"),
        lambda: tm.forget([RP]),
        lambda: tm.pause([RP, LK]),
        lambda: tm.transit_times([Route(origin="CN", destination="US", carrier_code="dhl")]),
        lambda: tm.remote_areas([Area(country="NZ", postcode="7000")]),
        lambda: tm.air_cargo("18012345675"),
        tm.usage,
        tm.counts,
        lambda: tm.detect("1"),
        tm.couriers,
    ):
        try:
            found = ask()
        except CarrierError:
            continue
        for one in found if isinstance(found, list) else [found]:
            if isinstance(one, ParcelHistory):
                stands(one.events)


@given(body=st.binary(max_size=200) | DATA.map(lambda data: json.dumps(data).encode()))
def test_whatever_comes_as_a_webhook_nothing_is_raised(body: bytes) -> None:
    assert EMAIL
    reading = adapter(FakeTransport()).verify_webhook({}, body)
    assert reading.reason

"""Promise 5: any order of arrival, any repeats, give the same timeline, and status never runs backwards."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import combinations, permutations
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parcelgate.domain import trackings
from parcelgate.domain.trackings import (
    CANCELLED_CODE,
    MOST_EVENTS,
    SILENCE,
    SILENCE_CODE,
    NextCarrier,
    OtherNumber,
    ProofOfDelivery,
    Saying,
    Source,
    Tracking,
    TrackingEvent,
    TrackingStatus,
    merge,
    silence,
    withdrawal,
)
from tests.support.orders import NOON
from tests.support.trackings import a_tracking, seen

PARCEL = a_tracking(id="trk_1")
LIST = (
    "delivered",
    "returned",
    "lost",
    "damaged",
    "returning",
    "exception",
    "attempt_failed",
    "available_for_pickup",
    "out_for_delivery",
    "in_transit",
    "info_received",
    "pending",
)
"""The contract's list: which of several statuses counts that have one time."""
LATE = ("info_received", "in_transit", "out_for_delivery", "available_for_pickup")
"""Scans that are booked after the door."""
MEANING: dict[str, tuple[TrackingStatus | None, str | None]] = {
    "ACC": (TrackingStatus.INFO_RECEIVED, None),
    "HUB": (TrackingStatus.IN_TRANSIT, "arrived_at_hub"),
    "MOV": (TrackingStatus.IN_TRANSIT, None),
    "OUT": (TrackingStatus.OUT_FOR_DELIVERY, None),
    "TRY": (TrackingStatus.ATTEMPT_FAILED, None),
    "DEL": (TrackingStatus.DELIVERED, None),
    "CRD": (TrackingStatus.AVAILABLE_FOR_PICKUP, None),
    "EXC": (TrackingStatus.EXCEPTION, "refused"),
    "DMG": (TrackingStatus.DAMAGED, None),
    "RTS": (TrackingStatus.RETURNING, None),
    "RTN": (TrackingStatus.RETURNED, None),
    "LST": (TrackingStatus.LOST, None),
    "EXP": (TrackingStatus.EXPIRED, None),
    "?A": (None, None),
    "?B": (None, None),
}
"""A carrier's table. Codes of which it has no status begin with a question mark."""


class Report(NamedTuple):
    """What is told at once, by webhook or by poll."""

    source: Source
    events: Sequence[TrackingEvent] = ()
    numbers: Sequence[OtherNumber] = ()
    proof: ProofOfDelivery | None = None
    next_carrier: NextCarrier | None = None
    estimated_delivery: Saying | None = None
    signed_by: Saying | None = None


def taken(reports: Iterable[Report], parcel: Tracking = PARCEL) -> Tracking:
    """The parcel after all of it was told, one report after the other."""
    for number, report in enumerate(reports):
        parcel = merge(
            parcel,
            report.events,
            source=report.source,
            at=NOON + timedelta(seconds=number),
            other_numbers=report.numbers,
            proof=report.proof,
            next_carrier=report.next_carrier,
            estimated_delivery=report.estimated_delivery,
            signed_by=report.signed_by,
        )
    return parcel


def facts(parcel: Tracking) -> Tracking:
    """The parcel without what may depend on when and by whom things were told."""
    events = tuple(msgspec.structs.replace(event, source=None) for event in parcel.events)
    return msgspec.structs.replace(parcel, events=events, version=0, updated_at=NOON)


def statuses_at_the_end(events: Sequence[TrackingEvent]) -> list[TrackingEvent]:
    """Of the events with a status, those of the latest time."""
    known = [event for event in events if event.status is not None]
    latest = max((event.at for event in known), default=None)
    return [event for event in known if event.at == latest]


# Few moments, codes and places, so that they meet: equal instants, and the same event told again.
MOMENTS = st.one_of(
    st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours)),
    st.integers(-80, 200).map(lambda days: NOON + timedelta(days=days)),
    st.integers(0, 2999).map(lambda micro: NOON + timedelta(microseconds=micro)),
)
PLACES = st.sampled_from([None, "Austin, TX", "austin,  tx", "Shenzhen", "深圳"])


@st.composite
def told_events(draw: st.DrawFn) -> TrackingEvent:
    """One telling of one event; another may tell more of the very same."""
    code = draw(st.sampled_from([*MEANING, "del"]))
    status, sub_status = MEANING[code.upper()]
    offset = draw(st.sampled_from([None, "+08:00"]))
    return TrackingEvent(
        at=draw(MOMENTS).astimezone(draw(st.sampled_from([UTC, timezone(timedelta(hours=8))]))),
        code=code,
        description=draw(st.sampled_from(["", "Moved", "Moved on", "x" * 2000])),
        status=status,
        sub_status=draw(st.sampled_from([None, sub_status])),
        utc_offset=offset,
        at_is_local=offset is None and draw(st.booleans()),
        city=draw(st.sampled_from([None, "Austin"])),
        country=draw(st.sampled_from([None, "US"])),
        place=draw(PLACES),
        visible_to_recipient=draw(st.booleans()),
        is_housekeeping=status is None and draw(st.booleans()),
        leaves=draw(st.sampled_from([(), (TrackingStatus.DAMAGED, TrackingStatus.RETURNING)])),
        carrier=draw(st.sampled_from([None, None, "australia-post"])),
    )


@st.composite
def quiet_events(draw: st.DrawFn) -> TrackingEvent:
    """Our own saying that a parcel has expired, whether or not it was silent then."""
    event = silence(PARCEL, now=NOON + timedelta(days=1000))
    assert event is not None
    return msgspec.structs.replace(event, at=draw(MOMENTS))


@st.composite
def withdrawals(draw: st.DrawFn) -> TrackingEvent:
    """Our own saying that the order came to nothing."""
    event = withdrawal(PARCEL, at=draw(MOMENTS).astimezone(UTC))
    assert event is not None
    return event


EVENTS = st.one_of(told_events(), told_events(), told_events(), quiet_events(), withdrawals())
SAYINGS = st.builds(Saying, MOMENTS, st.sampled_from(["tomorrow", "24/11", "A. Byrd"]))
HANDOVERS = st.builds(
    NextCarrier, MOMENTS, st.sampled_from(["australia-post", "usps"]), st.sampled_from(["33X", "44Y"])
)
NUMBERS = st.builds(
    OtherNumber, st.sampled_from(["", "1Z", "92001", "X1"]), st.sampled_from([None, "usps", "gls"])
)
PROOFS = st.builds(
    ProofOfDelivery,
    image_url=st.sampled_from([None, "https://a.test/1", "https://a.test/2"]),
    address_image_url=st.sampled_from([None, "https://a.test/3"]),
    expires_at=st.sampled_from([None, NOON, NOON + timedelta(days=30)]),
)
REPORTS = st.builds(
    Report,
    st.sampled_from(Source),
    st.lists(EVENTS, max_size=5),
    st.lists(NUMBERS, max_size=2),
    st.none() | PROOFS,
    st.none() | HANDOVERS,
    st.none() | SAYINGS,
    st.none() | SAYINGS,
)
STORIES = st.lists(REPORTS, max_size=6)


@st.composite
def retold(draw: st.DrawFn, story: Sequence[Report]) -> list[Report]:
    """The same story otherwise: shuffled, repeated, in other parts and from other sources."""
    parts: list[Report] = []
    for report in story:
        for event in report.events:
            parts += [Report(draw(st.sampled_from(Source)), [event])] * draw(st.integers(1, 2))
        parts += [Report(Source.POLL, numbers=[number]) for number in report.numbers]
        parts += [
            Report(
                Source.WEBHOOK,
                proof=report.proof,
                next_carrier=report.next_carrier,
                estimated_delivery=report.estimated_delivery,
                signed_by=report.signed_by,
            )
        ]
    shuffled = draw(st.permutations(parts))
    whole: list[Report] = []
    while shuffled:
        several = draw(st.integers(1, len(shuffled)))
        batch, shuffled = shuffled[:several], shuffled[several:]
        proofs = [part for part in batch if any(fact is not None for fact in part[3:])]
        whole += [
            Report(
                batch[0].source,
                [event for part in batch for event in part.events],
                [number for part in batch for number in part.numbers],
            ),
            *proofs,
        ]
    return whole


@given(st.data())
def test_promise_5_any_order_and_any_repeats_give_the_same_timeline(data: st.DataObject) -> None:
    """ "Any order of arrival, any repeats, give the same timeline." """
    story = data.draw(STORIES)
    expected = facts(taken(story))
    assert facts(taken(data.draw(retold(story)))) == expected
    assert facts(taken(story + story)) == expected


@given(st.data())
def test_a_timeline_has_room_for_the_newest_events_in_any_order(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trackings, "MOST_EVENTS", 3)
        story = data.draw(STORIES)
        told = taken(story)
        assert facts(taken(data.draw(retold(story)))) == facts(told)
        assert len([event for event in told.events if event.code != SILENCE_CODE]) <= 3


@given(STORIES)
def test_what_is_no_news_changes_nothing_at_all(story: list[Report]) -> None:
    told = taken(story)
    assert all(taken([report], told) is told for report in story)


@given(STORIES)
def test_what_was_stored_and_read_again_is_the_same(story: list[Report]) -> None:
    told = taken(story)
    read = msgspec.json.decode(msgspec.json.encode(told), type=Tracking)
    assert read == told
    assert all(taken([report], read) is read for report in story)


@given(STORIES)
def test_promise_5_the_status_is_that_of_the_newest_event_that_has_one(story: list[Report]) -> None:
    """ "A tracking's status is that of the newest event by event time"; of equal ones, by the list."""
    story = [
        report._replace(
            events=[
                msgspec.structs.replace(event, leaves=())
                for event in report.events
                if event.status is not TrackingStatus.DELIVERED
                and event.status in {None, *LIST}
                and event.code != CANCELLED_CODE
            ]
        )
        for report in story
    ]
    told = taken(story)
    latest = statuses_at_the_end(told.events)
    if not latest:
        assert (told.status, told.sub_status) == (TrackingStatus.PENDING, None)
        return
    first = min((event.status for event in latest if event.status), key=LIST.index)
    winner = min(
        (event for event in latest if event.status is first), key=lambda event: (event.code, event.id)
    )
    assert (told.status, told.sub_status) == (winner.status, winner.sub_status)


@given(STORIES, st.sampled_from(LATE), st.integers(1, 100_000))
def test_once_delivered_a_scan_that_was_booked_late_changes_nothing(
    story: list[Report], status: str, later: int
) -> None:
    """ "Once delivered, a later `info_received`, `in_transit`, ... joins and leaves the status." """
    delivered = taken([*story, Report(Source.POLL, [seen("delivered", hours=9000)])])
    late = msgspec.structs.replace(seen(status, hours=9000), at=delivered.events[-1].at + timedelta(0, later))
    after = taken([Report(Source.POLL, [late])], delivered)
    assert len(after.events) == len(delivered.events) + 1
    assert (after.status, after.delivered_at) == (delivered.status, delivered.delivered_at)
    assert after.status in {TrackingStatus.DELIVERED, TrackingStatus.RETURNED}


@pytest.mark.parametrize(
    "trouble", ["exception", "attempt_failed", "damaged", "lost", "returning", "returned"]
)
def test_once_delivered_trouble_and_returns_change_the_status(trouble: str) -> None:
    events = [seen("delivered"), seen(trouble, hours=1), seen("in_transit", hours=2)]
    for story in permutations(events):
        told = taken([Report(Source.POLL, [event]) for event in story])
        assert (told.status, told.delivered_at) == (TrackingStatus(trouble), NOON)


@pytest.mark.parametrize(
    ("before", "status"),
    [
        (["returning"], "returned"),
        (["returning", "in_transit"], "returned"),
        (["returning", None, "exception"], "returned"),
        (["delivered", "returning", "out_for_delivery"], "returned"),
        (["returning", "out_for_delivery"], "delivered"),
        (["in_transit"], "delivered"),
    ],
)
def test_a_delivery_that_follows_a_return_on_its_way_is_returned(
    before: list[str | None], status: str
) -> None:
    events = [seen(one, hours=hours) for hours, one in enumerate(before)]
    last = [seen("delivered", hours=10), seen("delivered", hours=11, code="modify_sign_in")]
    for story in permutations([*events, *last]):
        told = taken([Report(Source.POLL, [event]) for event in story])
        assert told.status == status
        door = NOON if before[0] == "delivered" else NOON + timedelta(hours=10)
        sent_back = status == "returned" and before[0] != "delivered"
        assert told.delivered_at == (None if sent_back else door)


def test_a_later_correction_does_not_move_the_delivery() -> None:
    """ "`delivered_at` is the time of the first delivery event and is not moved by a later correction." """
    events = [seen("delivered", code="sign_in"), seen("delivered", hours=5, code="modify_sign_in")]
    for story in (events, events[::-1]):
        assert taken([Report(Source.WEBHOOK, [event]) for event in story]).delivered_at == NOON


def test_an_event_that_leaves_damage_as_it_is_does_not_end_it() -> None:
    back = seen("in_transit", hours=2, leaves=(TrackingStatus.DAMAGED, TrackingStatus.RETURNING))
    for trouble, status in (("damaged", "damaged"), ("returning", "returning"), ("exception", "in_transit")):
        for story in permutations([seen("in_transit"), seen(trouble, hours=1), back]):
            assert taken([Report(Source.POLL, [event]) for event in story]).status == status


@pytest.mark.parametrize("known", ["info_received", "exception", "pending", None])
def test_a_withdrawn_parcel_stays_so_until_somebody_has_carried_it(known: str | None) -> None:
    before = taken([Report(Source.POLL, [seen(known)])])
    assert not before.has_moved
    end = withdrawal(before, at=NOON - timedelta(hours=3))
    assert end is not None
    cancelled = taken([Report(Source.POLL, [end])], before)
    assert (cancelled.status, cancelled.status.final) == (TrackingStatus.CANCELLED, True)
    assert withdrawal(cancelled, at=NOON) is None
    later = taken([Report(Source.WEBHOOK, [seen("info_received", hours=9)])], cancelled)
    assert later.status is TrackingStatus.CANCELLED
    moved = taken([Report(Source.WEBHOOK, [seen("in_transit", hours=10)])], later)
    assert (moved.status, moved.has_moved) == (TrackingStatus.IN_TRANSIT, True)


def test_a_new_parcel_of_an_old_number_does_not_inherit_its_story() -> None:
    parcel = a_tracking(since=NOON)
    told = taken(
        [
            Report(
                Source.POLL,
                [seen("delivered", hours=-1), seen("info_received", hours=0)],
                next_carrier=NextCarrier(NOON - timedelta(1), "usps", "33X"),
                signed_by=Saying(NOON - timedelta(1), "A. Byrd"),
            )
        ],
        parcel,
    )
    assert [event.status for event in told.events] == ["info_received"]
    assert (told.status, told.next_carrier, told.signed_by) == ("info_received", None, None)


@pytest.mark.parametrize(
    ("deliveries", "announced", "numbers", "pictures"),
    [([-48], -50, 0, 0), ([-48], 0, 1, 0), ([-48, 5], 0, 1, 1), ([5], 0, 1, 1)],
    ids=["all old", "delivery old", "both", "new"],
)
def test_numbers_and_pictures_of_an_earlier_parcel_are_not_the_new_ones(
    deliveries: list[float], announced: float, numbers: int, pictures: int
) -> None:
    proof = ProofOfDelivery(image_url="https://a.test/door.jpg")
    story = [seen("info_received", hours=announced), *(seen("delivered", hours=each) for each in deliveries)]
    told = Report(Source.POLL, story, [OtherNumber("A1")], proof)
    after = taken([told], a_tracking(since=NOON))
    assert (len(after.other_numbers), int(after.proof is not None)) == (numbers, pictures)


@given(STORIES)
def test_a_timeline_is_oldest_first(story: list[Report]) -> None:
    told = taken(story)
    assert [event.at for event in told.events] == sorted(event.at for event in told.events)
    assert len({event.id for event in told.events}) == len(told.events)


@given(STORIES, told_events())
def test_an_unknown_code_never_changes_the_status(story: list[Report], event: TrackingEvent) -> None:
    before = taken(story, PARCEL)
    unknown = msgspec.structs.replace(event, code="?NEW", status=None, sub_status=None)
    # An event shows that there was no silence. An unknown code can do that, and nothing else. Events are kept
    # with whole milliseconds.
    at = unknown.at.replace(microsecond=unknown.at.microsecond // 1000 * 1000)
    if any(one.at - SILENCE < at <= one.at for one in before.events if one.code == SILENCE_CODE):
        return
    after = taken([Report(Source.POLL, [unknown])], before)
    assert (after.status, after.sub_status, after.delivered_at) == (
        before.status,
        before.sub_status,
        before.delivered_at,
    )
    (shown,) = [one for one in after.events if one.code == "?NEW"]
    assert shown.status is None


@given(STORIES, told_events(), st.integers(1, 100_000))
def test_a_late_older_event_joins_the_timeline_and_changes_nothing_else(
    story: list[Report], event: TrackingEvent, earlier: int
) -> None:
    if event.status in {TrackingStatus.DELIVERED, TrackingStatus.RETURNING}:
        return  # Whether that was the first delivery, or before one, is for others to say.
    before = taken([*story, Report(Source.POLL, [seen("attempt_failed", hours=10_000)])])
    last = max(one.at for one in before.events)
    late = msgspec.structs.replace(event, at=last - timedelta(seconds=earlier), place="elsewhere")
    after = taken([Report(Source.WEBHOOK, [late])], before)
    assert len([one for one in after.events if one.place == "elsewhere"]) == 1
    assert msgspec.structs.replace(after, events=(), version=0, updated_at=NOON) == msgspec.structs.replace(
        before, events=(), version=0, updated_at=NOON
    )


@given(STORIES, st.permutations(range(3)))
def test_two_tellings_of_one_event_are_one_event_that_has_all_that_either_tells(
    story: list[Report], order: list[int]
) -> None:
    short = seen("attempt_failed", code="OUT", hours=9000, description="", city=None, place="Dock 7")
    tellings = [
        msgspec.structs.replace(short, description="On the van", at_is_local=True, place="DOCK 7"),
        msgspec.structs.replace(short, city="Austin", status=None, utc_offset="-06:00"),
        msgspec.structs.replace(short, visible_to_recipient=False, code="out", at_is_local=True),
    ]
    told = taken([*story, *(Report(Source.WEBHOOK, [tellings[one]]) for one in order)])
    (event,) = [one for one in told.events if one.at == short.at]
    assert msgspec.structs.replace(
        event, id="", source=None, code="OUT", place="Dock 7"
    ) == msgspec.structs.replace(
        short, description="On the van", city="Austin", utc_offset="-06:00", visible_to_recipient=False
    )
    assert told.status is TrackingStatus.ATTEMPT_FAILED


@given(STORIES)
def test_whoever_told_an_event_first_stays_its_source(story: list[Report]) -> None:
    told = taken(
        [*story, Report(Source.WEBHOOK, [seen(hours=9000)]), Report(Source.POLL, [seen(hours=9000)])]
    )
    assert told.events[-1].source is Source.WEBHOOK
    first = {event.id: event.source for event in taken(story).events}
    assert all(first.get(event.id, event.source) is event.source for event in told.events)


@pytest.mark.parametrize(("first", "other"), [*combinations(LIST, 2)])
def test_of_equal_times_the_list_decides(first: str, other: str) -> None:
    """ "Equal times: the first of delivered, returned, lost, damaged, ... pending wins"."""
    for events in ([seen(first), seen(other)], [seen(other), seen(first)]):
        told = taken([Report(Source.POLL, [event]) for event in events])
        assert told.status == first


@pytest.mark.parametrize("turn", [1, -1])
def test_of_one_time_and_one_status_the_first_code_wins(turn: int) -> None:
    """ "... then the code in alphabetical order"."""
    events = [
        seen("out_for_delivery", code="B", sub_status="second"),
        seen("out_for_delivery", code="A", sub_status="first"),
        seen("in_transit", code="00"),
        seen(None, code="000"),
    ]
    told = taken([Report(Source.POLL, [event]) for event in events[::turn]])
    assert (told.status, told.sub_status) == (TrackingStatus.OUT_FOR_DELIVERY, "first")
    assert [event.status for event in told.events] == [None, "in_transit", *["out_for_delivery"] * 2]


def test_the_newest_events_are_those_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackings, "MOST_EVENTS", 50)
    events = [seen("in_transit", hours=hours) for hours in range(50 + 3)]
    for story in (events, events[::-1]):
        told = taken([Report(Source.POLL, [event]) for event in story])
        assert [event.at for event in told.events] == [event.at for event in events[3:]]


def test_what_is_kept_fits_into_an_item_however_much_is_told() -> None:
    novel = "🚚" * 10_000
    events = [
        seen(
            "in_transit",
            hours=hours,
            description=novel,
            place=novel,
            city=novel,
            code=novel[:90] + str(hours),
        )
        for hours in range(MOST_EVENTS)
    ]
    told = taken([Report(Source.POLL, events)])
    assert len(msgspec.json.encode(told)) < 400_000 - 10_000
    assert [event.at for event in told.events] == [event.at for event in events[-len(told.events) :]]
    brief = [
        seen("in_transit", hours=hours, description="Arrived at facility") for hours in range(MOST_EVENTS)
    ]
    assert len(taken([Report(Source.POLL, brief)]).events) == MOST_EVENTS


# Silence


def test_a_parcel_of_which_nothing_is_heard_for_sixty_days_expires() -> None:
    moment = timedelta(milliseconds=1)
    parcel = taken([Report(Source.POLL, [seen("in_transit", hours=24)])])
    end = NOON + timedelta(hours=24) + SILENCE
    assert silence(parcel, now=end - moment) is None
    event = silence(parcel, now=end)
    assert event is not None
    expired = taken([Report(Source.POLL, [event])], parcel)
    assert (expired.status, expired.status.final) == (TrackingStatus.EXPIRED, True)
    assert expired.last_event_at == NOON + timedelta(hours=24)
    assert silence(expired, now=end + 2 * SILENCE) is None


@pytest.mark.parametrize("status", ["damaged", "returning", "exception", "available_for_pickup"])
def test_silence_leaves_trouble_and_what_waits_as_it_is(status: str) -> None:
    """ "Silence makes only a parcel that is on its way `expired`"."""
    parcel = taken([Report(Source.POLL, [seen("in_transit"), seen(status, hours=1)])])
    assert silence(parcel, now=NOON + 10 * SILENCE) is None
    assert parcel.is_silent(NOON + SILENCE + timedelta(hours=1))
    assert not parcel.is_silent(NOON + SILENCE)
    late = silence(taken([Report(Source.POLL, [seen("in_transit")])]), now=NOON + 10 * SILENCE)
    assert late is not None
    both = taken([Report(Source.POLL, [late])], taken([Report(Source.POLL, [seen(status, code="Z")])]))
    assert both.status == status


def test_a_parcel_ends_when_its_status_does_or_in_silence() -> None:
    now = NOON + timedelta(days=200)
    delivered = taken([Report(Source.POLL, [seen("delivered"), seen("in_transit", hours=48)])])
    assert delivered.ended_at(now) == NOON
    damaged = taken([Report(Source.POLL, [seen("damaged", hours=1)])])
    assert damaged.ended_at(now) == NOON + timedelta(hours=1) + SILENCE
    assert damaged.ended_at(NOON) is None


@pytest.mark.parametrize("status", ["delivered", "returned", "lost", "cancelled", "expired"])
def test_a_parcel_that_has_come_to_its_end_does_not_expire(status: str) -> None:
    parcel = taken([Report(Source.POLL, [seen(status)])])
    assert silence(parcel, now=NOON + 10 * SILENCE) is None


def test_a_parcel_expires_no_sooner_than_sixty_days_after_it_is_followed() -> None:
    """What happened to it last may be long ago by then."""
    old = taken([Report(Source.POLL, [seen("in_transit", hours=-24 * 70)])])
    assert silence(old, now=NOON + SILENCE - timedelta(seconds=1)) is None
    event = silence(old, now=NOON + SILENCE)
    assert event is not None
    assert event.at == NOON + SILENCE
    fresh = silence(PARCEL, now=NOON + SILENCE)
    assert fresh == event


@example(
    [
        Report(
            Source.WEBHOOK,
            [
                seen("delivered"),
                msgspec.structs.replace(seen("attempt_failed"), at=NOON + timedelta(hours=1)),
            ],
        )
    ],
    1,
)
@given(STORIES, st.integers(1, 400 * 24))
def test_a_real_event_reopens_an_expired_parcel(story: list[Report], hours: int) -> None:
    before = taken(story)
    event = silence(before, now=NOON + timedelta(days=500))
    if event is None:
        return
    expired = taken([Report(Source.POLL, [event])], before)
    assert expired.status is TrackingStatus.EXPIRED
    real = msgspec.structs.replace(seen("in_transit", place="depot"), at=event.at + timedelta(hours=hours))
    assert taken([Report(Source.WEBHOOK, [real])], expired).status is TrackingStatus.IN_TRANSIT


@given(STORIES, st.integers(0, 59))
def test_a_silence_that_was_none_is_taken_back(story: list[Report], days: int) -> None:
    """A report that was lost on its way tells what happened in those sixty days."""
    before = taken(story)
    event = silence(before, now=NOON + timedelta(days=500))
    if event is None:
        return
    expired = taken([Report(Source.POLL, [event])], before)
    lost = msgspec.structs.replace(seen("in_transit", place="depot"), at=event.at - timedelta(days=days))
    after = taken([Report(Source.WEBHOOK, [lost])], expired)
    assert event.at not in {one.at for one in after.events if one.code == SILENCE_CODE}
    assert facts(after) == facts(taken([Report(Source.WEBHOOK, [lost])], before))


# What identifies an event


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"description": "Otherwise said"}, True),
        ({"sub_status": "arrived_at_hub"}, True),
        ({"utc_offset": "+08:00", "at_is_local": True}, True),
        ({"place": "austin,   TX"}, True),
        ({"code": "mov"}, True),
        ({"at": NOON.astimezone(timezone(timedelta(hours=8)))}, True),
        ({"at": NOON + timedelta(microseconds=999)}, True),
        ({"at": NOON + timedelta(milliseconds=1)}, False),
        ({"code": "HUB"}, False),
        ({"place": "Dallas, TX"}, False),
    ],
)
def test_an_event_is_the_same_by_its_instant_code_and_place(change: dict[str, object], same: bool) -> None:
    event = seen("in_transit", code="MOV", place="Austin, TX")
    other = msgspec.structs.replace(event, **change)
    told = taken([Report(Source.POLL, [event, other])])
    assert len(told.events) == (1 if same else 2)


@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
def test_no_code_and_place_look_like_another_code_and_place(
    code: str, place: str, other_code: str, other_place: str
) -> None:
    def plain(text: str) -> str:
        return " ".join(text.casefold().split())

    def event(code: str, place: str) -> TrackingEvent:
        return TrackingEvent(at=NOON, code=code, description="", place=place or "-")

    told = taken([Report(Source.POLL, [event(code, place), event(other_code, other_place)])])
    same = (plain(code), plain(place or "-")) == (plain(other_code), plain(other_place or "-"))
    assert len(told.events) == (1 if same else 2)


def test_the_same_event_of_another_parcel_is_another_event() -> None:
    event = seen("in_transit")
    ids = {
        taken([Report(Source.POLL, [event])], parcel).events[0].id
        for parcel in (
            PARCEL,
            a_tracking(tracking_number="1Y"),
            a_tracking(carrier="ubi"),
            a_tracking(id="trk_2"),
        )
    }
    assert len(ids) == 3, "carrier and number tell parcels apart"


# Other numbers and pictures


def test_other_numbers_are_told_apart_and_named_where_their_carrier_is_known() -> None:
    numbers = [OtherNumber("92001"), OtherNumber("92001", "usps"), OtherNumber("1Z"), OtherNumber("")]
    told = taken([Report(Source.POLL, numbers=[number, OtherNumber("A1")]) for number in numbers])
    assert told.other_numbers == (OtherNumber("92001", "usps"), OtherNumber("A1"))


def test_two_spellings_are_one_number() -> None:
    numbers = [
        OtherNumber("33 abc", "Australia-Post"),
        OtherNumber("33ABC", "australia-post"),
        OtherNumber("33abc"),
    ]
    own = OtherNumber(f" {PARCEL.tracking_number.lower()}")
    for told in permutations([*numbers, own]):
        (other,) = taken([Report(Source.POLL, numbers=[number]) for number in told]).other_numbers
        assert other == OtherNumber("33 abc", "Australia-Post")


def test_of_two_proofs_that_counts_whose_pictures_open_longer() -> None:
    def proof(days: int) -> ProofOfDelivery:
        return ProofOfDelivery(image_url=f"https://a.test/{days}", expires_at=NOON + timedelta(days=days))

    for proofs in ([proof(1), proof(30)], [proof(30), proof(1)]):
        assert taken([Report(Source.WEBHOOK, proof=one) for one in proofs]).proof == proof(30)


def test_texts_of_any_length_leave_room_for_the_rest() -> None:
    endless = seen("in_transit", description="x" * 1_000_000, place="y" * 1_000_000)
    (event,) = taken([Report(Source.POLL, [endless])]).events
    assert len(msgspec.json.encode(event)) < 2000


def test_a_moment_is_kept_as_it_is_shown() -> None:
    told = taken([Report(Source.POLL, [seen(at=datetime(2026, 11, 21, 12, 0, 0, 123_999, tzinfo=UTC))])])
    assert told.last_event_at == datetime(2026, 11, 21, 12, 0, 0, 123_000, tzinfo=UTC)

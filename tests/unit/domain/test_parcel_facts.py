"""What follows from a parcel's timeline, case by case. What holds of all timelines is in the properties."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.domain import trackings
from parcelgate.domain.trackings import (
    CANCELLED_CODE,
    SILENCE,
    SILENCE_CODE,
    USED_AGAIN,
    NextCarrier,
    OtherNumber,
    ProofOfDelivery,
    Saying,
    Source,
    Tracking,
    TrackingEvent,
    TrackingStatus,
    corrected_to,
    courier_key,
    furthest_behind,
    given_to,
    merge,
    number_key,
    same_number,
    secure_address,
    seen_by_recipient,
    silence,
    withdrawal,
)
from tests.support.orders import NOON
from tests.support.trackings import a_followed, a_tracking, seen

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def with_events(*events: TrackingEvent, at: datetime = NOON, **facts: Any) -> Tracking:
    return merge(a_tracking(**facts), events, source=Source.POLL, at=at)


def test_a_report_makes_one_new_version() -> None:
    before = a_tracking(version=3)
    after = merge(before, [seen("in_transit", sub_status="hub")], source=Source.WEBHOOK, at=NOON + HOUR)
    assert (after.version, after.updated_at, after.created_at) == (4, NOON + HOUR, NOON)
    assert (after.status, after.sub_status) == (TrackingStatus.IN_TRANSIT, "hub")
    assert [event.source for event in after.events] == [Source.WEBHOOK]
    assert merge(after, [seen("in_transit", sub_status="hub")], source=Source.POLL, at=NOON) is after


def test_the_newest_event_and_the_first_delivery_give_their_times() -> None:
    parcel = with_events(seen("delivered", hours=2), seen("in_transit", hours=1), seen("delivered", hours=3))
    assert parcel.last_event_at == NOON + 3 * HOUR
    assert parcel.delivered_at == NOON + 2 * HOUR
    assert (a_tracking().last_event_at, a_tracking().delivered_at) == (None, None)


def test_a_silence_is_no_news_of_a_parcel() -> None:
    silent = seen("expired", hours=9, code=SILENCE_CODE)
    parcel = msgspec.structs.replace(a_tracking(), events=(seen(hours=1), silent))
    assert parcel.last_event_at == parcel.heard_of == NOON + HOUR
    assert a_tracking(at=NOON + HOUR).heard_of == NOON + HOUR
    assert with_events(seen(hours=-5)).heard_of == NOON, "it was followed only then"


@pytest.mark.parametrize(
    ("statuses", "moved"),
    [
        ([], False),
        ([None], False),
        (["info_received", "exception"], False),
        (["cancelled"], False),
        (["info_received", "in_transit"], True),
        (["delivered"], True),
    ],
)
def test_a_parcel_has_moved_once_anybody_has_carried_it(statuses: list[str | None], moved: bool) -> None:
    parcel = with_events(*(seen(status, hours=hours) for hours, status in enumerate(statuses)))
    assert parcel.has_moved is moved


def test_a_parcel_is_pushed_while_its_carrier_has_told_of_it_and_has_it() -> None:
    polled = with_events(seen())
    pushed = merge(polled, [seen(hours=1)], source=Source.WEBHOOK, at=NOON)
    handed_on = msgspec.structs.replace(pushed, next_carrier=NextCarrier(NOON, "usps", "9"))
    assert [parcel.is_pushed for parcel in (polled, pushed, handed_on)] == [False, True, False]


def test_a_parcel_ended_with_the_event_that_ended_it_or_when_it_was_written() -> None:
    delivered = with_events(seen("delivered", hours=2), at=NOON + 5 * HOUR)
    assert delivered.ended_at(NOON) == NOON + 2 * HOUR
    bare = msgspec.structs.replace(a_tracking(), status=TrackingStatus.LOST, updated_at=NOON + HOUR)
    assert bare.ended_at(NOON) == NOON + HOUR


def test_trouble_ends_in_silence() -> None:
    damaged = with_events(seen("damaged", hours=1))
    end = NOON + HOUR + SILENCE
    assert (damaged.ended_at(end - SECOND), damaged.is_over(end - SECOND)) == (None, False)
    assert (damaged.ended_at(end), damaged.is_over(end)) == (end, True)
    on_its_way = with_events(seen("in_transit", hours=1))
    assert (on_its_way.is_silent(end - SECOND), on_its_way.is_silent(end)) == (False, True)
    assert (on_its_way.is_over(end), on_its_way.ended_at(end)) == (False, None)


def test_a_number_is_free_some_time_after_the_end_of_its_parcel() -> None:
    delivered = with_events(seen("delivered", hours=2))
    free = NOON + 2 * HOUR + USED_AGAIN
    assert delivered.number_free_since(free) is None
    assert delivered.number_free_since(free + SECOND) == free
    assert with_events(seen("delivered", hours=-99)).number_free_since(free) == NOON + USED_AGAIN
    assert a_tracking().number_free_since(free) is None


def test_a_parcel_that_a_later_one_replaces_names_it() -> None:
    earlier, later = a_tracking(version=7), a_tracking(at=NOON + HOUR)
    assert earlier.replaced(by=later) == msgspec.structs.replace(
        earlier, replaced_by=later.id, version=8, updated_at=NOON + HOUR
    )


def a_parcel_with_everything() -> Tracking:
    return merge(
        a_followed(code="China-EMS", wrong_couriers=("dhl",)),
        [seen("in_transit", sub_status="hub")],
        source=Source.POLL,
        at=NOON,
        other_numbers=[OtherNumber("X1", "usps")],
        next_carrier=NextCarrier(NOON, "usps", "9"),
        estimated_delivery=Saying(NOON, "soon"),
        signed_by=Saying(NOON, "Ada"),
        proof=ProofOfDelivery(image_url="https://pictures.example/1"),
    )


def test_another_courier_has_nothing_of_what_the_wrong_one_said() -> None:
    parcel = a_parcel_with_everything()
    bare = a_followed(code="DHL", wrong_couriers=("dhl",), id=parcel.id, version=parcel.version)
    assert given_to(parcel, "DHL") == bare
    assert corrected_to(parcel, "DHL") == msgspec.structs.replace(bare, wrong_couriers=("china-ems",))
    assert corrected_to(parcel, "fedex").wrong_couriers == ("china-ems", "dhl")
    unknown = msgspec.structs.replace(parcel, carrier_code=None, wrong_couriers=())
    assert corrected_to(unknown, "fedex").wrong_couriers == ()


def test_a_recipient_sees_what_the_shown_events_alone_would_give() -> None:
    shown, hidden = seen("in_transit", sub_status="hub"), seen("exception", hours=1, sub_status="held")
    parcel = with_events(shown, msgspec.structs.replace(hidden, visible_to_recipient=False))
    assert (parcel.status, parcel.sub_status) == (TrackingStatus.EXCEPTION, "held")
    view = seen_by_recipient(parcel)
    assert [event.code for event in view.events] == ["C-in_transit"]
    assert (view.status, view.sub_status) == (TrackingStatus.IN_TRANSIT, "hub")
    nothing = seen_by_recipient(with_events(msgspec.structs.replace(hidden, visible_to_recipient=False)))
    assert (nothing.status, nothing.sub_status, nothing.events) == (TrackingStatus.PENDING, None, ())


def test_a_silence_ends_a_parcel_on_its_way_after_its_time() -> None:
    parcel = with_events(seen("in_transit", hours=1))
    end = NOON + HOUR + SILENCE
    assert silence(parcel, now=end - SECOND) is None
    assert silence(parcel, now=end + HOUR) == TrackingEvent(
        at=end,
        code=SILENCE_CODE,
        description="Nothing was heard of the parcel for 60 days.",
        status=TrackingStatus.EXPIRED,
    )
    for status in ("delivered", "damaged", "returning", "exception", "available_for_pickup"):
        assert silence(with_events(seen(status)), now=end) is None


def test_an_order_s_end_ends_its_parcel_after_all_that_is_known() -> None:
    parcel = with_events(seen("info_received", hours=2))
    for at, ends in ((NOON, NOON + 2 * HOUR), (NOON + 3 * HOUR, NOON + 3 * HOUR)):
        assert withdrawal(parcel, at=at) == TrackingEvent(
            at=ends,
            code=CANCELLED_CODE,
            description="The order ended before the parcel was handed over.",
            status=TrackingStatus.CANCELLED,
        )
    event = withdrawal(a_tracking(), at=NOON)
    assert event is not None
    assert event.at == NOON
    assert withdrawal(with_events(event), at=NOON) is None


def test_an_order_shows_its_worst_parcel() -> None:
    assert furthest_behind([]) is TrackingStatus.PENDING
    worst = [TrackingStatus.DELIVERED, TrackingStatus.LOST, TrackingStatus.IN_TRANSIT]
    assert furthest_behind(worst) is TrackingStatus.LOST


def test_numbers_and_couriers_are_compared_in_one_spelling() -> None:
    assert number_key(" rp 1\t\uff21\n") == "RP1A"
    assert (same_number("rr 1", "RR1"), same_number("RR1", "RR2")) == (True, False)
    assert (courier_key(" China- EMS"), courier_key(None)) == ("china-ems", "")


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ("https://a.example/b", "https://a.example/b"),
        ("http://a.example/b", None),
        ("https:///b", None),
        ("https://a.example/b c", None),
        ("https://[a", None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_secure_address_is_a_link(given: str | None, link: str | None) -> None:
    assert secure_address(given) == link


EARLY, LATE = NOON + HOUR, NOON + 2 * HOUR


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"image_url": "https://a.example/2"}, {"image_url": "https://a.example/1"}),
        ({"image_url": "https://a.example/1", "expires_at": EARLY}, {"image_url": "https://a.example/2"}),
        (
            {"image_url": "https://a.example/1", "expires_at": LATE},
            {"image_url": "https://a.example/2", "expires_at": EARLY},
        ),
        ({"address_image_url": "https://a.example/2"}, {"address_image_url": "https://a.example/1"}),
        ({"image_url": "https://a.example/1"}, {"address_image_url": "https://a.example/2"}),
        ({"image_url": "https://a.example/1"}, {"image_url": "http://a.example/2", "expires_at": LATE}),
        (
            {"image_url": "https://a.example/1"},
            {"image_url": "https://a.example/1", "address_image_url": "http://a.example/2"},
        ),
    ],
)
def test_of_two_proofs_one_counts_whichever_came_first(one: Any, other: Any) -> None:
    for first, second in ((one, other), (other, one)):
        parcel = merge(a_tracking(), [], source=Source.POLL, at=NOON, proof=ProofOfDelivery(**first))
        parcel = merge(parcel, [], source=Source.POLL, at=NOON, proof=ProofOfDelivery(**second))
        assert parcel.proof == ProofOfDelivery(**one)


def test_the_latest_saying_counts_whichever_came_first() -> None:
    early, late = Saying(NOON, "Monday"), Saying(NOON + HOUR, "Friday")
    for sayings in ((early, late), (late, early), (late, None)):
        parcel = a_tracking()
        for said in sayings:
            handed = NextCarrier(said.at, "usps", said.text) if said else None
            facts: dict[str, Any] = {"estimated_delivery": said, "signed_by": said, "next_carrier": handed}
            parcel = merge(parcel, [], source=Source.POLL, at=NOON, **facts)
        assert (parcel.estimated_delivery, parcel.signed_by) == (late, late)
        assert parcel.next_carrier == NextCarrier(NOON + HOUR, "usps", "Friday")


def test_a_silence_stays_that_is_as_old_as_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackings, "MOST_EVENTS", 2)
    day = timedelta(days=1)
    silent = seen("expired", code=SILENCE_CODE, at=NOON + SILENCE)
    parcel = with_events(seen(at=NOON - day), seen(), silent, seen(at=NOON + SILENCE + day))
    assert [event.at for event in parcel.events] == [NOON, NOON + SILENCE, NOON + SILENCE + day]


def test_of_two_reports_of_one_event_the_sub_status_of_either_counts() -> None:
    for sub_statuses in (("hub", None), (None, "hub")):
        reports = [seen("in_transit", sub_status=sub_status) for sub_status in sub_statuses]
        (event,) = with_events(*reports).events
        assert event.sub_status == "hub"


def test_an_event_keeps_the_identity_under_which_it_is_stored() -> None:
    (event,) = with_events(seen(code="Signed  IN", place="New   York")).events
    assert event.id == "evt_9d8fef89b48d7d1cf5de9725cf"


def test_a_silence_goes_with_the_events_that_did_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackings, "MOST_BYTES", 1)
    monkeypatch.setattr(trackings, "_SURELY_FIT", 4)
    later = [seen(at=NOON + SILENCE + timedelta(days=days)) for days in range(1, 5)]
    silent = seen("expired", code=SILENCE_CODE, at=NOON + SILENCE)
    assert [event.at for event in with_events(seen(), silent, *later).events] == [each.at for each in later]


def test_what_belongs_to_an_earlier_parcel_of_the_number_is_left_out() -> None:
    parcel = a_tracking(since=NOON)
    facts: dict[str, Any] = {
        "other_numbers": [OtherNumber("X1", "usps")],
        "proof": ProofOfDelivery(image_url="https://a.example/1"),
    }
    earlier = merge(parcel, [seen("delivered", hours=-1)], source=Source.POLL, at=NOON, **facts)
    assert earlier is parcel
    mixed = merge(parcel, [seen("delivered", hours=-1), seen()], source=Source.POLL, at=NOON, **facts)
    assert (mixed.other_numbers, mixed.proof) == ((OtherNumber("X1", "usps"),), None)
    own = merge(parcel, [seen("delivered")], source=Source.POLL, at=NOON, **facts)
    assert own.proof == facts["proof"]
    said = Saying(NOON - SECOND, "soon")
    assert merge(parcel, [], source=Source.POLL, at=NOON, signed_by=said, estimated_delivery=said) is parcel
    said = Saying(NOON, "soon")
    assert merge(parcel, [], source=Source.POLL, at=NOON, signed_by=said).signed_by == said

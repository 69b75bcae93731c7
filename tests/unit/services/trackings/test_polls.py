"""Polls: carriers are asked about what is due, together, and one bad answer spoils only itself."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.errors import (
    AccountError,
    AuthenticationError,
    CarrierError,
    HeldBackError,
    RefusedError,
    TooManyRequestsError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Followed, Following, ParcelHistory, Waybill
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import OrderStatus, Parcel
from parcelgate.domain.problems import CarrierWords, ProblemError
from parcelgate.domain.trackings import CANCELLED_CODE, NextCarrier, OtherNumber, Source, TrackingStatus
from parcelgate.services.trackings import polls as module
from parcelgate.store.errors import ThrottledError
from tests.support.faults import throttle
from tests.support.orders import NOON, an_event, an_order
from tests.support.post import Post, PostOffice, a_nudge
from tests.support.table import dynamodb  # noqa: F401 - a fixture
from tests.support.trackings import seen, told

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def office(dynamodb: Any) -> PostOffice:  # noqa: F811
    return PostOffice(dynamodb)


class TestARun:
    def test_plans_a_new_parcels_first_poll_and_asks_nobody(self, office: PostOffice) -> None:
        parcel = office.receive()
        assert not office.run()
        assert office.post().asked == []
        assert 9 * HOUR < office.wait(parcel) < 15 * HOUR
        assert "due_at" not in office.item(parcel, "TRACKING")
        office.clock.sleep(15 * 3600)
        office.run()
        assert office.post().asked == [(parcel.tracking_number,)]

    def test_asks_in_the_carriers_largest_questions(self, office: PostOffice) -> None:
        parcels = office.due(65)
        office.run()
        assert [len(numbers) for numbers in office.post().asked] == [30, 30, 5]
        assert sorted(office.post().numbers) == sorted(parcel.tracking_number for parcel in parcels)

    def test_begins_with_what_has_waited_longest(self, office: PostOffice) -> None:
        parcels = office.due(40)
        office.run()
        assert office.post().asked[0][:5] == tuple(parcel.tracking_number for parcel in parcels[:5])

    def test_mixes_neither_accounts_nor_tenants(self, office: PostOffice) -> None:
        office.due(3)
        office.due(2, account="other")
        office.due(4, tenant="globex")
        office.due(1, carrier="lme")
        office.run()
        assert {whose: len(post.numbers) for whose, post in office.posts.items()} == {
            AccountName("acme", "ubi", "default"): 3,
            AccountName("acme", "ubi", "other"): 2,
            AccountName("globex", "ubi", "default"): 4,
            AccountName("acme", "lme", "default"): 1,
        }
        assert all(len(post.asked) == 1 for post in office.posts.values())

    def test_joins_what_is_told_and_plans_by_it(self, office: PostOffice) -> None:
        moving, there = office.due(2)
        office.post().tells(moving.tracking_number, seen("in_transit"))
        office.post().tells(there.tracking_number, seen("in_transit"), seen("delivered", hours=1))
        office.run()
        assert office.status(moving) is TrackingStatus.IN_TRANSIT
        assert [event.source for event in office.read(moving).events] == [Source.POLL]
        assert 3 * HOUR < office.wait(moving) < 5 * HOUR
        assert office.status(there) is TrackingStatus.DELIVERED
        assert office.next_poll(there) is None

    def test_writes_nothing_but_the_next_poll_where_there_is_no_news(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        before = office.item(parcel, "TRACKING")
        office.run()
        assert office.item(parcel, "TRACKING") == before
        assert office.wait(parcel) > 9 * HOUR
        assert not {"claim", "claim_until"} & set(office.item(parcel))

    def test_leaves_alone_what_is_not_due(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        office.table.tenant("acme").trackings.schedule(parcel.id, office.clock.now + MINUTE)
        office.run()
        assert office.post().asked == []

    def test_takes_its_share_alone_and_together_they_take_everything(self, office: PostOffice) -> None:
        parcels = office.due(60)
        for worker in range(4):
            office.run(share=(worker, 4))
        assert Counter(office.post().numbers) == Counter(parcel.tracking_number for parcel in parcels)

    def test_forgets_the_poll_of_a_parcel_that_is_gone(self, office: PostOffice) -> None:
        (parcel,) = office.due(carrier_code="usps", carrier="trackingmore")
        office.table.tenant("acme").trackings.remove(parcel)
        office.table.tenant("acme").trackings.schedule(parcel.id, office.clock.now)
        office.run()
        assert office.item(parcel) == {}

    def test_a_parcel_that_goes_while_it_is_asked_about_spoils_no_other(self, office: PostOffice) -> None:
        gone, there = office.due(2)
        for parcel in (gone, there):
            office.post().tells(parcel.tracking_number, seen("in_transit"))
        office.post().meanwhile = [lambda: office.table.tenant("acme").trackings.remove(gone)]
        office.run()
        assert office.item(gone) == {}
        assert office.status(there) is TrackingStatus.IN_TRANSIT

    def test_sixty_days_of_silence_are_an_end(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        office.clock.sleep(61 * 86_400)
        office.run()
        assert office.status(parcel) is TrackingStatus.EXPIRED
        assert office.next_poll(parcel) is None

    def test_news_end_a_silence_before_it_is_one(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        office.post().tells(parcel.tracking_number, seen("in_transit", hours=24 * 60))
        office.clock.sleep(61 * 86_400)
        office.run()
        assert office.status(parcel) is TrackingStatus.IN_TRANSIT

    def test_a_carrier_that_nobody_knows_any_more_is_a_miss(self, office: PostOffice) -> None:
        (parcel,) = office.due(carrier="pigeons")
        office.posts[AccountName("acme", "pigeons", "default")] = KeyError("pigeons")
        (other,) = office.due()
        office.run()
        assert office.wait(parcel) < 6 * MINUTE
        assert office.wait(other) > HOUR

    def test_counts_what_it_did(self, office: PostOffice, logged: Callable[[], str]) -> None:
        office.due(40)
        office.clock.sleep(600)
        office.run()
        text = logged()
        for figure in ('"Polls":[40', '"PollCalls":[2', '"ParcelsPerPoll":[20', '"PollsNotAllowed":[0'):
            assert figure in text.replace(" ", "")
        lag = float(text.replace(" ", "").partition('"PollLag":[')[2].partition("]")[0])
        assert 600 <= lag <= 640


class TestAnAggregator:
    def test_each_courier_has_its_own_parcel_of_a_number(self, office: PostOffice) -> None:
        usps, dhl = (
            office.due(carrier="trackingmore", carrier_code=code, tracking_number="SAME")[0]
            for code in ("usps", "dhl")
        )
        post = office.post(carrier="trackingmore")
        histories = [
            msgspec.structs.replace(history, carrier_code=code)
            for code, history in (
                ("DHL", told(seen("delivered"), number="SAME")),
                ("usps", told(seen("in_transit"), number="SAME")),
            )
        ]
        post.track = lambda numbers: (post.asked.append(tuple(numbers)), histories)[1]  # type: ignore[method-assign]
        office.run()
        assert post.asked == [("SAME",)]
        assert office.status(usps) is TrackingStatus.IN_TRANSIT
        assert office.status(dhl) is TrackingStatus.DELIVERED

    def test_what_another_courier_told_is_not_believed_of_this_parcel(self, office: PostOffice) -> None:
        (parcel,) = office.due(carrier="trackingmore", carrier_code="usps", courier_fixed=True)
        office.post(carrier="trackingmore").tells(
            parcel.tracking_number, seen("delivered"), carrier_code="dhl"
        )
        office.run()
        assert office.status(parcel) is TrackingStatus.PENDING
        assert office.wait(parcel) > timedelta(0)

    def test_that_has_found_the_right_courier_is_believed(self, office: PostOffice) -> None:
        (parcel,) = office.due(carrier="trackingmore", carrier_code="usps")
        office.post(carrier="trackingmore").tells(
            parcel.tracking_number, seen("in_transit"), carrier_code="dhl"
        )
        office.run()
        found = office.read(parcel)
        assert (found.carrier_code, found.status) == ("dhl", TrackingStatus.IN_TRANSIT)
        assert office.wait(parcel) > timedelta(0)


class TestAParcelOfAnOrder:
    def parcel_of(self, office: PostOffice, status: OrderStatus, *, lists_it: bool = True) -> Any:
        order = an_order(status=status, at=office.clock.now - HOUR)
        (tracking,) = office.due(order_id=order.id)
        (box,) = order.parcels
        parcels: tuple[Parcel, ...] = (msgspec.structs.replace(box, tracking_id=tracking.id),)
        if lists_it:
            order = msgspec.structs.replace(order, parcels=parcels)
        office.table.tenant("acme").orders.add(order, an_event(at=order.created_at))
        return order, tracking

    @pytest.mark.parametrize("status", [OrderStatus.CANCELLED, OrderStatus.FAILED])
    def test_it_ends_with_an_order_that_came_to_nothing(
        self, office: PostOffice, status: OrderStatus
    ) -> None:
        order, tracking = self.parcel_of(office, status)
        office.run()
        assert office.post().asked == []
        after = office.read(tracking)
        assert after.status is TrackingStatus.CANCELLED
        assert [(event.code, event.at) for event in after.events] == [(CANCELLED_CODE, order.updated_at)]
        assert office.next_poll(tracking) is None

    @pytest.mark.parametrize("known", ["info_received", "exception", None])
    def test_it_ends_whatever_was_known_of_it_before_it_moved(
        self, office: PostOffice, known: str | None
    ) -> None:
        _, tracking = self.parcel_of(office, OrderStatus.CONFIRMED)
        office.post().tells(tracking.tracking_number, seen(known, hours=20))
        office.run()
        orders = office.table.tenant("acme").orders
        order = orders.get(tracking.order_id or "")
        cancelled = order.changed(at=office.clock.now, status=OrderStatus.CANCELLED)
        orders.save(order, cancelled, [an_event("order.cancelled", at=office.clock.now)])
        for _ in range(2):
            office.nudge(tracking)
            office.run()
            assert len(office.post().asked) == 1
            assert office.status(tracking) is TrackingStatus.CANCELLED
            assert office.next_poll(tracking) is None
        assert len(office.read(tracking).events) == 2

    def test_it_ends_when_the_order_lists_another_in_its_place(self, office: PostOffice) -> None:
        _, tracking = self.parcel_of(office, OrderStatus.CONFIRMED, lists_it=False)
        office.run()
        assert office.status(tracking) is TrackingStatus.CANCELLED

    def test_it_is_asked_about_while_the_order_stands(self, office: PostOffice) -> None:
        _, tracking = self.parcel_of(office, OrderStatus.CONFIRMED)
        office.run()
        assert office.post().asked == [(tracking.tracking_number,)]

    def test_one_that_travels_goes_on_whatever_became_of_the_order(self, office: PostOffice) -> None:
        _, tracking = self.parcel_of(office, OrderStatus.CONFIRMED)
        office.post().tells(tracking.tracking_number, seen("in_transit"))
        office.run()
        orders = office.table.tenant("acme").orders
        order = orders.get(tracking.order_id or "")
        failed = order.changed(at=office.clock.now, status=OrderStatus.CANCELLED)
        orders.save(order, failed, [an_event("order.cancelled", at=office.clock.now)])
        office.nudge(tracking)
        office.run()
        assert len(office.post().asked) == 2
        assert office.status(tracking) is TrackingStatus.IN_TRANSIT


class Agency(Post):
    """An aggregator: what it tells of a number it tells once that is followed."""

    def __init__(self) -> None:
        super().__init__()
        self.followed: list[str] = []

    def history(self, waybill: Waybill) -> ParcelHistory | None:
        if self.troubles:
            raise self.troubles.pop(0)
        return (
            self.journeys.get(waybill.tracking_number) if waybill.tracking_number in self.followed else None
        )

    def follow(self, parcels: Sequence[Following]) -> list[Followed | CarrierError]:
        self.followed += [parcel.waybill.tracking_number for parcel in parcels]
        return [
            Followed(waybill=one.waybill, history=self.journeys.get(one.waybill.tracking_number))
            for one in parcels
        ]

    def _not_asked(self, *_: Any) -> Any:
        raise AssertionError("nobody asks an aggregator this here")

    realtime = amend = correct = forget = pause = transit_times = remote_areas = _not_asked
    air_cargo = usage = counts = detect = couriers = _not_asked


class TestAParcelThatIsHandedOn:
    """LME hands it to Australia Post, and says no more than that."""

    def handed_on(self, office: PostOffice, *, followed: bool = True) -> tuple[Agency, Any]:
        (parcel,) = office.due(carrier="lme")
        there = NextCarrier(NOON + HOUR, "australia-post", "33ABC", followed=followed)
        office.post(carrier="lme").tells(
            parcel.tracking_number,
            seen("in_transit", hours=1),
            next_carrier=there,
            other_numbers=(OtherNumber("33ABC", "australia-post"),),
        )
        agency = Agency()
        agency.tells(
            "33ABC",
            seen("pending", hours=9),
            seen("info_received", hours=2),
            seen("delivered", hours=3),
            carrier_code="australia-post",
        )
        office.posts[AccountName("acme", "trackingmore", "default")] = agency
        return agency, parcel

    def test_it_ends_delivered_by_the_one_who_took_it_on(self, office: PostOffice) -> None:
        agency, parcel = self.handed_on(office)
        office.run()
        after = office.read(parcel)
        assert agency.followed == ["33ABC"]
        assert [(event.carrier, event.status) for event in after.events] == [
            (None, "in_transit"),
            ("australia-post", None),
            ("australia-post", "delivered"),
        ]
        assert (after.status, office.next_poll(parcel)) == (TrackingStatus.DELIVERED, None)
        store = office.table.tenant("acme").trackings
        assert store.find("default", "Australia-Post", "33 abc") == parcel.id

    def test_it_is_not_asked_about_there_when_the_account_says_so(self, office: PostOffice) -> None:
        agency, parcel = self.handed_on(office, followed=False)
        office.run()
        assert (agency.followed, office.status(parcel)) == ([], TrackingStatus.IN_TRANSIT)

    @pytest.mark.parametrize(
        "trouble", [TransientError("busy"), ProblemError("validation_failed", "no such account")]
    )
    def test_trouble_there_leaves_what_its_own_carrier_told(
        self, office: PostOffice, trouble: Exception
    ) -> None:
        agency, parcel = self.handed_on(office)
        agency.troubles = [trouble]
        office.run()
        assert office.status(parcel) is TrackingStatus.IN_TRANSIT
        office.nudge(parcel)
        office.run()
        assert office.status(parcel) is TrackingStatus.DELIVERED

    @pytest.mark.parametrize(
        ("trouble", "counted"),
        [
            (AuthenticationError("no"), 1),
            (AccountError("trackingmore", "default", ["no key"]), 1),
            (TransientError("busy"), 0),
        ],
    )
    def test_an_account_that_cannot_be_used_there_is_counted_for_the_alarm(
        self, office: PostOffice, capsys: pytest.CaptureFixture[str], trouble: Exception, counted: int
    ) -> None:
        agency, _ = self.handed_on(office)
        agency.troubles = [trouble]
        office.run()
        text = capsys.readouterr().out.replace(" ", "")
        assert f'"PollsNotAllowed":[{counted}' in text
        assert '"NextCarriersNotAsked":[1' in text


class TestWhatIsTold:
    @pytest.mark.parametrize("name", ["O-77", "o-77", "box 1"])
    def test_it_is_matched_by_whichever_name_the_carrier_uses(self, office: PostOffice, name: str) -> None:
        (parcel,) = office.due(carrier_number="O-77", parcel_reference="box1")
        office.post().journeys[parcel.tracking_number] = ParcelHistory(
            tracking_number=name, events=(seen("delivered"),), names=(name,)
        )
        office.run()
        assert office.status(parcel) is TrackingStatus.DELIVERED

    def test_what_matches_no_parcel_is_counted_and_logged(
        self, office: PostOffice, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (parcel,) = office.due()
        office.post().journeys[parcel.tracking_number] = ParcelHistory(
            tracking_number="STRANGER", events=(seen("delivered"),)
        )
        office.run()
        assert office.status(parcel) is TrackingStatus.PENDING
        assert '"HistoriesUnmatched":[1' in capsys.readouterr().out.replace(" ", "")


class TestTrouble:
    def test_one_refused_parcel_is_found_and_its_neighbours_are_told_of(self, office: PostOffice) -> None:
        parcels = office.due(30)
        bad, *others = parcels[7:] + parcels[:7]
        office.post().bad[bad.tracking_number] = RefusedError("no such number")
        for parcel in parcels:
            office.post().tells(parcel.tracking_number, seen("in_transit"))
        office.run()
        assert {office.status(parcel) for parcel in others} == {TrackingStatus.IN_TRANSIT}
        assert office.status(bad) is TrackingStatus.PENDING
        assert office.wait(bad) < 6 * MINUTE
        assert len(office.post().asked) <= 12

    def test_a_carrier_that_refuses_everything_is_not_asked_for_ever(self, office: PostOffice) -> None:
        parcels = office.due(30)
        office.post().bad = {parcel.tracking_number: RefusedError("no") for parcel in parcels}
        office.run()
        assert len(office.post().asked) <= 12
        assert all(office.wait(parcel) < 6 * MINUTE for parcel in parcels)

    @pytest.mark.parametrize("error", [TransientError("503"), UnknownOutcomeError("time-out")])
    def test_a_question_without_an_answer_is_a_miss_for_its_parcels_alone(
        self, office: PostOffice, error: Exception
    ) -> None:
        parcels = office.due(45)
        office.post().troubles = [error]
        office.run()
        missed, others = parcels[:30], parcels[30:]
        assert [len(numbers) for numbers in office.post().asked] == [30, 15]
        assert all(office.wait(parcel) < 6 * MINUTE for parcel in missed)
        assert all(office.wait(parcel) > 9 * HOUR for parcel in others)

    def test_misses_back_off_and_an_answer_ends_them(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        waits = []
        for _ in range(4):
            office.post().troubles = [TransientError("503")]
            office.run()
            waits.append(office.wait(parcel))
            office.clock.sleep(waits[-1].total_seconds())
        assert [round(wait / waits[0]) for wait in waits] == [1, 2, 4, 8]
        office.run()
        assert office.wait(parcel) > 9 * HOUR
        assert office.item(parcel)["misses"] == {"N": "0"}

    def test_an_error_that_nobody_expected_is_logged_and_spoils_one_parcel(
        self, office: PostOffice, logged: Callable[[], str]
    ) -> None:
        bad, *others = office.due(10)
        office.post().bad[bad.tracking_number] = ZeroDivisionError("what a carrier sent")
        office.run()
        assert all(office.wait(parcel) > 9 * HOUR for parcel in others)
        assert office.wait(bad) < 6 * MINUTE
        text = logged()
        assert text.count('"ERROR"') == 1
        assert "what a carrier sent" not in text

    def test_an_account_that_must_rest_is_left_alone_and_the_others_are_not(self, office: PostOffice) -> None:
        resting = office.due(45)
        (other,) = office.due(account="other")
        office.post().troubles = [TooManyRequestsError("429", retry_after=120)]
        assert not office.run(), "nobody need come again for them before their time"
        assert len(office.post().asked) == 1
        assert {office.wait(parcel) for parcel in resting[:30]} == {timedelta(seconds=120)}
        assert all(office.wait(parcel) < timedelta(0) for parcel in resting[30:]), "as due as before"
        assert not any("claim" in office.item(parcel) for parcel in resting)
        assert office.item(resting[0]).get("misses") is None
        assert office.wait(other) > HOUR

    def test_who_does_not_say_how_long_gets_a_minute(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        office.post().troubles = [TooManyRequestsError("429")]
        office.run()
        assert office.wait(parcel) == MINUTE

    def test_a_turn_that_comes_soon_is_waited_for(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        began = office.clock.now
        office.post().troubles = [HeldBackError("busy", retry_after=1.5)] * 3
        office.run()
        assert office.clock.now - began == timedelta(seconds=4.5)
        assert len(office.post().asked) == 4
        assert office.wait(parcel) > HOUR

    def test_a_turn_that_never_comes_is_not_waited_for_to_the_end(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        office.post().troubles = [HeldBackError("busy", retry_after=2)] * 100
        assert office.run(), "there is still something due"
        assert len(office.post().asked) < 30
        assert office.wait(parcel) < timedelta(0)
        assert "claim" not in office.item(parcel)

    @pytest.mark.parametrize(
        "error",
        [
            AuthenticationError("401", words=CarrierWords("ubi", "E401", "Ada Byrd may not")),
            AccountError("toy", "default", ["credentials.token is missing"]),
            ProblemError("validation_failed", "There is no such account."),
        ],
    )
    def test_an_account_that_is_of_no_use_waits_an_hour_and_a_person_is_told(
        self, office: PostOffice, error: Exception, logged: Callable[[], str]
    ) -> None:
        parcels = office.due(45)
        if isinstance(error, AuthenticationError):
            office.post().troubles = [error]
        else:
            office.posts[AccountName("acme", "ubi", "default")] = error
        assert not office.run()
        assert {office.wait(parcel) for parcel in parcels[:30]} == {HOUR}
        text = logged()
        assert '"PollsNotAllowed":[30' in text.replace(" ", "")
        assert ('"code":"E401"' in text.replace(" ", "")) is bool(getattr(error, "words", None))
        assert "Ada" not in text, "promise 8"
        assert "an account is of no use for polls" in text

    def test_without_time_left_nothing_is_begun(self, office: PostOffice, logged: Callable[[], str]) -> None:
        parcels = office.due(45)
        office.post().meanwhile = [lambda: office.clock.sleep(53)]
        assert office.run()
        assert [len(numbers) for numbers in office.post().asked] == [30]
        assert '"PollsLeft":[15' in logged().replace(" ", "")
        assert all(office.wait(parcel) < timedelta(0) for parcel in parcels[30:])
        assert not any("claim" in office.item(parcel) for parcel in parcels)

    def test_a_round_that_is_over_begins_no_other_run(self, office: PostOffice) -> None:
        office.due(45)
        polls = office.worker()
        office.post().meanwhile = [lambda: office.clock.sleep(53)]
        long_ago = office.clock.now - timedelta(seconds=200)
        assert not polls.run(0, 1, long_ago, office.time_left())

    def test_a_claim_that_is_over_asks_nobody(self, office: PostOffice) -> None:
        """The clock has moved, and the process, which was asleep, thinks that it has all its time."""
        (parcel,) = office.due()
        post = office.post()
        post.troubles = [HeldBackError("busy", retry_after=3)] * 30
        office.worker().run(0, 1, office.clock.now, Deadline(lambda: 30.0))
        assert len(post.asked) == 12, "a claim of 35 seconds, and 3 seconds between two questions"
        assert "claim" not in office.item(parcel)

    def test_when_the_table_takes_no_claims_the_rest_stays_due(self, office: PostOffice) -> None:
        parcels = office.due(5)
        polls = office.worker()
        places = iter(range(10))

        def third() -> bool:
            return next(places) == 2

        office.faults.when(lambda call: call.method == "update_item" and third(), throttle())
        assert office.run(polls)
        assert office.post().asked == [tuple(parcel.tracking_number for parcel in parcels[:2])]
        assert all(office.wait(parcel) < timedelta(0) for parcel in parcels[2:])

    def test_what_cannot_be_stored_is_asked_again_when_the_claim_is_over(self, office: PostOffice) -> None:
        first, other = office.due(2)
        for parcel in (first, other):
            office.post().tells(parcel.tracking_number, seen("in_transit"))
        office.post().meanwhile = [lambda: (office.faults.on("update_item", throttle()), None)[1]]
        office.run()
        assert office.status(first) is TrackingStatus.PENDING
        assert office.status(other) is TrackingStatus.IN_TRANSIT
        office.clock.sleep(120)
        office.run()
        assert office.status(first) is TrackingStatus.IN_TRANSIT


class TestTwoWorkers:
    def test_never_ask_about_one_parcel_twice(self, office: PostOffice) -> None:
        parcels = office.due(60)
        others = [office.worker(), office.worker()]
        office.post().meanwhile = [lambda polls=polls: office.run(polls) for polls in others]  # type: ignore[misc]
        office.run()
        assert Counter(office.post().numbers) == Counter(parcel.tracking_number for parcel in parcels)

    def test_nor_do_their_threads(self, office: PostOffice) -> None:
        parcels = [*office.due(60), *office.due(15, carrier="lme"), *office.due(10, tenant="globex")]
        workers = [office.worker(threads=6) for _ in range(3)]
        with ThreadPoolExecutor(3) as pool:
            assert not any(pool.map(office.run, workers))
        asked = Counter(number for post in office.posts.values() for number in post.numbers)
        assert asked == Counter(parcel.tracking_number for parcel in parcels)
        assert all(office.wait(parcel) > HOUR for parcel in parcels)

    def test_a_dead_workers_parcels_are_free_again_soon(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        store = office.table.tenant("acme").trackings
        until = office.clock.now + timedelta(seconds=65)
        assert store.claim(parcel.id, at=office.clock.now, until=until, claimant="dead")
        office.run()
        assert office.post().asked == []
        office.clock.sleep(65)
        office.run()
        assert office.post().asked == [(parcel.tracking_number,)]


class TestANudge:
    def test_during_a_poll_is_not_lost(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        office.post().meanwhile = [lambda: office.nudge(parcel)]
        office.run()
        assert office.wait(parcel) == timedelta(0)
        assert "claim" not in office.item(parcel)
        office.run()
        assert len(office.post().asked) == 2

    def test_is_asked_about_at_once_together_with_the_others(self, office: PostOffice) -> None:
        parcels = [office.receive() for _ in range(40)]
        office.run()
        office.nudge(*parcels)
        assert office.worker().nudged(office.nudges(), office.time_left()) == []
        assert [len(numbers) for numbers in office.post().asked] == [30, 10]
        assert all(office.wait(parcel) > HOUR for parcel in parcels)

    def test_of_a_parcel_whose_first_poll_was_never_planned_counts_too(self, office: PostOffice) -> None:
        parcel = office.receive()
        office.nudge(parcel)
        office.worker().nudged(office.nudges(), office.time_left())
        assert office.post().asked == [(parcel.tracking_number,)]

    def test_twice_is_asked_about_once(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        office.nudge(parcel, parcel)
        assert office.worker().nudged(office.nudges(), office.time_left()) == []
        assert office.post().asked == [(parcel.tracking_number,)]

    def test_comes_again_soon_while_another_worker_asks(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        again: list[str] = []

        def meanwhile() -> None:
            office.nudge(parcel)
            again.extend(office.worker().nudged(office.nudges(), office.time_left()))

        office.post().meanwhile = [meanwhile]
        office.run()
        (nudge,) = office.nudges()
        assert again == [nudge.message_id]
        assert office.hidden(nudge) == 15
        assert len(office.post().asked) == 1
        assert office.worker().nudged([nudge], office.time_left()) == []
        assert len(office.post().asked) == 2

    def test_of_a_parcel_that_was_asked_about_meanwhile_is_done(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        office.nudge(parcel)
        office.run()
        assert office.worker().nudged(office.nudges(), office.time_left()) == []
        assert len(office.post().asked) == 1

    def test_that_limits_hold_back_is_left_to_the_next_round(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        office.nudge(parcel)
        office.post().troubles = [TooManyRequestsError("429", retry_after=120)]
        assert office.worker().nudged(office.nudges(), office.time_left()) == []
        assert office.wait(parcel) == timedelta(seconds=120)

    def test_of_a_parcel_that_is_gone_is_done(self, office: PostOffice) -> None:
        nudges = [a_nudge("acme", "trk_01KAJ3Q8Z7C5S3ETN8X7W1H0VD")]
        assert office.worker().nudged(nudges, office.time_left()) == []

    @pytest.mark.parametrize("body", ["", "{}", "[1]", '{"tenant": 1, "tracking_id": 2}'])
    def test_that_cannot_be_read_spoils_no_other(self, office: PostOffice, body: str) -> None:
        (parcel,) = office.due()
        office.nudge(parcel)
        nudges = [module.Nudge("bad", "bad", body), *office.nudges()]
        assert office.worker().nudged(nudges, office.time_left()) == ["bad"]
        assert office.post().asked == [(parcel.tracking_number,)]

    def test_comes_again_when_the_table_is_out_of_reach(self, office: PostOffice) -> None:
        (parcel,) = office.due()
        office.nudge(parcel)
        polls = office.worker()
        office.faults.on("batch_get_item", throttle())
        with pytest.raises(ThrottledError):
            polls.nudged(office.nudges(), office.time_left())

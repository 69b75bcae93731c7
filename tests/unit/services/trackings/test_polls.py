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
from tests.support.fake_carriers import FakeTracker
from tests.support.faults import throttle
from tests.support.orders import NOON, an_event, an_order
from tests.support.trackings import a_nudge, seen, told
from tests.support.world import World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class TestARun:
    def test_plans_a_new_parcels_first_poll_and_asks_nobody(self, world: World) -> None:
        parcel = world.add_parcel()
        assert not world.poll()
        assert world.tracker().requests == []
        assert 9 * HOUR < world.time_to_poll(parcel) < 15 * HOUR
        assert "due_at" not in world.tracking_item(parcel, "TRACKING")
        world.clock.sleep(15 * 3600)
        world.poll()
        assert world.tracker().requests == [(parcel.tracking_number,)]

    def test_asks_in_the_carriers_largest_questions(self, world: World) -> None:
        parcels = world.due_parcels(65)
        world.poll()
        assert [len(numbers) for numbers in world.tracker().requests] == [30, 30, 5]
        assert sorted(world.tracker().numbers) == sorted(parcel.tracking_number for parcel in parcels)

    def test_begins_with_what_has_waited_longest(self, world: World) -> None:
        parcels = world.due_parcels(40)
        world.poll()
        assert world.tracker().requests[0][:5] == tuple(parcel.tracking_number for parcel in parcels[:5])

    def test_mixes_neither_accounts_nor_tenants(self, world: World) -> None:
        world.due_parcels(3)
        world.due_parcels(2, account="other")
        world.due_parcels(4, tenant="globex")
        world.due_parcels(1, carrier="lme")
        world.poll()
        assert {whose: len(tracker.numbers) for whose, tracker in world.trackers.items()} == {
            AccountName("acme", "ubi", "default"): 3,
            AccountName("acme", "ubi", "other"): 2,
            AccountName("globex", "ubi", "default"): 4,
            AccountName("acme", "lme", "default"): 1,
        }
        assert all(len(tracker.requests) == 1 for tracker in world.trackers.values())

    def test_joins_what_is_told_and_plans_by_it(self, world: World) -> None:
        moving, there = world.due_parcels(2)
        world.tracker().reports(moving.tracking_number, seen("in_transit"))
        world.tracker().reports(there.tracking_number, seen("in_transit"), seen("delivered", hours=1))
        world.poll()
        assert world.tracking_status(moving) is TrackingStatus.IN_TRANSIT
        assert [event.source for event in world.tracking(moving).events] == [Source.POLL]
        assert 3 * HOUR < world.time_to_poll(moving) < 5 * HOUR
        assert world.tracking_status(there) is TrackingStatus.DELIVERED
        assert world.next_poll(there) is None

    def test_writes_nothing_but_the_next_poll_where_there_is_no_news(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        before = world.tracking_item(parcel, "TRACKING")
        world.poll()
        assert world.tracking_item(parcel, "TRACKING") == before
        assert world.time_to_poll(parcel) > 9 * HOUR
        assert not {"claim", "claim_until"} & set(world.tracking_item(parcel))

    def test_leaves_alone_what_is_not_due(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        world.table.tenant("acme").trackings.schedule(parcel.id, world.clock.now + MINUTE)
        world.poll()
        assert world.tracker().requests == []

    def test_takes_its_share_alone_and_together_they_take_everything(self, world: World) -> None:
        parcels = world.due_parcels(60)
        for worker in range(4):
            world.poll(share=(worker, 4))
        assert Counter(world.tracker().numbers) == Counter(parcel.tracking_number for parcel in parcels)

    def test_forgets_the_poll_of_a_parcel_that_is_gone(self, world: World) -> None:
        (parcel,) = world.due_parcels(carrier_code="usps", carrier="trackingmore")
        world.table.tenant("acme").trackings.remove(parcel)
        world.table.tenant("acme").trackings.schedule(parcel.id, world.clock.now)
        world.poll()
        assert world.tracking_item(parcel) == {}

    def test_a_parcel_that_goes_while_it_is_asked_about_spoils_no_other(self, world: World) -> None:
        gone, there = world.due_parcels(2)
        for parcel in (gone, there):
            world.tracker().reports(parcel.tracking_number, seen("in_transit"))
        world.tracker().meanwhile = [lambda: world.table.tenant("acme").trackings.remove(gone)]
        world.poll()
        assert world.tracking_item(gone) == {}
        assert world.tracking_status(there) is TrackingStatus.IN_TRANSIT

    def test_sixty_days_of_silence_are_an_end(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        world.clock.sleep(61 * 86_400)
        world.poll()
        assert world.tracking_status(parcel) is TrackingStatus.EXPIRED
        assert world.next_poll(parcel) is None

    def test_news_end_a_silence_before_it_is_one(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        world.tracker().reports(parcel.tracking_number, seen("in_transit", hours=24 * 60))
        world.clock.sleep(61 * 86_400)
        world.poll()
        assert world.tracking_status(parcel) is TrackingStatus.IN_TRANSIT

    def test_a_carrier_that_nobody_knows_any_more_is_a_miss(self, world: World) -> None:
        (parcel,) = world.due_parcels(carrier="pigeons")
        world.trackers[AccountName("acme", "pigeons", "default")] = KeyError("pigeons")
        (other,) = world.due_parcels()
        world.poll()
        assert world.time_to_poll(parcel) < 6 * MINUTE
        assert world.time_to_poll(other) > HOUR

    def test_counts_what_it_did(self, world: World, logged: Callable[[], str]) -> None:
        world.due_parcels(40)
        world.clock.sleep(600)
        world.poll()
        text = logged()
        for figure in ('"Polls":[40', '"PollCalls":[2', '"ParcelsPerPoll":[20', '"PollsNotAllowed":[0'):
            assert figure in text.replace(" ", "")
        lag = float(text.replace(" ", "").partition('"PollLag":[')[2].partition("]")[0])
        assert 600 <= lag <= 640


class TestAnAggregator:
    def test_each_courier_has_its_own_parcel_of_a_number(self, world: World) -> None:
        usps, dhl = (
            world.due_parcels(carrier="trackingmore", carrier_code=code, tracking_number="SAME")[0]
            for code in ("usps", "dhl")
        )
        tracker = world.tracker(carrier="trackingmore")
        histories = [
            msgspec.structs.replace(history, carrier_code=code)
            for code, history in (
                ("DHL", told(seen("delivered"), number="SAME")),
                ("usps", told(seen("in_transit"), number="SAME")),
            )
        ]
        tracker.track = lambda numbers: (tracker.requests.append(tuple(numbers)), histories)[1]  # type: ignore[method-assign]
        world.poll()
        assert tracker.requests == [("SAME",)]
        assert world.tracking_status(usps) is TrackingStatus.IN_TRANSIT
        assert world.tracking_status(dhl) is TrackingStatus.DELIVERED

    def test_what_another_courier_told_is_not_believed_of_this_parcel(self, world: World) -> None:
        (parcel,) = world.due_parcels(carrier="trackingmore", carrier_code="usps", courier_fixed=True)
        world.tracker(carrier="trackingmore").reports(
            parcel.tracking_number, seen("delivered"), carrier_code="dhl"
        )
        world.poll()
        assert world.tracking_status(parcel) is TrackingStatus.PENDING
        assert world.time_to_poll(parcel) > timedelta(0)

    def test_that_has_found_the_right_courier_is_believed(self, world: World) -> None:
        (parcel,) = world.due_parcels(carrier="trackingmore", carrier_code="usps")
        world.tracker(carrier="trackingmore").reports(
            parcel.tracking_number, seen("in_transit"), carrier_code="dhl"
        )
        world.poll()
        found = world.tracking(parcel)
        assert (found.carrier_code, found.status) == ("dhl", TrackingStatus.IN_TRANSIT)
        assert world.time_to_poll(parcel) > timedelta(0)


class TestAParcelOfAnOrder:
    def parcel_of(self, world: World, status: OrderStatus, *, lists_it: bool = True) -> Any:
        order = an_order(status=status, at=world.clock.now - HOUR)
        (tracking,) = world.due_parcels(order_id=order.id)
        (box,) = order.parcels
        parcels: tuple[Parcel, ...] = (msgspec.structs.replace(box, tracking_id=tracking.id),)
        if lists_it:
            order = msgspec.structs.replace(order, parcels=parcels)
        world.table.tenant("acme").orders.add(order, an_event(at=order.created_at))
        return order, tracking

    @pytest.mark.parametrize("status", [OrderStatus.CANCELLED, OrderStatus.FAILED])
    def test_it_ends_with_an_order_that_came_to_nothing(self, world: World, status: OrderStatus) -> None:
        order, tracking = self.parcel_of(world, status)
        world.poll()
        assert world.tracker().requests == []
        after = world.tracking(tracking)
        assert after.status is TrackingStatus.CANCELLED
        assert [(event.code, event.at) for event in after.events] == [(CANCELLED_CODE, order.updated_at)]
        assert world.next_poll(tracking) is None

    @pytest.mark.parametrize("known", ["info_received", "exception", None])
    def test_it_ends_whatever_was_known_of_it_before_it_moved(self, world: World, known: str | None) -> None:
        _, tracking = self.parcel_of(world, OrderStatus.CONFIRMED)
        world.tracker().reports(tracking.tracking_number, seen(known, hours=20))
        world.poll()
        orders = world.table.tenant("acme").orders
        order = orders.get(tracking.order_id or "")
        cancelled = order.changed(at=world.clock.now, status=OrderStatus.CANCELLED)
        orders.save(order, cancelled, [an_event("order.cancelled", at=world.clock.now)])
        for _ in range(2):
            world.nudge(tracking)
            world.poll()
            assert len(world.tracker().requests) == 1
            assert world.tracking_status(tracking) is TrackingStatus.CANCELLED
            assert world.next_poll(tracking) is None
        assert len(world.tracking(tracking).events) == 2

    def test_it_ends_when_the_order_lists_another_in_its_place(self, world: World) -> None:
        _, tracking = self.parcel_of(world, OrderStatus.CONFIRMED, lists_it=False)
        world.poll()
        assert world.tracking_status(tracking) is TrackingStatus.CANCELLED

    def test_it_is_asked_about_while_the_order_stands(self, world: World) -> None:
        _, tracking = self.parcel_of(world, OrderStatus.CONFIRMED)
        world.poll()
        assert world.tracker().requests == [(tracking.tracking_number,)]

    def test_one_that_travels_goes_on_whatever_became_of_the_order(self, world: World) -> None:
        _, tracking = self.parcel_of(world, OrderStatus.CONFIRMED)
        world.tracker().reports(tracking.tracking_number, seen("in_transit"))
        world.poll()
        orders = world.table.tenant("acme").orders
        order = orders.get(tracking.order_id or "")
        failed = order.changed(at=world.clock.now, status=OrderStatus.CANCELLED)
        orders.save(order, failed, [an_event("order.cancelled", at=world.clock.now)])
        world.nudge(tracking)
        world.poll()
        assert len(world.tracker().requests) == 2
        assert world.tracking_status(tracking) is TrackingStatus.IN_TRANSIT


class Agency(FakeTracker):
    """An aggregator: what it tells of a number it tells once that is followed."""

    def __init__(self) -> None:
        super().__init__()
        self.followed: list[str] = []

    def history(self, waybill: Waybill) -> ParcelHistory | None:
        if self.errors:
            raise self.errors.pop(0)
        return (
            self.histories.get(waybill.tracking_number) if waybill.tracking_number in self.followed else None
        )

    def follow(self, parcels: Sequence[Following]) -> list[Followed | CarrierError]:
        self.followed += [parcel.waybill.tracking_number for parcel in parcels]
        return [
            Followed(waybill=one.waybill, history=self.histories.get(one.waybill.tracking_number))
            for one in parcels
        ]

    def _not_asked(self, *_: Any) -> Any:
        raise AssertionError("nobody asks an aggregator this here")

    realtime = amend = correct = forget = pause = transit_times = remote_areas = _not_asked
    air_cargo = usage = counts = detect = couriers = _not_asked


class TestAParcelThatIsHandedOn:
    """LME hands it to Australia Post, and says no more than that."""

    def handed_on(self, world: World, *, followed: bool = True) -> tuple[Agency, Any]:
        (parcel,) = world.due_parcels(carrier="lme")
        there = NextCarrier(NOON + HOUR, "australia-post", "33ABC", followed=followed)
        world.tracker(carrier="lme").reports(
            parcel.tracking_number,
            seen("in_transit", hours=1),
            next_carrier=there,
            other_numbers=(OtherNumber("33ABC", "australia-post"),),
        )
        agency = Agency()
        agency.reports(
            "33ABC",
            seen("pending", hours=9),
            seen("info_received", hours=2),
            seen("delivered", hours=3),
            carrier_code="australia-post",
        )
        world.trackers[AccountName("acme", "trackingmore", "default")] = agency
        return agency, parcel

    def test_it_ends_delivered_by_the_one_who_took_it_on(self, world: World) -> None:
        agency, parcel = self.handed_on(world)
        world.poll()
        after = world.tracking(parcel)
        assert agency.followed == ["33ABC"]
        assert [(event.carrier, event.status) for event in after.events] == [
            (None, "in_transit"),
            ("australia-post", None),
            ("australia-post", "delivered"),
        ]
        assert (after.status, world.next_poll(parcel)) == (TrackingStatus.DELIVERED, None)
        store = world.table.tenant("acme").trackings
        assert store.find("default", "Australia-Post", "33 abc") == parcel.id

    def test_it_is_not_asked_about_there_when_the_account_says_so(self, world: World) -> None:
        agency, parcel = self.handed_on(world, followed=False)
        world.poll()
        assert (agency.followed, world.tracking_status(parcel)) == ([], TrackingStatus.IN_TRANSIT)

    @pytest.mark.parametrize(
        "trouble", [TransientError("busy"), ProblemError("validation_failed", "no such account")]
    )
    def test_trouble_there_leaves_what_its_own_carrier_told(self, world: World, trouble: Exception) -> None:
        agency, parcel = self.handed_on(world)
        agency.errors = [trouble]
        world.poll()
        assert world.tracking_status(parcel) is TrackingStatus.IN_TRANSIT
        world.nudge(parcel)
        world.poll()
        assert world.tracking_status(parcel) is TrackingStatus.DELIVERED

    @pytest.mark.parametrize(
        ("trouble", "counted"),
        [
            (AuthenticationError("no"), 1),
            (AccountError("trackingmore", "default", ["no key"]), 1),
            (TransientError("busy"), 0),
        ],
    )
    def test_an_account_that_cannot_be_used_there_is_counted_for_the_alarm(
        self, world: World, capsys: pytest.CaptureFixture[str], trouble: Exception, counted: int
    ) -> None:
        agency, _ = self.handed_on(world)
        agency.errors = [trouble]
        world.poll()
        text = capsys.readouterr().out.replace(" ", "")
        assert f'"PollsNotAllowed":[{counted}' in text
        assert '"NextCarriersNotAsked":[1' in text


class TestWhatIsTold:
    @pytest.mark.parametrize("name", ["O-77", "o-77", "box 1"])
    def test_it_is_matched_by_whichever_name_the_carrier_uses(self, world: World, name: str) -> None:
        (parcel,) = world.due_parcels(carrier_number="O-77", parcel_reference="box1")
        world.tracker().histories[parcel.tracking_number] = ParcelHistory(
            tracking_number=name, events=(seen("delivered"),), names=(name,)
        )
        world.poll()
        assert world.tracking_status(parcel) is TrackingStatus.DELIVERED

    def test_what_matches_no_parcel_is_counted_and_logged(
        self, world: World, capsys: pytest.CaptureFixture[str], logged: Callable[[], str]
    ) -> None:
        (parcel,) = world.due_parcels()
        world.tracker().histories[parcel.tracking_number] = ParcelHistory(
            tracking_number="STRANGER", events=(seen("delivered"),)
        )
        world.poll()
        assert world.tracking_status(parcel) is TrackingStatus.PENDING
        assert '"HistoriesUnmatched":[1' in capsys.readouterr().out.replace(" ", "")
        words = "the carrier reported a parcel that it was not asked about"
        (line,) = [line for line in logged().splitlines() if words in line]
        assert "STRANGER" in line
        assert "WARNING" in line


class TestTrouble:
    def test_one_refused_parcel_is_found_and_its_neighbours_are_told_of(self, world: World) -> None:
        parcels = world.due_parcels(30)
        bad, *others = parcels[7:] + parcels[:7]
        world.tracker().bad[bad.tracking_number] = RefusedError("no such number")
        for parcel in parcels:
            world.tracker().reports(parcel.tracking_number, seen("in_transit"))
        world.poll()
        assert {world.tracking_status(parcel) for parcel in others} == {TrackingStatus.IN_TRANSIT}
        assert world.tracking_status(bad) is TrackingStatus.PENDING
        assert world.time_to_poll(bad) < 6 * MINUTE
        assert len(world.tracker().requests) <= 12

    def test_a_carrier_that_refuses_everything_is_not_asked_for_ever(self, world: World) -> None:
        parcels = world.due_parcels(30)
        world.tracker().bad = {parcel.tracking_number: RefusedError("no") for parcel in parcels}
        world.poll()
        assert len(world.tracker().requests) <= 12
        assert all(world.time_to_poll(parcel) < 6 * MINUTE for parcel in parcels)

    @pytest.mark.parametrize("error", [TransientError("503"), UnknownOutcomeError("time-out")])
    def test_a_question_without_an_answer_is_a_miss_for_its_parcels_alone(
        self, world: World, error: Exception
    ) -> None:
        parcels = world.due_parcels(45)
        world.tracker().errors = [error]
        world.poll()
        missed, others = parcels[:30], parcels[30:]
        assert [len(numbers) for numbers in world.tracker().requests] == [30, 15]
        assert all(world.time_to_poll(parcel) < 6 * MINUTE for parcel in missed)
        assert all(world.time_to_poll(parcel) > 9 * HOUR for parcel in others)

    def test_misses_back_off_and_an_answer_ends_them(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        waits = []
        for _ in range(4):
            world.tracker().errors = [TransientError("503")]
            world.poll()
            waits.append(world.time_to_poll(parcel))
            world.clock.sleep(waits[-1].total_seconds())
        assert [round(wait / waits[0]) for wait in waits] == [1, 2, 4, 8]
        world.poll()
        assert world.time_to_poll(parcel) > 9 * HOUR
        assert world.tracking_item(parcel)["misses"] == {"N": "0"}

    def test_an_error_that_nobody_expected_is_logged_and_spoils_one_parcel(
        self, world: World, logged: Callable[[], str]
    ) -> None:
        bad, *others = world.due_parcels(10)
        world.tracker().bad[bad.tracking_number] = ZeroDivisionError("what a carrier sent")
        world.poll()
        assert all(world.time_to_poll(parcel) > 9 * HOUR for parcel in others)
        assert world.time_to_poll(bad) < 6 * MINUTE
        text = logged()
        assert text.count('"ERROR"') == 1
        assert "what a carrier sent" not in text

    def test_an_account_that_must_rest_is_left_alone_and_the_others_are_not(self, world: World) -> None:
        resting = world.due_parcels(45)
        (other,) = world.due_parcels(account="other")
        world.tracker().errors = [TooManyRequestsError("429", retry_after=120)]
        assert not world.poll(), "nobody need come again for them before their time"
        assert len(world.tracker().requests) == 1
        assert {world.time_to_poll(parcel) for parcel in resting[:30]} == {timedelta(seconds=120)}
        assert all(world.time_to_poll(parcel) < timedelta(0) for parcel in resting[30:]), "as due as before"
        assert not any("claim" in world.tracking_item(parcel) for parcel in resting)
        assert world.tracking_item(resting[0]).get("misses") is None
        assert world.time_to_poll(other) > HOUR

    def test_who_does_not_say_how_long_gets_a_minute(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        world.tracker().errors = [TooManyRequestsError("429")]
        world.poll()
        assert world.time_to_poll(parcel) == MINUTE

    def test_a_turn_that_comes_soon_is_waited_for(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        began = world.clock.now
        world.tracker().errors = [HeldBackError("busy", retry_after=1.5)] * 3
        world.poll()
        assert world.clock.now - began == timedelta(seconds=4.5)
        assert len(world.tracker().requests) == 4
        assert world.time_to_poll(parcel) > HOUR

    def test_a_turn_that_never_comes_is_not_waited_for_to_the_end(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        world.tracker().errors = [HeldBackError("busy", retry_after=2)] * 100
        assert world.poll(), "there is still something due"
        assert len(world.tracker().requests) < 30
        assert world.time_to_poll(parcel) < timedelta(0)
        assert "claim" not in world.tracking_item(parcel)

    @pytest.mark.parametrize(
        "error",
        [
            AuthenticationError("401", words=CarrierWords("ubi", "E401", "Ada Byrd may not")),
            AccountError("toy", "default", ["credentials.token is missing"]),
            ProblemError("validation_failed", "There is no such account."),
        ],
    )
    def test_an_account_that_is_of_no_use_waits_an_hour_and_a_person_is_told(
        self, world: World, error: Exception, logged: Callable[[], str]
    ) -> None:
        parcels = world.due_parcels(45)
        if isinstance(error, AuthenticationError):
            world.tracker().errors = [error]
        else:
            world.trackers[AccountName("acme", "ubi", "default")] = error
        assert not world.poll()
        assert {world.time_to_poll(parcel) for parcel in parcels[:30]} == {HOUR}
        text = logged()
        assert '"PollsNotAllowed":[30' in text.replace(" ", "")
        assert ('"code":"E401"' in text.replace(" ", "")) is bool(getattr(error, "words", None))
        assert "Ada" not in text, "promise 8"
        assert "an account cannot be used for polls" in text

    def test_without_time_left_nothing_is_begun(self, world: World, logged: Callable[[], str]) -> None:
        parcels = world.due_parcels(45)
        world.tracker().meanwhile = [lambda: world.clock.sleep(53)]
        assert world.poll()
        assert [len(numbers) for numbers in world.tracker().requests] == [30]
        assert '"PollsLeft":[15' in logged().replace(" ", "")
        assert all(world.time_to_poll(parcel) < timedelta(0) for parcel in parcels[30:])
        assert not any("claim" in world.tracking_item(parcel) for parcel in parcels)

    def test_a_round_that_is_over_begins_no_other_run(self, world: World) -> None:
        world.due_parcels(45)
        polls = world.poll_worker()
        world.tracker().meanwhile = [lambda: world.clock.sleep(53)]
        long_ago = world.clock.now - timedelta(seconds=200)
        assert not polls.run(0, 1, long_ago, world.time_left())

    def test_a_claim_that_is_over_asks_nobody(self, world: World) -> None:
        """The clock has moved, and the process, which was asleep, thinks that it has all its time."""
        (parcel,) = world.due_parcels()
        tracker = world.tracker()
        tracker.errors = [HeldBackError("busy", retry_after=3)] * 30
        world.poll_worker().run(0, 1, world.clock.now, Deadline(lambda: 30.0))
        assert len(tracker.requests) == 12, "a claim of 35 seconds, and 3 seconds between two questions"
        assert "claim" not in world.tracking_item(parcel)

    def test_when_the_table_takes_no_claims_the_rest_stays_due(self, world: World) -> None:
        parcels = world.due_parcels(5)
        polls = world.poll_worker()
        places = iter(range(10))

        def third() -> bool:
            return next(places) == 2

        world.faults.when(lambda call: call.method == "update_item" and third(), throttle())
        assert world.poll(polls)
        assert world.tracker().requests == [tuple(parcel.tracking_number for parcel in parcels[:2])]
        assert all(world.time_to_poll(parcel) < timedelta(0) for parcel in parcels[2:])

    def test_what_cannot_be_stored_is_asked_again_when_the_claim_is_over(self, world: World) -> None:
        first, other = world.due_parcels(2)
        for parcel in (first, other):
            world.tracker().reports(parcel.tracking_number, seen("in_transit"))
        world.tracker().meanwhile = [lambda: (world.faults.on("update_item", throttle()), None)[1]]
        world.poll()
        assert world.tracking_status(first) is TrackingStatus.PENDING
        assert world.tracking_status(other) is TrackingStatus.IN_TRANSIT
        world.clock.sleep(120)
        world.poll()
        assert world.tracking_status(first) is TrackingStatus.IN_TRANSIT


class TestTwoWorkers:
    def test_never_ask_about_one_parcel_twice(self, world: World) -> None:
        parcels = world.due_parcels(60)
        others = [world.poll_worker(), world.poll_worker()]
        world.tracker().meanwhile = [lambda polls=polls: world.poll(polls) for polls in others]  # type: ignore[misc]
        world.poll()
        assert Counter(world.tracker().numbers) == Counter(parcel.tracking_number for parcel in parcels)

    def test_nor_do_their_threads(self, world: World) -> None:
        parcels = [
            *world.due_parcels(60),
            *world.due_parcels(15, carrier="lme"),
            *world.due_parcels(10, tenant="globex"),
        ]
        workers = [world.poll_worker(threads=6) for _ in range(3)]
        with ThreadPoolExecutor(3) as pool:
            assert not any(pool.map(world.poll, workers))
        asked = Counter(number for tracker in world.trackers.values() for number in tracker.numbers)
        assert asked == Counter(parcel.tracking_number for parcel in parcels)
        assert all(world.time_to_poll(parcel) > HOUR for parcel in parcels)

    def test_a_dead_workers_parcels_are_free_again_soon(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        store = world.table.tenant("acme").trackings
        until = world.clock.now + timedelta(seconds=65)
        assert store.claim(parcel.id, at=world.clock.now, until=until, claimant="dead")
        world.poll()
        assert world.tracker().requests == []
        world.clock.sleep(65)
        world.poll()
        assert world.tracker().requests == [(parcel.tracking_number,)]


class TestANudge:
    def test_during_a_poll_is_not_lost(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        world.tracker().meanwhile = [lambda: world.nudge(parcel)]
        world.poll()
        assert world.time_to_poll(parcel) == timedelta(0)
        assert "claim" not in world.tracking_item(parcel)
        world.poll()
        assert len(world.tracker().requests) == 2

    def test_is_asked_about_at_once_together_with_the_others(self, world: World) -> None:
        parcels = [world.add_parcel() for _ in range(40)]
        world.poll()
        world.nudge(*parcels)
        assert world.poll_worker().nudged(world.nudges(), world.time_left()) == []
        assert [len(numbers) for numbers in world.tracker().requests] == [30, 10]
        assert all(world.time_to_poll(parcel) > HOUR for parcel in parcels)

    def test_of_a_parcel_whose_first_poll_was_never_planned_counts_too(self, world: World) -> None:
        parcel = world.add_parcel()
        world.nudge(parcel)
        world.poll_worker().nudged(world.nudges(), world.time_left())
        assert world.tracker().requests == [(parcel.tracking_number,)]

    def test_twice_is_asked_about_once(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        world.nudge(parcel, parcel)
        assert world.poll_worker().nudged(world.nudges(), world.time_left()) == []
        assert world.tracker().requests == [(parcel.tracking_number,)]

    def test_comes_again_soon_while_another_worker_asks(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        again: list[str] = []

        def meanwhile() -> None:
            world.nudge(parcel)
            again.extend(world.poll_worker().nudged(world.nudges(), world.time_left()))

        world.tracker().meanwhile = [meanwhile]
        world.poll()
        (nudge,) = world.nudges()
        assert again == [nudge.message_id]
        assert world.sqs.hidden_for(nudge.receipt_handle) == 15
        assert len(world.tracker().requests) == 1
        assert world.poll_worker().nudged([nudge], world.time_left()) == []
        assert len(world.tracker().requests) == 2

    def test_of_a_parcel_that_was_asked_about_meanwhile_is_done(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        world.nudge(parcel)
        world.poll()
        assert world.poll_worker().nudged(world.nudges(), world.time_left()) == []
        assert len(world.tracker().requests) == 1

    def test_that_limits_hold_back_is_left_to_the_next_round(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        world.nudge(parcel)
        world.tracker().errors = [TooManyRequestsError("429", retry_after=120)]
        assert world.poll_worker().nudged(world.nudges(), world.time_left()) == []
        assert world.time_to_poll(parcel) == timedelta(seconds=120)

    def test_of_a_parcel_that_is_gone_is_done(self, world: World) -> None:
        nudges = [a_nudge("acme", "trk_01KAJ3Q8Z7C5S3ETN8X7W1H0VD")]
        assert world.poll_worker().nudged(nudges, world.time_left()) == []

    @pytest.mark.parametrize("body", ["", "{}", "[1]", '{"tenant": 1, "tracking_id": 2}'])
    def test_that_cannot_be_read_spoils_no_other(self, world: World, body: str) -> None:
        (parcel,) = world.due_parcels()
        world.nudge(parcel)
        nudges = [module.Nudge("bad", "bad", body), *world.nudges()]
        assert world.poll_worker().nudged(nudges, world.time_left()) == ["bad"]
        assert world.tracker().requests == [(parcel.tracking_number,)]

    def test_comes_again_when_the_table_is_out_of_reach(self, world: World) -> None:
        (parcel,) = world.due_parcels()
        world.nudge(parcel)
        polls = world.poll_worker()
        world.faults.on("batch_get_item", throttle())
        with pytest.raises(ThrottledError):
            polls.nudged(world.nudges(), world.time_left())

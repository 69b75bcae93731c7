"""Changing an order: one at a time, and whoever dies on the way leaves nothing untold."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.errors import (
    AuthenticationError,
    Refusal,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Confirmed, Examination, ParcelResult
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.merchants.rate_cards import RateCard, RateCardRow
from parcelgate.domain.orders import Charge, Label, LabelStatus, Order, OrderStatus, PriceSource
from parcelgate.domain.problems import CarrierWords, FieldError, Problem, ProblemError
from parcelgate.services.orders import transitions
from parcelgate.services.orders.change import LONGEST_CHANGE, Amendment, OrderChanger
from parcelgate.services.orders.create import Draft
from parcelgate.services.settings import Settings
from parcelgate.store.table import Table
from tests.support.clock import FakeClock
from tests.support.fast_dynamodb import dynamodb
from tests.support.faults import Faults, Killed, die
from tests.support.orders import an_event, an_order, trackings_of
from tests.support.table import TABLE_NAME, table
from tests.support.world import ENVIRONMENT

__all__ = ["dynamodb", "table"]

SETTINGS = Settings(ENVIRONMENT)


class Carrier:
    """Lets orders be changed, or does what a test says."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        self.told: list[Order] = []
        self.number = "T-1"

    def examine(self, order: Order) -> Examination:
        return Examination()

    def update(self, order: Order) -> Confirmed:
        self.told.append(order)
        self.meanwhile()
        if self.trouble is not None:
            raise self.trouble
        reference = order.parcels[0].reference
        return Confirmed(
            carrier_order_number=order.carrier_order_number or "",
            parcels=(ParcelResult(reference=reference, tracking_number=self.number),),
        )


class Account:
    ship_from = None
    return_to = None
    unreadable_defaults = ()


class Setup:
    """A changer with one confirmed order before it."""

    def __init__(self, table: Table) -> None:
        self.table, self.clock, self.carrier = table, FakeClock(), Carrier()
        self.orders = table.tenant("acme").orders
        order = an_order(carrier="ubi")
        self.orders.add(order, an_event())
        parcel = msgspec.structs.replace(order.parcels[0], tracking_number="T-1", tracking_id="trk_1")
        self.order = self.put(
            order,
            status=OrderStatus.CONFIRMED,
            parcels=(parcel,),
            carrier_order_number="N-1",
            label=Label(status=LabelStatus.READY),
            watch_at=None,
        )
        self.changer = self.over(table)

    def over(self, table: Table) -> OrderChanger:
        carriers: Any = self
        return OrderChanger(table=table, carriers=carriers, settings=SETTINGS, clock=self.clock)

    # What the changer wants of `Carriers`.

    def of(self, *_: Any) -> Any:
        return self.carrier

    def account(self, *whose: str) -> Any:
        return Account()

    def put(self, order: Order, **facts: Any) -> Order:
        after = msgspec.structs.replace(order, version=order.version + 1, **facts)
        self.orders.save(order, after)
        return after

    def read(self) -> Order:
        return self.orders.get(self.order.id)

    def change(self, city: str = "Dallas", changer: OrderChanger | None = None) -> Order:
        def draft(order: Order) -> Draft:
            to = msgspec.structs.replace(order.ship_to, city=city)
            return Draft(msgspec.structs.replace(order, ship_to=to, warnings=()))

        amendment = Amendment(draft, metadata_only=False)
        return (changer or self.changer).change("acme", self.order.id, amendment, Deadline.after(8))

    def refused(self, city: str = "Dallas") -> ProblemError:
        with pytest.raises(ProblemError) as caught:
            self.change(city)
        return caught.value


@pytest.fixture
def setup(table: Table, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Parcelgate")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    return Setup(table)


def test_the_order_is_marked_before_the_carrier_is_told(setup: Setup) -> None:
    marks: list[Order] = []
    setup.carrier.meanwhile = lambda: marks.append(setup.read())

    after = setup.change()

    (marked,) = marks
    assert marked.changing_until is not None
    assert marked.watch_at is not None
    assert (marked.ship_to.city, marked.updated_at) == ("Austin", setup.order.updated_at)
    assert (after.ship_to.city, after.changing_until) == ("Dallas", None)
    assert (after.label.status, after.label.revision) == (LabelStatus.PENDING, 1)
    assert after.watch_at == transitions.workflow_ends(SETTINGS, setup.clock.now)
    event = setup.orders.events(after.id)[-1]
    assert (event.type, event.detail, event.actor) == ("order.changed", "ship_to", "client")


def test_two_changes_at_once_are_made_one_after_the_other(setup: Setup) -> None:
    others: list[ProblemError] = []

    def another() -> None:
        setup.carrier.meanwhile = lambda: None
        others.append(setup.refused("Houston"))

    setup.carrier.meanwhile = another

    assert setup.change().ship_to.city == "Dallas"
    assert others[0].problem.code == "cannot_change"
    assert others[0].retry_after
    assert [order.ship_to.city for order in setup.carrier.told] == ["Dallas"]
    assert setup.change("Houston").ship_to.city == "Houston"


def test_a_number_that_changes_is_followed_from_then_on(setup: Setup) -> None:
    setup.carrier.number = "T-2"

    after = setup.change()

    (parcel,) = after.parcels
    assert (parcel.tracking_number, parcel.tracking_id != "trk_1") == ("T-2", True)
    (tracking,) = trackings_of(setup.table, after)
    assert (tracking.tracking_number, tracking.order_id) == ("T-2", after.id)
    assert after.tracking_ids == (tracking.id, "trk_1"), "the earlier one is still the order's"


@pytest.mark.parametrize("spelt", ["t-1", " T-1", "\uff34-1"])
def test_a_number_that_is_spelt_otherwise_is_the_same_parcels(setup: Setup, spelt: str) -> None:
    setup.carrier.number = spelt

    after = setup.change()

    (parcel,) = after.parcels
    assert (parcel.tracking_number, parcel.tracking_id) == ("T-1", "trk_1")
    assert after.tracking_ids == ("trk_1",)


@pytest.mark.parametrize("trouble", [TransientError("busy", retry_after=7), AuthenticationError("who?")])
def test_what_certainly_did_nothing_leaves_the_order_as_it_was(setup: Setup, trouble: Exception) -> None:
    setup.carrier.trouble = trouble

    error = setup.refused()

    assert error.problem.code == "carrier_unavailable"
    assert error.retry_after == (7 if isinstance(trouble, TransientError) else 2)
    assert facts(setup.read()) == facts(setup.order)


@pytest.mark.parametrize("trouble", [UnknownOutcomeError("lost"), ValueError("a mistake of ours")])
def test_what_may_have_been_done_is_told_and_costs_the_label(setup: Setup, trouble: Exception) -> None:
    setup.carrier.trouble = trouble
    with pytest.raises((ProblemError, ValueError)):
        setup.change()

    order = setup.read()
    assert (order.status, order.ship_to.city) == (OrderStatus.CONFIRMED, "Austin")
    assert order.attention is not None
    assert order.attention.code == "change_unknown"
    assert (order.label.status, order.label.revision) == (LabelStatus.PENDING, 1)
    assert order.watch_at is not None
    setup.carrier.trouble = None
    assert setup.change().attention is None


@pytest.mark.parametrize(
    ("error", "code", "errors"),
    [
        (RefusedError("no", reason=Refusal.ALREADY_CLOSED), "cannot_change", ["already_closed"]),
        (RefusedError("no", reason=Refusal.UNKNOWN_ORDER), "cannot_change", ["unknown_order"]),
        (RefusedError("no", reason=Refusal.NOT_PERMITTED), "cannot_change", ["not_permitted"]),
        (RefusedError("no", reason=Refusal.ALREADY_CANCELLED), "cannot_change", ["already_cancelled"]),
        (RefusedError("no"), "cannot_change", []),
        (RefusedError("no", errors=[FieldError("/ship_to/city", "x", "?")]), "refused_by_carrier", ["x"]),
    ],
)
def test_the_carrier_s_refusals_are_told_apart(
    setup: Setup, error: RefusedError, code: str, errors: list[str]
) -> None:
    error.words = CarrierWords("ubi", "1", "no")
    setup.carrier.trouble = error

    problem = setup.refused().problem

    assert (problem.code, [each.code for each in problem.errors]) == (code, errors)
    assert problem.carrier == error.words
    assert facts(setup.read()) == facts(setup.order)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("accepted", "not_yet_confirmed"),
        ("processing", "not_yet_confirmed"),
        ("cancelling", "cannot_change"),
        ("cancelled", "cannot_change"),
        ("failed", "cannot_change"),
        ("needs_attention", "cannot_change"),
    ],
)
def test_only_a_confirmed_order_can_change(setup: Setup, status: str, code: str) -> None:
    setup.put(setup.order, status=OrderStatus(status))

    error = setup.refused()

    assert (error.problem.code, error.problem.status) == (code, 409)
    assert error.order_id == setup.order.id
    assert setup.carrier.told == []


def test_an_order_that_was_cancelled_meanwhile_stays_cancelled(setup: Setup) -> None:
    setup.carrier.meanwhile = lambda: setup.put(setup.read(), status=OrderStatus.CANCELLING)

    assert setup.refused().problem.code == "cannot_change"
    order = setup.read()
    assert (order.status, order.ship_to.city) == (OrderStatus.CANCELLING, "Austin")


def test_other_trouble_of_the_order_outlives_a_change(setup: Setup) -> None:
    trouble = Problem(code="refund_failed", detail="?")
    setup.put(setup.order, attention=trouble)
    assert setup.change().attention == trouble


def test_wherever_the_function_dies_the_order_can_be_changed_again_and_says_what_is_unknown(
    setup: Setup, dynamodb: Any
) -> None:
    """Promise 1: whatever dies at whatever line, the client can read why, and go on."""
    n, finished = 0, False
    while not finished:
        n += 1
        for after in (False, True):
            before = setup.read()
            faults = Faults().at(n, die(after=after))
            store = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
            told = len(setup.carrier.told)
            try:
                setup.change(f"City {n} {after}", setup.over(store))
                finished = True
                faults.forget()  # they come after the last call
            except Killed:
                pass
            order = setup.read()
            if order.ship_to.city != f"City {n} {after}":
                was_told = len(setup.carrier.told) > told
                assert not was_told or order.changing_until is not None
                if order.changing_until is not None:
                    assert order.watch_at is not None
                    assert order.watch_at <= setup.clock.now + LONGEST_CHANGE + timedelta(seconds=1)
                else:
                    assert facts(order) == facts(before)
                setup.clock.sleep(LONGEST_CHANGE.total_seconds() + 1)
            assert setup.change(f"Again {n} {after}").ship_to.city == f"Again {n} {after}"
    assert n > 3


def facts(order: Order) -> Any:
    """Everything but how often the order was written."""
    return msgspec.structs.replace(order, version=0)


class TestPricesByRateCard:
    """UBI tells no price: a merchant's own price list gives it, anew where a change matters to it."""

    PRICE = Money(Decimal("7.50"), "AUD")

    @pytest.fixture(autouse=True)
    def priced(self, setup: Setup) -> None:
        rows = tuple(
            RateCardRow(service="*", destination_country=country, weight_up_to=weight, price=price)
            for country, weight, price in (
                ("US", Weight(Decimal(1), WeightUnit.KG), self.PRICE),
                ("US", Weight(Decimal(5), WeightUnit.KG), Money(Decimal("12.00"), "AUD")),
            )
        )
        card = RateCard(carrier="ubi", account="default", rows=rows, updated_at=setup.clock.now)
        setup.table.tenant("acme").rate_cards.put(card)
        setup.order = setup.put(
            setup.order,
            price=self.PRICE,
            price_source=PriceSource.RATE_CARD,
            charges=(Charge("freight", self.PRICE),),
        )

    def weighs(self, setup: Setup, kilograms: int) -> Order:
        weight = Weight(Decimal(kilograms), WeightUnit.KG)

        def draft(order: Order) -> Draft:
            parcels = tuple(msgspec.structs.replace(parcel, weight=weight) for parcel in order.parcels)
            return Draft(msgspec.structs.replace(order, parcels=parcels, warnings=()))

        amendment = Amendment(draft, metadata_only=False)
        return setup.changer.change("acme", setup.order.id, amendment, Deadline.after(8))

    def test_another_weight_has_another_price(self, setup: Setup) -> None:
        after = self.weighs(setup, 4)
        assert (after.price, after.price_source) == (Money(Decimal("12.00"), "AUD"), PriceSource.RATE_CARD)
        assert after.charges == (Charge("freight", Money(Decimal("12.00"), "AUD")),)

    def test_what_the_card_has_no_price_for_keeps_no_wrong_one(self, setup: Setup) -> None:
        after = self.weighs(setup, 6)
        assert (after.price, after.charges) == (None, ())

    def test_a_change_that_does_not_matter_to_it_leaves_the_price(self, setup: Setup) -> None:
        setup.table.tenant("acme").rate_cards.delete("ubi", "default")
        after = setup.change("Dallas")
        assert (after.price, after.price_source) == (self.PRICE, PriceSource.RATE_CARD)

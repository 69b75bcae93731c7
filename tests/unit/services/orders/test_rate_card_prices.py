"""The price of an order whose carrier tells none: fixed by the rate card in the write that confirms it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from parcelgate.domain.deadline import Deadline
from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.merchants.rate_cards import RateCard, RateCardRow
from parcelgate.domain.orders import Charge, Order, OrderStatus, Parcel, PriceSource, Submission
from parcelgate.services.orders.submission import NotSettledError
from tests.support.fake_carriers import FakeCarrier
from tests.support.faults import Call, fails_with, unavailable
from tests.support.orders import NOON, an_event, an_order
from tests.support.world import World

PRICE = Money(Decimal("7.50"), "AUD")


class AtOnce(FakeCarrier):
    """A carrier that confirms at once, and tells no price unless it is given one."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.price: Any = None

    def create(self, order: Order, *, callback_url: str | None = None) -> Any:
        self.commits.append(order.reference)
        return self._out("create", lambda: self.confirmation(order, "N1"))

    def find_by_reference(self, order: Order) -> Any:
        return self.confirmation(order, "N1")

    order_result = find_by_reference


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world(carrier=AtOnce)


def a_row(**facts: Any) -> RateCardRow:
    weight = Weight(Decimal(2), WeightUnit.KG)
    return RateCardRow(
        **{"service": "*", "destination_country": "*", "weight_up_to": weight, "price": PRICE} | facts
    )


def has_card(world: World, *rows: RateCardRow, carrier: str = "ubi") -> None:
    card = RateCard(carrier=carrier, account="default", rows=rows or (a_row(),), updated_at=NOON)
    world.table.tenant("acme").rate_cards.put(card)


def stored(world: World, carrier: str = "ubi", **facts: Any) -> Order:
    at = world.clock.now
    order = an_order(carrier=carrier, at=at, watch_at=None, **facts)
    world.table.tenant("acme").orders.add(order, an_event(at=at))
    return order


def sent(world: World, **facts: Any) -> Order:
    order = stored(world, **facts)
    world.submitter.submit(order, Deadline.after(60))
    return world.order(order)


def price_of(order: Order) -> tuple[Money | None, PriceSource | None]:
    return order.price, order.price_source if order.price else None


BY_CARD = (PRICE, PriceSource.RATE_CARD)
NONE = (None, None)


def lost(world: World) -> Order:
    """An order that was sent, and whose answer nobody heard."""
    at = world.clock.now - timedelta(minutes=5)
    mark = Submission(sending_at=at, sender="snd_1", sender_until=at, over_at=at)
    return stored(world, status=OrderStatus.PROCESSING, submission=mark)


def by_the_request(world: World) -> Order:
    return sent(world)


def by_the_batch_worker(world: World) -> Order:
    (order,) = world.submitter.submit_many([stored(world)], Deadline.after(60))
    return order


def by_the_retry_queue(world: World) -> Order:
    return world.submitter.resume(stored(world), Deadline.after(60))


def by_a_look_up(world: World) -> Order:
    return world.submitter.resume(lost(world), Deadline.after(60))


def by_a_late_answer(world: World) -> Order:
    order = stored(world, status=OrderStatus.NEEDS_ATTENTION)
    return world.submitter.reread(order, Deadline.after(60))


@pytest.mark.parametrize(
    "confirms", [by_the_request, by_the_batch_worker, by_the_retry_queue, by_a_look_up, by_a_late_answer]
)
def test_whoever_confirms_an_order_gives_it_the_price_of_the_card(
    confirms: Callable[[World], Order], world: World
) -> None:
    has_card(world)

    order = world.order(confirms(world))

    assert order.status is OrderStatus.CONFIRMED
    assert price_of(order) == BY_CARD
    assert order.charges == (Charge("freight", PRICE),)
    versions = [event.type for event in world.table.tenant("acme").orders.events(order.id)]
    assert versions[-1] == "order.confirmed", "the price came in that very write"


def test_the_carriers_own_price_wins(world: World) -> None:
    has_card(world)
    world.carrier.price = Money(Decimal("9.90"), "USD")

    assert price_of(sent(world)) == (world.carrier.price, PriceSource.CARRIER)
    assert not card_reads(world)


def test_without_a_card_or_a_row_there_is_no_price(world: World) -> None:
    assert price_of(sent(world)) == NONE
    has_card(world, a_row(destination_country="NZ"))
    assert price_of(sent(world, reference="R-2")) == NONE
    assert card_reads(world) == 2


def test_another_account_or_tenant_has_its_own_card(world: World) -> None:
    card = RateCard(carrier="ubi", account="second", rows=(a_row(),), updated_at=NOON)
    world.table.tenant("acme").rate_cards.put(card)
    world.table.tenant("other").rate_cards.put(
        RateCard(carrier="ubi", account="default", rows=(a_row(),), updated_at=NOON)
    )

    assert price_of(sent(world)) == NONE
    assert price_of(sent(world, account="second", reference="R-2")) == BY_CARD


def test_the_card_of_a_carrier_that_tells_prices_is_not_read(world: World) -> None:
    has_card(world, carrier="lso")
    assert price_of(sent(world, carrier="lso")) == NONE
    assert not card_reads(world)


def test_the_only_service_of_a_carrier_needs_no_name(world: World) -> None:
    has_card(world, a_row(service="STANDARD"), carrier="lme")
    assert price_of(sent(world, carrier="lme", service=None)) == BY_CARD


def test_each_parcel_costs_and_a_parcel_that_is_too_heavy_leaves_no_price(world: World) -> None:
    has_card(world)
    light = Parcel(reference="a", weight=Weight(Decimal(1), WeightUnit.KG))
    heavy = Parcel(reference="b", weight=Weight(Decimal(3), WeightUnit.KG))

    twice = sent(world, parcels=(light, Parcel(reference="c", weight=light.weight)))

    assert price_of(twice) == (Money(Decimal("15.00"), "AUD"), PriceSource.RATE_CARD)
    world.carrier.confirmation = lambda order, number: FakeCarrier.confirmation(world.carrier, order, "N2")
    assert price_of(sent(world, reference="R-2", parcels=(light, heavy))) == NONE


@pytest.mark.parametrize("trouble", [unavailable(), fails_with(MemoryError("odd"))])
def test_a_card_that_cannot_be_read_costs_the_price_and_never_the_order(
    trouble: Any, world: World, logged: Callable[[], str]
) -> None:
    has_card(world)
    world.faults.when(reads_card, trouble, times=9)

    order = sent(world)

    assert (order.status, order.price) == (OrderStatus.CONFIRMED, None)
    assert world.carrier.commits == ["R-1"]
    assert "the rate card could not be read" in logged()


def test_the_price_stays_what_it_was_when_the_card_changes(world: World) -> None:
    has_card(world)
    order = sent(world)
    has_card(world, a_row(price=Money(Decimal(99), "AUD")))

    with suppress(NotSettledError):
        world.submitter.resume(order, Deadline.after(60))

    assert price_of(world.order(order)) == BY_CARD


def reads_card(call: Call) -> bool:
    return call.method == "get_item" and call.arguments["Key"]["sk"]["S"] == "RATE_CARD"


def card_reads(world: World) -> int:
    return sum(map(reads_card, world.faults.calls))

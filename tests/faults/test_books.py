"""Promise 12: figures equal the books: the orders, the parcels, and what the carriers themselves have noted.

Orders of every fate are bought, cancelled, refunded and delivered through the sandbox. Then each figure of
`GET /v1/stats` is compared with what the orders and trackings say, and with the sandbox's ledger; and again
after the stream has brought its records several times over, in any sequence.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.merchants.rate_cards import ANY, RateCard, RateCardRow
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.trackings import Tracking, TrackingStatus
from tests.support.api import TENANT, Body, api_event, order_body
from tests.support.bodies import BODIES
from tests.support.books import all_of, expected, shown
from tests.support.faults import Call, Fault, conflict, die, throttle, time_out
from tests.support.trackings import seen
from tests.support.webhooks import address, lme_order
from tests.support.world import World

BUYS = {"lso": order_body, **BODIES}
FATES = ("", "", "", "SBX-FAIL", "SBX-REJECT", "SBX-LOST", "SBX-NOLABEL-2", "SBX-DISORDER", "cancel")
NUMBER = 108
"""Four of each fate with each carrier."""
ROUNDS = 40
"""So often half a day passes at most, until every parcel has arrived."""
ARRIVED = {TrackingStatus.DELIVERED, TrackingStatus.RETURNED, TrackingStatus.CANCELLED}


class Recorded(World):
    """A world that remembers every record of its stream."""

    @property
    def records(self) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] = self.__dict__.setdefault("_records", [])
        return kept

    def _route(self, records: list[dict[str, Any]]) -> None:
        self.records.extend(records)
        super()._route(records)

    def replay(self, records: Iterable[dict[str, Any]]) -> None:
        """Give records to the stream router once more."""
        answer = self._function("route_changes")({"Records": list(records)})
        assert answer["batchItemFailures"] == []

    def stats(self, **query: str) -> Body:
        """`GET /v1/stats`."""
        reply = self._request(api_event("GET /v1/stats", query=query))
        assert reply.status == 200, reply.text
        return reply.json()

    def all_orders(self) -> list[Order]:
        return list(all_of(self.table.tenant(TENANT).orders.page))

    def all_trackings(self) -> list[Tracking]:
        return list(all_of(self.table.tenant(TENANT).trackings.page))


def put_rate_card(world: World, carrier: str) -> None:
    row = RateCardRow(
        service=ANY,
        destination_country=ANY,
        weight_up_to=Weight(Decimal(22), WeightUnit.KG),
        price=Money(Decimal("9.85"), "AUD"),
    )
    card = RateCard(carrier=carrier, account="default", rows=(row,), updated_at=world.clock.now)
    world.table.tenant(TENANT).rate_cards.put(card)


def buy(world: Recorded, number: int) -> None:
    """Orders of every fate with every carrier, over three days."""
    to_cancel = []
    for place in range(number):
        carrier = ("lso", "ubi", "lme")[place % 3]
        fate = FATES[place // 3 % len(FATES)]
        word = "" if fate == "cancel" else fate
        reply = world.create_order(BUYS[carrier](f"B{place:04}{word}"))
        if fate == "cancel" and reply.status < 300:
            to_cancel.append(reply.json()["id"])
        if (place + 1) % (number // 3) == 0:
            # All are submitted. The sandbox decides by a clock of its own, which this day does not move.
            world.pass_time(hours=0.1)
            world.sandbox.advance(hours=0.1)
            world.pass_time(hours=24)
    world.pass_time(hours=30)
    for order_id in to_cancel:
        world.cancel_order(world.table.tenant(TENANT).orders.get(order_id))
    world.pass_time(hours=2)


def travel(world: Recorded) -> None:
    """All parcels arrive; a few orders are cancelled after that."""
    for _ in range(ROUNDS):
        world.sandbox.advance(hours=12)
        world.clock.sleep(12 * 3600)
        while world.poll():
            pass
        world.stream()
        if all(parcel.status in ARRIVED for parcel in world.all_trackings()):
            break
    delivered = [order for order in world.all_orders() if order.status is OrderStatus.CONFIRMED][:6]
    for order in delivered:
        world.cancel_order(order)
    world.pass_time(hours=30)


def assert_equal_to_the_orders(world: Recorded) -> None:
    orders, trackings = world.all_orders(), world.all_trackings()
    by_id = {order.id: order for order in orders}
    assert shown(world.stats(**SPAN)["total"]) == expected(orders, trackings)
    groups: defaultdict[tuple[date, str, str | None], tuple[list[Order], list[Tracking]]]
    groups = defaultdict(lambda: ([], []))
    for order in orders:
        groups[order.created_at.date(), order.carrier, order.service][0].append(order)
    for parcel in trackings:
        order = by_id[parcel.order_id or ""]
        groups[order.created_at.date(), order.carrier, order.service][1].append(parcel)
    answer = world.stats(**SPAN, by="service,carrier,day")
    found = {
        (date.fromisoformat(group["day"]), group["carrier"], group["service"]): shown(group)
        for group in answer["data"]
        if group["orders"]["total"]
    }
    assert found == {key: expected(*things) for key, things in groups.items()}


def assert_equal_to_the_ledger(world: Recorded) -> None:
    ledger = world.sandbox.ledger()
    groups = {group["carrier"]: group for group in world.stats(**SPAN, by="carrier")["data"]}
    for carrier, book in ledger.items():
        if carrier not in groups:
            continue
        figures = groups[carrier]
        living = sum(not entry["refunded"] and entry["status"] != "failed" for entry in book["orders"])
        assert living == figures["orders"]["confirmed"], carrier
        if carrier == "lso":
            spent = sum(Decimal(each["amount"]["amount"]) for each in figures["spend"])
            back = sum(Decimal(each["amount"]["amount"]) for each in figures["refunds"])
            assert spent - back == Decimal(book["money"]["charged"])
            assert Decimal(book["money"]["held"]) == 0
        assert figures["polls"]["calls"] == sum(book["calls"].get(name, 0) for name in POLLS[carrier]), (
            carrier
        )


SPAN = {"from": "2026-11-01", "to": "2027-02-01"}
POLLS = {"lso": ("tracking",), "ubi": ("trackingEvents",), "lme": ("queryRoute", "queryRouteV2")}


@pytest.fixture
def world(new_sandbox_world: Callable[..., Recorded]) -> Recorded:
    made = new_sandbox_world(kind=Recorded)
    made.sweep_seconds = 4 * 3600
    for carrier in ("ubi", "lme"):
        put_rate_card(made, carrier)
    return made


def test_figures_equal_the_orders_and_the_carriers_ledger(world: Recorded) -> None:
    buy(world, NUMBER)
    assert_equal_to_the_orders(world)
    travel(world)
    assert_equal_to_the_orders(world)
    assert_equal_to_the_ledger(world)
    before = world.stats(**SPAN, by="day,carrier,service")

    world.replay(world.records)
    assert world.stats(**SPAN, by="day,carrier,service") == before

    chance = random.Random(7)
    shuffled = world.records * 2
    chance.shuffle(shuffled)
    while shuffled:
        size = chance.randint(1, 100)
        world.replay(shuffled[:size])
        shuffled = shuffled[size:]
    assert world.stats(**SPAN, by="day,carrier,service") == before
    assert_equal_to_the_orders(world)


def writes_figures(call: Call) -> bool:
    """Whether a call reads or writes what was counted."""
    return call.method in ("batch_get_item", "transact_write_items") and "COUNTED" in str(call.arguments)


def bought(make: Callable[..., Recorded], **fault: Any) -> Recorded:
    """A world with an order that is confirmed and has its label, and trouble on the way."""
    world = make(kind=Recorded)
    if fault:
        number = count(1)
        world.faults.when(lambda call: writes_figures(call) and next(number) == fault["nth"], fault["what"])
    world.settle(world.start_order())
    return world


@pytest.mark.parametrize(
    "what",
    [die(), die(after=True), time_out(after=True), throttle(), conflict()],
    ids=["dies before", "dies after", "timed out after its effect", "throttled", "collides"],
)
def test_trouble_at_any_call_that_counts_is_mended(new_world: Callable[..., Recorded], what: Fault) -> None:
    calls = [call for call in bought(new_world).faults.calls if writes_figures(call)]
    assert len(calls) >= 4
    for nth, call in enumerate(calls, start=1):
        if what.after and call.method == "batch_get_item":
            continue
        if call.method == "batch_get_item" and "TransactionC" in str(what.error(call)):
            continue
        world = bought(new_world, nth=nth, what=what)
        assert world.faults.came_true
        assert_equal_to_the_orders(world)
        total = world.stats(**SPAN)["total"]
        assert (total["orders"]["confirmed"], total["labels"]["ready"], total["parcels"]["total"]) == (
            1,
            1,
            1,
        )


def test_each_webhook_counts_once_used_or_not(new_world: Callable[..., Recorded]) -> None:
    world = new_world(kind=Recorded)
    lme_order(world)
    url = address(world, "lme")
    world.push(url, b"not JSON")
    world.push(url, b"not JSON")
    world.push(url, b"x" * 300_000)
    world.push(url.replace(url[-4:], "none"), b"{}")
    world.clock.run(until=lambda: not world.sqs.busy, hours=1)
    world.replay(world.records)
    groups = world.stats(**SPAN, by="carrier,service")["data"]
    assert [(each["carrier"], each["webhooks"]) for each in groups if each["webhooks"]] == [("lme", 2)]


def test_polls_are_counted_by_day_and_carrier_with_one_write_for_many(
    new_world: Callable[..., Recorded],
) -> None:
    world = new_world(kind=Recorded)
    ubi, lme = world.due_parcels(45), world.due_parcels(3, carrier="lme")
    for parcel in (*ubi, *lme):
        world.tracker(carrier=parcel.carrier).reports(parcel.tracking_number, seen("in_transit"))
    world.poll()
    writes = [call for call in world.faults.calls if "#STATS" in str(call.arguments)]
    assert len(writes) == 2
    world.clock.sleep(24 * 3600)
    world.poll()
    groups = world.stats(**SPAN, by="day,carrier")["data"]
    asked = [tracker.numbers for tracker in world.trackers.values()]
    assert sum(each["polls"]["parcels"] for each in groups) == sum(map(len, asked)) == 96
    assert [(each["day"], each["carrier"], each["polls"]) for each in groups if each["polls"]["calls"]] == [
        ("2026-11-21", "lme", {"calls": 3, "parcels": 3}),
        ("2026-11-21", "ubi", {"calls": 2, "parcels": 45}),
        ("2026-11-22", "lme", {"calls": 3, "parcels": 3}),
        ("2026-11-22", "ubi", {"calls": 2, "parcels": 45}),
    ]

"""Accounts for everything: each order against the carriers' books, the merchant's server and the figures."""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.domain.trackings import Tracking
from tests.faults.stack import promises
from tests.faults.stack.flows import Flow
from tests.load.plan import CARRIERS, Plan
from tests.load.work import Work
from tests.support.bodies import Body
from tests.support.books import all_of, expected, shown

QUIET_WITHIN = 600.0
"""Seconds without progress. A label's message whose function died comes again after two minutes."""
HEARD_WITHIN = 240.0
"""Seconds without progress. A webhook whose function died is sent again after three minutes."""
_COUNTED_WITHIN = 60.0
"""Seconds that the figures may be behind the orders."""
_LOOKED_AT_ONCE = 4
_UNDER_WAY = {OrderStatus.ACCEPTED, OrderStatus.PROCESSING, OrderStatus.CANCELLING}
_FLOW = Flow(
    CARRIERS,
    lambda trial: None,
    frozenset({OrderStatus.CONFIRMED, OrderStatus.CANCELLED, OrderStatus.FAILED}),
)


@dataclass
class Account:
    """What everything came to."""

    orders: list[Order] = field(default_factory=list)
    events: int = 0
    """Different events that the merchant was told."""
    heard: int = 0
    """Webhooks that its server got for them."""
    taken: int = 0
    """Webhooks of carriers that we took."""
    parcels: int = 0
    wrong: list[str] = field(default_factory=list)

    def ends(self) -> Counter[tuple[str, str]]:
        """How the orders ended, by carrier."""
        return Counter((order.carrier, _end(order)) for order in self.orders)


def _end(order: Order) -> str:
    return "confirmed, with attention" if order.status == "confirmed" and order.attention else order.status


def settled(work: Work, progress: Callable[[int], None]) -> None:
    """Wait until no order is under way and no confirmed one waits for its label."""
    orders = work.desk.ground.table.tenant(work.desk.tenant).orders
    left, deadline = list(dict.fromkeys(work.desk.orders)), time.monotonic() + QUIET_WITHIN
    while left and time.monotonic() < deadline:
        before = len(left)
        left = [
            order.id
            for start in range(0, len(left), 100)
            for order in orders.many(left[start : start + 100])
            if _waits(order)
        ]
        progress(len(left))
        if len(left) < before:
            deadline = time.monotonic() + QUIET_WITHIN
        if left:
            work.redriven += _redriven(work)
            time.sleep(10)


def _waits(order: Order) -> bool:
    unlabelled = order.status is OrderStatus.CONFIRMED and order.label.status is LabelStatus.PENDING
    return order.status in _UNDER_WAY or unlabelled or order.watch_at is not None


def _redriven(work: Work) -> int:
    """Send dead letters again, as the runbook tells an operator to; how many there were."""
    moved = 0
    for each in work.desk.call("GET", "/v1/dead-letters")["data"]:
        if each["messages"] and each["redrivable"]:
            moved += work.desk.call("POST", f"/v1/dead-letters/{each['queue']}/redrive")["moved"]
    return moved


def accounted(work: Work, plan: Plan, say: Callable[[str], None]) -> Account:
    """Hold everything against the books, once it is over."""
    desk, account = work.desk, Account(wrong=list(work.trouble))
    tenant = desk.ground.table.tenant(desk.tenant)
    events = _heard_out(work, account, say)
    say("holding each order against the books")
    ledger, truth = desk.ground.ledger(), desk.ground.truth()
    account.orders = list(all_of(tenant.orders.page))
    trackings: list[Tracking] = list(all_of(tenant.trackings.page))
    account.parcels = len(trackings)
    account.taken = sum(each["accepted"] for book in ledger.values() for each in book["callbacks"])
    account.wrong += _all_there(plan, account.orders, ledger)
    account.wrong += _each(work, account.orders, trackings, ledger, truth, events)
    account.wrong += _figures(work, account.orders, trackings, ledger)
    account.wrong += [
        f"the label document {document} ended as {status}"
        for document, status in work.documents.items()
        if status != "ready"
    ]
    missing = set(plan.numbers) - work.followed.keys()
    account.wrong += [f"{number} is not followed" for number in sorted(missing)]
    return account


def _heard_out(work: Work, account: Account, say: Callable[[str], None]) -> list[Body]:
    """All events that the merchant was told, once its server has heard each."""
    deadline, before = time.monotonic() + HEARD_WITHIN, math.inf
    while True:
        events = work.desk.told()
        mistakes = work.desk.merchant.mistakes(events)
        if len(mistakes) < before:
            deadline, before = time.monotonic() + HEARD_WITHIN, len(mistakes)
        if not mistakes or time.monotonic() > deadline:
            break
        say(f"{len(mistakes)} webhooks are still to come; {mistakes[0]}")
        work.redriven += _redriven(work)
        time.sleep(5)
    account.wrong += mistakes
    account.wrong += [
        f"{id} is twice in the event log"
        for id, number in Counter(event["id"] for event in events).items()
        if number > 1
    ]
    account.events, account.heard = len(events), work.desk.merchant.ids.total()
    return events


def _all_there(plan: Plan, orders: list[Order], ledger: Any) -> list[str]:
    """Whether each order of the plan is there once, no other is, and nobody sold what was not ordered."""
    stored = Counter(order.reference for order in orders)
    found = [f"{reference} is lost" for reference in plan.orders.keys() - stored.keys()]
    found += [f"{reference} is no order of the plan" for reference in stored.keys() - plan.orders.keys()]
    found += [f"{reference} is there {number} times" for reference, number in stored.items() if number > 1]
    for carrier in CARRIERS:
        bought = {entry["reference"] for entry in ledger[carrier]["orders"]}
        found += [f"{reference} was bought for no order of ours" for reference in bought - stored.keys()]
    return found


def _each(
    work: Work,
    orders: list[Order],
    trackings: list[Tracking],
    ledger: Any,
    truth: Any,
    events: list[Body],
) -> list[str]:
    """Whether each order, and each parcel of none, keeps the promises."""
    of_subject: dict[str, list[Body]] = defaultdict(list)
    for event in events:
        of_subject[event["data"]["id"]].append(event)
    entries: dict[str, list[Body]] = defaultdict(list)
    callbacks: dict[str, list[Body]] = defaultdict(list)
    stories: dict[str, list[Body]] = defaultdict(list)
    for carrier, book in ledger.items():
        for entry in book["orders"]:
            entries[f"{carrier} {entry['reference']}"].append(entry)
        for attempt in book["callbacks"]:
            callbacks[f"{carrier} {attempt['reference']}"].append(attempt)
        for story in truth.get(carrier, ()):
            stories[f"{carrier} {story['tracking_number']}"].append(story)
    parcels_of: dict[str | None, list[Tracking]] = defaultdict(list)
    for parcel in trackings:
        parcels_of[parcel.order_id].append(parcel)

    def check(order: Order) -> list[str]:
        name = f"{order.carrier} {order.reference}"
        own = {order.carrier: {"orders": entries[name], "callbacks": callbacks[name]}}
        parcels = parcels_of[order.id]
        told = [event for id in (order.id, *order.tracking_ids) for event in of_subject[id]]
        real = {
            order.carrier: [
                story for parcel in parcels for story in stories[f"{order.carrier} {parcel.tracking_number}"]
            ]
        }
        return promises.of_order(_FLOW, work.desk, order, own, real, told)

    with ThreadPoolExecutor(_LOOKED_AT_ONCE) as pool:
        found = [line for lines in pool.map(check, orders) for line in lines]
    for parcel in parcels_of[None]:
        told = of_subject[parcel.id]
        real = {parcel.carrier: stories[f"{parcel.carrier} {parcel.tracking_number}"]}
        found += promises.of_parcel(parcel, (), real, told)
    return found


def _figures(work: Work, orders: list[Order], trackings: list[Tracking], ledger: Any) -> list[str]:
    """Whether the figures are those of the orders, and the money is where they say that it is."""
    today = datetime.now(UTC).date()
    span = f"from={today - timedelta(days=1)}&to={today + timedelta(days=1)}"
    ours, deadline = expected(orders, trackings), time.monotonic() + _COUNTED_WITHIN
    while True:
        theirs = shown(work.desk.call("GET", f"/v1/stats?{span}&by=carrier")["total"])
        if ours == theirs or time.monotonic() > deadline:
            break
        time.sleep(3)
    found = [
        f"the figures say {theirs[name]} of {name}, the orders {ours[name]}"
        for name in ours
        if ours[name] != theirs[name]
    ]
    held = Decimal(ledger["lso"]["money"]["held"])
    trouble = {order.reference for order in orders if order.status is OrderStatus.NEEDS_ATTENTION}
    shown_to_a_person = sum(
        Decimal(entry["held"]) for entry in ledger["lso"]["orders"] if entry["reference"] in trouble
    )
    if held != shown_to_a_person:
        found.append(f"{held} is held, and of that a person is told {shown_to_a_person}")
    return found

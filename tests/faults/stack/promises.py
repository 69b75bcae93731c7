"""What must hold of a trial at its end, whatever went wrong: the same check for every step and fault."""

from collections import Counter
from collections.abc import Collection
from itertools import pairwise
from typing import Any

from parcelgate.domain.orders import _FOLLOWS, LabelStatus, Order, OrderEvent, OrderStatus
from parcelgate.domain.trackings import Tracking
from tests.faults.stack.flows import Flow
from tests.faults.stack.trials import Trial
from tests.support.bodies import Body

_STANDINGS = {"pending", "notfound", "expired"}
"""What an aggregator says of a parcel of which it has no event: it is shown as one."""
_TOLD = {
    OrderStatus.CONFIRMED: "order.confirmed",
    OrderStatus.FAILED: "order.failed",
    OrderStatus.CANCELLED: "order.cancelled",
    OrderStatus.NEEDS_ATTENTION: "order.needs_attention",
}


def outcome(trial: Trial) -> str:
    """How the trial's orders ended, in a word: the worst of them counts."""
    orders = [trial.order(order_id) for order_id in trial.orders]
    if any(order.status is OrderStatus.NEEDS_ATTENTION or order.attention for order in orders):
        return "attention"
    return "well"


def violations(flow: Flow, trial: Trial, ledger: Any, truth: Any) -> list[str]:
    """The promises that do not hold now, in words.

    None is the only good number, and some may be there while something is still under way.
    """
    events = trial.told()
    found = _heard(trial, events)
    if not trial.orders and not trial.trackings:
        found.append("neither an order nor a parcel is known")
    known = Counter[str]()
    for order_id in trial.orders:
        order = trial.order(order_id)
        known[order.reference] += 1
        found += of_order(flow, trial, order, ledger, truth, events)
    for parcel in trial.ground.table.tenant(trial.tenant).trackings.many(trial.trackings):
        found += of_parcel(parcel, (), truth, events)
        times = sum(each["tracking_number"] == parcel.tracking_number for each in truth[parcel.carrier])
        if times != 1:
            found.append(f"{parcel.tracking_number} is followed {times} times")
    for carrier in flow.carriers:
        references = {each["reference"] for each in ledger[carrier]["orders"]}
        found += [
            f"{reference} was bought for no order of ours"
            for reference in references
            if reference.startswith(f"{trial.tenant}-") and not known[reference]
        ]
    return found


def of_order(
    flow: Flow, trial: Trial, order: Order, ledger: Any, truth: Any, events: list[Body]
) -> list[str]:
    """The promises that do not hold of an order and its parcels."""
    found = _order(flow, trial, order, ledger, events)
    for parcel in trial.ground.table.tenant(trial.tenant).trackings.many(order.tracking_ids):
        taken = {
            attempt["about"]
            for attempt in ledger[order.carrier]["callbacks"]
            if attempt["reference"] == order.reference and attempt["about"] and attempt["accepted"]
        }
        found += of_parcel(parcel, taken, truth, events)
    return [f"{order.reference}: {line}" for line in found]


def _heard(trial: Trial, events: list[Body]) -> list[str]:
    """Where what the merchant's server heard differs from what it was told."""
    twice = [id for id, number in Counter(event["id"] for event in events).items() if number > 1]
    return trial.merchant.mistakes(events) + [f"{id} is twice in the event log" for id in twice]


def _order(flow: Flow, trial: Trial, order: Order, ledger: Any, events: list[Body]) -> list[str]:
    found: list[str] = []
    table = trial.ground.table.tenant(trial.tenant)
    trail = table.orders.events(order.id)
    if order.status not in flow.ends | {OrderStatus.NEEDS_ATTENTION}:
        found.append(f"it ended as {order.status}: {order.problem}")
    if order.status is OrderStatus.NEEDS_ATTENTION and not (order.problem and order.problem.detail):
        found.append("nobody is told why it needs a person")
    if order.status is OrderStatus.CONFIRMED:
        if order.label.status is not LabelStatus.READY and not order.attention:
            found.append(f"its label is {order.label.status}, and nobody is told")
        if len(order.tracking_ids) < len(order.parcels):
            found.append("a parcel is not followed")
    if order.watch_at is not None:
        found.append(f"somebody is still to look after it, at {order.watch_at}")
    holder = table.orders.by_reference(order.carrier, order.account, order.reference)
    if (holder is None) != order.status.final:
        found.append("a final order frees its reference, and no other does")
    found += _trail(trail)
    found += _books(order, ledger[order.carrier]["orders"])
    return found + _told(order, trail, [each for each in events if each["data"]["id"] == order.id])


def _trail(trail: list[OrderEvent]) -> list[str]:
    moves = [event for event in trail if event.to is not None and event.from_ is not event.to]
    found = [
        f"its status went from {move.from_} to {move.to}"
        for move in moves
        if move.from_ is not None and move.to not in _FOLLOWS[move.from_]
    ]
    found += [
        f"its status jumped from {first.to} to {second.from_}"
        for first, second in pairwise(moves)
        if second.from_ is not first.to
    ]
    return found


def _books(order: Order, entries: list[Body]) -> list[str]:
    """Whether the carrier's books have the order once, with its number, and hold no money."""
    bought = [entry for entry in entries if entry["reference"] == order.reference]
    living = [entry for entry in bought if not entry["refunded"] and entry["status"] != "failed"]
    numbers = [entry["order_number"] for entry in living]
    found = []
    if len(bought) > 1:
        found.append(f"it was bought {len(bought)} times")
    if order.status is OrderStatus.CONFIRMED and numbers != [order.carrier_order_number]:
        found.append(f"the carrier knows it as {numbers}, we as {order.carrier_order_number}")
    if order.status.final and living:
        found.append(f"it is {order.status} and the carrier still has it")
    if order.status.final and any(float(entry["held"]) for entry in bought):
        found.append("the carrier holds money for it")
    return found


def _told(order: Order, trail: list[OrderEvent], events: list[Body]) -> list[str]:
    """Whether the events of an order are those that its audit trail means."""
    types = Counter(event["type"] for event in events)
    moved = Counter(
        _TOLD[event.to]
        for event in trail
        if event.to in _TOLD
        and event.from_ is not event.to
        and (event.from_, event.to) != (OrderStatus.CANCELLING, OrderStatus.CONFIRMED)
    )
    found = [
        f"told {types[kind]} times as {kind}, and that happened {moved[kind]} times"
        for kind in _TOLD.values()
        if types[kind] != moved[kind]
    ]
    ready = types["label.ready"]
    if order.label.status is LabelStatus.READY and ready != 1:
        found.append(f"its label was told {ready} times")
    if order.attention and not types["order.attention"]:
        found.append("its trouble was not told")
    return found


def of_parcel(parcel: Tracking, taken: Collection[str], truth: Any, events: list[Body]) -> list[str]:
    """Whether what a carrier told us is in the timeline, and what the timeline says was told on.

    `taken` are the codes of what its webhooks said, as far as we took them.
    """
    found: list[str] = []
    told = [event for event in events if event["data"]["id"] == parcel.id]
    if len(told) != len({(event["sequence"], event["type"]) for event in told}):
        found.append(f"{parcel.id} has two events of one kind and sequence")
    if parcel.events and parcel.status != "pending":
        last = max(told, key=lambda event: event["sequence"], default=None)
        if last is None or last["data"]["status"] != parcel.status:
            found.append(f"{parcel.id} is {parcel.status}, which nobody was told")
    codes = {event.code for event in parcel.events}
    real = {
        event["code"]
        for each in truth.get(parcel.carrier, ())
        if each["tracking_number"] == parcel.tracking_number
        for event in each["events"]
    }
    invented = {code for code in codes if not code.startswith("parcelgate.")} - real - _STANDINGS
    if real and invented:
        found.append(f"{parcel.id} has events that did not happen: {sorted(invented)}")
    if missing := set(taken) - codes:
        found.append(f"{parcel.id} lacks what a webhook said that we took: {sorted(missing)}")
    return found

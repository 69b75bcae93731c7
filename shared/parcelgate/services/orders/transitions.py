"""What an answer of the carrier makes of an order: pure functions from an order to its next version.

Each gives a `Change`: the order as it shall be, with the line for its audit trail. `apply` writes one over
the version it was made from, and asks again when somebody else was quicker.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from parcelgate.carriers.errors import RefusedError
from parcelgate.carriers.results import Cancellation, Confirmed, ParcelResult
from parcelgate.domain.orders import (
    Actor,
    Label,
    LabelStatus,
    Order,
    OrderEvent,
    OrderStatus,
    Parcel,
    Refund,
)
from parcelgate.domain.problems import CarrierWords, Problem
from parcelgate.domain.trackings import BEFORE_ITS_ORDER, Tracking
from parcelgate.observability.metrics import count
from parcelgate.services.orders import deadlines, refusals
from parcelgate.services.settings import Settings
from parcelgate.store.errors import StoreUnavailableError, VersionConflictError
from parcelgate.store.orders import Orders

_ATTEMPTS = 5


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it shall be, and everything that is written together with it."""

    after: Order
    event: OrderEvent | None = None
    trackings: tuple[Tracking, ...] = ()
    hook: str | None = None


def apply(orders: Orders, order: Order, decide: Callable[[Order], Change | None]) -> Order:
    """Write what `decide` makes of the order; read the order and decide again when it had moved on.

    Returns the order as it now stands, unchanged where `decide` returned None. Raises
    VersionConflictError when others were quicker time and again, and whatever else the store raises.
    """
    for _ in range(_ATTEMPTS):
        change = decide(order)
        if change is None:
            return order
        try:
            orders.save(order, change.after, change.event, trackings=change.trackings, hook=change.hook)
        except (VersionConflictError, StoreUnavailableError):
            # After a lost answer the order itself says whether it was written.
            order = orders.get(order.id)
            continue
        return change.after
    raise VersionConflictError(order.id)


def settle(orders: Orders, order: Order, decide: Callable[[Order], Change | None]) -> tuple[Order, bool]:
    """`apply`, and whether it was this very call that changed the order.

    What became of an order is counted once, by whoever brought it there.
    """
    changed = False

    def noted(order: Order) -> Change | None:
        nonlocal changed
        change = decide(order)
        changed = change is not None
        return change

    after = apply(orders, order, noted)
    if changed and after.status not in (OrderStatus.ACCEPTED, OrderStatus.PROCESSING):
        code = after.problem.code if after.problem else "none"
        count("OrderOutcomes", carrier=after.carrier, status=after.status, problem=code)
    return after, changed


def numbered(order: Order, results: tuple[ParcelResult, ...]) -> tuple[Parcel, ...]:
    """The order's parcels with the carrier's numbers; a number once known is kept where none is given."""
    by_reference = {result.reference: result for result in results}

    def numbers(parcel: Parcel) -> Parcel:
        result = by_reference.get(parcel.reference)
        if result is None:
            return parcel
        return msgspec.structs.replace(
            parcel,
            tracking_number=result.tracking_number or parcel.tracking_number,
            master_tracking_number=result.master_tracking_number or parcel.master_tracking_number,
            carrier_parcel_number=result.carrier_parcel_number or parcel.carrier_parcel_number,
        )

    return tuple(numbers(parcel) for parcel in order.parcels)


def confirmed(
    order: Order,
    result: Confirmed,
    *,
    at: datetime,
    watch_at: datetime,
    new_id: Callable[[str], str],
    actor: Actor = Actor.WORKFLOW,
) -> Change:
    """The carrier has the order: its numbers, its price and a tracking for each parcel, in one write."""
    parcels = tuple(
        msgspec.structs.replace(parcel, tracking_id=parcel.tracking_id or new_id("trk"))
        for parcel in numbered(order, result.parcels)
    )
    after = order.move(
        OrderStatus.CONFIRMED,
        at=at,
        watch_at=watch_at,
        parcels=parcels,
        carrier_order_number=result.carrier_order_number,
        master_tracking_numbers=result.master_tracking_numbers,
        price=result.price or order.price,
        charges=result.charges or order.charges,
        billable_weight=result.billable_weight,
        warnings=(*order.warnings, *result.warnings),
        carrier_details=result.details,
        problem=None,
        attention=None,
    )
    trackings = tuple(tracking_of(after, parcel, at=at) for parcel in parcels)
    event = moved(order, after, "order.confirmed", actor=actor)
    return Change(after=after, event=event, trackings=trackings)


def tracking_of(order: Order, parcel: Parcel, *, at: datetime) -> Tracking:
    """The tracking of a parcel that has its number."""
    return Tracking(
        id=parcel.tracking_id or "",
        tenant=order.tenant,
        carrier=order.carrier,
        account=order.account,
        tracking_number=parcel.tracking_number or "",
        order_id=order.id,
        parcel_reference=parcel.reference,
        carrier_number=parcel.carrier_parcel_number or order.carrier_order_number,
        since=order.created_at - BEFORE_ITS_ORDER,
        destination_country=order.ship_to.country,
        destination_state=order.ship_to.state,
        created_at=at,
        updated_at=at,
    )


def failed(
    order: Order,
    problem: Problem,
    *,
    at: datetime,
    refund: Refund | None = None,
    actor: Actor = Actor.WORKFLOW,
) -> Change:
    """Nothing was bought, or the money is on its way back: the order is over and frees its reference."""
    after = order.move(
        OrderStatus.FAILED,
        at=at,
        watch_at=None,
        problem=problem,
        attention=None,
        refund=order.refund if refund is None else refund,
    )
    return Change(after=after, event=moved(order, after, "order.failed", actor=actor, words=problem.carrier))


def failure(words: CarrierWords | None) -> Problem:
    """Why an order failed that the carrier had taken."""
    return Problem(
        code="refused_by_carrier",
        detail="The carrier took the order and could then not carry it out.",
        carrier=words,
    )


def cancelled(order: Order, refund: Refund, *, at: datetime, actor: Actor) -> Change:
    """The carrier has taken the order back: it is over and frees its reference."""
    after = order.move(
        OrderStatus.CANCELLED, at=at, watch_at=None, refund=refund, problem=None, attention=None
    )
    return Change(after=after, event=moved(order, after, "order.cancelled", actor=actor))


def cancel_refused(
    order: Order, error: RefusedError, *, at: datetime, settings: Settings, actor: Actor
) -> Change:
    """The carrier keeps the order: it is confirmed again, and says why it could not be cancelled."""
    problem = refusals.problem("cannot_cancel", error)
    if not all(parcel.tracking_id for parcel in order.parcels):
        # It was never confirmed: it came here from needs_attention, and there it goes back.
        return needs_attention(order, problem, at=at, actor=actor)
    waits = order.label.status is LabelStatus.PENDING
    after = order.move(
        OrderStatus.CONFIRMED,
        at=at,
        watch_at=deadlines.label(settings, at) if waits else None,
        problem=problem,
    )
    event = moved(order, after, "order.cancel_refused", actor=actor, words=error.words)
    return Change(after=after, event=event)


def needs_attention(order: Order, problem: Problem, *, at: datetime, actor: Actor = Actor.WORKFLOW) -> Change:
    """The machinery is at its end: a person, or a late answer of the carrier, must move the order on."""
    after = order.move(OrderStatus.NEEDS_ATTENTION, at=at, watch_at=None, problem=problem)
    event = moved(order, after, "order.needs_attention", actor=actor, words=problem.carrier)
    return Change(after=after, event=event)


def attention(order: Order, problem: Problem, *, at: datetime, actor: Actor = Actor.WORKFLOW) -> Change:
    """Trouble that leaves the status alone."""
    after = order.changed(at=at, attention=problem)
    event = OrderEvent(
        at=at, type="order.attention", actor=actor, detail=problem.code, carrier=problem.carrier
    )
    return Change(after=after, event=event)


def label_ready(order: Order, label: Label, *, at: datetime) -> Change:
    """The label is stored; nobody has to look after the order any more."""
    trouble = trouble_left(order, "label_unavailable")
    after = order.changed(at=at, label=label, watch_at=None, attention=trouble)
    return Change(after=after, event=OrderEvent(at=at, type="label.ready", actor=Actor.WORKFLOW))


def label_unavailable(order: Order, *, at: datetime, words: CarrierWords | None = None) -> Change:
    """The carrier never gave a usable label; the order stays confirmed."""
    problem = Problem(
        code="label_unavailable",
        detail="The carrier has confirmed the order but gave no usable label in time. "
        "Ask the carrier, or cancel the order.",
        carrier=words,
    )
    label = msgspec.structs.replace(order.label, status=LabelStatus.UNAVAILABLE)
    after = order.changed(at=at, label=label, attention=problem, watch_at=None)
    event = OrderEvent(at=at, type="label.unavailable", actor=Actor.WORKFLOW, detail=problem.code)
    return Change(after=after, event=event)


def change_lost(order: Order, *, at: datetime, settings: Settings) -> Change:
    """A change was sent to the carrier and nobody knows whether it was made: the label is fetched anew."""
    problem = Problem(
        code="change_unknown",
        detail="A change of the order was sent to the carrier and its answer was lost. "
        "Send the change again; doing so twice does no harm.",
    )
    waits = order.status is OrderStatus.CONFIRMED
    after = order.changed(
        at=at,
        changing_until=None,
        attention=problem,
        label=order.label.thrown_away(),
        watch_at=deadlines.label(settings, at) if waits else order.watch_at,
    )
    return Change(
        after=after,
        event=OrderEvent(at=at, type="order.attention", actor=Actor.WORKFLOW, detail=problem.code),
    )


def trouble_left(order: Order, *settled: str) -> Problem | None:
    """What the order still needs attention for, once the troubles of these codes are settled."""
    trouble = order.attention
    return None if trouble is None or trouble.code in settled else trouble


def refund_of(cancellation: Cancellation, *, at: datetime) -> Refund:
    """How the money's way back is shown once the carrier has accepted the refund."""
    return Refund(
        status=cancellation.refund_status,
        amount=cancellation.amount,
        requested_at=None if cancellation.refund_status == "none" else at,
    )


def moved(
    before: Order,
    after: Order,
    kind: str,
    *,
    actor: Actor = Actor.WORKFLOW,
    words: CarrierWords | None = None,
) -> OrderEvent:
    """The line of the audit trail that says from where to where an order went."""
    return OrderEvent(
        at=after.updated_at,
        type=kind,
        actor=actor,
        from_=before.status,
        to=after.status,
        detail=after.problem.code if after.problem else None,
        carrier=words,
    )

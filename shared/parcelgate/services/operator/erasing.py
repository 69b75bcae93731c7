"""Erasing the person of one order: its recipient, whose data is not to be kept any longer.

What stays and what goes is said in `domain.erasure`. The order is written first: from then on no write brings
such data back, however late it comes. What else holds the person follows: its parcels, the carrier's messages
in its audit trail, the events that merchants were told, its labels, and the body of the batch that it came
in. Whoever dies on the way repeats the call. It does everything again that may be left.

An order that still moves needs its address. It is refused, with the reason, as the errors of a
`cannot_change`. `force` passes over what a person may decide; an order that its carrier or a function of
ours is working on is refused all the same.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain import erasure
from parcelgate.domain.batches import progress
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.orders import Actor, Concern, Order, OrderStatus
from parcelgate.domain.problems import FieldError, ProblemError
from parcelgate.domain.trackings import Tracking
from parcelgate.observability.metrics import count
from parcelgate.services.orders import transitions
from parcelgate.services.orders.transitions import Change
from parcelgate.store.errors import BatchNotFoundError, VersionConflictError

if TYPE_CHECKING:
    from parcelgate.services.batches.batches import Bodies
    from parcelgate.services.labels.documents import LabelStore
    from parcelgate.store.jobs.batches import BatchState
    from parcelgate.store.merchant_events.table import EventsTable
    from parcelgate.store.table import Table

_ATTEMPTS = 8
"""How often a tracking is read and written again when others write it too."""


class Eraser(msgspec.Struct, frozen=True, kw_only=True):
    """Erases the person of an order."""

    table: "Table"
    events: "EventsTable"
    labels: "LabelStore"
    bodies: "Bodies"
    clock: Clock = now

    def erase(self, tenant: str, order_id: str, *, force: bool = False) -> Order:
        """Erase the person of an order, wherever it is kept. Returns the order as it is then.

        May be repeated. Raises OrderNotFoundError, and ProblemError `cannot_change` with a reason for each
        thing that stands against it.
        """
        orders, order = transitions.read(self.table, tenant, order_id)
        own = self.table.tenant(tenant)
        batch = self._batch(order)

        def erased(order: Order) -> Change | None:
            if order.erased_at is not None:
                return None
            at = self.clock()
            parcels = own.trackings.many(order.tracking_ids)
            _must_be_at_rest(order, parcels, batch, at=at, force=force)
            facts = erasure.erased_facts(order, at=at)
            return transitions.noted(order, at, "order.erased", Actor.OPERATOR, **facts)

        order, is_first = transitions.settle(orders, order, erased)
        for tracking_id in order.tracking_ids:
            self._erase_parcel(tenant, tracking_id)
        orders.erase_words(order.id)
        self.events.tenant(tenant).log.rewrite(order.id, _without_person)
        self.labels.erase(order)
        if batch is not None and progress(*batch).finished:
            self.bodies.erase(batch.batch)
        if is_first:
            count("OrdersErased", carrier=order.carrier)
        return order

    def _batch(self, order: Order) -> "BatchState | None":
        """The batch that the order came in; None if it came in none, or that is forgotten already."""
        if order.batch is None:
            return None
        try:
            return self.table.tenant(order.tenant).batches.read(order.batch.id)
        except BatchNotFoundError:
            return None

    def _erase_parcel(self, tenant: str, tracking_id: str) -> None:
        trackings = self.table.tenant(tenant).trackings
        for attempt in range(1, _ATTEMPTS + 1):
            found = trackings.many([tracking_id])
            if not found or found[0].erased_at is not None:
                break
            try:
                trackings.save(found[0], erasure.erased_tracking(found[0], at=self.clock()))
            except VersionConflictError:
                if attempt == _ATTEMPTS:
                    raise
        if found:
            trackings.schedule(tracking_id, None)


def _must_be_at_rest(
    order: Order, parcels: Sequence[Tracking], batch: "BatchState | None", *, at: datetime, force: bool
) -> None:
    against = [*_under_way(order, batch), *(() if force else _alive(order, parcels, at))]
    if against:
        detail = "The order still needs its recipient's data, so the data is not erased."
        errors = [FieldError("", code, message) for code, message in against]
        raise ProblemError("cannot_change", detail, errors=errors, order_id=order.id)


def _under_way(order: Order, batch: "BatchState | None") -> Iterator[tuple[str, str]]:
    """What nobody may pass over: a function of ours works on the order, or will."""
    request = order.return_request
    if order.status in (*transitions.OPEN, OrderStatus.CANCELLING):
        yield "not_decided", "The carrier has not decided yet. Wait until it has, or cancel the order."
    elif transitions.wants_label(order):
        yield "label_pending", "The label is being fetched. Wait until it is there, or given up."
    if order.changing_until is not None or (request is not None and request.asking_until is not None):
        yield "change_under_way", "Another request about the order is on its way to the carrier."
    if batch is not None and not progress(*batch).finished:
        yield "batch_unfinished", "Other orders of its batch are still to be made of the batch's body."


def _alive(order: Order, parcels: Sequence[Tracking], at: datetime) -> Iterator[tuple[str, str]]:
    """Why somebody may still need to know whose order it is."""
    match order.concern:
        case Concern.REFUND_OUTSTANDING | Concern.REFUND_GIVEN_UP:
            yield "refund_outstanding", "Nobody has said yet that the carrier gave the money back."
        case Concern.NEEDS_ATTENTION | Concern.ATTENTION:
            yield "needs_attention", "The order needs a person. Resolve it first."
    moving = [parcel for parcel in parcels if not parcel.is_over(at)]
    if order.status is OrderStatus.CONFIRMED and (moving or not parcels):
        yield "parcels_under_way", "A parcel of the order is still on its way."


def _without_person(body: bytes) -> bytes:
    """The body of an event without the person of the order or the tracking that it shows."""
    event = msgspec.json.decode(body)
    data = event.get("data") or {}
    erase = erasure.tracking_document if data.get("object") == "tracking" else erasure.order_document
    return msgspec.json.encode(event | {"data": erase(data)})

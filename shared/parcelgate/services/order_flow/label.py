"""State FetchLabel: the labels of a confirmed order are fetched until they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parcelgate.carriers.errors import CarrierError, LabelPendingError
from parcelgate.carriers.port import ProvidesLabels
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.observability.logs import log
from parcelgate.observability.metrics import duration
from parcelgate.services.order_flow.states import (
    AWS_TROUBLE,
    DeadlinePassed,
    LabelPending,
    State,
    Visit,
    name_of,
    wants_label,
)
from parcelgate.services.orders import transitions
from parcelgate.services.orders.transitions import Change

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Remaining
    from parcelgate.store.orders import Orders


class FetchLabel(State):
    """Fetches labels."""

    def run(self, visit: Visit, remaining: Remaining) -> None:
        """Fetch, check and store the labels.

        Raises LabelPending while there are none. At the deadline the order gets its attention and this
        returns; DeadlinePassed is raised when not even that can be written.
        """
        try:
            self._fetch_label(visit, remaining)
        except AWS_TROUBLE as error:
            log.warning("the label broke off", extra=name_of(error))
            raise (DeadlinePassed if self.late(visit) else LabelPending)(visit.order_id) from None

    def _fetch_label(self, visit: Visit, remaining: Remaining) -> None:
        orders = self.orders(visit)
        order = orders.get(visit.order_id)
        if not wants_label(order):
            return
        try:
            carrier = self.carrier(order, remaining)
            if not isinstance(carrier, ProvidesLabels):
                raise LabelPendingError("the carrier gives no labels")
            label = self.parts.labels().keep(order, carrier.label(order))
        except (LabelPendingError, CarrierError) as error:
            log.info("no label yet", extra=name_of(error))
            if not self.late(visit):
                raise LabelPending(order.id) from None
            self._give_label_up(orders, order)
            return

        def decide(order: Order) -> Change | None:
            if order.status is not OrderStatus.CONFIRMED or order.label.status is LabelStatus.READY:
                return None
            return transitions.label_ready(order, label, at=self.parts.clock())

        after = transitions.apply(orders, order, decide)
        duration("TimeToLabel", (after.updated_at - after.created_at).total_seconds(), carrier=after.carrier)

    def _give_label_up(self, orders: Orders, order: Order) -> None:
        def decide(order: Order) -> Change | None:
            if not wants_label(order):
                return None
            return transitions.label_unavailable(order, at=self.parts.clock())

        transitions.apply(orders, order, decide)

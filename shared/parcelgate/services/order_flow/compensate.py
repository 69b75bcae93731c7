"""State Compensate: the money of a failed order is returned, and only then is the order called failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from parcelgate.carriers.errors import CarrierError, RefusedError
from parcelgate.carriers.port import Cancels
from parcelgate.carriers.results import Failed
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import Problem
from parcelgate.observability.logs import log
from parcelgate.services.order_flow import problems
from parcelgate.services.order_flow.check import CheckOrder
from parcelgate.services.order_flow.states import (
    AWS_TROUBLE,
    OPEN,
    DeadlinePassed,
    Parts,
    RefundPending,
    State,
    Visit,
    name_of,
)
from parcelgate.services.orders import transitions
from parcelgate.services.orders.asking import ask
from parcelgate.services.orders.transitions import Change

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Remaining
    from parcelgate.store.orders import Orders


class Compensate(State):
    """Has refunds accepted."""

    def __init__(self, parts: Parts, check: CheckOrder) -> None:
        super().__init__(parts)
        self._check = check

    def run(self, visit: Visit, remaining: Remaining) -> None:
        """Have the money of a failed order returned, and only then call the order failed.

        Raises RefundPending until the carrier accepts; after the refund's own deadline a person is
        told. An order whose failure the carrier itself has not told us is asked about first.
        DeadlinePassed is raised when the store could not be used for all that time.
        """
        try:
            self._compensate(visit, remaining)
        except AWS_TROUBLE as error:
            log.warning("the refund broke off", extra=name_of(error))
            settings = self.parts.settings
            end = visit.started_at + settings.order_deadline + settings.refund_deadline
            late = self.parts.clock() >= end
            raise (DeadlinePassed if late else RefundPending)(visit.order_id) from None

    def _compensate(self, visit: Visit, remaining: Remaining) -> None:
        orders = self.orders(visit)
        order = orders.get(visit.order_id)
        if order.status not in OPEN:
            return
        if order.submission.sending_at is None:
            problem = order.problem or Problem(
                code="refused_by_carrier", detail="The order was refused before anything was bought."
            )
            self._close(
                orders, order, lambda order: transitions.failed(order, problem, at=self.parts.clock())
            )
            return
        if order.submission.compensating_since is None:
            order = self._seen_failing(orders, order, remaining)
        since = order.submission.compensating_since
        if since is None:
            return
        if order.carrier_order_number is None:
            # There is nothing to name to the carrier, now or later.
            self.raise_attention(orders, order, problems.refund_failed(order, None))
            return
        try:
            carrier = self.carrier(order, remaining)
            if not isinstance(carrier, Cancels):
                raise RefusedError("the carrier takes nothing back")
            cancellation = carrier.cancel(order, at=self.parts.clock())
        except CarrierError as error:
            log.info("refund not accepted", extra=name_of(error))
            if self.parts.clock() < since + self.parts.settings.refund_deadline:
                raise RefundPending(order.id) from None
            self.raise_attention(orders, order, problems.refund_failed(order, error.words))
            return
        problem = order.problem or transitions.failure(None)
        refund = transitions.refund_of(cancellation, at=self.parts.clock())
        self._close(
            orders,
            order,
            lambda order: transitions.failed(order, problem, at=self.parts.clock(), refund=refund),
        )

    def _seen_failing(self, orders: Orders, order: Order, remaining: Remaining) -> Order:
        """Ask the carrier before anything is refunded: a live order is never refunded."""
        try:
            result = ask(self.carrier(order, remaining), order)
        except CarrierError:
            raise RefundPending(order.id) from None
        if isinstance(result, Failed):
            self._check.fail(orders, order, result)
        else:
            self.raise_attention(orders, order, problems.outcome_unknown())
        return orders.get(order.id)

    def _close(self, orders: Orders, order: Order, end: Callable[[Order], Change]) -> None:
        transitions.settle(orders, order, lambda order: end(order) if order.status in OPEN else None)

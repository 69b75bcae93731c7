"""Asking a carrier to keep an order back."""

from typing import TYPE_CHECKING

from parcelgate.carriers.errors import CarrierError, RefusedError
from parcelgate.carriers.port import Holds
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Actor, Order, OrderEvent
from parcelgate.observability.logs import bind_log_keys, log
from parcelgate.observability.metrics import count
from parcelgate.services import carrier_problems
from parcelgate.services.orders import problems, transitions
from parcelgate.services.orders.transitions import Change

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.table import Table


class OrderHolder:
    """Has orders held."""

    def __init__(
        self,
        *,
        table: "Table",
        carriers: "Carriers",
        clock: Clock = now,
    ) -> None:
        self.table = table
        self._carriers = carriers
        self._clock = clock

    def hold(self, tenant: str, order_id: str, deadline: Deadline) -> Order:
        """Ask the carrier to hold an order, once; the order as it is then.

        Raises OrderNotFoundError, and ProblemError: `not_supported_by_carrier`, `not_yet_confirmed`,
        `order_not_live`, `cannot_change` when the carrier refuses, or `carrier_unavailable`.
        """
        orders = self.table.tenant(tenant).orders
        order = orders.get(order_id)
        bind_log_keys(order_id=order.id, tenant=tenant, carrier=order.carrier)
        carrier = self._carriers.of(order, deadline)
        if not isinstance(carrier, Holds):
            raise problems.not_offered(order, "holds no orders")
        problems.must_be_confirmed(order, otherwise="order_not_live")
        if order.held_at is not None:
            return order
        try:
            carrier.hold(order)
        except RefusedError as error:
            raise carrier_problems.refusal("cannot_change", error, order_id=order.id) from None
        except CarrierError as error:
            log.info("not held", extra={"error": type(error).__name__})
            raise carrier_problems.unavailable(error, order_id=order.id) from None
        count("OrdersHeld", carrier=order.carrier)

        def held(order: Order) -> Change | None:
            if order.held_at is not None:
                return None
            at = self._clock()
            event = OrderEvent(at=at, type="order.held", actor=Actor.CLIENT)
            return Change(after=order.changed(at=at, held_at=at), event=event)

        return transitions.apply(orders, order, held)

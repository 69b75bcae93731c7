"""Asking the carrier to send an order back to its sender, once.

A return that the carrier has taken must not be asked for again, and what a second request would do is not
known of any carrier. So a conditional write marks the order before the carrier is asked: nobody else asks
meanwhile, and the sweep finds the order if the function dies.

=============================  ==================================  =========================================
the carrier                    the client gets                     the order
=============================  ==================================  =========================================
takes the request              200, and again for the same call    `return_requested_at`, and a line in the
                                                                   audit trail
refuses                        409 `cannot_change`                 as it was
certainly did nothing          503 with `Retry-After`              as it was
may have taken it, or our      503, or nothing                     `attention` says `return_unknown`. The
function died                                                      same call asks again: the client decides
refuses after a lost answer    409 `cannot_change`                 as it was: it may refuse the second
                                                                   request because it has taken the first
=============================  ==================================  =========================================
"""

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.errors import AuthenticationError, CarrierError, RefusedError, TransientError
from parcelgate.carriers.port import Returns
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Order, ReturnRequest
from parcelgate.domain.problems import RETRY_SECONDS, ProblemError
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services import carrier_problems
from parcelgate.services.orders import problems, transitions
from parcelgate.services.orders.change import own_mark
from parcelgate.services.orders.transitions import Change
from parcelgate.services.settings import Settings

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table


class OrderReturner(msgspec.Struct, frozen=True, kw_only=True):
    """Asks carriers to send orders back."""

    table: "Table"
    carriers: "Carriers"
    settings: Settings
    """How soon somebody must look after an order that still waits for its label."""
    clock: Clock = now

    def send_back(self, tenant: str, order_id: str, deadline: Deadline) -> Order:
        """Ask the carrier to send an order back, once. Returns the order as it is then.

        The carrier must have answered by `deadline`. Raises OrderNotFoundError, and ProblemError:
        `not_supported_by_carrier`, `not_yet_confirmed`, `order_not_live`, `cannot_change`, or
        `carrier_unavailable`.
        """
        orders, order = transitions.read(self.table, tenant, order_id)
        carrier = self.carriers.of(order, deadline)
        if not isinstance(carrier, Returns):
            raise problems.not_offered(order, "does not send orders back")
        mark = own_mark(self.clock())
        order = self._claim(orders, order, mark)
        if not _is_marked(order, mark):
            return order
        try:
            number = carrier.send_back(order)
        except (RefusedError, TransientError, AuthenticationError) as error:
            log.info("the carrier does not send the order back", extra={"error": type(error).__name__})
            self._release(orders, order, mark)
            if isinstance(error, RefusedError):
                raise carrier_problems.refusal("cannot_change", error, order_id=order.id) from None
            raise carrier_problems.unavailable(error, order_id=order.id) from None
        except Exception as error:
            write = log.warning if isinstance(error, CarrierError) else log.error
            write("the carrier may be sending the order back", extra=safe_error_fields(error))
            self._lose(orders, order, mark, error)
            if not isinstance(error, CarrierError):
                raise
            unknown = problems.return_unknown()
            raise ProblemError(
                "carrier_unavailable", unknown.detail, order_id=order.id, retry_after=RETRY_SECONDS
            ) from None
        return self._taken(orders, order, number)

    def _claim(self, orders: "Orders", order: Order, mark: datetime) -> Order:
        """Mark the order, unless the carrier has taken a request before."""

        def claim(order: Order) -> Change | None:
            if _is_marked(order, mark):
                return None
            request = order.return_request or ReturnRequest()
            if request.taken_at is not None:
                return None
            problems.must_be_confirmed(order, otherwise="order_not_live")
            problems.must_not_be_under_way(order, self.clock())
            # The answer to the request before this one was lost with its function.
            lost = request.lost or request.asking_until is not None
            asking = ReturnRequest(asking_until=mark, lost=lost)
            # Nothing has changed for the client yet, so `updated_at` stays.
            return Change(after=order.changed(at=order.updated_at, return_request=asking, watch_at=mark))

        return transitions.apply(orders, order, claim)

    def _release(self, orders: "Orders", order: Order, mark: datetime) -> None:
        """Take the mark away. That an earlier answer was lost is remembered."""

        def released(order: Order) -> Change | None:
            if not _is_marked(order, mark) or order.return_request is None:
                return None
            request = ReturnRequest(lost=True) if order.return_request.lost else None
            after = msgspec.structs.replace(order, return_request=request)
            watch_at = transitions.deadline_left(after, at=self.clock(), settings=self.settings)
            return Change(after=order.changed(at=order.updated_at, return_request=request, watch_at=watch_at))

        transitions.apply(orders, order, released)

    def _lose(self, orders: "Orders", order: Order, mark: datetime, error: Exception) -> None:
        count("ReturnsLost", carrier=order.carrier)
        words = getattr(error, "words", None)
        transitions.apply(
            orders,
            order,
            lambda order: (
                transitions.return_lost(order, at=self.clock(), settings=self.settings, words=words)
                if _is_marked(order, mark)
                else None
            ),
        )

    def _taken(self, orders: "Orders", order: Order, number: str | None) -> Order:
        """Remember it, whatever has become of the order meanwhile."""

        def taken(order: Order) -> Change | None:
            if order.return_request is not None and order.return_request.taken_at is not None:
                return None
            return transitions.return_taken(order, number, at=self.clock(), settings=self.settings)

        after, changed = transitions.settle(orders, order, taken)
        if changed:
            count("OrdersReturned", carrier=after.carrier)
        return after


def _is_marked(order: Order, mark: datetime) -> bool:
    return order.return_request is not None and order.return_request.asking_until == mark

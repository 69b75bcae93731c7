"""Cancelling an order: at once if nothing was sent, otherwise with the carrier.

`cancelling` is stored before the carrier is called, together with a deadline. If this function dies, the
retry queue or the sweep goes on.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers.errors import CarrierError, RefusedError
from parcelgate.carriers.port import Cancels, Carrier
from parcelgate.carriers.results import Cancellation
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Actor, Order, OrderStatus
from parcelgate.domain.problems import RETRY_SECONDS, ProblemError
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services import carrier_problems
from parcelgate.services.orders import problems, transitions
from parcelgate.services.orders.retry_queues import Action, RetryQueues
from parcelgate.services.orders.transitions import OPEN, Change
from parcelgate.services.settings import Settings

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

_CANCELLABLE = (OrderStatus.CONFIRMED, OrderStatus.NEEDS_ATTENTION)


class Canceller(msgspec.Struct, frozen=True, kw_only=True):
    """Cancels orders."""

    table: "Table"
    carriers: "Carriers"
    retries: Callable[[], RetryQueues]
    """The queue for a cancellation that cannot be finished now."""
    settings: Settings
    clock: Clock = now

    def cancel(self, tenant: str, order_id: str, deadline: Deadline) -> Order:
        """Cancel an order. Returns it `cancelled`, or `cancelling` when the retry queue goes on.

        The carrier must have answered by `deadline`.
        Raises OrderNotFoundError, and ProblemError: `not_yet_confirmed` while the carrier is deciding,
        `cannot_cancel`, or `not_supported_by_carrier`.
        """
        orders, order = transitions.read(self.table, tenant, order_id)
        if not _is_at_carrier(order):
            return _cancelled(transitions.apply(orders, order, self._unsent))
        carrier = self.carriers.of(order, deadline)
        if not isinstance(carrier, Cancels):
            raise problems.not_offered(order, "does not cancel orders")
        order, begun = transitions.settle(orders, order, self._begin)
        if not begun:
            return _cancelled(order)
        try:
            after, refusal = ask_to_cancel(
                carrier, orders, order, settings=self.settings, clock=self.clock, actor=Actor.CLIENT
            )
        except CarrierError as error:
            log.info(
                "the order is not cancelled yet; the carrier is asked again later",
                extra={"error": type(error).__name__},
            )
            return self._later(orders, order, error)
        if refusal is None or after.status in (OrderStatus.CANCELLED, OrderStatus.CANCELLING):
            return _cancelled(after)
        raise carrier_problems.refusal("cannot_cancel", refusal, order_id=after.id)

    def _unsent(self, order: Order) -> Change | None:
        """Cancel an order that the carrier certainly does not have, even while the carrier cannot be reached.

        A sender that is about to mark the order finds it cancelled, and sends nothing.
        """
        if order.status not in (*OPEN, OrderStatus.NEEDS_ATTENTION):
            return None
        if order.submission.sending_at or order.submission.lost:
            # After a lost create only the carrier knows whether it has the order, and it may know late.
            return None
        return transitions.cancelled(order, order.refund, at=self.clock(), actor=Actor.CLIENT)

    def _begin(self, order: Order) -> Change | None:
        if not _is_at_carrier(order):
            return None
        return transitions.cancelling(order, at=self.clock(), settings=self.settings, actor=Actor.CLIENT)

    def _later(self, orders: "Orders", order: Order, trouble: CarrierError) -> Order:
        at, pause = self.clock(), self.settings.retry_first
        try:
            self.retries().enqueue(order, Action.CANCEL, at=at, delay=pause.total_seconds())
        except (BotoCoreError, ClientError) as error:
            # The order has a deadline, so the sweep will find it.
            log.error(
                "the retry could not be queued; the sweep queues it later",
                extra={"error": type(error).__name__},
            )
            return order

        def queued(order: Order) -> Change | None:
            if order.status is not OrderStatus.CANCELLING:
                return None
            due = transitions.retries_end(self.settings, at)
            return transitions.held_up(
                order, trouble, at=at, next_attempt_at=at + pause, actor=Actor.RETRY, watch_at=due
            )

        return _cancelled(transitions.apply(orders, order, queued))


def ask_to_cancel(
    carrier: Carrier, orders: "Orders", order: Order, *, settings: Settings, clock: Clock, actor: Actor
) -> tuple[Order, RefusedError | None]:
    """Ask the carrier to cancel a `cancelling` order, and store its answer. Returns order and refusal.

    Raises CarrierError when the carrier must be asked again.
    """
    answer: Cancellation | RefusedError
    try:
        if not isinstance(carrier, Cancels):
            raise CarrierError("the carrier does not cancel orders")
        answer = carrier.cancel(order, at=clock())
    except RefusedError as error:
        answer = error
    except CarrierError:
        raise
    except Exception as error:
        # Whatever the error was, the order is `cancelling`, and that must go on.
        log.error("the cancellation failed unexpectedly; it is tried again", extra=safe_error_fields(error))
        raise CarrierError("the cancellation failed unexpectedly") from None

    def answered(order: Order) -> Change | None:
        return transitions.cancellation_answered(order, answer, at=clock(), settings=settings, actor=actor)

    after, changed = transitions.settle(orders, order, answered)
    if after.status is OrderStatus.CONFIRMED and isinstance(answer, Cancellation):
        # Another function confirmed it meanwhile, by what the carrier said before it agreed to cancel.
        after, _ = transitions.settle(
            orders,
            after,
            lambda order: (
                transitions.cancelling(order, at=clock(), settings=settings, actor=actor)
                if order.status is OrderStatus.CONFIRMED
                else None
            ),
        )
        after, changed = transitions.settle(orders, after, answered)
    if changed and after.status is OrderStatus.CANCELLED:
        count("OrdersCancelled", carrier=order.carrier)
    return after, answer if isinstance(answer, RefusedError) else None


def _cancelled(order: Order) -> Order:
    """The order, if it is cancelled or `cancelling`. Raises ProblemError for any other status."""
    if order.status in (OrderStatus.CANCELLED, OrderStatus.CANCELLING):
        return order
    if order.status in OPEN:
        detail = "The carrier is still deciding about the order; it can be cancelled afterwards."
        raise ProblemError("not_yet_confirmed", detail, order_id=order.id, retry_after=RETRY_SECONDS)
    if order.status is OrderStatus.FAILED:
        detail = "The order has failed; there is nothing to cancel."
    elif order.status is OrderStatus.NEEDS_ATTENTION:
        detail = "It is not known whether the carrier has the order. A person must find out first."
    else:
        detail = "The order was changed while it was being cancelled; try again."
    raise ProblemError("cannot_cancel", detail, order_id=order.id)


def _is_at_carrier(order: Order) -> bool:
    """Whether the carrier has the order and said under which number."""
    return order.status in _CANCELLABLE and order.carrier_order_number is not None

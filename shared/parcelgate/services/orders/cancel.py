"""Cancelling an order: at once where nothing was sent, with the carrier where it has the order.

`cancelling` is stored before the carrier is called, with a time by which somebody must have dealt with
it: whatever dies here, the retry queue or the sweep goes on.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers.errors import CarrierError, RefusedError
from parcelgate.carriers.port import Cancels
from parcelgate.carriers.results import Cancellation
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Actor, Order, OrderStatus
from parcelgate.domain.problems import RETRY_SECONDS, ProblemError
from parcelgate.observability.logs import bind_log_keys, log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services import carrier_problems
from parcelgate.services.orders import deadlines, transitions
from parcelgate.services.orders.retry_queues import Action, RetryQueues
from parcelgate.services.orders.transitions import Change
from parcelgate.services.settings import Settings

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

_CANCELLABLE = (OrderStatus.CONFIRMED, OrderStatus.NEEDS_ATTENTION)


class Canceller:
    """Cancels orders.

    Parameters
    ----------
    table
        The store.
    carriers
        Gives the finder of carriers whose calls end within the given time.
    retries
        Where a cancellation goes that cannot be finished now.
    settings
        How soon somebody must look after a cancellation.
    clock
        The time, for tests.
    """

    def __init__(
        self,
        *,
        table: "Table",
        carriers: "Carriers",
        retries: Callable[[], RetryQueues],
        settings: Settings,
        clock: Clock = now,
    ) -> None:
        self.table = table
        self._carriers = carriers
        self._retries = retries
        self._settings = settings
        self._clock = clock

    def cancel(self, tenant: str, order_id: str, deadline: Deadline) -> Order:
        """Cancel an order; it comes back `cancelled`, or `cancelling` when that goes on by itself.

        The carrier must have answered by `deadline`.
        Raises OrderNotFoundError, and ProblemError: `not_yet_confirmed` while the carrier is deciding,
        `cannot_cancel`, or `not_supported_by_carrier`.
        """
        orders = self.table.tenant(tenant).orders
        order = orders.get(order_id)
        bind_log_keys(**order.log_keys)
        if _at_the_carrier(order):
            return self._with_the_carrier(orders, order, deadline)
        return self._answer(transitions.apply(orders, order, self._unsent))

    def _unsent(self, order: Order) -> Change | None:
        """Cancel what the carrier certainly has nothing of, also while its carrier cannot be reached.

        A sender that is about to mark the order finds it cancelled, and sends nothing.
        """
        if order.status not in (*transitions.OPEN, OrderStatus.NEEDS_ATTENTION) or _was_sent(order):
            return None
        if order.status in transitions.OPEN and order.submission.lost:
            # A create of it was lost once: only the carrier's word says that it has nothing.
            return None
        return transitions.cancelled(order, order.refund, at=self._clock(), actor=Actor.CLIENT)

    def _with_the_carrier(self, orders: "Orders", order: Order, deadline: Deadline) -> Order:
        carrier = self._carriers.of(order, deadline)
        if not isinstance(carrier, Cancels):
            detail = "This carrier takes no order back."
            raise ProblemError("not_supported_by_carrier", detail, order_id=order.id)
        begun: Change | None = None

        def begin(order: Order) -> Change | None:
            nonlocal begun
            begun = None
            if _at_the_carrier(order):
                at = self._clock()
                due = deadlines.cancelling(self._settings, at)
                after = order.move(OrderStatus.CANCELLING, at=at, watch_at=due)
                event = transitions.moved(order, after, "order.cancelling", actor=Actor.CLIENT)
                begun = Change(after=after, event=event)
            return begun

        order = transitions.apply(orders, order, begin)
        if begun is None:
            return self._answer(order)
        try:
            answer: Cancellation | RefusedError = carrier.cancel(order, at=self._clock())
        except RefusedError as error:
            answer = error
        except CarrierError as error:
            log.info("the cancellation goes on later", extra={"error": type(error).__name__})
            return self._later(orders, order)
        except Exception as error:
            # Whatever it was, the order says `cancelling`, and that must go on.
            log.error("the cancellation broke off", extra=safe_error_fields(error))
            return self._later(orders, order)

        def answered(order: Order) -> Change | None:
            return transitions.cancellation_answered(
                order, answer, at=self._clock(), settings=self._settings, actor=Actor.CLIENT
            )

        after = transitions.apply(orders, order, answered)
        if not isinstance(answer, RefusedError):
            count("OrdersCancelled", carrier=order.carrier)
            return self._answer(after)
        if after.status in (OrderStatus.CANCELLED, OrderStatus.CANCELLING):
            return after
        raise carrier_problems.refusal("cannot_cancel", answer, order_id=after.id)

    def _later(self, orders: "Orders", order: Order) -> Order:
        at = self._clock()
        try:
            self._retries().enqueue(
                order, Action.CANCEL, at=at, delay=self._settings.retry_first.total_seconds()
            )
        except (BotoCoreError, ClientError) as error:
            # The order's own time brings the sweep to it.
            log.error("no retry was queued; the sweep will", extra={"error": type(error).__name__})
            return order

        def queued(order: Order) -> Change | None:
            if order.status is not OrderStatus.CANCELLING:
                return None
            due = deadlines.cancelling_queued(self._settings, at)
            return Change(after=order.changed(at=self._clock(), watch_at=due))

        return self._answer(transitions.apply(orders, order, queued))

    def _answer(self, order: Order) -> Order:
        """What the order's status means to a client who wants it cancelled."""
        if order.status in (OrderStatus.CANCELLED, OrderStatus.CANCELLING):
            return order
        if order.status in (OrderStatus.ACCEPTED, OrderStatus.PROCESSING):
            detail = "The carrier is still deciding about the order; it can be cancelled afterwards."
            raise ProblemError("not_yet_confirmed", detail, order_id=order.id, retry_after=RETRY_SECONDS)
        if order.status is OrderStatus.FAILED:
            detail = "The order has failed; there is nothing to cancel."
        elif order.status is OrderStatus.NEEDS_ATTENTION:
            detail = "Whether the carrier has the order is not known; a person must find out first."
        else:
            detail = "The order was changed while it was being cancelled; try again."
        raise ProblemError("cannot_cancel", detail, order_id=order.id)


def _was_sent(order: Order) -> bool:
    return order.submission.sending_at is not None


def _at_the_carrier(order: Order) -> bool:
    """Whether the carrier has the order and said under which number."""
    return order.status in _CANCELLABLE and order.carrier_order_number is not None

"""What an operator does with an order or a webhook that could not be settled automatically.

Nothing here sends an order again. `reread` asks the carrier for the state of the order. `close` ends an order
that the carrier certainly does not have. `find_webhook` finds a parked webhook, and `replay` has it processed
again.
"""

from typing import TYPE_CHECKING

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.orders import Actor, Order, OrderStatus
from parcelgate.domain.problems import Problem
from parcelgate.services.orders import transitions
from parcelgate.services.orders.retry_queues import Action, RetryQueues
from parcelgate.services.orders.transitions import Change

if TYPE_CHECKING:
    from parcelgate.store.inbox import InboxEntry
    from parcelgate.store.table import Table

_READABLE = (OrderStatus.NEEDS_ATTENTION, OrderStatus.FAILED, OrderStatus.CONFIRMED)


class NotForThisOrderError(Exception):
    """The action is not allowed in the order's present status; see `order`."""

    def __init__(self, order: Order) -> None:
        super().__init__(f"the order is {order.status}")
        self.order = order


class NoSuchWebhookError(Exception):
    """A name fits no webhook, or, if `several`, more than one."""

    def __init__(self, several: bool) -> None:
        super().__init__("several webhooks" if several else "no webhook")
        self.several = several


def reread(table: "Table", queues: RetryQueues, tenant: str, order_id: str, *, clock: Clock = now) -> Order:
    """Queue a question to the carrier about the order; its answer then updates the order. Returns the order.

    A confirmed order gets the label that it still waits for. Raises OrderNotFoundError, and
    NotForThisOrderError for an order that is cancelled, or under way and so asked about anyway.
    """
    order = table.tenant(tenant).orders.get(order_id)
    if order.status not in _READABLE:
        raise NotForThisOrderError(order)
    queues.enqueue(order, Action.REREAD, at=clock())
    return order


def close(table: "Table", tenant: str, order_id: str, *, clock: Clock = now) -> Order:
    """Let an order fail that needs attention and that the carrier does not have. Its reference is free then.

    Raises OrderNotFoundError, and NotForThisOrderError for an order that does not need attention.
    """
    orders = table.tenant(tenant).orders
    order = orders.get(order_id)
    if order.status is not OrderStatus.NEEDS_ATTENTION:
        raise NotForThisOrderError(order)

    def end(order: Order) -> Change | None:
        if order.status is not OrderStatus.NEEDS_ATTENTION:
            return None
        code = order.problem.code if order.problem else "outcome_unknown"
        problem = Problem(
            code=code,
            detail="The carrier does not have the order: a person has looked it up there and closed it here. "
            "It may be ordered again under the same reference.",
            carrier=order.problem.carrier if order.problem else None,
        )
        return transitions.failed(order, problem, at=clock(), actor=Actor.OPERATOR)

    after = transitions.apply(orders, order, end)
    if after.status is not OrderStatus.FAILED:
        raise NotForThisOrderError(after)
    return after


def find_webhook(table: "Table", tenant: str, name: str) -> "InboxEntry":
    """The webhook of that id, or the parked one whose id begins so. Raises NoSuchWebhookError."""
    inbox = table.tenant(tenant).inbox
    entry = inbox.get(name)
    if entry is not None:
        return entry
    matches = [entry for entry in inbox.parked() if entry.id.startswith(name)]
    if len(matches) != 1:
        raise NoSuchWebhookError(several=bool(matches))
    return matches[0]


def replay(table: "Table", tenant: str, entry_id: str, *, clock: Clock = now) -> None:
    """Have a webhook processed again. It is still judged by the time at which it came. May be repeated."""
    table.tenant(tenant).inbox.replay(entry_id, clock())

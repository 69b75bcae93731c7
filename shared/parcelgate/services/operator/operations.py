"""What an operator does with an order or a webhook that could not be settled automatically.

Nothing here sends an order again. `reread` asks the carrier for the state of the order. `close` ends an order
that the carrier certainly does not have. `refunded` notes that the money came back. `replay` has a
webhook processed again, and `dismiss` says that a person has dealt with one.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.orders import Actor, Concern, Order, OrderStatus
from parcelgate.domain.problems import Problem
from parcelgate.services.orders import transitions
from parcelgate.services.orders.retry_queues import Action, RetryQueues
from parcelgate.services.orders.transitions import Change
from parcelgate.store.inbox import Dismissal

if TYPE_CHECKING:
    from parcelgate.store.table import Table

_AWAITED = ("requested", "rejected")
"""Of such a refund nobody has said that the money came."""
_READABLE = (OrderStatus.NEEDS_ATTENTION, OrderStatus.FAILED, OrderStatus.CONFIRMED)


class Outcome(StrEnum):
    """What a person has found out about an order."""

    REREAD = "reread"
    """Nothing yet: the carrier is to be asked."""
    NOT_AT_CARRIER = "not_at_carrier"
    """The carrier does not have the order, or no more."""
    REFUNDED = "refunded"
    """The carrier has given back the money."""


class NotForThisOrderError(Exception):
    """The action is not allowed in the order's present status; see `order`."""

    def __init__(self, order: Order) -> None:
        super().__init__(f"the order is {order.status}")
        self.order = order


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

    Of an order that had failed before, and that the carrier had after all, `attention` is taken away.
    Raises OrderNotFoundError, and NotForThisOrderError for any other order.
    """

    def end(order: Order) -> Change | None:
        at = clock()
        if order.status is OrderStatus.FAILED and order.concern is Concern.ATTENTION:
            return transitions.noted(order, at, "attention.settled", Actor.OPERATOR, attention=None)
        if order.status is not OrderStatus.NEEDS_ATTENTION:
            return None
        detail = (
            "The carrier does not have the order: a person has looked it up there and closed it here. "
            "It may be ordered again under the same reference."
        )
        return transitions.failed(order, _settled(order, detail), at=at, actor=Actor.OPERATOR)

    return _decided(table, tenant, order_id, end)


def refunded(table: "Table", tenant: str, order_id: str, *, clock: Clock = now) -> Order:
    """Note that the carrier has given back the money of an order. One that needs attention fails.

    Raises OrderNotFoundError, and NotForThisOrderError for an order of which no money is awaited.
    """

    def end(order: Order) -> Change | None:
        at = clock()
        refund = msgspec.structs.replace(
            order.refund, status="confirmed", amount=order.refund.amount or order.price
        )
        if order.status is OrderStatus.NEEDS_ATTENTION:
            detail = "The carrier has given back the money: a person has seen it and closed the order here."
            problem = _settled(order, detail)
            return transitions.failed(order, problem, at=at, refund=refund, actor=Actor.OPERATOR)
        if not order.status.final or order.refund.status not in _AWAITED:
            return None
        return transitions.noted(order, at, "refund.confirmed", Actor.OPERATOR, refund=refund)

    return _decided(table, tenant, order_id, end)


def dismiss(table: "Table", tenant: str, entry_id: str, dismissal: Dismissal) -> None:
    """Note that a person has dealt with a parked webhook: it needs nobody any more. May be repeated."""
    table.tenant(tenant).inbox.dismiss(entry_id, dismissal)


def _decided(table: "Table", tenant: str, order_id: str, decide: transitions.Decide) -> Order:
    orders, order = transitions.read(table, tenant, order_id)
    after, changed = transitions.settle(orders, order, decide)
    if not changed:
        raise NotForThisOrderError(after)
    return after


def _settled(order: Order, detail: str) -> Problem:
    """The problem of an order that a person has closed: it keeps the code and the carrier's words."""
    code = order.problem.code if order.problem else "outcome_unknown"
    return Problem(code=code, detail=detail, carrier=order.problem.carrier if order.problem else None)


def replay(table: "Table", tenant: str, entry_id: str, *, clock: Clock = now) -> None:
    """Have a webhook processed again. It is still judged by the time at which it came. May be repeated."""
    table.tenant(tenant).inbox.replay(entry_id, clock())

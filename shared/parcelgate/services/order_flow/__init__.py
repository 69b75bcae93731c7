"""The order flow: what the state machine's functions do with an order of a carrier that confirms later.

One module for each state. An order's stored facts decide what a state does, never the way by which the
machine came there: every state may run twice, late, or after its function died at any line.

==============  =========================================================================================
`submit`        price, mark, send once; wakes the machine only when the answer to the create is no promise
`check`         asks the carrier until it has decided; every "not yet" is an exception that is retried
`label`         asks for the labels until they are there
`compensate`    has the money returned; the order is `failed` only when the carrier has accepted that
`escalate`      tells a person, for whatever the states above could not settle
==============  =========================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parcelgate.services.order_flow.check import CheckOrder
from parcelgate.services.order_flow.compensate import Compensate
from parcelgate.services.order_flow.escalate import Escalate
from parcelgate.services.order_flow.label import FetchLabel
from parcelgate.services.order_flow.states import (
    EXPECTED,
    DeadlinePassed,
    LabelPending,
    NotSubmitted,
    OrderFailed,
    OrderPending,
    Parts,
    RefundPending,
    Visit,
)
from parcelgate.services.order_flow.submit import SubmitOrder

if TYPE_CHECKING:
    from parcelgate.domain.orders import Order
    from parcelgate.services.accounts.carriers import Remaining

__all__ = [
    "EXPECTED",
    "DeadlinePassed",
    "LabelPending",
    "NotSubmitted",
    "OrderFailed",
    "OrderFlow",
    "OrderPending",
    "Parts",
    "RefundPending",
    "Visit",
]


class OrderFlow:
    """The states, made of one set of parts."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._check = CheckOrder(parts)
        self._submit = SubmitOrder(parts, self._check)
        self._label = FetchLabel(parts)
        self._compensate = Compensate(parts, self._check)
        self._escalate = Escalate(parts)

    def submit(self, visit: Visit, remaining: Remaining) -> None:
        """SubmitOrder; see `SubmitOrder.run`."""
        self._submit.run(visit, remaining)

    def check(self, visit: Visit, remaining: Remaining) -> None:
        """CheckOrder; see `CheckOrder.run`."""
        self._check.run(visit, remaining)

    def fetch_label(self, visit: Visit, remaining: Remaining) -> None:
        """FetchLabel; see `FetchLabel.run`."""
        self._label.run(visit, remaining)

    def compensate(self, visit: Visit, remaining: Remaining) -> None:
        """Compensate; see `Compensate.run`."""
        self._compensate.run(visit, remaining)

    def escalate(self, visit: Visit) -> None:
        """NeedsAttention; see `Escalate.run`."""
        self._escalate.run(visit)

    def give_up(self, tenant: str, order_id: str, reason: str) -> Order:
        """Show an order to a person; see `Escalate.give_up`."""
        return self._escalate.give_up(tenant, order_id, reason)

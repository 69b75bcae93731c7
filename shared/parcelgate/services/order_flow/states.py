"""What all states of the order flow have in common: their input, their outcomes, what they work with."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers.errors import TransientError
from parcelgate.carriers.port import Carrier
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.orders import Actor, LabelStatus, Order, OrderEvent, OrderStatus
from parcelgate.domain.problems import CarrierWords, Problem
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.services.labels.documents import LabelStore
from parcelgate.services.orders import transitions
from parcelgate.services.orders.transitions import Change
from parcelgate.services.settings import Settings
from parcelgate.store.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from parcelgate.services.accounts.carriers import CarrierFor, Remaining
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

OPEN = (OrderStatus.ACCEPTED, OrderStatus.PROCESSING)
"""While an order is one of these, its workflow has something to do before it is confirmed."""
AWS_TROUBLE = (StoreError, BotoCoreError, ClientError)
_SAVE_SECONDS = 3.0
"""What is kept back of an invocation's time to store what the carrier said."""


class OrderPending(Exception):  # noqa: N818 - the state machine's own name for it
    """The carrier has not decided yet, or cannot be asked: the state is to be tried again."""


class LabelPending(Exception):  # noqa: N818
    """There is no usable label yet: the state is to be tried again."""


class RefundPending(Exception):  # noqa: N818
    """The carrier has not accepted the refund yet: the state is to be tried again."""


class OrderFailed(Exception):  # noqa: N818
    """The carrier has taken the order and could not do it: the money is to be returned."""


class NotSubmitted(Exception):  # noqa: N818
    """The carrier certainly has nothing: the order may be sent."""


class DeadlinePassed(Exception):  # noqa: N818
    """The workflow's time is over and the order is not settled."""


EXPECTED = (OrderPending, LabelPending, RefundPending, OrderFailed, NotSubmitted, DeadlinePassed)
"""What the states raise as part of their work."""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine gives each of its functions: ids and times only."""

    tenant: str
    order_id: str
    started_at: datetime
    task_token: str | None = None

    @classmethod
    def of(cls, event: Any) -> Visit:
        """The visit that a task's payload describes."""
        return msgspec.convert(event, cls)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the states work with.

    Parameters
    ----------
    table
        The store.
    carriers
        Finds the carrier of an order; `Carriers.within`.
    settings
        Deadlines and intervals.
    stepfunctions
        What wakes the machine; only SubmitOrder needs it.
    labels
        Where labels are kept; only FetchLabel needs it.
    clock, sleep, roll
        Time and chance, for tests.
    """

    table: Table
    carriers: Callable[[Remaining | None], CarrierFor]
    settings: Settings
    stepfunctions: Callable[[], SFNClient]
    labels: Callable[[], LabelStore]
    clock: Clock = now
    sleep: Callable[[float], None] = time.sleep
    roll: Callable[[], float] = random.random


class State:
    """One state's work, over the parts that all of them share."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def orders(self, visit: Visit) -> Orders:
        """The orders of the visit's tenant."""
        return self.parts.table.tenant(visit.tenant).orders

    def carrier(self, order: Order, remaining: Remaining) -> Carrier:
        """The order's carrier. Raises TransientError when its account cannot be used."""
        carrier_for = self.parts.carriers(lambda: remaining() - _SAVE_SECONDS)
        try:
            return carrier_for(order.tenant, order.carrier, order.account)
        except Exception as error:
            # The account's secret is missing, malformed or cannot be read: nothing was asked of anybody.
            log.error("the carrier account cannot be used", extra=safe_error_fields(error))
            raise TransientError("the carrier account cannot be used") from None

    def late(self, visit: Visit) -> bool:
        """Whether the workflow's time is over."""
        return self.parts.clock() >= visit.started_at + self.parts.settings.order_deadline

    def attention(self, order: Order, problem: Problem) -> Change | None:
        """What makes a person look at the order, unless it is settled."""
        if order.status not in OPEN:
            return None
        return transitions.needs_attention(order, problem, at=self.parts.clock())

    def raise_attention(self, orders: Orders, order: Order, problem: Problem) -> None:
        """Make a person look at the order, unless it is settled."""
        transitions.settle(orders, order, lambda order: self.attention(order, problem))


def wants_label(order: Order) -> bool:
    """Whether the order is still to get its label."""
    return order.status is OrderStatus.CONFIRMED and order.label.status is LabelStatus.PENDING


def event(
    at: datetime, kind: str, actor: Actor = Actor.WORKFLOW, words: CarrierWords | None = None
) -> OrderEvent:
    """A line of the audit trail that moves no status."""
    return OrderEvent(at=at, type=kind, actor=actor, carrier=words)


def name_of(error: BaseException) -> dict[str, str]:
    """What is logged of an error that is part of the work."""
    return {"error": type(error).__name__}

"""The sweep: whatever should have been dealt with by now is resumed, or raised to a person.

It reads the due index, a bounded number of items at each run, the longest overdue first. Every item is
read anew before anything is done, and one that makes trouble is left behind for the next run.

=====================  ==============================================================================
overdue                what is done
=====================  ==============================================================================
accepted, processing   its workflow is started, or watched longer while it runs; ended: a person is told;
                       without a workflow it goes to its carrier's retry queue
cancelling             goes to its carrier's retry queue
confirmed, no label    the label is given up
confirmed, changing    whoever was changing it died: the client is told, and the label fetched anew
delivery in the inbox  goes to the inbox queue again
unfinished batch       its entries that nobody has begun go to their queues again, or are given up
=====================  ==============================================================================
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Literal

import msgspec
from botocore.exceptions import ClientError

from parcelgate.carriers import registry
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.observability.logs import anatomy, log
from parcelgate.observability.metrics import count
from parcelgate.services import outcomes, watch
from parcelgate.services.outcomes import Change
from parcelgate.services.retries import Action, RetryQueues
from parcelgate.services.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

    from parcelgate.services.batches import Batches
    from parcelgate.services.order_flow import OrderFlow
    from parcelgate.store.due import DueRef
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

AT_ONCE = 200
"""Orders, and as many deliveries, that one run looks at."""
_SPARE_SECONDS = 10.0
_INBOX_AGAIN = timedelta(minutes=5)


class Sweep:
    """One run of the sweep after another.

    Parameters
    ----------
    table
        The store.
    flow
        Raises to a person what cannot be resumed.
    batches
        Sees to unfinished batches.
    stepfunctions, sqs, queues
        Where things are resumed.
    """

    def __init__(
        self,
        *,
        table: "Table",
        flow: "OrderFlow",
        batches: "Batches",
        stepfunctions: "SFNClient",
        sqs: "SQSClient",
        queues: RetryQueues,
        settings: Settings,
        clock: Clock = now,
    ) -> None:
        self._table = table
        self._flow = flow
        self._batches = batches
        self._stepfunctions = stepfunctions
        self._sqs = sqs
        self._queues = queues
        self._settings = settings
        self._clock = clock

    def run(self, remaining: Callable[[], float]) -> int:
        """Take what is overdue, as much as `remaining` seconds allow; how many items were dealt with."""
        done = self._each("ORDER", self._order, remaining)
        done += self._each("INBOX", self._delivery, remaining)
        return done + self._each("BATCH", self._batches.look_after, remaining)

    def _each(
        self,
        kind: Literal["ORDER", "INBOX", "BATCH"],
        work: "Callable[[DueRef], None]",
        remaining: Callable[[], float],
    ) -> int:
        done = 0
        for ref in self._table.due.due(kind, self._clock(), AT_ONCE):
            if remaining() < _SPARE_SECONDS:
                break
            try:
                work(ref)
                done += 1
            except Exception as error:
                log.error("left behind", extra={"tenant": ref.tenant, "item": ref.id, **anatomy(error)})
                count("SweepLeftBehind", kind=kind)
        count("Swept", done, kind=kind)
        return done

    def _order(self, ref: "DueRef") -> None:
        orders = self._table.tenant(ref.tenant).orders
        order = orders.get(ref.id)
        if not self._overdue(order):
            return
        log.info("overdue", extra={"tenant": ref.tenant, "order_id": order.id, "status": order.status})
        at = self._clock()
        match order.status:
            case OrderStatus.ACCEPTED | OrderStatus.PROCESSING if not _has_workflow(order):
                self._queues.enqueue(order, Action.CREATE, at=order.created_at)
                self._watch(order, watch.retrying(self._settings, order.created_at, at))
            case OrderStatus.ACCEPTED | OrderStatus.PROCESSING:
                if self._runs(order):
                    self._watch(order, self._next_look(order, at))
                else:
                    self._flow.give_up(order.tenant, order.id, "workflow_ended")
            case OrderStatus.CANCELLING:
                self._queues.enqueue(order, Action.CANCEL, at=at)
                self._watch(order, watch.cancelling_queued(self._settings, at))
            case OrderStatus.CONFIRMED if order.changing_until is not None:
                self._lose_the_change(orders, order)
            case OrderStatus.CONFIRMED if order.label.status is LabelStatus.PENDING:
                self._flow.give_up(order.tenant, order.id, "label_unavailable")
            case _:
                self._watch(order, None)

    def _lose_the_change(self, orders: "Orders", order: Order) -> None:
        def lost(order: Order) -> Change | None:
            if order.changing_until is None or not self._overdue(order):
                return None
            return outcomes.change_lost(order, at=self._clock(), settings=self._settings)

        outcomes.apply(orders, order, lost)

    def _overdue(self, order: Order) -> bool:
        return order.watch_at is not None and order.watch_at <= self._clock()

    def _next_look(self, order: Order, at: datetime) -> datetime:
        since = order.submission.compensating_since
        if since is None:
            return watch.processing(self._settings, at)
        # A refund has a time of its own, and once that is over it is looked at often.
        return max(watch.refund(self._settings, since), at + self._settings.watch_margin)

    def _runs(self, order: Order) -> bool:
        """Start the order's workflow unless it was started before; whether it runs now."""
        machine = self._settings.order_flow_arn
        names = {"tenant": order.tenant, "order_id": order.id}
        try:
            self._stepfunctions.start_execution(
                stateMachineArn=machine, name=order.id, input=msgspec.json.encode(names).decode()
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                raise
            execution = f"{machine.replace(':stateMachine:', ':execution:')}:{order.id}"
            status = self._stepfunctions.describe_execution(executionArn=execution)["status"]
            return status == "RUNNING"
        return True

    def _watch(self, order: Order, until: datetime | None) -> None:
        """Look again at `until`. To the client nothing has changed, so `updated_at` stays."""

        def decide(order: Order) -> Change | None:
            if not self._overdue(order):
                return None
            return Change(after=order.changed(at=order.updated_at, watch_at=until))

        outcomes.apply(self._table.tenant(order.tenant).orders, order, decide)

    def _delivery(self, ref: "DueRef") -> None:
        inbox = self._table.tenant(ref.tenant).inbox
        entry = inbox.get(ref.id)
        if entry is None or entry.state != "received":
            return
        self._sqs.send_message(
            QueueUrl=self._settings.inbox_queue_url,
            MessageBody=msgspec.json.encode({"tenant": ref.tenant, "id": ref.id}).decode(),
        )
        inbox.postpone(ref.id, self._clock() + _INBOX_AGAIN)


def _has_workflow(order: Order) -> bool:
    return registry.profile(order.carrier).confirms_later


@cache
def wired() -> Sweep:
    """The sweep of this environment."""
    from parcelgate.services import batches, order_flow
    from parcelgate.services.retries import queues
    from parcelgate.store.clients import client

    flow = order_flow.wired()
    return Sweep(
        table=flow.parts.table,
        flow=flow,
        batches=batches.wired(),
        stepfunctions=client("stepfunctions"),
        sqs=client("sqs"),
        queues=queues(),
        settings=Settings(),
    )

"""The sweep: it resumes all work that is overdue, or shows it to a person.

The sweep reads the due index until nothing is due or its time is over. It takes the longest overdue first.
It reads every item again before it does anything. An item that fails is postponed, so that it does not keep
the others waiting.

=====================  ==============================================================================
overdue                what is done
=====================  ==============================================================================
accepted, processing   With a workflow: the workflow is started, or gets more time while it runs. If it has
                       ended, a person is told. Without a workflow: it goes to the retry queue
cancelling             It goes to the retry queue
confirmed, no label    The retry queue fetches the label once more. The next time the label is given up
confirmed, changing    The function that changed it died. The client is told, and the label fetched again
confirmed, returning   The function that asked for the return died. The client is told
webhook in the inbox   It goes to the inbox queue again
unfinished batch       Entries that nobody has begun go to their queues again, or are given up
=====================  ==============================================================================
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from parcelgate.carriers import registry
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Label, LabelStatus, Order, OrderStatus
from parcelgate.observability.logs import bind_log_keys, log, own_log_keys, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services.orders import transitions
from parcelgate.services.orders.order_flow import executions
from parcelgate.services.orders.retry_queues import Action, RetryQueues
from parcelgate.services.orders.transitions import Change
from parcelgate.services.redelivery import message_group
from parcelgate.services.settings import Settings
from parcelgate.store.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

    from parcelgate.services.batches.batches import Batches
    from parcelgate.services.orders.submission import OrderSubmitter
    from parcelgate.store.due import DueRef, Kind
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table, TenantTable

_PAGE = 25
"""How many items of one kind, from each shard of the index, are taken before those of the next."""
_SPARE_SECONDS = 10.0
_INBOX_AGAIN = timedelta(minutes=5)


class _Work(NamedTuple):
    """What is done with one item of a kind, and what postpones it."""

    do: "Callable[[DueRef], None]"
    postpone: "Callable[[DueRef], Callable[[str, datetime], None]]"


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the sweep after another.

    Parameters
    ----------
    table
        The store.
    submitter
        Shows a person what cannot be resumed.
    batches
        Sees to unfinished batches.
    stepfunctions, sqs, queues
        Where things are resumed.
    """

    table: "Table"
    submitter: "OrderSubmitter"
    batches: "Batches"
    stepfunctions: "SFNClient"
    sqs: "SQSClient"
    queues: RetryQueues
    settings: Settings
    clock: Clock = now

    def run(self, deadline: Deadline) -> int:
        """Process all overdue items, as far as `deadline` allows. Returns the number of items.

        Orders, webhooks and batches take turns, so that many of one kind do not keep the others waiting.
        """
        self._make_key_of_pages()
        at = self.clock()
        kinds: dict[Kind, _Work] = {
            "ORDER": _Work(self._order, lambda ref: self._of(ref).orders.postpone),
            "INBOX": _Work(self._webhook, lambda ref: self._of(ref).inbox.postpone),
            "BATCH": _Work(self.batches.look_after, lambda ref: self._of(ref).batches.set_deadline),
        }
        pages = {kind: self.table.due.pages(kind, at, _PAGE) for kind in kinds}
        done = dict.fromkeys(kinds, 0)
        while pages and deadline.remaining() >= _SPARE_SECONDS:
            for kind in [*pages]:
                page = next(pages[kind], None)
                if page is None:
                    del pages[kind]
                else:
                    done[kind] += self._each(kind, page, kinds[kind], deadline)
        for kind, number in done.items():
            count("Swept", number, kind=kind)
        return sum(done.values())

    def _make_key_of_pages(self) -> None:
        """Let the orders and parcels that are older than recipients' pages have their links."""
        try:
            self.table.page_tokens.ready()
        except StoreError as error:
            log.error("no key for recipients' pages", extra=safe_error_fields(error))

    def _each(self, kind: "Kind", page: "list[DueRef]", work: "_Work", deadline: Deadline) -> int:
        done = 0
        for ref in page:
            if deadline.remaining() < _SPARE_SECONDS:
                break
            with own_log_keys():
                try:
                    work.do(ref)
                    done += 1
                except Exception as error:
                    log.error(
                        "an overdue item could not be handled; it is postponed",
                        extra={"tenant": ref.tenant, "item": ref.id, **safe_error_fields(error)},
                    )
                    count("SweepLeftBehind", kind=kind)
                    self._behind_the_others(ref, work)
        return done

    def _behind_the_others(self, ref: "DueRef", work: "_Work") -> None:
        """Postpone an item that failed: it comes again in a later run, behind the others."""
        try:
            work.postpone(ref)(ref.id, self.clock() + self.settings.deadline_margin)
        except Exception as error:
            log.error(
                "an overdue item could not be postponed; it is still due",
                extra={"tenant": ref.tenant, "item": ref.id, **safe_error_fields(error)},
            )

    def _of(self, ref: "DueRef") -> "TenantTable":
        return self.table.tenant(ref.tenant)

    def _order(self, ref: "DueRef") -> None:
        orders = self.table.tenant(ref.tenant).orders
        order = orders.get(ref.id)
        bind_log_keys(**order.log_keys)
        if not self._overdue(order):
            return
        log.info("the order is overdue; the sweep deals with it", extra={"status": order.status})
        at = self.clock()
        match order.status:
            case OrderStatus.ACCEPTED | OrderStatus.PROCESSING if not _has_workflow(order):
                since = min(order.submission.began(order.created_at), at)
                self.queues.enqueue(order, Action.CREATE, at=since)
                self._set_deadline(order, transitions.retries_end(self.settings, since, at))
            case OrderStatus.ACCEPTED | OrderStatus.PROCESSING:
                if self._runs(order):
                    self._set_deadline(order, self._next_look(order, at))
                else:
                    self.submitter.give_up(order, "workflow_ended")
            case OrderStatus.CANCELLING:
                self.queues.enqueue(order, Action.CANCEL, at=at)
                self._set_deadline(order, transitions.retries_end(self.settings, at))
            case OrderStatus.CONFIRMED if order.changing_until is not None:
                self._lose(orders, order, _change_lost)
            case OrderStatus.CONFIRMED if _asks_for_return(order):
                self._lose(orders, order, _return_lost)
            case OrderStatus.CONFIRMED if (
                order.label.status is LabelStatus.PENDING and not order.label.last_try
            ):
                self.queues.enqueue(order, Action.REREAD, at=at)
                label = msgspec.structs.replace(order.label, last_try=True)
                self._set_deadline(order, transitions.retries_end(self.settings, at), label=label)
            case OrderStatus.CONFIRMED if order.label.status is LabelStatus.PENDING:
                self.submitter.give_up(order, "label_unavailable")
            case _:
                self._set_deadline(order, None)

    def _lose(self, orders: "Orders", order: Order, lost: "_Lost") -> None:
        """Show that the function died that was asking the carrier to change the order, or to send it back."""
        transitions.apply(
            orders,
            order,
            lambda order: lost(order, self.clock(), self.settings) if self._overdue(order) else None,
        )

    def _overdue(self, order: Order) -> bool:
        return order.watch_at is not None and order.watch_at <= self.clock()

    def _next_look(self, order: Order, at: datetime) -> datetime:
        since = order.submission.compensating_since
        margin = self.settings.deadline_margin
        if since is None:
            due = transitions.submission_ends(self.settings, order, order.created_at) + margin
        else:
            due = transitions.refund_ends(self.settings, order.submission.began(since))
        # A workflow that runs longer than it should is looked at often.
        return max(due, at + margin)

    def _runs(self, order: Order) -> bool:
        """Start the order's workflow unless it was started before. Returns whether it runs now."""
        machine = self.settings.order_flow_arn
        started = executions.start(self.stepfunctions, machine, order)
        return started or executions.runs(self.stepfunctions, machine, order)

    def _set_deadline(self, order: Order, until: datetime | None, **facts: Label) -> None:
        """Set the order's next deadline. Nothing changes for the client, so `updated_at` stays."""

        def decide(order: Order) -> Change | None:
            if not self._overdue(order):
                return None
            return Change(after=order.changed(at=order.updated_at, watch_at=until, **facts))

        transitions.apply(self.table.tenant(order.tenant).orders, order, decide)

    def _webhook(self, ref: "DueRef") -> None:
        inbox = self.table.tenant(ref.tenant).inbox
        entry = inbox.get(ref.id)
        if entry is None or entry.state != "received":
            return
        self.sqs.send_message(
            QueueUrl=self.settings.inbox_queue_url,
            MessageBody=msgspec.json.encode(
                {"tenant": ref.tenant, "id": ref.id, "correlation_id": entry.correlation_id}
            ).decode(),
            MessageGroupId=message_group(ref.tenant),
        )
        inbox.postpone(ref.id, self.clock() + _INBOX_AGAIN)


type _Lost = Callable[[Order, datetime, Settings], Change | None]


def _change_lost(order: Order, at: datetime, settings: Settings) -> Change | None:
    if order.changing_until is None:
        return None
    return transitions.change_lost(order, at=at, settings=settings)


def _asks_for_return(order: Order) -> bool:
    return order.return_request is not None and order.return_request.asking_until is not None


def _return_lost(order: Order, at: datetime, settings: Settings) -> Change | None:
    return transitions.return_lost(order, at=at, settings=settings) if _asks_for_return(order) else None


def _has_workflow(order: Order) -> bool:
    return registry.profile(order.carrier).confirms_later

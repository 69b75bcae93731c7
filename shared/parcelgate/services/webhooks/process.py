"""Webhooks from carriers, processed after they were received (`services.webhooks.receive`).

=====================  ==============================================================================
a webhook              what is done
=====================  ==============================================================================
about one order        wakes the order's workflow, which asks the carrier. What it claims is not believed
believed               its history is joined to the parcel's timeline
a nudge                changes nothing itself. The carrier is asked about the parcel at once
too early              is read again later: its order has no parcels yet
to a broken account    is read again later, until the account is put right. Parked after a day
about nothing of ours  is parked with the reason. So is one that cannot be read
=====================  ==============================================================================

The carrier's adapter decides whether a webhook is believed. It judges by the time at which the webhook came.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.errors import AccountError
from parcelgate.carriers.port import Aggregates, VerifiesWebhooks
from parcelgate.carriers.results import ParcelHistory, Trust, WebhookReading
from parcelgate.carriers.toolkit.bodies import UnreadableError, decoded
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.orders import Actor, Order, OrderEvent, OrderStatus
from parcelgate.domain.problems import ProblemError
from parcelgate.domain.trackings import Tracking, same_number
from parcelgate.observability.logs import bind_log_keys, log
from parcelgate.observability.metrics import count, duration
from parcelgate.services.orders import transitions
from parcelgate.services.orders.retry_queues import Action
from parcelgate.services.orders.transitions import Change
from parcelgate.store.errors import OrderNotFoundError
from parcelgate.store.inbox import DUE_AFTER, RECEIVED, InboxEntry, was_kept

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.services.orders.retry_queues import RetryQueues
    from parcelgate.services.trackings.timeline import Timelines
    from parcelgate.store.table import Table

_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(days=1)
_LONGEST_NUMBER = 200
"""Characters. No parcel has a longer number, so a longer one is not looked up."""


class _HopelessError(Exception):
    """Nothing can be done with the webhook. The message says why."""


class _TooEarlyError(Exception):
    """The webhook is about an order that has no parcels yet."""


class WebhookProcessor(msgspec.Struct, frozen=True, kw_only=True):
    """Processes stored webhooks.

    Parameters
    ----------
    table
        The store.
    carriers
        Reads webhooks, and says whether they are believed.
    timelines
        Joins histories to timelines, and nudges parcels.
    stepfunctions
        Wakes the workflow that waits for the webhook.
    queues
        Where a re-read of an order goes.
    """

    table: "Table"
    carriers: "Carriers"
    timelines: "Timelines"
    stepfunctions: "SFNClient"
    queues: "RetryQueues"
    clock: Clock = now

    def process(self, tenant: str, entry_id: str) -> None:
        """Process one webhook. A repeat does nothing."""
        inbox = self.table.tenant(tenant).inbox
        entry = inbox.get(entry_id)
        if entry is None or entry.state != RECEIVED:
            return
        bind_log_keys(
            order_id=entry.order_id,
            tenant=tenant,
            carrier=entry.carrier,
            correlation_id=entry.correlation_id,
        )
        try:
            reason = _unreadable(entry.body)
            if reason is not None:
                raise _HopelessError(reason)
            if entry.order_id is None:
                self._about_parcels(entry)
            else:
                self._about_order(entry, entry.order_id)
        except _HopelessError as error:
            self._park(entry, str(error))
            return
        except _TooEarlyError:
            self._put_off(entry, "its order was not confirmed within a day")
            return
        except AccountError as error:
            log.warning(
                "the account of a webhook cannot be used; the webhook waits", extra={"faults": error.faults}
            )
            self._put_off(entry, "its account was not corrected within a day")
            return
        except ProblemError:
            log.warning(
                "the account of a webhook does not exist; the webhook waits", extra={"account": entry.account}
            )
            self._put_off(entry, "its account was not corrected within a day")
            return
        at = self.clock()
        inbox.processed(entry_id, at)
        duration("WebhookLag", (at - entry.received_at).total_seconds(), carrier=entry.carrier)

    def _park(self, entry: InboxEntry, reason: str) -> None:
        log.warning("the webhook is parked", extra={"reason": reason, "entry": entry.id})
        count("WebhooksParked", carrier=entry.carrier)
        self.table.tenant(entry.tenant).inbox.park(entry, reason, self.clock())

    def _put_off(self, entry: InboxEntry, in_vain: str) -> None:
        """Postpone it. The sweep brings it back after a minute, and then after twice as long each time."""
        at = self.clock()
        waited = at - entry.received_at
        if waited >= _LONGEST_WAIT:
            self._park(entry, in_vain)
            return
        log.info("the webhook is postponed", extra={"entry": entry.id})
        self.table.tenant(entry.tenant).inbox.postpone(entry.id, at + max(_FIRST_WAIT, waited))

    # About parcels of an account.

    def _about_parcels(self, entry: InboxEntry) -> None:
        tracker = self.carriers.tracker(entry, clock=lambda: entry.received_at)
        if not isinstance(tracker, VerifiesWebhooks):
            raise _HopelessError("its carrier sends no webhooks about parcels")
        reading = tracker.verify_webhook(entry.headers, entry.body)
        count("WebhooksRead", carrier=entry.carrier, trust=reading.trust)
        if reading.trust is Trust.UNREADABLE:
            raise _HopelessError(reading.reason or "cannot be read")
        if reading.reason:
            log.info(
                "the webhook is not proven; it only nudges the parcel",
                extra={"reason": reading.reason, "entry": entry.id},
            )
        find = self._followed if isinstance(tracker, Aggregates) else self._ordered
        parcels = self.table.tenant(entry.tenant).trackings.many(find(entry, reading))
        if not parcels:
            raise _HopelessError("no such parcel")
        for parcel in parcels:
            history = _believed(reading, parcel)
            if history is not None:
                self.timelines.believe(entry.tenant, parcel.id, history)
            elif not parcel.paused:
                self.timelines.nudge(entry.tenant, parcel.id)

    def _followed(self, entry: InboxEntry, reading: WebhookReading) -> Iterable[str]:
        """The parcel that an aggregator's webhook is about."""
        history = reading.history
        if history is None or not _can_be(history.tracking_number) or not _can_be(history.carrier_code):
            return
        tracking_id = self.table.tenant(entry.tenant).trackings.find(
            entry.account, history.carrier_code or "", history.tracking_number
        )
        if tracking_id is not None:
            yield tracking_id

    def _ordered(self, entry: InboxEntry, reading: WebhookReading) -> Iterable[str]:
        """The parcel that a carrier's webhook is about; all parcels of the order where it names none."""
        order = self._order(entry, reading)
        if order is None:
            return []
        bind_log_keys(**order.log_keys)
        parcels = [parcel for parcel in order.parcels if parcel.tracking_id]
        number = reading.history.tracking_number if reading.history else ""
        named = [parcel for parcel in parcels if same_number(parcel.tracking_number or "", number)]
        if parcels:
            return [parcel.tracking_id or "" for parcel in named or parcels]
        is_doubtful = order.status in (OrderStatus.NEEDS_ATTENTION, OrderStatus.FAILED)
        if is_doubtful and self.clock() - entry.received_at < DUE_AFTER:
            # The carrier seems to have the order. It is asked once for each webhook and its repeats.
            self.queues.enqueue(order, Action.REREAD, at=self.clock())
        if order.status.final:
            raise _HopelessError(f"its order is {order.status}")
        raise _TooEarlyError

    def _order(self, entry: InboxEntry, reading: WebhookReading) -> Order | None:
        orders = self.table.tenant(entry.tenant).orders
        order_id = None
        if reading.history is not None and _can_be(reading.history.tracking_number):
            number = reading.history.tracking_number
            order_id = orders.by_carrier_number(entry.carrier, entry.account, number)
        if order_id is None and reading.reference is not None and _can_be(reading.reference):
            order_id = orders.by_reference(entry.carrier, entry.account, reading.reference)
        return None if order_id is None else orders.get(order_id)

    # About one order.

    def _about_order(self, entry: InboxEntry, order_id: str) -> None:
        try:
            order = self.table.tenant(entry.tenant).orders.get(order_id)
        except OrderNotFoundError:
            raise _HopelessError("no such order") from None
        bind_log_keys(**order.log_keys)
        if order.status is OrderStatus.PROCESSING:
            order = self._note_callback(order)
        if order.status is OrderStatus.PROCESSING and self._wake(order):
            return
        if order.status in (OrderStatus.PROCESSING, OrderStatus.FAILED, OrderStatus.NEEDS_ATTENTION):
            self.queues.enqueue(order, Action.REREAD, at=self.clock())

    def _note_callback(self, order: Order) -> Order:
        """Before the create's answer is known, a callback is the proof that the carrier has the order.

        It is stored before the workflow is woken, which might otherwise send the order again.
        """

        def decide(order: Order) -> Change | None:
            submission = order.submission
            known = order.carrier_order_number is not None or submission.callback_at is not None
            if known or submission.sending_at is None or order.status is not OrderStatus.PROCESSING:
                return None
            at = self.clock()
            return Change(
                after=order.changed(at=at, submission=msgspec.structs.replace(submission, callback_at=at)),
                event=OrderEvent(at=at, type="carrier.callback", actor=Actor.CARRIER),
            )

        return transitions.apply(self.table.tenant(order.tenant).orders, order, decide)

    def _wake(self, order: Order) -> bool:
        """Whether the order's workflow was waiting for this."""
        from botocore.exceptions import ClientError

        from parcelgate.services.orders.order_flow.task_tokens import is_gone

        if order.submission.task_token is None:
            return False
        try:
            self.stepfunctions.send_task_success(taskToken=order.submission.task_token, output="{}")
        except ClientError as error:
            if is_gone(error):
                return False
            raise
        return True


def _believed(reading: WebhookReading, parcel: Tracking) -> ParcelHistory | None:
    """The history of this parcel in a webhook, if the webhook is believed and has one."""
    history = reading.history
    if reading.trust is not Trust.BELIEVED or history is None or not history.events:
        return None
    return history if same_number(history.tracking_number, parcel.tracking_number) else None


def _can_be(number: str | None) -> bool:
    """Whether a text that came from outside can be a number of one of our parcels."""
    return number is not None and 0 < len(number) <= _LONGEST_NUMBER and number.isprintable()


def _unreadable(body: bytes) -> str | None:
    if not was_kept(body):
        return "too long"
    try:
        document = decoded(body)
    except UnreadableError:
        return "not JSON"
    return None if isinstance(document, dict) else "not an object"

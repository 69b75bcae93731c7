"""The workflow of an order whose carrier confirms later: how it is started, and what each of its states does.

A state decides by the stored order alone, never by how the machine came there. So every state may run twice,
late, or after its function died at any line. `submission` knows what an answer of the carrier means. This
module knows who waits, and for how long.

==================  =====================================================================================
state               what it does
==================  =====================================================================================
`submit`            asks the price and sends the order once. It wakes the machine itself, unless the carrier
                    will call back. It does nothing before the order's next attempt is due
`check`             asks the carrier until it has decided. Every "not yet" is an exception that is retried.
                    Then it asks for the labels, once
`fetch_label`       asks for labels that were not there at once, until they are
`compensate`        takes the order back. The order is `failed` only when the carrier has accepted that
`escalate`          tells a person about an order that the other states could not settle
==================  =====================================================================================

While certainly nothing was sent, an order waits as long as the retry queues try (12 hours), and is sent when
its carrier is back. For that the machine goes from `submit` to `check` and again to `submit`. The pause in
between is short at first, then a minute. The carrier's time to decide begins when the order was sent.
"""

from __future__ import annotations

import itertools
import random
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers.errors import (
    CarrierError,
    LabelPendingError,
    OverLimitError,
    PausedError,
    RefusedError,
    TransientError,
)
from parcelgate.carriers.port import QuotesRates
from parcelgate.carriers.results import Rate
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Actor, Order, OrderStatus
from parcelgate.observability.logs import bind_log_keys, log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services.orders import problems, transitions
from parcelgate.services.orders.order_flow.executions import ExecutionInput
from parcelgate.services.orders.order_flow.task_tokens import is_gone
from parcelgate.services.orders.submission import (
    AWS_TROUBLE,
    Callback,
    Caller,
    FetchesLabels,
    NotSettledError,
    OrderSubmitter,
    name_of,
)
from parcelgate.services.orders.transitions import OPEN, RETRY_LIFE, wants_label
from parcelgate.services.redelivery import pause_after
from parcelgate.services.settings import Settings
from parcelgate.store.credentials.webhook_tokens import hash_of

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


COMMIT_SECONDS = 30.0
"""Seconds to send a create and to read and store its answer. It is not begun with less time left."""
_SAVE_SECONDS = 2.0
"""Seconds reserved to store the carrier's answer, besides those that the engine reserves."""
_SHORT_WAIT = timedelta(minutes=2)
"""An order that has waited longer than this is sent again after the longer pause."""


class OrderPending(Exception):  # noqa: N818 - the state machine's own name for it
    """The carrier has not decided yet, or cannot be asked. The state is tried again."""


class LabelPending(Exception):  # noqa: N818
    """There is no usable label yet. The state is tried again."""


class RefundPending(Exception):  # noqa: N818
    """The carrier has not accepted the refund yet. The state is tried again."""


class OrderFailed(Exception):  # noqa: N818
    """The carrier took the order and could not carry it out. The order must be taken back."""


class NotSubmitted(Exception):  # noqa: N818
    """The carrier certainly has nothing: the order may be sent."""


class SubmitLater(Exception):  # noqa: N818
    """The same, but after a longer pause."""


class AccountPaused(Exception):  # noqa: N818
    """A person has paused the account. The state is tried again every two minutes, for eleven days."""


class DeadlinePassed(Exception):  # noqa: N818
    """The workflow's time is over and the order is not settled."""


EXPECTED = (
    OrderPending,
    LabelPending,
    RefundPending,
    OrderFailed,
    NotSubmitted,
    SubmitLater,
    AccountPaused,
    DeadlinePassed,
)
"""The errors that are part of the states' work."""


class TaskInput(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine gives each of its functions: ids and times only.

    `waits_for_pauses` is False in executions that began before their machine knew `AccountPaused`, and
    `label_with_check` in those whose machine goes from `check` to `fetch_label` in any case.
    """

    tenant: str
    order_id: str
    started_at: datetime
    execution: ExecutionInput | None = None
    task_token: str | None = None
    waits_for_pauses: bool = False
    label_with_check: bool = False

    @classmethod
    def of(cls, event: Any) -> TaskInput:
        """The input that a task's payload describes; its ids are on every further log line."""
        task = msgspec.convert(event, cls)
        names = task.execution or ExecutionInput(tenant=task.tenant, order_id=task.order_id)
        bind_log_keys(**names.log_keys)
        return task


class _Ending(msgspec.Struct, frozen=True):
    """How a submission ends when no callback will follow: an error name of the state machine."""

    error: str
    cause: str


_REFUSED = _Ending("OrderRefused", "the order is not to be sent")
_NOT_SENT = _Ending("NotSubmitted", "nothing was sent")
_UNKNOWN = _Ending("OutcomeUnknown", "the carrier is to be asked")


class OrderFlow(msgspec.Struct, frozen=True, kw_only=True):
    """The states."""

    submitter: OrderSubmitter
    """The engine."""
    fetcher: FetchesLabels
    """Fetches labels; only CheckOrder and FetchLabel need it."""
    settings: Settings
    stepfunctions: Callable[[], SFNClient]
    """Wakes the machine; only SubmitOrder needs it."""
    clock: Clock = now
    sleep: Callable[[float], None] = time.sleep
    roll: Callable[[], float] = random.random

    def submit(self, task: TaskInput, deadline: Deadline) -> None:
        """SubmitOrder: send the order to the carrier, once, and leave the machine waiting for the callback.

        `deadline` is the end of the invocation. If the carrier will not call back, the machine is woken
        at once: with `OrderRefused` when the order is over, `NotSubmitted` when nothing was sent, and
        `OutcomeUnknown` when the carrier must be asked.
        """
        try:
            ending = self._submit(task, deadline)
        except Exception as error:
            # The mark tells CheckOrder whether anything may have been sent.
            log.error(
                "the submission failed unexpectedly; CheckOrder goes on", extra=safe_error_fields(error)
            )
            count("SubmissionBroken")
            ending = _Ending("SubmissionBroken", type(error).__name__)
        if ending is None:
            self._give_a_sign(task)
            return
        log.info("the submission ended; no callback is expected", extra={"ending": ending.error})
        try:
            self.stepfunctions().send_task_failure(
                taskToken=task.task_token or "", error=ending.error, cause=ending.cause
            )
        except ClientError as error:
            if not is_gone(error):
                raise

    def _give_a_sign(self, task: TaskInput) -> None:
        """Tell the machine that the order is sent: a callback that does not come is waited for from now on.

        Without the sign the machine asks the carrier a little earlier.
        """
        try:
            self.stepfunctions().send_task_heartbeat(taskToken=task.task_token or "")
        except (BotoCoreError, ClientError) as error:
            log.info("the machine was not told that the order is sent", extra=name_of(error))

    def check(self, task: TaskInput, deadline: Deadline) -> None:
        """CheckOrder: ask the carrier how the order stands, settle it, and fetch the labels of a good one.

        Returns when there is nothing more to ask. Raises OrderPending (ask again), OrderFailed (take the
        order back), NotSubmitted or SubmitLater (send it), LabelPending, AccountPaused and DeadlinePassed.
        """
        if self._decided(task, deadline) and task.label_with_check:
            self.fetch_label(task, deadline)

    def _decided(self, task: TaskInput, deadline: Deadline) -> bool:
        """Ask the carrier about the order. Returns whether it may have labels; raises what `check` does."""
        try:
            order = self._order(task)
            if order.submission.sending_at is None and order.status in OPEN and task.waits_for_pauses:
                held = self.submitter.held(order)
                if held is not None:
                    self.submitter.leave(order, held, self._caller(task, deadline))
            if order.submission.sending_at is not None:
                order = self.submitter.ask(order, self._caller(task, deadline))
        except NotSettledError as error:
            if not self._late(task, error.order, error.trouble):
                self._hold(task, error.trouble)
                raise OrderPending(task.order_id) from None
            if error.words is None:
                raise DeadlinePassed(task.order_id) from None
            # Give up here, because the next state would not know what the carrier said.
            self.submitter.give_up(error.order, "deadline_passed", words=error.words)
            return False
        except AWS_TROUBLE as error:
            log.warning(
                "the check failed because of AWS or the store; it is tried again", extra=name_of(error)
            )
            raise (DeadlinePassed if self._over(task) else OrderPending)(task.order_id) from None
        if order.status not in OPEN:
            return wants_label(order)
        if order.submission.compensating_since is not None:
            raise OrderFailed(order.id)
        if self._late(task, order):
            raise DeadlinePassed(order.id)
        raise (SubmitLater if self._waits_longer(order) else NotSubmitted)(order.id)

    def fetch_label(self, task: TaskInput, deadline: Deadline) -> None:
        """FetchLabel: fetch, check and store the labels.

        Raises LabelPending while there are none. After the deadline it sets the order's `attention` and
        returns. Raises DeadlinePassed when even that cannot be written.
        """
        try:
            try:
                self.fetcher.fetch(task.tenant, task.order_id, deadline.minus(_SAVE_SECONDS))
            except (LabelPendingError, CarrierError) as error:
                log.info("no label yet", extra=name_of(error))
                orders, order = transitions.read(self.submitter.table, task.tenant, task.order_id)
                if self._late(task, order, error):
                    words = getattr(error, "words", None)
                    self.submitter.give_up(order, "label_unavailable", words=words)
                    return
                pause, actor = self._pause(order, error), Actor.WORKFLOW
                transitions.explain_wait(orders, order.id, error, at=self.clock(), pause=pause, actor=actor)
                self._hold(task, error)
                raise LabelPending(task.order_id) from None
        except AWS_TROUBLE as error:
            log.warning(
                "fetching the label failed because of AWS or the store; it is tried again",
                extra=name_of(error),
            )
            raise (DeadlinePassed if self._over(task) else LabelPending)(task.order_id) from None

    def compensate(self, task: TaskInput, deadline: Deadline) -> None:
        """Compensate: take a failed order back. Only then its status is `failed`.

        Raises RefundPending until the carrier accepts. After the refund's own deadline a person is told.
        Raises DeadlinePassed when the store could not be used for all that time.
        """
        settings = self.settings
        try:
            try:
                self.submitter.compensate(self._order(task), self._caller(task, deadline))
            except NotSettledError as error:
                submission = error.order.submission
                since = submission.compensating_since
                held = isinstance(error.trouble, PausedError)
                if held or since is None or self.clock() < submission.began(since) + settings.refund_deadline:
                    self._hold(task, error.trouble)
                    raise RefundPending(task.order_id) from None
                self.submitter.give_up(error.order, "refund_failed", words=error.words)
        except AWS_TROUBLE as error:
            log.warning(
                "the refund failed because of AWS or the store; it is tried again", extra=name_of(error)
            )
            over = self._over(task, settings.refund_deadline)
            raise (DeadlinePassed if over else RefundPending)(task.order_id) from None

    def escalate(self, task: TaskInput) -> None:
        """NeedsAttention: tell a person about an order that its workflow could not settle."""
        order = self._order(task)
        self.submitter.give_up(order, "deadline_passed" if self._late(task, order) else "workflow_ended")

    def give_up(self, tenant: str, order_id: str, reason: str) -> Order:
        """Show an order to a person; see `OrderSubmitter.give_up`."""
        _, order = transitions.read(self.submitter.table, tenant, order_id)
        return self.submitter.give_up(order, reason)

    def _order(self, task: TaskInput) -> Order:
        _, order = transitions.read(self.submitter.table, task.tenant, task.order_id)
        return order

    def _late(self, task: TaskInput, order: Order, trouble: object = None) -> bool:
        """Whether the workflow's time for the order is over, when `trouble` is what it still meets."""
        ends = transitions.submission_ends(self.settings, order, task.started_at)
        if isinstance(trouble, PausedError):
            return False
        if isinstance(trouble, OverLimitError):
            # A wait for the account's own call rate may last longer: its turn comes in the end.
            ends = max(ends, task.started_at + RETRY_LIFE)
        return self.clock() >= ends

    def _over(self, task: TaskInput, more: timedelta = timedelta()) -> bool:
        """Whether the time is over for any order, even one that cannot be read."""
        life = RETRY_LIFE + self.settings.order_deadline + more
        if self.clock() < task.started_at + life:
            return False
        try:
            return self.clock() >= self._order(task).submission.began(task.started_at) + life
        except AWS_TROUBLE:
            return True

    def _hold(self, task: TaskInput, trouble: object) -> None:
        """Raise AccountPaused if that is what the order meets."""
        if isinstance(trouble, PausedError) and task.waits_for_pauses:
            raise AccountPaused(task.order_id) from None

    def _waits_longer(self, order: Order) -> bool:
        """Whether an order that was not sent waits for the longer pause."""
        wait, at = order.waiting, self.clock()
        if wait is None or wait.next_attempt_at is None or not wait.attempts:
            return False
        return at - wait.since >= _SHORT_WAIT or wait.next_attempt_at - at >= self.settings.retry_cap / 2

    def _caller(self, task: TaskInput, deadline: Deadline, callback: Callback | None = None) -> Caller:
        """The workflow as a caller: the machine itself tries again, so nothing is queued."""

        def due(order: Order, at: datetime) -> datetime:  # noqa: ARG001 - as `Caller.due`
            since = order.submission.compensating_since
            if since is not None:
                return transitions.refund_ends(self.settings, order.submission.began(since))
            ends = transitions.submission_ends(self.settings, order, task.started_at)
            return ends + self.settings.deadline_margin

        return Caller(
            deadline=deadline.minus(_SAVE_SECONDS),
            due=due,
            least_seconds=COMMIT_SECONDS - _SAVE_SECONDS,
            callback=callback,
            actor=Actor.WORKFLOW,
        )

    # SubmitOrder

    def _submit(self, task: TaskInput, deadline: Deadline) -> _Ending | None:
        order = self._order(task)
        if order.submission.sending_at is not None or order.status not in OPEN:
            return _ending_of(order)
        wait = order.waiting
        early = wait and wait.attempts and wait.next_attempt_at and self.clock() < wait.next_attempt_at
        if early or self._late(task, order):
            return _NOT_SENT
        token = secrets.token_urlsafe(32)
        url = f"{self.settings.webhook_base_url}/webhooks/{order.carrier}/{order.account}/{token}"
        caller = self._caller(task, deadline, Callback(url, hash_of(token), task.task_token))
        try:
            over = problems.above_max(order, self._price(order, deadline, caller))
            if over is not None:
                return _ending_of(self.submitter.fail(order, over))
            if deadline.remaining() < COMMIT_SECONDS:
                return _NOT_SENT
            return _ending_of(self.submitter.send(order, caller))
        except RefusedError as error:
            return _ending_of(self.submitter.refuse(order, error))
        except NotSettledError as error:
            submission = error.order.submission
            if submission.answered and submission.callback_hash == hash_of(token):
                return None
            return _ending_of(error.order)

    def _price(self, order: Order, deadline: Deadline, caller: Caller) -> Rate | None:
        """Ask for the price. The first time, this is repeated while there is time to send the order after it.

        Raises RefusedError, and NotSettledError when the price is to be asked later.
        """
        for attempt in itertools.count(1):
            try:
                carrier = self.submitter.carrier(order, caller.deadline)
                if not isinstance(carrier, QuotesRates):
                    return None
                for rate in carrier.rates(order):
                    if order.service in (None, rate.service):
                        return rate
                raise TransientError("the preview has no price for the order's service")
            except RefusedError:
                raise
            except CarrierError as error:
                # A preview buys nothing, so it may be repeated after any error.
                seconds = self._pause(order, error, attempt).total_seconds()
                again = order.waiting is not None and order.waiting.attempts
                if again or deadline.remaining() - seconds < COMMIT_SECONDS:
                    raise NotSettledError(self.submitter.leave(order, error, caller)) from None
                self.sleep(seconds)
        raise AssertionError("unreachable")

    def _pause(self, order: Order, error: Exception, attempt: int = 1) -> timedelta:
        attempt += order.waiting.attempts if order.waiting else 0
        at_least = getattr(error, "retry_after", None)
        return pause_after(attempt, self.settings, roll=self.roll(), at_least=at_least)


def _ending_of(order: Order) -> _Ending:
    """How a submission ends that left the order like this, when no callback will follow."""
    if order.status is OrderStatus.CONFIRMED or order.status in OPEN:
        return _NOT_SENT if order.status in OPEN and order.submission.sending_at is None else _UNKNOWN
    return _REFUSED

"""The submission engine: what each answer of a carrier means for an order. Written once, here.

The request, the batch worker, the retry queue and the workflow's functions all go through `OrderSubmitter`.
They differ in who asks and who waits (`Caller`), never in what an answer means.

An order is submitted once. Before the create is sent, the order is marked by a conditional write
(`submission.sending_at`). While the mark stands nobody sends. The mark goes only when the carrier certainly
has nothing.

=========================  ==================================================================================
answer to the create       what becomes of the order
=========================  ==================================================================================
confirmed                  `confirmed`, with its numbers and trackings
taken, decided later       keeps the mark and the carrier's number; the carrier is asked until it has decided
refused                    `failed`; the reference is free. `needs_attention` when an earlier create of ours
                           was lost and the carrier says that the reference is in use
some parcels refused       what was taken is taken back, then `failed`; each parcel says why
may work later             the mark is taken away; the order is sent again later
credentials not accepted   the same; `attention` says so
nobody knows               the mark stays; the carrier is asked before anything is sent again
=========================  ==================================================================================

=========================  ==================================================================================
answer to a look-up        what becomes of the order
=========================  ==================================================================================
confirmed                  `confirmed`, with its numbers and trackings
pending                    keeps the carrier's number, if it was given; asked again
failed                     what the carrier holds is taken back, and only then it is `failed`. Under another
                           order's number it is that order which failed: for a carrier that answers at once
                           this one was not found
not found                  asked again, until said twice: the first time a minute after the sender must be
                           dead, the second a minute later. Then the mark is taken away and the order is sent
                           again; `needs_attention` when anything hints that the carrier has it after all, or
                           when the carrier's look-up is not to be relied on (`ConfirmsLater.may_resend`)
not this order             `needs_attention`; its number is not adopted
another order's number     `needs_attention`
cannot be asked            asked again
=========================  ==================================================================================

=========================  ==================================================================================
answer to taking it back   what becomes of the order
=========================  ==================================================================================
accepted                   `failed`, with its refund; the reference is free
refused                    `needs_attention`; a carrier that confirms later is asked again first
anything else              asked again
=========================  ==================================================================================

An order whose caller has no time left is given up: `needs_attention`, or no label (`give_up`). A late answer
(`reread`) confirms an order that needs attention, or takes it back when it failed. An order that has failed
never comes back: a late success only raises `attention`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers.errors import (
    AccountError,
    AuthenticationError,
    CarrierError,
    HeldBackError,
    PartlyRefusedError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.port import Cancels, Carrier, ConfirmsLater, CreatesInBatches
from parcelgate.carriers.results import Confirmed, Failed, Mismatch, NotFound, OrderResult, Pending, Submitted
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Actor, Order, OrderStatus, Submission
from parcelgate.domain.problems import CarrierWords, Problem
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.observability.metrics import count, duration
from parcelgate.services.orders import problems, transitions
from parcelgate.services.orders.retry_queues import Action
from parcelgate.services.orders.transitions import OPEN, Change, Decide
from parcelgate.services.redelivery import pause_after
from parcelgate.services.settings import Settings
from parcelgate.store.errors import CarrierNumberTakenError, StoreError

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.services.orders.retry_queues import RetryQueues
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

type Facts = dict[str, Any]
"""What is changed of an order, by the names of its attributes."""

type CreateAnswer = Submitted | Confirmed | CarrierError
"""What a create can end in."""

SEND_SECONDS = 3.0
"""A create is not begun with less time left."""
_SAVE_SECONDS = 1.0
"""What is kept back of the time given, to store what the carrier said."""
_AFTERLIFE = timedelta(seconds=5)
"""How much longer than the time it was given a sender may live."""
_SIDE_BY_SIDE = 8
"""Orders of a batch that are stored side by side."""

AWS_TROUBLE = (StoreError, BotoCoreError, ClientError)
"""Trouble that passes by itself."""


class NotSettledError(Exception):
    """The order, as it now stands, is not settled: to be gone on with after `pause`.

    `pause` is None where nobody has chosen one. `trouble` is what kept the order from being settled, where
    there was any.
    """

    def __init__(self, order: Order, pause: timedelta | None = None, *, trouble: object = None) -> None:
        super().__init__("the order is not settled")
        self.order = order
        self.pause = pause
        self.trouble = trouble

    @property
    def words(self) -> CarrierWords | None:
        """What the carrier said, where it said anything."""
        return getattr(self.trouble, "words", None)


class FetchesLabels(Protocol):
    """What orders need of `labels.fetch.LabelFetcher`."""

    def fetch(self, tenant: str, order_id: str, deadline: Deadline | None) -> Order: ...  # noqa: D102


class Callback(NamedTuple):
    """How a carrier that confirms later wakes whoever waits: the address, its token's hash, the waiter."""

    url: str
    token_hash: str
    task_token: str | None


class Caller(NamedTuple):
    """Who works on an order.

    Parameters
    ----------
    deadline
        By when the carrier must have answered, and what it said be stored.
    due
        By when somebody must look after an open order again, if its sender lives no longer than the given
        time.
    queues
        Whether an order that is not settled must be put into the retry queue. Otherwise the caller itself
        comes again.
    least_seconds
        A create is not begun with less time left.
    callback
        Where the carrier confirms later.
    actor
        Who goes on with an order that is not settled, for its audit trail.
    """

    deadline: Deadline
    due: Callable[[Order, datetime], datetime]
    queues: bool = False
    least_seconds: float = SEND_SECONDS
    callback: Callback | None = None
    actor: Actor = Actor.RETRY


class OrderSubmitter(msgspec.Struct, frozen=True, kw_only=True):
    """Submits orders, and makes of them what their carriers answer."""

    table: Table
    carriers: Carriers
    settings: Settings
    retries: Callable[[], RetryQueues]
    """Where an order goes that is not settled now."""
    clock: Clock = now
    roll: Callable[[], float] = random.random
    workers: int = _SIDE_BY_SIDE
    """How many orders of a batch are stored side by side."""

    # For the request and the batch worker

    def submit(self, order: Order, deadline: Deadline) -> Order:
        """Send a stored order, once, unless somebody has; the order as it then stands.

        `confirmed`, `failed` or `needs_attention`, or still open (`accepted`, `processing`) and then in
        its carrier's retry queue. Never raises for trouble with the carrier or the store. The carrier must
        have answered, and its answer be stored, by `deadline`.
        """
        caller = Caller(deadline, self._soon, queues=True)
        return self._quietly(order, lambda: self._take_back(self.send(order, caller), caller))

    def submit_many(self, orders: Sequence[Order], deadline: Deadline) -> list[Order]:
        """Send stored orders of one carrier account, in its largest requests; as they then stand, in order.

        Each order is marked, sent and stored for itself: what is true of `submit` is true of each.
        """
        if not orders:
            return []
        try:
            carrier = self.carrier(orders[0], deadline)
        except TransientError:
            carrier = None
        if not isinstance(carrier, CreatesInBatches):
            return self._side_by_side(lambda order: self.submit(order, deadline), orders)
        after: list[Order] = []
        for some in batched(orders, carrier.create_batch, strict=False):
            after += self._submit_batch(carrier, some, Caller(deadline, self._soon, queues=True))
        return after

    # For the retry queue

    def resume(self, order: Order, deadline: Deadline) -> Order:
        """Do what an open order needs next: ask the carrier where it may have it, send it, or take it back.

        Raises NotSettledError while the order is not settled, and what the store raises.
        """
        caller = Caller(deadline, self._queued)
        if order.submission.sending_at is not None:
            order = self.ask(order, caller)
        if order.submission.sending_at is None:
            order = self.send(order, caller)
        return self._take_back(order, caller)

    def reread(self, order: Order, deadline: Deadline) -> Order:
        """Ask the carrier about an order that has failed or needs attention; what it says now is what counts.

        Raises NotSettledError while it says nothing final, and CarrierError.
        """
        if order.status not in (OrderStatus.FAILED, OrderStatus.NEEDS_ATTENTION):
            return order
        carrier = self.carrier(order, deadline)
        result = look_up(carrier, order)
        failed = order.status is OrderStatus.FAILED
        if self._is_anothers(order, getattr(result, "carrier_order_number", None)):
            return order
        match result:
            case Pending() | NotFound():
                # Somebody was called because of it; what it will say in the end is still to come.
                raise NotSettledError(order)
            case Confirmed() if failed:
                return self._late_success(order)
            case Confirmed():
                due = transitions.retries_end(self.settings, self.clock())
                return self._confirm(order, result, due, actor=Actor.CARRIER)
            case Failed() if not failed and isinstance(carrier, Cancels):
                return self._take_back_late(carrier, order, result)
        return order

    # For the workflow, and for all of the above

    def send(self, order: Order, caller: Caller) -> Order:
        """Mark the order and send it, unless somebody has; the order as it then stands.

        Raises NotSettledError when it is not settled, and what the store raises.
        """
        if order.status not in OPEN or order.submission.sending_at is not None:
            return order
        try:
            carrier = self.carrier(order, caller.deadline)
        except TransientError as error:
            return self.leave(order, error, caller)
        sender = new_id("snd")
        marked = self._mark(order, sender, caller)
        if marked.submission.sender != sender:
            return marked
        return self._created(marked, self._create(carrier, marked, caller), caller)

    def ask(self, order: Order, caller: Caller) -> Order:
        """Ask the carrier for a marked order, and make of the order what it says; as it then stands.

        It may then be sent (no mark any more), or is to be taken back (`compensating_since`). Raises
        NotSettledError while the carrier has not decided, and what the store raises.
        """
        submission, at = order.submission, self.clock()
        if order.status not in OPEN or submission.compensating_since is not None:
            return order
        alive = submission.sender_until
        unanswered = order.carrier_order_number is None and submission.over_at is None
        if unanswered and alive is not None and at < alive:
            raise NotSettledError(order, alive - at)
        carrier, result = self._look_up(order, caller)
        try:
            match result:
                case Confirmed():
                    return self._confirm(order, result, transitions.workflow_ends(self.settings, at))
                case Pending():
                    order = self._with_number(order, result.carrier_order_number)
                    if result.words is not None:
                        return self.leave(order, result, caller)
                    raise NotSettledError(order)
                case NotFound():
                    return self._not_found(order, carrier)
                case Failed():
                    return self._failing(order, result, carrier, caller)
                case Mismatch():
                    return self._needs_attention(order, problems.mismatch(result))
        except CarrierNumberTakenError:
            number = None if isinstance(result, NotFound) else result.carrier_order_number
            return self._needs_attention(order, problems.conflict(number))

    def compensate(self, order: Order, caller: Caller) -> Order:
        """Have what the carrier took returned, and only then call the order failed.

        An order of whose failure the carrier has not said a word is asked about first: a live order is
        never refunded. Raises NotSettledError until the carrier accepts, and what the store raises.
        """
        if order.status not in OPEN:
            return order
        if order.submission.sending_at is None:
            return self.fail(order, order.problem or problems.create_refused())
        if order.submission.compensating_since is None:
            carrier, result = self._look_up(order, caller)
            if not isinstance(result, Failed):
                return self._needs_attention(order, problems.unknown())
            try:
                order = self._failing(order, result, carrier, caller)
            except CarrierNumberTakenError:
                return self._needs_attention(order, problems.conflict(result.carrier_order_number))
        return self._take_back(order, caller)

    def refuse(self, order: Order, error: RefusedError) -> Order:
        """The carrier will not have the order: it is over, unless it was marked or settled meanwhile."""
        return self._change_mine(order, lambda order: transitions.refused(order, error, at=self.clock()))

    def fail(self, order: Order, problem: Problem) -> Order:
        """The order is not to be bought: it is over, unless it was marked or settled meanwhile."""
        return self._change_mine(order, lambda order: transitions.failed(order, problem, at=self.clock()))

    def give_up(self, order: Order, reason: str, *, words: CarrierWords | None = None) -> Order:
        """Whatever the order still waits for will not come by itself: say so where the client can see.

        An order that is still open becomes `needs_attention`. One that is confirmed keeps its status and
        loses the hope for a label. Anything else is left as it is. `reason` is a problem code; a refund that
        was under way, and a create of which nobody knows, speak for themselves.
        """
        return transitions.apply(
            self._orders(order),
            order,
            lambda order: transitions.given_up(order, reason, at=self.clock(), words=words),
        )

    def carrier(self, order: Order, deadline: Deadline) -> Carrier:
        """The order's carrier. Raises HeldBackError when its account cannot be used."""
        try:
            return self.carriers.of(order, deadline.minus(_SAVE_SECONDS))
        except Exception as error:
            # The account's secret is missing, malformed or cannot be read: nothing was asked of anybody.
            log.error("the carrier account cannot be used", extra=safe_error_fields(error))
            raise HeldBackError("the carrier account cannot be used") from None

    # Sending

    def _quietly(self, order: Order, work: Callable[[], Order]) -> Order:
        """What `work` makes of the order; whatever it leaves open goes on by itself."""
        try:
            return work()
        except NotSettledError as error:
            return error.order
        except AWS_TROUBLE as error:
            # The order bears the time by which the sweep looks after it, and the mark if it was sent.
            log.error(
                "the result of a submission could not be stored; the order goes on later",
                extra=safe_error_fields(error),
            )
            count("SendingBroken", carrier=order.carrier)
            return order

    def _submit_batch(
        self, carrier: CreatesInBatches, orders: Sequence[Order], caller: Caller
    ) -> list[Order]:
        """Send some orders in one request. Only those that could be marked are sent."""
        sender = new_id("snd")

        def mark(order: Order) -> Order:
            return self._quietly(order, lambda: self._mark(order, sender, caller))

        def store(answered: tuple[Order, CreateAnswer]) -> Order:
            order, answer = answered
            return self._quietly(order, lambda: self._take_back(self._created(order, answer, caller), caller))

        marked = self._side_by_side(mark, orders)
        mine = [order for order in marked if order.submission.sender == sender]
        answers = self._create_many(carrier, mine, caller) if mine else []
        stored = self._side_by_side(store, [*zip(mine, answers, strict=True)])
        after = {order.id: order for order in (*marked, *stored)}
        return [after[order.id] for order in orders]

    def _mark(self, order: Order, sender: str, caller: Caller) -> Order:
        """Claim the sending of the order for `sender`: from here on nobody else sends it."""

        def decide(order: Order) -> Change | None:
            if order.submission.sending_at is not None:
                return None
            at = self.clock()
            until = at + timedelta(seconds=max(caller.deadline.remaining(), 0.0)) + _AFTERLIFE
            submission = Submission(
                sending_at=at,
                first_sent_at=order.submission.first_sent_at or at,
                sender=sender,
                sender_until=until,
                lost=order.submission.lost,
                task_token=caller.callback.task_token if caller.callback else None,
                callback_hash=caller.callback.token_hash if caller.callback else None,
            )
            due = caller.due(msgspec.structs.replace(order, submission=submission), until)
            return transitions.marked(order, submission, at=at, watch_at=due)

        return self._change(order, decide)[0]

    def _create(self, carrier: Any, order: Order, caller: Caller) -> CreateAnswer:
        """Send a marked order; whatever comes of it, as a value."""
        if caller.deadline.remaining() < caller.least_seconds:
            return HeldBackError("no time left to send it")
        try:
            if caller.callback is None:
                answer: CreateAnswer = carrier.create(order)
            else:
                answer = carrier.create(order, callback_url=caller.callback.url)
        except Exception as error:
            return _classed(error)
        return answer

    def _create_many(
        self, carrier: CreatesInBatches, orders: Sequence[Order], caller: Caller
    ) -> Sequence[CreateAnswer]:
        """Send marked orders together; by themselves when the carrier refuses them all in one word."""
        if caller.deadline.remaining() < caller.least_seconds:
            return [HeldBackError("no time left to send it")] * len(orders)
        try:
            answers = carrier.create_many(orders)
            if len(answers) != len(orders):
                raise UnknownOutcomeError(f"{len(answers)} answers for {len(orders)} orders")
        except RefusedError as error:
            log.info(
                "the carrier refused the orders together; each is sent alone",
                extra={"orders": len(orders), **name_of(error)},
            )
            return [self._create(carrier, order, caller) for order in orders]
        except Exception as error:
            return [_classed(error)] * len(orders)
        return answers

    # What an answer means

    def _created(self, order: Order, answer: CreateAnswer, caller: Caller) -> Order:
        """Make of a marked order what the carrier answered to its create."""
        at = self.clock()
        match answer:
            case Confirmed():
                return self._confirm(order, answer, transitions.workflow_ends(self.settings, at))
            case Submitted():
                return self._submitted(order, answer, caller)
            case RefusedError():
                return self.refuse(order, answer)
            case PartlyRefusedError():
                due = transitions.soon(self.settings, at)
                return self._change_mine(
                    order, lambda order: transitions.partly_refused(order, answer, at=at, watch_at=due)
                )
            case TransientError() | AuthenticationError():
                return self.leave(order, answer, caller, transitions.not_taken)
            case CarrierError():
                return self.leave(order, answer, caller, partial(transitions.outcome_unknown, at=at))

    def _confirm(
        self, order: Order, result: Confirmed, watch_at: datetime, *, actor: Actor = Actor.WORKFLOW
    ) -> Order:
        """The carrier has the order, unless what it answers with belongs to another one."""
        by_rate_card = None if result.price else transitions.rate_card_price(self.table, order)
        try:
            after, confirmed = self._change(
                order,
                lambda order: transitions.confirmed(
                    order,
                    result,
                    at=self.clock(),
                    watch_at=watch_at,
                    actor=actor,
                    by_rate_card=by_rate_card,
                ),
                among=(OrderStatus.PROCESSING, OrderStatus.NEEDS_ATTENTION),
            )
        except CarrierNumberTakenError:
            return self._needs_attention(order, problems.conflict(result.carrier_order_number))
        if confirmed:
            taken = (after.updated_at - after.created_at).total_seconds()
            duration("TimeToConfirm", taken, carrier=after.carrier)
        return after

    def _submitted(self, order: Order, answer: Submitted, caller: Caller) -> Order:
        """Store the carrier's number; from then on it is asked by that."""
        try:
            order, _ = self._change(
                order, lambda order: transitions.submitted(order, answer, at=self.clock()), among=OrderStatus
            )
        except CarrierNumberTakenError:
            return self._needs_attention(order, problems.conflict(answer.carrier_order_number))
        if order.status not in OPEN:
            return order
        if caller.callback is not None:
            # Nothing went wrong: the carrier will call back.
            raise NotSettledError(order)
        return self.leave(order, answer, caller)

    def _with_number(self, order: Order, number: str | None) -> Order:
        if number is None or order.carrier_order_number is not None:
            return order

        def decide(order: Order) -> Change | None:
            return None if order.carrier_order_number else transitions.found(order, number, at=self.clock())

        return self._change(order, decide, among=OrderStatus)[0]

    def _not_found(self, order: Order, carrier: Carrier) -> Order:
        """Believe the carrier only when it has said so twice, long after the sender's death."""
        interval, at, submission = self.settings.not_found_interval, self.clock(), order.submission
        since = submission.not_found_at or submission.sender_until or submission.sending_at or at
        if at < since + interval:
            raise NotSettledError(order, since + interval - at)
        if submission.not_found_at is None:
            order = self._change_mine(order, lambda order: transitions.not_found(order, at=at))
            raise NotSettledError(order, interval)
        if (isinstance(carrier, ConfirmsLater) and not carrier.may_resend) or _is_hinted_at(order):
            return self._needs_attention(order, problems.unknown())

        def forget(order: Order) -> Change | None:
            return None if _is_hinted_at(order) else transitions.to_be_sent_again(order, at=at)

        after = self._change_mine(order, forget)
        if after.status in OPEN and after.submission.sending_at is not None:
            raise NotSettledError(after)
        return after

    def _failing(self, order: Order, result: Failed, carrier: Carrier, caller: Caller) -> Order:
        """What the carrier holds is to be taken back. The order is `failed` only when that was accepted."""
        at = self.clock()
        later = isinstance(carrier, ConfirmsLater)
        due = transitions.refund_ends(self.settings, at) if later else caller.due(order, at)

        def decide(order: Order) -> Change | None:
            if order.submission.compensating_since is not None:
                return None
            return transitions.failing(order, result, at=at, watch_at=due)

        after, begun = self._change(order, decide)
        if begun:
            count("RefundsOutstanding", carrier=after.carrier)
        return after

    def _take_back(self, order: Order, caller: Caller) -> Order:
        """Cancel what the carrier took of an order that it cannot carry out, and only then call it failed."""
        if order.status not in OPEN or order.submission.compensating_since is None:
            return order
        try:
            carrier = self.carrier(order, caller.deadline)
        except CarrierError as error:
            return self.leave(order, error, caller)
        later = isinstance(carrier, ConfirmsLater)
        if later and order.carrier_order_number is None:
            # There is nothing to name to the carrier, now or later.
            return self._needs_attention(order, problems.not_taken_back(order))
        try:
            if not isinstance(carrier, Cancels):
                raise RefusedError("the carrier takes nothing back")
            cancellation = carrier.cancel(order, at=self.clock())
        except Exception as error:
            trouble = _classed(error)
            if isinstance(trouble, RefusedError) and not later:
                return self._needs_attention(order, problems.not_taken_back(order, trouble.words))
            return self.leave(order, trouble, caller)
        return self._change(
            order,
            lambda order: transitions.taken_back(order, cancellation, at=self.clock()),
            among=OrderStatus,
        )[0]

    def _late_success(self, order: Order) -> Order:
        """A failed order never comes back; but somebody must know that the carrier thinks otherwise."""

        def decide(order: Order) -> Change | None:
            if order.attention is not None and order.attention.code == "late_success":
                return None
            return transitions.attention(order, problems.late_success(), at=self.clock(), actor=Actor.CARRIER)

        return self._change(order, decide, among=(OrderStatus.FAILED,))[0]

    def _take_back_late(self, carrier: Cancels, order: Order, result: Failed) -> Order:
        """Whatever the order needed attention for, its failure is known now and its money is returned."""
        number = order.carrier_order_number or result.carrier_order_number
        cancellation = carrier.cancel(
            msgspec.structs.replace(order, carrier_order_number=number), at=self.clock()
        )

        def decide(order: Order) -> Change:
            order = msgspec.structs.replace(order, carrier_order_number=number)
            problem = problems.failure(result.words)
            return transitions.taken_back(order, cancellation, at=self.clock(), problem=problem)

        return self._change(order, decide, among=(OrderStatus.NEEDS_ATTENTION,))[0]

    # Waiting

    def leave(
        self, order: Order, trouble: object, caller: Caller, known: Callable[[Order], Facts] = lambda _: {}
    ) -> Order:
        """Leave the order to whoever comes next; store what is `known` of it by now, and why it waits.

        Raises NotSettledError, unless the order was settled meanwhile.
        """
        log.info(
            "the order is not settled; it is tried again later", extra={**_ids_of(order), **name_of(trouble)}
        )
        if isinstance(trouble, AuthenticationError):
            faults = {"faults": trouble.faults} if isinstance(trouble, AccountError) else {}
            log.warning("the carrier account cannot be used", extra={**_ids_of(order), **faults})
            count("CarrierAuthenticationFailed", carrier=order.carrier)
        attempt = 1 + (order.waiting.attempts if order.waiting else 0)
        at_least = getattr(trouble, "retry_after", None)
        pause = pause_after(attempt, self.settings, roll=self.roll(), at_least=at_least)
        due = self._queued if caller.queues and self._enqueue(order, pause) else caller.due

        def decide(current: Order) -> Change | None:
            at = self.clock()
            if not transitions.same_submission(current, order):
                return Change(after=current.changed(at=at, watch_at=due(current, at)))
            facts = known(current)
            facts["watch_at"] = due(msgspec.structs.replace(current, **facts), at)
            if isinstance(trouble, Submitted):
                return Change(after=current.changed(at=at, **facts))
            if isinstance(trouble, AuthenticationError):
                facts["attention"] = problems.locked_out(trouble)
            return transitions.held_up(
                current, trouble, at=at, next_attempt_at=at + pause, actor=caller.actor, **facts
            )

        left, _ = self._change(order, decide)
        if left.status not in OPEN:
            return left
        raise NotSettledError(left, pause, trouble=trouble)

    def _enqueue(self, order: Order, pause: timedelta) -> bool:
        """Whether the retry queue has the order now; if not, the sweep brings it there."""
        try:
            self.retries().enqueue(order, Action.CREATE, at=order.created_at, delay=pause.total_seconds())
        except (BotoCoreError, ClientError) as error:
            log.error("the retry could not be queued; the sweep queues it later", extra=name_of(error))
            return False
        return True

    def _soon(self, order: Order, at: datetime) -> datetime:  # noqa: ARG002 - as `Caller.due`
        return transitions.soon(self.settings, at)

    def _queued(self, order: Order, at: datetime) -> datetime:
        return transitions.retries_end(self.settings, order.created_at, at)

    # Common

    def _look_up(self, order: Order, caller: Caller) -> tuple[Carrier, OrderResult]:
        """What the carrier says of the order, unless it speaks of an earlier order of ours."""
        try:
            carrier = self.carrier(order, caller.deadline)
            result = look_up(carrier, order)
        except CarrierError as error:
            raise NotSettledError(self.leave(order, error, caller)) from None
        at_once = not isinstance(carrier, ConfirmsLater)
        if at_once and isinstance(result, Failed) and self._is_anothers(order, result.carrier_order_number):
            return carrier, NotFound()
        return carrier, result

    def _is_anothers(self, order: Order, number: str | None) -> bool:
        """Whether the carrier's order of that number is another order of ours."""
        if number is None or number == order.carrier_order_number:
            return False
        owner = self._orders(order).by_carrier_number(order.carrier, order.account, number)
        return owner not in (None, order.id)

    def _orders(self, order: Order) -> Orders:
        return self.table.tenant(order.tenant).orders

    def _change(
        self, order: Order, decide: Decide, *, among: Container[OrderStatus] = OPEN
    ) -> tuple[Order, bool]:
        """Write what `decide` makes of an order in one of these statuses; also whether it was written."""
        return transitions.settle(
            self._orders(order), order, lambda order: decide(order) if order.status in among else None
        )

    def _change_mine(self, mine: Order, decide: Decide) -> Order:
        """Write what `decide` makes of the order while it bears the mark that `mine` bears."""
        return transitions.apply(
            self._orders(mine),
            mine,
            lambda order: decide(order) if transitions.same_submission(order, mine) else None,
        )

    def _needs_attention(self, order: Order, problem: Problem) -> Order:
        """Make a person look at the order, if it is still open."""
        after, _ = self._change(
            order, lambda order: transitions.needs_attention(order, problem, at=self.clock())
        )
        return after

    def _side_by_side[T](self, work: Callable[[T], Order], things: Sequence[T]) -> list[Order]:
        if self.workers == 1 or len(things) < 2:
            return [work(thing) for thing in things]
        with ThreadPoolExecutor(self.workers) as pool:
            return [*pool.map(work, things)]


def look_up(carrier: Carrier, order: Order) -> OrderResult:
    """How the carrier says the order stands: by its number there where that is known and can be asked for."""
    if order.carrier_order_number is not None and isinstance(carrier, ConfirmsLater):
        return carrier.order_result(order)
    return carrier.find_by_reference(order)


def _is_hinted_at(order: Order) -> bool:
    """Whether anything but the lost create ever hinted that the carrier has the order."""
    submission = order.submission
    known = order.carrier_order_number is not None
    return known or submission.answered or submission.callback_at is not None


def _classed(error: Exception) -> CarrierError:
    """Only a CarrierError says that nothing came of a call; whatever else it was, something may have."""
    if isinstance(error, CarrierError):
        return error
    log.error(
        "a call to the carrier failed unexpectedly; its outcome is unknown", extra=safe_error_fields(error)
    )
    return UnknownOutcomeError(type(error).__name__)


def name_of(error: object) -> dict[str, str]:
    """What is logged of an error that is part of the work."""
    return {"error": type(error).__name__}


def _ids_of(order: Order) -> dict[str, str]:
    return {"tenant": order.tenant, "order_id": order.id, "carrier": order.carrier}

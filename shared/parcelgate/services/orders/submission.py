"""The submission engine: what each answer of a carrier means for an order. It is written only here.

The request, the batch worker, the retry queue and the workflow's functions all use `OrderSubmitter`. They
differ in who waits for the result (`Caller`), never in what an answer means.

An order is submitted once. Before the create is sent, a conditional write marks the order
(`submission.sending_at`); an order of a single request is stored with its mark. While the order bears the
mark, nobody else sends it. The mark is removed only when the carrier certainly has nothing.

=========================  ==================================================================================
answer to the create       what becomes of the order
=========================  ==================================================================================
confirmed                  `confirmed`, with its numbers and trackings
taken, decided later       keeps the mark and the carrier's number; the carrier is asked until it has decided
refused                    `failed`; the reference is free. `needs_attention` when an earlier create of ours
                           was lost and the carrier says that the reference is in use
some parcels refused       the accepted parcels are taken back, then `failed`; each refused parcel says why
may work later             the mark is removed; the order is sent again later
credentials not accepted   the same, and `attention` says so
unknown                    the mark stays; the carrier is asked before anything is sent again
=========================  ==================================================================================

=========================  ==================================================================================
answer to a look-up        what becomes of the order
=========================  ==================================================================================
confirmed                  `confirmed`, with its numbers and trackings
pending                    keeps the carrier's number, if it was given; asked again
failed                     what the carrier holds is taken back; only then the order is `failed`. A failure
                           with another order's number is that order's. For a carrier that answers at once
                           this order then counts as not found
not found                  asked again until it was said twice: first a minute after the sender must be dead,
                           then a minute later. Then the mark is removed and the order is sent again. But
                           `needs_attention` when anything shows that the carrier may have the order, or when
                           the carrier's look-up is not reliable (`ConfirmsLater.may_resend`)
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

When an order's time is over, it is given up: `needs_attention`, or no label (`give_up`). A late answer
(`reread`) can still confirm an order that needs attention, or let it fail. A failed order stays failed: a
late success only sets its `attention`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Sequence
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
    PausedError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.port import Cancels, Carrier, ConfirmsLater, CreatesInBatches
from parcelgate.carriers.results import Confirmed, Failed, Mismatch, NotFound, OrderResult, Pending, Submitted
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.ids import new_id
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import Actor, Order, OrderStatus, Submission
from parcelgate.domain.problems import CarrierWords, Problem
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.observability.metrics import count, duration
from parcelgate.services.accounts.carriers import usable
from parcelgate.services.orders import problems, transitions
from parcelgate.services.orders.retry_queues import Action
from parcelgate.services.orders.transitions import OPEN, Change, Decide
from parcelgate.services.redelivery import pause_after
from parcelgate.services.settings import Settings
from parcelgate.services.side_by_side import WORKERS, side_by_side
from parcelgate.store.errors import CarrierNumberTakenError, StoreError

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.services.orders.retry_queues import RetryQueues
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

type Facts = dict[str, Any]
"""Changed attributes of an order, by name."""

type CreateAnswer = Submitted | Confirmed | CarrierError
"""What a create can end in."""

SEND_SECONDS = 3.0
"""A create is not begun with less time left."""
_SAVE_SECONDS = 1.0
"""The part of the given time that is reserved to store the carrier's answer."""
_AFTERLIFE = timedelta(seconds=5)
"""How long a sender may still live after its time is over."""

AWS_TROUBLE = (StoreError, BotoCoreError, ClientError)
"""Trouble with AWS or the store, which passes."""


class NotSettledError(Exception):
    """The order (in its present version) is not settled yet. Try again after `pause`.

    `pause` is None when no pause was chosen. `trouble` is the reason, if there was one.
    """

    def __init__(self, order: Order, pause: timedelta | None = None, *, trouble: object = None) -> None:
        super().__init__("the order is not settled")
        self.order = order
        self.pause = pause
        self.trouble = trouble

    @property
    def words(self) -> CarrierWords | None:
        """The carrier's own words, if there are any."""
        return getattr(self.trouble, "words", None)


class FetchesLabels(Protocol):
    """What orders need of `labels.fetch.LabelFetcher`."""

    def fetch(self, tenant: str, order_id: str, deadline: Deadline | None) -> Order: ...  # noqa: D102


class Callback(NamedTuple):
    """How a carrier calls back: the address, the hash of its token, and the task token that waits."""

    url: str
    token_hash: str
    task_token: str | None


class Caller(NamedTuple):
    """Who works on an order.

    Parameters
    ----------
    deadline
        By when the carrier must have answered, and its answer be stored.
    due
        Gives the next deadline of an open order, from the order and the time until which its sender may
        live.
    queues
        Whether an order that is not settled must be put into the retry queue. Otherwise the caller itself
        comes again.
    least_seconds
        A create is not begun with less time left.
    callback
        For a carrier that confirms later.
    actor
        Who goes on with an unsettled order, for its audit trail.
    price
        Gives an order's price by a rate card that was read for many. None: it is read for each.
    """

    deadline: Deadline
    due: Callable[[Order, datetime], datetime]
    queues: bool = False
    least_seconds: float = SEND_SECONDS
    callback: Callback | None = None
    actor: Actor = Actor.RETRY
    price: Callable[[Order], Money | None] | None = None


class OrderSubmitter(msgspec.Struct, frozen=True, kw_only=True):
    """Submits orders, and applies what their carriers answer."""

    table: Table
    carriers: Carriers
    settings: Settings
    retries: Callable[[], RetryQueues]
    """The queues for orders that are not settled yet."""
    clock: Clock = now
    roll: Callable[[], float] = random.random
    workers: int = WORKERS
    """How many orders of a batch are stored side by side."""

    # For the request and the batch worker

    def submit(self, order: Order, deadline: Deadline) -> Order:
        """Send a stored order once, unless somebody has sent it. Returns the order as it is then.

        It is `confirmed`, `failed` or `needs_attention`, or it is still open (`accepted`, `processing`) and
        in its carrier's retry queue. Trouble with the carrier or the store raises nothing. By `deadline` the
        carrier must have answered and its answer be stored.
        """
        caller = self._at_once(deadline)
        return self._quietly(order, lambda: self._take_back(self.send(order, caller), caller))

    def mark_new(self, order: Order, deadline: Deadline) -> Change:
        """Mark an order that is not stored yet, for this function. `submit_marked` sends it once it is."""
        return self._marking(order, new_id("snd"), self._at_once(deadline))

    def submit_marked(self, order: Order, deadline: Deadline) -> Order:
        """Send an order that was stored with the mark of `mark_new`. Everything else is as in `submit`."""
        caller = self._at_once(deadline)

        def send() -> Order:
            try:
                carrier = self.carrier(order, deadline)
            except TransientError as error:
                return self.leave(order, error, caller, transitions.not_taken)
            return self._created(order, self._create(carrier, order, caller), caller)

        return self._quietly(order, lambda: self._take_back(send(), caller))

    def submit_many(self, orders: Sequence[Order], deadline: Deadline) -> list[Order]:
        """Send stored orders of one carrier account, in its largest requests. Returns them in their order.

        Each order is marked and stored by itself, and treated as by `submit`.
        """
        if not orders:
            return []
        try:
            carrier = self.carrier(orders[0], deadline)
        except TransientError:
            carrier = None
        if not isinstance(carrier, CreatesInBatches):
            return side_by_side(lambda order: self.submit(order, deadline), orders, workers=self.workers)
        after: list[Order] = []
        for some in batched(orders, carrier.create_batch, strict=False):
            after += self._submit_batch(carrier, some, self._at_once(deadline))
        return after

    # For the retry queue

    def resume(self, order: Order, deadline: Deadline) -> Order:
        """Do what an open order needs next: ask the carrier whether it has it, send it, or take it back.

        Raises NotSettledError while the order is not settled, and what the store raises.
        """
        caller = Caller(deadline, self._queued)
        if order.submission.sending_at is not None:
            order = self.ask(order, caller)
        if order.submission.sending_at is None:
            order = self.send(order, caller)
        return self._take_back(order, caller)

    def reread(self, order: Order, deadline: Deadline) -> Order:
        """Ask the carrier about an order that has failed or needs attention. Its present answer counts.

        Raises NotSettledError while the answer is not final, and CarrierError.
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
                # A person waits for the final answer, so ask again.
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
        """Mark the order and send it, unless somebody has. Returns the order as it is then.

        Raises NotSettledError when it is not settled, and what the store raises.
        """
        if order.status not in OPEN or order.submission.sending_at is not None:
            return order
        if (held := self.held(order)) is not None:
            # Without this, each look would mark the order and take the mark away again.
            return self.leave(order, held, caller)
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
        """Ask the carrier for a marked order, and apply its answer. Returns the order as it is then.

        The order may have no mark any more: send it then. Or it has `compensating_since`: take it back then.
        Raises NotSettledError while the carrier has not decided, and what the store raises.
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
        """Take back what the carrier took. Only then the order is failed.

        If the carrier has not reported the failure itself, it is asked first: a live order is never refunded.
        Raises NotSettledError until the carrier accepts, and what the store raises.
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
        """The carrier refuses the order. It fails, unless it was marked or settled meanwhile."""
        return self._change_mine(order, lambda order: transitions.refused(order, error, at=self.clock()))

    def fail(self, order: Order, problem: Problem) -> Order:
        """The order must not be bought. It fails, unless it was marked or settled meanwhile."""
        return self._change_mine(order, lambda order: transitions.failed(order, problem, at=self.clock()))

    def give_up(self, order: Order, reason: str, *, words: CarrierWords | None = None) -> Order:
        """Stop waiting for the carrier, and show that in the order.

        An open order becomes `needs_attention`. A confirmed order keeps its status, and its label becomes
        `unavailable`. Any other order is left as it is. `reason` is a problem code. A refund under way, and a
        create of unknown outcome, get their own codes instead.
        """
        return transitions.apply(
            self._orders(order),
            order,
            lambda order: transitions.given_up(order, reason, at=self.clock(), words=words),
        )

    def held(self, order: Order) -> PausedError | None:
        """The pause that still holds an order that met it before; None for any other order.

        Raises what the store raises.
        """
        return self.carriers.held_by(order) if transitions.is_paused(order) else None

    def carrier(self, order: Order, deadline: Deadline) -> Carrier:
        """The order's carrier. Raises HeldBackError when its account cannot be used."""
        return usable(self.carriers, order, deadline.minus(_SAVE_SECONDS))

    # Sending

    def _quietly(self, order: Order, work: Callable[[], Order]) -> Order:
        """The order after `work`. An order that is still open goes on by itself."""
        try:
            return work()
        except NotSettledError as error:
            return error.order
        except AWS_TROUBLE as error:
            # The stored order has its deadline for the sweep, and its mark if it was sent.
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

        marked = side_by_side(mark, orders, workers=self.workers)
        mine = [order for order in marked if order.submission.sender == sender]
        answers = self._create_many(carrier, mine, caller) if mine else []
        if any(isinstance(answer, Confirmed) and answer.price is None for answer in answers):
            card = transitions.rate_card(self.table, mine[0])
            caller = caller._replace(price=partial(transitions.price_by, card))
        stored = side_by_side(store, [*zip(mine, answers, strict=True)], workers=self.workers)
        after = {order.id: order for order in (*marked, *stored)}
        return [after[order.id] for order in orders]

    def _mark(self, order: Order, sender: str, caller: Caller) -> Order:
        """Mark the order for `sender`: from now on nobody else sends it."""

        def decide(order: Order) -> Change | None:
            return None if order.submission.sending_at else self._marking(order, sender, caller)

        return self._change(order, decide)[0]

    def _marking(self, order: Order, sender: str, caller: Caller) -> Change:
        at = self.clock()
        until = at + timedelta(seconds=max(caller.deadline.remaining(), 0.0)) + _AFTERLIFE
        submission = Submission(
            sending_at=at,
            first_sent_at=order.submission.first_sent_at or at,
            sender=sender,
            sender_until=until,
            lost=order.submission.lost,
            paused_until=order.submission.paused_until,
            task_token=caller.callback.task_token if caller.callback else None,
            callback_hash=caller.callback.token_hash if caller.callback else None,
        )
        due = caller.due(msgspec.structs.replace(order, submission=submission), until)
        return transitions.marked(order, submission, at=at, watch_at=due)

    def _create(self, carrier: Any, order: Order, caller: Caller) -> CreateAnswer:
        """Send a marked order. Returns the answer, or the error, as a value."""
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
        """Send marked orders together. If the carrier refuses the whole request, send each alone."""
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
        """Apply the carrier's answer to the create of a marked order."""
        at = self.clock()
        match answer:
            case Confirmed():
                due = transitions.workflow_ends(self.settings, at)
                return self._confirm(order, answer, due, price=caller.price)
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
        self,
        order: Order,
        result: Confirmed,
        watch_at: datetime,
        *,
        actor: Actor = Actor.WORKFLOW,
        price: Callable[[Order], Money | None] | None = None,
    ) -> Order:
        """Confirm the order, unless the carrier's number belongs to another order."""
        price = price or partial(transitions.rate_card_price, self.table)
        by_rate_card = None if result.price else price(order)
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
        """Store the carrier's number. From then on the carrier is asked by that number."""
        try:
            order, _ = self._change(
                order, lambda order: transitions.submitted(order, answer, at=self.clock()), among=OrderStatus
            )
        except CarrierNumberTakenError:
            return self._needs_attention(order, problems.conflict(answer.carrier_order_number))
        if order.status not in OPEN:
            return order
        if caller.callback is not None:
            # There is no trouble: the carrier will call back.
            raise NotSettledError(order)
        return self.leave(order, answer, caller)

    def _with_number(self, order: Order, number: str | None) -> Order:
        if number is None or order.carrier_order_number is not None:
            return order

        def decide(order: Order) -> Change | None:
            return None if order.carrier_order_number else transitions.found(order, number, at=self.clock())

        return self._change(order, decide, among=OrderStatus)[0]

    def _not_found(self, order: Order, carrier: Carrier) -> Order:
        """The carrier does not find the order. That counts only when said twice, after the sender is dead."""
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
        """Store that the carrier failed: what it holds must be taken back before the order is `failed`."""
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
        """Cancel what the carrier took of an order that it cannot carry out. Then the order is failed."""
        if order.status not in OPEN or order.submission.compensating_since is None:
            return order
        try:
            carrier = self.carrier(order, caller.deadline)
        except CarrierError as error:
            return self.leave(order, error, caller)
        later = isinstance(carrier, ConfirmsLater)
        if later and order.carrier_order_number is None:
            # There is no number by which the carrier could be asked to cancel, now or later.
            return self._needs_attention(order, problems.not_taken_back(order))
        try:
            if not isinstance(carrier, Cancels):
                raise RefusedError("the carrier does not cancel orders")
            cancellation = carrier.cancel(order, at=self.clock())
        except Exception as error:
            trouble = _classed(error)
            if isinstance(trouble, RefusedError) and not later:
                return self._needs_attention(order, problems.not_taken_back(order, trouble.words))
            return self.leave(order, trouble, caller)
        # Another function may have settled it meanwhile, or a client have it cancelled.
        return self._change(
            order,
            lambda order: transitions.taken_back(order, cancellation, at=self.clock()),
            among=(*OPEN, OrderStatus.NEEDS_ATTENTION),
        )[0]

    def _late_success(self, order: Order) -> Order:
        """A failed order stays failed. But a person must know that the carrier reports success."""

        def decide(order: Order) -> Change | None:
            if order.attention is not None and order.attention.code == "late_success":
                return None
            return transitions.attention(order, problems.late_success(), at=self.clock(), actor=Actor.CARRIER)

        return self._change(order, decide, among=(OrderStatus.FAILED,))[0]

    def _take_back_late(self, carrier: Cancels, order: Order, result: Failed) -> Order:
        """Take back an order that needed attention and whose failure is known now. Then it is failed."""
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
        """Store what is `known` by now and why the order waits. Queue it if the caller wants that.

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
        """Queue a retry. Returns whether that worked; if not, the sweep queues it later."""
        try:
            self.retries().enqueue(order, Action.CREATE, at=order.created_at, delay=pause.total_seconds())
        except (BotoCoreError, ClientError) as error:
            log.error("the retry could not be queued; the sweep queues it later", extra=name_of(error))
            return False
        return True

    def _at_once(self, deadline: Deadline) -> Caller:
        return Caller(deadline, self._soon, queues=True)

    def _soon(self, order: Order, at: datetime) -> datetime:  # noqa: ARG002 - as `Caller.due`
        return transitions.soon(self.settings, at)

    def _queued(self, order: Order, at: datetime) -> datetime:
        return transitions.retries_end(self.settings, order.created_at, at)

    # Common

    def _look_up(self, order: Order, caller: Caller) -> tuple[Carrier, OrderResult]:
        """Ask the carrier about the order. An answer about an earlier order of ours counts as not found."""
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
        """Whether the carrier's number belongs to another order of ours."""
        if number is None or number == order.carrier_order_number:
            return False
        owner = self._orders(order).by_carrier_number(order.carrier, order.account, number)
        return owner not in (None, order.id)

    def _orders(self, order: Order) -> Orders:
        return self.table.tenant(order.tenant).orders

    def _change(
        self, order: Order, decide: Decide, *, among: Container[OrderStatus] = OPEN
    ) -> tuple[Order, bool]:
        """Write what `decide` makes of an order in one of these statuses. Returns also whether it did."""
        return transitions.settle(
            self._orders(order), order, lambda order: decide(order) if order.status in among else None
        )

    def _change_mine(self, mine: Order, decide: Decide) -> Order:
        """Write what `decide` makes of the order, as long as it has the mark of `mine`."""
        return transitions.apply(
            self._orders(mine),
            mine,
            lambda order: decide(order) if transitions.same_submission(order, mine) else None,
        )

    def _needs_attention(self, order: Order, problem: Problem) -> Order:
        """Let the order need attention, if it is still open."""
        after, _ = self._change(
            order, lambda order: transitions.needs_attention(order, problem, at=self.clock())
        )
        return after


def look_up(carrier: Carrier, order: Order) -> OrderResult:
    """Ask the carrier how the order stands: by its number there, if it is known and can be used."""
    if order.carrier_order_number is not None and isinstance(carrier, ConfirmsLater):
        return carrier.order_result(order)
    return carrier.find_by_reference(order)


def _is_hinted_at(order: Order) -> bool:
    """Whether there is any sign, besides the lost create, that the carrier has the order."""
    submission = order.submission
    known = order.carrier_order_number is not None
    return known or submission.answered or submission.callback_at is not None


def _classed(error: Exception) -> CarrierError:
    """The error as a CarrierError. After any other error the outcome is unknown."""
    if isinstance(error, CarrierError):
        return error
    log.error(
        "a call to the carrier failed unexpectedly; its outcome is unknown", extra=safe_error_fields(error)
    )
    return UnknownOutcomeError(type(error).__name__)


def name_of(error: object) -> dict[str, str]:
    """The log field of an expected error."""
    return {"error": type(error).__name__}


def _ids_of(order: Order) -> dict[str, str]:
    return {"tenant": order.tenant, "order_id": order.id, "carrier": order.carrier}

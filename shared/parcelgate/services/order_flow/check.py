"""State CheckOrder: the carrier is asked how an order stands, and the order is settled by its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.errors import CarrierError
from parcelgate.carriers.port import ConfirmsLater
from parcelgate.carriers.results import Confirmed, Failed, Mismatch, NotFound, OrderResult, Pending
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Actor, Order, OrderStatus, Submission
from parcelgate.domain.problems import Problem
from parcelgate.observability.logs import log
from parcelgate.observability.metrics import count, duration
from parcelgate.services.order_flow import problems
from parcelgate.services.order_flow.states import (
    AWS_TROUBLE,
    OPEN,
    DeadlinePassed,
    NotSubmitted,
    OrderFailed,
    OrderPending,
    State,
    Visit,
    event,
    name_of,
)
from parcelgate.services.orders import deadlines, transitions
from parcelgate.services.orders.asking import ask
from parcelgate.services.orders.transitions import Change
from parcelgate.store.errors import CarrierNumberTakenError

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Remaining
    from parcelgate.store.orders import Orders


class CheckOrder(State):
    """Asks carriers, and settles orders."""

    def run(self, visit: Visit, remaining: Remaining) -> None:
        """Ask the carrier how the order stands, and settle it.

        Returns when nothing is left to be asked. Raises OrderPending (ask again), OrderFailed (the
        money is to be returned), NotSubmitted (to be sent) and DeadlinePassed.
        """
        try:
            self._check(visit, remaining)
        except OrderPending:
            if self.late(visit):
                raise DeadlinePassed(visit.order_id) from None
            raise
        except AWS_TROUBLE as error:
            log.warning("the check broke off", extra=name_of(error))
            raise (DeadlinePassed if self.late(visit) else OrderPending)(visit.order_id) from None

    def _check(self, visit: Visit, remaining: Remaining) -> None:
        orders = self.orders(visit)
        order = orders.get(visit.order_id)
        if order.status not in OPEN:
            return
        submission = order.submission
        if submission.compensating_since is not None:
            raise OrderFailed(order.id)
        if submission.sending_at is None:
            if self.late(visit):
                raise DeadlinePassed(order.id)
            raise NotSubmitted(order.id)
        if order.carrier_order_number is None and not self._sender_is_done(order):
            raise OrderPending("the sender may still be at work")
        try:
            carrier = self.carrier(order, remaining)
            result = ask(carrier, order)
        except CarrierError as error:
            log.info("cannot be asked", extra=name_of(error))
            raise OrderPending("the carrier cannot be asked") from None
        may_resend = isinstance(carrier, ConfirmsLater) and carrier.may_resend
        self.settle(orders, order, result, may_resend=may_resend)

    def _sender_is_done(self, order: Order) -> bool:
        submission = order.submission
        if submission.over_at is not None:
            return True
        return submission.sender_until is not None and self.parts.clock() >= submission.sender_until

    def settle(self, orders: Orders, order: Order, result: OrderResult, *, may_resend: bool = False) -> None:
        """Make of the order what the carrier's answer says."""
        try:
            match result:
                case Confirmed():
                    self._confirm(orders, order, result)
                case Pending():
                    self._adopt(orders, order, result.carrier_order_number)
                    raise OrderPending(result.reason)
                case Failed():
                    self.fail(orders, order, result)
                    raise OrderFailed(order.id)
                case NotFound():
                    self._not_found(orders, order, may_resend=may_resend)
                case Mismatch():
                    self._mismatch(orders, order, result)
        except CarrierNumberTakenError:
            number = None if isinstance(result, NotFound) else result.carrier_order_number
            self.raise_attention(orders, order, problems.conflict(number))

    def _confirm(self, orders: Orders, order: Order, result: Confirmed) -> None:
        def decide(order: Order) -> Change | None:
            if order.status is not OrderStatus.PROCESSING:
                return None
            at = self.parts.clock()
            due = deadlines.label(self.parts.settings, at)
            return transitions.confirmed(order, result, at=at, watch_at=due, new_id=new_id)

        after, confirmed = transitions.settle(orders, order, decide)
        if confirmed:
            taken = (after.updated_at - after.created_at).total_seconds()
            duration("TimeToConfirm", taken, carrier=after.carrier)

    def _adopt(self, orders: Orders, order: Order, number: str | None) -> None:
        """The carrier has the order after all, under `number`."""

        def decide(order: Order) -> Change | None:
            known = order.carrier_order_number is not None
            if number is None or known or order.status is not OrderStatus.PROCESSING:
                return None
            at = self.parts.clock()
            after = order.changed(at=at, carrier_order_number=number)
            return Change(after=after, event=event(at, "carrier.found", Actor.CARRIER))

        transitions.apply(orders, order, decide)

    def fail(self, orders: Orders, order: Order, result: Failed) -> None:
        """Start the refund's own clock. The order is `failed` only when the refund was accepted."""

        def decide(order: Order) -> Change | None:
            submission = order.submission
            if order.status is not OrderStatus.PROCESSING or submission.compensating_since is not None:
                return None
            at = self.parts.clock()
            after = order.changed(
                at=at,
                problem=transitions.failure(result.words),
                carrier_order_number=order.carrier_order_number or result.carrier_order_number,
                submission=msgspec.structs.replace(submission, compensating_since=at),
                watch_at=deadlines.refund(self.parts.settings, at),
            )
            return Change(after=after, event=event(at, "carrier.failed", Actor.CARRIER, words=result.words))

        after = transitions.apply(orders, order, decide)
        if after.submission.compensating_since is None:
            raise OrderPending("the order has moved on")
        count("RefundsOutstanding", carrier=after.carrier)

    def _not_found(self, orders: Orders, order: Order, *, may_resend: bool) -> None:
        """Believe the carrier only when it has said so twice, long after the sender's death."""
        interval = self.parts.settings.not_found_interval
        submission = order.submission
        at = self.parts.clock()
        if submission.sender_until is None or at < submission.sender_until + interval:
            raise OrderPending("too early to believe that there is no such order")
        if submission.not_found_at is None:
            self._remember_not_found(orders, order)
            raise OrderPending("not found once")
        if at < submission.not_found_at + interval:
            raise OrderPending("not found, to be asked once more")
        if may_resend and self._may_forget(order):
            self._forget(orders, order)
            raise NotSubmitted(order.id)
        self.raise_attention(orders, order, problems.outcome_unknown())

    @staticmethod
    def _may_forget(order: Order) -> bool:
        """Whether nothing but the lost create ever hinted that the carrier has the order."""
        submission = order.submission
        return (
            order.carrier_order_number is None and not submission.answered and submission.callback_at is None
        )

    def _remember_not_found(self, orders: Orders, order: Order) -> None:
        def decide(order: Order) -> Change | None:
            if order.status is not OrderStatus.PROCESSING or order.submission.not_found_at is not None:
                return None
            at = self.parts.clock()
            submission = msgspec.structs.replace(order.submission, not_found_at=at)
            return Change(
                after=order.changed(at=at, submission=submission),
                event=event(at, "carrier.not_found", Actor.CARRIER),
            )

        transitions.apply(orders, order, decide)

    def _forget(self, orders: Orders, order: Order) -> None:
        mine = order.submission.callback_hash

        def decide(order: Order) -> Change | None:
            processing = order.status is OrderStatus.PROCESSING
            if not processing or order.submission.callback_hash != mine or not self._may_forget(order):
                return None
            at = self.parts.clock()
            return Change(
                after=order.changed(at=at, submission=Submission()), event=event(at, "order.to_be_sent_again")
            )

        after = transitions.apply(orders, order, decide)
        if after.submission.sending_at is not None:
            raise OrderPending("a callback came in between")

    def _mismatch(self, orders: Orders, order: Order, result: Mismatch) -> None:
        problem = Problem(
            code="answer_mismatch", detail=f"The carrier's answer does not fit the order: {result.detail}."
        )

        def decide(order: Order) -> Change | None:
            if order.carrier_order_number is None and result.carrier_order_number is not None:
                order = msgspec.structs.replace(order, carrier_order_number=result.carrier_order_number)
            return self.attention(order, problem)

        transitions.settle(orders, order, decide)

"""One model of an order's life: anything may happen at any time, any number of times, and be cut off.

The real engine, its workflow, its functions and its sweep are driven by rules in any order: orders come, the
carrier answers as it likes, callbacks come late, twice or not at all, the client cancels, functions die at
any outward call, messages and starts are repeated, time passes. The carrier's own ledger is the judge.
"""

from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.problems import ProblemError
from parcelgate.services.orders.cancel import Canceller
from parcelgate.services.orders.retry_queues import Action
from tests.property.examples import many
from tests.support.faults import Killed, die, throttle, time_out
from tests.support.world import Behaviour, World, worlds

FORWARD: dict[str, set[str]] = {
    "accepted": {"processing", "cancelled", "failed", "needs_attention"},
    "processing": {"confirmed", "failed", "needs_attention"},
    "confirmed": {"cancelling"},
    "cancelling": {"cancelled", "confirmed", "needs_attention"},
    "needs_attention": {"confirmed", "failed", "cancelled"},
    "failed": set(),
    "cancelled": set(),
}
"""The contract: where each status leads."""


def ahead(status: str) -> set[str]:
    """Everything that a status may ever become."""
    found, fresh = {status}, {status}
    while fresh:
        fresh = {after for one in fresh for after in FORWARD[one]} - found
        found |= fresh
    return found


FAULTS = {"dies": die, "times out": time_out, "is throttled": lambda *, after: throttle()}
BEHAVIOURS = st.builds(
    Behaviour,
    fails=st.booleans(),
    lost=st.sampled_from([None, None, "answer", "request"]),
    refuses=st.sampled_from([False, False, False, True]),
    pending=st.integers(0, 3),
    no_label=st.integers(0, 3),
    callback_after=st.sampled_from([None, 0.5, 1.0, 400.0]),
    callback_is_early=st.booleans(),
    callbacks=st.integers(1, 3),
    refund_troubles=st.integers(0, 2),
)


class OrdersLife(RuleBasedStateMachine):
    """Up to three orders, one after the other, and everything that can befall them."""

    @initialize()
    def open(self) -> None:
        self._worlds = worlds()
        self.world: World = self._worlds.__enter__()()
        self.world.sweep_seconds = 1800.0
        self.world.start_sweeping()
        self.orders: list[Order] = []
        self.before: dict[str, str] = {}

    @precondition(lambda self: len(self.orders) < 3)
    @rule(behaviour=BEHAVIOURS)
    def place(self, behaviour: Behaviour) -> None:
        self.world.fake.behaviour = behaviour
        with suppress(Killed, ClientError):
            self.orders.append(self.world.place(f"R-{len(self.orders)}"))

    @rule(seconds=st.sampled_from([0.5, 5.0, 90.0, 700.0, 4_000.0, 40_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.run(until=lambda: False, hours=seconds / 3600)
        self.world.stream()

    @rule(calls=st.integers(1, 12), after=st.booleans(), kind=st.sampled_from(sorted(FAULTS)))
    def something_fails_soon(self, calls: int, after: bool, kind: str) -> None:
        faults = self.world.faults
        faults.at(len(faults.calls) + calls, FAULTS[kind](after=after))

    @precondition(lambda self: self.world.fake.urls)
    @rule(data=st.data())
    def the_carrier_calls_back(self, data: st.DataObject) -> None:
        self.world.call_back(data.draw(st.sampled_from(self.world.fake.urls)))

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def the_workflow_is_started_again(self, data: st.DataObject) -> None:
        with suppress(Killed, ClientError):
            self.world.start(data.draw(st.sampled_from(self.orders)))

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def a_second_sender_has_an_old_copy(self, data: st.DataObject) -> None:
        """Lambda may run an invocation twice, and what it read before may be old."""
        order = data.draw(st.sampled_from(self.orders))
        with suppress(Killed):
            self.world.submitter.submit(order, self._soon())
        self.world.stream()

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), action=st.sampled_from([Action.REREAD, Action.CANCEL]))
    def a_message_comes_out_of_nowhere(self, data: st.DataObject, action: Action) -> None:
        order = data.draw(st.sampled_from(self.orders))
        with suppress(Killed, ClientError, Exception):
            self.world.submitter.retries().enqueue(order, action, at=order.created_at)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def the_client_cancels(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.orders))
        submitter = self.world.submitter
        canceller: Any = Canceller(
            table=submitter.table,
            carriers=submitter.carriers,
            retries=submitter.retries,
            settings=submitter.settings,
            clock=self.world.clock,
        )
        with suppress(Killed, ProblemError, Exception):
            canceller.cancel(order.tenant, order.id, self._soon())
        self.world.stream()

    @rule()
    def the_sweep_runs(self) -> None:
        with suppress(Killed):
            self.world._function("sweep")({})
        self.world.stream()

    # What holds at any moment

    @invariant()
    def nothing_is_bought_twice(self) -> None:
        commits = self.world.fake.commits
        assert len(commits) == len(set(commits)), "bought twice"

    @invariant()
    def no_status_goes_back(self) -> None:
        for order in self.orders:
            now = str(self.world.read(order).status)
            assert now in ahead(self.before.get(order.id, "accepted"))
            self.before[order.id] = now

    @invariant()
    def an_open_order_is_looked_after(self) -> None:
        for order in map(self.world.read, self.orders):
            if order.status in (OrderStatus.ACCEPTED, OrderStatus.PROCESSING, OrderStatus.CANCELLING):
                assert order.watch_at is not None, "nobody would ever look at it again"

    @invariant()
    def no_money_is_held_for_what_is_over(self) -> None:
        held = set(self.world.fake.money_held)
        for order in map(self.world.read, self.orders):
            if order.status.final:
                number = self.world.fake.orders.get(order.reference)
                # The carrier may have taken what was lost on the way: then a person was called.
                assert number not in held or order.attention is not None, "money is held"

    def teardown(self) -> None:
        """In the end every order is settled, or a person has it."""
        if not hasattr(self, "world"):
            return
        try:
            self.world.faults.forget()
            self.world.clock.run(until=lambda: False, hours=40)
            self.world.stream()
            for order in map(self.world.read, self.orders):
                assert order.status not in (
                    OrderStatus.ACCEPTED,
                    OrderStatus.PROCESSING,
                    OrderStatus.CANCELLING,
                ), f"still {order.status} after 40 hours"
                if order.status in (OrderStatus.FAILED, OrderStatus.NEEDS_ATTENTION):
                    assert order.problem is not None
            self.nothing_is_bought_twice()
            self.no_money_is_held_for_what_is_over()
        finally:
            self._worlds.__exit__(None, None, None)

    def _soon(self) -> Deadline:
        return Deadline(lambda: 60.0)


TestOrdersLife = OrdersLife.TestCase
TestOrdersLife.settings = many(4, stateful_step_count=12)

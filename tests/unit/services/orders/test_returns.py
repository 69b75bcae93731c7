"""Sending an order back: the carrier is asked once, and a lost answer is told and never guessed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.errors import (
    AuthenticationError,
    Refusal,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Label, LabelStatus, Order, OrderStatus
from parcelgate.domain.problems import CarrierWords, ProblemError
from parcelgate.services.orders import transitions
from parcelgate.services.orders.change import LONGEST_CHANGE, Amendment, OrderChanger
from parcelgate.services.orders.create import Draft
from parcelgate.services.orders.returns import OrderReturner
from parcelgate.services.settings import Settings
from parcelgate.store.table import Table
from tests.support.clock import FakeClock
from tests.support.fast_dynamodb import dynamodb
from tests.support.faults import Faults, Killed, die
from tests.support.orders import an_event, an_order
from tests.support.table import TABLE_NAME, table
from tests.support.world import ENVIRONMENT

__all__ = ["dynamodb", "table"]

SETTINGS = Settings(ENVIRONMENT)


class Carrier:
    """Sends orders back, or does what a test says."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        self.asked = 0
        self.number: str | None = None

    def send_back(self, order: Order) -> str | None:
        self.asked += 1
        self.meanwhile()
        if self.trouble is not None:
            raise self.trouble
        return self.number

    def update(self, order: Order) -> Any:
        raise AssertionError("no change gets this far")


class Setup:
    """A returner with one confirmed order before it."""

    def __init__(self, table: Table) -> None:
        self.table, self.clock, self.carrier = table, FakeClock(), Carrier()
        self.orders = table.tenant("acme").orders
        order = an_order(carrier="lme")
        self.orders.add(order, an_event())
        parcel = msgspec.structs.replace(order.parcels[0], tracking_number="T-1", tracking_id="trk_1")
        self.order = self.put(
            order,
            status=OrderStatus.CONFIRMED,
            parcels=(parcel,),
            carrier_order_number="N-1",
            label=Label(status=LabelStatus.READY),
            watch_at=None,
        )

    def over(self, table: Table) -> OrderReturner:
        carriers: Any = self
        return OrderReturner(table=table, carriers=carriers, settings=SETTINGS, clock=self.clock)

    def of(self, *_: Any) -> Any:
        return self.carrier

    def put(self, order: Order, **facts: Any) -> Order:
        after = msgspec.structs.replace(order, version=order.version + 1, **facts)
        self.orders.save(order, after)
        return after

    def read(self) -> Order:
        return self.orders.get(self.order.id)

    def send_back(self, returner: OrderReturner | None = None) -> Order:
        returner = returner or self.over(self.table)
        return returner.send_back("acme", self.order.id, Deadline.after(8))

    def refused(self) -> ProblemError:
        with pytest.raises(ProblemError) as caught:
            self.send_back()
        return caught.value

    def trail(self) -> list[str]:
        return [event.type for event in self.orders.events(self.order.id)]


@pytest.fixture
def setup(table: Table, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Parcelgate")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    return Setup(table)


def taken_at(order: Order) -> Any:
    return order.return_request and order.return_request.taken_at


def test_the_carrier_is_asked_once_however_often_the_client_asks(setup: Setup) -> None:
    setup.carrier.number = "R-1"

    first = setup.send_back()
    setup.clock.sleep(86_400)
    again = setup.send_back()

    assert setup.carrier.asked == 1
    assert again == first
    assert taken_at(first) == first.updated_at
    assert (first.status, first.watch_at, first.attention) == (OrderStatus.CONFIRMED, None, None)
    event = setup.orders.events(first.id)[-1]
    assert (event.type, event.actor, event.detail) == ("order.return_requested", "client", "R-1")


def test_the_order_is_marked_before_the_carrier_is_asked_and_nobody_else_asks(setup: Setup) -> None:
    marks: list[Order] = []
    others: list[ProblemError] = []

    def meanwhile() -> None:
        marks.append(setup.read())
        others.append(setup.refused())

    setup.carrier.meanwhile = meanwhile

    setup.send_back()

    (marked,) = marks
    assert marked.return_request is not None
    assert marked.watch_at == marked.return_request.asking_until
    assert marked.updated_at == setup.order.updated_at
    assert (others[0].problem.code, others[0].problem.status) == ("cannot_change", 409)
    assert others[0].retry_after
    assert setup.carrier.asked == 1


def test_an_order_is_not_changed_while_its_return_is_asked_for(setup: Setup) -> None:
    carriers: Any = setup
    changer = OrderChanger(table=setup.table, carriers=carriers, settings=SETTINGS, clock=setup.clock)
    amendment = Amendment(lambda order: Draft(order), metadata_only=False)
    refused: list[ProblemError] = []

    def meanwhile() -> None:
        with pytest.raises(ProblemError) as caught:
            changer.change("acme", setup.order.id, amendment, Deadline.after(8))
        refused.append(caught.value)

    setup.carrier.meanwhile = meanwhile

    setup.send_back()

    assert [error.problem.code for error in refused] == ["cannot_change"]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (TransientError("busy", retry_after=7), "carrier_unavailable"),
        (AuthenticationError("who?"), "carrier_unavailable"),
        (RefusedError("no", reason=Refusal.ALREADY_CLOSED), "cannot_change"),
    ],
)
def test_what_certainly_did_nothing_leaves_the_order_as_it_was(
    setup: Setup, trouble: Exception, code: str, waits: bool
) -> None:
    if waits:
        setup.order = setup.put(setup.order, label=Label(), watch_at=setup.clock.now)
    setup.carrier.trouble = trouble

    assert setup.refused().problem.code == code

    order = setup.read()
    due = transitions.workflow_ends(SETTINGS, setup.clock.now) if waits else None
    assert order == msgspec.structs.replace(setup.order, version=order.version, watch_at=due)
    setup.carrier.trouble = None
    assert taken_at(setup.send_back())


@pytest.mark.parametrize("trouble", [UnknownOutcomeError("lost"), ValueError("a mistake of ours")])
def test_a_lost_answer_is_told_and_the_client_may_ask_again(setup: Setup, trouble: Exception) -> None:
    setup.carrier.trouble = trouble
    with pytest.raises((ProblemError, ValueError)):
        setup.send_back()

    order = setup.read()
    assert (order.status, taken_at(order), order.watch_at) == (OrderStatus.CONFIRMED, None, None)
    assert order.attention is not None
    assert order.attention.code == "return_unknown"
    assert setup.trail()[-1] == "order.attention"
    setup.carrier.trouble = None
    after = setup.send_back()
    assert (after.attention, setup.carrier.asked) == (None, 2)
    assert taken_at(after)


def test_a_lost_answer_is_not_called_a_refusal(setup: Setup) -> None:
    setup.carrier.trouble = UnknownOutcomeError("lost")

    error = setup.refused()

    assert (error.problem.code, error.problem.status) == ("carrier_unavailable", 503)
    assert error.retry_after
    assert "answer was lost" in error.problem.detail


def test_a_refusal_after_a_lost_answer_proves_nothing(setup: Setup) -> None:
    """The carrier may refuse the second request because it has taken the first."""
    setup.carrier.trouble = UnknownOutcomeError("lost")
    setup.refused()
    setup.carrier.trouble = RefusedError("no", words=CarrierWords("lme", "1", "no"))

    error = setup.refused()

    assert error.problem.carrier == CarrierWords("lme", "1", "no")
    order = setup.read()
    assert order.attention is not None
    assert order.attention.code == "return_unknown"
    assert order.return_request is not None
    assert order.return_request.lost


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("accepted", "not_yet_confirmed"),
        ("processing", "not_yet_confirmed"),
        ("cancelling", "order_not_live"),
        ("cancelled", "order_not_live"),
        ("failed", "order_not_live"),
        ("needs_attention", "order_not_live"),
    ],
)
def test_only_a_confirmed_order_is_sent_back(setup: Setup, status: str, code: str) -> None:
    setup.put(setup.order, status=OrderStatus(status))

    error = setup.refused()

    assert (error.problem.code, error.problem.status) == (code, 409)
    assert setup.carrier.asked == 0


def test_what_the_carrier_took_is_remembered_though_the_order_is_being_cancelled(setup: Setup) -> None:
    setup.carrier.meanwhile = lambda: setup.put(
        setup.read(), status=OrderStatus.CANCELLING, watch_at=setup.clock.now
    )

    after = setup.send_back()

    assert (after.status, after.watch_at) == (OrderStatus.CANCELLING, setup.clock.now)
    assert taken_at(after)


def test_a_label_that_comes_meanwhile_leaves_the_deadline_of_the_return(setup: Setup) -> None:
    setup.order = setup.put(setup.order, label=Label(), watch_at=setup.clock.now)
    stored: list[Order] = []

    def ready(order: Order) -> Any:
        return transitions.label_ready(order, Label(status=LabelStatus.READY), at=setup.clock.now)

    def meanwhile() -> None:
        stored.append(transitions.apply(setup.orders, setup.read(), ready))

    setup.carrier.meanwhile = meanwhile

    after = setup.send_back()

    assert stored[0].return_request is not None
    assert stored[0].watch_at == stored[0].return_request.asking_until
    assert after.watch_at is None


def test_wherever_the_function_dies_the_order_says_what_is_unknown(setup: Setup, dynamodb: Any) -> None:
    n, finished = 0, False
    while not finished:
        n += 1
        for after in (False, True):
            setup.put(setup.read(), return_request=None, attention=None, watch_at=None)
            faults = Faults().at(n, die(after=after))
            asked = setup.carrier.asked
            try:
                setup.send_back(setup.over(Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)))
                finished = True
                faults.forget()  # they come after the last call
            except Killed:
                pass
            order = setup.read()
            if taken_at(order) is None:
                was_asked = setup.carrier.asked > asked
                is_marked = order.return_request is not None
                assert is_marked or not was_asked
                if is_marked:
                    assert order.watch_at is not None
                    assert order.watch_at <= setup.clock.now + LONGEST_CHANGE + timedelta(seconds=1)
                    assert setup.refused().problem.code == "cannot_change"
                setup.clock.sleep(LONGEST_CHANGE.total_seconds() + 1)
            assert taken_at(setup.send_back())
    assert n > 3

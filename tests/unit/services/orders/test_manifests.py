"""Closing orders: each for itself, and asking again settles whatever a death or a lost answer left open."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.errors import (
    CarrierError,
    Refusal,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.manifests import Manifest
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.problems import ProblemError
from parcelgate.services.orders.manifests import LONGEST_CLOSING, ManifestMaker, ManifestRequest
from parcelgate.services.orders.reader import OrderReader
from parcelgate.store.errors import ManifestNotFoundError
from parcelgate.store.table import Table
from tests.support.clock import FakeClock
from tests.support.fast_dynamodb import dynamodb
from tests.support.faults import Faults, Killed, die
from tests.support.orders import an_event, an_order
from tests.support.table import TABLE_NAME, table

__all__ = ["dynamodb", "table"]


class Carrier:
    """Closes orders once, and refuses one that is closed, as UBI does; or does what a test says."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.loses: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        self.no: set[str] = set()
        self.closed: set[str] = set()
        self.asked: list[list[str]] = []

    def close(self, orders: Sequence[Order]) -> list[CarrierError | None]:
        self.asked.append([order.reference for order in orders])
        self.meanwhile()
        if self.trouble is not None:
            raise self.trouble
        answers = [self._close(order.reference) for order in orders]
        if self.loses is not None:
            raise self.loses
        return answers

    def _close(self, reference: str) -> CarrierError | None:
        if reference in self.closed or reference in self.no:
            return RefusedError("no", reason=Refusal.NOT_PERMITTED)
        self.closed.add(reference)
        return None


class Setup:
    """A maker with orders before it."""

    def __init__(self, table: Table) -> None:
        self.table, self.clock, self.carrier = table, FakeClock(), Carrier()
        self.orders = table.tenant("acme").orders

    def over(self, table: Table) -> ManifestMaker:
        carriers: Any = self
        return ManifestMaker(table=table, carriers=carriers, clock=self.clock)

    def of(self, *_: Any) -> Any:
        return self.carrier

    def order(self, reference: str) -> Order:
        order = an_order(carrier="ubi", reference=reference)
        self.orders.add(order, an_event())
        after = msgspec.structs.replace(order, version=2, status=OrderStatus.CONFIRMED, watch_at=None)
        self.orders.save(order, after)
        return after

    def close(self, *orders: Order, maker: ManifestMaker | None = None) -> Manifest:
        ids = tuple(order.id for order in orders)
        request = ManifestRequest(carrier="ubi", account="default", order_ids=ids)
        return (maker or self.over(self.table)).close("acme", request, Deadline.after(8))

    def read(self, manifest_id: str, tenant: str = "acme") -> Manifest:
        return OrderReader(self.table).manifest(tenant, manifest_id)

    def manifest_of(self, order: Order) -> str | None:
        return self.orders.get(order.id).manifest_id


@pytest.fixture
def setup(table: Table, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Parcelgate")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    return Setup(table)


def codes(manifest: Manifest) -> list[str | None]:
    return [entry.problem.code if entry.problem else None for entry in manifest.entries]


def test_a_manifest_is_read_again_as_it_was_answered(setup: Setup) -> None:
    setup.carrier.no = {"R-2"}
    first, second = setup.order("R-1"), setup.order("R-2")

    made = setup.close(first, second)

    assert codes(made) == [None, "refused_by_carrier"]
    assert setup.read(made.id).entries == made.entries
    with pytest.raises(ManifestNotFoundError):
        setup.read(made.id, tenant="other")
    with pytest.raises(ManifestNotFoundError):
        setup.read("man_nobody")


def test_an_order_that_is_closed_later_is_shown_as_it_is_now(setup: Setup) -> None:
    setup.carrier.no = {"R-2"}
    first, second = setup.order("R-1"), setup.order("R-2")
    made = setup.close(first, second)
    setup.carrier.no = set()

    later = setup.close(second)

    assert codes(setup.read(made.id)) == [None, None]
    assert setup.manifest_of(second) == later.id


def test_the_manifest_is_stored_before_the_carrier_is_asked(setup: Setup) -> None:
    order = setup.order("R-1")
    others: list[Manifest] = []

    def another() -> None:
        setup.carrier.meanwhile = lambda: None
        others.append(setup.close(order))

    setup.carrier.meanwhile = another

    made = setup.close(order)

    assert codes(others[0]) == ["carrier_unavailable"]
    assert setup.carrier.asked == [["R-1"]], "two requests do not ask at once"
    assert setup.manifest_of(order) == made.id
    assert codes(setup.read(others[0].id)) == [None]


def test_an_order_whose_answer_was_lost_is_closed_by_the_manifest_that_closed_it(setup: Setup) -> None:
    order = setup.order("R-1")
    setup.carrier.loses = UnknownOutcomeError("lost")
    with pytest.raises(ProblemError) as caught:
        setup.close(order)
    assert caught.value.problem.code == "carrier_unavailable"
    setup.carrier.loses = None

    again = setup.close(order)

    assert codes(again) == [None]
    closed_by = setup.manifest_of(order)
    assert closed_by not in (None, again.id)
    assert codes(setup.read(closed_by or "")) == [None]


@pytest.mark.parametrize("trouble", [TransientError("busy"), RefusedError("no")])
def test_a_refusal_is_one_when_nothing_was_lost_before(setup: Setup, trouble: CarrierError) -> None:
    order = setup.order("R-1")
    setup.carrier.trouble = trouble
    with pytest.raises(ProblemError):
        setup.close(order)
    setup.carrier.trouble, setup.carrier.no = None, {"R-1"}

    assert codes(setup.close(order)) == ["refused_by_carrier"]
    assert setup.manifest_of(order) is None


def test_other_refusals_are_believed_after_a_lost_answer_too(setup: Setup) -> None:
    order = setup.order("R-1")
    setup.carrier.trouble = UnknownOutcomeError("lost")
    with pytest.raises(ProblemError):
        setup.close(order)
    setup.carrier.trouble = RefusedError("no", reason=Refusal.UNKNOWN_ORDER)

    with pytest.raises(ProblemError) as caught:
        setup.close(order)

    assert caught.value.problem.code == "refused_by_carrier"
    assert setup.manifest_of(order) is None


def test_wherever_the_function_dies_asking_again_closes_the_orders(setup: Setup, dynamodb: Any) -> None:
    n, finished = 0, False
    while not finished:
        n += 1
        for after in (False, True):
            orders = [setup.order(f"R-{n}-{after}-{place}") for place in (1, 2)]
            faults = Faults().at(n, die(after=after))
            store = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
            try:
                setup.close(*orders, maker=setup.over(store))
                finished = True
                faults.forget()  # they come after the last call
            except Killed:
                setup.clock.sleep(LONGEST_CLOSING.total_seconds() + 1)
            again = setup.close(*orders)
            assert codes(again) == [None, None], (n, after)
            for order in orders:
                manifest_id = setup.manifest_of(order)
                assert manifest_id is not None
                assert codes(setup.read(manifest_id)) == [None, None]
    assert n > 5


def test_more_orders_than_one_transaction_takes_are_closed(setup: Setup) -> None:
    orders = [setup.order(f"R-{place}") for place in range(120)]

    made = setup.close(*orders)

    assert set(codes(setup.read(made.id))) == {None}

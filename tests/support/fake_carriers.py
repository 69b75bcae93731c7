"""Carriers in memory: one that buys orders, and one that answers where parcels are."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from parcelgate.carriers.accounts import OfAccount
from parcelgate.carriers.errors import LabelPendingError, RefusedError, UnknownOutcomeError
from parcelgate.carriers.results import (
    Cancellation,
    Confirmed,
    Examination,
    Failed,
    LabelFile,
    NotFound,
    OrderResult,
    ParcelHistory,
    ParcelResult,
    Pending,
    Rate,
    Submitted,
)
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import CarrierWords
from parcelgate.domain.trackings import TrackingEvent
from tests.support.faults import Call

if TYPE_CHECKING:
    from tests.support.world import World

PDF = b"%PDF-1.4 a label"


class Behaviour(msgspec.Struct, kw_only=True):
    """What the carrier shall do with an order."""

    fails: bool = False
    lost: str | None = None
    """`answer`: commits, and the answer is lost. `request`: it never arrives. Both look alike to us."""
    refuses: bool = False
    pending: int = 0
    no_label: int = 0
    callback_after: float | None = 1.0
    callback_is_early: bool = False
    callbacks: int = 1
    refund_troubles: int = 0
    results: list[OrderResult | Exception] = []
    create_error: Exception | None = None
    labels: list[bytes] = []
    may_resend: bool = False


class FakeCarrier:
    """A carrier that confirms later, with a ledger of what was bought and what money it holds."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.behaviour = Behaviour()
        self.commits: list[str] = []
        self.orders: dict[str, str] = {}
        self.held: dict[str, bool] = {}
        self.urls: list[str] = []
        self.asked = 0
        self.price = Money(Decimal("9.90"), "USD")

    @property
    def may_resend(self) -> bool:
        return self.behaviour.may_resend

    def examine(self, order: Order) -> Examination:
        return Examination()

    def rates(self, order: Order) -> list[Rate]:
        return self._out("rates", lambda: [Rate(service=order.service or "", price=self.price)])

    def create(self, order: Order, *, callback_url: str | None = None) -> Submitted:
        return self._out("create", lambda: self._commit(order, callback_url or ""))

    def order_result(self, order: Order) -> OrderResult:
        return self._out("order_result", lambda: self._result(order))

    def find_by_reference(self, order: Order) -> OrderResult:
        return self._out("find_by_reference", lambda: self._result(order))

    def cancel(self, order: Order, *, at: Any) -> Cancellation:
        return self._out("cancel", lambda: self._refund(order))

    def label(self, order: Order) -> list[LabelFile]:
        return self._out("label", lambda: self._label(order))

    def track(self, tracking_numbers: Any) -> list[ParcelHistory]:
        return []

    @property
    def money_held(self) -> list[str]:
        return [number for number, held in self.held.items() if held]

    def _out[T](self, call: str, really: Callable[[], T]) -> T:
        return self._world.faults.make(Call("carrier", call, {}), really)

    def _commit(self, order: Order, url: str) -> Submitted:
        behaviour = self.behaviour
        if behaviour.create_error is not None:
            error, behaviour.create_error = behaviour.create_error, None
            raise error
        if behaviour.refuses:
            raise RefusedError("no", words=CarrierWords("fake", "77", "we do not go there"))
        if behaviour.lost == "request":
            behaviour.lost = None
            raise UnknownOutcomeError("nobody answered")
        number = f"N{len(self.commits) + 1}"
        self.commits.append(order.reference)
        self.orders[order.reference] = number
        self.held[number] = True
        self.urls.append(url)
        if behaviour.callback_is_early:
            self._world.call_back(url)
            self._world.sqs.deliver_now("https://sqs.test/inbox")
        elif behaviour.callback_after is not None:
            for repeat in range(behaviour.callbacks):
                self._world.clock.after(behaviour.callback_after + repeat, lambda: self._world.call_back(url))
        if behaviour.lost == "answer":
            raise UnknownOutcomeError("the answer was lost")
        return Submitted(carrier_order_number=number)

    def _result(self, order: Order) -> OrderResult:
        self.asked += 1
        behaviour = self.behaviour
        if behaviour.results:
            result = behaviour.results.pop(0)
            if isinstance(result, Exception):
                raise result
            return result
        number = order.carrier_order_number or self.orders.get(order.reference)
        if number is None:
            return NotFound()
        if behaviour.pending > 0:
            behaviour.pending -= 1
            return Pending(reason="1024", carrier_order_number=number)
        if behaviour.fails:
            return Failed(words=CarrierWords("fake", "1001", "cannot"), carrier_order_number=number)
        return self.confirmation(order, number)

    def confirmation(self, order: Order, number: str) -> Confirmed:
        return Confirmed(
            carrier_order_number=number,
            parcels=tuple(
                ParcelResult(reference=parcel.reference, tracking_number=f"{number}-{place}")
                for place, parcel in enumerate(order.parcels, 1)
            ),
            price=self.price,
        )

    def _refund(self, order: Order) -> Cancellation:
        if self.behaviour.refund_troubles > 0:
            self.behaviour.refund_troubles -= 1
            raise RefusedError("not now")
        assert order.carrier_order_number is not None
        self.held[order.carrier_order_number] = False
        return Cancellation(refund_status="confirmed", amount=self.price)

    def _label(self, order: Order) -> list[LabelFile]:
        behaviour = self.behaviour
        if behaviour.no_label > 0:
            behaviour.no_label -= 1
            raise LabelPendingError("1115")
        content = behaviour.labels.pop(0) if behaviour.labels else PDF
        return [
            LabelFile(reference=parcel.reference, format="pdf", content=content) for parcel in order.parcels
        ]


class FakeTracker:
    """A carrier that answers where parcels are.

    `histories` holds its answer for a number; a request for a number in `bad` fails; `errors` are raised
    first, one for each request; `meanwhile` happens during the next request.
    """

    def __init__(self) -> None:
        self.histories: dict[str, ParcelHistory] = {}
        self.bad: dict[str, Exception] = {}
        self.errors: list[Exception] = []
        self.requests: list[tuple[str, ...]] = []
        self.meanwhile: list[Callable[[], None]] = []

    def reports(self, number: str, *events: TrackingEvent, **more: Any) -> None:
        """Answer with these events when asked about a number."""
        self.histories[number] = ParcelHistory(tracking_number=number, events=events, **more)

    def track(self, numbers: Sequence[str]) -> list[ParcelHistory]:
        self.requests.append(tuple(numbers))
        if self.meanwhile:
            self.meanwhile.pop(0)()
        if self.errors:
            raise self.errors.pop(0)
        for number in numbers:
            if number in self.bad:
                raise self.bad[number]
        return [self.histories[number] for number in numbers if number in self.histories]

    @property
    def numbers(self) -> list[str]:
        """Every number asked about, as often as it was asked about."""
        return [number for numbers in self.requests for number in numbers]


class OnlyCarrier:
    """In the place of `Carriers`: every account leads to this carrier."""

    def __init__(self, carrier: Any) -> None:
        self.carrier = carrier

    def of(self, subject: OfAccount, deadline: Deadline | None = None) -> Any:
        return self.carrier

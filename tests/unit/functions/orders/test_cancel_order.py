"""Cancelling: at once, with the carrier, later, or not at all; and never twice."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate import aws_clients
from parcelgate.carriers.errors import (
    AuthenticationError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Cancellation
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import Label, LabelStatus, Order, OrderStatus, Submission
from parcelgate.domain.problems import CarrierWords
from parcelgate.runtime import runtime
from parcelgate.services.orders.cancel import Canceller
from parcelgate.services.orders.retry_queues import RetryQueues
from parcelgate.services.settings import Settings
from tests.support.api import Backend, Reply, call
from tests.support.fake_carriers import OnlyCarrier
from tests.support.faults import Faults, aws_error
from tests.support.orders import NOON, an_event, an_order

ROUTE = "POST /v1/orders/{id}/cancel"
TAKEN_BACK = Cancellation(refund_status="requested", amount=Money(Decimal("12.84"), "USD"))


class Carrier:
    """A carrier that takes orders back, or does what a test says instead."""

    def __init__(self, outcome: Cancellation | Exception = TAKEN_BACK) -> None:
        self.outcome = outcome
        self.cancelled: list[str | None] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def cancel(self, order: Order, *, at: datetime) -> Cancellation:
        self.cancelled.append(order.carrier_order_number)
        self.meanwhile()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def use(backend: Backend, carrier: Any) -> None:
    """Have orders cancelled with `carrier`."""
    runtime.use(
        order_canceller=Canceller(
            table=backend.table,
            carriers=OnlyCarrier(carrier),
            retries=lambda: runtime.retry_queues,
            settings=Settings(),
        )
    )


@pytest.fixture
def carrier(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Carrier:
    carrier: Any = Carrier()

    use(backend, carrier)
    return carrier  # type: ignore[no-any-return]


def an_order_that_is(backend: Backend, status: OrderStatus, **facts: Any) -> Order:
    order = backend.put(an_order(), an_event())
    parcel = msgspec.structs.replace(order.parcels[0], tracking_number="1Z", tracking_id="trk_1")
    if status is OrderStatus.CONFIRMED:
        facts = {"carrier_order_number": "L1", "parcels": (parcel,)} | facts
    after = msgspec.structs.replace(order, status=status, version=2, **facts)
    backend.tenant().orders.save(order, after)
    return after


def cancel(order: Order, **more: Any) -> Reply:
    return call(ROUTE, id=order.id, **more)


class TestAnOrderThatTheCarrierNeverHad:
    def test_is_cancelled_at_once(self, backend: Backend, carrier: Carrier) -> None:
        order = backend.put(an_order(), an_event())

        reply = cancel(order)

        assert (reply.status, reply.json()["status"]) == (200, "cancelled")
        assert carrier.cancelled == []
        assert backend.order(order.id).watch_at is None
        assert backend.tenant().orders.by_reference("lso", "default", order.reference) is None

    def test_is_cancelled_at_once_while_its_carrier_is_down(self, backend: Backend, carrier: Carrier) -> None:
        order = an_order_that_is(backend, OrderStatus.PROCESSING)

        reply = cancel(order)

        assert (reply.status, reply.json()["status"]) == (200, "cancelled")
        assert carrier.cancelled == []
        assert backend.tenant().orders.by_reference("lso", "default", order.reference) is None

    @pytest.mark.parametrize("status", [OrderStatus.ACCEPTED, OrderStatus.PROCESSING])
    def test_is_not_believed_so_when_a_create_of_it_was_lost(
        self, status: OrderStatus, backend: Backend, carrier: Carrier
    ) -> None:
        order = an_order_that_is(backend, status, submission=Submission(lost=True))

        assert cancel(order).code == "not_yet_confirmed"

    def test_is_cancelled_also_when_it_needed_attention(self, backend: Backend, carrier: Carrier) -> None:
        reply = cancel(an_order_that_is(backend, OrderStatus.NEEDS_ATTENTION))

        assert (reply.status, reply.json()["status"]) == (200, "cancelled")
        assert carrier.cancelled == []


class TestAConfirmedOrder:
    def test_is_voided_with_the_carrier_and_the_money_asked_back(
        self, backend: Backend, carrier: Carrier
    ) -> None:
        order = an_order_that_is(backend, OrderStatus.CONFIRMED)

        reply = cancel(order)

        assert (reply.status, reply.json()["status"]) == (200, "cancelled")
        assert reply.json()["refund"]["status"] == "requested"
        assert reply.json()["refund"]["amount"] == {"amount": "12.84", "currency": "USD"}
        assert carrier.cancelled == ["L1"]
        trail = [event.type for event in backend.tenant().orders.events(order.id)]
        assert trail[-2:] == ["order.cancelling", "order.cancelled"]

    def test_is_cancelled_once_however_often_it_is_asked(self, backend: Backend, carrier: Carrier) -> None:
        order = an_order_that_is(backend, OrderStatus.CONFIRMED)

        replies = [cancel(order) for _ in range(3)]

        assert [reply.status for reply in replies] == [200, 200, 200]
        assert carrier.cancelled == ["L1"]

    def test_asked_twice_at_once_goes_to_the_carrier_once(self, backend: Backend, carrier: Carrier) -> None:
        order = an_order_that_is(backend, OrderStatus.CONFIRMED)
        second: list[Reply] = []
        carrier.meanwhile = lambda: second.append(cancel(order))

        first = cancel(order)

        assert (first.status, second[0].status) == (200, 202)
        assert second[0].json()["status"] == "cancelling"
        assert carrier.cancelled == ["L1"]

    @pytest.mark.parametrize(
        "trouble",
        [
            TransientError("down"),
            UnknownOutcomeError("lost"),
            AuthenticationError("who?"),
            ValueError("a mistake of ours"),
        ],
    )
    def test_goes_on_by_itself_when_the_carrier_has_trouble(
        self, trouble: Exception, backend: Backend, carrier: Carrier
    ) -> None:
        carrier.outcome = trouble
        order = an_order_that_is(backend, OrderStatus.CONFIRMED)

        reply = cancel(order)

        assert (reply.status, reply.json()["status"]) == (202, "cancelling")
        assert reply.headers["location"] == f"/v1/orders/{order.id}"
        (message,) = backend.retry_messages()
        assert (message["order_id"], message["action"]) == (order.id, "cancel")
        assert backend.order(order.id).watch_at is not None

    def test_is_left_to_the_sweep_when_even_the_queue_is_down(
        self, backend: Backend, carrier: Carrier
    ) -> None:
        carrier.outcome = TransientError("down")
        faults = Faults().on("send_message", aws_error("ServiceUnavailable"))
        aws_clients.put("sqs", faults.wrap(aws_clients.client("sqs"), "sqs"))
        runtime.use(retry_queues=RetryQueues(aws_clients.client("sqs"), Settings()))
        order = an_order_that_is(backend, OrderStatus.CONFIRMED)

        assert cancel(order).status == 202
        stored = backend.order(order.id)
        assert stored.status is OrderStatus.CANCELLING
        assert stored.watch_at is not None

    def test_is_confirmed_again_when_the_carrier_refuses(self, backend: Backend, carrier: Carrier) -> None:
        carrier.outcome = RefusedError("no", words=CarrierWords("LSO", "77", "already shipped"))
        order = an_order_that_is(backend, OrderStatus.CONFIRMED, label=Label(status=LabelStatus.READY))

        reply = cancel(order)

        assert (reply.status, reply.code) == (409, "cannot_cancel")
        assert reply.json()["carrier"]["code"] == "77"
        assert reply.json()["order_id"] == order.id
        shown = call("GET /v1/orders/{id}", id=order.id).json()
        assert (shown["status"], shown["problem"]["code"]) == ("confirmed", "cannot_cancel")
        assert backend.order(order.id).watch_at is None

    def test_is_looked_after_for_its_label_when_the_carrier_refuses(
        self, backend: Backend, carrier: Carrier
    ) -> None:
        carrier.outcome = RefusedError("no")
        order = an_order_that_is(backend, OrderStatus.CONFIRMED)

        cancel(order)

        assert backend.order(order.id).watch_at is not None

    def test_of_a_carrier_that_takes_nothing_back_stays(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stubborn: Any = object()

        use(backend, stubborn)
        order = an_order_that_is(backend, OrderStatus.CONFIRMED)

        reply = cancel(order)

        assert (reply.status, reply.code) == (422, "not_supported_by_carrier")
        assert backend.order(order.id).status is OrderStatus.CONFIRMED


class TestAnOrderThatCannotBeCancelled:
    def test_is_still_with_the_carrier(self, backend: Backend, carrier: Carrier) -> None:
        order = an_order_that_is(backend, OrderStatus.PROCESSING, submission=Submission(sending_at=NOON))

        reply = cancel(order)

        assert (reply.status, reply.code) == (409, "not_yet_confirmed")
        assert int(reply.headers["retry-after"]) > 0
        assert backend.order(order.id).status is OrderStatus.PROCESSING

    def test_has_failed(self, backend: Backend, carrier: Carrier) -> None:
        reply = cancel(an_order_that_is(backend, OrderStatus.FAILED))

        assert (reply.status, reply.code) == (409, "cannot_cancel")

    @pytest.mark.parametrize("sent", [Submission(sending_at=NOON), Submission(lost=True, first_sent_at=NOON)])
    def test_was_sent_and_nobody_knows_whether_the_carrier_has_it(
        self, backend: Backend, carrier: Carrier, sent: Submission
    ) -> None:
        order = an_order_that_is(backend, OrderStatus.NEEDS_ATTENTION, submission=sent)

        assert cancel(order).code == "cannot_cancel"
        assert carrier.cancelled == []

    def test_needed_attention_and_is_not_called_confirmed_when_the_carrier_refuses(
        self, backend: Backend, carrier: Carrier
    ) -> None:
        carrier.outcome = RefusedError("no")
        facts: dict[str, Any] = {"carrier_order_number": "L1", "submission": Submission(sending_at=NOON)}
        order = an_order_that_is(backend, OrderStatus.NEEDS_ATTENTION, **facts)

        assert cancel(order).code == "cannot_cancel"
        assert backend.order(order.id).status is OrderStatus.NEEDS_ATTENTION


class TestTheCall:
    def test_finds_no_order_of_others(self, backend: Backend, carrier: Carrier) -> None:
        order = an_order_that_is(backend, OrderStatus.CONFIRMED)

        reply = cancel(order, tenant="other", headers={"Idempotency-Key": "k"})

        assert (reply.status, reply.code) == (404, "not_found")
        assert carrier.cancelled == []
        assert backend.stored("idempotency") == []

    def test_wants_the_scope_for_writing(self, backend: Backend, carrier: Carrier) -> None:
        order = an_order_that_is(backend, OrderStatus.CONFIRMED)

        assert cancel(order, scopes="orders:read").code == "missing_scope"
        assert cancel(order, tenant=None).code == "invalid_key"
        assert carrier.cancelled == []

    def test_takes_nothing_but_an_empty_object(self, backend: Backend, carrier: Carrier) -> None:
        order = an_order_that_is(backend, OrderStatus.CONFIRMED)

        assert cancel(order, body={"why": "x"}).errors == {"/why": "unknown_field"}
        assert cancel(order, body=[]).errors == {"": "type"}
        assert cancel(order, body="{").code == "not_json"
        assert carrier.cancelled == []
        assert cancel(order, body={}).status == 200

    def test_with_an_idempotency_key_gives_the_first_answer_again(
        self, backend: Backend, carrier: Carrier
    ) -> None:
        order = an_order_that_is(backend, OrderStatus.CONFIRMED)
        key = {"Idempotency-Key": "k"}

        first, again = cancel(order, headers=key), cancel(order, headers=key, body={})

        assert (again.status, again.text) == (first.status, first.text)
        assert again.headers["idempotent-replayed"] == "true"

    def test_with_an_idempotency_key_does_not_keep_a_not_yet(
        self, backend: Backend, carrier: Carrier
    ) -> None:
        order = an_order_that_is(backend, OrderStatus.PROCESSING, submission=Submission(sending_at=NOON))
        key = {"Idempotency-Key": "k"}
        assert cancel(order, headers=key).code == "not_yet_confirmed"
        number = backend.order(order.id)
        ready = msgspec.structs.replace(
            number, status=OrderStatus.CONFIRMED, version=3, carrier_order_number="L1"
        )
        backend.tenant().orders.save(number, ready)

        assert cancel(order, headers=key).status == 200

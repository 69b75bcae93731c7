"""The adapter and the real transport against the carrier sandbox, over HTTP."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest

from parcelgate.carriers.accounts import AccountConfig, Connection
from parcelgate.carriers.errors import (
    AuthenticationError,
    LabelPendingError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.lso.adapter import Adapter as Lso
from parcelgate.carriers.results import Confirmed, Failed, NotFound, OrderResult, Pending
from parcelgate.domain.clock import now
from parcelgate.domain.measures import Weight, WeightUnit
from parcelgate.domain.orders import Order
from parcelgate.domain.trackings import TrackingStatus
from sandbox import Settings, serve
from tests.support.adapters import NOON, FakeVault, Impatient, dollars, lso_account, lso_order, lso_parcel

pytestmark = pytest.mark.usefixtures("no_kept_connections")

LOGIN = {"app_id": "app-7", "app_secret": "made-up"}


class Platform:
    """A running sandbox, seen from outside, and the adapter that talks to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control = httpx.Client(base_url=f"{url}/_sandbox")
        self.vault = FakeVault(None)
        self.carrier = self.adapter()

    def adapter(self, *, patience: float | None = None, **account: Any) -> Lso:
        config: AccountConfig = lso_account(**{"base_url": f"{self.url}/lso", "credentials": LOGIN} | account)
        return Lso(Connection(config, send=Impatient(patience), tokens=self.vault, clock=now))

    def fault(self, call: str, kind: str, **more: Any) -> None:
        fault = {"carrier": "lso", "call": call, "kind": kind} | more
        self.control.post("/faults", json=[fault]).raise_for_status()

    def ledger(self) -> Any:
        return self.control.get("/ledger").json()["lso"]

    def send(self, order: Order) -> Order:
        self.carrier.rates(order)
        taken = self.carrier.create(order)
        return msgspec.structs.replace(order, carrier_order_number=taken.carrier_order_number)

    def settled(self, order: Order) -> OrderResult:
        for _ in range(1000):
            found = self.carrier.order_result(order)
            if not isinstance(found, Pending):
                return found
            time.sleep(0.05)
        raise AssertionError("still pending")

    def finished(self) -> None:
        """Wait until the platform has finished its orders, without a call that it would answer."""
        for _ in range(3000):
            if all(order["status"] != "processing" for order in self.ledger()["orders"]):
                return
            time.sleep(0.02)
        raise AssertionError("still processing")

    def confirmed(self, order: Order) -> Order:
        order = self.send(order)
        found = self.settled(order)
        assert isinstance(found, Confirmed)
        parcels = [
            msgspec.structs.replace(parcel, tracking_number=result.tracking_number)
            for parcel, result in zip(order.parcels, found.parcels, strict=True)
        ]
        return msgspec.structs.replace(order, parcels=tuple(parcels), price=found.price)


@pytest.fixture(scope="module")
def running() -> Iterator[Platform]:
    settings = Settings(accounts={"lso": {"default": LOGIN}}, processing_seconds=0.1, acceleration=100_000)
    with serve(settings) as url:
        yield Platform(url)


@pytest.fixture
def platform(running: Platform) -> Platform:
    running.control.post("/reset").raise_for_status()
    running.vault = FakeVault(None)
    running.carrier = running.adapter()
    return running


def boxes(reference: str, count: int = 3) -> Order:
    parcels = [
        lso_parcel(f"{reference}-{place}", weight=Weight(Decimal(place * 700), WeightUnit.G))
        for place in range(1, count + 1)
    ]
    return lso_order(reference=reference, parcels=tuple(parcels))


def test_an_order_of_three_boxes_from_preview_to_delivery(platform: Platform) -> None:
    order = boxes("shop-1")
    (rate,) = platform.carrier.rates(order)
    order = platform.confirmed(order)
    assert order.price == rate.price
    labels = platform.carrier.label(order)
    assert [label.reference for label in labels] == ["shop-1-1", "shop-1-2", "shop-1-3"]
    assert {label.content[:5] for label in labels} == {b"%PDF-"}
    calls = platform.ledger()["calls"]
    assert (calls["getToken"], calls["orderCommit"]) == (1, 1)
    platform.control.post("/advance", json={"seconds": 86_400}).raise_for_status()
    histories = platform.carrier.track(order.tracking_numbers)
    assert [history.events[-1].status for history in histories] == [TrackingStatus.DELIVERED] * 3
    assert None not in {event.status for history in histories for event in history.events}
    (entry,) = platform.ledger()["orders"]
    assert [parcel["tracking_number"] for parcel in entry["parcels"]] == list(order.tracking_numbers)
    assert rate.price == dollars(entry["price"])


def test_without_a_preview_the_platform_takes_nothing(platform: Platform) -> None:
    with pytest.raises(RefusedError):
        platform.carrier.create(boxes("shop-2"))


def test_a_refused_order_says_why(platform: Platform) -> None:
    order = boxes("SBX-REJECT")
    platform.carrier.rates(order)
    with pytest.raises(RefusedError) as caught:
        platform.carrier.create(order)
    assert caught.value.words is not None
    assert "no LSO service" in caught.value.words.message


def test_a_failed_order_is_refunded_once_however_often_asked(platform: Platform) -> None:
    order = platform.send(boxes("SBX-FAIL"))
    found = platform.settled(order)
    assert isinstance(found, Failed)
    assert found.carrier_order_number == order.carrier_order_number
    for _ in range(2):
        assert platform.carrier.cancel(order, at=NOON).refund_status == "requested"
    assert Decimal(platform.ledger()["money"]["held"]) == 0


@pytest.mark.parametrize("word", ["SBX-LOST", "SBX-GARBAGE"])
def test_an_order_whose_answer_was_lost_is_found_by_its_reference(word: str, platform: Platform) -> None:
    order = boxes(word)
    platform.carrier.rates(order)
    with pytest.raises(UnknownOutcomeError):
        platform.carrier.create(order)
    found = platform.settled(order)
    assert isinstance(found, Confirmed)
    assert found.carrier_order_number == platform.ledger()["orders"][0]["order_number"]


@pytest.mark.parametrize("kind", ["reset_after", "half_body", "wrong_type", "status_500", "html_502"])
def test_no_fault_of_the_commit_is_taken_for_an_answer(kind: str, platform: Platform) -> None:
    order = boxes(f"shop {kind}")
    platform.carrier.rates(order)
    platform.fault("orderCommit", kind)
    with pytest.raises(UnknownOutcomeError):
        platform.carrier.create(order)
    taken = [entry["reference"] for entry in platform.ledger()["orders"]]
    asked = platform.carrier.find_by_reference(order)
    assert isinstance(asked, Confirmed | Pending if taken else NotFound)


def test_a_throttled_commit_took_nothing(platform: Platform) -> None:
    order = boxes("shop-3")
    platform.carrier.rates(order)
    platform.fault("orderCommit", "429", retry_after=7)
    with pytest.raises(TransientError) as caught:
        platform.carrier.create(order)
    assert caught.value.retry_after == 7
    assert platform.ledger()["orders"] == []


def test_a_commit_is_over_when_its_time_is(platform: Platform) -> None:
    order = boxes("SBX-SLOW-5")
    platform.carrier.rates(order)
    # Whoever waits for longer gets a good answer.
    with pytest.raises(UnknownOutcomeError):
        platform.adapter(patience=1).create(order)
    assert len(platform.ledger()["orders"]) == 1


def test_a_struck_token_is_renewed_wherever_it_is_noticed(platform: Platform) -> None:
    order = boxes("shop-4")
    platform.carrier.rates(order)
    platform.vault.token = "struck"
    taken = platform.carrier.create(order)
    platform.vault.token = "struck"
    assert taken.carrier_order_number
    assert isinstance(platform.settled(order), Confirmed)
    assert len(platform.ledger()["orders"]) == 1


def test_wrong_credentials_are_an_authentication_error(platform: Platform) -> None:
    wrong = platform.adapter(credentials=LOGIN | {"app_secret": "wrong"})
    with pytest.raises(AuthenticationError):
        wrong.rates(boxes("shop-5"))


def answered(carrier: Lso, order: Order) -> OrderResult | TransientError:
    """What the carrier says of an order, or the trouble with asking it."""
    try:
        return carrier.order_result(order)
    except TransientError as error:
        return error


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ("SBX-RESULT-404", NotFound),
        ("SBX-RESULT-500", TransientError),
        ("SBX-RESULT-HTML", TransientError),
        ("SBX-RESULT-1024", Pending),
        ("SBX-RESULT-1777", Failed),
    ],
)
def test_order_results_are_what_the_facts_say(word: str, first: type, platform: Platform) -> None:
    order = platform.send(boxes(word))
    platform.finished()
    assert isinstance(answered(platform.carrier, order), first)


def test_a_refused_token_at_the_result_is_renewed(platform: Platform) -> None:
    order = platform.send(boxes("SBX-RESULT-401"))
    assert isinstance(platform.settled(order), Confirmed)
    assert platform.ledger()["calls"]["getToken"] == 2


def test_an_unknown_reference_is_not_found(platform: Platform) -> None:
    assert platform.carrier.find_by_reference(boxes("never sent")) == NotFound()


@pytest.mark.parametrize("word", ["SBX-NOLABEL-2", "SBX-SPOILT-2"])
def test_a_label_that_is_not_there_yet_is_pending(word: str, platform: Platform) -> None:
    order = platform.confirmed(boxes(word))
    for _ in range(2):
        with pytest.raises((LabelPendingError, TransientError)):
            platform.carrier.label(order)
    assert len(platform.carrier.label(order)) == 3


def test_a_bad_label_is_pending_for_ever(platform: Platform) -> None:
    order = platform.confirmed(boxes("SBX-BADLABEL"))
    with pytest.raises(LabelPendingError):
        platform.carrier.label(order)


def test_labels_at_an_address_are_fetched(platform: Platform) -> None:
    order = platform.confirmed(boxes("SBX-LABELURL"))
    assert [label.content[:5] for label in platform.carrier.label(order)] == [b"%PDF-"] * 3


def test_disordered_journeys_are_read_like_any_others(platform: Platform) -> None:
    order = platform.confirmed(boxes("SBX-DISORDER", 1))
    platform.control.post("/advance", json={"seconds": 86_400}).raise_for_status()
    (history,) = platform.carrier.track(order.tracking_numbers)
    assert TrackingStatus.DELIVERED in {event.status for event in history.events}
    assert all(isinstance(event.at, datetime) for event in history.events)


@pytest.mark.parametrize(
    ("word", "statuses"),
    [
        ("SBX-ATTEMPT", ["attempt_failed", "in_transit", "out_for_delivery", "delivered"]),
        ("SBX-CUSTOMS", ["exception", *["in_transit"] * 3, "out_for_delivery", "delivered"]),
        ("SBX-PARCELLOST", ["exception"]),
        ("SBX-DAMAGED", ["exception", "exception"]),
        ("SBX-RETURN", ["attempt_failed", "exception", "returned"]),
        # A word in no table: shown, and never guessed.
        ("SBX-COLLECTPOINT", ["attempt_failed", None, "delivered"]),
    ],
)
def test_every_journey_ends_as_it_should(platform: Platform, word: str, statuses: list[str | None]) -> None:
    order = platform.confirmed(boxes(word, 1))
    platform.control.post("/advance", json={"seconds": 86_400}).raise_for_status()
    (history,) = platform.carrier.track(order.tracking_numbers)
    assert [event.status for event in history.events][-len(statuses) :] == statuses


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "half_body", "html_502", "429"])
@pytest.mark.parametrize("call", ["label", "refund", "tracking", "feePreview", "getToken"])
def test_no_fault_of_any_question_is_more_than_passing(call: str, kind: str, platform: Platform) -> None:
    order = platform.confirmed(boxes(f"shop {call} {kind}", 1))
    if call == "getToken":
        platform.vault.token = None
    platform.fault(call, kind)
    carrier = platform.carrier
    questions: dict[str, Callable[[], object]] = {
        "label": lambda: carrier.label(order),
        "refund": lambda: carrier.cancel(order, at=NOON),
        "tracking": lambda: carrier.track(order.tracking_numbers),
        "feePreview": lambda: carrier.rates(order),
        "getToken": lambda: carrier.rates(order),
    }
    with pytest.raises((TransientError, LabelPendingError)):
        questions[call]()


@pytest.mark.parametrize(
    "kind", ["reset_before", "reset_after", "half_body", "wrong_type", "status_500", "html_502", "429"]
)
def test_no_fault_of_the_order_result_settles_the_order(kind: str, platform: Platform) -> None:
    order = platform.confirmed(boxes(f"shop {kind}", 1))
    platform.fault("orderResult", kind)
    assert isinstance(answered(platform.carrier, order), Pending | TransientError)
    assert isinstance(platform.carrier.order_result(order), Confirmed)

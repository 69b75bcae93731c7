"""The label queue: labels come as soon as they can, once, and somebody hears of those that never come."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pypdf import PdfReader, PdfWriter

from parcelgate.carriers.errors import LabelPendingError, RefusedError, TransientError
from parcelgate.carriers.results import LabelFile
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.measures import Weight, WeightUnit
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus, Parcel
from parcelgate.domain.problems import CarrierWords, Problem
from parcelgate.runtime import runtime
from parcelgate.services.accounts.places import AccountPlaces
from parcelgate.services.labels.documents import LabelStore
from parcelgate.services.labels.fetch import LabelFetcher, LabelWorker
from parcelgate.services.redelivery import NotYetError, ReceivedMessage
from parcelgate.services.settings import Settings
from parcelgate.store.table import Table
from tests.support.aws import FakeS3
from tests.support.clock import FakeClock
from tests.support.fake_carriers import OnlyCarrier
from tests.support.fast_dynamodb import dynamodb
from tests.support.faults import Faults, aws_error
from tests.support.orders import an_event, an_order
from tests.support.table import TABLE_NAME, table
from tests.support.world import ENVIRONMENT

__all__ = ["dynamodb", "table"]


def pdf(width: int) -> bytes:
    out = io.BytesIO()
    with PdfWriter() as writer:
        writer.add_blank_page(width=width, height=432)
        writer.write(out)
    return out.getvalue()


class Carrier:
    """Gives a page for each parcel, backwards, or does what a test says first."""

    def __init__(self) -> None:
        self.troubles: list[Exception] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.asked = 0

    def label(self, order: Order) -> list[LabelFile]:
        self.asked += 1
        self.meanwhile()
        if self.troubles:
            raise self.troubles.pop(0)
        files = [
            LabelFile(reference=parcel.reference, format="pdf", content=pdf(100 * place))
            for place, parcel in enumerate(order.parcels, 1)
        ]
        return files[::-1]


class Visibility:
    """What the worker does to its message."""

    def __init__(self) -> None:
        self.seconds: list[int] = []

    def change_message_visibility(self, **given: Any) -> None:
        assert given["QueueUrl"] == "https://sqs.test/labels"
        assert given["ReceiptHandle"]
        self.seconds.append(given["VisibilityTimeout"])


class Setup:
    """A worker with one order before it."""

    def __init__(self, table: Table) -> None:
        self.clock, self.carrier, self.sqs, self.s3 = FakeClock(), Carrier(), Visibility(), FakeS3()
        self.orders = table.tenant("acme").orders
        weight = Weight(value=1, unit=WeightUnit.LB)  # type: ignore[arg-type]
        order = an_order(parcels=tuple(Parcel(reference=each, weight=weight) for each in ("a", "b")))
        self.orders.add(order, an_event())
        self.order = self.put(order, status=OrderStatus.CONFIRMED)
        settings = Settings(ENVIRONMENT | {"PARCELGATE_LABEL_QUEUE_URL": "https://sqs.test/labels"})
        store: Any = LabelStore(self.s3, "labels")  # type: ignore[arg-type]
        carrier: Any = self.carrier
        self.fetcher = LabelFetcher(
            table=table,
            carriers=OnlyCarrier(carrier),
            labels=lambda: store,
            clock=self.clock,
        )
        sqs: Any = self.sqs
        self.places = AccountPlaces(table=table, kind="labels", most=1, clock=self.clock)
        self.worker = LabelWorker(
            fetcher=self.fetcher,
            places=self.places,
            settings=settings,
            sqs=sqs,
            clock=self.clock,
            roll=lambda: 0.999,
        )
        self.since = self.clock.now

    def put(self, order: Order, **facts: Any) -> Order:
        after = msgspec.structs.replace(order, version=order.version + 1, **facts)
        self.orders.save(order, after)
        return after

    def read(self) -> Order:
        return self.orders.get(self.order.id)

    def work(self, receives: int = 1, body: str | None = None) -> None:
        job = {"tenant": "acme", "order_id": self.order.id, "since": self.since.isoformat()}
        delivery = ReceivedMessage(
            queue="labels",
            body=json.dumps(job) if body is None else body,
            receipt_handle="handle",
            receive_count=receives,
        )
        self.worker.work(delivery, Deadline.after(50))


@pytest.fixture
def setup(table: Table, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Parcelgate")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    return Setup(table)


def test_labels_are_merged_in_parcel_order_and_nobody_need_look_any_more(setup: Setup) -> None:
    setup.work()

    order = setup.read()
    assert (order.label.status, order.watch_at, order.attention) == (LabelStatus.READY, None, None)
    assert order.label.document is not None
    pages = PdfReader(io.BytesIO(setup.s3.objects[order.label.document.key])).pages
    assert [int(page.mediabox.width) for page in pages] == [100, 200]
    assert [event.type for event in setup.orders.events(order.id)][-1] == "label.ready"


def test_a_message_that_comes_twice_asks_the_carrier_once(setup: Setup) -> None:
    setup.work()
    setup.work()
    assert setup.carrier.asked == 1


@pytest.mark.parametrize("trouble", [LabelPendingError("1115"), TransientError("down"), RefusedError("no")])
def test_what_is_not_there_yet_comes_again_later_and_later(setup: Setup, trouble: Exception) -> None:
    setup.carrier.troubles = [trouble] * 3
    for receives in (1, 2, 30):
        with pytest.raises(NotYetError):
            setup.work(receives)
    setup.work(31)

    assert setup.sqs.seconds == [2, 4, 60]
    assert setup.read().label.status is LabelStatus.READY


def test_a_carrier_that_says_when_is_left_alone_until_then(setup: Setup) -> None:
    setup.carrier.troubles = [TransientError("slow down", retry_after=90)]
    with pytest.raises(NotYetError):
        setup.work()
    assert setup.sqs.seconds == [92]


def test_after_the_deadline_the_client_is_told_in_the_carrier_s_words(setup: Setup) -> None:
    words = CarrierWords("ubi", "100016", "label not printed")
    setup.carrier.troubles = [RefusedError("no", words=words)] * 2
    setup.clock.sleep(1799)
    with pytest.raises(NotYetError):
        setup.work(70)
    setup.clock.sleep(1)

    setup.work(71)

    order = setup.read()
    assert (order.status, order.label.status) == (OrderStatus.CONFIRMED, LabelStatus.UNAVAILABLE)
    assert order.attention is not None
    assert (order.attention.code, order.attention.carrier) == ("label_unavailable", words)
    assert order.watch_at is None


@pytest.mark.parametrize("facts", [{"ship_to": None}, {"changing_until": True}], ids=["changed", "changing"])
def test_a_label_of_an_order_that_was_changed_meanwhile_is_not_kept(setup: Setup, facts: Any) -> None:
    until = setup.clock.now + timedelta(minutes=2)
    if "changing_until" in facts:
        setup.carrier.meanwhile = lambda: setup.put(setup.order, changing_until=until)
    else:
        setup.carrier.meanwhile = lambda: setup.put(setup.order, label=setup.order.label.thrown_away())
    with pytest.raises(NotYetError):
        setup.work()
    setup.carrier.meanwhile = lambda: None

    assert setup.read().label.status is LabelStatus.PENDING
    setup.put(setup.read(), changing_until=None)
    setup.work()
    assert setup.read().label.status is LabelStatus.READY


def test_an_order_that_is_being_changed_is_not_asked_about(setup: Setup) -> None:
    setup.put(setup.order, changing_until=setup.clock.now + timedelta(minutes=2))
    with pytest.raises(NotYetError):
        setup.work()
    assert setup.carrier.asked == 0


def test_an_order_that_was_cancelled_wants_none(setup: Setup) -> None:
    setup.carrier.meanwhile = lambda: setup.put(setup.order, status=OrderStatus.CANCELLING)
    setup.work()
    assert setup.read().label.status is LabelStatus.PENDING


def test_trouble_of_another_kind_stays_when_the_label_comes(setup: Setup) -> None:
    trouble = Problem(code="change_unknown", detail="?")
    setup.put(setup.order, attention=trouble)
    setup.work()
    assert setup.read().attention == trouble


def test_trouble_with_the_store_brings_the_message_again(setup: Setup, dynamodb: Any) -> None:
    faults = Faults().on("get_item", aws_error("InternalServerError"))
    fetcher = LabelFetcher(
        table=Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME),
        carriers=OnlyCarrier(setup.carrier),  # type: ignore[arg-type]
        labels=lambda: None,  # type: ignore[arg-type, return-value]
    )
    settings = Settings(ENVIRONMENT | {"PARCELGATE_LABEL_QUEUE_URL": "https://sqs.test/labels"})
    setup.worker = LabelWorker(
        fetcher=fetcher,  # type: ignore[arg-type]
        places=setup.places,
        settings=settings,
        sqs=setup.sqs,  # type: ignore[arg-type]
        roll=lambda: 0.0,
    )
    with pytest.raises(NotYetError):
        setup.work()
    assert setup.sqs.seconds == [0]


def test_a_wait_that_cannot_be_explained_backs_off_all_the_same(setup: Setup, dynamodb: Any) -> None:
    setup.carrier.troubles = [TransientError("down")]
    faults = Faults().on("transact_write_items", aws_error("InternalServerError"), times=50)
    failing = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
    fetcher = msgspec.structs.replace(setup.fetcher, table=failing)
    setup.worker = msgspec.structs.replace(setup.worker, fetcher=fetcher)
    with pytest.raises(NotYetError):
        setup.work(2)
    assert setup.sqs.seconds == [4]


def test_a_message_that_cannot_be_read_spoils_no_other(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    from functions.label_order.handler import handler

    runtime.use(label_worker=setup.worker)
    good = json.dumps({"tenant": "acme", "order_id": setup.order.id, "since": setup.since.isoformat()})
    gone = json.dumps({"tenant": "acme", "order_id": "ord_gone", "since": setup.since.isoformat()})
    (sample,) = json.loads(Path("events/label_order.json").read_text())["Records"]
    bodies = {"bad": "{", "gone": gone, "good": good}
    records = [{**sample, "messageId": name, "body": body} for name, body in bodies.items()]

    class Context:
        aws_request_id = "request"

        def get_remaining_time_in_millis(self) -> int:
            return 50_000

    assert handler({"Records": records}, Context()) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert setup.read().label.status is LabelStatus.READY

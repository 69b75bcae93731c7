"""Label documents: the labels of many orders in one PDF, each in its place, and every missing one named."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pytest
from botocore.exceptions import ClientError

from functions.print_labels.handler import handler
from parcelgate import aws_clients
from parcelgate.carriers.results import LabelFile
from parcelgate.domain.orders import Label, LabelStatus, Order, OrderStatus
from parcelgate.runtime import runtime
from parcelgate.services.labels import printing
from parcelgate.services.labels.documents import LabelStore
from parcelgate.services.labels.printing import PrintoutWorker
from parcelgate.services.labels.printouts import PrintoutDesk, PrintoutViewer
from sandbox.parcels.labels import Label as SandboxLabel
from tests.support.api import BUCKET, TENANT, Backend, Body, Context, Reply, call, messages
from tests.support.clock import FakeClock
from tests.support.orders import an_event, an_order
from tests.support.printed import barcodes, image_label, jpg_label, pdf_label

ASK = "POST /v1/label-documents"
READ = "GET /v1/label-documents/{id}"
STRANGER = "other"


class Shop:
    """A shop with confirmed orders and a printer, and a clock of its own."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.numbers = count(1)
        self.s3: Any = aws_clients.client("s3")
        with suppress(ClientError):
            place = {"LocationConstraint": "eu-central-1"}
            self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        self.clock = FakeClock(datetime.now(UTC))
        table, bucket = runtime.table, BUCKET
        runtime.use(
            printout_desk=PrintoutDesk(
                table=table,
                sqs=aws_clients.client("sqs"),
                queue_url=runtime.settings.print_queue_url,
                clock=self.clock,
            ),
            printout_viewer=PrintoutViewer(table=table, s3=self.s3, bucket=bucket, clock=self.clock),
            printout_worker=PrintoutWorker(table=table, s3=self.s3, bucket=bucket, clock=self.clock),
        )

    def order(self, *contents: bytes, tenant: str = TENANT, carrier: str = "lso", **facts: Any) -> str:
        """A confirmed order with these labels, one for each parcel; its id."""
        order = an_order(tenant, reference=f"R-{next(self.numbers)}")
        parcel = order.parcels[0]
        parcels = tuple(
            msgspec.structs.replace(parcel, reference=f"P-{place}") for place in range(len(contents) or 1)
        )
        order = self.backend.put(msgspec.structs.replace(order, parcels=parcels, carrier=carrier), an_event())
        label = order.label
        if contents:
            files = [
                LabelFile(reference=parcel.reference, format="", content=content)
                for parcel, content in zip(parcels, contents, strict=True)
            ]
            label = LabelStore(self.s3, BUCKET).keep(order, files)
        return self.change(order, label=label, **{"status": OrderStatus.CONFIRMED} | facts).id

    def change(self, order: Order, **facts: Any) -> Order:
        """Let something have become of an order."""
        after = msgspec.structs.replace(order, version=order.version + 1, **facts)
        self.backend.tenant(order.tenant).orders.save(order, after)
        return after

    def ask(
        self, *order_ids: str, headers: dict[str, str] | None = None, tenant: str = TENANT, **more: Any
    ) -> Reply:
        return call(ASK, body={"order_ids": [*order_ids], **more}, headers=headers, tenant=tenant)

    def work(self, context: Any = None, *, messages: list[str] | None = None) -> list[str]:
        """Let the worker have what lies in its queue; what it leaves there."""
        waiting = self.backend.print_messages() if messages is None else messages
        records = [
            {
                "messageId": str(place),
                "receiptHandle": "handle",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:prints",
            }
            for place, body in enumerate(waiting)
        ]
        answer = handler({"Records": records}, context or Invocation())
        failed = {int(each["itemIdentifier"]) for each in answer["batchItemFailures"]}
        return [body for place, body in enumerate(waiting) if place in failed]

    def read(self, document_id: str, tenant: str = TENANT) -> Body:
        document: Body = call(READ, id=document_id, tenant=tenant).json()
        return document

    def printed(self, *order_ids: str, **more: Any) -> Body:
        """The document of these orders, made."""
        document_id = self.ask(*order_ids, **more).json()["id"]
        assert self.work() == []
        return self.read(document_id)

    def pdf(self, document: Body) -> bytes:
        """What the link of a document leads to."""
        key = unquote(urlsplit(document["url"]).path).removeprefix("/").removeprefix(f"{BUCKET}/")
        content: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        assert hashlib.sha256(content).hexdigest() == document["sha256"]
        return content


class Invocation(Context):
    """As long as the function has."""

    left = 120_000

    def get_remaining_time_in_millis(self) -> int:
        return self.left


@pytest.fixture
def shop(backend: Backend) -> Shop:
    return Shop(backend)


def codes(document: Body) -> list[tuple[str, str]]:
    return [(each["order_id"], each["code"]) for each in document["missing"]]


def test_90_labels_of_three_carriers_and_three_formats_come_out_in_order(shop: Shop) -> None:
    makers: list[tuple[str, Callable[[str], bytes]]] = [
        ("lso", lambda number: SandboxLabel("LSO", "Ground", number, ("Ada",), ("one",)).pdf()),
        ("ubi", jpg_label),
        ("lme", image_label),
    ]
    ids, numbers, left_out = [], [], []
    for place in range(90):
        carrier, make = makers[place % 3]
        number = f"{carrier.upper()}{place:06d}"
        if place % 30 == 15:
            ids.append(shop.order(f"^XA^FD{number}^FS^XZ".encode(), carrier=carrier))
            left_out.append((ids[-1], "format_left_out"))
            continue
        ids.append(shop.order(make(number), carrier=carrier))
        numbers.append(number)

    document = shop.printed(*ids)

    assert (document["status"], document["pages"]) == ("ready", 87)
    assert codes(document) == left_out
    read = barcodes(shop.pdf(document))
    assert [[code.text for code in page] for page in read] == [[number] for number in numbers]
    assert {code.turned for page in read for code in page} == {0}


def test_four_to_a_sheet_begin_where_the_sheet_is_free(shop: Shop) -> None:
    ids = [shop.order(make(f"SHEET-{n}")) for n, make in enumerate([pdf_label, jpg_label, image_label] * 2)]

    document = shop.printed(*ids, layout="a4_4", start_at=3)

    assert (document["layout"], document["start_at"], document["pages"]) == ("a4_4", 3, 2)
    read = [[code.text for code in page] for page in barcodes(shop.pdf(document))]
    assert read == [["SHEET-0", "SHEET-1"], ["SHEET-2", "SHEET-3", "SHEET-4", "SHEET-5"]]


def test_all_parcels_of_an_order_are_printed(shop: Shop) -> None:
    several = shop.order(pdf_label("A-1"), pdf_label("A-2"))
    images = shop.order(image_label("B-1"), image_label("B-2"), image_label("B-3"))
    read = [code.text for page in barcodes(shop.pdf(shop.printed(several, images))) for code in page]
    assert read == ["A-1", "A-2", "B-1", "B-2", "B-3"]


def test_each_missing_label_is_named_and_spoils_nothing(shop: Shop) -> None:
    good = shop.order(pdf_label("GOOD-1"))
    ready = Label(status=LabelStatus.READY)
    lost = shop.order(pdf_label("LOST-1"))
    for version in shop.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{TENANT}/{lost}/")["Contents"]:
        shop.s3.delete_object(Bucket=BUCKET, Key=version["Key"])
    swapped = shop.order(pdf_label("SWAPPED-1"))
    (stored,) = shop.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{TENANT}/{swapped}/")["Contents"]
    shop.s3.put_object(Bucket=BUCKET, Key=stored["Key"], Body=pdf_label("ANOTHER-1"))
    bad = {
        "ord_01ARZ3NDEKTSV4RRFFQ69G5FAV": "not_found",
        "no id at all / ..": "not_found",
        shop.order(pdf_label("FOREIGN-1"), tenant=STRANGER): "not_found",
        shop.order(pdf_label("FAILED-1"), status=OrderStatus.FAILED): "order_not_live",
        shop.order(pdf_label("CANCELLED-1"), status=OrderStatus.CANCELLED): "order_not_live",
        shop.order(pdf_label("CANCELLING-1"), status=OrderStatus.CANCELLING): "order_not_live",
        shop.order(): "label_pending",
        shop.order(pdf_label("CHANGING-1"), changing_until=datetime.now(UTC)): "label_pending",
        shop.order(b"^XA^XZ"): "format_left_out",
        shop.order(pdf_label("CUT-1")[:900]): "label_unreadable",
        shop.order(image_label("HALF-1"), image_label("HALF-2")[:900]): "label_unreadable",
        swapped: "label_unreadable",
        lost: "label_unavailable",
        good: "repeated",
    }
    unavailable = shop.order()
    order = shop.backend.order(unavailable)
    shop.change(order, label=msgspec.structs.replace(ready, status=LabelStatus.UNAVAILABLE))
    last = shop.order(pdf_label("LAST-1"))

    document = shop.printed(good, *bad, unavailable, last)

    assert document["status"] == "ready"
    assert codes(document) == [*bad.items(), (unavailable, "label_unavailable")]
    assert [code.text for page in barcodes(shop.pdf(document)) for code in page] == ["GOOD-1", "LAST-1"]


def test_a_document_without_any_label_has_failed_and_is_made_anew_when_asked_again(shop: Shop) -> None:
    pending = shop.order()

    document = shop.printed(pending)

    assert (document["status"], document["pages"], document["url"]) == ("failed", 0, None)
    assert document["failure"]["code"] == "no_labels"
    assert codes(document) == [(pending, "label_pending")]
    order = shop.backend.order(pending)
    files = [LabelFile(reference="P-0", format="", content=pdf_label("LATER-1"))]
    shop.change(order, label=LabelStore(shop.s3, BUCKET).keep(order, files))
    shop.clock.sleep(1)
    again = shop.printed(pending)
    assert (again["id"], again["status"], again["failure"]) == (document["id"], "ready", None)


def test_the_same_request_has_the_same_document_and_is_worked_on_once(shop: Shop) -> None:
    one, two = shop.order(pdf_label("ONE-1")), shop.order(pdf_label("TWO-1"))

    first, second = shop.ask(one, two), shop.ask(one, two, layout="as_is", start_at=1)
    document_id = first.json()["id"]

    assert (first.status, second.status) == (202, 202)
    assert first.headers["location"] == second.headers["location"] == f"/v1/label-documents/{document_id}"
    assert first.headers["retry-after"]
    assert len(shop.backend.print_messages()) == 1
    assert shop.read(document_id)["status"] == "processing"
    shop.work()
    third = shop.ask(one, two)
    assert (third.json()["id"], third.json()["status"]) == (document_id, "ready")
    assert len(shop.backend.print_messages()) == 1
    others = [
        shop.ask(two, one),
        shop.ask(one),
        shop.ask(one, two, layout="a4_4"),
        shop.ask(one, two, layout="a4_4", start_at=2),
        shop.ask(one, two, tenant=STRANGER),
    ]
    assert len({document_id, *(each.json()["id"] for each in others)}) == 1 + len(others)


def test_a_minute_later_the_same_request_looks_at_the_orders_again(shop: Shop) -> None:
    one, two = shop.order(pdf_label("ONE-1")), shop.order(pdf_label("TWO-1"))
    before = shop.printed(one, two)
    shop.change(shop.backend.order(one), status=OrderStatus.CANCELLED)
    shop.clock.sleep(61)

    after = shop.printed(one, two)

    assert after["id"] == before["id"]
    assert codes(after) == [(one, "order_not_live")]
    assert [code.text for page in barcodes(shop.pdf(after)) for code in page] == ["TWO-1"]
    shop.clock.sleep(61)
    assert shop.printed(one, two)["sha256"] == after["sha256"], "nothing new makes the same bytes"


def test_documents_of_tenants_are_apart(shop: Shop) -> None:
    foreign = shop.order(pdf_label("FOREIGN-1"), tenant=STRANGER)
    mine = shop.printed(foreign)
    theirs = shop.ask(foreign, tenant=STRANGER).json()
    shop.work()

    assert codes(mine) == [(foreign, "not_found")]
    assert call(READ, id=theirs["id"]).status == 404
    document = shop.read(theirs["id"], STRANGER)
    assert document["status"] == "ready"
    assert f"/_documents/{STRANGER}/" in document["url"]


def test_a_tenant_that_asks_for_much_lets_the_others_through(shop: Shop) -> None:
    """The queue is fair between its groups: each tenant is one."""
    shop.ask(shop.order(pdf_label("MINE-1")))
    shop.ask(shop.order(pdf_label("THEIRS-1"), tenant=STRANGER), tenant=STRANGER)
    assert [message.group_id for message in messages("prints")] == [TENANT, STRANGER]


def test_a_link_ends_within_15_minutes_and_the_document_after_a_day(shop: Shop) -> None:
    document = shop.printed(shop.order(pdf_label("ONE-1")))

    assert 0 < int(parse_qs(urlsplit(document["url"]).query)["X-Amz-Expires"][0]) <= 900
    ends = datetime.fromisoformat(document["expires_at"])
    assert timedelta() < ends - shop.clock.now <= timedelta(minutes=15)
    shop.clock.sleep(86_399)
    assert shop.read(document["id"])["status"] == "ready"
    shop.clock.sleep(2)
    assert call(READ, id=document["id"]).status == 404


def test_a_document_that_takes_too_long_says_so_and_can_be_asked_for_again(shop: Shop) -> None:
    one = shop.order(pdf_label("ONE-1"))
    document_id = shop.ask(one).json()["id"]
    shop.clock.sleep(899)
    assert shop.read(document_id)["status"] == "processing"
    shop.clock.sleep(1)
    document = shop.read(document_id)
    assert (document["status"], document["failure"]["code"]) == ("failed", "took_too_long")
    late = shop.backend.print_messages()

    assert shop.work(messages=late) == []
    assert shop.read(document_id)["failure"]["code"] == "took_too_long", "the client was told so"

    assert shop.ask(one).json() == {"id": document_id, "object": "label_document", "status": "processing"}
    assert shop.work(messages=shop.backend.print_messages()[1:]) == []
    made = shop.read(document_id)
    assert made["status"] == "ready"
    assert shop.work(messages=late) == []
    after = shop.read(document_id)
    assert [after[name] for name in ("status", "sha256")] == ["ready", made["sha256"]], "it undoes nothing"


def test_work_that_exceeds_the_functions_time_has_failed_with_its_reason(shop: Shop) -> None:
    document_id = shop.ask(shop.order(pdf_label("ONE-1"))).json()["id"]
    short = Invocation()
    short.left = 19_000

    assert shop.work(short) == []

    assert shop.read(document_id)["failure"]["code"] == "took_too_long"


@pytest.mark.parametrize("make", [pdf_label, image_label])
def test_the_functions_time_is_looked_at_for_each_page(shop: Shop, make: Callable[[str], bytes]) -> None:
    class Slow(Invocation):
        def get_remaining_time_in_millis(self) -> int:
            self.left -= 20_000
            return self.left

    document_id = shop.ask(shop.order(*(make(f"PAGE-{n}") for n in range(9)))).json()["id"]
    invocation = Slow()

    assert shop.work(invocation) == []

    assert shop.read(document_id)["failure"]["code"] == "took_too_long"
    assert invocation.left >= 0, "nothing is begun that nobody waits for"


def test_a_document_that_would_be_too_large_has_failed_with_its_reason(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printing, "MOST_BYTES", 2000)
    document = shop.printed(shop.order(image_label("ONE-1")), shop.order(image_label("TWO-1")))
    assert (document["status"], document["failure"]["code"]) == ("failed", "too_large")


def test_a_message_that_comes_twice_makes_one_document(shop: Shop) -> None:
    document_id = shop.ask(shop.order(pdf_label("ONE-1"))).json()["id"]
    shop.work()
    key = f"_documents/{TENANT}/{document_id}.pdf"
    before = shop.read(document_id)
    shop.s3.delete_object(Bucket=BUCKET, Key=key)

    assert shop.work() == []

    assert "Contents" not in shop.s3.list_objects_v2(Bucket=BUCKET, Prefix=key)
    assert shop.read(document_id)["sha256"] == before["sha256"]


@pytest.mark.parametrize("operation", ["get_object", "put_object"])
def test_a_worker_that_breaks_off_begins_again(
    shop: Shop, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = shop.ask(shop.order(pdf_label("ONE-1"))).json()["id"]

    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "SlowDown"}}, operation)

    with monkeypatch.context() as patch:
        patch.setattr(shop.s3, operation, fail)
        left = shop.work()
    assert left == shop.backend.print_messages()
    assert shop.read(document_id)["status"] == "processing"

    assert shop.work(messages=left) == []
    assert shop.read(document_id)["status"] == "ready"


def test_a_worker_may_be_done_before_the_request_is(shop: Shop) -> None:
    """The message goes out first: nothing that dies after it leaves a document that nobody makes."""
    one = shop.order(pdf_label("ONE-1"))
    desk: Any = runtime.printout_desk
    sent: list[str] = []

    class Quick:
        def send_message(self, *, QueueUrl: str, MessageBody: str, **_: Any) -> None:  # noqa: N803
            assert QueueUrl.startswith("http")
            sent.append(MessageBody)
            assert shop.work(messages=[MessageBody]) == []

    runtime.use(printout_desk=msgspec.structs.replace(desk, sqs=Quick()))
    document_id = shop.ask(one).json()["id"]
    assert shop.read(document_id)["status"] == "ready"


def test_a_request_whose_message_cannot_be_sent_leaves_nothing(shop: Shop) -> None:
    one = shop.order(pdf_label("ONE-1"))
    desk: Any = runtime.printout_desk

    class Down:
        def send_message(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessage")

    runtime.use(printout_desk=msgspec.structs.replace(desk, sqs=Down()))
    assert shop.ask(one).status >= 500
    assert shop.backend.stored("printout") == []
    runtime.use(printout_desk=desk)
    assert shop.printed(one)["status"] == "ready"


def test_a_repeat_of_the_request_has_the_first_answer(shop: Shop) -> None:
    one = shop.order(pdf_label("ONE-1"))
    first = shop.ask(one, headers={"Idempotency-Key": "k"})
    again = shop.ask(one, headers={"Idempotency-Key": "k"})
    assert (again.status, again.text) == (first.status, first.text)
    assert again.headers["idempotent-replayed"] == "true"


BAD: dict[str, tuple[Body, dict[str, str]]] = {
    "nothing": ({}, {"/order_ids": "missing"}),
    "no orders": ({"order_ids": []}, {"/order_ids": "missing"}),
    "too many": ({"order_ids": [f"ord_{n}" for n in range(301)]}, {"/order_ids": "too_many"}),
    "no list": ({"order_ids": "ord_1"}, {"/order_ids": "type"}),
    "no text": ({"order_ids": ["ord_1", 2]}, {"/order_ids/1": "type"}),
    "a long one": ({"order_ids": ["x" * 81]}, {"/order_ids/0": "too_long"}),
    "no such layout": ({"order_ids": ["ord_1"], "layout": "a5"}, {"/layout": "unknown_value"}),
    "before the first": (
        {"order_ids": ["ord_1"], "layout": "a4_4", "start_at": 0},
        {"/start_at": "out_of_range"},
    ),
    "after the last": (
        {"order_ids": ["ord_1"], "layout": "a4_4", "start_at": 5},
        {"/start_at": "out_of_range"},
    ),
    "half a place": ({"order_ids": ["ord_1"], "layout": "a4_4", "start_at": 1.5}, {"/start_at": "type"}),
    "a place without sheets": ({"order_ids": ["ord_1"], "start_at": 2}, {"/start_at": "out_of_range"}),
    "another field": ({"order_ids": ["ord_1"], "color": True}, {"/color": "unknown_field"}),
}


@pytest.mark.parametrize(("body", "errors"), BAD.values(), ids=BAD)
def test_a_wrong_request_is_told_what_is_wrong_and_nothing_is_made(
    shop: Shop, body: Body, errors: dict[str, str]
) -> None:
    reply = call(ASK, body=body)
    assert (reply.status, reply.code, reply.errors) == (422, "validation_failed", errors)
    assert shop.backend.stored("printout") == []
    assert shop.backend.print_messages() == []


def test_nothing_of_a_label_is_logged(shop: Shop, logged: Callable[[], str]) -> None:
    number = "SECRET-NUMBER-1"
    document = shop.printed(shop.order(pdf_label(number)), shop.order(pdf_label(number)[:1200]))
    assert document["status"] == "ready"
    lines = logged()
    assert "a label cannot be printed" in lines
    assert number not in lines
    assert "X-Amz-Signature" not in lines

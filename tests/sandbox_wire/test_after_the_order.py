"""What can be done with an order that stands: the functions, the sandbox over HTTP, moto in place of AWS."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import httpx
import pytest
from pypdf import PdfReader

from functions.label_order.handler import handler as label_order
from functions.route_changes.handler import handler as route_changes
from parcelgate import aws_clients
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import LabelStatus, Order
from parcelgate.runtime import runtime
from sandbox import Settings, serve
from sandbox.lme import new_login
from tests.support.api import BUCKET, Backend, Body, Context, Reply, backend, call, shared_backend
from tests.support.table import TABLE_NAME, all_items

__all__ = ["backend", "shared_backend"]

UBI_LOGIN = {"token": "t-7", "secret": "made-up"}
SENDER = {
    "name": "Jiang Yuanfei",
    "line1": "Sanshui Park",
    "city": "Foshan",
    "state": "Guangdong",
    "postcode": "528100",
    "country": "CN",
    "phone": "02586707811",
}
RECEIVER = {
    "name": "Corrie McKee",
    "line1": "3 Lakeside Drive",
    "city": "Berwick",
    "state": "VIC",
    "postcode": "3806",
    "country": "AU",
    "phone": "0403536112",
}
ITEM = {
    "sku": "sku-1",
    "description": "Cotton dress",
    "quantity": 2,
    "unit_value": {"amount": "10.00", "currency": "AUD"},
    "origin_country": "CN",
}


class Shop:
    """A merchant with an account at UBI and at LME, and the machinery that follows a write."""

    def __init__(self, backend: Backend, url: str) -> None:
        self.backend = backend
        self.control = httpx.Client(base_url=f"{url}/_sandbox", trust_env=False)
        self._images: dict[tuple[str, str], Any] = {}
        # A queue of its own: what another test left waiting in one would come up here.
        self._queue = aws_clients.client("sqs").create_queue(QueueName=f"labels-{uuid4().hex}")["QueueUrl"]

    def buys(self, carrier: str, reference: str, count: int = 1, **more: Any) -> Order:
        """An order that the carrier has confirmed."""
        reply = call("POST /v1/orders", body=body(carrier, reference, count, **more))
        assert reply.status == 201, reply.text
        return self.order(reply.json()["id"])

    def order(self, order_id: str) -> Order:
        return self.backend.order(order_id)

    def change(self, order: Order, patch: Any, **more: Any) -> Reply:
        return call("PATCH /v1/orders/{id}", id=order.id, body=patch, **more)

    def trail(self, order: Order) -> list[str]:
        return [event.type for event in self.backend.tenant().orders.events(order.id)]

    def label(self, order: Order, accept: str = "application/json") -> Reply:
        return call("GET /v1/orders/{id}/label", id=order.id, headers={"accept": accept})

    def journey(self, order: Order) -> list[str]:
        """What the carrier says of the order's parcel, oldest first."""
        number = order.parcels[0].tracking_number or ""
        (history,) = runtime.carriers.tracker(order, Deadline.after(10)).track([number])
        return [str(event.status) for event in sorted(history.events, key=lambda event: event.at)]

    def document(self, url: str) -> bytes:
        key = unquote(urlsplit(url).path).removeprefix("/").removeprefix(f"{BUCKET}/")
        content: bytes = aws_clients.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def fault(self, carrier: str, name: str, kind: str, **more: Any) -> None:
        given = {"carrier": carrier, "call": name, "kind": kind, **more}
        self.control.post("/faults", json=[given]).raise_for_status()

    def rested(self) -> None:
        """The time is over for which a carrier that said 429 is left alone."""
        for item in all_items(self.backend.dynamodb):
            if item["sk"]["S"] == "LIMITS":
                self.backend.dynamodb.delete_item(
                    TableName=TABLE_NAME, Key={"pk": item["pk"], "sk": item["sk"]}
                )

    def asked(self, carrier: str, name: str) -> int:
        """How often the carrier has been called."""
        book = self.control.get("/ledger").json()[carrier]
        return int(book["calls"].get(name, 0))

    def time_passes(self) -> list[str]:
        """The stream is read, and the label queue worked off once; whose labels were wanted."""
        records = []
        for item in all_items(self.backend.dynamodb):
            name = (item["pk"]["S"], item["sk"]["S"])
            if name[1] == "ORDER" and self._images.get(name) != item:
                change = {"Keys": {"pk": item["pk"]}, "NewImage": item, "SequenceNumber": str(len(records))}
                if name in self._images:
                    change["OldImage"] = self._images[name]
                records.append({"eventName": "MODIFY", "dynamodb": change})
                self._images[name] = item
        assert route_changes({"Records": records}, Context()) == {"batchItemFailures": []}
        sqs = aws_clients.client("sqs")
        wanted = []
        got = sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in got:
            wanted.append(json.loads(message["Body"])["order_id"])
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:labels",
            }
            if not label_order({"Records": [record]}, Context())["batchItemFailures"]:
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return wanted


def body(carrier: str, reference: str, count: int = 1, **more: Any) -> Body:
    parcel: Body = {"weight": {"value": 1, "unit": "kg"}}
    if carrier == "ubi":
        parcel["items"] = [ITEM]
        more = {"service": "UBI.AU2AU.AUPOST.1", **more}
    else:
        parcel["dimensions"] = {"length": 30, "width": 20, "height": 10, "unit": "cm"}
    parcels = [parcel for _ in range(count)]
    return {"carrier": carrier, "reference": reference, "ship_to": RECEIVER, "parcels": parcels, **more}


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[str, dict[str, str]]]:
    login = new_login("APP-1", 1024)
    accounts = {"ubi": {"default": UBI_LOGIN}, "lme": {"default": login}}
    with serve(Settings(accounts=accounts, acceleration=1)) as url:
        yield url, login


@pytest.fixture(scope="module")
def with_accounts(running: tuple[str, dict[str, str]], shared_backend: Backend) -> Backend:
    """The functions' AWS, with both carriers' accounts."""
    url, login = running
    lme = {name: login[name] for name in ("app_key", "client_private", "lme_public")}
    for carrier, credentials in (("ubi", UBI_LOGIN), ("lme", lme)):
        secret = {"credentials": credentials, "base_url": f"{url}/{carrier}", "ship_from": SENDER}
        aws_clients.client("secretsmanager").create_secret(
            Name=f"parcelgate/acme/{carrier}/default", SecretString=json.dumps(secret)
        )
    aws_clients.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return shared_backend


@pytest.fixture
def shop(
    with_accounts: Backend,
    backend: Backend,
    running: tuple[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    found = Shop(backend, running[0])
    found.control.post("/reset").raise_for_status()
    sqs = aws_clients.client("sqs")
    queues = {name: sqs.create_queue(QueueName=f"retry-{name}")["QueueUrl"] for name in ("lso", "ubi", "lme")}
    monkeypatch.setenv("PARCELGATE_RETRY_QUEUE_URLS", json.dumps(queues))
    monkeypatch.setenv("PARCELGATE_LABEL_QUEUE_URL", found._queue)
    monkeypatch.setenv("PARCELGATE_EVENT_BUS", "default")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    runtime.reset()
    yield found
    runtime.reset()


class TestLabels:
    @pytest.mark.parametrize(("carrier", "count"), [("ubi", 1), ("ubi", 4), ("lme", 1)])
    def test_come_by_themselves_once_an_order_is_confirmed(
        self, shop: Shop, carrier: str, count: int
    ) -> None:
        order = shop.buys(carrier, "r-1", count)
        assert shop.time_passes() == [order.id]

        stored = shop.order(order.id)
        assert stored.label.status is LabelStatus.READY
        assert stored.watch_at is None
        label = shop.label(order).json()
        assert [one["reference"] for one in label["parcels"]] == [one.reference for one in order.parcels]
        whole = PdfReader(io.BytesIO(shop.document(label["url"]))).pages
        texts = [page.extract_text() for page in whole]
        assert len(texts) == count
        for text, number in zip(texts, order.tracking_numbers, strict=True):
            assert number in text.replace(" ", "")
        assert shop.time_passes() == [], "a label that is there is not asked for again"

    @pytest.mark.parametrize(("format", "beginning"), [("jpg", b"\xff\xd8\xff"), ("zpl", b"^XA")])
    def test_are_kept_in_the_format_that_was_asked_for(
        self, shop: Shop, format: str, beginning: bytes
    ) -> None:
        order = shop.buys("ubi", "r-1", 2, label={"format": format, "size": "4x4"})
        shop.time_passes()

        label = shop.label(order).json()
        assert (label["status"], label["format"], label["size"]) == ("ready", format, "4x4")
        documents = [shop.document(parcel["url"]) for parcel in label["parcels"]]
        assert [document.startswith(beginning) for document in documents] == [True, True]
        assert len(set(documents)) == 2
        assert (label["url"] is None) == (format == "jpg")
        if format == "zpl":
            assert all(document in shop.document(label["url"]) for document in documents)

    def test_are_fetched_for_whoever_asks_earlier(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")

        reply = shop.label(order)

        assert (reply.status, reply.json()["status"]) == (200, "ready")
        assert shop.label(order, "application/pdf").status == 302
        shop.time_passes()
        assert shop.asked("ubi", "labels") == 1

    def test_that_are_not_ready_are_asked_for_again(self, shop: Shop) -> None:
        order = shop.buys("lme", "r-1 SBX-NOLABEL-1")

        assert shop.label(order).status == 202
        assert shop.label(order).status == 200

    def test_that_are_no_documents_count_as_not_ready(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1 SBX-BADLABEL")
        shop.time_passes()

        assert shop.label(order).json() == {"status": "pending"}
        assert shop.order(order.id).label.status is LabelStatus.PENDING


class TestAChange:
    @pytest.mark.parametrize(("carrier", "count"), [("ubi", 1), ("ubi", 3), ("lme", 1)])
    def test_reaches_the_carrier_and_the_label(self, shop: Shop, carrier: str, count: int) -> None:
        order = shop.buys(carrier, "r-1", count, metadata={"channel": "web", "till": "7"})
        shop.time_passes()
        before = shop.label(order).json()

        patch = {"ship_to": {"city": "Dandenong", "line2": "Unit 4"}, "metadata": {"till": None}}
        reply = shop.change(order, patch)

        assert reply.status == 200, reply.text
        shown = reply.json()
        assert (shown["ship_to"]["city"], shown["ship_to"]["line1"]) == ("Dandenong", RECEIVER["line1"])
        assert (shown["metadata"], shown["label"]["status"]) == ({"channel": "web"}, "pending")
        assert tuple(shown["tracking_numbers"]) == order.tracking_numbers
        assert shop.time_passes() == [order.id]
        after = shop.label(order).json()
        assert before["sha256"] != after["sha256"]
        text = PdfReader(io.BytesIO(shop.document(after["url"]))).pages[0].extract_text()
        assert "Dandenong" in text
        assert shop.trail(order)[-2:] == ["order.changed", "label.ready"]
        assert shop.order(order.id).watch_at is None

    def test_of_the_contents_changes_the_value_that_follows_from_them(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")
        dearer = {**ITEM, "unit_value": {"amount": "25.00", "currency": "AUD"}, "description": "Silk dress"}
        parcel = {"reference": "r-1-1", "weight": {"value": 2, "unit": "kg"}, "items": [dearer]}

        shown = shop.change(order, {"parcels": [parcel]}).json()

        assert shown["customs"]["value"] == {"amount": "50.00", "currency": "AUD"}
        assert shown["customs"]["description"] == "Silk dress"
        assert shown["parcels"][0]["weight"] == {"value": 2, "unit": "kg"}
        assert shown["parcels"][0]["tracking_number"] == order.parcels[0].tracking_number
        assert shown["parcels"][0]["carrier_parcel_number"] == order.parcels[0].carrier_parcel_number

    def test_is_checked_like_a_new_order(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")

        reply = shop.change(order, {"ship_to": {"name": "x" * 51, "postcode": None}, "parcels": [{}]})

        assert reply.status == 422
        assert {"/parcels/0/weight"} <= set(reply.errors)
        assert shop.change(order, {"ship_to": {"name": "x" * 51}}).errors == {"/ship_to/name": "too_long"}
        assert shop.change(order, {"ship_to": {"city": None}}).errors == {"/ship_to/city": "missing"}
        assert shop.asked("ubi", "update") == 0
        assert shop.order(order.id).changing_until is None

    def test_names_only_what_can_change(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")

        reply = shop.change(order, {"service": "OTHER", "reference": "r-2", "colour": "red"})

        assert reply.errors == {
            "/service": "cannot_change",
            "/reference": "cannot_change",
            "/colour": "unknown_field",
        }
        assert shop.change(order, []).errors == {"": "type"}

    def test_leaves_the_number_of_parcels_and_their_numbers_alone(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1", 2)
        one = {"reference": "r-1-1", "weight": {"value": 2, "unit": "kg"}, "items": [ITEM]}

        assert shop.change(order, {"parcels": [one]}).errors == {"/parcels": "cannot_change"}
        other = [one | {"tracking_number": "MINE"}, one | {"reference": "r-1-2"}]
        assert shop.change(order, {"parcels": other}).errors == {
            "/parcels/0/tracking_number": "cannot_change"
        }

    def test_that_changes_nothing_asks_nobody(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")

        for patch in ({}, {"ship_to": {"city": RECEIVER["city"]}}, {"options": {"pick_up": False}}):
            reply = shop.change(order, patch)
            assert (reply.status, reply.json()["ship_to"]["city"]) == (200, RECEIVER["city"])
        assert shop.asked("ubi", "update") == 0
        assert shop.order(order.id).version == order.version

    def test_is_a_merge_patch_by_its_media_type_too(self, shop: Shop) -> None:
        order = shop.buys("lme", "r-1")
        kinds = {"application/merge-patch+json": 200, "application/json": 200, "text/plain": 415}
        for kind, status in kinds.items():
            patch = json.dumps({"metadata": {"kind": kind}})
            assert shop.change(order, patch, headers={"content-type": kind}).status == status

    def test_is_made_once_for_its_idempotency_key(self, shop: Shop) -> None:
        order = shop.buys("lme", "r-1")
        key = {"Idempotency-Key": "k"}
        patch = {"ship_to": {"city": "Dandenong"}}

        first, again = shop.change(order, patch, headers=key), shop.change(order, patch, headers=key)

        assert (again.text, again.headers["idempotent-replayed"]) == (first.text, "true")
        assert shop.asked("lme", "update") == 1

    def test_of_the_metadata_alone_is_ours_and_always_possible(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")
        assert call("POST /v1/orders/{id}/cancel", id=order.id).status == 200

        reply = shop.change(order, {"metadata": {"why": "out of stock"}})

        assert (reply.status, reply.json()["metadata"]) == (200, {"why": "out of stock"})
        assert reply.json()["status"] == "cancelled"
        assert shop.change(order, {"ship_to": {"city": "X"}}).code == "cannot_change"
        assert shop.change(order, {"metadata": {"a": 7}}).errors == {"/metadata/a": "type"}

    def test_that_is_lost_on_its_way_can_be_told(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")
        shop.time_passes()
        shop.fault("ubi", "update", "reset_after")

        reply = shop.change(order, {"ship_to": {"city": "Dandenong"}})

        assert (reply.status, reply.code) == (503, "carrier_unavailable")
        assert int(reply.headers["retry-after"]) > 0
        stored = shop.order(order.id)
        assert stored.attention is not None
        assert stored.attention.code == "change_unknown"
        shop.time_passes()
        text = PdfReader(io.BytesIO(shop.document(shop.label(order).json()["url"]))).pages[0].extract_text()
        assert "Dandenong" in text, "the label is what the carrier has now"
        again = shop.change(order, {"ship_to": {"city": "Dandenong"}})
        assert (again.status, again.json()["attention"]) == (200, None)

    def test_that_certainly_did_not_arrive_leaves_no_trace(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")
        shop.time_passes()
        shop.fault("ubi", "update", "429")

        assert shop.change(order, {"ship_to": {"city": "Dandenong"}}).status == 503
        stored = shop.order(order.id)
        assert (stored.label.status, stored.attention, stored.watch_at) == (LabelStatus.READY, None, None)
        assert stored.changing_until is None


FAULTS = {
    "reset_before": 503,
    "reset_after": 503,
    "timeout": 503,
    "half_body": 503,
    "wrong_type": None,
    "status_500": 503,
    "html_502": 503,
    "429": 503,
    "unauthorized": 503,
}
"""What a call answers on which such a fault falls; None: it may have been understood nevertheless."""


@pytest.mark.usefixtures("no_kept_connections")
@pytest.mark.parametrize("kind", FAULTS)
class TestAFault:
    """Whatever goes wrong on the way, the order stands, once, and the same request again does it."""

    @pytest.mark.parametrize("carrier", ["ubi", "lme"])
    def test_of_a_change(self, shop: Shop, carrier: str, kind: str) -> None:
        order = shop.buys(carrier, "r-1")
        shop.time_passes()
        patch = {"ship_to": {"city": "Dandenong"}}
        shop.fault(carrier, "update", kind, seconds=0.2)

        first = shop.change(order, patch)
        assert first.status == (FAULTS[kind] or first.status)
        stored = shop.order(order.id)
        assert (stored.status, stored.changing_until) == ("confirmed", None)
        shop.rested()
        again = shop.change(order, patch)

        assert (again.status, again.json()["attention"]) == (200, None), again.text
        shop.time_passes()
        text = PdfReader(io.BytesIO(shop.document(shop.label(order).json()["url"]))).pages[0].extract_text()
        assert "Dandenong" in text
        assert len(shop.control.get("/ledger").json()[carrier]["orders"]) == 1

    def test_of_a_hold(self, shop: Shop, kind: str) -> None:
        order = shop.buys("ubi", "r-1")
        shop.fault("ubi", "hold", kind, seconds=0.2)

        first = call("POST /v1/orders/{id}/hold", id=order.id)

        assert first.status == (FAULTS[kind] or first.status)
        shop.rested()
        assert call("POST /v1/orders/{id}/hold", id=order.id).status == 200

    def test_of_a_manifest(self, shop: Shop, kind: str) -> None:
        order = shop.buys("ubi", "r-1")
        shop.fault("ubi", "manifests", kind, seconds=0.2)
        closing = {"carrier": "ubi", "order_ids": [order.id]}

        first = call("POST /v1/manifests", body=closing)

        assert first.status == (FAULTS[kind] or first.status)
        shop.rested()
        again = call("POST /v1/manifests", body=closing)
        assert again.status == 201
        (entry,) = again.json()["orders"]
        # Closed by a call whose answer was lost, an order is refused the second time in the carrier's words.
        assert entry["status"] == "closed" or entry["problem"]["carrier"]["code"] == "100011"
        assert shop.change(order, {"ship_to": {"city": "X"}}).code == "cannot_change"

    def test_of_a_label(self, shop: Shop, kind: str) -> None:
        for carrier, name in (("ubi", "labels"), ("lme", "queryLabel")):
            order = shop.buys(carrier, "r-1")
            shop.fault(carrier, name, kind, seconds=0.2)

            assert shop.label(order).status == 202
            shop.rested()
            assert shop.label(order).status == 200


class TestAHold:
    def test_is_asked_for_once(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1", 2)

        replies = [call("POST /v1/orders/{id}/hold", id=order.id) for _ in range(2)]

        assert [(reply.status, reply.json()["status"]) for reply in replies] == [(200, "confirmed")] * 2
        assert shop.asked("ubi", "hold") == 1
        held_at = call("GET /v1/orders/{id}", id=order.id).json()["held_at"]
        assert [reply.json()["held_at"] for reply in replies] == [held_at] * 2
        assert held_at
        assert shop.trail(order)[-1] == "order.held"

    def test_leaves_the_order_to_be_changed_and_cancelled(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")
        held_at = call("POST /v1/orders/{id}/hold", id=order.id).json()["held_at"]

        changed = shop.change(order, {"ship_to": {"city": "Dandenong"}})
        cancelled = call("POST /v1/orders/{id}/cancel", id=order.id)

        assert (changed.status, changed.json()["ship_to"]["city"]) == (200, "Dandenong"), changed.text
        assert (cancelled.status, cancelled.json()["status"]) == (200, "cancelled")
        assert [reply.json()["held_at"] for reply in (changed, cancelled)] == [held_at] * 2
        late = call("POST /v1/orders/{id}/hold", id=order.id)
        assert (late.status, late.code) == (409, "order_not_live")

    def test_whose_answer_is_lost_may_be_asked_for_again(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")
        shop.fault("ubi", "hold", "reset_after")
        lost = call("POST /v1/orders/{id}/hold", id=order.id)
        assert (lost.status, lost.code) == (503, "carrier_unavailable")
        assert shop.order(order.id).held_at is None

        assert call("POST /v1/orders/{id}/hold", id=order.id).json()["held_at"]

    def test_is_refused_once_the_parcel_is_on_its_way(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")
        shop.control.post("/advance", json={"seconds": 86_400})

        reply = call("POST /v1/orders/{id}/hold", id=order.id)

        assert (reply.status, reply.code) == (409, "cannot_change")
        assert reply.json()["carrier"]["code"] == "100011"
        assert reply.errors == {"": "not_permitted"}

    def test_is_not_offered_by_everybody(self, shop: Shop) -> None:
        order = shop.buys("lme", "r-1")

        reply = call("POST /v1/orders/{id}/hold", id=order.id)

        assert (reply.status, reply.code) == (422, "not_supported_by_carrier")


class TestAReturn:
    def test_is_asked_for_once_and_the_parcel_comes_back(self, shop: Shop) -> None:
        order = shop.buys("lme", "r-1")
        shop.control.post("/advance", json={"seconds": 12 * 3600})

        replies = [call("POST /v1/orders/{id}/return", id=order.id) for _ in range(2)]

        assert [(reply.status, reply.json()["status"]) for reply in replies] == [(200, "confirmed")] * 2
        assert replies[0].json()["return_requested_at"]
        assert replies[1].json()["return_requested_at"] == replies[0].json()["return_requested_at"]
        assert shop.asked("lme", "return") == 1
        assert shop.trail(order)[-1] == "order.return_requested"
        assert shop.journey(order)[-1] != "returning"
        shop.control.post("/advance", json={"seconds": 5 * 3600})
        assert shop.journey(order)[-1] == "returning"
        shop.control.post("/advance", json={"seconds": 40 * 3600})
        assert shop.journey(order)[-2:] == ["returning", "delivered"], "a delivery that follows a return"

    def test_is_refused_once_the_parcel_is_delivered(self, shop: Shop) -> None:
        order = shop.buys("lme", "r-1")
        shop.control.post("/advance", json={"seconds": 60 * 3600})

        reply = call("POST /v1/orders/{id}/return", id=order.id)

        assert (reply.status, reply.code) == (409, "cannot_change")
        assert reply.json()["carrier"]["code"] == "30007"
        assert call("GET /v1/orders/{id}", id=order.id).json()["return_requested_at"] is None

    def test_whose_answer_is_lost_is_settled_by_the_next_one(self, shop: Shop) -> None:
        order = shop.buys("lme", "r-1")
        shop.fault("lme", "return", "reset_after")

        lost = call("POST /v1/orders/{id}/return", id=order.id)

        assert (lost.status, lost.code) == (503, "carrier_unavailable")
        shown = call("GET /v1/orders/{id}", id=order.id).json()
        assert (shown["attention"]["code"], shown["return_requested_at"]) == ("return_unknown", None)
        again = call("POST /v1/orders/{id}/return", id=order.id)
        assert (again.status, again.json()["attention"]) == (200, None)
        assert again.json()["return_requested_at"]

    def test_is_not_offered_by_everybody(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")

        reply = call("POST /v1/orders/{id}/return", id=order.id)

        assert (reply.status, reply.code) == (422, "not_supported_by_carrier")

    def test_of_an_order_that_is_cancelled_is_no_live_orders(self, shop: Shop) -> None:
        order = shop.buys("lme", "r-1")
        call("POST /v1/orders/{id}/cancel", id=order.id)

        reply = call("POST /v1/orders/{id}/return", id=order.id)

        assert (reply.status, reply.code) == (409, "order_not_live")
        assert shop.asked("lme", "return") == 0


class TestAManifest:
    def test_closes_each_order_for_itself(self, shop: Shop) -> None:
        first, second, other = shop.buys("ubi", "r-1"), shop.buys("ubi", "r-2", 2), shop.buys("lme", "r-3")
        gone = shop.buys("ubi", "r-4")
        call("POST /v1/orders/{id}/cancel", id=gone.id)
        ids = [first.id, "ord_nobody", second.id, other.id, gone.id]

        reply = call("POST /v1/manifests", body={"carrier": "ubi", "order_ids": ids})

        assert reply.status == 201
        manifest = reply.json()
        assert manifest["id"].startswith("man_")
        assert [entry["id"] for entry in manifest["orders"]] == ids
        assert [(entry["problem"] or {}).get("code") for entry in manifest["orders"]] == [
            None,
            "not_found",
            None,
            "validation_failed",
            "order_not_live",
        ]
        assert [entry["status"] for entry in manifest["orders"]] == [
            "closed",
            "failed",
            "closed",
            "failed",
            "failed",
        ]
        assert shop.trail(first)[-1] == "order.closed"
        shown = [call("GET /v1/orders/{id}", id=each).json()["manifest_id"] for each in (first.id, gone.id)]
        assert shown == [manifest["id"], None]
        read = call("GET /v1/manifests/{id}", id=manifest["id"])
        assert (read.status, read.json()) == (200, manifest)
        assert call("GET /v1/manifests/{id}", id=manifest["id"], tenant="other").code == "not_found"

    def test_whose_answer_is_lost_is_settled_by_the_next_one(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")
        closing = {"carrier": "ubi", "order_ids": [order.id]}
        shop.fault("ubi", "manifests", "reset_after")
        assert call("POST /v1/manifests", body=closing).status == 503
        assert shop.order(order.id).manifest_id is None

        again = call("POST /v1/manifests", body=closing)

        assert [entry["status"] for entry in again.json()["orders"]] == ["closed"]
        closed_by = call("GET /v1/orders/{id}", id=order.id).json()["manifest_id"]
        assert closed_by != again.json()["id"]
        for each in (closed_by, again.json()["id"]):
            read = call("GET /v1/manifests/{id}", id=each).json()
            assert [entry["status"] for entry in read["orders"]] == ["closed"]

    def test_is_the_end_of_changes(self, shop: Shop) -> None:
        order = shop.buys("ubi", "r-1")
        closing = {"carrier": "ubi", "order_ids": [order.id]}
        assert call("POST /v1/manifests", body=closing).status == 201

        change = shop.change(order, {"ship_to": {"city": "X"}})
        assert (change.status, change.code, change.errors) == (409, "cannot_change", {"": "already_closed"})
        assert shop.asked("ubi", "update") == 0
        cancel = call("POST /v1/orders/{id}/cancel", id=order.id)
        assert (cancel.status, cancel.code, cancel.errors) == (409, "cannot_cancel", {"": "already_closed"})
        assert cancel.json()["carrier"]["code"] == "100010"
        again = call("POST /v1/manifests", body=closing).json()
        assert [entry["status"] for entry in again["orders"]] == ["closed"]
        assert shop.asked("ubi", "manifests") == 1

    def test_is_not_offered_by_everybody(self, shop: Shop) -> None:
        order = shop.buys("lme", "r-1")

        reply = call("POST /v1/manifests", body={"carrier": "lme", "order_ids": [order.id]})

        assert (reply.status, reply.code) == (422, "not_supported_by_carrier")

    def test_has_a_form(self, shop: Shop) -> None:
        assert call("POST /v1/manifests", body={}).errors == {"/carrier": "missing", "/order_ids": "missing"}
        twice = {"carrier": "ubi", "order_ids": ["ord_1", "ord_1"]}
        assert call("POST /v1/manifests", body=twice).status == 422
        pigeon = {"carrier": "pigeon", "order_ids": ["ord_1"]}
        assert call("POST /v1/manifests", body=pigeon).errors == {"/carrier": "unknown_carrier"}
        account = {"carrier": "ubi", "account": "none", "order_ids": ["ord_1"]}
        assert call("POST /v1/manifests", body=account).errors == {"/account": "unknown_account"}


class TestACancellation:
    @pytest.mark.parametrize(("carrier", "count"), [("ubi", 1), ("ubi", 3), ("lme", 1)])
    def test_takes_the_order_back(self, shop: Shop, carrier: str, count: int) -> None:
        order = shop.buys(carrier, "r-1", count)

        reply = call("POST /v1/orders/{id}/cancel", id=order.id)

        assert (reply.status, reply.json()["status"]) == (200, "cancelled")
        (entry,) = shop.control.get("/ledger").json()[carrier]["orders"]
        assert entry["refunded"]
        assert shop.buys(carrier, "r-1", count).id != order.id

    def test_is_refused_once_the_parcel_was_collected(self, shop: Shop) -> None:
        order = shop.buys("lme", "r-1")
        shop.control.post("/advance", json={"seconds": 3 * 86_400})

        reply = call("POST /v1/orders/{id}/cancel", id=order.id)

        assert (reply.status, reply.code, reply.errors) == (409, "cannot_cancel", {"": "already_closed"})
        assert reply.json()["carrier"]["name"] == "lme"
        assert shop.order(order.id).status == "confirmed"
        change = shop.change(order, {"ship_to": {"city": "X"}})
        assert (change.status, change.code, change.errors) == (409, "cannot_change", {"": "already_closed"})


class TestAnAddress:
    def check(self, carrier: str, **changes: Any) -> Reply:
        address = RECEIVER | changes
        return call("POST /v1/addresses/validate", body={"carrier": carrier, "address": address})

    def test_is_checked_by_the_carrier_that_does_so(self, shop: Shop) -> None:
        reply = self.check("lme")

        assert reply.status == 200
        assert (reply.json()["valid"], reply.json()["checked_by"]) == (True, "carrier")
        assert shop.asked("lme", "addressValidate") == 1

    @pytest.mark.parametrize("carrier", ["ubi", "lso"])
    def test_is_held_against_the_carrier_s_limits_elsewhere(self, shop: Shop, carrier: str) -> None:
        address = {"country": "US", "state": "TX", "postcode": "78701", "city": "Austin"}

        good, bad = self.check(carrier, **address), self.check(carrier, **address | {"state": None})

        assert good.json() == {
            "valid": True,
            "checked_by": "parcelgate",
            "messages": [],
            "suggestion": None,
        }
        assert (bad.json()["valid"], bad.json()["checked_by"]) == (False, "parcelgate")
        assert [(one["pointer"], one["code"]) for one in bad.json()["messages"]] == [
            ("/address/state", "missing")
        ]

    def test_with_something_missing_is_not_valid_whoever_would_check_it(self, shop: Shop) -> None:
        reply = self.check("lme", city="", line1="x" * 300)

        assert (reply.status, reply.json()["valid"], reply.json()["checked_by"]) == (200, False, "parcelgate")
        told = {one["pointer"]: one["code"] for one in reply.json()["messages"]}
        assert told == {"/address/city": "missing", "/address/line1": "too_long"}
        assert shop.asked("lme", "addressValidate") == 0

    def test_must_be_a_question(self, shop: Shop) -> None:
        def errors(body: Any) -> dict[str, str]:
            reply = call("POST /v1/addresses/validate", body=body)
            assert reply.status == 422
            return reply.errors

        assert errors({}) == {"/carrier": "missing", "/address": "missing"}
        assert errors({"carrier": "pigeon", "address": RECEIVER}) == {"/carrier": "unknown_carrier"}
        assert errors({"carrier": "lme", "address": RECEIVER | {"zip": "1"}}) == {
            "/address/zip": "unknown_field"
        }
        assert errors({"carrier": "lme", "account": "none", "address": RECEIVER}) == {
            "/account": "unknown_account"
        }

    def test_waits_when_the_carrier_is_down(self, shop: Shop) -> None:
        shop.fault("lme", "addressValidate", "html_502")

        reply = self.check("lme")

        assert (reply.status, reply.code) == (503, "carrier_unavailable")


class TestServices:
    ROUTE = "GET /v1/carriers/{carrier}/services"

    def test_are_the_carrier_s_own_where_it_lists_them(self, shop: Shop) -> None:
        listed = [call(self.ROUTE, carrier="ubi").json() for _ in range(2)]

        assert {service["code"] for service in listed[0]["data"]} >= {"UBI.CN2AU.AUPOST"}
        assert listed[0]["source"] == "carrier"
        assert listed[0] == listed[1]
        assert shop.asked("ubi", "serviceCatalog") == 1, "a catalogue is remembered for a while"

    def test_are_those_we_know_of_elsewhere(self, shop: Shop) -> None:
        assert call(self.ROUTE, carrier="lme").json()["source"] == "parcelgate"
        assert call(self.ROUTE, carrier="ubi", tenant="other").json()["source"] == "parcelgate"
        reply = call(self.ROUTE, carrier="ubi", query={"account": "none"})
        assert (reply.status, reply.errors) == (422, {"/account": "unknown_account"})
        assert call(self.ROUTE, carrier="ubi", query={"page": "2"}).errors == {"/page": "unknown_field"}

    def test_cannot_be_told_while_the_carrier_is_down(self, shop: Shop) -> None:
        shop.fault("ubi", "serviceCatalog", "html_502")

        assert call(self.ROUTE, carrier="ubi").code == "carrier_unavailable"


@pytest.mark.parametrize(
    "ask",
    [
        lambda order, **who: call("PATCH /v1/orders/{id}", id=order.id, body={"metadata": {"a": "b"}}, **who),
        lambda order, **who: call("POST /v1/orders/{id}/hold", id=order.id, **who),
        lambda order, **who: call("POST /v1/orders/{id}/return", id=order.id, **who),
    ],
    ids=["change", "hold", "return"],
)
def test_nobody_touches_the_orders_of_others(shop: Shop, ask: Callable[..., Reply]) -> None:
    order = shop.buys("ubi", "r-1")

    assert ask(order, tenant="other").code == "not_found"
    assert ask(order, scopes="orders:read").code == "missing_scope"
    assert ask(order, tenant=None).code == "invalid_key"
    assert shop.order(order.id).version == order.version

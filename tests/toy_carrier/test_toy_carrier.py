"""A carrier that stands in the tests alone goes through the whole API: nothing else knows of it.

The functions, moto in place of AWS, the sandbox over HTTP with the toy's side put into it.
"""

import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from moto.sqs.models import sqs_backends
from pypdf import PdfReader

import sandbox.app
from functions.label_order.handler import handler as label_order
from functions.retry_order.handler import handler as retry_order
from functions.route_changes.handler import handler as route_changes
from parcelgate import aws_clients
from parcelgate.carriers import port, registry
from parcelgate.carriers.accounts import AccountConfig, Connection
from parcelgate.carriers.toolkit.transport import HttpTransport
from parcelgate.domain.trackings import TrackingStatus
from parcelgate.runtime import runtime
from sandbox import Settings, serve
from tests.support.adapters import FakeVault
from tests.support.api import BUCKET, Backend, Body, Context, backend, call, shared_backend
from tests.support.table import REGION, all_items
from tests.toy_carrier import pigeon
from tests.toy_carrier.pigeon.adapter import Adapter
from tests.toy_carrier.pigeon_sandbox import PigeonSandbox

__all__ = ["backend", "shared_backend"]

KEY = "coo"
ROOF = {"name": "Nora Swift", "line1": "1 High Roof", "city": "London", "postcode": "E1 6AN", "country": "GB"}


def bags(*grams: int) -> list[Body]:
    return [{"reference": f"bag-{weight}", "weight": {"value": weight, "unit": "g"}} for weight in grams]


def body(reference: str, **more: Any) -> Body:
    return {"carrier": "pigeon", "reference": reference, "ship_to": ROOF, "parcels": bags(200, 300), **more}


class Shop:
    """A merchant with an account at the post, and the machinery that follows a write."""

    def __init__(self, backend: Backend, url: str) -> None:
        self.backend, self.url = backend, url
        self.control = httpx.Client(base_url=f"{url}/_sandbox", trust_env=False)
        self.control.post("/reset").raise_for_status()
        sqs = aws_clients.client("sqs")
        self.labels = sqs.create_queue(QueueName="labels-pigeon")["QueueUrl"]
        self.retries = sqs.create_queue(QueueName="retry-pigeon")["QueueUrl"]
        self.dead = sqs.create_queue(QueueName="dead-pigeon")["QueueUrl"]

    def flights(self) -> list[Body]:
        flights: list[Body] = self.control.get("/ledger").json()["pigeon"]["orders"]
        return flights

    def stream(self) -> None:
        """The router reads every order as it stands."""
        orders = [item for item in all_items(self.backend.dynamodb) if item["sk"]["S"] == "ORDER"]
        records = [
            {
                "eventName": "MODIFY",
                "dynamodb": {"Keys": {"pk": item["pk"]}, "NewImage": item, "SequenceNumber": str(number)},
            }
            for number, item in enumerate(orders)
        ]
        assert route_changes({"Records": records}, Context()) == {"batchItemFailures": []}

    def retried(self) -> None:
        """What waits in the retry queue is tried now, although its time has not come."""
        waiting = sqs_backends["123456789012"][REGION].queues["retry-pigeon"]._messages
        for message in waiting:
            event = {"Records": [_record(self.retries, "r", message.body)]}
            assert retry_order(event, Context()) == {"batchItemFailures": []}
        waiting.clear()

    def work(self, queue: str, handler: Any) -> int:
        """Hand what lies in a queue to its function; how many messages it did."""
        sqs, done = aws_clients.client("sqs"), 0
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            record = _record(queue, message["ReceiptHandle"], message["Body"])
            if not handler({"Records": [record]}, Context())["batchItemFailures"]:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                done += 1
        return done


def _record(queue: str, receipt_handle: str, content: str) -> Body:
    return {
        "messageId": receipt_handle,
        "receiptHandle": receipt_handle,
        "body": content,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{queue.rpartition('/')[2]}",
    }


@pytest.fixture(scope="module")
def pigeon_sandbox() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox.app, "CARRIERS", (*sandbox.app.CARRIERS, PigeonSandbox))
        with serve(Settings(accounts={"pigeon": {"default": {"key": KEY}}})) as url:
            yield url


@pytest.fixture
def shop(backend: Backend, pigeon_sandbox: str, monkeypatch: pytest.MonkeyPatch) -> Shop:
    # The registry's one line, which nobody is to remember afterwards.
    monkeypatch.setitem(registry.CARRIERS, "pigeon", "tests.toy_carrier.pigeon")
    for remembered in ("profile", "adapter"):
        monkeypatch.setattr(registry, remembered, getattr(registry, remembered).__wrapped__)
    toy_shop = Shop(backend, pigeon_sandbox)
    for name, value in {
        "PARCELGATE_RETRY_QUEUE_URLS": json.dumps({"pigeon": toy_shop.retries}),
        "PARCELGATE_RETRY_DEAD_LETTER_URLS": json.dumps({"pigeon": toy_shop.dead}),
        "PARCELGATE_LABEL_QUEUE_URL": toy_shop.labels,
        "PARCELGATE_EVENT_BUS": "default",
        "POWERTOOLS_SERVICE_NAME": "test",
    }.items():
        monkeypatch.setenv(name, value)
    secrets = aws_clients.client("secretsmanager")
    secret = json.dumps({"credentials": {"key": KEY}, "base_url": f"{pigeon_sandbox}/pigeon"})
    try:
        secrets.create_secret(Name="parcelgate/acme/pigeon/default", SecretString=secret)
        place = {"LocationConstraint": "eu-central-1"}
        aws_clients.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    except secrets.exceptions.ResourceExistsException:
        pass
    runtime.reset()
    return toy_shop


def test_the_carrier_is_shown(shop: Shop) -> None:
    carriers = {carrier["code"]: carrier for carrier in call("GET /v1/carriers").json()["data"]}
    assert carriers["pigeon"]["name"] == "Pigeon Post"
    assert carriers["pigeon"]["grades"]["label"] == "assumed"
    services = call("GET /v1/carriers/{carrier}/services", carrier="pigeon").json()
    assert [service["code"] for service in services["data"]] == ["AIR"]


def test_an_order_is_bought_read_labelled_and_cancelled(shop: Shop) -> None:
    reply = call("POST /v1/orders", body=body("shop-1"))
    assert reply.status == 201, reply.text
    order = reply.json()
    assert (order["status"], order["carrier_order_number"]) == ("confirmed", "PGN1")
    numbers = {parcel["reference"]: parcel["tracking_number"] for parcel in order["parcels"]}
    assert numbers == {"bag-200": "PGN1-1", "bag-300": "PGN1-2"}
    assert [flight["reference"] for flight in shop.flights()] == ["shop-1"]

    assert call("GET /v1/orders/{id}", id=order["id"]).json()["status"] == "confirmed"
    listed = call("GET /v1/orders", query={"carrier": "pigeon"}).json()["data"]
    assert [one["id"] for one in listed] == [order["id"]]
    assert call("GET /v1/orders/{id}/tracking", id=order["id"]).status == 200

    shop.stream()
    assert shop.work(shop.labels, label_order) == 1
    label = call("GET /v1/orders/{id}/label", id=order["id"])
    assert label.status == 200
    path = unquote(urlsplit(label.json()["url"]).path).removeprefix("/")
    key = path.removeprefix(f"{BUCKET}/")
    content = aws_clients.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]
    assert [number in page for number, page in zip(("PGN1-1", "PGN1-2"), pages, strict=True)] == [True, True]

    reply = call("POST /v1/orders/{id}/cancel", id=order["id"])
    assert (reply.status, reply.json()["status"]) == (200, "cancelled")
    assert [flight["refunded"] for flight in shop.flights()] == [True]


def test_what_it_does_not_offer_is_refused_before_anything_is_sent(shop: Shop) -> None:
    priced = call("POST /v1/rates", body=body("shop-1"))
    assert (priced.status, priced.code) == (422, "not_supported_by_carrier")
    order = call("POST /v1/orders", body=body("shop-2")).json()["id"]
    changed = call("PATCH /v1/orders/{id}", id=order, body={"ship_to": {"line1": "2 High Shop"}})
    held = call("POST /v1/orders/{id}/hold", id=order)
    closed = call("POST /v1/manifests", body={"carrier": "pigeon", "order_ids": [order]})
    for reply in (changed, held, closed):
        assert (reply.status, reply.code) == (422, "not_supported_by_carrier"), reply.text
    check = call("POST /v1/addresses/validate", body={"carrier": "pigeon", "address": ROOF}).json()
    assert (check["valid"], check["checked_by"]) == (True, "parcelgate")


def test_its_own_limits_and_refusals_point_into_the_body(shop: Shop) -> None:
    heavy = call("POST /v1/orders", body=body("shop-3", parcels=bags(2001), options={"locker": True}))
    assert heavy.status == 422
    assert heavy.errors == {
        "/parcels/0/weight/value": "out_of_range",
        "/options/locker": "not_supported_by_carrier",
    }
    assert shop.flights() == []
    refused = call("POST /v1/orders", body=body("shop-3 SBX-REJECT"))
    assert (refused.status, refused.code) == (422, "refused_by_carrier")
    assert refused.errors == {"/ship_to/postcode": "refused_by_carrier"}
    assert refused.json()["carrier"] == {"name": "pigeon", "code": "NO_ROOF", "message": "no such roof"}
    late = call("POST /v1/orders", body=body("shop-4 SBX-COLLECTED")).json()["id"]
    closed = call("POST /v1/orders/{id}/cancel", id=late)
    assert (closed.status, closed.code) == (409, "cannot_cancel")
    assert closed.json()["errors"][0]["code"] == "already_closed"


@pytest.mark.parametrize("reference", ["shop-5 SBX-LOST", "shop-6 SBX-GARBAGE"])
def test_an_answer_that_was_lost_is_asked_for_and_the_order_bought_once(shop: Shop, reference: str) -> None:
    reply = call("POST /v1/orders", body=body(reference))
    assert (reply.status, reply.json()["status"]) == (202, "processing")
    shop.retried()
    order = call("GET /v1/orders/{id}", id=reply.json()["id"]).json()
    assert order["status"] == "confirmed"
    assert [flight["order_number"] for flight in shop.flights()] == [order["carrier_order_number"]]


def test_the_adapter_offers_what_its_profile_says(pigeon_sandbox: str) -> None:
    account = AccountConfig(
        tenant="acme",
        carrier="pigeon",
        name="x",
        credentials={"key": KEY},
        base_url=f"{pigeon_sandbox}/pigeon",
    )
    carrier = Adapter(Connection(account, send=HttpTransport(), tokens=FakeVault(), clock=datetime.now))
    offered = {
        name
        for name, kind in {
            "cancel": port.Cancels,
            "label": port.ProvidesLabels,
            "rates": port.QuotesRates,
            "update": port.Updates,
            "hold": port.Holds,
            "manifest": port.Manifests,
            "services": port.ListsServices,
            "validate_address": port.ValidatesAddresses,
        }.items()
        if isinstance(carrier, kind)
    }
    assert offered == {"cancel", "label"}
    assert offered < set(pigeon.PROFILE.capabilities)
    (journey,) = carrier.track(["PGN1-1"])
    assert [event.status for event in journey.events] == [TrackingStatus.IN_TRANSIT]

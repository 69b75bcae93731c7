"""A sandbox over real HTTP, a client that speaks its LSO side, and a place to be called back."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from sandbox import Settings, serve

JsonObject = dict[str, Any]

LOGIN = {"app_id": "app-1", "app_secret": "secret-1"}
OTHER_LOGIN = {"app_id": "app-2", "app_secret": "secret-2"}


def shipment(boxes: int = 1, **changes: Any) -> JsonObject:
    """The document's own example, with values in the places of its descriptions."""
    return {
        "city": "Austin",
        "province": "TX",
        "receiver": "María López",
        "receiverPhone": "5125550100",
        "postcode": "78701",
        "address1": "1100 Congress Ave",
        "address2": "Suite 5",
        "nationCode": "US",
        "receiveCompany": "Bluebonnet Books",
        "systemSenderName": "Houston DC",
        "lsoServiceType": "GroundBasic",
        "orderDetails": [
            {
                "boxHight": 4.5,
                "boxLength": 12,
                "boxWidth": "8.25",
                "packWeight": 3.2,
                "referenceNo1": f"box-{number}",
                "referenceNo2": "PO 4711",
                "lsoDeclaredValue": 25,
            }
            for number in range(1, boxes + 1)
        ],
    } | changes


class LsoClient:
    """The platform's calls, one method each; every answer is the decoded body."""

    def __init__(self, http: httpx.Client, login: dict[str, str] = LOGIN) -> None:
        self.http = http
        self.login = login
        self.renew()

    def renew(self) -> None:
        answer = self.http.post(
            "/lso/external-interface/getToken",
            json={"appId": self.login["app_id"], "appSecret": self.login["app_secret"]},
        ).json()
        self.token = answer["data"]["token"]

    def post(self, path: str, **body: Any) -> httpx.Response:
        credentials = {"token": self.token, "appId": self.login["app_id"]}
        return self.http.post(f"/lso/external-interface/{path}", json=credentials | body)

    def preview(self, content: JsonObject) -> JsonObject:
        answer: JsonObject = self.post("lso/feePreview", **content).json()
        return answer

    def send(self, reference: str, content: JsonObject | None = None, **more: Any) -> httpx.Response:
        """Preview and commit, as the document wants it."""
        content = shipment() if content is None else content
        self.preview(content)
        return self.post("lso/orderCommit", customerNumber=reference, **content, **more)

    def order(self, reference: str, content: JsonObject | None = None, **more: Any) -> str:
        """An order number."""
        answer = self.send(reference, content, **more).json()
        assert answer["code"] == 200, answer
        number: str = answer["data"]["orderNumber"]
        return number

    def result(self, number: str) -> JsonObject:
        answer: JsonObject = self.post("common/orderResult", orderNumber=number).json()
        return answer

    def finished(self, number: str) -> JsonObject:
        """The order's result once it is neither pending nor in the way of a steering word."""
        return eventually(lambda: (r := self.result(number))["code"] != 1024 and r)

    def label(self, number: str) -> JsonObject:
        answer: JsonObject = self.post("common/label", orderNumber=number).json()
        return answer

    def refund(self, number: str) -> JsonObject:
        answer: JsonObject = self.post("common/refund", orderNumber=number).json()
        return answer

    def track(self, *numbers: str) -> JsonObject:
        answer: JsonObject = self.post("lso/tracking", serviceNumbers=list(numbers)).json()
        return answer

    def ledger(self) -> JsonObject:
        book: JsonObject = self.http.get("/_sandbox/ledger").json()["lso"]
        return book

    def entry(self, reference: str) -> JsonObject:
        """The one order of this reference in the ledger."""
        (entry,) = [o for o in self.ledger()["orders"] if o["reference"] == reference]
        return dict(entry)

    def callbacks(self, reference: str) -> list[JsonObject]:
        return [c for c in self.ledger()["callbacks"] if c["reference"] == reference]


def eventually[T](probe: Callable[[], T | bool | None], within: float = 60.0) -> T:
    """The first true value the probe gives; fails after so many seconds."""
    until = time.monotonic() + within
    while not (value := probe()):
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)
    return value  # type: ignore[return-value]


@dataclass
class Receiver:
    """A client's callback address: what it got, and the answers it is to give."""

    url: str = ""
    got: list[JsonObject] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            receiver.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            usual = (200, '{"code": 200, "msg": "success"}')
            status, body = receiver.answers.pop(0) if receiver.answers else usual
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *arguments: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_port}/callback"
        yield receiver
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    settings = Settings(
        accounts={"lso": {"default": LOGIN, "other": OTHER_LOGIN}},
        callback_interval=0.05,
        processing_seconds=0.05,
        acceleration=1440,
    )
    with serve(settings) as url:
        yield url


@pytest.fixture(scope="session")
def shared_client(sandbox_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox_url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
def http(shared_client: httpx.Client) -> httpx.Client:
    shared_client.post("/_sandbox/reset")
    return shared_client


@pytest.fixture
def lso(http: httpx.Client) -> LsoClient:
    return LsoClient(http)


@pytest.fixture
def other_lso(http: httpx.Client) -> LsoClient:
    """The same platform, seen by another login."""
    return LsoClient(http, OTHER_LOGIN)


@pytest.fixture(name="shipment")
def shipment_of() -> Callable[..., JsonObject]:
    return shipment


@pytest.fixture(name="eventually")
def eventually_of() -> Callable[..., Any]:
    return eventually

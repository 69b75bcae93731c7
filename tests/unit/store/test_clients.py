"""AWS clients: made in one place, once, and never patient."""

from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, Lock, Thread
from time import sleep
from typing import ClassVar

import pytest
from botocore.validate import ParamValidationDecorator

from parcelgate import aws_clients
from tests.support.table import aws


def test_a_client_is_made_once() -> None:
    with aws():
        assert aws_clients.client("dynamodb") is aws_clients.client("dynamodb")


def test_a_client_gives_up_soon() -> None:
    with aws():
        config = aws_clients.client("sqs").meta.config
    assert (config.connect_timeout, config.read_timeout) == (2, 2)
    assert config.retries["mode"] == "standard"
    assert config.retries["total_max_attempts"] == 3


def test_a_call_is_neither_checked_twice_nor_its_client_described_anew() -> None:
    with aws():
        client = aws_clients.client("dynamodb")
    assert not isinstance(client._serializer, ParamValidationDecorator)
    assert client.meta.config.user_agent == "parcelgate"


def test_an_emulator_is_found_by_its_address_and_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with aws():
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4999")
        aws_clients.forget()
        client = aws_clients.client("dynamodb")
    assert client.meta.endpoint_url == "http://127.0.0.1:4999"
    assert client.meta.config.read_timeout == 30


@pytest.mark.parametrize(
    ("region", "endpoint", "address"),
    [
        ("eu-central-1", "", "https://labels.s3.eu-central-1.amazonaws.com/"),
        ("us-east-1", "", "https://labels.s3.us-east-1.amazonaws.com/"),
        ("cn-north-1", "", "https://labels.s3.cn-north-1.amazonaws.com.cn/"),
        ("us-east-1", "http://localhost:4999", "http://localhost:4999/labels/"),
    ],
)
def test_links_into_the_label_bucket_can_be_opened_and_begin_as_pages_are_told(
    monkeypatch: pytest.MonkeyPatch, region: str, endpoint: str, address: str
) -> None:
    with aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        if endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        aws_clients.forget()
        link = aws_clients.client("s3").generate_presigned_url(
            "get_object", {"Bucket": "labels", "Key": "a.pdf"}
        )
    assert link.startswith(f"{address}a.pdf?")
    assert "X-Amz-Signature" in link


@pytest.mark.parametrize("operation", ["put_object", "get_object", "delete_object"])
def test_no_call_about_an_object_becomes_one_about_its_bucket(operation: str) -> None:
    with aws():
        client = aws_clients.client("s3")
        client.create_bucket(
            Bucket="labels", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        with pytest.raises(ValueError, match="key of an S3 object is empty"):
            getattr(client, operation)(Bucket="labels", Key="")
        with pytest.raises(ValueError, match="key of an S3 object is empty"):
            client.generate_presigned_url(operation, {"Bucket": "labels", "Key": ""})
        assert [each["Name"] for each in client.list_buckets()["Buckets"]] == ["labels"]


def test_a_test_can_put_its_own() -> None:
    with aws():
        fake = object()
        aws_clients.put("kms", fake)
        assert aws_clients.client("kms") is fake
        aws_clients.forget()
        assert aws_clients.client("kms") is not fake


def test_threads_that_ask_for_their_first_clients_together_do_not_disturb_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = ("dynamodb", "sqs", "kms", "s3")
    ready, busy, disturbed = Barrier(len(services)), Lock(), []

    def make(service: str) -> object:
        if not busy.acquire(blocking=False):
            disturbed.append(service)
            return object()
        for _ in range(200):
            sleep(0)  # lets the others in, if anything does
        busy.release()
        return object()

    def ask(service: str) -> object:
        ready.wait(10)
        return aws_clients.client(service)  # type: ignore[call-overload]

    monkeypatch.setattr(aws_clients, "_made", {})
    monkeypatch.setattr(aws_clients, "_make", make)
    with ThreadPoolExecutor(len(services)) as pool:
        made = [*pool.map(ask, services)]
    assert len(set(map(id, made))) == len(services)
    assert disturbed == []


class AnswersOnce(BaseHTTPRequestHandler):
    """A service that keeps a connection open, and has forgotten it when the next request comes over it."""

    protocol_version = "HTTP/1.1"
    requests: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        _, port = self.client_address
        is_old = port in self.requests
        self.requests.append(port)
        if is_old:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


def test_a_connection_that_died_while_its_environment_was_frozen_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AnswersOnce, "requests", [])
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with ThreadingHTTPServer(("127.0.0.1", 0), AnswersOnce) as service:
        service.daemon_threads = True
        Thread(target=service.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{service.server_port}")
        aws_clients.forget()
        client = aws_clients.client("dynamodb")
        for _ in range(2):
            assert client.get_item(TableName="t", Key={"pk": {"S": "1"}}).get("Item") is None
        service.shutdown()
    aws_clients.forget()

    first, old, new = AnswersOnce.requests
    assert first == old != new

"""AWS clients: made in one place, once, and never patient."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from time import sleep

import pytest

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

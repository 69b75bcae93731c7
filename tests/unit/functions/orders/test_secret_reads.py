"""A function that starts cold reads the secret of an account once, however many services ask for it."""

import json

import msgspec
import pytest

from functions.work_batch.handler import READING
from parcelgate import aws_clients
from parcelgate.carriers.errors import RefusedError
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import OrderStatus
from parcelgate.runtime import runtime
from tests.support.api import TENANT, Backend, call
from tests.support.bodies import ubi_body
from tests.support.orders import an_event, an_order


class Secrets:
    """Secrets Manager, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - AWS's own name
        self.asked.append(SecretId)
        secret = {"base_url": "https://ubi.example", "credentials": {"token": "t", "secret": "made-up"}}
        return {"SecretString": json.dumps(secret)}


class Refuses:
    """A carrier that takes nothing."""

    def send(self, request: Request) -> Response:
        raise RefusedError("no")


@pytest.fixture
def secrets(backend: Backend) -> Secrets:
    fake = Secrets()
    aws_clients.put("secretsmanager", fake)
    runtime.use(transport=lambda deadline: Refuses())
    return fake


def test_a_cold_create_that_reaches_its_carrier_reads_the_secret_once(
    backend: Backend, secrets: Secrets
) -> None:
    reply = call("POST /v1/orders", body=ubi_body())

    assert (reply.status, reply.code) == (422, "refused_by_carrier")
    assert secrets.asked == ["parcelgate/acme/ubi/default"]


def test_a_batch_worker_that_starts_cold_reads_the_secret_once(backend: Backend, secrets: Secrets) -> None:
    reply = call("POST /v1/orders/batch", body={"orders": [ubi_body("r-1"), ubi_body("r-2")]})
    assert reply.status == 202
    runtime.reset()
    runtime.use(transport=lambda deadline: Refuses())
    worker = runtime.batch_worker(READING)

    for message in backend.batch_messages():
        worker.work(json.dumps(message), Deadline.after(60))

    orders = backend.tenant(TENANT).orders.page(limit=5).data
    assert {order.status for order in orders} == {OrderStatus.FAILED}
    assert secrets.asked == ["parcelgate/acme/ubi/default"]


def test_a_cold_fetch_of_a_label_reads_the_secret_once(backend: Backend, secrets: Secrets) -> None:
    order = backend.put(an_order(carrier="ubi"), an_event())
    backend.tenant().orders.save(
        order,
        msgspec.structs.replace(order, status=OrderStatus.CONFIRMED, carrier_order_number="U-1", version=2),
    )

    reply = call("GET /v1/orders/{id}/label", id=order.id)

    assert reply.status == 202
    assert secrets.asked == ["parcelgate/acme/ubi/default"]


def test_the_runtime_knows_the_names_of_its_parts() -> None:
    with pytest.raises(AttributeError, match="order_canceler"):
        runtime.use(order_canceler=None)

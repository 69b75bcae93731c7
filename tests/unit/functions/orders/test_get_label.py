"""Getting a label: the answers for each state of an order, and each thing that is asked for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from parcelgate.carriers.errors import (
    AccountError,
    AuthenticationError,
    LabelPendingError,
    RefusedError,
    TransientError,
)
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Label, LabelDocument, LabelStatus, Order, OrderStatus
from parcelgate.runtime import runtime
from tests.support.api import Backend, Reply, call
from tests.support.orders import an_event, an_order

ROUTE = "GET /v1/orders/{id}/label"
READY = Label(
    status=LabelStatus.READY,
    document=LabelDocument(key="acme/o/all.pdf", sha256="aa"),
    parcels=(LabelDocument(key="acme/o/1.pdf", sha256="bb"),),
)


def an_order_with(backend: Backend, label: Label, status: OrderStatus = OrderStatus.CONFIRMED) -> Order:
    order = backend.put(an_order(), an_event())
    after = msgspec.structs.replace(order, label=label, status=status, version=2)
    backend.tenant().orders.save(order, after)
    return after


def get(order: Order, accept: str | None = None, **more: Any) -> Reply:
    return call(ROUTE, id=order.id, headers={"accept": accept} if accept is not None else {}, **more)


def test_a_ready_label_has_links_that_end_within_15_minutes(backend: Backend) -> None:
    order = an_order_with(backend, READY)
    before = datetime.now(UTC)

    label = get(order).json()

    assert (label["status"], label["format"], label["size"]) == ("ready", "pdf", "4x6")
    assert label["sha256"] == "aa"
    assert label["parcels"] == [
        {
            "reference": "R-1",
            "tracking_number": None,
            "url": label["parcels"][0]["url"],
            "sha256": "bb",
        }
    ]
    for url in (label["url"], label["parcels"][0]["url"]):
        assert 0 < int(parse_qs(urlsplit(url).query)["X-Amz-Expires"][0]) <= 900
    assert datetime.fromisoformat(label["expires_at"]) <= before + timedelta(minutes=15, seconds=5)


def test_links_end_with_the_credentials_that_sign_them(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = datetime.now(UTC) + timedelta(minutes=3)
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", end.isoformat())

    label = get(an_order_with(backend, READY)).json()

    assert int(parse_qs(urlsplit(label["url"]).query)["X-Amz-Expires"][0]) <= 180


class Fetcher:
    """Fetches what a test says, or not yet."""

    def __init__(self) -> None:
        self.outcome: Exception | Callable[[], Order] = LabelPendingError("1115")
        self.asked: list[str] = []

    def fetch(self, tenant: str, order_id: str, deadline: Deadline) -> Order:
        assert 0 < deadline.remaining() <= 10
        self.asked.append(order_id)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome()


@pytest.fixture
def fetcher(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Fetcher:
    fetcher = Fetcher()
    runtime.use(label_fetcher=fetcher)
    return fetcher


@pytest.mark.parametrize(
    "status",
    [OrderStatus.ACCEPTED, OrderStatus.PROCESSING, OrderStatus.CONFIRMED, OrderStatus.NEEDS_ATTENTION],
)
@pytest.mark.parametrize("accept", ["application/json", "application/pdf"])
def test_a_label_in_the_making_is_waited_for(
    accept: str, status: OrderStatus, backend: Backend, fetcher: Fetcher
) -> None:
    reply = get(an_order_with(backend, Label(), status), accept)

    assert (reply.status, reply.json()) == (202, {"status": "pending"})
    assert int(reply.headers["retry-after"]) > 0


def test_whoever_asks_before_it_was_fetched_has_it_fetched(backend: Backend, fetcher: Fetcher) -> None:
    order = an_order_with(backend, Label())
    fetcher.outcome = lambda: msgspec.structs.replace(order, label=READY)

    assert get(order).json()["status"] == "ready"
    assert fetcher.asked == [order.id]


@pytest.mark.parametrize(
    "trouble",
    [
        TransientError("down"),
        RefusedError("no"),
        AuthenticationError("who?"),
        AccountError("toy", "default", ["mend it"]),
    ],
)
def test_trouble_with_the_carrier_is_no_trouble_of_the_client(
    trouble: Exception, backend: Backend, fetcher: Fetcher
) -> None:
    fetcher.outcome = trouble

    assert get(an_order_with(backend, Label())).status == 202


def test_an_order_that_was_cancelled_meanwhile_shows_none(backend: Backend, fetcher: Fetcher) -> None:
    order = an_order_with(backend, Label())
    fetcher.outcome = lambda: msgspec.structs.replace(order, status=OrderStatus.CANCELLED)

    assert get(order).code == "order_not_live"


@pytest.mark.parametrize("label", [READY, Label(status=LabelStatus.UNAVAILABLE)])
def test_nobody_is_asked_for_what_is_there_or_never_comes(
    label: Label, backend: Backend, fetcher: Fetcher
) -> None:
    get(an_order_with(backend, label))
    assert fetcher.asked == []


@pytest.mark.parametrize("status", [OrderStatus.FAILED, OrderStatus.CANCELLED])
@pytest.mark.parametrize("label", [READY, Label()])
def test_an_order_that_is_over_shows_none(label: Label, status: OrderStatus, backend: Backend) -> None:
    order = an_order_with(backend, label, status)

    reply = get(order)

    assert (reply.status, reply.code) == (409, "order_not_live")
    assert reply.json()["order_id"] == order.id
    assert reply.headers["location"] == f"/v1/orders/{order.id}"


def test_a_label_that_never_came_is_not_there(backend: Backend) -> None:
    reply = get(an_order_with(backend, Label(status=LabelStatus.UNAVAILABLE)))

    assert (reply.status, reply.code) == (404, "label_unavailable")


def test_whoever_asks_for_the_document_is_sent_there(backend: Backend) -> None:
    reply = get(an_order_with(backend, READY), "application/pdf")

    assert (reply.status, reply.text) == (302, "")
    assert "acme/o/all.pdf" in reply.headers["location"]


@pytest.mark.parametrize("accept", ["image/jpeg", "application/zpl", "image/jpeg;q=0.4, application/zpl"])
def test_a_document_of_another_format_is_not_to_be_had(accept: str, backend: Backend) -> None:
    reply = get(an_order_with(backend, READY), accept)

    assert (reply.status, reply.code) == (406, "not_acceptable")


def test_images_of_several_parcels_are_no_one_document(backend: Backend) -> None:
    label = msgspec.structs.replace(READY, format="jpg", document=None)
    order = an_order_with(backend, label)

    assert get(order).json()["url"] is None
    assert get(order, "image/jpeg").status == 406


def test_another_tenant_s_label_is_not_found(backend: Backend) -> None:
    order = an_order_with(backend, READY)

    assert get(order, tenant="other").status == 404
    assert get(order, scopes="orders:write").status == 403


def test_no_link_is_logged(backend: Backend, logged: Callable[[], str]) -> None:
    order = an_order_with(backend, READY)
    get(order)
    get(order, "application/pdf")

    assert "X-Amz" not in logged()

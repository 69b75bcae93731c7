"""Promise 7: every operation, called by a stranger with another tenant's ids, and with each scope.

The table has a row for each route of `http.routes`: an operation that is added without one fails here. A row
says how the operation is called with what tenant `acme` has. Each is called by `acme` itself too: a row that
leads to nothing would prove nothing.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import pytest

from parcelgate import aws_clients
from parcelgate.carriers.errors import TransientError
from parcelgate.carriers.results import Confirmed, ParcelResult
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.domain.clock import now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.manifests import Manifest, ManifestEntry
from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.merchants.rate_cards import RateCard, RateCardRow
from parcelgate.domain.orders import Label, LabelDocument, LabelStatus, Order, OrderStatus
from parcelgate.domain.printouts import Printout, PrintRequest
from parcelgate.domain.problems import Problem
from parcelgate.http import routes
from parcelgate.runtime import runtime
from parcelgate.services.accounts import api_keys
from parcelgate.services.orders import transitions
from parcelgate.store.inbox import name_of
from tests.support.aggregator import FakeAggregator
from tests.support.api import BUCKET, TENANT, Backend, Body, Reply, api_event, call, order_body, send
from tests.support.events import an_event_showing
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import all_items
from tests.support.trackings import a_followed

STRANGER = "other"
MARK = "QZACMEQZ"
"""Stands in every text that `acme` gave: whoever else reads it has read what is `acme`'s."""


class Things(NamedTuple):
    """What `acme` has."""

    order: str
    ubi_order: str
    tracking: str
    batch: str
    event: str
    document: str
    manifest: str
    troubled: str
    webhook: str
    endpoint: str
    delivery: str
    number: str = f"{MARK}1CN"
    reference: str = f"{MARK}-1"


type Given = dict[str, Any]


ENDPOINTS = "/v1/webhook-endpoints"
RATE_CARD = "/v1/carrier-accounts/{carrier}/{account}/rate-card"


class Row(NamedTuple):
    """One operation: how it is called with `acme`'s things, and what a stranger who does so is told."""

    given: Callable[[Things], Given]
    stranger: int | None = 404
    """The stranger's status; None: the operation names nothing that is anybody's."""
    each: str | None = None
    """Where each named thing has an answer of its own: the list, whose entries are all `not_found`."""
    shows: bool = True
    """Whether the owner's answer has the mark in it."""


def _order(things: Things) -> Given:
    return {"id": things.order}


def _tracking(things: Things) -> Given:
    return {"id": things.tracking}


def _endpoint(things: Things) -> Given:
    return {"id": things.endpoint}


ROWS: dict[str, Row] = {
    "POST /v1/orders": Row(lambda its: {"body": order_body(its.reference)}, stranger=None),
    "POST /v1/orders/batch": Row(
        lambda its: {"body": {"orders": [order_body(its.reference)]}}, stranger=None
    ),
    "GET /v1/batches/{id}": Row(lambda its: {"id": its.batch}),
    "GET /v1/orders": Row(lambda its: {"query": {"reference": its.reference}}, stranger=200),
    "GET /v1/orders/{id}": Row(_order),
    "GET /v1/orders/{id}/events": Row(_order),
    "GET /v1/orders/{id}/tracking": Row(_order),
    "GET /v1/orders/{id}/label": Row(_order),
    # Whose orders they are is seen when the document is made: `test_label_documents.py`.
    "POST /v1/label-documents": Row(lambda its: {"body": {"order_ids": [its.order]}}, stranger=None),
    "GET /v1/label-documents/{id}": Row(lambda its: {"id": its.document}),
    "POST /v1/orders/{id}/cancel": Row(lambda its: {"id": its.ubi_order}, shows=False),
    "PATCH /v1/orders/{id}": Row(lambda its: {"id": its.order, "body": {"metadata": {"a": "b"}}}),
    "POST /v1/orders/{id}/hold": Row(lambda its: {"id": its.ubi_order}, shows=False),
    "POST /v1/orders/{id}/return": Row(lambda its: {"id": its.ubi_order}, shows=False),
    "POST /v1/manifests": Row(
        lambda its: {"body": {"carrier": "ubi", "order_ids": [its.ubi_order]}},
        stranger=201,
        each="orders",
        shows=False,
    ),
    "GET /v1/manifests/{id}": Row(lambda its: {"id": its.manifest}),
    "POST /v1/addresses/validate": Row(
        lambda its: {"body": {"carrier": "lso", "address": order_body()["ship_to"]}}, stranger=None
    ),
    "POST /v1/rates": Row(lambda its: {"body": order_body(its.reference)}, stranger=None),
    f"GET {RATE_CARD}": Row(lambda its: {"carrier": "ubi", "account": "default"}),
    **{
        f"{method} {RATE_CARD}": Row(lambda its: {"carrier": "ubi", "account": "default"}, stranger=None)
        for method in ("PUT", "DELETE")
    },
    "GET /v1/carrier-accounts": Row(lambda its: {}, stranger=200, shows=False),
    "POST /v1/carrier-accounts/{carrier}/{account}/check": Row(
        lambda its: {"carrier": "ubi", "account": "default"}, stranger=None
    ),
    "POST /v1/carrier-accounts/{carrier}/{account}/pause": Row(
        lambda its: {"carrier": "ubi", "account": "default", "body": {"reason": MARK}}, stranger=None
    ),
    "POST /v1/carrier-accounts/{carrier}/{account}/resume": Row(
        lambda its: {"carrier": "ubi", "account": "default"}, stranger=None
    ),
    "GET /v1/settings": Row(lambda its: {}, stranger=None),
    "PUT /v1/settings": Row(lambda its: {"body": {"brand": {"name": MARK}}}, stranger=None),
    "GET /v1/attention": Row(lambda its: {}, stranger=200),
    "POST /v1/orders/{id}/resolve": Row(
        lambda its: {"id": its.troubled, "body": {"outcome": "not_at_carrier"}}, shows=False
    ),
    "POST /v1/orders/{id}/erase": Row(lambda its: {"id": its.order, "body": {"force": True}}),
    "GET /v1/inbox": Row(lambda its: {}, stranger=200),
    "GET /v1/inbox/{id}": Row(lambda its: {"id": its.webhook}),
    "POST /v1/inbox/{id}/replay": Row(lambda its: {"id": its.webhook}, shows=False),
    "POST /v1/inbox/{id}/dismiss": Row(lambda its: {"id": its.webhook, "body": {"reason": MARK}}),
    "GET /v1/dead-letters": Row(lambda its: {}, stranger=None),
    "POST /v1/dead-letters/{queue}/redrive": Row(lambda its: {"queue": "retries-lso"}, stranger=None),
    "GET /v1/stats": Row(lambda its: {}, stranger=None),
    "POST /v1/trackings": Row(
        lambda its: {"body": {"carrier_code": "china-ems", "tracking_number": its.number}}, stranger=None
    ),
    "GET /v1/trackings": Row(lambda its: {"query": {"carrier": "trackingmore"}}, stranger=200),
    "GET /v1/trackings/{id}": Row(_tracking),
    "PATCH /v1/trackings/{id}": Row(lambda its: {"id": its.tracking, "body": {"title": "x"}}),
    "DELETE /v1/trackings/{id}": Row(_tracking, shows=False),
    "POST /v1/trackings/{id}/pause": Row(_tracking),
    "POST /v1/trackings/{id}/refresh": Row(_tracking),
    "POST /v1/trackings/update": Row(
        lambda its: {"body": [{"id": its.tracking, "title": "x"}]}, stranger=207, each="data"
    ),
    "POST /v1/trackings/delete": Row(
        lambda its: {"body": [its.tracking]}, stranger=207, each="data", shows=False
    ),
    "POST /v1/trackings/transit-times": Row(
        lambda its: {"body": {"origin": "cn", "destination": "us", "carrier_code": "china-ems"}},
        stranger=None,
    ),
    "POST /v1/trackings/remote-areas": Row(
        lambda its: {"body": [{"country": "us", "postcode": "99501", "company": "DHL"}]}, stranger=None
    ),
    "POST /v1/trackings/detect": Row(lambda its: {"body": {"tracking_number": "N1"}}, stranger=None),
    "GET /v1/trackings/air-cargo/{awb}": Row(lambda its: {"awb": "016-10354966"}, stranger=None),
    "GET /v1/couriers": Row(lambda its: {}, stranger=None),
    "GET /v1/trackings/usage": Row(lambda its: {}, stranger=None),
    "GET /v1/trackings/summary": Row(lambda its: {}, stranger=None),
    "GET /v1/events": Row(lambda its: {"query": {"type": "order.confirmed"}}, stranger=200),
    "GET /v1/events/{id}": Row(lambda its: {"id": its.event}),
    f"POST {ENDPOINTS}": Row(lambda its: {"body": {"url": "https://shop.example/"}}, stranger=None),
    f"GET {ENDPOINTS}": Row(lambda its: {}, stranger=200),
    f"GET {ENDPOINTS}/{{id}}": Row(_endpoint),
    f"PATCH {ENDPOINTS}/{{id}}": Row(lambda its: {"id": its.endpoint, "body": {"events": ["*"]}}),
    f"DELETE {ENDPOINTS}/{{id}}": Row(_endpoint, shows=False),
    f"POST {ENDPOINTS}/{{id}}/rotate-secret": Row(_endpoint),
    f"POST {ENDPOINTS}/{{id}}/test": Row(_endpoint, shows=False),
    f"GET {ENDPOINTS}/{{id}}/deliveries": Row(_endpoint, shows=False),
    "POST /v1/webhook-deliveries/{id}/replay": Row(lambda its: {"id": its.delivery}, shows=False),
    "GET /v1/carriers/{carrier}/services": Row(lambda its: {"carrier": "lso"}, stranger=None),
    "GET /v1/carriers": Row(lambda its: {}, stranger=None),
}
OPEN = {
    "GET /v1/health",
    "GET /v1/openapi.json",
    "GET /docs",
    "GET /console",
    "GET /console/{path+}",
    "GET /docs/{path+}",
    "GET /problems/{code}",
    "GET /track/{token}",
    "HEAD /track/{token}",
    "POST /webhooks/{carrier}/{account}/{token}",
}
"""What is answered without a key. Nothing of it is anybody's, save what a token leads to."""
NAMING = [key for key, row in ROWS.items() if row.stranger is not None]


class NobodyThere:
    """A way out that leads nowhere, and remembers who tried it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        raise TransientError("nobody is there")


@pytest.fixture
def out() -> NobodyThere:
    way = NobodyThere()

    def transport(deadline: Deadline | None) -> NobodyThere:
        return way

    secrets = aws_clients.client("secretsmanager")
    login = {"credentials": {"token": "t-7", "secret": "made-up"}, "base_url": "https://ubi.example"}
    for tenant in (TENANT, STRANGER):
        with suppress(secrets.exceptions.ResourceExistsException):
            secrets.create_secret(Name=f"parcelgate/{tenant}/ubi/default", SecretString=json.dumps(login))
    s3 = aws_clients.client("s3")
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    runtime.use(transport=transport)
    return way


@pytest.fixture
def aggregator() -> Iterator[FakeAggregator]:
    with FakeAggregator().in_place() as standing:
        yield standing


_made: dict[Backend, Things] = {}


@pytest.fixture
def standing(shared_backend: Backend) -> Things:
    """What `acme` has, for calls that must not change it: made once, and again where a test took it away."""
    things = _made.get(shared_backend)
    if things is None or not _of_acme(shared_backend):
        shared_backend.tidy()
        things = _made[shared_backend] = _everything(shared_backend)
    return things


@pytest.fixture
def acmes(backend: Backend) -> Things:
    """What `acme` has, made anew."""
    return _everything(backend)


class Witness:
    """What was there before a call, and whether the call has left a trace of any kind."""

    def __init__(self, backend: Backend, out: NobodyThere, aggregator: FakeAggregator) -> None:
        self._house, self._out, self._aggregator = backend, out, aggregator
        self._before = self._all()

    def _all(self) -> tuple[object, ...]:
        backend = self._house
        queues = (backend.nudges(), backend.retry_messages(), backend.batch_messages(), backend.executions())
        queues = (*queues, backend.print_messages())
        return (_of_acme(backend), *queues, list(self._out.requests), dict(self._aggregator.calls))

    def assert_nothing_happened(self) -> None:
        assert self._all() == self._before


@pytest.fixture
def witness(
    shared_backend: Backend, standing: Things, out: NobodyThere, aggregator: FakeAggregator
) -> Witness:
    return Witness(shared_backend, out, aggregator)


def _everything(backend: Backend) -> Things:
    """Everything that a tenant can have, with the mark in whatever it said itself."""
    order = _confirmed(backend, an_order(reference=f"{MARK}-1", metadata={"note": MARK}))
    ubi = _confirmed(
        backend,
        an_order(reference=f"{MARK}-2", carrier="ubi", service="UBI.AU2AU.AUPOST.1", metadata={"note": MARK}),
    )
    tracking = a_followed(f"{MARK}1CN", title=MARK)
    backend.tenant().trackings.add(tracking)
    row = RateCardRow(
        service=MARK,
        destination_country="*",
        weight_up_to=Weight(Decimal(1), WeightUnit.KG),
        price=Money(Decimal(1), "AUD"),
    )
    card = RateCard(carrier="ubi", account="default", rows=(row,), updated_at=NOON)
    backend.tenant().rate_cards.put(card)
    batch = call("POST /v1/orders/batch", body={"orders": [order_body(f"{MARK}-3")]}).json()["id"]
    events = [an_event_showing(order, kind, at=now()) for kind in ("order.confirmed", "label.ready")]
    for event in events:
        backend.events.tenant(TENANT).log.add(event)
    printout = Printout(
        id="lbl_1", tenant=TENANT, request=PrintRequest(order_ids=(MARK,)), created_at=now()
    ).ready(pages=1, key=f"_documents/acme/{MARK}.pdf", sha256="cc", missing=())
    backend.tenant().printouts.put(printout)
    why = Problem(code="refused_by_carrier", detail=MARK)
    manifest = Manifest(
        id="man_1",
        carrier="ubi",
        account="default",
        entries=(ManifestEntry(order_id=order.id, problem=why),),
        created_at=NOON,
        answered=True,
    )
    backend.tenant().manifests.add(manifest, [])
    trouble = Problem(code="outcome_unknown", detail=MARK)
    troubled = an_order(reference=f"{MARK}-9", status=OrderStatus.NEEDS_ATTENTION, problem=trouble)
    backend.put(troubled, an_event(detail=MARK))
    webhook = backend.tenant().inbox.put(
        carrier="lme", account="default", body=MARK.encode(), now=now(), parked=f"not like {MARK}"
    )
    endpoint = call(
        f"POST {ENDPOINTS}", body={"url": f"https://{MARK.lower()}.example/", "description": MARK}
    ).json()["id"]
    delivery = call(f"POST {ENDPOINTS}/{{id}}/test", id=endpoint).json()["id"]
    more = (events[0].id, printout.id, manifest.id, troubled.id, name_of(webhook.id), endpoint, delivery)
    return Things(order.id, ubi.id, tracking.id, batch, *more)


def _confirmed(backend: Backend, order: Order) -> Order:
    order = backend.put(msgspec.structs.replace(order, status=OrderStatus.PROCESSING), an_event(detail=MARK))
    result = Confirmed(
        carrier_order_number=f"{MARK}-{order.carrier}",
        parcels=tuple(
            ParcelResult(reference=parcel.reference, tracking_number=f"{MARK}-{order.carrier}-{place}")
            for place, parcel in enumerate(order.parcels)
        ),
    )
    change = transitions.confirmed(order, result, at=NOON, watch_at=NOON)
    label = Label(
        status=LabelStatus.READY,
        document=LabelDocument(key=f"acme/{MARK}/all.pdf", sha256="aa"),
        parcels=(LabelDocument(key=f"acme/{MARK}/1.pdf", sha256="bb"),),
    )
    after = msgspec.structs.replace(change.after, label=label, watch_at=None)
    backend.tenant().orders.save(order, after, change.event, trackings=change.trackings)
    return after


def scopes_of(key: str) -> tuple[str, ...]:
    """The scopes of which a key needs one; the first of them shows what `acme` has."""
    return routes.ROUTES[key].scopes


def _of_acme(backend: Backend) -> list[Body]:
    return [item for item in all_items(backend.dynamodb) if item["pk"]["S"].startswith(f"T#{TENANT}#")]


def asked(key: str, things: Things, **more: Any) -> Reply:
    return call(key, **ROWS[key].given(things) | more)


def test_every_operation_has_a_row() -> None:
    """A new operation needs a row above, and one that is to be open must be named among the open ones."""
    assert {key for key, route in routes.ROUTES.items() if route.open} == OPEN
    assert set(ROWS) == set(routes.ROUTES) - OPEN
    for key, row in ROWS.items():
        assert "{id}" not in key or row.stranger == 404, "an id in a path is always somebody's"


@pytest.mark.parametrize("key", NAMING)
def test_promise_7_a_strangers_call_meets_nothing(key: str, standing: Things, witness: Witness) -> None:
    row = ROWS[key]

    reply = asked(key, standing, tenant=STRANGER, headers={"Idempotency-Key": "k"})

    assert reply.status == row.stranger
    assert MARK not in reply.text
    if row.stranger == 404:
        assert reply.code == "not_found"
        nobodys = asked(key, standing, tenant=STRANGER, id="ord_01ARZ3NDEKTSV4RRFFQ69G5FAV")
        assert (nobodys.status, nobodys.text) == (reply.status, reply.text)
    elif row.each:
        (entry,) = reply.json()[row.each]
        assert entry["problem"]["code"] == "not_found"
    else:
        assert reply.json()["data"] == []
    witness.assert_nothing_happened()


@pytest.mark.parametrize("key", ROWS)
def test_promise_7_a_key_without_the_scope_does_and_learns_nothing(
    key: str, standing: Things, witness: Witness
) -> None:
    """Every other scope alone, and all others together, in the owner's hand and in a stranger's."""
    others = api_keys.SCOPES - {*scopes_of(key)}
    nothing = Things(
        "ord_1",
        "ord_1",
        "trk_1",
        "bat_1",
        "evt_1",
        "lbl_1",
        "man_1",
        "ord_1",
        "lme-1",
        "whe_1",
        "whd_1",
        "N",
        "R",
    )
    if not scopes_of(key):
        return

    refused = [
        asked(key, things, tenant=tenant, scopes=scopes, headers={"Idempotency-Key": "k"})
        for scopes in ("", *others, " ".join(others))
        for tenant, things in ((TENANT, standing), (STRANGER, standing), (STRANGER, nothing))
    ]

    assert {(reply.status, reply.code) for reply in refused} == {(403, "missing_scope")}
    assert len({reply.text for reply in refused}) == 1, "the refusal tells what there is"
    witness.assert_nothing_happened()


@pytest.mark.parametrize("key", ROWS)
def test_promise_7_nobody_is_let_in_without_a_key(key: str, standing: Things, witness: Witness) -> None:
    every = " ".join(api_keys.SCOPES)
    contexts: list[Body | None] = [
        {"auth": "invalid"},
        {"auth": "invalid", "tenant": TENANT, "scopes": every},
        {"auth": "ok", "scopes": every},
        {"auth": "ok", "tenant": "", "scopes": every},
        {},
        None,
    ]
    for context in contexts:
        event = api_event(key, **ROWS[key].given(standing) | {"headers": {"Idempotency-Key": "k"}})
        event["requestContext"]["authorizer"] = None if context is None else {"lambda": context}
        reply = send(event)
        assert (reply.status, reply.code) == (401, "invalid_key")
        assert MARK not in reply.text
    witness.assert_nothing_happened()


@pytest.mark.parametrize("key", [key for key in NAMING if "{id}" in key])
def test_the_id_of_a_thing_of_another_kind_is_not_found(key: str, standing: Things, witness: Witness) -> None:
    own = ROWS[key].given(standing)["id"]
    every = (
        standing.order,
        standing.tracking,
        standing.batch,
        standing.event,
        standing.document,
        standing.endpoint,
        standing.delivery,
    )
    others = [one for one in every if one[:4] != own[:4]]

    for one in [*others, f"{STRANGER}#ORDER#{own}", f"{own}#", "..", "#"]:
        assert asked(key, standing, id=one).status == 404
    witness.assert_nothing_happened()


@pytest.mark.parametrize("key", ROWS)
def test_the_owner_needs_that_one_scope_and_its_idempotency_key_is_nobody_elses(
    key: str, acmes: Things, out: NobodyThere, aggregator: FakeAggregator
) -> None:
    """The same call meets something when its owner makes it; a stranger is not given the owner's answer."""
    row = ROWS[key]
    headers = {"Idempotency-Key": "k"}

    reply = asked(key, acmes, scopes=next(iter(scopes_of(key)), ""), headers=headers)
    strangers = asked(key, acmes, tenant=STRANGER, headers=headers)

    assert reply.status not in (401, 403, 404)
    assert "not_found" not in reply.text
    assert row.stranger is None or MARK in reply.text or not row.shows
    assert "idempotent-replayed" not in strangers.headers
    assert row.stranger in (None, strangers.status)


@pytest.mark.parametrize("key", ["GET /v1/orders", "GET /v1/trackings", "GET /v1/events"])
def test_promise_7_a_cursor_leads_a_stranger_nowhere(key: str, standing: Things, witness: Witness) -> None:
    page = call(key, query={"limit": "1"}).json()
    assert page["next_cursor"]

    reply = call(key, query={"limit": "1", "cursor": page["next_cursor"]}, tenant=STRANGER)

    assert reply.status in (200, 422)
    assert MARK not in reply.text


def test_a_reference_that_another_tenant_uses_is_free(acmes: Things, backend: Backend) -> None:
    mine = call("POST /v1/orders", body=order_body(acmes.reference))
    reply = call("POST /v1/orders", body=order_body(acmes.reference), tenant=STRANGER)

    assert (mine.status, mine.code) == (409, "reference_in_use")
    assert reply.status == 202
    assert backend.order(reply.json()["id"], STRANGER).tenant == STRANGER


def test_a_number_that_another_tenant_follows_is_followed_anew(
    acmes: Things, aggregator: FakeAggregator
) -> None:
    reply = asked("POST /v1/trackings", acmes, tenant=STRANGER)

    assert reply.status == 201
    assert reply.json()["id"] != acmes.tracking
    assert reply.json()["title"] is None

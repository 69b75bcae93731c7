"""What clients, operators and strangers send: bodies, price lists, links, secrets and addresses of webhooks.

Each is read, or refused with words. The bodies are good ones, spoilt as carriers' answers are.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.ingest_webhook.handler import handler as ingest
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import read_content
from parcelgate.domain.ids import new_id
from parcelgate.domain.problems import Problem, ProblemError
from parcelgate.http.answers import encode
from parcelgate.http.requests import (
    amendments,
    batches,
    endpoints,
    forms,
    label_documents,
    orders,
    rate_cards,
    trackings,
)
from parcelgate.http.requests.formats.reading import read_json
from parcelgate.http.requests.settings import read_settings
from parcelgate.store.credentials.page_tokens import Place
from tests.property.examples import many
from tests.property.test_outside_bytes import spoilt_bytes
from tests.support.adapters import NOON
from tests.support.api import Backend, Context, call
from tests.support.bodies import BODIES
from tests.support.carrier_answers import RUBBISH, bodies
from tests.support.orders import an_event, an_order

CARRIERS = registry.names()
SAMPLES = Path("events/requests")
MOST_BYTES = 256 * 1024


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))["body"]


def _order(body: object) -> object:
    return orders.read_order(body, carriers=CARRIERS, tenant="acme", order_id=new_id("ord"), now=NOON)


READERS: dict[str, tuple[Any, Any]] = {
    "an order with LME": (BODIES["lme"](), _order),
    "an order with UBI": (BODIES["ubi"](parcels=2), _order),
    "an order": (sample("createOrder"), _order),
    "a batch": (sample("createBatch"), lambda body: batches.read_batch(body, carriers=CARRIERS)),
    "a change": (sample("changeOrder"), lambda body: amendments.read_amendment(body, carriers=CARRIERS)),
    "rates": (
        sample("quoteRates"),
        lambda body: forms.read_rates(body, CARRIERS, tenant="acme", now=NOON),
    ),
    "an address": (sample("validateAddress"), lambda body: forms.read_address(body, CARRIERS)),
    "a manifest": (sample("closeManifest"), lambda body: forms.read_manifest(body, CARRIERS)),
    "an endpoint": (sample("createEndpoint"), lambda body: endpoints.read_endpoint(body, anywhere=False)),
    "a changed endpoint": (sample("changeEndpoint"), lambda body: endpoints.read_patch(body, anywhere=False)),
    "a label document": (sample("createLabelDocument"), label_documents.read_label_document),
    "parcels to follow": ([sample("followParcels")], trackings.read_subscriptions),
    "settings": (sample("putSettings"), read_settings),
}


def assert_shown(problem: Problem | None) -> None:
    """A refusal has words, and can be written as an answer."""
    if problem is not None:
        assert problem.detail
        encode(problem)


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@many(20)
def test_any_body_is_read_or_refused_with_words(name: str, data: st.DataObject) -> None:
    whole, read = READERS[name]
    raw = data.draw(bodies(whole))

    problem = None
    try:
        assert read(read_json(raw, "application/json", most=MOST_BYTES)) is not None
    except ProblemError as error:
        problem = error.problem
    assert_shown(problem)


@pytest.mark.parametrize("name", READERS)
def test_a_whole_body_is_read(name: str) -> None:
    """Else the spoilt ones would try nothing but refusals."""
    whole, read = READERS[name]
    assert read(whole) is not None


@given(content=spoilt_bytes(sample("putRateCard").encode()) | st.binary(max_size=80))
@many(40)
def test_any_price_list_is_read_or_refused_with_words(content: bytes) -> None:
    problem = None
    try:
        assert rate_cards.read_rate_card(content)
    except ProblemError as error:
        problem = error.problem
    assert_shown(problem)


@given(data=st.data())
@many(40)
def test_no_text_but_a_page_s_own_token_leads_anywhere(data: st.DataObject, backend: Backend) -> None:
    tokens = backend.table.page_tokens
    tokens.ready()
    order = an_order()
    token = tokens.token(Place("acme", order_id=order.id))
    assert token is not None
    at = data.draw(st.integers(0, len(token)))
    changed = data.draw(st.text(max_size=90)) if at == 0 else token[:at] + data.draw(st.text(max_size=3))

    assert (tokens.open(changed) is not None) == (changed == token)


@given(data=st.data())
@many(20)
def test_any_cursor_and_any_filter_of_a_list_is_answered(data: st.DataObject, backend: Backend) -> None:
    names = st.sampled_from(
        ["cursor", "limit", "status", "carrier", "reference", "created_after", "attention", "x"]
    )
    query = data.draw(st.dictionaries(names, st.text(max_size=30), max_size=3))
    # Only now, since a draw may end an example before it is tidied up.
    backend.put(an_order(), an_event())

    assert call("GET /v1/orders", query=query).status in (200, 422)
    backend.tidy()


SECRET = {
    "credentials": {"app_id": "app-7", "app_secret": "made-up"},
    "base_url": "https://lso.example",
    "limits": {"rate": 5, "burst": 10},
    "overrides": {"may_resend": True},
    "webhook_token": "t" * 32,
}


@given(content=bodies(SECRET) | st.sampled_from(RUBBISH))
@many(60)
def test_any_secret_is_read_field_by_field_and_no_fault_tells_its_value(content: bytes) -> None:
    text = content.decode(errors="replace")

    values, faults = read_content(text, allows_http=False)

    assert isinstance(values, dict)
    assert all("made-up" not in fault for fault in faults)


@given(
    carrier=st.sampled_from([*registry.trackers(), "", "x", "../lso"]) | st.text(max_size=5),
    account=st.sampled_from(["default", "", "..", "a/b"]) | st.text(max_size=70),
    token=st.sampled_from(["t" * 32, "", "." * 20]) | st.text(max_size=140),
    body=st.binary(max_size=60),
    is_encoded=st.booleans(),
)
@many(40)
def test_a_webhook_at_an_address_that_nobody_gave_is_not_found(
    carrier: str, account: str, token: str, body: bytes, is_encoded: bool, backend: Backend
) -> None:
    text = base64.b64encode(body).decode() if is_encoded else body.decode(errors="surrogateescape")
    event = {
        "pathParameters": {"carrier": carrier, "account": account, "token": token},
        "headers": {"content-type": "application/json"},
        "body": text,
        "isBase64Encoded": is_encoded,
    }

    assert ingest(event, Context())["statusCode"] == 404

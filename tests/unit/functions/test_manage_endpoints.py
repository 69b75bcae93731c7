"""`/v1/webhook-endpoints`: made, changed, tested and deleted; a secret is shown once and stands nowhere."""

import json
from datetime import timedelta
from typing import Any

import pytest

from parcelgate.domain.clock import now
from parcelgate.domain.merchants.endpoints import MOST_ENDPOINTS
from parcelgate.runtime import runtime
from parcelgate.services.endpoints.fan_out import new_delivery
from tests.support.api import TENANT, Backend, Reply, call
from tests.support.events import an_event_of
from tests.support.table import EVENTS_TABLE_NAME, all_items

URL = "https://shop.example/hook"
ENDPOINTS = "/v1/webhook-endpoints"
ONE = f"{ENDPOINTS}/{{id}}"


def create(**body: Any) -> Reply:
    return call(f"POST {ENDPOINTS}", body={"url": URL} | body)


def made(**body: Any) -> Any:
    reply = create(**body)
    assert reply.status == 201, reply.text
    return reply.json()


def test_an_endpoint_is_made_and_read_and_its_secret_is_shown_once(backend: Backend) -> None:
    reply = create(events=["order.*", "order.*", "tracking.delivered"], description=" The shop ")
    endpoint = reply.json()
    secret = endpoint.pop("secret")

    assert reply.headers["location"].endswith(f"{ENDPOINTS}/{endpoint['id']}")
    assert secret.startswith("whsec_")
    assert len(secret) > 40
    assert endpoint["id"].startswith("whe_")
    assert (endpoint["events"], endpoint["description"]) == (["order.*", "tracking.delivered"], "The shop")
    assert (endpoint["enabled"], endpoint["disabled_reason"], endpoint["disabled_at"]) == (True, None, None)
    assert call(f"GET {ONE}", id=endpoint["id"]).json() == endpoint
    assert call(f"GET {ENDPOINTS}").json() == {"data": [endpoint]}
    everything = str([*all_items(backend.dynamodb), *all_items(backend.dynamodb, EVENTS_TABLE_NAME)])
    assert secret.removeprefix("whsec_") not in everything


def test_a_repeat_shows_the_same_secret_and_keeps_none(backend: Backend) -> None:
    for route, more in (
        (f"POST {ENDPOINTS}", {"body": {"url": URL}}),
        (f"POST {ONE}/rotate-secret", {"id": made()["id"]}),
    ):
        first, second = (call(route, headers={"Idempotency-Key": "k"}, **more) for _ in range(2))
        assert first.text == second.text
        assert (first.status, second.headers["idempotent-replayed"]) == (second.status, "true")
        secret = first.json()["secret"]
        assert secret.startswith("whsec_")
        assert secret.removeprefix("whsec_") not in str(all_items(backend.dynamodb))


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"url": None}, {"/url": "missing"}),
        ({"url": "shop"}, {"/url": "format"}),
        ({"url": "https://user:password@shop.example/"}, {"/url": "format"}),
        ({"url": "https://shop.example:81/"}, {"/url": "format"}),
        ({"url": "http://shop.example/"}, {"/url": "format"}),
        ({"url": "https://10.0.0.1/"}, {"/url": "format"}),
        ({"url": "https://shop.example/" + "a" * 2028}, {"/url": "too_long"}),
        ({"url": 7}, {"/url": "type"}),
        ({"events": ["order.*", "order.lost"]}, {"/events/1": "unknown_value"}),
        ({"events": ["orders.*"]}, {"/events/0": "unknown_value"}),
        ({"events": ["order"]}, {"/events/0": "unknown_value"}),
        ({"events": [".*"]}, {"/events/0": "unknown_value"}),
        ({"events": "order.*"}, {"/events": "type"}),
        ({"events": ["*"] * 51}, {"/events": "too_many"}),
        ({"url": "shop", "events": ["no"]}, {"/url": "format", "/events/0": "unknown_value"}),
        ({"enabled": "yes"}, {"/enabled": "type"}),
        ({"colour": "red"}, {"/colour": "unknown_field"}),
    ],
)
def test_bad_input_is_named_and_nothing_is_made(
    body: dict[str, Any], errors: dict[str, str], backend: Backend
) -> None:
    reply = create(**body)
    assert (reply.status, reply.errors) == (422, errors)
    endpoint = made()
    if body.get("url", "") is not None:
        reply = call(f"PATCH {ONE}", id=endpoint["id"], body=body)
        assert (reply.status, reply.errors) == (422, errors)
    del endpoint["secret"]
    assert call(f"GET {ENDPOINTS}").json() == {"data": [endpoint]}


def test_a_31st_endpoint_is_refused(backend: Backend) -> None:
    endpoints = [made() for _ in range(MOST_ENDPOINTS)]
    reply = create()
    assert (reply.status, reply.errors) == (422, {"": "too_many"})
    assert "30" in reply.json()["errors"][0]["message"]
    assert call(f"POST {ENDPOINTS}", body={"url": URL}, tenant="other").status == 201
    assert call(f"DELETE {ONE}", id=endpoints[0]["id"]).status == 204
    assert create().status == 201


def test_two_creates_at_once_share_the_last_place(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(MOST_ENDPOINTS - 1):
        made()
    endpoints = runtime.events_table.tenant(TENANT).endpoints
    all_of, others = type(endpoints).all, [create]

    def read(self: Any) -> Any:
        found = all_of(self)
        while others:
            assert others.pop()().status == 201
        return found

    monkeypatch.setattr(type(endpoints), "all", read)
    assert create().errors == {"": "too_many"}
    monkeypatch.undo()
    assert len(call(f"GET {ENDPOINTS}").json()["data"]) == MOST_ENDPOINTS


def test_a_patch_changes_what_it_names(backend: Backend) -> None:
    endpoint = made(events=["order.*"], description="a")
    changed = call(f"PATCH {ONE}", id=endpoint["id"], body={"events": ["*"], "enabled": False}).json()
    assert (changed["url"], changed["events"], changed["description"]) == (URL, ["*"], "a")
    assert (changed["enabled"], changed["disabled_reason"]) == (False, "disabled_by_client")
    again = call(f"PATCH {ONE}", id=endpoint["id"], body={"description": None, "enabled": True}).json()
    assert (again["description"], again["enabled"], again["disabled_reason"]) == (None, True, None)
    assert "secret" not in again


def test_deliveries_are_listed_newest_first_in_full_pages(backend: Backend) -> None:
    endpoint = made()
    at, own = now(), backend.events.tenant(TENANT)
    for place in range(5):
        event = an_event_of(f"ord_{place}", at=at - timedelta(minutes=9 - place))
        own.log.add(event)
        runtime.fan_out.fan_out(TENANT, [event])
        own.deliveries.add(new_delivery(own.endpoints.get(endpoint["id"]).endpoint, event, now))
    route = f"GET {ONE}/deliveries"
    first = call(route, id=endpoint["id"], query={"limit": "3"}).json()
    rest = call(route, id=endpoint["id"], query={"limit": "3", "cursor": first["next_cursor"]}).json()
    pages = [*first["data"], *rest["data"]]
    assert (len(first["data"]), len(pages), rest["next_cursor"]) == (3, 5, None)
    assert sorted((each["created_at"] for each in pages), reverse=True) == [
        each["created_at"] for each in pages
    ]
    assert {(each["state"], each["type"]) for each in pages} == {("pending", "order.confirmed")}
    assert all(each["next_attempt_at"] and each["attempts"] == [] for each in pages)
    assert call(route, id=endpoint["id"], query={"cursor": "x"}).errors == {"/cursor": "format"}
    assert len(backend.delivery_messages()) == 5


def test_a_test_is_on_its_way_and_in_the_log_for_who_may_manage_webhooks(backend: Backend) -> None:
    endpoint = made(enabled=False)
    reply = call(f"POST {ONE}/test", id=endpoint["id"])
    delivery = reply.json()
    assert (reply.status, delivery["type"], delivery["state"]) == (202, "ping", "pending")
    job = {"tenant": TENANT, "delivery_id": delivery["id"]}
    assert backend.delivery_messages() == [job]
    event = call("GET /v1/events/{id}", id=delivery["event_id"]).json()
    assert (event["type"], event["data"]["id"]) == ("ping", endpoint["id"])
    for scopes, seen in (
        ("webhooks:manage", 1),
        ("orders:read trackings:read", 0),
        ("orders:read webhooks:manage", 1),
        ("orders:read", 0),
    ):
        listed = call("GET /v1/events", scopes=scopes).json()["data"]
        assert len(listed) == seen, scopes
    assert call("GET /v1/events/{id}", id=event["id"], scopes="orders:read").status == 403
    second = call(f"POST {ONE}/test", id=endpoint["id"]).json()
    later = call("GET /v1/events/{id}", id=second["event_id"]).json()
    assert later["sequence"] > event["sequence"]


def test_anothers_endpoint_and_delivery_are_not_there(backend: Backend) -> None:
    endpoint = made()
    delivery = call(f"POST {ONE}/test", id=endpoint["id"]).json()
    for route in (
        f"GET {ONE}",
        f"DELETE {ONE}",
        f"POST {ONE}/rotate-secret",
        f"POST {ONE}/test",
        f"GET {ONE}/deliveries",
    ):
        assert call(route, id=endpoint["id"], tenant="other").status == 404, route
    assert call(f"PATCH {ONE}", id=endpoint["id"], tenant="other", body={"events": ["*"]}).status == 404
    replay = "POST /v1/webhook-deliveries/{id}/replay"
    assert call(replay, id=delivery["id"], tenant="other").status == 404
    assert call(replay, id=delivery["id"]).status == 202
    assert call(f"DELETE {ONE}", id=endpoint["id"]).status == 204
    assert call(replay, id=delivery["id"]).status == 404
    assert call(f"GET {ONE}", id="REGISTER").status == 404


def test_a_sealed_secret_opens_for_its_own_endpoint_alone(backend: Backend) -> None:
    from parcelgate.store.errors import StoreError

    first, second = made(), made()
    own = backend.events.tenant(TENANT).endpoints
    sealed = own.get(first["id"]).secrets.secret
    assert runtime.secret_box.open(TENANT, first["id"], sealed) == first["secret"]
    runtime.reset()
    for tenant, endpoint in ((TENANT, second["id"]), ("other", first["id"])):
        with pytest.raises(StoreError):
            runtime.secret_box.open(tenant, endpoint, sealed)


def test_where_endpoints_may_be_anywhere_a_private_one_is_taken(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = "http://127.0.0.1:9000/hook"
    assert create(url=local).status == 422
    monkeypatch.setenv("PARCELGATE_ENDPOINTS_ANYWHERE", "yes")
    runtime.reset()
    assert create(url=local).status == 201
    assert json.loads(create(url=local).text)["url"] == local

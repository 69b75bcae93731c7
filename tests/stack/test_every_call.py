"""On the running stack: the calls that no other file here makes, under IAM, and that none is left out."""

import io
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

import httpx
import pytest
from pypdf import PdfReader

from infra.settings import settings_for
from local.command.deployment import Deployment
from local.demo.merchant import open_shop
from local.stack.stack import TENANT, Stack
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.problems import Problem
from parcelgate.http.routes import ROUTES
from parcelgate.services.endpoints.fan_out import DeliveryJob, new_delivery
from parcelgate.store.merchant_events.endpoints import IN_FLIGHT
from parcelgate.store.merchant_events.table import EventsTable
from tests.stack.cases import Orders
from tests.stack.shop import Body, Shop, bought, buy, endpoint, in_time, until
from tests.support.orders import an_event, an_order
from tests.support.printed import barcodes

NOBODYS = "ord_01ARZ3NDEKTSV4RRFFQ69G5FAV"
ORDERS = 20
"""Many more than all workers together can have under way."""
CARRIERS_OWN = "POST /webhooks/{carrier}/{account}/{token}"
"""Carriers call it all the time; its address is not below that of the API."""


@pytest.fixture(scope="module")
def environment(deployment: Deployment) -> dict[str, str]:
    """Give the variables of all functions: names of tables and queues."""
    pages = deployment.client("lambda").get_paginator("list_functions").paginate()
    functions = [function for page in pages for function in page["Functions"]]
    return {
        name: value
        for function in functions
        for name, value in function.get("Environment", {}).get("Variables", {}).items()
    }


def labelled(shop: Shop, order: Body) -> Body:
    return until(lambda: shop.get(order["id"]), lambda each: bool(each["label"]["status"] == "ready"))


def document(shop: Shop, order_ids: list[str], **more: Any) -> Body:
    """The label document of these orders, when it is made or has failed."""
    taken = shop.http.post("/v1/label-documents", json={"order_ids": order_ids, **more})
    assert taken.status_code == 202, taken.text
    path = f"/v1/label-documents/{taken.json()['id']}"
    assert taken.headers["location"].endswith(path)
    return until(
        lambda: shop.http.get(path).raise_for_status().json(), lambda made: made["status"] != "processing"
    )


def test_labels_of_several_carriers_become_one_document(shop: Shop, orders: Orders) -> None:
    lme, ubi = (labelled(shop, order) for order in (buy(shop, "lme"), buy(shop, "ubi", 2)))
    lso = orders("stack-three-boxes")
    ids = [ubi["id"], NOBODYS, lso["id"], lme["id"]]

    printed = document(shop, ids)

    assert printed["missing"] == [{"order_id": NOBODYS, "code": "not_found"}]
    pdf = httpx.get(printed["url"], trust_env=False).raise_for_status().content
    read = [code.text for page in barcodes(pdf) for code in page]
    assert read == [number for order in (ubi, lso, lme) for number in order["tracking_numbers"]]
    again = document(shop, ids)
    assert [again[name] for name in ("id", "sha256", "pages")] == [
        printed[name] for name in ("id", "sha256", "pages")
    ]

    sheet = document(shop, ids, layout="a4_4", start_at=3)
    assert sheet["id"] != printed["id"]
    content = httpx.get(sheet["url"], trust_env=False).raise_for_status().content
    assert len(PdfReader(io.BytesIO(content)).pages) == 2, "six labels, and two places that are used up"
    assert [code.text for page in barcodes(content) for code in page] == read


def test_a_recipient_is_erased_with_every_label_and_event(shop: Shop) -> None:
    order = labelled(shop, buy(shop, "ubi"))
    at = f"/v1/orders/{order['id']}"
    link = shop.http.get(f"{at}/label").raise_for_status().json()["url"]
    assert httpx.get(link, trust_env=False).status_code == 200
    told = {"order_id": order["id"]}
    until(
        lambda: shop.http.get("/v1/events", params=told).raise_for_status().json()["data"],
        lambda events: "label.ready" in {event["type"] for event in events},
    )

    refused = shop.http.post(f"{at}/erase")
    assert (refused.status_code, refused.json()["code"]) == (409, "cannot_change"), refused.text
    assert [each["code"] for each in refused.json()["errors"]] == ["parcels_under_way"]
    erased = shop.http.post(f"{at}/erase", json={"force": True})

    assert (erased.status_code, erased.json()["ship_to"]["name"]) == (200, "erased"), erased.text
    assert shop.get(order["id"])["erased_at"]
    assert shop.http.get(f"{at}/label").json()["code"] == "label_unavailable"
    assert httpx.get(link, trust_env=False).status_code in (403, 404)
    events = shop.http.get("/v1/events", params=told).raise_for_status().json()["data"]
    shown = [event["data"] for event in events if event["type"].startswith(("order.", "label."))]
    assert shown
    assert {data["ship_to"]["name"] for data in shown} == {"erased"}
    assert shop.http.post(f"{at}/erase", json={"force": True}).status_code == 200


def test_an_order_that_needs_a_person_is_shown_and_resolved(shop: Shop, deployment: Deployment) -> None:
    at = datetime.now(UTC)
    order = an_order(
        TENANT,
        reference=f"lost-{uuid4().hex[:8]}",
        at=at,
        status=OrderStatus.NEEDS_ATTENTION,
        problem=Problem(code="outcome_unknown", detail="Nobody knows."),
        watch_at=None,
    )
    deployment.table.tenant(TENANT).orders.add(order, an_event(at=at))
    shown = attention(shop, "order", order.id)
    assert (shown["problem"]["code"], shown["actions"]) == ("outcome_unknown", ["reread", "close"])

    path = f"/v1/orders/{order.id}/resolve"
    assert shop.http.post(path, json={"outcome": "reread"}).status_code == 200
    closed = shop.http.post(path, json={"outcome": "not_at_carrier"})
    assert (closed.status_code, closed.json()["status"]) == (200, "failed"), closed.text
    assert shop.events(order.id)[-1]["actor"] == "operator"
    again = shop.http.post(path, json={"outcome": "not_at_carrier"})
    assert (again.status_code, again.json()["code"]) == (409, "cannot_change")


def attention(shop: Shop, kind: str, id: str) -> Body:
    """What the list of what needs a person says of this."""

    def found() -> list[Body]:
        entries: list[Body] = []
        query = {"limit": "100"}
        while True:
            page = shop.http.get("/v1/attention", params=query).raise_for_status().json()
            entries += page["data"]
            if page["next_cursor"] is None:
                return [each for each in entries if (each["kind"], each["id"]) == (kind, id)]
            query["cursor"] = page["next_cursor"]

    return until(found, lambda entries: len(entries) == 1)[0]


def test_a_webhook_that_could_not_be_used_is_shown_and_worked_on_again(shop: Shop, stack: Stack) -> None:
    body = b"not JSON %s" % uuid4().hex.encode()
    httpx.post(stack.webhook_urls["lme"]["default"], content=body, timeout=60).raise_for_status()

    def listed() -> list[Body]:
        found = shop.http.get("/v1/inbox", params={"limit": 100}).raise_for_status().json()["data"]
        return [each for each in found if (each["reason"], each["size"]) == ("not JSON", len(body))]

    parked = until(listed, bool)[0]
    assert attention(shop, "delivery", parked["id"])["actions"] == ["replay"]
    path = f"/v1/inbox/{parked['id']}"
    first = shop.http.get(path).raise_for_status().json()
    assert (first["state"], first["parked_at"]) == ("parked", parked["parked_at"])
    assert shop.http.post(f"{path}/replay").status_code == 202
    again = until(
        lambda: shop.http.get(path).json(),
        lambda seen: seen["state"] == "parked" and seen["parked_at"] != first["parked_at"],
    )
    assert again["sha256"] == first["sha256"]

    dismissed = shop.http.post(f"{path}/dismiss", json={"reason": "sent by a test"})
    assert dismissed.status_code == 200, dismissed.text
    assert parked["id"] not in {each["id"] for each in listed()}


def test_a_dead_letter_is_shown_and_sent_again(
    shop: Shop, deployment: Deployment, environment: dict[str, str]
) -> None:
    """A delivery whose message died: once it is sent again, the merchant hears of the event."""
    order = bought(shop, "ubi")
    events = EventsTable(deployment.client("dynamodb"), environment["PARCELGATE_EVENTS_TABLE"]).tenant(TENANT)
    (told,) = until(
        lambda: (
            shop.http.get("/v1/events", params={"order_id": order["id"], "type": "order.confirmed"})
            .raise_for_status()
            .json()["data"]
        ),
        bool,
    )
    with open_shop() as merchant:
        made = endpoint(shop, merchant, "ping")
        at = datetime.now(UTC)
        event = events.log.get(told["id"], at=at)
        delivery = new_delivery(events.endpoints.get(made["id"]).endpoint, event, lambda: at)
        events.deliveries.add(delivery)
        sqs = deployment.client("sqs")
        dead = json.loads(environment["PARCELGATE_DEAD_LETTER_QUEUES"])["deliveries"]
        job = DeliveryJob(tenant=TENANT, delivery_id=delivery.id)
        sqs.send_message(
            QueueUrl=sqs.get_queue_url(QueueName=dead)["QueueUrl"],
            MessageBody=json.dumps({"tenant": job.tenant, "delivery_id": job.delivery_id}),
        )

        queues = {
            each["queue"]: each
            for each in shop.http.get("/v1/dead-letters").raise_for_status().json()["data"]
        }
        assert queues["deliveries"]["messages"] == 1
        assert attention(shop, "dead_letter", "deliveries")["actions"] == ["redrive"]
        moved = shop.http.post("/v1/dead-letters/deliveries/redrive")
        assert (moved.status_code, moved.json()) == (202, {"queue": "deliveries", "moved": 1, "left": 0})
        until(lambda: merchant.events, lambda heard: [each["id"] for each in heard] == [told["id"]])
        assert shop.http.delete(f"/v1/webhook-endpoints/{made['id']}").status_code == 204


def test_an_endpoint_is_changed_its_secret_rotated_and_a_delivery_replayed(shop: Shop) -> None:
    with open_shop() as merchant:
        made = endpoint(shop, merchant, "ping")
        path = f"/v1/webhook-endpoints/{made['id']}"
        changed = shop.http.patch(path, json={"description": "the shop", "events": ["ping", "batch.*"]})
        assert changed.status_code == 200, changed.text
        read = shop.http.get(path).raise_for_status().json()
        assert (read["description"], read["events"]) == ("the shop", ["ping", "batch.*"])
        listed = shop.http.get("/v1/webhook-endpoints").raise_for_status().json()["data"]
        assert read in listed
        rotated = shop.http.post(f"{path}/rotate-secret").raise_for_status().json()
        assert rotated["secret"] != merchant.secret

        delivery = shop.http.post(f"{path}/test").raise_for_status().json()
        until(lambda: merchant.ids[delivery["event_id"]], lambda times: times == 1)
        until(
            lambda: shop.http.get(f"{path}/deliveries").json()["data"],
            lambda found: [each["state"] for each in found] == ["delivered"],
        )
        merchant.secret = rotated["secret"]
        replayed = shop.http.post(f"/v1/webhook-deliveries/{delivery['id']}/replay")
        assert (replayed.status_code, replayed.json()["state"]) == (202, "pending")
        until(lambda: merchant.ids[delivery["event_id"]], lambda times: times == 2)
        assert merchant.refused == 0, "both secrets sign"
        assert shop.http.delete(path).status_code == 204


def test_accounts_are_shown_and_checked_and_no_secret_is_told(shop: Shop, accounts: Body) -> None:
    listed = shop.http.get("/v1/carrier-accounts")
    assert {each["carrier"] for each in listed.json()["data"]} == set(accounts), listed.text
    checked = shop.http.post("/v1/carrier-accounts/lme/default/check")
    assert (checked.status_code, checked.json()["check"]["result"]) == (200, "works"), checked.text
    secrets = [value for each in accounts.values() for value in each["default"].values()]
    assert not [value for value in secrets if value in listed.text + checked.text]


def test_an_account_is_paused_and_resumed(
    stack: Stack, deployment: Deployment, make_key: Callable[[str, list[str]], str]
) -> None:
    deployment.client("secretsmanager").create_secret(
        Name=f"{deployment.outputs['SecretPrefix']}/resting/trackingmore/default",
        SecretString='{"credentials": {"api_key": "made-up"}}',
    )
    resting = Shop(stack, make_key("resting", ["operator"]))
    path = "/v1/carrier-accounts/trackingmore/default"
    paused = resting.http.post(f"{path}/pause", json={"reason": "a test"})
    assert (paused.status_code, paused.json()["paused"]["reason"]) == (200, "a test"), paused.text
    resumed = resting.http.post(f"{path}/resume")
    assert (resumed.status_code, resumed.json()["paused"]) == (200, None), resumed.text


def test_settings_are_a_tenants_own(stack: Stack, make_key: Callable[[str, list[str]], str]) -> None:
    one, other = (Shop(stack, make_key(tenant, ["settings:manage"])) for tenant in ("painted", "plain"))
    brand = {"name": "Lone Star Books", "colour": "#1a7f5a"}
    put = one.http.put("/v1/settings", json={"brand": brand})
    assert put.status_code == 200, put.text
    assert one.http.get("/v1/settings").json() == put.json()
    assert put.json()["brand"]["name"] == brand["name"]
    assert other.http.get("/v1/settings").json()["brand"]["name"] is None


def test_an_order_is_sent_back_once(shop: Shop) -> None:
    order, first = in_time(shop, "lme", lambda order: shop.http.post(f"/v1/orders/{order['id']}/return"))
    again = shop.http.post(f"/v1/orders/{order['id']}/return")
    assert (first.status_code, again.status_code) == (200, 200), first.text + again.text
    lines = [event["type"] for event in shop.events(order["id"])]
    assert len([line for line in lines if "return" in line]) == 1, lines


def test_figures_are_shown_to_an_operator(shop: Shop) -> None:
    figures = shop.http.get("/v1/stats", params={"by": "day,carrier"})
    assert figures.status_code == 200, figures.text
    assert figures.json()["by"] == ["day", "carrier"]


def test_the_console_comes_with_its_files(stack: Stack) -> None:
    with httpx.Client(timeout=60) as browser:
        page = browser.get(f"{stack.api_url}/console")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        files = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', page.text)
        assert files
        for name in files:
            assert browser.get(urljoin(str(page.url), name)).status_code == 200, name


class Hanging:
    """A server that takes every request and answers none.

    A call that its caller has given up is not counted as under way, however late this server looks.
    """

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}/hangs"
        self.calls = self.most_at_once = 0

    def serve(self) -> None:
        held: list[socket.socket] = []
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            held = [each for each in (*held, connection) if _is_open(each)]
            self.calls += 1
            self.most_at_once = max(self.most_at_once, len(held))


def _is_open(connection: socket.socket) -> bool:
    """Whether the other side still waits. Reads what it has sent."""
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    connection.close()
    return False


@contextmanager
def hanging() -> Iterator[Hanging]:
    server = Hanging()
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.listening.shutdown(socket.SHUT_RDWR)
        server.listening.close()


def test_while_one_endpoint_hangs_the_other_hears_of_every_order(shop: Shop) -> None:
    with hanging() as server, open_shop() as merchant:
        body = {"url": server.url, "events": ["order.confirmed"]}
        stuck = shop.http.post("/v1/webhook-endpoints", json=body).raise_for_status().json()
        made = endpoint(shop, merchant, "order.confirmed")
        with ThreadPoolExecutor(8) as pool:
            orders = [*pool.map(lambda _: buy(shop, "ubi")["id"], range(ORDERS))]
        until(
            lambda: {event["data"]["id"] for event in merchant.events},
            lambda heard: heard >= set(orders),
        )
        until(lambda: server.calls, lambda calls: calls >= IN_FLIGHT)

        # It was called by no more at once than it may be, and that did not end anything for it.
        assert server.most_at_once <= IN_FLIGHT + settings_for("local").delivery_passes
        path = f"/v1/webhook-endpoints/{stuck['id']}/deliveries?limit=100"
        waiting = until(lambda: shop.http.get(path).raise_for_status().json()["data"], bool)
        assert {each["state"] for each in waiting} == {"pending"}
        assert merchant.refused == 0
        for each in (stuck, made):
            assert shop.http.delete(f"/v1/webhook-endpoints/{each['id']}").status_code == 204


def test_every_route_was_called_and_succeeded(every_call: set[str]) -> None:
    missing = ROUTES.keys() - every_call - {CARRIERS_OWN}
    assert missing == set(), "no test of this folder calls these, or they have never succeeded"

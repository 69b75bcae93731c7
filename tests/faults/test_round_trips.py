"""How often DynamoDB is asked while somebody waits, by name: each call is milliseconds, and is paid for.

The functions are the real ones, with their carriers over HTTP. Counted are the calls of one invocation whose
process has done the same before, so that what is read once for each process is not among them.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from functions.ingest_webhook.handler import handler as ingest_webhook
from functions.work_batch.handler import handler as work_batch
from parcelgate import aws_clients
from parcelgate.runtime import runtime
from parcelgate.services.accounts.rates import Kind, RateLimiter
from parcelgate.store.credentials.webhook_tokens import Hook
from parcelgate.store.tenants.usage import UsageTable
from tests.support.api import TENANT, Context, Reply, api_event, order_body, send
from tests.support.bodies import BODIES
from tests.support.faults import Call
from tests.support.world import World, queue

LIMIT = "update USAGE"
"""What the tenant may still order in this minute."""
TURN = "update LIMITS"
"""The account's turn with its carrier: its rate, its rest, its circuit and its pause in one."""
OWN = ("transact ORDER", "transact ORDER")
"""The order before its carrier is called, with its sending mark, and after the answer."""
TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture
def world(sandbox_world: World) -> World:
    usage = UsageTable(aws_clients.client("dynamodb"), sandbox_world.settings.table)
    runtime.use(rate_limiter=RateLimiter(usage, dict.fromkeys(Kind, 1000)))
    return sandbox_world


def named(call: Call) -> str:
    """A call in short: what it does, and the sort key of the first item that it is about."""
    arguments = call.arguments
    match call.method:
        case "get_item" | "update_item" | "delete_item":
            first = arguments["Key"]
        case "put_item":
            first = arguments["Item"]
        case "transact_write_items":
            (write,) = arguments["TransactItems"][0].values()
            first = write.get("Item") or write["Key"]
        case "batch_get_item":
            ((_, request),) = arguments["RequestItems"].items()
            first = request["Keys"][0]
        case _:
            return f"{call.method} {arguments.get('IndexName', 'table')}"
    verb = call.method.removesuffix("_item").removesuffix("_write_items")
    return f"{verb} {first['sk']['S'].partition('#')[0]}"


def calls_of(world: World, work: Callable[[], Any]) -> list[str]:
    """The calls of DynamoDB that `work` makes a second later: the account's token bucket is full again."""
    world.clock.sleep(1)
    before = len(world.faults.calls)
    work()
    return [named(call) for call in world.faults.calls[before:] if call.target == "dynamodb"]


def create(body: dict[str, Any], status: int, **headers: str) -> Reply:
    reply = send(api_event("POST /v1/orders", body=body, headers=headers))
    assert reply.status == status, reply.text
    return reply


def get(route: str, **parameters: str) -> None:
    assert send(api_event(route, **parameters)).status == 200


class TestACreate:
    @pytest.mark.parametrize("carrier", ["ubi", "lme"])
    def test_writes_its_order_twice(self, carrier: str, world: World) -> None:
        create(BODIES[carrier]("first"), 201)
        calls = calls_of(world, lambda: create(BODIES[carrier]("second"), 201))
        assert calls == [LIMIT, OWN[0], TURN, "get RATE_CARD", OWN[1]]

    def test_with_a_key_reads_and_writes_that_once_more(self, world: World) -> None:
        create(BODIES["ubi"]("first"), 201)
        body = BODIES["ubi"]("second")
        calls = calls_of(world, lambda: create(body, 201, **{"Idempotency-Key": "k-1"}))
        assert calls == ["get IDEMPOTENCY", LIMIT, OWN[0], TURN, "get RATE_CARD", OWN[1], "put IDEMPOTENCY"]
        assert calls_of(world, lambda: create(body, 201, **{"Idempotency-Key": "k-1"})) == ["get IDEMPOTENCY"]

    def test_for_a_carrier_that_decides_later_writes_it_once(self, world: World) -> None:
        create(order_body("first"), 202)
        assert calls_of(world, lambda: create(order_body("second"), 202)) == [LIMIT, OWN[0]]


class TestARead:
    @pytest.mark.parametrize("carrier", ["ubi", "lme"])
    def test_of_an_order_is_one(self, carrier: str, world: World) -> None:
        order = create(BODIES[carrier](), 201).json()
        assert calls_of(world, lambda: get("GET /v1/orders/{id}", id=order["id"])) == ["batch_get ORDER"]

    def test_of_an_order_of_many_parcels_is_one_and_one_for_the_others(self, world: World) -> None:
        order = create(BODIES["ubi"](parcels=3), 201).json()
        calls = calls_of(world, lambda: get("GET /v1/orders/{id}", id=order["id"]))
        assert calls == ["batch_get ORDER", "batch_get TRACKING"]

    def test_of_a_parcel_is_one_planned_or_not(self, world: World) -> None:
        create(BODIES["ubi"](), 201)
        world.settle(world.only_order())
        (tracking,) = world.only_order().tracking_ids
        assert calls_of(world, lambda: get("GET /v1/trackings/{id}", id=tracking)) == ["query table"]
        world.table.tenant(TENANT).trackings.plan(tracking, world.clock.now)
        assert calls_of(world, lambda: get("GET /v1/trackings/{id}", id=tracking)) == ["query table"]

    def test_of_a_label_is_one(self, world: World) -> None:
        order = create(BODIES["ubi"](), 201).json()
        world.settle(world.only_order())
        assert calls_of(world, lambda: get("GET /v1/orders/{id}/label", id=order["id"])) == ["get ORDER"]


def test_a_webhook_is_one_read_and_one_write_before_its_answer(world: World) -> None:
    world.table.webhook_tokens.put(TOKEN, Hook(TENANT, "lme", "default"))
    event = {
        "pathParameters": {"carrier": "lme", "account": "default", "token": TOKEN},
        "headers": {},
        "body": "{}",
    }
    calls = calls_of(world, lambda: ingest_webhook(event, Context()))
    assert calls == ["get HOOK", "put ENTRY"]


def test_ten_rows_of_a_batch_are_three_writes_each_and_one_turn_and_price_list_for_all(world: World) -> None:
    """A row's order is stored before it is marked: when the time is over, another worker goes on with it."""
    world.create_batch([BODIES["ubi"](f"row-{number}") for number in range(10)])
    world.stream()
    (message,) = world.sqs.messages[queue("batch-ubi")]
    record = {
        "messageId": "1",
        "receiptHandle": "1",
        "body": message["body"],
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:batch-ubi",
    }
    calls = Counter(calls_of(world, lambda: work_batch({"Records": [record]}, Context())))
    assert calls == {
        "transact ORDER": 30,
        "get RATE_CARD": 1,
        TURN: 1,
        # The worker's place among those of its account, and the batch itself.
        "update PLACES": 2,
        "query table": 1,
    }

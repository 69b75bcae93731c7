"""The handlers of the order flow, its queues and its sweep, each with its sample event."""

import io
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from parcelgate.domain.orders import Order, OrderStatus, Submission
from parcelgate.observability.logs import log
from parcelgate.services.orders.order_flow.workflow import DeadlinePassed, LabelPending, OrderPending
from parcelgate.services.webhooks import receive
from parcelgate.store.errors import StoreUnavailableError, ThrottledError
from tests.support.orders import an_event, an_order
from tests.support.world import World

EVENTS = Path(__file__).parents[4] / "events"
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000, aws_request_id="request")


@pytest.fixture
def order(world: World) -> Order:
    """The order that the sample events speak of, sent and taken."""
    at = world.clock.now
    order = an_order(
        id=sample("check_order")["order_id"],
        at=at,
        status=OrderStatus.PROCESSING,
        carrier_order_number="N1",
        submission=Submission(sending_at=at, sender_until=at, answered=True, task_token="t"),
    )
    world.table.tenant("acme").orders.add(order, an_event(at=at))
    return order


def sample(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def call(name: str, event: Any = None) -> Any:
    return import_module(f"functions.{name}.handler").handler(event or sample(name), CONTEXT)


def test_submit_order_sends_no_order_twice(world: World, order: Order) -> None:
    assert call("submit_order") is None
    assert world.carrier.commits == []


def test_check_order_settles_an_order_and_fetches_its_label(world: World, order: Order) -> None:
    assert call("check_order", sample("check_order") | {"label_with_check": True}) is None
    assert world.order(order).status is OrderStatus.CONFIRMED
    assert world.order(order).label.status == "ready"
    assert world.order(order).submission == msgspec.structs.replace(order.submission, task_token=None), (
        "it is long"
    )


def test_a_label_that_is_not_there_yet_sends_the_machine_to_its_next_state(
    world: World, order: Order
) -> None:
    world.carrier.behaviour.no_label = 1
    for _ in range(2):
        with pytest.raises(LabelPending):
            call("check_order", sample("check_order") | {"label_with_check": True})
        assert world.order(order).status is OrderStatus.CONFIRMED
        world.carrier.behaviour.no_label += 1


def test_check_order_leaves_the_label_to_a_machine_of_before(world: World, order: Order) -> None:
    assert call("check_order") is None
    assert world.order(order).status is OrderStatus.CONFIRMED
    assert world.order(order).label.status == "pending"


def test_check_order_raises_by_the_names_that_the_machine_knows(world: World, order: Order) -> None:
    world.clock.sleep(1800)
    world.carrier.behaviour.pending = 1
    with pytest.raises(DeadlinePassed):
        call("check_order")


@pytest.mark.parametrize("names", [{"correlation_id": "req-1"}, {}], ids=["told", "of a stack before"])
def test_every_line_of_a_state_bears_the_id_of_the_request(
    names: dict[str, str], world: World, order: Order
) -> None:
    world.carrier.behaviour.pending = 1
    execution = {"tenant": "acme", "order_id": order.id, **names}
    stream, before = io.StringIO(), log.registered_handler.stream
    log.registered_handler.setStream(stream)
    try:
        with pytest.raises(OrderPending):
            call("check_order", sample("check_order") | {"execution": execution})
    finally:
        log.registered_handler.setStream(before)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines
    assert {line.get("correlation_id") for line in lines} == {names.get("correlation_id")}


def test_fetch_label_fetches_the_label_of_a_confirmed_order(world: World, order: Order) -> None:
    call("check_order")
    call("fetch_label")
    assert world.order(order).label.status == "ready"


def test_compensate_order_refunds_what_has_failed(world: World, order: Order) -> None:
    world.carrier.behaviour.fails = True
    call("compensate_order")
    assert world.order(order).status is OrderStatus.FAILED


@pytest.mark.parametrize(
    ("name", "code"), [("escalate_order", "workflow_ended"), ("close_order_flow", "workflow_ended")]
)
def test_what_nobody_could_settle_needs_attention(name: str, code: str, world: World, order: Order) -> None:
    call(name)
    ended = world.order(order)
    assert ended.problem is not None
    assert (ended.status, ended.problem.code) == (OrderStatus.NEEDS_ATTENTION, code)


def test_ingest_webhook_turns_an_unknown_token_away(world: World) -> None:
    answer = call("ingest_webhook")
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["code"] == "not_found"


@pytest.mark.parametrize(("encoded", "status"), [(False, 404), (True, 404)])
def test_ingest_webhook_takes_bodies_as_the_gateway_gives_them(
    encoded: bool, status: int, world: World
) -> None:
    assert (
        call("ingest_webhook", sample("ingest_webhook") | {"isBase64Encoded": encoded})["statusCode"]
        == status
    )


@pytest.mark.parametrize("event", [{}, {"pathParameters": None}, {"pathParameters": {"carrier": "lso"}}])
def test_ingest_webhook_survives_any_path(event: dict[str, Any], world: World) -> None:
    assert call("ingest_webhook", event | {"body": None})["statusCode"] == 404


def test_process_webhook_reports_only_the_message_that_failed(world: World, order: Order) -> None:
    event = sample("process_webhook")
    good = event["Records"][0]
    bad = good | {"messageId": "bad", "body": "not json"}
    answer = call("process_webhook", {"Records": [good, bad]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}


def test_retry_order_lets_a_message_go_that_needs_nothing_more(world: World, order: Order) -> None:
    assert call("retry_order") == {"batchItemFailures": []}


ERROR = '"level":"ERROR"'
"""What an alarm looks for in the log of every function."""


def test_what_has_an_alarm_of_its_own_is_no_error_of_the_function(
    world: World, order: Order, logged: Callable[[], str]
) -> None:
    call("close_order_flow")
    (message,) = sample("retry_order")["Records"]
    call("retry_order", {"Records": [message | {"body": "not json"}]})
    assert world.sqs.bodies("https://sqs.test/dead-lso") == ["not json"]
    assert ERROR not in logged()


@pytest.mark.parametrize(("error", "is_fault"), [(ThrottledError, False), (StoreUnavailableError, True)])
def test_a_store_that_is_busy_is_no_error_of_the_webhook_receiver(
    error: type[Exception], is_fault: bool, logged: Callable[[], str]
) -> None:
    def find(*_: str) -> None:
        raise error("busy")

    table: Any = SimpleNamespace(webhook_tokens=SimpleNamespace(find=find))
    path = {"carrier": "lso", "account": "default", "token": "t" * 32}
    receiver = receive.WebhookReceiver(table=table, accounts=pytest.fail)
    assert receiver.take_in(path, b"{}").status == 503
    assert (ERROR in logged()) == is_fault


def test_route_changes_sends_a_webhook_on_and_announces_a_parcel(world: World) -> None:
    world.sqs.workers.clear()
    assert call("route_changes") == {"batchItemFailures": []}
    (body,) = world.sqs.bodies("https://sqs.test/inbox")
    assert json.loads(body) == json.loads(sample("process_webhook")["Records"][0]["body"])
    assert world.events.kinds == ["tracking.updated", "tracking.delivered"]


def test_sweep_says_how_much_it_dealt_with(world: World) -> None:
    assert call("sweep") == {"dealt_with": 0}

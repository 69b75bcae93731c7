"""Whoever quotes the id of a request finds every line of what followed from it, through every queue."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from parcelgate.domain.orders import LabelStatus, OrderStatus
from parcelgate.observability.logs import log
from tests.support.api import REQUEST_ID
from tests.support.bodies import BODIES, CARRIERS
from tests.support.world import World

CREATE = {"ubi": "orders", "lme": "create"}
LABEL = {"ubi": "labels", "lme": "queryLabel"}


@pytest.fixture
def world(sandbox_world: World) -> World:
    return sandbox_world


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    stream, handler = io.StringIO(), log.registered_handler
    before = handler.setStream(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    if before is not None:
        handler.setStream(before)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_follows_from_a_request_bears_its_id(
    carrier: str, world: World, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """Create, retry queue, stream, label queue: every message and every line."""
    world.sandbox.fault(carrier, CREATE[carrier], "429", times=2, retry_after=1)
    world.sandbox.fault(carrier, LABEL[carrier], "status_500", times=2)

    reply = world.create_order(BODIES[carrier]())
    ended = world.settle(world.only_order())

    assert (ended.status, ended.label.status) == (OrderStatus.CONFIRMED, LabelStatus.READY)
    assert (reply.status, ended.correlation_id) == (202, REQUEST_ID)
    messages: dict[str, list[Any]] = {}
    for call in world.faults.calls:
        if call.method == "send_message":
            messages.setdefault(call.arguments["QueueUrl"], []).append(call.arguments["MessageBody"])
        elif call.method == "send_message_batch":
            bodies = [entry["MessageBody"] for entry in call.arguments["Entries"]]
            messages.setdefault(call.arguments["QueueUrl"], []).extend(bodies)
    assert set(messages) == {f"https://sqs.test/retry-{carrier}", "https://sqs.test/labels"}
    for bodies in messages.values():
        assert {json.loads(body)["correlation_id"] for body in bodies} == {REQUEST_ID}
    of_the_order = [line for line in lines() if line.get("order_id") == ended.id]
    assert {line["message"] for line in of_the_order} >= {
        "the order is not settled; it is tried again later",
        "no label yet",
    }
    assert {line.get("correlation_id") for line in of_the_order} == {REQUEST_ID}

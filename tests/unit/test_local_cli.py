"""What an operator's commands say and ask before they do anything to an order."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from local import cli
from parcelgate.carriers import registry
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.services.retries import RetryQueues
from tests.support.orders import an_event, an_order
from tests.support.world import World, worlds


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with worlds() as make:
        world = make()
        queues = RetryQueues(world.sqs, world.settings)
        deployment = SimpleNamespace(table=world.table, retries=queues)
        monkeypatch.setattr(cli.Deployment, "named", lambda stack: deployment)
        yield world


def stored(world: World, status: OrderStatus = OrderStatus.NEEDS_ATTENTION) -> Order:
    order = an_order(status=status, watch_at=None)
    world.table.tenant("acme").orders.add(order, an_event())
    return order


def run(*words: str, answer: str = "") -> Any:
    return CliRunner().invoke(cli.app, ["orders", *words, "--tenant", "acme"], input=answer)


def test_nothing_is_closed_that_nobody_has_looked_up(world: World) -> None:
    order = stored(world)
    assert run("close", order.id).exit_code == 1
    assert run("close", order.id, "--not-at-carrier", answer="n\n").exit_code == 1
    assert world.read(order) == order


@pytest.mark.parametrize(("words", "answer"), [(("--yes",), ""), ((), "y\n")])
def test_an_order_is_closed(words: tuple[str, ...], answer: str, world: World) -> None:
    order = stored(world)
    result = run("close", order.id, "--not-at-carrier", *words, answer=answer)
    assert result.exit_code == 0, result.output
    assert world.read(order).status is OrderStatus.FAILED


def test_an_order_is_read_again(world: World) -> None:
    order = stored(world)
    assert run("reread", order.id).exit_code == 0
    (body,) = world.sqs.bodies("https://sqs.test/retry-lso")
    assert (json.loads(body)["action"], json.loads(body)["order_id"]) == ("reread", order.id)


def test_an_order_that_is_not_for_a_person_is_left_alone(world: World) -> None:
    order = stored(world, OrderStatus.PROCESSING)
    assert run("reread", order.id).exit_code == 1
    assert run("close", order.id, "--not-at-carrier", "--yes").exit_code == 1
    assert run("close", "ord_unknown", "--not-at-carrier", "--yes").exit_code == 1
    assert run("reread", "ord_unknown").exit_code == 1
    assert world.read(order) == order


def test_the_queues_are_those_the_stack_names() -> None:
    deployment = object.__new__(cli.Deployment)
    deployment._session = SimpleNamespace(client=lambda *_, **__: None)  # type: ignore[assignment]
    deployment._endpoint = None
    deployment.outputs = {f"RetryQueueUrl{name.capitalize()}": f"q-{name}" for name in registry.names()}
    assert set(deployment.retries._settings.retry_queue_urls) == set(registry.names())

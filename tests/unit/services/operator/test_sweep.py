"""The sweep: what is overdue is resumed or raised, and one bad item spoils no other."""

from datetime import timedelta

import msgspec
import pytest

from parcelgate.domain.deadline import Deadline
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Label, LabelStatus, Order, OrderStatus, ReturnRequest
from parcelgate.runtime import runtime
from parcelgate.services.operator import sweep
from parcelgate.services.orders.retry_queues import Action, RetryMessage
from parcelgate.store.credentials.page_tokens import Place
from tests.support.fake_carriers import Behaviour
from tests.support.faults import aws_error
from tests.support.orders import an_event, an_order
from tests.support.world import World

GIVEN_UP = Label(last_try=True)
"""The label of an order of which nothing more is hoped."""


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "_PAGE", 1)


def overdue(world: World, reference: str = "R-1", **facts: object) -> Order:
    at = world.clock.now
    order = an_order(reference=reference, at=at, watch_at=at - timedelta(seconds=1), **facts)
    world.table.tenant("acme").orders.add(order, an_event(at=at))
    return order


def run(world: World, seconds: float = 120.0) -> int:
    return runtime.sweep.run(Deadline(lambda: seconds))


def test_an_order_whose_workflow_runs_is_looked_at_again_later(world: World) -> None:
    world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
    order = world.start_order()
    world.clock.run(until=lambda: len(world.carrier.commits) == 1, hours=1)
    world.clock.sleep(3600)
    before = world.order(order)

    run(world)

    after = world.order(order)
    assert after.watch_at is not None
    assert after.watch_at > world.clock.now
    assert after.updated_at == before.updated_at, "to the client nothing has changed"


def test_an_overdue_cancellation_goes_to_its_carriers_queue(world: World) -> None:
    world.sqs.workers.clear()
    order = overdue(world, status=OrderStatus.CANCELLING)

    run(world)
    run(world)

    (body,) = world.sqs.bodies("https://sqs.test/retry-lso")
    message = msgspec.json.decode(body, type=RetryMessage)
    assert (message.action, message.order_id) == (Action.CANCEL, order.id)


def test_a_label_that_never_came_is_fetched_once_more_and_only_then_given_up(world: World) -> None:
    world.sqs.workers.clear()
    order = overdue(world, status=OrderStatus.CONFIRMED)

    run(world)
    run(world)

    (body,) = world.sqs.bodies("https://sqs.test/retry-lso")
    assert msgspec.json.decode(body, type=RetryMessage).action is Action.REREAD
    assert world.order(order).label.status is LabelStatus.PENDING
    world.clock.sleep(13 * 3600)
    run(world)
    after = world.order(order)
    assert after.label.status is LabelStatus.UNAVAILABLE
    assert after.attention is not None
    assert after.watch_at is None


def test_a_label_that_can_be_had_by_then_is_not_given_up(world: World) -> None:
    order = overdue(world, status=OrderStatus.CONFIRMED)
    run(world)
    assert world.settle(order).label.status is LabelStatus.READY


def test_an_item_that_makes_trouble_is_left_behind_alone(world: World) -> None:
    orders = [overdue(world, f"R-{n}", status=OrderStatus.CONFIRMED, label=GIVEN_UP) for n in range(5)]
    world.faults.on("transact_write_items", aws_error("AccessDeniedException"))

    assert run(world) == 4

    assert sorted(world.order(order).label.status for order in orders) == ["pending"] + ["unavailable"] * 4


@pytest.mark.usefixtures("small_pages")
def test_one_run_takes_whatever_is_due_as_long_as_there_is_time(world: World) -> None:
    for n in range(13):
        overdue(world, f"R-{n}", status=OrderStatus.CONFIRMED, label=GIVEN_UP)

    assert run(world) == 13
    assert run(world) == 0


@pytest.mark.usefixtures("small_pages")
def test_what_always_fails_stands_before_nobody(world: World) -> None:
    """Older than the others, and more of them than a page holds: they are postponed, one by one."""
    bad = [overdue(world, f"R-{n}", status=OrderStatus.CANCELLING) for n in range(12)]
    world.clock.sleep(5)
    good = overdue(world, "good", status=OrderStatus.CONFIRMED, label=GIVEN_UP)
    world.faults.on("send_message", aws_error("AccessDeniedException"), times=12)
    left = iter([100.0] * 19 + [0.0] * 1000)

    runtime.sweep.run(Deadline(lambda: next(left)))
    run(world)

    assert world.order(good).label.status is LabelStatus.UNAVAILABLE
    assert world.table.due.due("ORDER", world.clock.now) == []
    assert all(world.order(order) == order for order in bad)
    later = world.clock.now + world.settings.deadline_margin
    assert len(world.table.due.due("ORDER", later, limit=1000)) == 12


@pytest.mark.usefixtures("small_pages")
def test_many_orders_do_not_keep_webhooks_waiting(world: World) -> None:
    for n in range(12):
        overdue(world, f"R-{n}", status=OrderStatus.CONFIRMED, label=GIVEN_UP)
    world.sqs.workers.clear()
    world.table.tenant("acme").inbox.put(carrier="lso", account="default", body=b"{}", now=world.clock.now)
    world.clock.sleep(600)
    left = iter([100.0] * 11 + [0.0] * 1000)

    runtime.sweep.run(Deadline(lambda: next(left)))

    assert len(world.sqs.bodies("https://sqs.test/inbox")) == 1


def test_a_run_ends_in_time(world: World) -> None:
    overdue(world, status=OrderStatus.CONFIRMED)
    assert run(world, seconds=5.0) == 0


def test_what_is_not_due_is_left_alone(world: World) -> None:
    order = world.start_order()
    assert run(world) == 0
    assert world.order(order).version == order.version


def test_a_return_whose_function_died_is_told_and_the_label_is_still_fetched(world: World) -> None:
    asking = ReturnRequest(asking_until=world.clock.now - timedelta(seconds=1))
    order = overdue(world, "returning", status=OrderStatus.CONFIRMED, return_request=asking)

    run(world)

    after = world.order(order)
    assert after.return_request == ReturnRequest(lost=True)
    assert after.attention is not None
    assert after.attention.code == "return_unknown"
    assert after.label == order.label
    assert after.watch_at is not None, "its label is still looked after"


def test_a_change_whose_function_died_is_told_and_the_label_fetched_anew(world: World) -> None:
    order = overdue(
        world,
        status=OrderStatus.CONFIRMED,
        label=Label(status=LabelStatus.READY),
        changing_until=world.clock.now - timedelta(seconds=1),
    )

    run(world)

    after = world.order(order)
    assert after.changing_until is None
    assert after.attention is not None
    assert after.attention.code == "change_unknown"
    assert (after.label.status, after.label.revision) == (LabelStatus.PENDING, 1)
    assert after.watch_at is not None
    assert after.watch_at > world.clock.now


def test_it_makes_the_key_of_recipients_pages_once(world: World) -> None:
    place = Place("acme", tracking_id=new_id("trk"))
    assert world.table.page_tokens.token(place) is None

    run(world)
    token = world.table.page_tokens.token(place)
    run(world)

    assert token is not None
    assert world.table.page_tokens.token(place) == token


def test_it_goes_on_without_the_key_of_recipients_pages(world: World) -> None:
    order = overdue(world, status=OrderStatus.CANCELLING)
    world.faults.when(
        lambda call: call.method == "put_item" and call.arguments["Item"]["pk"] == {"S": "PAGES"},
        aws_error("AccessDeniedException"),
    )

    assert run(world) == 1
    assert world.order(order).watch_at != order.watch_at

"""The carrier's callback: it proves nothing, and is never lost once it was acknowledged."""

import json
import re
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from parcelgate.carriers.results import Failed, NotFound, OrderResult, Pending
from parcelgate.domain.orders import Actor, LabelStatus, Order, OrderStatus
from parcelgate.domain.problems import CarrierWords
from parcelgate.services.operator import operations
from parcelgate.store.credentials.webhook_tokens import Hook
from parcelgate.store.inbox import MOST_BYTES
from tests.support.fake_carriers import Behaviour
from tests.support.faults import Fault, aws_error, unavailable
from tests.support.world import World, queue

ACK = {"code": 200, "msg": "success"}


def test_the_carrier_gets_the_answer_it_expects(world: World) -> None:
    world.settle(world.start_order())

    (answer,) = world.answers
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, ACK)


@pytest.mark.parametrize(
    "path",
    [
        "lso/default/" + "x" * 43,
        "lso/other/{token}",
        "ubi/default/{token}",
        "lso/default/short",
        "lso/a b/{token}",
        "nobody/default/{token}",
    ],
)
def test_a_wrong_address_is_404_and_leaves_nothing(path: str, world: World) -> None:
    world.settle(world.start_order())
    token = world.carrier.urls[0].rpartition("/")[2]
    before = world.items()

    answer = world.push("https://hooks.test/webhooks/" + path.format(token=token))

    assert answer is not None
    assert answer["statusCode"] == 404
    assert world.items() == before


@pytest.mark.parametrize(("carrier", "counted"), [("lso", "lso"), ("a-strangers-word", "unknown")])
def test_a_stranger_makes_no_metric_of_his_own(
    carrier: str, counted: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.push(f"https://hooks.test/webhooks/{carrier}/default/{'x' * 43}")

    (line,) = [each for each in capsys.readouterr().out.splitlines() if "WebhooksTurnedAway" in each]
    assert json.loads(line)["carrier"] == counted


def test_a_callback_of_one_order_cannot_speak_for_another(world: World) -> None:
    first = world.start_order("first")
    world.settle(first)
    world.carrier.behaviour = Behaviour(callback_after=None, pending=3)
    second = world.start_order("second")
    world.clock.run(until=lambda: len(world.carrier.urls) == 2, hours=1)

    world.push(world.carrier.urls[0], b'{"code": 200, "data": {"orderNumber": "N2"}}')
    ended = world.settle(second)

    assert (ended.updated_at - ended.created_at).total_seconds() >= 40, "nobody woke its flow"


def test_a_repeated_callback_has_no_effect(world: World) -> None:
    world.carrier.behaviour = Behaviour(callbacks=5)
    order = world.start_order()
    ended = world.settle(order)
    world.clock.run(until=lambda: False, hours=1)

    assert [answer["statusCode"] for answer in world.answers] == [200] * 5
    entries = [item for item in world.items() if item["sk"]["S"] == "ENTRY"]
    assert len(entries) == 1
    assert world.order(order).version == ended.version


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"\xff\xfe", b'"text"'])
def test_a_malformed_callback_is_acknowledged_parked_and_changes_nothing(body: bytes, world: World) -> None:
    order = world.start_order()
    ended = world.settle(order)

    answer = world.push(world.carrier.urls[0], body)
    world.clock.run(until=lambda: not world.sqs.busy, hours=1)

    assert answer is not None
    assert json.loads(answer["body"]) == ACK
    states = [item["entry_state"]["S"] for item in world.items() if item["sk"]["S"] == "ENTRY"]
    assert sorted(states) == ["parked", "processed"]
    assert world.order(order) == ended


def test_a_callback_may_begin_with_a_byte_order_mark(world: World) -> None:
    world.settle(world.start_order())

    world.push(world.carrier.urls[0], b'\xef\xbb\xbf{"code": 200, "data": {}}')
    world.clock.run(until=lambda: not world.sqs.busy, hours=1)

    states = {item["entry_state"]["S"] for item in world.items() if item["sk"]["S"] == "ENTRY"}
    assert states == {"processed"}


def test_an_oversized_callback_is_acknowledged_and_parked(world: World) -> None:
    world.settle(world.start_order())

    body = b'{"x": "' + b"y" * 300_000 + b'"}'
    answer = world.push(world.carrier.urls[0], body)

    world.clock.run(until=lambda: not world.sqs.busy, hours=1)

    assert answer is not None
    assert answer["statusCode"] == 200
    reasons = [item.get("reason", {}).get("S") for item in world.items() if item["sk"]["S"] == "ENTRY"]
    assert "too long" in reasons
    (entry,) = world.table.tenant("acme").inbox.parked()
    assert entry.body.decode() == f"not kept: {len(body)} bytes, SHA-256 {sha256(body).hexdigest()}"

    operations.replay(world.table, "acme", entry.id)
    world.stream()
    world.clock.run(until=lambda: not world.sqs.busy, hours=1)
    assert [parked.reason for parked in world.table.tenant("acme").inbox.parked()] == ["too long"]


def test_the_runbook_says_what_is_kept_of_an_oversized_callback() -> None:
    runbook = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text("utf-8")

    (row,) = [item for item in re.split(r"\n(?=- |\n)", runbook) if item.startswith("- **too long**")]
    row = " ".join(row.split())

    assert f"above {MOST_BYTES // 1024} KiB" in row
    assert "size and its SHA-256 are kept" in row


def test_a_callback_of_just_the_size_that_is_kept_is_kept(world: World) -> None:
    world.settle(world.start_order())
    body = b'"' + b"y" * (MOST_BYTES - 2) + b'"'

    world.push(world.carrier.urls[0], body)
    world.clock.run(until=lambda: not world.sqs.busy, hours=1)

    (entry,) = world.table.tenant("acme").inbox.parked()
    assert (entry.body, entry.reason) == (body, "not an object")


def test_a_callback_that_lies_about_success_changes_nothing(world: World) -> None:
    world.carrier.behaviour = Behaviour(fails=True)
    order = world.start_order()

    assert world.settle(order).status is OrderStatus.FAILED

    world.assert_promises(order)


def test_a_callback_that_lies_about_failure_refunds_nothing(world: World) -> None:
    world.carrier.behaviour = Behaviour(callback_after=None)
    order = world.start_order()
    world.clock.run(until=lambda: len(world.carrier.urls) == 1, hours=1)
    world.push(world.carrier.urls[0], b'{"code": 1001, "data": {"errorMessage": "gone"}}')

    assert world.settle(order).status is OrderStatus.CONFIRMED

    assert world.carrier.money_held == ["N1"]


def test_a_callback_before_the_commits_own_answer_only_wakes_the_flow(world: World) -> None:
    world.carrier.behaviour = Behaviour(callback_is_early=True)
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is OrderStatus.CONFIRMED
    trail = world.table.tenant("acme").orders.events(order.id)
    (noted,) = [event for event in trail if event.type == "carrier.callback"]
    assert (noted.at, noted.actor) == (ended.submission.callback_at, Actor.CARRIER)
    world.assert_promises(order)


def test_of_two_callbacks_before_the_commits_own_answer_the_first_is_noted(world: World) -> None:
    order = waiting_for_its_answer(world)

    for body in (b'{"code": 200}', b'{"code": 200, "msg": "again"}'):
        world.push(world.carrier.urls[0], body)
        world.sqs.deliver_now(queue("inbox"))

    trail = world.table.tenant("acme").orders.events(order.id)
    assert [event.type for event in trail].count("carrier.callback") == 1


def waiting_for_its_answer(world: World) -> Order:
    """An order that was sent, and of which nothing was heard yet."""
    world.carrier.behaviour = Behaviour(pending=10, callback_after=None)
    order = world.start_order()
    world.clock.run(until=lambda: world.carrier.asked == 2, hours=1)
    before = world.order(order)
    submission = msgspec.structs.replace(before.submission, task_token=None, callback_at=None)
    after = before.changed(at=world.clock.now, carrier_order_number=None, submission=submission)
    world.table.tenant("acme").orders.save(before, after)
    del world.sqs.workers[queue("retry-lso")]
    assert submission.sending_at is not None
    return order


def test_a_callback_after_the_flow_has_gone_on_asks_the_carrier_again(world: World) -> None:
    world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
    order = world.start_order()
    assert world.settle(order).status is OrderStatus.NEEDS_ATTENTION
    world.carrier.behaviour.pending = 0

    world.push(world.carrier.urls[0])
    ended = world.settle(order)

    assert ended.status is OrderStatus.CONFIRMED
    assert ended.problem is None
    assert ended.label.status is LabelStatus.READY
    world.assert_promises(order)


def test_a_callback_for_which_nobody_waits_any_more_is_done_with_at_once(world: World) -> None:
    """The flow asks the carrier by itself then. The message asks in its place, should the flow end first."""
    world.carrier.behaviour = Behaviour(pending=10, callback_after=None)
    order = world.start_order()
    world.clock.run(until=lambda: world.carrier.asked == 2, hours=1)
    assert world.order(order).status is OrderStatus.PROCESSING

    world.push(world.carrier.urls[0])

    assert world.settle(order).status is OrderStatus.CONFIRMED
    assert [item["entry_state"]["S"] for item in world.items() if item["sk"]["S"] == "ENTRY"] == ["processed"]
    retries = [
        json.loads(call.arguments["MessageBody"])
        for call in world.faults.calls
        if call.method == "send_message" and call.arguments["QueueUrl"] == queue("retry-lso")
    ]
    assert [message["action"] for message in retries] == ["reread"]
    world.assert_promises(order)


def test_a_callback_of_an_order_whose_workflow_is_not_known_has_it_read_again(world: World) -> None:
    world.carrier.behaviour = Behaviour(pending=10, callback_after=None)
    order = world.start_order()
    world.clock.run(until=lambda: world.carrier.asked == 2, hours=1)
    before = world.order(order)
    submission = msgspec.structs.replace(before.submission, task_token=None)
    world.table.tenant("acme").orders.save(before, before.changed(at=world.clock.now, submission=submission))
    del world.sqs.workers[queue("retry-lso")]

    world.push(world.carrier.urls[0])
    world.sqs.deliver_now(queue("inbox"))

    assert [json.loads(body)["action"] for body in world.sqs.bodies(queue("retry-lso"))] == ["reread"]


def test_a_late_failure_of_an_order_that_needs_attention_is_refunded(world: World) -> None:
    world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
    order = world.start_order()
    assert world.settle(order).status is OrderStatus.NEEDS_ATTENTION
    world.carrier.behaviour = Behaviour(fails=True, refund_troubles=2)

    world.push(world.carrier.urls[0])
    ended = world.settle(order)

    assert ended.status is OrderStatus.FAILED
    assert ended.refund.status == "confirmed"
    world.assert_promises(order)


def test_a_late_success_of_a_failed_order_raises_attention_and_moves_nothing(world: World) -> None:
    world.carrier.behaviour = Behaviour(fails=True, callback_after=None)
    order = world.start_order()
    assert world.settle(order).status is OrderStatus.FAILED
    world.carrier.behaviour = Behaviour()

    world.push(world.carrier.urls[0])
    ended = world.settle(order)

    assert ended.status is OrderStatus.FAILED
    assert ended.attention is not None
    assert ended.attention.code == "late_success"


def test_a_late_callback_of_a_failed_order_that_is_still_failed_changes_nothing(world: World) -> None:
    world.carrier.behaviour = Behaviour(fails=True, callback_after=None)
    order = world.start_order()
    before = world.settle(order)

    world.push(world.carrier.urls[0])

    assert world.settle(order) == before


def test_a_late_callback_never_adopts_the_number_of_another_order(world: World) -> None:
    world.carrier.behaviour = Behaviour(lost="request", callback_after=None)
    lost = world.start_order("again")
    world.settle(lost)
    token = "t" * 43
    world.table.webhook_tokens.put(token, Hook("acme", "lso", "default", lost.id))
    world.carrier.behaviour = Behaviour()
    other = world.start_order("other")
    world.settle(other)
    world.carrier.orders["again"] = "N1"

    world.push(f"https://hooks.test/webhooks/lso/default/{token}")

    assert world.settle(lost).status is OrderStatus.NEEDS_ATTENTION


def test_a_late_failure_under_the_number_of_another_order_refunds_nothing(world: World) -> None:
    world.carrier.behaviour = Behaviour(lost="request", callback_after=None)
    lost = world.start_order("again")
    world.settle(lost)
    token = "t" * 43
    world.table.webhook_tokens.put(token, Hook("acme", "lso", "default", lost.id))
    world.carrier.behaviour = Behaviour()
    world.settle(world.start_order("other"))
    words = CarrierWords("fake", "1001", "cannot")
    world.carrier.behaviour.results = [Failed(words=words, carrier_order_number="N1")]

    world.push(f"https://hooks.test/webhooks/lso/default/{token}")

    assert world.settle(lost).status is OrderStatus.NEEDS_ATTENTION
    assert world.carrier.behaviour.results == [], "the carrier was asked"
    assert world.carrier.money_held == ["N1"]


def test_what_cannot_be_stored_is_not_acknowledged(world: World) -> None:
    assert stored_at_last(world, unavailable()) == [503, 200]


@pytest.mark.parametrize(
    ("fault", "level"), [(unavailable(), "ERROR"), (aws_error("ThrottlingException"), "WARNING")]
)
def test_what_cannot_be_stored_for_a_moment_wakes_nobody(
    fault: Fault, level: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    assert stored_at_last(world, fault) == [503, 200]

    (line,) = [each for each in caplog.records if "could not be stored" in each.message]
    assert line.levelname == level


def stored_at_last(world: World, fault: Fault) -> list[int]:
    """The answers to a callback that cannot be stored when it comes first."""
    world.faults.on("put_item", fault, times=1)
    world.settle(world.start_order())
    world.clock.run(until=lambda: len(world.answers) > 1, hours=1)
    return [answer["statusCode"] for answer in world.answers]


def test_a_webhook_whose_message_was_lost_is_found_by_the_sweep(world: World) -> None:
    world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
    order = world.start_order()
    world.settle(order)
    world.carrier.behaviour = Behaviour()
    world.stream = lambda: None  # type: ignore[method-assign]

    world.push(world.carrier.urls[0])
    world.clock.run(until=lambda: world.order(order).status is OrderStatus.CONFIRMED, hours=1)

    assert world.settle(order).label.status is LabelStatus.READY


def test_an_order_still_pending_when_re_read_is_re_read_later(world: World) -> None:
    world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
    order = world.start_order()
    world.settle(order)
    world.carrier.behaviour.results = [Pending(reason="1024", carrier_order_number="N1")] * 3
    world.carrier.behaviour.pending = 0

    world.push(world.carrier.urls[0])

    assert world.settle(order).status is OrderStatus.CONFIRMED


@pytest.mark.parametrize("answer", [Pending(reason="1024"), NotFound()])
def test_one_odd_answer_does_not_lose_a_late_callback(answer: OrderResult, world: World) -> None:
    """Whether it is the success of an order that has failed, or of one that needs attention."""
    world.carrier.behaviour = Behaviour(fails=True, callback_after=None)
    failed = world.start_order("failed")
    assert world.settle(failed).status is OrderStatus.FAILED
    world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
    waiting = world.start_order("waiting")
    assert world.settle(waiting).status is OrderStatus.NEEDS_ATTENTION

    for order, url in ((failed, world.carrier.urls[0]), (waiting, world.carrier.urls[1])):
        world.carrier.behaviour = Behaviour(results=[answer])
        world.push(url)
        world.settle(order)

    ended = world.order(failed)
    assert ended.attention is not None
    assert ended.attention.code == "late_success"
    assert world.order(waiting).status is OrderStatus.CONFIRMED


def test_the_number_of_a_late_failure_is_the_orders_own_from_then_on(world: World) -> None:
    world.carrier.behaviour = Behaviour(lost="request", callback_after=None)
    order = world.start_order()
    assert world.settle(order).status is OrderStatus.NEEDS_ATTENTION
    token = "t" * 43
    world.table.webhook_tokens.put(token, Hook("acme", "lso", "default", order.id))
    world.carrier.orders[order.reference] = "N7"
    world.carrier.behaviour = Behaviour(fails=True)

    world.push(f"https://hooks.test/webhooks/lso/default/{token}")

    ended = world.settle(order)
    assert (ended.status, ended.carrier_order_number) == (OrderStatus.FAILED, "N7")
    assert world.table.tenant("acme").orders.by_carrier_number("lso", "default", "N7") == order.id


def test_a_re_read_that_fails_for_good_after_12_hours_is_a_dead_letter(world: World) -> None:
    world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
    order = world.start_order()
    world.settle(order)
    world.sweep_seconds = 3600
    before = world.clock.now

    world.push(world.carrier.urls[0])
    world.settle(order)

    (dead,) = world.sqs.messages["https://sqs.test/dead-lso"]
    assert dead["attributes"]["reason"]["StringValue"] == "tried for 12 hours"
    assert 43_200 <= (world.clock.now - before).total_seconds() < 43_200 + 600
    assert world.order(order).status is OrderStatus.NEEDS_ATTENTION

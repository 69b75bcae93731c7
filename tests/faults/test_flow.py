"""What becomes of an order, whatever the carrier does. No function dies here."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Failed, Mismatch, NotFound, OrderResult, Pending
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import LabelStatus, Options, OrderStatus
from parcelgate.domain.problems import CarrierWords
from tests.support.fake_carriers import PDF, Behaviour
from tests.support.faults import Faults, at_every_call, aws_error, fails_with, throttle
from tests.support.world import World

CONFIRMED, FAILED, NEEDS_ATTENTION = (
    OrderStatus.CONFIRMED,
    OrderStatus.FAILED,
    OrderStatus.NEEDS_ATTENTION,
)


def test_a_good_order_gets_its_label_in_three_billed_transitions(world: World) -> None:
    order = world.start_order()

    ended = world.settle(order)

    (execution,) = world.ended
    assert execution.path == ["SubmitOrder", "CheckOrder"]
    assert execution.transitions == 3
    assert ended.status is CONFIRMED
    assert (ended.updated_at - ended.created_at).total_seconds() == 1, "the callback has woken the flow"
    assert ended.label.status is LabelStatus.READY
    assert world.s3.objects.keys() == {ended.label.parcels[0].key}
    assert [entry["DetailType"] for entry in world.events.entries] == ["order.confirmed", "label.ready"]
    world.assert_promises(order)


def test_an_execution_of_the_definition_before_gets_its_label_in_its_next_state(world: World) -> None:
    states = {**world.machine.definition["States"]}
    check = {name: value for name, value in states["CheckOrder"].items() if name != "End"}
    payload = {**check["Parameters"]["Payload"]}
    del payload["label_with_check"]
    check |= {"Parameters": {**check["Parameters"], "Payload": payload}, "Next": "FetchLabel"}
    world.machine.definition = {**world.machine.definition, "States": states | {"CheckOrder": check}}
    order = world.start_order()

    ended = world.settle(order)

    assert world.ended[0].path == ["SubmitOrder", "CheckOrder", "FetchLabel"]
    assert ended.label.status is LabelStatus.READY
    world.assert_promises(order)


def test_an_order_whose_callback_never_comes_is_asked_about_when_the_wait_is_over(world: World) -> None:
    world.carrier.behaviour = Behaviour(callback_after=None)
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is CONFIRMED
    assert (ended.updated_at - ended.created_at).total_seconds() == 40
    world.assert_promises(order)


def test_a_callback_is_waited_for_from_when_the_order_was_sent(world: World) -> None:
    """However long that took: the function's sign begins the wait anew."""
    world.carrier.behaviour = Behaviour(callback_after=None)
    world.faults.before("create", lambda: world.clock.sleep(25))
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is CONFIRMED
    assert (ended.updated_at - ended.created_at).total_seconds() == 25 + 40
    world.assert_promises(order)


def test_a_submission_that_outlasts_its_state_is_made_once_and_loses_only_its_callback(world: World) -> None:
    world.faults.before("rates", lambda: world.clock.sleep(28))
    world.faults.before("create", lambda: world.clock.sleep(25))
    order = world.start_order()

    assert world.settle(order).status is CONFIRMED

    assert len(world.carrier.commits) == 1
    assert world.ended[0].path[:2] == ["SubmitOrder", "CheckOrder"]
    world.assert_promises(order)


def test_a_sign_that_cannot_be_given_is_no_error(new_world: Callable[..., World]) -> None:
    """The order is sent all the same. The machine only begins to wait a little earlier."""
    world = new_world(swallows=False)
    world.carrier.behaviour = Behaviour(callback_after=None)
    world.faults.before("create", lambda: world.clock.sleep(25))
    world.faults.on("send_task_heartbeat", throttle())
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is CONFIRMED
    assert (ended.updated_at - ended.created_at).total_seconds() == 40
    assert len(world.carrier.commits) == 1
    world.assert_promises(order)


def test_an_order_that_takes_its_time_is_asked_about_again_and_again(world: World) -> None:
    world.carrier.behaviour = Behaviour(pending=5, no_label=3)
    order = world.start_order()

    assert world.settle(order).status is CONFIRMED

    # The first look at the label is made together with the last question about the order.
    assert world.ended[0].path == ["SubmitOrder", "CheckOrder", "FetchLabel"]
    assert world.ended[0].retries == 7
    world.assert_promises(order)


def test_a_failed_order_is_refunded_before_it_is_called_failed(world: World) -> None:
    world.carrier.behaviour = Behaviour(fails=True, refund_troubles=4)
    order = world.start_order()
    states = []
    world.faults.before("cancel", lambda: states.append(world.order(order)))

    ended = world.settle(order)

    assert states[0].status is OrderStatus.PROCESSING
    assert states[0].problem is not None, "the client can read why while the refund is under way"
    assert ended.status is FAILED
    assert ended.refund.status == "confirmed"
    assert ended.problem is not None
    assert ended.problem.carrier == CarrierWords("fake", "1001", "cannot")
    world.assert_promises(order)


def test_a_refund_that_is_never_accepted_alarms_a_person_after_its_own_24_hours(world: World) -> None:
    world.carrier.behaviour = Behaviour(fails=True, refund_troubles=10**6)
    world.sweep_seconds = 3600
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is NEEDS_ATTENTION
    assert ended.problem is not None
    assert ended.problem.code == "refund_failed"
    # In the end a refund is tried once an hour.
    assert 86_400 <= (ended.updated_at - ended.created_at).total_seconds() < 86_400 + 3600
    world.assert_promises(order)


def test_an_order_over_max_price_fails_and_nothing_is_committed(world: World) -> None:
    order = world.start_order(options=Options(max_price=Money(Decimal("9.89"), "USD")))

    ended = world.settle(order)

    assert ended.status is FAILED
    assert ended.problem is not None
    assert ended.problem.code == "price_above_max"
    assert world.carrier.commits == []
    world.assert_promises(order)


@pytest.mark.parametrize(("most", "commits"), [("9.90", 1), ("100", 1)])
def test_a_price_up_to_max_price_is_paid(most: str, commits: int, world: World) -> None:
    order = world.start_order(options=Options(max_price=Money(Decimal(most), "USD")))
    assert world.settle(order).status is CONFIRMED
    assert len(world.carrier.commits) == commits


def test_a_price_in_another_currency_is_not_held_against_max_price(world: World) -> None:
    order = world.start_order(options=Options(max_price=Money(Decimal("100"), "EUR")))
    assert world.settle(order).status is FAILED
    assert world.carrier.commits == []


def test_a_refused_order_fails_with_the_carriers_words(world: World) -> None:
    world.carrier.behaviour = Behaviour(refuses=True)
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is FAILED
    assert ended.problem is not None
    assert ended.problem.carrier == CarrierWords("fake", "77", "we do not go there")
    assert world.carrier.asked == 0
    world.assert_promises(order)


@pytest.mark.parametrize(
    "error", [TransientError("503"), UnknownOutcomeError("cut"), AuthenticationError("401")]
)
def test_trouble_before_anything_is_sent_is_tried_again(error: CarrierError, world: World) -> None:
    world.faults.on("rates", fails_with(error), times=3)
    order = world.start_order()

    assert world.settle(order).status is CONFIRMED

    assert world.ended[0].path == ["SubmitOrder", "CheckOrder"]
    world.assert_promises(order)


def test_a_carrier_that_is_down_for_minutes_gets_the_order_when_it_is_back(world: World) -> None:
    world.faults.on("rates", fails_with(TransientError("down")), times=30)
    order = world.start_order()

    assert world.settle(order).status is CONFIRMED

    assert world.ended[0].path.count("SubmitOrder") > 1
    world.assert_promises(order)


def test_a_carrier_that_is_down_for_good_needs_attention_after_12_hours_and_says_that_nothing_was_sent(
    world: World,
) -> None:
    world.faults.on("rates", fails_with(TransientError("down")), times=10**6)
    world.sweep_seconds = 3600
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is NEEDS_ATTENTION
    assert ended.problem is not None
    assert ended.problem.code == "deadline_passed"
    assert "Nothing was sent" in ended.problem.detail
    assert 43_200 <= (ended.updated_at - ended.created_at).total_seconds() < 43_200 + 180
    assert ended.waiting is None
    world.assert_promises(order)


@pytest.mark.parametrize("error", [TransientError("429"), AuthenticationError("401")])
def test_a_create_that_was_certainly_not_taken_is_sent_again(error: CarrierError, world: World) -> None:
    world.carrier.behaviour = Behaviour(create_error=error)
    order = world.start_order()

    assert world.settle(order).status is CONFIRMED

    assert len(world.carrier.commits) == 1
    world.assert_promises(order)


def test_a_commit_whose_answer_was_lost_is_found_by_its_reference(world: World) -> None:
    world.carrier.behaviour = Behaviour(lost="answer", callback_after=None)
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is CONFIRMED
    assert ended.carrier_order_number == "N1"
    assert (ended.updated_at - ended.created_at).total_seconds() < 60, "the sender said that it was over"
    world.assert_promises(order)


def test_a_commit_that_never_arrived_needs_attention_after_two_answers_a_minute_apart(
    world: World,
) -> None:
    world.carrier.behaviour = Behaviour(lost="request")
    order = world.start_order()
    asked = []
    world.faults.before("find_by_reference", lambda: asked.append(world.clock.now))

    ended = world.settle(order)

    assert ended.status is NEEDS_ATTENTION
    assert ended.problem is not None
    assert ended.problem.code == "outcome_unknown"
    submission = ended.submission
    assert submission.sender_until is not None
    assert submission.not_found_at is not None
    assert (submission.not_found_at - submission.sender_until).total_seconds() >= 60
    assert (ended.updated_at - submission.not_found_at).total_seconds() >= 60
    assert world.carrier.commits == []
    world.assert_promises(order)


def test_an_account_that_allows_it_has_a_lost_commit_sent_again(world: World) -> None:
    world.carrier.behaviour = Behaviour(lost="request", may_resend=True)
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is CONFIRMED
    assert len(world.carrier.commits) == 1
    assert world.ended[0].path.count("SubmitOrder") == 2
    world.assert_promises(order)


def test_a_callback_in_between_forbids_sending_again(world: World) -> None:
    world.carrier.behaviour = Behaviour(lost="answer", may_resend=True, callback_after=30.0)
    # The look-up knows nothing of the order, which is there all the same.
    world.carrier.behaviour.results = [NotFound()] * 1000
    order = world.start_order()

    ended = world.settle(order)

    assert len(world.carrier.commits) == 1
    assert ended.status is NEEDS_ATTENTION
    world.assert_promises(order)


@pytest.mark.parametrize(
    "results",
    [
        [NotFound()],
        [Pending(reason="HTML"), Pending(reason="500")],
        [AuthenticationError("401")],
        [TransientError("500")],
        [UnknownOutcomeError("cut")],
        [RefusedError("403")],
    ],
    ids=str,
)
def test_an_odd_answer_about_a_live_order_is_asked_again_and_refunds_nothing(
    results: list[OrderResult | Exception], world: World
) -> None:
    world.carrier.behaviour.results = results
    order = world.start_order()

    assert world.settle(order).status is CONFIRMED

    assert world.carrier.money_held == ["N1"]
    assert "carrier.cancel" not in world.faults.names
    world.assert_promises(order)


def test_an_undocumented_code_is_a_failed_order(world: World) -> None:
    words = CarrierWords("fake", "4711", "what?")
    world.carrier.behaviour.results = [Failed(words=words, carrier_order_number="N1")]
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is FAILED
    assert ended.problem is not None
    assert ended.problem.carrier == words
    world.assert_promises(order)


def test_a_wrong_number_of_boxes_needs_attention(world: World) -> None:
    world.carrier.behaviour.results = [Mismatch(detail="2 boxes for 1", carrier_order_number="N1")]
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is NEEDS_ATTENTION
    assert ended.problem is not None
    assert ended.problem.code == "answer_mismatch"
    world.assert_promises(order)


@pytest.mark.parametrize(
    "result",
    [
        lambda world, order: world.carrier.confirmation(order, "N1"),
        lambda world, order: Pending(reason="1024", carrier_order_number="N1"),
        lambda world, order: Failed(words=CarrierWords("fake", "1001", "no"), carrier_order_number="N1"),
    ],
    ids=["confirmed", "pending", "failed"],
)
def test_a_number_that_belongs_to_another_order_is_never_adopted(
    result: Callable[..., OrderResult], world: World
) -> None:
    first = world.start_order("first")
    world.settle(first)
    world.carrier.behaviour = Behaviour(lost="request")
    order = world.start_order("second")
    world.carrier.behaviour.results = [result(world, order)]

    ended = world.settle(order)

    assert ended.status is NEEDS_ATTENTION
    assert ended.problem is not None
    assert ended.problem.code == "carrier_order_conflict"
    assert ended.carrier_order_number is None
    assert world.carrier.money_held == ["N1"], "the first order was not refunded"


def test_an_order_that_stays_undecided_needs_attention_at_the_deadline(world: World) -> None:
    world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is NEEDS_ATTENTION
    assert ended.problem is not None
    assert ended.problem.code == "deadline_passed"
    assert 1800 <= (ended.updated_at - ended.created_at).total_seconds() <= 1860
    world.assert_promises(order)


def test_a_label_that_never_comes_leaves_the_order_confirmed(world: World) -> None:
    world.carrier.behaviour = Behaviour(no_label=10**6)
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is CONFIRMED
    assert ended.label.status is LabelStatus.UNAVAILABLE
    assert ended.attention is not None
    assert ended.attention.code == "label_unavailable"
    world.assert_promises(order)


def test_a_bad_label_counts_as_not_ready(world: World) -> None:
    world.carrier.behaviour = Behaviour(labels=[b"<html>", b"", b"%PDF-" + b"x" * (10 * 1024 * 1024)])
    order = world.start_order()

    assert world.settle(order).label.status is LabelStatus.READY

    assert list(world.s3.objects.values()) == [PDF]
    world.assert_promises(order)


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "InternalServerError"])
def test_a_store_that_is_down_for_a_moment_costs_no_order(code: str, new_world: Callable[..., World]) -> None:
    def story(n: int) -> Faults:
        world = new_world()
        for place in range(2 * n - 1, 2 * n + 5):
            world.faults.at(place, aws_error(code))
        order = world.start_order()
        world.settle(order)
        world.assert_promises(order)
        return world.faults

    at_every_call(story, least=9)


def test_an_account_that_cannot_be_read_is_an_order_that_waits(world: World) -> None:
    world.account_errors = 20
    order = world.start_order()

    assert world.settle(order).status is CONFIRMED

    assert world.account_errors == 0
    world.assert_promises(order)


def test_no_time_left_means_no_commit(world: World) -> None:
    world.faults.before("rates", lambda: world.clock.sleep(31))
    order = world.start_order()

    assert world.settle(order).status is CONFIRMED

    assert world.ended[0].path[:4] == ["SubmitOrder", "CheckOrder", "SubmitAgain", "SubmitOrder"]
    assert len(world.carrier.commits) == 1


def test_no_time_left_after_the_mark_takes_the_mark_away(world: World) -> None:
    world.faults.before("transact_write_items", lambda: world.clock.sleep(31))
    order = world.start_order()

    assert world.settle(order).status is CONFIRMED

    assert world.ended[0].path[:4] == ["SubmitOrder", "CheckOrder", "SubmitAgain", "SubmitOrder"]
    assert len(world.carrier.commits) == 1

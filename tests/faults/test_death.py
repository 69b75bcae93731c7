"""A function dies between any two lines, and the order still ends well.

Every outward call of every function, of AWS and of the carrier, is a place to die: just before the call,
and just after it had its effect. The machine, the sweep and the backstop go on by themselves.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache

import pytest

from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from tests.support.fake_carriers import Behaviour
from tests.support.faults import Faults, at_every_call, die
from tests.support.world import World, worlds

STORIES: dict[str, Callable[[], Behaviour]] = {
    "good": lambda: Behaviour(),
    "slow": lambda: Behaviour(pending=1, no_label=1),
    "silent": lambda: Behaviour(callback_after=None),
    "early callback": lambda: Behaviour(callback_is_early=True),
    "failing": lambda: Behaviour(fails=True),
    "refused": lambda: Behaviour(refuses=True),
    "answer lost": lambda: Behaviour(lost="answer"),
    "request lost, to be sent again": lambda: Behaviour(lost="request", may_resend=True),
}
WELL_ENDED = {
    "good": OrderStatus.CONFIRMED,
    "slow": OrderStatus.CONFIRMED,
    "silent": OrderStatus.CONFIRMED,
    "early callback": OrderStatus.CONFIRMED,
    "failing": OrderStatus.FAILED,
    "refused": OrderStatus.FAILED,
    "answer lost": OrderStatus.CONFIRMED,
    "request lost, to be sent again": OrderStatus.CONFIRMED,
}
MOST_CALLS = 75


def tell(world: World, story: str) -> Order:
    world.carrier.behaviour = STORIES[story]()
    order = world.start_order()
    world.settle(order)
    return order


@cache
def calls_of(story: str) -> tuple[str, ...]:
    with worlds() as new_world:
        world = new_world()
        order = tell(world, story)
        assert world.order(order).status is WELL_ENDED[story]
        world.assert_promises(order)
        return tuple(world.faults.names)


@pytest.mark.parametrize("story", STORIES)
def test_without_a_death_the_story_ends_well(story: str) -> None:
    assert 5 < len(calls_of(story)) < MOST_CALLS


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("story", STORIES)
def test_dying_at_any_call_leaves_an_order_that_somebody_can_read(story: str, after: bool) -> None:
    """The machine calls a function again that died without a word; in SubmitOrder it waits in vain."""
    die_everywhere(story, after, death="Lambda.Unknown", swallows=True)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("story", ["good", "failing"])
def test_a_death_that_the_machine_does_not_forgive_is_survived_as_well(story: str, after: bool) -> None:
    die_everywhere(story, after, death="Unheard.Of", swallows=False)


def die_everywhere(story: str, after: bool, *, death: str, swallows: bool) -> None:
    calls = calls_of(story)
    with worlds() as new_world:
        for n, call in enumerate(calls, 1):
            world = new_world(death=death, swallows=swallows)
            world.faults.at(n, die(after=after))
            order = tell(world, story)
            try:
                world.assert_promises(order)
            except AssertionError as error:
                where = f"{'after' if after else 'before'} call {n}, {call}"
                raise AssertionError(f"died {where}: {error}; {world.order(order)}") from error


@pytest.mark.parametrize("story", ["good", "failing"])
def test_dying_twice_is_survived_as_well(story: str) -> None:
    calls = calls_of(story)
    with worlds() as new_world:

        def with_two_deaths(n: int) -> Faults:
            world = new_world()
            world.faults.at(n, die(after=True)).at(n + 1, die())
            order = tell(world, story)
            world.assert_promises(order)
            return world.faults

        at_every_call(with_two_deaths, least=len(calls) - 1)


@pytest.mark.parametrize("story", ["good", "failing", "silent"])
@pytest.mark.parametrize("seconds", [0.5, 1, 1.5, 30, 79, 81])
def test_an_execution_aborted_at_any_time_leaves_its_order_to_a_person(
    story: str, seconds: float, new_world: Callable[..., World]
) -> None:
    world = new_world()
    world.carrier.behaviour = STORIES[story]()
    world.carrier.behaviour.pending = 3
    order = world.start_order()
    world.clock.after(seconds, lambda: abort(world, order))
    world.settle(order)
    world.assert_promises(order)


def abort(world: World, order: Order) -> None:
    if world.machine.executions[order.id].status == "RUNNING":
        world.machine.abort(order.id)


def test_while_the_sender_may_live_nobody_asks_by_reference(world: World) -> None:
    """The carrier might answer with an older order, and the one under way would be bought all the same."""
    world.faults.on("create", die(after=True))
    asked: list[datetime] = []
    world.faults.before("find_by_reference", lambda: asked.append(world.clock.now))
    order = world.start_order()

    ended = world.settle(order)

    assert ended.status is OrderStatus.CONFIRMED
    assert ended.submission.sender_until is not None
    assert asked[0] >= ended.submission.sender_until


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_late_callback_is_not_lost_whoever_dies(after: bool) -> None:
    """From the acknowledgement on; before it the carrier comes again."""
    with worlds() as new_world:

        def story(n: int) -> Faults:
            world = new_world(environment={"PARCELGATE_ORDER_DEADLINE": "100"})
            world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
            order = world.start_order()
            assert world.settle(order).status is OrderStatus.NEEDS_ATTENTION
            world.carrier.behaviour = Behaviour()
            made = len(world.faults.calls)
            world.faults.at(made + n, die(after=after))

            world.call_back(world.carrier.urls[0])
            world.clock.run(until=lambda: confirmed_with_label(world, order) and told(world, order), hours=3)

            assert confirmed_with_label(world, order), world.faults.names[made:]
            world.assert_promises(order)
            return world.faults

        at_every_call(story, least=10)


def told(world: World, order: Order) -> bool:
    types = {each["type"] for each in world.told(order.tenant, order_id=order.id)}
    return {"order.confirmed", "label.ready"} <= types


def confirmed_with_label(world: World, order: Order) -> bool:
    order = world.order(order)
    return order.status is OrderStatus.CONFIRMED and order.label.status is LabelStatus.READY


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_cancellation_goes_on_whoever_dies(after: bool) -> None:
    with worlds() as new_world:

        def story(n: int) -> Faults:
            world = new_world()
            order = world.start_order()
            world.settle(order)
            begin_to_cancel(world, order)
            world.faults.at(len(world.faults.calls) + n, die(after=after))

            ended = world.settle(order)

            assert ended.status is OrderStatus.CANCELLED
            assert ended.refund.status == "confirmed"
            assert not world.carrier.money_held
            world.assert_promises(order)
            return world.faults

        at_every_call(story, least=8)


def begin_to_cancel(world: World, order: Order) -> None:
    """What cancel_order has stored when it dies."""
    before = world.order(order)
    at = world.clock.now
    due = at + world.settings.deadline_margin
    world.table.tenant(order.tenant).orders.save(
        before, before.move(OrderStatus.CANCELLING, at=at, watch_at=due)
    )


def test_an_order_whose_workflow_was_never_started_is_started_by_the_sweep(world: World) -> None:
    world.start_workflow = lambda order: None  # type: ignore[method-assign]
    order = world.start_order()
    assert world.settle(order).status is OrderStatus.CONFIRMED
    world.assert_promises(order)


def test_an_order_whose_workflow_and_backstop_broke_is_raised_by_the_sweep(world: World) -> None:
    world.carrier.behaviour = Behaviour(pending=10**6, callback_after=None)
    world.machine._on_end = lambda execution: None
    order = world.start_order()
    world.clock.after(100, lambda: world.machine.abort(order.id))

    ended = world.settle(order)

    assert ended.status is OrderStatus.NEEDS_ATTENTION
    assert ended.problem is not None
    assert ended.problem.code == "workflow_ended"
    world.assert_promises(order)


def test_a_confirmed_order_whose_workflow_and_backstop_broke_says_that_its_label_is_missing(
    world: World,
) -> None:
    world.carrier.behaviour = Behaviour(no_label=10**6)
    world.machine._on_end = lambda execution: None
    order = world.start_order()
    world.clock.after(30, lambda: world.machine.abort(order.id))

    ended = world.settle(order)

    assert ended.status is OrderStatus.CONFIRMED
    assert ended.label.status is LabelStatus.UNAVAILABLE
    world.assert_promises(order)

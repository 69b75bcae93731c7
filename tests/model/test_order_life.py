"""An order's life as a model: all of its courses keep the promises, and the engine takes the same ones.

`make model` explores more of it, and writes the figures to `docs/reliability.md`.
"""

import random
from collections.abc import Callable

import pytest

from parcelgate.domain.orders import OrderStatus
from parcelgate.services.orders import transitions
from parcelgate.services.orders.submission import OrderSubmitter
from tests.model.engine import MOST_HOURS, DifferenceError, follow
from tests.model.exploration import Explored, Trace, explore, walk
from tests.model.flaws import FLAWS, Flaw
from tests.model.order_life import FOLLOWS, OrderLife
from tests.support.world import World

LIVES = ("at once", "later", "later, sent again")


def life_of(name: str, *, workers: int = 1) -> OrderLife:
    # With cancellations, a life that takes longer has so many states that only `make model` explores them.
    cancels = name == "at once" or workers > 1
    return OrderLife(later=name != "at once", resends="again" in name, workers=workers, cancels=cancels)


@pytest.fixture(scope="module")
def explored() -> Callable[[str], Explored]:
    known: dict[str, Explored] = {}

    def of(name: str) -> Explored:
        if name not in known:
            known[name] = explore(life_of(name))
        return known[name]

    return of


def some(traces: list[Trace], number: int) -> list[Trace]:
    """Some traces, the same each time."""
    return random.Random(14).sample([each for each in traces if each.count("hour") <= MOST_HOURS], number)


@pytest.mark.parametrize(("name", "least"), [("at once", 10_000), ("later", 5_000)])
def test_promises_1_2_3_and_5_hold_in_every_course_of_an_order(
    name: str, least: int, explored: Callable[[str], Explored]
) -> None:
    found = explored(name)

    assert found.violation is None, "\n".join(found.violation.trace)
    assert len(found.ways) > least


@pytest.mark.parametrize("flaw", FLAWS, ids=lambda flaw: flaw.name)
def test_a_rule_that_is_left_out_is_noticed(flaw: Flaw) -> None:
    violation = explore(flaw.life).violation

    assert violation is not None
    assert violation.promise == flaw.promise


@pytest.mark.parametrize("name", ["at once", "later"])
def test_the_engine_takes_every_step_as_the_model_does(
    name: str, explored: Callable[[str], Explored], new_world: Callable[..., World]
) -> None:
    """Some of the traces, which together have a step of each shape; `make model` follows all."""
    _follow_all(new_world, life_of(name), some(explored(name).traces(), 40))


@pytest.mark.parametrize("name", LIVES)
def test_the_engine_goes_with_the_model_when_two_functions_work_on_one_order(
    name: str, new_world: Callable[..., World]
) -> None:
    life = life_of(name, workers=2)
    for seed in range(20):
        follow(new_world, life, walk(life, seed=seed, length=40, most_hours=MOST_HOURS))


def test_of_two_functions_that_take_one_order_back_neither_fails(new_world: Callable[..., World]) -> None:
    """Two deliveries of one message: the second finds the order failed, or being cancelled by its client."""
    both = (
        "0 request: write mark -> done",
        "0 request: create -> answer lost, failed",
        "0 request: queue create -> done",
        "0 request: write leave -> done",
        "days",
        "begin retry create",
        "begin retry create",
        "0 retry: look up -> failed 1",
        "1 retry: look up -> failed 1",
        "0 retry: write failing -> done",
        "1 retry: write failing -> done",
        "0 retry: cancel -> accepted",
        "1 retry: cancel -> accepted",
        "0 retry: write taken back -> done",
        "0 retry: write taken back -> done",
    )
    follow(new_world, life_of("at once", workers=2), both)


def _follow_all(make: Callable[..., World], life: OrderLife, traces: list[Trace]) -> None:
    for trace in traces:
        follow(make, life, trace)


def _forgets_the_mark(engine: pytest.MonkeyPatch) -> None:
    engine.setattr(transitions, "outcome_unknown", lambda order, *, at: transitions.not_taken(order))


def _gives_up_nothing(engine: pytest.MonkeyPatch) -> None:
    engine.setattr(transitions, "given_up", lambda *_, **__: None)


def _sends_what_is_marked(engine: pytest.MonkeyPatch) -> None:
    engine.setattr(OrderSubmitter, "ask", lambda self, order, caller: order)


@pytest.mark.parametrize(
    "flaw", [_forgets_the_mark, _gives_up_nothing, _sends_what_is_marked], ids=lambda flaw: flaw.__name__
)
def test_an_engine_with_a_flaw_leaves_the_model(
    flaw: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    explored: Callable[[str], Explored],
    new_world: Callable[..., World],
) -> None:
    flaw(monkeypatch)

    traces = some(explored("at once").traces(), 200)
    with pytest.raises(DifferenceError):
        _follow_all(new_world, life_of("at once"), traces)


def test_the_table_of_statuses_is_the_domain_s() -> None:
    for before in OrderStatus:
        assert (not FOLLOWS[before.value]) == before.final

"""Every state that the specification can reach, the shortest way to each, and what must hold in all."""

import random
from collections import deque
from typing import NamedTuple

from tests.model.order_life import PROMISES, OrderLife, State, forward, settled

type Trace = tuple[str, ...]
type Shape = tuple[object, ...]
"""What is alike in steps: the step itself, the order's status before and after it, and who else is where."""


class Violation(NamedTuple):
    """A promise that is broken, and the shortest way there."""

    promise: str
    trace: Trace
    state: State


class Explored(NamedTuple):
    """What an exploration found.

    `ways` gives for each state the one before it and the step between, `shapes` the first step of each shape.
    """

    ways: dict[State, tuple[State, str] | None]
    steps: int
    violation: Violation | None
    shapes: dict[Shape, tuple[State, str]]

    def traces(self) -> list[Trace]:
        """The shortest ways through a step of each shape; none is the beginning of another."""
        all_of_them = {(*trace_to(self.ways, state), name) for state, name in self.shapes.values()}
        beginnings = {trace[:length] for trace in all_of_them for length in range(len(trace))}
        return sorted(all_of_them - beginnings)


def trace_to(ways: dict[State, tuple[State, str] | None], state: State) -> Trace:
    """The shortest way to a state, as names of steps."""
    names = []
    while (way := ways[state]) is not None:
        state, name = way
        names.append(name)
    return tuple(reversed(names))


def explore(life: OrderLife, *, most: int = 10_000_000) -> Explored:
    """Search all states, the nearest first, until a promise is broken or all are known.

    In the end each state must lead to a settled one by steps alone that need nobody's luck: time, our own
    functions and messages, and a carrier that is never well.

    With more than `most` states it ends there, and nothing is said of the rest.
    """
    first = life.initial()
    ways: dict[State, tuple[State, str] | None] = {first: None}
    into: dict[State, list[State]] = {}
    shapes: dict[Shape, tuple[State, str]] = {}
    waiting, steps = deque([first]), 0
    while waiting:
        state = waiting.popleft()
        for name, holds in PROMISES.items():
            if not holds(life, state):
                return Explored(ways, steps, Violation(name, trace_to(ways, state), state), shapes)
        for step in life.steps(state):
            steps += 1
            after = step.after
            shape = (
                step.name.lstrip("01 "),
                state.order.status,
                after.order.status,
                state.flow,
                tuple((worker.kind, worker.at, worker.what) for worker in state.workers),
            )
            shapes.setdefault(shape, (state, step.name))
            if after not in ways:
                ways[after] = (state, step.name)
                waiting.append(after)
                if len(ways) > most:
                    return Explored(ways, steps, None, shapes)
            if not forward(state, after):
                trace = (*trace_to(ways, state), step.name)
                return Explored(ways, steps, Violation("5: never backwards", trace, after), shapes)
            if step.own:
                into.setdefault(after, []).append(state)
    return Explored(ways, steps, _stuck(ways, into), shapes)


def _stuck(ways: dict[State, tuple[State, str] | None], into: dict[State, list[State]]) -> Violation | None:
    """The nearest state from which our own steps never settle the order."""
    reached = {state for state in ways if settled(state)}
    waiting = deque(reached)
    while waiting:
        for before in into.get(waiting.popleft(), ()):
            if before not in reached:
                reached.add(before)
                waiting.append(before)
    for state in ways:
        if state not in reached:
            return Violation("1: ends by itself", trace_to(ways, state), state)
    return None


def walk(life: OrderLife, *, seed: int, length: int, most_hours: int) -> Trace:
    """A course by chance, which is always the same for a seed.

    The next step is drawn by its kind first, since most steps of a state are deaths and time.
    """
    draw, state, names = random.Random(seed), life.initial(), []
    for _ in range(length):
        kinds: dict[str, list[tuple[str, State]]] = {"works": [], "dies": [], "time": []}
        for step in life.steps(state):
            is_time = step.name in ("tick", "hour", "days")
            if step.name == "hour" and names.count("hour") >= most_hours:
                continue
            kind = "time" if is_time else "dies" if step.name.endswith("dies") else "works"
            kinds[kind].append((step.name, step.after))
        kind = draw.choices([*kinds], [8 if kinds["works"] else 0, 1 if kinds["dies"] else 0, 2])[0]
        name, state = draw.choice(kinds[kind] or kinds["time"] or kinds["works"])
        names.append(name)
    return tuple(names)

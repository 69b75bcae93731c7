"""Rules that are left out of the specification, each with the promise whose breach is to be found."""

from typing import NamedTuple

from tests.model.order_life import OrderLife


class Flaw(NamedTuple):
    """A rule that is left out: where, and what the exploration is to say then."""

    name: str
    promise: str
    life: OrderLife


def _once(name: str, *, workers: int = 1) -> OrderLife:
    return OrderLife(flaw=name, workers=workers)


FLAWS = (
    Flaw("no deadline", "1: looked after", _once("no deadline")),
    Flaw("no sweep", "1: ends by itself", _once("no sweep")),
    Flaw("no mark", "2: bought once", _once("no mark", workers=2)),
    Flaw("first answer too early", "2: bought once", _once("first answer too early")),
    Flaw("believes once", "2: bought once", _once("believes once")),
    Flaw("asks twice at once", "2: bought once", _once("asks twice at once")),
    Flaw("unknown is not taken", "3: no money held", _once("unknown is not taken")),
    Flaw("failed before its refund", "3: no money held", _once("failed before its refund")),
    Flaw("cancels what was sent", "3: no money held", _once("cancels what was sent")),
    Flaw("writes over anything", "5: never backwards", _once("writes over anything", workers=2)),
    Flaw("moves what is over", "5: never backwards", _once("moves what is over", workers=2)),
)

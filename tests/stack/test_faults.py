"""Calls of functions go wrong on the running stack, and every promise holds: a part of `make faults`."""

import pytest

from tests.faults.stack.pairs import Result
from tests.stack.spoilt import GROUPS, Spoilt


def hold(results: list[Result]) -> None:
    wrong = [f"{result.pair}: {line}" for result in results for line in result.violations]
    assert not wrong, "\n".join(wrong)
    # On a busy machine the stream brings several records in one call, so that many do not come by themselves.
    unmet = [str(result.pair) for result in results if not result.met]
    assert len(unmet) <= 3 / 4 * len(results), f"never happened, so too little was tested: {unmet}"


@pytest.mark.parametrize("group", GROUPS)
def test_of_each_difference_every_promise_holds(group: str, spoilt: Spoilt) -> None:
    hold(spoilt(group))


def test_what_a_seed_chooses_of_the_recorded_steps_breaks_no_promise(spoilt: Spoilt) -> None:
    wrong = [f"{result.pair}: {line}" for result in spoilt("seeded") for line in result.violations]
    assert not wrong, "\n".join(wrong)

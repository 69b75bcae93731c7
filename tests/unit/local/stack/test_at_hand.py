"""A stack that is used where one runs, and started where none does."""

from pathlib import Path

import pytest

from local.stack import stack


@pytest.mark.parametrize(("ran", "done"), [(True, ["up"]), (False, ["up", "down"])])
def test_a_stack_is_stopped_by_who_started_it_and_by_nobody_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ran: bool, done: list[str]
) -> None:
    did: list[str] = []
    monkeypatch.setattr(stack, "_running_stack", lambda _: object() if ran else None)
    monkeypatch.setattr(stack, "up", lambda _: did.append("up"))
    monkeypatch.setattr(stack, "down", lambda _: did.append("down"))

    with pytest.raises(RuntimeError), stack.at_hand(tmp_path):
        raise RuntimeError

    assert did == done

"""Every failure drill, mended by the runbook's own commands: all orders end as in the carriers' books."""

from pathlib import Path
from typing import ClassVar

import pytest

from local.command.deployment import Deployment
from local.drills.command import DRILLS
from local.drills.drill import Drill, practise
from local.drills.poison import Poison
from local.drills.restore import Restore
from tests.stack.drills import BESIDE_OTHERS, Drills


@pytest.mark.parametrize("kind", BESIDE_OTHERS, ids=lambda kind: kind.name)
def test_is_seen_by_its_alarms_and_mended_by_the_runbooks_commands(kind: type[Drill], drills: Drills) -> None:
    result, lines = drills(kind).result, drills(kind).lines
    assert result.mistakes == (), "\n".join(lines)
    assert result.orders >= 2
    assert result.commands
    for name in kind.alarms:
        assert any(f"ALARM {name}:" in line for line in lines)


class Interrupted(Poison):
    """Ended by a Ctrl-C while it waits for a person."""

    made: ClassVar[list[Poison]] = []

    def looked(self) -> None:
        self.made.append(self)
        raise KeyboardInterrupt


def test_what_an_interrupted_drill_broke_is_undone(stack_state: Path, deployment: Deployment) -> None:
    with pytest.raises(KeyboardInterrupt):
        practise(Interrupted, stack_state, print, mends=False)
    (drill,) = Interrupted.made
    assert drill.letters() == []
    key = {name: {"S": value} for name, value in drill.key.items()}
    table = deployment.outputs["TableName"]
    assert "Item" not in deployment.client("dynamodb").get_item(TableName=table, Key=key)


class Restored(Restore):
    """Stays on the restored table: the stack is stopped after this test."""

    def _go_back(self) -> None:
        pass


def test_the_stack_goes_over_to_a_restored_table(alone: Path) -> None:
    lines: list[str] = []
    result = practise(Restored, alone, lines.append, mends=True)
    assert result.mistakes == (), "\n".join(lines)
    assert result.orders == 3


def test_every_drill_is_practised_here() -> None:
    assert {*BESIDE_OTHERS, Restore} == {*DRILLS}

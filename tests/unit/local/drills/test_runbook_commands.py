"""The commands of docs/runbook.md, as drills and tests read them."""

from pathlib import Path

import pytest

from local.drills.runbook import RUNBOOK, Block, blocks, run


def test_every_shell_command_stands_in_a_block_that_is_marked_as_shell() -> None:
    marked = {line for block in blocks() for line in block.text.splitlines()}
    commands = [
        line.strip()
        for line in RUNBOOK.read_text("utf-8").splitlines()
        if line.strip().startswith(("parcelgate ", "aws ", "make "))
    ]
    assert len(commands) > 30
    assert [line for line in commands if line not in marked] == []


def test_a_word_in_capitals_is_filled_or_refused() -> None:
    block = Block("Restore", "make deploy STAGE=STAGE && echo parcelgate-STAGE $TENANT NEW_AND_OLD_IMAGES")
    with pytest.raises(KeyError, match="STAGE"):
        block.filled({})
    filled = block.filled({"STAGE": "local", "TENANT": "acme"})
    assert filled == "make deploy STAGE=local && echo parcelgate-local $TENANT NEW_AND_OLD_IMAGES"


def test_a_command_that_asks_is_answered_with_yes(tmp_path: Path) -> None:
    done = run('read -r answer && echo "$answer"', endpoint="http://localhost:1", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "y\n")

"""The shell blocks of the guides, copied whole and run as a reader does who has an order."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from local import ROOT
from tests.support.served import ServedWorld, served_world

__all__ = ["served_world"]


@pytest.mark.parametrize(("guide", "shown"), [("rates", "rates"), ("labels", "id")])
def test_the_blocks_of_a_guide_run(guide: str, shown: str, served_world: ServedWorld, tmp_path: Path) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order())
    text = (ROOT / "docs" / f"{guide}.md").read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)

    done = subprocess.run(
        ["bash", "-c", "\n".join(["set -euo pipefail", *blocks])],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "API": served_world.url,
            "KEY": served_world.key(),
            "ORDER": str(order.id),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert shown in json.loads(done.stdout), done.stdout

"""The README's shell blocks, copied whole and run in order in one shell, as a reader does."""

import os
import re
import subprocess
from pathlib import Path

from local.stack.stack import Stack

README = Path(__file__).parents[2] / "README.md"


def blocks() -> list[str]:
    """The blocks that are marked as shell."""
    return re.findall(r"^```sh\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_every_block_of_the_readme_runs_in_order(stack: Stack, tmp_path: Path) -> None:
    script = "\n".join(["set -euo pipefail", *blocks(), 'echo "$ORDER $TRACKING" > ids'])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "API": stack.api_url, "KEY": stack.api_key},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    order, tracking = (tmp_path / "ids").read_text().split()
    assert order.startswith("ord_")
    assert tracking.startswith("trk_")
    assert (tmp_path / "label.pdf").read_bytes().startswith(b"%PDF-")

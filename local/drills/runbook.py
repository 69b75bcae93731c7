"""The runbook's commands: read from docs/runbook.md, filled in, and run in a shell as an operator would."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local import ROOT
from local.drills import aws
from local.stack import emulator

RUNBOOK = ROOT / "docs" / "runbook.md"
PLACEHOLDERS = (
    "ACCOUNT",
    "BACKUP",
    "CARRIER",
    "FILE",
    "MAPPING",
    "NEW_TABLE",
    "ORDER_ID",
    "QUEUE",
    "SORT_KEY",
    "PARTITION_KEY",
    "STAGE",
    "TABLE",
    "TENANT",
    "TIME",
    "WEBHOOK",
)
"""The words in capitals that an operator replaces; the runbook's beginning says what each is."""
_PLACEHOLDER = re.compile(rf"(?<![\w$])({'|'.join(sorted(PLACEHOLDERS, key=len, reverse=True))})(?![\w=])")
_HEADING = re.compile(r"^#{2,3} (.+)$")
_SECONDS = 300


@dataclass(frozen=True)
class Block:
    """One block of shell commands, as it stands in the runbook."""

    section: str
    text: str

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the block with its placeholders replaced.

        Raises
        ------
        KeyError
            A placeholder has no value.
        """
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self.text)


def blocks(text: str | None = None) -> list[Block]:
    """Return the runbook's blocks of shell commands, in their order."""
    found: list[Block] = []
    section, block = "", None
    for line in (RUNBOOK.read_text("utf-8") if text is None else text).splitlines():
        if block is not None:
            if line.strip() == "```":
                found.append(Block(section, textwrap.dedent("\n".join(block))))
                block = None
            else:
                block.append(line)
        elif line.strip() == "```sh":
            block = []
        elif heading := _HEADING.match(line):
            section = heading[1]
    return found


def block(section: str, words: str) -> Block:
    """Return the first block of a section that holds these words.

    Raises
    ------
    LookupError
        The section has none: runbook and drill do not fit together any more.
    """
    for each in blocks():
        if each.section == section and words in each.text:
            return each
    raise LookupError(f"docs/runbook.md has no command with {words!r} in the section {section}")


def programs(folder: Path) -> str:
    """Return what a PATH must begin with: `parcelgate`, and in this folder the stand-in for `aws`."""
    aws.install(folder)
    return os.pathsep.join((str(folder), str(Path(sys.executable).parent)))


def run(script: str, *, endpoint: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run commands in a shell that has `parcelgate` and `aws`, and stands in the project's folder.

    A command that asks whether to go on is answered with yes.

    Parameters
    ----------
    script
        The commands; the shell ends at the first that fails.
    endpoint
        The emulator's address, to which all calls to AWS go.
    folder
        An empty folder for programs of this shell.
    """
    env = emulator.environment(endpoint, os.environ) | {
        "PATH": os.pathsep.join((programs(folder), os.environ["PATH"])),
        "COLUMNS": "150",
    }
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{script}"],
        cwd=ROOT,
        env=env,
        input="y\n",
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )

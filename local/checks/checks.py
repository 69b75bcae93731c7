"""Runs the programs of `make test` and `make lint`. A Ctrl-C ends them at once and in silence."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from local import arguments
from local.checks import checkov
from local.stack import stack

BIN = Path(sys.executable).parent
STATES = stack.STATE / "tests"
"""The state folders of the tests' stacks, each named by the process that started it."""
TEST = (("pytest", "-n", "3"),)
EXAMPLES = 1500
PARSERS = ("carrier_answers", "outside_bytes", "requests")
LINT = (("ruff", "format", "--check"), ("ruff", "check"), ("mypy",), ("lint-imports",))


def test() -> int:
    """Run every test. No stack stays behind, not even after a Ctrl-C."""
    try:
        return run(TEST)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_abandoned_stacks()
        raise


def properties() -> int:
    """Try the parsers of outside bytes, as often for each property as EXAMPLES says."""
    os.environ["PARCELGATE_EXAMPLES"] = str(arguments.whole("EXAMPLES", EXAMPLES, least=1))
    files = [f"tests/property/test_{name}.py" for name in PARSERS]
    return run((("pytest", "-q", "-n0", "-p", "no:randomly", *files),))


def lint() -> int:
    """Check format, style, types, which part imports which, and the template."""
    return run(LINT) or checkov.main()


def run(commands: Sequence[Sequence[str]]) -> int:
    """Run programs of this environment in turn; return the exit code of the first that fails, or 0.

    On a Ctrl-C they end at once, with everything that they started in their session, and print nothing more.
    """
    for name, *options in commands:
        program = subprocess.Popen([BIN / name, *options], start_new_session=True)
        try:
            code = program.wait()
        except KeyboardInterrupt:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
            raise
        if code:
            return code
    return 0


def end_abandoned_stacks() -> None:
    """Stop the stacks whose test processes have ended."""
    for state in STATES.glob("*"):
        if not psutil.pid_exists(int(state.name)):
            stack.down(state)
            shutil.rmtree(state)

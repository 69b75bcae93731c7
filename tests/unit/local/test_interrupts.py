"""Ctrl-C, at any moment of a target: one line at most, and no traceback."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from local import ROOT, interrupts
from local.__main__ import MODULES
from local.checks import checks
from local.stack import processes

IMPORTING = """
import importlib.abc, runpy, sys, time
class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "local.demo.demo":
            print("here", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
sys.argv = ["local", "demo"]
runpy.run_module("local", run_name="__main__")
"""
SETTING_UP = """
import importlib.abc, runpy, sys, time
class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "ssl":
            print("here", flush=True)
            time.sleep(60)
assert "ssl" not in sys.modules
sys.meta_path.insert(0, Slow())
runpy.run_path("local/toolchain/setup.py", run_name="__main__")
"""
WORKING = """
import runpy, sys, time, types
demo = types.ModuleType("local.demo.demo")
def main():
    print("here", flush=True)
    time.sleep(60)
demo.main = main
sys.modules["local.demo.demo"] = demo
sys.argv = ["local", "demo"]
runpy.run_module("local", run_name="__main__")
"""


CHECKING = """
import runpy, sys
from local.checks import checks
sleeper = ("python", "-c", "import time; print('here', flush=True); time.sleep(60)")
checks.TEST = checks.LINT = (sleeper, ("python", "-c", "print('not reached')"))
checks.end_abandoned_stacks = lambda: None
sys.argv = ["local", "NAME"]
runpy.run_module("local", run_name="__main__")
"""


def interrupted(code: str, **env: str) -> tuple[int, str]:
    """Run a target, interrupt it where it says so, and give its exit code and what it said."""
    clean = {name: value for name, value in os.environ.items() if name != "MAKELEVEL"}
    program = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**clean, "PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "here\n"
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=120)
    return program.returncode, said


def test_while_modules_are_imported() -> None:
    assert interrupted(IMPORTING) == (-signal.SIGINT, "")


def test_while_the_set_up_imports_its_modules() -> None:
    assert interrupted(SETTING_UP) == (-signal.SIGINT, "")


def test_while_it_works() -> None:
    assert interrupted(WORKING) == (130, "\ndemo: interrupted\n")


@pytest.mark.parametrize("name", ["test", "lint"])
def test_while_another_program_checks(name: str) -> None:
    assert interrupted(CHECKING.replace("NAME", name)) == (130, f"\n{name}: interrupted\n")


def test_a_check_that_fails_ends_the_target_with_its_code() -> None:
    fails, never = ("python", "-c", "raise SystemExit(3)"), ("python", "-c", "raise SystemExit(4)")
    assert checks.run([("python", "-c", ""), fails, never]) == 3


def test_a_stack_whose_tests_are_gone_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[Path] = []
    monkeypatch.setattr(checks, "STATES", tmp_path)
    monkeypatch.setattr(checks.stack, "down", stopped.append)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for process in (gone.pid, os.getpid()):
        (tmp_path / str(process)).mkdir()

    checks.end_abandoned_stacks()

    assert stopped == [tmp_path / str(gone.pid)]
    assert [each.name for each in tmp_path.iterdir()] == [str(os.getpid())]


def test_under_make_the_line_is_makes() -> None:
    assert interrupted(WORKING, MAKELEVEL="1") == (130, "")


def test_what_did_not_come_up_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise processes.NotReadyError("emulator stopped while starting")

    assert interrupts.quiet("demo", work) == 1
    assert capsys.readouterr().err == "demo: emulator stopped while starting\n"


def test_every_target_that_runs_python_goes_this_way() -> None:
    commands = [line for line in (ROOT / "Makefile").read_text().splitlines() if "bin/python -m" in line]
    assert len(commands) == len(MODULES)
    targets = [line.partition("bin/python -m local ")[2].split()[0] for line in commands]
    assert sorted(targets) == sorted(MODULES)
    assert all(find_spec(module) for module in MODULES.values())


@pytest.mark.parametrize(("arguments", "is_help"), [([], False), (["--help"], True), (["dmeo"], False)])
def test_who_names_no_target_is_told_which_there_are(arguments: list[str], is_help: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == (0 if is_help else 2)
    told, nothing = (done.stdout, done.stderr) if is_help else (done.stderr, done.stdout)
    assert told.endswith(f"Name one of these: {', '.join(MODULES)}. `make` says what each does.\n")
    assert nothing == ""

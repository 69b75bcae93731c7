import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.stack import processes

STUBBORN_CHILD = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import signal, time\\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\\nprint('ready', flush=True)\\ntime.sleep(60)"])
time.sleep(60)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "program.log"


@pytest.fixture
def program(tmp_path: Path, log: Path) -> Iterator[processes.Program]:
    """A program with a child that will not hear of stopping."""
    started = processes.start("stubborn", [sys.executable, "-c", STUBBORN_CHILD], os.environ, tmp_path, log)
    processes.wait_until(lambda: "ready" in log.read_text(), started, 120, log)
    yield started
    started.stop(grace=0)


def test_stopping_ends_everything_the_program_started(program: processes.Program) -> None:
    (child,) = psutil.Process(program.pid).children()

    program.stop(grace=0.3)

    assert not program.is_alive()
    assert _gone(child)


def test_children_of_a_program_that_was_killed_are_found_and_ended(program: processes.Program) -> None:
    (child,) = psutil.Process(program.pid).children()
    os.kill(program.pid, signal.SIGKILL)

    program.stop(grace=0)

    assert _gone(child)


def test_another_process_that_got_the_same_number_is_left_alone(program: processes.Program) -> None:
    namesake = processes.Program("old", program.pid, program.created - 60)

    namesake.stop(grace=0)

    assert not namesake.is_alive()
    assert program.is_alive()


def test_programs_are_stopped_by_a_later_command(program: processes.Program, tmp_path: Path) -> None:
    processes.remember([program], tmp_path / "programs.json")

    assert processes.remembered(tmp_path / "programs.json") == [program]
    assert processes.remembered(tmp_path / "nothing.json") == []


def test_a_program_that_dies_while_starting_is_told_with_its_last_words(tmp_path: Path, log: Path) -> None:
    words = [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"]
    program = processes.start("brief", words, os.environ, tmp_path, log)

    with pytest.raises(processes.NotReadyError, match=r"(?s)brief stopped while starting.*no such table"):
        processes.wait_until(lambda: False, program, 120, log)


def test_a_program_that_never_gets_ready_is_given_up(program: processes.Program, log: Path) -> None:
    with pytest.raises(processes.NotReadyError, match="was not ready within 0 s"):
        processes.wait_until(lambda: False, program, 0.2, log)


def test_a_command_that_fails_is_told_with_its_last_words(tmp_path: Path, log: Path) -> None:
    words = [sys.executable, "-c", "print('access denied'); raise SystemExit(3)"]

    with pytest.raises(processes.NotReadyError, match=r"(?s)deploy failed with exit code 3.*access denied"):
        processes.run("deploy", words, os.environ, tmp_path, log, 120)


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path, log: Path) -> None:
    with pytest.raises(processes.NotReadyError, match="was not done within 0 s"):
        processes.run("deploy", [sys.executable, "-c", STUBBORN_CHILD], os.environ, tmp_path, log, 0.2)


def test_the_port_is_the_one_asked_for_or_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    free = processes.port("PARCELGATE_PORT")

    monkeypatch.setenv("PARCELGATE_PORT", str(free))
    assert processes.port("PARCELGATE_PORT") == free


def test_a_port_that_somebody_else_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        monkeypatch.setenv("PARCELGATE_PORT", str(somebody.getsockname()[1]))

        with pytest.raises(processes.NotReadyError, match=r"PARCELGATE_PORT=\d+ cannot be used: Address"):
            processes.port("PARCELGATE_PORT")


def _gone(process: psutil.Process) -> bool:
    deadline = time.monotonic() + 60
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True

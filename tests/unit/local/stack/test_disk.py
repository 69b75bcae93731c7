"""A disk without room is told in words, also where the log itself cannot be written or read."""

import errno
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from local.stack import disk, processes, stack

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 3_000_000))


def test_a_full_disk_is_told_before_a_program_is_started(full: None, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "program.log"
    with pytest.raises(disk.NoRoomError, match="3 MB are free, and about 1000 MB are needed"):
        processes.start("deploy", [sys.executable, "-c", ""], os.environ, tmp_path, log)
    assert not log.exists()


def test_a_disk_that_fills_up_is_the_reason_and_not_what_the_log_ends_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "program.log"
    command = [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"]
    frees = iter([10**10, 3_000_000])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 0, next(frees)))
    with pytest.raises(processes.NotReadyError, match="no room on the disk"):
        processes.run("deploy", command, os.environ, tmp_path, log, 20)


def test_a_log_that_cannot_be_read_hides_nothing(tmp_path: Path) -> None:
    assert "cannot be read" in processes._end_of(tmp_path / "none.log")


def test_make_up_says_it_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def up() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a" / "log"))

    monkeypatch.setattr(stack, "up", up)
    assert stack.main(["up"]) == 1
    said = capsys.readouterr().err
    assert "There is no room on the disk of" in said
    assert "Traceback" not in said


def test_make_up_prints_what_is_to_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    stack._show(stack.Stack("http://localhost:1/a/$default", "pg_a_b", "http://s", "http://a", "http://w"))
    lines = capsys.readouterr().out.splitlines()
    assert "export API='http://localhost:1/a/$default'" in lines
    assert "export KEY=pg_a_b" in lines
    assert "Console  http://localhost:1/a/$default/console" in lines
    assert "Docs     http://localhost:1/a/$default/docs" in lines
    assert any("demo" in line and "Tenant" in line for line in lines)

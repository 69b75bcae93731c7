"""The environments of tools."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.toolchain import tools


def test_an_environment_that_two_need_at_once_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "checker.txt").write_text("checker==1\n")
    both = threading.Barrier(2, timeout=60)
    commands: list[str] = []

    def run(command: tuple[Any, ...], **_: Any) -> SimpleNamespace:
        commands.append(str(command[1]))
        (tmp_path / ".local" / "checker").mkdir(exist_ok=True)
        return SimpleNamespace(returncode=0)

    def made(_: int) -> Path:
        both.wait()
        return tools.environment("checker")

    monkeypatch.setattr(tools, "ROOT", tmp_path)
    monkeypatch.setattr(tools.subprocess, "run", run)
    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(made, range(2))] == [tmp_path / ".local" / "checker"] * 2
    assert commands == ["venv", "pip"]

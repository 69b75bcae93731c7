"""How the emulator is started."""

import sys
from pathlib import Path
from socketserver import StreamRequestHandler
from types import SimpleNamespace
from typing import Any

import pytest

from local.stack import emulator, processes


def test_it_sends_an_event_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    seen: list[bool] = []
    monkeypatch.setattr(processes, "start", lambda *arguments: started.append(arguments))
    monkeypatch.setattr(StreamRequestHandler, "disable_nagle_algorithm", False)
    ministack = SimpleNamespace(main=lambda: seen.append(StreamRequestHandler.disable_nagle_algorithm))
    monkeypatch.setitem(sys.modules, "ministack.app", ministack)
    emulator.start(1, tmp_path, tmp_path / "log")
    ((_, (_, option, program), *_),) = started
    assert option == "-c"
    exec(program, {})
    assert seen == [True]

"""`make audit`: says what is wrong with a package, and that nobody could be asked."""

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from local.checks import audit
from local.toolchain.setup import NODE_FOLDERS

type Answer = Callable[[Sequence[str]], Any]
CLEAN = {"dependencies": [{"name": "httpx", "version": "1", "vulns": []}]}
BAD = {"dependencies": [{"name": "httpx", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": []}]}]}
SBOM = {"bomFormat": "CycloneDX"}


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Answer], None]:
    """The tools answer as a test says; an exception in place of an answer is that no index was reached."""

    def use(answer: Answer) -> None:
        def run(command: Sequence[str | Path], folder: Path = tmp_path) -> subprocess.CompletedProcess[str]:
            words = [str(part) for part in command]
            given = answer(words)
            if isinstance(given, Exception):
                return subprocess.CompletedProcess(words, 1, "", str(given))
            if "-o" in words:
                Path(words[words.index("-o") + 1]).write_text(json.dumps(given))
            return subprocess.CompletedProcess(words, 0, json.dumps(given), "")

        monkeypatch.setattr(audit, "_run", run)
        monkeypatch.setattr(audit, "LISTS", tmp_path / "sbom")
        monkeypatch.setattr(audit, "ROOT", tmp_path)
        monkeypatch.setattr(audit, "make_tools", lambda: True)

    return use


def answer_of(words: Sequence[str], *, python: Any = CLEAN, node: Any = None) -> Any:
    if "pip-audit" in words[0]:
        return python
    if "audit" in words:
        return {"vulnerabilities": {}} if node is None else node
    return SBOM


def test_every_lock_is_checked_and_listed(
    tools: Callable[[Answer], None], capsys: pytest.CaptureFixture[str]
) -> None:
    tools(answer_of)
    assert audit.main() == 0
    said = capsys.readouterr().out
    locks = len(audit.PYTHON_LOCKS) + len(NODE_FOLDERS)
    assert f"{locks} of {locks} locks checked, 0 known vulnerabilities" in said
    assert len([*audit.LISTS.glob("*.cdx.json")]) == locks


def test_every_lock_of_the_tree_is_among_them() -> None:
    locks = {path.stem for path in (Path(audit.TOOLS).parents[1] / "requirements").glob("*.txt")}
    assert locks == {*audit.PYTHON_LOCKS, *audit.NOT_OURS}


def test_a_known_vulnerability_fails(
    tools: Callable[[Answer], None], capsys: pytest.CaptureFixture[str]
) -> None:
    tools(
        lambda words: answer_of(words, python=BAD, node={"vulnerabilities": {"vite": {"severity": "high"}}})
    )
    assert audit.main() == 1
    said = capsys.readouterr().out
    assert "httpx 1: PYSEC-1 (corrected in no version)" in said
    assert "vite: high" in said


def test_without_a_network_it_says_so_and_does_not_fail(
    tools: Callable[[Answer], None], capsys: pytest.CaptureFixture[str]
) -> None:
    away = ConnectionError("nobody is there")
    tools(lambda words: answer_of(words, python=away, node=away))
    assert audit.main() == 0
    said = capsys.readouterr().out
    assert "no index could be reached" in said
    assert "0 of" in said

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from local import ROOT
from local.toolchain import setup


def base_python() -> str:
    return str(Path(sys.base_prefix, "bin", "python3.13"))


def script(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A machine whose PATH has only a shim that refuses, as pyenv's does, and another Python."""
    shims = tmp_path / "shims"
    script(shims / "python3.13", "echo 'command not found' >&2", "exit 127")
    monkeypatch.setattr(sys, "executable", str(script(shims / "python3", "echo '3.11|/usr'")))
    monkeypatch.setenv("PATH", f"{shims}:/usr/bin:/bin")
    return {"PATH": str(shims), "HOME": str(tmp_path / "home")}


@pytest.mark.parametrize("where", ["PYENV_ROOT", "home"])
def test_a_python_among_pyenvs_versions_is_found_though_not_on_the_path(
    bare_machine: dict[str, str], tmp_path: Path, where: str
) -> None:
    root = tmp_path / "pyenv" if where == "PYENV_ROOT" else tmp_path / "home" / ".pyenv"
    if where == "PYENV_ROOT":
        bare_machine["PYENV_ROOT"] = str(root)
    script(root / "versions" / "3.13.0" / "bin" / "python3.13", f'exec {base_python()} "$@"')

    assert setup.find_python(bare_machine) == base_python()


def test_the_newest_patch_of_pyenvs_versions_comes_first(
    bare_machine: dict[str, str], tmp_path: Path
) -> None:
    versions = tmp_path / "home" / ".pyenv" / "versions"
    for version in ("3.13.2", "3.13.10", "3.12.9"):
        script(versions / version / "bin" / f"python{version[:4]}")

    found = [Path(path).parts[-3] for path in setup.python_candidates(bare_machine) if str(versions) in path]

    assert found == ["3.13.10", "3.13.2"]


def test_a_machine_without_the_right_python_is_told_what_to_do(bare_machine: dict[str, str]) -> None:
    with pytest.raises(
        setup.SetupError, match=r"(?s)Python 3\.13.*pyenv install 3\.13.*apt-get install"
    ) as told:
        setup.find_python(bare_machine)
    shims, home = bare_machine["PATH"], bare_machine["HOME"]
    lines = [line.strip() for line in str(told.value).splitlines()]
    assert f"python3.13: {shims}/python3.13, does not run, or has no venv and ensurepip" in lines
    assert f"{shims}/python3: Python 3.11" in lines
    assert "python: not on the PATH" in lines
    assert f"{home}/.pyenv/versions: no Python 3.13" in lines
    assert f"the PATH: {shims}" in lines


def test_a_virtual_environment_leads_back_to_the_python_it_was_made_from() -> None:
    assert setup.find_python(dict(os.environ)) == base_python()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that set-up would call ready."""
    root = tmp_path / "checkout"
    for name in (*setup._INPUTS, *setup._OUTPUTS, ".local/setup.stamp"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / ".local" / "setup.stamp").write_text(setup.fingerprint(root))
    return root


def test_a_checkout_that_is_set_up_has_nothing_to_do(checkout: Path) -> None:
    assert setup.is_current(checkout)


@pytest.mark.parametrize("name", setup._INPUTS)
def test_a_changed_lock_is_installed_again(checkout: Path, name: str) -> None:
    (checkout / name).write_text("changed")

    assert not setup.is_current(checkout)


@pytest.mark.parametrize("name", [*setup._OUTPUTS, ".local/setup.stamp"])
def test_what_is_missing_is_installed_again(checkout: Path, name: str) -> None:
    (checkout / name).unlink()

    assert not setup.is_current(checkout)


def test_a_checkout_that_was_moved_is_installed_again(checkout: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.move(checkout, moved)

    assert not setup.is_current(moved)


def test_the_runtime_of_functions_is_compiled() -> None:
    """They write no bytecode, so that each of their starts would compile it again."""
    (package,) = setup.RUNTIME_VENV.glob("lib/*/site-packages/awslambdaric")
    sources = [*package.glob("*.py")]
    assert sources
    assert [path.name for path in sources if not Path(cache_from_source(str(path))).exists()] == []


def test_locks_name_no_address() -> None:
    node = [ROOT / folder / "package-lock.json" for folder in setup.NODE_FOLDERS]
    locks = [*ROOT.glob("requirements/*.txt"), *node]

    assert len(locks) == 10 + len(node)
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text
        assert "--index-url" not in text
        assert '"resolved"' not in text


@pytest.mark.parametrize(
    ("said", "free", "words"),
    [
        (
            "error: Failed to fetch: dns error: failed to lookup address",
            9000,
            "package index cannot be reached",
        ),
        ("npm error code ENOTFOUND", 9000, "HTTPS_PROXY"),
        ("Temporary failure in name resolution", 9000, "needs the network"),
        ("anything", 20, "no room on the disk"),
        ("failed to write: No space left on device (os error 28)", 9000, "about 2000 MB are needed"),
        ("hash mismatch", 9000, "^uv sync failed with exit code 2$"),
    ],
)
def test_a_step_that_fails_is_explained(said: str, free: int, words: str) -> None:
    assert re.search(words, setup.why_failed(["uv", "sync"], 2, said, free))


def test_no_room_for_the_lock_itself_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(setup, "_main", full)
    assert setup.main() == 1
    assert "There is no room on the disk" in capsys.readouterr().err


def test_an_interrupted_set_up_says_nothing_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(setup, "_main", interrupted)
    try:
        assert setup.main() == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == ""


def test_make_says_that_there_is_no_python() -> None:
    make = shutil.which("make")
    assert make
    done = subprocess.run(
        [make, "setup", "PYTHON=no-such-python"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "no python3" in done.stderr
    assert "Install Python 3.13" in done.stderr


def test_a_ctrl_c_before_the_set_up_can_take_it_meets_no_python_that_would_trace_it(tmp_path: Path) -> None:
    """Until its first line Python is started with the signal ignored; make itself ends after the target."""
    make = shutil.which("make")
    assert make
    python = script(tmp_path / "python", "kill -INT $$", 'echo "$1"')
    # Without the variables of the make that runs these tests: a make within a make says so.
    plain = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    command = [make, "setup", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "-S\n")

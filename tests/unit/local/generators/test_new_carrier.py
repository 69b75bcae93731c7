"""`make carrier` lays out rooms that are clean and that say what is missing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.generators import new_carrier

KEPT = ("shared", "sandbox", "docs", "tests/unit/carriers")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in KEPT:
        shutil.copytree(
            new_carrier.ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(new_carrier.ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=root, capture_output=True, text=True, check=False
    )


def test_the_rooms_are_clean_and_registered(root: Path) -> None:
    """Those of a short name and of the longest, side by side: mypy, which reads all of ours, runs once."""
    codes = ("kestrel7", "albatross99999999999")
    made = {code: new_carrier.lay_out(code, root) for code in codes}
    written = [str(path) for paths in made.values() for path in paths if path.suffix == ".py"]
    for check in (
        ("ruff", "format", "--check", *written),
        ("ruff", "check", *written),
        ("mypy", *(f"shared/parcelgate/carriers/{code}" for code in codes)),
    ):
        done = run(root, *check)
        assert done.returncode == 0, done.stdout + done.stderr
    registry = (root / new_carrier.REGISTRY).read_text("utf-8")
    docs = (root / new_carrier.DOCS).read_text("utf-8")
    for code in codes:
        assert f'"{code}": "parcelgate.carriers.{code}"' in registry
        assert f"(`{code}`)" in docs
        assert f"](#{code}-{code}) |" in docs


@pytest.mark.parametrize(
    "code", ["", "Stork", "9stork", "a-b", "../x", "class", "lso", "toolkit", "registry"]
)
def test_a_name_that_cannot_be_used_is_refused_before_anything_is_written(root: Path, code: str) -> None:
    before = sorted(root.rglob("*"))
    with pytest.raises(new_carrier.RefusedNameError):
        new_carrier.lay_out(code, root)
    assert sorted(root.rglob("*")) == before


def test_what_is_not_written_is_told_in_the_order_in_which_one_writes_it(root: Path) -> None:
    new_carrier.lay_out("kestrel", root)
    path = f"{root}:{root / 'shared'}"
    # With these variables pytest says the whole list a second time, in its summary.
    plain = {name: value for name, value in os.environ.items() if name not in {"CI", "BUILD_NUMBER"}}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/carriers/kestrel"],
        cwd=root,
        env={**plain, "PYTHONPATH": path, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.findall(r"^(\d+)\. ([^:]*)", done.stdout, re.M)
    assert [place for place, _ in told] == [str(place) for place in range(1, len(told) + 1)]
    assert [what for _, what in told] == [
        "PROFILE in __init__.py",
        "grades of PROFILE in __init__.py",
        "PATHS in settings.py",
        "wire.py",
        "FIELDS in validation.py, and `examine`",
        "codes.py",
        "mapping.py",
        "client.py",
        "adapter.py",
        "calls in sandbox/kestrel/carrier.py",
    ]

"""The pictures of the README: they are there, small, and the ones that the command makes."""

import re

import pytest

from local import ROOT

SHOWN = sorted(re.findall(r"!\[[^\]]+\]\((docs/pictures/[^)]+)\)", (ROOT / "README.md").read_text("utf-8")))
MADE = set(re.findall(r'"(\w+)"', (ROOT / "tests/pictures/__main__.py").read_text("utf-8")))


@pytest.mark.parametrize("path", SHOWN)
def test_a_picture_is_there_and_small(path: str) -> None:
    picture = ROOT / path
    assert picture.stat().st_size < 150_000
    assert picture.stem in MADE, "nothing makes this picture again"


def test_every_picture_is_shown() -> None:
    kept = (ROOT / "docs/pictures").glob("*.png")
    assert sorted(path.relative_to(ROOT).as_posix() for path in kept) == SHOWN

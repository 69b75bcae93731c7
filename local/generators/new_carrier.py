"""Lays out the folder of a new carrier from `carrier_template`. `make carrier NAME=pigeon` runs it."""

import keyword
import re
import subprocess
import sys
from pathlib import Path

from local import ROOT
from parcelgate.carriers.lme.validation import FIELDS

TEMPLATE = Path(__file__).parent / "carrier_template"
REGISTRY = "shared/parcelgate/carriers/registry.py"
DOCS = "docs/carriers.md"
PLACES = {
    "carrier": "shared/parcelgate/carriers/{code}",
    "sandbox": "sandbox/{code}",
    "tests": "tests/unit/carriers/{code}",
}
"""By folder of the template: where its files go."""

SECTION = """
## {name} (`{code}`)

Not written yet: which facts are documented, public and assumed. What is done with each field is in
`shared/parcelgate/carriers/{code}/validation.py`.

| call | grade |
|---|---|
| `create` | assumed |

| override | default | grade |
|---|---|---|
| `paths` | none yet | assumed |
| `default_time_zone` | UTC | assumed |
"""
"""The carrier's section of the docs."""


class RefusedNameError(Exception):
    """No carrier can be made under this name; the message says why."""


def lay_out(code: str, root: Path = ROOT) -> list[Path]:
    """Write the modules, the registry line and the section of the docs; return the paths that were written.

    Raises RefusedNameError before anything is written.
    """
    if not code:
        raise RefusedNameError("Say which carrier: make carrier NAME=pigeon")
    if not re.fullmatch(r"[a-z][a-z0-9]{1,19}", code) or keyword.iskeyword(code):
        raise RefusedNameError(
            f"{code!r} is no name for a carrier: use 2 to 20 of a-z and 0-9, a letter first"
        )
    folders = {kind: root / place.format(code=code) for kind, place in PLACES.items()}
    # The neighbours of a carrier's folder, such as toolkit and registry, have their names already.
    for taken in (path for folder in folders.values() for path in (folder, folder.with_suffix(".py"))):
        if taken.exists():
            raise RefusedNameError(f"{code!r} is taken: {taken.relative_to(root)} exists")
    written = []
    for kind, folder in folders.items():
        for template in sorted((TEMPLATE / kind).glob("*.txt")):
            path = folder / template.stem.replace("CODE", code)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_filled(template.read_text("utf-8"), code), "utf-8")
            written.append(path)
    registry = root / REGISTRY
    line = f'    "{code}": "parcelgate.carriers.{code}",\n'
    text = registry.read_text("utf-8")
    registry.write_text(re.sub(r"(CARRIERS = \{\n(?:    .*\n)*)", rf"\g<1>{line}", text, count=1), "utf-8")
    docs = root / DOCS
    text = docs.read_text("utf-8")
    name = code.capitalize()
    row = f"| [{name}](#{code}-{code}) | not written yet | | | |\n"
    text = re.sub(r"(^\| carrier \|.*\n(?:\|.*\n)+)", rf"\g<1>{row}", text, count=1, flags=re.M)
    docs.write_text(text + SECTION.format(name=name, code=code), "utf-8")
    _tidy([path for path in written if path.suffix == ".py"])
    return [*written, registry, docs]


def _tidy(paths: list[Path]) -> None:
    """Sort imports and set line breaks, which depend on the name."""
    for command in (("check", "--select", "I,RUF022", "--fix"), ("format",)):
        subprocess.run([sys.executable, "-m", "ruff", *command, "--quiet", *paths], check=True)


def _filled(text: str, code: str) -> str:
    text = text.replace("FIELDS_OF_THE_BODY", _fields())
    return text.replace("CODE", code).replace("CLASS", code.capitalize()).replace("NAME", code.capitalize())


def _fields() -> str:
    """Return a row for every field of the create body, from the table of a carrier that names them all."""
    known = {
        "/carrier": '(OURS, "chooses this adapter")',
        "/account": '(OURS, "chooses the login")',
        "/metadata": '(OURS, "kept with the order")',
    }
    return "\n".join(f'    "{name}": {known.get(name, '(NOT_SENT, "not written yet")')},' for name in FIELDS)


def main(code: str = "", *others: str) -> int:
    """Lay out the folder of a new carrier; return the exit code."""
    try:
        if others:
            raise RefusedNameError("Name one carrier: make carrier NAME=pigeon")
        written = lay_out(code)
    except RefusedNameError as error:
        print(error, file=sys.stderr)
        return 2
    for path in written:
        print(path.relative_to(ROOT))
    print(f"\nNext: .venv/bin/pytest -q tests/unit/carriers/{code} says what is missing, step by step.")
    print("docs/adding-a-carrier.md says how to write each part.")
    return 0

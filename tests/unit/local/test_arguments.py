"""What programs are given: those of make in variables, the others on their command lines."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from local import ROOT, arguments
from local.__main__ import MODULES
from local.stack import processes

PROGRAMS = sorted(
    ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__main__")
    for root, folders in ((ROOT, ("bench", "local", "sandbox", "tests")), (ROOT / "shared", ("parcelgate",)))
    for folder in folders
    for path in (root / folder).rglob("*.py")
    if path.name == "__main__.py" or '\nif __name__ == "__main__":\n' in path.read_text("utf-8")
)
NOT_BY_NAME = ("tests.infra.synthesize",)
"""It is a part of a test, with arguments of its own."""
OTHER_CODES = {"local.drills.aws": 252}
"""It ends as AWS's own tool does."""
NUMBERS = (
    ("load", "COUNT", "abc", "a whole number from 10 is allowed, and not abc"),
    ("load", "SEED", "--5", "a whole number from 0 is allowed, and not --5"),
    ("load", "SEED", "x", "a whole number from 0 is allowed, and not x"),
    ("load", "FAULTS", "2", "a share from 0 to 1 is allowed, and not 2"),
    ("load", "FAULTS", "nan", "a share from 0 to 1 is allowed, and not nan"),
    ("faults", "COUNT", "0", "a whole number from 1 is allowed, and not 0"),
    ("faults", "SEED", "1.5", "a whole number from 0 is allowed, and not 1.5"),
    ("faults", "AT_ONCE", "-1", "a whole number from 1 is allowed, and not -1"),
    ("contract", "CASES", "abc", "a whole number from 1 is allowed, and not abc"),
    ("contract", "SEED", "abc", "a whole number from 0 is allowed, and not abc"),
    ("contract", "STACK", "foo", "1 or up is allowed, and not foo"),
    ("contract", "WORKERS", "0", "a whole number from 1 is allowed, and not 0"),
    ("drill", "MEND", "maybe", "0 or 1 is allowed, and not maybe"),
    ("mutation", "SAMPLE", "abc", "a whole number from 1 is allowed, and not abc"),
    ("mutation", "SKIP", "-1", "a whole number from 0 is allowed, and not -1"),
    ("properties", "EXAMPLES", "1e3", "a whole number from 1 is allowed, and not 1e3"),
)
OPTIONS = (
    ("bench.fewer_polls", "--parcels", "100", "a whole number from 1000 is allowed, and not 100"),
    ("bench.scale", "--speed", "0", "a number above 0 is allowed, and not 0"),
    ("bench.costs", "--orders", "none", "a whole number from 1 is allowed, and not none"),
)
UNKNOWN = {
    "sandbox": "unrecognized arguments: --no",
    "local": "Name one of these: up, down,",
    "local bench": "unrecognized arguments: --no",
    "local up": "up takes no arguments, and was given: --no",
}
"""What some programs say of an argument that they do not know."""
RUN = """
import contextlib, io, json, os, runpy, subprocess, sys

def refused(*_, **__):
    raise AssertionError("it began to work")

subprocess.Popen.__init__ = refused
results = []
for name, arguments, variables in json.loads(sys.argv[1]):
    sys.argv[:] = [name, *arguments]
    os.environ |= variables
    out, err = io.StringIO(), io.StringIO()
    code = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            code = ended.code
    for variable in variables:
        del os.environ[variable]
    results.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(results))
"""

WITHOUT_PACKAGES = """
import runpy, sys
sys.path.insert(0, ".")
sys.argv[:] = ["local", "demo"]
runpy.run_module("local", run_name="__main__", alter_sys=True)
"""


def run(*programs: tuple[str, Sequence[str], dict[str, str]]) -> list[Any]:
    """Run programs in one process, which imports their libraries once. Returns code, output and errors."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN, json.dumps(programs)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(each) for each in json.loads(done.stdout)]


def test_a_program_says_what_it_does_and_refuses_in_words_what_it_cannot_use() -> None:
    programs = [(name, []) for name in PROGRAMS if name not in NOT_BY_NAME]
    programs += [("local", [name]) for name in MODULES]
    asked, wrong = ([(name, [*words, each], {}) for name, words in programs] for each in ("--help", "--no"))
    numbers = [("local", [name], {variable: text}) for name, variable, text, _ in NUMBERS]
    options = [(name, [option, text], {}) for name, option, text, _ in OPTIONS]

    results = iter(run(*asked, *wrong, *numbers, *options))

    for name, words, _ in asked:
        code, out, err = next(results)
        assert (code, err, len(out) > 40) == (0, "", True), (name, words)
    for name, words, _ in wrong:
        code, _, err = next(results)
        assert code == OTHER_CODES.get(name, 2), (name, words)
        assert UNKNOWN.get(" ".join([name, *words[:-1]]), "") in err
    for _, variable, _, allowed in NUMBERS:
        assert next(results) == (2, "", f"{variable}: {allowed}\n")
    for _, option, _, allowed in OPTIONS:
        code, _, err = next(results)
        assert (code, err.splitlines()[-1].partition(": error: ")[2]) == (2, f"argument {option}: {allowed}")


def test_another_python_is_told_which_one_to_use() -> None:
    """One that has no packages, as who types `python3 -m local` has it."""
    done = subprocess.run(
        [sys._base_executable, "-I", "-S", "-c", WITHOUT_PACKAGES],  # type: ignore[attr-defined]
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"This Python cannot run it \(No module named '\w+'\): use \.venv/bin/python, .*\n", done.stderr
    )


def test_a_number_that_can_be_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNT", "17")
    monkeypatch.setenv("FAULTS", "0")
    monkeypatch.setenv("SEED", "")
    assert arguments.whole("COUNT", 5, least=17, most=17) == 17
    assert arguments.share("FAULTS", 0.02) == 0
    assert arguments.whole("SEED", 3) == 3


def test_a_port_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARCELGATE_PORT", "70000")
    with pytest.raises(SystemExit, match="2"):
        processes.port("PARCELGATE_PORT")
    said = capsys.readouterr().err
    assert said == "PARCELGATE_PORT: a whole number from 0 to 65535 is allowed, and not 70000\n"

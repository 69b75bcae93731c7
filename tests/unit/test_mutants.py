"""The table of guards is true of the tree, so that `make mutants` takes out what it says it does."""

import re
from pathlib import Path

import pytest

from tests.faults.stack.flows import FLOWS
from tests.mutants import mutation
from tests.mutants.__main__ import BEGIN, END, HEAD, PAGE, Verdict, with_rows
from tests.mutants.guards import GUARDS, Guard

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.what)
def test_a_guard_stands_where_the_table_says(guard: Guard) -> None:
    assert (ROOT / guard.path).read_text("utf-8").count(guard.old) == 1
    assert any((ROOT / name).exists() for name in guard.tests)


def test_each_promise_has_two_guards_at_least() -> None:
    promises = [guard.promise for guard in GUARDS]
    assert {promise for promise in range(1, 13) if promises.count(promise) < 2} == set()


def test_pairs_of_a_guard_are_of_flows_that_there_are() -> None:
    flows = {words.partition(":")[0] for guard in GUARDS for words in guard.pairs.split("|") if ":" in words}
    assert flows
    assert flows <= FLOWS.keys()


@pytest.mark.parametrize("place", ["Makefile", "tests/mutants/mutation.py"])
def test_help_names_the_modules_that_can_be_chosen(place: str) -> None:
    text = mutation.__doc__ if place.endswith(".py") else (ROOT / place).read_text("utf-8")
    *others, last = (module.name for module in mutation.MODULES)
    assert f"{', '.join(others)} or {last}" in " ".join((text or "").split())


@pytest.mark.parametrize("target", ["contract", "faults", "load", "model", "mutants", "mutation"])
def test_help_says_which_commands_write_into_the_page_of_what_was_tried(target: str) -> None:
    (line,) = re.findall(rf"^{target}: setup ## (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert "rewrites docs/reliability.md" in line


def test_a_run_of_some_guards_leaves_the_rows_of_the_others() -> None:
    first, second, third = GUARDS[:3]
    page = f"before\n{BEGIN}\n{END}\nafter\n"

    page = with_rows(page, [Verdict(third, "t.py::c", "", 1.0), Verdict(first, "t.py::a", "", 1.0)])
    page = with_rows(page, [Verdict(second, None, "no test noticed", 1.0)])

    before, begin, made, *table, end, after = page.splitlines()
    assert (before, begin, end, after) == ("before", BEGIN, END, "after")
    assert made.endswith(": a test caught 2 of 3 mutants.")
    assert table == [
        "",
        *HEAD,
        f"| 1 | {first.what} | `t.py::a` |",
        f"| 1 | {second.what} | not caught |",
        f"| 1 | {third.what} | `t.py::c` |",
    ]


def test_a_sample_of_changes_leaves_the_rows_of_other_samples() -> None:
    page = f"before\n{mutation.BEGIN}\n{mutation.END}\nafter\n"

    for row in (
        "| domain | 1 | 1 | 0 | 0 | 9 | `a`, 1 May |",
        "| submission | 1 | 1 | 0 | 0 | 9 | `b`, 1 May |",
        "| domain | 2 | 1 | 0 | 0 | 9 | `c`, 1 May |",
        "| domain | 3 | 1 | 0 | 0 | 9 | `a`, 2 May |",
    ):
        page = mutation.with_row(page, row)

    assert page.splitlines()[2:-2] == [
        *mutation.HEAD,
        "| submission | 1 | 1 | 0 | 0 | 9 | `b`, 1 May |",
        "| domain | 3 | 1 | 0 | 0 | 9 | `a`, 2 May |",
        "| domain | 2 | 1 | 0 | 0 | 9 | `c`, 1 May |",
    ]


def test_the_page_has_a_row_for_each_guard_and_each_was_caught() -> None:
    page = PAGE.read_text("utf-8")
    table = page.partition(BEGIN)[2].partition(END)[0]
    rows = {
        line.split("|")[2].strip()
        for line in table.splitlines()
        if line.startswith("| ") and line[2].isdigit()
    }
    assert rows == {guard.what for guard in GUARDS}, "run make mutants"
    assert "not caught" not in table

"""What `make contract` writes down of its runs."""

from tests.contract.__main__ import BEGIN, END, HEAD, Run, with_row


def test_a_command_has_one_row_and_leaves_those_of_others() -> None:
    page = f"before\n{BEGIN}\n{END}\nafter\n"

    page = with_row(page, [Run(1, 9, 700, 30, 2, "words")], 3, "make contract")
    page = with_row(page, [Run(7, 9, 700, 31, 0, ""), Run(8, 9, 800, 30, 0, "")], 0, "make contract SEED=7")
    page = with_row(page, [Run(1, 8, 600, 30, 0, "")], 1, "make contract")

    before, begin, *head, first, second, sums, end, after = page.splitlines()
    assert (before, begin, tuple(head), end, after) == ("before", BEGIN, HEAD, END, "after")
    assert first.startswith("| `make contract SEED=7`, ")
    assert first.endswith(" | 7 to 8 | 18 | 1,500 | 31 | 0 |")
    assert second.startswith("| `make contract`, ")
    assert second.endswith(" | 1 | 8 | 600 | 30 | 1 |")
    assert sums == "| all |  | 26 | 2,100 | 31 | 1 |"

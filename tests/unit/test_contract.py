"""What `make contract` writes down of its runs."""

from tests.contract.__main__ import BEGIN, END, HEAD, STACK_BEGIN, STACK_END, with_row, written
from tests.contract.runs import Call, Run
from tests.contract.stack import Outcome, report


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


def test_what_a_run_on_a_stack_came_to_is_counted_by_operation_and_class_of_answer() -> None:
    answers = [
        Call("POST /v1/orders", 201, 0.1, ""),
        Call("POST /v1/orders", 429, 0.1, ""),
        Call("POST /v1/orders", 422, 0.1, ""),
        Call("GET /v1/orders", 503, 0.2, '{"request_id":"one"}'),
        Call("GET /v1/orders", 503, 0.2, '{"request_id":"another"}'),
        Call("GET /v1/orders", 500, 0.2, '{"request_id":"one"}'),
    ]
    runs = [Run(1, 2, 3, 2, 1, "words", tuple(answers[:3])), Run(2, 3, 1, 1, 0, "", tuple(answers[3:]))]
    outcome = Outcome(
        runs, invocations=1234, held=frozenset({"one"}), wrong=["an error"], minutes=12.2, at_once=3
    )

    page = written(
        f"before\n{STACK_BEGIN}\nold\n{STACK_END}\nafter\n", report(outcome, "make contract STACK=1")
    )

    before, begin, _, head, _, *table, _, end, after = page.splitlines()
    assert (before, begin, end, after) == ("before", STACK_BEGIN, STACK_END, "after")
    assert head.startswith("`make contract STACK=1`, ")
    assert head.endswith(": 3 runs at once, 12 minutes with the start of the stack.")
    assert table[2:] == [
        "| calls | 6 |",
        "| operations called | 2 |",
        "| calls of the operation that was called least | 3 |",
        "| sequences of calls | 5 |",
        "| tenants, one for each run of the tool | 2 |",
        "| answers 2xx | 1 |",
        "| answers 3xx | 0 |",
        "| answers 4xx | 1 |",
        "| answers 429 | 1 |",
        "| answers 5xx | 3 |",
        "| of them 503 because a carrier account was at its limit | 1 |",
        "| answers that are not as the document says | 1 |",
        "| invocations of functions | 1,234 |",
        "| errors in their logs, dead letters and the like | 1 |",
    ]

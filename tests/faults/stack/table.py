"""The table of what came of the pairs, in `docs/reliability.md`."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from local.faults.rules import AWS_FAULTS, CARRIER_FAULTS, FAULTS
from tests.faults.stack.pairs import Result

PAGE = Path(__file__).parents[3] / "docs" / "reliability.md"
_BEGIN, _END = "<!-- made by make faults -->", "<!-- end of what make faults made -->"


def table(results: Iterable[Result], *, command: str, seed: int, minutes: float, of: int) -> str:
    """All tables, and the command that made them. `of` is how many pairs there were to choose from."""
    tried = [result for result in results if result.pair.fault != "none"]
    tables = by_called(tried), by_function(tried), by_fault(tried)
    made = (
        f"`{command}`, seed {seed}: {len(tried):,} of {of:,} pairs in {minutes:.0f} minutes, with the start"
    )
    made += " of the stack."
    return "\n\n".join((made, *tables))


def by_called(tried: list[Result]) -> str:
    """One line for what is called in each flow: its steps, the runs of each outcome, and the violations."""
    rows: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in tried:
        rows[result.pair.flow, re.split(r"[. ]", result.pair.call)[0]].append(result)
    lines = [
        "| flow | called | steps | faults | runs | ended well | needed a person | not met | violations |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (flow, called), of_row in sorted(rows.items()):
        steps = {(each.pair.function, each.pair.call, each.pair.nth) for each in of_row}
        faults = {each.pair.fault for each in of_row}
        lines.append(f"| {flow} | {called} | {len(steps)} | {len(faults)} | {_counts(of_row)} |")
    lines.append(f"| all | | | {len({each.pair.fault for each in tried})} | {_counts(tried)} |")
    return "\n".join(lines)


def by_function(tried: list[Result]) -> str:
    """One line for each function whose calls were spoilt."""
    rows: dict[str, list[Result]] = defaultdict(list)
    for result in tried:
        rows[result.pair.function].append(result)
    lines = [
        "| function | steps | runs | ended well | needed a person | not met | violations |",
        "|---|---|---|---|---|---|---|",
    ]
    for function, of_row in sorted(rows.items()):
        steps = {(each.pair.call, each.pair.nth) for each in of_row}
        lines.append(f"| `{function}` | {len(steps)} | {_counts(of_row)} |")
    return "\n".join(lines)


def by_fault(results: Iterable[Result]) -> str:
    """One line for each fault."""
    of_fault: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        of_fault[result.pair.fault].append(result)
    order = [*dict.fromkeys((*AWS_FAULTS, *CARRIER_FAULTS, *sorted(FAULTS)))]
    lines = [
        "| fault | runs | ended well | needed a person | not met | violations |",
        "|---|---|---|---|---|---|",
    ]
    lines += [f"| {fault} | {_counts(of_fault[fault])} |" for fault in order if of_fault[fault]]
    return "\n".join(lines)


def _counts(results: list[Result]) -> str:
    met = [each for each in results if each.met]
    counts = (
        len(results),
        sum(each.outcome == "well" for each in met),
        sum(each.outcome == "attention" for each in met),
        len(results) - len(met),
        sum(bool(each.violations) for each in results),
    )
    return " | ".join(map(str, counts))


def write(report: str) -> None:
    """Put the table into the page."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_BEGIN}\n\n{report}\n\n{_END}{after}")

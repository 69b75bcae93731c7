"""The tables of what a load came to, in `docs/reliability.md`."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date

from tests.faults.stack.table import PAGE
from tests.load.books import Account
from tests.load.desk import Meter
from tests.load.memory import Memory
from tests.load.plan import CARRIERS, Plan
from tests.load.work import Work

_BEGIN, _END = "<!-- made by make load -->", "<!-- end of what make load made -->"
_CALLS = {
    "create": "POST /v1/orders",
    "create a batch": "POST /v1/orders/batch",
    "read": "GET /v1/orders/{id}",
    "read a batch": "GET /v1/batches/{id}",
    "label": "GET /v1/orders/{id}/label",
    "cancel": "POST /v1/orders/{id}/cancel",
    "refresh": "POST /v1/trackings/{id}/refresh",
    "follow parcels": "POST /v1/trackings",
    "label document": "POST /v1/label-documents",
}
_ENDS = ("confirmed", "confirmed, with attention", "cancelled", "failed", "needs_attention")


def report(
    command: str, plan: Plan, work: Work, account: Account, faults: Mapping[str, Mapping[str, int]],
    minutes: Mapping[str, float], memory: Memory | None,
) -> str:  # fmt: skip
    """All tables, and the command that made them."""
    parts = [_made(command, plan, minutes), _ends(account), _accounted(work, account)]
    parts += [_answers(work.desk.meter), _refusals(work.desk.meter), _faults(faults)]
    if memory is not None:
        parts.append(memory.table())
    return "\n\n".join(parts)


def _made(command: str, plan: Plan, minutes: Mapping[str, float]) -> str:
    times = ", ".join(f"{number:.1f} {name}" for name, number in minutes.items())
    return f"`{command}`, {date.today():%-d %B %Y}. Minutes: {times}.\n\nThe mix: {plan.words()}."


def _ends(account: Account) -> str:
    ends = account.ends()
    lines = [f"| ended as | {' | '.join(CARRIERS)} | all |", "|---|" + "---|" * (len(CARRIERS) + 1)]
    seen = [end for end in _ENDS if any(ends[carrier, end] for carrier in CARRIERS)]
    seen += sorted({end for _, end in ends} - {*_ENDS})
    for end in seen:
        counts = [ends[carrier, end] for carrier in CARRIERS]
        lines.append(f"| {end} | {' | '.join(f'{each:,}' for each in counts)} | {sum(counts):,} |")
    totals = [sum(ends[carrier, end] for end in seen) for carrier in CARRIERS]
    lines.append(f"| all | {' | '.join(f'{each:,}' for each in totals)} | {sum(totals):,} |")
    return "\n".join(lines)


def _accounted(work: Work, account: Account) -> str:
    twice = sum("was bought" in line and "times" in line for line in account.wrong)
    held = sum("held" in line or "holds money" in line for line in account.wrong)
    rows = {
        "orders accounted for": len(account.orders),
        "bought twice": twice,
        "money held for nothing": held,
        "parcels followed": account.parcels,
        "webhooks taken from carriers": account.taken,
        "events told to the merchant": account.events,
        "of these heard once or more": account.events - sum("never heard" in each for each in account.wrong),
        "webhooks that the merchant's server got": account.heard,
        "dead letters that the operator sent again": work.redriven,
        "promises that did not hold": len(account.wrong),
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {number:,} |" for name, number in rows.items())])


def _answers(meter: Meter) -> str:
    by_call: dict[str, Counter[str]] = defaultdict(Counter)
    for (call, status), number in meter.answers.items():
        kind = "none" if not status else "429" if status == 429 else f"{status // 100}xx"
        by_call[call][kind] += number
        by_call["all"][kind] += number
    kinds = ("2xx", "3xx", "4xx", "429", "5xx", "none")
    used = [kind for kind in kinds if by_call["all"][kind]]
    lines = [
        f"| call | answers | {' | '.join(f'{kind}, %' for kind in used)} | half, s | 90 of 100 | 99 of 100 |",
        "|---|---|" + "---|" * (len(used) + 3),
    ]
    for name, call in [*_CALLS.items(), ("all calls", "all")]:
        counts = by_call[call]
        if not (total := counts.total()):
            continue
        shares = " | ".join(f"{100 * counts[kind] / total:.1f}" for kind in used)
        seconds = (
            [each for of_it in meter.seconds.values() for each in of_it]
            if call == "all"
            else meter.seconds[call]
        )
        lines.append(f"| {name} | {total:,} | {shares} | {_percentiles(seconds)} |")
    return "\n".join(lines)


def _refusals(meter: Meter) -> str:
    names = {call: name for name, call in _CALLS.items()}
    lines = ["| call | refused with | times |", "|---|---|---|"]
    lines += [
        f"| {names.get(call, call)} | {status} {code or 'without a code'} | {number:,} |"
        for (call, status, code), number in meter.refusals.most_common()
    ]
    return "\n".join(lines)


def _percentiles(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return " | ".join(f"{each:.2f}" for each in seconds * 3) or "| |"
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return " | ".join(f"{cuts[place - 1]:.2f}" for place in (50, 90, 99))


def _faults(faults: Mapping[str, Mapping[str, int]]) -> str:
    made, spoilt = faults["made"], faults["spoilt"]
    by_fault: dict[str, Counter[str]] = defaultdict(Counter)
    for name, number in spoilt.items():
        called, _, fault = name.partition(" ")
        by_fault[fault]["carriers" if called in (*CARRIERS, "trackingmore") else "AWS"] += number
    calls = Counter[str]()
    for called, number in made.items():
        calls["carriers" if called in (*CARRIERS, "trackingmore") else "AWS"] += number
    lines = ["| fault | calls to AWS | calls to carriers |", "|---|---|---|"]
    for fault, counts in sorted(by_fault.items(), key=lambda each: -each[1].total()):
        lines.append(f"| {fault} | {counts['AWS']:,} | {counts['carriers']:,} |")
    totals = {side: sum(counts[side] for counts in by_fault.values()) for side in ("AWS", "carriers")}
    lines.append(
        f"| all | {totals['AWS']:,} of {calls['AWS']:,} | {totals['carriers']:,} of {calls['carriers']:,} |"
    )
    return "\n".join(lines)


def write(text: str) -> None:
    """Put the tables into the page."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after}")

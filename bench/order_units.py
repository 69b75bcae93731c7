"""What one order takes of everything that AWS bills or limits, kept for `bench.bills`.

    .venv/bin/python -m bench.costs --keep FILE
    .venv/bin/python -m bench.order_units FILE

The first records orders on the local stack, which takes minutes; the second writes `bench/order_units.json`
from it. `bench.bills` reads that, so that bills and quotas are made without a stack.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import costs, prices
from bench.costs import BODIES, NOT_COUNTED, Lane
from infra.settings import settings_for
from local import arguments

UNITS = Path(__file__).with_name("order_units.json")
_SHARED = re.compile(r"T#[^#]+#(STATS|ENDPOINTS|LIMITS|HABITS)")
"""Partitions of a table into which all orders of a tenant write."""


def seconds_of(lane: Lane) -> dict[str, tuple[float, float]]:
    """How often each function was called in a lane, and for how many seconds it was busy."""
    settings = settings_for("production")
    waits: defaultdict[str, float] = defaultdict(float)
    for line in lane.lines:
        if line["function"] not in NOT_COUNTED:
            waits[line["function"]] += prices.wait_seconds(line)
    found = {}
    for function, calls in lane.calls_of.items():
        if function in NOT_COUNTED:
            continue
        slower = max(1.0, prices.assumed("full_processor_mb") / settings.size(function).memory)
        endpoint = calls * prices.assumed("wait")["endpoint"] if function == "deliver_event" else 0.0
        busy = lane.cpu_of.get(function, 0.0) * slower + waits[function] + endpoint
        found[function] = (float(calls), busy)
    return found


def busiest(lines: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """The write units of the busiest partition of each kind that all orders of a tenant share."""
    written: Counter[tuple[str, str]] = Counter()
    for line in lines:
        transacted = line["call"].endswith("TransactWriteItems")
        for table, old, new in line.get("items", ()):
            pk = (new or old or {}).get("pk", {}).get("S", "")
            if shared := _SHARED.match(pk):
                alone = prices.write_units("usage", old, new, in_transaction=transacted)
                written[f"{table} table, item {shared[1]}", pk] += alone
            for name, index in prices.indexes(table).items():
                before, after = prices.in_index(old, index), prices.in_index(new, index)
                if before == after:
                    continue
                for place in filter(None, (before, after)):
                    partition = place[index[0]]["S"]
                    if partition.startswith("T#"):
                        written[f"{table} table, list {name}", partition] += 1
    most: Counter[str] = Counter()
    for (kind, _), units_written in written.items():
        most[kind] = max(most[kind], units_written)
    return most


def units(lanes: Mapping[str, Lane], speed: float) -> dict[str, Any]:
    """What an order takes, by carrier."""
    lives = costs.lives()
    return {carrier: _of(lanes, carrier, lives[carrier], speed) for carrier in BODIES}


def _of(lanes: Mapping[str, Lane], carrier: str, life: costs.Life, speed: float) -> dict[str, Any]:
    news = lanes[f"{carrier} news"]
    parts = [
        (lanes[f"{carrier} create"], 1 / lanes[f"{carrier} create"].count),
        (lanes[f"{carrier} reads"], 1 / lanes[f"{carrier} reads"].count),
        (news, (life.news + life.pushes) / max(1, news.news)),
    ]
    functions: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    calls: Counter[str] = Counter()
    partitions: Counter[str] = Counter()
    for lane, share in parts:
        for function, (times, busy) in seconds_of(lane).items():
            functions[function][0] += times * share
            functions[function][1] += busy * share
        counted = [line for line in lane.lines if line["function"] not in NOT_COUNTED]
        made = Counter(line["call"] for line in counted if " " not in line["call"])
        calls.update(prices.times(made, share))
        partitions.update(prices.times(busiest(counted), share))
    functions["poll_trackings"] = [0.0, life.polls / speed]
    whole = costs.whole(costs.stages(lanes, carrier, life, speed))
    return {
        "usage": _rounded(whole.usage),
        "kept": _rounded(costs._kept(lanes, carrier, life)),
        "functions": {name: [round(each, 4) for each in both] for name, both in sorted(functions.items())},
        "calls": _rounded(calls),
        "partitions": _rounded(dict(partitions.most_common(6))),
        "days": round(life.days, 1),
    }


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{number:.4g}") for name, number in sorted(numbers.items()) if number}


def main() -> None:
    """Read what was recorded, and write what an order takes."""
    options = arguments.parser(__doc__)
    options.add_argument("kept", type=Path, help="what `bench.costs --keep` kept")
    options.add_argument(
        "--speed", type=arguments.positive, default=260.0, help="parcels a second of a poll worker"
    )
    given = options.parse_args()
    lanes = [Lane(**each) for each in json.loads(given.kept.read_text())]
    made = {
        "recorded": datetime.fromtimestamp(lanes[0].began, UTC).date().isoformat(),
        "carriers": units({lane.name: lane for lane in lanes}, given.speed),
    }
    UNITS.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""What the plan spares by habits: the same lives, asked about by the table and by what was learned.

``python -m bench.fewer_polls``. The parcels from which the habits are learned are other ones than those that
are asked about. Prints Markdown.
"""

import argparse
import statistics

from bench.lives import TRADES, learned
from bench.scale import PARCELS, Tally, asked


def _row(name: str, tally: Tally) -> list[str]:
    by_carrier = [tally.by_carrier[trade.carrier] / tally.lives[trade.carrier] for trade in TRADES]
    return [
        name,
        f"{sum(tally.per_parcel) / tally.parcels:.1f}",
        *(f"{polls:.1f}" for polls in by_carrier),
        _parts(tally.known_after, "{:.0f}, {:.0f}"),
        _parts(tally.pushed_known_after, "{:.0f}, {:.0f}"),
        _parts(tally.news_after, "{:.1f}, {:.1f}"),
    ]


def _parts(waits: list[float], shape: str) -> str:
    parts = statistics.quantiles(waits, n=10)
    return shape.format(parts[4], parts[8])


HEADS = (
    "the plan",
    "polls per parcel",
    *(trade.carrier for trade in TRADES),
    "delivery known after, minutes: median, 9 of 10",
    "of a pushed parcel whose webhook was lost",
    "any news known after, hours: median, 9 of 10",
)


def compare(parcels: int) -> str:
    """Return the comparison as a Markdown table."""
    known = learned(parcels, seed=2)
    rows = [
        _row("the table alone", asked(parcels, {})),
        _row(f"learned from {parcels:,} parcels", asked(parcels, known)),
        _row(f"learned from {parcels // 10:,} parcels", asked(parcels, learned(parcels // 10, seed=2))),
        _row("the table alone, on holiday", asked(parcels, {}, rhythms=2)),
        _row("on holiday, with the habits of before", asked(parcels, known, rhythms=2)),
    ]
    lines = [HEADS, ["---"] * len(HEADS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Draw, ask, compare and print."""
    options = argparse.ArgumentParser(description="What the plan spares by habits.")
    options.add_argument("--parcels", type=int, default=PARCELS, help="how many lives are drawn")
    print(compare(options.parse_args().parcels))


if __name__ == "__main__":
    main()

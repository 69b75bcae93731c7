"""What the plan spares by habits: the same lives, asked about by the table and by what was learned.

``python -m bench.fewer_polls``. The parcels from which habits are learned are other ones than those that are
asked about. The hours of the corridors are others than those with which the plan's prices were chosen. Prints
Markdown.
"""

import statistics
import sys
from collections.abc import Mapping

from bench import figures
from bench.lives import FEWEST, TRADES, learned
from bench.scale import Tally, asked
from local import arguments
from parcelgate.domain.habits import Corridor, Habit

PARCELS = 8_000
FEW = 5
"""The second set of habits is learned from that many times fewer parcels."""
HOURS, OTHER_HOURS = 3, 4
"""The seeds of the corridors' hours. On holiday the corridors keep the other ones."""
_LEARNING, _ASKED = 12, 13
"""The seeds of the lives."""
HEADS = (
    "the plan",
    "polls per parcel",
    *(trade.carrier for trade in TRADES),
    "delivery known after, minutes: median, 9 of 10",
    "of a pushed parcel whose webhook was lost",
    "any news known after, hours: median, 9 of 10",
)


def mean(tally: Tally) -> float:
    """Polls per parcel."""
    return sum(tally.per_parcel) / tally.parcels


def _row(name: str, tally: Tally) -> list[str]:
    by_carrier = [tally.by_carrier[trade.carrier] / tally.lives[trade.carrier] for trade in TRADES]
    print(name, file=sys.stderr)
    return [
        name,
        f"{mean(tally):.1f}",
        *(f"{polls:.1f}" for polls in by_carrier),
        _parts(tally.known_after, "{:.0f}, {:.0f}"),
        _parts(tally.pushed_known_after, "{:.0f}, {:.0f}"),
        _parts(tally.news_after, "{:.1f}, {:.1f}"),
    ]


def _parts(waits: list[float], shape: str) -> str:
    parts = statistics.quantiles(waits, n=10)
    return shape.format(parts[4], parts[8])


def compare(parcels: int) -> str:
    """Return the comparison as Markdown."""

    def by(habits: Mapping[Corridor, Habit], hours: int | None = HOURS) -> Tally:
        return asked(parcels, habits, seed=_ASKED, rhythms=hours)

    many = learned(parcels, _LEARNING, HOURS)
    few = learned(parcels // FEW, _LEARNING, HOURS)
    table, best = by({}), by(many)
    rows = [
        _row("the table alone", table),
        _row(f"habits learned from {parcels:,} parcels", best),
        _row(f"habits learned from {parcels // FEW:,} parcels", by(few)),
        _row("on holiday: the table alone", by({}, OTHER_HOURS)),
        _row("on holiday: the habits of before", by(many, OTHER_HOURS)),
        _row(
            "on holiday: once its habits are learned",
            by(learned(parcels, _LEARNING, OTHER_HOURS), OTHER_HOURS),
        ),
        _row("corridors that keep no hours: the table alone", by({}, None)),
        _row(
            "corridors that keep no hours: what is learned of them",
            by(learned(parcels, _LEARNING, None), None),
        ),
    ]
    late_before, late = (statistics.quantiles(each.known_after, n=10)[8] for each in (table, best))
    goals = [
        (
            "polls of the table, at most half",
            f"{100 * mean(best) / mean(table):.0f} %",
            figures.verdict(mean(best), mean(table) / 2),
        ),
        (
            "9 of 10 deliveries known after, at most as late",
            f"{late:.0f} min",
            figures.verdict(late, late_before),
        ),
    ]
    return f"{figures.table(HEADS, rows)}\n\n{figures.table(('goal', 'figure', ''), goals)}"


def main() -> None:
    """Draw, ask, compare and print."""
    options = arguments.parser(__doc__)
    options.add_argument(
        "--parcels",
        type=arguments.bounded(FEWEST),
        default=PARCELS,
        help=f"how many lives are drawn, at least {FEWEST}",
    )
    print(compare(options.parse_args().parcels))


if __name__ == "__main__":
    main()

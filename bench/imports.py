"""What importing each handler costs, from the deployed bundle in a fresh Python: ``python -m bench.imports``.

The figure to compare with is boto3 with one client, which a function of the usual kind makes at its start.
Rounds go over all handlers in turn, so that a busy moment of the machine falls on all alike.
"""

import compileall
import statistics
import sys
import sysconfig
from collections import defaultdict
from pathlib import Path

from bench import figures, svg
from infra.bundle import ROOT, build
from local import arguments

RUNS = 5
FLOOR = "boto3 with one client"
_FLOOR = "import boto3; boto3.client('dynamodb', region_name='eu-central-1')"
_OF_BOTO3 = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3")
FUNCTIONS = tuple(sorted(each.parent.name for each in (ROOT / "functions").glob("*/handler.py")))
GOAL = 1.0
"""No handler costs more than that floor."""


def main() -> None:
    """Print a line for each handler, the costliest first."""
    layer = build("local").layer
    # boto3 is not in the layer, whose botocore lacks what boto3 asks for: this checkout's are measured.
    libraries = Path(sysconfig.get_path("purelib"))
    for library in _OF_BOTO3:
        compileall.compile_dir(libraries / library, quiet=1)
    tried = {name: (f"import functions.{name}.handler", layer, ROOT) for name in FUNCTIONS}
    tried[FLOOR] = (_FLOOR, libraries)
    rounds: dict[str, list[figures.Taken]] = defaultdict(list)
    for number in range(RUNS):
        print(f"imports: round {number + 1} of {RUNS}", file=sys.stderr)
        for name, (code, *folders) in tried.items():
            rounds[name].append(figures.taken(code, *folders, environment=figures.DEPLOYED))
    cpu = {name: statistics.median(each.cpu for each in taken) for name, taken in rounds.items()}
    peak = {name: statistics.median(each.peak for each in taken) for name, taken in rounds.items()}
    floor = cpu.pop(FLOOR)
    names = sorted(cpu, key=lambda name: -cpu[name])
    costliest = cpu[names[0]] / floor
    print(f"Goal: none costs more than {FLOOR}. {figures.verdict(costliest, GOAL).capitalize()}.\n")
    rows = [
        (f"`{name}`", f"{1000 * cpu[name]:.0f}", f"{cpu[name] / floor:.2f}", f"{peak[name]:.0f}")
        for name in names
    ]
    rows.insert(0, (FLOOR, f"{1000 * floor:.0f}", "1", f"{peak[FLOOR]:.0f}"))
    print(figures.table(("import", "CPU ms", f"against {FLOOR}", "peak memory, MB"), rows))
    plotted = [svg.Bar(FLOOR, 1000 * floor, f"{1000 * floor:.0f} ms", "peer")]
    plotted += [svg.Bar(name, 1000 * cpu[name], f"{1000 * cpu[name]:.0f}") for name in names]
    svg.save("imports.svg", svg.bars("CPU of importing each handler, ms", plotted))


if __name__ == "__main__":
    arguments.none(__doc__)
    main()

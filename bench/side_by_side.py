"""The same work through Parcelgate and through others, in one run: ``python -m bench.side_by_side``.

`bench.peers` has the work. Every process is fresh and imports from one folder of packages; rounds go over all
in turn, and medians count. Others have environments of their own (`local.toolchain.tools`), from the locks
`requirements/karrio.txt` and `requirements/cookbook.txt`.
"""

import compileall
import statistics
import sys
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from bench import figures, svg
from infra.bundle import ROOT, build
from local import arguments
from local.toolchain.tools import environment

HOME = ROOT / ".local" / "bench"
ROUNDS = 5
_WARM, _REQUESTS = 100, 400
_CODE = """
import importlib, io, json, sys, time
peer = importlib.import_module({module!r})
imported = time.process_time()
out, sys.stdout = sys.stdout, open("/dev/null", "w")
for _ in range({warm}):
    peer.once()
cpu = time.process_time()
for _ in range({requests}):
    peer.once()
cpu = time.process_time() - cpu
aws = getattr(sys.modules.get("bench.peers.requests"), "calls", [])
aws.clear()
peer.once()
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(json.dumps([imported, cpu / {requests}, int(peak) / 1024, len(aws)]), file=out)
"""


class Peer(NamedTuple):
    """One way to do the work: its module in `bench.peers`, and its lock, or None for ours."""

    name: str
    module: str
    lock: str | None
    family: str
    """What it is compared with: the first of the same family is ours."""


PEERS = (
    Peer("Parcelgate, from JSON to JSON", "ours_mapping", None, "library"),
    Peer("karrio, from JSON to JSON", "karrio_mapping", "karrio", "library"),
    Peer("Parcelgate, whole create function", "ours_function", None, "function"),
    Peer("cookbook's way, whole create function", "powertools_function", "cookbook", "function"),
)


class Taken(NamedTuple):
    """Seconds of CPU to import, and for a request; MB at the most; AWS calls."""

    imported: float
    cpu: float
    peak: float
    aws: float


def packages(lock: str) -> Path:
    """The folder with what a lock holds, installed unless it is there. Ends this part when it cannot be."""
    try:
        home = environment(lock)
    except SystemExit as error:
        figures.not_here(str(error))
    (folder,) = (home / "lib").glob("python*/site-packages")
    compileall.compile_dir(folder, quiet=2)
    return folder


def zipped(peer: Peer, folder: Path) -> float:
    """MB of a zip of the packages: ours as deployed, with its bytecode; others' as installed, without."""
    target = HOME / "size.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not (peer.lock and path.parent.name == "__pycache__"):
                archive.write(path, path.relative_to(folder))
    size = target.stat().st_size / 1e6
    target.unlink()
    return size


def main() -> None:
    """Print the table, and draw it."""
    HOME.mkdir(parents=True, exist_ok=True)
    layer = build("local").layer
    folders = {peer: packages(peer.lock) if peer.lock else layer for peer in PEERS}
    sizes = {peer: zipped(peer, folder) for peer, folder in folders.items()}
    rounds: dict[Peer, list[Taken]] = defaultdict(list)
    for number in range(ROUNDS):
        print(f"peers: round {number + 1} of {ROUNDS}", file=sys.stderr)
        for peer, folder in folders.items():
            code = _CODE.format(module=f"bench.peers.{peer.module}", warm=_WARM, requests=_REQUESTS)
            given = None if peer.lock else figures.DEPLOYED
            rounds[peer].append(Taken(*figures.result(code, folder, ROOT, environment=given)))
    medians = {peer: Taken(*map(statistics.median, zip(*each, strict=True))) for peer, each in rounds.items()}
    rows = []
    for peer, taken in medians.items():
        first = medians[next(each for each in PEERS if each.family == peer.family)]

        def cell(value: float, ours: float, places: int, is_first: bool = taken is first) -> str:
            return f"{value:.{places}f}" if is_first else f"{value:.{places}f} ({value / ours:.1f} of ours)"

        size = sizes[next(each for each in PEERS if each.family == peer.family)]
        rows.append(
            (
                peer.name,
                cell(1000 * taken.imported, 1000 * first.imported, 0),
                cell(1000 * taken.cpu, 1000 * first.cpu, 2),
                cell(taken.peak, first.peak, 0),
                cell(sizes[peer], size, 1),
                f"{taken.aws:.0f}",
                f"{1 / taken.cpu:,.0f}",
            )
        )
    heads = (
        "",
        "import, CPU ms",
        "a request, CPU ms",
        "peak memory, MB",
        "packages, MB zipped",
        "AWS calls",
        "requests a CPU second",
    )
    print(figures.table(heads, rows))
    bars = [
        svg.Bar(peer.name, 1000 * taken.cpu, f"{1000 * taken.cpu:.2f} ms", "peer" if peer.lock else "ours")
        for peer, taken in medians.items()
    ]
    svg.save("side-by-side.svg", svg.bars("CPU of one create, ms", bars))


if __name__ == "__main__":
    arguments.none(__doc__)
    main()

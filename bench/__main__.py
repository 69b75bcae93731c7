"""Measures what a user waits for: a cold start, and an order on its way to its label.

Prints Markdown. Times of one run on one machine: compare the ratios, not the numbers.
"""

import compileall
import resource
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import httpx

from infra.bundle import build
from local.stack import stack

RUNS = 5
ORDERS = 10
FLOOR = "import boto3; boto3.client('dynamodb', region_name='eu-central-1')"
FUNCTIONS = tuple(sorted(each.parent.name for each in Path("functions").glob("*/handler.py")))
STATE = Path(".local/bench")

BODY = {
    "carrier": "lso",
    "service": "GroundBasic",
    "ship_to": {
        "name": "Corrie McKee",
        "line1": "500 E Cesar Chavez St",
        "city": "Austin",
        "state": "TX",
        "postcode": "78701",
        "country": "US",
        "phone": "5125550100",
    },
    "parcels": [
        {
            "weight": {"value": "1.25", "unit": "kg"},
            "dimensions": {"length": 30, "width": 20, "height": 10, "unit": "cm"},
        }
    ],
}


def cpu_seconds(code: str, *folders: Path) -> float:
    """CPU time of a fresh Python that runs `code` with these folders to import from; the median of some."""
    paths = f"import sys; sys.path[:0] = {[*map(str, folders), '.']!r}; "
    taken = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-I", "-S", "-c", paths + code]
        subprocess.run(command, check=True, env={"PYTHONDONTWRITEBYTECODE": "1"})  # noqa: S603
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(taken)


def cold_starts() -> None:
    """Print what importing each handler costs, against boto3 with one client."""
    layer = build("local").layer
    # boto3 is not in the layer: this checkout's is measured, with the layer's botocore below it.
    libraries = Path(sysconfig.get_path("purelib"))
    compileall.compile_dir(libraries / "boto3", quiet=1)
    compileall.compile_dir(libraries / "s3transfer", quiet=1)
    floor = cpu_seconds(FLOOR, layer, libraries)
    print(f"| import | CPU ms | against boto3 with one client ({floor * 1000:.0f} ms) |\n|---|---|---|")
    for name in FUNCTIONS:
        taken = cpu_seconds(f"import functions.{name}.handler", layer)
        print(f"| `{name}` | {taken * 1000:.0f} | {taken / floor:.2f} |")


def order_to_label(running: stack.Stack) -> list[float]:
    """Seconds from posting an LSO order to its label being ready, for one order after the other."""
    taken = []
    headers = {"Authorization": f"Bearer {running.api_key}"}
    with httpx.Client(base_url=running.api_url, headers=headers, timeout=60) as client:
        for number in range(ORDERS):
            began = time.monotonic()
            created = client.post("/v1/orders", json={**BODY, "reference": f"bench-{number}"})
            path = f"/v1/orders/{created.raise_for_status().json()['id']}"
            while client.get(path).raise_for_status().json()["label"]["status"] != "ready":
                if time.monotonic() - began > 120:
                    raise TimeoutError(f"{path} has no label after two minutes")
                time.sleep(0.05)
            taken.append(time.monotonic() - began)
    return taken


def main() -> None:
    """Print all figures."""
    cold_starts()
    began = time.monotonic()
    with stack.running(STATE) as running:
        ready = time.monotonic() - began
        first, *warm = order_to_label(running)
    print("\n| on the local stack | seconds |\n|---|---|")
    print(f"| `make up` on a set-up checkout, until ready | {ready:.1f} |")
    print(f"| LSO order to label, the very first (all functions cold) | {first:.1f} |")
    print(f"| LSO order to label, median of {len(warm)} more | {statistics.median(warm):.1f} |")
    print(f"| LSO order to label, slowest of them | {max(warm):.1f} |")


if __name__ == "__main__":
    main()

"""CPU that a start from a snapshot spares: a handler's imports, and what is made before the snapshot.

    make bench ONLY=snapshots

Each function starts in fresh Pythons that import from the deployed layer alone; the figures are medians. The
last line is of a Python that makes DynamoDB's client and nothing else. Prints Markdown.
"""

import statistics
from functools import partial

from bench import figures
from bench.instructions import counter
from infra.bundle import build
from local import ROOT, arguments

RUNS = 9
TABLE, USAGE, ACCOUNTS = (
    {"PARCELGATE_TABLE": "table"},
    {"PARCELGATE_USAGE_TABLE": "usage"},
    {"PARCELGATE_SECRET_PREFIX": "parcelgate/bench"},
)
FUNCTIONS = {
    "authorize": TABLE | USAGE,
    "read_orders": TABLE | USAGE,
    "create_order": TABLE | USAGE | ACCOUNTS,
}
"""Some functions that clients call, with what of their environment decides what is made before a snapshot."""
_DEPLOYED = figures.DEPLOYED | {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_METRICS_NAMESPACE": "Parcelgate",
    "POWERTOOLS_SERVICE_NAME": "bench",
}
_STARTED = """
import time
import functions.{name}.handler
imported = time.process_time()
from parcelgate.runtime import runtime
runtime.before_snapshot()
made = time.process_time() - imported
import json
print(json.dumps([imported, made]))
"""
_CLIENT = """
import os
os.environ |= {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
from parcelgate.aws_clients import client
client("dynamodb")
"""


def main() -> None:
    """Print the table and the line under it."""
    layer = build("local").layer
    rows = []
    for name, environment in FUNCTIONS.items():
        start = partial(figures.result, _STARTED.format(name=name), layer, ROOT)
        runs = [start(environment=_DEPLOYED | environment) for _ in range(RUNS)]
        rows.append((f"`{name}`", *(_ms(parts) for parts in zip(*runs, strict=True))))
    print(figures.table(("", "imports", "clients, TLS, adapters"), rows))
    alone = [figures.taken(_CLIENT, layer, environment=_DEPLOYED).cpu for _ in range(RUNS)]
    counts = counter()
    counted = counts.count(_CLIENT, layer, ROOT) if counts else None
    instructions = f", {counted:,.0f} million instructions" if counted else ""
    print(f"\nA Python that makes DynamoDB's client and nothing else: {_ms(alone)}{instructions}.")


def _ms(seconds: tuple[float, ...] | list[float]) -> str:
    return f"{1000 * statistics.median(seconds):.0f} ms"


if __name__ == "__main__":
    arguments.none(__doc__)
    main()

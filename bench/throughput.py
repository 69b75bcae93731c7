"""How many creates one function process answers, under load: ``python -m bench.throughput``.

Lambda gives a process one request at a time; others wait for it or get a process of their own. First the
function alone, in a fresh process with the deployed bundle, whose carrier and AWS answer at once. Then the
local stack, where the emulator, the sandbox and all functions share the processors: one client keeps one
process of `create_order` busy, more of them have more processes started.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx

from bench import figures
from infra.bundle import ROOT, build
from local import arguments
from local.stack import stack
from tests.support.bodies import ubi_body

STATE = Path(".local/bench/stack")
WAITING = (1, 8, 32)
"""How many clients have a request under way at the process."""
CLIENTS = (1, 4, 16)
_SECONDS = 6.0
_WARM = 2.0
_ALONE = """
import json, sys, threading, time
out, sys.stdout = sys.stdout, open("/dev/null", "w")
from bench.peers.ours_function import once
for _ in range(100):
    once()
turn, result = threading.Lock(), []

def client(until, taken):
    while (began := time.perf_counter()) < until:
        with turn:
            once()
        taken.append(time.perf_counter() - began)

for clients in {waiting}:
    taken, began = [], time.perf_counter()
    threads = [threading.Thread(target=client, args=(began + {seconds}, taken)) for _ in range(clients)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    result.append([time.perf_counter() - began, taken])
print(json.dumps(result), file=out)
"""


def main() -> None:
    """Print both tables."""
    heads = ("requests waiting", "creates a second", "median, ms", "99 of 100, ms")
    code = _ALONE.format(waiting=WAITING, seconds=_SECONDS / 2)
    alone = figures.result(code, build("local").layer, ROOT, environment=figures.DEPLOYED)
    print("One process, carrier and AWS answered within it:\n")
    print(
        figures.table(heads, [_row(*each) for each in zip(WAITING, *zip(*alone, strict=True), strict=True)])
    )
    print("\nThe local stack, creates of UBI orders:\n")
    with stack.running(STATE) as running:
        rows = [_row(clients, *_load(running, clients)) for clients in CLIENTS]
    print(figures.table(("clients", *heads[1:]), rows))


def _row(clients: int, seconds: float, taken: Sequence[float]) -> tuple[object, ...]:
    quantiles = statistics.quantiles(taken, n=100)
    return (
        clients,
        f"{len(taken) / seconds:,.0f}",
        f"{1000 * quantiles[49]:.1f}",
        f"{1000 * quantiles[98]:.1f}",
    )


def _load(running: stack.Stack, clients: int) -> tuple[float, list[float]]:
    """Let so many clients create orders. Returns for how long, and what each create took."""
    print(f"throughput: {clients} clients", file=sys.stderr)
    began = time.monotonic()
    from_, until = began + _WARM, began + _WARM + _SECONDS

    def client(_: int) -> list[float]:
        taken = []
        headers = {"Authorization": f"Bearer {running.api_key}"}
        with httpx.Client(base_url=running.api_url, headers=headers, timeout=60) as http:
            while (began := time.monotonic()) < until:
                body = ubi_body(f"bench-{uuid4().hex}")
                answer = http.post("/v1/orders", json=body)
                if answer.status_code not in (201, 202):
                    raise ValueError(answer.text)
                if began >= from_:
                    taken.append(time.monotonic() - began)
        return taken

    with ThreadPoolExecutor(clients) as pool:
        taken = [seconds for each in pool.map(client, range(clients)) for seconds in each]
    return time.monotonic() - from_, taken


if __name__ == "__main__":
    arguments.none(__doc__)
    main()

"""Where the time from an LSO order to its label goes: ``python -m bench.order_to_label``.

Orders go one after the other through a local stack whose calls pass the proxy of `local.faults`, which notes
when each call to AWS and to the carrier began and how long it took. When a function ran is in its log. From
both, the time of an order is cut at the moments in `_cut`, each piece following the one before, so the pieces
add up to the whole. Within a function, what is neither a call to AWS nor to the carrier is its own work.

The emulator is slower than AWS and shares two processors with everything else. Starting an execution takes it
150 ms, by a pause of its own.
"""

import json
import re
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import httpx

from bench import figures, svg
from local import arguments
from local.stack import emulator, stack
from tests.stack.shop import order_body

ORDERS = 10
STATE = Path(".local/bench/stack")
TRACES = Path(".local/bench/traces.json")
"""What was noted in the last run, for a closer look."""
PICTURE = "order-to-label.svg"
GOAL = 0.3
"""Seconds of our own functions, warm."""
_CASE = "bench"
_PATIENCE = 120.0
_PAUSE = 0.02
_REPORT = re.compile(r"REPORT RequestId: \S+\tDuration: (\d+) ms")
_KINDS = ("carrier", "aws", "ours")
_FUNCTIONS = (
    "authorize",
    "create_order",
    "submit_order",
    "ingest_webhook",
    "route_changes",
    "process_webhook",
    "check_order",
)
"""The functions on the way of an order to its label."""


class Run(NamedTuple):
    """One run of a function, in seconds by the clock."""

    function: str
    began: float
    ended: float


class Timed(NamedTuple):
    """One call of a function, to AWS or to the carrier."""

    function: str
    call: str
    began: float
    ended: float

    @property
    def kind(self) -> str:
        """Whose time it is."""
        return "carrier" if " " in self.call else "aws"


class Order(NamedTuple):
    """An order: when it was posted, when its create was answered, and when its label was seen."""

    id: str
    posted: float
    answered: float
    ready: float


class Piece(NamedTuple):
    """A piece of an order's time. `inner` are parts of it that are another's: from, to, and whose."""

    name: str
    began: float
    ended: float
    kind: str
    inner: Sequence[tuple[float, float, str]] = ()

    def seconds(self) -> dict[str, float]:
        """How much of the piece is whose."""
        shares = dict.fromkeys(_KINDS, 0.0)
        at = self.began
        for from_, to, kind in self.inner:
            begin, end = max(at, from_), min(self.ended, to)
            if end > begin:
                shares[kind] += end - begin
                at = end
        shares[self.kind] += self.ended - self.began - sum(shares.values())
        return shares


class MissingError(Exception):
    """The traces of an order lack something."""


def main() -> None:
    """Print both tables, and draw the order in the middle."""
    began = time.monotonic()
    with stack.running(STATE, with_faults=True) as running:
        ready = time.monotonic() - began
        case = [{"case": _CASE, "marks": [], "rules": []}]
        httpx.post(f"{running.faults_url}/_faults/cases", json=case).raise_for_status()
        orders = [*_orders(running)]
        calls, runs, callbacks = _calls(running), _runs(running), _callbacks(running)
    TRACES.write_text(json.dumps([ready, orders, calls, runs, callbacks]))
    first, *warm = orders
    cuts = [_cut(order, calls, runs, callbacks[order.id]) for order in warm]
    _print(ready, first, warm, cuts)
    middle = sorted(cuts, key=lambda pieces: pieces[-1].ended - pieces[0].began)[len(cuts) // 2]
    svg.save(PICTURE, _drawn(middle))


def _orders(running: stack.Stack) -> Iterator[Order]:
    """Create orders one after the other, and wait for each one's label."""
    headers = {"Authorization": f"Bearer {running.api_key}"}
    with httpx.Client(base_url=running.api_url, headers=headers, timeout=60) as client:
        for number in range(ORDERS):
            print(f"order-to-label: order {number + 1} of {ORDERS}", file=sys.stderr)
            posted = time.time()
            created = client.post("/v1/orders", json=order_body(f"bench-{number}")).raise_for_status().json()
            answered = time.time()
            while client.get(f"/v1/orders/{created['id']}").json()["label"]["status"] != "ready":
                if time.time() - posted > _PATIENCE:
                    raise TimeoutError(f"{created['id']} has no label after two minutes")
                time.sleep(_PAUSE)
            yield Order(created["id"], posted, answered, time.time())
            # What still goes on for this order would slow the next one down.
            time.sleep(1)


def _calls(running: stack.Stack) -> list[Timed]:
    noted = httpx.get(f"{running.faults_url}/_faults/cases/{_CASE}").raise_for_status().json()["times"]
    return [
        Timed(each["function"], each["call"], each["began"], each["began"] + each["seconds"])
        for each in noted
    ]


def _runs(running: stack.Stack) -> list[Run]:
    """When each function ran, from the lines that Lambda writes at the end of each run."""
    session = boto3.Session(
        aws_access_key_id=emulator.ADMINISTRATOR["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=emulator.ADMINISTRATOR["AWS_SECRET_ACCESS_KEY"],
        region_name=emulator.REGION,
    )
    functions, logs = (
        session.client(service, endpoint_url=running.aws_endpoint_url) for service in ("lambda", "logs")
    )
    runs = []
    for function in _FUNCTIONS:
        facts = functions.get_function_configuration(FunctionName=f"parcelgate-local-{function}")
        group = facts["LoggingConfig"]["LogGroup"]
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern="REPORT")
        for event in (event for page in pages for event in page["events"]):
            if found := _REPORT.match(event["message"]):
                ended = event["timestamp"] / 1000
                runs.append(Run(function, ended - int(found[1]) / 1000, ended))
    return sorted(runs, key=lambda run: run.began)


def _callbacks(running: stack.Stack) -> dict[str, float]:
    """When the carrier began to call back, by our order's id."""
    headers = {"Authorization": f"Bearer {running.api_key}"}
    orders = httpx.get(f"{running.api_url}/v1/orders", headers=headers, params={"limit": 100}).json()["data"]
    ids = {order["reference"]: order["id"] for order in orders}
    ledger: dict[str, Any] = httpx.get(f"{running.sandbox_url}/_sandbox/ledger").json()["lso"]
    return {
        ids[each["reference"]]: datetime.fromisoformat(each["at"]).timestamp()
        for each in reversed(ledger["callbacks"])
        if each["reference"] in ids
    }


def _cut(order: Order, calls: Sequence[Timed], runs: Sequence[Run], called_back: float) -> list[Piece]:
    """The order's time in pieces, from its post to the moment when the label was seen."""

    def run(function: str, after: float) -> Run:
        return _first((each for each in runs if each.function == function and each.began >= after), function)

    def call(function: str, name: str, within: Run) -> Timed:
        made = (each for each in of(within) if each.call.startswith(name))
        return _first(made, f"{name} of {function}")

    def of(within: Run) -> list[Timed]:
        return [
            each
            for each in calls
            if each.function == within.function and within.began <= each.began <= within.ended
        ]

    create = run("create_order", order.posted)
    started = call("create_order", "states.StartExecution", create)
    submit = run("submit_order", started.began)
    commit = call("submit_order", "lso POST /external-interface/lso/orderCommit", submit)
    ingest = run("ingest_webhook", called_back - _PAUSE)
    process = run("process_webhook", ingest.began)
    woken = call("process_webhook", "states.SendTaskSuccess", process)
    check = run("check_order", woken.began)
    label = call("check_order", "lso POST /external-interface/common/label", check)

    def calls_in(within: Run) -> list[tuple[float, float, str]]:
        return [
            (each.began, each.ended, each.kind) for each in sorted(of(within), key=lambda call: call.began)
        ]

    def own(function: str, after: float, before: float) -> list[tuple[float, float, str]]:
        """Of a stretch between functions, what this function worked in it, its calls left out."""
        found = []
        for each in runs:
            if each.function == function and after <= each.began and each.ended <= before:
                at = each.began
                for begin, end, _ in [*calls_in(each), (each.ended, each.ended, "")]:
                    found.append((at, begin, "ours"))
                    at = max(at, end)
        return found

    moments: list[tuple[str, float, str, Sequence[tuple[float, float, str]]]] = [
        ("gateway, authorizer", order.posted, "aws", own("authorize", order.posted, create.began)),
        ("create_order, until the flow starts", create.began, "ours", calls_in(create)),
        ("start of the flow", started.ended, "aws", ()),
        ("submit_order, until the commit", submit.began, "ours", calls_in(submit)),
        ("the carrier decides", commit.ended, "carrier", ()),
        ("its callback: gateway", called_back, "aws", ()),
        ("ingest_webhook", ingest.began, "ours", calls_in(ingest)),
        (
            "stream, route_changes, queue",
            ingest.ended,
            "aws",
            own("route_changes", ingest.began, process.began),
        ),
        ("process_webhook, until the flow wakes", process.began, "ours", calls_in(process)),
        ("the flow goes on", woken.ended, "aws", ()),
        ("check_order, the carrier's result", check.began, "ours", calls_in(check)),
        ("check_order, the label", label.began, "ours", calls_in(check)),
        ("until the client has seen it", min(check.ended, order.ready), "aws", ()),
    ]
    ends = [*(began for _, began, *_ in moments[1:]), order.ready]
    return [
        Piece(name, began, max(began, ended), kind, inner)
        for (name, began, kind, inner), ended in zip(moments, ends, strict=True)
    ]


def _first[T](found: Iterable[T], what: str) -> T:
    for each in found:
        return each
    raise MissingError(f"there is no trace of {what}")


def _print(ready: float, first: Order, warm: Sequence[Order], cuts: Sequence[Sequence[Piece]]) -> None:
    taken = [order.ready - order.posted for order in warm]
    rows: list[tuple[object, ...]] = [
        ("stack, until ready", f"{ready:.1f}"),
        ("LSO order to label, the very first (all functions cold)", f"{first.ready - first.posted:.1f}"),
        (f"LSO order to label, median of {len(warm)} more", f"{statistics.median(taken):.2f}"),
        ("LSO order to label, slowest of them", f"{max(taken):.2f}"),
        ("create answered, median", f"{statistics.median(each.answered - each.posted for each in warm):.2f}"),
    ]
    print(figures.table(("on the local stack", "seconds"), rows))
    columns = [[pieces[place] for pieces in cuts] for place in range(len(cuts[0]))]
    medians = [
        {kind: statistics.median(piece.seconds()[kind] for piece in pieces) for kind in _KINDS}
        for pieces in columns
    ]
    sums = {kind: sum(each[kind] for each in medians) for kind in _KINDS}
    print(
        f"\nGoal: less than {1000 * GOAL:.0f} ms of our functions' own work, warm: "
        f"{1000 * sums['ours']:.0f} ms, {figures.verdict(sums['ours'], GOAL)}.\n"
    )
    body = [
        (pieces[0].name, *(f"{1000 * each[kind]:.0f}" for kind in _KINDS))
        for pieces, each in zip(columns, medians, strict=True)
    ]
    body.append(("together", *(f"{1000 * sums[kind]:.0f}" for kind in _KINDS)))
    print(
        figures.table(("piece, medians in ms", "the carrier", "the emulator of AWS", "our functions"), body)
    )
    print(f"\nThe order of median time:\n\n![An LSO order on its way to its label](pictures/{PICTURE})")


def _drawn(pieces: Sequence[Piece]) -> str:
    zero = pieces[0].began
    spans = [
        svg.Span(
            piece.name,
            1000 * (piece.began - zero),
            1000 * (piece.ended - zero),
            piece.kind,
            [
                (1000 * (begin - zero), 1000 * (min(end, piece.ended) - zero), kind)
                for begin, end, kind in piece.inner
                if piece.began <= begin < piece.ended
            ],
        )
        for piece in pieces
    ]
    legend = {"carrier": "the carrier", "aws": "the emulator of AWS", "ours": "our functions"}
    return svg.waterfall(
        "An LSO order on its way to its label, warm", spans, unit="ms", step=200, legend=legend
    )


if __name__ == "__main__":
    arguments.none(__doc__)
    main()

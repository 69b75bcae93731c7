"""The demo: parcels of every carrier, from create to label to the door, compared with the carriers' books.

It starts a stack of its own and posts one order of each kind. Among them are the orders of `events/orders`,
which are the examples of UBI's own document. It shows a live table of the orders and writes the labels to
`out/`. It follows two parcels of other couriers (the example of TrackingMore's own document) twice. Then all
parcels travel, faster than in life, and each event is shown with its source, webhook or poll. At the end it
compares what Parcelgate says with what the sandbox (the carriers) has in its books and knows to be true, and
what a small merchant's endpoint has heard by webhooks with the event log. It exits non-zero on any
difference.
"""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from pypdf import PdfReader
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.demo import travels
from local.demo.live import coloured, shown
from local.demo.merchant import hear_out, listen, open_shop
from local.stack import stack

OUT = Path("out")
STATE = Path(".local/demo")
ACCELERATION = 2160.0
"""A day of a parcel's life passes in forty seconds."""
ORDERS = Path("events/orders")
FOLLOWED = Path("events/trackings/trackingmore-two-parcels.json")
DEADLINE = 120.0
POLL = 0.25

Ledger = dict[str, Any]
Body = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """One order of the demo, and how it must end."""

    reference: str
    story: str
    body: Body
    status: str
    label: bool
    commits: int = 1
    problem: str | None = None


@dataclass
class Run:
    """The progress of one scenario."""

    scenario: Scenario
    started: float = field(default_factory=time.monotonic)
    order: Body = field(default_factory=dict)
    took: float | None = None
    printed: int = 0
    mismatches: list[str] = field(default_factory=list)

    @property
    def carrier(self) -> str:
        """The carrier of the order."""
        return str(self.scenario.body["carrier"])

    @property
    def settled(self) -> bool:
        """Whether the order has come to its end, its label included."""
        status = self.order.get("status")
        if status == "confirmed":
            return self.order["label"]["status"] != "pending"
        return status in {"failed", "cancelled", "needs_attention"}


def _box(weight: str, length: str, width: str, height: str) -> Body:
    return {
        "weight": {"value": weight, "unit": "kg"},
        "dimensions": {"length": length, "width": width, "height": height, "unit": "cm"},
    }


def _body(reference: str, parcels: Sequence[Body], **options: Any) -> Body:
    return {
        "carrier": "lso",
        "service": "GroundBasic",
        "reference": reference,
        "ship_to": {
            "name": "Corrie McKee",
            "company": "Lone Star Books",
            "line1": "500 E Cesar Chavez St",
            "city": "Austin",
            "state": "Texas",
            "postcode": "78701",
            "country": "US",
            "phone": "5125550100",
        },
        "parcels": list(parcels),
        **({"options": options} if options else {}),
    }


def _example(name: str, story: str) -> Scenario:
    body: Body = json.loads((ORDERS / f"{name}.json").read_text(encoding="utf-8"))
    return Scenario(body["reference"], story, body, "confirmed", True)


def _variant(name: str, reference: str, story: str) -> Scenario:
    body: Body = json.loads((ORDERS / f"{name}.json").read_text(encoding="utf-8"))
    return Scenario(reference, story, body | {"reference": reference}, "confirmed", True)


def scenarios() -> list[Scenario]:
    """Give the orders of the demo. The words `SBX-...` tell the sandbox how to behave."""
    one = [_box("1.25", "30", "20", "10")]
    three = [_box("1.25", "30", "20", "10"), _box("0.8", "25", "18", "9"), _box("4", "40", "30", "30")]
    cheap = {"amount": "0.01", "currency": "USD"}
    return [
        _example(
            "ubi-one-parcel",
            "UBI's own example; it has no return address, and Parcelgate invents none",
        ),
        _example("ubi-four-pieces", "UBI's own example of four pieces"),
        _example("lme-australia", "one parcel to Australia"),
        _variant("lme-australia", "DEMO-SBX-ATTEMPT", "nobody is at home at first; delivered in the end"),
        _variant(
            "lme-australia", "DEMO-SBX-UNSIGNED", "its webhooks are not signed; Parcelgate asks the carrier"
        ),
        Scenario("DEMO-ONE-BOX", "one box", _body("DEMO-ONE-BOX", one), "confirmed", True),
        Scenario("DEMO-THREE-BOXES", "three boxes", _body("DEMO-THREE-BOXES", three), "confirmed", True),
        Scenario(
            "DEMO-SBX-FAIL",
            "the carrier fails it later; the money comes back",
            _body("DEMO-SBX-FAIL", one),
            "failed",
            False,
            problem="refused_by_carrier",
        ),
        Scenario(
            "DEMO-SBX-NOCALLBACK",
            "the carrier's callback never comes",
            _body("DEMO-SBX-NOCALLBACK", one),
            "confirmed",
            True,
        ),
        Scenario(
            "DEMO-SBX-PENDING-2",
            "the carrier needs some time to decide",
            _body("DEMO-SBX-PENDING-2", one),
            "confirmed",
            True,
        ),
        Scenario(
            "DEMO-SBX-LOST",
            "the carrier's answer is lost; Parcelgate finds the order and does not buy it twice",
            _body("DEMO-SBX-LOST", one),
            "confirmed",
            True,
        ),
        Scenario(
            "DEMO-MAX-PRICE",
            "the price is over options.max_price; nothing is bought",
            _body("DEMO-MAX-PRICE", one, max_price=cheap),
            "failed",
            False,
            commits=0,
            problem="price_above_max",
        ),
    ]


def _table(runs: Sequence[Run]) -> Table:
    table = Table(title="Orders, live", expand=False)
    for column in (
        "carrier",
        "reference",
        "what happens",
        "status",
        "label",
        "tracking numbers",
        "price",
        "seconds",
    ):
        table.add_column(column, overflow="fold")
    colours = {"confirmed": "green", "failed": "red", "needs_attention": "magenta"}
    for run in runs:
        order = run.order
        status = order.get("status", "posting")
        price = order.get("price")
        table.add_row(
            run.carrier,
            run.scenario.reference,
            run.scenario.story,
            coloured(status, colours.get(status, "yellow")),
            order["label"]["status"] if status == "confirmed" else "",
            "\n".join(order.get("tracking_numbers", [])),
            f"{price['amount']} {price['currency']}" if price else "",
            f"{run.took if run.took is not None else time.monotonic() - run.started:.1f}",
        )
    return table


def _post(client: httpx.Client, run: Run) -> None:
    answer = client.post("/v1/orders", json=run.scenario.body)
    if answer.status_code not in {201, 202}:
        raise RuntimeError(f"{run.scenario.reference}: {answer.status_code} {answer.text}")
    run.order = answer.json()


def _follow(
    client: httpx.Client, runs: Sequence[Run], tell: Callable[[str], None], parcels: travels.Travels
) -> None:
    """Follow all orders to their ends, and print each line of their audit trails when it appears.

    The parcels of confirmed orders start to travel meanwhile.
    """
    deadline = time.monotonic() + DEADLINE
    while any(not run.settled for run in runs):
        if time.monotonic() > deadline:
            late = ", ".join(run.scenario.reference for run in runs if not run.settled)
            raise RuntimeError(f"not settled within {DEADLINE:.0f} s: {late}")
        for run in runs:
            if not run.settled:
                path = f"/v1/orders/{run.order['id']}"
                run.order = client.get(path).raise_for_status().json()
                trail = client.get(f"{path}/events").raise_for_status().json()["data"]
                for event in trail[run.printed :]:
                    words = event["detail"] or (event["carrier"] or {}).get("message") or ""
                    at = f"{time.monotonic() - parcels.began:5.1f} s"
                    tell(f"{at}  {run.scenario.reference:20} {event['type']:24} by {event['actor']}  {words}")
                run.printed = len(trail)
                if run.settled:
                    run.took = time.monotonic() - run.started
        parcels.go_on(client, tell)
        time.sleep(POLL)


def _save_label(client: httpx.Client, run: Run) -> None:
    label = client.get(f"/v1/orders/{run.order['id']}/label").raise_for_status().json()
    path = OUT / f"{run.scenario.reference}.pdf"
    path.write_bytes(httpx.get(label["url"]).raise_for_status().content)
    pages = len(PdfReader(path).pages)
    if pages != len(run.scenario.body["parcels"]):
        run.mismatches.append(f"{path} has {pages} pages")


def _compare(run: Run, ledgers: Ledger) -> None:
    """Compare what Parcelgate says of one order with its carrier's books."""
    scenario, order = run.scenario, run.order
    booked = [entry for entry in ledgers[run.carrier]["orders"] if entry["reference"] == scenario.reference]
    say = run.mismatches.append
    if order["status"] != scenario.status:
        say(f"is {order['status']}, expected {scenario.status}")
    if len(booked) != scenario.commits:
        say(f"the carrier has it {len(booked)} times, expected {scenario.commits}")
    if (order["problem"] or {}).get("code") != scenario.problem:
        say(f"problem is {order['problem']}, expected {scenario.problem}")
    if scenario.label and order["label"]["status"] != "ready":
        say(f"label is {order['label']['status']}")
    for entry in booked:
        numbers = [parcel["tracking_number"] for parcel in entry["parcels"]]
        if scenario.status == "confirmed" and numbers != order["tracking_numbers"]:
            say(f"tracking numbers {order['tracking_numbers']}, the carrier says {numbers}")
        if Decimal(entry["held"]):
            say(f"the carrier still holds {entry['held']}")
        paid = Decimal(order["price"]["amount"]) if order["price"] else Decimal(0)
        if scenario.status == "confirmed" and Decimal(entry["charged"]) != paid:
            say(f"price {order['price']}, the carrier charged {entry['charged']}")


def _follow_others(client: httpx.Client, console: Console) -> list[Body]:
    """Follow the parcels of the document's example twice, and return their trackings."""
    body = json.loads(FOLLOWED.read_text(encoding="utf-8"))
    first, again = (client.post("/v1/trackings", json=body) for _ in range(2))
    console.print(
        f"followed {len(body)} parcels of other couriers: {first.status_code}, again: {again.status_code}"
    )
    if (first.status_code, again.status_code) != (201, 201):
        raise RuntimeError(f"{first.text} {again.text}")
    trackings: list[Body] = first.json()["data"]
    if [one["id"] for one in trackings] != [one["id"] for one in again.json()["data"]]:
        raise RuntimeError("the second call made new trackings")
    return trackings


def _parcels(client: httpx.Client, runs: Sequence[Run]) -> list[Body]:
    """Return the trackings of all confirmed orders."""
    confirmed = [run.order["id"] for run in runs if run.order["status"] == "confirmed"]
    answers = [client.get(f"/v1/orders/{order_id}/tracking").raise_for_status() for order_id in confirmed]
    return [tracking for answer in answers for tracking in answer.json()["data"]]


def _arrived(console: Console, parcels: Sequence[Body], truth: Ledger) -> bool:
    """Compare every timeline with what truly happened; return whether all are true."""
    good = True
    for parcel in parcels:
        number = parcel["tracking_number"]
        known = [one for one in truth[parcel["carrier"]] if one["tracking_number"] == number]
        wrong = (
            travels.differences(parcel, known[0])
            if len(known) == 1
            else [f"the carrier has {len(known)} parcels of that number"]
        )
        good = good and not wrong
        mark = _mark(not wrong)
        by = ", ".join(sorted({event["source"] for event in parcel["events"]}))
        words = "; ".join(wrong) or f"{len(parcel['events'])} events by {by}, all of them true"
        console.print(mark + f"{parcel['carrier']} {number}: {parcel['status']}, {words}", soft_wrap=True)
    return good


def _mark(good: bool) -> Text:
    return Text("✓ ", style="green") if good else Text("✗ ", style="red")


def _summary(console: Console, runs: Sequence[Run], ledgers: Ledger) -> bool:
    good = True
    for run in runs:
        words = "; ".join(run.mismatches) or "as it should be"
        mark = _mark(not run.mismatches)
        console.print(mark + f"{run.scenario.reference}: {run.order['status']}, {words}", soft_wrap=True)
        for warning in run.order["warnings"]:
            console.print(
                f"    warning: {warning['pointer']} {warning['message']}", style="dim", markup=False
            )
    for carrier, ledger in ledgers.items():
        known = {run.scenario.reference for run in runs if run.carrier == carrier}
        money, orders, twice = ledger["money"], ledger["orders"], ledger["duplicates"]
        strangers = {entry["reference"] for entry in orders} - known
        console.print(
            f"{carrier}'s books: {len(orders)} orders, {money['charged']} charged, "
            f"{money['returned']} returned, {money['held']} still held."
        )
        for wrong in (*strangers, *twice):
            console.print(
                _mark(good=False) + f"{carrier} has {wrong}, which it should not have", soft_wrap=True
            )
        good = good and not (strangers or twice or Decimal(money["held"]))
    return good and not any(run.mismatches for run in runs)


def _carriers_clock(sandbox_url: str) -> Callable[[float], None]:
    """Return a function that lets the sandbox's clock run for some seconds and then stops it."""

    def run_on(seconds: float) -> None:
        httpx.post(f"{sandbox_url}/_sandbox/run", json={"seconds": seconds}, timeout=60).raise_for_status()

    return run_on


def main() -> int:
    """Run the demo; return 0 when everything ended as it should."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    began = time.monotonic()
    OUT.mkdir(exist_ok=True)
    with stack.running(STATE, acceleration=ACCELERATION) as running, open_shop() as merchant:
        ready = time.monotonic()
        headers = {"Authorization": f"Bearer {running.api_key}"}
        with httpx.Client(base_url=running.api_url, headers=headers, timeout=60) as client:
            listen(client, merchant)
            runs = [Run(scenario) for scenario in scenarios()]
            run_on = _carriers_clock(running.sandbox_url)
            on_their_way = travels.Travels(stack.PollRounds(STATE), run_on)
            run_on(travels.STEP)
            with ThreadPoolExecutor(len(runs)) as pool:
                list(pool.map(lambda run: _post(client, run), runs))
            with shown(console, lambda: _table(runs)) as tell:
                _follow(client, runs, tell, on_their_way)
            for run in runs:
                if run.order["label"]["status"] == "ready":
                    _save_label(client, run)
            labelled = time.monotonic()
            for parcel in (*_parcels(client, runs), *_follow_others(client, console)):
                on_their_way.parcels.setdefault(parcel["id"], parcel)
            travels.travel(on_their_way, client, console)
            unheard = hear_out(client, merchant)
        truth = httpx.get(f"{running.sandbox_url}/_sandbox/truth").raise_for_status().json()
        ledgers = httpx.get(f"{running.sandbox_url}/_sandbox/ledger").raise_for_status().json()
        for run in runs:
            _compare(run, ledgers)
        done = time.monotonic()
        good = _summary(console, runs, ledgers)
        good = _arrived(console, [*on_their_way.parcels.values()], truth) and good
        words = "; ".join(unheard) or f"{merchant.summary()}, as the event log has it"
        console.print(_mark(not unheard) + f"the merchant's endpoint heard {words}", soft_wrap=True)
        good = good and not unheard
    console.print(
        f"Stack ready after {ready - began:.1f} s; {len(runs)} orders in {labelled - ready:.1f} s, their "
        f"labels in {OUT}/; {len(on_their_way.parcels)} parcels at their ends {done - labelled:.1f} s later."
    )
    return 0 if good else 1

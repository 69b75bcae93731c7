"""The demo's second half: parcels on their way, the source of each event, and whether each event is true.

Parcels start to travel while other orders are not settled yet, so the demo follows them from the first order
on. The sandbox lets a day pass in forty seconds. EventBridge Scheduler cannot start anything more often than
once a minute, so this module takes its place: it starts the same poll workflow again and again.

The carriers' clock waits for the polls: with each round it may run for `STEP` seconds, and then it
stops until the round is over. So a parcel is polled several times on its way, however slow the
machine is.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import httpx
from rich.console import Console
from rich.table import Table

from local.demo.live import coloured, shown

Body = dict[str, Any]

POLL_EVERY = 3.0
STEP = 4.0
"""Seconds of the carriers' clock for each round; more than `POLL_EVERY`, so that the clock seldom stops."""
LOOK_EVERY = 0.5
MOST_ROUNDS = 100
"""At least five minutes, because an aggregator that is called too fast demands a pause of two."""
FINAL = {"delivered", "returned", "lost", "cancelled", "expired"}
_COLOURS = {"delivered": "green", "out_for_delivery": "cyan", "exception": "red", "attempt_failed": "magenta"}


class Rounds(Protocol):
    """Rounds of polls; one runs at a time."""

    def start(self) -> None:
        """Start a round."""

    def is_over(self) -> bool:
        """Whether none is running."""


@dataclass
class Travels:
    """All parcels on their way, as Parcelgate shows them, from the first order on.

    `run_on` lets the carriers' clock run for some seconds and then stops it.
    """

    rounds: Rounds
    run_on: Callable[[float], None]
    parcels: dict[str, Body] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    _printed: dict[str, set[str]] = field(default_factory=dict)
    rounds_made: int = 0
    _polled: float = 0.0
    _looked: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to any of them."""
        return all(parcel["status"] in FINAL for parcel in self.parcels.values())

    def go_on(self, client: httpx.Client, tell: Callable[[str], None]) -> None:
        """Start a round of polls, and look at all parcels, each if its time has come."""
        now = time.monotonic()
        if now - self._polled > POLL_EVERY and self.rounds.is_over():
            self.run_on(STEP)
            self.rounds.start()
            self.rounds_made += 1
            self._polled = now
        if now - self._looked > LOOK_EVERY:
            self.look(client, tell)
            self._looked = time.monotonic()

    def look(self, client: httpx.Client, tell: Callable[[str], None]) -> None:
        """Read the timelines of all parcels, and print each new event."""
        for parcel in _listed(client):
            self.parcels[parcel["id"]] = parcel
            printed = self._printed.setdefault(parcel["id"], set())
            for event in parcel["events"]:
                if event["id"] not in printed:
                    printed.add(event["id"])
                    tell(self._line(parcel, event))

    def _line(self, parcel: Body, event: Body) -> str:
        at = f"{time.monotonic() - self.began:5.1f} s"
        status = event["status"] or f"unknown code {event['code']}"
        number = parcel["tracking_number"]
        return (
            f"{at}  {parcel['carrier']:12} {number:24} {status:20} {event['source']:8} {event['description']}"
        )

    def table(self) -> Table:
        """Return a table with the state of all parcels."""
        table = Table(title="Parcels, live", expand=False)
        for column in ("carrier", "number", "status", "events by webhook", "by poll", "newest event"):
            table.add_column(column, overflow="fold")
        for parcel in self.parcels.values():
            by = Counter(event["source"] for event in parcel["events"])
            status = parcel["status"]
            newest = parcel["events"][-1] if parcel["events"] else None
            table.add_row(
                parcel["carrier"],
                parcel["tracking_number"],
                coloured(status, _COLOURS.get(status, "yellow")),
                str(by["webhook"] or ""),
                str(by["poll"] or ""),
                f"{newest['description']} ({newest['source']})" if newest else "",
            )
        return table


def travel(travels: Travels, client: httpx.Client, console: Console) -> None:
    """Follow all parcels to their ends."""
    last = travels.rounds_made + MOST_ROUNDS
    with shown(console, travels.table) as tell:
        while not travels.ended:
            if travels.rounds_made > last:
                late = [
                    one["tracking_number"] for one in travels.parcels.values() if one["status"] not in FINAL
                ]
                words = f"these parcels have not arrived after {MOST_ROUNDS} rounds of polls"
                raise RuntimeError(f"{words}: {', '.join(late)}")
            travels.go_on(client, tell)
            time.sleep(LOOK_EVERY)


def differences(parcel: Body, truth: Body) -> list[str]:
    """Return where a parcel's timeline differs from what truly happened, by instant (to the second) and code.

    An aggregator's first event says that nothing is known of the parcel yet. It is left out.
    """
    happened = {(_second(event["at"]), event["code"]) for event in truth["events"]}
    events = [event for event in parcel["events"] if event["status"] != "pending"]
    timeline = [(_second(event["at"]), event["code"]) for event in events]
    return [
        *(f"missing: {_named(event)}" for event in sorted(happened - set(timeline))),
        *(f"invented: {_named(event)}" for event in sorted(set(timeline) - happened)),
        *(f"twice: {_named(event)}" for event, times in Counter(timeline).items() if times > 1),
        *(["not in order of time"] if timeline != sorted(timeline, key=lambda event: event[0]) else []),
    ]


def _listed(client: httpx.Client) -> list[Body]:
    trackings: list[Body] = []
    cursor: str | None = None
    while True:
        query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/trackings", params=query).raise_for_status().json()
        trackings += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return trackings


def _second(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(microsecond=0)


def _named(event: tuple[datetime, str]) -> str:
    return f"{event[1]} at {event[0]:%H:%M:%S}"

"""The demo's second half: parcels on their way, who told of each event, and whether all of it is true.

The sandbox lets a day pass in forty seconds. EventBridge Scheduler cannot start anything more often than
once a minute, so this plays the scheduler: it starts the very same poll workflow every few seconds.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from local.live import coloured, shown

Body = dict[str, Any]

POLL_EVERY = 3.0
LOOK_EVERY = 0.5
DEADLINE = 300.0
"""Seconds; an aggregator that is asked too fast wants two minutes of silence, which still has to fit in."""
FINAL = {"delivered", "returned", "lost", "cancelled", "expired"}
_COLOURS = {"delivered": "green", "out_for_delivery": "cyan", "exception": "red", "attempt_failed": "magenta"}


@dataclass
class Travels:
    """All parcels on their way, as Parcelgate tells of them."""

    parcels: dict[str, Body]
    told: dict[str, set[str]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to any of them."""
        return all(parcel["status"] in FINAL for parcel in self.parcels.values())

    def look(self, client: httpx.Client, tell: Callable[[str], None]) -> None:
        """Read all parcels' timelines anew, and tell each event that is new."""
        for parcel in _listed(client):
            if parcel["id"] not in self.parcels:
                continue
            self.parcels[parcel["id"]] = parcel
            told = self.told.setdefault(parcel["id"], set())
            for event in parcel["events"]:
                if event["id"] not in told:
                    told.add(event["id"])
                    tell(self._line(parcel, event))

    def _line(self, parcel: Body, event: Body) -> str:
        at = f"{time.monotonic() - self.began:5.1f} s"
        status = event["status"] or f"unknown code {event['code']}"
        number = parcel["tracking_number"]
        return (
            f"{at}  {parcel['carrier']:12} {number:24} {status:20} {event['source']:8} {event['description']}"
        )

    def table(self) -> Table:
        """How all parcels stand."""
        table = Table(title="Parcels, live", expand=False)
        for column in ("carrier", "number", "status", "events by webhook", "by poll", "the newest"):
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


def travel(
    client: httpx.Client, parcels: Sequence[Body], console: Console, poll: Callable[[], None]
) -> Travels:
    """Follow `parcels` to their ends; `poll` starts the poll workflow."""
    travels = Travels({parcel["id"]: parcel for parcel in parcels})
    deadline, polled = time.monotonic() + DEADLINE, 0.0
    with shown(console, travels.table) as tell:
        while not travels.ended:
            now = time.monotonic()
            if now > deadline:
                late = [
                    one["tracking_number"] for one in travels.parcels.values() if one["status"] not in FINAL
                ]
                raise RuntimeError(f"not at their ends within {DEADLINE:.0f} s: {', '.join(late)}")
            if now - polled > POLL_EVERY:
                poll()
                polled = now
            travels.look(client, tell)
            time.sleep(LOOK_EVERY)
    return travels


def differences(parcel: Body, truth: Body) -> list[str]:
    """Where a parcel's timeline is not what truly happened, by instant (to the second) and code.

    That nothing is known yet of a parcel, as an aggregator says at first, is nothing that happened to it.
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
    found: list[Body] = []
    cursor: str | None = None
    while True:
        query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/trackings", params=query).raise_for_status().json()
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _second(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(microsecond=0)


def _named(event: tuple[datetime, str]) -> str:
    return f"{event[1]} at {event[0]:%H:%M:%S}"

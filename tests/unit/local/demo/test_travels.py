"""The demo's parcels on their way: several looks at each, however slow the machine is."""

import io
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest
from rich.console import Console

from local.demo import demo, travels
from sandbox.controls import clock
from sandbox.parcels.routes import Place, journey, so_far

HOUSTON, WACO, AUSTIN = Place("Houston", "TX"), Place("Waco", "TX"), Place("Austin", "TX")
UNKNOWN: dict[str, Any] = {
    "id": "trk_1", "carrier": "lso", "tracking_number": "ZQ1", "status": "pending", "events": []
}  # fmt: skip


class Machine:
    """One parcel of a carrier that is asked, and rounds of polls that each take so many seconds.

    A round asks just before it ends: by then most has happened since the round before.
    """

    def __init__(self, round_seconds: float) -> None:
        self.moment = 1000.0
        self.takes = round_seconds
        self.began: float | None = None
        self.heard = [0]
        """How many events were known after each round."""

    def set_off(self) -> None:
        """Let the carrier's clock begin, and with it the way of its parcel."""
        self.carriers = clock.Clock()
        began = self.carriers.now()
        self.way = journey("ZQ1", began, HOUSTON, AUSTIN, demo.ACCELERATION, hub=WACO)

    def time(self) -> float:
        return datetime(2026, 11, 21, tzinfo=UTC).timestamp() + self.moment

    def monotonic(self) -> float:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.moment += seconds

    def start(self) -> None:
        assert self.began is None, "two rounds at once"
        self.began = self.moment

    def is_over(self) -> bool:
        if self.began is not None and self.moment >= self.began + self.takes:
            self.began = None
            self.heard.append(len(so_far(self.way, self.carriers.now())))
        return self.began is None

    def answer(self, _: httpx.Request) -> httpx.Response:
        known = self.way[: self.heard[-1]]
        events = [
            {"id": str(place), "status": event.stage, "source": "poll", "description": "", "code": ""}
            for place, event in enumerate(known)
        ]
        status = "delivered" if len(known) == len(self.way) else "in_transit"
        page = {"data": [UNKNOWN | {"status": status, "events": events}], "next_cursor": None}
        return httpx.Response(200, json=page)


@pytest.mark.parametrize("round_seconds", [0.5, 8, 45, 300])
def test_a_parcel_that_is_asked_about_moves_as_it_goes_and_not_in_one_jump(
    round_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(round_seconds)
    monkeypatch.setattr(travels, "time", machine)
    monkeypatch.setattr(clock, "time", machine)
    machine.set_off()
    parcels = travels.Travels(machine, machine.carriers.run, {"trk_1": UNKNOWN})

    with httpx.Client(base_url="http://api", transport=httpx.MockTransport(machine.answer)) as client:
        travels.travel(parcels, client, Console(file=io.StringIO()))

    news = [after - before for before, after in pairwise(machine.heard) if after > before]
    assert sum(news) == len(machine.way) == 9
    assert max(news) <= 2, news


def test_parcels_that_never_come_are_given_up_by_rounds_and_not_by_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(60)
    monkeypatch.setattr(travels, "time", machine)
    monkeypatch.setattr(clock, "time", machine)
    machine.set_off()
    machine.way = machine.way[:1]
    machine.answer = lambda _: httpx.Response(200, json={"data": [], "next_cursor": None})  # type: ignore[method-assign]
    parcels = travels.Travels(machine, machine.carriers.run, {"trk_1": UNKNOWN})

    with (
        httpx.Client(base_url="http://api", transport=httpx.MockTransport(machine.answer)) as client,
        pytest.raises(RuntimeError, match="these parcels have not arrived after 100 rounds of polls: ZQ1"),
    ):
        travels.travel(parcels, client, Console(file=io.StringIO()))

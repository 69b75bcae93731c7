"""However many workers ask, a carrier hears no more of an account than it allows: promise 9."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.limits import Limits
from parcelgate.carriers.results import ParcelHistory
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.domain.deadline import Deadline
from parcelgate.services.accounts.carriers import LANE_USE, RateLimitedTransport
from tests.support.world import World

LIST = Request(call="trackingmore.get", method="GET", url="https://carrier.example/list", lane="list")
ONE = Request(call="lme.route", method="POST", url="https://carrier.example/route")


class Ledger:
    """The carrier's side: when it was called. Another worker may begin during any of its calls."""

    def __init__(self, world: World) -> None:
        self.calls: list[datetime] = []
        self.meanwhile: list[Any] = []
        self._world = world

    def send(self, request: Request) -> Response:
        self.calls.append(self._world.clock.now)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return Response(status=200)


class Asked:
    """An adapter that asks once for everything."""

    def __init__(self, transport: RateLimitedTransport, request: Request) -> None:
        self._transport = transport
        self._request = request

    def track(self, numbers: Sequence[str]) -> list[ParcelHistory]:
        self._transport.send(self._request)
        return []


def workers(world: World, ledger: Ledger, limits: Limits, request: Request) -> Any:
    def tracker(name: AccountName, deadline: Deadline) -> Asked:
        transport = RateLimitedTransport(
            lambda: ledger,
            carrier=name.carrier,
            limits=limits,
            account=world.table.tenant(name.tenant).limits(name.carrier, name.account),
            deadline=deadline,
            clock=world.clock,
            sleep=world.clock.sleep,
        )
        return Asked(transport, request)

    return lambda: world.poll_worker(carriers=SimpleNamespace(tracker=tracker))


def test_the_list_of_an_aggregator_is_read_once_a_second_by_all_workers_together(world: World) -> None:
    parcels = [
        parcel
        for number in range(120)
        for parcel in world.due_parcels(
            carrier="trackingmore", carrier_code="usps", tracking_number=f"T{number}"
        )
    ]
    ledger = Ledger(world)
    worker = workers(world, ledger, Limits(rate=10, burst=20, lanes={"list": 1.0}), LIST)
    ledger.meanwhile = [
        lambda: world.poll(worker(), share=(1, 2)),
        lambda: world.poll(worker(), share=(0, 2)),
    ]
    world.poll(worker(), share=(0, 2))
    world.poll(worker(), share=(1, 2))
    assert 3 <= len(ledger.calls) <= 6, "forty in a call, and a few in the last of a share"
    gaps = [(after - before).total_seconds() for before, after in pairwise(ledger.calls)]
    assert min(gaps) >= 1 / LANE_USE - 0.002
    assert all(world.time_to_poll(parcel) > timedelta(minutes=5) for parcel in parcels)


def test_a_carrier_that_is_asked_one_by_one_hears_no_more_than_its_rate(world: World) -> None:
    world.due_parcels(50, carrier="lme")
    ledger = Ledger(world)
    worker = workers(world, ledger, Limits(rate=5, burst=10), ONE)
    ledger.meanwhile = [lambda: world.poll(worker())] * 3
    world.poll(worker())
    assert len(ledger.calls) == 50
    for first, began in enumerate(ledger.calls):
        for last, ended in enumerate(ledger.calls[first:], first):
            assert last - first + 1 <= 10 + 5 * (ended - began).total_seconds() + 0.01

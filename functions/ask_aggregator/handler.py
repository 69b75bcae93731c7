"""What an aggregator can be asked that is about no tracking: routes, places, waybills, its own books."""

from collections.abc import Callable
from typing import Any

from parcelgate.carriers.port import Aggregates
from parcelgate.domain.clock import now
from parcelgate.http.api import Answer, Api, Call, answer
from parcelgate.http.idempotency import do_once
from parcelgate.http.requests.queries import read_account_query
from parcelgate.http.requests.trackings import read_air_waybill, read_areas, read_number, read_route
from parcelgate.http.resources import (
    CourierList,
    RemoteAreas,
    Told,
    TrackingCounts,
    TransitTimesResource,
)
from parcelgate.services.trackings.subscriptions import wired

CARRIER_SECONDS = 12.0
"""How long the client waits for the aggregator."""

api = Api()


@api.route("POST /v1/trackings/transit-times", scope="trackings:read")
def tell_transit_times(call: Call) -> Answer:
    """Give how long parcels take on a route."""

    def tell() -> Answer:
        account, route = read_route(call.body)
        (times,) = _ask(call, account, lambda aggregator: aggregator.transit_times([route]))
        return answer(TransitTimesResource(times))

    return _once(call, tell)


@api.route("POST /v1/trackings/remote-areas", scope="trackings:read")
def tell_remote_areas(call: Call) -> Answer:
    """Give which places couriers call remote."""
    account = _account(call)

    def tell() -> Answer:
        areas = read_areas(call.body)
        return answer(RemoteAreas(tuple(_ask(call, account, lambda one: one.remote_areas(areas)))))

    return _once(call, tell)


@api.route("POST /v1/trackings/detect", scope="trackings:read")
def detect_courier(call: Call) -> Answer:
    """Give whose a number may be."""

    def detect() -> Answer:
        account, number = read_number(call.body)
        return answer(CourierList(tuple(_ask(call, account, lambda one: one.detect(number)))))

    return _once(call, detect)


@api.route("GET /v1/trackings/air-cargo/{awb}", scope="trackings:read")
def read_air_cargo(call: Call) -> Answer:
    """Give the journey of an air waybill."""
    account, awb = _account(call), read_air_waybill(call.parameters["awb"])
    return answer(Told(_ask(call, account, lambda aggregator: aggregator.air_cargo(awb))))


@api.route("GET /v1/trackings/usage", scope="trackings:read")
def read_usage(call: Call) -> Answer:
    """Give what is left of the account's quota."""
    return answer(Told(_ask(call, _account(call), lambda aggregator: aggregator.usage())))


@api.route("GET /v1/trackings/summary", scope="trackings:read")
def read_summary(call: Call) -> Answer:
    """Give how many of the account's parcels stand how."""
    counts: Any = _ask(call, _account(call), lambda aggregator: aggregator.counts())
    return answer(TrackingCounts(counts))


def _ask[T](call: Call, account: str, question: Callable[[Aggregates], T]) -> T:
    return wired().ask(call.tenant, account, question, call.within(CARRIER_SECONDS))


def _account(call: Call) -> str:
    return read_account_query(call.query) or "default"


def _once(call: Call, work: Callable[[], Answer]) -> Answer:
    _ = call.body  # what is no JSON says nothing about an earlier request
    return do_once(call, wired().table.tenant(call.tenant), now(), work)


handler = api.handler

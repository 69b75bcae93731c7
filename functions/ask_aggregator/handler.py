"""Questions to an aggregator that are not about a tracking: transit times, remote areas, couriers, quota."""

from collections.abc import Callable
from typing import Any

from parcelgate.carriers.port import Aggregates
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.queries.plain import read_account_query, read_courier_query
from parcelgate.http.requests.trackings import NumberInput, RouteInput, read, read_air_waybill, read_areas
from parcelgate.http.resources.aggregator import (
    AggregatorWords,
    CourierList,
    RemoteAreas,
    TrackingCounts,
    TransitTimesResource,
)
from parcelgate.runtime import runtime
from parcelgate.services.trackings.subscriptions import TrackingSubscriptions

CARRIER_SECONDS = 12.0
"""How long the client waits for the aggregator."""

api = Api("ask_aggregator", limits=lambda: runtime.rate_limiter)


@api.route
def read_transit_times(request: Request) -> Answer:
    """Give how long parcels take on a route."""

    def tell() -> Answer:
        question = read(RouteInput, request.body)
        route = question.to_domain()
        (times,) = _ask(request, question.account, lambda aggregator: aggregator.transit_times([route]))
        return answer(TransitTimesResource(times))

    return _once(request, tell)


@api.route
def read_remote_areas(request: Request) -> Answer:
    """Give which places couriers call remote."""
    account = _account(request)

    def tell() -> Answer:
        areas = read_areas(request.body)
        return answer(RemoteAreas(tuple(_ask(request, account, lambda one: one.remote_areas(areas)))))

    return _once(request, tell)


@api.route
def detect_courier(request: Request) -> Answer:
    """Name the couriers that a number may belong to."""

    def detect() -> Answer:
        question = read(NumberInput, request.body)
        subscriptions: TrackingSubscriptions = runtime.tracking_subscriptions
        deadline = request.within(CARRIER_SECONDS)
        likely = subscriptions.detect(request.tenant, question.account, question.tracking_number, deadline)
        return answer(CourierList(tuple(likely)))

    return _once(request, detect)


@api.route
def list_couriers(request: Request) -> Answer:
    """Name the couriers that the aggregator knows."""
    subscriptions: TrackingSubscriptions = runtime.tracking_subscriptions
    account, lang = read_courier_query(request.query)
    couriers = subscriptions.couriers(request.tenant, account, lang, request.within(CARRIER_SECONDS))
    return answer(CourierList(tuple(couriers)))


@api.route
def read_air_cargo(request: Request) -> Answer:
    """Give the journey of an air waybill."""
    account, awb = _account(request), read_air_waybill(request.parameters["awb"])
    return answer(AggregatorWords(_ask(request, account, lambda aggregator: aggregator.air_cargo(awb))))


@api.route
def read_usage(request: Request) -> Answer:
    """Give what is left of the account's quota."""
    return answer(AggregatorWords(_ask(request, _account(request), lambda aggregator: aggregator.usage())))


@api.route
def read_summary(request: Request) -> Answer:
    """Give how many of the account's parcels are in each status."""
    counts: Any = _ask(request, _account(request), lambda aggregator: aggregator.counts())
    return answer(TrackingCounts(counts))


def _ask[T](request: Request, account: str, question: Callable[[Aggregates], T]) -> T:
    subscriptions: TrackingSubscriptions = runtime.tracking_subscriptions
    return subscriptions.ask(request.tenant, account, question, request.within(CARRIER_SECONDS))


def _account(request: Request) -> str:
    return read_account_query(request.query) or "default"


def _once(request: Request, work: Callable[[], Answer]) -> Answer:
    return do_once(request, runtime.tracking_subscriptions.table.tenant(request.tenant), work)


handler = api.handler

"""`POST /v1/trackings`: follow anybody's parcels."""

from parcelgate.domain.problems import ProblemError
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.trackings import Several, SubscriptionInput, read, read_subscriptions
from parcelgate.http.resources.trackings import (
    TrackingList,
    TrackingResource,
    TrackingResult,
    tracking_resource,
    tracking_results,
)
from parcelgate.runtime import runtime
from parcelgate.services.accounts.rates import Kind
from parcelgate.services.trackings.subscriptions import Subscribed, Subscription, TrackingSubscriptions

CARRIER_SECONDS = 12.0
"""How long the client waits for the aggregator; each parcel is then stored by itself."""

api = Api(
    "follow_parcels",
    tokens=lambda: runtime.table.page_tokens.first_token,
    limits=lambda: runtime.rate_limiter,
)


@api.route
def follow_parcels(request: Request) -> Answer:
    """Follow one parcel, or each of a list for itself."""
    subscriptions = runtime.tracking_subscriptions

    def follow() -> Answer:
        # Read first: a body that is no list of parcels must not count for the length that it claims.
        if isinstance(request.body, list):
            several = read_subscriptions(request.body)
            request.spend(Kind.REFRESHES, len(several.entries))
            return _follow_several(request, subscriptions, several)
        one = read(SubscriptionInput, request.body).to_domain()
        request.spend(Kind.REFRESHES)
        return _follow_one(request, subscriptions, one)

    return do_once(request, subscriptions.table.tenant(request.tenant), follow)


def _follow_one(request: Request, subscriptions: TrackingSubscriptions, subscription: Subscription) -> Answer:
    (result,) = subscriptions.follow(request.tenant, [subscription], request.within(CARRIER_SECONDS))
    if isinstance(result, ProblemError):
        raise result
    resource = _resources(request, subscriptions, [result])[result.tracking.id]
    return answer(resource, _status(result), {"location": f"/v1/trackings/{result.tracking.id}"})


def _follow_several(
    request: Request, subscriptions: TrackingSubscriptions, entries: Several[Subscription]
) -> Answer:
    results = entries.answered(
        subscriptions.follow(request.tenant, entries.good, request.within(CARRIER_SECONDS))
    )
    taken = [result for result in results if isinstance(result, Subscribed)]
    resources = _resources(request, subscriptions, taken)
    if len(taken) == len(results):
        return answer(TrackingList(tuple(resources[one.tracking.id] for one in taken)), 201)
    subscriptions.raise_if_all_unavailable(results)

    def shown(result: Subscribed) -> TrackingResult:
        return TrackingResult(status=_status(result), tracking=resources[result.tracking.id])

    return answer(tracking_results(results, request.site, shown), 207)


def _resources(
    request: Request, subscriptions: TrackingSubscriptions, taken: list[Subscribed]
) -> dict[str, TrackingResource]:
    planned = subscriptions.planned(request.tenant, [one.tracking for one in taken])
    return {tracking.id: tracking_resource(tracking, at, site=request.site) for tracking, at in planned}


def _status(taken: Subscribed) -> int:
    return 200 if taken.already else 201


handler = api.handler

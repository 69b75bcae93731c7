"""`POST /v1/trackings`: follow anybody's parcels."""

from parcelgate.domain.clock import now
from parcelgate.domain.problems import ProblemError
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request
from parcelgate.http.idempotency import do_once
from parcelgate.http.requests.trackings import Several, read_following, read_followings
from parcelgate.http.resources.trackings import (
    TrackingList,
    TrackingResource,
    TrackingResult,
    TrackingResults,
    failed_result,
    tracking_resource,
)
from parcelgate.runtime import runtime
from parcelgate.services.trackings.subscriptions import Followings, Taken, Wanted

CARRIER_SECONDS = 12.0
"""How long the client waits for the aggregator; each parcel is then stored by itself."""

api = Api("follow_parcels")


@api.route
def follow_parcels(request: Request) -> Answer:
    """Follow one parcel, or each of a list for itself."""
    followings = runtime.tracking_subscriptions

    def follow() -> Answer:
        if isinstance(request.body, list):
            return _follow_several(request, followings, read_followings(request.body))
        return _follow_one(request, followings, read_following(request.body))

    _ = request.body  # what is no JSON says nothing about an earlier request
    return do_once(request, followings.table.tenant(request.tenant), now(), follow)


def _follow_one(request: Request, followings: Followings, wanted: Wanted) -> Answer:
    (result,) = followings.follow(request.tenant, [wanted], request.within(CARRIER_SECONDS))
    if isinstance(result, ProblemError):
        raise result
    resource = _resources(request, followings, [result])[result.tracking.id]
    return answer(resource, _status(result), {"location": f"/v1/trackings/{result.tracking.id}"})


def _follow_several(request: Request, followings: Followings, wanted: Several[Wanted]) -> Answer:
    told = followings.follow(request.tenant, wanted.good, request.within(CARRIER_SECONDS))
    results = wanted.answered(told)
    taken = [result for result in results if isinstance(result, Taken)]
    shown = _resources(request, followings, taken)
    if len(taken) == len(results):
        return answer(TrackingList(tuple(shown[one.tracking.id] for one in taken)), 201)
    followings.raise_if_none_was_heard(results)
    data = tuple(
        TrackingResult(status=_status(result), tracking=shown[result.tracking.id])
        if isinstance(result, Taken)
        else failed_result(result, request.site)
        for result in results
    )
    return answer(TrackingResults(data), 207)


def _resources(request: Request, followings: Followings, taken: list[Taken]) -> dict[str, TrackingResource]:
    planned = followings.planned(request.tenant, [one.tracking for one in taken])
    return {tracking.id: tracking_resource(tracking, at) for tracking, at in planned}


def _status(taken: Taken) -> int:
    return 200 if taken.already else 201


handler = api.handler

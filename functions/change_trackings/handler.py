"""The calls that change one tracking or several: change, pause, refresh, delete."""

from collections.abc import Callable

from parcelgate.domain.problems import RETRY_SECONDS, ProblemError
from parcelgate.domain.trackings import Tracking
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.trackings import RefreshInput, TrackingPatch, read, read_changes, read_names
from parcelgate.http.resources.trackings import (
    TrackingResource,
    TrackingResult,
    tracking_resource,
    tracking_results,
)
from parcelgate.runtime import runtime
from parcelgate.services.accounts.rates import Kind
from parcelgate.services.trackings.subscriptions import TrackingSubscriptions

CARRIER_SECONDS = 12.0
"""How long the client waits for the aggregator; each parcel is then written by itself."""

api = Api(
    "change_trackings", tokens=lambda: runtime.table.page_tokens.token, limits=lambda: runtime.rate_limiter
)


@api.route
def change_tracking(request: Request) -> Answer:
    """Change what is known of a parcel, or with which courier it is followed."""

    def change(subscriptions: TrackingSubscriptions) -> Answer:
        changes = [(request.parameters["id"], read(TrackingPatch, request.body).to_domain())]
        (result,) = subscriptions.change(request.tenant, changes, request.within(CARRIER_SECONDS))
        return answer(_shown(request, subscriptions, result))

    return _once(request, change)


@api.route
def forget_tracking(request: Request) -> Answer:
    """Stop following a parcel, and forget it."""
    names = [request.parameters["id"]]
    (result,) = runtime.tracking_subscriptions.forget(request.tenant, names, request.within(CARRIER_SECONDS))
    if isinstance(result, ProblemError):
        raise result
    return Answer(status=204)


@api.route
def pause_tracking(request: Request) -> Answer:
    """Stop asking about a parcel."""

    def pause(subscriptions: TrackingSubscriptions) -> Answer:
        tracking = subscriptions.pause(
            request.tenant, request.parameters["id"], request.within(CARRIER_SECONDS)
        )
        return answer(_shown(request, subscriptions, tracking))

    return _once(request, pause)


@api.route
def refresh_tracking(request: Request) -> Answer:
    """Have a parcel asked about now: by a poll at once, or by the aggregator while the client waits."""

    def refresh(subscriptions: TrackingSubscriptions) -> Answer:
        request.spend(Kind.REFRESHES)
        tracking_id = request.parameters["id"]
        headers = {"location": f"/v1/trackings/{tracking_id}"}
        if read(RefreshInput, request.body).realtime:
            tracking = subscriptions.ask_courier(request.tenant, tracking_id, request.within(CARRIER_SECONDS))
        else:
            tracking = subscriptions.refresh(request.tenant, tracking_id)
            headers["retry-after"] = str(RETRY_SECONDS)
        return answer(_shown(request, subscriptions, tracking), 202, headers)

    return _once(request, refresh)


@api.route
def change_trackings(request: Request) -> Answer:
    """Change several trackings, each for itself."""

    def change(subscriptions: TrackingSubscriptions) -> Answer:
        changes = read_changes(request.body)
        results = changes.answered(
            subscriptions.change(request.tenant, changes.good, request.within(CARRIER_SECONDS))
        )
        subscriptions.raise_if_all_unavailable(results)
        changed = [result for result in results if isinstance(result, Tracking)]
        planned = subscriptions.planned(request.tenant, changed)
        resources = {
            tracking.id: tracking_resource(tracking, at, site=request.site) for tracking, at in planned
        }

        def shown(result: Tracking) -> TrackingResult:
            return TrackingResult(status=200, id=result.id, tracking=resources[result.id])

        return answer(tracking_results(results, request.site, shown), 207)

    return _once(request, change)


@api.route
def forget_trackings(request: Request) -> Answer:
    """Stop following several parcels, each for itself."""

    def forget(subscriptions: TrackingSubscriptions) -> Answer:
        names = read_names(request.body)
        results = names.answered(
            subscriptions.forget(request.tenant, names.good, request.within(CARRIER_SECONDS))
        )
        subscriptions.raise_if_all_unavailable(results)

        def shown(result: Tracking) -> TrackingResult:
            return TrackingResult(status=204, id=result.id)

        return answer(tracking_results(results, request.site, shown), 207)

    return _once(request, forget)


def _once(request: Request, work: Callable[[TrackingSubscriptions], Answer]) -> Answer:
    subscriptions = runtime.tracking_subscriptions
    return do_once(request, subscriptions.table.tenant(request.tenant), lambda: work(subscriptions))


def _shown(
    request: Request, subscriptions: TrackingSubscriptions, result: Tracking | ProblemError
) -> TrackingResource:
    if isinstance(result, ProblemError):
        raise result
    (planned,) = subscriptions.planned(request.tenant, [result])
    return tracking_resource(*planned, site=request.site)


handler = api.handler

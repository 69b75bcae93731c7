"""What is under one tracking, or done to several: changing, pausing, asking anew, forgetting."""

from collections.abc import Callable

from parcelgate.domain.clock import now
from parcelgate.domain.problems import ProblemError
from parcelgate.domain.trackings import Tracking
from parcelgate.http.api import RETRY_SECONDS, Answer, Api, Call, answer, no_body
from parcelgate.http.idempotency import do_once
from parcelgate.http.requests.trackings import read_change, read_changes, read_names, read_refresh
from parcelgate.http.resources import (
    TrackingResource,
    TrackingResult,
    TrackingResults,
    failed_result,
    tracking_resource,
)
from parcelgate.services.trackings.subscriptions import Followings, wired

CARRIER_SECONDS = 12.0
"""How long the client waits for the aggregator; each parcel is then written by itself."""

api = Api()


@api.route("PATCH /v1/trackings/{id}", scope="trackings:write")
def change_tracking(call: Call) -> Answer:
    """Change what is known of a parcel, or with which courier it is followed."""

    def change(followings: Followings) -> Answer:
        changes = [(call.parameters["id"], read_change(call.body))]
        (result,) = followings.change(call.tenant, changes, call.within(CARRIER_SECONDS))
        return answer(_shown(call, followings, result))

    return _once(call, change)


@api.route("DELETE /v1/trackings/{id}", scope="trackings:write")
def forget_tracking(call: Call) -> Answer:
    """Follow a parcel no more, and forget it."""
    names = [call.parameters["id"]]
    (result,) = wired().forget(call.tenant, names, call.within(CARRIER_SECONDS))
    if isinstance(result, ProblemError):
        raise result
    return Answer(status=204)


@api.route("POST /v1/trackings/{id}/pause", scope="trackings:write")
def pause_tracking(call: Call) -> Answer:
    """Ask about a parcel no more."""
    no_body(call)

    def pause(followings: Followings) -> Answer:
        tracking = followings.pause(call.tenant, call.parameters["id"], call.within(CARRIER_SECONDS))
        return answer(_shown(call, followings, tracking))

    return _once(call, pause)


@api.route("POST /v1/trackings/{id}/refresh", scope="trackings:write")
def refresh_tracking(call: Call) -> Answer:
    """Have a parcel asked about now: by a poll at once, or by the aggregator while the client waits."""

    def refresh(followings: Followings) -> Answer:
        tracking_id = call.parameters["id"]
        headers = {"location": f"/v1/trackings/{tracking_id}"}
        if read_refresh(call.body):
            tracking = followings.ask_courier(call.tenant, tracking_id, call.within(CARRIER_SECONDS))
        else:
            tracking = followings.refresh(call.tenant, tracking_id)
            headers["retry-after"] = str(RETRY_SECONDS)
        return answer(_shown(call, followings, tracking), 202, headers)

    return _once(call, refresh)


@api.route("POST /v1/trackings/update", scope="trackings:write")
def change_several(call: Call) -> Answer:
    """Change several trackings, each for itself."""

    def change(followings: Followings) -> Answer:
        changes = read_changes(call.body)
        told = followings.change(call.tenant, changes.good, call.within(CARRIER_SECONDS))
        results = changes.answered(told)
        followings.raise_if_none_was_heard(results)
        changed = [result for result in results if isinstance(result, Tracking)]
        planned = followings.planned(call.tenant, changed)
        shown = {tracking.id: tracking_resource(tracking, at) for tracking, at in planned}
        data = tuple(
            TrackingResult(status=200, id=result.id, tracking=shown[result.id])
            if isinstance(result, Tracking)
            else failed_result(result, call.site)
            for result in results
        )
        return answer(TrackingResults(data), 207)

    return _once(call, change)


@api.route("POST /v1/trackings/delete", scope="trackings:write")
def forget_several(call: Call) -> Answer:
    """Follow several parcels no more, each for itself."""

    def forget(followings: Followings) -> Answer:
        names = read_names(call.body)
        results = names.answered(followings.forget(call.tenant, names.good, call.within(CARRIER_SECONDS)))
        followings.raise_if_none_was_heard(results)
        data = tuple(
            TrackingResult(status=204, id=result.id)
            if isinstance(result, Tracking)
            else failed_result(result, call.site)
            for result in results
        )
        return answer(TrackingResults(data), 207)

    return _once(call, forget)


def _once(call: Call, work: Callable[[Followings], Answer]) -> Answer:
    followings = wired()
    _ = call.body  # what is no JSON says nothing about an earlier request
    return do_once(call, followings.table.tenant(call.tenant), now(), lambda: work(followings))


def _shown(call: Call, followings: Followings, result: Tracking | ProblemError) -> TrackingResource:
    if isinstance(result, ProblemError):
        raise result
    (planned,) = followings.planned(call.tenant, [result])
    return tracking_resource(*planned)


handler = api.handler

"""`GET /v1/trackings` and one of them: reading."""

from parcelgate.domain.trackings import Tracking
from parcelgate.http.answers import Answer, answer, fitting
from parcelgate.http.api import Api, Request
from parcelgate.http.requests.queries import read_tracking_query
from parcelgate.http.resources.trackings import TrackingPage, tracking_resource
from parcelgate.runtime import runtime
from parcelgate.services.trackings.tracking_reader import TrackingReader

api = Api("read_trackings")


@api.route
def list_trackings(request: Request) -> Answer:
    """Give a page of trackings, newest first."""
    reader: TrackingReader = runtime.tracking_reader
    query = read_tracking_query(request.query)
    page = reader.page(request.tenant, query.filter, limit=query.limit, cursor=query.cursor, fits=_fits)
    data = tuple(tracking_resource(tracking, at) for tracking, at in page.data)
    return answer(TrackingPage(data=data, next_cursor=page.next_cursor))


@api.route
def read_tracking(request: Request) -> Answer:
    """Give one tracking with its timeline."""
    reader: TrackingReader = runtime.tracking_reader
    return answer(tracking_resource(*reader.tracking(request.tenant, request.parameters["id"])))


def _fits(trackings: list[Tracking]) -> int:
    return fitting(tracking_resource(tracking) for tracking in trackings)


handler = api.handler

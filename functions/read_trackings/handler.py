"""`GET /v1/trackings` and one of them: reading."""

from parcelgate.domain.trackings import Tracking
from parcelgate.http.answers import Answer, answer, fitting
from parcelgate.http.api import Api, Request
from parcelgate.http.requests.queries.trackings import read_tracking_query
from parcelgate.http.resources.trackings import TrackingsPage, tracking_resource
from parcelgate.runtime import runtime
from parcelgate.services.trackings.tracking_reader import TrackingReader

api = Api(
    "read_trackings", tokens=lambda: runtime.table.page_tokens.token, limits=lambda: runtime.rate_limiter
)


@api.route
def list_trackings(request: Request) -> Answer:
    """Give a page of trackings, newest first."""
    reader: TrackingReader = runtime.tracking_reader
    query = read_tracking_query(request.query)

    def fits(trackings: list[Tracking]) -> int:
        return fitting(tracking_resource(tracking, site=request.site) for tracking in trackings)

    page = reader.page(request.tenant, query.filter, limit=query.limit, cursor=query.cursor, fits=fits)
    data = tuple(tracking_resource(tracking, at, site=request.site) for tracking, at in page.data)
    return answer(TrackingsPage(data=data, next_cursor=page.next_cursor))


@api.route
def read_tracking(request: Request) -> Answer:
    """Give one tracking with its timeline."""
    reader: TrackingReader = runtime.tracking_reader
    planned = reader.tracking(request.tenant, request.parameters["id"])
    return answer(tracking_resource(*planned, site=request.site))


handler = api.handler

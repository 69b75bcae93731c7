"""`GET /v1/trackings` and one of them: reading."""

from itertools import accumulate

from parcelgate.domain.trackings import Tracking
from parcelgate.http.answers import Answer, answer, encode
from parcelgate.http.api import Api, Request
from parcelgate.http.requests.queries import bad_cursor, read_tracking_query
from parcelgate.http.resources.trackings import TrackingPage, tracking_resource
from parcelgate.runtime import runtime
from parcelgate.services.trackings.tracking_reader import TrackingReader
from parcelgate.store.errors import BadCursorError

LARGEST_PAGE = 4_000_000
"""Bytes of trackings in one answer, of which Lambda takes 6 MB."""

api = Api("read_trackings")


@api.route
def list_trackings(request: Request) -> Answer:
    """Give a page of trackings, newest first."""
    reader: TrackingReader = runtime.tracking_reader
    query = read_tracking_query(request.query)
    try:
        page = reader.page(request.tenant, query.filter, limit=query.limit, cursor=query.cursor, fits=_fits)
    except BadCursorError:
        raise bad_cursor() from None
    data = tuple(tracking_resource(tracking, at) for tracking, at in page.data)
    return answer(TrackingPage(data=data, next_cursor=page.next_cursor))


@api.route
def read_tracking(request: Request) -> Answer:
    """Give one tracking with its timeline."""
    reader: TrackingReader = runtime.tracking_reader
    return answer(tracking_resource(*reader.tracking(request.tenant, request.parameters["id"])))


def _fits(trackings: list[Tracking]) -> int:
    sizes = accumulate(len(encode(tracking_resource(tracking))) for tracking in trackings)
    return sum(size <= LARGEST_PAGE for size in sizes)


handler = api.handler

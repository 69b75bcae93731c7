"""`GET /v1/events` and one of them: what happened in the last 30 days."""

import msgspec

from parcelgate.domain.merchants.events import Event, Topic
from parcelgate.http.answers import Answer, answer, fitting
from parcelgate.http.api import Api, Request
from parcelgate.http.requests.queries.events import read_event_query
from parcelgate.runtime import runtime
from parcelgate.services.events.reader import EventReader

api = Api("read_events", limits=lambda: runtime.rate_limiter)


class _Page(msgspec.Struct, frozen=True):
    """Events in the very words in which they were told."""

    data: tuple[msgspec.Raw, ...]
    next_cursor: str | None


@api.route
def list_events(request: Request) -> Answer:
    """Give a page of events, newest first, of all that the key may read."""
    reader: EventReader = runtime.event_reader
    query = read_event_query(request.query)
    for topic in query.filter.topics:
        request.require(topic.scope)
    topics = [topic for topic in Topic if topic.scope in request.scopes]
    page = reader.page(
        request.tenant, query.filter, topics=topics, limit=query.limit, cursor=query.cursor, fits=_fits
    )
    return answer(_Page(tuple(map(_raw, page.data)), page.next_cursor))


@api.route
def read_event(request: Request) -> Answer:
    """Give one event."""
    reader: EventReader = runtime.event_reader
    event = reader.event(request.tenant, request.parameters["id"])
    request.require(event.type.topic.scope)
    return answer(_raw(event))


def _raw(event: Event) -> msgspec.Raw:
    return msgspec.Raw(event.body)


def _fits(events: list[Event]) -> int:
    return fitting(map(_raw, events))


handler = api.handler

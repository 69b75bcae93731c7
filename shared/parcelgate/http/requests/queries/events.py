"""The query of the list of events."""

from collections.abc import Mapping

from parcelgate.domain.merchants.events import EventType
from parcelgate.http.requests.queries.reading import PAGE, TEXT, ListQuery, Parameter, enum, read_list
from parcelgate.services.events.reader import EventFilter

PARAMETERS: Mapping[str, Parameter] = {
    "type": enum(EventType, "Only of this type."),
    "order_id": Parameter(str, TEXT, "Only of this order and its parcels. Needs `orders:read`."),
    "tracking_id": Parameter(str, TEXT, "Only of this tracking. Needs `trackings:read`."),
    "after": PAGE["created_after"],
    "before": PAGE["created_before"],
    "limit": PAGE["limit"],
    "cursor": PAGE["cursor"],
}


def read_event_query(query: Mapping[str, str]) -> ListQuery[EventFilter]:
    """Read the query of the list of events. Raises ProblemError naming every parameter that is wrong."""
    return read_list(PARAMETERS, query, EventFilter)

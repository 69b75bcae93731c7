"""The query of the list of trackings."""

from collections.abc import Mapping

from parcelgate.carriers import registry
from parcelgate.domain.trackings import TrackingStatus
from parcelgate.http.requests.formats.reading import lower
from parcelgate.http.requests.queries.reading import (
    NUMBER,
    PAGE,
    TEXT,
    ListQuery,
    Parameter,
    carrier_among,
    enum,
    read_list,
)
from parcelgate.services.trackings.tracking_reader import TrackingFilter

PARAMETERS: Mapping[str, Parameter] = {
    "status": enum(TrackingStatus),
    "carrier": carrier_among(registry.trackers, "Only with this carrier or aggregator."),
    "carrier_code": Parameter(lower, TEXT, "Only with this courier, by the aggregator's code."),
    "tracking_number": NUMBER,
    "order_id": Parameter(
        str, TEXT, "Only parcels of this order, including those with earlier tracking numbers."
    ),
    **PAGE,
}


def read_tracking_query(query: Mapping[str, str]) -> ListQuery[TrackingFilter]:
    """Read the query of the list of trackings. Raises ProblemError naming every parameter that is wrong."""
    return read_list(PARAMETERS, query, TrackingFilter)

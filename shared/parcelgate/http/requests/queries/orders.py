"""The query of the list of orders."""

from collections.abc import Mapping

from parcelgate.carriers import registry
from parcelgate.domain.orders import OrderStatus
from parcelgate.http.requests.formats.reading import tracking_number
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
from parcelgate.services.orders.reader import OrderFilter

PARAMETERS: Mapping[str, Parameter] = {
    "status": enum(OrderStatus),
    "carrier": carrier_among(registry.names, "Only with this carrier."),
    "account": Parameter(str, TEXT, "Only with this carrier account."),
    "reference": Parameter(str, TEXT, "Only with this reference."),
    "tracking_number": NUMBER,
    "carrier_order_number": Parameter(
        tracking_number,
        TEXT,
        "Only with this order number of the carrier. Case and blanks make no difference.",
    ),
    **PAGE,
}


def read_order_query(query: Mapping[str, str]) -> ListQuery[OrderFilter]:
    """Read the query of the list of orders. Raises ProblemError naming every parameter that is wrong."""
    return read_list(PARAMETERS, query, OrderFilter)

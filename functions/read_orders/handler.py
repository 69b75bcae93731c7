"""`GET /v1/orders` and what is under one order: reading."""

from itertools import accumulate

from parcelgate.domain.orders import Order
from parcelgate.http.api import Answer, Api, Call, answer
from parcelgate.http.requests.queries import bad_cursor, read_order_query
from parcelgate.http.resources import (
    EventList,
    OrderList,
    TrackingList,
    encode,
    event_resource,
    order_resource,
    tracking_resource,
)
from parcelgate.services.orders.reader import wired
from parcelgate.store.errors import BadCursorError

LARGEST_PAGE = 4_000_000
"""Bytes of orders in one answer, of which Lambda takes 6 MB."""

api = Api()


@api.route("GET /v1/orders", scope="orders:read")
def list_orders(call: Call) -> Answer:
    """Give a page of orders, newest first."""
    query = read_order_query(call.query)

    def fits(orders: list[Order]) -> int:
        sizes = accumulate(len(encode(order_resource(order, call.site))) for order in orders)
        return sum(size <= LARGEST_PAGE for size in sizes)

    try:
        page = wired().page(call.tenant, query.filter, limit=query.limit, cursor=query.cursor, fits=fits)
    except BadCursorError:
        raise bad_cursor() from None
    delivery = wired().delivery(call.tenant, page.data)
    data = tuple(order_resource(order, call.site, delivery) for order in page.data)
    return answer(OrderList(data=data, next_cursor=page.next_cursor))


@api.route("GET /v1/orders/{id}", scope="orders:read")
def read_order(call: Call) -> Answer:
    """Give one order."""
    order = wired().order(call.tenant, call.parameters["id"])
    return answer(order_resource(order, call.site, wired().delivery(call.tenant, [order])))


@api.route("GET /v1/orders/{id}/events", scope="orders:read")
def read_events(call: Call) -> Answer:
    """Give an order's audit trail."""
    events = wired().events(call.tenant, call.parameters["id"])
    return answer(EventList(tuple(map(event_resource, events))))


@api.route("GET /v1/orders/{id}/tracking", scope="orders:read")
def read_trackings(call: Call) -> Answer:
    """Give the timelines of an order's parcels."""
    trackings = wired().trackings(call.tenant, call.parameters["id"])
    return answer(TrackingList(tuple(tracking_resource(*planned) for planned in trackings)))


handler = api.handler

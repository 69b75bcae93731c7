"""`GET /v1/orders`, what is under one order, and manifests: reading."""

from parcelgate.domain.orders import Order
from parcelgate.http.answers import Answer, answer, fitting
from parcelgate.http.api import Api, Request
from parcelgate.http.requests.queries.orders import read_order_query
from parcelgate.http.resources.orders import (
    EventList,
    OrderList,
    event_resource,
    manifest_resource,
    order_resource,
)
from parcelgate.http.resources.trackings import TrackingList, tracking_resource
from parcelgate.runtime import runtime
from parcelgate.services.orders.reader import OrderReader

api = Api(
    "read_orders",
    tokens=lambda: runtime.table.page_tokens.token,
    limits=lambda: runtime.rate_limiter,
)


@api.route
def list_orders(request: Request) -> Answer:
    """Give a page of orders, newest first."""
    reader: OrderReader = runtime.order_reader
    query = read_order_query(request.query)

    def fits(orders: list[Order]) -> int:
        return fitting(order_resource(order, request.site) for order in orders)

    page = reader.page(request.tenant, query.filter, limit=query.limit, cursor=query.cursor, fits=fits)
    delivery = reader.delivery(request.tenant, page.data)
    data = tuple(order_resource(order, request.site, delivery) for order in page.data)
    return answer(OrderList(data=data, next_cursor=page.next_cursor))


@api.route
def read_order(request: Request) -> Answer:
    """Give one order."""
    reader: OrderReader = runtime.order_reader
    order, delivery = reader.order(request.tenant, request.parameters["id"])
    return answer(order_resource(order, request.site, delivery))


@api.route
def list_order_events(request: Request) -> Answer:
    """Give an order's audit trail."""
    reader: OrderReader = runtime.order_reader
    events = reader.events(request.tenant, request.parameters["id"])
    return answer(EventList(tuple(map(event_resource, events))))


@api.route
def read_manifest(request: Request) -> Answer:
    """Give a manifest, and how its orders stand now."""
    reader: OrderReader = runtime.order_reader
    manifest = reader.manifest(request.tenant, request.parameters["id"])
    return answer(manifest_resource(manifest, request.site))


@api.route
def list_order_trackings(request: Request) -> Answer:
    """Give the timelines of an order's parcels."""
    reader: OrderReader = runtime.order_reader
    trackings = reader.trackings(request.tenant, request.parameters["id"])
    return answer(
        TrackingList(tuple(tracking_resource(*planned, site=request.site) for planned in trackings))
    )


handler = api.handler

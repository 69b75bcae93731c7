"""`POST /v1/orders/{id}/return`: ask the carrier to send an order back to its sender."""

from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.resources.orders import order_resource
from parcelgate.runtime import runtime
from parcelgate.services.orders.returns import OrderReturner
from parcelgate.services.trackings import delivery_status

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api("return_order")


@api.route
def return_order(request: Request) -> Answer:
    """Have an order sent back."""
    returner: OrderReturner = runtime.order_returner
    table = returner.table.tenant(request.tenant)

    def send_back() -> Answer:
        order = returner.send_back(request.tenant, request.parameters["id"], request.within(CARRIER_SECONDS))
        return answer(order_resource(order, request.site, delivery_status.statuses(table, [order])))

    return do_once(request, table, send_back)


handler = api.handler

"""`POST /v1/orders/{id}/hold`: ask the carrier to keep an order back."""

from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.resources.orders import order_resource
from parcelgate.runtime import runtime
from parcelgate.services.orders.change import OrderHolder
from parcelgate.services.trackings import delivery_status

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api("hold_order")


@api.route
def hold_order(request: Request) -> Answer:
    """Have an order held."""
    holder: OrderHolder = runtime.order_holder
    table = holder.table.tenant(request.tenant)

    def hold() -> Answer:
        order = holder.hold(request.tenant, request.parameters["id"], request.within(CARRIER_SECONDS))
        return answer(order_resource(order, request.site, delivery_status.statuses(table, [order])))

    return do_once(request, table, hold)


handler = api.handler

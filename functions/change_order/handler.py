"""`PATCH /v1/orders/{id}`: change an order by a JSON merge patch."""

from parcelgate.carriers import registry
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.amendments import read_amendment
from parcelgate.http.resources.orders import order_resource
from parcelgate.runtime import runtime
from parcelgate.services.orders.change import OrderChanger
from parcelgate.services.trackings import delivery_status

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api("change_order")


@api.route
def change_order(request: Request) -> Answer:
    """Change an order, with its carrier where that must know."""
    changer: OrderChanger = runtime.order_changer
    table = changer.table.tenant(request.tenant)

    def change() -> Answer:
        amendment = read_amendment(request.body, carriers=registry.CARRIERS)
        order = changer.change(
            request.tenant, request.parameters["id"], amendment, request.within(CARRIER_SECONDS)
        )
        return answer(order_resource(order, request.site, delivery_status.statuses(table, [order])))

    return do_once(request, table, change)


handler = api.handler

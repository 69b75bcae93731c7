"""Change an order by a JSON merge patch; have its carrier keep it back, or send it back."""

from parcelgate.carriers import registry
from parcelgate.domain.orders import Order
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.amendments import read_amendment
from parcelgate.http.resources.orders import order_resource
from parcelgate.runtime import runtime
from parcelgate.services.orders.change import OrderChanger, OrderHolder
from parcelgate.services.orders.returns import OrderReturner
from parcelgate.services.trackings import delivery_status
from parcelgate.store.table import TenantTable

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api(
    "change_order",
    tokens=lambda: runtime.table.page_tokens.token,
    limits=lambda: runtime.rate_limiter,
)


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
        return shown(request, table, order)

    return do_once(request, table, change)


@api.route
def hold_order(request: Request) -> Answer:
    """Have an order held."""
    holder: OrderHolder = runtime.order_holder
    table = holder.table.tenant(request.tenant)

    def hold() -> Answer:
        order = holder.hold(request.tenant, request.parameters["id"], request.within(CARRIER_SECONDS))
        return shown(request, table, order)

    return do_once(request, table, hold)


@api.route
def return_order(request: Request) -> Answer:
    """Have an order sent back."""
    returner: OrderReturner = runtime.order_returner
    table = returner.table.tenant(request.tenant)

    def send_back() -> Answer:
        order = returner.send_back(request.tenant, request.parameters["id"], request.within(CARRIER_SECONDS))
        return shown(request, table, order)

    return do_once(request, table, send_back)


def shown(request: Request, table: TenantTable, order: Order) -> Answer:
    """Answer with the order as it is then."""
    return answer(order_resource(order, request.site, delivery_status.statuses(table, [order])))


handler = api.handler

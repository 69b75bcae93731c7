"""`POST /v1/orders/{id}/cancel`: void an order and ask for the money back."""

from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.problems import RETRY_SECONDS
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.resources.orders import order_resource
from parcelgate.runtime import runtime
from parcelgate.services.orders.cancel import Canceller
from parcelgate.services.trackings import delivery_status

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier before the retry queue goes on."""

api = Api(
    "cancel_order",
    tokens=lambda: runtime.table.page_tokens.token,
    limits=lambda: runtime.rate_limiter,
)


@api.route
def cancel_order(request: Request) -> Answer:
    """Cancel an order: 200 when it is cancelled, 202 while that goes on."""
    canceller: Canceller = runtime.order_canceller
    table = canceller.table.tenant(request.tenant)

    def cancel() -> Answer:
        order = canceller.cancel(request.tenant, request.parameters["id"], request.within(CARRIER_SECONDS))
        resource = order_resource(order, request.site, delivery_status.statuses(table, [order]))
        if order.status is OrderStatus.CANCELLED:
            return answer(resource)
        headers = {"location": f"/v1/orders/{order.id}", "retry-after": str(RETRY_SECONDS)}
        return answer(resource, 202, headers)

    return do_once(request, table, cancel)


handler = api.handler

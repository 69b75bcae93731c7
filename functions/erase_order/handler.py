"""`POST /v1/orders/{id}/erase`: take the recipient's data out of an order."""

from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.operator import EraseInput
from parcelgate.http.requests.orders import read
from parcelgate.http.resources.orders import order_resource
from parcelgate.runtime import runtime
from parcelgate.services.operator.erasing import Eraser
from parcelgate.services.trackings import delivery_status

api = Api(
    "erase_order",
    tokens=lambda: runtime.table.page_tokens.token,
    limits=lambda: runtime.rate_limiter,
)


@api.route
def erase_order(request: Request) -> Answer:
    """Erase the person of an order."""
    eraser: Eraser = runtime.order_eraser
    table = eraser.table.tenant(request.tenant)

    def erase() -> Answer:
        force = read(EraseInput, request.body).force
        order = eraser.erase(request.tenant, request.parameters["id"], force=force)
        return answer(order_resource(order, request.site, delivery_status.statuses(table, [order])))

    return do_once(request, table, erase)


handler = api.handler

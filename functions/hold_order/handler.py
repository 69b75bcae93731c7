"""`POST /v1/orders/{id}/hold`: ask the carrier to keep an order back."""

from parcelgate.domain.clock import now
from parcelgate.http.api import Answer, Api, Call, answer, no_body
from parcelgate.http.idempotency import do_once
from parcelgate.http.resources import order_resource
from parcelgate.services.orders.hold import wired
from parcelgate.services.trackings import delivery_status

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api()


@api.route("POST /v1/orders/{id}/hold", scope="orders:write")
def hold_order(call: Call) -> Answer:
    """Have an order held."""
    no_body(call)
    holder = wired()
    table = holder.table.tenant(call.tenant)

    def hold() -> Answer:
        order = holder.hold(call.tenant, call.parameters["id"], call.within(CARRIER_SECONDS))
        return answer(order_resource(order, call.site, delivery_status.statuses(table, [order])))

    return do_once(call, table, now(), hold)


handler = api.handler

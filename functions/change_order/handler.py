"""`PATCH /v1/orders/{id}`: change an order by a JSON merge patch."""

from parcelgate.carriers import registry
from parcelgate.domain.clock import now
from parcelgate.http.api import Answer, Api, Call, answer
from parcelgate.http.idempotency import do_once
from parcelgate.http.requests.amendments import read_amendment
from parcelgate.http.resources import order_resource
from parcelgate.services.orders.change import wired
from parcelgate.services.trackings import delivery_status

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api()


@api.route("PATCH /v1/orders/{id}", scope="orders:write")
def change_order(call: Call) -> Answer:
    """Change an order, with its carrier where that must know."""
    changer = wired()
    table = changer.table.tenant(call.tenant)

    def change() -> Answer:
        amendment = read_amendment(call.body, carriers=registry.names())
        order = changer.change(call.tenant, call.parameters["id"], amendment, call.within(CARRIER_SECONDS))
        return answer(order_resource(order, call.site, delivery_status.statuses(table, [order])))

    _ = call.body  # what is no JSON says nothing about an earlier request
    return do_once(call, table, now(), change)


handler = api.handler

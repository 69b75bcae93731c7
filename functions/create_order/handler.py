"""`POST /v1/orders`: take an order."""

from parcelgate.carriers import registry
from parcelgate.domain.clock import now
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Order
from parcelgate.http.api import RETRY_SECONDS, Answer, Api, Call, answer
from parcelgate.http.idempotency import create_once
from parcelgate.http.inputs import read_order
from parcelgate.http.resources import order_resource
from parcelgate.services.create_order import wired
from parcelgate.store.idempotency import Claim

api = Api()


@api.route("POST /v1/orders", scope="orders:write")
def create_order(call: Call) -> Answer:
    """Take an order: 202, and the carrier decides later."""
    intake = wired()
    moment = now()

    def create(claim: Claim | None) -> Answer:
        draft = read_order(
            call.body, carriers=registry.names(), tenant=call.tenant, order_id=new_id("ord"), now=moment
        )
        return accepted(call, intake.create(draft, claim))

    def resume(order_id: str) -> Answer:
        return accepted(call, intake.resume(call.tenant, order_id))

    _ = call.body  # what is no JSON says nothing about an earlier request
    return create_once(call, intake.table.tenant(call.tenant), moment, create, resume)


def accepted(call: Call, order: Order) -> Answer:
    """Answer with an order that is being processed."""
    headers = {"location": f"/v1/orders/{order.id}", "retry-after": str(RETRY_SECONDS)}
    return answer(order_resource(order, call.site), 202, headers)


handler = api.handler

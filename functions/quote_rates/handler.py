"""`POST /v1/rates`: what an order would cost."""

from parcelgate.carriers import registry
from parcelgate.domain.clock import now
from parcelgate.http.api import Answer, Api, Call, answer
from parcelgate.http.idempotency import do_once
from parcelgate.http.requests.orders import read_order
from parcelgate.http.resources import RateList, rate_resource
from parcelgate.services.catalogue.rates import wired

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api()


@api.route("POST /v1/rates", scope="orders:write")
def quote_rates(call: Call) -> Answer:
    """Give the price of an order, which is not created."""
    quoter = wired()
    moment = now()

    def quote() -> Answer:
        draft = read_order(call.body, carriers=registry.names(), tenant=call.tenant, order_id="", now=moment)
        order, rates = quoter.quote(draft, call.within(CARRIER_SECONDS))
        return answer(RateList(tuple(rate_resource(order, rate) for rate in rates)))

    _ = call.body  # what is no JSON says nothing about an earlier request
    return do_once(call, quoter.table.tenant(call.tenant), moment, quote)


handler = api.handler

"""`POST /v1/rates`: what an order would cost."""

from parcelgate.carriers import registry
from parcelgate.domain.clock import now
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.orders import read_order
from parcelgate.http.resources.catalogue import RateList, rate_resource
from parcelgate.runtime import runtime
from parcelgate.services.catalogue.rates import Quoter

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api("quote_rates")


@api.route
def quote_rates(request: Request) -> Answer:
    """Give the price of an order, which is not created."""
    quoter: Quoter = runtime.quoter

    def quote() -> Answer:
        draft = read_order(
            request.body, carriers=registry.CARRIERS, tenant=request.tenant, order_id="", now=now()
        )
        order, rates = quoter.quote(draft, request.within(CARRIER_SECONDS))
        return answer(RateList(tuple(rate_resource(order, rate) for rate in rates)))

    return do_once(request, quoter.table.tenant(request.tenant), quote)


handler = api.handler

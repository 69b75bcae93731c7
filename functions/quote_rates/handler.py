"""`POST /v1/rates`: what an order would cost."""

from parcelgate.carriers import registry
from parcelgate.domain.clock import now
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.forms import read_rates
from parcelgate.http.resources.catalogue import rate_list
from parcelgate.runtime import runtime
from parcelgate.services.catalogue.rates import Quoter

CARRIER_SECONDS = 10.0
"""How long the client waits for the one carrier that it names."""
ALL_SECONDS = 25.0
"""How long it waits for several: most of the time that the gateway gives."""

api = Api("quote_rates", limits=lambda: runtime.rate_limiter)


@api.route
def quote_rates(request: Request) -> Answer:
    """Give the price of an order, which is not created."""
    quoter: Quoter = runtime.quoter

    def quote() -> Answer:
        question = read_rates(request.body, registry.CARRIERS, tenant=request.tenant, now=now())
        if question.is_of_one:
            return answer(rate_list(quoter.quote(question.draft, request.within(CARRIER_SECONDS))))
        return answer(rate_list(*quoter.compare(question, request.within(ALL_SECONDS))))

    return do_once(request, quoter.table.tenant(request.tenant), quote)


handler = api.handler

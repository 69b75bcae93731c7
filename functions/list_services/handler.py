"""`GET /v1/carriers/{carrier}/services`: what a carrier sells to an account."""

from parcelgate.carriers import registry
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request
from parcelgate.http.requests.queries.plain import read_account_query
from parcelgate.http.resources.catalogue import ServiceList
from parcelgate.observability.logs import bind_log_keys
from parcelgate.runtime import runtime
from parcelgate.services.catalogue.offers import Catalogue

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api("list_services", limits=lambda: runtime.rate_limiter)


@api.route
def list_services(request: Request) -> Answer:
    """Give the services of a carrier: the account's own catalogue where there is one."""
    catalogue: Catalogue = runtime.catalogue
    account, carrier = read_account_query(request.query), request.parameters["carrier"]
    if carrier in registry.CARRIERS:
        bind_log_keys(carrier=carrier)
    offer = catalogue.services(request.tenant, carrier, account, request.within(CARRIER_SECONDS))
    return answer(ServiceList(offer.services, offer.source))


handler = api.handler

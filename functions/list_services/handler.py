"""`GET /v1/carriers/{carrier}/services`: what a carrier sells to an account."""

from parcelgate.http.api import Answer, Api, Call, answer
from parcelgate.http.requests.queries import read_account_query
from parcelgate.http.resources import ServiceList
from parcelgate.services.catalogue.offers import wired

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api()


@api.route("GET /v1/carriers/{carrier}/services")
def list_services(call: Call) -> Answer:
    """Give the services of a carrier: the account's own catalogue where there is one."""
    account = read_account_query(call.query)
    found = wired().services(call.tenant, call.parameters["carrier"], account, call.within(CARRIER_SECONDS))
    return answer(ServiceList(found.services, found.source))


handler = api.handler

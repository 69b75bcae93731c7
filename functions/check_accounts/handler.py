"""`/v1/carrier-accounts`: how a tenant's accounts are, and whether a login works."""

from parcelgate.http.answers import Answer, answer, copied
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.resources.accounts import AccountList, CarrierAccountResource
from parcelgate.runtime import runtime
from parcelgate.services.operator.accounts import AccountDesk

CARRIER_SECONDS = 12.0
"""How long the client waits for the carrier."""

api = Api("check_accounts")


@api.route
def list_accounts(request: Request) -> Answer:
    """Show every carrier account of the tenant."""
    desk: AccountDesk = runtime.account_desk
    states = desk.all(request.tenant)
    return answer(AccountList(tuple(copied(CarrierAccountResource, state) for state in states)))


@api.route
def check_account(request: Request) -> Answer:
    """Ask a carrier whether the login of an account works."""
    desk: AccountDesk = runtime.account_desk
    carrier, account = request.parameters["carrier"], request.parameters["account"]

    def check() -> Answer:
        state = desk.check(request.tenant, carrier, account, request.within(CARRIER_SECONDS))
        return answer(copied(CarrierAccountResource, state))

    return do_once(request, desk.table.tenant(request.tenant), check)


handler = api.handler

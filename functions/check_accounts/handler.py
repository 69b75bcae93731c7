"""`/v1/carrier-accounts`: how a tenant's accounts are, whether a login works, and who holds calls."""

from parcelgate.http.answers import Answer, answer, copied
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.resources.accounts import AccountList, CarrierAccountResource
from parcelgate.runtime import runtime
from parcelgate.services.operator.accounts import AccountDesk

CARRIER_SECONDS = 12.0
"""How long the client waits for the carrier."""

api = Api("check_accounts", limits=lambda: runtime.rate_limiter)


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

    def check() -> Answer:
        state = desk.check(request.tenant, *_account(request), request.within(CARRIER_SECONDS))
        return answer(copied(CarrierAccountResource, state))

    return do_once(request, desk.table.tenant(request.tenant), check)


@api.route
def pause_account(request: Request) -> Answer:
    """Hold the calls of an account until a person resumes them."""
    # Here, because it takes long to load, and the other calls have no body to read.
    from parcelgate.http.requests.operator import PauseInput
    from parcelgate.http.requests.orders import read

    desk: AccountDesk = runtime.account_desk
    own = desk.table.tenant(request.tenant)

    def pause() -> Answer:
        given = read(PauseInput, request.body)
        by = given.by or own.api_keys.name_of(request.key_id) or request.key_id
        state = desk.pause(request.tenant, *_account(request), by=by, reason=given.reason)
        return answer(copied(CarrierAccountResource, state))

    return do_once(request, own, pause)


@api.route
def resume_account(request: Request) -> Answer:
    """Let the calls of an account be made again."""
    desk: AccountDesk = runtime.account_desk

    def resume() -> Answer:
        return answer(copied(CarrierAccountResource, desk.resume(request.tenant, *_account(request))))

    return do_once(request, desk.table.tenant(request.tenant), resume)


def _account(request: Request) -> tuple[str, str]:
    return request.parameters["carrier"], request.parameters["account"]


handler = api.handler

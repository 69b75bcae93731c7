"""`/v1/carrier-accounts/{carrier}/{account}/rate-card`: a merchant's own prices with a carrier."""

from parcelgate.http.answers import Answer, answer, copied
from parcelgate.http.api import Api, Request
from parcelgate.http.requests.rate_cards import read_rate_card as read_table
from parcelgate.http.resources.catalogue import RateCardResource
from parcelgate.runtime import runtime
from parcelgate.services.catalogue.rate_cards import RateCardKeeper

api = Api("manage_rate_cards", limits=lambda: runtime.rate_limiter)


@api.route
def put_rate_card(request: Request) -> Answer:
    """Store the rate card of an account."""
    keeper: RateCardKeeper = runtime.rate_card_keeper
    rows = read_table(request.table)
    card = keeper.put(request.tenant, *_account(request), rows)
    return answer(copied(RateCardResource, card))


@api.route
def read_rate_card(request: Request) -> Answer:
    """Show the rate card of an account."""
    keeper: RateCardKeeper = runtime.rate_card_keeper
    card = keeper.get(request.tenant, *_account(request))
    return answer(copied(RateCardResource, card))


@api.route
def delete_rate_card(request: Request) -> Answer:
    """Delete the rate card of an account."""
    keeper: RateCardKeeper = runtime.rate_card_keeper
    keeper.delete(request.tenant, *_account(request))
    return Answer(status=204)


def _account(request: Request) -> tuple[str, str]:
    return request.parameters["carrier"], request.parameters["account"]


handler = api.handler

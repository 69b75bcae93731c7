"""`POST /v1/addresses/validate`: check an address before anything is bought."""

from parcelgate.carriers import registry
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.forms import read_address
from parcelgate.http.resources.catalogue import AddressCheckResource
from parcelgate.runtime import runtime
from parcelgate.services.catalogue.addresses import AddressChecker

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api("validate_address", limits=lambda: runtime.rate_limiter)


@api.route
def validate_address(request: Request) -> Answer:
    """Check an address, with the carrier where it does that."""
    checker: AddressChecker = runtime.address_checker

    def check() -> Answer:
        question = read_address(request.body, registry.CARRIERS)
        result, checked_by = checker.check(
            request.tenant,
            question.carrier,
            question.account,
            question.address,
            question.wrong,
            request.within(CARRIER_SECONDS),
        )
        return answer(
            AddressCheckResource(
                valid=result.valid,
                checked_by=checked_by,
                messages=(*question.notices, *result.messages),
                suggestion=result.suggestion,
            )
        )

    return do_once(request, checker.table.tenant(request.tenant), check)


handler = api.handler

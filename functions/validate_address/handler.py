"""`POST /v1/addresses/validate`: check an address before anything is bought."""

from parcelgate.carriers import registry
from parcelgate.domain.clock import now
from parcelgate.http.api import Answer, Api, Call, answer
from parcelgate.http.idempotency import do_once
from parcelgate.http.requests.forms import read_address
from parcelgate.http.resources import AddressCheckResource
from parcelgate.services.catalogue.addresses import wired

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier."""

api = Api()


@api.route("POST /v1/addresses/validate", scope="orders:write")
def validate_address(call: Call) -> Answer:
    """Check an address, with the carrier where it does that."""
    checker = wired()

    def check() -> Answer:
        question = read_address(call.body, registry.names())
        found, by = checker.check(
            call.tenant,
            question.carrier,
            question.account,
            question.address,
            question.wrong,
            call.within(CARRIER_SECONDS),
        )
        return answer(
            AddressCheckResource(
                valid=found.valid, checked_by=by, messages=found.messages, suggestion=found.suggestion
            )
        )

    _ = call.body  # what is no JSON says nothing about an earlier request
    return do_once(call, checker.table.tenant(call.tenant), now(), check)


handler = api.handler

"""`POST /v1/manifests`: close orders with their carrier."""

from parcelgate.carriers import registry
from parcelgate.domain.clock import now
from parcelgate.http.api import Answer, Api, Call, answer
from parcelgate.http.idempotency import do_once
from parcelgate.http.requests.forms import read_manifest
from parcelgate.http.resources import manifest_resource
from parcelgate.services.orders.manifests import wired

CARRIER_SECONDS = 12.0
"""How long the client waits for the carrier; each order is then stored by itself."""

api = Api()


@api.route("POST /v1/manifests", scope="orders:write")
def close_manifest(call: Call) -> Answer:
    """Close orders, each for itself."""
    maker = wired()

    def close() -> Answer:
        request = read_manifest(call.body, registry.names())
        manifest = maker.close(call.tenant, request, call.within(CARRIER_SECONDS))
        return answer(manifest_resource(manifest, call.site), 201)

    _ = call.body  # what is no JSON says nothing about an earlier request
    return do_once(call, maker.table.tenant(call.tenant), now(), close)


handler = api.handler

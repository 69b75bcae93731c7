"""`POST /v1/manifests`: close orders with their carrier."""

from parcelgate.carriers import registry
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.forms import read_manifest
from parcelgate.http.resources.orders import manifest_resource
from parcelgate.runtime import runtime
from parcelgate.services.orders.manifests import ManifestMaker

CARRIER_SECONDS = 12.0
"""How long the client waits for the carrier; each order is then stored by itself."""

api = Api("close_manifest", limits=lambda: runtime.rate_limiter)


@api.route
def close_manifest(request: Request) -> Answer:
    """Close orders, each for itself."""
    maker: ManifestMaker = runtime.manifest_maker

    def close() -> Answer:
        to_close = read_manifest(request.body, registry.CARRIERS)
        manifest = maker.close(request.tenant, to_close, request.within(CARRIER_SECONDS))
        return answer(manifest_resource(manifest, request.site), 201)

    return do_once(request, maker.table.tenant(request.tenant), close)


handler = api.handler

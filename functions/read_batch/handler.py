"""`GET /v1/batches/{id}`: returns the progress of a batch."""

from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request
from parcelgate.http.resources.batches import batch_resource
from parcelgate.runtime import runtime
from parcelgate.services.batches.batches import Batches

api = Api("read_batch", limits=lambda: runtime.rate_limiter)


@api.route
def read_batch(request: Request) -> Answer:
    """Give a batch and what became of each of its orders."""
    batches: Batches = runtime.batches
    batch, progress = batches.read(request.tenant, request.parameters["id"])
    return answer(batch_resource(batch, progress, request.site))


handler = api.handler

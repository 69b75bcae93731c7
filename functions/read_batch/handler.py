"""`GET /v1/batches/{id}`: how far a batch has come."""

from parcelgate.http.api import Answer, Api, Call, answer
from parcelgate.http.resources import batch_resource
from parcelgate.services.batches.batches import wired

api = Api()


@api.route("GET /v1/batches/{id}", scope="orders:read")
def read_batch(call: Call) -> Answer:
    """Give a batch and what became of each of its orders."""
    batch, progress = wired().read(call.tenant, call.parameters["id"])
    return answer(batch_resource(batch, progress, call.site))


handler = api.handler

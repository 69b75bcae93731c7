"""`POST /v1/orders/batch`: take many orders at once."""

from parcelgate.carriers import registry
from parcelgate.domain.batches import Batch
from parcelgate.domain.clock import now
from parcelgate.http.answers import RETRY_SECONDS, Answer, answer
from parcelgate.http.api import Api, Request
from parcelgate.http.idempotency import create_once
from parcelgate.http.requests.batches import MOST_BYTES, read_batch
from parcelgate.http.resources import TakenBatch
from parcelgate.services.batches.batches import wired
from parcelgate.store.idempotency import Claim

api = Api("create_batch")


@api.route
def create_batch(request: Request) -> Answer:
    """Take a batch: 202, and each of its orders goes its own way."""
    batches = wired()
    body = request.json(MOST_BYTES)

    def create(claim: Claim | None) -> Answer:
        lines = read_batch(body, carriers=registry.names())
        return taken(batches.create(request.tenant, lines, request.raw_body, claim))

    def resume(batch_id: str) -> Answer:
        return taken(batches.resume(request.tenant, batch_id))

    return create_once(request, batches.table.tenant(request.tenant), now(), create, resume)


def taken(batch: Batch) -> Answer:
    """Answer with the way to a batch."""
    headers = {"location": f"/v1/batches/{batch.id}", "retry-after": str(RETRY_SECONDS)}
    return answer(TakenBatch(id=batch.id, total=len(batch.lines)), 202, headers)


handler = api.handler

"""`POST /v1/orders/batch`: take many orders at once."""

from parcelgate.carriers import registry
from parcelgate.domain.batches import Batch
from parcelgate.domain.clock import now
from parcelgate.domain.ids import new_id
from parcelgate.domain.problems import RETRY_SECONDS
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, create_once
from parcelgate.http.requests.batches import is_check, read_batch
from parcelgate.http.resources.batches import TakenBatch, checked_batch_resource
from parcelgate.runtime import runtime
from parcelgate.services.accounts.rates import Kind
from parcelgate.services.batches.batches import Batches
from parcelgate.store.idempotency import Claim

api = Api("create_batch", limits=lambda: runtime.rate_limiter)


@api.route
def create_batch(request: Request) -> Answer:
    """Take a batch: 202, and its orders are made one by one. With `validate_only`: 200, and none is made."""
    batches: Batches = runtime.batches
    body = request.body
    if is_check(body):
        return checked(request, body)

    def create(claim: Claim | None) -> Answer:
        lines = read_batch(body, carriers=registry.CARRIERS)
        request.spend(Kind.BATCHES)
        return taken(batches.create(request.tenant, lines, request.raw_body, claim))

    def resume(batch_id: str) -> Answer:
        return taken(batches.resume(request.tenant, batch_id))

    return create_once(request, batches.table.tenant(request.tenant), create, resume)


def checked(request: Request, body: object) -> Answer:
    """Answer with what is wrong with each entry. Loads what checks an order's body only now."""
    from parcelgate.http.requests.orders import read_order
    from parcelgate.services.batches import checks

    lines = read_batch(body, carriers=registry.CARRIERS)
    entries = body["orders"] if isinstance(body, dict) else []
    moment = now()
    drafts = (
        read_order(
            entry, carriers=registry.CARRIERS, tenant=request.tenant, order_id=new_id("ord"), now=moment
        )
        for entry in entries
    )
    table = runtime.batches.table.tenant(request.tenant)
    return answer(checked_batch_resource(lines, checks.check(drafts, runtime.carriers, table)))


def taken(batch: Batch) -> Answer:
    """Answer with the way to a batch."""
    headers = {"location": f"/v1/batches/{batch.id}", "retry-after": str(RETRY_SECONDS)}
    return answer(TakenBatch(id=batch.id, total=len(batch.lines)), 202, headers)


handler = api.handler

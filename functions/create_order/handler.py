"""`POST /v1/orders`: take an order, and send it at once where the carrier answers at once."""

from parcelgate.carriers import registry
from parcelgate.domain.clock import now
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.problems import RETRY_SECONDS, ProblemError
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request, create_once
from parcelgate.http.requests.orders import OrderInput, read_order
from parcelgate.http.resources.orders import order_resource
from parcelgate.runtime import runtime
from parcelgate.services.accounts.rates import Kind
from parcelgate.services.orders.create import Intake
from parcelgate.store.idempotency import Claim

CARRIER_SECONDS = 10.0
"""How long the client waits for the carrier before the retry queue goes on."""

api = Api(
    "create_order", tokens=lambda: runtime.table.page_tokens.first_token, limits=lambda: runtime.rate_limiter
)
# At the start, and not while the first client waits.
OrderInput.model_rebuild()


@api.route
def create_order(request: Request) -> Answer:
    """Take an order: 201 when the carrier has confirmed it, 202 while that goes on, 422 when it refuses."""
    intake: Intake = runtime.order_intake
    deadline = request.within(CARRIER_SECONDS)

    def create(claim: Claim | None) -> Answer:
        draft = read_order(
            request.body, carriers=registry.CARRIERS, tenant=request.tenant, order_id=new_id("ord"), now=now()
        )
        request.spend(Kind.ORDERS)
        return taken(request, intake.create(draft, deadline, claim))

    def resume(order_id: str) -> Answer:
        return taken(request, intake.resume(request.tenant, order_id, deadline))

    return create_once(request, intake.table.tenant(request.tenant), create, resume)


def taken(request: Request, order: Order) -> Answer:
    """Answer with an order as far as it has come. Raises ProblemError for one that has failed."""
    if order.status is OrderStatus.FAILED and order.problem is not None:
        raise ProblemError.of(order.problem, order_id=order.id)
    headers = {"location": f"/v1/orders/{order.id}"}
    status = 201
    if order.status is not OrderStatus.CONFIRMED:
        status, headers["retry-after"] = 202, str(RETRY_SECONDS)
    return answer(order_resource(order, request.site), status, headers)


handler = api.handler

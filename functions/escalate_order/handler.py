"""State NeedsAttention: tells a person about an order that its workflow could not settle."""

from typing import Any

from parcelgate.observability.logs import bind_log_keys, instrumented
from parcelgate.runtime import runtime
from parcelgate.services.order_flow import Visit


@instrumented()
def handler(event: dict[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda gives it
    """Mark the order that the payload names."""
    visit = Visit.of(event)
    bind_log_keys(order_id=visit.order_id, tenant=visit.tenant)
    runtime.order_flow.escalate(visit)

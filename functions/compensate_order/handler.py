"""State Compensate: has the money of a failed order returned."""

from typing import Any

from parcelgate.domain.deadline import Deadline, Invocation
from parcelgate.observability.logs import bind_log_keys, instrumented
from parcelgate.runtime import runtime
from parcelgate.services import order_flow
from parcelgate.services.order_flow import Visit


@instrumented(expected=order_flow.EXPECTED)
def handler(event: dict[str, Any], context: Invocation) -> None:
    """Do the state's work for the order that the payload names."""
    visit = Visit.of(event)
    bind_log_keys(order_id=visit.order_id, tenant=visit.tenant)
    runtime.order_flow.compensate(visit, Deadline.of(context))

"""State NeedsAttention: tells a person about an order that its workflow could not settle."""

from typing import Any

from parcelgate.observability.logs import instrumented
from parcelgate.runtime import runtime
from parcelgate.services.orders.order_flow.workflow import TaskInput


@instrumented()
def handler(event: dict[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda gives it
    """Mark the order that the payload names."""
    task = TaskInput.of(event)
    runtime.order_flow.escalate(task)

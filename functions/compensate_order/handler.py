"""State Compensate: has the money of a failed order returned."""

from typing import Any

from parcelgate.domain.deadline import Deadline, Invocation
from parcelgate.observability.logs import instrumented
from parcelgate.runtime import runtime
from parcelgate.services.orders.order_flow import workflow
from parcelgate.services.orders.order_flow.workflow import TaskInput


@instrumented(expected=workflow.EXPECTED)
def handler(event: dict[str, Any], context: Invocation) -> None:
    """Do the state's work for the order that the payload names."""
    task = TaskInput.of(event)
    runtime.order_flow.compensate(task, Deadline.of(context))

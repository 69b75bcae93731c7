"""The backstop: gives up the order of an execution that ended badly, so that a person sees the order."""

from typing import Any

from parcelgate.observability.logs import bind_log_keys, instrumented, log
from parcelgate.observability.metrics import count
from parcelgate.runtime import runtime
from parcelgate.services.orders.order_flow.executions import execution_input


@instrumented()
def handler(event: dict[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda gives it
    """Mark the order whose execution the event is about."""
    detail = event["detail"]
    names = execution_input(detail)
    bind_log_keys(**names.log_keys)
    log.warning(
        "an execution of the order flow ended badly; its order is given up",
        extra={"execution": detail["name"], "status": detail["status"]},
    )
    count("ExecutionsBroken", status=detail["status"])
    runtime.order_flow.give_up(names.tenant, names.order_id, "workflow_ended")

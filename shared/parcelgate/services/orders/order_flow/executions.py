"""Executions of the order flow: how one is started, what it begins with, and whether it still runs.

Apart from its states, so that whoever only starts one does not load them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from parcelgate.domain.orders import Order

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class ExecutionInput(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution of the order flow begins with: ids only."""

    tenant: str
    order_id: str
    correlation_id: str | None = None

    @property
    def log_keys(self) -> dict[str, str | None]:
        """The ids that every log line of the execution bears."""
        return {"tenant": self.tenant, "order_id": self.order_id, "correlation_id": self.correlation_id}


def execution_input(detail: Mapping[str, Any]) -> ExecutionInput:
    """The input of the execution that a status change is about. Raises KeyError or DecodeError."""
    return msgspec.json.decode(detail["input"], type=ExecutionInput)


def start(stepfunctions: "SFNClient", machine: str, order: Order) -> bool:
    """Start the order's workflow, named after the order's id, so that it can be started only once.

    Returns False when it was started before. Raises the AWS client's other errors.
    """
    names = ExecutionInput(tenant=order.tenant, order_id=order.id, correlation_id=order.correlation_id)
    try:
        stepfunctions.start_execution(
            stateMachineArn=machine, name=order.id, input=msgspec.json.encode(names).decode()
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
            raise
        return False
    return True


def runs(stepfunctions: "SFNClient", machine: str, order: Order) -> bool:
    """Whether the workflow that was started for the order still runs."""
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:{order.id}"
    return stepfunctions.describe_execution(executionArn=execution)["status"] == "RUNNING"

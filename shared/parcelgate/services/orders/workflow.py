"""The workflow of an order: how its execution is named, what it begins with, and how it is started."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from parcelgate.domain.orders import Order

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution of the order flow begins with."""

    tenant: str
    order_id: str


def execution_input(detail: Mapping[str, Any]) -> Names:
    """Whose execution a status change is about. Raises KeyError or DecodeError when it does not say."""
    return msgspec.json.decode(detail["input"], type=Names)


def start(stepfunctions: "SFNClient", machine: str, order: Order) -> bool:
    """Start the order's workflow under the order's id, so that twice is harmless.

    Whether it was started now; False when it was before. Raises what the client raises otherwise.
    """
    names = Names(tenant=order.tenant, order_id=order.id)
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

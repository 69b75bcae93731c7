"""What the order flow costs, counted from the executions' own histories."""

from local.cli import Deployment
from tests.stack.shop import Shop

BILLED = 4
"""State transitions that a good order may cost: its start and three states."""


def test_a_good_order_costs_four_transitions(shop: Shop, deployment: Deployment) -> None:
    order = shop.settled(shop.post("stack-transitions")["id"])
    assert order["label"]["status"] == "ready"
    flow = deployment.outputs["OrderFlowArn"]
    execution = f"{flow.replace(':stateMachine:', ':execution:')}:{order['id']}"

    history = deployment.client("stepfunctions").get_execution_history(executionArn=execution)["events"]

    entered = [event["type"] for event in history].count("TaskStateEntered")
    failed = [event["type"] for event in history].count("TaskFailed")
    assert failed == 0, "no retries on the good path"
    assert 1 + entered <= BILLED, [event["type"] for event in history]

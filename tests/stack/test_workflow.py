"""What the order flow costs, counted from the executions' own histories."""

from local.command.deployment import Deployment
from tests.stack.shop import Shop

BILLED = 3
"""State transitions that a good order may cost: its start and two states."""


def test_a_good_order_costs_three_transitions(shop: Shop, deployment: Deployment) -> None:
    """Of up to ten orders: others who use the carrier may make some of them wait their turn."""
    paths = []
    for number in range(10):
        order = shop.settled(shop.post(f"stack-transitions-{number}")["id"])
        assert order["label"]["status"] == "ready"
        flow = deployment.outputs["OrderFlowArn"]
        execution = f"{flow.replace(':stateMachine:', ':execution:')}:{order['id']}"
        history = deployment.client("stepfunctions").get_execution_history(executionArn=execution)["events"]
        paths.append([event["type"] for event in history])
        if "TaskFailed" not in paths[-1]:
            break

    best = paths[-1]
    assert "TaskFailed" not in best, "no retries on the good path"
    assert 1 + best.count("TaskStateEntered") <= BILLED, best

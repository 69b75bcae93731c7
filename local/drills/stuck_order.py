"""The drill `stuck-order`: somebody has stopped the state machine of an order that the carrier has."""

from collections.abc import Iterable, Iterator

from local.drills.drill import Drill
from local.drills.scene import Block


class StuckOrder(Drill):
    """The order's execution is stopped after the carrier took the order, and before it has decided."""

    name = "stuck-order"
    line = "the execution of an order is stopped while LSO works on the order"
    section = "Order flow"
    page = "orders?status=needs_attention"
    alarms = ("order-flow", "orders-need-attention")

    def damage(self) -> None:
        """Post an order, and stop its execution as soon as the carrier has it."""
        self.scene.put_account("lso")
        self._stuck = self.scene.post("lso", "PENDING-2", "NOCALLBACK")
        self.scene.post("lso")
        self.scene.until(
            lambda: (
                self._stuck["reference"]
                in {entry["reference"] for entry in self.scene.booked("lso")["orders"]}
            ),
            "the order in the carrier's books",
        )
        machine = self.scene.outputs["OrderFlowArn"].replace(":stateMachine:", ":execution:")
        self.scene.client("stepfunctions").stop_execution(
            executionArn=f"{machine}:{self._stuck['id']}", cause="a drill"
        )

    def shown(self) -> Iterable[str]:
        """The order and its problem."""
        order = self.scene.order(self._stuck)
        yield f"{order['id']} is {order['status']}: {(order['problem'] or {}).get('detail')}"

    def commands(self) -> Iterator[Block]:
        """Find out what became of the execution, and have the carrier asked."""
        order = {"ORDER_ID": self._stuck["id"]}
        yield Block("Order flow", "describe-execution", order)
        yield Block("Needs attention", "orders reread", order)

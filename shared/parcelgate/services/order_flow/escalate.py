"""State NeedsAttention, and the backstop: whatever could not be settled is shown to a person."""

from __future__ import annotations

from parcelgate.domain.orders import Order
from parcelgate.services.order_flow import problems
from parcelgate.services.order_flow.states import OPEN, State, Visit, wants_label
from parcelgate.services.orders import transitions
from parcelgate.services.orders.transitions import Change


class Escalate(State):
    """Gives orders up to a person."""

    def run(self, visit: Visit) -> None:
        """Tell a person about an order that its workflow could not settle."""
        reason = "deadline_passed" if self.late(visit) else "workflow_ended"
        self.give_up(visit.tenant, visit.order_id, reason)

    def give_up(self, tenant: str, order_id: str, reason: str) -> Order:
        """Whatever the order still waits for will not come by itself: say so where the client can see.

        An order on its way to the carrier becomes `needs_attention`; one that is confirmed keeps its
        status and loses the hope for a label. `reason` is a problem code; a refund that was under way
        speaks for itself. Anything else is left as it is.
        """
        orders = self.parts.table.tenant(tenant).orders

        def decide(order: Order) -> Change | None:
            if wants_label(order):
                return transitions.label_unavailable(order, at=self.parts.clock())
            if order.status not in OPEN:
                return None
            if order.submission.compensating_since is not None:
                return self.attention(order, problems.refund_failed(order, None))
            return self.attention(order, problems.stranded(order, reason))

        after, _ = transitions.settle(orders, orders.get(order_id), decide)
        return after

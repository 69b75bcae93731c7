"""Creating an order: check it, store it in one transaction, then send it or start its workflow.

The transaction also stores the deadline by which the order must have been sent or its workflow started. So
if this function dies, the sweep goes on, and the order is never lost. An order that is sent at once is stored
with its sending mark: one write comes before the carrier's answer, and one after it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers import registry
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Actor, Order, OrderEvent, OrderStatus, WaitingFor
from parcelgate.domain.problems import FieldError, ProblemError, bounded, invalid
from parcelgate.observability.logs import bind_log_keys, bound_correlation_id, log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services.orders import transitions
from parcelgate.services.orders.order_flow import executions
from parcelgate.services.settings import Settings
from parcelgate.store.errors import ReferenceTakenError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.services.orders.submission import OrderSubmitter
    from parcelgate.services.orders.transitions import Change
    from parcelgate.store.idempotency import Claim
    from parcelgate.store.table import Table

MOST_BYTES = 320_000
"""The largest order that is accepted, as stored bytes. What is added later must fit too (400 KB)."""


class Draft(NamedTuple):
    """What was made of a request for an order.

    `order` is None when none can be made. An order with `errors` may be examined, and must not be stored.
    `given` tells whether the client's body has anything at a JSON pointer.
    """

    order: Order | None
    errors: Sequence[FieldError] = ()
    given: Callable[[str], bool] = lambda _: True


def examined(draft: Draft, carriers: "Carriers") -> Order:
    """Fill in the account's defaults, check the order against its carrier's limits, and add warnings.

    A field that has an error in the draft gets no second one. Raises ProblemError with all errors.
    """
    order, errors = draft.order, list(draft.errors)
    if order is None:
        raise invalid(errors)
    try:
        account = carriers.account(order.tenant, order.carrier, order.account)
        carrier = carriers.of(order)
    except ProblemError as error:
        raise (invalid([*errors, *error.problem.errors]) if error.problem.errors else error) from None
    order = msgspec.structs.replace(
        order,
        ship_from=order.ship_from or account.ship_from,
        return_to=order.return_to or account.return_to,
    )
    examination = carrier.examine(order)
    known = {error.pointer for error in errors} | {f"/{name}" for name in account.unreadable_defaults}
    errors += [error for error in examination.errors if error.pointer not in known]
    if len(msgspec.json.encode(order)) > MOST_BYTES:
        errors.append(FieldError("/parcels", "too_many", "The order is too large to be stored."))
    if errors:
        raise invalid(errors)
    # A warning about a default that the client did not give would only confuse it.
    warnings = [note for note in examination.warnings if note.code != "not_sent" or draft.given(note.pointer)]
    return msgspec.structs.replace(order, warnings=bounded((*order.warnings, *warnings)))


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """Takes orders in."""

    table: "Table"
    carriers: "Carriers"
    settings: Settings
    """Name the workflow, and how soon it must begin."""
    stepfunctions: "Callable[[], SFNClient]"
    """Starts the workflow of an order that its carrier confirms later."""
    submitter: "Callable[[], OrderSubmitter]"
    """Submits an order whose carrier answers at once."""
    clock: Clock = now

    def create(self, draft: Draft, deadline: Deadline, claim: "Claim | None" = None) -> Order:
        """Store the order as `accept` does, then send it or start its workflow. Returns it as it is then.

        The carrier must have answered by `deadline`. Raises what `accept` raises.
        """
        order = self.accept(draft, claim, mark=lambda order: self.submitter().mark_new(order, deadline))
        if order.submission.sending_at is None:
            self.start(order)
            return order
        return self.submitter().submit_marked(order, deadline)

    def accept(
        self, draft: Draft, claim: "Claim | None" = None, *, mark: "Callable[[Order], Change] | None" = None
    ) -> Order:
        """Check the order and store it, with `claim` in the same transaction. Nothing is sent.

        With `mark`, an order whose carrier answers at once is stored as `mark` makes it.

        Raises ProblemError (`validation_failed`, `not_supported_by_carrier`, `reference_in_use`) when
        nothing was stored, ClaimTakenError when the same request is being answered elsewhere, and
        VersionConflictError when an order of this very id is stored already.
        """
        order = examined(draft, self.carriers)
        bind_log_keys(**order.log_keys)
        at = self.clock()
        order = msgspec.structs.replace(
            order,
            correlation_id=bound_correlation_id(),
            created_at=at,
            updated_at=at,
            watch_at=transitions.soon(self.settings, at),
            waiting=transitions.waiting(order, WaitingFor.CARRIER, at=at),
        )
        event = OrderEvent(at=at, type="order.accepted", actor=Actor.CLIENT, to=OrderStatus.ACCEPTED)
        then = None
        if mark is not None and not registry.profile(order.carrier).confirms_later:
            marked = mark(order)
            order, then = marked.after, marked.event
        try:
            self.table.tenant(order.tenant).orders.add(order, event, claim, then=then)
        except ReferenceTakenError as error:
            detail = "Another order of this carrier account uses this reference."
            raise ProblemError("reference_in_use", detail, order_id=error.order_id) from None
        count("OrdersAccepted", carrier=order.carrier)
        return order

    def resume(self, tenant: str, order_id: str, deadline: Deadline) -> Order:
        """Resume an order whose function died after storing it. Raises OrderNotFoundError."""
        order = self.table.tenant(tenant).orders.get(order_id)
        bind_log_keys(**order.log_keys)
        return self._go_on(order, deadline) if order.status is OrderStatus.ACCEPTED else order

    def _go_on(self, order: Order, deadline: Deadline) -> Order:
        if not registry.profile(order.carrier).confirms_later:
            return self.submitter().submit(order, deadline)
        self.start(order)
        return order

    def start(self, order: Order) -> None:
        """Start the workflow under the order's id: starting twice is harmless.

        When it cannot be started now, the order stays stored, and the sweep starts the workflow.
        """
        try:
            executions.start(self.stepfunctions(), self.settings.order_flow_arn, order)
        except (BotoCoreError, ClientError) as error:
            log.error(
                "the workflow could not be started; the sweep starts it later", extra=safe_error_fields(error)
            )
            count("WorkflowsNotStarted")

"""Closing orders with their carrier before they are handed over. A closed order cannot change any more."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.errors import CarrierError, RefusedError
from parcelgate.carriers.port import Manifests
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Actor, Order
from parcelgate.domain.problems import Problem, ProblemError
from parcelgate.observability.logs import bind_log_keys, log
from parcelgate.observability.metrics import count
from parcelgate.services import carrier_problems
from parcelgate.services.orders import problems, transitions
from parcelgate.services.orders.transitions import Change

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.table import Table


class ManifestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders of which carrier account are to be closed. No id stands twice."""

    carrier: str
    account: str
    order_ids: tuple[str, ...]


class ManifestEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one order; `problem` says why it was not closed."""

    order_id: str
    problem: Problem | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One manifest. Its orders are in the sequence in which the client named them."""

    id: str
    entries: tuple[ManifestEntry, ...]


class ManifestMaker(msgspec.Struct, frozen=True, kw_only=True):
    """Closes orders."""

    table: "Table"
    carriers: "Carriers"
    clock: Clock = now

    def close(self, tenant: str, request: ManifestRequest, deadline: Deadline) -> Manifest:
        """Close the orders that can be closed, each for itself. One that was closed before stays closed.

        Raises ProblemError when none of them can be closed: `validation_failed`,
        `not_supported_by_carrier`, `refused_by_carrier` or `carrier_unavailable`.
        """
        bind_log_keys(tenant=tenant, carrier=request.carrier)
        carrier = self.carriers.of(AccountName(tenant, request.carrier, request.account), deadline)
        if not isinstance(carrier, Manifests):
            raise ProblemError("not_supported_by_carrier", "This carrier does not close orders.")
        orders = {order.id: order for order in self.table.tenant(tenant).orders.many(request.order_ids)}
        reasons = {each: _obstacle(orders.get(each), request) for each in request.order_ids}
        still_open = [
            orders[each]
            for each in request.order_ids
            if reasons[each] is None and orders[each].manifest_id is None
        ]
        manifest_id = new_id("man")
        for order, error in zip(still_open, self._closed(carrier, still_open), strict=True):
            if error is None:
                self._remember(order, manifest_id)
            elif isinstance(error, RefusedError):
                reasons[order.id] = carrier_problems.refused("refused_by_carrier", error)
            else:
                reasons[order.id] = carrier_problems.unavailable(error).problem
        count("OrdersClosed", sum(reason is None for reason in reasons.values()), carrier=request.carrier)
        return Manifest(
            id=manifest_id,
            entries=tuple(ManifestEntry(order_id=each, problem=reasons[each]) for each in request.order_ids),
        )

    @staticmethod
    def _closed(carrier: Manifests, orders: Sequence[Order]) -> list[CarrierError | None]:
        if not orders:
            return []
        try:
            return carrier.close(orders)
        except RefusedError as error:
            raise carrier_problems.refusal("refused_by_carrier", error) from None
        except CarrierError as error:
            log.info("the carrier did not close the orders", extra={"error": type(error).__name__})
            raise carrier_problems.unavailable(error) from None

    def _remember(self, order: Order, manifest_id: str) -> None:
        def closed(order: Order) -> Change | None:
            if order.manifest_id is not None:
                return None
            return transitions.noted(
                order, self.clock(), "order.closed", Actor.CLIENT, detail=manifest_id, manifest_id=manifest_id
            )

        transitions.apply(self.table.tenant(order.tenant).orders, order, closed)


def _obstacle(order: Order | None, request: ManifestRequest) -> Problem | None:
    """Why an order cannot be closed, found before the carrier is asked. None: ask the carrier."""
    if order is None:
        return Problem(code="not_found", detail="There is no such order.")
    if (order.carrier, order.account) != (request.carrier, request.account):
        return Problem(code="validation_failed", detail="The order is with another carrier account.")
    try:
        problems.must_be_confirmed(order, otherwise="order_not_live")
    except ProblemError as error:
        return error.problem
    return None

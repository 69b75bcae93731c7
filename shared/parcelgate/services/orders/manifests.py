"""Closing orders with their carrier before they are handed over. A closed order cannot change any more.

That an order is closed stands in the order (`manifest_id`). What became of the others stands in the manifest,
which is stored twice: before the carrier is asked, and with the carrier's answer. So whoever asks again after
a function died, or after an answer was lost, knows what the earlier request may have done:

=====================================  =========================================================
the order's last manifest              asked again
=====================================  =========================================================
says that the carrier closed it        It is closed by that manifest; the carrier is not asked
says that the carrier refused          The carrier is asked as at first
has no answer yet, and is young        Another function is asking: the client is told to wait
never got its answer                   The carrier is asked. If it refuses an order that it has
                                       closed, it was closed by that manifest
=====================================  =========================================================
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    Refusal,
    RefusedError,
    TransientError,
)
from parcelgate.carriers.port import Manifests
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.ids import new_id
from parcelgate.domain.manifests import Manifest, ManifestEntry
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


LONGEST_CLOSING = timedelta(minutes=1)
"""Longer than the function that closes orders can live: an older manifest never gets its answer."""
_CLOSED_BEFORE = (Refusal.ALREADY_CLOSED, Refusal.NOT_PERMITTED)
"""How a carrier refuses an order that it has closed (assumed); believed after a lost answer of ours alone."""


class ManifestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders of which carrier account are to be closed. No id stands twice."""

    carrier: str
    account: str
    order_ids: tuple[str, ...]


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
        of_tenant = self.table.tenant(tenant)
        orders = {order.id: order for order in of_tenant.orders.many(request.order_ids)}
        reasons = {each: _obstacle(orders.get(each), request) for each in request.order_ids}
        still_open = [
            orders[each]
            for each in request.order_ids
            if reasons[each] is None and orders[each].manifest_id is None
        ]
        earlier = of_tenant.manifests.last_of([order.id for order in still_open])
        asked: list[Order] = []
        for order in still_open:
            entry = earlier[order.id].entry(order.id) if order.id in earlier else None
            if entry is None or (earlier[order.id].answered and entry.problem is not None):
                asked.append(order)
            elif earlier[order.id].answered:
                self._remember(order, earlier[order.id].id)
            elif self.clock() < earlier[order.id].created_at + LONGEST_CLOSING:
                reasons[order.id] = problems.closing_unknown("Another request is closing the order.")
            else:
                asked.append(order)
        manifest = Manifest(
            id=new_id("man"),
            carrier=request.carrier,
            account=request.account,
            entries=_entries(reasons, unknown=[order.id for order in asked]),
            created_at=self.clock(),
            answered=not asked,
        )
        of_tenant.manifests.add(manifest, [order.id for order in asked])
        if asked:
            manifest = self._ask(tenant, carrier, manifest, asked, reasons, earlier)
        count(
            "OrdersClosed", sum(entry.problem is None for entry in manifest.entries), carrier=request.carrier
        )
        return manifest

    def _ask(
        self,
        tenant: str,
        carrier: Manifests,
        manifest: Manifest,
        orders: Sequence[Order],
        reasons: dict[str, Problem | None],
        earlier: Mapping[str, Manifest],
    ) -> Manifest:
        """Have the carrier close `orders`, and store its answer: in the manifest, then in each order."""
        manifests = self.table.tenant(tenant).manifests
        try:
            errors = carrier.close(orders)
        except CarrierError as error:
            log.info("the carrier did not close the orders", extra={"error": type(error).__name__})
            manifests.put(_answered(manifest, reasons, dict.fromkeys((each.id for each in orders), error)))
            if isinstance(error, RefusedError):
                raise carrier_problems.refusal("refused_by_carrier", error) from None
            raise carrier_problems.unavailable(error) from None
        answers = {order.id: error for order, error in zip(orders, errors, strict=True)}
        by: dict[str, str] = {}
        for order in orders:
            before = earlier.get(order.id)
            entry = before.entry(order.id) if before else None
            if before and entry and entry.unknown and _says_closed(answers[order.id]):
                answers[order.id] = None
                by[order.id] = before.id
        manifest = _answered(manifest, reasons, answers)
        manifests.put(manifest)
        for order in orders:
            if answers[order.id] is None:
                self._remember(order, by.get(order.id, manifest.id))
        return manifest

    def _remember(self, order: Order, manifest_id: str) -> None:
        def closed(order: Order) -> Change | None:
            if order.manifest_id is not None:
                return None
            return transitions.noted(
                order, self.clock(), "order.closed", Actor.CLIENT, detail=manifest_id, manifest_id=manifest_id
            )

        transitions.apply(self.table.tenant(order.tenant).orders, order, closed)


def _says_closed(error: CarrierError | None) -> bool:
    return isinstance(error, RefusedError) and error.reason in _CLOSED_BEFORE


def _entries(
    reasons: Mapping[str, Problem | None], *, unknown: Sequence[str] = ()
) -> tuple[ManifestEntry, ...]:
    return tuple(
        ManifestEntry(order_id=each, problem=problems.closing_unknown(), unknown=True)
        if each in unknown
        else ManifestEntry(order_id=each, problem=reason)
        for each, reason in reasons.items()
    )


def _answered(
    manifest: Manifest, reasons: Mapping[str, Problem | None], errors: Mapping[str, CarrierError | None]
) -> Manifest:
    """The manifest with the carrier's answer about each order that it was asked about."""

    def entry(order_id: str) -> ManifestEntry:
        if order_id not in errors:
            return ManifestEntry(order_id=order_id, problem=reasons[order_id])
        error = errors[order_id]
        if error is None:
            return ManifestEntry(order_id=order_id)
        if isinstance(error, RefusedError):
            problem = carrier_problems.refused("refused_by_carrier", error)
        else:
            problem = carrier_problems.unavailable(error).problem
        certain = isinstance(error, RefusedError | TransientError | AuthenticationError)
        return ManifestEntry(order_id=order_id, problem=problem, unknown=not certain)

    return msgspec.structs.replace(manifest, entries=tuple(map(entry, reasons)), answered=True)


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

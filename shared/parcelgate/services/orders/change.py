"""Changing a confirmed order, with its carrier and here, or having its carrier keep it back.

The carrier is told the whole order as it shall be, so telling it twice does no harm. Before it is told, the
order is marked by a conditional write: nobody else changes it meanwhile, no label is fetched, and an order
whose function died stands in the due index. What the carrier may have changed without our knowing it loses
its label too, since nobody can tell any more what is printed on it.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    RefusedError,
    TransientError,
)
from parcelgate.carriers.port import Holds, Updates
from parcelgate.carriers.results import Confirmed
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Actor, Order, OrderEvent, OrderStatus, Parcel
from parcelgate.domain.problems import RETRY_SECONDS, FieldError, ProblemError, invalid
from parcelgate.domain.trackings import Tracking
from parcelgate.observability.logs import bind_log_keys, log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services import carrier_problems
from parcelgate.services.orders import deadlines, problems, transitions
from parcelgate.services.orders.create import Draft, examined
from parcelgate.services.orders.transitions import Change, wants_label
from parcelgate.services.settings import Settings
from parcelgate.store.errors import CarrierNumberTakenError

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

LONGEST_CHANGE = timedelta(minutes=2)
"""Outlasts the function that makes a change: a mark that is older belongs to nobody."""

_PARTS = ("ship_to", "parcels", "customs", "options")
"""What the carrier is told of; the metadata are ours alone."""
_GIVEN_BY_THE_CARRIER = (
    "tracking_number",
    "master_tracking_number",
    "carrier_parcel_number",
    "tracking_id",
    "problem",
)


class Amendment(NamedTuple):
    """What a client wants changed: from an order to what it would be, and whether the carrier must know."""

    draft: Callable[[Order], Draft]
    metadata_only: bool


class OrderChanger:
    """Changes orders.

    Parameters
    ----------
    table
        The store.
    carriers
        The carriers, with their accounts.
    settings
        How soon somebody must look after an order whose label is fetched anew.
    clock
        The time, for tests.
    """

    def __init__(
        self, *, table: "Table", carriers: "Carriers", settings: Settings, clock: Clock = now
    ) -> None:
        self.table = table
        self._carriers = carriers
        self._settings = settings
        self._clock = clock

    def change(self, tenant: str, order_id: str, amendment: Amendment, deadline: Deadline) -> Order:
        """Change an order; it comes back as it is then, unchanged where nothing was to be changed.

        The carrier must have answered by `deadline`. Raises OrderNotFoundError, and
        ProblemError: `validation_failed`, `not_supported_by_carrier`, `not_yet_confirmed`,
        `cannot_change`, `refused_by_carrier`, or `carrier_unavailable`.
        """
        orders = self.table.tenant(tenant).orders
        order = orders.get(order_id)
        bind_log_keys(**order.log_keys)
        if amendment.metadata_only:
            return transitions.apply(
                orders, order, lambda order: self._metadata(order, _sound(amendment, order))
            )
        carrier = self._carriers.of(order, deadline)
        if not isinstance(carrier, Updates):
            raise problems.not_offered(order, "does not let an order be changed")
        order, wanted, mark = self._claim(orders, order, amendment)
        if wanted is None:
            return order
        try:
            result = carrier.update(wanted)
        except RefusedError as error:
            self._release(orders, order, mark)
            raise _refused(order, error) from None
        except (TransientError, AuthenticationError) as error:
            # Certainly not done.
            log.info("not changed", extra={"error": type(error).__name__})
            self._release(orders, order, mark)
            raise carrier_problems.unavailable(error, order_id=order.id) from None
        except CarrierError as error:
            log.warning("nobody knows whether it is changed", extra={"error": type(error).__name__})
            self._lost(orders, order, mark)
            raise carrier_problems.unavailable(error, order_id=order.id) from None
        except Exception as error:
            log.error("the change broke off", extra=safe_error_fields(error))
            self._lost(orders, order, mark)
            raise
        try:
            after = transitions.apply(orders, order, lambda order: self._done(order, wanted, result, mark))
        except CarrierNumberTakenError:
            log.error("the changed order has another order's number")
            self._lost(orders, order, mark)
            detail = "The carrier's answer to the change belongs to another order."
            raise ProblemError("cannot_change", detail, order_id=order.id) from None
        if after.changing_until == mark or after.status is not OrderStatus.CONFIRMED:
            raise _overtaken(after)
        count("OrdersChanged", carrier=after.carrier)
        return after

    def _claim(
        self, orders: "Orders", order: Order, amendment: Amendment
    ) -> tuple[Order, Order | None, datetime]:
        """Mark the order; what it shall be, or None when the carrier need not be told. With the mark."""
        # The mark is a time of this request alone, so that a write whose answer was lost is known again.
        mark = self._clock() + LONGEST_CHANGE + timedelta(microseconds=secrets.randbelow(1000))
        wanted: Order | None = None

        def claim(order: Order) -> Change | None:
            nonlocal wanted
            at = self._clock()
            if order.changing_until == mark:
                return None
            self._must_be_free(order, at)
            wanted = _amended(order, examined(amendment.draft(order), self._carriers))
            if not _changed_parts(order, wanted):
                change = self._metadata(order, wanted)
                wanted = None
                return change
            # To the client nothing has changed yet, so `updated_at` stays.
            return Change(after=order.changed(at=order.updated_at, changing_until=mark, watch_at=mark))

        order = transitions.apply(orders, order, claim)
        return order, wanted, mark

    def _must_be_free(self, order: Order, at: datetime) -> None:
        problems.must_be_confirmed(order, otherwise="cannot_change")
        if order.manifest_id is not None:
            detail = "The order was closed with the carrier and cannot be changed any more."
            errors = [FieldError("", "already_closed", detail)]
            raise ProblemError("cannot_change", detail, errors=errors, order_id=order.id)
        if order.changing_until is not None and at < order.changing_until:
            detail = "Another change of the order is on its way to the carrier."
            raise ProblemError("cannot_change", detail, order_id=order.id, retry_after=RETRY_SECONDS)

    def _metadata(self, order: Order, wanted: Order) -> Change | None:
        if wanted.metadata == order.metadata:
            return None
        at = self._clock()
        event = OrderEvent(at=at, type="order.changed", actor=Actor.CLIENT, detail="metadata")
        return Change(after=order.changed(at=at, metadata=wanted.metadata), event=event)

    def _done(self, order: Order, wanted: Order, result: Confirmed, mark: datetime) -> Change | None:
        if order.changing_until != mark or order.status is not OrderStatus.CONFIRMED:
            return None
        at = self._clock()
        parts = _changed_parts(order, wanted)
        if wanted.metadata != order.metadata:
            parts.append("metadata")
        parcels, trackings = _renumbered(wanted, result, at)
        after = order.changed(
            at=at,
            ship_to=wanted.ship_to,
            parcels=parcels,
            customs=wanted.customs,
            options=wanted.options,
            metadata=wanted.metadata,
            carrier_order_number=result.carrier_order_number,
            master_tracking_numbers=result.master_tracking_numbers or order.master_tracking_numbers,
            price=result.price or order.price,
            charges=result.charges or order.charges,
            billable_weight=result.billable_weight or order.billable_weight,
            carrier_details={**order.carrier_details, **result.details},
            warnings=(*wanted.warnings, *result.warnings),
            label=order.label.thrown_away(),
            attention=transitions.trouble_left(order, "label_unavailable", "change_unknown"),
            changing_until=None,
            watch_at=deadlines.label(self._settings, at),
        )
        event = OrderEvent(at=at, type="order.changed", actor=Actor.CLIENT, detail=", ".join(parts))
        return Change(after=after, event=event, trackings=trackings)

    def _release(self, orders: "Orders", order: Order, mark: datetime) -> None:
        def release(order: Order) -> Change | None:
            if order.changing_until != mark:
                return None
            at = self._clock()
            due = deadlines.label(self._settings, at) if wants_label(order) else None
            confirmed = order.status is OrderStatus.CONFIRMED
            watch_at = due if confirmed else order.watch_at
            return Change(after=order.changed(at=order.updated_at, changing_until=None, watch_at=watch_at))

        transitions.apply(orders, order, release)

    def _lost(self, orders: "Orders", order: Order, mark: datetime) -> None:
        count("ChangesLost", carrier=order.carrier)

        def lost(order: Order) -> Change | None:
            if order.changing_until != mark:
                return None
            return transitions.change_lost(order, at=self._clock(), settings=self._settings)

        transitions.apply(orders, order, lost)


class OrderHolder:
    """Has orders held."""

    def __init__(self, *, table: "Table", carriers: "Carriers", clock: Clock = now) -> None:
        self.table = table
        self._carriers = carriers
        self._clock = clock

    def hold(self, tenant: str, order_id: str, deadline: Deadline) -> Order:
        """Ask the carrier to hold an order, once; the order as it is then.

        Raises OrderNotFoundError, and ProblemError: `not_supported_by_carrier`, `not_yet_confirmed`,
        `order_not_live`, `cannot_change` when the carrier refuses, or `carrier_unavailable`.
        """
        orders = self.table.tenant(tenant).orders
        order = orders.get(order_id)
        bind_log_keys(**order.log_keys)
        carrier = self._carriers.of(order, deadline)
        if not isinstance(carrier, Holds):
            raise problems.not_offered(order, "holds no orders")
        problems.must_be_confirmed(order, otherwise="order_not_live")
        if order.held_at is not None:
            return order
        try:
            carrier.hold(order)
        except RefusedError as error:
            raise carrier_problems.refusal("cannot_change", error, order_id=order.id) from None
        except CarrierError as error:
            log.info("not held", extra={"error": type(error).__name__})
            raise carrier_problems.unavailable(error, order_id=order.id) from None
        count("OrdersHeld", carrier=order.carrier)

        def held(order: Order) -> Change | None:
            if order.held_at is not None:
                return None
            at = self._clock()
            event = OrderEvent(at=at, type="order.held", actor=Actor.CLIENT)
            return Change(after=order.changed(at=at, held_at=at), event=event)

        return transitions.apply(orders, order, held)


def _overtaken(order: Order) -> ProblemError:
    """The order was cancelled, or changed by another, while the carrier was being told."""
    detail = "The order was cancelled, or changed by another request, while it was being changed."
    return ProblemError("cannot_change", detail, order_id=order.id)


def _refused(order: Order, error: RefusedError) -> ProblemError:
    """Whether the carrier minds the change or the order: what names a field is the change."""
    minds_the_change = error.reason is None and error.errors
    return carrier_problems.refusal(
        "refused_by_carrier" if minds_the_change else "cannot_change", error, order_id=order.id
    )


def _sound(amendment: Amendment, order: Order) -> Order:
    draft = amendment.draft(order)
    if draft.order is None or draft.errors:
        raise invalid(draft.errors)
    return draft.order


def _changed_parts(order: Order, wanted: Order) -> list[str]:
    return [name for name in _PARTS if getattr(order, name) != getattr(wanted, name)]


def _amended(order: Order, wanted: Order) -> Order:
    """The order with what was wanted, its parcels with all that the carrier has said of them.

    Raises ProblemError when the parcels are not those that were bought: a carrier changes what is in a
    parcel, not how many there are.
    """
    bought = {parcel.reference: parcel for parcel in order.parcels}
    errors = []
    if len(wanted.parcels) != len(bought) or {each.reference for each in wanted.parcels} != set(bought):
        message = "Parcels that were bought can be changed, not added, taken away or renamed."
        errors.append(FieldError("/parcels", "cannot_change", message))
        raise invalid(errors)
    parcels = []
    for place, parcel in enumerate(wanted.parcels):
        before = bought[parcel.reference]
        if parcel.tracking_number not in (None, before.tracking_number):
            message = "The parcel has its number, which cannot change."
            errors.append(FieldError(f"/parcels/{place}/tracking_number", "cannot_change", message))
        parcels.append(_with_numbers_of(before, parcel))
    if errors:
        raise invalid(errors)
    kept = tuple(note for note in order.warnings if note.source == "carrier")
    return msgspec.structs.replace(
        order,
        ship_to=wanted.ship_to,
        parcels=tuple(parcels),
        customs=wanted.customs,
        options=wanted.options,
        metadata=wanted.metadata,
        warnings=(*wanted.warnings, *kept),
    )


def _with_numbers_of(before: Parcel, parcel: Parcel) -> Parcel:
    given: Mapping[str, Any] = {name: getattr(before, name) for name in _GIVEN_BY_THE_CARRIER}
    return msgspec.structs.replace(parcel, **given)


def _renumbered(
    wanted: Order, result: Confirmed, at: datetime
) -> tuple[tuple[Parcel, ...], tuple[Tracking, ...]]:
    """The parcels with the numbers they have now, and a new tracking for each that has another one."""
    parcels, trackings = [], []
    for before, parcel in zip(wanted.parcels, transitions.numbered(wanted, result.parcels), strict=True):
        if parcel.tracking_number != before.tracking_number:
            parcel = msgspec.structs.replace(parcel, tracking_id=new_id("trk"))
            trackings.append(transitions.tracking_of(wanted, parcel, at=at))
        parcels.append(parcel)
    return tuple(parcels), tuple(trackings)

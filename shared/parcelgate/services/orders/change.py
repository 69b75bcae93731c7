"""Changing a confirmed order with its carrier, or asking the carrier to hold it.

The whole changed order is sent to the carrier, so sending it twice does no harm. Before that, a conditional
write marks the order: nobody else changes it meanwhile, no label is fetched, and the sweep finds the order
if the function dies. When it is unknown whether the carrier made the change, the order loses its label,
because nobody knows what is printed on it.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from parcelgate.carriers.errors import AuthenticationError, CarrierError, RefusedError, TransientError
from parcelgate.carriers.port import Holds, Updates
from parcelgate.carriers.results import Confirmed
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import Actor, Order, OrderStatus, Parcel, PriceSource, Waiting, WaitingFor
from parcelgate.domain.problems import FieldError, ProblemError, invalid
from parcelgate.domain.trackings import Tracking, same_number
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services import carrier_problems
from parcelgate.services.orders import problems, transitions
from parcelgate.services.orders.create import Draft, examined
from parcelgate.services.orders.transitions import Change, Decide
from parcelgate.services.settings import Settings
from parcelgate.store.errors import CarrierNumberTakenError

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.orders import Orders
    from parcelgate.store.table import Table

LONGEST_CHANGE = timedelta(minutes=2)
"""Longer than the function that makes a change can live: the owner of an older mark is dead."""

_PARTS = ("ship_to", "parcels", "customs", "options")
"""The parts that are sent to the carrier. Metadata are not."""
_GIVEN_BY_THE_CARRIER = (
    "tracking_number",
    "master_tracking_number",
    "carrier_parcel_number",
    "tracking_id",
    "problem",
)


class Amendment(NamedTuple):
    """What a client changes. `draft` makes the changed order; `metadata_only` spares the carrier."""

    draft: Callable[[Order], Draft]
    metadata_only: bool


class OrderChanger(msgspec.Struct, frozen=True, kw_only=True):
    """Changes orders."""

    table: "Table"
    carriers: "Carriers"
    settings: Settings
    """How soon somebody must look after an order whose label is fetched anew."""
    clock: Clock = now

    def change(self, tenant: str, order_id: str, amendment: Amendment, deadline: Deadline) -> Order:
        """Change an order. Returns it as it is then, unchanged if there was nothing to change.

        The carrier must have answered by `deadline`. Raises OrderNotFoundError, and
        ProblemError: `validation_failed`, `not_supported_by_carrier`, `not_yet_confirmed`,
        `cannot_change`, `refused_by_carrier`, or `carrier_unavailable`.
        """
        orders, order = transitions.read(self.table, tenant, order_id)
        if order.erased_at is not None:
            detail = "The recipient's data was erased, so the order cannot be changed any more."
            errors = [FieldError("", "erased", detail)]
            raise ProblemError("cannot_change", detail, errors=errors, order_id=order.id)
        if amendment.metadata_only:
            return transitions.apply(
                orders, order, lambda order: self._metadata(order, _drafted(amendment, order))
            )
        carrier = self.carriers.of(order, deadline)
        if not isinstance(carrier, Updates):
            raise problems.not_offered(order, "does not let an order be changed")
        order, amended, mark = self._claim(orders, order, amendment)
        if amended is None:
            return order
        try:
            result = carrier.update(amended)
        except (RefusedError, TransientError, AuthenticationError) as error:
            # The change was certainly not made.
            log.info("the carrier did not make the change", extra={"error": type(error).__name__})
            self._unmark(orders, order, mark, self._released)
            if isinstance(error, RefusedError):
                raise _refused(order, error) from None
            raise carrier_problems.unavailable(error, order_id=order.id) from None
        except Exception as error:
            write = log.warning if isinstance(error, CarrierError) else log.error
            write(
                "the carrier may have made the change; the label is fetched again",
                extra=safe_error_fields(error),
            )
            self._lose(orders, order, mark)
            if isinstance(error, CarrierError):
                raise carrier_problems.unavailable(error, order_id=order.id) from None
            raise
        price = self._price(order, amended, result)
        try:
            after = self._unmark(
                orders, order, mark, lambda order: self._changed(order, amended, result, price)
            )
        except CarrierNumberTakenError:
            log.error("the answer to a change has another order's number; the label is fetched again")
            self._lose(orders, order, mark)
            detail = "The carrier's answer to the change belongs to another order."
            raise ProblemError("cannot_change", detail, order_id=order.id) from None
        if after.changing_until == mark or after.status is not OrderStatus.CONFIRMED:
            detail = "The order was cancelled, or changed by another request, while it was being changed."
            raise ProblemError("cannot_change", detail, order_id=after.id)
        count("OrdersChanged", carrier=after.carrier)
        return after

    # The mark

    def _claim(
        self, orders: "Orders", order: Order, amendment: Amendment
    ) -> tuple[Order, Order | None, datetime]:
        """Mark the order. Returns it, the changed order (None: do not ask the carrier), and the mark."""
        mark = own_mark(self.clock())
        amended: Order | None = None

        def claim(order: Order) -> Change | None:
            nonlocal amended
            if order.changing_until == mark:
                return None
            self._must_be_free(order)
            amended = _amended(order, examined(amendment.draft(order), self.carriers))
            if not _changed_parts(order, amended):
                change = self._metadata(order, amended)
                amended = None
                return change
            # Nothing has changed for the client yet, so `updated_at` stays.
            return Change(after=order.changed(at=order.updated_at, changing_until=mark, watch_at=mark))

        order = transitions.apply(orders, order, claim)
        return order, amended, mark

    def _must_be_free(self, order: Order) -> None:
        problems.must_be_confirmed(order, otherwise="cannot_change")
        if order.manifest_id is not None:
            detail = "The order was closed with the carrier and cannot be changed any more."
            errors = [FieldError("", "already_closed", detail)]
            raise ProblemError("cannot_change", detail, errors=errors, order_id=order.id)
        problems.must_not_be_under_way(order, self.clock())

    @staticmethod
    def _unmark(orders: "Orders", order: Order, mark: datetime, decide: Decide) -> Order:
        """Write what `decide` makes of the order, as long as the order bears this mark."""
        return transitions.apply(
            orders, order, lambda order: decide(order) if order.changing_until == mark else None
        )

    def _lose(self, orders: "Orders", order: Order, mark: datetime) -> None:
        count("ChangesLost", carrier=order.carrier)
        self._unmark(
            orders,
            order,
            mark,
            lambda order: transitions.change_lost(order, at=self.clock(), settings=self.settings),
        )

    # What is written

    def _metadata(self, order: Order, amended: Order) -> Change | None:
        if amended.metadata == order.metadata:
            return None
        at, detail = self.clock(), "metadata"
        return transitions.noted(
            order, at, "order.changed", Actor.CLIENT, detail=detail, metadata=amended.metadata
        )

    def _price(self, order: Order, amended: Order, result: Confirmed) -> dict[str, Any]:
        """The price of the changed order; a rate card is asked again where the change matters to it."""
        if result.price is not None or _costs(order) == _costs(amended):
            return transitions.price_facts(order, result)
        if order.price_source is PriceSource.RATE_CARD:
            order = msgspec.structs.replace(order, price=None, charges=())
        return transitions.price_facts(order, result, transitions.rate_card_price(self.table, amended))

    def _changed(
        self, order: Order, amended: Order, result: Confirmed, price: dict[str, Any]
    ) -> Change | None:
        if order.status is not OrderStatus.CONFIRMED:
            return None
        at = self.clock()
        names = _changed_parts(order, amended)
        if amended.metadata != order.metadata:
            names.append("metadata")
        parcels, trackings = _renumbered(amended, result, at)
        tracked = {parcel.tracking_id for parcel in parcels}
        change = transitions.noted(
            order,
            at,
            "order.changed",
            Actor.CLIENT,
            detail=", ".join(names),
            **_amendable(amended) | {"parcels": parcels},
            earlier_tracking_ids=tuple(each for each in order.tracking_ids if each not in tracked),
            carrier_order_number=result.carrier_order_number,
            master_tracking_numbers=result.master_tracking_numbers or order.master_tracking_numbers,
            **price,
            billable_weight=result.billable_weight or order.billable_weight,
            carrier_details=transitions.bounded({**order.carrier_details, **result.details}),
            warnings=(*amended.warnings, *result.warnings[: transitions.MOST_WARNINGS]),
            label=order.label.thrown_away(),
            attention=transitions.trouble_left(order, "label_unavailable", "change_unknown"),
            changing_until=None,
            watch_at=transitions.workflow_ends(self.settings, at),
            waiting=Waiting(for_=WaitingFor.LABEL, since=at, next_attempt_at=at),
        )
        return msgspec.structs.replace(change, trackings=trackings)

    def _released(self, order: Order) -> Change:
        """The order as it was before it was marked."""
        after = msgspec.structs.replace(order, changing_until=None)
        watch_at = transitions.deadline_left(after, at=self.clock(), settings=self.settings)
        return Change(after=order.changed(at=order.updated_at, changing_until=None, watch_at=watch_at))


class OrderHolder(msgspec.Struct, frozen=True, kw_only=True):
    """Asks carriers to hold orders."""

    table: "Table"
    carriers: "Carriers"
    clock: Clock = now

    def hold(self, tenant: str, order_id: str, deadline: Deadline) -> Order:
        """Ask the carrier to hold an order, once. Returns the order as it is then.

        Raises OrderNotFoundError, and ProblemError: `not_supported_by_carrier`, `not_yet_confirmed`,
        `order_not_live`, `cannot_change` when the carrier refuses, or `carrier_unavailable`.
        """
        orders, order = transitions.read(self.table, tenant, order_id)
        carrier = self.carriers.of(order, deadline)
        if not isinstance(carrier, Holds):
            raise problems.not_offered(order, "does not hold orders")
        problems.must_be_confirmed(order, otherwise="order_not_live")
        if order.held_at is not None:
            return order
        try:
            carrier.hold(order)
        except RefusedError as error:
            raise carrier_problems.refusal("cannot_change", error, order_id=order.id) from None
        except CarrierError as error:
            log.info("the carrier did not hold the order", extra={"error": type(error).__name__})
            raise carrier_problems.unavailable(error, order_id=order.id) from None
        count("OrdersHeld", carrier=order.carrier)

        def held(order: Order) -> Change | None:
            if order.held_at is not None:
                return None
            at = self.clock()
            return transitions.noted(order, at, "order.held", Actor.CLIENT, held_at=at)

        return transitions.apply(orders, order, held)


def own_mark(at: datetime) -> datetime:
    """Until when a request that begins now can still be on its way to the carrier.

    No other request has the same mark, so a write whose answer was lost can be recognised.
    """
    return at + LONGEST_CHANGE + timedelta(microseconds=secrets.randbelow(1000))


def _refused(order: Order, error: RefusedError) -> ProblemError:
    """The problem of a refused change. A refusal that names a field is about the change, not the order."""
    is_the_change = error.reason is None and error.errors
    return carrier_problems.refusal(
        "refused_by_carrier" if is_the_change else "cannot_change", error, order_id=order.id
    )


def _drafted(amendment: Amendment, order: Order) -> Order:
    draft = amendment.draft(order)
    if draft.order is None or draft.errors:
        raise invalid(draft.errors)
    return draft.order


def _costs(order: Order) -> tuple[Any, ...]:
    """What a rate card's price depends on."""
    return order.service, order.ship_to.country, [parcel.weight for parcel in order.parcels]


def _changed_parts(order: Order, amended: Order) -> list[str]:
    return [name for name in _PARTS if getattr(order, name) != getattr(amended, name)]


def _amended(order: Order, drafted: Order) -> Order:
    """The drafted order, its parcels with the numbers that the carrier has given them.

    Raises ProblemError when the parcels are not those that were bought. A carrier can change what is in a
    parcel, but not how many parcels there are.
    """
    bought = {parcel.reference: parcel for parcel in order.parcels}
    if len(drafted.parcels) != len(bought) or {each.reference for each in drafted.parcels} != set(bought):
        message = "Parcels of a bought order can be changed, but not added, removed or renamed."
        raise invalid([FieldError("/parcels", "cannot_change", message)])
    message = "The parcel has its number, which cannot change."
    errors = [
        FieldError(f"/parcels/{place}/tracking_number", "cannot_change", message)
        for place, parcel in enumerate(drafted.parcels)
        if parcel.tracking_number is not None
        and not same_number(parcel.tracking_number, bought[parcel.reference].tracking_number or "")
    ]
    if errors:
        raise invalid(errors)

    def with_its_numbers(parcel: Parcel) -> Parcel:
        before = bought[parcel.reference]
        return msgspec.structs.replace(
            parcel, **{name: getattr(before, name) for name in _GIVEN_BY_THE_CARRIER}
        )

    said_by_the_carrier = tuple(note for note in order.warnings if note.source == "carrier")
    parcels = tuple(with_its_numbers(parcel) for parcel in drafted.parcels)
    warnings = (*drafted.warnings, *said_by_the_carrier)
    return msgspec.structs.replace(order, **_amendable(drafted) | {"parcels": parcels, "warnings": warnings})


def _amendable(order: Order) -> dict[str, Any]:
    return {name: getattr(order, name) for name in (*_PARTS, "metadata")}


def _renumbered(
    amended: Order, result: Confirmed, at: datetime
) -> tuple[tuple[Parcel, ...], tuple[Tracking, ...]]:
    """The parcels with the numbers they have now, and a new tracking for each that has another one.

    A number that is only spelt otherwise is no other: it stays as it is.
    """
    parcels, trackings = [], []
    for before, parcel in zip(amended.parcels, transitions.numbered(amended, result.parcels), strict=True):
        if same_number(parcel.tracking_number or "", before.tracking_number or ""):
            parcel = msgspec.structs.replace(parcel, tracking_number=before.tracking_number)
        else:
            parcel = msgspec.structs.replace(parcel, tracking_id=new_id("trk"))
            trackings.append(transitions.tracking_of(amended, parcel, at=at))
        parcels.append(parcel)
    return tuple(parcels), tuple(trackings)

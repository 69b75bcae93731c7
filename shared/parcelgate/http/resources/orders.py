"""An order, its audit trail and its manifest, as clients see them."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from parcelgate.domain.measures import Money, Weight
from parcelgate.domain.orders import (
    Actor,
    Charge,
    Customs,
    LabelStatus,
    Options,
    Order,
    OrderEvent,
    OrderStatus,
    PriceSource,
    Refund,
    RequestedParcel,
    Waiting,
)
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.problems import Notice, Problem
from parcelgate.domain.trackings import TrackingStatus, furthest_behind
from parcelgate.http.answers import Site, copied
from parcelgate.http.problems import ProblemResource, problem_resource
from parcelgate.store.credentials.page_tokens import Place

if TYPE_CHECKING:
    from parcelgate.domain.manifests import Manifest


class ParcelResource(RequestedParcel, frozen=True, kw_only=True):
    """One piece of the order, with the carrier's numbers."""

    master_tracking_number: str | None
    carrier_parcel_number: str | None
    delivery_status: TrackingStatus
    problem: ProblemResource | None


class OrderLabelResource(msgspec.Struct, frozen=True, kw_only=True):
    """The status of the label, and the format that the client asked for."""

    status: LabelStatus
    format: str
    size: str
    dpi: int | None


class OrderLinks(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses that belong to an order. `tracking_page` is for its recipient, and open without a key.

    It is null for an order that has failed.
    """

    self: str
    label: str
    tracking: str
    tracking_page: str | None


class OrderResource(msgspec.Struct, frozen=True, kw_only=True):
    """An order."""

    id: str
    object: str = "order"
    status: OrderStatus
    delivery_status: TrackingStatus
    carrier: str
    account: str
    service: str | None
    reference: str
    ship_to: Address
    ship_from: Address | None
    return_to: Address | None
    parcels: tuple[ParcelResource, ...]
    customs: Customs | None
    options: Options
    metadata: dict[str, str]
    carrier_order_number: str | None
    tracking_numbers: tuple[str, ...]
    master_tracking_numbers: tuple[str, ...]
    price: Money | None
    price_source: PriceSource | None
    charges: tuple[Charge, ...]
    billable_weight: Weight | None
    refund: Refund
    label: OrderLabelResource
    warnings: tuple[Notice, ...]
    problem: ProblemResource | None
    attention: ProblemResource | None
    waiting: Waiting | None
    carrier_details: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    manifest_id: str | None
    held_at: datetime | None
    return_requested_at: datetime | None
    erased_at: datetime | None
    links: OrderLinks


class OrderList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of orders. `next_cursor` leads to the next page; it is null on the last page."""

    data: tuple[OrderResource, ...]
    next_cursor: str | None


class EventCarrierWords(msgspec.Struct, frozen=True):
    """The carrier's own code and message."""

    code: str
    message: str


class EventResource(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an order's audit trail."""

    at: datetime
    type: str
    from_: OrderStatus | None = msgspec.field(name="from")
    to: OrderStatus | None
    actor: Actor
    detail: str | None
    carrier: EventCarrierWords | None


class EventList(msgspec.Struct, frozen=True):
    """An order's audit trail, oldest first."""

    data: tuple[EventResource, ...]


class ManifestOrderResource(msgspec.Struct, frozen=True, kw_only=True):
    """One order of a manifest. It is closed, now or by an earlier call, or `problem` says why not."""

    id: str
    status: Literal["closed", "failed"]
    problem: ProblemResource | None


class ManifestResource(msgspec.Struct, frozen=True, kw_only=True):
    """The orders of a manifest, in the sequence of the request.

    Read again, it says which of them are closed now, and why the others were not.
    """

    id: str
    orders: tuple[ManifestOrderResource, ...]


def order_resource(
    order: Order, site: Site, delivery: Mapping[str, TrackingStatus] = MappingProxyType({})
) -> OrderResource:
    """Show an order as the contract has it. `delivery` has the status of each parcel, by its tracking id."""

    def shown(problem: Problem | None) -> ProblemResource | None:
        return problem_resource(problem, site, order_id=order.id) if problem else None

    link = site.order(order.id)
    parcels = tuple(
        copied(
            ParcelResource,
            parcel,
            delivery_status=delivery.get(parcel.tracking_id or "", TrackingStatus.PENDING),
            problem=shown(parcel.problem),
        )
        for parcel in order.parcels
    )
    return copied(
        OrderResource,
        order,
        object="order",
        delivery_status=furthest_behind(parcel.delivery_status for parcel in parcels),
        parcels=parcels,
        price_source=order.price_source if order.price else None,
        label=copied(OrderLabelResource, order.label),
        problem=shown(order.problem),
        attention=shown(order.attention),
        return_requested_at=order.return_request.taken_at if order.return_request else None,
        links=OrderLinks(
            self=link,
            label=f"{link}/label",
            tracking=f"{link}/tracking",
            tracking_page=_page(order, site),
        ),
    )


def _page(order: Order, site: Site) -> str | None:
    """The address of the page of the order's recipient, at which a single parcel is read along with it."""
    if order.status is OrderStatus.FAILED:
        return None
    single = order.parcels[0].tracking_id if len(order.parcels) == 1 else None
    return site.tracking_page(Place(order.tenant, order.id, single))


def event_resource(event: OrderEvent) -> EventResource:
    """One line of an order's audit trail."""
    words = event.carrier
    return copied(
        EventResource, event, carrier=EventCarrierWords(words.code, words.message) if words else None
    )


def manifest_resource(manifest: "Manifest", site: Site) -> ManifestResource:
    """Show a manifest with the result of each order."""
    return ManifestResource(
        id=manifest.id,
        orders=tuple(
            ManifestOrderResource(
                id=entry.order_id,
                status="failed" if entry.problem else "closed",
                problem=problem_resource(entry.problem, site, order_id=entry.order_id)
                if entry.problem
                else None,
            )
            for entry in manifest.entries
        ),
    )

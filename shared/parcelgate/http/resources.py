"""What clients are shown: the contract's resources, made from the domain's objects.

Amounts of money are decimal strings, measures JSON numbers, times RFC 3339 in UTC. What is not listed
here (how an order is being sent, its version, keys of stored labels) never leaves.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from parcelgate.carriers.port import CarrierProfile
from parcelgate.carriers.results import Courier, Rate, Service, TransitTimes
from parcelgate.domain import measures, orders
from parcelgate.domain.addresses import Address
from parcelgate.domain.batches import Batch, BatchLine, CheckedEntry, Progress
from parcelgate.domain.clock import rfc3339
from parcelgate.domain.measures import LengthUnit, WeightUnit
from parcelgate.domain.orders import Actor, Battery, LabelStatus, Order, OrderEvent, OrderStatus
from parcelgate.domain.problems import FieldError, Notice, Problem, ProblemError
from parcelgate.domain.trackings import (
    Customer,
    Source,
    Tracking,
    TrackingEvent,
    TrackingStatus,
    furthest_behind,
)
from parcelgate.http.answers import Site
from parcelgate.http.problems import ProblemResource, problem_resource

if TYPE_CHECKING:
    from parcelgate.services.orders.manifests import Manifest

type Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
type Number = Annotated[Decimal, msgspec.Meta(extra_json_schema={"type": "number", "format": "decimal"})]
type Amount = Annotated[str, msgspec.Meta(pattern=r"^\d+(\.\d+)?$", description="A decimal number.")]


class MoneyResource(msgspec.Struct, frozen=True):
    """An amount of one currency (ISO 4217)."""

    amount: Amount
    currency: str


class WeightResource(msgspec.Struct, frozen=True):
    """A weight."""

    value: Number
    unit: WeightUnit


class DimensionsResource(msgspec.Struct, frozen=True):
    """The sides of a parcel."""

    length: Number
    width: Number
    height: Number
    unit: LengthUnit


class ItemResource(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a parcel's contents."""

    number: str
    sku: str
    description: str
    native_description: str | None
    quantity: int
    unit_value: MoneyResource
    hs_code: str | None
    origin_country: str | None
    weight: WeightResource | None
    url: str | None
    warehouse_number: str | None


class ParcelResource(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of the order, with the carrier's numbers."""

    reference: str
    secondary_reference: str | None
    weight: WeightResource
    dimensions: DimensionsResource | None
    volume: Number | None
    description: str | None
    native_description: str | None
    sku_on_label: str | None
    declared_value: MoneyResource | None
    items: tuple[ItemResource, ...]
    tracking_number: str | None
    master_tracking_number: str | None
    carrier_parcel_number: str | None
    delivery_status: TrackingStatus
    problem: ProblemResource | None


class CustomsResource(msgspec.Struct, frozen=True, kw_only=True):
    """What customs is told."""

    description: str | None
    native_description: str | None
    value: MoneyResource | None
    incoterm: str | None
    battery: Battery | None
    dangerous_goods: bool
    vendor_id: str | None
    gst_exemption_code: str | None
    abn: str | None
    sender_tax_id: str | None
    inject_port: str | None


class DeliveryWindowResource(msgspec.Struct, frozen=True, kw_only=True):
    """When the parcel should come."""

    from_: Time = msgspec.field(name="from")
    to: Time


class OptionsResource(msgspec.Struct, frozen=True, kw_only=True):
    """What the carrier should do beyond the plain service."""

    authority_to_leave: bool
    locker: bool
    pick_up: bool
    instruction: str | None
    sender_name: str | None
    facility: str | None
    platform: str | None
    service_option: str | None
    return_option: str | None
    delivery_window: DeliveryWindowResource | None
    max_price: MoneyResource | None


class OrderLabelResource(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the label can be had, and how it was asked for."""

    status: LabelStatus
    format: str
    size: str
    dpi: int | None


class ChargeResource(msgspec.Struct, frozen=True):
    """One part of the price."""

    type: str
    amount: MoneyResource


class RefundResource(msgspec.Struct, frozen=True, kw_only=True):
    """The money's way back: none, requested, confirmed or rejected."""

    status: str
    amount: MoneyResource | None
    requested_at: Time | None


class OrderLinks(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go on from an order."""

    self: str
    label: str
    tracking: str


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
    customs: CustomsResource | None
    options: OptionsResource
    metadata: dict[str, str]
    carrier_order_number: str | None
    tracking_numbers: tuple[str, ...]
    master_tracking_numbers: tuple[str, ...]
    price: MoneyResource | None
    charges: tuple[ChargeResource, ...]
    billable_weight: WeightResource | None
    refund: RefundResource
    label: OrderLabelResource
    warnings: tuple[Notice, ...]
    problem: ProblemResource | None
    attention: ProblemResource | None
    carrier_details: dict[str, Any]
    created_at: Time
    updated_at: Time
    links: OrderLinks


class OrderList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of orders; `next_cursor` leads to the next one, null on the last."""

    data: tuple[OrderResource, ...]
    next_cursor: str | None


class EventCarrierWords(msgspec.Struct, frozen=True):
    """What the carrier itself said."""

    code: str
    message: str


class EventResource(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an order's audit trail."""

    at: Time
    type: str
    from_: OrderStatus | None = msgspec.field(name="from")
    to: OrderStatus | None
    actor: Actor
    detail: str | None
    carrier: EventCarrierWords | None


class EventList(msgspec.Struct, frozen=True):
    """An order's audit trail, oldest first."""

    data: tuple[EventResource, ...]


class SecondaryNumber(msgspec.Struct, frozen=True):
    """Another carrier's number of the same parcel; `carrier` where it is known."""

    carrier: str | None
    number: str


class ProofResource(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures of the delivery, at the carrier's own addresses, which open them until `expires_at`."""

    image_url: str | None
    address_image_url: str | None
    expires_at: Time | None


class LocationResource(msgspec.Struct, frozen=True, kw_only=True):
    """Where something happened; `text` in the carrier's own words."""

    city: str | None
    state: str | None
    postcode: str | None
    country: str | None
    text: str | None


class TrackingEventResource(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a parcel.

    `status` is null when the carrier's `code` is not known here. `at_is_local` marks a time that came
    without a zone, and was read in the account's.
    """

    id: str
    at: Time
    utc_offset: str | None
    at_is_local: bool
    status: TrackingStatus | None
    sub_status: str | None
    code: str
    description: str
    location: LocationResource
    visible_to_recipient: bool
    source: Source | None


class TrackingResource(msgspec.Struct, frozen=True, kw_only=True):
    """One followed parcel; its events oldest first.

    `next_poll_at` is null when nobody asks about it any more. The pictures of a proof of delivery are the
    carrier's, and open until its `expires_at`.
    """

    id: str
    object: str = "tracking"
    order_id: str | None
    parcel_reference: str | None
    carrier: str
    carrier_code: str | None
    account: str
    tracking_number: str
    secondary_tracking_numbers: tuple[SecondaryNumber, ...]
    title: str | None
    status: TrackingStatus
    sub_status: str | None
    estimated_delivery: Time | None
    delivered_at: Time | None
    last_event_at: Time | None
    next_poll_at: Time | None
    proof_of_delivery: ProofResource | None
    events: tuple[TrackingEventResource, ...]
    customer: Customer | None
    order_reference: str | None
    order_created_at: Time | None
    note: str | None
    destination_country: str | None
    destination_state: str | None
    archived: bool
    paused: bool
    metadata: dict[str, str]
    created_at: Time
    updated_at: Time


class TrackingList(msgspec.Struct, frozen=True):
    """Parcels' timelines, in the order of the parcels."""

    data: tuple[TrackingResource, ...]


class TrackingPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of trackings; `next_cursor` leads to the next one, null on the last."""

    data: tuple[TrackingResource, ...]
    next_cursor: str | None


class TrackingResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one entry of a list, as the status that it would have had alone."""

    status: int
    id: str | None = None
    tracking: TrackingResource | None = None
    problem: ProblemResource | None = None
    retry_after: int | None = None


class TrackingResults(msgspec.Struct, frozen=True):
    """What became of each entry of a list, in its order."""

    data: tuple[TrackingResult, ...]


class TransitTimesResource(msgspec.Struct, frozen=True):
    """How long parcels take on a route."""

    data: TransitTimes


class RemoteAreas(msgspec.Struct, frozen=True):
    """Which places couriers call remote, in the aggregator's own words."""

    data: tuple[dict[str, Any], ...]


class Told(msgspec.Struct, frozen=True):
    """What an aggregator says, by its own names."""

    data: dict[str, Any]


class TrackingCounts(msgspec.Struct, frozen=True):
    """How many of an account's parcels stand how."""

    data: dict[TrackingStatus, int]


class CourierList(msgspec.Struct, frozen=True):
    """Whose a number may be, the likeliest first."""

    data: tuple[Courier, ...]


class ParcelLabelResource(msgspec.Struct, frozen=True, kw_only=True):
    """One parcel's label."""

    reference: str
    tracking_number: str | None
    url: str
    sha256: str


class LabelResource(msgspec.Struct, frozen=True, kw_only=True):
    """The label. `url` has all parcels in one document, and is null for images of several parcels."""

    status: LabelStatus = LabelStatus.READY
    format: str
    size: str
    url: str | None
    expires_at: Time
    sha256: str | None
    parcels: tuple[ParcelLabelResource, ...]


class PendingLabel(msgspec.Struct, frozen=True):
    """There is no label yet."""

    status: LabelStatus = LabelStatus.PENDING


class RateResource(msgspec.Struct, frozen=True, kw_only=True):
    """A price preview."""

    carrier: str
    account: str
    service: str
    price: MoneyResource
    charges: tuple[ChargeResource, ...]
    billable_weight: WeightResource | None


class RateList(msgspec.Struct, frozen=True):
    """What the order would cost now."""

    rates: tuple[RateResource, ...]


class CarrierList(msgspec.Struct, frozen=True):
    """The carriers here."""

    data: tuple[CarrierProfile, ...]


class ServiceList(msgspec.Struct, frozen=True):
    """A carrier's services.

    `source` says who named them: the carrier's own catalogue, or Parcelgate from what is known of it.
    """

    data: tuple[Service, ...]
    source: Literal["carrier", "parcelgate"] = "parcelgate"


class AddressCheckResource(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about an address, and by whom. `suggestion` is what the carrier would rather have."""

    valid: bool
    checked_by: Literal["carrier", "parcelgate"]
    messages: tuple[FieldError, ...]
    suggestion: Address | None


class ManifestOrderResource(msgspec.Struct, frozen=True, kw_only=True):
    """One order of a manifest: closed, now or before, or why not."""

    id: str
    status: Literal["closed", "failed"]
    problem: ProblemResource | None


class ManifestResource(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that were to be closed, in the order they were named in."""

    id: str
    orders: tuple[ManifestOrderResource, ...]


class TakenBatch(msgspec.Struct, frozen=True):
    """A batch that was taken."""

    id: str
    total: int


class CheckedOrderResource(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found of one entry of a batch, by its place from 0. Pointers lead into the entry."""

    index: int
    reference: str | None
    valid: bool
    errors: tuple[FieldError, ...]
    warnings: tuple[Notice, ...]


class CheckedBatchResource(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that was only checked: nothing is stored of it and nothing is bought."""

    total: int
    valid: int
    invalid: int
    orders: tuple[CheckedOrderResource, ...]


class BatchOrderResource(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a batch, by its place from 0. `id` is null where there is no order of it (yet).

    The pointers of its problem lead into the entry, not into the batch.
    """

    index: int
    reference: str | None
    id: str | None
    status: OrderStatus
    problem: ProblemResource | None


class BatchResource(msgspec.Struct, frozen=True, kw_only=True):
    """A batch. The four counts add up to its total; invalid entries are among the failed."""

    id: str
    status: Literal["processing", "finished"]
    total: int
    confirmed: int
    processing: int
    failed: int
    needs_attention: int
    orders: tuple[BatchOrderResource, ...]


class Health(msgspec.Struct, frozen=True):
    """A sign of life."""

    status: str
    version: str


def order_resource(
    order: Order, site: Site, delivery: Mapping[str, TrackingStatus] = MappingProxyType({})
) -> OrderResource:
    """An order as the contract shows it; `delivery` says how parcels stand, by their tracking ids."""
    link = site.order(order.id)
    parcels = tuple(_parcel(parcel, order, site, delivery) for parcel in order.parcels)
    return OrderResource(
        id=order.id,
        status=order.status,
        delivery_status=furthest_behind(parcel.delivery_status for parcel in parcels),
        carrier=order.carrier,
        account=order.account,
        service=order.service,
        reference=order.reference,
        ship_to=order.ship_to,
        ship_from=order.ship_from,
        return_to=order.return_to,
        parcels=parcels,
        customs=_customs(order.customs) if order.customs else None,
        options=_options(order.options),
        metadata=order.metadata,
        carrier_order_number=order.carrier_order_number,
        tracking_numbers=order.tracking_numbers,
        master_tracking_numbers=order.master_tracking_numbers,
        price=_money(order.price),
        charges=_charges(order.charges),
        billable_weight=_weight(order.billable_weight),
        refund=RefundResource(
            status=order.refund.status,
            amount=_money(order.refund.amount),
            requested_at=_time(order.refund.requested_at),
        ),
        label=OrderLabelResource(
            status=order.label.status, format=order.label.format, size=order.label.size, dpi=order.label.dpi
        ),
        warnings=order.warnings,
        problem=_problem(order.problem, order, site),
        attention=_problem(order.attention, order, site),
        carrier_details=order.carrier_details,
        created_at=rfc3339(order.created_at),
        updated_at=rfc3339(order.updated_at),
        links=OrderLinks(self=link, label=f"{link}/label", tracking=f"{link}/tracking"),
    )


def event_resource(event: OrderEvent) -> EventResource:
    """One line of an order's audit trail."""
    words = event.carrier
    return EventResource(
        at=rfc3339(event.at),
        type=event.type,
        from_=event.from_,
        to=event.to,
        actor=event.actor,
        detail=event.detail,
        carrier=EventCarrierWords(words.code, words.message) if words else None,
    )


def tracking_resource(tracking: Tracking, next_poll_at: datetime | None = None) -> TrackingResource:
    """One followed parcel."""
    proof = tracking.proof
    return TrackingResource(
        id=tracking.id,
        order_id=tracking.order_id,
        parcel_reference=tracking.parcel_reference,
        carrier=tracking.carrier,
        carrier_code=tracking.carrier_code,
        account=tracking.account,
        tracking_number=tracking.tracking_number,
        secondary_tracking_numbers=tuple(
            SecondaryNumber(other.carrier, other.number) for other in tracking.other_numbers
        ),
        title=tracking.title,
        status=tracking.status,
        sub_status=tracking.sub_status,
        estimated_delivery=None,
        delivered_at=_time(tracking.delivered_at),
        last_event_at=_time(tracking.last_event_at),
        next_poll_at=_time(next_poll_at),
        proof_of_delivery=ProofResource(
            image_url=proof.image_url,
            address_image_url=proof.address_image_url,
            expires_at=_time(proof.expires_at),
        )
        if proof
        else None,
        events=tuple(map(_tracking_event, tracking.events)),
        customer=tracking.customer,
        order_reference=tracking.order_reference,
        order_created_at=_time(tracking.order_created_at),
        note=tracking.note,
        destination_country=tracking.destination_country,
        destination_state=tracking.destination_state,
        archived=tracking.archived,
        paused=tracking.paused,
        metadata=tracking.metadata,
        created_at=rfc3339(tracking.created_at),
        updated_at=rfc3339(tracking.updated_at),
    )


def failed_result(error: ProblemError, site: Site, tracking_id: str | None = None) -> TrackingResult:
    """What became of an entry of a list that failed."""
    return TrackingResult(
        status=error.problem.status,
        id=tracking_id,
        problem=problem_resource(error.problem, site, order_id=error.order_id),
        retry_after=error.retry_after,
    )


def manifest_resource(manifest: "Manifest", site: Site) -> ManifestResource:
    """A manifest with what became of each of its orders."""
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


def rate_resource(order: Order, rate: Rate) -> RateResource:
    """A price preview for an order."""
    return RateResource(
        carrier=order.carrier,
        account=order.account,
        service=rate.service,
        price=_some_money(rate.price),
        charges=_charges(rate.charges),
        billable_weight=_weight(rate.billable_weight),
    )


def checked_batch_resource(
    lines: Sequence[BatchLine], entries: Sequence[CheckedEntry]
) -> CheckedBatchResource:
    """What a check found of each entry of a batch."""
    valid = sum(not entry.errors for entry in entries)
    return CheckedBatchResource(
        total=len(entries),
        valid=valid,
        invalid=len(entries) - valid,
        orders=tuple(
            CheckedOrderResource(
                index=index,
                reference=line.reference,
                valid=not entry.errors,
                errors=entry.errors,
                warnings=entry.warnings,
            )
            for index, (line, entry) in enumerate(zip(lines, entries, strict=True))
        ),
    )


def batch_resource(batch: Batch, progress: Progress, site: Site) -> BatchResource:
    """A batch with what became of each of its entries."""
    return BatchResource(
        id=batch.id,
        status="finished" if progress.finished else "processing",
        total=len(progress.rows),
        confirmed=progress.confirmed,
        processing=progress.processing,
        failed=progress.failed,
        needs_attention=progress.needs_attention,
        orders=tuple(
            BatchOrderResource(
                index=row.index,
                reference=row.reference,
                id=row.order_id,
                status=row.status,
                problem=problem_resource(row.problem, site, order_id=row.order_id or row.about)
                if row.problem
                else None,
            )
            for row in progress.rows
        ),
    )


def _time(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None


def _some_money(money: measures.Money) -> MoneyResource:
    return MoneyResource(format(money.amount, "f"), money.currency)


def _money(money: measures.Money | None) -> MoneyResource | None:
    return _some_money(money) if money else None


def _weight(weight: measures.Weight | None) -> WeightResource | None:
    return WeightResource(weight.value, weight.unit) if weight else None


def _charges(charges: Sequence[orders.Charge]) -> tuple[ChargeResource, ...]:
    return tuple(ChargeResource(charge.type, _some_money(charge.amount)) for charge in charges)


def _problem(problem: Problem | None, order: Order, site: Site) -> ProblemResource | None:
    return problem_resource(problem, site, order_id=order.id) if problem else None


def _tracking_event(event: TrackingEvent) -> TrackingEventResource:
    return TrackingEventResource(
        id=event.id,
        at=rfc3339(event.at),
        utc_offset=event.utc_offset,
        at_is_local=event.at_is_local,
        status=event.status,
        sub_status=event.sub_status,
        code=event.code,
        description=event.description,
        location=LocationResource(
            city=event.city,
            state=event.state,
            postcode=event.postcode,
            country=event.country,
            text=event.place,
        ),
        visible_to_recipient=event.visible_to_recipient,
        source=event.source,
    )


def _parcel(
    parcel: orders.Parcel, order: Order, site: Site, delivery: Mapping[str, TrackingStatus]
) -> ParcelResource:
    sides = parcel.dimensions
    return ParcelResource(
        reference=parcel.reference,
        secondary_reference=parcel.secondary_reference,
        weight=WeightResource(parcel.weight.value, parcel.weight.unit),
        dimensions=DimensionsResource(sides.length, sides.width, sides.height, sides.unit) if sides else None,
        volume=parcel.volume,
        description=parcel.description,
        native_description=parcel.native_description,
        sku_on_label=parcel.sku_on_label,
        declared_value=_money(parcel.declared_value),
        items=tuple(_item(item) for item in parcel.items),
        tracking_number=parcel.tracking_number,
        master_tracking_number=parcel.master_tracking_number,
        carrier_parcel_number=parcel.carrier_parcel_number,
        delivery_status=delivery.get(parcel.tracking_id or "", TrackingStatus.PENDING),
        problem=_problem(parcel.problem, order, site),
    )


def _item(item: orders.Item) -> ItemResource:
    return ItemResource(
        number=item.number,
        sku=item.sku,
        description=item.description,
        native_description=item.native_description,
        quantity=item.quantity,
        unit_value=_some_money(item.unit_value),
        hs_code=item.hs_code,
        origin_country=item.origin_country,
        weight=_weight(item.weight),
        url=item.url,
        warehouse_number=item.warehouse_number,
    )


def _customs(customs: orders.Customs) -> CustomsResource:
    return CustomsResource(
        description=customs.description,
        native_description=customs.native_description,
        value=_money(customs.value),
        incoterm=customs.incoterm,
        battery=customs.battery,
        dangerous_goods=customs.dangerous_goods,
        vendor_id=customs.vendor_id,
        gst_exemption_code=customs.gst_exemption_code,
        abn=customs.abn,
        sender_tax_id=customs.sender_tax_id,
        inject_port=customs.inject_port,
    )


def _options(options: orders.Options) -> OptionsResource:
    window = options.delivery_window
    return OptionsResource(
        authority_to_leave=options.authority_to_leave,
        locker=options.locker,
        pick_up=options.pick_up,
        instruction=options.instruction,
        sender_name=options.sender_name,
        facility=options.facility,
        platform=options.platform,
        service_option=options.service_option,
        return_option=options.return_option,
        delivery_window=DeliveryWindowResource(from_=rfc3339(window.from_), to=rfc3339(window.to))
        if window
        else None,
        max_price=_money(options.max_price),
    )

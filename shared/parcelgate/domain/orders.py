"""An order: what the client buys from a carrier, and its progress.

An order's status changes through `Order.move` alone, which knows the transition table. Everything is
frozen: a change makes a new order, and the store writes it only over the version it was made from.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self

import msgspec

from parcelgate.domain.measures import Dimensions, Money, Weight
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.problems import CarrierWords, Notice, Problem

LONGEST_REFERENCE = 80
"""Characters of an order's or a parcel's reference."""


class OrderStatus(StrEnum):
    """The status of an order with its carrier."""

    ACCEPTED = "accepted"
    PROCESSING = "processing"
    CONFIRMED = "confirmed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs_attention"

    @property
    def final(self) -> bool:
        """Whether the status is final. A final order no longer holds its reference."""
        return not _FOLLOWS[self]


_FOLLOWS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.ACCEPTED: frozenset(
        {OrderStatus.PROCESSING, OrderStatus.CANCELLED, OrderStatus.FAILED, OrderStatus.NEEDS_ATTENTION}
    ),
    OrderStatus.PROCESSING: frozenset(
        # Cancelled from here only while the carrier certainly has nothing.
        {OrderStatus.CONFIRMED, OrderStatus.CANCELLED, OrderStatus.FAILED, OrderStatus.NEEDS_ATTENTION}
    ),
    OrderStatus.CONFIRMED: frozenset({OrderStatus.CANCELLING}),
    # Back to confirmed only when the carrier refuses the cancellation.
    OrderStatus.CANCELLING: frozenset(
        {OrderStatus.CANCELLED, OrderStatus.CONFIRMED, OrderStatus.NEEDS_ATTENTION}
    ),
    OrderStatus.NEEDS_ATTENTION: frozenset(
        {OrderStatus.CONFIRMED, OrderStatus.FAILED, OrderStatus.CANCELLING, OrderStatus.CANCELLED}
    ),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.FAILED: frozenset(),
}


class TransitionError(Exception):
    """The table of transitions does not allow the change from the order's status to the new one."""

    def __init__(self, order_id: str, before: OrderStatus, after: OrderStatus) -> None:
        super().__init__(f"{order_id} cannot go from {before} to {after}")


class Actor(StrEnum):
    """Who changed an order."""

    CLIENT = "client"
    CARRIER = "carrier"
    WORKFLOW = "workflow"
    RETRY = "retry"
    OPERATOR = "operator"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a parcel's contents. `unit_value` is for one piece, `weight` too."""

    number: str
    sku: str
    description: str
    quantity: int
    unit_value: Money
    native_description: str | None = None
    hs_code: str | None = None
    origin_country: str | None = None
    weight: Weight | None = None
    url: str | None = None
    warehouse_number: str | None = None


def first_tracking_id(order_id: str) -> str:
    """The tracking id that an order's first parcel is given, so that the two can be read at once.

    Others may have an id that says nothing: further parcels, a parcel whose number has changed, and those of
    orders that an earlier release made.
    """
    return f"trk_{order_id.partition('_')[2]}"


def default_parcel_reference(order_reference: str, place: int) -> str:
    """The reference of a parcel that the client gave none; `place` counts from 1.

    It has at most 80 characters, the most that carriers take. The end of a longer reference is replaced by a
    digest, so that two long references never get the same parcel reference.
    """
    reference = f"{order_reference}-{place}"
    if len(reference) <= LONGEST_REFERENCE:
        return reference
    return f"{order_reference[:60]}-{sha256(order_reference.encode()).hexdigest()[:12]}-{place}"


class RequestedParcel(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of an order, as far as the client describes it. Volume in m3."""

    reference: str
    weight: Weight
    dimensions: Dimensions | None = None
    volume: Decimal | None = None
    secondary_reference: str | None = None
    description: str | None = None
    native_description: str | None = None
    sku_on_label: str | None = None
    declared_value: Money | None = None
    items: tuple[Item, ...] = ()
    tracking_number: str | None = None


class Parcel(RequestedParcel, frozen=True, kw_only=True):
    """One piece of an order: what the client said of it, then what the carrier said."""

    master_tracking_number: str | None = None
    carrier_parcel_number: str | None = None
    tracking_id: str | None = None
    problem: Problem | None = None


class Battery(msgspec.Struct, frozen=True, kw_only=True):
    """Which battery the parcel contains, and how it is packed."""

    type: str
    packing: str | None = None


class Customs(msgspec.Struct, frozen=True, kw_only=True):
    """The customs data of the whole order."""

    description: str | None = None
    native_description: str | None = None
    value: Money | None = None
    incoterm: str | None = None
    battery: Battery | None = None
    dangerous_goods: bool = False
    vendor_id: str | None = None
    gst_exemption_code: str | None = None
    abn: str | None = None
    sender_tax_id: str | None = None
    inject_port: str | None = None


class DeliveryWindow(msgspec.Struct, frozen=True, kw_only=True):
    """When the parcel should come."""

    from_: datetime = msgspec.field(name="from")
    to: datetime


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The client's wishes beyond the plain service."""

    authority_to_leave: bool = False
    locker: bool = False
    pick_up: bool = False
    instruction: str | None = None
    sender_name: str | None = None
    facility: str | None = None
    platform: str | None = None
    service_option: str | None = None
    return_option: str | None = None
    delivery_window: DeliveryWindow | None = None
    max_price: Money | None = None


class LabelStatus(StrEnum):
    """Whether there is a label."""

    PENDING = "pending"
    READY = "ready"
    UNAVAILABLE = "unavailable"


class LabelDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One stored label document: its object key in the label bucket, and its SHA-256 in hex."""

    key: str
    sha256: str


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """The label as it was asked for, and where it is kept.

    `document` holds all parcels in parcel order (None for images of several parcels); `parcels` has one
    document for each parcel, in parcel order, once the label is ready. `revision` counts how often the
    order was changed since: a label that was fetched for an earlier revision is not used. `last_try` is set
    when the time for the label is over and it is fetched one last time. `first_ready_at` is when the order
    first had a label; a label that is fetched again does not move it.
    """

    status: LabelStatus = LabelStatus.PENDING
    format: str = "pdf"
    size: str = "4x6"
    dpi: int | None = None
    document: LabelDocument | None = None
    parcels: tuple[LabelDocument, ...] = ()
    revision: int = 0
    last_try: bool = False
    first_ready_at: datetime | None = None

    def thrown_away(self) -> Self:
        """The label to be fetched again, of the same format and size."""
        return msgspec.structs.replace(
            self,
            status=LabelStatus.PENDING,
            document=None,
            parcels=(),
            revision=self.revision + 1,
            last_try=False,
        )


class PriceSource(StrEnum):
    """The source of a price."""

    CARRIER = "carrier"
    RATE_CARD = "rate_card"
    """The merchant's own price list."""


class Charge(msgspec.Struct, frozen=True):
    """One part of the price."""

    type: str
    amount: Money


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """The refund of an order: `none`, `requested`, `confirmed` or `rejected`."""

    status: str = "none"
    amount: Money | None = None
    requested_at: datetime | None = None


class WaitingFor(StrEnum):
    """What an order waits for."""

    CARRIER = "carrier"
    """The carrier must be reached, and must do what it is asked."""
    DECISION = "decision"
    """The carrier has the order, and must say whether it carries it."""
    LABEL = "label"
    """The carrier must give the label of an order that it has confirmed."""


class Trouble(msgspec.Struct, frozen=True):
    """Why an attempt did not succeed. `message` is the carrier's own, if it gave one."""

    code: str
    message: str


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What an order waits for. It goes on by itself.

    `attempts` counts the failed attempts `since` then; `last_error` is the latest failure. `next_attempt_at`
    is None when the carrier will call back, and while a person has paused the account's calls.
    """

    for_: WaitingFor = msgspec.field(name="for")
    since: datetime
    attempts: int = 0
    last_error: Trouble | None = None
    next_attempt_at: datetime | None = None

    def paused(self, trouble: Trouble) -> Self:
        """Return the same wait of an order whose account is paused: it goes on when the calls are resumed."""
        return msgspec.structs.replace(self, last_error=trouble, next_attempt_at=None)

    def troubled(self, trouble: Trouble, *, next_attempt_at: datetime) -> Self:
        """Return the same wait after one more failed attempt."""
        attempts = self.attempts + 1
        return msgspec.structs.replace(
            self, attempts=attempts, last_error=trouble, next_attempt_at=next_attempt_at
        )


class Concern(StrEnum):
    """Why an order needs a person, the worst first."""

    REFUND_GIVEN_UP = "refund_given_up"
    """The carrier holds money that it did not give back in time."""
    NEEDS_ATTENTION = "needs_attention"
    """The order cannot go on by itself."""
    ATTENTION = "attention"
    """The order has trouble that leaves its status alone."""
    REFUND_OUTSTANDING = "refund_outstanding"
    """The carrier has taken the refund, and nobody has said that the money came."""


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the submission of the create. It is never shown to clients.

    `sending_at` is the mark claimed before the create is sent; while it is set, nobody sends again.
    `sender` names the owner of the mark, if no workflow's token does; `lost` is set once a create was lost.
    `first_sent_at` is the time of the first create that the carrier may have taken.
    `sender_until` is the latest moment at which that sender can still be alive; `over_at` is when it
    said itself that it will do no more and does not know the outcome. `answered` is False until
    the carrier's answer to the create was read. `not_found_at` is when the carrier first said, after the
    sender's death, that it has no such order. `task_token` and `callback_hash` belong to the workflow
    that waits for the carrier's callback; `compensating_since` starts the refund's own clock.
    `paused_until` is set while a person's pause of the account holds the order, a little ahead of the time:
    what may take a certain time begins again then.
    """

    sending_at: datetime | None = None
    sender: str | None = None
    lost: bool = False
    first_sent_at: datetime | None = None
    sender_until: datetime | None = None
    over_at: datetime | None = None
    answered: bool = False
    not_found_at: datetime | None = None
    task_token: str | None = None
    callback_hash: str | None = None
    callback_at: datetime | None = None
    compensating_since: datetime | None = None
    paused_until: datetime | None = None

    def began(self, at: datetime) -> datetime:
        """When something that began `at` counts as begun: no earlier than the last pause ended."""
        return at if self.paused_until is None else max(at, self.paused_until)


class ReturnRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the request that the carrier sends the order back to its sender.

    `asking_until` is set before the carrier is asked: the latest moment at which the request can still be on
    its way. `lost` is set once an answer was lost: the carrier may have taken that request. `taken_at` is
    when the carrier took it.
    """

    asking_until: datetime | None = None
    lost: bool = False
    taken_at: datetime | None = None


class BatchPlace(msgspec.Struct, frozen=True):
    """The batch that an order came in, and its place there, from 0."""

    id: str
    index: int


class OrderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an order's audit trail. Holds no personal data."""

    at: datetime
    type: str
    actor: Actor
    from_: OrderStatus | None = msgspec.field(name="from", default=None)
    to: OrderStatus | None = None
    detail: str | None = None
    carrier: CarrierWords | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order, with everything that the client said and everything that followed from it.

    `changing_until` is set while a change is on its way to the carrier: the latest moment at which its sender
    can still be alive. `held_at` says when the carrier was asked to hold the order. `manifest_id` is the
    manifest by which it was closed with the carrier. `return_request` says how far a request to send it back
    has come. `earlier_tracking_ids` are the trackings of parcels
    under numbers that a change has replaced. `correlation_id` is the id of the request that made it.
    `erased_at` is when its recipient's data was erased (`domain.erasure`); no write brings such data back.
    `price_source` means nothing while there is no price.
    """

    id: str
    tenant: str
    carrier: str
    account: str
    reference: str
    ship_to: Address
    parcels: tuple[Parcel, ...]
    service: str | None = None
    ship_from: Address | None = None
    return_to: Address | None = None
    customs: Customs | None = None
    options: Options = Options()
    metadata: dict[str, str] = {}

    status: OrderStatus = OrderStatus.ACCEPTED
    carrier_order_number: str | None = None
    master_tracking_numbers: tuple[str, ...] = ()
    price: Money | None = None
    price_source: PriceSource = PriceSource.CARRIER
    charges: tuple[Charge, ...] = ()
    billable_weight: Weight | None = None
    refund: Refund = Refund()
    label: Label = Label()
    warnings: tuple[Notice, ...] = ()
    problem: Problem | None = None
    attention: Problem | None = None
    waiting: Waiting | None = None
    carrier_details: dict[str, Any] = {}
    submission: Submission = Submission()
    batch: BatchPlace | None = None
    correlation_id: str | None = None
    changing_until: datetime | None = None
    held_at: datetime | None = None
    manifest_id: str | None = None
    return_request: ReturnRequest | None = None
    earlier_tracking_ids: tuple[str, ...] = ()
    erased_at: datetime | None = None

    version: int = 1
    watch_at: datetime | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def tracking_numbers(self) -> tuple[str, ...]:
        """The tracking numbers of the parcels that have one, in parcel order."""
        return tuple(parcel.tracking_number for parcel in self.parcels if parcel.tracking_number)

    @property
    def tracking_ids(self) -> tuple[str, ...]:
        """All trackings of the parcels, also those of their earlier numbers."""
        now = (parcel.tracking_id for parcel in self.parcels if parcel.tracking_id)
        return (*now, *self.earlier_tracking_ids)

    @property
    def concern(self) -> Concern | None:
        """Why the order needs a person; None if it does not. Of several reasons, the worst."""
        if self.status is OrderStatus.NEEDS_ATTENTION:
            refund = self.problem is not None and self.problem.code == "refund_failed"
            return Concern.REFUND_GIVEN_UP if refund else Concern.NEEDS_ATTENTION
        if self.attention is not None:
            return Concern.ATTENTION
        return Concern.REFUND_OUTSTANDING if self.refund.status in ("requested", "rejected") else None

    @property
    def log_keys(self) -> dict[str, str | None]:
        """The ids that are on every log line of work on this order."""
        return {
            "order_id": self.id,
            "tenant": self.tenant,
            "carrier": self.carrier,
            "correlation_id": self.correlation_id,
        }

    def changed(self, *, at: datetime, **changes: Any) -> Self:
        """The next version of this order with other facts and the same status."""
        return msgspec.structs.replace(self, updated_at=at, version=self.version + 1, **changes)

    def move(self, to: OrderStatus, *, at: datetime, watch_at: datetime | None, **changes: Any) -> Self:
        """Return the next version of this order, in status `to`.

        `watch_at` is the time by which somebody must have dealt with it again; None only when nothing
        is left to do. The new version waits for nothing, unless `changes` say for what. Raises
        `TransitionError` when the table does not allow the change.
        """
        if to not in _FOLLOWS[self.status]:
            raise TransitionError(self.id, self.status, to)
        return self.changed(at=at, status=to, watch_at=watch_at, **({"waiting": None} | changes))

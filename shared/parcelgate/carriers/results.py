"""Results of calls to carriers and aggregators, and arguments of an aggregator's calls. Plain values."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from parcelgate.domain.measures import Money, Weight
from parcelgate.domain.orders import Charge
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.problems import CarrierWords, FieldError, Notice
from parcelgate.domain.trackings import (
    Customer,
    NextCarrier,
    OtherNumber,
    ProofOfDelivery,
    Saying,
    TrackingEvent,
)


class Examination(msgspec.Struct, frozen=True):
    """The result of checking an order against the carrier's limits. Pointers lead into the create body."""

    errors: tuple[FieldError, ...] = ()
    warnings: tuple[Notice, ...] = ()


class ParcelResult(msgspec.Struct, frozen=True, kw_only=True):
    """The carrier's numbers for one parcel, matched by the parcel's own reference."""

    reference: str
    tracking_number: str | None = None
    master_tracking_number: str | None = None
    carrier_parcel_number: str | None = None


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """The carrier has taken the order and will decide later."""

    carrier_order_number: str
    parcels: tuple[ParcelResult, ...] = ()


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """The carrier confirmed the order, and each of our parcels has its numbers, in parcel order."""

    carrier_order_number: str
    parcels: tuple[ParcelResult, ...]
    master_tracking_numbers: tuple[str, ...] = ()
    price: Money | None = None
    charges: tuple[Charge, ...] = ()
    billable_weight: Weight | None = None
    warnings: tuple[Notice, ...] = ()
    details: dict[str, Any] = {}


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """The carrier has not decided yet, or its answer cannot be read: ask again.

    `carrier_order_number` is set when it is known. `words` are the carrier's words that are not about the
    order; a person can read them if the carrier never decides.
    """

    reason: str
    carrier_order_number: str | None = None
    words: CarrierWords | None = None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The carrier took the order, and the order then failed there."""

    words: CarrierWords
    carrier_order_number: str | None = None


class NotFound(msgspec.Struct, frozen=True):
    """The carrier says it has no such order."""


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """The carrier's readable answer does not fit the order (a wrong number of boxes, say)."""

    detail: str
    carrier_order_number: str | None = None


type OrderResult = Confirmed | Pending | Failed | NotFound | Mismatch


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A price preview."""

    service: str
    price: Money
    charges: tuple[Charge, ...] = ()
    billable_weight: Weight | None = None


class LabelFile(msgspec.Struct, frozen=True, kw_only=True):
    """One parcel's label as the carrier sent it, checked by its first bytes. `format`: pdf, jpg, zpl."""

    reference: str
    format: str
    content: bytes


class ParcelHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The journey of one number, as the carrier reports it; `carrier_code` is an aggregator's courier.

    `names` are the parcel's other names in the carrier's answer: its own number, a reference.
    """

    tracking_number: str
    events: tuple[TrackingEvent, ...]
    names: tuple[str, ...] = ()
    carrier_code: str | None = None
    other_numbers: tuple[OtherNumber, ...] = ()
    next_carrier: NextCarrier | None = None
    estimated_delivery: Saying | None = None
    signed_by: Saying | None = None
    proof: ProofOfDelivery | None = None


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One service the carrier sells."""

    code: str
    name: str
    countries: tuple[str, ...] = ()


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """The carrier cancelled the order. `refund_status`: none, requested or confirmed."""

    refund_status: str = "none"
    amount: Money | None = None


class AddressCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The carrier's check of an address. Pointers begin with `/address`."""

    valid: bool
    messages: tuple[FieldError, ...] = ()
    suggestion: Address | None = None


class Trust(StrEnum):
    """How far a webhook can be believed."""

    BELIEVED = "believed"
    NUDGE = "nudge"
    UNREADABLE = "unreadable"


class WebhookReading(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook after reading. Unless it is `believed`, it only says about which parcel to ask the carrier.

    `reason` says in a few words why it is not believed; `reference` is the order's, if the webhook has it.
    """

    trust: Trust
    reason: str = ""
    history: ParcelHistory | None = None
    reference: str | None = None


class WebhookCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook's own proof says of it before it is stored.

    `refused` means that it is forged. With a `reason` it is accepted, and parked without effect. `proof`
    names the proof that came with this webhook and is valid for no other.
    """

    refused: bool = False
    reason: str | None = None
    proof: str | None = None


class Waybill(NamedTuple):
    """A courier's code and a tracking number: how an aggregator names a parcel."""

    carrier_code: str
    tracking_number: str


class ParcelDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel, and what an aggregator stores with it; None leaves a value as it is."""

    waybill: Waybill
    destination_country: str | None = None
    title: str | None = None
    logistics_channel: str | None = None
    customer: Customer | None = None
    order_reference: str | None = None
    note: str | None = None


class Following(ParcelDetails, frozen=True, kw_only=True):
    """A parcel to be followed, and what helps the aggregator to find it.

    `ship_date` and `order_created_at` are sent in the aggregator's own form. With `auto_correct` the
    aggregator may find that another courier has the parcel.
    """

    special_destination: str | None = None
    postcode: str | None = None
    ship_date: date | None = None
    account_number: str | None = None
    auto_correct: bool = True
    order_created_at: datetime | None = None
    lang: str | None = None


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """The aggregator follows the parcel; `already` if it did so before. `history` is what it knows so far."""

    waybill: Waybill
    already: bool = False
    history: ParcelHistory | None = None


class Amendment(ParcelDetails, frozen=True, kw_only=True):
    """The changes of a followed parcel."""

    archived: bool | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A courier, an origin and a destination. Countries are two letters."""

    origin: str
    destination: str
    carrier_code: str


class TransitTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long parcels take on a route: `delivered` of `total`, and shares by the aggregator's ranges."""

    total: int
    delivered: int
    ranges: tuple[dict[str, Any], ...] = ()


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """A place that a courier may call remote."""

    country: str
    postcode: str
    company: str | None = None


class Courier(msgspec.Struct, frozen=True, kw_only=True):
    """A courier whose parcels an aggregator can follow."""

    code: str
    name: str
    type: str | None = None
    phone: str | None = None
    homepage: str | None = None
    picture: str | None = None

"""Carriers, services, prices, address checks, and the health of this API."""

from datetime import datetime
from typing import Literal

import msgspec

from parcelgate.carriers.port import CarrierProfile
from parcelgate.carriers.results import Rate, Service
from parcelgate.domain.addresses import Address
from parcelgate.domain.measures import Money, Weight
from parcelgate.domain.orders import Charge, Order
from parcelgate.domain.problems import FieldError
from parcelgate.domain.rate_cards import RateCardRow
from parcelgate.http.answers import copied


class RateResource(msgspec.Struct, frozen=True, kw_only=True):
    """A price preview."""

    carrier: str
    account: str
    service: str
    price: Money
    charges: tuple[Charge, ...]
    billable_weight: Weight | None


class RateList(msgspec.Struct, frozen=True):
    """The prices of the order at this moment."""

    rates: tuple[RateResource, ...]


class RateCardResource(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant's own price list for one carrier account."""

    carrier: str
    account: str
    rows: tuple[RateCardRow, ...]
    updated_at: datetime


class CarrierList(msgspec.Struct, frozen=True):
    """All carriers."""

    data: tuple[CarrierProfile, ...]


class ServiceList(msgspec.Struct, frozen=True):
    """A carrier's services.

    `source` says where the list is from: the carrier's own catalogue, or Parcelgate's.
    """

    data: tuple[Service, ...]
    source: Literal["carrier", "parcelgate"] = "parcelgate"


class AddressCheckResource(msgspec.Struct, frozen=True, kw_only=True):
    """The result of checking an address, and who checked it. `suggestion` is the carrier's own spelling."""

    valid: bool
    checked_by: Literal["carrier", "parcelgate"]
    messages: tuple[FieldError, ...]
    suggestion: Address | None


class Health(msgspec.Struct, frozen=True):
    """The state of this API."""

    status: str
    version: str


def rate_resource(order: Order, rate: Rate) -> RateResource:
    """Show the price of an order."""
    return copied(RateResource, rate, carrier=order.carrier, account=order.account)

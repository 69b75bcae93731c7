"""Carriers, services, prices, address checks, and the health of this API."""

from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from parcelgate.carriers.port import CarrierProfile
from parcelgate.carriers.results import Service
from parcelgate.domain.measures import Money, Weight
from parcelgate.domain.merchants.rate_cards import RateCardRow
from parcelgate.domain.orders import Charge, PriceSource
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.problems import FieldError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parcelgate.services.catalogue.rates import Quote, Skipped


class RateResource(msgspec.Struct, frozen=True, kw_only=True):
    """A price preview, and its source: the carrier, or the rate card of the account."""

    carrier: str
    account: str
    service: str
    price: Money
    charges: tuple[Charge, ...]
    billable_weight: Weight | None
    source: PriceSource


class SkippedRate(msgspec.Struct, frozen=True):
    """A service, or with `service` null a whole account, of which no price can be told, and why."""

    carrier: str
    account: str
    service: str | None
    code: str
    message: str


class RateList(msgspec.Struct, frozen=True):
    """The prices of the order at this moment."""

    rates: tuple[RateResource, ...]
    skipped: tuple[SkippedRate, ...] = ()


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
    """The state of this API, and of each carrier as we see it.

    A carrier is `down` when calls of one account at least fail in a row, so that they are held back for a
    while. It is `paused` while a person holds the calls of one account at least.
    """

    status: str
    version: str
    carriers: dict[str, Literal["up", "down", "paused", "unknown"]]


def rate_list(quotes: "Iterable[Quote]", skipped: "Iterable[Skipped]" = ()) -> RateList:
    """Prices, and of whom none can be told."""
    rates = (
        RateResource(
            carrier=quote.order.carrier,
            account=quote.order.account,
            service=quote.rate.service,
            price=quote.rate.price,
            charges=quote.rate.charges,
            billable_weight=quote.rate.billable_weight,
            source=quote.source,
        )
        for quote in quotes
    )
    return RateList(tuple(rates), tuple(SkippedRate(*each) for each in skipped))

"""A rate card: a merchant's own price list for a carrier account whose carrier tells no prices."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from parcelgate.domain.measures import Money, Weight, WeightUnit

ANY = "*"
"""Stands for all services, or all countries."""
MOST_ROWS = 2000
"""The largest number of rows in one card."""


class RateCardRow(msgspec.Struct, frozen=True, kw_only=True):
    """The price of one parcel up to a weight, with a service to a country; either may be `ANY`."""

    service: str
    destination_country: str
    weight_up_to: Weight
    price: Money

    @property
    def grams(self) -> Decimal:
        """The heaviest parcel of this price."""
        return self.weight_up_to.to(WeightUnit.G)


class RateCard(msgspec.Struct, frozen=True, kw_only=True):
    """The price list of one carrier account, its rows as they were given."""

    carrier: str
    account: str
    rows: tuple[RateCardRow, ...]
    updated_at: datetime

    @property
    def services(self) -> tuple[str, ...]:
        """The services that it names, each once."""
        return tuple(dict.fromkeys(row.service for row in self.rows if row.service != ANY))

    @property
    def has_any_service(self) -> bool:
        """Whether a row is for all services."""
        return any(row.service == ANY for row in self.rows)

    def price(self, service: str | None, country: str, weights: Iterable[Weight]) -> Money | None:
        """Return what parcels of these weights cost together, each by its own row.

        None when a parcel has no row, or when the rows are of several currencies: nothing is converted.
        """
        rows = [
            row
            for row in self.rows
            if row.service == ANY or (service is not None and row.service.casefold() == service.casefold())
            if row.destination_country in (ANY, country)
        ]
        prices = [_price_of(weight, rows) for weight in weights]
        if not prices or None in prices or len({price.currency for price in prices if price}) > 1:
            return None
        amounts = (price.amount for price in prices if price)
        return Money(sum(amounts, Decimal(0)), next(price.currency for price in prices if price))


def _price_of(weight: Weight, rows: Iterable[RateCardRow]) -> Money | None:
    """Return the price of the most specific row that fits a parcel.

    A row that names the service comes before one for all, then one that names the country, then the smallest
    weight.
    """
    grams = weight.to(WeightUnit.G)
    holding = [row for row in rows if grams <= row.grams]
    if not holding:
        return None
    return min(holding, key=lambda row: (row.service == ANY, row.destination_country == ANY, row.grams)).price

"""Figures over what a tenant bought and followed."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from parcelgate.domain.measures import Money
from parcelgate.domain.orders import LabelStatus, OrderStatus, PriceSource
from parcelgate.services.stats.figures import LABEL_BANDS, LONGER, LONGEST_DAYS, OTHER, OUTCOMES, money_of
from parcelgate.services.stats.reports import Dimension, Report

_OUTCOMES = (*dict.fromkeys(OUTCOMES.values()), OTHER)


class RefundStatus(StrEnum):
    """How a refund stands: see `refund` of an order."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class OrderFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders were made, and how many of them have which status now."""

    total: int
    accepted: int
    processing: int
    confirmed: int
    cancelling: int
    cancelled: int
    failed: int
    needs_attention: int


class SpendFigure(msgspec.Struct, frozen=True, kw_only=True):
    """What orders cost, in one currency and by one source of prices.

    Counted are orders that stand, and those whose carrier must give money back; `refunds` has that money. An
    order that was cancelled without a refund cost nothing. An order without a price is not in it.
    """

    source: PriceSource
    amount: Money


class RefundFigure(msgspec.Struct, frozen=True, kw_only=True):
    """What carriers must give back, have given back or refuse to give back, in one currency."""

    status: RefundStatus
    amount: Money


class LabelFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How many bought orders have their label, wait for it, or get none."""

    ready: int
    pending: int
    unavailable: int


class LabelBand(msgspec.Struct, frozen=True, kw_only=True):
    """Orders whose first label took up to so many minutes, and longer than the band before.

    `minutes` is null for the last band, which has no end.
    """

    minutes: int | None
    orders: int


class LabelTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long orders waited for their first label, in minutes. `mean` is null where there is none."""

    orders: int
    mean: Decimal | None
    spread: tuple[LabelBand, ...]


class ParcelFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How many parcels are followed, and how many of them have which status now.

    `exception` counts those that are lost or damaged, too; `other` those that are on their way or expired.
    """

    total: int
    delivered: int
    exception: int
    returned: int
    cancelled: int
    other: int


class DeliveryBand(msgspec.Struct, frozen=True, kw_only=True):
    """Parcels that took so many whole days; 31 stands for all that took longer, too."""

    days: int
    parcels: int


class DeliveryTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long delivered parcels took from their order, in days. `mean` is null where there is none."""

    parcels: int
    mean: Decimal | None
    spread: tuple[DeliveryBand, ...]


class PollFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls carriers have answered that asked where parcels are, and about how many parcels."""

    calls: int
    parcels: int


class FigureSet(msgspec.Struct, frozen=True, kw_only=True):
    """All figures. Those of orders and their parcels count on the day on which the order was made."""

    orders: OrderFigures
    spend: tuple[SpendFigure, ...]
    refunds: tuple[RefundFigure, ...]
    labels: LabelFigures
    minutes_to_label: LabelTimes
    parcels: ParcelFigures
    days_to_delivery: DeliveryTimes
    polls: PollFigures
    webhooks: int


class StatsGroup(FigureSet, frozen=True, kw_only=True):
    """The figures of one group.

    `day`, `carrier` and `service` are null if `by` does not name them. `service` is null, too, for orders
    that name no service, for parcels without an order, and for polls and webhooks.
    """

    day: date | None
    carrier: str | None
    service: str | None


class StatsResource(msgspec.Struct, frozen=True, kw_only=True):
    """Figures from one day to another, both included.

    `data` has a group for each combination of what `by` names, sorted by day, carrier and service. Groups in
    which nothing happened are left out. Without `by` it is empty.
    """

    from_: date = msgspec.field(name="from")
    to: date
    by: tuple[Dimension, ...]
    total: FigureSet
    data: tuple[StatsGroup, ...]


def stats_resource(report: Report, first: date, last: date, by: tuple[Dimension, ...]) -> StatsResource:
    """Show a report."""
    groups = tuple(_shown(StatsGroup, figures, **group._asdict()) for group, figures in report.groups.items())
    return StatsResource(from_=first, to=last, by=by, total=_shown(FigureSet, report.total), data=groups)


def _shown[F: FigureSet](kind: type[F], figures: Mapping[str, int], **group: date | str | None) -> F:
    def count(name: str) -> int:
        return figures.get(name, 0)

    orders = {str(status): count(f"orders_{status}") for status in OrderStatus}
    parcels = {outcome: count(f"parcels_{outcome}") for outcome in _OUTCOMES}
    return kind(
        **group,
        orders=OrderFigures(total=sum(orders.values()), **orders),
        spend=tuple(
            SpendFigure(source=PriceSource(source), amount=amount)
            for source, amount in _money("spend", figures)
        ),
        refunds=tuple(
            RefundFigure(status=RefundStatus(status), amount=amount)
            for status, amount in _money("refund", figures)
        ),
        labels=LabelFigures(**{str(status): count(f"label_{status}") for status in LabelStatus}),
        minutes_to_label=LabelTimes(
            orders=count("label_timed"),
            mean=_mean(count("label_seconds"), count("label_timed"), 60),
            spread=tuple(
                LabelBand(minutes=None if band == LONGER else int(band), orders=number)
                for band in map(str, (*LABEL_BANDS, LONGER))
                if (number := count(f"label_within_{band}"))
            ),
        ),
        parcels=ParcelFigures(total=sum(parcels.values()), **parcels),
        days_to_delivery=DeliveryTimes(
            parcels=count("delivery_timed"),
            mean=_mean(count("delivery_seconds"), count("delivery_timed"), 86_400),
            spread=tuple(
                DeliveryBand(days=days, parcels=number)
                for days in range(LONGEST_DAYS + 1)
                if (number := count(f"delivery_days_{days}"))
            ),
        ),
        polls=PollFigures(calls=count("poll_calls"), parcels=count("poll_parcels")),
        webhooks=count("webhooks"),
    )


def _money(kind: str, figures: Mapping[str, int]) -> list[tuple[str, Money]]:
    """The amounts that are not zero, each with its source or status, sorted."""
    amounts = []
    for name in sorted(figures):
        first, _, rest = name.partition("_")
        if first == kind and figures[name]:
            which, _, currency = rest.rpartition("_")
            amounts.append((which, money_of(figures[name], currency)))
    return amounts


def _mean(seconds: int, number: int, unit: int) -> Decimal | None:
    """The mean in this unit, with two decimals."""
    return round(Decimal(seconds) / (number * unit), 2) if number else None

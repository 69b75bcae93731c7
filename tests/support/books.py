"""The figures of `GET /v1/stats`, added up in the plainest way from the orders and parcels themselves."""

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.trackings import Tracking, TrackingStatus
from tests.support.bodies import Body


def all_of(page: Callable[..., Any]) -> Iterator[Any]:
    """All that a list of the store has, page by page."""
    cursor = None
    while True:
        found = page(limit=100, cursor=cursor)
        yield from found.data
        if (cursor := found.next_cursor) is None:
            return


def expected(orders: list[Order], trackings: list[Tracking]) -> Body:
    """What the figures have to be."""
    by_id = {order.id: order for order in orders}
    spend: Counter[tuple[str, str]] = Counter()
    refunds: Counter[tuple[str, str]] = Counter()
    for order in orders:
        ended = order.status in (OrderStatus.CANCELLED, OrderStatus.FAILED)
        if order.price and not (ended and order.refund.status == "none"):
            spend[order.price_source, order.price.currency] += order.price.amount
        if order.refund.status != "none" and order.refund.amount:
            refunds[order.refund.status, order.refund.amount.currency] += order.refund.amount.amount
    statuses = Counter(order.status for order in orders)
    parcels = Counter(parcel.status for parcel in trackings)
    delivered = [
        (parcel.delivered_at - by_id[parcel.order_id].created_at).total_seconds()
        for parcel in trackings
        if parcel.status is TrackingStatus.DELIVERED and parcel.delivered_at and parcel.order_id
    ]
    labels = [
        (order.label.first_ready_at - order.created_at).total_seconds()
        for order in orders
        if order.label.first_ready_at
    ]
    named = ("delivered", "returned", "cancelled")
    trouble = sum(parcels[status] for status in ("exception", "lost", "damaged"))
    return {
        "orders": {"total": len(orders)} | {status: statuses[status] for status in OrderStatus},
        "spend": [_money("source", key, amount) for key, amount in sorted(spend.items())],
        "refunds": [_money("status", key, amount) for key, amount in sorted(refunds.items())],
        "ready": sum(order.label.status == "ready" for order in orders),
        "to_label": (len(labels), _mean(labels, 60)),
        "parcels": {
            "total": len(trackings),
            **{name: parcels[name] for name in named},
            "exception": trouble,
            "other": len(trackings) - trouble - sum(parcels[name] for name in named),
        },
        "to_delivery": (len(delivered), _mean(delivered, 86_400)),
    }


def _money(name: str, key: tuple[str, str], amount: Decimal) -> Body:
    return {name: key[0], "amount": {"amount": str(amount), "currency": key[1]}}


def _mean(seconds: list[float], unit: int) -> float | None:
    return float(round(Decimal(sum(map(round, seconds))) / (len(seconds) * unit), 2)) if seconds else None


def shown(figures: Body) -> Body:
    """The same part of an answer."""
    label, delivery = figures["minutes_to_label"], figures["days_to_delivery"]
    assert sum(band["orders"] for band in label["spread"]) == label["orders"]
    assert sum(band["parcels"] for band in delivery["spread"]) == delivery["parcels"]
    return {
        "orders": figures["orders"],
        "spend": figures["spend"],
        "refunds": figures["refunds"],
        "ready": figures["labels"]["ready"],
        "to_label": (label["orders"], label["mean"]),
        "parcels": figures["parcels"],
        "to_delivery": (delivery["parcels"], delivery["mean"]),
    }

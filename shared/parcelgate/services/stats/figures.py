"""What an order, a parcel and a webhook add to the figures. Pure: it follows from their present state alone.

Everything about an order and its parcels counts on the day (UTC) on which the order was made, so the orders
of a span of days are the same as those of a list with `created_after` and `created_before`. A parcel without
an order counts on the day since which it is followed, a webhook on the day on which it came, a poll on its
own.

============================  ======================================================================
figure                        what it counts
============================  ======================================================================
orders_<status>               orders that have this status
spend_<source>_<currency>     prices of orders that stand, or of which money must come back; millionths
refund_<status>_<currency>    amounts of refunds; millionths
label_<status>                orders that are bought and whose label has this status
label_timed, label_seconds    orders that ever had a label; from the order to its first label
label_within_<minutes>        those of them that took up to so many minutes, and longer than the band before
parcels_<outcome>             parcels by what became of them: `OUTCOMES`, else `other`
delivery_timed, _seconds      delivered parcels of orders; from the order to the delivery
delivery_days_<days>          those of them that took so many whole days
poll_calls, poll_parcels      calls that a carrier answered, and the parcels that it was asked about
webhooks                      different webhooks of a carrier
============================  ======================================================================
"""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from parcelgate.domain.currencies import decimals
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.domain.trackings import Tracking, TrackingStatus
from parcelgate.store.tenants.stats import StatsRow

MILLION = 1_000_000
"""An amount is counted in whole millionths of its currency. No price has more decimals."""
LABEL_BANDS = (1, 5, 15, 60, 240, 1440)
"""Minutes. What took longer than the last counts under `LONGER`."""
LONGER = "longer"
LONGEST_DAYS = 31
"""Deliveries that took so many days or more count as one."""

OTHER = "other"
OUTCOMES = {
    TrackingStatus.DELIVERED: "delivered",
    TrackingStatus.EXCEPTION: "exception",
    TrackingStatus.LOST: "exception",
    TrackingStatus.DAMAGED: "exception",
    TrackingStatus.RETURNED: "returned",
    TrackingStatus.CANCELLED: "cancelled",
}
"""What became of a parcel, by its status. A parcel on its way is counted once, not at each step."""

_BOUGHT = (OrderStatus.CONFIRMED, OrderStatus.CANCELLING, OrderStatus.CANCELLED)
"""With these an order has a label, or waits for one. A cancelled one counts if it had one."""


def of_order(order: Order) -> StatsRow:
    """What an order adds."""
    figures = {f"orders_{order.status}": 1}
    refund = order.refund
    if order.price is not None and (not order.status.final or refund.status != "none"):
        figures[f"spend_{order.price_source}_{order.price.currency}"] = _millionths(order.price)
    if refund.status != "none" and refund.amount is not None:
        figures[f"refund_{refund.status}_{refund.amount.currency}"] = _millionths(refund.amount)
    figures |= _label(order)
    return StatsRow(
        day=day_of(order.created_at), carrier=order.carrier, service=order.service, figures=figures
    )


def of_tracking(tracking: Tracking, order: Order | None) -> StatsRow:
    """What a parcel adds; `order` is the one that it belongs to, if any."""
    figures = {f"parcels_{outcome(tracking)}": 1}
    since = tracking.created_at if order is None else order.created_at
    delivered_at = tracking.delivered_at
    if order is not None and delivered_at is not None and tracking.status is TrackingStatus.DELIVERED:
        # Carriers' clocks are not always right.
        took = max(delivered_at - since, timedelta(0))
        days = min(took.days, LONGEST_DAYS)
        figures |= {
            "delivery_timed": 1,
            "delivery_seconds": round(took.total_seconds()),
            f"delivery_days_{days}": 1,
        }
    return StatsRow(
        day=day_of(since),
        carrier=tracking.carrier,
        service=None if order is None else order.service,
        figures=figures,
    )


def of_webhook(carrier: str, received_at: datetime) -> StatsRow:
    """What a carrier's webhook adds."""
    return StatsRow(day=day_of(received_at), carrier=carrier, service=None, figures={"webhooks": 1})


def outcome(tracking: Tracking) -> str:
    """What became of a parcel; `other` of one that is on its way, or has expired."""
    return OUTCOMES.get(tracking.status, OTHER)


def day_of(moment: datetime) -> date:
    """The day on which something counts, in UTC."""
    return moment.astimezone(UTC).date()


def _label(order: Order) -> dict[str, int]:
    label = order.label
    bought = order.status in _BOUGHT and (not order.status.final or label.status != "pending")
    # An order that was erased has lost its label, and counts as it did before.
    had_one = order.erased_at is not None and label.first_ready_at is not None
    figures = {f"label_{LabelStatus.READY if had_one else label.status}": 1} if bought else {}
    if label.first_ready_at is not None:
        took = max(label.first_ready_at - order.created_at, timedelta(0))
        bands = (minutes for minutes in LABEL_BANDS if took <= timedelta(minutes=minutes))
        figures |= {
            "label_timed": 1,
            "label_seconds": round(took.total_seconds()),
            f"label_within_{next(bands, LONGER)}": 1,
        }
    return figures


def _millionths(money: Money) -> int:
    return int((money.amount * MILLION).to_integral_value(ROUND_HALF_UP))


def money_of(millionths: int, currency: str) -> Money:
    """An amount with the decimals of its currency, and more only where the amount has more."""
    places = decimals(currency)
    exact = Decimal(millionths).scaleb(-6)
    short = exact.quantize(Decimal(1).scaleb(-2 if places is None else -places))
    return Money(short if short == exact else exact.normalize(), currency)

"""Orders for the store's tests."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from parcelgate.domain.ids import new_id
from parcelgate.domain.measures import Dimensions, LengthUnit, Weight, WeightUnit
from parcelgate.domain.orders import Actor, Order, OrderEvent, OrderStatus, Parcel
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.trackings import Tracking
from parcelgate.store.table import Table

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def an_order(tenant: str = "acme", *, reference: str = "R-1", at: datetime = NOON, **more: Any) -> Order:
    """A new order of one box, as `create_order` would store it."""
    facts: dict[str, Any] = {
        "id": new_id("ord"),
        "tenant": tenant,
        "carrier": "lso",
        "account": "default",
        "service": "GroundBasic",
        "reference": reference,
        "ship_to": Address(
            name="Ada", line1="1 Main St", city="Austin", country="US", state="TX", postcode="78701"
        ),
        "parcels": (
            Parcel(
                reference=reference,
                weight=Weight(Decimal("1.50"), WeightUnit.LB),
                dimensions=Dimensions(Decimal(10), Decimal(8), Decimal("4.25"), LengthUnit.IN),
            ),
        ),
        "created_at": at,
        "updated_at": at,
        "watch_at": at + timedelta(minutes=2),
    }
    return Order(**facts | more)


def trackings_of(table: Table, order: Order) -> list[Tracking]:
    """What is known of the order's parcels, in parcel order."""
    ids = [parcel.tracking_id for parcel in order.parcels if parcel.tracking_id]
    return table.tenant(order.tenant).trackings.many(ids)


def an_event(kind: str = "order.accepted", *, at: datetime = NOON, **more: Any) -> OrderEvent:
    """An event of an order."""
    return OrderEvent(**{"at": at, "type": kind, "actor": Actor.CLIENT, "to": OrderStatus.ACCEPTED} | more)

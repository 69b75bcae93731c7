"""Asking a carrier how an order stands."""

from parcelgate.carriers.port import Carrier, ConfirmsLater
from parcelgate.carriers.results import OrderResult
from parcelgate.domain.orders import Order


def ask(carrier: Carrier, order: Order) -> OrderResult:
    """How the carrier says the order stands: by its number there where that is known and can be asked for."""
    if order.carrier_order_number is not None and isinstance(carrier, ConfirmsLater):
        return carrier.order_result(order)
    return carrier.find_by_reference(order)

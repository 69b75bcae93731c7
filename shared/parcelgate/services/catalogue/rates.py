"""Asking what an order would cost, without buying anything."""

from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.port import QuotesRates
from parcelgate.carriers.results import Rate
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import ProblemError
from parcelgate.observability.logs import bind_log_keys
from parcelgate.services import carrier_problems
from parcelgate.services.orders.create import Draft, examined

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.table import Table


class Quoter(msgspec.Struct, frozen=True):
    """Asks carriers for prices."""

    table: "Table"
    carriers: "Carriers"

    def quote(self, draft: Draft, deadline: Deadline) -> tuple[Order, list[Rate]]:
        """Ask the carrier for the price of an order that is not created; returns the order as understood.

        The carrier must have answered by `deadline`. Raises ProblemError:
        `validation_failed`, `not_supported_by_carrier`, `refused_by_carrier`, or `carrier_unavailable` for
        any other trouble with the carrier.
        """
        order = examined(draft, self.carriers)
        bind_log_keys(tenant=order.tenant, carrier=order.carrier)
        carrier = self.carriers.of(order, deadline)
        if not isinstance(carrier, QuotesRates):
            raise ProblemError("not_supported_by_carrier", "This carrier gives no price beforehand.")
        with carrier_problems.raised():
            return order, carrier.rates(order)

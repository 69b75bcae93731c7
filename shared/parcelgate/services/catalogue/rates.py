"""Asking what an order would cost, without buying anything."""

from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.errors import AccountError, CarrierError, RefusedError, TransientError
from parcelgate.carriers.port import QuotesRates
from parcelgate.carriers.results import Rate
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import RETRY_SECONDS, ProblemError
from parcelgate.observability.logs import bind_log_keys, log
from parcelgate.services.orders.create import Draft, examined
from parcelgate.store.errors import TokenBusyError

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
        every trouble that is not the client's.
        """
        order = examined(draft, self.carriers)
        bind_log_keys(tenant=order.tenant, carrier=order.carrier)
        carrier = self.carriers.of(order, deadline)
        if not isinstance(carrier, QuotesRates):
            raise ProblemError("not_supported_by_carrier", "This carrier does not say its price beforehand.")
        try:
            return order, carrier.rates(order)
        except RefusedError as error:
            raise ProblemError(
                "refused_by_carrier",
                "The carrier refused the order.",
                errors=error.errors,
                carrier=error.words,
            ) from None
        except (CarrierError, TokenBusyError) as error:
            log.warning("no rates", extra={"error": type(error).__name__})
            wait = error.retry_after if isinstance(error, TransientError) else None
            raise ProblemError(
                "carrier_unavailable",
                error.detail
                if isinstance(error, AccountError)
                else "The carrier cannot be asked for its price at the moment.",
                retry_after=round(wait or RETRY_SECONDS),
            ) from None

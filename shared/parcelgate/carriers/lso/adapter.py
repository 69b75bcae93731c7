"""LSO behind the carrier port."""

from collections.abc import Callable, Sequence
from datetime import datetime

from parcelgate.carriers.accounts import AccountConfig
from parcelgate.carriers.port import (
    Cancellation,
    Examination,
    LabelFile,
    OrderResult,
    ParcelHistory,
    Rate,
    Submitted,
)
from parcelgate.carriers.tokens import TokenVault
from parcelgate.carriers.transport import Transport
from parcelgate.domain.clock import Clock
from parcelgate.domain.orders import Order


class Lso:
    """One LSO account: Carrier, ConfirmsLater, QuotesRates, Cancels and ProvidesLabels."""

    def __init__(
        self,
        account: AccountConfig,
        *,
        send: Transport,
        tokens: TokenVault,
        clock: Clock,
        reread: Callable[[], AccountConfig] | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def may_resend(self) -> bool:
        """Whether an order that was twice not found may be sent again; see `ConfirmsLater`."""
        raise NotImplementedError

    def examine(self, order: Order) -> Examination:
        """Hold the order against LSO's fields and limits; see `rules`."""
        raise NotImplementedError

    def rates(self, order: Order) -> list[Rate]:
        """The fee preview, which the platform wants before each order."""
        raise NotImplementedError

    def create(self, order: Order, *, callback_url: str | None = None) -> Submitted:
        """orderCommit. Ask `rates` of the very same order first."""
        raise NotImplementedError

    def order_result(self, order: Order) -> OrderResult:
        """Ask how the order stands."""
        raise NotImplementedError

    def find_by_reference(self, order: Order) -> OrderResult:
        """The same question as `order_result`."""
        raise NotImplementedError

    def cancel(self, order: Order, *, at: datetime) -> Cancellation:
        """Apply for the refund of an order."""
        raise NotImplementedError

    def label(self, order: Order) -> list[LabelFile]:
        """One PDF per parcel, in parcel order."""
        raise NotImplementedError

    def track(self, tracking_numbers: Sequence[str]) -> list[ParcelHistory]:
        """The journeys of any number of parcels."""
        raise NotImplementedError

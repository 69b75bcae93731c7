"""What Parcelgate asks of a carrier: one small required port, and capabilities found by type.

Whoever uses a carrier asks `isinstance(carrier, Cancels)`, never for its name. All calls are made for
one carrier account, raise the errors of `parcelgate.carriers.errors`, and never retry by themselves.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from parcelgate.carriers.limits import Limits
from parcelgate.carriers.results import (
    AddressCheck,
    Amendment,
    Area,
    Cancellation,
    Confirmed,
    Courier,
    Examination,
    Followed,
    Following,
    LabelFile,
    OrderResult,
    ParcelHistory,
    Rate,
    Route,
    Service,
    Submitted,
    TransitTimes,
    Waybill,
    WebhookCheck,
    WebhookReading,
)
from parcelgate.domain.addresses import Address
from parcelgate.domain.orders import Order

if TYPE_CHECKING:
    from parcelgate.carriers.accounts import AccountConfig
    from parcelgate.carriers.errors import CarrierError


class CarrierProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What `/v1/carriers` says of a carrier, with how sure we are of each fact.

    `grades` maps a call (create, cancel, label, ...), and what else is known of the carrier, to documented,
    public or assumed; see `graded`. `confirms_later` tells what `ConfirmsLater` tells of the adapter, where
    there is none at hand; `create_batch` what `CreatesInBatches` tells, 1 for a carrier that takes orders
    singly; `track_batch` how many numbers one question after their journeys takes.
    """

    code: str
    name: str
    services: tuple[Service, ...]
    countries: tuple[str, ...]
    max_parcels: int
    label_formats: tuple[str, ...]
    grades: dict[str, str]
    confirms_later: bool = False
    create_batch: int = 1
    track_batch: int = 1
    limits: Limits = Limits()

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The calls that the carrier has."""
        return tuple(name for name in self.grades if name not in _NO_CALLS)


_NO_CALLS = frozenset({"authentication", "limits", "order_result", "webhook"})
"""What is graded besides the calls."""


def graded(*, documented: str = "", public: str = "", assumed: str = "") -> dict[str, str]:
    """The grades of a carrier's facts, which are named with blanks between them.

    >>> graded(documented="create label", assumed="limits")
    {'create': 'documented', 'label': 'documented', 'limits': 'assumed'}
    """
    grades = {"documented": documented, "public": public, "assumed": assumed}
    return {name: grade for grade, names in grades.items() for name in names.split()}


@runtime_checkable
class Tracks(Protocol):
    """Whoever can be asked where parcels are: every carrier, and an aggregator."""

    def track(self, tracking_numbers: Sequence[str]) -> list[ParcelHistory]:
        """Ask for the journeys of several parcels at once, at most `track_batch` of them.

        A number that is not known comes back without events, or not at all; what the answer tells of a
        parcel that was not asked about comes back too, so that it is counted. Raises RefusedError,
        AuthenticationError or TransientError for all of them.
        """
        ...


@runtime_checkable
class Carrier(Tracks, Protocol):
    """The required port of whoever takes orders."""

    def examine(self, order: Order) -> Examination:
        """Hold `order` against the carrier's limits and fields. Pure: calls nobody."""
        ...

    def create(self, order: Order, *, callback_url: str | None = None) -> Submitted | Confirmed:
        """Send the order to the carrier, once.

        Raises RefusedError, AuthenticationError, TransientError (certainly not taken) or
        UnknownOutcomeError (may have been taken).
        """
        ...

    def find_by_reference(self, order: Order) -> OrderResult:
        """Ask the carrier what it has under the order's reference (or its number, when known)."""
        ...


@runtime_checkable
class ConfirmsLater(Protocol):
    """A carrier whose create is asynchronous: the order goes through the workflow."""

    @property
    def may_resend(self) -> bool:
        """Whether a create whose answer was lost may be sent again once the carrier, twice, has not found it.

        False where the look-up itself is not to be relied on.
        """
        ...

    def order_result(self, order: Order) -> OrderResult:
        """Ask how the order stands, by its carrier number, or by its reference when that is unknown."""
        ...


@runtime_checkable
class QuotesRates(Protocol):
    """A carrier that can say the price before the order."""

    def rates(self, order: Order) -> list[Rate]:
        """The price of `order`, were it created now."""
        ...


@runtime_checkable
class Cancels(Protocol):
    """A carrier that can take an order back."""

    def cancel(self, order: Order, *, at: datetime) -> Cancellation:
        """Void the order. Idempotent: a second cancel of the same order succeeds too."""
        ...


@runtime_checkable
class ProvidesLabels(Protocol):
    """A carrier that gives labels."""

    def label(self, order: Order) -> list[LabelFile]:
        """The label of every parcel, in parcel order. Raises LabelPendingError while there is none."""
        ...


@runtime_checkable
class CreatesInBatches(Protocol):
    """A carrier that takes several orders in one call, each for itself."""

    @property
    def create_batch(self) -> int:
        """How many orders one call takes at most."""
        ...

    def create_many(self, orders: Sequence[Order]) -> "list[Submitted | Confirmed | CarrierError]":
        """Send the orders to the carrier, once: what became of each, in their order.

        Raises what `create` raises when it holds for all of them. RefusedError then means that the
        carrier did not say which order it minds: nothing was taken, send them one by one.
        """
        ...


@runtime_checkable
class Updates(Protocol):
    """A carrier with which a confirmed order can be changed."""

    def update(self, order: Order) -> Confirmed:
        """Make the carrier's order what `order` now says; its numbers, as they stand afterwards.

        Raises RefusedError when the order cannot change any more, or not in this way.
        """
        ...


@runtime_checkable
class Holds(Protocol):
    """A carrier that can be asked to keep an order back."""

    def hold(self, order: Order) -> None:
        """Ask the carrier to hold the order. Raises RefusedError when it is too late."""
        ...


@runtime_checkable
class Manifests(Protocol):
    """A carrier with which orders are closed before they are handed over; they cannot change afterwards."""

    def close(self, orders: Sequence[Order]) -> "list[CarrierError | None]":
        """Close the orders: for each, in their order, None or why it was not closed.

        Raises what holds for all of them.
        """
        ...


@runtime_checkable
class ListsServices(Protocol):
    """A carrier that can say which services the account may use."""

    def services(self) -> list[Service]:
        """The account's services as of now."""
        ...


@runtime_checkable
class ValidatesAddresses(Protocol):
    """A carrier that checks addresses itself."""

    def validate_address(self, address: Address) -> AddressCheck:
        """Whether the carrier knows the address, and what it would rather have."""
        ...


@runtime_checkable
class VerifiesWebhooks(Protocol):
    """A carrier that pushes tracking to the account's address."""

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookReading:
        """Read a webhook exactly as it came. Never raises for anything that a stranger could send."""
        ...


@runtime_checkable
class ChecksWebhooks(Protocol):
    """The package (not the adapter) of a carrier whose webhooks can be recognised as forged by themselves.

    It is asked while the carrier waits for an answer: no pydantic, no httpx, no cryptography.
    """

    def check_webhook(self, body: bytes, account: "AccountConfig", now: datetime) -> WebhookCheck:
        """Look at a webhook exactly as it came. Raises AccountError for an account that cannot check it."""
        ...


# Aggregators: whoever follows anybody's parcel for us.


@runtime_checkable
class Aggregates(Tracks, Protocol):
    """A service that follows parcels of many couriers. Lists of results are in the order of what was given.

    What holds for a single parcel comes back in its place, as a CarrierError; what holds for all is raised.
    """

    def follow(self, parcels: Sequence[Following]) -> "list[Followed | CarrierError]":
        """Follow up to 40 parcels. One that is followed already is no error."""
        ...

    def history(self, waybill: Waybill) -> ParcelHistory | None:
        """All that is known of one parcel; None when it is not followed."""
        ...

    def realtime(self, waybill: Waybill) -> ParcelHistory | None:
        """Have the courier itself asked, now. The two hours between such calls are the caller's to keep."""
        ...

    def amend(self, amendments: Sequence[Amendment]) -> "list[CarrierError | None]":
        """Change what is kept of up to 40 parcels."""
        ...

    def correct(self, waybill: Waybill, carrier_code: str) -> None:
        """Follow the parcel with another courier; done before, it is no error.

        Raises RefusedError when there is no such parcel, under either courier.
        """
        ...

    def forget(self, waybills: Sequence[Waybill]) -> "list[CarrierError | None]":
        """Follow up to 40 parcels no more, and forget them. One that is not followed is no error."""
        ...

    def pause(self, waybills: Sequence[Waybill]) -> "list[CarrierError | None]":
        """Ask the couriers no more, and keep what is known."""
        ...

    def transit_times(self, routes: Sequence[Route]) -> list[TransitTimes]:
        """How long parcels take."""
        ...

    def remote_areas(self, areas: Sequence[Area]) -> list[dict[str, Any]]:
        """Which of the places couriers call remote, in the aggregator's own words."""
        ...

    def air_cargo(self, awb: str) -> dict[str, Any]:
        """The journey of an air waybill, in the aggregator's own words."""
        ...

    def usage(self) -> dict[str, Any]:
        """What is left of the account's quota."""
        ...

    def counts(self) -> dict[str, int]:
        """How many parcels stand how, by our statuses."""
        ...

    def detect(self, tracking_number: str) -> list[Courier]:
        """Whose number it may be, the likeliest first."""
        ...

    def couriers(self, lang: str | None = None) -> list[Courier]:
        """Whose parcels can be followed."""
        ...

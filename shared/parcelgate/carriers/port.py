"""The port that every carrier implements, and the capabilities that only some carriers have.

Callers test for a capability by type, as in `isinstance(carrier, Cancels)`, never for the carrier's name. All
calls are made for one carrier account, raise the errors of `parcelgate.carriers.errors`, and never retry.
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
from parcelgate.domain.orders import Order
from parcelgate.domain.places.addresses import Address

if TYPE_CHECKING:
    from parcelgate.carriers.accounts import AccountConfig
    from parcelgate.carriers.errors import CarrierError


class CarrierProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What `/v1/carriers` shows of a carrier, with the grade of each fact.

    `grades` maps a call (create, cancel, label, ...), and what else is known of the carrier, to documented,
    public or assumed; see `graded`. `confirms_later` says what `ConfirmsLater` says of the adapter, for code
    that has no adapter. `create_batch` is the size that `CreatesInBatches` gives, 1 for a carrier that takes
    one order in a call. `track_batch` is how many numbers one tracking call takes.
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
"""Facts that are graded in addition to the calls."""


def graded(*, documented: str = "", public: str = "", assumed: str = "") -> dict[str, str]:
    """Make the grades of a carrier's facts. Their names are separated by blanks.

    >>> graded(documented="create label", assumed="limits")
    {'create': 'documented', 'label': 'documented', 'limits': 'assumed'}
    """
    grades = {"documented": documented, "public": public, "assumed": assumed}
    return {name: grade for grade, names in grades.items() for name in names.split()}


@runtime_checkable
class Tracks(Protocol):
    """A carrier or an aggregator that can report the journeys of parcels. Every carrier can."""

    def track(self, tracking_numbers: Sequence[str]) -> list[ParcelHistory]:
        """Ask for the journeys of several parcels at once, at most `track_batch` of them.

        An unknown number comes back without events, or not at all. Journeys of parcels that were not asked
        about come back too, so that they are counted. Raises RefusedError,
        AuthenticationError or TransientError for all of them.
        """
        ...


@runtime_checkable
class Carrier(Tracks, Protocol):
    """The port that every carrier must implement."""

    def examine(self, order: Order) -> Examination:
        """Check `order` against the carrier's limits and fields. Pure: makes no call."""
        ...

    def create(self, order: Order, *, callback_url: str | None = None) -> Submitted | Confirmed:
        """Submit the order to the carrier, once.

        Raises RefusedError, AuthenticationError, TransientError (certainly not taken) or
        UnknownOutcomeError (may have been taken).
        """
        ...

    def find_by_reference(self, order: Order) -> OrderResult:
        """Ask the carrier for the order with our reference (or with its number, if known)."""
        ...


@runtime_checkable
class ConfirmsLater(Protocol):
    """A carrier whose create is asynchronous: the order goes through the workflow."""

    @property
    def may_resend(self) -> bool:
        """Whether a create whose answer was lost may be repeated after two look-ups that found no order.

        False if the carrier's look-up is not reliable.
        """
        ...

    def order_result(self, order: Order) -> OrderResult:
        """Ask how the order stands, by its carrier number, or by its reference if the number is unknown."""
        ...


@runtime_checkable
class QuotesRates(Protocol):
    """A carrier that can give the price before the order is created."""

    def rates(self, order: Order) -> list[Rate]:
        """Ask the price that `order` would have now."""
        ...


@runtime_checkable
class Cancels(Protocol):
    """A carrier that can cancel an order."""

    def cancel(self, order: Order, *, at: datetime) -> Cancellation:
        """Cancel the order. Idempotent: a second cancel of the same order succeeds too."""
        ...


@runtime_checkable
class ProvidesLabels(Protocol):
    """A carrier that gives labels."""

    def label(self, order: Order) -> list[LabelFile]:
        """Fetch the label of every parcel, in parcel order. Raises LabelPendingError while there is none."""
        ...


@runtime_checkable
class CreatesInBatches(Protocol):
    """A carrier that takes several orders in one call, with a result for each."""

    @property
    def create_batch(self) -> int:
        """How many orders one call takes at most."""
        ...

    def create_many(self, orders: Sequence[Order]) -> "list[Submitted | Confirmed | CarrierError]":
        """Submit the orders to the carrier, once. Gives the result of each, in the same sequence.

        Raises the errors of `create` if one of them applies to all orders. RefusedError then means that the
        carrier did not say which order it refuses. It took none of them: submit them one by one.
        """
        ...


@runtime_checkable
class Updates(Protocol):
    """A carrier that lets a confirmed order be changed."""

    def update(self, order: Order) -> Confirmed:
        """Send the changed `order` to the carrier. Gives the order's numbers after the change.

        Raises RefusedError if the carrier does not allow the change.
        """
        ...


@runtime_checkable
class Holds(Protocol):
    """A carrier that can hold an order back."""

    def hold(self, order: Order) -> None:
        """Ask the carrier to hold the order. Raises RefusedError when it is too late."""
        ...


@runtime_checkable
class Returns(Protocol):
    """A carrier that sends an order back to its sender when it is asked to."""

    def send_back(self, order: Order) -> str | None:
        """Ask the carrier to send the order back. Gives the number that it has on its way back, if a new one.

        Raises RefusedError when it is too late, and UnknownOutcomeError when the carrier may have taken the
        request. A request that is repeated after that must not send back anything else.
        """
        ...


@runtime_checkable
class Manifests(Protocol):
    """A carrier that closes orders before they are handed over. Closed orders cannot be changed."""

    def close(self, orders: Sequence[Order]) -> "list[CarrierError | None]":
        """Close the orders. For each, in the same sequence, gives None or the error.

        Raises an error if it applies to all of them.
        """
        ...


@runtime_checkable
class ListsServices(Protocol):
    """A carrier that lists the services of an account."""

    def services(self) -> list[Service]:
        """The account's services as of now."""
        ...


@runtime_checkable
class ValidatesAddresses(Protocol):
    """A carrier that checks addresses itself."""

    def validate_address(self, address: Address) -> AddressCheck:
        """Ask whether the carrier knows the address, and how it would write it."""
        ...


@runtime_checkable
class VerifiesWebhooks(Protocol):
    """A carrier that sends tracking webhooks to the account's address."""

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookReading:
        """Read a webhook exactly as it came. Never raises for anything that a stranger could send."""
        ...


@runtime_checkable
class ChecksWebhooks(Protocol):
    """The package (not the adapter) of a carrier whose webhooks show by themselves that they are forged.

    It is called while the carrier waits for an answer, so it imports no pydantic, no httpx, no cryptography.
    """

    def check_webhook(self, body: bytes, account: "AccountConfig", now: datetime) -> WebhookCheck:
        """Look at a webhook exactly as it came. Raises AccountError for an account that cannot check it."""
        ...


# Aggregators: services that follow parcels of other couriers for us.


@runtime_checkable
class Aggregates(Tracks, Protocol):
    """A service that follows parcels of many couriers. Results come in the sequence of the arguments.

    An error of a single parcel comes back in its place, as a CarrierError; an error of all parcels is raised.
    """

    def follow(self, parcels: Sequence[Following]) -> "list[Followed | CarrierError]":
        """Follow up to 40 parcels. One that is followed already is no error."""
        ...

    def history(self, waybill: Waybill) -> ParcelHistory | None:
        """Read all that is known of one parcel; None if it is not followed."""
        ...

    def realtime(self, waybill: Waybill) -> ParcelHistory | None:
        """Let the aggregator ask the courier now. The caller must wait two hours between such calls."""
        ...

    def amend(self, amendments: Sequence[Amendment]) -> "list[CarrierError | None]":
        """Change what the aggregator stores with up to 40 parcels."""
        ...

    def correct(self, waybill: Waybill, carrier_code: str) -> None:
        """Follow the parcel with another courier. Repeating the call is no error.

        Raises RefusedError when there is no such parcel, under either courier.
        """
        ...

    def forget(self, waybills: Sequence[Waybill]) -> "list[CarrierError | None]":
        """Stop following up to 40 parcels and delete them there. One that is not followed is no error."""
        ...

    def pause(self, waybills: Sequence[Waybill]) -> "list[CarrierError | None]":
        """Stop asking the couriers, and keep what is known."""
        ...

    def transit_times(self, routes: Sequence[Route]) -> list[TransitTimes]:
        """Ask how long parcels take."""
        ...

    def remote_areas(self, areas: Sequence[Area]) -> list[dict[str, Any]]:
        """Ask which of the places couriers call remote. The reply has the aggregator's own field names."""
        ...

    def air_cargo(self, awb: str) -> dict[str, Any]:
        """Read the journey of an air waybill. The reply has the aggregator's own field names."""
        ...

    def usage(self) -> dict[str, Any]:
        """Read what is left of the account's quota."""
        ...

    def counts(self) -> dict[str, int]:
        """Count the parcels with each of our statuses."""
        ...

    def detect(self, tracking_number: str) -> list[Courier]:
        """Detect the couriers that the number may belong to, the likeliest first."""
        ...

    def couriers(self, lang: str | None = None) -> list[Courier]:
        """List the couriers whose parcels can be followed."""
        ...

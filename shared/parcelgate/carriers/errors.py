"""The errors in which a call to a carrier can end. Callers decide by class, never by carrier."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from parcelgate.carriers.results import ParcelResult
from parcelgate.domain.problems import CarrierWords, FieldError


class CarrierError(Exception):
    """Any trouble with a carrier. `words` is the carrier's own message, if there is one."""

    def __init__(self, message: str, *, words: CarrierWords | None = None) -> None:
        super().__init__(message)
        self.words = words


class Refusal(StrEnum):
    """Why a carrier refuses to act on an order that it already has, if it says why."""

    ALREADY_CLOSED = "already_closed"
    ALREADY_CANCELLED = "already_cancelled"
    UNKNOWN_ORDER = "unknown_order"
    NOT_PERMITTED = "not_permitted"


class RefusedError(CarrierError):
    """The carrier understood the call and refused it. The call had no effect; do not retry it.

    `reason` is set when the order as a whole is refused for one of the reasons that carriers share.
    """

    def __init__(
        self,
        message: str,
        *,
        words: CarrierWords | None = None,
        errors: Sequence[FieldError] = (),
        reason: Refusal | None = None,
    ) -> None:
        super().__init__(message, words=words)
        self.errors = tuple(errors)
        self.reason = reason


class AuthenticationError(CarrierError):
    """The carrier does not accept the account's credentials, even after they were read again."""


class AccountError(AuthenticationError):
    """The account's secret is wrong, so no call was made. `faults` names each field and quotes no value."""

    def __init__(self, carrier: str, account: str, faults: Sequence[str]) -> None:
        self.detail = f"The account {account} of carrier {carrier} is wrong: {'; '.join(faults)}."
        super().__init__(self.detail)
        self.faults = tuple(faults)


class TransientError(CarrierError):
    """The call certainly did nothing; the same call may work later. `retry_after` is in seconds."""

    def __init__(
        self, message: str, *, words: CarrierWords | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, words=words)
        self.retry_after = retry_after


class TooManyRequestsError(TransientError):
    """The carrier limits the rate of calls: HTTP 429."""


class HeldBackError(TransientError):
    """We did not make the call: no time was left, the carrier is down, or a rate limit was reached."""


class OverLimitError(HeldBackError):
    """We did not make the call: the account reached its rate limit, or the carrier asked for a rest."""


class PausedError(HeldBackError):
    """We did not make the call: a person has paused the account's calls.

    `detail` says since when, who and why. It is the same for all calls that one pause holds.
    """

    def __init__(self, message: str, *, detail: str, retry_after: float) -> None:
        super().__init__(message, retry_after=retry_after)
        self.detail = detail


class UnknownOutcomeError(CarrierError):
    """The call may have reached the carrier or not. Ask the carrier before the call is repeated."""


class RefusedParcel(msgspec.Struct, frozen=True, kw_only=True):
    """One parcel of an order that the carrier refused, and why."""

    reference: str
    words: CarrierWords
    errors: tuple[FieldError, ...] = ()


class PartlyRefusedError(CarrierError):
    """The carrier accepted some parcels of the order and refused others. The accepted ones must be cancelled.

    `carrier_order_number` and `accepted` are what `Cancels.cancel` needs in the order to take it back;
    either may be empty. `refused` says why, parcel by parcel, in parcel order.
    """

    def __init__(
        self,
        message: str,
        *,
        words: CarrierWords | None = None,
        carrier_order_number: str | None = None,
        accepted: Sequence[ParcelResult] = (),
        refused: Sequence[RefusedParcel] = (),
    ) -> None:
        super().__init__(message, words=words)
        self.carrier_order_number = carrier_order_number
        self.accepted = tuple(accepted)
        self.refused = tuple(refused)


class LabelPendingError(Exception):
    """The carrier has no usable label yet. Ask again later."""

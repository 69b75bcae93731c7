"""What a call to a carrier can end in, classed once. Callers decide by class, never by carrier."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from parcelgate.carriers.results import ParcelResult
from parcelgate.domain.problems import CarrierWords, FieldError


class CarrierError(Exception):
    """Any trouble with a carrier. `words` is what the carrier said, where it said anything."""

    def __init__(self, message: str, *, words: CarrierWords | None = None) -> None:
        super().__init__(message)
        self.words = words


class Refusal(StrEnum):
    """Why a carrier will not touch an order that it was given before, where it says so."""

    ALREADY_CLOSED = "already_closed"
    ALREADY_CANCELLED = "already_cancelled"
    UNKNOWN_ORDER = "unknown_order"
    NOT_PERMITTED = "not_permitted"


class RefusedError(CarrierError):
    """The carrier understood and said no: say why, do not retry. Nothing came of the call.

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
    """The carrier does not accept the account's credentials, also after they were read again."""


class AccountError(AuthenticationError):
    """The account itself is wrong, so that nothing was sent. `faults` names each field, and quotes none."""

    def __init__(self, carrier: str, account: str, faults: Sequence[str]) -> None:
        self.detail = f"The {carrier} account {account} is wrong: {'; '.join(faults)}."
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
    """The carrier does not want to be called so often: HTTP 429."""


class HeldBackError(TransientError):
    """The call was not made, for a reason of ours: no time, a carrier that is down, a limit of its own."""


class OverLimitError(HeldBackError):
    """The call was not made: the account asks as often as it may, or its carrier asked for a rest."""


class UnknownOutcomeError(CarrierError):
    """The call may or may not have reached the carrier: ask before doing it again."""


class RefusedParcel(msgspec.Struct, frozen=True, kw_only=True):
    """One parcel of an order that the carrier would not take, and why."""

    reference: str
    words: CarrierWords
    errors: tuple[FieldError, ...] = ()


class PartlyRefusedError(CarrierError):
    """The carrier took some parcels of the order and refused others: what it took must be cancelled.

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
    """The carrier has no usable label yet: ask again."""

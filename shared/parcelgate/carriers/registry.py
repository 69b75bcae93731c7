"""The registry of carriers: the only place that has their names. Each is imported when it is used."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from parcelgate.carriers.accounts import AccountFields, AccountSettings, Connection, CredentialFields
    from parcelgate.carriers.port import Aggregates, Carrier, CarrierProfile, ChecksWebhooks

CARRIERS = {
    "lso": "parcelgate.carriers.lso",
    "ubi": "parcelgate.carriers.ubi",
    "lme": "parcelgate.carriers.lme",
}


AGGREGATORS = {"trackingmore": "parcelgate.carriers.trackingmore"}
"""Services that follow parcels of any courier and take no orders."""

DEFAULT_AGGREGATOR = "trackingmore"
"""The aggregator that follows parcels which none of our carriers has."""


class UnknownCarrierError(Exception):
    """There is no carrier with that code in the registry."""


class CarrierPackage(Protocol):
    """The names that a carrier's package must define. Importing it must stay cheap: no pydantic, no httpx.

    It may also have `WEBHOOK_HEADERS`, the headers that prove something of a webhook, in lower case, and the
    function of `ChecksWebhooks`.
    """

    __name__: str
    PROFILE: CarrierProfile
    WEBHOOK_ANSWER: bytes | None


def names() -> tuple[str, ...]:
    """The codes of all carriers that take orders, in the order of the registry."""
    return tuple(CARRIERS)


def trackers() -> tuple[str, ...]:
    """The codes of everybody who can report journeys: the carriers, then the aggregators."""
    return (*CARRIERS, *AGGREGATORS)


@cache
def profile(code: str) -> CarrierProfile:
    """The profile of the carrier: what it can do. Raises UnknownCarrierError."""
    return _package(code).PROFILE


def webhook_answer(code: str) -> bytes | None:
    """The JSON body that the carrier expects as the answer to its webhook; None if it sends no webhooks."""
    return _package(code).WEBHOOK_ANSWER


def webhook_headers(code: str) -> tuple[str, ...]:
    """The names of the headers that prove something of a webhook, in lower case. They are stored with it."""
    return getattr(_package(code), "WEBHOOK_HEADERS", ())


def pushes(code: str) -> bool:
    """Whether the carrier sends tracking webhooks for all parcels of an account to one address."""
    return "verify_webhook" in profile(code).capabilities


def webhook_checker(code: str) -> ChecksWebhooks | None:
    """The package that checks the carrier's webhooks before they are stored; None without such a check."""
    from parcelgate.carriers.port import ChecksWebhooks

    package = _package(code)
    return package if isinstance(package, ChecksWebhooks) else None


def account_fields(code: str) -> AccountFields[CredentialFields, AccountSettings]:
    """The fields of an account with this carrier or aggregator. Raises UnknownCarrierError."""
    settings = import_module(f"{_package(code).__name__}.settings")
    return cast("AccountFields[CredentialFields, AccountSettings]", settings.ACCOUNT)


@cache
def adapter(code: str) -> Callable[[Connection], Carrier | Aggregates]:
    """The class of the adapter of a carrier or an aggregator. Raises UnknownCarrierError."""
    module = import_module(f"{_package(code).__name__}.adapter")
    return cast("Callable[[Connection], Carrier | Aggregates]", module.Adapter)


def _package(code: str) -> CarrierPackage:
    try:
        return cast(CarrierPackage, import_module({**CARRIERS, **AGGREGATORS}[code]))
    except KeyError:
        raise UnknownCarrierError(code) from None

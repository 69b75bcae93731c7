"""Which carriers there are. The only place that knows them by name; each is imported when it is used."""

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
"""Those that take no orders, and follow anybody's parcels."""

DEFAULT_AGGREGATOR = "trackingmore"
"""The aggregator that follows what no carrier of ours carries."""


class UnknownCarrierError(Exception):
    """There is no carrier of that name here."""


class CarrierPackage(Protocol):
    """What the package of a carrier must hold. Importing it must stay cheap: no pydantic, no httpx.

    It may hold besides `WEBHOOK_HEADERS`, the headers that prove something of a webhook, in lower case, and
    what makes it a `ChecksWebhooks`.
    """

    __name__: str
    PROFILE: CarrierProfile
    WEBHOOK_ANSWER: bytes | None


def names() -> tuple[str, ...]:
    """The codes of all carriers that take orders, in the order of the registry."""
    return tuple(CARRIERS)


def trackers() -> tuple[str, ...]:
    """The codes of all that can be asked where parcels are: the carriers, then the aggregators."""
    return (*CARRIERS, *AGGREGATORS)


@cache
def profile(code: str) -> CarrierProfile:
    """What the carrier can do. Raises UnknownCarrierError."""
    return _package(code).PROFILE


def webhook_answer(code: str) -> bytes | None:
    """The JSON body the carrier expects in answer to a webhook; None when it sends none to orders."""
    return _package(code).WEBHOOK_ANSWER


def webhook_headers(code: str) -> tuple[str, ...]:
    """The headers of a webhook that prove something, in lower case: they are kept with it."""
    return getattr(_package(code), "WEBHOOK_HEADERS", ())


def pushes(code: str) -> bool:
    """Whether the carrier tells an account of its parcels unasked, at one address for all of them."""
    return "verify_webhook" in profile(code).capabilities


def webhook_checker(code: str) -> ChecksWebhooks | None:
    """Who checks the carrier's webhooks before they are stored; None where that cannot be done."""
    from parcelgate.carriers.port import ChecksWebhooks

    package = _package(code)
    return package if isinstance(package, ChecksWebhooks) else None


def account_fields(code: str) -> AccountFields[CredentialFields, AccountSettings]:
    """What an account of the carrier, or of the aggregator, holds. Raises UnknownCarrierError."""
    settings = import_module(f"{_package(code).__name__}.settings")
    return cast("AccountFields[CredentialFields, AccountSettings]", settings.ACCOUNT)


@cache
def adapter(code: str) -> Callable[[Connection], Carrier | Aggregates]:
    """What makes the adapter of a carrier or an aggregator for an account. Raises UnknownCarrierError."""
    module = import_module(f"{_package(code).__name__}.adapter")
    return cast("Callable[[Connection], Carrier | Aggregates]", module.Adapter)


def _package(code: str) -> CarrierPackage:
    try:
        return cast(CarrierPackage, import_module({**CARRIERS, **AGGREGATORS}[code]))
    except KeyError:
        raise UnknownCarrierError(code) from None

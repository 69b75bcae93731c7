"""Carriers as the runtime makes them, with the parts that a test puts in their place."""

from functools import cache
from typing import Any, NoReturn

import pytest

from parcelgate import aws_clients
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import Accounts
from parcelgate.carriers.port import Carrier
from parcelgate.runtime import runtime
from parcelgate.services.accounts.carriers import Carriers
from parcelgate.services.settings import Settings
from parcelgate.store.limits import LoginsTable
from parcelgate.store.table import Table


def carriers_over(table: Table, settings: Settings, **parts: Any) -> Carriers:
    """Carriers over `table`, whose accounts and keys are this test's clients'."""

    from tests.support.table import TABLE_NAME  # Which loads moto: not for tests of a stack.

    @cache
    def accounts() -> Accounts:
        return Accounts(aws_clients.client("secretsmanager"), settings.secret_prefix, allows_http=True)

    made: dict[str, Any] = {
        "accounts": accounts,
        "logins": lambda: LoginsTable(aws_clients.client("dynamodb"), TABLE_NAME),
        "transport": runtime.transport,
        "kms": lambda: aws_clients.client("kms"),
        "kms_key": lambda: settings.kms_key,
    }
    return Carriers(table, **made | parts)


ADDRESSES: dict[str, dict[str, str]] = {
    "AU": {"line1": "3 Lakeside Dr", "city": "Berwick", "state": "VIC", "postcode": "3806"},
    "CA": {"line1": "111 Wellington St", "city": "Ottawa", "state": "ON", "postcode": "K1A 0A9"},
    "CN": {"line1": "1 Dock Road", "city": "Foshan", "state": "Guangdong", "postcode": "528100"},
    "DE": {"line1": "Platz der Republik 1", "city": "Berlin", "postcode": "11011"},
    "FR": {"line1": "55 Rue du Faubourg", "city": "Paris", "postcode": "75008"},
    "GB": {"line1": "1 High Street", "city": "London", "postcode": "E1 6AN"},
    "JP": {"line1": "1-7-1 Nagatacho", "city": "Chiyoda", "state": "Tokyo", "postcode": "100-0014"},
    "MX": {"line1": "Av. Juarez 1", "city": "Mexico City", "postcode": "06050"},
    "NZ": {"line1": "1 Molesworth St", "city": "Wellington", "postcode": "6011"},
    "US": {"line1": "401 Congress Ave", "city": "Austin", "state": "TX", "postcode": "78701"},
}
"""Where orders go, by country."""


def address_for(carrier: str) -> dict[str, str]:
    """An address that the carrier delivers to: in the first country that it names of those above."""
    countries = registry.profile(carrier).countries
    served = [country for country in countries if country in ADDRESSES]
    if not served:
        _lacking(
            f"countries in the PROFILE of {carrier}"
            if not countries
            else f"an address in {' or '.join(countries)}: add one to ADDRESSES in tests/support/carriers.py"
        )
    return {"country": served[0], **ADDRESSES[served[0]]}


def first_service(carrier: str) -> str:
    """A service that the carrier sells."""
    services = registry.profile(carrier).services
    if not services:
        _lacking(f"services in the PROFILE of {carrier}")
    return services[0].code


def is_carrier(adapter: object, carrier: str) -> bool:
    """Whether the adapter takes orders; fails, naming what it lacks, when it does not."""
    lacking = sorted({"examine", "create", "find_by_reference", "track"} - set(dir(adapter)))
    if lacking:
        _lacking(f"{', '.join(lacking)} in the adapter of {carrier}, see Carrier in carriers/port.py")
    return isinstance(adapter, Carrier)


def _lacking(what: str) -> NoReturn:
    """Fail in one line: what a new carrier lacks is no fault to be traced."""
    pytest.fail(f"not written yet: {what}", pytrace=False)

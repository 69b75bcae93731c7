"""Carriers as the runtime makes them, with the parts that a test puts in their place."""

from functools import cache
from typing import Any

from parcelgate import aws_clients
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import Accounts
from parcelgate.carriers.port import Carrier
from parcelgate.runtime import runtime
from parcelgate.services.accounts.carriers import Carriers
from parcelgate.services.settings import Settings
from parcelgate.store.table import Table


def carriers_over(table: Table, settings: Settings, **parts: Any) -> Carriers:
    """Carriers over `table`, whose accounts and keys are this test's clients'."""

    @cache
    def accounts() -> Accounts:
        return Accounts(aws_clients.client("secretsmanager"), settings.secret_prefix, allows_http=True)

    made: dict[str, Any] = {
        "accounts": accounts,
        "transport": runtime.transport,
        "kms": lambda: aws_clients.client("kms"),
        "kms_key": lambda: settings.kms_key,
    }
    return Carriers(table, **made | parts)


def first_service(carrier: str) -> str:
    """A service that the carrier sells."""
    services = registry.profile(carrier).services
    assert services, f"not written yet: services in the PROFILE of {carrier}"
    return services[0].code


def is_carrier(adapter: object, carrier: str) -> bool:
    """Whether the adapter takes orders; fails, naming what it lacks, when it does not."""
    lacking = sorted({"examine", "create", "find_by_reference", "track"} - set(dir(adapter)))
    assert not lacking, f"not written yet: {', '.join(lacking)} in the adapter of {carrier}, see port.Carrier"
    return isinstance(adapter, Carrier)

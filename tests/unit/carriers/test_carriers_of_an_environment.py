"""`services.accounts.carriers`: from tenant, carrier and account to a carrier that can be called."""

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from parcelgate import aws_clients
from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.port import QuotesRates
from parcelgate.carriers.toolkit.calls import Transport
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.problems import ProblemError
from parcelgate.services.accounts.carriers import Carriers
from parcelgate.services.settings import Settings
from parcelgate.store.limits import Entry
from tests.support.adapters import NOON, FakeTransport, FakeVault, lso_order
from tests.support.carriers import carriers_over


class Secrets:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.secret = {"credentials": {"app_id": "app-7", "app_secret": "made-up"}}

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - AWS's own name
        self.asked.append(SecretId)
        return {"SecretString": json.dumps(self.secret)}


class NoLimits:
    """An account that may be asked as often as anybody likes."""

    def enter(self, at: Any, **_: Any) -> Entry:
        return Entry()

    def succeeded(self, *, probe: bool) -> None: ...

    def refused(self, at: Any) -> None: ...


class Tables:
    """As much of the table as is asked for: a vault for each account."""

    def __init__(self) -> None:
        self.vaults: list[tuple[str, str, str, str]] = []
        self.tenants = ""

    def tenant(self, tenant: str) -> "Tables":
        self.tenants = tenant
        return self

    def limits(self, carrier: str, account: str) -> NoLimits:
        return NoLimits()

    def token_vault(self, carrier: str, account: str, *, key_id: str, **_: Any) -> FakeVault:
        self.vaults.append((self.tenants, carrier, account, key_id))
        return FakeVault(None)


@pytest.fixture
def secrets() -> Iterator[Secrets]:
    fake = Secrets()
    aws_clients.put("secretsmanager", fake)
    yield fake
    aws_clients.forget()


def carriers(transport: Transport, table: Tables, **environment: str) -> Carriers:
    def make(deadline: Deadline | None) -> Transport:
        return transport

    parts = {"transport": make, "kms": lambda: None, "clock": lambda: NOON}
    return carriers_over(table, Settings(environment), **parts)  # type: ignore[arg-type]


def test_a_carrier_speaks_for_the_account_it_was_asked_for(secrets: Secrets) -> None:
    table = Tables()
    transport = FakeTransport(
        {
            "lso.token": [{"code": 200, "data": {"token": "t"}}],
            "lso.fee_preview": [{"code": 200, "data": {"prepaidPrice": "1"}}],
        }
    )
    made = carriers(transport, table, PARCELGATE_KMS_KEY="key-1", PARCELGATE_SECRET_PREFIX="pg")
    for _ in range(2):
        carrier = made.of(AccountName("acme", "lso", "main"), Deadline.after(5))
        assert isinstance(carrier, QuotesRates)
        carrier.rates(lso_order())
    assert secrets.asked == ["pg/acme/lso/main"]
    assert table.vaults == [("acme", "lso", "main", "key-1")]
    assert transport.calls == ["lso.token", "lso.fee_preview", "lso.fee_preview"]


def test_examining_needs_neither_key_nor_store(secrets: Secrets) -> None:
    table = Tables()
    carrier = carriers(FakeTransport(), table).of(AccountName("acme", "lso", "default"))
    assert carrier.examine(lso_order()).errors == ()
    assert table.vaults == []


def test_rotation_needs_no_release(secrets: Secrets) -> None:
    transport = FakeTransport(
        {
            "lso.token": [{"code": 401}, {"code": 200, "data": {"token": "t"}}],
            "lso.fee_preview": [{"code": 200, "data": {"prepaidPrice": "1"}}],
        }
    )
    carrier = carriers(transport, Tables(), PARCELGATE_KMS_KEY="k").of(AccountName("acme", "lso", "default"))
    secrets.secret = {"credentials": {"app_id": "app-7", "app_secret": "newer"}}
    assert isinstance(carrier, QuotesRates)
    carrier.rates(lso_order())
    assert [sent["appSecret"] for sent in transport.bodies("lso.token")] == ["made-up", "newer"]


def test_an_unknown_carrier_is_the_clients_mistake(secrets: Secrets) -> None:
    with pytest.raises(ProblemError) as caught:
        carriers(FakeTransport(), Tables()).of(AccountName("acme", "nobody", "default"))
    assert [error.pointer for error in caught.value.problem.errors] == ["/carrier"]


@pytest.mark.parametrize("shared", [True, False])
def test_the_calls_of_a_shared_login_are_counted_by_it(secrets: Secrets, shared: bool) -> None:
    class Logins:
        counted: ClassVar[list[tuple[str, str]]] = []

        def limits(self, carrier: str, login: str) -> NoLimits:
            self.counted.append((carrier, login))
            return NoLimits()

    secrets.secret |= {"shared_login": shared}
    answers = {
        "lso.token": [{"code": 200, "data": {"token": "t"}}],
        "lso.fee_preview": [{"code": 200, "data": {"prepaidPrice": "1"}}],
    }
    parts: dict[str, Any] = {
        "transport": lambda _: FakeTransport(answers),
        "kms": lambda: None,
        "logins": Logins,
        "clock": lambda: NOON,
    }
    settings = Settings({"PARCELGATE_KMS_KEY": "key-1"})
    made = carriers_over(Tables(), settings, **parts)  # type: ignore[arg-type]
    carrier = made.of(AccountName("acme", "lso", "main"), Deadline.after(5))
    assert isinstance(carrier, QuotesRates)
    carrier.rates(lso_order())
    assert Logins.counted == ([("lso", "app-7")] if shared else [])

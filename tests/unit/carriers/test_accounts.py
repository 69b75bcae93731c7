"""Carrier accounts from Secrets Manager, on moto."""

import json
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from parcelgate.carriers import accounts as accounts_of_carriers
from parcelgate.carriers.accounts import Accounts, Login
from parcelgate.carriers.errors import AccountError
from parcelgate.carriers.limits import Limits
from parcelgate.carriers.lso import settings as lso_settings
from parcelgate.domain.problems import ProblemError
from tests.support.adapters import FakeTransport, lso, lso_account

SECRET = {
    "base_url": "https://platform.example",
    "credentials": {"app_id": "app-7", "app_secret": "made-up"},
    "overrides": {"currency": "EUR"},
    "ship_from": {"name": "Dock 4", "line1": "1 Main St", "city": "Dallas", "country": "US"},
}
NAME = "parcelgate/acme/lso/default"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Secrets:
    """Secrets Manager, its calls counted."""

    def __init__(self) -> None:
        self.client = boto3.client("secretsmanager", region_name="eu-central-1")
        self.reads = 0
        self.clock = Clock()
        self.accounts = Accounts(self, "parcelgate", wall_clock=self.clock)  # type: ignore[arg-type]

    def get_secret_value(self, **request: Any) -> Any:
        self.reads += 1
        return self.client.get_secret_value(**request)

    def put(self, secret: Any, name: str = NAME) -> None:
        text = secret if isinstance(secret, str) else json.dumps(secret)
        try:
            self.client.create_secret(Name=name, SecretString=text)
        except self.client.exceptions.ResourceExistsException:
            self.client.put_secret_value(SecretId=name, SecretString=text)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Secrets]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Secrets()


def test_an_account_is_what_its_secret_says(secrets: Secrets) -> None:
    secrets.put(SECRET)
    account = secrets.accounts.read("acme", "lso", "default")
    assert (account.tenant, account.carrier, account.name) == ("acme", "lso", "default")
    assert account.base_url == "https://platform.example"
    assert account.credentials == SECRET["credentials"]
    assert account.ship_from is not None
    assert account.ship_from.city == "Dallas"
    assert account.return_to is None


def test_an_account_is_remembered_for_five_minutes(secrets: Secrets) -> None:
    secrets.put(SECRET)
    for seconds, reads in ((0, 1), (299.9, 1), (300, 2)):
        secrets.clock.now = 1000 + seconds
        secrets.accounts.read("acme", "lso", "default")
        assert secrets.reads == reads


def test_an_account_grows_old_while_its_environment_is_frozen(
    secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monotonic clock may stand meanwhile, and a login that was taken away would be used for hours."""
    moments = iter([1000.0, 1301.0, 1301.0])
    with monkeypatch.context() as patched:
        clock = SimpleNamespace(time=lambda: next(moments), monotonic=lambda: 1000.0)
        patched.setattr(accounts_of_carriers, "time", clock)
        accounts = Accounts(secrets, "parcelgate")  # type: ignore[arg-type]
        secrets.put(SECRET)
        for _ in range(2):
            accounts.read("acme", "lso", "default")
    assert secrets.reads == 2


def test_an_account_that_was_found_to_be_gone_is_not_used_from_memory(secrets: Secrets) -> None:
    secrets.put(SECRET)
    secrets.accounts.read("acme", "lso", "default")
    secrets.client.delete_secret(SecretId=NAME)
    for fresh in (True, False):
        with pytest.raises(ProblemError):
            secrets.accounts.read("acme", "lso", "default", fresh=fresh)


def test_an_account_that_has_limits_of_its_own_keeps_the_carriers_others(secrets: Secrets) -> None:
    carriers = Limits(rest=120, lanes={"list": 1.0})
    secrets.put(SECRET)
    assert secrets.accounts.read("acme", "lso", "default").limits_over(carriers) == carriers

    secrets.put({**SECRET, "limits": {"rate": 5, "burst": 20}}, "parcelgate/acme/lso/slow")
    slow = secrets.accounts.read("acme", "lso", "slow")
    assert slow.limits_over(carriers) == Limits(rate=5, burst=20, rest=120, lanes={"list": 1.0})


def test_a_rotated_secret_is_seen_at_once_when_asked_for_afresh(secrets: Secrets) -> None:
    secrets.put(SECRET)
    secrets.accounts.read("acme", "lso", "default")
    secrets.put({"credentials": {"app_id": "app-8", "app_secret": "newer"}})
    assert secrets.accounts.read("acme", "lso", "default").credentials["app_id"] == "app-7"
    assert secrets.accounts.read("acme", "lso", "default", fresh=True).credentials["app_id"] == "app-8"
    assert secrets.accounts.read("acme", "lso", "default").credentials["app_id"] == "app-8"


def test_an_unknown_account_is_the_clients_mistake(secrets: Secrets) -> None:
    with pytest.raises(ProblemError) as caught:
        secrets.accounts.read("acme", "lso", "other")
    problem = caught.value.problem
    assert problem.code == "validation_failed"
    assert [(error.pointer, error.code) for error in problem.errors] == [("/account", "unknown_account")]


@pytest.mark.parametrize(
    "path",
    [
        ("acme", "lso", "../../other/lso/default"),
        ("acme", "lso", "a/b"),
        ("acme", "lso", ""),
        ("acme", "lso", "x" * 65),
        ("acme", "lso", "dëfault"),
        ("acme", "lso", "default\n"),
        ("..", "lso", "default"),
        ("acme/other", "lso", "default"),
    ],
)
def test_a_name_that_could_lead_elsewhere_is_never_looked_up(
    path: tuple[str, str, str], secrets: Secrets
) -> None:
    with pytest.raises(ProblemError):
        secrets.accounts.read(*path)
    assert secrets.reads == 0


def test_a_secret_may_begin_with_a_byte_order_mark(secrets: Secrets) -> None:
    secrets.put("\ufeff" + json.dumps({"credentials": {"app_id": "a", "app_secret": "s"}}))
    account = secrets.accounts.read("acme", "lso", "default")
    assert (account.faults, account.credentials["app_id"]) == ((), "a")


@pytest.mark.parametrize(
    ("secret", "where"),
    [
        ("s3cr3t, not JSON", "not JSON"),
        ('"s3cr3t"', "must be a JSON object"),
        ("{}", "credentials is missing"),
        ({"credentials": {"app_id": 7, "app_secret": "s3cr3t"}}, "credentials must be"),
        ({"credentials": {"app_id": "a"}, "s3cr3t": 1}, "unknown field"),
        ({"credentials": {}, "ship_from": {"name": "s3cr3t"}}, "ship_from must be"),
        ({"credentials": {}, "limits": {"rate": "s3cr3t"}}, "limits must be"),
    ],
)
def test_a_malformed_secret_is_an_operators_error_that_quotes_nothing(
    secret: Any, where: str, secrets: Secrets
) -> None:
    secrets.put(secret)
    account = secrets.accounts.read("acme", "lso", "default")
    with pytest.raises(AccountError, match=f"account default of carrier lso .*{where}") as caught:
        lso(FakeTransport(), account=account).track(["ZQ1"])
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in repr(account)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"credentials": {"app_id": "app-7"}}, "app_secret"),
        ({"base_url": "ftp://platform.example"}, "base_url"),
        ({"base_url": "https://u:s3cr3t@platform.example"}, "base_url"),
        ({"base_url": "https://platform.example/?token=s3cr3t"}, "base_url"),
        ({"base_url": "https://platform.example:port"}, "base_url"),
        ({"base_url": "platform.example"}, "base_url"),
        ({"overrides": {"currencies": "s3cr3t"}}, "overrides"),
        ({"overrides": {"refund_status": "s3cr3t"}}, "refund_status"),
        ({"overrides": {"paths": {"s3cr3t": "/x"}}}, "paths"),
        ({"overrides": {"paths": {"token": "s3cr3t"}}}, "paths"),
        ({"overrides": {"default_time_zone": "s3cr3t"}}, "default_time_zone"),
        ({"overrides": {"tracking_statuses": {"gone": "s3cr3t"}}}, "tracking_statuses"),
        ({"overrides": {"currency": "s3cr3t"}}, "currency"),
        ({"overrides": {"track_batch": 0}}, "track_batch"),
    ],
)
def test_an_lso_account_that_cannot_be_meant_is_named_where_it_is_wrong(
    changes: dict[str, Any], where: str
) -> None:
    with pytest.raises(AccountError, match=where) as caught:
        lso(FakeTransport(), account=lso_account(**changes)).track(["ZQ1"])
    assert "s3cr3t" not in str(caught.value)


def test_without_tls_a_carrier_is_called_in_the_local_environment_alone(secrets: Secrets) -> None:
    secrets.put({**SECRET, "base_url": "HTTP://platform.example"})
    account = secrets.accounts.read("acme", "lso", "default")
    with pytest.raises(
        AccountError, match="account default of carrier lso is wrong: base_url must be https://"
    ):
        lso(FakeTransport(), account=account).track(["ZQ1"])
    local = Accounts(secrets, "parcelgate", allows_http=True)  # type: ignore[arg-type]
    assert not local.read("acme", "lso", "default").faults


@pytest.mark.parametrize(
    "wrong", [{"overrides": {"currency": "x"}}, {"base_url": "platform.example"}, {"credentials": {}}]
)
def test_a_mended_account_is_used_at_once(wrong: Any, secrets: Secrets) -> None:
    secrets.put({**SECRET, **wrong})
    account = secrets.accounts.read("acme", "lso", "default")
    secrets.put(SECRET)
    reread = partial(secrets.accounts.read, "acme", "lso", "default", fresh=True)
    login = Login(lso_settings.ACCOUNT, account, reread)
    assert login.call(lambda: login.credentials.app_id) == "app-7"


def test_without_overrides_the_assumptions_stand() -> None:
    settings = Login(lso_settings.ACCOUNT, lso_account()).settings
    assert {call: settings.path(call) for call in lso_settings.Call} == dict(lso_settings.PATHS)
    assert (settings.currency, settings.track_batch, settings.refund_status) == ("USD", 30, "requested")
    login = Login(lso_settings.ACCOUNT, lso_account(base_url="http://127.0.0.1:8080/lso/"))
    assert login.base_url == "http://127.0.0.1:8080/lso"

"""Carriers by name, imported when they are used."""

import subprocess
import sys

import msgspec
import pytest

import sandbox.carriers
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import Connection
from parcelgate.carriers.port import Cancels, ConfirmsLater, CreatesInBatches, ProvidesLabels
from tests.support.adapters import NOON, FakeTransport, FakeVault, lso_account
from tests.support.carriers import is_carrier


def test_every_carrier_has_a_profile_of_its_own_name() -> None:
    for code in registry.names():
        profile = registry.profile(code)
        assert profile.code == code
        assert set(profile.grades.values()) <= {"documented", "public", "assumed"}
        assert set(profile.capabilities) <= set(profile.grades)


@pytest.mark.parametrize("code", registry.names())
def test_a_profile_says_what_the_adapter_can_do(code: str) -> None:
    account = lso_account(carrier=code, credentials=sandbox.carriers.package(code).new_login())
    connection = Connection(account, send=FakeTransport(), tokens=FakeVault(), clock=lambda: NOON)
    carrier = registry.adapter(code)(connection)
    profile = registry.profile(code)

    assert is_carrier(carrier, code)
    assert isinstance(carrier, ConfirmsLater) is profile.confirms_later
    assert isinstance(carrier, CreatesInBatches) is ("batch" in profile.capabilities)
    assert isinstance(carrier, Cancels) is ("cancel" in profile.capabilities)
    assert isinstance(carrier, ProvidesLabels) is ("label" in profile.capabilities)


def test_an_unknown_carrier_is_an_error() -> None:
    with pytest.raises(registry.UnknownCarrierError):
        registry.profile("../lso")


def test_the_answer_to_a_callback_is_the_platforms() -> None:
    answer = registry.webhook_answer("lso")
    assert answer is not None
    assert msgspec.json.decode(answer) == {"code": 200, "msg": "success"}


def test_who_pushes_to_an_account_says_what_proves_it() -> None:
    pushing = [code for code in registry.trackers() if registry.pushes(code)]
    assert {"lme", "trackingmore"} <= set(pushing)
    for code in pushing:
        assert registry.webhook_answer(code) is not None
        # Either by headers, or by the body alone.
        assert bool(registry.webhook_headers(code)) != (registry.webhook_checker(code) is not None)
    assert registry.webhook_headers("lso") == ()
    assert registry.webhook_checker("lso") is None


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        (
            "from parcelgate.carriers import registry; [registry.profile(code) for code in registry.names()]",
            "pydantic httpx boto3 botocore",
        ),
        ("import parcelgate.services.accounts.carriers", "pydantic httpx boto3"),
        (
            "from parcelgate.services import webhooks; from parcelgate.carriers import registry, accounts\n"
            "for code in registry.trackers():\n"
            "    account = accounts.AccountConfig(\n"
            "        tenant='t', carrier=code, name='d', credentials={'email': 'e'})\n"
            "    checker = registry.webhook_checker(code)\n"
            "    checker and checker.check_webhook(b'{\"verifyInfo\": {}}', account, None)",
            "pydantic httpx boto3 cryptography",
        ),
        ("import parcelgate.carriers.lso.adapter", "httpx boto3"),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(code: str, unwanted: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not set(unwanted.split()) & set(found)


def test_the_default_aggregator_is_named_and_follows_parcels() -> None:
    assert registry.DEFAULT_AGGREGATOR in registry.AGGREGATORS
    assert "follow" in registry.profile(registry.DEFAULT_AGGREGATOR).capabilities

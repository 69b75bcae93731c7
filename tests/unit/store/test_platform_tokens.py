"""The platform's token: asked for once, by one environment, and shared by all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from parcelgate import aws_clients
from parcelgate.store import calls
from parcelgate.store.credentials.platform_tokens import LEASE, PlatformTokenVault
from parcelgate.store.errors import StoreError, StoreUnavailableError, TokenBusyError
from parcelgate.store.table import Table
from tests.support.faults import Faults, Killed, die, throttle, unavailable
from tests.support.orders import NOON
from tests.support.table import TABLE_NAME, all_items

LIFE = 7200.0


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls.time, "sleep", lambda _: None)


@dataclass
class World:
    """Environments of one account, a clock that sleeping moves, and the platform."""

    client: Any
    key_id: str
    now: datetime = NOON
    asked: int = 0
    while_asleep: list[Callable[[], None]] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        if self.while_asleep:
            self.while_asleep.pop(0)()

    def fetch(self) -> tuple[str, float]:
        self.asked += 1
        return f"token-{self.asked}", LIFE

    def environment(
        self, faults: Faults | None = None, *, account: str = "default", tenant: str = "acme"
    ) -> PlatformTokenVault:
        client = faults.wrap(self.client, "dynamodb") if faults else self.client
        kms = aws_clients.client("kms")
        return (
            Table(client, TABLE_NAME)
            .tenant(tenant)
            .token_vault(
                "lso",
                account,
                key_id=self.key_id,
                kms=faults.wrap(kms, "kms") if faults else kms,
                clock=lambda: self.now,
                sleep=self.sleep,
            )
        )


@pytest.fixture
def world(dynamodb: Any) -> World:
    key = aws_clients.client("kms").create_key()["KeyMetadata"]["Arn"]
    return World(dynamodb, key)


def test_a_token_is_used_until_90_percent_of_its_life_are_over(world: World) -> None:
    vault = world.environment()
    assert vault.get(world.now) is None
    assert vault.renew(None, world.fetch) == "token-1"
    almost = NOON + timedelta(seconds=LIFE * 0.9 - 1)
    assert vault.get(almost) == "token-1"
    assert world.environment().get(almost) == "token-1"
    over = NOON + timedelta(seconds=LIFE * 0.9)
    assert vault.get(over) is None
    assert world.environment().get(over) is None


def test_a_token_is_shared_by_all_environments(world: World) -> None:
    world.environment().renew(None, world.fetch)
    assert world.environment().get(world.now) == "token-1"
    assert world.environment().renew(None, world.fetch) == "token-1"
    assert world.asked == 1


def test_a_token_once_read_is_remembered(world: World) -> None:
    world.environment().renew(None, world.fetch)
    faults = Faults()
    vault = world.environment(faults)
    assert [vault.get(world.now) for _ in range(3)] == ["token-1"] * 3
    assert faults.names == ["dynamodb.get_item", "kms.decrypt"]


def test_after_a_refusal_the_token_is_read_again_before_a_new_one_is_asked_for(world: World) -> None:
    slow, quick = world.environment(), world.environment()
    slow.renew(None, world.fetch)
    assert quick.renew("token-1", world.fetch) == "token-2"
    assert slow.get(world.now) == "token-1", "it does not know yet"
    assert slow.renew("token-1", world.fetch) == "token-2"
    assert slow.get(world.now) == "token-2"
    assert world.asked == 2


def test_while_one_asks_another_waits_and_takes_what_it_got(world: World) -> None:
    world.environment().renew(None, world.fetch)
    waiting: list[str] = []

    def slow_fetch() -> tuple[str, float]:
        world.while_asleep.append(lambda: None)
        world.while_asleep.append(answered)
        waiting.append(world.environment().renew("token-1", pytest.fail))
        return "token-2", LIFE

    def answered() -> None:
        """The first one's answer arrives while the second one sleeps."""
        lease = next(item for item in all_items(world.client) if "lease_holder" in item)
        first._keep(lease["lease_holder"]["S"], _held("token-2"))

    from parcelgate.store.credentials.platform_tokens import _Held

    def _held(token: str) -> _Held:
        return _Held(token, world.now.timestamp() + 6480, world.now.timestamp() + LIFE)

    first = world.environment()
    assert first.renew("token-1", slow_fetch) == "token-2"
    assert waiting == ["token-2"]


def test_while_one_renews_early_another_uses_the_old_token(world: World) -> None:
    world.environment().renew(None, world.fetch)
    world.now = NOON + timedelta(seconds=LIFE * 0.95)
    others: list[str] = []

    def fetch() -> tuple[str, float]:
        others.append(world.environment().renew(None, pytest.fail))
        return world.fetch()

    assert world.environment().renew(None, fetch) == "token-2"
    assert others == ["token-1"]


def test_an_old_token_that_is_dead_or_refused_does_not_serve(world: World) -> None:
    world.environment().renew(None, world.fetch)
    world.now = NOON + timedelta(seconds=LIFE)

    def fetch() -> tuple[str, float]:
        began = world.now
        impatient = world.environment()
        impatient.wait = timedelta(seconds=1)
        with pytest.raises(TokenBusyError):
            impatient.renew(None, pytest.fail)
        with pytest.raises(TokenBusyError):
            impatient.renew("token-1", pytest.fail)
        assert timedelta(seconds=2) <= world.now - began < timedelta(seconds=3)
        return world.fetch()

    assert world.environment().renew(None, fetch) == "token-2"


def test_who_dies_asking_is_replaced_when_its_lease_is_over(world: World) -> None:
    def dying() -> tuple[str, float]:
        raise Killed

    faults = Faults().at(3, die())  # read, lease, and then dead before the lease could be dropped
    with pytest.raises(Killed):
        world.environment(faults).renew(None, dying)
    began = world.now
    assert world.environment().renew(None, world.fetch) == "token-1"
    assert LEASE <= world.now - began <= LEASE + timedelta(seconds=2)


def test_a_refusal_by_the_platform_lets_the_next_one_try_at_once(world: World) -> None:
    def refused() -> tuple[str, float]:
        raise LookupError("wrong secret")

    with pytest.raises(LookupError):
        world.environment().renew(None, refused)
    began = world.now
    assert world.environment().renew(None, world.fetch) == "token-1"
    assert world.now == began


def test_of_two_that_reach_for_the_lease_one_asks(world: World) -> None:
    won: list[str] = []
    faults = Faults().before("update_item", lambda: won.append(world.environment().renew(None, world.fetch)))
    assert world.environment(faults).renew(None, world.fetch) in ("token-1", "token-2")
    assert won == ["token-1"]


def test_a_lease_that_was_lost_while_asking_does_not_overwrite_the_newer_token(world: World) -> None:
    def endless() -> tuple[str, float]:
        world.now += LEASE + timedelta(seconds=1)
        assert world.environment().renew(None, lambda: ("newer", LIFE)) == "newer"
        return "late", LIFE

    assert world.environment().renew(None, endless) == "late"
    assert world.environment().get(world.now) == "newer"


def test_a_token_is_stored_encrypted_and_for_this_account_alone(world: World) -> None:
    world.environment().renew(None, world.fetch)
    (item,) = all_items(world.client)
    assert "token-1" not in str(item)
    with pytest.raises(ClientError):
        aws_clients.client("kms").decrypt(CiphertextBlob=item["sealed"]["B"])
    moved = item | {"pk": {"S": "T#acme#TOKEN#lso#other"}}
    world.client.put_item(TableName=TABLE_NAME, Item=moved)
    other = world.environment(account="other")
    assert other.get(world.now) is None
    assert other.renew(None, world.fetch) == "token-2"


def test_promise_7_a_token_is_its_tenants_alone(world: World) -> None:
    world.environment().renew(None, world.fetch)
    assert world.environment(tenant="other").get(world.now) is None


@pytest.mark.parametrize("method", ["encrypt", "decrypt"])
def test_a_key_service_that_fails_is_the_stores_trouble(world: World, method: str) -> None:
    world.environment().renew(None, world.fetch)
    faults = Faults().on(method, unavailable()).on(method, throttle())
    for _ in range(2):
        with pytest.raises(StoreError):
            world.environment(faults).renew("token-1", world.fetch)
    assert world.environment(faults).renew("token-1", world.fetch).startswith("token-")


def test_a_token_that_could_not_be_kept_leaves_no_lease(world: World) -> None:
    faults = Faults()
    faults.at(4, unavailable())  # read, lease, encrypt, keep
    with pytest.raises(StoreUnavailableError):
        world.environment(faults).renew(None, world.fetch)
    began = world.now
    assert world.environment().renew(None, world.fetch) == "token-2"
    assert world.now == began

"""API keys: shown once, stored as a hash, gone when revoked."""

import subprocess
import sys
from typing import Any

import pytest

from parcelgate.services.accounts import api_keys
from parcelgate.services.accounts.api_keys import (
    Identity,
    UnknownScopeError,
    create,
    list_keys,
    revoke,
    verify,
)
from parcelgate.store.errors import KeyNotFoundError
from parcelgate.store.table import Table
from tests.support.faults import Faults, conflict
from tests.support.orders import NOON
from tests.support.table import TABLE_NAME, all_items


def id_of(key: str) -> str:
    return key.split("_")[1]


def test_a_key_speaks_for_its_tenant_with_its_scopes(table: Table) -> None:
    key = create(table, "acme", ["orders:write", "orders:read", "orders:read"], "the warehouse")
    assert key.startswith("pg_")
    assert len(key.split("_")) == 3
    assert verify(table, key) == Identity("acme", id_of(key), ("orders:read", "orders:write"))


def test_a_revoked_key_speaks_for_nobody(table: Table) -> None:
    key = create(table, "acme", ["orders:read"], "old", now=NOON)
    revoke(table, "acme", id_of(key), now=NOON)
    revoke(table, "acme", id_of(key))
    assert verify(table, key) is None
    assert [known.revoked_at for known in list_keys(table, "acme")] == [NOON]


def test_only_the_hash_of_the_secret_is_stored(table: Table, dynamodb: Any) -> None:
    key = create(table, "acme", ["orders:read"], "a key")
    assert key.split("_")[2] not in str(all_items(dynamodb))


def test_a_tenant_sees_its_own_keys_oldest_first(table: Table) -> None:
    made = [create(table, "acme", ["orders:read"], name) for name in ("one", "two", "three")]
    create(table, "other", ["orders:read"], "not seen")
    assert [(known.id, known.name) for known in list_keys(table, "acme")] == [
        (id_of(key), name) for key, name in zip(made, ("one", "two", "three"), strict=True)
    ]


def test_promise_7_nobody_revokes_another_tenants_key(table: Table) -> None:
    key = create(table, "acme", ["orders:read"], "a key")
    for key_id in (id_of(key), "unknown", "", "#", "x" * 3000):
        with pytest.raises(KeyNotFoundError):
            revoke(table, "other", key_id)
    assert verify(table, key) is not None


@pytest.mark.parametrize("scopes", [[], ["orders"], ["orders:read", "admin"], ["orders:read orders:write"]])
def test_scopes_that_do_not_exist_are_refused(table: Table, scopes: list[str]) -> None:
    with pytest.raises(UnknownScopeError):
        create(table, "acme", scopes, "a key")


@pytest.mark.parametrize("tenant", ["", "a#b", "T#a", "a/b", "-a", "x" * 65, "ä", "a b", "a\n"])
def test_a_tenants_name_cannot_lead_anywhere_else(table: Table, tenant: str) -> None:
    with pytest.raises(ValueError, match="tenant"):
        create(table, tenant, ["orders:read"], "a key")


def test_a_wrong_key_speaks_for_nobody(table: Table) -> None:
    key = create(table, "acme", ["orders:read"], "a key")
    scheme, key_id, secret = key.split("_")
    wrong = [
        "",
        "pg",
        "pg_",
        f"pg_{key_id}",
        f"pg_{key_id}_",
        f"pg__{secret}",
        f"sk_{key_id}_{secret}",
        f"pg_{key_id}_{secret[:-1]}",
        f"pg_{key_id}_{secret}0",
        f"pg_{key_id.lower()}_{secret}",
        f"pg_{key_id}_{secret}".upper(),
        f"pg_unknown_{secret}",
        f"pg_#_{secret}",
        f"pg_{key_id}_é",
        "pg_" + "a" * 10_000 + "_b",
        f" {key}",
        f"{key}\n",
    ]
    assert [verify(table, presented) for presented in wrong] == [None] * len(wrong)
    assert scheme == "pg"


def test_an_unknown_id_costs_as_much_as_a_wrong_secret(
    dynamodb: Any, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = create(table, "acme", ["orders:read"], "a key")
    compared: list[int] = []
    really = api_keys.compare_digest
    monkeypatch.setattr(
        api_keys, "compare_digest", lambda a, b: compared.append(len(a) + len(b)) or really(a, b)
    )
    faults = Faults()
    watched = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME)
    verify(watched, f"pg_{id_of(key)}_wrong")
    verify(watched, "pg_unknown_wrong")
    assert compared == [128, 128]
    assert faults.names == ["dynamodb.get_item"] * 2


def test_revoking_survives_a_collision(dynamodb: Any, table: Table) -> None:
    key = create(table, "acme", ["orders:read"], "a key")
    faults = Faults().on("transact_write_items", conflict())
    revoke(Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME), "acme", id_of(key))
    assert verify(table, key) is None


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        (
            "parcelgate.services.accounts.api_keys",
            ["pydantic", "httpx", "boto3", "msgspec", "importlib.metadata"],
        ),
        ("parcelgate.store.inbox", ["pydantic", "httpx", "boto3", "msgspec", "importlib.metadata"]),
        (
            "parcelgate.store.credentials.webhook_tokens",
            ["pydantic", "httpx", "boto3", "msgspec", "importlib.metadata"],
        ),
        ("parcelgate.store.orders", ["pydantic", "httpx", "boto3", "importlib.metadata"]),
    ],
)
def test_what_each_function_loads_is_little(module: str, heavy: list[str]) -> None:
    """And loading it with the table's own module loads no part that was not asked for."""
    program = (
        f"import sys, {module}, parcelgate.store.table; "
        f"print(*[name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

"""The authorizer: whose key it is, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from functions.authorize.handler import handler
from parcelgate.services.accounts import api_keys
from tests.support.api import Backend, Context


def asked(authorization: str | None) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(Path("events/authorize.json").read_text())
    event["headers"].pop("authorization", None)
    if authorization is not None:
        event["headers"]["Authorization"] = authorization
    answer = handler(event, Context())
    assert answer["isAuthorized"] is True
    context: dict[str, Any] = answer["context"]
    return context


def test_a_good_key_is_known_with_its_tenant_and_scopes(backend: Backend) -> None:
    key = api_keys.create(backend.table, "acme", ["orders:write", "orders:read"], "shop")

    assert asked(f"Bearer {key}") == {
        "auth": "ok",
        "tenant": "acme",
        "key_id": key.split("_")[1],
        "scopes": "orders:read orders:write",
    }
    assert asked(f"bearer  {key} ")["auth"] == "ok"


def test_a_revoked_key_is_nobody_s(backend: Backend) -> None:
    key = api_keys.create(backend.table, "acme", ["orders:read"], "shop")
    api_keys.revoke(backend.table, "acme", key.split("_")[1])

    assert asked(f"Bearer {key}") == {"auth": "invalid"}


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer pg_",
        "Bearer pg_a_b",
        "Basic cGc6eA==",
        "Bearer " + "x" * 5000,
        "pg_a_b",
    ],
)
def test_anything_else_is_nobody_s(authorization: str | None, backend: Backend) -> None:
    assert asked(authorization) == {"auth": "invalid"}


def test_a_key_with_another_secret_is_nobody_s(backend: Backend) -> None:
    key = api_keys.create(backend.table, "acme", ["orders:read"], "shop")

    assert asked(f"Bearer {key[:-1]}{'0' if key[-1] != '0' else '1'}") == {"auth": "invalid"}


HEAVY = ("pydantic", "httpx", "aws_lambda_powertools", "pypdf", "cryptography", "boto3")


@pytest.mark.parametrize(
    ("function", "allowed"),
    [
        ("authorize", ()),
        ("read_orders", ("aws_lambda_powertools",)),
        ("get_label", ("aws_lambda_powertools",)),
        ("describe_service", ("aws_lambda_powertools",)),
        ("show_tracking_page", ("aws_lambda_powertools",)),
        ("cancel_order", ("aws_lambda_powertools",)),
        ("create_order", ("aws_lambda_powertools", "pydantic")),
        ("quote_rates", ("aws_lambda_powertools", "pydantic")),
    ],
)
def test_each_function_loads_no_more_than_it_needs(function: str, allowed: tuple[str, ...]) -> None:
    program = f"import functions.{function}.handler, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    modules = set(loaded.stdout.split())
    assert {name for name in HEAVY if name in modules} <= set(allowed)
    assert "aws_lambda_powertools.event_handler" not in modules

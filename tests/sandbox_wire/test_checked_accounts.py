"""Carrier accounts over HTTP: each carrier is asked whether the login works, and says so or not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from parcelgate import aws_clients
from parcelgate.runtime import runtime
from parcelgate.store import keys
from parcelgate.store.limits import LOGINS as LOGINS_OF_ALL
from sandbox import Settings, serve
from sandbox.lme import new_login
from tests.support.api import Backend, Reply, backend, call, shared_backend
from tests.support.table import all_items

__all__ = ["backend", "shared_backend"]

LOGINS: dict[str, dict[str, str]] = {
    "lso": {"app_id": "app-7", "app_secret": "made-up"},
    "ubi": {"token": "t-7", "secret": "made-up"},
    "trackingmore": {"api_key": "key-7", "email": "shop@example.com"},
}
WRONG = {"lso": "app_secret", "ubi": "secret", "trackingmore": "api_key"}
CHECK = "POST /v1/carrier-accounts/{carrier}/{account}/check"


@pytest.fixture(scope="module")
def lme() -> dict[str, str]:
    return new_login("APP-1", 1024)


@pytest.fixture
def url(backend: Backend, lme: dict[str, str]) -> Iterator[str]:
    accounts = {name: {"default": login} for name, login in LOGINS.items()} | {"lme": {"default": lme}}
    with serve(Settings(accounts=accounts, acceleration=1)) as address:
        ours = {name: lme[name] for name in ("app_key", "client_private", "lme_public")}
        for carrier, login in (*LOGINS.items(), ("lme", ours)):
            store(carrier, {"credentials": login, "base_url": f"{address}/{carrier}"})
        yield address


def store(carrier: str, content: dict[str, Any]) -> None:
    client = aws_clients.client("secretsmanager")
    name, text = f"parcelgate/acme/{carrier}/default", json.dumps(content)
    try:
        client.create_secret(Name=name, SecretString=text)
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=name, SecretString=text)


def check(carrier: str, account: str = "default", **more: Any) -> Reply:
    return call(CHECK, carrier=carrier, account=account, **more)


def attention() -> list[dict[str, Any]]:
    return [entry for entry in call("GET /v1/attention").json()["data"] if entry["kind"] == "account"]


@pytest.mark.parametrize("carrier", ["lso", "ubi", "lme", "trackingmore"])
def test_a_login_that_works(carrier: str, url: str) -> None:
    for _ in range(2):
        reply = check(carrier)
        assert reply.status == 200
        assert reply.json()["check"]["result"] == "works", reply.text
        assert (reply.json()["login"], reply.json()["circuit"]) == ("works", "closed")
        assert "made-up" not in reply.text
    (listed,) = call("GET /v1/carrier-accounts").json()["data"]
    assert listed == reply.json() | {"check": None}
    assert attention() == []


@pytest.mark.parametrize("carrier", WRONG)
def test_a_login_that_is_refused_is_shown_until_it_works(carrier: str, url: str) -> None:
    login = LOGINS[carrier] | {WRONG[carrier]: "another"}
    store(carrier, {"credentials": login, "base_url": f"{url}/{carrier}"})

    reply = check(carrier)

    assert (reply.json()["check"]["result"], reply.json()["login"]) == ("refused", "refused"), reply.text
    (entry,) = attention()
    assert (entry["id"], entry["actions"]) == (f"{carrier}/default", ["check"])
    assert entry["problem"]["code"] == "credentials_refused"
    assert "another" not in reply.text
    store(carrier, {"credentials": LOGINS[carrier], "base_url": f"{url}/{carrier}"})
    assert check(carrier).json()["login"] == "works"
    assert attention() == []


def test_an_account_whose_secret_is_wrong_names_the_field(url: str) -> None:
    store("ubi", {"credentials": {"token": "t-7"}, "base_url": f"{url}/ubi"})
    reply = check("ubi")
    assert (reply.json()["check"]["result"], reply.json()["login"]) == ("wrong", "wrong")
    assert "credentials.secret" in reply.json()["faults"][0]


def test_a_shared_login_is_shown_and_its_calls_are_counted_by_a_digest(url: str) -> None:
    assert check("ubi").json()["shared_login"] is False
    content = {"credentials": LOGINS["ubi"], "base_url": f"{url}/ubi", "shared_login": True}
    store("ubi", content)

    shown = check("ubi").json()

    assert (shown["shared_login"], shown["check"]["result"]) == (True, "works")
    items = all_items(aws_clients.client("dynamodb"))
    (counted,) = [item for item in items if item["pk"]["S"].startswith(LOGINS_OF_ALL)]
    assert counted["pk"]["S"] == f"{LOGINS_OF_ALL}{keys.digest('ubi', 't-7')}"


def test_a_carrier_that_fails_has_its_circuit_open(url: str) -> None:
    store("ubi", {"credentials": LOGINS["ubi"], "base_url": "https://127.0.0.1:1", "limits": LIMITS})
    for _ in range(3):
        reply = check("ubi")
        assert reply.json()["check"]["result"] == "unreachable", reply.text
    assert (reply.json()["circuit"], reply.json()["held_calls"]) == ("open", 0)
    assert reply.json()["last_error"]["message"]

    held = check("ubi").json()

    assert (held["check"]["result"], held["held_calls"]) == ("not_asked", 1)
    assert held["down_since"] is not None
    (entry,) = attention()
    assert (entry["problem"]["code"], entry["carrier"]) == ("carrier_down", "ubi")


def test_a_paused_account_is_not_asked_and_says_why(url: str) -> None:
    where = {"carrier": "ubi", "account": "default"}
    begun = {"reason": "They move.", "by": "Ada"}

    paused = call("POST /v1/carrier-accounts/{carrier}/{account}/pause", body=begun, **where)

    assert paused.status == 200, paused.text
    assert paused.json()["paused"] == begun | {"since": paused.json()["paused"]["since"]}
    assert call("GET /v1/health").json()["carriers"]["ubi"] == "paused"
    held = check("ubi").json()
    assert (held["check"]["result"], held["held_calls"], held["circuit"]) == ("not_asked", 1, "closed")
    assert "by Ada: They move." in held["check"]["message"]
    second = call(
        "POST /v1/carrier-accounts/{carrier}/{account}/pause", body={"reason": "Still."}, **where
    ).json()["paused"]
    assert (second["reason"], second["since"]) == ("Still.", paused.json()["paused"]["since"])
    (entry,) = attention()
    assert (entry["problem"]["code"], entry["actions"]) == ("account_paused", ["resume"])

    resumed = call("POST /v1/carrier-accounts/{carrier}/{account}/resume", **where).json()

    assert (resumed["paused"], resumed["held_calls"]) == (None, 0)
    runtime.reset()
    assert call("GET /v1/health").json()["carriers"]["ubi"] == "up"
    assert check("ubi").json()["check"]["result"] == "works"
    assert attention() == []
    for wrong in ({}, {"reason": " "}, {"reason": "x" * 201}):
        refused = call("POST /v1/carrier-accounts/{carrier}/{account}/pause", body=wrong, **where)
        assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/reason")


LIMITS = {"rate": 1000, "burst": 100, "failures": 3, "cool_down": 3600}


@pytest.mark.parametrize(
    ("carrier", "account"), [("pigeon", "default"), ("ubi", "second"), ("ubi", "a b"), ("..", "x")]
)
def test_there_is_no_such_account(carrier: str, account: str, url: str) -> None:
    assert (check(carrier, account).status, check(carrier, account).code) == (404, "not_found")
    assert check(carrier, account, tenant="other").code == "not_found"
    assert call("GET /v1/carrier-accounts").json()["data"] == []


def test_an_account_whose_secret_is_gone_is_missing(backend: Backend) -> None:
    backend.tenant().account_names.add("lme", "gone")
    runtime.reset()
    (listed,) = call("GET /v1/carrier-accounts").json()["data"]
    assert (listed["login"], listed["circuit"], listed["last_called_at"]) == ("missing", "closed", None)
    assert call("GET /v1/carrier-accounts", tenant="other").json()["data"] == []

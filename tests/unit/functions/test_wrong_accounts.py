"""A carrier account that is wrong is never an error of ours, whatever is asked of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from parcelgate import aws_clients
from parcelgate.runtime import runtime
from tests.support.api import Backend, call, order_body

SECRETS = {
    "lso": {"credentials": {"foo": "s3cret"}},
    "ubi": {"credentials": {"foo": "s3cret"}},
    "lme": {"credentials": {"app_key": "s3cret"}, "base_url": "https://lme.example"},
    "trackingmore": {"credentials": {"email": "s3cret@example.com"}},
}
ADDRESS = {"name": "Ada Byrd", "line1": "1 High St", "city": "Melbourne", "state": "VIC", "postcode": "3000",
           "country": "AU"}  # fmt: skip


@pytest.fixture
def wrong(backend: Backend) -> Iterator[None]:
    client = aws_clients.client("secretsmanager")
    before = {}
    for carrier, secret in SECRETS.items():
        name = f"parcelgate/acme/{carrier}/default"
        try:
            before[name] = client.get_secret_value(SecretId=name)["SecretString"]
            client.put_secret_value(SecretId=name, SecretString=json.dumps(secret))
        except client.exceptions.ResourceNotFoundException:
            client.create_secret(Name=name, SecretString=json.dumps(secret))
    runtime.reset()
    yield
    for carrier in SECRETS:
        name = f"parcelgate/acme/{carrier}/default"
        if name in before:
            client.put_secret_value(SecretId=name, SecretString=before[name])
        else:
            client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    runtime.reset()


@pytest.mark.parametrize(
    ("route", "given", "carrier", "field"),
    [
        ("POST /v1/rates", {"body": order_body()}, "lso", "credentials.app_id"),
        (
            "POST /v1/addresses/validate",
            {"body": {"carrier": "lme", "address": ADDRESS}},
            "lme",
            "credentials.client_private",
        ),
        (
            "GET /v1/carriers/{carrier}/services",
            {"carrier": "ubi", "query": {"account": "default"}},
            "ubi",
            "credentials.token",
        ),
        (
            "POST /v1/trackings",
            {"body": {"carrier_code": "china-ems", "tracking_number": "LK1CN"}},
            "trackingmore",
            "credentials.api_key",
        ),
    ],
)
def test_who_asks_is_told_which_field_is_wrong(
    wrong: None, route: str, given: dict[str, Any], carrier: str, field: str
) -> None:
    reply = call(route, **given)
    assert (reply.status, reply.code) == (503, "carrier_unavailable"), reply.text
    assert f"The account default of carrier {carrier} is wrong: {field} is missing" in reply.json()["detail"]
    assert "s3cret" not in reply.text


def test_an_order_is_taken_whose_account_is_wrong(wrong: None, backend: Backend) -> None:
    reply = call("POST /v1/orders", body=order_body())
    assert reply.status == 202, reply.text

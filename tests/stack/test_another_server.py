"""A carrier's address is a setting: another server that speaks the same wire serves as well."""

import json

import httpx

from local.command.deployment import Deployment
from sandbox import Settings, serve
from tests.stack.shop import Body, Shop

LOGIN = {"app_id": "elsewhere", "app_secret": "made-up"}
REFERENCE = "stack-elsewhere"


def booked_at(url: str) -> list[Body]:
    orders: list[Body] = httpx.get(f"{url}/_sandbox/ledger", timeout=30).json()["lso"]["orders"]
    return orders


def test_an_account_s_orders_go_to_the_account_s_own_server(shop: Shop, deployment: Deployment) -> None:
    with serve(Settings(accounts={"lso": {"elsewhere": LOGIN}})) as url:
        deployment.client("secretsmanager").create_secret(
            Name=f"{deployment.outputs['SecretPrefix']}/demo/lso/elsewhere",
            SecretString=json.dumps({"base_url": f"{url}/lso", "credentials": LOGIN}),
        )

        order = shop.settled(shop.post(REFERENCE, account="elsewhere")["id"])

        assert order["label"]["status"] == "ready", order
        assert [entry["reference"] for entry in booked_at(url)] == [REFERENCE]
    assert shop.booked(REFERENCE) == []

"""A client that a program made of the OpenAPI document, in the hands of a shop."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.api import openapi_document, order_body
from tests.support.served import ServedWorld, served_sandbox_world, served_world

__all__ = ["served_sandbox_world", "served_world"]

UNSUPPORTED = "Unsupported content type text/csv"
"""The program makes no call with a body of CSV, as a rate card is."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The client, importable, and what the program said while it made it."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(openapi_document()))
    (folder / "settings.yaml").write_text("post_hooks: []")
    options = ["--path", "openapi.json", "--config", "settings.yaml", "--meta", "none"]
    command = [str(Path(sys.prefix) / "bin" / "openapi-python-client"), "generate", *options]
    made = subprocess.run(
        [*command, "--output-path", "made_client"], cwd=folder, capture_output=True, text=True, check=True
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield SimpleNamespace(said=made.stdout + made.stderr)
    for name in [name for name in sys.modules if name.split(".")[0] == "made_client"]:
        del sys.modules[name]


def call(name: str) -> Any:
    return import_module(f"made_client.api.{name}")


def test_the_program_understands_the_whole_document(made: SimpleNamespace) -> None:
    warnings = [part for part in made.said.split("WARNING")[1:] if UNSUPPORTED not in part]

    assert not warnings
    assert "Unable to" not in made.said


def test_a_shop_buys_an_order_gets_its_label_and_cancels_it(
    made: SimpleNamespace, served_world: ServedWorld
) -> None:
    with served_world.hold() as world:
        world.put_account("lso", {"app_id": "a-7", "app_secret": "made-up"})
    models = import_module("made_client.models")
    client = import_module("made_client").AuthenticatedClient(
        base_url=served_world.url, token=served_world.key()
    )

    body = models.OrderInput.from_dict(order_body("readme-1001"))
    answers = [
        call("orders.create_order").sync_detailed(client=client, body=body, idempotency_key="shop-1001")
        for _ in range(2)
    ]
    order = answers[0].parsed
    for _ in range(60):
        order = call("orders.read_order").sync(client=client, id=order.id)
        if order.label.status == "ready":
            break
    label = call("orders.get_label").sync(client=client, id=order.id)
    (parcel,) = call("orders.list_order_trackings").sync(client=client, id=order.id).data
    (listed,) = call("orders.list_orders").sync(client=client, reference="readme-1001").data
    wrong = call("orders.read_order").sync_detailed(client=client, id="ord_nothing")
    cancelled = call("orders.cancel_order").sync(client=client, id=order.id)

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].parsed.id == answers[1].parsed.id == listed.id
    assert order.status == "confirmed"
    assert (order.price.amount, order.price.currency) == ("9.90", "USD")
    assert label.url.startswith(served_world.files_origin)
    assert [parcel.tracking_number] == order.tracking_numbers
    assert (wrong.status_code, wrong.parsed.code) == (404, "not_found")
    assert cancelled.status == "cancelled"


def test_a_shop_reads_what_is_wrong_and_follows_another_couriers_parcel(
    made: SimpleNamespace, served_sandbox_world: ServedWorld
) -> None:
    """Fields that are missing or unknown cannot be said by such a client; a wrong value can."""
    with served_sandbox_world.hold() as world:
        world.put_account("trackingmore", world.sandbox.logins["trackingmore"])
    models = import_module("made_client.models")
    client = import_module("made_client").AuthenticatedClient(
        base_url=served_sandbox_world.url, token=served_sandbox_world.key()
    )

    body = order_body("readme-1002")
    mistake = models.OrderInput.from_dict(body | {"ship_to": {**body["ship_to"], "country": "XX"}})
    refused = call("orders.create_order").sync_detailed(client=client, body=mistake)
    parcel = models.SubscriptionInput.from_dict(
        {"carrier_code": "china-ems", "tracking_number": "LK664578623CN", "title": "Two dresses"}
    )
    tracking = call("trackings.follow_parcels").sync(client=client, body=parcel)
    refreshed = call("trackings.refresh_tracking").sync_detailed(client=client, id=tracking.id)
    with served_sandbox_world.hold() as world:
        world.poll()
    known = call("trackings.read_tracking").sync(client=client, id=tracking.id)

    assert refused.status_code == 422
    assert [error.pointer for error in refused.parsed.errors] == ["/ship_to/country"]
    assert refreshed.status_code == 202
    assert (known.tracking_number, known.title) == ("LK664578623CN", "Two dresses")
    assert known.events

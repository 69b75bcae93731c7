"""The sample events of the functions that answer clients: each is answered as the contract says."""

import json
from pathlib import Path

import pytest

from tests.support.exchange import Exchange
from tests.support.http import House, send


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("create_order", 202),
        ("create_batch", 202),
        ("read_batch", 404),
        ("read_orders", 200),
        ("get_label", 404),
        ("cancel_order", 404),
        ("change_order", 404),
        ("hold_order", 404),
        ("close_manifest", 422),
        ("validate_address", 200),
        ("list_services", 200),
        ("describe_service", 200),
        ("follow_parcels", 201),
        ("read_trackings", 200),
        ("change_trackings", 404),
        ("ask_aggregator", 200),
    ],
)
def test_a_sample_event_is_answered(name: str, status: int, house: House) -> None:
    with Exchange().in_place():
        assert send(json.loads(Path(f"events/{name}.json").read_text())).status == status

"""The sample requests of `events/requests`: each route answers its own as the contract says."""

import pytest

from parcelgate.http.openapi import SAMPLES, sample
from parcelgate.http.routes import ROUTES
from tests.support.aggregator import FakeAggregator
from tests.support.api import Backend, call

NOTHING_OF_THAT_ID = 404
STATUSES = {
    "create_order": 202,
    "create_batch": 202,
    "close_manifest": 422,
    "create_label_document": 202,
    "quote_rates": 503,
    "delete_rate_card": 204,
    "redrive_dead_letters": 202,
    "create_endpoint": 201,
    "follow_parcels": 201,
    "change_trackings": 207,
    "forget_trackings": 207,
    **dict.fromkeys(
        (
            "read_batch",
            "show_tracking_page",
            "read_order",
            "list_order_events",
            "list_order_trackings",
            "get_label",
            "read_label_document",
            "cancel_order",
            "change_order",
            "hold_order",
            "return_order",
            "read_manifest",
            "resolve_order",
            "erase_order",
            "check_account",
            "pause_account",
            "resume_account",
            "read_inbox",
            "replay_inbox",
            "dismiss_inbox",
            "put_rate_card",
            "read_rate_card",
            "read_tracking",
            "read_event",
            "read_endpoint_by_id",
            "change_endpoint",
            "delete_endpoint",
            "rotate_secret",
            "test_endpoint",
            "list_deliveries",
            "replay_delivery",
            "change_tracking",
            "forget_tracking",
            "pause_tracking",
            "refresh_tracking",
        ),
        NOTHING_OF_THAT_ID,
    ),
}
"""What is answered where nothing was stored before and no carrier is there to be asked; 200 elsewhere."""

CALLED = {key: route for key, route in ROUTES.items() if route.tag and route.name != "read_description"}
"""The description is served from the bundle, and tested there."""


@pytest.mark.parametrize("key", CALLED)
def test_a_sample_request_is_answered(key: str, backend: Backend) -> None:
    said = sample(CALLED[key])

    with FakeAggregator().in_place():
        media = {"content-type": CALLED[key].media} if CALLED[key].media else {}
        reply = call(
            key, body=said.get("body"), headers=media, query=said.get("query"), **said.get("path", {})
        )

    assert reply.status == STATUSES.get(CALLED[key].name, 200), reply.text


def test_every_sample_is_of_a_route() -> None:
    assert {path.stem for path in SAMPLES.iterdir()} <= {route.operation for route in CALLED.values()}

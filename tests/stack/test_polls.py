"""On the running stack: parcels travel, and their timelines fill because somebody asks."""

import time
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

import httpx
import pytest

from local.cli import Deployment
from tests.stack.shop import Body, Shop, until
from tests.stack.test_after_the_order import bought

POLL_EVERY = 3.0
"""Seconds. Here a day passes in a minute, and the scheduler cannot call more often than once in one."""
JOURNEY = 240.0
FINAL = {"delivered", "returned", "lost", "cancelled", "expired"}


@pytest.fixture
def poll(deployment: Deployment) -> Callable[[], None]:
    """Start a round of polls when the last one is a while ago."""
    machine = deployment.outputs["TrackingPollArn"]
    last = [0.0]

    def start() -> None:
        if time.monotonic() - last[0] > POLL_EVERY:
            last[0] = time.monotonic()
            deployment.client("stepfunctions").start_execution(stateMachineArn=machine, input="{}")

    return start


def test_parcels_of_every_carrier_travel_to_their_ends(shop: Shop, poll: Callable[[], None]) -> None:
    shipped = [shop.post(f"polled-{uuid4().hex[:8]}", boxes=2), bought(shop, "ubi", 2), bought(shop, "lme")]
    orders = [shop.settled(order["id"]) for order in shipped]
    assert {order["status"] for order in orders} == {"confirmed"}

    def parcels() -> list[Body]:
        poll()
        return [
            parcel
            for order in orders
            for parcel in shop.http.get(f"/v1/orders/{order['id']}/tracking")
            .raise_for_status()
            .json()["data"]
        ]

    ended = until(parcels, lambda seen: {parcel["status"] for parcel in seen} <= FINAL, within=JOURNEY)
    assert len(ended) == 5
    assert {parcel["next_poll_at"] for parcel in ended} == {None}
    truth = httpx.get(f"{shop.stack.sandbox_url}/_sandbox/truth", timeout=30).raise_for_status().json()
    for parcel in ended:
        (story,) = [
            each for each in truth[parcel["carrier"]] if each["tracking_number"] == parcel["tracking_number"]
        ]
        assert timeline(parcel) == timeline(story)
    by_poll = {
        event["source"] for parcel in ended if parcel["carrier"] != "lme" for event in parcel["events"]
    }
    assert by_poll == {"poll"}


def timeline(parcel: Body) -> set[tuple[datetime, str]]:
    """What happened, by the second and by code."""
    return {
        (datetime.fromisoformat(event["at"]).replace(microsecond=0), event["code"])
        for event in parcel["events"]
    }

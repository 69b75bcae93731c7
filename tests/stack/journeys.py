"""Parcels of every carrier, which set off when the tests begin and take minutes to arrive."""

from collections.abc import Callable
from uuid import uuid4

from local.command.deployment import Deployment
from tests.stack.shop import RECEIVER, Body, Shop, buy, until

POLL_EVERY = 3.0
"""Seconds. Here a day passes in a minute, and the scheduler cannot call more often than once in one."""
FINAL = {"delivered", "returned", "lost", "cancelled", "expired"}

FAR_AWAY = {"line1": "7 Murray Street", "city": "Perth", "state": "WA", "postcode": "6000"}
"""LME hands parcels to Perth to Australia Post."""

type Journeys = Callable[[], list[Body]]
"""Waits until every parcel has arrived, and gives them."""


def begun(shop: Shop, deployment: Deployment) -> Journeys:
    """Buy an order of each carrier now, and one that LME hands on: they travel while other tests run."""
    posted = [
        shop.post(f"polled-{uuid4().hex[:8]}", boxes=2),
        buy(shop, "ubi", 2),
        buy(shop, "lme"),
        buy(shop, "lme", reference=f"SBX-HANDEDON-{uuid4().hex[:8]}", ship_to=RECEIVER | FAR_AWAY),
    ]

    def ended() -> list[Body]:
        orders = [shop.settled(order["id"]) for order in posted]
        assert {order["status"] for order in orders} == {"confirmed"}
        return until(
            lambda: parcels_after_a_poll(orders),
            lambda parcels: {parcel["status"] for parcel in parcels} <= FINAL,
            every=POLL_EVERY,
        )

    def parcels_after_a_poll(orders: list[Body]) -> list[Body]:
        machine = deployment.outputs["TrackingPollArn"]
        deployment.client("stepfunctions").start_execution(stateMachineArn=machine, input="{}")
        return [parcel for order in orders for parcel in shop.parcels(order["id"])]

    return ended

"""LME's pushes: each event of a parcel is pushed when LME knows it, until the client has accepted it."""

import json
from typing import Any

import httpx

from sandbox.lme import envelope, tracking
from sandbox.lme.envelope import Login
from sandbox.lme.orders import Order
from sandbox.parcels.routes import Event
from sandbox.wire.callbacks import Callback
from sandbox.world import World

_CARRIER = "lme"
_ATTEMPTS = 1 + 20
"""The attempts: the first one, and 20 repeats at a fixed interval (documented)."""


async def push(world: World, order: Order, login: Login, account: str) -> None:
    """Push one order's events as they become known, to the address that the account has at the time.

    An event's first attempt comes before the next event's. A cancelled order has no more events, and an order
    that is sent back continues with the events of its way back.
    """
    sent_back_at = order.sent_back_at
    for event in tracking.pushes(order, world.settings.acceleration):
        await world.clock.sleep((event.seen_at - world.clock.now()).total_seconds())
        if not order.entry.living or order.sent_back_at != sent_back_at:
            return
        if url := world.webhooks.get(_CARRIER, {}).get(account):
            callback = _callback(order, event, login, url)
            if not await world.callbacks.attempt(callback, 1):
                world.tasks.spawn(world.callbacks.deliver(callback, start=2))


def _callback(order: Order, event: Event, login: Login, url: str) -> Callback:
    """Make a push: a repeat is the same to the last byte, its time and signature too (assumed)."""
    body: Any = tracking.pushed(order, event)
    headers = {}
    if not order.words.has("PLAINPUSH"):
        data = envelope.sealed(body, login.client)
        headers = {} if order.words.has("UNSIGNED") else envelope.signature(login, data)
        body = {"data": data}
    return Callback(
        carrier=_CARRIER,
        order_number=order.number,
        reference=order.entry.reference,
        url=url,
        content=json.dumps(body, ensure_ascii=False).encode(),
        attempts=_ATTEMPTS,
        accepted=_accepted,
        headers=headers,
        about=tracking.code_of(order, event),
    )


def _accepted(response: httpx.Response) -> bool:
    """Code 200 in the answer's JSON (documented); the HTTP status is not looked at (assumed)."""
    try:
        body: Any = response.json()
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("code") == 200

"""Sends webhooks about an account's parcels: their body and their signature."""

import hashlib
import hmac
import itertools
import json
import time
from datetime import datetime

import httpx

from sandbox.trackingmore.parcels import Parcel
from sandbox.trackingmore.wire import Code, JsonObject, meta
from sandbox.wire.callbacks import Callback
from sandbox.world import World

_ATTEMPTS = 1 + 14
_SECONDS_OF_LIFE = 300
"""The callback interval in reality: the pauses between attempts are in proportion to it."""


class Pushes:
    """Sends accounts a webhook for every change of their parcels."""

    def __init__(self, world: World, carrier: str, emails: dict[str, str]) -> None:
        self._world = world
        self._carrier = carrier
        self._emails = emails
        # Some known receivers read it at the top level, others read it in the data.
        self._inside = itertools.cycle((False, True))

    async def follow(self, parcel: Parcel) -> None:
        """Send a webhook whenever a parcel has changed, until it is no longer followed."""
        clock = self._world.clock
        shown: datetime | None = None
        content = b""
        if parcel.words.has("NOCALLBACK") or parcel.words.has("NOPUSH"):
            return
        for due, as_of in parcel.moments():
            await clock.sleep((due - clock.now()).total_seconds())
            if parcel.gone or parcel.stopped_at:
                return
            url = self._world.webhooks.get(self._carrier, {}).get(parcel.account)
            if url is None:
                continue
            if as_of != shown:
                shown, content = as_of, self._body(parcel.item(as_of), self._emails[parcel.account])
            await self._send(parcel, url, content)

    async def _send(self, parcel: Parcel, url: str, content: bytes) -> None:
        """Send it once, so that the next one comes after it, and again later if it was not accepted."""
        callback = Callback(
            carrier=self._carrier,
            order_number=parcel.number,
            reference=parcel.reference,
            url=url,
            content=content,
            attempts=_ATTEMPTS,
            accepted=_accepted,
            pause=pause_after,
        )
        if not await self._world.callbacks.attempt(callback, 1):
            self._world.tasks.spawn(self._world.callbacks.deliver(callback, start=2))

    def _body(self, item: JsonObject, email: str) -> bytes:
        """Sign it with the real time, however far the sandbox's own clock was moved."""
        stamp = int(time.time())
        inside = next(self._inside)
        verify = {"timeStr": str(stamp) if inside else stamp, "signature": signature(email, str(stamp))}
        if inside:
            return _json({"meta": meta(Code.SUCCESS), "data": {**item, "verifyInfo": verify}})
        return _json({"meta": meta(Code.SUCCESS), "data": item, "verifyInfo": verify})


def signature(email: str, stamp: str) -> str:
    """Sign a time, and nothing but the time, with an account's e-mail address."""
    return hmac.new(email.encode(), stamp.encode(), hashlib.sha256).hexdigest()


def _json(body: JsonObject) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _accepted(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.OK


def pause_after(made: int) -> float:
    """Wait 2^n times half a minute before the nth repetition (as v4 does; for v2 it is assumed)."""
    seconds: float = 30 * 2**made
    return seconds / _SECONDS_OF_LIFE

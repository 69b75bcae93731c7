"""Telling a client over HTTP, again and again until it has understood."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from sandbox.controls.clock import Clock
from sandbox.controls.ledger import CallbackAttempt, Ledger

_ANSWER_TIMEOUT = 10.0
_ANSWER_KEPT = 500
_AT_ONCE = 8
"""Deliveries on their way at one time: forty parcels' together are more than functions can start for here."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A message for a client, and what counts as its having been understood.

    `about` is the carrier's code of the event that is told, if it is one. `pause` gives the time before an
    attempt, by the number of attempts made, in callback intervals.
    """

    carrier: str
    order_number: str
    reference: str
    url: str
    content: bytes
    attempts: int
    accepted: Callable[[httpx.Response], bool]
    headers: Mapping[str, str] = field(default_factory=dict)
    pause: Callable[[int], float] = lambda _: 1.0
    about: str = ""


class Callbacks:
    """Sends callbacks and writes each attempt into the ledger."""

    def __init__(self, clock: Clock, ledger: Ledger, interval: float) -> None:
        self._clock = clock
        self._ledger = ledger
        self._interval = interval
        self._client = httpx.AsyncClient(timeout=_ANSWER_TIMEOUT, trust_env=False)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def deliver(self, callback: Callback, start: int = 1) -> None:
        """Send it, from attempt `start` on, until it is accepted or its attempts are used up."""
        for number in range(start, callback.attempts + 1):
            if number > 1:
                await self._clock.sleep(self._interval * callback.pause(number - 1))
            if await self.attempt(callback, number):
                return

    async def attempt(self, callback: Callback, number: int) -> bool:
        """Send it once, when its turn has come, and say whether it was accepted."""
        async with self._turns:
            return await self._attempt(callback, number)

    async def _attempt(self, callback: Callback, number: int) -> bool:
        at = self._clock.now()
        status, answer, accepted = None, "", False
        try:
            response = await self._client.post(
                callback.url,
                content=callback.content,
                headers={"Content-Type": "application/json", **callback.headers},
            )
            status, answer = response.status_code, response.text[:_ANSWER_KEPT]
            accepted = callback.accepted(response)
        except httpx.HTTPError as error:
            answer = repr(error)
        self._ledger.book(callback.carrier).callbacks.append(
            CallbackAttempt(
                order_number=callback.order_number,
                reference=callback.reference,
                about=callback.about,
                url=callback.url,
                attempt=number,
                at=at,
                status=status,
                answer=answer,
                accepted=accepted,
            )
        )
        return accepted

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

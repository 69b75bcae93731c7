"""Every call to a carrier passes its account's limits: a rate, the carrier's wishes, a circuit breaker.

The limits are counted over all environments. What may not be called now is not called: HeldBackError, at
once, and whoever called comes again later.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from parcelgate.carriers.errors import (
    HeldBackError,
    OverLimitError,
    TooManyRequestsError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.limits import Limits
from parcelgate.carriers.toolkit.calls import Request, Response, Transport, retry_after
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.observability.logs import log
from parcelgate.observability.metrics import count, count_overall
from parcelgate.store.errors import StoreError
from parcelgate.store.limits import AccountLimits, Entry, Reason

PATIENCE = 2.0
"""How many seconds a call waits for its turn before its caller is told to come again."""
PROBE_LIFE = timedelta(seconds=60)
"""How long the one that tries whether a carrier is back may take; then another one tries."""
LANE_USE = 0.9
"""How much of a lane is used: the carrier counts arrivals, which are less even than departures."""


class RateLimitedTransport(msgspec.Struct, frozen=True):
    """A transport that keeps one carrier account's limits.

    Parameters
    ----------
    way_out
        Gives the transport that really sends, ready to send. It is asked for before a call's turn is
        taken: making it for the first time takes longer than some carriers leave between calls.
    carrier
        Whose limits these are, for metrics.
    limits
        The account's limits.
    account
        Where they are counted.
    deadline
        By when the call must be over.
    """

    way_out: Callable[[], Transport]
    carrier: str
    limits: Limits
    account: AccountLimits
    deadline: Deadline | None = None
    clock: Clock = now
    sleep: Callable[[float], None] = time.sleep

    def send(self, request: Request) -> Response:
        """Send once, if the account's limits allow. Raises HeldBackError, and what the way out raises."""
        transport = self.way_out()
        if request.public_only:
            # A document that lies elsewhere: nothing of the carrier's own.
            return transport.send(request)
        entry = self._enter(request)
        try:
            response = transport.send(request)
        except HeldBackError:
            if entry.probe:
                self._note(self.account.let_go)
            raise
        except TooManyRequestsError as error:
            self._passed(entry)
            self._rest(error.retry_after)
            raise
        except (TransientError, UnknownOutcomeError) as error:
            self._failed(request, entry, type(error).__name__)
            raise
        status = response.status if request.verdict is None else request.verdict(response)
        if status == 429:
            self._passed(entry)
            self._rest(None)
            raise TooManyRequestsError(f"{request.call}: too many requests", retry_after=self.limits.rest)
        if 500 <= status < 600:
            self._failed(request, entry, f"status {status}")
            seconds = retry_after(response.headers.get("retry-after"))
            if seconds is not None:
                self._rest(seconds)
        else:
            self._passed(entry)
        return response

    def _enter(self, request: Request) -> Entry:
        limits = self.limits
        doors = [(self.account, limits.rate, limits.burst)]
        lane = limits.lanes.get(request.lane) if request.lane else None
        if lane is not None and request.lane:
            # First, since a turn in it that is not taken harms nobody, and one to try for all would.
            doors.insert(0, (self.account.lane(request.lane), lane * LANE_USE, 1))
        narrowest = doors[0]
        waited, turn = 0.0, self.clock()
        while True:
            if doors[0] is narrowest:
                turn = self.clock()
            entry = self._asked(*doors[0])
            if entry.reason is None:
                del doors[0]
                if doors:
                    continue
                if lane is None or entry.probe or not self._is_late(turn, lane):
                    return entry
                # The next call could come too close behind this one: a fresh turn, but only once.
                doors, lane = [narrowest], None
                continue
            wait = entry.wait
            left = PATIENCE - waited
            if self.deadline is not None:
                left = min(left, self.deadline.remaining() / 2)
            if entry.reason is not Reason.BUSY or wait > left:
                count("CallsHeldBack", carrier=self.carrier, reason=entry.reason.name.lower())
                kind = HeldBackError if entry.reason is Reason.DOWN else OverLimitError
                raise kind(f"{request.call}: {entry.reason}", retry_after=wait)
            self.sleep(wait)
            waited += wait

    def _is_late(self, turn: datetime, lane: float) -> bool:
        """Whether more time has passed since a turn was taken than a lane leaves between two of them."""
        return (self.clock() - turn).total_seconds() > (1 / LANE_USE - 1) / lane

    def _asked(self, door: AccountLimits, rate: float, burst: int) -> Entry:
        try:
            return door.enter(self.clock(), rate=rate, burst=burst, probe_life=PROBE_LIFE)
        except StoreError as error:
            # Without the count nobody knows what others do; and the order could not be stored either.
            raise HeldBackError(f"the limits cannot be read: {type(error).__name__}") from None

    def _passed(self, entry: Entry) -> None:
        if entry.probe or entry.troubled:
            self._note(lambda: self.account.succeeded(probe=entry.probe))

    def _failed(self, request: Request, entry: Entry, what: str) -> None:
        limits = self.limits

        def note() -> None:
            down = self.account.failed(
                self.clock(),
                probe=entry.probe,
                failures=limits.failures,
                window=timedelta(seconds=limits.window),
                cool_down=timedelta(seconds=limits.cool_down),
            )
            if down:
                log.warning(
                    "the carrier counts as down",
                    extra={"carrier": self.carrier, "call": request.call, "last": what},
                )
                count_overall("CarrierDown", carrier=self.carrier)

        self._note(note)

    def _rest(self, seconds: float | None) -> None:
        duration = timedelta(seconds=self.limits.rest if seconds is None else seconds)
        self._note(lambda: self.account.rest(self.clock(), duration))

    def _note(self, write: Callable[[], None]) -> None:
        """Note something for the others; what the carrier has answered counts whether or not that works."""
        try:
            write()
        except StoreError as error:
            log.warning("the limits could not be noted", extra={"error": type(error).__name__})

"""What a tenant and each of its keys may ask for in a minute, so that none makes the others wait.

Orders, batches and refreshes are counted exactly, by one small update before anything is bought. Any request
is counted in the process, and added to the shared count in steps of `STEP`. So a read costs a tenth of a
write, and a key can have at most `STEP - 1` more requests a minute than its limit for each process that
answers it. Whoever is over the limit is refused until the minute ends, without another write.

The first request of a key in a day has each process note that day, so that keys which nobody uses are known.

A count that cannot be made refuses nobody: the limits keep tenants from each other's way, and a fault of the
count must not keep them all from buying.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.problems import ProblemError
from parcelgate.observability.logs import log
from parcelgate.observability.metrics import count
from parcelgate.store.errors import StoreError

if TYPE_CHECKING:
    from parcelgate.store.tenants.usage import Usage, UsageTable

STEP = 10
"""After so many requests a process adds them to the shared count."""
KEY_SHARE = 2
"""A key may have one part in so many of what its tenant may have: a leaked key leaves the others the rest."""
_MINUTE = 60


class Kind(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    ORDERS = "orders"
    BATCHES = "batches"
    REFRESHES = "refreshes"


class _Minute:
    """What this process knows of the present minute."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.uncounted: dict[tuple[str, str], int] = {}
        self.over: dict[tuple[str, str | None, Kind], str] = {}
        """Who is over a limit, a key or (None) its whole tenant, and what it is told."""


class RateLimiter:
    """The limits of all tenants, in one process.

    Parameters
    ----------
    table
        Where all processes count.
    limits
        What a tenant may have a minute, by kind, unless its own limits say otherwise.
    """

    def __init__(self, table: "UsageTable", limits: "Mapping[Kind, int]", *, clock: Clock = now) -> None:
        self._table = table
        self._limits = limits
        self._clock = clock
        self._minute = _Minute(0)
        self._used: dict[tuple[str, str], date] = {}

    def request(self, tenant: str, key_id: str) -> None:
        """Count a request. Raises ProblemError `too_many_requests`."""
        at, minute = self._now()
        self._refuse_if_over(tenant, key_id, Kind.REQUESTS, at)
        self._note_use(tenant, key_id, at)
        uncounted = minute.uncounted.get((tenant, key_id), 0) + 1
        if uncounted < STEP:
            minute.uncounted[tenant, key_id] = uncounted
            return
        minute.uncounted[tenant, key_id] = 0
        self._add(tenant, key_id, Kind.REQUESTS, uncounted, at)

    def spend(self, tenant: str, key_id: str, kind: Kind, amount: int = 1) -> None:
        """Count an order, a batch or refreshes before it is made. Raises ProblemError."""
        at, _ = self._now()
        self._refuse_if_over(tenant, key_id, kind, at)
        self._add(tenant, key_id, kind, amount, at)

    def _note_use(self, tenant: str, key_id: str, at: datetime) -> None:
        """Note that a key is used: one write a day for each process that answers it."""
        day = at.date()
        if self._used.get((tenant, key_id)) == day:
            return
        self._used[tenant, key_id] = day
        try:
            self._table.used(tenant, key_id, at)
        except StoreError as error:
            log.warning("the use of a key could not be noted", extra={"error": type(error).__name__})

    def _now(self) -> tuple[datetime, _Minute]:
        at = self._clock()
        number = int(at.timestamp()) // _MINUTE
        if number != self._minute.number:
            self._minute = _Minute(number)
        return at, self._minute

    def _add(self, tenant: str, key_id: str, kind: Kind, amount: int, at: datetime) -> None:
        try:
            usage = self._table.add(tenant, key_id, self._minute.number, kind, amount)
        except StoreError as error:
            log.warning("a request could not be counted, and passes", extra={"error": type(error).__name__})
            count("RequestsNotCounted")
            return
        if usage is None:
            return
        self._judge(usage, tenant, key_id, kind)
        if self._is_over(tenant, key_id, kind):
            # What is refused takes nothing of the tenant's other keys.
            with suppress(StoreError):
                self._table.add(tenant, key_id, self._minute.number, kind, -amount)
        self._refuse_if_over(tenant, key_id, kind, at)

    def _judge(self, usage: "Usage", tenant: str, key_id: str, kind: Kind) -> None:
        most = usage.limits.get(kind, self._limits[kind])
        of_key = max(1, most // KEY_SHARE)
        if usage.key.get(kind, 0) > of_key:
            # Its tenant's count still has what is refused here: that must not lock the other keys out.
            self._minute.over[tenant, key_id, kind] = f"{of_key} {kind} a minute for one API key"
        elif usage.tenant.get(kind, 0) > most:
            self._minute.over[tenant, None, kind] = f"{most} {kind} a minute for all keys together"

    def _is_over(self, tenant: str, key_id: str, kind: Kind) -> str | None:
        over = self._minute.over
        return over.get((tenant, None, kind)) or over.get((tenant, key_id, kind))

    def _refuse_if_over(self, tenant: str, key_id: str, kind: Kind, at: datetime) -> None:
        words = self._is_over(tenant, key_id, kind)
        if words:
            count("RequestsRefused", kind=kind)
            detail = f"The limit is {words}. Nothing was done. Try again after the Retry-After time."
            wait = _MINUTE - int(at.timestamp()) % _MINUTE
            raise ProblemError("too_many_requests", detail, retry_after=wait)

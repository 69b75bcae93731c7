"""Which carriers are down: what `GET /v1/health` shows to everybody, without a key."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.carriers import registry
from parcelgate.domain.clock import Clock, now
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.store.errors import StoreError

if TYPE_CHECKING:
    from parcelgate.store.table import Table

REMEMBERED = timedelta(seconds=10)
"""How long an answer is given again: anybody may ask, and as often as the gateway lets through."""


class CarrierHealth:
    """Says of each carrier and aggregator whether it is up. Make it once: it remembers the last answer.

    A carrier is `down` when the circuit of one account at least is open: its calls failed in a row, and are
    held back. It is `paused` when a person holds the calls of one account at least. Nothing tells whose
    account that is. `unknown`: the store could not be read.
    """

    def __init__(self, table: "Table", *, clock: Clock = now) -> None:
        self._table = table
        self._clock = clock
        self._until: datetime | None = None
        self._states: dict[str, str] = {}

    def states(self) -> dict[str, str]:
        """`up`, `down`, `paused` or `unknown`, by the carrier's code."""
        at = self._clock()
        if self._until is None or at >= self._until:
            self._states, self._until = self._read(at), at + REMEMBERED
        return self._states

    def _read(self, at: datetime) -> dict[str, str]:
        try:
            down, paused = self._table.open_circuits.states(at)
        except (StoreError, BotoCoreError, ClientError) as error:
            log.warning("the state of the carriers could not be read", extra=safe_error_fields(error))
            return dict.fromkeys(registry.trackers(), "unknown")
        return {
            code: "down" if code in down else "paused" if code in paused else "up"
            for code in registry.trackers()
        }

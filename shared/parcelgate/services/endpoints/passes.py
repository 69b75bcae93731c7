"""A pass: a worker's leave to call a tenant's quick endpoints without taking a place for each call.

Taking a place and giving it back are two writes, as much as is written of the call itself. A process works
on one delivery at a time, so one that holds a pass makes one call at a time, and a tenant has few passes. So
an endpoint that turns slow just now catches no more workers than there are passes, and those that have a
place. A process keeps its pass for some minutes and gives none back: it ends by its time. A call that is slow
or fails leaves a mark on its endpoint, and while that stands everybody takes places.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from parcelgate.store.merchant_events.table import TenantEvents
    from parcelgate.store.places import Place

PASS_LASTS = timedelta(minutes=5)
"""How long a process keeps a pass. One that died has it as long."""
_NONE_FREE_FOR = timedelta(minutes=1)
"""How long it does not ask again when all were taken: each question is a write."""
_MOST_TENANTS = 200
"""Of so many tenants a process remembers its passes."""


class _Held(msgspec.Struct, frozen=True):
    """A pass until a time; or that there is none before it."""

    until: datetime
    place: "Place | None"


class Passes(msgspec.Struct, kw_only=True):
    """The passes of a process."""

    held: dict[str, _Held] = {}
    in_use: bool = False

    @contextmanager
    def use(self, own: "TenantEvents", most: int, now: datetime, call: timedelta) -> Iterator[bool]:
        """Use this process's pass of a tenant for one call, which takes no longer than `call`.

        `most` is how many passes the tenant has. Gives whether there is one. Raises StoreError.
        """
        if self.in_use or not self._has(own, most, now, call):
            yield False
            return
        self.in_use = True
        try:
            yield True
        finally:
            self.in_use = False

    def _has(self, own: "TenantEvents", most: int, now: datetime, call: timedelta) -> bool:
        known = self.held.get(own.tenant)
        if known is not None and known.place is None and known.until > now:
            return False
        if known is None or known.place is None or known.until <= now + call:
            passes, until = own.passes(most), now + PASS_LASTS
            place = None
            if known is not None and known.place is not None:
                place = passes.renew(known.place, until)
            place = place or passes.take(now, until)
            known = _Held(until if place else now + _NONE_FREE_FOR, place)
            if len(self.held) >= _MOST_TENANTS:
                self.held.clear()
            self.held[own.tenant] = known
        return known.place is not None

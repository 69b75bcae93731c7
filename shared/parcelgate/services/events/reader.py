"""Reading what merchants were told: one event, and many."""

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.merchants.events import Event, EventType, Topic
from parcelgate.store.errors import TrackingNotFoundError
from parcelgate.store.lists import Page

if TYPE_CHECKING:
    from parcelgate.store.merchant_events.table import EventsTable
    from parcelgate.store.table import Table


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events a list shall have; times are exclusive bounds."""

    type: EventType | None = None
    order_id: str | None = None
    tracking_id: str | None = None
    after: datetime | None = None
    before: datetime | None = None

    @property
    def topics(self) -> tuple[Topic, ...]:
        """What must be open to whoever asks like this."""
        topics = {self.type.topic} if self.type else set()
        topics |= {Topic.ORDERS} if self.order_id else set()
        topics |= {Topic.TRACKINGS} if self.tracking_id else set()
        return tuple(sorted(topics))


class EventReader(msgspec.Struct, frozen=True, kw_only=True):
    """Reads a tenant's event log. Another tenant's event does not exist here."""

    table: "Table"
    events: "EventsTable"
    clock: Clock = now

    def event(self, tenant: str, event_id: str) -> Event:
        """Read one event of the last 30 days. Raises EventNotFoundError."""
        return self.events.tenant(tenant).log.get(event_id, at=self.clock())

    def page(
        self,
        tenant: str,
        chosen: EventFilter,
        *,
        topics: Collection[Topic],
        limit: int,
        cursor: str | None,
        fits: Callable[[list[Event]], int],
    ) -> Page[Event]:
        """Read one page of the events of these topics, newest first. Raises BadCursorError.

        `fits` says how many of the events can be given out at once: a page of very large events is cut
        there, and its cursor leads on from that place.
        """
        log, at = self.events.tenant(tenant).log, self.clock()
        filters = msgspec.structs.asdict(chosen) | {"of_order": self._order_of(tenant, chosen.tracking_id)}
        page = log.page(at=at, topics=topics, limit=limit, cursor=cursor, **filters)
        most = max(1, fits(page.data))
        if most >= len(page.data):
            return page
        return log.page(at=at, topics=topics, limit=most, cursor=cursor, **filters)

    def _order_of(self, tenant: str, tracking_id: str | None) -> str | None:
        """The order whose parcel a tracking is."""
        if tracking_id is None:
            return None
        with suppress(TrackingNotFoundError):
            return self.table.tenant(tenant).trackings.get(tracking_id).order_id
        return None

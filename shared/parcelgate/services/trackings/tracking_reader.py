"""Reading trackings: one, and many."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.trackings import Tracking, TrackingStatus
from parcelgate.store.errors import OrderNotFoundError

if TYPE_CHECKING:
    from datetime import datetime

    from parcelgate.store.table import Table


class TrackingFilter(NamedTuple):
    """Which trackings a list has. Times are exclusive bounds."""

    status: TrackingStatus | None = None
    carrier: str | None = None
    carrier_code: str | None = None
    tracking_number: str | None = None
    order_id: str | None = None
    created_after: "datetime | None" = None
    created_before: "datetime | None" = None


class Planned(NamedTuple):
    """A parcel, and when it is asked about next; None: not any more."""

    tracking: Tracking
    next_poll_at: "datetime | None"


class PlannedPage(NamedTuple):
    """One page of a list; `next_cursor` is None on the last one."""

    data: list[Planned]
    next_cursor: str | None


class TrackingReader:
    """Reads a tenant's trackings. A tracking of another tenant is not found."""

    def __init__(self, table: "Table", *, clock: Clock = now) -> None:
        self._table = table
        self._clock = clock

    def tracking(self, tenant: str, tracking_id: str) -> Planned:
        """Read one tracking. Raises TrackingNotFoundError."""
        return Planned(*self._table.tenant(tenant).trackings.planned(tracking_id, now=self._clock()))

    def page(
        self,
        tenant: str,
        chosen: TrackingFilter,
        *,
        limit: int,
        cursor: str | None,
        fits: Callable[[list[Tracking]], int],
    ) -> PlannedPage:
        """Read one page of a list, newest first. Raises BadCursorError.

        `fits` says how many of the trackings can be given out at once: a page of very long timelines is
        cut there, and its cursor leads on from that place.
        """
        own = self._table.tenant(tenant)
        among: tuple[str, ...] = ()
        if chosen.order_id is not None:
            with suppress(OrderNotFoundError):
                among = own.orders.get(chosen.order_id).tracking_ids
        page = own.trackings.page(limit=limit, cursor=cursor, among=among, **chosen._asdict())
        most = max(1, fits(page.data))
        if most < len(page.data):
            page = own.trackings.page(limit=most, cursor=cursor, among=among, **chosen._asdict())
        return PlannedPage(self.planned(tenant, page.data), page.next_cursor)

    def planned(self, tenant: str, trackings: list[Tracking]) -> list[Planned]:
        """The trackings, and when each is asked about next."""
        ids = [tracking.id for tracking in trackings]
        polls = self._table.tenant(tenant).trackings.polls(ids, now=self._clock())
        return [Planned(tracking, polls[tracking.id]) for tracking in trackings]

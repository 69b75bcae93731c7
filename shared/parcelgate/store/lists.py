"""Lists of what a tenant has: newest first, full pages, and cursors that open nothing but their own list.

A list is a partition of an index. The index has places (`keys.list_position`) and no documents, and may be a
moment behind them. So the item of each place is read and checked again before it is returned.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from parcelgate.domain.clock import rfc3339
from parcelgate.store.calls import Items
from parcelgate.store.errors import BadCursorError

LOWEST, HIGHEST = "0", "~"
"""Around every place: places begin with a digit."""

PARTITIONS = {"by_time": "list_pk", "by_status": "status_pk", "by_reference": "reference_pk"}
"""The attribute that is the partition key of each index of lists."""
EVENT_PARTITIONS = {
    "by_time": "list_pk",
    "by_topic": "topic_pk",
    "by_type": "type_pk",
    "by_order": "order_pk",
    "by_order_type": "order_type_pk",
    "by_subject": "subject_pk",
    "by_tracking_type": "tracking_type_pk",
}
"""The same of the events table."""
_PARTITIONS = PARTITIONS | EVENT_PARTITIONS
_MOST_QUERIES = 50
"""Index pages (of up to 1 MB) read for one page of a list, before it is handed out as it is."""
_MOST_AT_ONCE = 100
"""Places whose items are read at once where few of them fit: one call."""
_LEAST_LOOKS = 1000
"""Places looked at for a page of few things, before it is handed out as it is."""
_CHECKSUM = 12
_PLACE = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{12}Z#[A-Za-z0-9._-]{1,80}")


class Page[T](NamedTuple):
    """One page of a list; `next_cursor` is None on the last one."""

    data: list[T]
    next_cursor: str | None


class Listing(NamedTuple):
    """Where a list is: an index, and a partition of it.

    `carrier` narrows it, which every list's index allows, and so do the times, both left out. `places` are
    all places of a short list that is known without an index, newest first.
    """

    index_name: str
    partition: str
    carrier: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    places: Sequence[str] | None = None


class Lists:
    """Reads the lists of one table page by page."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def page[T](
        self,
        listing: Listing,
        filters: bytes,
        *,
        limit: int,
        cursor: str | None,
        read: Callable[[Sequence[str]], list[T]],
        place: Callable[[T], str],
    ) -> Page[T]:
        """One page, newest first, full unless it is the last.

        `read` gives those of these ids that are there and pass all filters, in the same order; `place` is
        where in the list a thing is; `filters` (a `fingerprint`) is what a cursor is good for. Raises
        BadCursorError for a cursor that this list has not given out.
        """
        low = LOWEST if listing.created_after is None else after(listing.created_after)
        high = HIGHEST if listing.created_before is None else before(listing.created_before)
        if cursor is not None:
            high = min(high, _just_below(_position(cursor, filters)))
        things: list[T] = []
        reached: str | None = None
        looked, most_looks = 0, max(_LEAST_LOOKS, _MOST_QUERIES * (limit + 1))
        for turn in range(_MOST_QUERIES):
            if looked >= most_looks:
                break
            if low > high:
                return Page(things, None)
            # Where few fit, more is looked at each time.
            most = min((limit + 1 - len(things)) << turn, max(limit + 1, _MOST_AT_ONCE))
            positions, reached = self._positions(listing, low, high, most)
            looked += len(positions)
            things += read([position.partition("#")[2] for position in positions])
            if len(things) > limit:
                return Page(things[:limit], _cursor(place(things[limit - 1]), filters))
            if reached is None:
                return Page(things, None)
            high = _just_below(reached)
        # Few of very many items fit: return a short page. The next one goes on behind the items read so far.
        return Page(things, reached and _cursor(reached, filters))

    def oldest(self, partition: str, *, after: str | None, until: datetime, limit: int) -> list[str]:
        """Up to `limit` places of a list by time, oldest first: behind `after`, none later than `until`."""
        low = LOWEST if after is None else f"{after}!"
        high = f"{rfc3339(until)}{HIGHEST}"
        if low > high:
            return []
        items, _ = self._items.query_page(
            "list_pk = :list AND list_sk BETWEEN :low AND :high",
            index="by_time",
            limit=limit,
            list=partition,
            low=low,
            high=high,
        )
        return [item["list_sk"] for item in items]

    def _positions(self, listing: Listing, low: str, high: str, most: int) -> tuple[list[str], str | None]:
        """Places between `low` and `high`, newest first, and the last one looked at if there are more."""
        if listing.places is not None:
            positions = [place for place in listing.places if low <= place <= high]
            return positions[:most], positions[most - 1] if len(positions) > most else None
        values: dict[str, Any] = {"list": listing.partition, "low": low, "high": high}
        if listing.carrier is not None:
            values["carrier"] = listing.carrier
        items, last = self._items.query_page(
            f"{_PARTITIONS[listing.index_name]} = :list AND list_sk BETWEEN :low AND :high",
            index=listing.index_name,
            newest_first=True,
            # A limit counts what was looked at, not what passed; so with a filter there is none.
            limit=most if listing.carrier is None else None,
            filtered=None if listing.carrier is None else "carrier = :carrier",
            **values,
        )
        positions = [item["list_sk"] for item in items]
        if len(positions) > most:
            return positions[:most], positions[most - 1]
        return positions, last["list_sk"]["S"] if last else None


def id_at(place: str) -> str:
    """The id of what is at a place."""
    return place.partition("#")[2]


def moment_at(place: str) -> datetime:
    """The time of a place."""
    return datetime.fromisoformat(place.partition("#")[0])


def after(moment: datetime) -> str:
    """The lowest bound of what was made after `moment`."""
    return f"{rfc3339(moment)}$"


def before(moment: datetime) -> str:
    """The highest bound of what was made before `moment`, of which only whole milliseconds are stored."""
    short = moment.microsecond % 1000
    return rfc3339(moment + timedelta(microseconds=1000 - short) if short else moment)


def fingerprint(*filters: object) -> bytes:
    """Whose list this is and how it is filtered: what a cursor belongs to."""
    texts = [rfc3339(part) if isinstance(part, datetime) else part for part in filters]
    return msgspec.json.encode(texts)


def _just_below(position: str) -> str:
    """A bound that leaves out `position` and all that is newer, and nothing else."""
    return f"{position[:-1]}{chr(ord(position[-1]) - 1)}\uffff"


def _cursor(position: str, filters: bytes) -> str:
    """The place of the last thing given out, and a checksum over it and the filters: nothing else.

    No secret is needed: a forged cursor can only begin the caller's own list at another place.
    """
    return base64.urlsafe_b64encode(_checksum(position, filters) + position.encode()).decode().rstrip("=")


def _position(cursor: str, filters: bytes) -> str:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = raw[_CHECKSUM:].decode()
    except (binascii.Error, ValueError) as error:
        raise BadCursorError("the cursor cannot be read") from error
    if not _PLACE.fullmatch(position) or _cursor(position, filters) != cursor:
        raise BadCursorError("the cursor belongs to another list")
    return position


def _checksum(position: str, filters: bytes) -> bytes:
    return sha256(filters + b"\0" + position.encode()).digest()[:_CHECKSUM]

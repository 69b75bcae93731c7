"""Places: how much work of one kind may be under way for one owner at once, over all environments.

An item holds a lease for each place. Whoever works for the owner takes a place with one conditional update
and gives it back with another. A lease that was not given back ends by its time, so a worker that dies takes
no place with it.
"""

import random
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from parcelgate.domain.clock import rfc3339
from parcelgate.store.calls import ConditionFailedError, Item, Items, epoch

_LOOKS = 4
_FORGOTTEN_AFTER = timedelta(days=1)


class Place(NamedTuple):
    """Leave to work, until it is given back or its time is over."""

    name: str
    lease: str


class Places:
    """The places of one owner and kind, in the item `key`: at most `most` of them."""

    def __init__(self, items: Items, key: Item, most: int) -> None:
        self._items = items
        self._key = key
        self._names = [f"place_{number}" for number in range(most)]

    def take(self, now: datetime, until: datetime) -> Place | None:
        """Take a place that nobody has, until `until` at the latest; None when all are taken.

        Raises StoreError. One update where the first place tried is free.
        """
        moment, lease = rfc3339(now), f"{rfc3339(until)}#{uuid4().hex}"
        expires_at = epoch(until + _FORGOTTEN_AFTER)
        free = self._names
        for _ in range(_LOOKS):
            name = random.choice(free)  # noqa: S311 - no secret
            condition = f"attribute_not_exists({name}) OR {name} < :now"
            try:
                sets: Item = {name: lease, "expires_at": expires_at}
                self._items.update(self._key, sets, condition=condition, now=moment)
            except ConditionFailedError as error:
                taken = error.item or {}
                free = [each for each in self._names if taken.get(each, "") < moment]
                if not free:
                    return None
            else:
                return Place(name, lease)
        return None

    def renew(self, place: Place, until: datetime) -> Place | None:
        """Keep a place until `until`; None when somebody else has it by now. Raises StoreError."""
        lease = f"{rfc3339(until)}#{uuid4().hex}"
        sets: Item = {place.name: lease, "expires_at": epoch(until + _FORGOTTEN_AFTER)}
        try:
            self._items.update(self._key, sets, condition=f"{place.name} = :lease", lease=place.lease)
        except ConditionFailedError:
            return None
        return Place(place.name, lease)

    def give_back(self, place: Place) -> None:
        """Give a place back. Somebody else's lease of it is left alone. Raises StoreError."""
        with suppress(ConditionFailedError):
            self._items.update(
                self._key, {}, [place.name], condition=f"{place.name} = :lease", lease=place.lease
            )

"""Stores what was learned of a tenant's corridors: small counters, two items for each corridor and stage.

Moves are added to the item of the present four weeks. What was counted in the four weeks before counts less
each day, and then nothing: DynamoDB deletes it. So habits follow a carrier that changes them.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from parcelgate.domain.habits import Corridor, Habit
from parcelgate.store import keys
from parcelgate.store.calls import Item, Items, epoch

_KIND = "HABITS"
_DAYS = 28


class Habits:
    """The habits of one tenant's corridors."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant

    def read(self, corridor: Corridor, today: date) -> Habit:
        """Return what is known of a corridor today. Raises StoreError."""
        period, elapsed = divmod(today.toordinal(), _DAYS)
        weights = {_place(corridor, period): 1.0, _place(corridor, period - 1): 1 - elapsed / _DAYS}
        counters: defaultdict[str, float] = defaultdict(float)
        for item in self._items.get_many([self._key(corridor, place) for place in weights]):
            for name, number in item.items():
                if name not in _NO_COUNTERS:
                    counters[name] += number * weights[item["sk"]]
        return Habit(counters)

    def add(self, corridor: Corridor, moves: Mapping[str, int], today: date) -> None:
        """Add to the counters of a corridor. Raises StoreError; then they may be counted or not, or twice."""
        period = today.toordinal() // _DAYS
        forgotten = datetime.fromordinal((period + 2) * _DAYS).replace(tzinfo=UTC) + timedelta(days=1)
        key = self._key(corridor, _place(corridor, period))
        self._items.update(key, {_EXPIRY: epoch(forgotten)}, adds=moves)

    def _key(self, corridor: Corridor, place: str) -> Item:
        pk = keys.key(
            self._tenant, _KIND, corridor.carrier, corridor.service, corridor.origin, corridor.destination
        )
        return {"pk": pk, "sk": place}


_EXPIRY = "expires_at"
_NO_COUNTERS = ("pk", "sk", _EXPIRY)


def _place(corridor: Corridor, period: int) -> str:
    return f"{corridor.stage}#{period}"

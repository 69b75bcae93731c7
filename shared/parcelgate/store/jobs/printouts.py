"""Printouts: one item each, as long as its PDF is kept."""

from datetime import datetime, timedelta

import msgspec

from parcelgate.domain.clock import rfc3339
from parcelgate.domain.printouts import Printout
from parcelgate.store import keys
from parcelgate.store.calls import ConditionFailedError, Item, Items, epoch

KEPT = timedelta(days=1)
"""How long a printout can be read."""

_printouts = msgspec.json.Decoder(Printout)


class Printouts:
    """The printouts of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant

    def get(self, printout_id: str, *, now: datetime) -> Printout | None:
        """The printout as it stands now; None for none, another tenant's, and one whose time is over."""
        item = self._items.get(self._key(printout_id)) if keys.is_id(printout_id) else None
        if item is None or item["expires_at"] <= epoch(now):
            return None
        return _printouts.decode(item["doc"])

    def put(self, printout: Printout) -> bool:
        """Store a printout in place of one that was asked for earlier; whether it was stored.

        What is stored already of the same or a later request stays.
        """
        return self._put(printout, "attribute_not_exists(pk) OR asked_at < :at")

    def finish(self, printout: Printout) -> bool:
        """Store how a printout ended, unless it was asked for again since; whether it was stored."""
        return self._put(printout, "attribute_not_exists(pk) OR asked_at <= :at")

    def _put(self, printout: Printout, condition: str) -> bool:
        if printout.tenant != self._tenant:
            raise ValueError("another tenant's printout was given to this tenant's store")
        at = rfc3339(printout.created_at)
        item = {
            **self._key(printout.id),
            "type": "printout",
            "doc": msgspec.json.encode(printout).decode(),
            "asked_at": at,
            "expires_at": epoch(printout.created_at + KEPT),
        }
        try:
            self._items.put(item, condition, at=at)
        except ConditionFailedError:
            return False
        return True

    def _key(self, printout_id: str) -> Item:
        return {"pk": keys.key(self._tenant, keys.PRINTOUT, printout_id), "sk": keys.PRINTOUT}

"""Deliveries: an event on its way to an endpoint, with its attempts. They expire with their event.

One whose first attempt is made at once is stored with what came of it, in one write. Until then the message
of the queue is all that there is of it. One that has to wait is stored before that.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec

from parcelgate.domain.merchants.endpoints import NOT_STORED, Attempt, Delivery, DeliveryState
from parcelgate.domain.merchants.events import KEPT
from parcelgate.store import keys, lists
from parcelgate.store.calls import ConditionFailedError, Item, Items, epoch
from parcelgate.store.errors import DeliveryNotFoundError, VersionConflictError
from parcelgate.store.lists import Listing, Lists, Page

MOST_ATTEMPTS = 30
"""How many attempts are kept of a delivery that was replayed often: the latest."""
_DIED = "The attempt was cut off on our side; whether the endpoint has the event is not known."
_MAY_HAVE_DIED = f"It may be that an attempt was made. {_DIED}"

_decode = msgspec.json.Decoder(Delivery).decode


class Deliveries:
    """The deliveries of one tenant's events. Each is written only over the version that it was made from."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant
        self._lists = Lists(items)

    def add(self, delivery: Delivery) -> Delivery:
        """Store a delivery that nobody has stored, and that has to wait. Raises VersionConflictError."""
        return self._write(delivery)

    def get(self, delivery_id: str, *, at: datetime) -> Delivery:
        """A delivery that has not expired at `at`. Raises DeliveryNotFoundError."""
        found = self._stored(delivery_id) if keys.is_id(delivery_id) else None
        if found is None or epoch(found.event_at + KEPT) <= epoch(at):
            raise DeliveryNotFoundError("the tenant has no such delivery")
        return found

    def page(
        self, endpoint_id: str, *, at: datetime, limit: int = 20, cursor: str | None = None
    ) -> Page[Delivery]:
        """One page of an endpoint's deliveries, newest first. Raises BadCursorError."""

        def read(delivery_ids: Sequence[str]) -> list[Delivery]:
            items = self._items.get_many([self._key(each) for each in delivery_ids])
            return [_decode(item["doc"]) for item in items if item["expires_at"] > epoch(at)]

        return self._lists.page(
            Listing("by_time", self._list(endpoint_id)),
            lists.fingerprint("deliveries", self._tenant, endpoint_id),
            limit=limit,
            cursor=cursor,
            read=read,
            place=_place,
        )

    def begin(self, delivery: Delivery, now: datetime, lease: timedelta) -> Delivery:
        """Begin the next attempt. Nobody else makes it before `lease` is over.

        Raises VersionConflictError.
        """
        return self._write(
            delivery,
            attempts=_with_the_dead(delivery),
            of_plan=delivery.of_plan + 1,
            began_at=now,
            lease_until=now + lease,
        )

    def cut_off(self, delivery: Delivery) -> Delivery:
        """Store a delivery that nobody has stored, and whose first attempt may have been cut off.

        Raises VersionConflictError.
        """
        return self._write(delivery, attempts=(Attempt(at=delivery.created_at, error=_MAY_HAVE_DIED),))

    def first(self, delivery: Delivery, attempt: Attempt, next_attempt_at: datetime | None) -> Delivery:
        """Store a delivery with the result of its first attempt, of which nothing was written before.

        If another message of it came meanwhile, its attempt stands beside that one's. Raises
        VersionConflictError.
        """
        begun = msgspec.structs.replace(delivery, of_plan=1)
        try:
            return self.finish(begun, attempt, next_attempt_at)
        except VersionConflictError:
            other = self._stored(delivery.id)
            if other is None or other.began_at is not None:
                raise
            attempts = (*other.attempts, attempt)
            is_over = other.state is not DeliveryState.PENDING
            if attempt.error is not None and (is_over or next_attempt_at is not None):
                return self._write(other, attempts=attempts)
            over = DeliveryState.FAILED if attempt.error else DeliveryState.DELIVERED
            return self._write(other, attempts=attempts, state=over, next_attempt_at=None, reason=None)

    def finish(self, begun: Delivery, attempt: Attempt, next_attempt_at: datetime | None) -> Delivery:
        """Store the result of an attempt that was begun.

        Without `next_attempt_at` the delivery is over: delivered, or failed. Raises VersionConflictError if
        the lease was over and somebody else has begun another attempt.
        """
        over = DeliveryState.FAILED if attempt.error else DeliveryState.DELIVERED
        return self._write(
            begun,
            state=over if next_attempt_at is None else DeliveryState.PENDING,
            attempts=(*begun.attempts, attempt),
            next_attempt_at=next_attempt_at,
            began_at=None,
            lease_until=None,
        )

    def end(self, delivery: Delivery, reason: str) -> Delivery:
        """Let a delivery fail without another attempt. Raises VersionConflictError."""
        return self._write(
            delivery,
            state=DeliveryState.FAILED,
            attempts=_with_the_dead(delivery),
            next_attempt_at=None,
            began_at=None,
            lease_until=None,
            reason=reason,
        )

    def replay(self, delivery: Delivery, now: datetime) -> Delivery:
        """Begin the plan anew for a delivery that is over. Raises VersionConflictError."""
        return self._write(delivery, state=DeliveryState.PENDING, of_plan=0, next_attempt_at=now, reason=None)

    def _write(self, was: Delivery, **changes: Any) -> Delivery:
        after = msgspec.structs.replace(was, version=was.version + 1, **changes)
        after = msgspec.structs.replace(after, attempts=after.attempts[-MOST_ATTEMPTS:])
        mark = uuid4().hex
        item = self._item(after) | {"mark": mark}
        try:
            if was.version == NOT_STORED:
                self._items.put(item)
            else:
                self._items.put(item, condition="version = :was", was=was.version)
        except ConditionFailedError as error:
            # The client itself may send the call twice.
            if error.item is None or error.item.get("mark") != mark:
                raise VersionConflictError("the delivery was changed meanwhile") from error
        return after

    def _stored(self, delivery_id: str) -> Delivery | None:
        item = self._items.get(self._key(delivery_id))
        return None if item is None else _decode(item["doc"])

    def _item(self, delivery: Delivery) -> Item:
        if delivery.tenant != self._tenant:
            raise ValueError("another tenant's delivery was given to this tenant's store")
        return {
            **self._key(delivery.id),
            "type": "delivery",
            "version": delivery.version,
            "doc": msgspec.json.encode(delivery),
            "list_pk": self._list(delivery.endpoint_id),
            "list_sk": _place(delivery),
            "expires_at": epoch(delivery.event_at + KEPT),
        }

    def _key(self, delivery_id: str) -> Item:
        return {"pk": keys.key(self._tenant, "DELIVERY", delivery_id), "sk": "DELIVERY"}

    def _list(self, endpoint_id: str) -> str:
        return keys.key(self._tenant, "DELIVERIES", endpoint_id)


def _with_the_dead(delivery: Delivery) -> tuple[Attempt, ...]:
    """The attempts, and the one that was begun and whose function has died."""
    if delivery.began_at is None:
        return delivery.attempts
    return (*delivery.attempts, Attempt(at=delivery.began_at, error=_DIED))


def _place(delivery: Delivery) -> str:
    return keys.list_position(delivery.created_at, delivery.id)

"""Idempotency keys: who holds one, for which body and order, and the answer that was given.

The item's key is the hash of method, path and idempotency key, under the tenant. A claim has a lease that is
longer than any function lives. When the lease has lapsed, another request may take the claim over and resume
its order. An expired item counts as absent, even while DynamoDB has not deleted it yet.
"""

import math
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

import msgspec

from parcelgate.store import keys
from parcelgate.store.calls import CollisionError, ConditionFailedError, Item, Items, Write, epoch
from parcelgate.store.errors import ClaimTakenError, ItemTooLargeError

KEPT = timedelta(hours=24)
"""How long an answer is kept."""
LARGEST_BODY = 380_000
"""Bytes of a compressed answer that always fit into an item (400 KB with all names)."""

_KIND = "IDEMPOTENCY"
_FREE = (
    "attribute_not_exists(pk) OR expires_at <= :now OR holder = :holder OR "
    "(lease_until <= :now AND attribute_not_exists(order_id) AND attribute_not_exists(answer_status))"
)
"""Nobody else holds the key. An expired claim that has an order is taken over, not claimed anew."""
_UNANSWERED = "holder = :holder AND attribute_not_exists(answer_status)"


class Answer(NamedTuple):
    """An answer to a request, as it was given the first time."""

    status: int
    headers: dict[str, str]
    body: str


class Standing(NamedTuple):
    """How a key stands: its claim as it is stored, and the answer where there is one."""

    claim: "Claim"
    answer: Answer | None


@dataclass(slots=True)
class Claim:
    """One request's hold on an idempotency key.

    A fresh claim is not stored yet: `hold` writes it alone, `Orders.add` writes it together with the order
    and its id. `holder` is a value of this hold alone. When another request has taken the claim over, this
    hold can change nothing any more.
    """

    key_hash: str
    body_hash: str
    lease_until: datetime
    now: datetime
    _items: Items
    _key: Item
    holder: str
    order_id: str | None = None
    held: bool = False

    def hold(self) -> None:
        """Write the claim alone. Raises ClaimTakenError when another request was faster."""
        try:
            self._items.put(self._item(self.order_id), _FREE, now=epoch(self.now), holder=self.holder)
        except (ConditionFailedError, CollisionError) as error:
            raise ClaimTakenError("the key is held") from error
        self.held = True

    def write(self, order_id: str) -> Write:
        """The write of a transaction that claims the key for `order_id`."""
        taken = ClaimTakenError("the key is held")
        return self._items.put_write(
            self._item(order_id), taken, _FREE, now=epoch(self.now), holder=self.holder
        )

    def written(self, order_id: str | None) -> None:
        """Take note that the claim was stored along with `order_id`."""
        self.order_id = order_id
        self.held = True

    def keep(self, answer: Answer, now: datetime) -> bool:
        """Keep the answer for 24 hours from `now`; False when it cannot be kept.

        That is when another request has taken the claim over, or when the answer does not fit. The body is
        compressed: what an answer says beyond its request (at most 256 KiB) is mostly repetition, so
        that no answer is known that would not fit.
        """
        body = zlib.compress(answer.body.encode())
        if len(body) > LARGEST_BODY:
            return False
        item = self._item(self.order_id) | {
            "expires_at": epoch(now + KEPT),
            "answer_status": answer.status,
            "answer_headers": msgspec.json.encode(answer.headers).decode(),
            "answer_body": body,
        }
        try:
            if self.held:
                self._items.put(item, _UNANSWERED, holder=self.holder)
            else:
                self._items.put(item, _FREE, now=epoch(self.now), holder=self.holder)
        except (ConditionFailedError, ItemTooLargeError):
            return False
        return True

    def drop(self, now: datetime) -> None:
        """Release the key without an answer.

        If there is an order, the claim stays and its lease ends: the same request then resumes the order.
        """
        if not self.held:
            return
        with suppress(ConditionFailedError):
            if self.order_id is None:
                self._items.delete(self._key, _UNANSWERED, holder=self.holder)
            else:
                ended = {"lease_until": math.floor(now.timestamp())}
                self._items.update(self._key, ended, condition=_UNANSWERED, holder=self.holder)
        self.held = False

    def _item(self, order_id: str | None) -> Item:
        return {
            **self._key,
            "type": "idempotency",
            "body_hash": self.body_hash,
            "holder": self.holder,
            "lease_until": epoch(self.lease_until),
            "expires_at": epoch(self.now + KEPT),
            "order_id": order_id,
        }


class Idempotency:
    """The idempotency keys of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant

    def fresh(self, key_hash: str, body_hash: str, *, now: datetime, lease: timedelta) -> Claim:
        """A claim that is not stored yet."""
        key = self._key(key_hash)
        return Claim(key_hash, body_hash, now + lease, now, self._items, key, uuid4().hex)

    def find(self, key_hash: str, now: datetime) -> Standing | None:
        """The state of the key; None when nobody has it, or when it has expired."""
        key = self._key(key_hash)
        item = self._items.get(key)
        if item is None or item["expires_at"] <= now.timestamp():
            return None
        claim = Claim(
            key_hash,
            item["body_hash"],
            datetime.fromtimestamp(item["lease_until"], UTC),
            now,
            self._items,
            key,
            item["holder"],
            item.get("order_id"),
        )
        if "answer_status" not in item:
            return Standing(claim, None)
        headers = msgspec.json.decode(item["answer_headers"], type=dict[str, str])
        body = zlib.decompress(item["answer_body"]).decode()
        return Standing(claim, Answer(item["answer_status"], headers, body))

    def take_over(self, lapsed: Claim, *, now: datetime, lease: timedelta) -> Claim:
        """Take over an expired claim. Raises ClaimTakenError when another request was faster."""
        claim = self.fresh(lapsed.key_hash, lapsed.body_hash, now=now, lease=lease)
        claim.written(lapsed.order_id)
        try:
            self._items.update(
                self._key(lapsed.key_hash),
                {"holder": claim.holder, "lease_until": epoch(claim.lease_until)},
                # Its own holder too, since the client itself may send the call twice.
                condition="holder IN (:theirs, :holder) AND attribute_not_exists(answer_status)",
                theirs=lapsed.holder,
            )
        except (ConditionFailedError, CollisionError) as error:
            raise ClaimTakenError("the key is held") from error
        return claim

    def _key(self, key_hash: str) -> Item:
        return {"pk": keys.key(self._tenant, _KIND, key_hash), "sk": _KIND}

"""The inbox: every webhook of a carrier, as it came, stored before it is acknowledged.

An entry's id follows from the webhook's content, so a repeat finds the first webhook. An entry that is not
processed is due five minutes after it came. Entries are kept for thirty days. A webhook that cannot be used
is parked with the reason, until a person has it processed again.

If a proof is good for one webhook only, the write that stores the webhook also claims the proof. So no other
webhook can be stored with it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import batched
from typing import Any, NamedTuple

from parcelgate.store import keys
from parcelgate.store.calls import NEW, CollisionError, ConditionFailedError, Item, Items, epoch
from parcelgate.store.errors import ProofTakenError, StoreError

DUE_AFTER = timedelta(minutes=5)
KEPT = timedelta(days=30)
MOST_BYTES = 256 * 1024
"""The longest webhook that is kept whole. A longer one is parked with its size and hash only."""
_NOT_KEPT = b"not kept: "

RECEIVED = "received"
PROCESSED = "processed"
PARKED = "parked"

_SK = "ENTRY"
_PROOF = "PROOF"
_AT_ONCE = 100
_FREE = f"{NEW} OR expires_at <= :now"
"""An expired entry may still be stored. It counts as gone."""


def kept(body: bytes) -> bytes:
    """What is kept of a webhook: all of it, or the size and the SHA-256 of one that is too long."""
    if len(body) <= MOST_BYTES:
        return body
    return _NOT_KEPT + f"{len(body)} bytes, SHA-256 {sha256(body).hexdigest()}".encode()


def was_kept(body: bytes) -> bool:
    """Tell whether an entry's body is the webhook itself, and not what `kept` made of a long one."""
    return not body.startswith(_NOT_KEPT)


class InboxEntry(NamedTuple):
    """One webhook. `body` is what came, byte for byte; `state` is received, processed or parked.

    `correlation_id` is the id of the request that brought it.
    """

    id: str
    tenant: str
    carrier: str
    account: str
    order_id: str | None
    body: bytes
    headers: dict[str, str]
    received_at: datetime
    state: str
    reason: str | None
    closed_at: datetime | None = None
    is_new: bool = False
    correlation_id: str | None = None


class Inbox:
    """The webhooks of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant

    def put(
        self,
        *,
        carrier: str,
        account: str,
        body: bytes,
        now: datetime,
        order_id: str | None = None,
        correlation_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        proof: str | None = None,
        parked: str | None = None,
    ) -> InboxEntry:
        """Store a webhook in one conditional write, and return the entry that stands then.

        `is_new` is False for a repeat; `state` says whether the first one was processed. If it was not, its
        message is sent again. Give only those `headers` that prove something: they are kept with the body.
        With a reason to be `parked` the webhook is stored and not processed.

        `proof` is good for this webhook only. Raises ProofTakenError when another webhook came with it;
        nothing was written then.
        """
        proven = [part for pair in sorted((headers or {}).items()) for part in pair]
        entry = InboxEntry(
            id=f"{carrier}#{keys.digest(body, order_id or '', account, *proven)}",
            tenant=self._tenant,
            carrier=carrier,
            account=account,
            order_id=order_id,
            body=body,
            headers=dict(headers or {}),
            received_at=now,
            state=PARKED if parked else RECEIVED,
            reason=parked,
            closed_at=now if parked else None,
            is_new=True,
            correlation_id=correlation_id,
        )
        try:
            if proof is None:
                self._items.put(self._item(entry), _FREE, now=_passed(now))
            else:
                self._put_with_proof(entry, proof)
        except (ConditionFailedError, _RepeatError) as error:
            first = self._entry(error.item) if error.item else self.get(entry.id)
            if first is None:
                # This write collided with another write of the same webhook, which failed too.
                raise CollisionError("the webhook was not stored") from error
            if first.state == RECEIVED:
                self._update(
                    entry.id, {"again_at": now}, condition="entry_state = :received", received=RECEIVED
                )
            return first
        return entry

    def _put_with_proof(self, entry: InboxEntry, proof: str) -> None:
        claim = {
            "pk": keys.key(self._tenant, _PROOF, entry.carrier, keys.digest(proof)),
            "sk": _PROOF,
            "entry": entry.id,
            "expires_at": epoch(entry.received_at + KEPT),
        }

        def refused(item: Item | None) -> StoreError:
            if item is None:
                return CollisionError("the same proof came twice at once")
            return _RepeatError(None) if item["entry"] == entry.id else ProofTakenError()

        put, now = self._items.put_write, _passed(entry.received_at)
        self._items.commit(
            [put(claim, refused, _FREE, now=now), put(self._item(entry), _RepeatError, _FREE, now=now)]
        )

    def get(self, entry_id: str) -> InboxEntry | None:
        """The entry as it stands; None when it has expired or never was."""
        item = self._items.get(self._key(entry_id))
        return None if item is None else self._entry(item)

    def parked(self) -> Iterator[InboxEntry]:
        """Everything that is parked, the newest webhook first. The list may lag a second."""
        places = self._items.query("list_pk = :list", index="by_time", newest_first=True, list=self._list)
        for page in batched(places, _AT_ONCE, strict=False):
            keys_of_page = [{"pk": item["pk"], "sk": item["sk"]} for item in page]
            for item in self._items.get_many(keys_of_page):
                entry = self._entry(item)
                if entry.state == PARKED:
                    yield entry

    def processed(self, entry_id: str, now: datetime) -> None:
        """Mark the entry as processed: it is not due any more. May be repeated."""
        closed = {"entry_state": PROCESSED, "closed_at": now}
        self._update(entry_id, closed, ("due_pk", "due_at", "reason", "list_pk", "list_sk"))

    def park(self, entry: InboxEntry, reason: str, now: datetime) -> None:
        """Set the entry aside with the reason. It is not due any more."""
        parked = {"entry_state": PARKED, **self._parked(entry, reason, now)}
        self._update(entry.id, parked, ("due_pk", "due_at"))

    def replay(self, entry_id: str, now: datetime) -> None:
        """Have an entry processed again, as if it had just come: it is due, and its message is sent."""
        again = {"entry_state": RECEIVED, "again_at": now, **_due(entry_id, now)}
        self._update(entry_id, again, ("reason", "closed_at", "list_pk", "list_sk"))

    def postpone(self, entry_id: str, until: datetime) -> None:
        """Postpone an entry that is still unprocessed: it is due again at `until`."""
        self._update(entry_id, {"due_at": until}, condition="attribute_exists(due_at)")

    def _update(
        self, entry_id: str, sets: Item, removes: Sequence[str] = (), *, condition: str = "", **values: Any
    ) -> None:
        """Change an entry. One that has expired, or was closed meanwhile, is left alone."""
        conditions = " AND ".join(filter(None, ("attribute_exists(pk)", condition)))
        with suppress(ConditionFailedError):
            self._items.update(self._key(entry_id), sets, removes, condition=conditions, **values)

    @property
    def _list(self) -> str:
        return keys.key(self._tenant, "PARKED")

    def _key(self, entry_id: str) -> Item:
        carrier, _, digest = entry_id.partition("#")
        return {"pk": keys.key(self._tenant, keys.INBOX, carrier, digest), "sk": _SK}

    def _parked(self, entry: InboxEntry, reason: str, at: datetime) -> Item:
        return {"reason": reason, "closed_at": at, "list_pk": self._list, "list_sk": entry.received_at}

    def _item(self, entry: InboxEntry) -> Item:
        state = (
            _due(entry.id, entry.received_at)
            if entry.reason is None
            else self._parked(entry, entry.reason, entry.received_at)
        )
        return {
            **self._key(entry.id),
            "type": "inbox",
            "carrier": entry.carrier,
            "account": entry.account,
            "body": entry.body,
            "headers": entry.headers,
            "received_at": entry.received_at,
            "entry_state": entry.state,
            "expires_at": epoch(entry.received_at + KEPT),
            "order_id": entry.order_id,
            "correlation_id": entry.correlation_id,
            **state,
        }

    def _entry(self, item: Item) -> InboxEntry:
        name = keys.parse(item["pk"])
        return InboxEntry(
            id=name.id if name else "",
            tenant=self._tenant,
            carrier=item["carrier"],
            account=item["account"],
            order_id=item.get("order_id"),
            body=item["body"],
            headers=item["headers"],
            received_at=_moment(item["received_at"]),
            state=item["entry_state"],
            reason=item.get("reason"),
            closed_at=_moment(item["closed_at"]) if "closed_at" in item else None,
            correlation_id=item.get("correlation_id"),
        )


class _RepeatError(StoreError):
    """The webhook was stored before: as `item`, where that is known."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the webhook was stored before")
        self.item = item


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _due(entry_id: str, since: datetime) -> Item:
    return {"due_pk": keys.due(keys.INBOX, keys.shard_of(entry_id)), "due_at": since + DUE_AFTER}


def _passed(now: datetime) -> int:
    """Whole seconds that are over: what ends within this one has not expired."""
    return math.floor(now.timestamp())

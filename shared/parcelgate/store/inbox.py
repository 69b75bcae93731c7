"""The inbox: every webhook of a carrier, as it came, stored before it is acknowledged.

An entry's id follows from the webhook's content, so a repeat finds the first webhook. An entry that is not
processed is due five minutes after it came. Entries are kept for thirty days. A webhook that cannot be used
is parked with the reason, until a person has it processed again, or says that it was dealt with.

If a proof is good for one webhook only, the write that stores the webhook also claims the proof. So no other
webhook can be stored with it.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple

from parcelgate.store import keys
from parcelgate.store.calls import NEW, CollisionError, ConditionFailedError, Item, Items, epoch
from parcelgate.store.errors import ProofTakenError, StoreError

if TYPE_CHECKING:
    from parcelgate.store.lists import Lists, Page

DUE_AFTER = timedelta(minutes=5)
KEPT = timedelta(days=30)
MOST_BYTES = 256 * 1024
"""The longest webhook that is kept whole. A longer one is parked with its size and hash only."""
_NOT_KEPT = b"not kept: "
_NUMBER = re.compile(rb"\d{1,12}")

RECEIVED = "received"
PROCESSED = "processed"
PARKED = "parked"
DISMISSED = "dismissed"

_SK = "ENTRY"
_PROOF = "PROOF"
_AT_ONCE = 100
_DISMISSED = ("dismissed_at", "dismissed_by", "dismissed_because")
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


def size_of(body: bytes) -> int:
    """The size of a webhook as it came, by what is kept of it, in bytes."""
    number = body[len(_NOT_KEPT) :].partition(b" ")[0]
    # A short webhook may imitate the words.
    return int(number) if not was_kept(body) and _NUMBER.fullmatch(number) else len(body)


class Dismissal(NamedTuple):
    """A person has dealt with a parked webhook: when, who, and how."""

    at: datetime
    by: str
    reason: str


class InboxEntry(NamedTuple):
    """One webhook. `body` is what came, byte for byte; `state` is received, processed, parked or dismissed.

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
    dismissal: Dismissal | None = None


class ParkedWebhook(NamedTuple):
    """What is known of a parked webhook without its body. `size` is that of the whole body, in bytes."""

    id: str
    carrier: str
    account: str
    order_id: str | None
    received_at: datetime
    reason: str
    parked_at: datetime | None
    size: int | None

    @property
    def name(self) -> str:
        """Its id as clients use it, which needs no escapes in an address; see `id_of`."""
        return name_of(self.id)

    @property
    def place(self) -> str:
        """Where it is in the list of what is parked."""
        return _place(self.received_at, self.id)


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

    @property
    def _lists(self) -> "Lists":
        # Not at the top: who takes webhooks in reads no list, and should load no more than it needs.
        from parcelgate.store.lists import Lists

        return Lists(self._items)

    def page(self, *, limit: int, cursor: str | None) -> "Page[ParkedWebhook]":
        """One page of what is parked, the newest webhook first, without the bodies. Raises BadCursorError."""
        from parcelgate.store.lists import Listing, fingerprint

        return self._lists.page(
            Listing("by_time", self._list),
            fingerprint("parked", self._tenant),
            limit=limit,
            cursor=cursor,
            read=self._parked_ones,
            place=lambda webhook: webhook.place,
        )

    def longest_parked(self, *, until: datetime, after: str | None, limit: int) -> list[ParkedWebhook]:
        """Up to `limit` parked webhooks that came by `until`, oldest first, behind the place `after`.

        Fewer than `limit` are the last ones.
        """
        found: list[ParkedWebhook] = []
        while len(found) < limit:
            most = limit - len(found)
            places = self._lists.oldest(self._list, after=after, until=until, limit=most)
            found += self._parked_ones([place.partition("#")[2] for place in places])
            if len(places) < most:
                break
            after = places[-1]
        return found

    def _parked_ones(self, names: Sequence[str]) -> list[ParkedWebhook]:
        """Those of these (by the names in places) that are parked, without their bodies."""
        items = self._items.get_many(
            [self._key(id_of(name)) for name in names],
            ("carrier", "account", "order_id", "received_at", "entry_state", "reason", "closed_at", "size"),
        )
        return [
            ParkedWebhook(
                id=_id(item),
                carrier=item["carrier"],
                account=item["account"],
                order_id=item.get("order_id"),
                received_at=_moment(item["received_at"]),
                reason=item.get("reason", ""),
                parked_at=_moment(item["closed_at"]) if "closed_at" in item else None,
                size=item.get("size"),
            )
            for item in items
            if item["entry_state"] == PARKED
        ]

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
        self._update(entry_id, again, ("reason", "closed_at", "list_pk", "list_sk", *_DISMISSED))

    def dismiss(self, entry_id: str, dismissal: Dismissal) -> None:
        """Take a parked entry out of the list of what is parked. Any other entry is left alone."""
        sets = {
            "entry_state": DISMISSED,
            "dismissed_at": dismissal.at,
            "dismissed_by": dismissal.by,
            "dismissed_because": dismissal.reason,
        }
        condition = "entry_state = :parked"
        self._update(entry_id, sets, ("list_pk", "list_sk"), condition=condition, parked=PARKED)

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
        place = _place(entry.received_at, entry.id)
        return {"reason": reason, "closed_at": at, "list_pk": self._list, "list_sk": place}

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
            "size": size_of(entry.body),
            "headers": entry.headers,
            "received_at": entry.received_at,
            "entry_state": entry.state,
            "expires_at": epoch(entry.received_at + KEPT),
            "order_id": entry.order_id,
            "correlation_id": entry.correlation_id,
            **state,
        }

    def _entry(self, item: Item) -> InboxEntry:
        return InboxEntry(
            id=_id(item),
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
            dismissal=_dismissal(item),
        )


def _dismissal(item: Item) -> Dismissal | None:
    if "dismissed_at" not in item:
        return None
    return Dismissal(_moment(item["dismissed_at"]), item["dismissed_by"], item["dismissed_because"])


class _RepeatError(StoreError):
    """The webhook was stored before: as `item`, where that is known."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the webhook was stored before")
        self.item = item


def _id(item: Item) -> str:
    name = keys.parse(item["pk"])
    return name.id if name else ""


def name_of(entry_id: str) -> str:
    """The id of an entry as clients use it."""
    return entry_id.replace("#", "-")


def id_of(name: str) -> str:
    """The id of the entry that clients know by `name`."""
    carrier, _, digest = name.rpartition("-")
    return f"{carrier}#{digest}"


def _place(received_at: datetime, entry_id: str) -> str:
    return keys.list_position(received_at, name_of(entry_id))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _due(entry_id: str, since: datetime) -> Item:
    return {"due_pk": keys.due(keys.INBOX, keys.shard_of(entry_id)), "due_at": since + DUE_AFTER}


def _passed(now: datetime) -> int:
    """Whole seconds that are over: what ends within this one has not expired."""
    return math.floor(now.timestamp())

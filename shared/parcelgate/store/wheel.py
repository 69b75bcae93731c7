"""The wheel: parcels that wait for their next polls in poll buckets, many together.

A bucket is one item. It names its parcels, and its key says when they are due. So a poll without news writes
nothing of the parcel: its name goes into a later bucket, together with many others.

What a bucket says of a parcel is true only while the parcel's POLL holds the same ticket. Whoever plans a
poll in another way removes the ticket, and need not know the bucket.

A worker claims a bucket, writes later ones, and deletes the first. If it dies in between, some parcels may be
in both. So the parcels of a bucket whose claim has lapsed get new tickets before they are polled.
"""

import random
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from secrets import token_urlsafe
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from parcelgate.domain.clock import rfc3339
from parcelgate.store import keys
from parcelgate.store.calls import ConditionFailedError, Item, Items, TypedItem

IN_A_BUCKET = 80
"""How many parcels a bucket has at most: as many as fit into 2 KB, which is two write units."""
_AT_ONCE = 20
"""How many buckets of each partition are read at once."""
_TICKET = 6
"""How many characters a ticket has, of 64 each. A ticket need only differ from the parcel's earlier ones."""


class Entry(NamedTuple):
    """A parcel in a bucket."""

    tenant: str
    tracking_id: str
    ticket: str


class PollBucket(NamedTuple):
    """Parcels that wait together, so many as `parcels`. They are polled when the time in `sk` has come.

    `planned` is when the first of them should have been polled. `claim_until` is the end of a worker's claim.
    """

    shard: int
    sk: str
    planned: datetime
    parcels: int
    contents: bytes
    claim_until: str | None = None

    @property
    def due_at(self) -> datetime:
        """From when on its parcels may be polled."""
        return datetime.fromisoformat(self.sk.partition("#")[0])

    @property
    def was_claimed(self) -> bool:
        """Whether a worker has claimed it and did not finish with it."""
        return self.claim_until is not None

    @property
    def entries(self) -> list[Entry]:
        """The parcels. Raises zlib.error, msgspec.DecodeError or ValueError if they cannot be read."""
        tenants = msgspec.json.decode(zlib.decompress(self.contents), type=dict[str, str])
        return [
            Entry(tenant, *parcel.split("~", 1))
            for tenant, text in tenants.items()
            for parcel in text.split()
        ]


def new_ticket() -> str:
    """A ticket that the parcel never had."""
    return token_urlsafe(_TICKET)[:_TICKET]


class Wheel:
    """All buckets. They hold nothing but the way to a tenant's parcel."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def pages(self, worker: int, workers: int, before: datetime, size: int) -> Iterator[list[PollBucket]]:
        """The buckets that one of several workers is to empty by `before`, about `size` parcels in a page.

        Those that have waited longest come first. The workers' shares do not overlap. Together they have all
        buckets.
        """
        starts: dict[int, TypedItem | None] = dict.fromkeys(range(worker, keys.POLL_SHARDS, workers))
        page: list[PollBucket] = []
        while starts:
            found: list[PollBucket] = []
            for shard, start in [*starts.items()]:
                items, then = self._items.query_page(
                    "pk = :pk AND sk <= :last",
                    start=start,
                    limit=_AT_ONCE,
                    pk=keys.wheel(shard),
                    last=f"{rfc3339(before)}#~",
                )
                found += [_bucket(shard, item) for item in items]
                starts[shard] = then
                if then is None:
                    del starts[shard]
            for bucket in sorted(found, key=lambda bucket: bucket.sk):
                page.append(bucket)
                if sum(each.parcels for each in page) >= size:
                    yield page
                    page = []
        if page:
            yield page

    def put(
        self,
        at: datetime,
        planned: datetime,
        entries: Iterable[Entry],
        *,
        shards: Sequence[int],
        claimant: str | None = None,
        until: datetime | None = None,
    ) -> PollBucket:
        """Store a new bucket in one of these shards. With `claimant` it is claimed at once."""
        shard = random.choice(shards)  # noqa: S311 - no secret
        inside = [*entries]
        bucket = PollBucket(shard, f"{rfc3339(at)}#{uuid4().hex}", planned, len(inside), packed(inside))
        item = _key(bucket) | {
            "planned": planned,
            "parcels": bucket.parcels,
            "contents": bucket.contents,
            "claim": claimant,
            "claim_until": until,
            **self._items.until_forgotten(at),
        }
        # Its key is new each time, so that a call which was repeated does no harm.
        self._items.put(item, condition="")
        return bucket

    def claim(self, bucket: PollBucket, *, at: datetime, until: datetime, claimant: str) -> bool:
        """Claim a bucket as it was read: nobody's, or with a claim that has lapsed."""
        if bucket.claim_until is None:
            condition, was = "attribute_exists(pk) AND attribute_not_exists(claim_until)", {}
        elif bucket.claim_until <= rfc3339(at):
            condition, was = "claim_until = :was", {"was": bucket.claim_until}
        else:
            return False
        claim = {"claim": claimant, "claim_until": until}
        values: dict[str, Any] = was
        try:
            self._items.update(_key(bucket), claim, condition=condition, **values)
        except ConditionFailedError:
            return False
        return True

    def release(self, bucket: PollBucket, claimant: str) -> None:
        """Give a claimed bucket back as it was. Nothing is changed if others have it now."""
        with suppress(ConditionFailedError):
            self._items.update(
                _key(bucket), {}, ("claim", "claim_until"), condition="claim = :claimant", claimant=claimant
            )

    def delete(self, bucket: PollBucket, claimant: str) -> None:
        """Delete a claimed bucket, whose parcels wait elsewhere now. Nothing is changed if others have it."""
        with suppress(ConditionFailedError):
            self._items.delete(_key(bucket), "claim = :claimant", claimant=claimant)


def _key(bucket: PollBucket) -> Item:
    return {"pk": keys.wheel(bucket.shard), "sk": bucket.sk}


def _bucket(shard: int, item: Item) -> PollBucket:
    planned = datetime.fromisoformat(item["planned"])
    return PollBucket(shard, item["sk"], planned, item["parcels"], item["contents"], item.get("claim_until"))


def packed(entries: Iterable[Entry]) -> bytes:
    """The parcels as a bucket holds them: about 22 bytes for each."""
    tenants: dict[str, list[str]] = {}
    for tenant, tracking_id, ticket in sorted(entries):
        tenants.setdefault(tenant, []).append(f"{tracking_id}~{ticket}")
    text = {tenant: " ".join(parcels) for tenant, parcels in tenants.items()}
    return zlib.compress(msgspec.json.encode(text), 9)

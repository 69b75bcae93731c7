"""The poll buckets of one run of polls: which it has claimed, and into which later ones their parcels go.

A bucket is claimed as a whole. Its parcels are polled, and then wait again, each in a later bucket together
with others that are due at about the same time. Later buckets are written first; only then a bucket that
nobody waits in any more is deleted. A bucket that could not be emptied in a known way is left to its claim.
When that lapses, its parcels get new tickets, so that what was written of them before counts no more.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from parcelgate.domain.clock import Clock
from parcelgate.domain.timetables import EARLY
from parcelgate.observability.logs import log, safe_error_fields
from parcelgate.services.side_by_side import side_by_side
from parcelgate.services.trackings.grouping import grouped
from parcelgate.store.errors import StoreError
from parcelgate.store.trackings import Waiting
from parcelgate.store.wheel import IN_A_BUCKET, Entry, PollBucket, new_ticket

if TYPE_CHECKING:
    from parcelgate.store.table import Table

TOGETHER = 6000
"""After so many parcels their buckets are written. The more, the fuller they are, and the more punctual."""
ENTERING = 500
"""After so many parcels that come from waiting alone they are written too: each takes a write of its own."""
_WRITERS = 16
"""How many threads read and write the POLL items of parcels, at most."""

AWS_TROUBLE = (StoreError, BotoCoreError, ClientError)
"""What a call to AWS raises when it fails."""

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(eq=False)
class _Taken:
    """A bucket that this run has claimed."""

    bucket: PollBucket
    until: datetime
    inside: set[Entry]
    """The parcels that wait in no other bucket yet."""
    leaving: set[Entry] = field(default_factory=set)
    """The parcels among them that are to be written into later buckets."""
    is_moved: bool = False
    """Whether some of its parcels wait in other buckets."""
    is_left: bool = False
    """Whether it is unknown which of its parcels wait elsewhere."""


class Held(NamedTuple):
    """The right to poll a parcel that waits in a bucket of this run."""

    taken: _Taken
    entry: Entry
    waiting: Waiting

    @property
    def until(self) -> datetime:
        """When the right ends."""
        return self.taken.until

    @property
    def planned(self) -> datetime:
        """When the parcels of its bucket should have been polled."""
        return self.taken.bucket.planned


class _Renewal(NamedTuple):
    """The taking over of a dead worker's bucket: its parcels get new tickets, in a bucket of ours."""

    dead: _Taken
    ours: _Taken
    tickets: dict[Entry, Entry]
    """Each true entry with the one that takes its place."""


class Follower(NamedTuple):
    """A parcel that goes into a later bucket, for a poll `at`, or as soon as `early`."""

    at: datetime
    early: datetime
    planned: datetime
    """When its poll was planned."""
    entry: Entry
    taken: _Taken | None
    then: Callable[[], None] | None
    """What to do when its bucket is written."""


class RunBuckets:
    """The buckets of one run.

    Parameters
    ----------
    shards
        The shards in which its later buckets are put.
    claimant, until
        Whose the claims are, and when one that begins now ends.
    threads
        How many threads may read and write.
    """

    def __init__(
        self,
        table: "Table",
        *,
        shards: Sequence[int],
        claimant: str,
        until: Callable[[], datetime],
        clock: Clock,
        threads: int,
    ) -> None:
        self._table = table
        self._shards = shards
        self._claimant = claimant
        self._until = until
        self._clock = clock
        self._writers = min(threads, _WRITERS)
        self._taken: list[_Taken] = []
        self._followers: list[Follower] = []
        self._entering = 0
        self._lock = Lock()

    def take(self, buckets: Iterable[PollBucket], may: Callable[[], bool]) -> list[Held]:
        """Claim buckets, as long as one `may`. Returns those of their parcels that really wait in them.

        One that cannot be claimed, or taken over from a dead worker, is passed over, and spoils no other. So
        are the parcels of a tenant of which it cannot be read how they wait: `finish` gives them back.
        """
        tried = side_by_side(partial(self._claimed, may), [*buckets], workers=self._writers)
        claimed = [one for one in tried if one is not None]
        taken = [one for one in claimed if not one.bucket.was_claimed]
        taken += self._taken_over([one for one in claimed if one.bucket.was_claimed])
        waiting, unread = self._waiting(entry for one in taken for entry in one.inside)
        for one in taken:
            one.inside = {entry for entry in one.inside if entry in waiting or entry.tenant in unread}
        return [
            Held(one, entry, waiting[entry])
            for one in taken
            for entry in sorted(one.inside)
            if entry in waiting
        ]

    def later(self, held: Held, at: datetime, *, planned: datetime | None = None) -> None:
        """Let a parcel wait until `at`. It was `planned` for then, if nothing else is said."""
        with self._lock:
            if held.entry not in held.taken.inside or held.entry in held.taken.leaving:
                return
            held.taken.leaving.add(held.entry)
            self._add(held.entry, at, planned or at, held.taken)

    def drop(self, held: Held) -> None:
        """The parcel does not wait in a bucket any more."""
        with self._lock:
            held.taken.inside.discard(held.entry)

    def enter(self, entry: Entry, at: datetime, then: Callable[[], None]) -> None:
        """Let a parcel wait that has waited alone. `then` gives it its ticket, once its bucket is written."""
        with self._lock:
            self._entering += 1
            self._add(entry, at, at, None, then)

    def write_many(self) -> None:
        """Write the buckets if there are enough parcels for full ones."""
        if len(self._followers) >= TOGETHER or self._entering >= ENTERING:
            self.write()

    def write(self) -> None:
        """Write the buckets of all parcels that go on, and delete those that are empty then."""
        with self._lock:
            followers, self._followers, self._entering = self._followers, [], 0
        then: list[Callable[[], None]] = []
        for group in groups(followers):
            planned = min(follower.planned for follower in group)
            try:
                self._table.wheel.put(
                    group[0].at, planned, [follower.entry for follower in group], shards=self._shards
                )
            except AWS_TROUBLE as error:
                log.error(
                    "a bucket of parcels could not be written; they are polled again",
                    extra=safe_error_fields(error),
                )
                for taken in (follower.taken for follower in group):
                    if taken is not None:
                        taken.is_left = True
                continue
            then += [follower.then for follower in group if follower.then is not None]
            with self._lock:
                for follower in group:
                    if follower.taken is not None:
                        follower.taken.is_moved = True
                        follower.taken.inside.discard(follower.entry)
        side_by_side(lambda each: each(), then, workers=self._writers)
        self._clear()

    def finish(self, rests: Callable[[Entry], datetime | None]) -> None:
        """Write all that is to be written, and give back what was not polled.

        It is due as before, or when `rests` says that its account may be asked again.
        """
        for taken in self._taken:
            if taken.is_left:
                continue
            left = {entry: rests(entry) for entry in taken.inside - taken.leaving}
            if not left or (not taken.is_moved and not taken.leaving and not any(left.values())):
                continue
            with self._lock:
                for entry, rest in left.items():
                    taken.leaving.add(entry)
                    self._add(entry, rest or taken.bucket.due_at, taken.bucket.planned, taken)
        self.write()
        for taken in self._taken:
            if not taken.is_left and not taken.is_moved:
                self._give_back(partial(self._table.wheel.release, taken.bucket, self._claimant))

    def _add(
        self,
        entry: Entry,
        at: datetime,
        planned: datetime,
        taken: _Taken | None,
        then: Callable[[], None] | None = None,
    ) -> None:
        self._followers.append(Follower(at, earliest(at, self._clock()), planned, entry, taken, then))

    def _claimed(self, may: Callable[[], bool], bucket: PollBucket) -> _Taken | None:
        """Claim a bucket, if one `may`. Of a dead worker's bucket the parcels have to get new tickets."""
        if not may():
            return None
        try:
            inside = set(bucket.entries)
        except Exception as error:
            log.error("a bucket of parcels cannot be read; it is passed over", extra=safe_error_fields(error))
            return None
        until = self._until()
        try:
            is_ours = self._table.wheel.claim(bucket, at=self._clock(), until=until, claimant=self._claimant)
        except AWS_TROUBLE as error:
            log.error("a bucket of parcels could not be claimed", extra=safe_error_fields(error))
            return None
        if not is_ours:
            return None
        taken = _Taken(bucket, until, inside)
        if not bucket.was_claimed:
            with self._lock:
                self._taken.append(taken)
        return taken

    def _taken_over(self, dead: Sequence[_Taken]) -> list[_Taken]:
        """Give the parcels of dead workers' buckets new tickets, in buckets of this run."""
        waiting, unread = self._waiting(entry for one in dead for entry in one.inside)
        # The others are not given back: whoever claims them then would not renew their parcels' tickets.
        known = [one for one in dead if not any(entry.tenant in unread for entry in one.inside)]
        renewals = side_by_side(partial(self._renewal, waiting), known, workers=self._writers)
        begun = [renewal for renewal in renewals if renewal is not None]
        changes = [(renewal, *change) for renewal in begun for change in renewal.tickets.items()]
        side_by_side(self._change_ticket, changes, workers=self._writers)
        with self._lock:
            self._taken += [renewal.ours for renewal in begun]
        # A parcel of which it is not known whether it has its new ticket waits in one of the two buckets.
        emptied = [renewal.dead for renewal in begun if renewal.tickets and not renewal.ours.is_left]
        delete = partial(self._table.wheel.delete, claimant=self._claimant)
        side_by_side(lambda one: self._give_back(partial(delete, one.bucket)), emptied, workers=self._writers)
        return [renewal.ours for renewal in begun]

    def _renewal(self, waiting: Collection[Entry], dead: _Taken) -> _Renewal | None:
        """Begin to take a bucket over. None: it is left to its claim."""
        tickets = {entry: entry._replace(ticket=new_ticket()) for entry in dead.inside if entry in waiting}
        if not tickets:
            return _Renewal(dead, dead, tickets)
        bucket = dead.bucket
        try:
            ours = self._table.wheel.put(
                bucket.due_at,
                bucket.planned,
                tickets.values(),
                shards=[bucket.shard],
                claimant=self._claimant,
                until=dead.until,
            )
        except AWS_TROUBLE as error:
            log.error(
                "a dead worker's bucket could not be taken over; it is tried again when its claim is over",
                extra=safe_error_fields(error),
            )
            return None
        return _Renewal(dead, _Taken(ours, dead.until, set()), tickets)

    def _change_ticket(self, change: tuple[_Renewal, Entry, Entry]) -> None:
        renewal, entry, new = change
        store = self._table.tenant(entry.tenant).trackings
        try:
            if store.change_ticket(entry.tracking_id, entry.ticket, new.ticket):
                renewal.ours.inside.add(new)
        except AWS_TROUBLE as error:
            renewal.ours.is_left = True
            log.error(
                "a dead worker's parcel got no new ticket; it is tried again when the claim is over",
                extra={"tenant": entry.tenant, "tracking_id": entry.tracking_id, **safe_error_fields(error)},
            )

    def _waiting(self, entries: Iterable[Entry]) -> tuple[dict[Entry, Waiting], set[str]]:
        """Those of the entries that are true, and how their parcels wait; the tenants that cannot be read.

        An entry that seems to be false is looked at again: the first, cheap reading may be a moment behind.
        """
        unread: set[str] = set()

        def of_tenant(tenant: str, entries: Sequence[Entry]) -> dict[Entry, Waiting]:
            found: dict[Entry, Waiting] = {}
            store = self._table.tenant(tenant).trackings
            for consistent in (False, True):
                left = [entry for entry in entries if entry not in found]
                try:
                    waiting = store.waiting((entry.tracking_id for entry in left), consistent=consistent)
                except AWS_TROUBLE as error:
                    log.error(
                        "how a tenant's parcels wait could not be read; they are polled a little later",
                        extra={"tenant": tenant, **safe_error_fields(error)},
                    )
                    unread.add(tenant)
                    break
                for entry in left:
                    how = waiting.get(entry.tracking_id)
                    if how is not None and how.ticket == entry.ticket:
                        found[entry] = how
            return found

        tenants = grouped(entries, lambda entry: entry.tenant).items()
        parts = side_by_side(lambda each: of_tenant(*each), tenants, workers=self._writers)
        return {entry: how for part in parts for entry, how in part.items()}, unread

    def _clear(self) -> None:
        """Delete the buckets that nobody waits in any more."""
        with self._lock:
            empty = [taken for taken in self._taken if not taken.inside and not taken.is_left]
            self._taken = [taken for taken in self._taken if taken not in empty]
        for taken in empty:
            self._give_back(partial(self._table.wheel.delete, taken.bucket, self._claimant))

    @staticmethod
    def _give_back(write: Callable[[], None]) -> None:
        try:
            write()
        except AWS_TROUBLE as error:
            log.warning(
                "the claim of a bucket could not be given back; it ends by itself",
                extra=safe_error_fields(error),
            )


def earliest(at: datetime, now: datetime) -> datetime:
    """How early a poll at `at` may be, so that the parcel can wait with others from `now` on."""
    return at - (at - now) * EARLY if at > now else _EVER


def groups(followers: Iterable[Follower]) -> Iterator[list[Follower]]:
    """The parcels of each new bucket. They are due when its first one is, so some are a little early."""
    group: list[Follower] = []
    for follower in sorted(followers, key=lambda follower: follower.at):
        if group and (len(group) == IN_A_BUCKET or follower.early > group[0].at):
            yield group
            group = []
        group.append(follower)
    if group:
        yield group

"""Stores trackings: the parcels that are followed, and when each is polled.

A parcel is two items. TRACKING holds what is known of it, and replaces only the version that it was made
from. POLL is small and holds how the next poll is planned. A new parcel waits for its first plan in its
TRACKING item, which is written along with the order; the first worker that finds it there makes its POLL.

A parcel waits alone or together with others. **Alone** it is in the due index, by the `due_at` of its POLL,
which also holds the worker that makes the poll. **Together** it is named in a poll bucket of the wheel. Then
its POLL has no `due_at` but a ticket, which the bucket names too, and the timetable of its polls. A poll
without news of a parcel that waits together writes nothing here.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from parcelgate.domain.timetables import Timetable
from parcelgate.domain.trackings import Tracking, TrackingStatus, courier_key, number_key
from parcelgate.store import keys, lists
from parcelgate.store.calls import NEW, CollisionError, ConditionFailedError, Item, Items, Write
from parcelgate.store.documents import document
from parcelgate.store.errors import AlreadyFollowedError, TrackingNotFoundError, VersionConflictError
from parcelgate.store.lists import Listing, Lists, Page

_trackings = msgspec.json.Decoder(Tracking)
_WAITS = "ticket = :ticket AND attribute_not_exists(due_at)"
_WAITING = ("due_at", "ticket", "timetable")
_FOLLOWED = "FOLLOWED"
_LIST = "TRACKINGS"
_COURIER = "COURIER"
_ATTEMPTS = 5
"""How often a removal is tried if the parcel has another courier each time."""


class Claim(NamedTuple):
    """The right of one worker to poll a parcel that was due at `due_at`. It ends at a fixed moment.

    `misses` is how many polls in a row had no answer.
    """

    tracking_id: str
    claimant: str
    until: datetime
    due_at: str
    misses: int


class Waiting(NamedTuple):
    """How a parcel waits in a poll bucket: with which ticket, and when it is polled by this plan."""

    ticket: str
    timetable: Timetable


class Trackings:
    """The trackings of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant
        self._lists = Lists(items)

    # What is known.

    def get(self, tracking_id: str) -> Tracking:
        """Return the tracking as it is now. Raises TrackingNotFoundError, also for another tenant's."""
        item = self._items.get(key(self._tenant, tracking_id)) if keys.is_id(tracking_id) else None
        if item is None:
            raise TrackingNotFoundError("the tenant has no such tracking")
        return _trackings.decode(item["doc"])

    def planned(self, tracking_id: str, *, now: datetime) -> tuple[Tracking, datetime | None]:
        """Return the tracking, and when the parcel is polled next. Raises TrackingNotFoundError."""
        items = self._own(tracking_id) if keys.is_id(tracking_id) else {}
        if keys.TRACKING not in items:
            raise TrackingNotFoundError("the tenant has no such tracking")
        item, poll = items[keys.TRACKING], items.get(keys.POLL, {})
        return _trackings.decode(item["doc"]), _shown(poll if "planned" in poll else item, now)

    def many(self, tracking_ids: Iterable[str], *, consistent: bool = True) -> list[Tracking]:
        """Return those of these trackings that exist, in the sequence of the ids.

        A read that is not `consistent` costs half, and may be a moment behind.
        """
        items = self._items.get_many(self._keys(tracking_ids), consistent=consistent)
        return [_trackings.decode(item["doc"]) for item in items]

    def statuses(self, tracking_ids: Iterable[str]) -> dict[str, TrackingStatus]:
        """Return the parcels' states by tracking id, without their timelines; unknown ones are left out."""
        items = self._read(self._keys(tracking_ids), "status")
        return {tracking_id: TrackingStatus(item["status"]) for tracking_id, item in items.items()}

    def page(
        self,
        *,
        status: TrackingStatus | str | None = None,
        carrier: str | None = None,
        carrier_code: str | None = None,
        tracking_number: str | None = None,
        order_id: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        among: Iterable[str] = (),
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[Tracking]:
        """Return one page of the trackings that pass all filters, newest first. Times are exclusive bounds.

        `among` are the ids of all trackings of the order `order_id`, from the order itself. Couriers and
        numbers are compared by `courier_key` and `number_key`. All pages except the last are full. `limit`
        may change from page to page, the filters may not.
        Raises BadCursorError for a cursor that this list has not given out.
        """
        number = None if tracking_number is None else number_key(tracking_number)
        courier = None if carrier_code is None else courier_key(carrier_code)

        def passes(tracking: Tracking) -> bool:
            """The index may be a moment behind the tracking, and its list may be wider than the filters."""
            return (
                status in (None, tracking.status)
                and carrier in (None, tracking.carrier)
                and courier in (None, courier_key(tracking.carrier_code))
                and number in (None, number_key(tracking.tracking_number))
                and order_id in (None, tracking.order_id)
            )

        known = {tracking.id: tracking for tracking in self.many(among)}

        def read(tracking_ids: Sequence[str]) -> list[Tracking]:
            trackings = [known[each] for each in tracking_ids] if known else self.many(tracking_ids)
            return [tracking for tracking in trackings if passes(tracking)]

        places = None
        index, partition = "by_time", keys.key(self._tenant, _LIST)
        if order_id is not None:
            places = sorted(map(_place, known.values()), reverse=True)
        elif number is not None:
            index, partition = "by_reference", _list(self._tenant, "NUMBER", number)
        elif courier is not None:
            index = "by_status" if status is None else "by_reference"
            partition = _list(self._tenant, _COURIER, courier, *([status] if status else []))
        elif status is not None:
            index, partition = "by_status", _status_list(self._tenant, status)
        filters = (status, carrier, courier, number, order_id, created_after, created_before)
        return self._lists.page(
            Listing(index, partition, carrier, created_after, created_before, places),
            lists.fingerprint("trackings", self._tenant, *filters),
            limit=limit,
            cursor=cursor,
            read=read,
            place=_place,
        )

    def find(self, account: str, carrier_code: str, number: str) -> str | None:
        """Return the id under which an aggregator's account follows this parcel for us."""
        item = self._items.get(self._followed(account, carrier_code, number))
        return None if item is None else item["tracking_id"]

    def add(self, tracking: Tracking, *, replaces: Tracking | None = None) -> None:
        """Store a parcel without an order. An earlier parcel that it `replaces` gives up the number.

        Raises AlreadyFollowedError; nothing was written then.
        """
        self._owned(tracking)
        writes = [
            self._items.put_write(
                tracking_item(tracking) | self._ends(tracking), VersionConflictError(tracking.id)
            ),
            *self._courier_entries(tracking, VersionConflictError(tracking.id)),
            self._claim_number(tracking, replaces),
        ]
        if replaces is not None and replaces.order_id is None:
            writes.append(
                self._items.update_write(
                    key(self._tenant, replaces.id),
                    _facts(replaces.replaced(by=tracking)),
                    AlreadyFollowedError(None),
                    "version = :before",
                    before=replaces.version,
                )
            )
        self._items.commit(writes)

    def lead_to(self, tracking: Tracking, account: str, carrier_code: str, number: str) -> None:
        """Make `find` return this parcel, which a courier carries on, unless it returns another already."""
        with suppress(ConditionFailedError):
            leads = {"tracking_id": tracking.id, **self._ends(tracking)}
            self._items.put(self._followed(account, carrier_code, number) | leads)

    def save(self, before: Tracking, after: Tracking) -> None:
        """Replace `before` by `after`. Its next poll stays as it is. Raises VersionConflictError."""
        self._must_follow(before, after)
        try:
            self._items.update(
                key(self._tenant, after.id),
                _facts(after) | self._ends(after),
                condition="version = :before",
                before=before.version,
            )
        except (ConditionFailedError, CollisionError) as error:
            raise _conflict(before) from error

    def recode(self, before: Tracking, after: Tracking) -> None:
        """Store that another courier has the parcel. Raises VersionConflictError and AlreadyFollowedError."""
        if courier_key(after.carrier_code) == courier_key(before.carrier_code):
            self.save(before, after)
            return
        self._must_follow(before, after)
        conflict = _conflict(before)
        self._items.commit(
            [
                self._items.put_write(
                    tracking_item(after) | self._ends(after),
                    conflict,
                    "version = :before",
                    before=before.version,
                ),
                *self._courier_entries(after, conflict),
                self._claim_number(after),
                self._free_number(before, conflict),
            ]
        )

    def remove(self, tracking: Tracking) -> None:
        """Delete a parcel that belongs to no order, whatever its status. The call may be repeated.

        Raises VersionConflictError when others change its courier every time.
        """
        self._owned(tracking)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._items.commit(self._removal(tracking))
            except VersionConflictError:
                if attempt == _ATTEMPTS:
                    raise
                try:
                    tracking = self.get(tracking.id)
                except TrackingNotFoundError:
                    return  # It was removed before, and somebody follows the parcel anew.
            else:
                return

    def _removal(self, tracking: Tracking) -> list[Write]:
        conflict = VersionConflictError(f"another courier has {tracking.id}")
        delete = self._items.delete_write
        same_courier = f"{NEW} OR carrier_code = :code"
        return [
            delete(key(self._tenant, tracking.id), conflict, same_courier, code=tracking.carrier_code or ""),
            delete(self._poll(tracking.id), conflict),
            delete(key(self._tenant, tracking.id) | {"sk": _COURIER}, conflict),
            *([] if tracking.replaced_by else [self._free_number(tracking, conflict)]),
        ]

    # When it is polled.

    def polls(self, tracking_ids: Iterable[str], *, now: datetime) -> dict[str, datetime | None]:
        """Return when each parcel is polled next. None: it is not polled any more."""
        ids = [*dict.fromkeys(tracking_ids)]
        polls = self._read([self._poll(each) for each in ids], "due_at", "planned", "timetable")
        planned = {tracking_id: item for tracking_id, item in polls.items() if "planned" in item}
        unplanned = [key(self._tenant, each) for each in ids if each not in planned]
        items = planned | self._read(unplanned, "due_at")
        return {each: _shown(items.get(each, {}), now) for each in ids}

    def schedule(self, tracking_id: str, at: datetime | None) -> None:
        """Set the parcel's next poll to `at`, whatever was planned before. None: no more polls."""
        self._replan(tracking_id, at)

    def reschedule(self, tracking_id: str, timetable: Timetable | None, *, now: datetime) -> None:
        """Plan the parcel's polls anew, unless one is due by `now`. None: no more polls.

        A poll that is due stays due, because it may be due for another reason than the caller's. A parcel
        that waits in a bucket stays there if it comes up in time; it waits on from then.
        """
        if timetable is not None and self._comes_in_time(tracking_id, timetable, now):
            return
        with suppress(ConditionFailedError):
            later = "attribute_not_exists(due_at) OR due_at > :now"
            self._replan(tracking_id, timetable and timetable.first, later, now=now)

    def plan(self, tracking_id: str, at: datetime | Waiting | None) -> None:
        """Plan the first poll of a new parcel, unless it is planned already. The call may be repeated."""
        with suppress(ConditionFailedError):
            self._replan(tracking_id, at, "attribute_not_exists(planned)")
        with suppress(ConditionFailedError):
            self._items.update(
                key(self._tenant, tracking_id), {}, ("due_pk", "due_at"), condition="attribute_exists(due_pk)"
            )

    def claim(self, tracking_id: str, *, at: datetime, until: datetime, claimant: str) -> Claim | None:
        """Claim the poll of a due parcel. Returns None if it is not due, or another worker has the claim.

        If the worker dies, the claim ends at `until`, and the parcel is still due.
        """
        try:
            item = self._items.update(
                self._poll(tracking_id),
                {"claim": claimant, "claim_until": until},
                condition="due_at <= :at AND (attribute_not_exists(claim_until) OR claim_until <= :at)",
                returning=True,
                at=at,
            )
        except ConditionFailedError:
            return None
        return Claim(tracking_id, claimant, until, item["due_at"], item.get("misses", 0))

    def settle(self, claim: Claim, then: datetime | Waiting | None, *, at: datetime, misses: int = 0) -> None:
        """Give a claim back, with the next poll. A next poll that somebody has set meanwhile is kept."""
        sets, removes = _next(claim.tracking_id, then)
        self._give_back(claim, self._polled(at, misses), sets, removes)

    def release(self, claim: Claim, *, due: datetime | None = None) -> None:
        """Give a claim back without a poll. The parcel stays due as it was, or from `due` on.

        Nothing is changed if somebody has set a new poll meanwhile, or has the claim.
        """
        self._give_back(claim, {}, *(_next(claim.tracking_id, due) if due else ({}, ())))

    def _give_back(self, claim: Claim, polled: Item, sets: Item, removes: Sequence[str]) -> None:
        poll, mine = self._poll(claim.tracking_id), "claim = :claimant"
        try:
            self._items.update(
                poll,
                polled | sets,
                (*removes, "claim", "claim_until"),
                condition=f"{mine} AND due_at = :was",
                claimant=claim.claimant,
                was=claim.due_at,
            )
        except ConditionFailedError:
            with suppress(ConditionFailedError):
                self._items.update(
                    poll, polled, ("claim", "claim_until"), condition=mine, claimant=claim.claimant
                )

    def _replan(
        self, tracking_id: str, at: datetime | Waiting | None, condition: str = "", **values: Any
    ) -> None:
        sets, removes = _next(tracking_id, at)
        first = at.timetable.first if isinstance(at, Waiting) else at
        ends = self._items.until_forgotten(first) if first else {}
        self._items.update(
            self._poll(tracking_id), sets | ends | {"planned": True}, removes, condition=condition, **values
        )

    def _polled(self, at: datetime, misses: int) -> Item:
        return {"polled_at": at, "misses": misses, **self._items.until_forgotten(at)}

    def forget_poll(self, tracking_id: str) -> None:
        """Stop the polls of a parcel that no longer exists."""
        self._items.delete(self._poll(tracking_id))

    # How it waits in a bucket.

    def waiting(self, tracking_ids: Iterable[str], *, consistent: bool = True) -> dict[str, Waiting]:
        """Return how those of these parcels wait that wait in buckets, by tracking id. As `many`."""
        places = [self._poll(each) for each in dict.fromkeys(tracking_ids)]
        items = self._read(places, *_WAITING, consistent=consistent)
        found = ((tracking_id, _waiting(item)) for tracking_id, item in items.items())
        return {tracking_id: waiting for tracking_id, waiting in found if waiting is not None}

    def retime(
        self, tracking_id: str, waiting: Waiting, timetable: Timetable, *, at: datetime
    ) -> Waiting | None:
        """Give a waiting parcel a new timetable after a poll. Returns how it waits then.

        If somebody has planned its polls meanwhile, that is kept: None if it does not wait any more.
        """
        sets = {"timetable": timetable.encode(), **self._polled(at, 0)}
        unchanged = f"{_WAITS} AND timetable = :was"
        was = waiting.timetable.encode()
        try:
            self._items.update(
                self._poll(tracking_id), sets, condition=unchanged, ticket=waiting.ticket, was=was
            )
        except ConditionFailedError as error:
            found = _waiting(error.item or {})
            return found if found is not None and found.ticket == waiting.ticket else None
        return Waiting(waiting.ticket, timetable)

    def take_off(
        self, tracking_id: str, ticket: str, due: datetime | None, *, at: datetime, misses: int = 0
    ) -> None:
        """Let a waiting parcel wait alone, for a poll at `due`. None: no more polls.

        Nothing is changed if it does not wait with this ticket any more.
        """
        sets, removes = _next(tracking_id, due)
        with suppress(ConditionFailedError):
            self._items.update(
                self._poll(tracking_id),
                sets | self._polled(at, misses),
                removes,
                condition=_WAITS,
                ticket=ticket,
            )

    def change_ticket(self, tracking_id: str, ticket: str, new: str) -> bool:
        """Give a waiting parcel another ticket. Returns whether it waits with the new one then."""
        try:
            self._items.update(
                self._poll(tracking_id), {"ticket": new}, condition="ticket = :old", old=ticket
            )
        except ConditionFailedError as error:
            # The call is repeated when its answer is lost, and refused then.
            return (error.item or {}).get("ticket") == new
        return True

    def _comes_in_time(self, tracking_id: str, timetable: Timetable, now: datetime) -> bool:
        """Give the parcel this timetable if its bucket is due before the first poll of it."""
        waiting = _waiting(self._items.get(self._poll(tracking_id)) or {})
        comes = None if waiting is None else waiting.timetable.upcoming(now)
        if waiting is None or comes is None or comes > timetable.first:
            return False
        sets = {"timetable": timetable.encode(), **self._items.until_forgotten(timetable.first)}
        try:
            self._items.update(self._poll(tracking_id), sets, condition=_WAITS, ticket=waiting.ticket)
        except ConditionFailedError:
            return False
        return True

    def realtime(self, tracking_id: str, *, at: datetime, interval: timedelta) -> float:
        """Take the one realtime call that a parcel has in each `interval`.

        Returns 0 if the call may be made now; it then counts as made. Otherwise returns in how many seconds
        it may.
        """
        try:
            self._items.update(
                self._poll(tracking_id),
                {"realtime_at": at},
                condition="attribute_not_exists(realtime_at) OR realtime_at <= :before",
                before=at - interval,
            )
        except ConditionFailedError as error:
            last = datetime.fromisoformat((error.item or {})["realtime_at"])
            return max((last + interval - at).total_seconds(), 0.001)
        return 0.0

    def realtime_unused(self, tracking_id: str, *, at: datetime) -> None:
        """Give back the realtime call that was taken at `at` and was certainly not made."""
        with suppress(ConditionFailedError):
            self._items.update(
                self._poll(tracking_id), {}, ["realtime_at"], condition="realtime_at = :at", at=at
            )

    def _read(self, places: Sequence[Item], *attributes: str, consistent: bool = True) -> dict[str, Item]:
        """Return some attributes of the existing items at these keys, by the ids of their trackings."""
        items = self._items.get_many(places, attributes, consistent=consistent)
        return {name.id: item for item in items if (name := keys.parse(item["pk"])) is not None}

    def _own(self, tracking_id: str) -> dict[str, Item]:
        """Return the parcel's TRACKING and POLL, by their sort keys: those that exist, in one read."""
        items = self._items.query(
            "pk = :pk AND sk BETWEEN :poll AND :tracking",
            pk=key(self._tenant, tracking_id)["pk"],
            poll=keys.POLL,
            tracking=keys.TRACKING,
        )
        return {item["sk"]: item for item in items}

    def _keys(self, tracking_ids: Iterable[str]) -> list[Item]:
        return [key(self._tenant, each) for each in dict.fromkeys(tracking_ids) if keys.is_id(each)]

    def _poll(self, tracking_id: str) -> Item:
        return key(self._tenant, tracking_id) | {"sk": keys.POLL}

    def _followed(self, account: str, carrier_code: str, number: str) -> Item:
        pk = keys.key(self._tenant, _FOLLOWED, account, courier_key(carrier_code), number_key(number))
        return {"pk": pk, "sk": _FOLLOWED}

    def _followed_as(self, tracking: Tracking) -> Item:
        return self._followed(tracking.account, tracking.carrier_code or "", tracking.tracking_number)

    def _claim_number(self, tracking: Tracking, replaces: Tracking | None = None) -> Write:
        return self._items.put_write(
            self._followed_as(tracking) | {"tracking_id": tracking.id, **self._ends(tracking)},
            lambda other: AlreadyFollowedError(other["tracking_id"] if other else None),
            f"{NEW} OR tracking_id = :former",
            former=(replaces or tracking).id,
        )

    def _free_number(self, tracking: Tracking, refused: VersionConflictError) -> Write:
        ours = f"{NEW} OR tracking_id = :tracking"
        return self._items.delete_write(self._followed_as(tracking), refused, ours, tracking=tracking.id)

    def _courier_entries(self, tracking: Tracking, refused: VersionConflictError) -> list[Write]:
        """Return the item beside a tracking with a courier, by which it is in more lists than its own can be.

        These lists do not depend on its status, so that a poll with news writes one item only.
        """
        courier = courier_key(tracking.carrier_code)
        if not courier:
            return []
        item = key(self._tenant, tracking.id) | {
            "sk": _COURIER,
            "carrier": tracking.carrier,
            "list_sk": _place(tracking),
            "reference_pk": _number_list(tracking),
            "status_pk": _list(self._tenant, _COURIER, courier),
            **self._ends(tracking),
        }
        return [self._items.put_write(item, refused, condition="")]

    def _ends(self, tracking: Tracking) -> Item:
        return self._items.until_forgotten(tracking.created_at)

    def _must_follow(self, before: Tracking, after: Tracking) -> None:
        self._owned(before, after)
        if after.id != before.id or after.version <= before.version:
            raise ValueError("`after` must be a later version of `before`")

    def _owned(self, *trackings: Tracking) -> None:
        if any(tracking.tenant != self._tenant for tracking in trackings):
            raise ValueError("another tenant's tracking was given to this tenant's store")


def key(tenant: str, tracking_id: str) -> Item:
    """Where a tracking is."""
    return {"pk": keys.key(tenant, keys.TRACKING, tracking_id), "sk": keys.TRACKING}


def tracking_item(tracking: Tracking) -> Item:
    """Return a new tracking as it is stored: due, so that its first poll gets planned."""
    return {
        **key(tracking.tenant, tracking.id),
        "type": "tracking",
        "carrier": tracking.carrier,
        "list_pk": keys.key(tracking.tenant, _LIST),
        "list_sk": _place(tracking),
        "due_pk": keys.poll_partition(tracking.id),
        "due_at": tracking.created_at,
        **_facts(tracking),
    }


def _facts(tracking: Tracking) -> Item:
    courier = courier_key(tracking.carrier_code)
    of_courier = _list(tracking.tenant, _COURIER, courier, tracking.status) if courier else None
    return {
        "carrier_code": tracking.carrier_code or "",
        "status": tracking.status,
        "status_pk": _status_list(tracking.tenant, tracking.status),
        "reference_pk": of_courier or _number_list(tracking),
        "version": tracking.version,
        "doc": document(tracking),
    }


def _place(tracking: Tracking) -> str:
    return keys.list_position(tracking.created_at, tracking.id)


def _list(tenant: str, kind: str, *parts: str) -> str:
    """Return the key of a list of the tenant's trackings that have this in common, of whatever length."""
    return keys.key(tenant, _LIST, kind, keys.digest(*parts))


def _number_list(tracking: Tracking) -> str:
    return _list(tracking.tenant, "NUMBER", number_key(tracking.tracking_number))


def _status_list(tenant: str, status: str) -> str:
    return keys.key(tenant, _LIST, "STATUS", status)


def _next(tracking_id: str, at: datetime | Waiting | None) -> tuple[Item, Sequence[str]]:
    """Return the attributes of a POLL to set and to remove for a next poll at `at`; None: no next poll."""
    alone, together = ("due_pk", "due_at"), ("ticket", "timetable")
    if at is None:
        return {}, (*alone, *together)
    if isinstance(at, Waiting):
        return {"ticket": at.ticket, "timetable": at.timetable.encode()}, alone
    return {"due_pk": keys.poll_partition(tracking_id), "due_at": at}, together


def _waiting(poll: Item) -> Waiting | None:
    """How a parcel with this POLL waits in a bucket. None: it waits alone, or is not polled any more."""
    if "due_at" in poll or "ticket" not in poll:
        return None
    return Waiting(poll["ticket"], Timetable.decode(poll["timetable"]))


def _shown(poll: Item, now: datetime) -> datetime | None:
    if "due_at" in poll:
        return datetime.fromisoformat(poll["due_at"])
    return Timetable.decode(poll["timetable"]).shown(now) if "timetable" in poll else None


def _conflict(before: Tracking) -> VersionConflictError:
    return VersionConflictError(f"{before.id} is not at version {before.version} any more")

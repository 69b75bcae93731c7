"""Trackings: the parcels that are followed, and when each is to be asked about.

A parcel is two items. TRACKING holds what is known of it, and is written over the version it was made
from. POLL is small and holds the next poll and who is about to make it: that is all a poll without news
writes. A new parcel waits for its first poll in its TRACKING item, which is written along with the order;
the first worker that finds it there makes its POLL.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import msgspec

from parcelgate.domain.clock import rfc3339
from parcelgate.domain.trackings import Tracking, TrackingStatus, number_key
from parcelgate.store import calls, keys, lists
from parcelgate.store.calls import ConditionFailedError, Item, Write
from parcelgate.store.errors import (
    AlreadyFollowedError,
    StoreError,
    TrackingNotFoundError,
    VersionConflictError,
)
from parcelgate.store.lists import Listing, Lists, Page

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_trackings = msgspec.json.Decoder(Tracking)
_encoder = msgspec.json.Encoder(decimal_format="string")
_FOLLOWED = "FOLLOWED"
_LIST = "TRACKINGS"
_PLANNED: Item = {"planned": {"BOOL": True}}
"""Of a POLL: its parcel waits for its first poll in the TRACKING no more."""
_ATTEMPTS = 5
"""How often a removal is tried that meets another courier each time."""


class Claim(NamedTuple):
    """The right, of one worker and until a moment, to ask about a parcel that was due at `due_at`.

    `misses` is how many polls in a row had no answer.
    """

    tracking_id: str
    claimant: str
    until: datetime
    due_at: str
    misses: int


class Trackings:
    """The trackings of one tenant."""

    def __init__(self, client: "DynamoDBClient", name: str, tenant: str) -> None:
        self._client = client
        self._name = name
        self._tenant = tenant
        self._lists = Lists(client, name)

    # What is known.

    def get(self, tracking_id: str) -> Tracking:
        """The tracking as it stands now. Raises TrackingNotFoundError, also for another tenant's."""
        if keys.is_id(tracking_id):
            with calls.translated():
                item = self._client.get_item(
                    TableName=self._name, Key=key(self._tenant, tracking_id), ConsistentRead=True
                ).get("Item")
            if item is not None:
                return _trackings.decode(item["doc"]["S"])
        raise TrackingNotFoundError("the tenant has no such tracking")

    def many(self, tracking_ids: Iterable[str]) -> list[Tracking]:
        """Those of the trackings that there are, in the order they were asked for."""
        ids = [tracking_id for tracking_id in dict.fromkeys(tracking_ids) if keys.is_id(tracking_id)]
        wanted = [key(self._tenant, tracking_id) for tracking_id in ids]
        items = calls.read_many(self._client, self._name, wanted)
        return [_trackings.decode(item["doc"]["S"]) for item in items]

    def statuses(self, tracking_ids: Iterable[str]) -> dict[str, TrackingStatus]:
        """How the parcels stand, by tracking id, without their timelines; those unknown are left out."""
        ids = [tracking_id for tracking_id in dict.fromkeys(tracking_ids) if keys.is_id(tracking_id)]
        found = self._read([key(self._tenant, tracking_id) for tracking_id in ids], "status")
        return {tracking_id: TrackingStatus(item["status"]["S"]) for tracking_id, item in found.items()}

    def page(
        self,
        *,
        status: TrackingStatus | str | None = None,
        carrier: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[Tracking]:
        """One page of the trackings that pass all filters, newest first.

        Pages are full save the last one. `limit` may change from page to page, the filters may not.
        Raises BadCursorError for a cursor that this list has not given out.
        """
        where = ("by_time", "list_pk", keys.key(self._tenant, _LIST))
        if status is not None:
            where = ("by_status", "status_pk", _status_list(self._tenant, status))

        def read(tracking_ids: Sequence[str]) -> list[Tracking]:
            return [found for found in self.many(tracking_ids) if status in (None, found.status)]

        return self._lists.page(
            Listing(*where, carrier),
            lists.fingerprint("trackings", self._tenant, status, carrier),
            limit=limit,
            cursor=cursor,
            read=read,
            place=_place,
        )

    def find(self, account: str, carrier_code: str, number: str) -> str | None:
        """The id under which an aggregator's account follows this parcel for us."""
        with calls.translated():
            item = self._client.get_item(
                TableName=self._name,
                Key=self._followed(account, carrier_code, number),
                ConsistentRead=True,
            ).get("Item")
        return None if item is None else item["tracking_id"]["S"]

    def add(self, tracking: Tracking) -> None:
        """Store a parcel that is no order's. Raises AlreadyFollowedError; nothing was written then."""
        self._owned(tracking)
        mark = uuid4().hex
        writes = [
            Write(
                {"Put": self._condition(tracking_item(tracking) | {"mark": {"S": mark}})},
                lambda _: VersionConflictError(tracking.id),
            ),
            self._claimed(tracking),
        ]
        calls.commit(self._client, writes, mark=mark)

    def lead_to(self, tracking_id: str, account: str, carrier_code: str, number: str) -> None:
        """Have `find` lead to this parcel, which a courier takes on, unless another one is followed there."""
        item = self._followed(account, carrier_code, number) | {"tracking_id": {"S": tracking_id}}
        with suppress(ConditionFailedError):
            calls.write(self._client.put_item, **self._condition(item))

    def save(self, before: Tracking, after: Tracking) -> None:
        """Store `after` over `before`. Its next poll stays as it is. Raises VersionConflictError."""
        self._follows(before, after)
        values = _facts(after)
        request: dict[str, Any] = {
            "TableName": self._name,
            "Key": key(self._tenant, after.id),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
            "ConditionExpression": "#version = :before",
            "ExpressionAttributeNames": {f"#{name}": name for name in values},
            "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}
            | {":before": {"N": str(before.version)}},
        }
        try:
            calls.write(self._client.update_item, **request)
        except (ConditionFailedError, calls.CollisionError) as error:
            raise VersionConflictError(f"{after.id} is not at version {before.version} any more") from error

    def recode(self, before: Tracking, after: Tracking) -> None:
        """Store that another courier has the parcel. Raises VersionConflictError and AlreadyFollowedError."""
        if after.carrier_code == before.carrier_code:
            self.save(before, after)
            return
        self._follows(before, after)
        mark = uuid4().hex
        conflict = VersionConflictError(f"{after.id} is not at version {before.version} any more")
        item = tracking_item(after) | {"mark": {"S": mark}}
        put = self._condition(item, "version = :before", {":before": {"N": str(before.version)}})
        writes = [
            Write({"Put": put}, lambda _: conflict),
            self._claimed(after),
            Write({"Delete": self._unfollowed(before)}, lambda _: conflict),
        ]
        calls.commit(self._client, writes, mark=mark)

    def remove(self, tracking: Tracking) -> None:
        """Forget a parcel that is no order's, however it stands by now. Again is the same as once.

        Raises VersionConflictError when there is no end of others who change its courier.
        """
        self._owned(tracking)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                calls.commit(self._client, self._removal(tracking), mark=uuid4().hex)
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
        place = {
            "TableName": self._name,
            "Key": key(self._tenant, tracking.id),
            "ConditionExpression": "attribute_not_exists(pk) OR carrier_code = :code",
            "ExpressionAttributeValues": {":code": {"S": tracking.carrier_code or ""}},
        }
        poll = {"TableName": self._name, "Key": self._poll(tracking.id)}
        return [
            Write({"Delete": place}, lambda _: conflict),
            Write({"Delete": poll}, lambda _: conflict),
            Write({"Delete": self._unfollowed(tracking)}, lambda _: conflict),
        ]

    # When it is asked about.

    def polls(self, tracking_ids: Iterable[str]) -> dict[str, datetime | None]:
        """When each parcel is to be asked about next; None: not any more."""
        ids = [*dict.fromkeys(tracking_ids)]
        polls = self._read([self._poll(one) for one in ids], "due_at", "planned")
        planned = {one: item for one, item in polls.items() if "planned" in item}
        fresh = [key(self._tenant, one) for one in ids if one not in planned]
        found = planned | self._read(fresh, "due_at")
        return {one: _moment(found.get(one, {})) for one in ids}

    def schedule(self, tracking_id: str, at: datetime | None) -> None:
        """Have the parcel asked about at `at`, whatever was planned before; None: not any more."""
        self._replan(tracking_id, *_next(tracking_id, at), sets=_PLANNED)

    def reschedule(self, tracking_id: str, at: datetime | None, *, now: datetime) -> None:
        """Have the parcel asked about at `at` instead of later than `now`; None: not any more.

        What is due by `now` stands: somebody may have been told to ask, and by other news than the caller's.
        """
        with suppress(ConditionFailedError):
            self._replan(
                tracking_id,
                *_next(tracking_id, at),
                sets=_PLANNED,
                condition="attribute_not_exists(due_at) OR due_at > :now",
                values={":now": {"S": rfc3339(now)}},
            )

    def plan(self, tracking_id: str, at: datetime | None) -> None:
        """Give a new parcel its first poll, unless it has got one meanwhile. Again is the same as once."""
        with suppress(ConditionFailedError):
            self._replan(
                tracking_id, *_next(tracking_id, at), sets=_PLANNED, condition="attribute_not_exists(planned)"
            )
        with suppress(ConditionFailedError):
            calls.write(
                self._client.update_item,
                TableName=self._name,
                Key=key(self._tenant, tracking_id),
                UpdateExpression="REMOVE due_pk, due_at",
                ConditionExpression="attribute_exists(due_pk)",
            )

    def claim(self, tracking_id: str, *, at: datetime, until: datetime, claimant: str) -> Claim | None:
        """The right to ask about a parcel that is due; None when it is not, or another has that right.

        Whoever dies with it loses it at `until`, and the parcel is still due.
        """
        try:
            item = self._replan(
                tracking_id,
                {"claim": {"S": claimant}, "claim_until": {"S": rfc3339(until)}},
                condition="due_at <= :at AND (attribute_not_exists(claim_until) OR claim_until <= :at)",
                values={":at": {"S": rfc3339(at)}},
            )
        except ConditionFailedError:
            return None
        misses = int(item["misses"]["N"]) if "misses" in item else 0
        return Claim(tracking_id, claimant, until, item["due_at"]["S"], misses)

    def settle(self, claim: Claim, next_at: datetime | None, *, at: datetime, misses: int = 0) -> None:
        """Give a claim back, with the next poll. One that somebody set meanwhile stands instead of it."""
        done = {"polled_at": {"S": rfc3339(at)}, "misses": {"N": str(misses)}}
        self._give_back(claim, *_next(claim.tracking_id, next_at), done=done)

    def release(self, claim: Claim, *, due: datetime | None = None) -> None:
        """Give a claim back without having asked. The parcel stays due as it was, or from `due` on.

        One that somebody has set anew meanwhile, or has the claim of, is left alone.
        """
        self._give_back(claim, *(_next(claim.tracking_id, due) if due else ({}, ())))

    def _give_back(self, claim: Claim, then: Item, gone: Sequence[str], *, done: Item | None = None) -> None:
        free = ("claim", "claim_until")
        mine = {":claimant": {"S": claim.claimant}}
        try:
            self._replan(
                claim.tracking_id,
                then,
                (*gone, *free),
                sets=done,
                condition="claim = :claimant AND due_at = :was",
                values=mine | {":was": {"S": claim.due_at}},
            )
        except ConditionFailedError:
            with suppress(ConditionFailedError):
                self._replan(claim.tracking_id, done or {}, free, condition="claim = :claimant", values=mine)

    def _replan(
        self,
        tracking_id: str,
        then: Item,
        gone: Sequence[str] = (),
        *,
        sets: Item | None = None,
        condition: str | None = None,
        values: Item | None = None,
    ) -> Item:
        """Change a parcel's POLL: `then` and `sets` are set, `gone` is taken away. The item as it is then."""
        sets = then | (sets or {})
        change = []
        if sets:
            change.append("SET " + ", ".join(f"{name} = :{name}" for name in sets))
        if gone:
            change.append("REMOVE " + ", ".join(gone))
        request: dict[str, Any] = {
            "TableName": self._name,
            "Key": self._poll(tracking_id),
            "UpdateExpression": " ".join(change),
            "ReturnValues": "ALL_NEW",
        }
        if condition:
            request["ConditionExpression"] = condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        given = {f":{name}": value for name, value in sets.items()} | (values or {})
        if given:
            request["ExpressionAttributeValues"] = given
        item: Item = calls.write(self._client.update_item, **request)["Attributes"]
        return item

    def forget_poll(self, tracking_id: str) -> None:
        """Ask no more about a parcel that there is not any more."""
        with calls.translated():
            self._client.delete_item(TableName=self._name, Key=self._poll(tracking_id))

    def realtime(self, tracking_id: str, *, at: datetime, interval: timedelta) -> float:
        """Take the one realtime call that a parcel has in each `interval`.

        0 when it may be made now, and is noted as made; else in how many seconds it may.
        """
        try:
            self._replan(
                tracking_id,
                {"realtime_at": {"S": rfc3339(at)}},
                condition="attribute_not_exists(realtime_at) OR realtime_at <= :before",
                values={":before": {"S": rfc3339(at - interval)}},
            )
        except ConditionFailedError as error:
            last = datetime.fromisoformat((error.item or {})["realtime_at"]["S"])
            return max((last + interval - at).total_seconds(), 0.001)
        return 0.0

    def realtime_unused(self, tracking_id: str, *, at: datetime) -> None:
        """Give back the realtime call that was taken at `at` and certainly not made."""
        with suppress(ConditionFailedError):
            self._replan(
                tracking_id,
                {},
                ["realtime_at"],
                condition="realtime_at = :at",
                values={":at": {"S": rfc3339(at)}},
            )

    def _read(self, places: Sequence[Item], *attributes: str) -> dict[str, Item]:
        """Some attributes of the items at these places that there are, by the ids of their trackings."""
        found = {}
        for item in calls.read_many(self._client, self._name, places, attributes):
            name = keys.parse(item["pk"]["S"])
            if name is not None:
                found[name.id] = item
        return found

    def _poll(self, tracking_id: str) -> Item:
        return key(self._tenant, tracking_id) | {"sk": {"S": keys.POLL}}

    def _followed(self, account: str, carrier_code: str, number: str) -> Item:
        pk = keys.key(self._tenant, _FOLLOWED, account, carrier_code.casefold(), number_key(number))
        return {"pk": {"S": pk}, "sk": {"S": _FOLLOWED}}

    def _claimed(self, tracking: Tracking) -> Write:
        place = self._followed(tracking.account, tracking.carrier_code or "", tracking.tracking_number)
        put = self._condition(place | {"tracking_id": {"S": tracking.id}})

        def refused(item: Item | None) -> StoreError:
            return AlreadyFollowedError(item["tracking_id"]["S"] if item else None)

        return Write({"Put": put}, refused)

    def _unfollowed(self, tracking: Tracking) -> dict[str, Any]:
        return {
            "TableName": self._name,
            "Key": self._followed(tracking.account, tracking.carrier_code or "", tracking.tracking_number),
            "ConditionExpression": "attribute_not_exists(pk) OR tracking_id = :tracking",
            "ExpressionAttributeValues": {":tracking": {"S": tracking.id}},
        }

    def _condition(
        self, item: Item, condition: str = "attribute_not_exists(pk)", values: Item | None = None
    ) -> dict[str, Any]:
        put: dict[str, Any] = {
            "TableName": self._name,
            "Item": item,
            "ConditionExpression": condition,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        return put | ({"ExpressionAttributeValues": values} if values else {})

    def _follows(self, before: Tracking, after: Tracking) -> None:
        self._owned(before, after)
        if after.id != before.id or after.version <= before.version:
            raise ValueError("`after` must be a later version of `before`")

    def _owned(self, *trackings: Tracking) -> None:
        if any(tracking.tenant != self._tenant for tracking in trackings):
            raise ValueError("another tenant's tracking was given to this tenant's store")


def key(tenant: str, tracking_id: str) -> Item:
    """Where a tracking is."""
    return {"pk": {"S": keys.key(tenant, keys.TRACKING, tracking_id)}, "sk": {"S": keys.TRACKING}}


def tracking_item(tracking: Tracking) -> Item:
    """A new tracking as it is stored: due, for its first poll to be planned."""
    return {
        **key(tracking.tenant, tracking.id),
        "type": {"S": "tracking"},
        "carrier": {"S": tracking.carrier},
        "carrier_code": {"S": tracking.carrier_code or ""},
        "list_pk": {"S": keys.key(tracking.tenant, _LIST)},
        "list_sk": {"S": _place(tracking)},
        "due_pk": {"S": keys.poll_partition(tracking.id)},
        "due_at": {"S": rfc3339(tracking.created_at)},
        **_facts(tracking),
    }


def _facts(tracking: Tracking) -> Item:
    return {
        "status": {"S": tracking.status},
        "status_pk": {"S": _status_list(tracking.tenant, tracking.status)},
        "version": {"N": str(tracking.version)},
        "doc": {"S": _encoder.encode(tracking).decode()},
    }


def _place(tracking: Tracking) -> str:
    return keys.list_position(tracking.created_at, tracking.id)


def _status_list(tenant: str, status: str) -> str:
    return keys.key(tenant, _LIST, "STATUS", status)


def _next(tracking_id: str, at: datetime | None) -> tuple[Item, Sequence[str]]:
    """What of a POLL is to be set, and taken away, for a next poll at `at`; None: there is no next one."""
    if at is None:
        return {}, ("due_pk", "due_at")
    return {"due_pk": {"S": keys.poll_partition(tracking_id)}, "due_at": {"S": rfc3339(at)}}, ()


def _moment(item: Item) -> datetime | None:
    return datetime.fromisoformat(item["due_at"]["S"]) if "due_at" in item else None
